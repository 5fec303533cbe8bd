#!/usr/bin/env python3
"""Runs the integration tests: the real server against a scripted upstream.

    run.py PATH/TO/llmrouter-server [-j N] [NAME ...]

A test is a function test_* in a file test_*.py beside this one; it gets a harness.Test. NAME is a part of a test's name. Standard library only.
"""
import importlib
import os
import queue
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import harness  # noqa: E402
import upstream  # noqa: E402


class Skip(Exception):
    pass


harness.Skip = Skip


def find_tests(names):
    tests = []
    for file in sorted(os.listdir(HERE)):
        if not (file.startswith("test_") and file.endswith(".py")):
            continue
        module = importlib.import_module(file[:-3])
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function) and function.__module__ == file[:-3]:
                label = file[5:-3] + "." + name[5:]
                if not names or any(n in label for n in names):
                    tests.append((label, function))
    return tests


def run_one(binary, loop, function):
    """None, or why it failed."""
    test = harness.Test(binary, loop)
    failure = None
    try:
        function(test)
    except Skip:
        test.finish()
        raise
    except Exception:
        failure = traceback.format_exc()
        for server in test.servers:
            failure += "".join("    | " + line for line in server.log[-30:])
    problems = test.finish()
    if problems:
        failure = (failure or "") + "\n".join(problems)
    return failure


def main():
    words = sys.argv[1:]
    jobs = 4
    if "-j" in words:
        at = words.index("-j")
        jobs = int(words[at + 1])
        del words[at:at + 2]
    if not words or not os.access(words[0], os.X_OK):
        sys.exit("usage: run.py PATH/TO/llmrouter-server [-j N] [NAME ...]")
    binary = os.path.abspath(words[0])
    tests = find_tests(words[1:])
    todo = queue.Queue()
    for test in tests:
        todo.put(test)
    lock = threading.Lock()
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def work():
        loop = upstream.Loop()
        while True:
            try:
                label, function = todo.get_nowait()
            except queue.Empty:
                break
            began = time.monotonic()
            try:
                failure = run_one(binary, loop, function)
                outcome = "failed" if failure else "passed"
            except Skip as e:
                failure, outcome = str(e), "skipped"
            with lock:
                counts[outcome] += 1
                print("%-7s %s (%.1f s)" % ("FAILED" if failure and outcome == "failed" else outcome, label, time.monotonic() - began), flush=True)
                if failure:
                    print("    " + failure.rstrip().replace("\n", "\n    "), flush=True)
        loop.stop()

    threads = [threading.Thread(target=work) for _ in range(max(1, jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    more = ", %d skipped" % counts["skipped"] if counts["skipped"] else ""
    print("%d passed, %d failed%s" % (counts["passed"], counts["failed"], more))
    sys.exit(1 if counts["failed"] or not tests else 0)


if __name__ == "__main__":
    main()
