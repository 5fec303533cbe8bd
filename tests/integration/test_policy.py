"""A model's defaults, override and drop, and what a key may ask for: between equal dialects only what they change is changed, in both directions."""
import json

import upstream as up

POLICY = {"defaults": {"temperature": 0.7, "max_tokens": 77}, "override": {"stop": "END"}, "drop": ["user", "top_k"]}
# What no reader here knows stands in each request and each answer, with blanks and numbers as nobody else writes them.
ODD = b'"of_tomorrow": {"a": [1.50 , 2]}'


class Case:
    def __init__(self, dialect, base, path, request, sent, whole, stream, streamed=None, stream_type="text/event-stream"):
        self.dialect, self.base, self.path, self.request, self.sent, self.whole = dialect, base, path, request, sent, whole
        self.stream, self.streamed, self.stream_type = stream, streamed or path, stream_type


CLAUDES_BLOCKS = b'[{"type":"server_tool_use","id":"s1","name":"web_search","input":{ }},{"type":"web_search_tool_result","tool_use_id":"s1","content":[]},' \
                 b'{"type":"text","text":"Hi","citations":[{"type":"web_search_result_location","url":"u","encrypted_index":"E=="}]}]'
CASES = [
    Case("anthropic", "", "/v1/messages",
         b'{"model":"al", "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":' + CLAUDES_BLOCKS + b'},{"role":"user","content":"go"}],' + ODD +
         b',"metadata":{"user_id":"me","team":"t"},"top_k":5, "context_management":{"edits":[]}%s}',
         b'{"model":"claude-sonnet-4-5", "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":' + CLAUDES_BLOCKS + b'},{"role":"user","content":"go"}],' + ODD +
         b',"metadata":{"team":"t"}, "context_management":{"edits":[]}%s,"max_tokens":77,"temperature":0.7,"stop_sequences":["END"]}',
         b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":' + CLAUDES_BLOCKS + b', "stop_reason":"end_turn","stop_sequence":null,'
         b'"container":{"id":"c"},"context_management":{"applied_edits":[]},"usage":{"input_tokens":8,"output_tokens":7,"server_tool_use":{"web_search_requests":1}}, ' + ODD + b'}',
         b''.join(b"event: %s\ndata: %s\n\n" % pair for pair in (
             (b"message_start", b'{"type":"message_start", "message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"usage":{"input_tokens":8,"output_tokens":1},' + ODD + b'}}'),
             (b"content_block_start", b'{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}'),
             (b"content_block_stop", b'{"type":"content_block_stop","index":0}'),
             (b"message_delta", b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7,"of_tomorrow":1}}'),
             (b"message_stop", b'{"type":"message_stop"}')))),
    Case("gemini", "/v1beta", "/v1beta/models/al:generateContent",
         b'{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{ }}}]},'
         b'{"role":"user","parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}}]}],' + ODD +
         b',"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generation_config":{"top_k":5,"thinking_config":{"thinking_level":"low"},"response_modalities":["TEXT","IMAGE"]}%s}',
         b'{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{ }}}]},'
         b'{"role":"user","parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}}]}],' + ODD +
         b',"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generation_config":{"thinking_config":{"thinking_level":"low"},"response_modalities":["TEXT","IMAGE"],'
         b'"temperature":0.7,"maxOutputTokens":77,"stopSequences":["END"]}%s}',
         b'{"candidates":[{"content":{"parts":[{"text":"Hi"},{"of_tomorrow":1}],"role":"model"},"finishReason":"STOP","avgLogprobs":-0.10}],"createTime":"2026-01-01",'
         b'"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":7,"totalTokenCount":20,"toolUsePromptTokenCount":5,"trafficType":"ON_DEMAND"}, ' + ODD + b'}',
         b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"},{"of_tomorrow":1}],"role":"model"},"finishReason":"STOP"}],"createTime":"x",'
         b'"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":7,"totalTokenCount":20,"toolUsePromptTokenCount":5,"trafficType":"ON_DEMAND"}, ' + ODD + b'}\r\n\r\n',
         "/v1beta/models/al:streamGenerateContent?alt=sse"),
    Case("cohere", "/v2", "/v2/chat",
         b'{"model":"al","messages":[{"role":"user","content":[{"type":"of_tomorrow"}]}],"k":5,"documents":[{"id":"d","data":{ }}], ' + ODD + b'%s}',
         b'{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"of_tomorrow"}]}],"documents":[{"id":"d","data":{ }}], ' + ODD +
         b'%s,"max_tokens":77,"temperature":0.7,"stop_sequences":["END"]}',
         b'{"id":"i","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}],"citations":[{"start":0,"end":2,"type":"TEXT_CONTENT","sources":[{"type":"tool","tool_output":{"a":1.50}}]}]},'
         b'"finish_reason":"COMPLETE", "usage":{"billed_units":{"input_tokens":2,"output_tokens":7},"tokens":{"input_tokens":8,"output_tokens":7}}, ' + ODD + b'}',
         b''.join(b"event: %s\ndata: %s\n\n" % pair for pair in (
             (b"message-start", b'{"type":"message-start", "id":"i","delta":{"message":{"role":"assistant"}}}'),
             (b"content-start", b'{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}'),
             (b"content-delta", b'{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}, ' + ODD + b'}'),
             (b"content-end", b'{"type":"content-end","index":0}'),
             (b"message-end", b'{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":2.0},"tokens":{"input_tokens":8,"output_tokens":7}}}}')))),
    Case("ollama", "", "/api/chat",
         b'{"model":"al","messages":[{"role":"user","content":"hi","of_tomorrow":1.50}],"options":{"num_ctx": 9,"top_k":5},"keep_alive":"5m", ' + ODD + b'%s}',
         b'{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi","of_tomorrow":1.50}],"options":{"num_ctx": 9,"num_predict":77,"temperature":0.7,"stop":["END"]},'
         b'"keep_alive":"5m", ' + ODD + b'%s}',
         b'{"model":"x","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop","total_duration":5,"load_duration":1,'
         b'"prompt_eval_count":8,"eval_count":7,"eval_duration":3, ' + ODD + b'}',
         b'{"model":"x","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi"}, "done":false,' + ODD + b'}\n'
         b'{"model":"x","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":8,"eval_count":7}\n',
         stream_type="application/x-ndjson"),
]


