"""What people are told: nothing that is wrong stays unsaid, and the words fit where they are read."""
import json
import os

import upstream as up
from harness import ADMIN, wait

MODELS = json.dumps({"object": "list", "data": [{"id": "m1", "object": "model"}]}).encode()


def test_a_list_that_could_not_be_fetched_is_told(t):
    state = {"status": 401}

    async def lists(x):
        if x.request.method == "GET":
            body = MODELS if state["status"] == 200 else b'{"error":{"message":"no"}}'
            return await x.send(up.reply(body, state["status"]))
        await up.good(x)
    u = t.upstream(lists)
    config = t.config(u)
    config["providers"]["gone"] = {"base_url": "http://127.0.0.1:1/v1"}
    s = t.start(config)
    paths = (("/v1/models", ()), ("/v1/models", (("anthropic-version", "2023-06-01"),)), ("/v1/models", (("x-fern-sdk-name", "cohere"),)),
             ("/v1beta/models", ()), ("/api/tags", ()))
    assert wait(lambda: s.get("/v1/models").header("x-llmrouter-unreachable") == "up, gone"), s.get("/v1/models").headers
    for path, headers in paths:
        r = s.get(path, headers=headers)
        assert r.status == 200 and r.header("x-llmrouter-unreachable") == "up, gone", (path, r.headers)
        assert b"demo/echo" in r.body, r.body
    assert s.get("/v1/models/demo/echo").header("x-llmrouter-unreachable") is None
    told = {p["name"]: p["list_error"] for p in s.request("GET", "/v1/health/providers", key=ADMIN).json()["data"]}
    assert told["up"] == "it answered 401" and told["gone"] and told["demo"] == "", told
    told = {p["name"]: p["list_error"] for p in s.get("/v1/health/providers").json()["data"]}
    assert told["up"] == told["gone"] == "its list could not be fetched" and told["demo"] == "", told

    # Each change is logged, and only the changes: asked again (a reload does), the same failure is no news.
    def asked():
        return sum(r.method == "GET" for r in u.seen)
    count = lambda words: sum(words in line for line in s.log)
    assert s.wait_log("it answered 401") and count("model list not fetched") == 2, s.log
    for step, status in enumerate((401, 503, 200)):
        before = asked()
        state["status"] = status
        config["routing"]["attempts"] = 2 + step
        s.write(config)
        assert wait(lambda: asked() > before), s.log
        if status == 503:
            assert s.wait_log("it answered 503"), s.log
    assert s.wait_log("model list fetched again"), s.log
    assert count("it answered 401") == 1 and count("it answered 503") == 1 and count("model list not fetched") == 3, s.log
    assert wait(lambda: s.get("/v1/models").header("x-llmrouter-unreachable") == "gone")
    assert b"up/m1" in s.get("/v1/models").body

    t.write_config(config)
    cli = t.cli("models", "--json")
    assert cli.returncode == 0, cli.stderr
    assert [p["provider"] for p in json.loads(cli.stdout)["unreachable"]] == ["gone"], cli.stdout
    plain = t.cli("models")
    assert "gone" in plain.stderr and "not fetched" in plain.stderr and "gone" not in plain.stdout, (plain.stdout, plain.stderr)


def test_a_list_that_is_missing_is_asked_for_again_soon(t):
    state = {"up": False}

    async def lists(x):
        if x.request.method == "GET":
            return await x.send(up.reply(MODELS, 200) if state["up"] else up.reply(b"{}", 503))
        await up.good(x)
    s = t.start(t.config(t.upstream(lists)))
    assert s.wait_log("model list not fetched"), s.log
    state["up"] = True
    assert wait(lambda: b"up/m1" in s.get("/v1/models").body, 20), s.log
    assert s.chat("m1").status == 200


def test_ready_looks_past_the_demo(t):
    config = t.config()
    config["providers"] = {"gone": {"base_url": "http://127.0.0.1:1/v1"}}
    config["routing"] = {"cooldown": {"failures": 1}}
    s = t.start(config)
    assert s.get("/health/ready").json()["status"] == "ok"

    def degraded():
        s.chat("gone/x")
        return s.get("/health/ready").json()["status"] == "degraded"
    assert wait(degraded, 10), s.get("/health/ready").body
    alone = t.start({"server": config["server"]})
    assert alone.get("/health/ready").json()["status"] == "ok"


