#!/usr/bin/env python3
"""Counts the instructions that streams of different lengths take, in every pair of dialects, and fails where they grow faster than the stream.

    tests/unit/streams/linear.py build/d/bin/unit_streams [-k WORD]

Valgrind counts, so that neither the machine's speed nor its other work is in the figure; where it is not installed the check is skipped. What a chunk
costs is taken twice, between streams of N and 2N and of 2N and 4N chunks: where work is quadratic the second is about twice the first. Standard
library only.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

CLIENTS = ("openai", "completions", "responses", "anthropic", "gemini", "ollama", "cohere")
UPSTREAMS = {"text": ("openai", "anthropic", "responses", "cohere", "bedrock", "gemini", "ollama", "http"),
             "thoughts": ("openai", "anthropic", "responses", "cohere", "bedrock", "gemini", "ollama"),
             "arguments": ("openai", "anthropic", "responses", "cohere", "bedrock")}
CHUNKS = 500
MOST = 1.3  # of the dearer chunk over the other


def instructions(binary, stream, folder):
    out = os.path.join(folder, "counts")
    done = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=" + out, binary, "[.one]"],
                          env=dict(os.environ, LLMROUTER_STREAM=stream), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stdout)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{stream}: {done.stdout[-500:]}")
    return int(found.group(1).replace(",", ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("-k", default="", help="only pairs with this in their name")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: instructions for each chunk: valgrind is not installed")
        return 0
    pairs = [f"{upstream} {kind} {client}" for kind, upstreams in UPSTREAMS.items() for upstream in upstreams for client in CLIENTS
             if client != "completions" or kind == "text"]
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="llmrouter-linear-") as folder:
        for pair in pairs:
            if options.k not in pair:
                continue
            counts = [instructions(options.binary, f"{pair} {CHUNKS * n}", folder) for n in (1, 2, 4)]
            first, second = (counts[1] - counts[0]) / CHUNKS, (counts[2] - counts[1]) / (2 * CHUNKS)
            good = second <= MOST * first
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok' if good else 'FAIL'} {pair}: {first:.0f} instructions for a chunk, {second:.0f} in a stream twice as long", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
