"""Upstreams on a bad day."""
import json
import time

import upstream as up
from harness import request_bytes, wait


def counting(t, *handlers, **sections):
    u = t.upstream(up.scripted(*handlers))
    return u, t.server(u, **sections)


def attempts(record):
    return [(a["outcome"], a["http_status"]) for a in record["attempts"]]


def test_server_errors_are_retried_before_the_first_token(t):
    u, s = counting(t, up.sends(up.error(500)), up.sends(up.error(503)), up.good)
    r = s.chat()
    assert r.status == 200 and r.header("x-llmrouter-attempts") == "3", (r.status, r.head, r.body)
    record = s.usage()[0]
    assert attempts(record) == [("error", 500), ("error", 503), ("ok", 200)], record
    assert record["status"] == "ok"


def test_quirk_retry_after_on_a_200_is_no_reason_to_wait(t):
    good = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m1", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]})
    u, s = counting(t, up.sends(up.reply(good, headers=[("retry-after", "60"), ("retry-after-ms", "60000")])))
    for n in range(3):
        r = s.chat()
        assert r.status == 200 and r.header("retry-after") is None, (r.status, r.head, r.body)
    assert len(u.chats()) == 3 and [attempts(x) for x in s.usage()] == [[("ok", 200)]] * 3


def test_attempts_are_counted(t):
    u, s = counting(t, up.sends(up.error(500, "broken inside")))
    r = s.chat()
    assert r.status == 502 and r.code == "upstream_error", (r.status, r.body)
    assert "broken inside" in r.message, r.message
    assert len(u.chats()) == 3
    u2, s2 = counting(t, up.sends(up.error(500)), routing={"attempts": 1})
    assert s2.chat().status == 502 and len(u2.chats()) == 1


def test_fallbacks_follow_when_all_targets_failed(t):
    bad, good = t.upstream(up.scripted(up.sends(up.error(500)))), t.upstream()
    s = t.server(bad, good, models={"main": {"targets": ["up/a"], "fallbacks": ["spare"]}, "spare": "up2/b"}, routing={"attempts": 4})
    for stream in (False, True):
        r = s.chat("main", stream=stream)
        assert r.status == 200 and r.complete and r.header("x-llmrouter-provider") == "up2", (r.status, r.head, r.body)
    assert good.chats()[0].json()["model"] == "b"


def test_error_inside_a_200_stream_before_the_first_token_is_retried(t):
    async def bad(x):
        await x.send(up.STREAM_HEAD + up.http_chunk(up.chunk({"role": "assistant", "content": ""})) +
                     up.http_chunk(up.data({"error": {"message": "overloaded", "code": 503}})) + up.LAST_CHUNK)
    u, s = counting(t, bad, up.good)
    r = s.chat(stream=True)
    assert r.complete and r.text() == "Hello from upstream" and "overloaded" not in r.body.decode(), r.body
    assert r.body.count(b'"role"') == 1, r.body
    assert len(u.chats()) == 2


def test_error_after_the_first_token_never_ends_cleanly(t):
    async def bad(x):
        await x.send(up.STREAM_HEAD + up.http_chunk(up.chunk({"role": "assistant", "content": ""})) + up.http_chunk(up.chunk({"content": "Hel"})) +
                     up.http_chunk(up.data({"error": {"message": "it broke late", "code": 500}})) + up.LAST_CHUNK)
    u, s = counting(t, bad, up.good)
    r = s.chat(stream=True)
    assert r.status == 200 and not r.complete, r.body
    assert r.events()[-1] != "[DONE]" and "[DONE]" not in r.events(), r.body
    error = json.loads(r.events()[-1])["error"]
    assert "it broke late" in error["message"] and error["code"], error
    assert len(u.chats()) == 1
    record = s.usage()[0]
    assert record["status"] == "cut" and record["attempts"][0]["outcome"] != "ok", record


