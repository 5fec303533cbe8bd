"""Keys, limits and budgets, as callers meet them."""
import json
import threading
import time

import upstream as up
from harness import ADMIN, request_bytes, wait

PRICES = {"entries": [{"model": "up/*", "input": "1.00", "output": "2.00", "cached_input": "0.50"}]}
KEY = "sk-ci-000000000000000000"


def keyed(t, key, handler=None, **sections):
    u = t.upstream(handler)
    return u, t.server(u, server={"auth": "keys"}, keys=[{"name": "ci", "key": KEY, **key}], prices=PRICES, **sections)


def test_requests_per_minute(t):
    u, s = keyed(t, {"limits": {"requests": "3/min"}})
    for left in (2, 1, 0):
        r = s.chat(key=KEY)
        assert r.status == 200, r.body
        assert r.header("x-ratelimit-limit-requests") == "3" and r.header("x-ratelimit-remaining-requests") == str(left), r.head
        assert r.header("x-ratelimit-reset-requests"), r.head
    r = s.chat(key=KEY)
    assert r.status == 429 and r.code == "rate_limited", r.body
    assert 1 <= int(r.header("retry-after")) <= 20 and r.header("x-ratelimit-remaining-requests") == "0", r.head
    assert len(u.chats()) == 3
    assert s.usage()[0]["status"] == "limited"


def test_requests_come_back_with_time(t):
    u, s = keyed(t, {"limits": {"requests": "5/s"}})
    granted = 0
    began = time.monotonic()
    while time.monotonic() - began < 2.0:
        granted += s.chat(key=KEY).status == 200
    took = time.monotonic() - began
    assert 5 <= granted <= 5 + 5 * took + 1, (granted, took)


