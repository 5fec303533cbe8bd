"""What must not pass: names that a key may not use, secrets in errors, texts that a filter is for."""
import json

import upstream as up
from harness import ADMIN

KEY = "sk-ci-000000000000000000"
USER = [{"role": "user", "content": "x"}]


def test_openrouter_models_are_the_keys(t):
    u = t.upstream()
    s = t.server(server={"auth": "keys"}, providers={"or": {"type": "openrouter", "base_url": u.url, "api_key": "sk-or-123456"}},
                 keys=[{"name": "c", "key": KEY, "allow": {"models": ["or/cheap", "!*opus*"]}}])
    assert s.chat("or/anthropic/claude-opus", key=KEY).status == 403
    r = s.chat("or/cheap", key=KEY, models=["anthropic/claude-opus"])
    assert (r.status, r.code) == (403, "model_not_allowed") and "or/anthropic/claude-opus" in r.message, r.body
    assert not u.chats()
    assert s.chat("or/cheap", key=KEY, models=["cheap"]).status == 200
    assert u.chats()[-1].json()["models"] == ["cheap"]


def test_escaped_key_of_the_upstream_stays_here(t):
    secret = "sk-up/AAAA+BBBB/CCCCDDDD=="

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        shown = secret.replace("/", "\\/") if x.request.json()["model"] == "php" else secret.replace("+", "\\u002b")
        await x.send(up.reply('{"error":{"message":"Invalid key %s","type":"invalid_request_error"}}' % shown, 400))

    u = t.upstream(handler)
    s = t.server(providers={"up": {"base_url": u.url, "api_key": secret}})
    for model in ("php", "unicode"):
        r = s.chat("up/" + model)
        assert r.status == 400 and "Invalid key ***" in r.message, r.body
        assert b"AAAA" not in r.body and b"CCCC" not in r.body, r.body


def test_filters_are_never_passed_by(t):
    words = [{"reasoning_content": "th SECRET-1"}, {"content": "x SECRET-"}, {"content": "12 y"}, {"refusal": "no SECRET-3"},
             {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"SECR'}}]},
             {"tool_calls": [{"index": 0, "function": {"arguments": '\\u0045T-4\\n"}'}}]}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"SECRET-4\\n"}'}}

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        if x.request.json().get("stream"):
            await x.send(up.CLOSE_HEAD + b"".join(up.chunk(w) for w in words) + up.chunk({}, "tool_calls") + b"data: [DONE]\n\n")
            return x.close()
        body = up.chat_body("x SECRET-12 y")
        body["choices"][0]["message"].update(reasoning_content="th SECRET-1", tool_calls=[call])
        await x.send(up.reply(json.dumps(body)))

    u = t.upstream(handler)
    s = t.server(u, models={"m": {"targets": ["up/m"], "filters": ["all"]}}, filters={"all": {"pattern": "SECRET-[0-9]+", "replace": "[x]", "on": ["request", "response", "stream"]}})
    for path, body in (("/v1/embeddings", {"input": "my SECRET-12"}), ("/v1/moderations", {"input": "my SECRET-12"}), ("/v1/rerank", {"query": "SECRET-12", "documents": ["a"]})):
        r = s.request("POST", path, dict(body, model="m"))
        assert (r.status, r.code) == (400, "not_supported"), r.body
        assert '"all"' in r.message and path.rsplit("/", 1)[1] in r.message, r.message
    r = s.request("POST", "/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": "SECRET-12"}]})
    assert r.status == 200, r.body  # an estimate
    assert not u.chats()
    said = [{"role": "user", "content": "SECRET-9"}, {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "SECRET-7"}]
    for path, body in (("/v1/chat/completions", {"messages": said}), ("/v1/messages", {"max_tokens": 9, "messages": USER}), ("/v1/responses", {"input": "SECRET-5"}),
                       ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "SECRET-5"}]}]})):
        for stream in (False, True):
            if stream and path.startswith("/v1beta"):
                path, body = path.replace("generateContent", "streamGenerateContent?alt=sse"), dict(body)
            elif stream:
                body = dict(body, stream=True)
            r = s.request("POST", path, body if "v1beta" in path else dict(body, model="m"))
            assert r.status == 200 and r.complete, (path, stream, r.status, r.body)
            assert b"SECRET-" not in r.body and b"[x]" in r.body, (path, stream, r.body)
            assert b"SECRET-" not in u.chats()[-1].body, u.chats()[-1].body
    r = s.request("POST", "/v1/chat/completions", {"model": "m", "messages": said})
    sent = u.chats()[-1].json()["messages"]
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"a": "[x]\n"}, sent
    answered = r.json()["choices"][0]["message"]
    assert json.loads(answered["tool_calls"][0]["function"]["arguments"]) == {"a": "[x]\n"}, answered
    r = s.request("POST", "/v1/chat/completions", {"model": "m", "stream": True, "messages": said})
    arguments = "".join(call["function"].get("arguments", "") for event in r.events() if event != "[DONE]" for choice in json.loads(event)["choices"]
                        for call in choice["delta"].get("tool_calls", []))
    assert json.loads(arguments) == {"a": "[x]\n"}, arguments