def test_stream_cut_at_every_byte(t):
    """Whole or broken, and which of the two is plain to see; never a clean end on half an answer; never the same word twice."""
    raw = b"".join(up.http_chunk(f) for f in up.frames(("al", "pha"), usage=up.USAGE)) + up.LAST_CHUNK
    head = up.STREAM_HEAD
    state = {"cut": 0}

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        cut = state["cut"]
        await x.send((head + raw)[:cut])
        x.close()
    u = t.upstream(handler)
    s = t.server(u, routing={"attempts": 1})
    finish = (head + raw).find(b'"stop"')
    usage_end = (head + raw).find(b"[DONE]")
    for cut in range(0, len(head + raw) + 1):
        state["cut"] = cut
        r = s.chat(stream=True)
        text = r.text() if r.status == 200 else ""
        assert "alpha".startswith(text), (cut, r.body)
        if r.status == 200 and r.complete:
            assert text == "alpha" and cut > finish, (cut, finish, r.body)
        if cut >= usage_end + 8:
            assert r.status == 200 and r.complete and r.events()[-1] == "[DONE]", (cut, r.status, r.complete, r.body)
        if r.status == 200 and not r.complete:
            assert "[DONE]" not in r.events() and "error" in json.loads(r.events()[-1]), (cut, r.body)
        if r.status != 200:
            assert r.status in (502, 504) and r.code == "upstream_error", (cut, r.status, r.body)
    assert s.chat("demo/echo").status == 200


def test_whole_answer_cut_at_every_byte(t):
    raw = up.reply(up.chat_body("short"))
    state = {"cut": 0}

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(raw[:state["cut"]])
        x.close()
    u = t.upstream(handler)
    s = t.server(u, routing={"attempts": 1})
    for cut in range(0, len(raw) + 1):
        state["cut"] = cut
        r = s.chat()
        if cut == len(raw):
            assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "short"
        else:
            assert r.status == 502 and r.code == "upstream_error" and r.complete, (cut, r.status, r.body)


def test_wrong_lengths_and_nonsense(t):
    cases = {
        "not json": up.reply(b"{\"choices\": [", 200),
        "html": up.reply(b"<html><body>502 Bad Gateway</body></html>", 502, content_type="text/html"),
        "html with 200": up.reply(b"<html>hello</html>", 200, content_type="text/html"),
        "empty": up.reply(b"", 200),
        "not http": b"SSH-2.0-OpenSSH_9.2\r\n",
        "length too long": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n{}",
        "bad chunk": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "redirect": up.reply(b"", 302, [("location", "http://127.0.0.1:1/")]),
        "bad gzip": up.reply(b"\x1f\x8bnonsense", headers=[("content-encoding", "gzip")]),
    }
    for name, raw in cases.items():
        async def handler(x, raw=raw):
            await x.send(raw)
            x.close()
        u, s = counting(t, handler, routing={"attempts": 1})
        r = s.chat()
        assert r.status == 502 and r.code == "upstream_error", (name, r.status, r.body)
        assert b"<html" not in r.body, (name, r.body)
        s.stop()


def test_upstream_refusals_reach_the_caller(t):
    for status in (400, 404, 409, 413, 415, 422):
        u, s = counting(t, up.sends(up.error(status, "messages[0] is odd", "invalid_value", "invalid_request_error")))
        r = s.chat()
        assert r.status == status and "messages[0] is odd" in r.body.decode(), (status, r.status, r.body)
        assert len(u.chats()) == (3 if status == 409 else 1), "a refusal is not retried, but a conflict with another request"
        s.stop()


def test_context_length_keeps_its_code(t):
    u, s = counting(t, up.sends(up.error(400, "This model's maximum context length is 10 tokens", "context_length_exceeded", "invalid_request_error")))
    r = s.chat()
    assert r.status == 400 and r.code == "context_length_exceeded" and "maximum context length" in r.message, r.body


def test_upstreams_bad_key_is_not_the_callers_fault(t):
    u, s = counting(t, up.sends(up.error(401, "Incorrect API key provided: sk-upstream-1", "invalid_api_key")))
    r = s.chat()
    assert r.status == 502 and r.code == "upstream_credentials_rejected", (r.status, r.body)
    assert b"sk-upstream-1" not in r.body, r.body


