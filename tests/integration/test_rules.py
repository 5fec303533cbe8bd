"""Rules, the routing switch and a key's own override, as callers and administrators meet them."""
import glob
import json
import os

from harness import ADMIN, wait

KEY = "sk-ci-000000000000000000"
OTHER = "sk-other-00000000000000000"
MODELS = {"main": "up/main", "coder": {"targets": ["up/coder"], "tags": ["coding"]}, "night": "up/night"}
KEYS = [{"name": "ci", "key": KEY, "user": "build"}, {"name": "other", "key": OTHER, "allow": {"models": ["main"]}}]


def ruled(t, rules, handler=None, **routing):
    u = t.upstream(handler)
    return u, t.server(u, server={"auth": "keys"}, keys=KEYS, models=MODELS, routing={"default_model": "main", "rules": rules, **routing})


def asked(u):
    return u.chats()[-1].json()["model"]


def test_the_first_rule_that_holds_decides(t):
    u, s = ruled(t, [
        {"name": "low", "priority": 1, "when": {"model": "auto"}, "use": "night"},
        {"name": "code", "priority": 10, "when": {"model": "auto", "content": r"(?i)\b(stack trace|refactor)\b"}, "use": {"tags": ["coding"]}},
        {"name": "header", "when": {"header": {"X-Team": "search*"}}, "use": {"model": "night"}},
        {"name": "no-tools", "priority": 5, "when": {"has": ["tools"], "key": "ci"}, "use": {"reject": "no tools for ci"}},
    ])
    for stream in (False, True):
        assert s.chat("auto", "please Refactor this", stream=stream, key=KEY).status == 200
        assert asked(u) == "coder"
    assert s.chat("auto", "refactoring is another word", key=KEY).status == 200 and asked(u) == "night"
    assert s.chat("main", "refactor", key=KEY).status == 200 and asked(u) == "main"
    assert s.chat("main", key=KEY, headers=[("x-team", "search-2")]).status == 200 and asked(u) == "night"
    r = s.chat("main", key=KEY, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])
    assert r.status == 403 and r.code == "model_not_allowed" and "no tools for ci" in r.message and "no-tools" in r.message, r.body
    # The content is read in other dialects too.
    r = s.request("POST", "/v1/messages", {"model": "auto", "max_tokens": 8, "messages": [{"role": "user", "content": "a stack trace"}]}, key=KEY)
    assert r.status == 200 and asked(u) == "coder", r.body
    # What a key may use holds still: nothing gets round it.
    assert s.chat("main", key=OTHER, headers=[("x-team", "search")]).status == 403
    records = s.usage()
    assert records[-1]["decision"].startswith("rule code; "), records[-1]
    assert records[-1]["requested_model"] == "auto" and records[-1]["model"] == "coder"
    rejected = [r for r in records if r["http_status"] == 403]
    assert any(r["decision"].startswith("rule no-tools") for r in rejected), rejected


def test_explain_says_which_rule(t):
    u, s = ruled(t, [{"name": "long", "when": {"tokens_over": 1000}, "use": "night"}])
    body = {"model": "main", "messages": [{"role": "user", "content": "x" * 8000}]}
    plan = s.request("POST", "/v1/route/explain", body, key=KEY).json()
    assert (plan["requested"], plan["model"], plan["by"], plan["rule"]) == ("main", "night", "rule", "long"), plan
    assert plan["steps"][0]["model"] == "night" and not u.chats()
    body["messages"][0]["content"] = "x"
    plan = s.request("POST", "/v1/route/explain", body, key=KEY).json()
    assert (plan["model"], plan["by"], plan["rule"]) == ("main", "", ""), plan


