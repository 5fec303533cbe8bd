"""Chats that go well, and what the caller and the books see of them."""
import json

import upstream as up
from harness import ADMIN, wait


def test_whole_answer_passes_byte_for_byte(t):
    odd = b'{ "id":"x-1","object":"chat.completion" , "created":1,"model":"m1","x_new":{"a":[1,2,\n{"b":null}]},"choices":[{"index":0,' \
          b'"message":{"role":"assistant","content":"\\u00e9\\ud83d\\ude00 ok","vendor_field":true},"finish_reason":"stop"}],' \
          b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n'
    u = t.upstream(up.scripted(up.sends(up.reply(odd))))
    s = t.server(u)
    r = s.chat()
    assert r.status == 200 and r.complete, (r.status, r.body)
    assert r.body == odd, r.body
    assert r.header("content-type").startswith("application/json")
    assert r.header("x-llmrouter-provider") == "up" and r.header("x-llmrouter-attempts") == "1"
    assert r.header("x-request-id")


def test_request_passes_with_only_the_model_changed(t):
    u = t.upstream()
    s = t.server(u)
    body = b'{"model": "up/m1",  "messages":[{"role":"user","content":"h\\u00ef \\"x\\""}],"never_heard_of":{"deep":[1.50,{}]},"temperature":0.70}'
    r = s.request("POST", "/v1/chat/completions", body)
    assert r.status == 200, r.body
    assert u.chats()[0].body == body.replace(b'"up/m1"', b'"m1"'), u.chats()[0].body
    assert u.chats()[0].headers["authorization"] == "Bearer sk-upstream-1"


def test_stream_passes_byte_for_byte(t):
    frames = up.frames(("a", "b\\n", "\u00e9"))

    async def handler(x):
        await x.send(up.STREAM_HEAD)
        for frame in frames:
            await x.send(up.http_chunk(frame))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.chat(stream=True)
    assert r.status == 200 and r.complete, (r.status, r.body, r.error)
    assert r.body == b"".join(frames), r.body
    assert r.header("content-type").startswith("text/event-stream")


def test_stream_in_single_bytes_and_odd_line_ends(t):
    frames = b": hello\r\n\r\n" + b"".join(up.frames()).replace(b"\n\n", b"\r\n\r\n")

    async def handler(x):
        await x.send(up.CLOSE_HEAD)
        await x.bytewise(frames)
        x.close()
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.chat(stream=True)
    assert r.complete, r.error
    assert r.body.replace(b"\r\n", b"\n").endswith(b"data: [DONE]\n\n"), r.body[-100:]
    assert "".join(json.loads(e[6:])["choices"][0]["delta"].get("content", "") for e in r.body.decode().split("\r\n") if e.startswith("data: {")) \
        == "Hello from upstream"


def test_usage_chunk_is_asked_for_and_hidden_from_who_did_not_ask(t):
    u = t.upstream()
    s = t.server(u, prices={"entries": [{"model": "up/*", "input": "1.00", "output": "2.00", "cached_input": "0.50"}]})
    r = s.chat(stream=True)
    assert r.complete and r.events()[-1] == "[DONE]"
    assert up.asks_usage(u.chats()[0])
    assert not any("usage" in json.loads(e) for e in r.events() if e != "[DONE]"), r.body
    r = s.chat("demo/echo", stream=True)
    assert r.complete and b"usage" not in r.body, r.body
    r = s.chat(stream=True, stream_options={"include_usage": True})
    last = json.loads(r.events()[-2])
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == 11, last


def test_usage_records_are_exact(t):
    u = t.upstream()
    s = t.server(u, prices={"entries": [{"model": "up/*", "input": "1.00", "output": "2.00", "cached_input": "0.50"}]})
    s.chat(headers=[("x-request-id", "mine-1")])
    s.chat(stream=True)
    records = s.usage()
    assert len(records) == 2, records
    stream, whole = records
    # 8 fresh tokens at 1, 3 cached at 0.5, 7 of output at 2 USD per million: 8000 + 1500 + 14000 nano-USD.
    for r in records:
        assert (r["input_tokens"], r["cached_tokens"], r["output_tokens"], r["reasoning_tokens"]) == (11, 3, 7, 2), r
        assert r["cost_nano_usd"] == 23500, r
        assert r["status"] == "ok" and r["http_status"] == 200 and r["estimated"] is False, r
        assert r["provider"] == "up" and r["model"] == "m1" and r["requested_model"] == "up/m1" and r["endpoint"] == "chat", r
        assert len(r["attempts"]) == 1 and r["attempts"][0]["outcome"] == "ok", r
    assert whole["request_id"] == "mine-1" and whole["stream"] is False and stream["stream"] is True
    assert stream["first_token_ms"] >= 0 and stream["latency_ms"] >= 0


