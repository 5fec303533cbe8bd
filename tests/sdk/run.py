#!/usr/bin/env python3
"""The official SDKs against the real server and a scripted upstream, all on loopback.

    tests/sdk/run.py --server build/release/bin/llmrouter-server [--work build/sdk] [--only python|node|ollama|anthropic|anthropic-node|cohere|gemini|aws|aws-node] [--test NAME] [--show-log]

Installs the pinned SDKs once (pip and npm, from wherever these are set up to fetch), prints a line for each test and ends with
"N passed, M failed"; exits 1 when one failed. What cannot be installed is said in one line, "skipped: ...". Standard library only.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import upstream

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = {"python": "openai_test.py", "ollama": "ollama_test.py", "anthropic": "anthropic_test.py", "cohere": "cohere_test.py", "gemini": "gemini_test.py", "aws": "aws_test.py"}
NODE = {"node": "openai_test.mjs", "anthropic-node": "anthropic_test.mjs", "aws-node": "aws_test.mjs"}
SUITES = [*PYTHON, *NODE]
SUITE_SECONDS = 300
INSTALL_SECONDS = 300
KEYS = {name: f"sk-sdk-{name}-0123456789abcdef0123456789" for name in ("main", "narrow", "hurried", "hurried2", "expired")}

CONFIG = """\
server: {{listen: "127.0.0.1:{port}", threads: 2, auth: keys}}
storage: {{keys: "memory:", usage: "memory:"}}
providers:
  up: {{base_url: "{url}", api_key: {key}}}
  goog: {{type: gemini, base_url: "{url}beta", api_key: {key}}}
  claude: {{dialect: anthropic, base_url: "{url}", api_key: {key}, models: {{override: [plain]}}}}
  claude2: {{dialect: anthropic, base_url: "{url}", api_key: {key}, models: {{override: [plain]}}}}
  native: {{base_url: "{url}", api_key: {key}, also: [responses, completions], models: {{override: [plain]}}}}
  hasty: {{base_url: "{url}", api_key: {key}, models: {{override: [slow]}}, timeouts: {{first_token: 300ms}}}}
  badkey: {{base_url: "{url}", api_key: sk-wrong, models: {{override: [plain]}}}}
  busy: {{base_url: "{url}", api_key: {key}, models: {{override: [plain]}}}}
  busy2: {{base_url: "{url}", api_key: {key}, models: {{override: [plain]}}}}
models:
  resilient:
    strategy: priority
    targets: [{{model: up/status-500+resilient, priority: 1}}, {{model: up/plain+resilient, priority: 2}}]
routing: {{attempts: 2, backoff: {{first: 10ms, max: 50ms}}}}
keys:
  - {{name: main, key: {main}}}
  - {{name: narrow, key: {narrow}, allow: {{models: ["up/plain*"]}}}}
  - {{name: hurried, key: {hurried}, limits: {{requests: 1/s}}}}
  - {{name: hurried2, key: {hurried2}, limits: {{requests: 1/s}}}}
  - {{name: expired, key: {expired}, expires: 2024-01-01T00:00:00Z}}
prices:
  entries: [{{model: "up/plain*", input: 1, output: 2, cached_input: 0.5}}]
