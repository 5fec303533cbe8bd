#!/usr/bin/env python3
"""The benchmarks: one command, one table, against the numbers the design is held to.

    tests/bench/run.py [--server PATH] [--build build/bench] [--no-build] [--quick] [--only NAME]... [--json FILE]

Without --server the server and the benchmarks' own programs are built in --build (Release). Everything runs on loopback, bounded in count
and time. What is compared is CPU time of the proxy's own process, memory and counts; nothing passes or fails here. nginx is measured in
the same run where it is installed (Debian: nginx-light). Standard library only.
"""
import argparse
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEY = "sk-bench-0123456789abcdef0123456789abcdef"
PROGRAMS = ["bench_upstream", "bench_client", "bench_linked", "bench_pairs", "bench_decision"]

CONFIG = """\
server: {{listen: "127.0.0.1:{port}", threads: {threads}, auth: keys, max_connections: 30000, idle_timeout: 10m}}
storage: {{keys: "sqlite:{data}/keys.db", usage: "sqlite:{data}/usage.db"}}
providers:
  a: {{base_url: "{url}", api_key: sk-upstream, models: {{override: [bench-1]}}{tls}}}
  b: {{base_url: "{url}", api_key: sk-upstream, models: {{override: [bench-1]}}{tls}}}
  claude: {{dialect: anthropic, base_url: "{url}", api_key: sk-upstream, models: {{override: [bench-1]}}{tls}}}
  google: {{dialect: gemini, base_url: "{url}beta", api_key: sk-upstream, models: {{override: [bench-1]}}{tls}}}
models:
  bench:
    targets: [a/bench-1, {{model: b/bench-1, weight: 3}}]
    limits: {{requests: 100000000/min}}
  bench-anthropic: {{targets: [claude/bench-1], limits: {{requests: 100000000/min}}}}
  bench-gemini: {{targets: [google/bench-1], limits: {{requests: 100000000/min}}}}
keys:
  - {{name: bench, key: {key}, user: bench, limits: {{requests: 100000000/min, tokens: 900000000000/min, concurrent: 30000}}}}
prices:
  entries: [{{model: "*/bench-1", input: 0.15, output: 0.60, cached_input: 0.075}}]
observe: {{log: {{level: warn}}}}
"""

