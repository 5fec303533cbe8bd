"""Choosing by meaning over HTTP: the invoke paths, the body's `route`, OpenRouter's `models` and `provider`. What asks for routing never reaches an upstream."""
import upstream as up

HI = [{"role": "user", "content": "hi"}]
MODELS = {
    "main": {"targets": [{"model": "up/small", "priority": 1}, {"model": "up2/large", "priority": 2, "tags": ["eu"]}], "strategy": "priority", "fallbacks": ["spare"]},
    "coder": {"targets": ["up2/coder"], "tags": ["coding"]},
    "spare": "up3/spare",
}
PRICES = {"entries": [{"model": "up/*", "input": 5, "output": 9}, {"model": "up2/*", "input": 1, "output": 2}, {"model": "up3/*", "input": 3, "output": 3}]}


def three(t, *handlers):
    handlers = handlers or (None, None, None)
    us = [t.upstream(h) for h in handlers]
    config = t.config(*us, models=MODELS, prices=PRICES, routing={"default_model": "main"})
    config["providers"]["up2"]["type"] = "vllm"
    return us, t.start(config)


def asked(us):
    """Which upstream was asked last for which model, and that it saw nothing of what asks for routing."""
    body = next(u.chats()[-1].json() for u in us if u.chats())
    assert not {"route", "models", "provider"} & set(body), body
    for u in us:
        u.seen.clear()
    return body["model"]


def post(s, path, body):
    return s.request("POST", path, {"messages": HI, **body})


def test_a_model_by_its_path(t):
    us, s = three(t)
    for path, model in [("/models/up/small/invoke", "small"), ("/models/up2/any-other/invoke", "any-other"), ("/models/up3/vendor/model/invoke", "vendor/model"),
                        ("/models/up3/vendor%2Fmodel/invoke", "vendor/model"), ("/api/v1/models/up/small/invoke", "small")]:
        r = post(s, path, {})
        assert r.status == 200 and asked(us) == model, (path, r.status, r.body)
    r = post(s, "/models/up/small/invoke", {"model": "coder", "stream": True})
    assert r.status == 200 and asked(us) == "small" and b"[DONE]" in r.body, r.body
    r = post(s, "/models/nobody/small/invoke", {})
    assert r.status == 404 and r.code == "model_not_found" and "up" in r.message, r.body
    assert s.get("/models/up/small/invoke").status == 405


def test_a_request_without_a_model(t):
    us, s = three(t)
    assert post(s, "/route/invoke", {}).status == 200 and asked(us) == "small"
    assert post(s, "/route/invoke", {"route": {"tags": ["coding"]}}).status == 200 and asked(us) == "coder"
    assert post(s, "/route/invoke", {"model": "spare"}).status == 200 and asked(us) == "spare"
    assert post(s, "/v1/chat/completions", {}).status == 400


def test_what_a_body_asks_of_routing(t):
    us, s = three(t)
    for route, model in [({"tags": ["eu"]}, "large"), ({"providers": ["up2"]}, "large"), ({"strategy": "cost"}, "large"), ({"max_price": 2}, "large"),
                         ({"max_price": {"input": 6, "output": 9}}, "small"), ({"provider_types": ["vllm"]}, "large")]:
        r = post(s, "/v1/chat/completions", {"model": "main", "route": route})
        assert r.status == 200 and asked(us) == model, (route, r.status, r.body)
    for provider, model in [({"order": ["up2"]}, "large"), ({"only": ["up2"]}, "large"), ({"ignore": ["up"]}, "large"), ({"sort": "price"}, "large"),
                            ({"max_price": {"prompt": 2}}, "large")]:
        r = post(s, "/v1/chat/completions", {"model": "main", "provider": provider})
        assert r.status == 200 and asked(us) == model, (provider, r.status, r.body)
    for route, field, known in [({"tags": ["nope"]}, "route.tags", "coding"), ({"providers": ["nope"]}, "route.providers", "up2"), ({"strategy": "nope"}, "route.strategy", "pareto"),
                                ({"provider_types": ["nope"]}, "route.provider_types", "vllm"), ({"tags": 7}, "route.tags", "")]:
        r = post(s, "/v1/chat/completions", {"model": "main", "route": route})
        assert r.status == 400 and known in r.message, (route, r.body)
        assert r.json()["error"]["param"] == field, (route, r.body)
    assert not any(u.chats() for u in us)


def test_a_body_comes_over_the_headers(t):
    us, s = three(t)
    first = [("x-llmrouter-provider", "up")]
    assert s.chat("main", headers=first).status == 200 and asked(us) == "small"
    for more in ({"route": {"providers": ["up2"]}}, {"provider": {"only": ["up2"]}}):
        assert s.chat("main", headers=first, **more).status == 200 and asked(us) == "large", more
        plan = s.request("POST", "/v1/route/explain", {"model": "main", "messages": HI, **more}, headers=first).json()
        assert plan["steps"][0]["provider"] == "up2" and plan["steps"][0]["eligible"], plan
    assert s.chat("main", headers=first, route={"strategy": "priority"}).status == 200 and asked(us) == "small"
    r = s.request("POST", "/v1/chat/completions?proxy=up", {"model": "main", "messages": HI, "route": {"providers": ["up2"]}})
    assert r.status == 400, r.body
    # OpenRouter's own member of that name asks for nothing that `models` does not.
    assert s.chat("main", route="fallback", models=["spare"]).status == 200 and asked(us) == "small"
    r = s.chat("main", route="best")
    assert r.status == 400 and r.json()["error"]["param"] == "route", r.body


def test_fallbacks_that_a_body_asks_for(t):
    us, s = three(t, up.sends(up.error(500)), up.sends(up.error(500)), None)
    assert post(s, "/v1/chat/completions", {"model": "main"}).header("x-llmrouter-provider") == "up3"
    for u in us:
        u.seen.clear()
    r = post(s, "/v1/chat/completions", {"model": "coder", "models": ["spare"]})
    assert r.status == 200 and r.header("x-llmrouter-model") == "spare", (r.status, r.body)
    for body in ({"route": {"fallbacks": []}}, {"provider": {"allow_fallbacks": False}}):
        r = post(s, "/v1/chat/completions", {"model": "main", **body})
        assert r.status == 502, (body, r.status, r.body)
    assert len(us[2].chats()) == 1


def test_refused_content_has_fallbacks_of_its_own(t):
    strict = t.upstream(up.sends(up.error(400, "The response was filtered due to the prompt triggering our content management policy.", "content_filter", "invalid_request_error")))
    lax, spare = t.upstream(), t.upstream()
    s = t.server(strict, lax, spare, models={"main": {"targets": ["up/a"], "fallbacks": ["spare"], "content_fallbacks": ["lax"]}, "lax": "up2/b", "spare": "up3/c"})
    r = s.chat("main")
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up2", (r.status, r.body)
    assert not spare.chats()
    r = s.chat("up/a")
    assert r.status == 400 and r.code in ("content_policy", "content_filter"), r.body
