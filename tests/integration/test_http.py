"""HTTP itself: what strangers send."""
import json
import socket
import threading
import time

import upstream as up
from harness import ADMIN, request_bytes, wait

CHAT = {"model": "up/m1", "messages": [{"role": "user", "content": "x"}]}


def raw(s, data, method="POST"):
    with s.connect(timeout=10) as c:
        c.send(data)
        return c.read_reply(method)


def test_bad_bodies_are_told_what_is_wrong(t):
    u = t.upstream()
    s = t.server(u)
    cases = [
        (b"{nonsense", None),
        (b"", None),
        (b"[]", None),
        (b"null", None),
        (b'{"messages": [{"role":"user","content":"x"}]}', "model"),
        (b'{"model": 5, "messages": [{"role":"user","content":"x"}]}', "model"),
        (b'{"model": "up/m1"}', "messages"),
        (b'{"model": "up/m1", "messages": []}', "messages"),
        (b'{"model": "up/m1", "messages": "hello"}', "messages"),
        (b'{"model": "up/m1", "messages": [{"role":"user","content":"x"}], "stream": "yes"}', "stream"),
        (b'{"model": "up/m1", "messages": [{"role":"user","content":"x"}]} trailing', None),
        (b'{"model": "up/m1", "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}", None),
        (b'{"model": "up/m1", "model": "up/m2", "messages": [{"role":"user","content":"x"}]}', "model"),
        (b'{"model": "up/m1\xff", "messages": [{"role":"user","content":"x"}]}', None),
    ]
    for body, param in cases:
        r = s.request("POST", "/v1/chat/completions", body)
        assert r.status == 400 and r.code == "invalid_request", (body[:80], r.status, r.body[:300])
        assert r.json()["error"]["type"] == "invalid_request_error"
        if param:
            assert r.json()["error"]["param"] == param and param in r.message, (body, r.body)
    assert len(u.chats()) == 0
    assert s.chat().status == 200


def test_unknown_models_get_the_nearest_names(t):
    s = t.server(t.upstream(), models={"gpt-4o-mini": "up/m1"})
    r = s.chat("gpt-4o-mni")
    assert r.status == 404 and r.code == "model_not_found" and "gpt-4o-mini" in r.message, r.body


def test_paths_and_methods(t):
    s = t.server(t.upstream())
    r = s.get("/nowhere")
    assert r.status == 404 and r.code == "unknown_path" and r.header("x-request-id"), r.body
    for later in ("/v1/responses/resp_1", "/v1/realtime", "/v1/files", "/v1/batches", "/openapi.json", "/console", "/admin/v1/audit"):
        r = s.request("POST", later, {})
        assert r.status == 404 and r.code == "unknown_path" and "not supported yet" in r.message, (later, r.body)
    r = s.get("/v1/chat/completions")
    assert r.status == 405 and r.code == "method_not_allowed" and r.header("allow") == "POST, OPTIONS", r.head
    r = s.request("DELETE", "/v1/models")
    assert r.status == 405 and "GET" in r.header("allow")
    r = s.request("OPTIONS", "/v1/chat/completions")
    assert r.status == 204 and r.header("allow") == "POST, OPTIONS"
    assert s.request("BREW", "/v1/models").status == 405


def test_head_and_get_of_the_root(t):
    s = t.server()
    r = s.request("HEAD", "/")
    assert r.status == 200 and r.body == b"" and int(r.header("content-length")) > 0, r.head
    assert b"llmrouter" in s.get("/").body
    with s.connect() as c:  # nothing of a body follows a HEAD
        c.send(request_bytes("HEAD", "/v1/models") + request_bytes("GET", "/health"))
        assert c.read_reply("HEAD").status == 200
        assert c.read_reply("GET").json()["status"] == "ok"


def test_health_and_metrics(t):
    s = t.server(t.upstream())
    for path in ("/health", "/health/live", "/health/liveliness"):
        assert s.get(path).json()["status"] == "ok", path
    for path in ("/health/ready", "/health/readiness"):
        r = s.get(path)
        assert r.status == 200 and r.json()["status"] == "ok", r.body
        assert r.json()["stores"]["keys"]["status"] == "ok" and r.json()["stores"]["usage"]["status"] == "ok"
    s.chat()
    s.chat("nonexistent")
    s.get("/%s" % ("x" * 300))
    text = s.get("/metrics").body.decode()
    assert 'llmrouter_http_requests_total{endpoint="chat",status="2xx"} 1' in text, text
    assert 'llmrouter_http_requests_total{endpoint="chat",status="4xx"} 1' in text, text
    assert 'llmrouter_http_requests_total{endpoint="none",status="4xx"} 1' in text, text
    for store in ("keys", "usage"):
        assert 'llmrouter_store_ok{store="%s"} 1' % store in text and 'llmrouter_store_dropped_total{store="%s"} 0' % store in text, text
    assert "nonexistent" not in text and "xxx" not in text, "label values come from strangers"
    names = [line.split("{")[0].split(" ")[0] for line in text.split("\n") if line and not line.startswith("#")]
    typed = {line.split()[2] for line in text.split("\n") if line.startswith("# TYPE")}
    for name in names:
        assert name in typed or name.rsplit("_", 1)[0] in typed, name


def test_metrics_can_be_off(t):
    assert t.server(observe={"metrics": False}).get("/metrics").status == 404


def test_body_limit(t):
    u = t.upstream()
    s = t.server(u, server={"max_body": "64KiB"})
    big = json.dumps({**CHAT, "pad": "x" * 70000}).encode()
    r = s.request("POST", "/v1/chat/completions", big)
    assert r.status == 413 and r.code == "body_too_large" and "64KiB" in r.message, r.body
    chunked = b"".join(up.http_chunk(big[i:i + 5000]) for i in range(0, len(big), 5000)) + up.LAST_CHUNK
    r = s.request("POST", "/v1/chat/completions", chunked, [("Transfer-Encoding", "chunked")])
    assert r.status == 413 and r.code == "body_too_large", r.body
    with s.connect() as c:  # before a byte of it is sent
        c.send(request_bytes("POST", "/v1/chat/completions", b"", [("Content-Length", "99999999999")]))
        assert c.read_reply().status == 413
        assert c.at_end()
    assert len(u.chats()) == 0
    assert s.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "pad": "x" * 60000}).encode()).status == 200