def test_key_pool_goes_on_without_the_refused_key(t):
    def by_key(x):
        return x.request.headers.get("authorization", "").replace("Bearer ", "")

    async def handler(x):
        if by_key(x) == "sk-bad":
            return await x.send(up.error(401, "no", "invalid_api_key"))
        await up.good(x)
    u = t.upstream(handler)
    config = t.config(u)
    config["providers"]["up"] = {"base_url": u.url, "api_keys": ["sk-bad", "sk-good"]}
    s = t.start(config)
    for _ in range(12):
        assert s.chat().status == 200
    used = [r.headers["authorization"] for r in u.chats()]
    assert used.count("Bearer sk-bad") <= 2 and used.count("Bearer sk-good") >= 12, used


def test_key_pool_spreads(t):
    u = t.upstream()
    config = t.config(u)
    config["providers"]["up"] = {"base_url": u.url, "api_keys": ["sk-1", {"key": "sk-2", "weight": 1}]}
    s = t.start(config)
    for _ in range(20):
        assert s.chat().status == 200
    used = [r.headers["authorization"] for r in u.chats()]
    assert 4 <= used.count("Bearer sk-1") <= 16, used


def test_rate_limited_upstream_is_waited_for(t):
    u, s = counting(t, up.sends(up.error(429, "slow down", "rate_limit_exceeded", headers=[("retry-after", "1")])), up.good)
    began = time.monotonic()
    r = s.chat()
    assert r.status == 200 and time.monotonic() - began >= 0.95, (r.status, r.body, time.monotonic() - began)


def test_rate_limited_everywhere_is_told(t):
    u, s = counting(t, up.sends(up.error(429, "slow down", "rate_limit_exceeded", headers=[("retry-after", "100")])), routing={"attempts": 1})
    r = s.chat()
    assert r.status == 429 and r.code == "upstream_rate_limited", (r.status, r.body)
    assert 95 <= int(r.header("retry-after")) <= 100, r.head


def test_no_answer_names_the_timeout(t):
    async def silent(x):
        await x.stall()

    async def begins(x):
        await x.send(up.STREAM_HEAD + up.http_chunk(up.chunk({"role": "assistant", "content": ""})))
        await x.stall()
    for name, handler, stream, timeouts in (
            ("first_token", silent, True, {"first_token": "300ms"}),
            ("first_token", begins, True, {"first_token": "300ms"}),
            ("total", silent, False, {"total": "400ms"})):
        u, s = counting(t, handler, routing={"attempts": 1, "timeouts": timeouts})
        began = time.monotonic()
        r = s.chat(stream=stream)
        assert r.status == 504 and r.code == "upstream_timeout" and name in r.message, (name, r.status, r.body)
        assert time.monotonic() - began < 3
        assert wait(lambda: not any(c.task for c in u.open)), "the upstream connection is let go"
        s.stop()


def test_idle_timeout_in_a_stream_breaks_it(t):
    async def handler(x):
        await x.send(up.STREAM_HEAD + up.http_chunk(up.chunk({"content": "Hel"})))
        await x.stall()
    u, s = counting(t, handler, routing={"timeouts": {"idle": "300ms"}})
    r = s.chat(stream=True)
    assert r.status == 200 and not r.complete, r.body
    error = json.loads(r.events()[-1])["error"]
    assert error["code"] == "upstream_timeout" and "idle" in error["message"], error


def test_connect_failures(t):
    u = t.upstream()
    config = t.config(u, routing={"attempts": 2})
    u.close()
    t.upstreams.remove(u)
    s = t.start(config)
    r = s.chat()
    assert r.status == 502 and r.code == "upstream_error", (r.status, r.body)


def test_the_callers_own_deadline(t):
    async def silent(x):
        await x.stall()
    u, s = counting(t, silent)
    began = time.monotonic()
    r = s.chat(headers=[("x-llmrouter-timeout", "300ms")])
    assert r.status == 504 and time.monotonic() - began < 3, (r.status, r.body)
    r = s.chat(headers=[("x-llmrouter-timeout", "soon")])
    assert r.status == 400 and "x-llmrouter-timeout" in r.message, r.body
    for name, what in (("x-llmrouter-tags", "there is no tag"), ("x-llmrouter-strategy", "weighted"), ("x-llmrouter-cache", "expected `no`")):
        r = s.chat(headers=[(name, "x")])
        assert r.status == 400 and what in r.message, r.body


