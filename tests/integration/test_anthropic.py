"""Anthropic's Messages dialect through the real server: its clients, its upstreams, and both with OpenAI's on the other side."""
import json

import upstream as up

USAGE = {"input_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 7}
TOOL = {"name": "get_weather", "description": "Weather of a city", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def event(kind, **members):
    return ("event: %s\ndata: %s\n\n" % (kind, json.dumps(dict({"type": kind}, **members)))).encode()


def message(content, stop="end_turn", **more):
    return dict({"id": "msg_up", "type": "message", "role": "assistant", "model": "claude-up", "content": content, "stop_reason": stop, "stop_sequence": None,
                 "usage": USAGE}, **more)


def frames(blocks, stop="end_turn"):
    """blocks: (content_block, deltas)."""
    yield event("message_start", message=dict(message([], None), usage=dict(USAGE, output_tokens=1)))
    for i, (block, deltas) in enumerate(blocks):
        yield event("content_block_start", index=i, content_block=block)
        for delta in deltas:
            yield event("content_block_delta", index=i, delta=delta)
        yield event("content_block_stop", index=i)
    yield event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 7})
    yield event("message_stop")


def words(*texts):
    return [({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in texts])]


def streams(pieces):
    pieces = list(pieces)

    async def handler(x):
        await x.send(up.STREAM_HEAD)
        for piece in pieces:
            await x.send(up.http_chunk(piece))
        await x.send(up.LAST_CHUNK)
    return handler


async def answers(x):
    """A Claude."""
    if x.request.method == "GET":
        return await x.send(up.reply({"data": [{"type": "model", "id": "claude-up", "display_name": "C", "created_at": "2026-01-01T00:00:00Z"}], "has_more": False}))
    if x.request.target.endswith("count_tokens"):
        return await x.send(up.reply({"input_tokens": 4711}))
    if x.request.json().get("stream"):
        return await streams(frames(words("Hello", " there")))(x)
    await x.send(up.reply(message([{"type": "text", "text": "Hello there"}])))


def claude(t, handler=answers, **sections):
    u = t.upstream(handler)
    providers = {"up": {"dialect": "anthropic", "base_url": u.url[:-3], "api_key": "sk-ant-up"}}
    return u, t.server(providers=providers, **sections)


def ask(s, model="up/claude-sonnet-4-5", headers=(("anthropic-version", "2023-06-01"),), target="/v1/messages", **members):
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    body.update(members)
    return s.request("POST", target, body, headers=headers)


def events(r):
    out = []
    for frame in r.body.decode().split("\n\n"):
        if frame:
            name, data = frame.split("\n")
            value = json.loads(data[6:])
            assert name == "event: " + value["type"], frame
            out.append(value)
    return out


def content_of(list_of_events):
    blocks = []
    for e in list_of_events:
        if e["type"] == "content_block_start":
            assert e["index"] == len(blocks)
            blocks.append(dict(e["content_block"], json=""))
        elif e["type"] == "content_block_delta":
            assert e["index"] == len(blocks) - 1
            d = e["delta"]
            if d["type"] == "text_delta":
                blocks[-1]["text"] += d["text"]
            elif d["type"] == "thinking_delta":
                blocks[-1]["thinking"] += d["thinking"]
            elif d["type"] == "input_json_delta":
                blocks[-1]["json"] += d["partial_json"]
    return blocks


def test_relay_passes_bytes_headers_and_counts(t):
    u, s = claude(t)
    body = b'{"model": "up/claude-sonnet-4-5", "max_tokens":5,  "messages":[{"role":"user","content":"hi"},{"role":"system","content":"brief"}],"new":{"a":[1.50]}}'
    r = s.request("POST", "/v1/messages?beta=true", body, headers=(("anthropic-version", "2026-10-21"), ("anthropic-beta", "a-1,b-2")))
    assert r.status == 200 and r.json()["content"][0]["text"] == "Hello there", r.body
    sent = u.chats()[0]
    assert sent.body == body.replace(b"up/claude", b"claude") and sent.target == "/v1/messages", (sent.target, sent.body)
    assert sent.headers["x-api-key"] == "sk-ant-up" and "authorization" not in sent.headers
    assert sent.headers["anthropic-version"] == "2026-10-21" and sent.headers["anthropic-beta"] == "a-1,b-2", sent.headers
    assert r.header("request-id") == r.header("x-request-id")
    record = s.usage()[0]
    assert (record["input_tokens"], record["cached_tokens"], record["output_tokens"], record["dialect"]) == (11, 3, 7, "anthropic"), record
    ask(s)
    assert u.chats()[1].headers["anthropic-version"] == "2023-06-01"