def test_header_limits(t):
    s = t.server(t.upstream(), server={"max_header": "8KiB"})
    r = raw(s, request_bytes("POST", "/v1/chat/completions", CHAT, [("x-big", "y" * 9000)]))
    assert r.status == 431 and r.code == "headers_too_large" and "8KiB" in r.message, r.body
    r = raw(s, request_bytes("POST", "/v1/chat/completions", CHAT, [("x-%d" % i, "1") for i in range(300)]))
    assert r.status == 431 and "200" in r.message, r.body
    r = raw(s, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "GET")
    assert r.status == 431, r.body
    with s.connect() as c:  # in small pieces, never ending
        try:
            c.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
            for i in range(3000):
                c.send(b"a%d: b\r\n" % i)
        except (ConnectionError, socket.timeout):
            pass
        assert c.read_reply("GET").status == 431
    assert s.chat().status == 200


def test_smuggling_shapes_are_refused(t):
    u = t.upstream()
    s = t.server(u)
    body = json.dumps(CHAT).encode()
    length = b"Content-Length: %d\r\n" % len(body)
    start = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunked = up.http_chunk(body) + up.LAST_CHUNK
    te = b"Transfer-Encoding: chunked\r\n"
    shapes = {
        "both": start + length + te + b"\r\n" + chunked,
        "both, the other way round": start + te + length + b"\r\n" + chunked,
        "two lengths": start + length + length + b"\r\n" + body,
        "two different lengths": start + length + b"Content-Length: 3\r\n\r\n" + body,
        "list of lengths": start + b"Content-Length: %d, %d\r\n\r\n" % (len(body), len(body)) + body,
        "plus": start + b"Content-Length: +%d\r\n\r\n" % len(body) + body,
        "minus": start + b"Content-Length: -1\r\n\r\n" + body,
        "hex": start + b"Content-Length: 0x10\r\n\r\n" + body,
        "empty length": start + b"Content-Length:\r\n\r\n" + body,
        "huge length": start + b"Content-Length: 99999999999999999999999\r\n\r\n" + body,
        "blank before the colon": start + b"Content-Length : %d\r\n\r\n" % len(body) + body,
        "folded": start + b"X-A: b\r\n c\r\n" + length + b"\r\n" + body,
        "folded coding": start + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunked,
        "leading blank": start + b" X-A: b\r\n" + length + b"\r\n" + body,
        "gzip, chunked": start + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
        "identity": start + b"Transfer-Encoding: identity\r\n" + length + b"\r\n" + body,
        "chunked twice": start + te + te + b"\r\n" + chunked,
        "xchunked": start + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "chunked in 1.0": b"POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\n" + te + b"\r\n" + chunked,
        "bare line feeds": start.replace(b"\r\n", b"\n") + length.replace(b"\r\n", b"\n") + b"\n" + body,
        "bare carriage return": start + b"X-A: b\rX-B: c\r\n" + length + b"\r\n" + body,
        "nul": start + b"X-A: b\0c\r\n" + length + b"\r\n" + body,
        "no host": b"POST /v1/chat/completions HTTP/1.1\r\n" + length + b"\r\n" + body,
        "two hosts": start + b"Host: y\r\n" + length + b"\r\n" + body,
        "empty host": start.replace(b"Host: x", b"Host:") + length + b"\r\n" + body,
        "a port for a host": start.replace(b"Host: x", b"Host: :80") + length + b"\r\n" + body,
        "host with a blank": start.replace(b"Host: x", b"Host: x y") + length + b"\r\n" + body,
        "host with a user": start.replace(b"Host: x", b"Host: 127.0.0.1@y") + length + b"\r\n" + body,
        "target of another host": start.replace(b" /v1", b" http://evil/v1") + length + b"\r\n" + body,
        "two authorizations": start + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n" + length + b"\r\n" + body,
        "two kinds of authorization": start + b"Authorization: Bearer a\r\nAuthorization: Basic b\r\n" + length + b"\r\n" + body,
        "bare line feeds between chunks": start + te + b"\r\n" + b"%x\n%s\n0\n\n" % (len(body), body),
        "bare line feed in the trailers": start + te + b"\r\n" + up.http_chunk(body) + b"0\r\nX-A: b\n\r\n",
        "bad chunk size": start + te + b"\r\n" + b"xyz\r\n" + body + b"\r\n0\r\n\r\n",
        "negative chunk": start + te + b"\r\n" + b"-5\r\nhello\r\n0\r\n\r\n",
        "huge chunk": start + te + b"\r\n" + b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "chunk longer than said": start + te + b"\r\n" + b"5\r\nhello world\r\n0\r\n\r\n",
        "no length at all": start + b"\r\n" + body,
        "HTTP/2.0": b"POST /v1/chat/completions HTTP/2.0\r\nHost: x\r\n" + length + b"\r\n" + body,
        "no version": b"POST /v1/chat/completions\r\nHost: x\r\n\r\n",
        "method with junk": b"PO ST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }
    follow = request_bytes("POST", "/v1/chat/completions", {**CHAT, "model": "up/smuggled"})
    for name, shape in shapes.items():
        with s.connect(timeout=10) as c:
            c.send(shape + follow)
            r = c.read_reply()
            assert r.status in (400, 411, 413), (name, r.status, r.body)
            if name == "no length at all":
                continue  # well-formed: what follows is the next request, as everybody reads it
            assert r.header("connection") == "close", (name, r.head)
            assert c.at_end(), (name, c.buffer[:200])
    assert not any(b"smuggled" in r.body for r in u.chats()), "something got through"
    assert s.chat().status == 200


def test_what_two_readers_take_for_the_same_is_read(t):
    s = t.server(t.upstream())
    body = json.dumps(CHAT).encode()
    rest = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for head in (b"POST http://x/v1/chat/completions HTTP/1.1\r\nHost: x\r\n", b"POST http://X:80/v1/chat/completions HTTP/1.1\r\nHost: x\r\n",
                 b"POST /v1/chat/completions HTTP/1.1\r\nHost: [::1]:8000\r\n", b"POST /v1/chat/completions?proxy=up&x=1&x=2 HTTP/1.1\r\nHost: x\r\n",
                 b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer a\r\n"):
        r = raw(s, head + rest)
        assert r.status == 200, (head, r.status, r.body)
    for query in ("proxy=up&proxy=up2", "a=b&proxy=up&proxy"):
        r = s.request("POST", "/v1/chat/completions?" + query, CHAT)
        assert (r.status, r.code) == (400, "invalid_request") and "twice" in r.message, r.body


def test_bare_line_feeds_between_chunks_are_refused_at_once(t):
    s = t.server(t.upstream())
    start = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for framing in (b"2\n{}\n0\n\n", b"2\r\n{}\n0\r\n\r\n", b"2\r\n{}\r\n0\n\n", b"2\r\n{}\r\n0\r\nX-A: b\n\n"):
        with s.connect(timeout=5) as c:
            begun = time.monotonic()
            c.send(start + framing)
            r = c.read_reply()
            assert r.status == 400 and time.monotonic() - begun < 3, (framing, r.status, r.body)


def test_chunked_bodies_are_read(t):
    u = t.upstream()
    s = t.server(u)
    body = json.dumps(CHAT).encode()
    for size in (1, 7, len(body)):
        pieces = b"".join(up.http_chunk(body[i:i + size]) for i in range(0, len(body), size))
        r = s.request("POST", "/v1/chat/completions", pieces + b"0\r\nX-Trailer: 1\r\n\r\n", [("Transfer-Encoding", "chunked")])
        assert r.status == 200, (size, r.body)
    extended = b"%x;name=value;q=\"a;b\"\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert s.request("POST", "/v1/chat/completions", extended, [("Transfer-Encoding", "chunked")]).status == 200
    assert all(json.loads(r.body)["messages"] == CHAT["messages"] for r in u.chats())


def test_requests_cut_at_every_byte_and_then_closed(t):
    u = t.upstream()
    s = t.server(u)
    whole = request_bytes("POST", "/v1/chat/completions", CHAT)
    for cut in range(len(whole)):
        c = s.connect()
        c.send(whole[:cut])
        c.close()
    assert s.chat().status == 200
    assert len(u.chats()) == 1
    assert wait(lambda: 'llmrouter_http_connections 1' in s.get("/metrics").body.decode())


def test_requests_in_single_bytes(t):
    s = t.server(t.upstream())
    with s.connect() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request_bytes("POST", "/v1/chat/completions", CHAT):
            c.send(bytes([byte]))
        assert c.read_reply().status == 200


def test_pipelined_requests_are_answered_in_order(t):
    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        model = x.request.json()["model"]
        await x.sleep(0.2 if model == "slow" else 0)
        await x.send(up.reply(up.chat_body("I am " + model)))
    u = t.upstream(handler)
    s = t.server(u)
    requests = b"".join(request_bytes("POST", "/v1/chat/completions", {**CHAT, "model": "up/" + m}) for m in ("slow", "b", "c"))
    with s.connect() as c:
        c.send(requests + request_bytes("GET", "/health") + request_bytes("POST", "/v1/chat/completions", {**CHAT, "model": "up/d", "stream": False}))
        assert [c.read_reply().json()["choices"][0]["message"]["content"] for _ in range(3)] == ["I am slow", "I am b", "I am c"]
        assert c.read_reply("GET").json()["status"] == "ok"
        assert c.read_reply().json()["choices"][0]["message"]["content"] == "I am d"


def test_many_pipelined_requests_do_not_pile_up(t):
    s = t.server()
    count = 20000
    request = request_bytes("GET", "/health")
    before = s.rss_kib()
    with s.connect() as c:
        sender = threading.Thread(target=lambda: c.sock.sendall(request * count))
        sender.start()
        for _ in range(count):
            assert c.read_reply("GET").status == 200
        sender.join()
    assert s.rss_kib() - before < 8192


def test_keep_alive_and_close(t):
    s = t.server(t.upstream())
    with s.connect() as c:
        for _ in range(3):
            c.send(request_bytes("POST", "/v1/chat/completions", CHAT))
            assert c.read_reply().status == 200
        c.send(request_bytes("POST", "/v1/chat/completions", {**CHAT, "stream": True}))
        assert c.read_reply().complete
        c.send(request_bytes("POST", "/v1/chat/completions", {**CHAT, "model": "nobody"}))
        assert c.read_reply().status == 404
        c.send(request_bytes("POST", "/v1/chat/completions", CHAT, [("Connection", "close")]))
        r = c.read_reply()
        assert r.status == 200 and r.header("connection") == "close"
        assert c.at_end()


def test_http_1_0_gets_no_chunks(t):
    s = t.server(t.upstream())
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", {**CHAT, "stream": True}, version="HTTP/1.0"))
        r = c.read_reply()
        assert r.status == 200 and r.header("transfer-encoding") is None and r.header("connection") == "close"
        assert r.body.endswith(b"data: [DONE]\n\n"), r.body
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", CHAT, [("Connection", "keep-alive")], version="HTTP/1.0"))
        r = c.read_reply()
        assert r.status == 200 and r.header("connection") == "keep-alive"
        c.send(request_bytes("GET", "/health", version="HTTP/1.0"))
        assert c.read_reply("GET").status == 200
        assert c.at_end()


def test_expect_100(t):
    s = t.server(t.upstream(), keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}], server={"auth": "keys"})
    body = json.dumps(CHAT).encode()
    head = [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", b"", head + [("Authorization", "Bearer sk-ci-000000000000000000")]))
        assert c.read_head().status == 100
        c.send(body)
        assert c.read_reply().status == 200
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", b"", head))
        assert c.read_head().status == 401, "a stranger is not asked to go on"


def test_strangers_may_not_send_megabytes(t):
    s = t.server(t.upstream(), keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}], server={"auth": "keys"})
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", b"", [("Content-Length", "20000000")]))
        r = c.read_reply()
        assert r.status == 401 and r.code == "missing_key" and r.header("connection") == "close", r.body


