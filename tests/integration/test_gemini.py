"""Google's dialect through the real server: its clients at an OpenAI upstream, OpenAI's clients at a Google upstream, and both the same."""
import json

import upstream as up

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 22, "thoughtsTokenCount": 7, "cachedContentTokenCount": 4}
ASK = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def answer(*parts, finish="STOP", usage=USAGE, **more):
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    if finish:
        candidate["finishReason"] = finish
    body = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r-1"}
    if usage:
        body["usageMetadata"] = usage
    return body


def event(body):
    return b"data: " + json.dumps(body).encode() + b"\r\n\r\n"


def streams(*bodies, tail=b""):
    async def handler(x):
        await x.send(up.STREAM_HEAD)
        for body in bodies:
            await x.send(up.http_chunk(event(body)))
        if tail:
            await x.send(up.http_chunk(tail))
        await x.send(up.LAST_CHUNK)
    return handler


def google(t, *handlers, **sections):
    """A server with one provider that speaks Google's dialect."""
    u = t.upstream(up.scripted(*handlers))
    provider = {"base_url": u.url.replace("/v1", "/v1beta"), "dialect": "gemini", "type": "gemini", "api_key": "AIza-upstream", "models": {"override": ["gemini-2.5-flash"]}}
    return u, t.server(providers={"g": provider}, **sections)


def chunks(reply):
    return [json.loads(line[6:]) for line in reply.body.decode().split("\r\n") if line.startswith("data: ")]


def post(s, path, body=ASK, **options):
    return s.request("POST", path, body, **options)


# Google's clients.

def test_a_google_client_and_upstream_pass_bytes(t):
    odd = b'{ "candidates": [{"content":{"parts":[{"text":"\\u00e9"}],"role":"model"},"finishReason":"STOP","fieldOfTomorrow":[1.50]}],\n' \
          b'"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":9,"thoughtsTokenCount":4}}\n'
    u, s = google(t, up.sends(up.reply(odd)))
    body = b'{ "contents": [{"parts":[{"text":"hi"}]}], "somethingNew": {"a": 1} }'
    for path in ("/v1beta/models/g/gemini-2.5-flash:generateContent", "/v1/models/g/gemini-2.5-flash:generateContent",
                 "/v1beta/models/models/g/gemini-2.5-flash:generateContent", "/v1beta/models/g%2Fgemini-2.5-flash:generateContent"):
        r = post(s, path, body)
        assert r.status == 200 and r.body == odd, (path, r.status, r.body)
    sent = u.chats()[0]
    assert sent.target == "/v1beta/models/gemini-2.5-flash:generateContent" and sent.body == body, (sent.target, sent.body)
    assert sent.headers["x-goog-api-key"] == "AIza-upstream" and "authorization" not in sent.headers, sent.headers
    record = s.usage()[0]
    assert (record["input_tokens"], record["output_tokens"], record["reasoning_tokens"], record["dialect"]) == (3, 6, 4, "gemini"), record


def test_a_google_stream_passes_as_it_came(t):
    bodies = [answer({"text": "Hel"}, finish=None), answer({"text": "lo"})]
    u, s = google(t, streams(*bodies))
    r = post(s, "/v1beta/models/g/gemini-2.5-flash:streamGenerateContent?alt=sse")
    assert r.status == 200 and r.complete and r.body == b"".join(event(b) for b in bodies), r.body
    assert r.header("content-type").startswith("text/event-stream")
    assert u.chats()[0].target == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", u.chats()[0].target
    assert s.usage()[0]["output_tokens"] == 12


def test_without_alt_sse_the_stream_is_an_array(t):
    u, s = google(t, streams(answer({"text": "Hel"}, finish=None), answer({"text": "lo"})))
    r = post(s, "/v1beta/models/g/gemini-2.5-flash:streamGenerateContent")
    assert r.status == 200 and r.complete and r.header("content-type").startswith("application/json"), r.head
    steps = r.json()
    assert "".join(p["text"] for c in steps for p in c["candidates"][0]["content"]["parts"]) == "Hello", steps
    assert [c["candidates"][0].get("finishReason") for c in steps][-1] == "STOP" and steps[-1]["usageMetadata"]["thoughtsTokenCount"] == 7
    assert u.chats()[0].target.endswith("?alt=sse")