def test_stored_rules(t):
    u, s = ruled(t, [{"name": "file", "priority": 1, "when": {"model": "auto"}, "use": "night"}])
    path = "/api/v1/routing/rules"
    assert s.get(path).status == 401 and s.get(path, key=KEY).status == 403
    assert s.request("POST", path, {"name": "x", "use": "main"}, key=KEY).status == 403
    for bad, param in [
        ({"name": "x"}, "use"),
        ({"use": "main"}, "name"),
        ({"name": "x", "use": "nowhere"}, "use.model"),
        ({"name": "x", "use": {"tags": ["nope"]}}, "use.tags"),
        ({"name": "x", "use": {"strategy": "best"}}, "use.strategy"),
        ({"name": "x", "use": "main", "when": {"content": "(a"}}, "when.content"),
        ({"name": "x", "use": "main", "when": {"content": "(a{1,900}){9}"}}, "when.content"),
        ({"name": "x", "use": "main", "when": {"hours": "25:00-26:00"}}, "when.hours"),
        ({"name": "x", "use": "main", "when": {"has": ["wings"]}}, "when.has"),
        ({"name": "x", "use": "main", "when": {"modle": "a"}}, "when.modle"),
        ({"name": "x", "use": {"model": "main", "reject": "no"}}, "use.reject"),
        ({"name": "x", "use": "main", "when": {"header": {"authorization": "*"}}}, "when.header"),
    ]:
        r = s.request("POST", path, bad, key=ADMIN)
        assert r.status == 400 and r.json()["error"]["param"] == param, (bad, r.body)
    assert s.request("POST", path, {"name": "file", "use": "main"}, key=ADMIN).status == 409
    r = s.request("POST", path, {"name": "stored", "priority": 9, "when": {"model": "auto", "header": {"x-way": "day"}}, "use": "coder"}, key=ADMIN)
    assert r.status == 201 and r.json()["source"] == "store", r.body
    assert s.request("POST", path, {"name": "stored", "use": "main"}, key=ADMIN).status == 409
    # At once, though no loop kept this header before.
    assert wait(lambda: s.chat("auto", key=KEY, headers=[("X-Way", "day")]).status == 200 and asked(u) == "coder")
    assert s.chat("auto", key=KEY).status == 200 and asked(u) == "night"
    # The dry run.
    chat = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    before = len(u.chats())
    r = s.request("POST", path + "/test", chat, key=ADMIN, headers=[("x-way", "day")]).json()
    assert r["rule"]["name"] == "stored" and r["plan"]["steps"][0]["model"] == "coder" and r["error"] is None, r
    r = s.request("POST", path + "/test?key=other", chat, key=ADMIN).json()
    assert r["rule"]["name"] == "file" and not r["plan"]["steps"][0]["eligible"], r
    r = s.request("POST", path + "/test", {**chat, "model": "main"}, key=ADMIN).json()
    assert r["rule"] is None and r["plan"]["rule"] == "", r
    assert len(u.chats()) == before
    assert s.request("PUT", "/admin/v1/rules/stored", {"priority": 9, "when": {"model": "auto"}, "use": {"reject": "closed"}}, key=ADMIN).status == 200
    assert s.chat("auto", key=KEY).status == 403
    s.stop()
    s.start()  # it is still there
    assert [r["name"] for r in s.get(path, key=ADMIN).json()["data"]] == ["stored", "file"]
    assert s.chat("auto", key=KEY).status == 403
    assert s.request("DELETE", path + "/file", key=ADMIN).status == 409
    assert s.request("DELETE", path + "/stored", key=ADMIN).status == 200
    assert s.get(path + "/stored", key=ADMIN).status == 404 and s.request("DELETE", path + "/stored", key=ADMIN).status == 404
    assert s.chat("auto", key=KEY).status == 200 and asked(u) == "night"