def test_content_types(t):
    s = t.server(t.upstream())
    body = json.dumps(CHAT).encode()
    for type_ in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x-www-form-urlencoded"):
        assert s.request("POST", "/v1/chat/completions", body, [("Content-Type", type_)]).status == 200, type_
    for headers in ([("Content-Type", "text/plain")], [("Content-Type", "multipart/form-data; boundary=x")], [("Content-Encoding", "gzip")],
                    [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://evil.example")],
                    [("Content-Type", "text/plain"), ("Sec-Fetch-Site", "cross-site")]):
        r = s.request("POST", "/v1/chat/completions", body, headers)
        assert r.status == 415 and r.code == "unsupported_media_type", (headers, r.status, r.body)


def test_slow_headers_and_bodies(t):
    s = t.server(t.upstream(), server={"header_timeout": "400ms", "body_timeout": "400ms", "idle_timeout": "1s"})
    whole = request_bytes("POST", "/v1/chat/completions", CHAT)
    with s.connect() as c:
        c.send(whole[:20])
        r = c.read_reply()
        assert r.status == 408 and r.code == "request_timeout" and "header_timeout" in r.message, r.body
    with s.connect() as c:  # a trickle does not help
        try:
            for byte in whole[:-60]:
                c.send(bytes([byte]))
                time.sleep(0.02)
        except ConnectionError:
            pass
        assert c.read_reply().status == 408
    with s.connect() as c:
        c.send(whole[:-5])
        r = c.read_reply()
        assert r.status == 408 and "body_timeout" in r.message, r.body
    began = time.monotonic()
    with s.connect() as c:
        assert c.at_end(5), "an idle connection is closed"
        assert 0.8 < time.monotonic() - began < 3


def test_connections_are_limited(t):
    s = t.server(server={"max_connections": 5})
    held = [s.connect() for _ in range(5)]
    for c in held:
        c.send(request_bytes("GET", "/health"))
        assert c.read_reply("GET").status == 200
    with s.connect() as c:
        c.send(request_bytes("GET", "/health"))
        r = c.read_reply("GET")
        assert r.status == 503 and r.code == "too_many_connections" and r.complete, r.body
    held.pop().close()
    assert wait(lambda: s.get("/health").status == 200)
    for c in held:
        c.close()


def test_cors(t):
    s = t.server(t.upstream(), server={"cors": ["https://app.example"]})
    preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"),
                 ("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang")]
    r = s.request("OPTIONS", "/v1/chat/completions", headers=preflight)
    assert r.status == 204 and r.header("access-control-allow-origin") == "https://app.example", r.head
    assert "POST" in r.header("access-control-allow-methods") and "x-stainless-lang" in r.header("access-control-allow-headers")
    r = s.request("OPTIONS", "/v1/chat/completions", headers=[("Origin", "https://evil.example")] + preflight[1:])
    assert r.header("access-control-allow-origin") is None, r.head
    r = s.chat(headers=[("Origin", "https://app.example")])
    assert r.status == 200 and r.header("access-control-allow-origin") == "https://app.example" and "x-request-id" in r.header("access-control-expose-headers")
    r = s.chat(stream=True, headers=[("Origin", "https://app.example")])
    assert r.complete and r.header("access-control-allow-origin") == "https://app.example"
    assert s.chat("nobody", headers=[("Origin", "https://app.example")]).header("access-control-allow-origin") == "https://app.example"
    assert s.chat(headers=[("Origin", "https://evil.example"), ("Host", "127.0.0.1")]).header("access-control-allow-origin") is None