def test_a_google_client_at_an_openai_upstream(t):
    calls = [{"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
             {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]
    whole = up.chat_body(None, finish="tool_calls")
    whole["choices"][0]["message"]["tool_calls"] = calls

    async def stream(x):
        await x.send(up.STREAM_HEAD)
        for frame in (up.chunk({"role": "assistant", "content": "He"}), up.chunk({"content": "y"}),
                      up.chunk({"tool_calls": [dict(calls[0], index=0, function={"name": "f", "arguments": "{\"x\""})]}),
                      up.chunk({"tool_calls": [dict(calls[1], index=1, function={"name": "g", "arguments": ""})]}),
                      up.chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
                      up.chunk({}, "tool_calls"), up.usage_chunk(), b"data: [DONE]\n\n"):
            await x.send(up.http_chunk(frame))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(up.scripted(up.sends(up.reply(whole)), stream))
    s = t.server(u)
    ask = {"system_instruction": {"parts": [{"text": "be brief"}]},
           "contents": [{"role": "user", "parts": [{"text": "look"}, {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}]},
                        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": 0}}}]},
                        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": 42}}}]}],
           "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}}}, {"name": "g"}]}],
           "generation_config": {"max_output_tokens": 9}, "safetySettings": []}
    r = post(s, "/v1beta/models/up/m1:generateContent", ask)
    assert r.status == 200, r.body
    assert r.header("x-llmrouter-dropped") == "safetySettings", r.head
    candidate = r.json()["candidates"][0]
    assert [p["functionCall"] for p in candidate["content"]["parts"]] == [{"id": "call_a", "name": "f", "args": {"x": 1}}, {"id": "call_b", "name": "g", "args": {}}]
    assert candidate["finishReason"] == "STOP" and candidate["content"]["role"] == "model"
    assert r.json()["usageMetadata"]["promptTokenCount"] == 11 and r.json()["usageMetadata"]["thoughtsTokenCount"] == 2
    sent = u.chats()[0].json()
    assert sent["model"] == "m1" and sent["max_tokens"] == 9, sent
    assert [m["role"] for m in sent["messages"]] == ["system", "user", "assistant", "tool"], sent["messages"]
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert sent["messages"][2]["tool_calls"][0]["id"] == sent["messages"][3]["tool_call_id"]
    assert sent["messages"][3]["content"] == '{"result":42}'
    assert sent["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {"x": {"type": "integer"}}}

    r = post(s, "/v1beta/models/up/m1:streamGenerateContent?alt=sse", ask)
    assert r.status == 200 and r.complete, r.body
    seen = chunks(r)
    parts = [p for c in seen for p in c["candidates"][0]["content"]["parts"]]
    assert "".join(p.get("text", "") for p in parts) == "Hey"
    assert [p["functionCall"]["name"] + json.dumps(p["functionCall"]["args"]) for p in parts if "functionCall" in p] == ['f{"x": 1}', "g{}"]
    assert [("usageMetadata" in c, c["candidates"][0].get("finishReason")) for c in seen][-1] == (True, "STOP")
    assert not any("usageMetadata" in c for c in seen[:-1])
    assert u.chats()[1].json()["stream_options"] == {"include_usage": True}


def test_errors_in_googles_shape(t):
    u = t.upstream(up.scripted(up.sends(up.error(400, "prompt is too long", "context_length_exceeded", "invalid_request_error"))))
    s = t.server(u)
    r = post(s, "/v1beta/models/up/m1:generateContent")
    assert r.status == 400 and r.json()["error"]["status"] == "INVALID_ARGUMENT" and "prompt is too long" in r.message, r.body
    r = post(s, "/v1beta/models/nobody:generateContent")
    assert r.status == 404 and r.code == 404 and r.json()["error"]["status"] == "NOT_FOUND" and "nobody" in r.message, r.body
    r = post(s, "/v1beta/models/up/m1:generateContent", {"contents": "hi"})
    assert r.status == 400 and r.json()["error"]["details"][0]["metadata"]["field"] == "contents", r.body
    assert s.request("GET", "/v1beta/models/up/m1:generateContent").status == 405
    assert post(s, "/v1beta/models/up/m1:unheardOf").status in (404, 405)


def test_an_error_inside_a_stream_leaves_it_open(t):
    broken = up.frames(("a",), done=False)[:2]

    async def handler(x):
        await x.send(up.STREAM_HEAD)
        for frame in broken:
            await x.send(up.http_chunk(frame))
        await x.send(up.LAST_CHUNK)
    s = t.server(t.upstream(up.scripted(handler)))
    r = post(s, "/v1beta/models/up/m1:streamGenerateContent?alt=sse")
    seen = chunks(r)
    assert seen[0]["candidates"][0]["content"]["parts"][0]["text"] == "a"
    assert seen[-1]["error"]["code"] == 502 and not any(c.get("candidates", [{}])[0].get("finishReason") for c in seen), seen
    assert not r.complete


def test_keys_by_header_and_by_query(t):
    key = "sk-google-client-0123456789abcdef"
    s = t.server(t.upstream(), server={"listen": "127.0.0.1:0", "auth": "keys", "trust_loopback": False}, keys=[{"name": "g", "key": key}])
    path = "/v1beta/models/up/m1:generateContent"
    assert post(s, path).status == 401
    assert post(s, path, headers=[("x-goog-api-key", key)]).status == 200
    assert post(s, path + "?key=" + key).status == 200
    assert post(s, "/v1beta/models/up/m1:streamGenerateContent?alt=sse&key=" + key).status == 200
    assert post(s, path + "?key=wrong").json()["error"]["status"] == "UNAUTHENTICATED"


def test_lists_of_models_in_both_shapes(t):
    u, s = google(t, up.sends(up.reply(answer({"text": "x"}))), models={"my-model": "g/gemini-2.5-flash"})
    listed = s.get("/v1beta/models").json()["models"]
    assert [m["name"] for m in listed][:2] == ["models/my-model", "models/g/gemini-2.5-flash"], listed
    assert all(m["inputTokenLimit"] > 0 and m["outputTokenLimit"] > 0 and "generateContent" in m["supportedGenerationMethods"] for m in listed)
    first = s.get("/v1beta/models?pageSize=1").json()
    assert [m["name"] for m in first["models"]] == ["models/my-model"] and first["nextPageToken"]
    rest = s.get("/v1beta/models?pageToken=" + first["nextPageToken"]).json()
    assert rest["models"] == listed[1:] and "nextPageToken" not in rest
    assert s.get("/v1beta/models/my-model").json()["name"] == "models/my-model"
    assert s.get("/v1beta/models/g/anything").json()["name"] == "models/g/anything"
    r = s.get("/v1beta/models/nobody")
    assert r.status == 404 and r.json()["error"]["status"] == "NOT_FOUND", r.body
    assert s.get("/v1/models").json()["object"] == "list"
    assert s.get("/v1/models/my-model").json()["id"] == "my-model"


def test_tokens_are_counted_there_or_here(t):
    u, s = google(t, up.sends(up.reply({"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]})))
    r = post(s, "/v1beta/models/g/gemini-2.5-flash:countTokens")
    assert r.status == 200 and r.json()["totalTokens"] == 31, r.body
    assert u.chats()[0].target == "/v1beta/models/gemini-2.5-flash:countTokens" and u.chats()[0].json() == ASK
    s = t.server(t.upstream())
    r = post(s, "/v1beta/models/up/m1:countTokens", {"contents": [{"parts": [{"text": "x" * 400}]}]})
    assert r.status == 200 and r.json() == {"totalTokens": 107}, r.body
    assert post(s, "/v1beta/models/nobody:countTokens").status == 404


# OpenAI's clients at a Google upstream.

def test_an_openai_client_at_a_google_upstream(t):
    whole = answer({"text": "hm", "thought": True}, {"text": "So."},
                   {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "U0lH"}, {"functionCall": {"name": "f", "args": {"x": 2}}})
    u, s = google(t, up.sends(up.reply(whole)), streams(answer({"text": "hm", "thought": True}, finish=None), answer({"text": "So."}, finish=None),
                                                        answer({"functionCall": {"name": "f", "args": {"x": 1}}}, {"functionCall": {"name": "f", "args": {"x": 2}}}, finish=None),
                                                        answer({"text": ""})))
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}}]
    r = s.chat("g/gemini-2.5-flash", tools=tools, tool_choice="required", max_tokens=9, logit_bias={"1": 2}, reasoning_effort="low")
    assert r.status == 200 and r.header("x-llmrouter-dropped") == "logit_bias", r.head
    message = r.json()["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("So.", "hm"), message
    assert [c["function"]["arguments"] for c in message["tool_calls"]] == ['{"x":1}', '{"x":2}']
    assert len({c["id"] for c in message["tool_calls"]}) == 2
    assert r.json()["choices"][0]["finish_reason"] == "tool_calls"
    assert r.json()["usage"]["prompt_tokens"] == 10 and r.json()["usage"]["completion_tokens"] == 12, r.json()["usage"]
    sent = u.chats()[0]
    assert sent.target == "/v1beta/models/gemini-2.5-flash:generateContent" and sent.headers["x-goog-api-key"] == "AIza-upstream"
    assert sent.json() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                           "tools": [{"functionDeclarations": [{"name": "f", "description": "", "parametersJsonSchema": tools[0]["function"]["parameters"]}]}],
                           "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
                           "generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024}}}, sent.body

    r = s.chat("g/gemini-2.5-flash", stream=True, tools=tools, stream_options={"include_usage": True})
    assert r.complete and r.text() == "So.", r.body
    events = [json.loads(e) for e in r.events() if e != "[DONE]"]
    calls = [c for e in events for ch in e["choices"] for c in ch["delta"].get("tool_calls", [])]
    assert [c["index"] for c in calls] == sorted(c["index"] for c in calls) and {c["index"] for c in calls} == {0, 1}
    assert [e["choices"][0]["finish_reason"] for e in events if e["choices"] and e["choices"][0]["finish_reason"]] == ["tool_calls"]
    assert events[-1]["choices"] == [] and events[-1]["usage"]["total_tokens"] == 22
    assert r.events()[-1] == "[DONE]"


def test_google_errors_reach_an_openai_client(t):
    limited = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED",
                         "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48s"}]}}
    u, s = google(t, up.sends(up.reply({"error": {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}}, 404, content_type="text/event-stream")),
                  up.sends(up.reply({"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}, 400)),
                  up.sends(up.reply([{"error": {"code": 400, "message": "Invalid value", "status": "INVALID_ARGUMENT"}}], 400)),
                  up.sends(up.reply(limited, 429)))
    r = s.chat("g/gemini-2.5-flash", stream=True)
    assert r.status == 404 and r.message == "models/x is not found" and r.code == "NOT_FOUND", r.body
    r = s.chat("g/gemini-2.5-flash")
    assert r.status == 502 and r.code == "upstream_credentials_rejected", r.body
    r = s.chat("g/gemini-2.5-flash")
    assert r.status == 400 and r.message == "Invalid value", r.body
    r = s.chat("g/gemini-2.5-flash")
    assert r.status == 429 and r.header("retry-after") in ("47", "48"), r.head


def test_a_blocked_prompt_is_a_filtered_answer(t):
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}, "modelVersion": "m"}
    u, s = google(t, up.sends(up.reply(blocked)), streams(blocked), up.sends(up.reply(blocked)))
    choice = s.chat("g/gemini-2.5-flash").json()["choices"][0]
    assert choice["finish_reason"] == "content_filter" and "SAFETY" in choice["message"]["refusal"], choice
    r = s.chat("g/gemini-2.5-flash", stream=True)
    assert r.complete and b'"finish_reason":"content_filter"' in r.body, r.body
    r = post(s, "/v1beta/models/g/gemini-2.5-flash:generateContent")
    assert r.json() == blocked, r.body


def test_an_error_before_the_first_word_is_another_attempt(t):
    overloaded = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for path in ("/v1beta/models/g/gemini-2.5-flash:streamGenerateContent?alt=sse", "/v1beta/models/g/gemini-2.5-flash:streamGenerateContent"):
        u, s = google(t, streams(overloaded), streams(answer({"text": "ok"})))
        r = post(s, path)
        assert r.status == 200 and r.complete and b'"ok"' in r.body and r.header("x-llmrouter-attempts") == "2", r.body


def test_a_models_list_comes_in_pages(t):
    async def handler(x):
        if x.request.method != "GET":
            return await x.send(up.reply(answer({"text": "x"})))
        second = "pageToken=next%2Fpage" in x.request.target
        page = {"models": [{"name": "models/second" if second else "models/first", "supportedGenerationMethods": ["generateContent"]}]}
        if not second:
            page["nextPageToken"] = "next/page"
        await x.send(up.reply(page))
    u = t.upstream(handler)
    s = t.server(providers={"g": {"base_url": u.url.replace("/v1", ""), "dialect": "gemini", "type": "gemini", "api_key": "k"}})
    from harness import wait
    assert wait(lambda: [m["name"] for m in s.get("/v1beta/models").json()["models"] if m["name"].startswith("models/g/")] == ["models/g/first", "models/g/second"]), s.get("/v1beta/models").body
    assert all(r.target.startswith("/v1beta/models") for r in u.seen), [r.target for r in u.seen]


def test_a_blocked_prompt_goes_to_content_fallbacks(t):
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}, "modelVersion": "gemini-2.5-flash"}
    other = t.upstream()

    async def google_answers(x):
        await (streams(blocked) if b"stream" in x.request.target.encode() else up.sends(up.reply(json.dumps(blocked).encode())))(x)

    u = t.upstream(google_answers)
    providers = {"g": {"base_url": u.url.replace("/v1", "/v1beta"), "dialect": "gemini", "type": "gemini", "api_key": "AIza-upstream", "models": {"override": ["gemini-2.5-flash"]}},
                 "o": {"base_url": other.url, "dialect": "openai", "api_key": "k", "models": {"override": ["m1"]}}}
    s = t.server(providers=providers, models={"main": {"targets": ["g/gemini-2.5-flash"], "content_fallbacks": ["lax"]}, "bare": "g/gemini-2.5-flash", "lax": "o/m1"})
    hi = [{"role": "user", "content": "hi"}]
    for stream in (False, True):
        for path, body in (("/v1beta/models/%s:" + ("streamGenerateContent?alt=sse" if stream else "generateContent"), ASK),
                           ("/v1/chat/completions", {"messages": hi, "stream": stream}), ("/v1/messages", {"messages": hi, "max_tokens": 9, "stream": stream})):
            named = (lambda m: (path % m, body)) if "%s" in path else (lambda m: (path, {**body, "model": m}))
            r = post(s, *named("main"))
            assert r.status == 200 and b"upstream" in r.body and b"blocked" not in r.body and b"PROHIBITED" not in r.body, (path, stream, r.body)
            assert r.header("x-llmrouter-provider") == "o", (path, stream)
            r = post(s, *named("bare"))
            assert r.status == 200 and (b"blocked" in r.body or b"promptFeedback" in r.body), (path, stream, r.body)
            assert r.header("x-llmrouter-provider") == "g", (path, stream)
