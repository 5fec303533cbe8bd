"""Where upstreams are is nobody's business but the administrator's: callers read who failed and how, the log and the records say where."""
import http.server
import json
import socket
import sqlite3
import threading

import upstream as up

KEY = "sk-plain-000000000"
BOSS = "sk-admin-000000000"
CHAT = [{"role": "user", "content": "hi"}]
DIALECTS = (
    ("/v1/chat/completions", {"model": "%s", "messages": CHAT}),
    ("/v1/responses", {"model": "%s", "input": "hi"}),
    ("/v1/completions", {"model": "%s", "prompt": "hi"}),
    ("/v1/messages", {"model": "%s", "messages": CHAT, "max_tokens": 9}),
    ("/api/chat", {"model": "%s", "messages": CHAT}),
    ("/v2/chat", {"model": "%s", "messages": CHAT}),
    ("/v1/embeddings", {"model": "%s", "input": "hi"}),
)


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def plain(t, *upstreams, **sections):
    """A server that asks for keys, with one of a caller."""
    config = t.config(*upstreams, keys=[{"name": "ann", "key": KEY}, {"name": "boss", "key": BOSS, "role": "admin"}], **sections)
    config["server"]["auth"] = "keys"
    return config


def names_no_address(reply, *secrets):
    seen = reply.head.decode("latin-1") + reply.body.decode("utf-8", "replace")
    for secret in ("127.0.0.1", "localhost", *secrets):
        assert str(secret) not in seen, (secret, seen)
    return seen


def test_an_upstream_that_is_not_there_is_named_and_not_its_address(t):
    port, proxy_port = closed_port(), closed_port()
    config = plain(t, routing={"attempts": 1})
    config["providers"] = {
        "gone": {"base_url": "http://127.0.0.1:%d/v1" % port, "models": {"override": ["m1"]}},
        "behind": {"base_url": "http://upstream.invalid/v1", "proxy": "http://127.0.0.1:%d" % proxy_port, "models": {"override": ["m1"]}},
        "nowhere": {"base_url": "http://upstream.invalid/v1", "models": {"override": ["m1"]}},
    }
    s = t.start(config)
    for provider, secrets in (("gone", (port,)), ("behind", (proxy_port, "upstream.invalid")), ("nowhere", ("upstream.invalid",))):
        for path, body in DIALECTS:
            for stream in (False, True):
                if stream and path == "/v1/embeddings":
                    continue
                r = s.request("POST", path, {**body, "model": provider + "/m1", "stream": stream}, key=KEY)
                assert r.status == 502, (path, r.status, r.body)
                assert "provider %s, model m1: cannot connect" % provider in names_no_address(r, *secrets), (path, r.body)
        r = s.request("POST", "/v1beta/models/%s%%2Fm1:generateContent" % provider, {"contents": [{"parts": [{"text": "hi"}]}]}, key=KEY)
        assert r.status == 502 and "cannot connect" in names_no_address(r, *secrets), r.body
    # What a caller may read besides.
    for method, path in (("GET", "/v1/health/providers"), ("GET", "/v1/health/models/gone%2Fm1"), ("GET", "/v1/models"), ("GET", "/v1/me"),
                         ("GET", "/v1/me/usage"), ("GET", "/health/ready"), ("GET", "/metrics"), ("POST", "/v1/route/explain?model=gone/m1")):
        names_no_address(s.request(method, path, key=KEY), port, proxy_port, "upstream.invalid")
    # The log, and administrators.
    assert s.wait_log("127.0.0.1:%d" % port) and s.wait_log("upstream.invalid"), s.log
    attempts = {r["provider"]: r["attempts"][0] for r in s.usage()}
    assert attempts["gone"]["reason"] == "cannot connect" and ("127.0.0.1:%d" % port) in attempts["gone"]["detail"], attempts
    assert attempts["nowhere"]["reason"] == "cannot connect: a name cannot be resolved" and "upstream.invalid" in attempts["nowhere"]["detail"], attempts
    errors = {p["name"]: p["last_error"] for p in s.get("/v1/health/providers", key=BOSS).json()["data"]}
    assert ("127.0.0.1:%d" % port) in errors["gone"], errors


def test_how_a_connection_failed_is_told_without_where(t):
    async def resets(x):
        x.close()

    async def redirects(x):
        await x.send(up.reply(b"", 302, [("location", "http://inner.example:81/secret")]))

    async def cuts(x):
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n" + up.chunk({"content": "Hello"}))
        x.close()
    reset, redirect, cut = t.upstream(resets), t.upstream(redirects), t.upstream(cuts)
    config = plain(t, reset, redirect, cut, routing={"attempts": 1})
    refuses = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)  # knows no TLS, and says so
    refuses.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=refuses.serve_forever, daemon=True).start()
    try:
        config["providers"]["tls"] = {"base_url": "https://127.0.0.1:%d/v1" % refuses.server_port}
        ask_them(t.start(config), reset, cut)
    finally:
        refuses.shutdown()
        refuses.server_close()


def ask_them(s, reset, cut):
    for provider, words in (("up", "broke off before a reply"), ("up2", "a redirect (302) was refused"), ("tls", "cannot connect: TLS failed")):
        r = s.chat(provider + "/m1", key=KEY)
        assert r.status == 502 and ("provider %s, model m1: %s" % (provider, words)) in names_no_address(r, reset.port, "inner.example"), r.body
    r = s.chat("up3/m1", stream=True, key=KEY)
    assert r.status == 200 and "provider up3, model m1: the reply broke off" in names_no_address(r, cut.port), r.body
    details = {x["provider"]: x["attempts"][0].get("detail", "") for x in s.usage()}
    assert "inner.example:81" in details["up2"] and str(cut.port) in details["up3"], details


def test_a_store_that_fails_a_caller_does_not_say_where_it_lies(t):
    s = t.start(plain(t, t.upstream(), models={"a": "up/m1"}))
    db = sqlite3.connect(t.folder + "/keys.db", isolation_level=None)
    try:
        db.execute("BEGIN EXCLUSIVE")
        replies = [s.request("PUT", "/v1/me/override", {"model": "a"}, key=KEY, timeout=40), s.request("POST", "/auth/session", {"model": "a"}, key=KEY, timeout=40)]
    finally:
        db.execute("ROLLBACK")
        db.close()
    for r in replies:
        assert r.status == 500 and r.code == "storage", (r.status, r.body)
        assert "keys.db" not in names_no_address(r, t.folder) and "log" in r.message, r.body
    assert s.wait_log("keys.db"), s.log
    assert s.request("PUT", "/v1/me/override", {"model": "a"}, key=KEY).status == 200


def test_the_command_line_says_where(t):
    port = closed_port()
    t.write_config({"storage": {"keys": "memory:", "usage": "off"}, "providers": {"gone": {"base_url": "http://127.0.0.1:%d/v1" % port}}, "routing": {"attempts": 1}})
    r = t.cli("chat", "gone/m1", "hi")
    assert r.returncode == 1 and "provider gone, model m1: cannot connect (127.0.0.1:%d" % port in r.stderr, r.stderr
    assert json.loads(t.cli("models", "--json").stdout)["unreachable"][0]["error"].startswith("cannot connect (127.0.0.1:%d" % port)
