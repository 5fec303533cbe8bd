"""The command line: what it changes, shows and says."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import upstream as up
from harness import ADMIN


def limits_of(t, name):
    for line in t.cli("keys", "show", name).stdout.splitlines():
        if line.startswith("limits"):
            return line.split(None, 1)[1]


def test_modify_changes_only_what_is_named(t):
    t.write_config(t.config())
    assert t.cli("keys", "create", "--name", "z", "--limits", "requests=5/min,burst=9,tokens=1000/min,usd=5/day,soft=80%").returncode == 0
    steps = (
        ("--limits", "concurrent=3", "requests=5/min burst=9 tokens=1000/min concurrent=3 usd=5.00/day soft=80%"),
        ("--limits", "usd=7", "requests=5/min burst=9 tokens=1000/min concurrent=3 usd=7.00/day soft=80%"),
        ("--budget", "8", "requests=5/min burst=9 tokens=1000/min concurrent=3 usd=8.00/day soft=80%"),
        ("--limits", "soft=none,tokens=none,requests=6/min", "requests=6/min burst=9 concurrent=3 usd=8.00/day"),
        ("--limits", "requests=none", "concurrent=3 usd=8.00/day"),
        ("--budget", "9/week", "concurrent=3 usd=9.00/week"),
        ("--limits", "concurrent=none", "usd=9.00/week"),
        ("--limits", "none", "none"),
    )
    for option, value, after in steps:
        r = t.cli("keys", "modify", "z", option, value)
        assert r.returncode == 0 and limits_of(t, "z") == after, (value, r.stderr, limits_of(t, "z"))
    for value, words in (("burst=5", "--limits: burst: expected requests beside burst"), ("speed=9", "--limits: speed: expected one of requests"),
                         ("concurrent=0", "--limits: concurrent: expected a whole number from 1 to 1000000000M, or none")):
        r = t.cli("keys", "modify", "z", "--limits", value)
        assert r.returncode == 2 and words in r.stderr, r.stderr
    shown = t.cli("keys", "modify", "--help").stdout
    for name in ("requests=", "burst=", "tokens=", "concurrent=", "usd=", "soft=", "NAME=none"):
        assert name in shown, shown


def test_a_key_is_shown_whole(t):
    s = t.server()
    made = s.request("POST", "/admin/v1/keys", {"name": "ann", "params": {"max_tokens": 4096, "temperature": [0, 1.5], "tools": False},
                                                "limits": {"requests": "5/min", "burst": 9, "tokens": {"tokens": 100, "per": "60s", "burst": 7}},
                                                "budget": {"usd": 5, "per": "day", "soft": "80%"}}, key=ADMIN)
    assert made.status == 201 and made.json()["state"] == "active", made.body
    shown = t.cli("keys", "show", "ann").stdout
    for line in (("params", "max_tokens=4096", "temperature=0..1.5", "tools=false"), ("state", "active"),
                 ("limits", "requests=5/min", "burst=9", "tokens=100/min", "(burst", "7)", "usd=5.00/day", "soft=80%")):
        assert list(line) in [x.split() for x in shown.splitlines()], shown
    assert t.cli("keys", "revoke", "ann").returncode == 0
    assert [k["state"] for k in json.loads(t.cli("keys", "list", "--json").stdout)["data"]] == ["revoked"]
    created = t.cli("keys", "create", "--name", "bob", "--max-tokens", "5", "--limits", "requests=5/min,burst=2")
    assert "max_tokens=5" in created.stderr and "burst=2" in created.stderr, created.stderr


def test_a_chat_that_is_interrupted_is_recorded(t):
    """The words that came have to be paid for: by ^C, SIGTERM, SIGHUP and by who reads no more."""
    async def drip(x):
        await x.send(up.CLOSE_HEAD)
        for _ in range(600):
            await x.send(up.chunk({"content": "word "}))
            await x.sleep(0.05)

    async def silent(x):
        await x.stall()

    def interrupt(model, end, wait_for):
        process = subprocess.Popen([t.binary, "chat", model, "hello"], cwd=t.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={"PATH": os.environ.get("PATH", "")}, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        try:
            wait_for(process)
            if end is None:
                process.stdout.close()
            else:
                process.send_signal(end)
            return process.wait(20)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    u, quiet = t.upstream(up.scripted(drip)), t.upstream(up.scripted(silent))
    config = t.config(u)
    config["providers"]["quiet"] = dict(config["providers"]["up"], base_url=quiet.url)
    t.write_config(config)
    newest = lambda: json.loads(t.cli("usage", "--json", "--limit", "1").stdout)["data"]
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None):
        code = interrupt("up/m1", end, lambda process: process.stdout.read(5))
        assert code == -(end or signal.SIGPIPE), (end, code)
        record = newest()[0]
        assert (record["status"], record["provider"]) == ("cancelled", "up") and record["output_tokens"] > 0, record
    assert len(json.loads(t.cli("usage", "--json").stdout)["data"]) == 4

    def until_asked(_):
        stop = time.monotonic() + 20
        while not quiet.chats() and time.monotonic() < stop:
            time.sleep(0.02)
    assert interrupt("quiet/m1", signal.SIGINT, until_asked) == -signal.SIGINT
    record = newest()[0]
    assert (record["status"], record["provider"]) == ("cancelled", "quiet"), record


def test_what_cannot_be_written_is_a_failure(t):
    s = t.server(t.upstream())
    assert s.chat().status == 200
    s.usage()
    for words in (["schema"], ["reference"], ["help"], ["usage"], ["usage", "--json"], ["usage", "--csv"], ["keys", "list"], ["check"], ["explain", "m"], ["models"],
                  ["chat", "demo/echo", "hello"], ["version"]):
        with open("/dev/full", "w") as full:
            r = subprocess.run([t.binary] + words, cwd=t.folder, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert r.returncode == 1, (words, r.returncode, r.stderr)


def test_usage_is_whole_or_says_what_is_left(t):
    s = t.server(t.upstream())
    for _ in range(23):
        assert s.chat().status == 200
    s.usage()
    text = t.cli("usage")
    assert len(text.stdout.splitlines()) == 21 and "3 more; see them with --limit" in text.stderr, text
    assert len(t.cli("usage", "--cursor", text.stderr.split("--cursor ")[1].split(",")[0]).stdout.splitlines()) == 4
    s.stop()
    with sqlite3.connect(t.folder + "/usage.db") as db:
        table, = [n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND sql LIKE '%request_id%'")]
        columns = [c[1] for c in db.execute("PRAGMA table_info(%s)" % table)]
        row = list(db.execute("SELECT * FROM %s LIMIT 1" % table).fetchone())
        n, unique = columns.index("n"), columns.index("id")
        for i in range(1100):
            row[n], row[unique] = 1000 + i, "copy-%d" % i
            db.execute("INSERT INTO %s VALUES (%s)" % (table, ",".join("?" * len(row))), row)
    whole = t.cli("usage", "--csv")
    assert whole.returncode == 0 and len(whole.stdout.splitlines()) == 1 + 1123 and whole.stdout.count("time,id,key") == 1, whole.stderr
    assert len(set(line.split(",")[1] for line in whole.stdout.splitlines())) == 1124
    cut = t.cli("usage", "--csv", "--limit", "5")
    assert len(cut.stdout.splitlines()) == 6 and "1118 more" in cut.stderr and "or --csv without --limit for all" in cut.stderr, cut
    assert "default 20" in t.cli("usage", "--help").stdout


def test_what_was_typed_wrongly_is_named(t):
    t.write_config(t.config())
    for args, words in (
        (("keys",), "keys: expected create, list, show, modify, revoke, override or session"),
        (("keys", "lsit"), "keys: unknown command lsit; expected create, list,"),
        (("help", "keys", "lsit"), "keys: unknown command lsit; expected create, list,"),
        (("help", "modls"), "unknown command modls; did you mean models?"),
        (("zzzzzzzzzz",), "unknown command zzzzzzzzzz; `llmrouter-server help` lists them"),
        (("keys", "create", "bob"), 'keys create takes no arguments, found "bob"; a name is given with --name'),
        (("keys", "list", "bob"), 'keys list takes no arguments, found "bob"\n'),
        (("keys", "show"), "keys show takes ID\n"),
        (("keys", "show", "a", "b"), 'keys show takes ID, found "b"'),
        (("users", "add", "bob", "--email", "b@example.com"), "users add: this command is not supported yet"),
        (("import", "litellm", "f.yaml"), "import litellm: this command is not supported yet"),
        (("users",), "users: this command is not supported yet"),
        (("usage", "--csv", "--limit", "5000"), "--limit: expected a number from 1 to 1000; without --limit, --csv writes all"),
    ):
        r = t.cli(*args)
        assert r.returncode == 2 and words in r.stderr and not r.stdout, (args, r)
    for args in (("keys", "help"), ("keys", "--help"), ("help", "keys")):
        r = t.cli(*args)
        assert r.returncode == 0 and "keys revoke ID" in r.stdout, (args, r)
    assert "id or name" in t.cli("help", "keys", "revoke").stdout


def test_every_command_is_documented(t):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/operations.md")) as f:
        section = f.read().split("\n## Commands\n", 1)[1].split("\n## ", 1)[0]
    told = set(re.findall(r"`([a-z][^`]*)`", "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))))
    text = t.cli("help").stdout.split("(default: serve):\n", 1)[1].split("\n\n", 1)[0]
    there = {re.split(r"  +", line.strip())[0] for line in text.splitlines() if not line.endswith("not supported yet")}
    assert len(there) > 15 and told == there, (told - there, there - told)


def test_a_key_is_named_by_id_or_name_and_not_by_itself(t):
    t.write_config(t.config(keys=[{"name": "ci", "key": "sk-ci-00000000000000000"}]))
    anna = json.loads(t.cli("keys", "create", "--name", "anna", "--json").stdout)
    nameless = json.loads(t.cli("keys", "create", "--json").stdout)
    every = (("show",), ("modify", "--max-tokens", "5"), ("revoke",), ("override",), ("session",))
    for words in every:
        r = t.cli("keys", words[0], anna["key"], *words[1:])
        assert r.returncode == 2 and "its id, %s, or its name" % anna["id"] in r.stderr and anna["key"] not in r.stderr, (words, r)
        r = t.cli("keys", words[0], "ana", *words[1:])
        assert r.returncode == 1 and 'there is no key "ana"; did you mean "anna"?' in r.stderr, (words, r)
        r = t.cli("keys", words[0], "zzzzzzzz", *words[1:])
        assert r.returncode == 1 and "`llmrouter-server keys list` lists them" in r.stderr, (words, r)
        # A script's variable that is not set: not the one key without a name.
        r = t.cli("keys", words[0], "", *words[1:])
        assert r.returncode == 2 and "no key is named" in r.stderr and not r.stdout, (words, r)
    r = t.cli("explain", "demo/echo", "--key", "ana")
    assert r.returncode == 1 and 'did you mean "anna"?' in r.stderr, r
    assert json.loads(t.cli("keys", "show", nameless["id"], "--json").stdout)["state"] == "active"
    first, again = (t.cli("keys", "revoke", anna["id"], *json_too) for json_too in (("--json",), ()))
    assert json.loads(first.stdout)["state"] == "revoked" and json.loads(first.stdout)["id"] == anna["id"], first
    assert again.returncode == 0 and again.stderr == "was revoked before: anna (%s)\n" % anna["id"] and not again.stdout, again
    assert t.cli("keys", "revoke", nameless["id"]).stderr == "revoked %s\n" % nameless["id"]
    assert "stands in the configuration" in t.cli("keys", "revoke", "ci").stderr
    assert json.loads(t.cli("keys", "session", "ci", "--end", "all", "--json").stdout) == {"ended": 0}
    assert "--ttl: expected a duration" in t.cli("keys", "session", "ci", "demo/echo", "--ttl", "40d").stderr


def test_no_name_revokes_no_key(t):
    s = t.server()
    made = s.request("POST", "/admin/v1/keys", {}, key=ADMIN).json()
    for method, body in (("DELETE", None), ("PATCH", {"name": "x"})):
        r = s.request(method, "/admin/v1/keys", body, key=ADMIN)
        assert r.status in (400, 405), (method, r.status, r.body)
    kept = s.get("/admin/v1/keys/" + made["id"], key=ADMIN).json()
    assert kept["state"] == "active" and kept["name"] == "", kept


def test_two_words_for_one_thing_are_refused(t):
    t.write_config(t.config())
    for args, words in (
        (("keys", "create", "--budget", "5/day", "--limits", "usd=7"), "--budget, --limits usd: "),
        (("keys", "create", "--limits", "requests=5/min,usd=7/month", "--budget", "none"), "--budget, --limits usd: "),
        (("keys", "create", "--limits", "none", "--budget", "5"), "--budget, --limits none: "),
        (("keys", "create", "--models", "gpt-*", "--models", "claude/*"), "--models: given twice, with different values"),
        (("check", "-c", "a.yaml", "--config", "b.yaml"), "--config: given twice"),
        (("check", "--listen", "127.0.0.1:1", "--set", "server.listen=127.0.0.1:2"), "--listen, --set server.listen: expected one of them"),
        (("check", "--listen", "127.0.0.1:1", "--set", "server.listen[0]=127.0.0.1:2"), "--listen, --set server.listen[0]: expected one of them"),
        (("usage", "--since", "1d", "--until", "2d"), "--since: expected a moment before `until`"),
        (("simulate", "--until", "8d"), "--since: expected a moment before `until`"),
        (("keys", "session", "a", "--end", "all", "--ttl", "5m"), "--ttl"),
    ):
        r = t.cli(*args)
        assert r.returncode == 2 and words in r.stderr and not r.stdout, (args, r)
    assert json.loads(t.cli("keys", "list", "--json").stdout) == {"data": []}
    # What goes together.
    r = t.cli("keys", "create", "--name", "a", "--budget", "5/day", "--limits", "soft=80%,requests=5/min", "--models", "x", "--models", "x")
    assert r.returncode == 0 and limits_of(t, "a") == "requests=5/min usd=5.00/day soft=80%", r.stderr
    assert t.cli("check", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2", "--set", "routing.attempts=1", "--set", "routing.attempts=2").returncode == 0


def test_a_servers_memory_is_not_seen(t):
    t.write_config(t.config(storage={"usage": "memory:"}))
    for args in (("usage",), ("usage", "--csv"), ("usage", "--by", "model"), ("simulate",)):
        r = t.cli(*args)
        assert r.returncode == 1 and "storage.usage is memory:" in r.stderr and "/admin/v1/usage" in r.stderr and not r.stdout, (args, r)


def test_modify_without_a_change(t):
    t.write_config(t.config(keys=[{"name": "ci", "key": "sk-ci-00000000000000000"}]))
    assert t.cli("keys", "create", "--name", "ann").returncode == 0
    for args in ((), ("--json",), ("--set", "routing.attempts=2")):
        r = t.cli("keys", "modify", "ann", *args)
        assert r.returncode == 2 and "nothing to change was named" in r.stderr and not r.stdout, r
    r = t.cli("keys", "override", "ci", "zzzzzzzz")
    assert r.returncode == 1 and "`llmrouter-server models` lists what there is" in r.stderr, r


def test_a_store_that_is_made_is_told(t):
    config = t.config()
    config["storage"] = {"keys": "sqlite:new/keys.db", "usage": "off"}
    t.write_config(config)
    path = os.path.realpath(t.folder) + "/new/keys.db"
    first, second = t.cli("keys", "create", "--name", "a"), t.cli("keys", "create", "--name", "b")
    assert first.returncode == 0 and path + ": there was no key store; it was made" in first.stderr, first.stderr
    assert second.returncode == 0 and "it was made" not in second.stderr, second.stderr
    s = t.start(config)
    assert s.logged("keys sqlite:" + path + ", usage off"), s.log


def test_a_bad_address_is_told_by_the_option_it_came_by(t):
    t.write_config(t.config())
    r = t.cli("check", "--listen", "127.0.0.1")
    assert r.returncode == 2 and r.stderr.startswith("--listen: server.listen[0]: "), r.stderr
    r = t.cli("check", "--set", "server.listen=127.0.0.1")
    assert r.returncode == 2 and r.stderr.startswith("--set: server.listen"), r.stderr
    r = t.cli("serve", "--listen", "unix:" + t.folder + "/gone/x.sock")
    assert r.returncode == 1 and "there is no directory " + t.folder + "/gone/" in r.stderr, r.stderr


def test_a_data_directory_that_cannot_be_made(t):
    open(t.folder + "/data", "w").close()
    config = t.config()
    config["storage"] = {"keys": "sqlite:data/keys.db", "usage": "off"}
    for name, storage in (("keys", config["storage"]), ("usage", {"keys": "memory:", "usage": "sqlite:data/usage.db"})):
        config["storage"] = storage
        t.write_config(config)
        r = t.cli("serve")
        path = os.path.realpath(t.folder) + "/data/%s.db" % name
        assert r.returncode == 1 and "storage.%s (%s): data: " % (name, path) in r.stderr and "LLMROUTER_DATA_DIR" in r.stderr, r.stderr


def test_explain_names_the_model_itself(t):
    t.write_config(t.config())
    for body in ('{"messages":[{"role":"user","content":"hi"}]}', ' {"model":"nowhere/x", "messages":[{"role":"user","content":"hi"}]}'):
        with open(t.folder + "/b.json", "w") as f:
            f.write(body)
        r = t.cli("explain", "demo/echo", "--body", "b.json", "--json")
        assert r.returncode == 0 and json.loads(r.stdout)["requested"] == "demo/echo", r
    for body, words in (('{"messages":5}', "messages"), ('{"model":5,"messages":[]}', "`model` must be a string"), ("[]", "")):
        with open(t.folder + "/b.json", "w") as f:
            f.write(body)
        r = t.cli("explain", "demo/echo", "--body", "b.json")
        assert r.returncode == 1 and words in r.stderr and not r.stdout, r


def lists(*ids):
    body = json.dumps({"object": "list", "data": [{"id": i, "object": "model"} for i in ids]}).encode()

    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply(body))
        await up.good(x)
    return handler


def test_a_bare_name_that_one_provider_offers(t):
    u, other = t.upstream(lists("m-only", "m-both")), t.upstream(lists("m-both"))
    t.write_config(t.config(u, other))
    # A chat asks the providers for their lists when nobody knows the name, and only then.
    r = t.cli("chat", "m-only", "hi")
    assert r.returncode == 0 and "Hello" in r.stdout, r
    assert [x.method for x in u.seen] == ["GET", "POST"] and [x.method for x in other.seen] == ["GET"], u.seen
    assert u.chats()[0].json()["model"] == "m-only"
    assert t.cli("chat", "up/m-only", "hi").returncode == 0
    assert [x.method for x in u.seen] == ["GET", "POST", "POST"] and len(other.seen) == 1
    for name, words in (("m-both", "offered by several providers"), ("m-nobody", "not found")):
        r = t.cli("chat", name, "hi")
        assert r.returncode == 1 and words in r.stderr and "not known yet" not in r.stderr, r.stderr
    # A plan asks nobody unless told to, and says so.
    before = len(u.seen)
    r = t.cli("explain", "m-only")
    assert r.returncode == 1 and "what up, up2 offers is not known yet" in r.stderr and "--refresh" in r.stderr and len(u.seen) == before, r.stderr
    r = t.cli("explain", "m-only", "--refresh", "--json")
    assert r.returncode == 0 and json.loads(r.stdout)["steps"][0]["provider"] == "up" and not r.stderr, r
    assert [x.method for x in u.seen[before:]] == ["GET"]


def test_explain_asks_a_server(t):
    async def fails(x):
        await x.send(up.error(500, "no"))
    u = t.upstream(fails)
    config = t.config(u, keys=[{"name": "ann", "key": "sk-ann-0000000000"}], models={"a": ["up/m1", "demo/echo"]},
                      routing={"attempts": 1, "strategy": "round_robin", "cooldown": {"failures": 1}})
    config["server"]["auth"] = "keys"
    s = t.start(config)
    url, key = "http://127.0.0.1:%d" % s.address[1], {"LLMROUTER_KEY": "sk-ann-0000000000"}
    for _ in range(2):
        s.chat("a", key=key["LLMROUTER_KEY"])
    there, here = t.cli("explain", "a", "--url", url + "/", "--json", env=key), t.cli("explain", "a", "--json")
    assert there.returncode == 0 and here.returncode == 0, (there, here)
    resting = lambda text: [x["reason"] for x in json.loads(text)["steps"] if "rest" in x["reason"] or "cooling" in x["reason"]]
    assert resting(there.stdout) and not resting(here.stdout), (there.stdout, here.stdout)
    for args, words in (((), "knows nothing of what rests"), ((), "--refresh"), (("--refresh",), "this plan knows nothing")):
        told = t.cli("explain", "a", *args)
        assert told.returncode == 0 and words in told.stderr and "up/m1" in told.stdout, told
    assert not there.stderr and not here.stderr, (here.stderr, there.stderr)
    with open(t.folder + "/b.json", "w") as f:
        f.write('{"messages":[{"role":"user","content":"hi"}]}')
    text = t.cli("explain", "a", "--body", "b.json", "--url", url, env=key)
    assert text.returncode == 0 and "up/m1" in text.stdout and not text.stdout.startswith("{"), text
    none = t.cli("explain", "a", "--url", url)
    assert none.returncode == 1 and "answered 401" in none.stderr and not none.stdout, none
    assert t.cli("explain", "a", "--url", "ftp://x").returncode == 2 and t.cli("explain", "a", "--url", url, "--refresh").returncode == 2
    assert s.request("POST", "/v1/route/explain?model=a&format=xml", key=key["LLMROUTER_KEY"]).status == 400


def test_a_provider_that_cannot_be_asked_keeps_no_other_name_away(t):
    async def hangs_up(x):
        x.close()
    u, broken = t.upstream(lists("m-only")), t.upstream(hangs_up)
    t.write_config(t.config(u, broken))
    assert t.cli("chat", "m-only", "hi").returncode == 0
    r = t.cli("chat", "m-nobody", "hi")
    assert r.returncode == 1 and "what up2 offers is not known yet" in r.stderr, r.stderr


def test_a_key_names_what_is_there(t):
    t.write_config(t.config(t.upstream(), filters={"shout": {"pattern": "a", "replace": "A"}}))
    for args, words in (
        (("--providers", "up,nope"), '--providers[1]: there is no provider "nope"; there are: up, demo'),
        (("--providers", "!nope"), '--providers[0]: there is no provider "!nope"'),
        (("--filters", "shuot"), '--filters[0]: there is no filter "shuot"; there are: think_tags, shout'),
    ):
        r = t.cli("keys", "create", *args)
        assert r.returncode == 2 and words in r.stderr and not r.stdout, (args, r)
    assert "no key store" in t.cli("keys", "list", "--json").stderr  # none was made for what was refused
    made = json.loads(t.cli("keys", "create", "--name", "a", "--providers", "up,new-*,!demo", "--filters", "shout,think_tags", "--json").stdout)
    assert made["allow"]["providers"] == ["up", "new-*", "!demo"] and made["filters"] == ["shout", "think_tags"], made
    # What the key has may be gone since; what it gets anew has to be there.
    t.write_config(t.config())
    r = t.cli("keys", "modify", "a", "--username", "ci")
    assert r.returncode == 0, r.stderr
    r = t.cli("keys", "modify", "a", "--providers", "up,down")
    assert r.returncode == 2 and '--providers[1]: there is no provider "down"' in r.stderr, r.stderr
    r = t.cli("keys", "modify", "a", "--filters", "think_tags", "--json")
    assert r.returncode == 0 and json.loads(r.stdout)["filters"] == ["think_tags"], r
    assert json.loads(t.cli("keys", "modify", "a", "--filters", "none", "--json").stdout)["filters"] == []


def test_pages_of_every_origin_and_no_key(t):
    """`cors: "*"` while nobody is asked for a key: told by `check`, where it can be known, and at the start."""
    config = t.config(t.upstream(), server={"auth": "auto", "cors": ["*"]})
    t.write_config(config)
    for words, code in ((("check",), 0), (("check", "--strict"), 2)):
        r = t.cli(*words)
        assert r.returncode == code and "server.cors: every web page may call, and no key was made yet" in r.stderr, r
    s = t.start(config)
    assert s.logged("no key was made yet"), s.log
    s.stop()
    assert t.cli("keys", "create", "--name", "first").returncode == 0
    r = t.cli("check", "--strict")
    assert r.returncode == 0 and "server.cors" not in r.stderr, r
    s = t.start(config)
    assert not s.logged("no key was made yet"), s.log
    s.stop()
    config["storage"]["keys"] = "memory:"
    del config["server"]["admin_key"]
    t.write_config(config)
    r = t.cli("check", "--strict")
    assert r.returncode == 2 and "server.cors" in r.stderr and "there is no key" in r.stderr, r
    config["keys"] = [{"name": "ci", "key": "sk-of-the-file-1234567890"}]
    t.write_config(config)
    assert t.cli("check", "--strict").returncode == 0


def test_of_two_stars_the_first_is_taken(t):
    config = t.config(t.upstream(), models={"gpt-*": "demo/echo", "gpt-4*": "up/m1"})
    s = t.start(config)
    assert s.chat(model="gpt-4o").header("x-llmrouter-provider") == "demo"
    r = t.cli("check", "--strict")
    assert r.returncode == 2 and "never asked for: `gpt-*` stands before it" in r.stderr, r


def test_the_first_word_does_not_come_after_the_end(t):
    s = t.server(t.upstream())
    for _ in range(20):
        assert s.chat(model="demo/echo", stream=True).status == 200
    records = s.usage()
    assert len(records) == 20
    for record in records:
        assert 0 < record["first_token_ms"] <= record["latency_ms"], record


def test_the_debug_log_says_whose_every_request_was(t):
    config = t.config(t.upstream(), server={"auth": "keys"}, observe={"log": {"level": "debug", "format": "json"}})
    s = t.start(config)
    made = s.request("POST", "/admin/v1/keys", {"name": "ann"}, key=ADMIN).json()
    for path in ("/v1/models", "/v1/me", "/v1/me/override"):
        assert s.get(path, key=made["key"]).status == 200, path
    assert s.chat(key=made["key"]).status == 200
    s.get("/health", key="sk-nobodys-1234567890")
    s.stop()
    lines = [json.loads(l) for l in s.log if l.startswith("{")]
    keys = {l["path"]: l["key"] for l in lines if l.get("message") == "request"}
    for path in ("/v1/models", "/v1/me", "/v1/me/override", "/v1/chat/completions"):
        assert keys[path] == made["id"], keys
    assert keys["/health"] == "" and keys["/admin/v1/keys"] == "", keys
    assert made["key"] not in "".join(s.log)