def test_cost_header_and_request_id(t):
    u = t.upstream()
    s = t.server(u, prices={"entries": [{"model": "up/*", "input": "1.00", "output": "2.00", "cached_input": "0.50"}]})
    r = s.chat(headers=[("X-Request-Id", "abc-123")])
    assert r.header("x-request-id") == "abc-123"
    assert r.header("x-llmrouter-cost-usd") == "0.0000235", r.header("x-llmrouter-cost-usd")
    r = s.chat(headers=[("X-Request-Id", "bad id with spaces")])
    assert r.header("x-request-id") and r.header("x-request-id") != "bad id with spaces"


def test_three_paths_lead_to_one_endpoint(t):
    u = t.upstream()
    s = t.server(u)
    body = {"model": "up/m1", "messages": [{"role": "user", "content": "x"}]}
    for path in ("/v1/chat/completions", "/api/v1/chat/completions", "/chat/completions", "/v1/chat/completions?proxy=up"):
        assert s.request("POST", path, body).status == 200, path
    body["model"] = "m1"
    assert s.request("POST", "/v1/chat/completions?proxy=up", body).status == 200
    assert s.request("POST", "/v1/chat/completions", body, [("x-llmrouter-provider", "up")]).status == 200


def test_model_names(t):
    u, u2 = t.upstream(), t.upstream()
    s = t.server(u, u2, models={"fast": "up/m1", "gpt-*": "up2/*", "both": {"targets": ["up/a", "up2/b"], "strategy": "priority"}})
    for asked, upstream, sent in (("fast", u, "m1"), ("[up2]x/y", u2, "x/y"), ("gpt-9", u2, "9"), ("up2/q", u2, "q")):
        before = len(upstream.chats())
        assert s.chat(asked).status == 200, asked
        assert len(upstream.chats()) == before + 1, asked
        assert upstream.chats()[-1].json()["model"] == sent, upstream.chats()[-1].body


def test_models_are_listed_and_retrieved(t):
    u = t.upstream()
    s = t.server(u, models={"fast": "up/m1"})
    assert wait(lambda: any(m["id"] == "up/m1" for m in s.get("/v1/models").json()["data"])), s.get("/v1/models").body
    listed = s.get("/v1/models").json()
    assert listed["object"] == "list"
    ids = [m["id"] for m in listed["data"]]
    assert "fast" in ids and "demo/echo" in ids, ids
    assert all(m["object"] == "model" and "created" in m and m["owned_by"] for m in listed["data"])
    for path in ("/v1/models/up/m1", "/v1/models/up%2Fm1", "/models/up/m1", "/api/v1/models/up/m1"):
        r = s.get(path)
        assert r.status == 200 and r.json()["id"] == "up/m1", (path, r.body)
    r = s.get("/v1/models/fasst")
    assert r.status == 404 and r.code == "model_not_found" and "fast" in r.message, r.body