def test_client_gone_before_the_answer(t):
    async def silent(x):
        await x.stall()
    u, s = counting(t, silent)
    c = s.connect()
    c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m1", "messages": [{"role": "user", "content": "x"}]}))
    assert wait(lambda: len(u.chats()) == 1)
    time.sleep(0.15)
    began = time.monotonic()
    c.close()
    assert wait(lambda: not u.open or not any(k.task and not k.task.done() for k in u.open), 3)
    assert time.monotonic() - began < 1
    record = s.usage()[0]
    assert record["status"] == "cancelled", record


def test_client_gone_in_a_stream(t):
    async def endless(x):
        await x.send(up.STREAM_HEAD)
        while not x.gone.is_set():
            await x.send(up.http_chunk(up.chunk({"content": "word "})))
            await x.sleep(0.02)
    for how in ("close", "reset"):
        u, s = counting(t, endless)
        c = s.connect()
        c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m1", "stream": True, "messages": [{"role": "user", "content": "x"}]}))
        c.read_head()
        while len(c.buffer) < 1000:
            c.more()
        began = time.monotonic()
        getattr(c, how)()
        assert wait(lambda: not u.open or not any(k.task and not k.task.done() for k in u.open), 3), how
        assert time.monotonic() - began < 1, how
        record = s.usage()[0]
        assert record["status"] == "cancelled" and record["output_tokens"] > 0 and record["estimated"] is True, record
        s.stop()


def test_client_that_stops_reading_pauses_the_upstream(t):
    sent = {"bytes": 0}
    piece = up.http_chunk(up.chunk({"content": "x" * 60000}))

    async def flood(x):
        await x.send(up.STREAM_HEAD)
        while not x.gone.is_set() and sent["bytes"] < 400_000_000:
            await x.send(piece)
            sent["bytes"] += len(piece)
    u, s = counting(t, flood)
    before = s.rss_kib()
    c = s.connect(rcvbuf=8192)
    c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m1", "stream": True, "messages": [{"role": "user", "content": "x"}]}))
    c.read_head()
    time.sleep(1.0)
    held = sent["bytes"]
    time.sleep(0.5)
    assert sent["bytes"] == held, "the upstream is not paused"
    assert held < 60_000_000, held
    assert s.rss_kib() - before < 8192, (before, s.rss_kib())
    # It goes on when the client does.
    for _ in range(400):
        c.more()
        c.buffer = b""
    assert wait(lambda: sent["bytes"] > held), "it does not go on"
    c.close()
    assert wait(lambda: not any(k.task and not k.task.done() for k in u.open))


def test_client_that_never_reads_is_dropped(t):
    piece = up.http_chunk(up.chunk({"content": "x" * 60000}))

    async def flood(x):
        await x.send(up.STREAM_HEAD)
        while not x.gone.is_set():
            await x.send(piece)
    u = t.upstream(up.scripted(flood))
    s = t.server(u, server={"write_timeout": "1s"})
    c = s.connect(rcvbuf=8192)
    c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m1", "stream": True, "messages": [{"role": "user", "content": "x"}]}))
    c.read_head()
    assert wait(lambda: not any(k.task and not k.task.done() for k in u.open), 8), "it is still held"
    assert s.get("/health").status == 200
    c.close()


def test_secrets_stay_inside(t):
    async def handler(x):
        await x.send(up.error(500, "failed with key sk-upstream-1 and Bearer sk-upstream-1"))
    u, s = counting(t, handler, routing={"attempts": 1}, observe={"log": {"level": "debug"}})
    r = s.chat(key="sk-callers-secret-key-123456")
    assert r.status == 502
    assert b"sk-upstream-1" not in r.body, r.body
    time.sleep(0.2)
    log = "".join(s.log)
    assert "sk-upstream-1" not in log and "sk-callers-secret-key" not in log, log
