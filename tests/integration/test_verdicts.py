"""What callers and administrators are told: the same verdict wherever they ask, in their own words."""
import upstream as up
from harness import ADMIN, request_bytes, wait

KEY = "sk-ci-0123456789abcdef"
PRICES = {"entries": [{"model": "up/*", "input": 1, "output": 2}]}


def test_usage_is_summed_over_http(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "keys"}, prices=PRICES, keys=[{"name": "a", "key": "sk-a-00000000000000000", "user": "ann"},
                                                                  {"name": "b", "key": "sk-b-00000000000000000", "user": "bob"}])
    for model, key in (("up/x", "a"), ("up/x", "a"), ("up/y", "b")):
        assert s.chat(model, key="sk-%s-00000000000000000" % key).status == 200
    assert len(s.usage()) == 3
    sums = lambda query: s.get("/admin/v1/usage" + query, key=ADMIN).json()
    by_model = sums("?by=model")
    assert by_model["by"] == "model" and {d["group"]: d["calls"] for d in by_model["data"]} == {"up/x": 2, "up/y": 1}, by_model
    one = [d for d in by_model["data"] if d["group"] == "up/y"][0]
    record = s.usage("?key=b")[0]
    for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_nano_usd"):
        assert one[name] == record[name], (name, one, record)
    assert one["cost_nano_usd"] > 0
    assert {d["group"]: d["name"] for d in sums("?by=key")["data"]} == {"file:a": "a", "file:b": "b"}
    assert {d["group"]: d["calls"] for d in sums("?by=user&user=ann")["data"]} == {"ann": 2}
    assert [d["calls"] for d in sums("?by=day&since=1d")["data"]] in ([3], [1, 2], [2, 1])
    assert [d["group"] for d in sums("?by=provider&key=a")["data"]] == ["up"]
    assert sums("?by=model&until=2020-01-01")["data"] == []
    for bad, param in (("?by=colour", "by"), ("?by=", "by"), ("?by=model&limit=3", "limit"), ("?cursor=x&by=model", "cursor"), ("?by=model&by=key", "by")):
        r = s.get("/admin/v1/usage" + bad, key=ADMIN)
        assert r.status == 400 and r.json()["error"]["param"] == param, (bad, r.body)
    assert s.get("/admin/v1/usage?by=model", key="sk-a-00000000000000000").status == 403


def test_providers_of_a_key_are_there(t):
    u, u2 = t.upstream(), t.upstream()
    s = t.server(u, u2, server={"auth": "keys"})
    for wrong, at in ((["up", "upp"], 1), (["!upp"], 0), ("upp", 0)):
        r = s.request("POST", "/admin/v1/keys", {"allow": {"providers": wrong}}, key=ADMIN)
        field = "allow.providers[%d]" % at
        assert r.status == 400 and r.json()["error"]["param"] == field and "up, up2" in r.message.replace("demo, ", ""), r.body
    assert len(s.get("/admin/v1/keys", key=ADMIN).json()["data"]) == 0
    made = s.request("POST", "/admin/v1/keys", {"allow": {"providers": ["up", "!UP2", "op*"]}}, key=ADMIN).json()
    key = "/admin/v1/keys/" + made["id"]
    assert s.request("PATCH", key, {"allow": {"providers": ["up", "nope"]}}, key=ADMIN).json()["error"]["param"] == "allow.providers[1]"
    assert s.request("PATCH", key, {"allow": {"providers": ["up"]}, "name": "x"}, key=ADMIN).status == 200
    assert s.request("PATCH", key, {"allow": {"models": ["m"]}}, key=ADMIN).status == 200


def test_rules_of_the_file_say_where_they_are_changed(t):
    u = t.upstream()
    s = t.server(u, models={"m": "up/m1"}, routing={"rules": [{"name": "mine", "when": {"model": "x"}, "use": {"model": "m"}}]})
    rule = {"name": "mine", "when": {"model": "x"}, "use": {"model": "m"}}
    for method, path, body in (("POST", "", rule), ("PUT", "/mine", rule), ("DELETE", "/mine", None)):
        r = s.request(method, "/api/v1/routing/rules" + path, body, key=ADMIN)
        assert r.status == 409 and r.code == "conflict" and r.json()["error"]["param"] == "name", (method, r.body)
        assert "configuration file" in r.message and "routing.rules" in r.message and "PUT" not in r.message, r.message
    other = dict(rule, name="other")
    assert s.request("POST", "/api/v1/routing/rules", other, key=ADMIN).status == 201
    r = s.request("POST", "/api/v1/routing/rules", other, key=ADMIN)
    assert r.status == 409 and "PUT replaces it" in r.message, r.body