def test_a_rule_whose_model_is_gone_is_left_out(t):
    u, s = ruled(t, [{"name": "in-the-file", "priority": 1, "when": {"model": "main"}, "use": "night"}])
    path = "/api/v1/routing/rules"
    assert s.request("PUT", path + "/gone", {"priority": 9, "when": {"model": "main"}, "use": "coder"}, key=ADMIN).status == 201
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "coder"
    assert not any(r.get("problem") for r in s.get(path, key=ADMIN).json()["data"])
    with open(s.file) as f:
        config = json.load(f)
    del config["models"]["coder"]
    s.write(config)
    assert s.wait_log("a rule is left out until its model is there")
    assert wait(lambda: any(r.get("problem") for r in s.get(path, key=ADMIN).json()["data"]))
    listed = [r for r in s.get(path, key=ADMIN).json()["data"] if r.get("problem")]
    assert [r["name"] for r in listed] == ["gone"] and "coder" in listed[0]["problem"], listed
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "night"  # the next rule that holds
    test = s.request("POST", path + "/test", {"model": "main", "messages": [{"role": "user", "content": "hi"}]}, key=ADMIN).json()
    assert test["rule"]["name"] == "in-the-file", test
    config["models"] = MODELS
    s.write(config)
    assert wait(lambda: s.chat("main", key=KEY).status == 200 and asked(u) == "coder")
    assert not any(r.get("problem") for r in s.get(path, key=ADMIN).json()["data"])


def test_the_switch(t):
    u, s = ruled(t, [{"name": "all", "when": {}, "use": "night"}], switch={"delay": "400ms", "cooldown": "700ms"})
    status = lambda: s.get("/api/v1/router/status", key=ADMIN).json()
    toggle = lambda body=None: s.request("POST", "/api/v1/router/toggle", body if body is not None else {}, key=ADMIN)
    assert s.request("POST", "/api/v1/router/toggle", {}, key=KEY).status == 403
    for what in ("status", "history", "metrics"):
        assert s.get("/api/v1/router/" + what, key=KEY).status == 403
    assert status()["enabled"] and s.chat("coder", key=KEY).status == 200 and asked(u) == "night"
    assert toggle({"enabled": True}).status == 200  # as it is: no change
    assert toggle({"enabled": "no"}).status == 400
    r = toggle({"enabled": False, "reason": "an audit"})
    assert r.status == 200 and r.json()["enabled"] and r.json()["pending"]["enabled"] is False, r.body
    assert s.chat("coder", key=KEY).status == 200 and asked(u) == "night"  # not yet
    refused = toggle({"enabled": True})
    assert refused.status == 429 and int(refused.header("retry-after")) >= 1, refused.head
    assert wait(lambda: not status()["enabled"], 3)
    assert s.chat("coder", key=KEY).status == 200 and asked(u) == "main"
    plan = s.request("POST", "/v1/route/explain?model=coder", {"messages": [{"role": "user", "content": "x"}], "model": "coder"}, key=KEY).json()
    assert plan["by"] == "switch" and plan["model"] == "main", plan
    s.stop()
    s.start()  # off still
    assert status()["enabled"] is False and s.chat("coder", key=KEY).status == 200 and asked(u) == "main"
    assert wait(lambda: toggle().status == 200, 5)  # no body: the other way
    assert wait(lambda: status()["enabled"], 3) and s.chat("coder", key=KEY).status == 200 and asked(u) == "night"
    for path in ("/api/v1/router/history", "/api/v1/routing/rules"):
        assert s.get(path, key=ADMIN).json()["next"] is None, path
    history = s.get("/api/v1/router/history", key=ADMIN).json()["data"]
    assert [(c["enabled"], c["why"], c["who"]) for c in history] == [(True, "", "the admin key"), (False, "an audit", "the admin key")], history
    metrics = s.get("/api/v1/router/metrics", key=ADMIN).json()
    assert metrics["requests"]["off"] >= 1 and metrics["requests"]["on"] >= 1 and metrics["rules"]["all"] >= 1 and metrics["toggles"] == 2, metrics
    assert any(r["decision"].startswith("switch; ") for r in s.usage())


