"""The Responses dialect and legacy completions as clients and upstreams, through the real server."""
import json

import upstream as up

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
CALLS = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
         {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": '{"a":2}'}}]
R_USAGE = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7,
           "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 18}


def r_items(text=None, calls=()):
    out = []
    if text:
        out.append({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": text, "annotations": []}]})
    for i, call in enumerate(calls):
        out.append({"id": "fc_%d" % i, "type": "function_call", "status": "completed", "call_id": call["id"], **call["function"]})
    return out


def r_body(items, status="completed", **more):
    return {"id": "resp_up", "object": "response", "created_at": 1790000000, "status": status, "model": "m1", "output": items, "error": None,
            "usage": R_USAGE, **more}


def r_frames(items):
    """The events of an answer, as OpenAI sends them."""
    events = [("response.created", {"response": r_body([], "in_progress", usage=None)})]
    for i, item in enumerate(items):
        events.append(("response.output_item.added", {"output_index": i, "item": {**item, "content": [], "arguments": ""}}))
        if item["type"] == "message":
            for word in item["content"][0]["text"].split(" "):
                events.append(("response.output_text.delta", {"output_index": i, "content_index": 0, "item_id": item["id"], "delta": word + " "}))
        else:
            for piece in (item["arguments"][:3], item["arguments"][3:]):
                events.append(("response.function_call_arguments.delta", {"output_index": i, "item_id": item["id"], "delta": piece}))
        events.append(("response.output_item.done", {"output_index": i, "item": item}))
    events.append(("response.completed", {"response": r_body(items)}))
    return [b"event: %s\ndata: %s\n\n" % (name.encode(), json.dumps({"type": name, "sequence_number": n, **members}).encode())
            for n, (name, members) in enumerate(events)]


async def stream(x, frames):
    await x.send(up.STREAM_HEAD)
    for frame in frames:
        await x.send(up.http_chunk(frame))
    await x.send(up.LAST_CHUNK)


def events_of(reply):
    """Every event of a strict Responses stream, its order checked."""
    events = [json.loads(e) for e in reply.events()]
    assert [e["sequence_number"] for e in events] == list(range(len(events))), events
    assert [e["type"] for e in events[:2]] == ["response.created", "response.in_progress"], events[:2]
    opened = None
    for e in events:
        if e["type"] == "response.output_item.added":
            assert opened is None, e
            opened = e["output_index"]
        elif e["type"] == "response.output_item.done":
            assert opened == e["output_index"], e
            opened = None
    return events


def ask(s, model="up/m1", path="/v1/responses", **members):
    return s.request("POST", path, {"model": model, "input": "hi", **members})


def test_responses_client_to_chat(t):
    u = t.upstream()
    s = t.server(u)
    for path in ("/v1/responses", "/api/v1/responses", "/responses"):
        r = ask(s, path=path, instructions="be brief", max_output_tokens=9)
        assert r.status == 200 and r.header("content-type") == "application/json", (r.status, r.body)
        body = r.json()
        assert body["status"] == "completed" and body["output"][0]["content"][0]["text"] == "Hello from upstream", body
        assert body["usage"] == R_USAGE and body["instructions"] == "be brief", body
    sent = u.chats()[0].json()
    assert sent["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}] and sent["max_tokens"] == 9, sent
    r = ask(s, stream=True)
    events = events_of(r)
    assert events[-1]["type"] == "response.completed" and events[-1]["response"]["usage"] == R_USAGE, events[-1]
    assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == "Hello from upstream"
    record = s.usage()[0]
    assert record["dialect"] == "responses" and record["input_tokens"] == 11 and record["output_tokens"] == 7, record


def test_responses_client_calls_tools_of_a_chat_model(t):
    async def handler(x):
        request = x.request.json()
        results = [m for m in request["messages"] if m["role"] == "tool"]
        if results:
            assert [m["tool_call_id"] for m in results] == ["call_1", "call_2"], results
            return await x.send(up.reply(up.chat_body("got " + " and ".join(m["content"] for m in results))))
        assert request["tools"][0]["function"]["name"] == "f", request
        if not request.get("stream"):
            body = up.chat_body(None, finish="tool_calls")
            body["choices"][0]["message"]["tool_calls"] = CALLS
            return await x.send(up.reply(body))
        # Interleaved, which clients are spared.
        pieces = [{"index": i, "id": c["id"], "type": "function", "function": {"name": "f", "arguments": ""}} for i, c in enumerate(CALLS)]
        pieces += [{"index": i, "function": {"arguments": part}} for part in ('{"a"', ":") for i in (0, 1)]
        pieces += [{"index": i, "function": {"arguments": "%d}" % (i + 1)}} for i in (0, 1)]
        await stream(x, [up.chunk({"tool_calls": [p]}) for p in pieces] + [up.chunk({}, "tool_calls"), b"data: [DONE]\n\n"])

    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    unknown = {"type": "web_search"}
    for streamed in (False, True):
        r = ask(s, tools=[TOOL, unknown], stream=streamed)
        assert "tools.web_search" in r.header("x-llmrouter-dropped"), r.headers
        items = events_of(r)[-1]["response"]["output"] if streamed else r.json()["output"]
        assert [(i["call_id"], i["arguments"]) for i in items] == [("call_1", '{"a":1}'), ("call_2", '{"a":2}')], items
        again = s.request("POST", "/v1/responses", {"model": "up/m1", "tools": [TOOL], "input": [
            {"role": "user", "content": "hi"}, *items, *({"type": "function_call_output", "call_id": i["call_id"], "output": i["arguments"]} for i in items)]})
        assert again.json()["output"][0]["content"][0]["text"] == 'got {"a":1} and {"a":2}', again.body


def test_responses_bytes_pass_where_they_are_spoken(t):
    seen = []

    async def handler(x):
        assert x.request.target == "/v1/responses", x.request.target
        seen.append(x.request.body)
        if x.request.json().get("stream"):
            return await stream(x, r_frames(r_items("one two")))
        await x.send(up.reply(r_body(r_items("one two"), novel={"a": [1]})))

    u = t.upstream(up.scripted(handler))
    config = t.config(u)
    config["providers"]["up"]["also"] = ["responses"]
    config["providers"]["own"] = {"base_url": u.url, "dialect": "responses", "api_key": "k"}
    s = t.start(config)
    for model in ("up/m1", "own/m1"):
        body = b'{"model":"%s","input":[{"type":"item_reference","id":"msg_0"}], "novel":  {"x":[1]},"previous_response_id":"resp_0"}' % model.encode()
        r = s.request("POST", "/v1/responses", body)
        assert r.status == 200 and r.json()["novel"] == {"a": [1]}, r.body
        assert seen[-1] == body.replace(model.encode(), b"m1"), seen[-1]
        r = ask(s, model, stream=True)
        assert r.body == b"".join(r_frames(r_items("one two"))), r.body
        record = s.usage()[0]
        assert record["input_tokens"] == 11 and record["reasoning_tokens"] == 2, record


def test_chat_client_to_a_responses_model(t):
    async def handler(x):
        request = x.request.json()
        assert x.request.target == "/v1/responses" and request["store"] is False, request
        results = [i for i in request["input"] if i.get("type") == "function_call_output"]
        if results:
            assert [i["call_id"] for i in request["input"] if i.get("type") == "function_call"] == ["call_1", "call_2"]
            return await x.send(up.reply(r_body(r_items("got " + results[1]["output"]))))
        items = r_items("let me see", CALLS) if request.get("tools") else r_items("one two")
        if request.get("stream"):
            return await stream(x, r_frames(items))
        await x.send(up.reply(r_body(items)))

    u = t.upstream(up.scripted(handler))
    config = t.config(u)
    config["providers"]["up"]["dialect"] = "responses"
    s = t.start(config)
    r = s.chat()
    assert r.json()["choices"][0]["message"]["content"] == "one two" and r.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 3, r.body
    r = s.chat(stream=True, stream_options={"include_usage": True})
    assert r.text() == "one two " and r.events()[-1] == "[DONE]" and json.loads(r.events()[-2])["usage"]["total_tokens"] == 18, r.body
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    r = s.chat(tools=tools, seed=1)
    assert r.header("x-llmrouter-dropped") == "seed", r.headers
    choice = r.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["tool_calls"] == CALLS, choice
    r = s.chat(tools=tools, stream=True)
    calls = {}
    for event in r.events()[:-1]:
        for delta in json.loads(event)["choices"][0]["delta"].get("tool_calls", []):
            calls.setdefault(delta["index"], "")
            calls[delta["index"]] += delta["function"]["arguments"]
    assert calls == {0: '{"a":1}', 1: '{"a":2}'}, calls
    r = s.request("POST", "/v1/chat/completions", {"model": "up/m1", "messages": [
        {"role": "user", "content": "x"}, choice["message"], {"role": "tool", "tool_call_id": "call_1", "content": "1"}, {"role": "tool", "tool_call_id": "call_2", "content": "2"}]})
    assert r.json()["choices"][0]["message"]["content"] == "got 2", r.body
    r = s.chat(n=2)
    assert r.status == 400 and r.json()["error"]["param"] == "n", r.body


def test_responses_errors(t):
    async def cut(x):
        await x.send(up.STREAM_HEAD)
        await x.send(up.http_chunk(up.chunk({"content": "half"})))
        x.cut()

    u = t.upstream(up.scripted(up.sends(up.error(400, "no such thing", "unsupported_value")), cut))
    s = t.server(u)
    r = ask(s)
    assert r.status == 400 and r.code == "unsupported_value" and r.message == "no such thing", r.body
    r = ask(s, stream=True)
    events = events_of(r)
    assert [e["type"] for e in events[-2:]] == ["error", "response.failed"], events[-2:]
    assert events[-1]["response"]["status"] == "failed" and events[-1]["response"]["error"]["code"] == "upstream_error", events[-1]
    for members, param in (({"previous_response_id": "resp_1"}, "previous_response_id"), ({"background": True}, "background"), ({"input": 5}, "input"),
                           ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]")):
        r = ask(s, **members)
        assert r.status == 400 and r.json()["error"]["param"] == param, (members, r.body)
    r = ask(s, "nobody")
    assert r.status == 404 and r.code == "model_not_found", r.body


def test_responses_failed_before_a_word_is_tried_again(t):
    async def fails(x):
        frames = r_frames(r_items("x"))[:1]
        frames.append(b'event: response.failed\ndata: {"type":"response.failed","sequence_number":1,"response":{"id":"r","status":"failed",'
                      b'"error":{"code":"server_error","message":"broke"},"output":[]}}\n\n')
        await stream(x, frames)

    async def works(x):
        await stream(x, r_frames(r_items("one two")))

    u = t.upstream(up.scripted(fails, works))
    config = t.config(u)
    config["providers"]["up"]["dialect"] = "responses"
    s = t.start(config)
    r = ask(s, stream=True)
    assert r.status == 200 and r.header("x-llmrouter-attempts") == "2" and b"response.failed" not in r.body, (r.headers, r.body)


def test_completions(t):
    legacy = {"id": "cmpl-up", "object": "text_completion", "created": 1, "model": "m1",
              "choices": [{"text": "own", "index": 0, "logprobs": None, "finish_reason": "stop"}], "usage": up.USAGE}

    async def handler(x):
        if x.request.target == "/v1/completions":
            return await x.send(up.reply(legacy))
        await up.good(x)

    u = t.upstream(up.scripted(handler))
    config = t.config(u, u)
    config["providers"]["up2"]["also"] = ["completions"]
    s = t.start(config)
    for path in ("/v1/completions", "/api/v1/completions", "/completions"):
        r = s.request("POST", path, {"model": "up/m1", "prompt": "Once", "max_tokens": 5})
        assert r.json()["object"] == "text_completion" and r.json()["choices"][0]["text"] == "Hello from upstream", r.body
    r = s.request("POST", "/v1/completions", {"model": "up/m1", "prompt": "Once", "stream": True})
    chunks = [json.loads(e) for e in r.events()[:-1]]
    assert "".join(c["choices"][0]["text"] for c in chunks) == "Hello from upstream" and r.events()[-1] == "[DONE]", r.body
    r = s.request("POST", "/v1/completions", {"model": "up2/m1", "prompt": ["a", "b"], "logprobs": 1})
    assert r.json() == legacy, r.body
    r = s.request("POST", "/v1/completions", {"model": "up/m1", "prompt": ["a", "b"]})
    assert r.status == 400 and r.json()["error"]["param"] == "prompt", r.body


def test_azure(t):
    async def handler(x):
        if x.request.method == "POST":
            assert dict(x.request.headers)["api-key"] == "k", x.request.headers
        await up.good(x)

    u = t.upstream(handler)
    root = u.url[:-len("/v1")]
    config = t.config(u)
    config["providers"]["old"] = {"type": "azure", "base_url": root, "api_version": "2024-10-21", "api_key": "k"}
    config["providers"]["new"] = {"type": "azure", "base_url": root, "api_key": "k"}
    s = t.start(config)
    assert s.chat("old/gpt-4o prod", max_tokens=5).status == 200
    assert s.chat("new/gpt-4o").status == 200
    chats = [r for r in u.seen if r.method == "POST"]
    assert chats[0].target == "/openai/deployments/gpt-4o%20prod/chat/completions?api-version=2024-10-21", chats[0].target
    assert chats[0].json()["max_completion_tokens"] == 5 and "max_tokens" not in chats[0].json()
    assert chats[1].target == "/openai/v1/chat/completions", chats[1].target


def test_filters(t):
    async def handler(x):
        if not x.request.json().get("stream"):
            body = up.chat_body("Ann is here")
            body["choices"][0]["message"]["reasoning_content"] = "who?"
            return await x.send(up.reply(body))
        await stream(x, [up.chunk({"reasoning_content": "wh"}), up.chunk({"reasoning_content": "o?"}), up.chunk({"content": "A"}), up.chunk({"content": "nn is here"}),
                         up.chunk({}, "stop"), b"data: [DONE]\n\n"])

    u = t.upstream(up.scripted(handler))
    config = t.config(u, server={"auth": "keys"})
    config["filters"] = {"names": {"pattern": "Ann", "replace": "X", "on": ["request", "response", "stream"]}}
    config["models"] = {"filtered": {"targets": ["up/m1"], "filters": ["names"]}, "plain": {"targets": ["up/m1"]}, "both": {"targets": ["up/m1"], "filters": ["think_tags", "names"]}}
    config["keys"] = [{"name": "cursor", "key": "sk-cursor-0123456789abcdef", "purpose": "cursor"}, {"name": "other", "key": "sk-other-0123456789abcdef"}]
    s = t.start(config)

    def said(model, key, **members):
        r = s.chat(model, "Ann asks", key="sk-%s-0123456789abcdef" % key, **members)
        assert r.status == 200, r.body
        if members.get("stream"):
            return r.text(), "reasoning_content" in r.body.decode()
        message = r.json()["choices"][0]["message"]
        return message["content"], "reasoning_content" in message

    for streamed in (False, True):
        assert said("plain", "other", stream=streamed) == ("Ann is here", True)
        assert u.chats()[-1].json()["messages"][0]["content"] == "Ann asks"
        assert said("filtered", "other", stream=streamed) == ("X is here", True)
        assert u.chats()[-1].json()["messages"][0]["content"] == "X asks"
        assert said("plain", "cursor", stream=streamed) == ("<think>who?</think>Ann is here", False)
        assert said("filtered", "cursor", stream=streamed) == ("<think>who?</think>X is here", False)
        assert said("both", "cursor", stream=streamed) == ("<think>who?</think>X is here", False)
    record = s.usage()[0]
    assert record["input_tokens"] == 11 or record["estimated"], record
    config["models"]["filtered"]["filters"] = ["nobody"]
    s.write(config)
    assert s.wait_log("there is no such filter"), "".join(s.log[-5:])