def test_a_key_that_may_use_only_a_fallback(t):
    u = t.upstream()
    models = {"m": {"targets": ["up/m1"], "fallbacks": ["o"]}, "o": "up/o1"}
    for allowed, status in ((["o"], 403), (["m"], 200), (["up/m1"], 200), (["m", "!up/m1"], 403)):
        s = t.server(u, server={"auth": "keys"}, models=models, keys=[{"name": "ci", "key": KEY, "allow": {"models": allowed}}])
        chat = s.chat("m", key=KEY)
        plan = s.request("POST", "/v1/route/explain?model=m", key=KEY)
        assert (chat.status, plan.status) == (status, status), (allowed, chat.body, plan.body)
        if status == 403:
            assert plan.code == chat.code == "model_not_allowed", plan.body


def test_what_no_target_takes_is_named_as_the_caller_wrote_it(t):
    u = t.upstream()
    s = t.server(u, models={"txt": {"targets": ["up/m1"], "modalities": []}, "m": "up/m1"})
    picture = "data:image/png;base64,AAAA"
    field = lambda r: r.json()["error"].get("param") or r.json()["error"]["details"][0]["metadata"]["field"]
    for path, body, name in (
            ("/v1/chat/completions", {"model": "txt", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}]}, "messages"),
            ("/v1/responses", {"model": "txt", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": picture}]}]}, "input"),
            ("/v1beta/models/txt:generateContent", {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}]}, "contents")):
        r = s.request("POST", path, body)
        message = r.json()["error"]["message"]
        assert r.status == 400 and field(r) == name and message.startswith(name + ":") and "takes images" in message, (path, r.body)