"""


def run_quietly(command, cwd=None):
    """None when it went well, else its last words."""
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    if done.returncode == 0:
        return None
    lines = done.stdout.splitlines() or ["no output"]
    said = [line for line in lines if re.match(r"ERROR|npm (error|ERR!)|Error", line)] or lines[-1:]
    return said[0].strip()[:300]


def installed(folder, source, install):
    """Installs once for each content of `source`; None, or why not."""
    stamp = folder / ".installed"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    problem = install()
    if problem is None:
        stamp.write_text(digest)
    return problem


def install_python(work):
    folder = work / "venv"
    python = folder / "bin" / "python"
    requirements = HERE / "requirements.txt"

    def install():
        return (run_quietly([sys.executable, "-m", "venv", str(folder)]) or
                run_quietly([str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--retries", "2",
                             "-r", str(requirements)]))
    return python, installed(folder, requirements, install)


def install_node(work):
    folder = work / "node"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return node, "node and npm are not installed (Debian: nodejs, npm)"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int((re.match(r"v(\d+)", version) or [0, 0])[1]) < 18:
        return node, f"Node 18 or later is needed, this is {version or 'unknown'}"

    def install():
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        return run_quietly([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
    return node, installed(folder, HERE / "node" / "package-lock.json", install)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(binary, folder, url):
    """The server process and its base URL; ends the run when it does not answer."""
    port = free_port()
    config = folder / "llmrouter.yaml"
    config.write_text(CONFIG.format(port=port, url=url + "/v1", key=upstream.KEY, **KEYS))
    log = open(folder / "server.log", "wb")
    process = subprocess.Popen([str(binary), "serve", "-c", str(config)], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 15
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(base + "/health", timeout=2).read()
            return process, base
        except OSError:
            time.sleep(0.05)
    stop(process)
    print((folder / "server.log").read_text(errors="replace")[-3000:])
    print("FAIL server: it did not answer /health within 15 s\n0 passed, 1 failed")
    sys.exit(1)


def stop(process):
    """The exit code after SIGTERM; the process is killed when it does not end."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def run_suite(label, command, env):
    """Passes the suite's lines on; (passed, failed)."""
    passed = failed = 0
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        out, _ = process.communicate(timeout=SUITE_SECONDS)
        lines = out.splitlines()
    except subprocess.TimeoutExpired:
        process.kill()
        lines = (process.communicate()[0] or "").splitlines()
        print(f"FAIL {label}: not done after {SUITE_SECONDS} s")
        failed += 1
    for line in lines:
        print(line)
        passed += line.startswith("ok ")
        failed += line.startswith("FAIL ")
    if process.returncode != 0 and failed == 0 or passed + failed == 0:
        print(f"FAIL {label}: exit {process.returncode}")
        failed += 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=pathlib.Path)
    parser.add_argument("--work", default=HERE.parent.parent / "build" / "sdk", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=SUITES)
    parser.add_argument("--test", action="append", default=[], help="only tests of this name")
    parser.add_argument("--show-log", action="store_true", help="print the server's log at the end")
    options = parser.parse_args()
    wanted = options.only or SUITES
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    server = options.server.resolve()
    if not os.access(server, os.X_OK):
        print(f"FAIL server: {server} is not there; build llmrouter-server first\n0 passed, 1 failed")
        return 1

    suites, skipped = [], 0
    if any(name in PYTHON for name in wanted):
        python, problem = install_python(work)
        for name, file in PYTHON.items():
            if name in wanted and problem is None:
                suites.append((name, [str(python), str(HERE / file)]))
            elif name in wanted:
                skipped += 1
                print(f"skipped: {name} SDK tests: pip cannot install the pinned packages (is its registry reachable?): {problem}")
    if any(name in NODE for name in wanted):
        node, problem = install_node(work)
        for name, file in NODE.items():
            if name in wanted and problem is None:
                # An ES module finds its packages beside itself.
                shutil.copy(HERE / "node" / file, work / "node")
                suites.append((name, [node, str(work / "node" / file)]))
            elif name in wanted:
                skipped += 1
                print(f"skipped: {name} SDK tests: npm cannot install the pinned packages (is its registry reachable?): {problem}")

    passed = failed = 0
    provider = upstream.start()
    url = f"http://127.0.0.1:{provider.server_address[1]}"
    with tempfile.TemporaryDirectory(prefix="llmrouter-sdk-") as folder:
        process, base = start_server(server, pathlib.Path(folder), url)
        try:
            env = dict(os.environ, SDK_SERVER=base, SDK_BINARY=str(server), SDK_UPSTREAM=url, SDK_KEYS=json.dumps(KEYS), PYTHONDONTWRITEBYTECODE="1")
            for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_BASE_URL", "OLLAMA_HOST", "ANTHROPIC_BASE_URL",
                         "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"):
                env.pop(name, None)
            for label, command in suites:
                p, f = run_suite(label, command + options.test, env)
                passed, failed = passed + p, failed + f
        finally:
            code = stop(process)
        if code == 0:
            passed += 1
            print("ok server stops on SIGTERM with status 0")
        else:
            failed += 1
            print(f"FAIL server: exit {code} after SIGTERM")
        log = (pathlib.Path(folder) / "server.log").read_text(errors="replace")
        if options.show_log or code != 0:
            print(log[-20000:])
        leaked = [name for name, key in dict(KEYS, upstream=upstream.KEY).items() if key in log]
        if leaked:
            failed += 1
            print(f"FAIL server: the log holds these keys: {leaked}")
    provider.shutdown()
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