def test_a_page_that_rebinds_its_name_gets_nothing(t):
    s = t.server(t.upstream(), server={"cors": ["https://app.example"]})
    page = [("Origin", "http://evil.example:8000"), ("Host", "evil.example:8000")]
    same = [("Sec-Fetch-Site", "same-origin"), ("Host", "evil.example:8000")]  # what a page reads from its own name has no Origin
    r = s.get("/v1/models", headers=same)
    assert r.status == 403 and r.code == "invalid_request", (r.status, r.body)
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000", "app.example"):
        assert s.get("/v1/models", headers=[same[0], ("Host", host)]).status == 200, host
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        body = CHAT if method == "POST" else None
        r = s.request(method, path, body, page)
        assert r.status == 403 and "server.cors" in r.message, (r.status, r.body)
        for fine in ([("Host", "evil.example:8000")], [("Origin", "http://localhost:3000"), ("Host", "localhost:8000")],
                     [("Origin", "http://[::1]"), ("Host", "[::1]:8000")], [("Origin", "https://app.example"), ("Host", "llm.example")]):
            assert s.request(method, path, body, fine).status == 200, fine
    # Last: the first server reads its configuration from the same place, and takes up what is written there.
    keyed = t.server(t.upstream(), server={"auth": "keys"}, keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}])
    assert keyed.get("/v1/models", headers=same, key="sk-ci-000000000000000000").status == 200