def test_a_keys_own_override(t):
    u, s = ruled(t, [{"name": "never", "when": {"model": "night", "has": "tools"}, "use": {"reject": "not at night"}}])
    path = "/v1/me/override"
    assert s.get(path).status == 401 and s.get(path, key=KEY).json() == {"model": None}
    assert s.request("PUT", path, {"model": "nowhere"}, key=KEY).status == 404
    assert s.request("PUT", path, {"model": "coder"}, key=OTHER).status == 403  # it may not use it
    r = s.request("PUT", path, {"modl": "coder"}, key=KEY)
    assert r.status == 400 and r.json()["error"]["param"] == "modl", r.body
    assert s.request("PUT", path, {"model": "night"}, key=KEY).json() == {"model": "night"}
    assert s.get("/v1/me", key=KEY).json()["override"] == "night"
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "night"
    assert s.chat("main", key=OTHER).status == 200 and asked(u) == "main"
    plan = s.request("POST", "/v1/route/explain", {"model": "main", "messages": [{"role": "user", "content": "x"}]}, key=KEY).json()
    assert plan["by"] == "override" and plan["model"] == "night", plan
    # It does not get round a rule.
    assert s.chat("main", key=KEY, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]).status == 403
    s.stop()
    s.start()
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "night"
    assert s.request("DELETE", path, key=KEY).json() == {"model": None}
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "main"
    assert any(r["decision"].startswith("override; ") and r["requested_model"] == "main" for r in s.usage())
    # The command line, beside a server that runs.
    done = t.cli("keys", "override", "ci", "coder")
    assert done.returncode == 0 and done.stdout == "coder\n", done
    assert wait(lambda: s.chat("main", key=KEY).status == 200 and asked(u) == "coder", 5)
    assert t.cli("keys", "override", "ci", "--clear").returncode == 0
    assert wait(lambda: s.chat("main", key=KEY).status == 200 and asked(u) == "main", 5)
    assert t.cli("keys", "override", "other", "coder").returncode == 1


