"""The command line: what it changes, shows and says."""
import json
import os


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
