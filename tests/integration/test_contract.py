"""What the names of the configuration and of the HTTP face promise, one by one."""
import glob
import json
import os
import re

import upstream as up
from harness import ADMIN, wait


def test_a_stronger_source_wins_over_a_file_of_a_secret(t):
    """Command line over environment over file: also where the file names another file."""
    folder = t.folder
    with open(os.path.join(folder, "adm.txt"), "w") as f:
        f.write("from-the-file\n")
    u = t.upstream(up.good)
    config = t.config(u)
    del config["server"]["admin_key"]
    config["server"]["admin_key_file"] = "adm.txt"
    s = t.start(config, env={"LLMROUTER_ADMIN_KEY": "from-the-environment"})
    assert s.get("/admin/v1/keys", key="from-the-environment").status == 200
    assert s.get("/admin/v1/keys", key="from-the-file").status in (401, 403)
    s.stop()
    s = t.start(config, args=("--set", "server.admin_key=from-the-line"), env={"LLMROUTER_ADMIN_KEY": "from-the-environment"})
    assert s.get("/admin/v1/keys", key="from-the-line").status == 200
    assert s.get("/admin/v1/keys", key="from-the-environment").status in (401, 403)
    s.stop()
    config["server"]["admin_key"] = "beside"  # both in one place: which one is meant?
    t.write_config(config)
    check = t.cli("check")
    assert check.returncode == 2 and "one of the two" in check.stdout + check.stderr, check


def test_every_429_and_503_says_when_to_come_back(t):
    async def busy(x):
        await x.send(up.reply(b'{"error":{"message":"slow down"}}', 429))
    u = t.upstream(busy)
    config = t.config(u)
    config["providers"]["few"] = {"base_url": config["providers"]["up"]["base_url"], "api_keys": [{"key": "k1", "models": ["only-*"]}]}
    config["routing"]["attempts"] = 1
    s = t.start(config)
    r = s.chat()
    assert (r.status, r.code) == (429, "upstream_rate_limited") and int(r.header("retry-after")) >= 1, r.headers
    r = s.chat("few/other")
    assert (r.status, r.code) == (503, "no_target") and int(r.header("retry-after")) >= 1, r.headers


def test_who_may_not_administer_is_told_how(t):
    s = t.server()
    key = s.request("POST", "/admin/v1/keys", {"name": "user"}, key=ADMIN).json()["key"]
    how = "the admin key (server.admin_key), or a key of role admin, as `Authorization: Bearer KEY`"
    for path in ("/admin/v1/keys", "/admin/v1/usage", "/api/v1/routing/rules", "/api/v1/router/status"):
        for r, status, code in ((s.get(path), 401, "missing_key"), (s.get(path + "?key=" + ADMIN), 401, "missing_key"), (s.get(path, key="sk-nobody-knows-this"), 401, "invalid_key"),
                                (s.get(path, key=key), 403, "admin_only")):
            assert (r.status, r.code) == (status, code) and how in r.message and ADMIN not in r.message, (path, r.body)
            assert (code == "missing_key") == ("a key in the address is not taken" in r.message), r.body
    assert s.get("/admin/v1/keys", key=ADMIN).status == 200


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def headers_of_the_source():
    """The name of every header that the code sends: what is pushed to a reply's headers, and what a session writes itself."""
    names = set()
    for path in glob.glob(ROOT + "/server/*.cc") + glob.glob(ROOT + "/lib/core/*.cc"):
        if os.path.basename(path).startswith("cli"):
            continue  # the command line's requests
        with open(path) as f:
            text = f.read()
        names |= set(re.findall(r'\b(?:\w+\.)?(?:headers|h)\.push_back\(\{"([\w-]+)",', text))
        if path.endswith("session_write.cc"):
            names |= set(re.findall(r'append_header\(out_, "([\w-]+)"', text))
            names |= set(re.findall(r'(?:"|\\n)([a-z][a-z-]*): ', text))
    return names