def test_keys_come_in_five_ways(t):
    s = t.server(t.upstream(), keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}], server={"auth": "keys"})
    key = "sk-ci-000000000000000000"
    for headers in ([("Authorization", "Bearer " + key)], [("authorization", "bearer   " + key)], [("x-api-key", key)], [("X-Goog-Api-Key", key)],
                    [("api-key", key)]):
        assert s.chat(headers=headers).status == 200, headers
    assert s.request("POST", "/v1/chat/completions?key=" + key, CHAT).status == 200
    r = s.chat()
    assert r.status == 401 and r.code == "missing_key" and r.header("www-authenticate"), r.body
    r = s.chat(key="sk-wrong-00000000000000")
    assert r.status == 401 and r.code == "invalid_key", r.body
    assert b"sk-wrong-0000" not in r.body


def test_unix_socket_and_ipv6(t):
    path = t.folder + "/r.sock"
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(path)
    stale.close()
    listen = ["127.0.0.1:0", "unix:" + path]
    v6 = True
    try:
        probe = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        probe.bind(("::1", 0))
        probe.close()
        listen.append("[::1]:0")
    except OSError:
        v6 = False
    s = t.server(t.upstream(), server={"listen": listen, "max_body": "32MiB"})
    import os
    import stat
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    from harness import Connection
    for address in s.addresses:
        with Connection(address) as c:
            c.send(request_bytes("POST", "/v1/chat/completions", CHAT))
            assert c.read_reply().status == 200, address
    assert len(s.addresses) == (3 if v6 else 2)
    s.stop()
    assert not os.path.exists(path)