def test_hidden_names_stay_hidden(t):
    u = t.upstream()
    narrow, boss = "sk-a-0000000000000000000", "sk-b-0000000000000000000"
    s = t.server(u, server={"auth": "keys"}, providers={"hid": {"base_url": u.url, "api_key": "zz-123456", "models": {"override": ["topsecret-model"]}}},
                 models={"a": {"targets": ["up/a"], "tags": ["cheap"]}, "topalias": {"targets": ["hid/topsecret-model"], "tags": ["big"], "modalities": ["image"]},
                         "mix": {"targets": ["up/a", "hid/topsecret-model"]}},
                 keys=[{"name": "a", "key": narrow, "allow": {"models": ["a", "mix", "!hid/*"]}},
                       {"name": "b", "key": boss, "role": "admin", "allow": {"models": ["a", "mix", "!hid/*"]}}])
    for body in ({"model": "topalia"}, {"model": "x/topsecret-model"}, {"model": "a", "route": {"providers": ["nope"]}}, {"model": "a", "route": {"tags": ["nope"]}},
                 {"model": "a", "provider": {"order": ["nope"]}}):
        r = s.request("POST", "/v1/chat/completions", dict(body, messages=USER), key=narrow)
        assert r.status in (400, 404), r.body
        words = r.message.replace("topalia\"", "").replace("x/topsecret-model\"", "")
        assert not any(hidden in words for hidden in ("topalias", "topsecret", "hid", "big")), r.body
        if "provider" in body:
            assert r.json()["error"]["param"] == "provider.order", r.body
    r = s.request("POST", "/v1/route/explain?model=topalias", b"", key=narrow)
    assert (r.status, r.code) == (403, "model_not_allowed") and b"topsecret" not in r.body, r.body
    r = s.request("POST", "/v1/route/explain", {"model": "mix", "messages": USER}, key=narrow)
    assert r.status == 200 and b"hid" not in r.body and b"up" in r.body, r.body
    r = s.request("POST", "/v1/route/explain", {"model": "mix", "messages": USER}, key=boss)
    assert r.status == 200 and b"topsecret-model" in r.body, r.body
    hidden, nowhere = (s.request("POST", "/api/show", {"model": name}, key=narrow) for name in ("hid/topsecret-model", "hid/nowhere"))
    assert hidden.status == nowhere.status == 404, (hidden.body, nowhere.body)
    assert s.request("POST", "/api/show", {"model": "mix"}, key=narrow).status == 200
    for path in ("/v1/health/providers", "/v1/health/models", "/v1/health/models/mix"):
        r = s.get(path, key=narrow)
        assert r.status == 200 and b"hid" not in r.body and b"up" in r.body, (path, r.body)
    assert b"hid" in s.get("/v1/health/providers", key=boss).body
    assert s.get("/v1beta/models/hid/topsecret-model", key=narrow).status == 404