def test_relay_of_a_stream_is_byte_exact(t):
    pieces = list(frames([({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}, [])] + words("a", "b")))
    pieces.insert(2, b"event: ping\ndata: {\"type\": \"ping\"}   \n\n")
    u, s = claude(t, up.scripted(streams(pieces)))
    r = ask(s, stream=True)
    assert r.status == 200 and r.complete and r.body == b"".join(pieces), r.body
    assert s.usage()[0]["output_tokens"] == 7


def test_an_openai_client_and_a_claude(t):
    blocks = [({"type": "thinking", "thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "c2ln"}]),
              ({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in ("", '{"city":', '"Paris"}')]),
              ({"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}}, [{"type": "input_json_delta", "partial_json": '{"city":"Rome"}'}])]
    u, s = claude(t, up.scripted(streams(frames(blocks, "tool_use")), answers))
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": TOOL["input_schema"]}}]
    r = s.chat("up/claude-sonnet-4-5", stream=True, stream_options={"include_usage": True}, tools=tools, temperature=1.5, seed=1)
    assert r.status == 200 and r.complete, r.body
    sent = u.chats()[0].json()
    assert sent["tools"] == [{"name": "get_weather", "input_schema": TOOL["input_schema"]}] and sent["max_tokens"] > 0 and sent["temperature"] == 1, sent
    assert r.header("x-llmrouter-dropped") == "seed, temperature", r.head
    chunks = [json.loads(e) for e in r.events() if e != "[DONE]"]
    calls = {}
    for c in chunks:
        for choice in c["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                entry = calls.setdefault(call["index"], {"id": call.get("id"), "arguments": ""})
                entry["arguments"] += call["function"].get("arguments", "")
    assert calls == {0: {"id": "toolu_1", "arguments": '{"city":"Paris"}'}, 1: {"id": "toolu_2", "arguments": '{"city":"Rome"}'}}, calls
    assert "".join(c["choices"][0]["delta"].get("reasoning_content") or "" for c in chunks if c["choices"]) == "hm"
    assert chunks[-1]["usage"]["prompt_tokens"] == 11 and chunks[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "tool_calls"
    # The results go back.
    messages = [{"role": "user", "content": "hi"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"}]
    r = s.request("POST", "/v1/chat/completions", {"model": "up/claude-sonnet-4-5", "messages": messages, "tools": tools})
    assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "Hello there", r.body
    assert u.chats()[1].json()["messages"][1:] == [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]}], u.chats()[1].body


def test_an_anthropic_client_and_an_openai_upstream(t):
    async def calls(x):
        deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": "Let me"}, {"content": " see"},
                  {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}]},
                  {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
                  {"tool_calls": [{"index": 1, "id": "call_2", "type": "function", "function": {"name": "get_weather", "arguments": '{"city"'}}]},
                  {"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]}, {"tool_calls": [{"index": 1, "function": {"arguments": ':"Rome"}'}}]}]
        await streams([up.chunk(d) for d in deltas] + [up.chunk({}, "tool_calls"), up.usage_chunk(), b"data: [DONE]\n\n"])(x)
    u = t.upstream(up.scripted(calls, up.good))
    s = t.server(u)
    r = ask(s, "up/m1", stream=True, system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], tools=[TOOL, {"type": "tool_of_tomorrow_20270101", "name": "tomorrow"}],
            tool_choice={"type": "any"}, metadata={"user_id": "u"}, stop_sequences=["x"], context_management={"edits": []})
    assert r.status == 200 and r.complete, r.body
    sent = u.chats()[0].json()
    assert sent["messages"][0] == {"role": "system", "content": "s"} and sent["tool_choice"] == "required" and sent["stop"] == ["x"] and sent["user"] == "u", sent
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather"] and sent["stream_options"] == {"include_usage": True}, sent
    assert {"cache_control", "context_management", "tools.tool_of_tomorrow_20270101"} <= set(r.header("x-llmrouter-dropped").split(", ")), r.head
    heard = events(r)
    assert [e["type"] for e in heard][0] == "message_start" and [e["type"] for e in heard][-2:] == ["message_delta", "message_stop"]
    assert heard[0]["message"]["usage"]["input_tokens"] > 0 and heard[0]["message"]["usage"]["output_tokens"] == 0
    blocks = content_of(heard)
    assert [b["type"] for b in blocks] == ["thinking", "text", "tool_use", "tool_use"], blocks
    assert blocks[1]["text"] == "Let me see" and [json.loads(b["json"])["city"] for b in blocks[2:]] == ["Paris", "Rome"]
    assert heard[-2]["delta"]["stop_reason"] == "tool_use"
    assert heard[-2]["usage"]["input_tokens"] == 8 and heard[-2]["usage"]["cache_read_input_tokens"] == 3 and heard[-2]["usage"]["output_tokens"] == 7, heard[-2]
    # The next turn, with what the client was told.
    content = [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "Let me see"},
               {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}}]
    r = ask(s, "up/m1", messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": content},
                                  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "sunny"}], "is_error": True},
                                                               {"type": "text", "text": "go on"}]}], tools=[TOOL])
    assert r.status == 200 and r.json()["content"] == [{"type": "text", "text": "Hello from upstream"}] and r.json()["stop_reason"] == "end_turn", r.body
    sent = u.chats()[1].json()["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "user"] and sent[2]["content"] == "Error: sunny" and sent[2]["tool_call_id"] == "call_1", sent


def test_errors_in_its_own_shape(t):
    async def fails(x):
        if x.request.method == "GET":
            return await answers(x)
        status = int(x.request.json()["model"][1:])
        await x.send(up.reply({"type": "error", "error": {"type": "invalid_request_error", "message": "scripted"}, "request_id": "req_up"}, status))
    u, s = claude(t, fails, routing={"attempts": 1})
    for model, status, kind in (("nothing", 404, "not_found_error"), ("up/m400", 400, "invalid_request_error"), ("up/m404", 404, "invalid_request_error"),
                                ("up/m413", 413, "invalid_request_error"), ("up/m529", 502, "overloaded_error"), ("up/m500", 502, "api_error"), ("up/m429", 429, "rate_limit_error")):
        r = ask(s, model)
        error = r.json()
        assert r.status == status and error["type"] == "error" and error["error"]["type"] == kind and error["error"]["message"], (model, r.status, r.body)
        if status not in (400, 404, 413) or model == "nothing":
            assert error["request_id"] == r.header("request-id"), (model, r.body)
    r = s.request("POST", "/v1/messages", b"{")
    assert r.status == 400 and r.json()["error"]["type"] == "invalid_request_error", r.body
    r = s.request("GET", "/v1/messages")
    assert r.status == 405 and r.json()["type"] == "error", r.body
    r = s.request("POST", "/v1/messages/batches", {})
    assert r.status == 404 and r.json()["error"]["type"] == "not_found_error", r.body
    guarded = t.server(t.upstream(), server={"auth": "keys"}, keys=[{"name": "k", "key": "sk-mine-0123456789abcdef0123456789"}])
    for headers in ((), (("x-api-key", "wrong"),)):
        r = ask(guarded, "up/m1", headers=headers)
        assert r.status == 401 and r.json()["error"]["type"] == "authentication_error" and r.json()["request_id"], r.body
    for headers in ((("x-api-key", "sk-mine-0123456789abcdef0123456789"),), (("authorization", "Bearer sk-mine-0123456789abcdef0123456789"),)):
        assert ask(guarded, "up/m1", headers=headers).status == 200
    big = t.server(t.upstream(), server={"max_body": "64KiB"})
    r = ask(big, "up/m1", messages=[{"role": "user", "content": "x" * 100000}])
    assert r.status == 413 and r.json()["error"]["type"] == "request_too_large", r.body


def test_a_thread_that_goes_on_stays_where_it_is_kept(t):
    async def fails(x):
        await x.send(up.error(500, "down"))
    u, broken = t.upstream(), t.upstream(fails)
    s = t.server(providers={"up": {"base_url": u.url}, "cl": {"base_url": broken.url, "dialect": "anthropic"}}, routing={"attempts": 2, "backoff": {"first": "1ms"}},
                 models={"m": {"targets": ["cl/c"], "fallbacks": ["o"]}, "o": "up/m1"})
    going_on = {"type": "continue", "previous_message_id": "msg_1"}
    r = ask(s, "o", thread=going_on)
    error = r.json()["error"]
    assert r.status == 400 and error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]} and "thread" in error["message"], r.body
    assert ask(s, "m", thread=going_on).status == 502 and not u.chats() and broken.chats()
    r = ask(s, "m", thread={"type": "create"})
    assert r.status == 200 and r.header("x-llmrouter-dropped") == "thread" and len(u.chats()) == 1, r.body


