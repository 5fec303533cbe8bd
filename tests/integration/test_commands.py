"""The command line: what it changes, shows and says."""
import json
import os

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
                         ("concurrent=0", "--limits: concurrent: expected a whole number above 0, or none")):
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