def test_a_session_for_a_login(t):
    u, s = ruled(t, [{"name": "never", "when": {"model": "night", "has": "tools"}, "use": {"reject": "not at night"}}])
    path = "/auth/session"

    def start(body, key=KEY):
        return s.request("POST", path, body, key=key)

    assert s.get(path).status == 401 and s.get(path, key=KEY).json() == {"data": []}
    assert start({"model": "nowhere"}).status == 404
    assert start({"model": "coder"}, key=OTHER).status == 403  # it may not use it
    for body, param in [({}, "model"), ({"model": ""}, "model"), ({"modl": "x"}, "modl"), ({"model": "night", "ttl": "soon"}, "ttl"),
                        ({"model": "night", "ttl": 8}, "ttl"), ({"model": "night", "ttl": "31d"}, "ttl"), ({"model": "night", "ttl": "0s"}, "ttl")]:
        r = start(body)
        assert r.status == 400 and r.json()["error"]["param"] == param, (body, r.body)
    r = start({"model": "night", "ttl": "1h"})
    made = r.json()
    token = made["token"]
    assert r.status == 201 and token.startswith("lrs_") and made["model"] == "night" and made["key"] == "file:ci", made
    assert r.header("cache-control") == "no-store"
    shown = {name: value for name, value in made.items() if name != "token"}
    assert s.get(path, key=token).json() == shown and s.get(path, key=KEY).json() == {"data": [shown]}
    assert s.get("/v1/me", key=token).json()["session"] == shown and s.get("/v1/me", key=KEY).json()["session"] is None
    assert s.get("/v1/me", key=token).json()["key"]["id"] == "file:ci"
    # Wherever a key does, in every dialect.
    assert s.chat("main", key=token).status == 200 and asked(u) == "night"
    assert s.chat("main", key=token, stream=True).status == 200 and asked(u) == "night"
    r = s.request("POST", "/v1/messages", {"model": "main", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]}, headers=[("x-api-key", token)])
    assert r.status == 200 and asked(u) == "night", r.body
    assert s.chat("main", key=KEY).status == 200 and asked(u) == "main"
    assert s.chat("main", key=token, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]).status == 403
    plan = s.request("POST", "/v1/route/explain", {"model": "main", "messages": [{"role": "user", "content": "x"}]}, key=token).json()
    assert plan["by"] == "session" and plan["model"] == "night", plan
    assert any(r["decision"].startswith("session; ") and r["key"] == "file:ci" for r in s.usage())
    # A token makes no other, and ends none but itself.
    second = start({"model": "coder"}).json()
    assert start({"model": "main"}, key=token).status == 409
    assert s.request("DELETE", path + "?id=" + second["id"], key=token).status == 400
    assert s.request("DELETE", path + "?id=" + second["id"], key=OTHER).status == 404
    assert s.request("DELETE", path + "?idd=x", key=KEY).status == 400
    assert s.request("DELETE", path + "?id=", key=KEY).status == 400  # an unset variable is not all of them
    assert s.request("PUT", "/v1/me/override", {"model": "main"}, key=token).status == 409
    assert s.request("DELETE", "/v1/me/override", key=token).status == 409
    s.stop()
    s.start()
    assert s.chat("main", key=token).status == 200 and asked(u) == "night"
    assert s.request("DELETE", path, key=token).json() == {"ended": 1}
    r = s.chat("main", key=token)
    assert r.status == 401 and r.code == "invalid_key" and token not in r.message, r.body
    assert s.request("DELETE", path + "?id=" + second["id"], key=KEY).json() == {"ended": 1}
    tokens = [start({"model": "night"}).json()["token"] for _ in range(2)]
    assert s.request("DELETE", path, key=KEY).json() == {"ended": 2}
    assert all(s.chat("main", key=t).status == 401 for t in tokens)
    # A key of the store, and its end.
    made = s.request("POST", "/admin/v1/keys", {"name": "led"}, key=ADMIN).json()
    token = start({"model": "night"}, key=made["key"]).json()["token"]
    assert s.chat("main", key=token).status == 200 and asked(u) == "night"
    assert s.request("DELETE", "/admin/v1/keys/" + made["id"], key=ADMIN).status == 200
    assert s.chat("main", key=token).status == 401
    # The command line, beside a server that runs.
    done = t.cli("keys", "session", "ci", "coder", "--ttl", "2h")
    token = done.stdout.strip()
    assert done.returncode == 0 and token.startswith("lrs_"), done
    assert wait(lambda: s.chat("main", key=token).status == 200 and asked(u) == "coder", 5)
    listed = json.loads(t.cli("keys", "session", "ci", "--json").stdout)["data"]
    assert [e["model"] for e in listed] == ["coder"]
    assert t.cli("keys", "session", "ci", "--end", "").returncode == 2  # an unset variable is not all of them
    assert t.cli("keys", "session", "ci", "--end", listed[0]["id"]).returncode == 0
    assert wait(lambda: s.chat("main", key=token).status == 401, 5)
    assert t.cli("keys", "session", "other", "coder").returncode == 1
    assert t.cli("keys", "session", "ci", "coder", "--ttl", "soon").returncode == 2


