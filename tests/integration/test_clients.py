"""What real client programs need, one promise a test: SDKs, frameworks and agents as they were seen on the wire, against the real server."""
import json

import test_anthropic as claude
import test_gemini as google
import test_responses as oai
import upstream as up

CALLS = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
         {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": '{"b":2}'}}]
HI = [{"role": "user", "content": "hi"}]
OVERFLOW = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"
# Each client's way to ask, by its dialect: path, body, and where an error's words stand.
ASKS = {
    "openai": ("/v1/chat/completions", {"messages": HI}),
    "completions": ("/v1/completions", {"prompt": "hi"}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "anthropic": ("/v1/messages", {"messages": HI, "max_tokens": 50}),
    "gemini": ("/v1beta/models/%s:generateContent", google.ASK),
    "ollama": ("/api/chat", {"messages": HI, "stream": False}),
    "cohere": ("/v2/chat", {"messages": HI}),
}


def say(s, dialect, model="up/m1", **options):
    path, body = ASKS[dialect]
    if "%s" in path:
        return s.request("POST", path % model, body, **options)
    return s.request("POST", path, dict(body, model=model), **options)


def frames(*deltas, finish="stop", usage=up.USAGE):
    out = [up.chunk({"role": "assistant", "content": ""})] + [up.chunk(d) for d in deltas] + [up.chunk({}, finish)]
    return out + ([up.usage_chunk(usage)] if usage else []) + [b"data: [DONE]\n\n"]


def openai(t, *deltas, **options):
    """A server before an OpenAI upstream that streams these deltas, or tells `whole`."""
    whole = options.pop("whole", None)
    pieces = frames(*deltas, **options)

    async def handler(x):
        if not x.request.json().get("stream"):
            return await x.send(up.reply(whole or up.chat_body("Hi")))
        await claude.streams(pieces)(x)
    u = t.upstream(up.scripted(handler))
    return u, t.server(u)


def test_ids_differ_from_answer_to_answer(t):
    same = up.chat_body("Hi")
    u = t.upstream(up.scripted(up.sends(up.reply(dict(same, id="")))))
    s = t.server(u)
    for dialect, member in (("responses", "id"), ("anthropic", "id"), ("gemini", "responseId"), ("cohere", "id")):
        ids = {say(s, dialect).json()[member] for _ in range(3)}
        assert len(ids) == 3 and all(ids), (dialect, ids)
    # Items of a Responses answer are kept by their ids, too.
    items = {i["id"] for _ in range(3) for i in say(s, "responses").json()["output"]}
    assert len(items) == 3, items


def test_anthropics_key_as_a_bearer_or_by_its_own_name_and_any_version(t):
    u = t.upstream(claude.answers)
    s = t.server(server={"auth": "keys"}, keys=[{"name": "k", "key": "sk-client-1234567890"}],
                 providers={"up": {"dialect": "anthropic", "base_url": u.url[:-3], "api_key": "sk-ant-up"}})
    for key in (("authorization", "Bearer sk-client-1234567890"), ("x-api-key", "sk-client-1234567890")):
        for version in ("2026-10-21", "2023-06-01", "3000-01-01"):
            r = claude.ask(s, headers=(key, ("anthropic-version", version)))
            assert r.status == 200, r.body
            sent = u.chats()[-1].headers
            assert sent["anthropic-version"] == version and sent["x-api-key"] == "sk-ant-up" and "sk-client" not in str(sent), sent


def test_claude_code(t):
    u, s = claude.claude(t)
    s2 = None
    r = s.request("HEAD", "/")
    assert r.status == 200 and not r.body, (r.status, r.head)
    body = {"model": "up/claude-opus-4-7", "max_tokens": 4096, "stream": True, "thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, "metadata": {"user_id": "u"},
            "system": [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}], "tools": [claude.TOOL],
            "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "Mind the time."}, {"role": "user", "content": "go"}]}
    headers = [("anthropic-beta", "mid-conversation-system-2025-10-01,context-management-2025-06-27"), ("anthropic-version", "2023-06-01"),
               ("x-app", "cli"), ("x-stainless-helper-method", "stream"), ("anthropic-dangerous-direct-browser-access", "true")]
    r = s.request("POST", "/v1/messages?beta=true", body, headers=headers)
    assert r.status == 200 and r.complete, r.body
    sent = u.chats()[-1]
    assert sent.headers["anthropic-beta"] == headers[0][1] and sent.json() == dict(body, model="claude-opus-4-7"), sent.body
    # The same towards an OpenAI model: what it has no word for is left out and named, the system's turn stays where it stood.
    u, s2 = openai(t, {"content": "Hello"})
    r = s2.request("POST", "/v1/messages?beta=true", dict(body, model="up/m1"), headers=headers)
    assert r.status == 200 and claude.events(r)[-1]["type"] == "message_stop", r.body
    sent = u.chats()[-1].json()
    assert "anthropic-beta" not in u.chats()[-1].headers
    assert "context_management" not in sent and "output_config" not in sent and "thinking" not in sent, sent
    assert "context_management" in (r.header("x-llmrouter-dropped") or ""), r.head
    roles = [m["role"] for m in sent["messages"]]
    assert roles == ["system", "user", "system", "user"] and "time" in json.dumps(sent["messages"][2]), sent["messages"]


def test_codex(t):
    u, s = openai(t, {"content": "Hello"})
    body = {"model": "up/m1", "instructions": "You are Codex.", "stream": True, "store": False, "include": ["reasoning.encrypted_content"], "client_metadata": {"x": "y"},
            "prompt_cache_key": "k", "parallel_tool_calls": True, "tool_choice": "auto", "reasoning": {"effort": "medium", "summary": "auto"},
            "tools": [{"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object", "properties": {"command": {"type": "string"}}}},
                      {"type": "namespace", "name": "mcp", "tools": []}, {"type": "web_search"}, {"type": "tool_of_tomorrow", "x": 1}],
            "input": [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Mind the files."}]},
                      {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}]}
    r = s.request("POST", "/v1/responses", body, headers=[("originator", "codex_cli_rs"), ("session_id", "s"), ("x-codex-turn-metadata", "{}"), ("openai-beta", "responses=experimental")])
    assert r.status == 200, r.body
    assert oai.events_of(r)[-1]["type"] == "response.completed"
    sent = u.chats()[-1].json()
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["shell"], sent["tools"]
    assert "tools" in (r.header("x-llmrouter-dropped") or ""), r.head
    # The same towards an Anthropic model and one of Ollama's.
    told = {"/v1/messages": claude.streams(claude.frames(claude.words("Hello"))), "/api/chat": up.sends(up.STREAM_HEAD.replace(b"text/event-stream", b"application/x-ndjson") +
            b"".join(up.http_chunk(json.dumps(dict({"model": "m", "created_at": "2026-01-01T00:00:00Z"}, **line)).encode() + b"\n") for line in (
                {"message": {"role": "assistant", "content": "Hello"}, "done": False}, {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"})) + up.LAST_CHUNK)}

    async def handler(x):
        await told[x.request.target](x)
    u = t.upstream(up.scripted(handler))
    s = t.server(providers={name: {"dialect": name, "base_url": u.url[:-3], "api_key": "k", "models": {"override": ["m1"]}} for name in ("anthropic", "ollama")})
    for name in ("anthropic", "ollama"):
        r = s.request("POST", "/v1/responses", dict(body, model=name + "/m1"))
        assert r.status == 200 and oai.events_of(r)[-1]["type"] == "response.completed", r.body
        sent = u.chats()[-1].json()["tools"]
        assert [tool.get("name") or tool["function"]["name"] for tool in sent] == ["shell"], sent
        assert "tools.web_search" in r.header("x-llmrouter-dropped"), r.head


def test_google_under_v1_and_v1beta_and_its_lists(t):
    u = t.upstream(up.good)
    s = t.server(u, models={"m": ["up/m1"]})
    for version in ("v1", "v1beta"):
        r = s.request("POST", "/%s/models/m:generateContent" % version, google.ASK)
        assert r.status == 200 and r.json()["candidates"][0]["content"]["parts"][0]["text"] == "Hello from upstream", r.body
    one = s.get("/v1beta/models/m")
    assert one.status == 200 and one.json()["name"] == "models/m" and "generateContent" in one.json()["supportedGenerationMethods"], one.body
    names = [m["name"] for m in s.get("/v1beta/models").json()["models"]]
    assert "models/m" in names and all(n.startswith("models/") for n in names), names


def test_google_in_snake_case_loses_nothing(t):
    u, s = openai(t)
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}, {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}]}],
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "generation_config": {"max_output_tokens": 9, "top_p": 0.5, "response_mime_type": "application/json", "stop_sequences": ["E"],
                                  "response_schema": {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}, "thinking_config": {"thinking_budget": 0}},
            "tools": [{"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {}}}]}],
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}}}
    r = s.request("POST", "/v1beta/models/up/m1:generateContent", body)
    assert r.status == 200, r.body
    sent = u.chats()[-1].json()
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}, sent
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo=", sent
    assert sent["tools"][0]["function"]["name"] == "f" and sent["tool_choice"] != "auto", sent
    assert sent["response_format"]["type"] == "json_schema" and sent["stop"] == ["E"] and sent["top_p"] == 0.5, sent
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 9, sent