def test_a_post_that_needs_no_body_needs_no_length(t):
    s = t.server(t.upstream())
    with s.connect() as c:
        c.send(b"POST /v1/route/explain?model=demo/echo HTTP/1.1\r\nHost: x\r\n\r\n")
        r = c.read_reply()
        assert r.status == 200 and b"demo" in r.body, r.body
        c.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.read_reply().status == 411


def test_what_callers_write_tells_a_terminal_nothing(t):
    s = t.server(t.upstream())
    for path in ("up/a/../b", "up/..", "up/./x"):
        r = s.chat(path)
        assert r.status == 404 and r.json()["error"]["code"] == "model_not_found", r.body
    odd = "up/=m\x1b]0;owned\x07\u009b2J\nspoofed"
    assert s.chat(odd, user="=HYPERLINK(1)").status == 200

    def recorded():
        return "spoofed" in t.cli("usage").stdout
    assert wait(recorded, 10), t.cli("usage").stdout
    for args in (("usage",), ("usage", "--by", "user"), ("usage", "--by", "model"), ("simulate",)):
        out = t.cli(*args).stdout
        assert not any(c in out for c in "\x1b\x07\u009b\r"), (args, out)
        assert not any(line.startswith("spoofed") for line in out.splitlines()), (args, out)
    assert "'=HYPERLINK(1)" in t.cli("usage", "--csv").stdout, t.cli("usage", "--csv").stdout


def test_an_upstreams_failure_names_who_failed(t):
    async def broken(x):
        await x.send(up.error(500, "boom"))
    u, v = t.upstream(broken), t.upstream(broken)
    s = t.server(u, v, models={"both": ["up/m1", "up2/m2"]}, routing={"attempts": 2, "strategy": "round_robin"})
    chat = [{"role": "user", "content": "hi"}]
    asks = (
        ("/v1/chat/completions", {"messages": chat}, lambda b: b["error"]["message"]),
        ("/v1/responses", {"input": "hi"}, lambda b: b["error"]["message"]),
        ("/v1/completions", {"prompt": "hi"}, lambda b: b["error"]["message"]),
        ("/v1/messages", {"messages": chat, "max_tokens": 9}, lambda b: b["error"]["message"]),
        ("/v1beta/models/up%2Fm1:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}, lambda b: b["error"]["message"]),
        ("/api/chat", {"messages": chat, "stream": False}, lambda b: b["error"]),
        ("/v2/chat", {"messages": chat}, lambda b: b["message"]),
        ("/v1/embeddings", {"input": "hi"}, lambda b: b["error"]["message"]),
    )
    for path, body, message in asks:
        r = s.request("POST", path, body if "{" in path or ":" in path else {"model": "up/m1", **body})
        assert r.status == 502, (path, r.status, r.body)
        assert message(r.json()) == "provider up, model m1: the upstream answered 500: boom", (path, r.body)
    # Of two that failed the last, and it is the one that the headers name.
    r = s.chat("both")
    assert r.message == "provider %s, model %s: the upstream answered 500: boom" % (r.header("x-llmrouter-provider"), r.header("x-llmrouter-model")), r.body
    assert r.header("x-llmrouter-attempts") == "2"
    # An attempt's record has the provider beside the words.
    assert s.usage("?limit=1")[0]["attempts"][0]["reason"] == "the upstream answered 500: boom"


def test_a_refusal_of_the_request_stays_as_it_came(t):
    async def refuses(x):
        await x.send(up.error(400, "no such thing", "bad_thing", "invalid_request_error"))
    s = t.server(t.upstream(refuses))
    r = s.chat("up/m1")
    assert r.status == 400 and r.body == up.error(400, "no such thing", "bad_thing", "invalid_request_error").partition(b"\r\n\r\n")[2], r.body
    other = s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
    assert other.status == 400 and other.json()["error"]["message"] == "no such thing", other.body


def test_a_stream_that_breaks_names_who_broke_it(t):
    async def breaks(x):
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + up.chunk({"content": "Hello"}))
        x.close()
    s = t.server(t.upstream(breaks))
    r = s.chat("up/m1", stream=True)
    assert r.status == 200 and "provider up, model m1: " in r.body.decode(), r.body