def test_explain_on_the_command_line_sees_what_is_stored(t):
    u, s = ruled(t, [], switch={"delay": "0s", "cooldown": "0s"})

    def explained(*more):
        done = t.cli("explain", "coder", "--json", *more, "-c", s.file)
        assert done.returncode == 0 and not done.stderr, done
        plan = json.loads(done.stdout)
        return plan["by"], plan["rule"], plan["model"], plan["steps"][0]["model"]

    assert explained() == ("", "", "coder", "coder")
    rule = {"name": "stored", "when": {"model": "coder", "key": "ci"}, "use": "night"}
    assert s.request("POST", "/api/v1/routing/rules", rule, key=ADMIN).status == 201
    # Beside the server, and after it.
    assert explained() == ("", "", "coder", "coder")
    assert explained("--key", "ci") == ("rule", "stored", "night", "night")
    assert s.request("PUT", "/v1/me/override", {"model": "main"}, key=OTHER).status == 200
    assert explained("--key", "other") == ("override", "", "main", "main")
    assert s.request("POST", "/api/v1/router/toggle", {"enabled": False}, key=ADMIN).status == 200
    assert explained("--key", "ci") == explained() == ("switch", "", "main", "main")
    s.stop()
    assert explained("--key", "other") == ("switch", "", "main", "main")
    assert "the routing switch is off: main in its place" in t.cli("explain", "coder", "-c", s.file).stdout
    unknown = t.cli("explain", "coder", "--key", "nobody", "-c", s.file)
    assert unknown.returncode == 1 and not unknown.stdout and "nobody" in unknown.stderr, unknown
    # A store that cannot be read is not taken for one without rules.
    for leftover in glob.glob(t.folder + "/keys.db-*"):
        os.remove(leftover)
    with open(t.folder + "/keys.db", "wb") as f:
        f.write(b"not a database at all" * 500)
    broken = t.cli("explain", "coder", "-c", s.file)
    assert broken.returncode == 1 and not broken.stdout and "keys.db" in broken.stderr, broken


def test_explain_makes_no_store(t):
    t.write_config(t.config(t.upstream(), models=MODELS, keys=KEYS))
    before = sorted(os.listdir(t.folder))
    done = t.cli("explain", "coder", "--key", "other", "--json")
    assert done.returncode == 0 and not json.loads(done.stdout)["steps"][0]["eligible"], done
    assert sorted(os.listdir(t.folder)) == before


def test_a_name_that_is_a_path(t):
    u, s = ruled(t, [])
    for name in ("test", ".", ".."):
        r = s.request("POST", "/api/v1/routing/rules", {"name": name, "use": "night"}, key=ADMIN)
        assert r.status == 400 and r.json()["error"]["param"] == "name", r.body
    assert s.get("/api/v1/routing/rules", key=ADMIN).json() == {"data": [], "next": None}


def test_faults_in_the_file(t):
    config = t.config(t.upstream(), models=MODELS, routing={"default_model": "main"})
    for rule, path in [
        ({"name": "x", "use": "nowhere"}, "routing.rules[0].use"),
        ({"name": "x", "use": {"tags": ["codin"]}}, "routing.rules[0].use.tags"),
        ({"name": "x", "when": {"content": "(a"}, "use": "main"}, "routing.rules[0].when.content"),
        ({"name": "x", "when": {"hours": "mon-xyz"}, "use": "main"}, "routing.rules[0].when.hours"),
        ({"name": "x"}, "routing.rules[0].use"),
        ({"name": "test", "use": "main"}, "routing.rules[0].name"),
        ({"name": "x", "use": {}}, "routing.rules[0].use"),
    ]:
        config["routing"]["rules"] = [rule]
        t.write_config(config)
        done = t.cli("check")
        where = done.stderr + done.stdout
        assert done.returncode == 2 and path in where and ":" in where.split(path)[0], (rule, where)


