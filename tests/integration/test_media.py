"""Pictures by URL for targets that do not fetch them: fetched by the server, from public addresses and those that are allowed, within limits."""
import base64

import harness
import upstream as up

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "A picture."}, "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}


def ollama(t):
    return t.upstream(up.sends(up.reply(OLLAMA)))


def pictures(t, **more):
    """A server of pictures: /x.png, what `more` says, or 404."""
    async def handler(x):
        path = x.request.target.partition("?")[0][1:].replace(".", "_")
        if path == "slow":
            return await x.stall()
        await x.send(more.get(path) or (up.reply(PNG, content_type="image/png") if path.endswith("_png") else up.reply({"e": 1}, 404)))
    return t.upstream(handler)


def redirect(to, status=302):
    return up.reply(b"moved", status, headers=[("location", to)])


def server(t, u, allow=("127.0.0.1",), providers=None, **sections):
    media = dict({"fetch": True, "allow": list(allow)}, **sections.pop("media", {}))
    base = {"local": {"type": "ollama", "base_url": u.url[:-3], "models": {"override": ["m"]}}}
    base.update(providers or {})
    return t.server(providers=base, routing=dict({"remote_media": media}, **sections.pop("routing", {})), **sections)


def ask(s, *urls, model="local/m", **members):
    parts = [{"type": "text", "text": "what is it?"}] + [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return s.request("POST", "/v1/chat/completions", dict({"model": model, "messages": [{"role": "user", "content": parts}]}, **members))


def at(p, path):
    return "http://127.0.0.1:%d/%s" % (p.port, path)


def test_pictures_are_fetched_and_go_inline(t):
    u, p = ollama(t), pictures(t)
    s = server(t, u)
    r = ask(s, at(p, "a.png?signature=secret"), at(p, "b.png"))
    assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "A picture.", r.body
    images = u.chats()[0].json()["messages"][0]["images"]
    assert [base64.b64decode(i) for i in images] == [PNG, PNG]
    assert p.seen[0].headers.get("authorization") is None and len(p.seen) == 2
    assert not any("secret" in line for line in s.log)


def test_nothing_is_fetched_unless_the_file_says_so(t):
    u, p = ollama(t), pictures(t)
    s = server(t, u, media={"fetch": False})
    r = ask(s, at(p, "a.png"))
    assert r.status == 400 and "messages[0].content[1]" in r.message and "local/m" in r.message, r.body
    assert not p.connections


def test_private_addresses_are_not_asked_however_they_are_named(t):
    u, p = ollama(t), pictures(t, away=None)
    s = server(t, u, allow=())
    assert ask(s, "data:image/png;base64,iVBORw0KGgo=").status == 200  # and a connection to the same host stays open for others
    for host in ("127.0.0.1:%d" % p.port, "localhost:%d" % p.port, "[::ffff:127.0.0.1]:%d" % p.port, "0x7f.1:%d" % p.port, "2130706433:%d" % p.port, "127.0.0.1:%d" % u.port):
        r = ask(s, "http://%s/a.png" % host)
        assert r.status == 400 and r.code == "invalid_request", (host, r.status, r.body)
        assert "not a public one" in r.message and "messages[0].content[1]" in r.message, (host, r.message)
    assert not p.connections and len(u.seen) == 1, (p.connections, len(u.seen))
    for url in ("http://user:password@127.0.0.1/a.png", "http:///a.png"):
        r = ask(s, url)
        assert r.status == 400 and "password" not in r.message, r.body


def test_redirects_are_followed_a_little_and_judged_each(t):
    u = ollama(t)
    p = pictures(t, near=redirect("/a.png"), away=redirect("http://127.0.0.2:9/a.png"), round=redirect("/round"), file=redirect("file:///etc/passwd"))
    s = server(t, u)
    assert ask(s, at(p, "near")).status == 200
    for path, words in (("away", "not a public one"), ("round", "too often"), ("file", "no URL")):
        r = ask(s, at(p, path))
        assert r.status == 400 and words in r.message, (path, r.body)
    assert len([x for x in p.seen if x.target == "/round"]) == 4
    assert len(u.chats()) == 1


def test_limits_of_size_time_and_type(t):
    u = ollama(t)
    endless = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close\r\n\r\n" + PNG * 40
    p = pictures(t, big=up.reply(b"\x89PNG\r\n\x1a\n" + b"x" * 5000, content_type="image/png"), endless=endless, page=up.reply(b"<html>", content_type="text/html"),
                 lie=up.reply(b"<html>", content_type="application/octet-stream"))
    s = server(t, u, media={"max": "2KiB", "timeout": "500ms"})
    for path, words in (("big", "2048 bytes"), ("endless", "2048 bytes"), ("page", "text/html"), ("lie", "application/octet-stream"), ("slow", "in time"), ("none", "status 404")):
        r = ask(s, at(p, path))
        assert r.status == 400 and words in r.message, (path, r.body)
    # Of all together.
    assert ask(s, at(p, "a.png"), at(p, "b.png")).status == 200
    r = ask(s, *[at(p, "%d.png" % i) for i in range(4)])
    assert r.status == 400 and "routing.remote_media.max" in r.message, r.body
    r = ask(s, *[at(p, "a.png")] * 33)
    assert r.status == 400 and "more than 32" in r.message, r.body
    assert len(u.chats()) == 1


def test_a_target_that_fetches_itself_gets_the_url(t):
    u, p, other = ollama(t), pictures(t), t.upstream()
    s = server(t, u, allow=(), providers={"up": {"base_url": other.url, "api_key": "k"}},
               models={"m": {"strategy": "priority", "targets": [{"model": "local/m", "priority": 1}, {"model": "up/m1", "priority": 2}]}})
    r = ask(s, at(p, "a.png"), model="m")
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up", r.body
    assert other.chats()[0].json()["messages"][0]["content"][1]["image_url"]["url"] == at(p, "a.png")
    assert not p.connections


def test_a_client_of_the_same_dialect_is_translated_for_it(t):
    async def claude(x):
        await x.send(up.reply({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "A picture."}], "stop_reason": "end_turn",
                               "usage": {"input_tokens": 5, "output_tokens": 2}}))
    u, p = t.upstream(claude), pictures(t)
    s = server(t, u, providers={"cloud": {"type": "vertex", "base_url": u.url[:-3], "project": "p", "api_key": "ya29.t"}})
    r = s.request("POST", "/v1/messages", {"model": "cloud/claude-x", "max_tokens": 9, "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": at(p, "a.png")}}, {"type": "text", "text": "what?"}]}]})
    assert r.status == 200 and r.json()["content"][0]["text"] == "A picture.", r.body
    source = u.chats()[0].json()["messages"][0]["content"][0]["source"]
    assert source["type"] == "base64" and source["media_type"] == "image/png" and base64.b64decode(source["data"]) == PNG, source