def test_every_header_of_an_answer_is_documented(t):
    with open(ROOT + "/docs/server.md") as f:
        section = f.read().split("## What an answer says besides its body", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = set(re.findall(r"`([\w-]+)`", "".join(rows)))
    sent = headers_of_the_source()
    assert len(sent) > 25 and {"x-llmrouter-dropped", "x-llmrouter-unreachable", "x-request-id", "retry-after", "vary", "connection", "request-id", "allow"} <= sent, sorted(sent)
    assert sent == told, "only in the code: %s; only in docs/server.md: %s" % (sorted(sent - told), sorted(told - sent))
    # Pages may read all of those that are ours.
    s = t.server(t.upstream(), server={"cors": ["https://app.example.com"], "auth": "keys"}, routing={"attempts": 1}, keys=[
        {"name": "ann", "key": "sk-ann-0000000000000000", "limits": {"requests": "60/min", "tokens": "100k/min"}},
        {"name": "few", "key": "sk-few-0000000000000000", "limits": {"requests": "1/h"}, "budget": {"usd": "0.000001", "per": "day"}}])
    origin = (("Origin", "https://app.example.com"),)
    whole = s.chat(headers=origin, key="sk-ann-0000000000000000", logprobz=1)
    exposed = set(whole.header("access-control-expose-headers").split(", "))
    assert {n for n in sent if n.startswith("x-") and n != "x-accel-buffering"} | {"retry-after"} == exposed, exposed
    # And what is really sent is among them.
    seen = set()
    for r in (whole, s.chat(stream=True, key="sk-ann-0000000000000000"), s.chat("nowhere/x"), s.get("/v1/models"), s.get("/nowhere"), s.get("/admin/v1/keys"),
              s.get("/admin/v1/keys", key=ADMIN), s.request("PUT", "/v1/models"), s.request("OPTIONS", "/v1/models", headers=origin),
              s.chat(key="sk-few-0000000000000000"), s.chat(key="sk-few-0000000000000000"),
              s.request("POST", "/v1/messages", {"model": "up/m1", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}), s.get("/metrics"), s.get("/")):
        seen |= {name for name, _ in r.headers}
    assert seen <= told, seen - told
    assert {"x-ratelimit-reset-tokens", "x-llmrouter-cost-usd", "x-llmrouter-overhead-us", "www-authenticate", "allow", "request-id", "transfer-encoding"} <= seen, sorted(seen)


def test_a_plan_may_be_asked_for_with_a_name_alone(t):
    s = t.server(t.upstream(up.good))
    r = s.request("POST", "/v1/route/explain", {"model": "up/m1"})
    assert r.status == 200 and b'"m1"' in r.body, r.body
    assert s.request("POST", "/v1/route/explain", {"model": "nowhere/m1"}).status == 404
    assert s.request("POST", "/v1/route/explain", {}).status in (400, 404)
    r = s.request("POST", "/v1/route/explain", {"model": "up/m1", "messages": "no list"})
    assert r.status == 400 and r.json()["error"]["param"] == "messages", r.body


def test_whoever_comes_through_a_proxy_is_not_from_this_host(t):
    s = t.server(t.upstream(up.good), server={"auth": "keys", "trust_loopback": True})
    assert s.chat().status == 200
    for name in ("x-forwarded-for", "X-Real-IP", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "cf-connecting-ip", "true-client-ip"):
        assert s.chat(headers=((name, "1.2.3.4"),)).status == 401, name


def test_a_change_behind_a_link_is_seen(t):
    u = t.upstream(up.good)
    config = t.config(u)
    real = os.path.join(t.folder, "elsewhere")
    os.mkdir(real)
    s = t.start(config)
    s.stop()
    path = os.path.join(t.folder, "llmrouter.yaml")
    os.rename(path, os.path.join(real, "real.yaml"))
    os.symlink(os.path.join(real, "real.yaml"), path)
    s.start()
    config["models"] = {"new-name": "up/m1"}
    with open(os.path.join(real, "fresh"), "w") as f:
        json.dump(config, f)
    os.rename(os.path.join(real, "fresh"), os.path.join(real, "real.yaml"))
    assert s.wait_log("configuration applied"), s.log
    assert s.chat("new-name").status == 200


def test_files_that_the_configuration_names_are_watched_too(t):
    u = t.upstream(up.good)
    config = t.config(u)
    key = os.path.join(t.folder, "key.txt")
    with open(key, "w") as f:
        f.write("sk-first-0123456789")
    config["keys"] = [{"name": "a", "key_file": "key.txt"}]
    config["server"]["auth"] = "keys"
    s = t.start(config)
    assert s.chat(key="sk-first-0123456789").status == 200
    with open(key, "w") as f:
        f.write("sk-second-0123456789")
    assert s.wait_log("configuration applied"), s.log
    assert wait(lambda: s.chat(key="sk-second-0123456789").status == 200)
    assert s.chat(key="sk-first-0123456789").status == 401


def test_the_level_of_the_log_changes_with_the_file(t):
    u = t.upstream(up.good)
    config = t.config(u)
    s = t.start(config)
    assert not s.logged("model lists refreshed")
    config["observe"] = {"log": {"level": "debug"}}
    s.write(config)
    assert s.wait_log("model lists refreshed"), s.log
    assert not s.logged("takes effect at the next start"), s.log


def test_paths_to_come_are_told_by_name_and_in_the_words_of_whose_they_are(t):
    s = t.server(t.upstream(up.good))
    for path in ("/v1/files", "/files", "/batches", "/realtime", "/fine_tuning/jobs", "/api/v1/files", "/v1/models/clear-cache", "/v1/responses/x"):
        r = s.get(path)
        assert r.status == 404 and b"not supported yet" in r.body, (path, r.status, r.body)
    assert s.get("/v1beta/nope").json()["error"]["status"] == "NOT_FOUND"
    assert isinstance(s.get("/api/nope").json()["error"], str)
    assert s.get("/v1/messages/nope").json()["type"] == "error"
    assert "message" in s.get("/v2/nope").json() and "error" not in s.get("/v2/nope").json()
    assert s.get("/nope").json()["error"]["code"]


def test_only_the_own_headers_of_a_protocol_pass_between_equals(t):
    u = t.upstream(up.good)
    s = t.server(u)
    sent = (("anthropic-version", "2023-06-01"), ("openai-beta", "x=1"), ("idempotency-key", "k"))
    assert s.chat(headers=sent).status == 200
    got = dict(u.seen[-1].headers)
    assert "anthropic-version" not in got and got["openai-beta"] == "x=1" and got["idempotency-key"] == "k", got


def test_near_names_are_names_that_lead_somewhere(t):
    async def lists(x):
        if x.request.method == "GET":
            return await x.send(up.reply(json.dumps({"data": [{"id": "m1"}]}).encode()))
        await up.good(x)
    a, b = t.upstream(lists), t.upstream(lists)
    config = t.config(a)
    config["providers"]["other"] = {"base_url": t.config(b)["providers"]["up"]["base_url"]}
    s = t.start(config)
    assert wait(lambda: b"other/m1" in s.get("/v1/models").body and b"up/m1" in s.get("/v1/models").body)
    message = s.chat("m11").message
    assert "up/m1, other/m1" in message and ": m1" not in message, message


def test_models_by_their_short_names_and_for_googles_clients(t):
    async def lists(x):
        if x.request.method == "GET":
            return await x.send(up.reply(json.dumps({"data": [{"id": "m1"}]}).encode()))
        await up.good(x)
    s = t.server(t.upstream(lists))
    assert wait(lambda: b"up/m1" in s.get("/v1/models").body)
    r = s.get("/v1/models/m1")
    assert r.status == 200 and r.json()["id"] == "m1" and r.json()["object"] == "model", r.body
    assert s.get("/v1/models/m2").status == 404
    google = s.get("/v1/models", headers=(("x-goog-api-key", "k"),)).json()
    assert any(m["name"] == "models/up/m1" for m in google["models"]), google
    assert s.request("POST", "/api/show", {"name": "up/m1"}).status == 200
    assert s.request("POST", "/api/show", {}).status == 400


def test_counts_and_ranges_mean_the_same_in_json(t):
    s = t.server(t.upstream(up.good))
    r = s.request("POST", "/api/v1/routing/rules", {"name": "r1", "when": {"tokens_over": "100k"}, "use": "up/m1"}, key=ADMIN)
    assert r.status in (200, 201), r.body
    r = s.request("POST", "/admin/v1/keys", {"name": "k", "params": {"temperature": 1}}, key=ADMIN)
    assert r.status == 201, r.body


def test_answers_to_origins_are_not_for_others(t):
    s = t.server(t.upstream(up.good), server={"cors": ["https://a.example"]})
    r = s.get("/v1/models", headers=(("origin", "https://b.example"),))
    assert r.header("vary") == "origin" and r.header("access-control-allow-origin") is None, r.headers
    assert s.get("/v1/models").header("vary") == "origin"
    assert s.get("/v1/models", headers=(("origin", "https://a.example"),)).header("access-control-allow-origin") == "https://a.example"


def test_whoever_finds_no_place_has_a_number_to_ask_with(t):
    s = t.server(t.upstream(up.good), server={"max_connections": 1})
    with s.connect() as first:
        first.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        first.read_reply("GET")
        with s.connect() as second:
            r = second.read_reply("GET")
            assert (r.status, r.code) == (503, "too_many_connections") and r.header("x-request-id").startswith("req_") and r.complete, r.headers


def test_the_region_may_stand_beside_a_base_url(t):
    u = t.upstream(up.good)
    config = t.config(u)
    config["providers"]["up"]["region"] = "eu-west-1"
    assert t.start(config).chat().status == 200


def test_a_pipe_in_a_files_place_stops_nothing(t):
    u = t.upstream(up.good)
    config = t.config(u)
    key = os.path.join(t.folder, "key.txt")
    with open(key, "w") as f:
        f.write("sk-upstream")
    del config["providers"]["up"]["api_key"]
    config["providers"]["up"]["api_key_file"] = "key.txt"
    s = t.start(config)
    os.remove(key)
    os.mkfifo(key)
    assert s.wait_log("a pipe, and nothing came out of it", 15), s.log
    assert s.chat().status == 200
    os.remove(key)
    with open(key, "w") as f:
        f.write("sk-other")
    assert s.wait_log("configuration applied", 15), s.log
    s.stop()
    assert s.code == 0


def test_a_name_in_another_case_gets_round_nothing(t):
    """Go's servers (Ollama) read `Model` as `model`, and the last of two counts."""
    u = t.upstream(up.good)
    config = t.config(u)
    config["providers"]["up"].update({"dialect": "ollama", "base_url": config["providers"]["up"]["base_url"].removesuffix("/v1")})
    config["keys"] = [{"name": "k", "key": "sk-some-key-0123456789", "allow": {"models": ["*/m1"]}, "params": {"max_tokens": 100, "tools": False}}]
    config["server"]["auth"] = "keys"
    s = t.start(config)
    hi = [{"role": "user", "content": "hi"}]
    for path, body in (("/api/chat", {"model": "up/m1", "Model": "big", "messages": hi}), ("/api/generate", {"model": "up/m1", "MODEL": "big", "prompt": "hi"}),
                       ("/api/embed", {"model": "up/m1", "Model": "big", "input": "hi"}), ("/v1/chat/completions", {"model": "up/m1", "Model": "big", "messages": hi}),
                       ("/api/chat", {"model": "up/m1", "messages": hi, "Tools": []}), ("/api/chat", {"model": "up/m1", "messages": hi, "options": {"Num_Predict": 9999}}),
                       ("/api/chat", {"model": "up/m1", "messages": [{"role": "user", "content": "hi", "Content": "other"}]})):
        r = s.request("POST", path, body, key="sk-some-key-0123456789")
        assert r.status == 400, (path, body, r.status, r.body)
    assert not [x for x in u.seen if x.method == "POST"], u.seen