def test_simulate(t):
    prices = {"entries": [{"model": "up/main", "input": "1.00", "output": "2.00"}, {"model": "up/night", "input": "0.10", "output": "0.20"}]}
    u = t.upstream()
    config = t.config(u, models=MODELS, prices=prices, routing={"default_model": "main"})
    s = t.start(config)
    for _ in range(5):
        assert s.chat("main").status == 200
    assert len(s.usage()) == 5
    config["models"]["main"] = "up/night"
    with open(t.folder + "/new.yaml", "w") as f:
        json.dump(config, f)
    done = t.cli("simulate", "--since", "1h", "-c", "new.yaml", "--json")  # beside the server
    assert done.returncode == 0, done.stderr
    r = json.loads(done.stdout)
    assert r["replayed"] == 5 and r["moved"] == 5 and r["before"]["ok"] == r["after"]["ok"] == 5, r
    assert r["before"]["cost_nano_usd"] == 10 * r["after"]["cost_nano_usd"] > 0, r
    assert [(x["target"], x["before"], x["after"]) for x in r["targets"]] == [("up/main", 5, 0), ("up/night", 0, 5)], r
    assert t.cli("simulate", "--since", "1h", "-c", "new.yaml", "--json").stdout == done.stdout
    assert "5 requests replayed" in t.cli("simulate", "-c", "new.yaml").stdout
    # What is stored counts, unless it is left out; limits of the new configuration do.
    assert s.request("POST", "/api/v1/routing/rules", {"name": "stored", "when": {"model": "main"}, "use": "coder"}, key=ADMIN).status == 201
    shares = lambda *more: {x["target"]: x["after"] for x in json.loads(t.cli("simulate", "-c", "new.yaml", "--json", *more).stdout)["targets"]}
    assert shares() == {"up/coder": 5, "up/main": 0}, shares()
    assert shares("--without-stored") == {"up/main": 0, "up/night": 5}, shares("--without-stored")
    config["models"]["main"] = {"targets": ["up/night"], "limits": {"requests": "2/1d"}}
    with open(t.folder + "/new.yaml", "w") as f:
        json.dump(config, f)
    r = json.loads(t.cli("simulate", "-c", "new.yaml", "--json", "--without-stored").stdout)
    assert (r["after"]["ok"], r["after"]["limited"]) == (2, 3), r
    assert t.cli("simulate", "--since", "soon", "-c", "new.yaml").returncode == 2


def test_content_is_all_that_a_caller_says_in_every_dialect(t):
    u, s = ruled(t, [{"name": "guard", "when": {"content": "(?i)project heron"}, "use": {"reject": "not outside"}},
                     {"name": "code", "when": {"content": "refactor"}, "use": "coder"}], rule_text="1KiB")
    word = "about Project HERON"
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": word}}
    bodies = [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": word}]}),
        ("/v1/chat/completions", {"messages": [{"role": "function", "name": "f", "content": word}, {"role": "user", "content": "hi"}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"},
                                               {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                                               {"role": "tool", "tool_call_id": "c", "content": word}]}),
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": [document, {"type": "text", "text": "hi"}]}]}),
        ("/v1/responses", {"input": [{"type": "local_shell_call_output", "id": "x", "output": word}, {"role": "user", "content": "hi"}]}),
        ("/v1/responses", {"previous_response_id": "resp_1", "input": word}),
        ("/v1/completions", {"prompt": word}),
        ("/api/chat", {"messages": [{"role": "user", "content": word}], "stream": False}),
        ("/v2/chat", {"messages": [{"role": "user", "content": "hi"}], "documents": [{"data": {"text": word}}]}),
    ]
    for path, body in bodies:
        r = s.request("POST", path, {"model": "main", **body}, key=KEY)
        assert r.status == 403 and b"not outside" in r.body, (path, body, r.status, r.body)
    r = s.request("POST", "/v1beta/models/main:generateContent", {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": [word]}}}]}]}, key=KEY)
    assert r.status == 403, r.body
    assert not u.chats()
    assert s.chat("main", "hello", key=KEY).status == 200 and asked(u) != "coder"
    said = {"model": "main", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": word}, {"role": "user", "content": "why?"}]}
    assert s.request("POST", "/v1/chat/completions", said, key=KEY).status == 200
    # More than rules look at: not let through by the one that rejects, and the limit is named.
    r = s.chat("main", "x" * 1025, key=KEY)
    assert r.status == 413 and r.code == "body_too_large" and "routing.rule_text" in r.message and '"guard"' in r.message, r.body
    r = s.request("POST", "/v1/route/explain", {"model": "main", "messages": [{"role": "user", "content": "x" * 1025}]}, key=KEY)
    assert r.status == 413, r.body
    assert s.chat("main", "refactor " + "x" * 1000, key=KEY).status == 200 and asked(u) == "coder"