# Client's dialect, the upstream's, where the client asks, the model that leads there; the first is the one that is not translated.
PAIRS = [
    ("openai", "openai", "/v1/chat/completions", "bench"),
    ("ollama", "openai", "/api/chat", "bench"),
    ("openai", "anthropic", "/v1/chat/completions", "bench-anthropic"),
    ("anthropic", "openai", "/v1/messages", "bench"),
    ("openai", "gemini", "/v1/chat/completions", "bench-gemini"),
    ("responses", "anthropic", "/v1/responses", "bench-anthropic"),
]

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log crit; worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 64m; client_body_buffer_size 2m;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}{listen_tls} backlog=4096; {server_tls}
    location / {{
      proxy_pass {scheme}://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering};
      proxy_buffers 16 64k; proxy_busy_buffers_size 128k; proxy_read_timeout 600s; {location_tls}
    }}
  }}
}}
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, limit=15):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}: {process.args[0]}, exit {process.poll()}")


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(process):
    """CPU of all threads of a process so far: exact where the kernel keeps schedstat, else in clock ticks."""
    try:
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        exact = sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir()) / 1e9
        if exact > 0:
            return exact
    except (OSError, ValueError, IndexError):
        pass
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(process, field="VmRSS:"):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.quick = options.quick
        self.bin = options.build / "bin"
        self.nginx_binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
        self.rows = []
        self.raw = {}
        self.serial = 0
        self.write_bodies()

    def write_bodies(self):
        question = "Why is the sky blue? Answer in one paragraph, please, and name the effect. " * 3
        chat = {"model": "bench", "messages": [{"role": "system", "content": "You are a helpful assistant."},
                                               {"role": "user", "content": question}], "temperature": 0.7, "max_tokens": 200}
        words = "The quick brown fox \\\"jumps\\\" over the lazy dog, déjà vu\\n"
        filler = (words * (5300 // len(words) + 1))[:5230].rstrip("\\")
        long = {"model": "bench", "messages": [], "max_tokens": 200}
        text = json.dumps(long)[:-1].replace('"messages": []', '"messages": [' + ",".join(
            '{"role":"%s","content":"%s"}' % ("assistant" if i % 2 else "user", filler) for i in range(200)) + "]") + "}"
        bodies = {"chat": json.dumps(chat), "long": text,
                  "ollama": json.dumps({"model": "bench", "stream": False, "messages": chat["messages"], "options": {"num_predict": 200}})}
        for chunks in (20, 320, 1000000):
            bodies[f"stream{chunks}"] = json.dumps({"model": "bench", "stream": True, "max_tokens": chunks, "messages": chat["messages"]},
                                                   separators=(",", ":"))
        for client, upstream, _, model in PAIRS:
            for what, chunks in (("chat", 0), ("stream20", 20), ("stream320", 320)):
                bodies[f"{client}-{upstream}-{what}"] = json.dumps(self.question(client, model, chat["messages"], chunks), separators=(",", ":"))
        bodies["long-anthropic"] = text.replace('"model": "bench"', '"model": "bench-anthropic"')
        bodies = {name: body.replace('"stream": true', '"stream":true') for name, body in bodies.items()}
        for name, body in bodies.items():
            json.loads(body)
            (self.folder / f"{name}.json").write_text(body)
        self.long_size = len(bodies["long"].encode())

    @staticmethod
    def question(client, model, messages, chunks):
        """The same question in a client's dialect: whole, or as a stream of so many chunks."""
        limit = chunks or 200
        if client == "ollama":
            return {"model": model, "stream": chunks > 0, "messages": messages, "options": {"num_predict": limit, "temperature": 0.7}}
        if client == "anthropic":
            asked = {"model": model, "max_tokens": limit, "system": messages[0]["content"], "messages": messages[1:], "temperature": 0.7}
        elif client == "responses":
            asked = {"model": model, "max_output_tokens": limit, "instructions": messages[0]["content"], "input": messages[1:], "temperature": 0.7}
        else:
            asked = {"model": model, "messages": messages, "max_tokens": limit, "temperature": 0.7}
        return {**asked, **({"stream": True} if chunks else {})}

    def body(self, name):
        return str(self.folder / f"{name}.json")

    # ---- processes

    @contextlib.contextmanager
    def upstream(self, interval_us=10000):
        process = subprocess.Popen([self.bin / "bench_upstream", "--interval-us", str(interval_us)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield int(process.stdout.readline().split()[1])
        finally:
            process.stdin.close()
            stop(process)

    @contextlib.contextmanager
    def server(self, upstream_port, threads=1, tls=None, wait=True):
        self.serial += 1
        data = self.folder / f"data{self.serial}"
        data.mkdir()
        port = free_port()
        config = data / "llmrouter.yaml"
        scheme = "https" if tls else "http"
        config.write_text(CONFIG.format(port=port, threads=threads, data=data, url=f"{scheme}://127.0.0.1:{upstream_port}/v1", key=KEY,
                                        tls=f', tls: {{ca_file: "{tls}"}}' if tls else ""))
        log = open(data / "server.log", "wb")
        process = subprocess.Popen([self.options.server, "serve", "-c", config], cwd=data, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.port = port
        try:
            if wait:
                wait_for(port, process)
            yield process
        except Exception:
            say((data / "server.log").read_text(errors="replace")[-2000:])
            raise
        finally:
            stop(process)

    @contextlib.contextmanager
    def nginx(self, upstream_port, buffering="on", scheme="http", certificate=None):
        """nginx as a proxy; with a certificate as a TLS face before the upstream."""
        self.serial += 1
        folder = self.folder / f"nginx{self.serial}"
        folder.mkdir()
        port = free_port()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        tls = f"ssl_certificate {certificate}.crt; ssl_certificate_key {certificate}.key;" if certificate else ""
        verify = f"proxy_ssl_trusted_certificate {self.folder}/tls.crt; proxy_ssl_verify on; proxy_ssl_name 127.0.0.1;" if scheme == "https" else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, files=files, connections=files * 2,  # near its limit it closes idle ones
                                                        upstream=upstream_port, port=port,
                                                        buffering=buffering, scheme=scheme, listen_tls=" ssl" if certificate else "",
                                                        server_tls=tls, location_tls=verify))
        process = subprocess.Popen([self.nginx_binary, "-p", folder, "-c", folder / "nginx.conf"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=open(folder / "stderr", "wb"))
        process.port, process.folder = port, folder
        try:
            wait_for(port, process)
            yield process
        except RuntimeError:
            say((folder / "stderr").read_text(errors="replace")[-1000:])
            raise
        finally:
            stop(process)

    def client(self, port, body, connections=1, requests=100, warm=0, path="/v1/chat/completions", limit_s=120):
        done = subprocess.run([self.bin / "bench_client", "--port", str(port), "--path", path, "--body", self.body(body),
                               "--header", f"authorization: Bearer {KEY}", "--connections", str(connections), "--requests", str(requests + warm),
                               "--warm", str(warm), "--limit-s", str(limit_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=True)
        result = json.loads(done.stdout)
        if result["errors"]:
            raise RuntimeError(f"{result['errors']} of {requests + warm} requests failed ({body})")
        return result

    def cpu_per(self, process, body, connections, requests, **more):
        """Microseconds of the process's CPU for each request, after a warm-up."""
        self.client(process.port, body, connections, max(connections * 4, requests // 10), **more)
        before = cpu_seconds(process)
        self.client(process.port, body, connections, requests, **more)
        return (cpu_seconds(process) - before) / requests * 1e6

    def rounds(self, measure, baseline=None):
        """Medians of alternating rounds, so that a busy moment of the machine hits both."""
        ours, theirs = [], []
        for _ in range(2 if self.quick else 5):
            ours.append(measure())
            if baseline is not None:
                theirs.append(baseline())
        return statistics.median(ours), statistics.median(theirs) if theirs else None

    def row(self, what, ours, theirs, unit, first, goal, ratio=True):
        shown = f"{ours / theirs:.2f} x" if ratio and theirs else ""
        self.rows.append((what, f"{ours:.4g} {unit}", f"{theirs:.4g} {unit}" if theirs is not None else "", shown, first, goal))
        self.raw[what] = {"ours": ours, "baseline": theirs, "unit": unit}
        say(f"  {what}: {ours:.4g} {unit}" + (f", baseline {theirs:.4g} {unit} {shown}" if theirs is not None else ""))

    @contextlib.contextmanager
    def pair(self, upstream_port, **nginx_options):
        """The server and, where it is installed, nginx; both before the same upstream."""
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(self.server(upstream_port))
            nginx = stack.enter_context(self.nginx(upstream_port, **nginx_options)) if self.nginx_binary else None
            yield ours, nginx

    # ---- the rows

    def bench_chat(self):
        count = 3000 if self.quick else 15000
        with self.upstream() as up, self.pair(up) as (ours, nginx):
            a, b = self.rounds(lambda: self.cpu_per(ours, "chat", 16, count), nginx and (lambda: self.cpu_per(nginx, "chat", 16, count)))
            self.row("CPU per proxied chat request, everything on / nginx proxy_pass", a, b, "us", "4.5 x", "1.75 x")
            a, b = self.rounds(lambda: self.cpu_per(ours, "chat", 1, count // 3), nginx and (lambda: self.cpu_per(nginx, "chat", 1, count // 3)))
            self.row("  the same, one connection", a, b, "us", "", "")
            a, _ = self.rounds(lambda: self.cpu_per(ours, "ollama", 16, count, path="/api/chat"))
            self.row("translated: Ollama client, OpenAI upstream / nginx passing OpenAI", a,
                     self.raw["CPU per proxied chat request, everything on / nginx proxy_pass"]["baseline"], "us", "5 x", "2.0 x")

    def bench_pairs(self):
        """Each pair of dialects through the server, and its codecs' allocations counted without a network."""
        count, streams = (2000, 20) if self.quick else (10000, 100)
        base = {}
        with self.upstream() as up, self.server(up) as ours:
            for client, upstream, path, _ in PAIRS:
                name = f"{client}-{upstream}"
                shown = f"{client} -> {upstream}" + (", passed" if client == upstream else "")
                cpu, _ = self.rounds(lambda: self.cpu_per(ours, f"{name}-chat", 16, count, path=path))
                base.setdefault("request", cpu)
                self.row(f"CPU per request, {shown} / passed", cpu, base["request"], "us", "", "")
                if client == "ollama":
                    continue  # its streams are no server-sent events; the load reads only those
                self.client(ours.port, f"{name}-stream20", streams, streams, path=path)
                cpu, _ = self.rounds(lambda: self.per_chunk(ours, f"{name}-stream", streams, path))
                base.setdefault("chunk", cpu)
                self.row(f"  per stream chunk, 10 ms apart, {streams} streams", cpu, base["chunk"], "us", "", "")
        for client, upstream, path, _ in PAIRS:
            whole, short, long = (self.counted(client, upstream, path, chunks) for chunks in (0, 20, 320))
            shown = f"{client} -> {upstream}" + (", passed" if client == upstream else "")
            self.row(f"allocations per request, {shown} (no network)", whole["allocations"], None, "", "", "")
            self.row("  per stream chunk", (long["allocations"] - short["allocations"]) / 300, None, "", "", "")
            self.row("  CPU per stream chunk, the router's own part", (long["cpu_us"] - short["cpu_us"]) / 300, None, "us", "", "")

    def counted(self, client, upstream, path, chunks):
        calls = (200 if self.quick else 1000) if chunks else (2000 if self.quick else 10000)
        body = self.body(f"{client}-{upstream}-" + (f"stream{chunks}" if chunks else "chat"))
        # Alone, this program knows the model by one name.
        alone = self.folder / "alone.json"
        alone.write_text(pathlib.Path(body).read_text().replace(f'"bench-{upstream}"', '"bench"'))
        done = subprocess.run([self.bin / "bench_pairs", "--path", path, "--upstream", upstream, "--body", alone, "--chunks", str(chunks),
                               "--calls", str(calls), "--warm", str(calls // 10)], stdout=subprocess.PIPE, check=True, timeout=120)
        return json.loads(done.stdout)

    def bench_latency(self):
        count = 500 if self.quick else 2000

        def p50(port):
            return self.client(port, "chat", 1, count, warm=200)["p50_us"]
        with self.upstream() as up, self.pair(up) as (ours, nginx):
            direct, through, nginxs = [], [], []
            for _ in range(6 if self.quick else 12):
                direct.append(p50(up))
                through.append(p50(ours.port))
                if nginx:
                    nginxs.append(p50(nginx.port))
            # The calmest round of each: waiting for a busy machine is nobody's latency.
            base = min(direct)
            self.row("added latency p50, one connection / what nginx adds", min(through) - base, min(nginxs) - base if nginxs else None,
                     "us", "2 x", "1 x")

    def bench_long(self):
        count = 100 if self.quick else 400
        with self.upstream() as up, self.pair(up) as (ours, nginx):
            a, b = self.rounds(lambda: self.cpu_per(ours, "long", 4, count), nginx and (lambda: self.cpu_per(nginx, "long", 4, count)))
            size = f"{self.long_size / 1048576:.2f} MiB, 200 messages"
            self.row(f"CPU per request with a prompt of {size} / nginx", a, b, "us", "2.5 x", "1.5 x")
            a, _ = self.rounds(lambda: self.cpu_per(ours, "long-anthropic", 4, count))
            self.row("  the same translated, openai -> anthropic / nginx passing it", a, b, "us", "", "")

    def bench_tls(self):
        if not self.nginx_binary or not shutil.which("openssl"):
            say("skipped: TLS to the upstream: nginx and openssl are needed")
            return
        certificate = self.folder / "tls"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{certificate}.key", "-out", f"{certificate}.crt"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        count = 2000 if self.quick else 10000
        with self.upstream() as up, self.nginx(up, certificate=certificate) as face, \
                self.server(face.port, tls=f"{certificate}.crt") as ours, self.nginx(face.port, scheme="https") as nginx:
            a, b = self.rounds(lambda: self.cpu_per(ours, "chat", 16, count), lambda: self.cpu_per(nginx, "chat", 16, count))
            self.row("CPU per chat request with TLS to the upstream, warm / nginx proxy_pass https", a, b, "us", "4 x", "1.5 x")

    def per_chunk(self, process, body, streams, path="/v1/chat/completions"):
        """Microseconds of the process's CPU for each chunk: the slope between short and long streams is the chunks' own cost."""
        cost = {}
        for chunks in (20, 320):
            before = cpu_seconds(process)
            self.client(process.port, f"{body}{chunks}", streams, streams, path=path)
            cost[chunks] = cpu_seconds(process) - before
        return (cost[320] - cost[20]) / (300 * streams) * 1e6

    def bench_stream(self):
        streams = 40 if self.quick else 100
        with self.upstream(10000) as up, self.pair(up, buffering="off") as (ours, nginx):
            for process in filter(None, (ours, nginx)):
                self.client(process.port, "stream20", streams, streams * 2)
            a, b = self.rounds(lambda: self.per_chunk(ours, "stream", streams), nginx and (lambda: self.per_chunk(nginx, "stream", streams)))
            self.row(f"CPU per relayed stream chunk, 10 ms apart, {streams} streams / nginx unbuffered", a, b, "us", "1.5 x", "0.64 x")

    def hold(self, process, streams):
        """KiB that the process grew by, for each of so many live streams."""
        before = rss_kib(process)
        client = subprocess.Popen([self.bin / "bench_client", "--port", str(process.port), "--body", self.body("stream1000000"), "--header",
                                   f"authorization: Bearer {KEY}", "--connections", str(streams), "--hold", "1", "--limit-s", "120"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            result = json.loads(client.stdout.readline())
            if result["errors"] or result["live"] != streams:
                raise RuntimeError(f"{result['live']} of {streams} streams live, {result['errors']} errors")
            time.sleep(3)  # some chunks on each, so that what a live stream needs is there
            return before, rss_kib(process)
        finally:
            client.stdin.close()
            client.wait(30)

    def bench_memory(self):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        streams = min(1000 if self.quick else 10000, (files - 500) // 2)
        if not self.quick and streams < 10000:
            say(f"only {streams} live streams: at most {files} descriptors for a process here")
        with self.upstream(2000000) as up:
            with self.server(up) as ours:
                self.client(ours.port, "chat", 1, 5)
                time.sleep(21)  # a server with nothing to do gives back what it does not need: within two of its looks, 10 s apart
                idle = rss_kib(ours)
                self.row("RSS idle, one loop", idle / 1024, None, "MiB", "12 MiB", "8 MiB")
                self.row("  its own memory, without the pages of shared libraries", rss_kib(ours, "RssAnon:") / 1024, None, "MiB", "", "")
                _, after = self.hold(ours, streams)
            theirs = None
            if self.nginx_binary:
                with self.nginx(up, buffering="off") as nginx:
                    try:
                        _, theirs = self.hold(nginx, streams)
                    except RuntimeError as e:
                        log = (nginx.folder / "nginx-error.log").read_text(errors="replace").splitlines()
                        say(f"  skipped: nginx with as many: {e}; its last words: {log[-1] if log else 'none'}")
            self.row(f"RSS with {streams} live streams / nginx", after / 1024, theirs and theirs / 1024, "MiB",
                     f"{250 * streams / 10000:.0f} MiB", f"{120 * streams / 10000:.0f} MiB")
            self.row("  for each live stream", (after - idle) / streams, None, "KiB", "", "")

    def bench_start(self):
        times, cpu = [], []
        with self.upstream() as up:
            for _ in range(5 if self.quick else 15):
                began = time.perf_counter()
                with self.server(up, wait=False) as process:
                    body = pathlib.Path(self.body("chat")).read_bytes()
                    request = (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer %s\r\n"
                               b"content-length: %d\r\n\r\n%s") % (KEY.encode(), len(body), body)
                    while time.perf_counter() - began < 10:
                        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", process.port), 5) as s:
                            s.sendall(request)
                            answer = s.recv(65536)
                            times.append(time.perf_counter() - began)
                            cpu.append(cpu_seconds(process))
                            if not answer.startswith(b"HTTP/1.1 200"):
                                raise RuntimeError(f"first answer: {answer[:200]}")
                            break
                        time.sleep(0.0005)
        self.row("process start to first answer (of an upstream, databases made new)", min(times) * 1000, None, "ms", "50 ms", "15 ms")
        self.row("  CPU of it", statistics.median(cpu) * 1000, None, "ms", "", "")

    def linked(self, kind, up, calls, concurrency):
        done = subprocess.run([self.bin / "bench_linked", "--kind", kind, "--port", str(up), "--body", self.body("chat"), "--calls", str(calls),
                               "--concurrency", str(concurrency)], stdout=subprocess.PIPE, check=True, timeout=120)
        result = json.loads(done.stdout)
        if result["errors"]:
            raise RuntimeError(f"{result['errors']} calls failed ({kind})")
        return result

    def bench_linked(self):
        calls = 4000 if self.quick else 20000
        kinds = ("curl", "relay", "start", "null")
        with self.upstream() as up:
            for concurrency in (1, 16):
                found = {kind: [] for kind in kinds}
                for _ in range(3 if self.quick else 7):
                    for kind in kinds:
                        found[kind].append(self.linked(kind, up, calls, concurrency))
                cpu = {kind: statistics.median(r["cpu_us"] for r in results) for kind, results in found.items()}
                at = f"{concurrency} at a time"
                for kind in ("relay", "start"):
                    self.row(f"linked, {at}: CPU per call, Router::{kind} / bare libcurl", cpu[kind], cpu["curl"], "us", "1.3 x", "1.1 x")
            self.row("linked: the router's own part (no network)", cpu["null"], None, "us", "", "")
            count = {kind: statistics.median(r["allocations"] for r in results) for kind, results in found.items()}
            for kind in ("relay", "start"):
                self.row(f"allocations per call, Router::{kind} / bare libcurl", count[kind], count["curl"], "", "", "")
            self.row("allocations per call, the router's own part", count["null"], None, "", "", "")

    def decision(self, targets, strategy="weighted", rules="none", affinity="no"):
        rounds = max(200, (500000 if self.quick else 5000000) // targets // (20 if rules == "content" else 1))
        command = [self.bin / "bench_decision", "--targets", str(targets), "--rounds", str(rounds), "--strategy", strategy, "--rules", rules, "--affinity", affinity]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120).stdout)

    def bench_decision(self):
        kinds = [(strategy, {"strategy": strategy}) for strategy in ("weighted", "latency", "performance", "cost", "pareto")]
        kinds += [("weighted, homes by user", {"affinity": "yes"}), ("weighted, 50 rules", {"rules": "plain"}),
                  ("weighted, 50 rules on content, 4 KiB", {"rules": "content"})]
        for targets in (5, 50, 1000):
            for what, how in kinds:
                result = self.decision(targets, **how)
                mark = targets == 50
                self.row(f"one decision over {targets} targets: {what}", result["decision_ns"] / 1000, None, "us", "2 us" if mark else "", "0.5 us" if mark else "")
                self.row("  allocations", result["decision_allocations"], None, "", "", "0" if mark else "")
            self.row(f"Router::explain over {targets} targets", self.decision(targets)["explain_ns"] / 1000, None, "us", "", "")

    def table(self):
        heads = ("what", "llmrouter", "baseline", "ratio", "first", "goal")
        widths = [max(len(r[i]) for r in [heads] + self.rows) for i in range(6)]
        lines = ["| " + " | ".join(r[i].ljust(widths[i]) for i in range(6)) + " |" for r in [heads] + self.rows]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join(lines)


def build(options):
    targets = list(PROGRAMS)
    if options.server is None:
        targets.append("llmrouter-server")
        options.server = options.build / "bin" / "llmrouter-server"
    if options.no_build:
        return
    say(f"building in {options.build}")
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(options.build), "-DCMAKE_BUILD_TYPE=Release", "-DLLMROUTER_BENCH=ON",
                 "-DLLMROUTER_TESTS=OFF", "-DLLMROUTER_C=OFF", "-DLLMROUTER_BOTH=OFF"]
    for command in (configure, ["cmake", "--build", str(options.build), "--target", *targets]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            say(done.stdout[-4000:])
            sys.exit(f"failed: {' '.join(command)}")


def main():
    names = ["chat", "pairs", "latency", "long", "tls", "stream", "memory", "start", "linked", "decision"]
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--server", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "bench")
    parser.add_argument("--no-build", action="store_true", help="the programs are in --build already")
    parser.add_argument("--quick", action="store_true", help="fewer requests, streams and rounds")
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there too")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if options.server is not None:
        options.server = options.server.resolve()
    build(options)

    # Both sides of 10,000 streams, in one process.
    wanted = 32768
    for limit in (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
            break

    failed = 0
    with tempfile.TemporaryDirectory(prefix="llmrouter-bench-") as folder:
        bench = Bench(options, folder)
        if not bench.nginx_binary:
            say("skipped: every comparison with nginx: it is not installed (apt-get install nginx-light)")
        for name in options.only or names:
            say(f"{name}:")
            try:
                getattr(bench, "bench_" + name)()
            except (RuntimeError, subprocess.SubprocessError, OSError, KeyError, json.JSONDecodeError) as e:
                failed += 1
                say(f"  FAILED: {e}")
        print(bench.table())
        if options.json:
            options.json.write_text(json.dumps(bench.raw, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