def test_never_one_grant_too_many_at_once(t):
    u, s = keyed(t, {"limits": {"requests": "20/day"}})
    codes = []

    def client():
        for _ in range(10):
            codes.append(s.chat(key=KEY).status)
    threads = [threading.Thread(target=client) for _ in range(8)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert codes.count(200) == 20 and codes.count(429) == 60, (codes.count(200), codes.count(429))
    assert len(u.chats()) == 20


def test_tokens_per_minute(t):
    u, s = keyed(t, {"limits": {"tokens": "100/min"}})
    statuses = [s.chat(key=KEY, max_tokens=8).status for _ in range(12)]
    good = statuses.count(200)
    assert 4 <= good <= 6, statuses  # 18 tokens each really
    assert statuses[good:] == [429] * (12 - good), statuses


def test_concurrency(t):
    async def slow(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.sleep(0.5)
        await up.good(x)
    u, s = keyed(t, {"limits": {"concurrent": 2}}, slow)
    codes = []

    def client():
        codes.append(s.chat(key=KEY).status)
    threads = [threading.Thread(target=client) for _ in range(5)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert sorted(codes) == [200, 200, 429, 429, 429], codes
    assert s.chat(key=KEY).status == 200


def test_concurrency_is_given_back_on_every_path(t):
    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        mode = x.request.json()["messages"][0]["content"]
        if mode == "error":
            return await x.send(up.error(500))
        if mode == "cut":
            await x.send(up.STREAM_HEAD + up.http_chunk(up.chunk({"content": "Hel"})))
            return x.cut()
        if mode == "stall":
            return await x.stall()
        await up.good(x)
    u, s = keyed(t, {"limits": {"concurrent": 1}}, handler, routing={"attempts": 1})
    from harness import request_bytes
    for mode in ("error", "cut", "stall", "error", "good"):
        if mode == "stall":
            c = s.connect()
            c.send(request_bytes("POST", "/v1/chat/completions", {"model": "up/m", "messages": [{"role": "user", "content": mode}]},
                                 [("Authorization", "Bearer " + KEY)]))
            n = len(u.chats())
            wait(lambda: u.chats() and u.chats()[-1].json()["messages"][0]["content"] == "stall")
            time.sleep(0.15)
            c.close()
        else:
            s.chat(text=mode, stream=mode == "cut", key=KEY)
        assert wait(lambda: s.chat(text="good", key=KEY).status == 200, 2), mode


def test_budget(t):
    # Each call costs 23500 nano-USD; 100000 are there.
    u, s = keyed(t, {"budget": {"usd": "0.0001", "per": "total"}})
    statuses = [s.chat(key=KEY, max_tokens=7).status for _ in range(8)]
    good = statuses.count(200)
    assert good in (3, 4) and statuses[good:] == [402] * (8 - good), statuses
    r = s.chat(key=KEY, max_tokens=7)
    assert r.status == 402 and r.code == "budget_exceeded" and "0.0001" in r.message, r.body
    me = s.get("/v1/me", key=KEY).json()
    assert me["key"]["name"] == "ci" and me["state"]["budget"]["spent_usd"] == "%s" % {3: "0.0000705", 4: "0.000094"}[good], me


def test_budget_survives_kill_and_restart(t):
    u, s = keyed(t, {"budget": {"usd": "0.0001", "per": "total"}})
    assert [s.chat(key=KEY, max_tokens=7).status for _ in range(2)] == [200, 200]
    time.sleep(1.2)
    s.signal(9)
    s.wait()
    s.start()
    statuses = [s.chat(key=KEY, max_tokens=7).status for _ in range(5)]
    good = statuses.count(200)
    assert 2 + good in (3, 4) and statuses[good:] == [402] * (5 - good), statuses
    assert len(s.usage()) >= 2 + good, "the records from before the kill are there"


def test_allow_lists(t):
    u, s = keyed(t, {"allow": {"models": ["fast", "up/a*"], "providers": ["up"], "endpoints": ["chat", "models"]}},
                 models={"fast": "up/m1", "other": "up/m2"})
    assert s.chat("fast", key=KEY).status == 200
    assert s.chat("up/abc", key=KEY).status == 200
    for model in ("other", "up/b", "demo/echo"):
        r = s.chat(model, key=KEY)
        assert r.status == 403 and r.code == "model_not_allowed", (model, r.status, r.body)
    ids = [m["id"] for m in s.get("/v1/models", key=KEY).json()["data"]]
    assert "fast" in ids and "other" not in ids and "demo/echo" not in ids, ids
    assert s.get("/v1/models/other", key=KEY).status == 404
    u2, s2 = keyed(t, {"allow": {"endpoints": ["embeddings"]}})
    r = s2.chat(key=KEY)
    assert r.status == 403 and r.code == "endpoint_not_allowed" and "chat" in r.message, r.body
    assert s2.get("/v1/models", key=KEY).code == "endpoint_not_allowed"
    assert s2.get("/v1/me", key=KEY).status == 200


def test_parameter_limits(t):
    u, s = keyed(t, {"params": {"max_tokens": 50, "temperature": [0, 1], "tools": False}})
    assert s.chat(key=KEY).status == 200
    assert u.chats()[-1].json()["max_tokens"] == 50, "a request that names none gets the most there is"
    r = s.chat(key=KEY, max_tokens=51)
    assert r.status == 403 and r.code == "parameter_not_allowed" and r.json()["error"]["param"] == "max_tokens", r.body
    assert s.chat(key=KEY, temperature=1.5).status == 403
    assert s.chat(key=KEY, tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]).status == 403


def test_the_end_of_the_last_key_opens_no_door(t):
    config = t.config(t.upstream(), server={"auth": "auto"})
    s = t.start(config)
    assert s.chat().status == 200
    made = s.request("POST", "/admin/v1/keys", {"name": "only"}, key=ADMIN).json()
    assert s.chat().status == 401 and s.chat(key=made["key"]).status == 200
    assert s.request("DELETE", "/admin/v1/keys/only", key=ADMIN).json()["state"] == "revoked"
    assert s.chat().status == 401 and s.chat(key=made["key"]).status == 401
    s.stop()
    s = t.start(config)
    assert s.chat().status == 401
    s.stop()
    config["storage"] = {"keys": "memory:", "usage": "off"}
    config["keys"] = [{"name": "old", "key": "sk-old-0000000000", "expires": "2020-01-01T00:00:00Z"}]
    s = t.start(config)
    assert s.chat().status == 401
    del config["keys"]
    s.write(config)
    assert s.wait_log("configuration applied") and s.chat().status == 200


def test_expired_and_revoked_keys(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, keys=[{"name": "old", "key": "sk-old-00000000000000000", "expires": "2020-01-01T00:00:00Z"}])
    r = s.chat(key="sk-old-00000000000000000")
    assert r.status == 401 and r.code == "expired_key", r.body
    made = s.request("POST", "/admin/v1/keys", {"name": "temp"}, key=ADMIN)
    assert made.status == 201, made.body
    key, id_ = made.json()["key"], made.json()["id"]
    assert s.chat(key=key).status == 200
    assert s.request("DELETE", "/admin/v1/keys/" + id_, key=ADMIN).status == 200
    r = s.chat(key=key)
    assert r.status == 401 and r.code == "invalid_key", r.body


def test_keys_over_http(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, models={"a": "up/a", "b": "up/b"})
    r = s.request("POST", "/admin/v1/keys?prefix=team-", {
        "name": "n1", "user": "ann", "allow": {"models": ["a"]}, "limits": {"requests": "5/min", "concurrent": 3}, "budget": {"usd": 1.5, "per": "day"},
        "params": {"max_tokens": 10}, "expires": "2099-01-01T00:00:00Z"}, key=ADMIN)
    assert r.status == 201 and r.header("cache-control") == "no-store", r.body
    made = r.json()
    key = made["key"]
    assert key.startswith("team-") and made["name"] == "n1" and made["user"] == "ann" and "key_" in made["id"], made
    assert s.chat("a", key=key).status == 200 and s.chat("b", key=key).status == 403
    listed = s.get("/admin/v1/keys", key=ADMIN)
    assert [k["id"] for k in listed.json()["data"]] == [made["id"]]
    assert key.encode() not in listed.body and key.encode() not in s.get("/admin/v1/keys/" + made["id"], key=ADMIN).body
    r = s.request("PATCH", "/admin/v1/keys/" + made["id"], {"allow": {"models": ["a", "b"]}, "expires": None}, key=ADMIN)
    assert r.status == 200, r.body
    assert s.chat("b", key=key).status == 200
    shown = s.get("/admin/v1/keys/" + made["id"], key=ADMIN).json()
    assert shown["limits"]["concurrent"] == 3 and not shown.get("expires"), shown
    for body, param in (({"nmae": "x"}, "nmae"), ({"limits": {"requests": "many"}}, "limits.requests"), ({"role": "king"}, "role"), ("x", None)):
        r = s.request("POST", "/admin/v1/keys", body, key=ADMIN)
        assert r.status == 400 and r.code == "invalid_request" and (param is None or r.json()["error"]["param"] == param), (body, r.body)
    assert s.get("/admin/v1/keys/key_nobody", key=ADMIN).status == 404
    assert s.request("PATCH", "/admin/v1/keys/key_nobody", {}, key=ADMIN).status == 404
    admin = s.request("POST", "/admin/v1/keys", {"name": "boss", "role": "admin"}, key=ADMIN).json()["key"]
    assert s.get("/admin/v1/keys", key=admin).status == 200
    assert s.get("/admin/v1/keys", key=key).status == 403


def test_keys_over_http_are_checked(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, keys=[{"name": "ci", "key": KEY}])
    made = s.request("POST", "/admin/v1/keys", {"name": "ann"}, key=ADMIN).json()
    for name in ("ann", "ci", made["id"]):
        r = s.request("POST", "/admin/v1/keys", {"name": name}, key=ADMIN)
        assert r.status == 409 and r.code == "conflict" and r.json()["error"]["param"] == "name", r.body
    for body, param in (({"name": ""}, "name"), ({"name": "  "}, "name"), ({"expires": "2020-01-01T00:00:00Z"}, "expires"),
                        ({"allow": {"endpoints": ["chatt"]}}, "allow.endpoints[0]"), ({"allow": {"endpoints": "everything"}}, "allow.endpoints[0]")):
        r = s.request("POST", "/admin/v1/keys", body, key=ADMIN)
        assert r.status == 400 and r.code == "invalid_request" and r.json()["error"]["param"] == param and param in r.message, (body, r.body)
    assert "moderations" in s.request("POST", "/admin/v1/keys", {"allow": {"endpoints": ["x"]}}, key=ADMIN).message
    other = s.request("POST", "/admin/v1/keys", {"allow": {"endpoints": ["chat", "!models", "count_*"]}}, key=ADMIN).json()
    assert s.request("PATCH", "/admin/v1/keys/" + other["id"], {"name": "ann"}, key=ADMIN).status == 409
    assert s.request("PATCH", "/admin/v1/keys/" + other["id"], {"expires": "2020-01-01T00:00:00Z"}, key=ADMIN).json()["error"]["param"] == "expires"
    assert s.request("PATCH", "/admin/v1/keys/" + other["id"], {"name": "bob"}, key=ADMIN).status == 200


def test_parameters_of_administration(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, keys=[{"name": "ci", "key": KEY}])
    ids = ["file:ci"] + [s.request("POST", "/admin/v1/keys", {"name": "k%d" % i}, key=ADMIN).json()["id"] for i in range(4)]
    whole = s.get("/admin/v1/keys", key=ADMIN).json()
    assert [k["id"] for k in whole["data"]] == ids and whole["next"] is None
    seen, cursor = [], ""
    for _ in range(3):
        page = s.get("/admin/v1/keys?limit=2" + ("&cursor=" + cursor if cursor else ""), key=ADMIN).json()
        seen.append([k["id"] for k in page["data"]])
        cursor = page["next"]
    assert seen == [ids[0:2], ids[2:4], ids[4:]] and cursor is None, seen
    key = "/admin/v1/keys/" + ids[1]
    for method, target, param in (("GET", "/admin/v1/keys?limit=0", "limit"), ("GET", "/admin/v1/keys?limit=1001", "limit"),
                                  ("GET", "/admin/v1/keys?limit=ten", "limit"), ("GET", "/admin/v1/keys?limit=", "limit"),
                                  ("GET", "/admin/v1/keys?cursor=key_nobody", "cursor"), ("GET", "/admin/v1/keys?user=ann", "user"),
                                  ("GET", "/admin/v1/keys?limit=1&limit=2", "limit"), ("GET", key + "?full=1", "full"),
                                  ("POST", "/admin/v1/keys?prefx=a-", "prefx"), ("PATCH", key + "?limit=1", "limit"), ("DELETE", key + "?force=1", "force"),
                                  ("GET", "/admin/v1/usage?page=2", "page"), ("GET", "/admin/v1/usage?user=", "user"),
                                  ("GET", "/admin/v1/usage?user=a&user=b", "user"), ("GET", "/admin/v1/usage?cursor=nonsense", "cursor")):
        r = s.request(method, target, {} if method in ("POST", "PATCH") else None, key=ADMIN)
        assert r.status == 400 and r.code == "invalid_request" and r.json()["error"]["param"] == param, (method, target, r.status, r.body)
    assert s.get("/admin/v1/keys?limit=%zz", key=ADMIN).status == 400
    assert len(s.get("/admin/v1/keys", key=ADMIN).json()["data"]) == 5, "nothing was made or revoked"


def test_a_request_that_never_fits(t):
    u, s = keyed(t, {"limits": {"tokens": "100/min"}})
    r = s.chat(key=KEY, max_tokens=5000)
    assert r.status == 429 and r.code == "rate_limited" and r.json()["error"]["param"] == "max_tokens", r.body
    assert "never be let through" in r.message and r.header("retry-after") is None and r.header("x-should-retry") == "false", (r.headers, r.message)
    assert s.chat(key=KEY, max_tokens=5).status == 200, "it left nothing behind"


def test_keys_become_required_with_the_first(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "auto"})
    assert s.chat().status == 200 and s.chat(key="anything").status == 200
    made = s.request("POST", "/admin/v1/keys", {"name": "first"}, key=ADMIN).json()
    assert s.chat().status == 401 and s.chat(key="anything").status == 401
    assert s.chat(key=made["key"]).status == 200
    s.request("DELETE", "/admin/v1/keys/" + made["id"], key=ADMIN)
    assert s.chat().status == 401, "revoking the last key does not open the door"


def test_usage_filters_and_pages(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, keys=[{"name": "a", "key": "sk-a-00000000000000000", "user": "ann"},
                                                   {"name": "b", "key": "sk-b-00000000000000000", "user": "bob"}])
    for i in range(5):
        s.chat("up/m%d" % i, key="sk-a-00000000000000000")
    s.chat("up/x", key="sk-b-00000000000000000")
    assert len(s.usage()) == 6
    assert {r["user"] for r in s.usage("?user=ann")} == {"ann"}
    assert len(s.usage("?key=file:b")) == 1
    assert [r["model"] for r in s.usage("?model=up/m3")] == ["m3"]
    assert len(s.usage("?status=error")) == 0 and len(s.usage("?provider=up&since=1h")) == 6 and len(s.usage("?until=2020-01-01")) == 0
    seen, cursor = [], ""
    while True:
        page = s.get("/admin/v1/usage?limit=4" + ("&cursor=" + cursor if cursor else ""), key=ADMIN).json()
        seen += [r["id"] for r in page["data"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == 6 and len(set(seen)) == 6 and seen == sorted(seen, reverse=True), seen
    for bad in ("?since=soon", "?limit=0", "?limit=5000", "?status=odd", "?what=1", "?user=%zz"):
        r = s.get("/admin/v1/usage" + bad, key=ADMIN)
        assert r.status == 400 and r.code == "invalid_request", (bad, r.body)
    r = s.get("/admin/v1/usage?cursor=nonsense", key=ADMIN)
    assert r.status in (200, 400), r.body


def test_provider_and_model_limits_move_on(t):
    u, u2 = t.upstream(), t.upstream()
    config = t.config(u, u2, models={"m": {"targets": ["up/a", {"model": "up2/b", "priority": 2}], "strategy": "priority"}, "few": {"targets": ["up/a"], "limits": {"requests": "2/min"}}})
    config["providers"]["up"]["limits"] = {"requests": "2/min"}
    s = t.start(config)
    for _ in range(5):
        assert s.chat("m").status == 200
    assert len(u.chats()) == 2 and len(u2.chats()) == 3
    r = s.chat("up/a")
    assert r.status == 429 and r.code == "rate_limited" and r.header("retry-after"), (r.status, r.body)


def test_a_models_own_limit_leaves_requests_to_its_fallbacks(t):
    u = t.upstream()
    s = t.start(t.config(u, models={"few": {"targets": ["up/a"], "limits": {"requests": "1/min"}, "fallbacks": ["more"]}, "more": "up/b"}))
    for _ in range(3):
        assert s.chat("few").status == 200
    assert [c.json()["model"] for c in u.chats()] == ["a", "b", "b"]
    record = s.usage()[0]
    assert record["attempts"][0]["outcome"] == "skipped" and "model few" in record["attempts"][0]["reason"], record
    assert "; fallback" in record["decision"] and record["requested_model"] == "few" and record["model"] == "b", record
    r = s.chat("few", route={"fallbacks": []})
    assert r.status == 429 and r.header("retry-after"), (r.status, r.body)


def test_the_user_of_a_record(t):
    u = t.upstream()
    s = t.start(t.config(u, server={"auth": "keys"}, keys=[{"name": "ci", "key": KEY}, {"name": "team", "key": KEY + "2", "user": "build"}]))
    for key in (KEY, KEY + "2"):
        assert s.chat(key=key, user="ann").status == 200
    assert sorted(r["user"] for r in s.usage()) == ["ann", "build"]  # whom a key belongs to is proved


def leave(s, path, body, until):
    """A caller that reads until `until` holds of what came, and is gone."""
    c = s.connect(timeout=5)
    c.send(request_bytes("POST", path, body, [("Authorization", "Bearer " + KEY)]))
    while not until(c.buffer) and c.more():
        pass
    c.close()


def last_record(s, count):
    wait(lambda: len(s.usage()) >= count, 5)
    return s.usage()[0]


def test_who_leaves_a_stream_pays_for_what_came(t):
    def event(kind, **members):
        return ("event: %s\ndata: %s\n\n" % (kind, json.dumps({"type": kind, **members}))).encode()

    async def claude(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"data": []}))
        await x.send(up.CLOSE_HEAD + event("message_start", message={"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [],
                                                                     "stop_reason": None, "usage": {"input_tokens": 8, "output_tokens": 1}}))
        await x.send(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        for _ in range(10):
            await x.send(event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * 400}))
        await x.stall(20)

    u = t.upstream(claude)
    s = t.server(server={"auth": "keys"}, providers={"up": {"dialect": "anthropic", "base_url": u.url[:-3], "api_key": "k12345678"}}, prices=PRICES,
                 keys=[{"name": "ci", "key": KEY, "budget": {"usd": "1", "per": "total"}}])
    for count, path in enumerate(("/v1/messages", "/v1/chat/completions"), 1):
        leave(s, path, {"model": "up/m", "max_tokens": 4000, "stream": True, "messages": [{"role": "user", "content": "hi"}]},
              lambda got: got.count(b"x" * 400) == 10)
        r = last_record(s, count)
        assert r["status"] == "cancelled" and r["estimated"], r
        assert (r["input_tokens"], r["output_tokens"]) == (8, 1000) and r["cost_nano_usd"] == 8 * 1000 + 1000 * 2000, r
        assert "limits keep what was reserved" in r["decision"], r
        assert float(s.get("/v1/me", key=KEY).json()["state"]["budget"]["spent_usd"]) >= count * 4000 * 2 / 1e6