def test_headers_are_named_and_heard_in_any_case(t):
    u = t.upstream()
    s = t.server(u, models={"m": {"targets": [{"model": "up/m1", "tags": ["eu"]}]}})
    for header, value in (("x-llmrouter-cache", "NO"), ("x-llmrouter-strategy", "Random"), ("x-llmrouter-provider", "UP"), ("X-LLMRouter-Tags", "eu")):
        assert s.chat("m", headers=[(header, value)]).status == 200, (header, value)
        assert s.request("POST", "/v1/route/explain?model=m", headers=[(header, value)]).status == 200, (header, value)
    for header, value in (("x-llmrouter-cache", "maybe"), ("x-llmrouter-strategy", "zz"), ("x-llmrouter-provider", "zz"), ("x-llmrouter-tags", "zz"), ("x-llmrouter-timeout", "zz")):
        answers = [s.chat("m", headers=[(header, value)])]
        if not header.endswith("timeout"):
            answers.append(s.request("POST", "/v1/route/explain?model=m", headers=[(header, value)]))
        for r in answers:
            assert r.status == 400 and r.json()["error"]["param"] == header and r.message.startswith(header + ": "), (header, r.body)
    r = s.chat("m", headers=[("x-llmrouter-tags", "eu")], route={"tags": ["zz"]})
    assert r.json()["error"]["param"] == "route.tags", r.body
    ask = lambda query: s.request("POST", "/v1/chat/completions" + query, {"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    assert ask("?proxy=UP").status == 200
    assert ask("?proxy=zz").json()["error"]["param"] == "proxy"


def test_the_first_of_models_is_the_model(t):
    u = t.upstream()
    s = t.server(u, models={"m": "up/m1", "n": "up/n1"})
    r = s.request("POST", "/v1/chat/completions", {"models": ["m", "n"], "messages": [{"role": "user", "content": "hi"}]})
    sent = u.chats()[-1].json()
    assert r.status == 200 and sent["model"] == "m1" and "models" not in sent, (r.body, sent)
    r = s.request("POST", "/v1/chat/completions", {"models": ["up/zz", "n"], "messages": [{"role": "user", "content": "hi"}]})
    assert r.status == 200 and u.chats()[-1].json()["model"] == "zz", r.body
    plan = s.request("POST", "/v1/route/explain", {"models": ["m", "n"]}).json()
    assert [step["model"] for step in plan["steps"]] == ["m1", "n1"], plan
    for models in ([], "m", None, [1]):
        r = s.request("POST", "/v1/chat/completions", {"models": models, "messages": [{"role": "user", "content": "hi"}]})
        assert r.status == 400 and r.json()["error"]["param"] in ("model", "models"), r.body


def test_explain_without_a_model(t):
    s = t.server(t.upstream())
    for path, body in (("", None), ("?model=", None), ("", {}), ("", {"model": ""}), ("?model=", {})):
        r = s.request("POST", "/v1/route/explain" + path, body)
        assert r.status == 400 and r.code == "invalid_request" and r.json()["error"]["param"] == "model" and "model" in r.message, (path, body, r.body)


def test_health_of_what_was_never_asked(t):
    u = t.upstream()
    config = t.config(u, models={"m": "up/m1"})
    config["providers"]["up"]["models"] = {"override": ["m1"]}
    s = t.start(config)
    state = lambda: [p for p in s.get("/v1/health/providers", key=ADMIN).json()["data"] if p["name"] == "up"][0]
    before = s.get("/v1/health/models/m").json()
    target = before["targets"][0]
    assert before["status"] == "unknown" and state()["status"] == "unknown", before
    assert target["success_percent"] is None and target["first_token_ms"] is None and target["p95_first_token_ms"] is None, target
    assert s.chat("m").status == 200
    after = s.get("/v1/health/models/m").json()
    assert after["status"] == "ok" and after["targets"][0]["success_percent"] == 100 and state()["status"] == "ok", after


def test_a_stream_that_the_server_cuts_is_not_the_callers_doing(t):
    async def slow(x):
        if x.request.method == "GET":
            return await up.good(x)
        if x.request.json().get("stream"):
            await x.send(up.CLOSE_HEAD + up.chunk({"role": "assistant", "content": "begun"}))
        await x.stall(20)

    u = t.upstream(slow)
    s = t.server(u, server={"shutdown_grace": "100ms"})
    chat = lambda stream: request_bytes("POST", "/v1/chat/completions", {"model": "up/m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    streamed, whole = s.connect(), s.connect()
    streamed.send(chat(True))
    whole.send(chat(False))
    assert wait(lambda: streamed.more() and b"begun" in streamed.buffer) and wait(lambda: len(u.chats()) == 2)
    s.signal(15)
    reply = whole.read_reply()
    assert reply.status == 503 and reply.code == "shutting_down", reply.body
    while streamed.more():
        pass
    assert b"shutting_down" in streamed.buffer and b"[DONE]" not in streamed.buffer, streamed.buffer
    s.wait()
    s.start()
    records = {r["stream"]: r for r in s.usage()}
    assert records[True]["status"] == "cut" and records[True]["error_code"] == "shutting_down", records[True]
    assert records[False]["status"] == "error" and records[False]["error_code"] == "shutting_down" and records[False]["http_status"] == 503, records[False]


def test_one_models_limit_is_not_the_keys(t):
    async def limited(x):
        if x.request.method == "POST" and x.request.json()["model"] == "small":
            return await up.sends(up.error(429, "slow down", "rate_limit_exceeded", headers=[("retry-after", "30")]))(x)
        await up.good(x)

    u = t.upstream(limited)
    s = t.server(u, routing={"attempts": 1})
    assert s.chat("up/small").status == 429
    assert s.chat("up/big").status == 200
    r = s.chat("up/small")
    assert r.status == 429 and 25 <= int(r.header("retry-after")) <= 30, (r.headers, r.body)
    assert sum(x.json()["model"] == "small" for x in u.chats()) == 1, "it rests as long as it said"


def test_known_keys_count_where_none_is_needed(t):
    u = t.upstream()
    s = t.server(u, server={"auth": "none"}, keys=[{"name": "ci", "key": KEY, "limits": {"requests": "2/min"}, "allow": {"models": ["up/*"]}},
                                                   {"name": "old", "key": "sk-old-00000000000000000", "expires": "2020-01-01T00:00:00Z"}])
    assert [s.chat(key=KEY).status for _ in range(3)] == [200, 200, 429]
    assert s.chat("demo/echo", key=KEY).status == 403
    assert s.get("/v1/me", key=KEY).json()["key"]["name"] == "ci"
    for key in (None, "sk-of-somebody-else-000", "sk-old-00000000000000000"):
        assert s.chat(key=key).status == 200, key
    assert wait(lambda: len(s.usage("?key=ci")) == 4) and len(s.usage()) == 7


def test_our_keys_never_go_upstream(t):
    u = t.upstream()
    config = t.config(u, server={"auth": "none"}, keys=[{"name": "ci", "key": KEY}])
    config["providers"]["up"] = {"base_url": u.url, "pass_client_key": True}
    s = t.start(config)
    assert s.chat(key="sk-of-the-client-0000").status == 200
    assert u.chats()[-1].headers.get("authorization") == "Bearer sk-of-the-client-0000"
    s.chat(key=KEY)
    assert all(KEY not in str(x.headers) for x in u.chats())


def test_lists_say_what_models_are_for(t):
    u = t.upstream()
    config = t.config(u, models={"vectors": "up/text-embedding-3-small", "m": "up/m1"})
    config["providers"]["up"]["models"] = {"override": ["m1", "text-embedding-3-small", "rerank-v3.5"]}
    s = t.start(config)
    google = {m["name"]: m["supportedGenerationMethods"] for m in s.get("/v1beta/models").json()["models"]}
    for name in ("models/vectors", "models/up/text-embedding-3-small"):
        assert google[name] == ["embedContent", "batchEmbedContents"], google
    assert "generateContent" in google["models/m"] and google["models/up/rerank-v3.5"] == [], google
    one = s.get("/v1beta/models/vectors").json()
    assert one["supportedGenerationMethods"] == ["embedContent", "batchEmbedContents"], one
    sdk = [("x-fern-sdk-name", "cohere")]
    cohere = {m["name"]: m["endpoints"] for m in s.request("GET", "/v1/models", headers=sdk).json()["models"]}
    assert cohere["vectors"] == ["embed"] and cohere["up/rerank-v3.5"] == ["rerank"] and cohere["m"] == ["chat"], cohere
    embed = s.request("GET", "/v1/models?endpoint=embed", headers=sdk).json()["models"]
    assert sorted(m["name"] for m in embed) == ["up/text-embedding-3-small", "vectors"], embed


def test_rates_are_written_alike_in_the_file_and_over_http(t):
    u = t.upstream()
    for limits in ({"requests": {"requests": 2, "per": "60s"}}, {"requests": {"count": 2, "per": "min", "burst": 2}}, {"tokens": {"tokens": "1k", "per": "day"}},
                   {"tokens": {"count": 1000, "per": "1d"}}):
        s = t.server(u, server={"auth": "keys"}, keys=[{"name": "ci", "key": KEY, "limits": limits}])
        of_file = s.get("/v1/me", key=KEY).json()["key"]["limits"]
        made = s.request("POST", "/admin/v1/keys", {"limits": limits}, key=ADMIN)
        assert made.status == 201 and made.json()["limits"] == of_file, (limits, made.body, of_file)
    r = s.request("POST", "/admin/v1/keys", {"limits": {"tokens": {"requests": 5, "per": "min"}}}, key=ADMIN)
    assert r.status == 400 and r.json()["error"]["param"] == "limits.tokens.requests", r.body
    r = s.request("POST", "/admin/v1/keys", {"limits": {"tokens": {"count": 5, "tokens": 6, "per": "min"}}}, key=ADMIN)
    assert r.status == 400 and "twice" in r.message, r.body


def test_what_the_demo_cannot_do(t):
    s = t.server(t.upstream())
    for path, body in (("/v1/images/generations", {"prompt": "a"}), ("/v1/audio/speech", {"input": "a", "voice": "v"})):
        r = s.request("POST", path, dict(body, model="demo/echo"))
        assert r.status == 400 and r.code == "not_supported", (path, r.status, r.body)