def test_a_stream_that_breaks(t):
    begun = list(frames(words("a", "b")))[:4]
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    for tail in ([error], []):
        u, s = claude(t, up.scripted(streams(begun + tail)))
        r = ask(s, stream=True)
        assert r.status == 200 and not r.complete, r.body
        last = events(r)[-1]
        assert last["type"] == "error" and last["error"]["type"] == ("overloaded_error" if tail else "api_error"), r.body
        r = s.chat("up/claude-sonnet-4-5", stream=True)
        assert not r.complete and b"[DONE]" not in r.body and b'"error"' in r.body, r.body
    # Before anything was said it is tried again.
    u, s = claude(t, up.scripted(streams(begun[:2] + [error]), answers))
    r = ask(s, stream=True)
    assert r.complete and content_of(events(r))[0]["text"] == "Hello there" and r.header("x-llmrouter-attempts") == "2", r.body


def test_count_tokens(t):
    u, s = claude(t)
    r = ask(s, target="/v1/messages/count_tokens?beta=true", system="s")
    assert r.status == 200 and r.json() == {"input_tokens": 4711}, r.body
    assert u.seen[-1].target == "/v1/messages/count_tokens" and u.seen[-1].json()["model"] == "claude-sonnet-4-5"
    u = t.upstream()
    s = t.server(u)
    r = s.request("POST", "/v1/messages/count_tokens", {"model": "up/m1", "messages": [{"role": "user", "content": "four" * 100}], "tools": [TOOL]})
    assert r.status == 200 and 100 < r.json()["input_tokens"] < 200, r.body
    assert not u.chats()
    r = s.request("POST", "/v1/messages/count_tokens", {"model": "nothing", "messages": [{"role": "user", "content": "x"}]})
    assert r.status == 404 and r.json()["error"]["type"] == "not_found_error", r.body
    r = s.request("POST", "/v1/messages/count_tokens", {"model": "up/m1"})
    assert r.status == 400 and "messages" in r.json()["error"]["message"], r.body