def test_google_results_in_one_content_or_one_each(t):
    u, s = openai(t)
    calls = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "g", "args": {"b": 2}}}]}
    results = [{"functionResponse": {"name": name, "response": {"n": name}}} for name in ("f", "g")]
    for turns in ([{"role": "user", "parts": results}], [{"role": "user", "parts": [r]} for r in results], [{"role": "function", "parts": [r]} for r in results]):
        r = s.request("POST", "/v1beta/models/up/m1:generateContent", {"contents": google.ASK["contents"] + [calls] + turns})
        assert r.status == 200, r.body
        messages = u.chats()[-1].json()["messages"]
        assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool"], messages
        assert [c["id"] for c in messages[1]["tool_calls"]] == [m["tool_call_id"] for m in messages[2:]], messages
        assert ["f" in messages[2]["content"], "g" in messages[3]["content"]] == [True, True], messages


def test_googles_last_chunk_has_the_usage_which_an_openai_upstream_is_asked_for(t):
    u, s = openai(t, {"content": "Hel"}, {"content": "lo"})
    r = s.request("POST", "/v1beta/models/up/m1:streamGenerateContent?alt=sse", google.ASK)
    assert up.asks_usage(u.chats()[-1]), u.chats()[-1].body
    got = google.chunks(r)
    assert got[-1]["usageMetadata"]["promptTokenCount"] == 11 and got[-1]["candidates"][0]["finishReason"] == "STOP", got[-1]