def test_ollama_face(t):
    u = t.upstream()
    s = t.server(u, models={"fast": "up/m1", "slow": "up/m2"})
    r = s.request("POST", "/api/chat", {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": False})
    assert r.status == 200 and r.json()["message"]["content"] == "Hello from upstream" and r.json()["done"] is True, r.body
    r = s.request("POST", "/api/chat", {"model": "fast", "messages": [{"role": "user", "content": "x"}]})
    lines = [json.loads(line) for line in r.body.decode().strip().split("\n")]
    assert r.complete and "".join(m["message"]["content"] for m in lines) == "Hello from upstream" and lines[-1]["done"] is True, r.body
    tags = s.get("/api/tags").json()["models"]
    digests = {m["digest"] for m in tags}
    assert len(digests) == len(tags) >= 3 and all(len(d) == 64 for d in digests), tags
    assert "version" in s.get("/api/version").json()
    r = s.request("POST", "/api/chat", {"model": "nobody", "messages": [{"role": "user", "content": "x"}]})
    assert r.status == 404 and isinstance(r.json()["error"], str), r.body


def test_demo_needs_nothing(t):
    s = t.server()
    r = s.chat("demo/echo", "one two three")
    assert r.status == 200 and "one two three" in r.json()["choices"][0]["message"]["content"], r.body
    r = s.chat("demo/echo", "one two three", stream=True)
    assert r.complete and "one two three" in r.text(), r.body


def test_explain_sends_nothing(t):
    u = t.upstream()
    s = t.server(u, models={"fast": {"targets": ["up/m1"], "fallbacks": ["demo/echo"]}})
    seen = len(u.chats())
    r = s.request("POST", "/v1/route/explain", {"model": "fast", "messages": [{"role": "user", "content": "x"}]})
    assert r.status == 200, r.body
    steps = r.json()["steps"]
    assert [(p["provider"], p["model"]) for p in steps][:2] == [("up", "m1"), ("demo", "echo")], steps
    assert len(u.chats()) == seen
    assert s.request("POST", "/v1/route/explain", b"{nonsense").status == 400


def test_gzip_answers_are_read(t):
    import gzip
    body = json.dumps(up.chat_body()).encode()

    async def handler(x):
        packed = gzip.compress(body)
        await x.send(up.reply(packed, headers=[("content-encoding", "gzip")]))
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.chat()
    assert r.status == 200 and r.body == body and r.header("content-encoding") is None, (r.status, r.head, r.body[:80])


def test_large_answers_and_large_prompts(t):
    text = "x" * 3_000_000
    u = t.upstream(up.scripted(up.sends(up.reply(up.chat_body(text)))))
    s = t.server(u)
    r = s.chat(text="y" * 2_000_000)
    assert r.status == 200 and r.complete and r.json()["choices"][0]["message"]["content"] == text
    assert len(u.chats()[0].json()["messages"][0]["content"]) == 2_000_000


def test_giant_events_pass_or_are_refused_never_lost(t):
    word = "w" * 900_000
    u = t.upstream(up.scripted(up.sends(up.CLOSE_HEAD + b"".join(up.frames((word,)))), ))

    async def handler(x):
        await x.send(up.CLOSE_HEAD + b"".join(up.frames((word,))))
        x.close()
    u.handler = up.scripted(handler)
    s = t.server(u)
    r = s.chat(stream=True)
    assert r.complete and r.text() == word, (len(r.body), r.error, r.body[-200:])


def test_admin_is_for_admins(t):
    s = t.server(keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}], server={"auth": "keys"})
    for path in ("/admin/v1/usage", "/admin/v1/keys"):
        assert s.get(path).status == 401
        assert s.get(path, key="nonsense").status == 401
        r = s.get(path, key="sk-ci-000000000000000000")
        assert r.status == 403 and r.code == "admin_only", r.body
        assert s.get(path, key=ADMIN).status == 200


def test_names_that_lead_nowhere(t):
    u = t.upstream()
    s = t.server(u, models={"s-*": "up/*"})
    assert wait(lambda: any(m["id"] == "up/m1" for m in s.get("/v1/models").json()["data"]))
    n = len(u.chats())
    for model, near in (("s-", ""), ("[up]", "up/m1"), ("nope/x", "up/m1"), ("upp/m1", "up/m1"), ("demo/echoo", "echo")):
        r = s.chat(model)
        assert r.status == 404 and r.code == "model_not_found" and near in r.message, (model, r.status, r.body)
    assert len(u.chats()) == n, "none of them went upstream"
    assert s.chat("[up] m1").status == 200 and u.chats()[-1].json()["model"] == "m1"


def test_a_failing_model_does_not_take_its_provider_down(t):
    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(up.error(500) if x.request.json()["model"] == "bad" else up.reply(up.chat_body()))
    u = t.upstream(handler)
    config = t.config(u, routing={"attempts": 1})
    config["providers"]["demo"] = {"type": "demo"}
    s = t.start(config)
    for _ in range(6):
        assert s.chat("up/bad").status == 502
    ready = s.get("/health/ready").json()
    assert ready["providers"] == {"configured": 2, "available": 2}, ready
    assert s.chat("up/good").status == 200
