"""Lists of models that come in pages, of every kind, and what is said while they are not there yet."""
import asyncio

import upstream as up
from harness import ADMIN, wait

COHERE = [("x-fern-sdk-name", "cohere")]


def names(s):
    return [m["id"] for m in s.get("/v1/models").json()["data"] if not m["id"].startswith("demo/")]


def test_a_list_whose_pages_still_come_is_told_as_missing(t):
    state = {"open": False}

    async def lists(x):
        if "pageToken" not in x.request.target:
            return await x.send(up.reply({"models": [{"name": "models/gemini-a"}], "nextPageToken": "T"}))
        while not state["open"]:
            await asyncio.sleep(0.01)
        await x.send(up.reply({"models": [{"name": "models/gemini-b"}]}))
    u, quick = t.upstream(lists), t.upstream()
    config = t.config(quick)
    config["providers"]["g"] = {"type": "gemini", "base_url": "http://127.0.0.1:%d/v1beta" % u.port, "api_key": "k"}
    # What is added by hand is there before the first answer, and no answer.
    config["providers"]["h"] = dict(config["providers"]["g"], models={"append": ["mine"]})
    s = t.start(config)
    assert wait(lambda: s.get("/v1/models").header("x-llmrouter-unreachable") == "g, h"), s.get("/v1/models").headers
    assert "h/mine" in names(s) and "g/gemini-a" not in names(s)
    for path, headers in (("/v1/models", COHERE), ("/v1beta/models", ()), ("/api/tags", ())):
        assert s.get(path, headers=headers).header("x-llmrouter-unreachable") == "g, h", path
    told = {p["name"]: p["list_error"] for p in s.request("GET", "/v1/health/providers", key=ADMIN).json()["data"]}
    assert told["g"] == told["h"] == "it has not answered yet" and told["up"] == "", told
    assert not any("model list" in line for line in s.log), s.log
    state["open"] = True
    assert wait(lambda: s.get("/v1/models").header("x-llmrouter-unreachable") is None)
    assert {"g/gemini-a", "g/gemini-b", "h/gemini-b", "h/mine"} <= set(names(s)), names(s)
    # A list that is known is not missing while it is asked for again.
    state["open"] = False
    before = len(u.seen)
    s.write(dict(config, routing={"attempts": 2}))
    assert wait(lambda: len(u.seen) > before)
    assert s.get("/v1/models").header("x-llmrouter-unreachable") is None and "g/gemini-b" in names(s)
    state["open"] = True


def test_coheres_list_has_models_of_every_kind(t):
    async def lists(x):
        if x.request.method == "GET":
            first = [{"name": "command-a", "endpoints": ["chat"]}, {"name": "mine", "endpoints": ["classify"]}]
            second = [{"name": "embed-v4.0", "endpoints": ["embed"]}, {"name": "rerank-v3.5", "endpoints": ["rerank"]}]
            page = {"models": second} if "page_token=T" in x.request.target else {"models": first, "next_page_token": "T"}
            return await x.send(up.reply(page))
        await x.send(up.reply({"id": "1", "embeddings": {"float": [[1, 2]]}, "meta": {"billed_units": {"input_tokens": 3}}}))
    u = t.upstream(lists)
    s = t.server(providers={"co": {"type": "cohere", "base_url": "http://127.0.0.1:%d/v2" % u.port, "api_key": "k"}})
    assert wait(lambda: names(s) == ["co/command-a", "co/embed-v4.0", "co/rerank-v3.5"]), names(s)
    assert [r.target for r in u.seen] == ["/v1/models?page_size=1000", "/v1/models?page_size=1000&page_token=T"], [r.target for r in u.seen]
    for endpoint, wanted in (("embed", "co/embed-v4.0"), ("rerank", "co/rerank-v3.5"), ("chat", "co/command-a")):
        listed = s.get("/v1/models?endpoint=" + endpoint, headers=COHERE).json()["models"]
        assert [m["name"] for m in listed if not m["name"].startswith("demo/")] == [wanted], listed
    r = s.request("POST", "/v1/embeddings", {"model": "embed-v4.0", "input": "a"})
    assert r.status == 200 and r.json()["data"][0]["embedding"] == [1, 2], r.body