def speaker(case):
    async def handler(x):
        if b'"stream":true' in x.request.body or "stream" in x.request.target:
            await x.send(up.STREAM_HEAD.replace(b"text/event-stream", case.stream_type.encode()))
            await x.send(up.http_chunk(case.stream))
            return await x.send(up.LAST_CHUNK)
        await x.send(up.reply(case.whole))
    return handler


def both_ways(s, u, case, key=None, sent=None):
    for streamed in (False, True):
        said = b"" if case.dialect == "gemini" else b',"stream":true' if streamed else b',"stream":false'
        r = s.request("POST", case.streamed if streamed else case.path, case.request % said, key=key)
        assert r.status == 200 and r.body == (case.stream if streamed else case.whole), (case.dialect, streamed, r.status, r.body)
        assert u.chats()[-1].body == (sent or case.sent) % said, (case.dialect, streamed, u.chats()[-1].body)
        assert not r.header("x-llmrouter-dropped"), r.head
        record = s.usage()[0]
        assert (record["input_tokens"], record["output_tokens"]) in ((8, 7), (13, 7), (8, 12), (13, 12)), (case.dialect, record)


def test_equal_dialects_pass_bytes_beside_what_a_model_changes(t):
    for case in CASES:
        u = t.upstream(speaker(case))
        provider = {"dialect": case.dialect, "base_url": u.url[:-3] + case.base, "api_key": "k", "models": {"override": ["claude-sonnet-4-5"]}}
        s = t.server(providers={"p": provider}, models={"al": {"targets": ["p/claude-sonnet-4-5"], **POLICY}})
        both_ways(s, u, case)


