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