def test_lists_of_models(t):
    u, s = claude(t, models={"a": "up/x", "b": "up/y", "c": "up/z"})
    version = (("anthropic-version", "2023-06-01"),)
    page = s.request("GET", "/v1/models?limit=2", headers=version).json()
    assert [m["id"] for m in page["data"]] == ["a", "b"] and page["has_more"] and page["last_id"] == "b" and page["data"][0]["type"] == "model", page
    assert page["data"][0]["created_at"].endswith("Z") and page["data"][0]["display_name"], page
    page = s.request("GET", "/v1/models?limit=1&after_id=b", headers=version).json()
    assert [m["id"] for m in page["data"]] == ["c"], page
    one = s.request("GET", "/v1/models/a", headers=version)
    assert one.json()["type"] == "model" and one.json()["id"] == "a", one.body
    missing = s.request("GET", "/v1/models/zzz", headers=version)
    assert missing.status == 404 and missing.json()["error"]["type"] == "not_found_error", missing.body
    assert s.request("GET", "/v1/models?limit=0", headers=version).status == 400
    assert s.get("/v1/models").json()["object"] == "list"
    assert up is not None and __import__("harness").wait(lambda: any(m["id"] == "up/claude-up" for m in s.get("/v1/models").json()["data"]))


def test_head_of_the_root_and_thoughts_of_another_model(t):
    u, s = claude(t)
    assert s.request("HEAD", "/").status == 200
    # What an OpenAI model thought has no signature: Claude would refuse the request for it.
    content = [{"type": "thinking", "thinking": "t", "signature": ""}, {"type": "text", "text": "a"}]
    r = ask(s, messages=[{"role": "user", "content": "x"}, {"role": "assistant", "content": content}, {"role": "user", "content": "y"}], headers=(("anthropic-beta", "b-1"),))
    assert r.status == 200, r.body
    assert u.chats()[0].json()["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "a"}]}, u.chats()[0].body
    assert u.chats()[0].headers["anthropic-beta"] == "b-1" and r.header("x-llmrouter-dropped") == "reasoning"