def test_filters_of_a_key_go_with_it_to_every_model(t):
    u = t.upstream(up.sends(up.reply(json.dumps(up.chat_body("a SECRET-1, b HIDDEN")))))
    filters = {"all": {"pattern": "SECRET-[0-9]+", "replace": "[x]", "on": ["request", "response", "stream"]}, "hid": {"pattern": r"HIDDEN|\[x\]", "replace": "[y]", "on": ["response"]}}
    s = t.server(u, server={"auth": "keys"}, models={"m": {"targets": ["up/m"], "filters": ["all"]}}, filters=filters,
                 keys=[{"name": "c", "key": KEY, "filters": ["hid", "all"]}, {"name": "d", "key": KEY + "-d"}])
    said = lambda model, key: s.chat(model, key=key, messages=[{"role": "user", "content": "SECRET-7"}]).json()["choices"][0]["message"]["content"]
    assert said("up/m1", KEY) == "a [x], b [y]"  # in the order of the key's
    assert u.chats()[-1].json()["messages"][0]["content"] == "[x]"
    assert said("m", KEY) == "a [y], b [y]"  # behind the model's, which is not applied twice
    assert said("up/m1", KEY + "-d") == "a SECRET-1, b HIDDEN" and u.chats()[-1].json()["messages"][0]["content"] == "SECRET-7"
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": "SECRET-1"}, key=KEY)
    assert (r.status, r.code) == (400, "not_supported") and '"all"' in r.message, r.body

    r = s.request("POST", "/admin/v1/keys", {"filters": ["al"]}, key=ADMIN)
    assert r.status == 400 and r.json()["error"]["param"] == "filters[0]" and "all, hid, think_tags" in r.message, r.body
    made = s.request("POST", "/admin/v1/keys", {"filters": ["all"]}, key=ADMIN).json()
    assert made["filters"] == ["all"] and said("up/m1", made["key"]) == "a [x], b HIDDEN"
    path = "/admin/v1/keys/" + made["id"]
    assert s.request("PATCH", path, {"filters": ["hid", "nope"]}, key=ADMIN).json()["error"]["param"] == "filters[1]"
    assert s.request("PATCH", path, {"filters": None}, key=ADMIN).json()["filters"] == [] and said("up/m1", made["key"]) == "a SECRET-1, b HIDDEN"


def test_a_key_whose_filter_is_gone_is_refused(t):
    u = t.upstream()
    config = t.config(u)
    config["server"]["auth"] = "keys"
    config["filters"] = {"all": {"pattern": "x", "replace": "y"}}
    s = t.start(config)
    made = s.request("POST", "/admin/v1/keys", {"filters": ["all"]}, key=ADMIN).json()
    assert s.chat("up/m1", key=made["key"]).status == 200
    del config["filters"]
    s.write(config)
    assert s.wait_log("configuration applied")
    asked = len(u.chats())
    for r in (s.chat("up/m1", key=made["key"]), s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": "a"}, key=made["key"])):
        assert r.status >= 400 and '"all"' in r.message and "any more" in r.message, r.body
    assert len(u.chats()) == asked


def test_check_places_a_filter_that_is_not_there(t):
    t.write_config({"keys": [{"name": "k", "key": KEY, "filters": ["think_tags", "nobody"]}]})
    done = t.cli("check", "-c", t.folder + "/llmrouter.yaml")
    assert done.returncode != 0 and "keys[0].filters[1]" in done.stdout + done.stderr, done.stdout + done.stderr
    t.write_config({"models": {"m": {"targets": ["demo/echo"], "filters": ["nobody"]}, "n": {"targets": ["nope/x"]}}})
    done = t.cli("check", "-c", t.folder + "/llmrouter.yaml")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "nope/x" in said, said
    assert any("llmrouter.yaml:1:" in line and "models.m.filters[0]" in line for line in said.splitlines()), said
