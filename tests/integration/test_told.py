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