def test_the_usage_chunk_has_no_choices_and_goes_to_those_who_asked(t):
    claude_up = t.upstream(up.scripted(claude.streams(claude.frames(claude.words("Hi")))))
    u, _ = openai(t, {"content": "Hi"})
    s = t.server(u, providers={"cl": {"dialect": "anthropic", "base_url": claude_up.url[:-3], "api_key": "k"}})
    for model in ("up/m1", "cl/m1"):
        r = s.chat(model, stream=True, stream_options={"include_usage": True})
        chunks = [json.loads(e) for e in r.events()[:-1]]
        assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == 7, chunks[-1]
        assert [c["choices"][0]["finish_reason"] for c in chunks[:-1] if c["choices"]][-1] == "stop", chunks
        r = s.chat(model, stream=True)
        assert all(c["choices"] and not c.get("usage") for c in map(json.loads, r.events()[:-1])), r.body
    # The most tokens by either name, and for Anthropic in any case.
    for members, most in (({"max_completion_tokens": 9}, 9), ({"max_tokens": 8}, 8), ({}, None)):
        s.chat("cl/claude-3-haiku", stream=True, **members)
        sent = claude_up.chats()[-1].json()["max_tokens"]
        assert sent == most if most else sent > 0, sent


def test_parallel_calls_stream_one_after_the_other(t):
    # An upstream that tells both at once.
    deltas = [{"tool_calls": [dict(c, index=i, function=dict(c["function"], arguments=""))]} for i, c in enumerate(CALLS)]
    for at in range(0, 7, 3):
        deltas += [{"tool_calls": [{"index": i, "function": {"arguments": c["function"]["arguments"][at:at + 3]}}]} for i, c in enumerate(CALLS)]
    _, s = openai(t, *deltas, finish="tool_calls")
    r = s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 9, "stream": True, "messages": HI})
    told = [(e["index"], e["type"]) for e in claude.events(r) if "index" in e]
    assert [i for i, _ in told] == sorted(i for i, _ in told), told
    r = s.request("POST", "/v1/responses", {"model": "up/m1", "input": "hi", "stream": True})
    done = [e["item"] for e in oai.events_of(r) if e["type"] == "response.output_item.done"]
    assert [(d["name"], d["arguments"]) for d in done] == [("f", '{"a":1}'), ("g", '{"b":2}')], done
    # Anthropic's stream told to an OpenAI client: begun, told, next.
    blocks = [({"type": "tool_use", "id": c["id"], "name": c["function"]["name"], "input": {}},
               [{"type": "input_json_delta", "partial_json": p} for p in (c["function"]["arguments"][:3], c["function"]["arguments"][3:])]) for c in CALLS]
    _, s = claude.claude(t, up.scripted(claude.streams(claude.frames(blocks, "tool_use"))))
    r = s.chat("up/x", stream=True)
    indexes = [c["index"] for e in r.events()[:-1] for k in json.loads(e)["choices"] for c in k["delta"].get("tool_calls", [])]
    assert indexes == sorted(indexes) and set(indexes) == {0, 1}, indexes