def test_an_unknown_model_is_told_where_to_look(t):
    config = t.config()
    config["providers"] = {"demo": {"models": {"override": ["echo"]}}}
    s = t.start(config)
    http = s.chat("zzzzzzzz")
    assert http.status == 404 and http.message.endswith("; GET /v1/models lists what there is"), http.body
    assert "echo" in s.chat("demo/ecko").message and "GET" not in s.chat("demo/ecko").message
    t.write_config(config)
    for command in (("chat", "zzzzzzzz", "hello"), ("explain", "zzzzzzzz")):
        r = t.cli(*command)
        assert r.returncode == 1 and "`llmrouter-server models` lists what there is" in r.stderr and "GET" not in r.stderr, r.stderr


def test_usage_names_the_keys(t):
    u = t.upstream()
    config = t.config(u, keys=[{"name": "ci", "key": "sk-ci-0000000000"}])
    config["server"]["auth"] = "auto"
    s = t.start(config)
    made = s.request("POST", "/admin/v1/keys", {"name": "ann"}, key=ADMIN).json()
    for key in ("sk-ci-0000000000", made["key"]):
        assert s.chat("up/m1", key=key).status == 200
    records = s.usage()
    ids = [r["key"] for r in records]
    for args in (("usage",), ("usage", "--by", "key")):
        out = t.cli(*args)
        assert out.returncode == 0 and "ann (%s)" % ids[0] in out.stdout and "ci (%s)" % ids[1] in out.stdout, (out.stdout, out.stderr)
    sums = json.loads(t.cli("usage", "--by", "key", "--json").stdout)["data"]
    assert {(x["group"], x["name"]) for x in sums} == {(ids[0], "ann"), (ids[1], "ci")}, sums
    rows = t.cli("usage", "--csv").stdout.split()
    assert rows[0].endswith(",key_name") and rows[1].endswith(",ann") and ",%s," % ids[0] in rows[1], rows
    # By any other way of summing there are no keys to name.
    assert "name" not in json.loads(t.cli("usage", "--by", "model", "--json").stdout)["data"][0]
    # Without the store that knew it, a key has its id alone.
    out = t.cli("usage", "--set", "storage.keys=sqlite:%s/gone.db" % t.folder).stdout
    assert "ann" not in out and ids[0] in out and "ci (%s)" % ids[1] in out, out
    assert not os.path.exists(t.folder + "/gone.db")


def test_an_operation_that_google_has_not(t):
    s = t.server()
    for path in ("/v1beta/models/x:frobnicate", "/v1/models/x:frobnicate", "/v1beta/models/x%3Afrobnicate", "/v1beta/tunedModels/x:frobnicate"):
        r = s.request("POST", path, {"contents": []})
        assert r.status == 404, (path, r.status, r.body)
        error = r.json()["error"]
        assert error["code"] == 404 and error["status"] == "NOT_FOUND", r.body
        assert '"frobnicate"' in error["message"] and "generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents" in error["message"], r.body
    # Names with a colon in them are names still.
    assert s.request("POST", "/v1beta/models", {}).status == 405
    assert s.get("/v1beta/models/demo%2Fecho:8b").status in (200, 404)
    assert s.request("GET", "/v1beta/models/x:generateContent").status == 405