def test_half_closed_clients_still_get_their_answer(t):
    s = t.server(t.upstream())
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/chat/completions", CHAT, [("Connection", "close")]))
        c.sock.shutdown(socket.SHUT_WR)
        assert c.read_reply().status == 200
    with s.connect() as c:
        c.send(request_bytes("GET", "/health") + request_bytes("GET", "/health", headers=[("Connection", "close")]))
        c.sock.shutdown(socket.SHUT_WR)
        assert c.read_reply("GET").status == 200 and c.read_reply("GET").status == 200


def test_nothing_leaks_between_requests(t):
    """One connection, callers and errors mixed: each answer is its own."""
    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(up.reply(up.chat_body("for " + x.request.json()["messages"][0]["content"])))
    s = t.server(t.upstream(handler))

    def client(n):
        with s.connect() as c:
            for i in range(40):
                word = "%d-%d" % (n, i)
                kind = (n + i) % 4
                if kind == 0:
                    c.send(request_bytes("POST", "/v1/chat/completions", b"{bad " + word.encode()))
                    r = c.read_reply()
                    assert r.status == 400, r.body
                elif kind == 1:
                    c.send(request_bytes("POST", "/v1/chat/completions", {"model": "no" + word, "messages": [{"role": "user", "content": word}]}))
                    r = c.read_reply()
                    assert r.status == 404 and "no" + word in r.message, r.body
                else:
                    c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m", "messages": [{"role": "user", "content": word}]},
                                         [("x-request-id", "id-" + word)]))
                    r = c.read_reply()
                    assert r.json()["choices"][0]["message"]["content"] == "for " + word, r.body
                    assert r.header("x-request-id") == "id-" + word
            done.append(n)
    done = []
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert len(done) == 8


def test_trust_loopback(t):
    s = t.server(t.upstream(), keys=[{"name": "ci", "key": "sk-ci-000000000000000000"}], server={"auth": "keys", "trust_loopback": True})
    assert s.chat().status == 200
    assert s.chat(key="whatever-the-sdk-sends").status == 200
    for header in (("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1"), ("Via", "1.1 proxy")):
        assert s.chat(headers=[header]).status == 401, header
    s.chat(key="sk-ci-000000000000000000")
    assert s.usage()[0]["key"] == "file:ci", "a known key is still accounted for"
    assert s.get("/admin/v1/usage").status == 401 and s.get("/admin/v1/usage", key=ADMIN).status == 200