def test_thoughts_have_what_strict_clients_look_for(t):
    _, s = openai(t, {"reasoning_content": "hm"}, {"content": "Hi"}, whole=dict(up.chat_body("Hi"), choices=[
        {"index": 0, "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}, "finish_reason": "stop"}]))
    thinking = say(s, "anthropic").json()["content"][0]
    assert thinking["type"] == "thinking" and thinking["thinking"] == "hm" and isinstance(thinking["signature"], str), thinking
    r = s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 9, "stream": True, "messages": HI})
    block = [e for e in claude.events(r) if e["type"] == "content_block_start"][0]["content_block"]
    assert block["type"] == "thinking" and isinstance(block["signature"], str), block
    item = say(s, "responses").json()["output"][0]
    assert item["type"] == "reasoning" and item["id"] and isinstance(item["summary"], list), item
    r = s.request("POST", "/v1/responses", {"model": "up/m1", "input": "hi", "stream": True})
    for e in oai.events_of(r):
        if e["type"].startswith("response.output_item.") and e["item"]["type"] == "reasoning":
            assert e["item"]["id"] and isinstance(e["item"]["summary"], list), e


def test_message_start_counts_the_input(t):
    _, s = openai(t, {"content": "Hi"})
    r = s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "some words to be counted here"}]})
    events = claude.events(r)
    start, last = events[0]["message"]["usage"], [e for e in events if e["type"] == "message_delta"][-1]["usage"]
    assert start["input_tokens"] > 0 and start["output_tokens"] == 0, start
    assert last["output_tokens"] == 7, last


def test_an_error_inside_a_stream_is_told_and_the_connection_breaks(t):
    broken = [up.chunk({"role": "assistant", "content": ""}), up.chunk({"content": "Hel"}), up.data({"error": {"message": "the wheels came off", "type": "server_error"}})]

    async def handler(x):
        await claude.streams(broken)(x)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    for dialect, (path, body) in ASKS.items():
        if dialect == "completions":
            continue
        if "%s" in path:
            r = s.request("POST", "/v1beta/models/up/m1:streamGenerateContent?alt=sse", body)
        else:
            r = s.request("POST", path, dict(body, model="up/m1", stream=True))
        assert r.status == 200 and b"the wheels came off" in r.body, (dialect, r.body)
        assert not r.complete, (dialect, "the last chunk was sent")
        for end in (b"[DONE]", b"message_stop", b"response.completed", b'"finishReason":"STOP"', b'"done":true', b"COMPLETE"):
            assert end not in r.body, (dialect, r.body)