def test_who_hangs_up_early_pays_for_the_prompt(t):
    async def silent(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.stall(20)

    u, s = keyed(t, {"budget": {"usd": "1", "per": "total"}}, silent)
    for count, stream in enumerate((False, True), 1):
        leave(s, "/v1/chat/completions", {"model": "up/m", "stream": stream, "max_tokens": 10, "messages": [{"role": "user", "content": "word " * 800}]},
              lambda _: wait(lambda: len(u.chats()) == count, 5) or True)
        r = last_record(s, count)
        assert r["status"] == "cancelled" and r["estimated"] and r["input_tokens"] >= 1000 and r["output_tokens"] == 0, r
        assert r["cost_nano_usd"] == r["input_tokens"] * 1000 == r["attempts"][0]["cost_nano_usd"], r


def test_counts_of_failed_attempts_are_paid(t):
    async def failing(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(up.CLOSE_HEAD + up.usage_chunk({"prompt_tokens": 10000, "completion_tokens": 900, "total_tokens": 10900}) +
                     up.data({"error": {"message": "boom", "code": 500}}))
        x.close()

    u, s = keyed(t, {"budget": {"usd": "1", "per": "total"}}, failing, routing={"attempts": 3, "cooldown": {"failures": 1000}})
    assert s.chat("up/m", key=KEY, stream=True, max_tokens=10).status == 502
    r = last_record(s, 1)
    assert [a["cost_nano_usd"] for a in r["attempts"]] == [11800000] * 3 and r["cost_nano_usd"] == 3 * 11800000, r
    assert float(s.get("/v1/me", key=KEY).json()["state"]["budget"]["spent_usd"]) == 0.0354


def test_a_providers_tokens_without_usage(t):
    async def uncounted(x):
        if x.request.method == "GET":
            return await up.good(x)
        if x.request.json().get("stream"):
            await x.send(up.CLOSE_HEAD + up.chunk({"role": "assistant", "content": "word " * 400}) + up.chunk({}, "stop") + b"data: [DONE]\n\n")
            return x.close()
        await x.send(up.reply(up.chat_body("word " * 400, usage=None)))

    for stream in (False, True):
        for where in ("provider", "credential"):
            u = t.upstream(uncounted)
            limits = {"tokens": "3500/day"}
            provider = {"base_url": u.url, "api_key": "sk-upstream-1", "limits": limits} if where == "provider" else \
                {"base_url": u.url, "api_keys": [{"key": "sk-upstream-1", "limits": limits}]}
            s = t.server(providers={"up": provider}, routing={"attempts": 1})
            codes = [s.chat("up/m", text="word " * 800, max_tokens=600, stream=stream).status for _ in range(5)]
            assert codes == [200, 200, 429, 429, 429], (where, stream, codes)  # about 1,000 in and 600 out each