def test_anthropics_list_is_read_to_its_end(t):
    async def lists(x):
        last = "after_id=claude-a" in x.request.target
        name = "claude-b" if last else "claude-a"
        await x.send(up.reply({"data": [{"type": "model", "id": name}], "has_more": not last, "first_id": name, "last_id": name}))
    u = t.upstream(lists)
    own = {"type": "anthropic", "base_url": "http://127.0.0.1:%d" % u.port, "api_key": "k"}
    # What the file says of a list is said of all its pages.
    s = t.server(providers={"an": own, "fi": dict(own, models={"filter": "B", "append": ["c"]}), "ov": dict(own, models={"override": ["d"]})})
    assert wait(lambda: names(s) == ["an/claude-a", "an/claude-b", "fi/claude-b", "fi/c", "ov/d"]), names(s)


def test_a_list_without_end_is_refused(t):
    async def lists(x):
        await x.send(up.reply({"data": [{"type": "model", "id": "a"}], "has_more": True, "first_id": "a", "last_id": "a"}))
    u = t.upstream(lists)
    s = t.server(providers={"an": {"type": "anthropic", "base_url": "http://127.0.0.1:%d" % u.port, "api_key": "k"}})
    told = lambda: {p["name"]: p["list_error"] for p in s.request("GET", "/v1/health/providers", key=ADMIN).json()["data"]}["an"]
    assert wait(lambda: "more than 50 pages" in told()), told()
    assert s.get("/v1/models").header("x-llmrouter-unreachable") == "an" and len(u.seen) == 50, len(u.seen)


def test_every_dialects_list_follows_the_files_words(t):
    listed = {
        "openai": {"data": [{"id": "one-A"}, {"id": "two"}]},
        "together": [{"id": "one-A"}, {"id": "two"}],
        "anthropic": {"data": [{"id": "one-A"}, {"id": "two"}], "has_more": False, "last_id": "two"},
        "gemini": {"models": [{"name": "models/one-A"}, {"name": "models/two"}]},
        "cohere": {"models": [{"name": "one-A", "endpoints": ["embed"]}, {"name": "two", "endpoints": ["chat"]}]},
        "ollama": {"models": [{"name": "one-A", "model": "one-A"}, {"name": "two", "model": "two"}]},
        "bedrock": {"modelSummaries": [{"modelId": m, "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]} for m in ("one-A", "two")]},
    }
    answers = {}

    async def lists(x):
        await x.send(up.reply(answers[x.request.target.split("/")[1]]))
    u, providers, wanted = t.upstream(lists), {}, []
    for kind, body in listed.items():
        dialect = "openai" if kind == "together" else kind
        for policy, models in (({"filter": "ONE a*"}, ["one-A"]), ({"filter": "one", "append": ["mine", "two"]}, ["one-A", "mine", "two"]), ({"append": ["one-A"]}, ["one-A", "two"]),
                               ({"override": ["x"], "filter": "y", "append": ["z"]}, ["x", "z"]), ({"override": [], "filter": "nothing"}, [])):
            name = "%s%d" % (kind, len(providers))
            answers[name] = body
            providers[name] = {"dialect": dialect, "base_url": "http://127.0.0.1:%d/%s%s" % (u.port, name, {"openai": "/v1", "gemini": "/v1beta", "cohere": "/v2"}.get(dialect, "")),
                               "api_key": "AK:SK" if kind == "bedrock" else "k", "models": policy}
            if kind == "bedrock":
                providers[name]["region"] = "us-east-1"
            wanted += [name + "/" + m for m in models]
    s = t.server(providers=providers)
    assert wait(lambda: s.get("/v1/models").header("x-llmrouter-unreachable") is None), s.get("/v1/models").headers
    assert names(s) == wanted, (sorted(set(names(s)) ^ set(wanted)), names(s))
    assert len(u.seen) == 4 * len(listed)  # where the file says the list nobody is asked