def test_a_vendor_of_the_chat_dialect_that_fetches_nothing(t):
    u, p = t.upstream(), pictures(t)
    kimi = {"kimi": {"type": "moonshot", "base_url": u.url, "api_key": "k", "models": {"override": ["m"]}}}
    s = server(t, u, providers=kimi)
    r = ask(s, at(p, "a.png"), model="kimi/m")
    assert r.status == 200, r.body
    url = u.chats()[0].json()["messages"][0]["content"][1]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode(), url[:60]
    r = ask(server(t, u, providers=kimi, media={"fetch": False}), at(p, "a.png"), model="kimi/m")
    assert r.status == 400 and "messages[0].content[1]" in r.message and len(u.chats()) == 1, r.body


def test_who_goes_away_takes_the_fetch_along(t):
    u, p = ollama(t), pictures(t)
    s = server(t, u)
    body = {"model": "local/m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": at(p, "slow")}}]}]}
    with s.connect() as c:
        c.send(harness.request_bytes("POST", "/v1/chat/completions", body))
        assert harness.wait(lambda: p.open)
    assert harness.wait(lambda: not p.open), "the fetch goes on for nobody"
    r = s.request("POST", "/v1/chat/completions", body, headers=[("x-llmrouter-timeout", "300ms")])
    assert r.status == 504 and "timeout: total" in r.message and "x-llmrouter-timeout" in r.message, r.body
    assert s.chat("local/m").status == 200