def test_equal_dialects_pass_bytes_beside_the_bound_of_a_key(t):
    key = "sk-of-the-tests-0123456789"
    for case in CASES:
        u = t.upstream(speaker(case))
        provider = {"dialect": case.dialect, "base_url": u.url[:-3] + case.base, "api_key": "k", "models": {"override": ["claude-sonnet-4-5"]}}
        s = t.server(providers={"p": provider}, models={"al": "p/claude-sonnet-4-5"}, server={"auth": "keys"},
                     keys=[{"name": "ci", "key": key, "params": {"max_tokens": 77}}])
        r = s.request("POST", case.path, case.request % (b"" if case.dialect == "gemini" else b',"stream":false'), key=key)
        assert r.status == 200 and r.body == case.whole, (case.dialect, r.status, r.body)
        sent = u.chats()[-1].body
        assert ODD in sent and sent.count(b":77") == 1, (case.dialect, sent)


def test_an_unsigned_thought_costs_an_anthropic_client_nothing_else(t):
    case = CASES[0]
    u = t.upstream(speaker(case))
    s = t.server(providers={"p": {"dialect": "anthropic", "base_url": u.url[:-3], "api_key": "k", "models": {"override": ["claude-sonnet-4-5"]}}},
                 models={"al": "p/claude-sonnet-4-5", "set": {"targets": ["p/claude-sonnet-4-5"], **POLICY}})
    body = b'{"model":"%s", "max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[%s' + CLAUDES_BLOCKS[1:] + b'},{"role":"user","content":"go"}],' + ODD + b'%s}'
    thought = b'{"type":"thinking","thinking":"hm","signature":""},'
    for name, more in ((b"al", b""), (b"set", b',"temperature":0.7,"stop_sequences":["END"]')):
        for streamed in (b"", b',"stream":true'):
            r = s.request("POST", "/v1/messages", body % (name, thought, streamed))
            assert r.status == 200 and r.body == (case.stream if streamed else case.whole), (r.status, r.body)
            assert r.header("x-llmrouter-dropped") == "reasoning", r.head
            assert u.chats()[-1].body == body % (b"claude-sonnet-4-5", b"", streamed + more), u.chats()[-1].body


def test_one_bound_reaches_an_upstream_whichever_name_a_client_gives_it(t):
    u = t.upstream(up.good)
    s = t.server(u, models={"always": {"targets": ["up/m1"], "override": {"max_tokens": 55}}, "silent": {"targets": ["up/m1"], "defaults": {"max_tokens": 55}}})
    for model, asked, sent in (("always", {"max_completion_tokens": 8000}, {"max_completion_tokens": 55}), ("always", {"max_tokens": 8000}, {"max_tokens": 55}),
                               ("silent", {"max_completion_tokens": 8000}, {"max_completion_tokens": 8000}), ("silent", {}, {"max_tokens": 55})):
        assert s.chat(model, **asked).status == 200
        body = u.chats()[-1].json()
        assert {n: v for n, v in body.items() if n in ("max_tokens", "max_completion_tokens")} == sent, (model, asked, body)


def test_an_upstreams_words_on_a_request_for_speech_pass_as_they_are(t):
    told = b'{"error": {"message":"bad voice","type":"invalid_request_error","param":"voice","code":null}}'
    u = t.upstream(up.scripted(up.sends(up.reply(told, 400))))
    s = t.server(u)
    r = s.request("POST", "/v1/audio/speech", {"model": "up/m1", "input": "hi", "voice": "zz"})
    assert r.status == 400 and r.body == told, (r.status, r.body)


def test_a_form_of_the_answer_that_older_models_have_no_word_for_is_still_given(t):
    async def calls(x):
        tool = x.request.json()["tools"][0]["name"]
        await x.send(up.reply({"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "tool_use", "stop_sequence": None,
                               "content": [{"type": "tool_use", "id": "t", "name": tool, "input": {"a": 1}}], "usage": {"input_tokens": 8, "output_tokens": 7}}))
    u = t.upstream(calls)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    s = t.server(providers={"p": {"dialect": "anthropic", "base_url": u.url[:-3], "api_key": "k", "models": {"override": ["claude-3-5-haiku"]}}},
                 models={"al": {"targets": ["p/claude-3-5-haiku"], "override": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}}}})
    r = s.request("POST", "/v1/messages", {"model": "al", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
    assert r.status == 200 and json.loads(r.json()["content"][0]["text"]) == {"a": 1}, r.body