def test_a_429_is_hidden_by_a_retry_from_every_client(t):
    for dialect in ASKS:
        u = t.upstream(up.scripted(up.sends(up.error(429, "slow down", headers=[("retry-after-ms", "20")])), up.good))
        other = t.upstream(up.scripted(up.sends(up.reply({"id": "cmpl", "object": "text_completion", "created": 1, "model": "m1", "choices": [
            {"index": 0, "text": "Hi", "finish_reason": "stop", "logprobs": None}]})) if dialect == "completions" else up.good))
        s = t.server(u, other, models={"m": {"targets": [{"model": "up/m1", "priority": 1}, {"model": "up2/m1", "priority": 2}], "strategy": "priority"}})
        r = say(s, dialect, "m")
        assert r.status == 200, (dialect, r.body)
        assert len(u.chats()) + len(other.chats()) >= 2, dialect
        s.stop()


def test_an_unknown_model_is_a_404_with_its_name_in_every_dialect(t):
    s = t.server(t.upstream())
    for dialect in ASKS:
        r = say(s, dialect, "no-such-model")
        assert r.status == 404 and "no-such-model" in r.body.decode(), (dialect, r.status, r.body)
        if dialect in ("openai", "completions", "responses"):
            assert r.code == "model_not_found" and "no-such-model" in r.message, r.body


def test_context_overflow_is_known_in_every_dialect(t):
    u = t.upstream(up.scripted(up.sends(up.error(400, OVERFLOW, code="context_length_exceeded", type_="invalid_request_error"))))
    s = t.server(u)
    for dialect in ASKS:
        r = say(s, dialect)
        assert r.status == 400, (dialect, r.status, r.body)
        text = r.body.decode()
        known = "maximum context length" in text or "prompt is too long" in text
        assert known, (dialect, text)
        if dialect in ("openai", "completions", "responses"):
            assert r.json()["error"]["code"] == "context_length_exceeded", text


def test_base_urls_with_and_without_the_version(t):
    u = t.upstream(up.good)
    s = t.server(u)
    for path, body in (("/v1/chat/completions", {"messages": HI}), ("/chat/completions", {"messages": HI}), ("/v1/messages", {"messages": HI, "max_tokens": 5}),
                       ("/v1/responses", {"input": "hi"}), ("/responses", {"input": "hi"})):
        r = s.request("POST", path, dict(body, model="up/m1"), headers=[("accept-encoding", "identity")])
        assert r.status == 200 and b"Hello from upstream" in r.body and r.header("content-encoding") is None, (path, r.status, r.body)
    for path in ("/v1/models", "/models", "/v1beta/models", "/api/tags"):
        assert s.get(path).status == 200, path


def test_ollamas_lists_have_what_its_clients_drop_models_without(t):
    u = t.upstream(up.good)
    s = t.server(u, models={"a": ["up/m1"], "b": ["up/m1"]})
    models = s.get("/api/tags").json()["models"]
    digests = [m["digest"] for m in models]
    assert len(models) >= 2 and all(digests) and len(set(digests)) == len(digests), models
    r = s.request("POST", "/api/show", {"model": "a"})
    assert r.status == 200 and "completion" in r.json()["capabilities"], r.body


def test_own_headers_of_clients_refuse_nothing(t):
    u = t.upstream(up.good)
    s = t.server(u)
    headers = [("x-stainless-lang", "python"), ("x-stainless-retry-count", "0"), ("x-stainless-raw-response", "true"), ("x-session-id", "abc"), ("session_id", "x"),
               ("x-codex-beta-features", "a,b"), ("originator", "codex_exec"), ("sec-fetch-mode", "cors"), ("cache-control", "no-cache"), ("x-goog-api-client", "gl-python/3"),
               ("http-referer", "https://x.example"), ("x-title", "x"), ("openai-organization", "org"), ("traceparent", "00-%032x-%016x-01" % (1, 2)), ("te", "trailers"),
               ("accept", "text/event-stream, application/json"), ("user-agent", "x/1 (y; z)")]
    for dialect in ASKS:
        if dialect != "completions":
            r = say(s, dialect, headers=headers)
            assert r.status == 200, (dialect, r.status, r.body)