def test_a_database_that_is_not_there(t):
    config = t.config()
    config["storage"] = {"keys": "sqlite:%s/no-keys.db" % t.folder, "usage": "sqlite:%s/no-usage.db" % t.folder}
    config["keys"] = [{"name": "ci", "key": "sk-ci-0000000000"}]
    t.write_config(config)
    for args, path in ((("simulate",), "no-usage.db"), (("simulate", "--usage", "nope.db"), "nope.db"), (("usage",), "no-usage.db"), (("usage", "--by", "day", "--json"), "no-usage.db")):
        r = t.cli(*args)
        assert r.returncode == 1 and path in r.stderr and not r.stdout, (args, r)
    listed = t.cli("keys", "list")
    assert listed.returncode == 0 and "ci" in listed.stdout and "no-keys.db" in listed.stderr, listed
    for args in (("keys", "show", "nobody"), ("keys", "revoke", "nobody"), ("keys", "modify", "nobody", "--name", "x")):
        r = t.cli(*args)
        assert r.returncode == 1 and "no-keys.db" in r.stderr and not r.stdout, (args, r)
    assert os.listdir(t.folder) == ["llmrouter.yaml"], os.listdir(t.folder)
    assert t.cli("keys", "create", "--name", "ann").returncode == 0 and os.path.exists(t.folder + "/no-keys.db")


def test_simulate_says_what_it_found(t):
    u = t.upstream()
    s = t.server(u, models={"a": "up/m1", "b": "up/m2"}, routing={"default_model": "b"})
    assert s.chat("a").status == 200
    s.usage()
    done = t.cli("simulate")
    assert done.returncode == 0 and "1 requests replayed" in done.stdout and "switch" not in done.stdout, done
    old = t.cli("simulate", "--since", "2020-01-01", "--until", "2020-01-02")
    assert old.returncode == 0 and "usage.db holds no records of this time" in old.stderr, old
    none = t.cli("usage", "--until", "2020-01-02")
    assert none.returncode == 0 and "no records" in none.stderr, none
    assert s.request("POST", "/api/v1/router/toggle", {"enabled": False}, key=ADMIN).status in (200, 202)
    done = t.cli("simulate")
    assert "the routing switch is off: every chat goes to the default_model, b" in done.stdout, done
    told = json.loads(t.cli("simulate", "--json").stdout)
    assert told["switch_enabled"] is False and told["default_model"] == "b" and told["targets"][1] != [], told
    assert json.loads(t.cli("simulate", "--json", "--without-stored").stdout)["switch_enabled"] is True


def test_a_refusal_for_length_is_recorded_and_played_again(t):
    async def upstream(x):
        if x.request.method == "POST" and x.request.json()["model"] == "m1":
            return await x.send(up.error(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded", "invalid_request_error"))
        await up.good(x)
    config = t.config(t.upstream(upstream), models={"main": {"targets": "up/m1", "context_fallbacks": ["big"]}, "big": "up/m2"})
    s = t.start(config)
    assert s.chat("main").header("x-llmrouter-model") == "m2"
    attempts = s.usage()[0]["attempts"]
    assert attempts[0]["reason"].startswith("context_length_exceeded: ") and attempts[1]["outcome"] == "ok", attempts
    r = json.loads(t.cli("simulate", "--json").stdout)
    assert r["after"]["ok"] == 1 and r["moved"] == 0, r
    assert [(x["target"], x["after"], x["why"]) for x in r["targets"]] == [("up/m1", 0, "its attempts failed"), ("up/m2", 1, "")], r
    config["models"]["main"].pop("context_fallbacks")
    t.write_config(config)
    assert json.loads(t.cli("simulate", "--json").stdout)["after"]["failed"] == 1


def test_a_header_of_ours_that_is_misspelt_is_named(t):
    u = t.upstream()
    s = t.server(u)
    r = s.chat(headers=[("X-LLMRouter-Tagz", "a"), ("x-llmrouter-cache", "no"), ("x-llmrouter-timeout", "5s"), ("x-llmrouter-provider", "up")])
    assert r.status == 200 and r.header("x-llmrouter-dropped") == "x-llmrouter-tagz", r.head
    assert not any(name.startswith("x-llmrouter") for name in u.chats()[0].headers), u.chats()[0].headers
    assert s.usage("?limit=1")[0]["dropped"] == ["x-llmrouter-tagz"]
    # Beside what the target has no word for, in streams, and where nobody could be asked at all.
    r = s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 9, "top_k": 3, "stream": True, "messages": [{"role": "user", "content": "hi"}]},
                  headers=[("x-llmrouter-provder", "up")])
    assert r.status == 200 and r.header("x-llmrouter-dropped").split(", ")[0] == "x-llmrouter-provder", r.head
    r = s.chat("nobody-knows", headers=[("x-llmrouter-model", "m")])
    assert r.status == 404 and r.header("x-llmrouter-dropped") == "x-llmrouter-model", r.head
    assert s.chat().header("x-llmrouter-dropped") is None
    # However many there are, and however long.
    names = ["x-llmrouter-%d" % i for i in range(80)] + ["x-llmrouter-" + "y" * 500]
    told = s.chat(headers=[(name, "v") for name in names]).header("x-llmrouter-dropped").split(", ")
    assert len(told) == 64 and told[0] == "x-llmrouter-0" and told[-1] == "...", told
    told = s.chat(headers=[("x-llmrouter-" + "y" * 500, "v")]).header("x-llmrouter-dropped")
    assert told == ("x-llmrouter-" + "y" * 500)[:64], told


