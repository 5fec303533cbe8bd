"""The few lines of a test runner that the Python SDK tests need: run.py reads its lines. Standard library only."""
import base64
import json
import os
import sys
import time
import traceback
import urllib.parse
import urllib.request
import uuid

SERVER = os.environ["SDK_SERVER"]
UPSTREAM = os.environ["SDK_UPSTREAM"]
KEYS = json.loads(os.environ["SDK_KEYS"])  # main, narrow, hurried, expired


def fresh(name):
    """An upstream model of this behaviour that no other test asks for."""
    return f"{name}+{uuid.uuid4().hex[:12]}"


def seen(model):
    """What the upstream was asked for by that name: [{body, json, headers, gone}]."""
    with urllib.request.urlopen(f"{UPSTREAM}/_seen?model={urllib.parse.quote(model)}", timeout=10) as reply:
        records = json.load(reply)
    for record in records:
        record["body"] = base64.b64decode(record["body"])
        record["json"] = json.loads(record["body"])
    return records


def soon(condition, limit=5.0):
    """True as soon as the condition holds, False when it does not within the limit."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def equal(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


def raises(kind, call):
    """The exception that `call` raises, which has to be of exactly this class."""
    try:
        call()
    except kind as e:
        assert type(e) is kind, f"expected {kind.__name__}, found its subclass {type(e).__name__}: {e}"
        return e
    except Exception as e:
        raise AssertionError(f"expected {kind.__name__}, found {type(e).__name__}: {e}") from e
    raise AssertionError(f"expected {kind.__name__}, nothing was raised")


def run(label, namespace):
    """Runs every test_* function; prints a line for each. Exits 1 when one failed."""
    failed = 0
    only = sys.argv[1:]
    for name, test in list(namespace.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        try:
            test()
            print(f"ok {label} {name[5:]}", flush=True)
        except Exception as e:
            failed += 1
            frames = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == namespace["__file__"]]
            where = f" (line {frames[-1].lineno})" if frames else ""
            print(f"FAIL {label} {name[5:]}: {type(e).__name__}: {str(e)[:600]}{where}".replace("\n", " "), flush=True)
    sys.exit(1 if failed else 0)
