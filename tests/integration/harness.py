"""The real server as a child process, and a client that sees every byte."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import upstream as up

ADMIN = "admin-key-for-tests"


class Reply:
    def __init__(self):
        self.status = 0
        self.head = b""
        self.headers = []
        self.body = b""
        self.complete = False   # the body ended as its framing promised
        self.error = None       # why not

    def header(self, name):
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        try:
            return self.json()["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def message(self):
        try:
            return self.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            return None

    def events(self):
        """The data of each server-sent event."""
        return [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]

    def text(self):
        out = ""
        for event in self.events():
            if event != "[DONE]":
                for choice in json.loads(event).get("choices", []):
                    out += choice["delta"].get("content") or ""
        return out


class Connection:
    """A client connection: raw bytes out, replies in."""

    def __init__(self, address, timeout=20, rcvbuf=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.buffer = b""

    def send(self, raw):
        self.sock.sendall(raw)

    def more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def read_head(self):
        reply = Reply()
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                raise ConnectionError("closed before a reply: %r" % self.buffer[:200])
        reply.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = reply.head.decode("latin-1").split("\r\n")
        reply.status = int(lines[0].split()[1])
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            reply.headers.append((name, value))
        return reply

    def read_reply(self, method="POST"):
        reply = self.read_head()
        while reply.status == 100:
            reply = self.read_head()
        return self.read_body(reply, method)

    def read_body(self, reply, method="POST"):
        try:
            if method == "HEAD" or reply.status in (204, 304):
                reply.complete = True
            elif reply.header("content-length") is not None:
                size = int(reply.header("content-length"))
                while len(self.buffer) < size and self.more():
                    pass
                reply.body, self.buffer = self.buffer[:size], self.buffer[size:]
                reply.complete = len(reply.body) == size
            elif reply.header("transfer-encoding") == "chunked":
                reply.complete = self.read_chunks(reply)
            else:
                while self.more():
                    pass
                reply.body, self.buffer = self.buffer, b""
                reply.complete = True
        except (ConnectionError, socket.timeout) as e:
            reply.error = e
        return reply

    def read_chunks(self, reply):
        while True:
            while b"\r\n" not in self.buffer:
                if not self.more():
                    return False
            line, _, rest = self.buffer.partition(b"\r\n")
            size = int(line, 16)
            while len(rest) < size + 2:
                if not self.more():
                    reply.body += rest[:size]
                    self.buffer = b""
                    return False
                rest = self.buffer.partition(b"\r\n")[2]
            assert rest[size:size + 2] == b"\r\n", rest[size:size + 2]
            reply.body += rest[:size]
            self.buffer = rest[size + 2:]
            if size == 0:
                return True

    def at_end(self, timeout=5):
        """True when the server has closed and nothing more is there."""
        self.sock.settimeout(timeout)
        try:
            return not self.buffer and not self.more()
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request_bytes(method, target, body=None, headers=(), version="HTTP/1.1"):
    lines = ["%s %s %s" % (method, target, version)]
    given = {name.lower() for name, _ in headers}
    if "host" not in given:
        lines.append("Host: 127.0.0.1")
    if body is not None:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if "content-length" not in given and "transfer-encoding" not in given:
            lines.append("Content-Length: %d" % len(body))
        if "content-type" not in given:
            lines.append("Content-Type: application/json")
    lines += ["%s: %s" % pair for pair in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def sanitized(binary, known={}):
    if binary not in known:
        with open(binary, "rb") as f:
            text = f.read()
        known[binary] = b"__asan_init" in text or b"__tsan_init" in text
    return known[binary]


class Server:
    """llmrouter-server with a configuration (a dict; JSON is YAML)."""

    def __init__(self, binary, folder, config, args=(), env=None):
        self.binary, self.folder, self.args = binary, folder, list(args)
        self.file = os.path.join(folder, "llmrouter.yaml")
        self.write(config)
        self.env = {"PATH": os.environ.get("PATH", ""), "HOME": folder}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env.update(env or {})
        self.process = None
        self.log = []
        self.addresses = []
        self.code = None

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        with open(self.file + ".new", "w") as f:
            f.write(text)
        os.rename(self.file + ".new", self.file)

    def start(self):
        self.log, self.addresses = [], []
        self.process = subprocess.Popen([self.binary, "serve", "-c", self.file] + self.args, cwd=self.folder, env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        deadline = time.monotonic() + 30
        while not any("try " in line or '"listening"' in line for line in self.log):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.reader.join(2)
                raise AssertionError("the server did not start:\n" + "".join(self.log))
            time.sleep(0.005)
        for line in self.log:
            found = re.match(r"\s+listening\s+(\S+)", line)
            for address in json.loads(line)["listen"] if '"listening"' in line else [found.group(1)] if found else []:
                tcp = re.match(r"http://\[?([^\]]+?)\]?:(\d+)$", address)
                self.addresses.append((tcp.group(1), int(tcp.group(2))) if tcp else address)
        self.address = self.addresses[0]
        return self

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line.decode("utf-8", "replace"))
        self.process.stderr.close()

    def logged(self, text):
        return any(text in line for line in self.log)

    def wait_log(self, text, seconds=5):
        return wait(lambda: self.logged(text), seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20):
        code = self.process.wait(seconds)
        self.reader.join(5)
        self.code = code
        return code

    def stop(self):
        """Ends it; its exit code must be 0."""
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.wait(15)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.wait()

    def rss_kib(self):
        """Resident memory; 0 with a sanitizer in the binary, which keeps freed memory back."""
        if sanitized(self.binary):
            return 0
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    # As a client.
    def connect(self, **options):
        return Connection(self.address, **options)

    def request(self, method, target, body=None, headers=(), timeout=20, key=None):
        headers = list(headers) + ([("Authorization", "Bearer " + key)] if key else [])
        with Connection(self.address, timeout=timeout) as c:
            c.send(request_bytes(method, target, body, headers))
            return c.read_reply(method)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def chat(self, model="up/m1", text="hi", stream=False, headers=(), key=None, timeout=20, **members):
        body = {"model": model, "messages": [{"role": "user", "content": text}], **members}
        if stream:
            body["stream"] = True
        return self.request("POST", "/v1/chat/completions", body, headers, timeout, key)

    def usage(self, query=""):
        """Usage records, newest first, once the writer has had its time."""
        time.sleep(0.7)
        reply = self.get("/admin/v1/usage" + query, key=ADMIN)
        assert reply.status == 200, (reply.status, reply.body)
        return reply.json()["data"]


def wait(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


class Test:
    """What one test has: upstreams, servers, a folder; all gone when it ends."""

    def __init__(self, binary, loop):
        self.binary, self.loop = binary, loop
        self.folder = tempfile.mkdtemp(prefix="llmrouter-test-")
        self.upstreams, self.servers = [], []

    def upstream(self, handler=None):
        u = up.Upstream(self.loop, handler)
        self.upstreams.append(u)
        return u

    def config(self, *upstreams, **sections):
        """The smallest useful configuration: providers up, up2, ... and nothing asked of the caller."""
        providers = {}
        for i, u in enumerate(upstreams):
            providers["up" if i == 0 else "up%d" % (i + 1)] = {"base_url": u.url, "api_key": "sk-upstream-%d" % (i + 1)}
        config = {
            "server": {"listen": "127.0.0.1:0", "threads": 2, "auth": "none", "admin_key": ADMIN},
            "storage": {"keys": "sqlite:" + self.folder + "/keys.db", "usage": "sqlite:" + self.folder + "/usage.db"},
            "providers": providers,
            "routing": {"backoff": {"first": "10ms", "max": "50ms"}},
        }
        for name, section in sections.items():
            if isinstance(section, dict) and name in config:
                for key, value in section.items():
                    if isinstance(value, dict) and isinstance(config[name].get(key), dict):
                        config[name][key].update(value)
                    else:
                        config[name][key] = value
            else:
                config[name] = section
        return config

    def server(self, *upstreams, args=(), env=None, **sections):
        return self.start(self.config(*upstreams, **sections), args=args, env=env)

    def start(self, config, args=(), env=None):
        s = Server(self.binary, self.folder, config, args, env)
        self.servers.append(s)
        return s.start()

    def write_config(self, config):
        """For commands: the configuration of the working directory, with no server."""
        with open(os.path.join(self.folder, "llmrouter.yaml"), "w") as f:
            json.dump(config, f)

    def cli(self, *args, env=None, cwd=None):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": self.folder}
        environment.update(env or {})
        return subprocess.run([self.binary] + list(args), cwd=cwd or self.folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, universal_newlines=True)

    def finish(self):
        """Stops everything; says what was wrong with how it ended."""
        problems = []
        for s in self.servers:
            running = s.process is not None and s.process.poll() is None
            s.stop()
            if running and s.code != 0:
                problems.append("the server ended with %s:\n%s" % (s.code, "".join(s.log[-40:])))
            for line in s.log:
                if "AddressSanitizer" in line or "runtime error:" in line or "ThreadSanitizer" in line:
                    problems.append("".join(s.log[-80:]))
                    break
        for u in self.upstreams:
            u.close()
            problems += ["upstream: %r" % fault for fault in u.faults]
        shutil.rmtree(self.folder, ignore_errors=True)
        return problems