def test_the_columns_of_csv_are_the_documented_ones(t):
    s = t.server(t.upstream())
    assert s.chat().status == 200
    s.usage()
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "operations.md")) as f:
        text = f.read().split("The columns of `--csv`", 1)[1].split("\n\n", 1)[0]
    records, sums = text.split("With `--by`")
    for args, words in ((("usage", "--csv"), records), (("usage", "--csv", "--by", "key"), sums)):
        for column in t.cli(*args).stdout.splitlines()[0].split(","):
            assert "`%s`" % column in words, (column, words)


def test_looking_into_an_empty_key_store_leaves_it_empty(t):
    config = t.config()
    config["storage"] = {"keys": "sqlite:%s/empty.db" % t.folder, "usage": "off"}
    t.write_config(config)
    open(t.folder + "/empty.db", "w").close()
    for args in (("keys", "list"), ("keys", "list", "--json"), ("explain", "demo/echo")):
        r = t.cli(*args)
        assert r.returncode == 0, r
    assert os.path.getsize(t.folder + "/empty.db") == 0 and sorted(os.listdir(t.folder)) == ["empty.db", "llmrouter.yaml"], os.listdir(t.folder)
    assert t.cli("keys", "create", "--name", "ann").returncode == 0 and os.path.getsize(t.folder + "/empty.db") > 0
    assert "ann" in t.cli("keys", "list").stdout


def test_what_the_demo_has_no_endpoint_for(t):
    s = t.server()
    r = s.request("POST", "/v1/images/generations", {"model": "demo/echo", "prompt": "a cat"})
    assert r.status == 400 and r.code == "not_supported" and "no endpoint /images/generations" in r.message, r.body


def test_check_warns(t):
    config = t.config(keys=[{"name": "old", "key": "sk-old-0000000000", "expires": "2020-01-01T00:00:00Z"}])
    config["server"]["auth"] = "keys"
    t.write_config(config)
    r = t.cli("check")
    assert r.returncode == 0 and r.stdout.strip().endswith(": ok, 1 warning"), r
    assert "llmrouter.yaml:1:" in r.stderr and ": warning: keys[0].expires: is over" in r.stderr, r.stderr
    strict = t.cli("check", "--strict")
    assert strict.returncode == 2 and "warning: keys[0].expires" in strict.stderr and not strict.stdout, strict
    config["keys"][0]["expires"] = "2999-01-01T00:00:00Z"
    t.write_config(config)
    r = t.cli("check", "--strict")
    assert r.returncode == 0 and r.stdout.strip().endswith(": ok") and "warning" not in r.stderr, r
    config["keys"][0]["expires"] = "2020-01-01T00:00:00Z"
    s = t.start(config)
    assert s.wait_log("configuration warning") and s.logged("keys[0].expires"), s.log
    assert s.chat("demo/echo", key="sk-old-0000000000").code == "expired_key"
    before = len([x for x in s.log if "configuration warning" in x])
    config["routing"]["attempts"] = 2
    config["routing"]["timeouts"] = {"total": "5s", "idle": "6s"}
    s.write(config)
    assert s.wait_log("configuration applied") and s.logged("routing.timeouts.idle"), s.log
    assert len([x for x in s.log if "configuration warning" in x]) == before + 2
