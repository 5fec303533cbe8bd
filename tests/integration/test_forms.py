"""Forms with large files: put aside while they come, sent from there, never whole in memory, and nothing left behind."""
import hashlib
import os
import re
import socket
import threading
import time


import harness
from harness import request_bytes, sanitized, wait
from test_tasks import FORM, form

PATH = "/v1/audio/transcriptions"
SOUND = bytes(range(256)) * 4096 * 5  # 5 MiB
GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"text":"Hello"}'
BAD = b'HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{"error":{"message":"it broke"}}'[:-1]


class Sink:
    """An upstream that hashes what it gets and keeps none of it. `answer(sink, number)` is called when the body is there."""

    def __init__(self, answer=lambda sink, number: GOOD, early=None):
        self.answer, self.early = answer, early  # early: (bytes to read, answer), once
        self.seen = []  # (content-length, bytes, sha256)
        self.gone = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = "http://127.0.0.1:%d/v1" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        with c:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    more = c.recv(65536)
                    if not more:
                        with self.lock:
                            self.gone += 1
                        return
                    buffer += more
                head, _, rest = buffer.partition(b"\r\n\r\n")
                if head.startswith(b"GET"):  # its list of models
                    c.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    buffer = rest
                    continue
                length = int(re.search(rb"content-length: *(\d+)", head, re.I).group(1))
                early, self.early = self.early, None
                total, hashed = len(rest), hashlib.sha256(rest)
                while total < (early[0] if early else length):
                    more = c.recv(262144)
                    if not more:
                        with self.lock:
                            self.gone += 1
                        return
                    total += len(more)
                    hashed.update(more)
                buffer = b""
                with self.lock:
                    self.seen.append((length, total, hashed.hexdigest()))
                    number = len(self.seen)
                c.sendall(early[1] if early else self.answer(self, number))
                if early:
                    return

    def close(self):
        self.listener.close()


def serving(t, *sinks, env=None, **sections):
    providers = {"up%s" % (i + 1 if i else ""): {"base_url": sink.url, "api_key": "sk-1"} for i, sink in enumerate(sinks)}
    return t.server(providers=providers, env=env, **sections)


def facts(body):
    return (len(body), len(body), hashlib.sha256(body).hexdigest())


def put_aside(s):
    """Temporary files the server has open."""
    folder = "/proc/%d/fd" % s.process.pid
    count = 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(os.path.join(folder, fd)).endswith("(deleted)")
        except OSError:
            pass
    return count


def high_water_kib(s, anew=False):
    """The most that was resident; `anew`: from now on."""
    if anew:
        try:
            with open("/proc/%d/clear_refs" % s.process.pid, "w") as f:
                f.write("5")
        except OSError:
            pass  # not of this kernel: then its start counts, too
    with open("/proc/%d/status" % s.process.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


def test_twenty_large_forms_at_once_take_little_memory(t):
    if sanitized(t.binary):
        raise harness.Skip("memory is not what it is under a sanitizer")
    many, size = 20, 30 << 20
    together = threading.Barrier(many)

    def answer(sink, number):
        together.wait(120)  # all of them are there, in full, before the first is answered
        return GOOD
    sink = Sink(answer)
    s = serving(t, sink, server={"body_timeout": "300s"})
    assert s.request("POST", PATH, form(("model", "nothing/there"), ("file", b"RIFF", "a.wav")), FORM).status == 404
    before = high_water_kib(s, anew=True)
    sound = memoryview(SOUND * (size // len(SOUND)))
    first = form(("file", b"", "a.wav"))[:-10]  # up to where the file begins
    base = hashlib.sha256(first)
    base.update(sound)
    replies, expected = [], set()

    def upload(i):
        tail = b"\r\n" + form(("user", "number %d" % i), ("model", "up/whisper"))
        sent = base.copy()
        sent.update(tail.replace(b"up/whisper", b"whisper"))
        length = len(first) + size + len(tail)
        expected.add((length - 3, length - 3, sent.hexdigest()))
        with s.connect(timeout=300) as c:
            c.send(request_bytes("POST", PATH, b"", FORM + [("content-length", str(length))]))
            c.send(first)
            c.send(sound)
            c.send(tail)
            replies.append(c.read_reply().status)
    threads = [threading.Thread(target=upload, args=(i,)) for i in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert replies == [200] * many, replies
    assert set(sink.seen) == expected and len(expected) == many, sink.seen
    grown = high_water_kib(s) - before
    assert grown < 24 * 1024, "%d KiB for %d MiB" % (grown, many * size >> 20)
    assert wait(lambda: put_aside(s) == 0)
    assert len(s.usage("?limit=50")) >= many
    sink.close()


def test_forms_come_in_any_order_and_any_pieces(t):
    sink = Sink()
    s = serving(t, sink)
    for fields in ([("model", "up/whisper"), ("file", SOUND, "a.wav")], [("file", SOUND, "a.wav"), ("language", "en"), ("model", "up/whisper")],
                   [("file", b"RIFF", "a.wav"), ("model", "up/whisper")]):
        body = b"a preamble\r\n" + form(*fields) + b"an epilogue"
        expected = facts(body.replace(b"up/whisper", b"whisper"))
        with s.connect() as c:
            for _ in range(2):  # the connection is kept
                c.send(request_bytes("POST", PATH, body, FORM))
                assert c.read_reply().status == 200
                assert sink.seen[-1] == expected, sink.seen
            c.send(request_bytes("POST", PATH, b"", FORM + [("transfer-encoding", "chunked")]))
            for at in range(0, len(body), 99991):
                piece = body[at:at + 99991]
                c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            c.send(b"0\r\n\r\n")
            assert c.read_reply().status == 200
            assert sink.seen[-1] == expected
    # One byte at a time where it hurts: around a delimiter.
    body = form(("file", b"\r\n--X\r\n--XY" * 9, "a.wav"), ("model", "up/w"))
    with s.connect() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.send(request_bytes("POST", PATH, b"", FORM + [("content-length", str(len(body)))]))
        for i in range(len(body)):
            c.send(body[i:i + 1])
        assert c.read_reply().status == 200
        assert sink.seen[-1] == facts(body.replace(b"up/w", b"w"))
    assert wait(lambda: put_aside(s) == 0)
    sink.close()


def test_a_form_that_waits_to_be_asked_for(t):
    sink = Sink()
    s = serving(t, sink)
    body = form(("file", SOUND, "a.wav"), ("model", "up/whisper"))
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, b"", FORM + [("expect", "100-continue"), ("content-length", str(len(body)))]))
        assert c.read_head().status == 100
        c.send(body)
        assert c.read_reply().status == 200
    assert sink.seen[-1] == facts(body.replace(b"up/whisper", b"whisper"))
    # What is refused by its header is not asked for.
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, b"", [("content-type", "multipart/form-data"), ("expect", "100-continue"), ("content-length", str(len(body)))]))
        assert c.read_head().status == 415
    sink.close()


def test_a_retry_sends_the_whole_form_again(t):
    broken, whole = Sink(answer=lambda sink, number: BAD, early=(1 << 20, BAD)), Sink()
    targets = {"m": {"targets": [{"model": "up/first", "priority": 1}, {"model": "up2/second", "priority": 2}], "strategy": "priority"}}
    s = serving(t, broken, whole, models=targets)
    body = form(("file", SOUND, "a.wav"), ("model", "m"))
    for i in range(2):  # answered midway, and answered when all was there
        r = s.request("POST", PATH, body, FORM)
        assert r.status == 200 and r.json() == {"text": "Hello"}, (r.status, r.body)
        assert whole.seen[i] == facts(body.replace(b'"model"\r\n\r\nm\r\n', b'"model"\r\n\r\nsecond\r\n')), whole.seen
    assert broken.seen[0][1] < len(body) and broken.seen[1] == facts(body.replace(b'"model"\r\n\r\nm\r\n', b'"model"\r\n\r\nfirst\r\n')), broken.seen
    record = s.usage()[0]
    assert [a["outcome"] for a in record["attempts"]] == ["error", "ok"], record
    assert wait(lambda: put_aside(s) == 0)
    broken.close()
    whole.close()


def test_clients_that_go_away_leave_nothing(t):
    stay = threading.Event()

    def answer(sink, number):
        stay.wait(30)
        return GOOD
    sink = Sink(answer)
    s = serving(t, sink)
    body = form(("file", SOUND, "a.wav"), ("model", "up/whisper"))
    head = request_bytes("POST", PATH, b"", FORM + [("content-length", str(len(body)))])
    names = sorted(os.listdir(t.folder))
    for end in ("close", "reset"):
        c = s.connect()
        c.send(head)
        c.send(body[:3 << 20])
        assert wait(lambda: put_aside(s) == 1), "it is in a file, and the file has no name"
        assert sorted(os.listdir(t.folder)) == names
        getattr(c, end)()
        assert wait(lambda: put_aside(s) == 0), end
    assert not sink.seen
    # While the upstream works on it.
    c = s.connect()
    c.send(head)
    c.send(body)
    assert wait(lambda: sink.seen) and put_aside(s) == 1
    c.reset()
    assert wait(lambda: put_aside(s) == 0)
    stay.set()
    assert s.usage()[0]["status"] == "cancelled"
    sink.close()


def test_slow_and_too_large_forms_are_cut_off(t):
    sink = Sink()
    s = serving(t, sink, server={"body_timeout": "400ms", "max_body": "1MiB"})
    body = form(("file", SOUND[:900000], "a.wav"), ("model", "up/whisper"))
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, b"", FORM + [("content-length", str(len(body)))]))
        c.send(body[:600000])
        assert wait(lambda: put_aside(s) == 1)
        r = c.read_reply()
        assert r.status == 408 and "server.body_timeout" in r.message and r.code == "request_timeout", r.body
    large = form(("file", SOUND, "a.wav"), ("model", "up/whisper"))
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, b"", FORM + [("content-length", str(len(large)))]))
        r = c.read_reply()
        assert r.status == 413 and "server.max_body" in r.message, r.body
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, b"", FORM + [("transfer-encoding", "chunked")]))
        c.send(b"%x\r\n%s\r\n" % (1 << 20, large[:1 << 20]))
        c.send(b"1\r\nx\r\n")
        r = c.read_reply()
        assert r.status == 413 and "server.max_body" in r.message, r.body
    assert wait(lambda: put_aside(s) == 0)
    assert not sink.seen
    sink.close()


def test_without_room_for_it_a_large_form_is_refused(t):
    sink = Sink()
    s = serving(t, sink, env={"TMPDIR": t.folder + "/missing"})
    with s.connect() as c:
        c.send(request_bytes("POST", PATH, form(("file", SOUND, "a.wav"), ("model", "up/w")), FORM))
        r = c.read_reply()
        assert r.status == 500 and r.code == "io" and "the upload could not be put aside" in r.message and t.folder not in r.message, r.body
        c.send(request_bytes("POST", PATH, form(("file", SOUND[:200000], "a.wav"), ("model", "up/w")), FORM))  # small ones need none
        assert c.read_reply().status == 200
    os.mkdir(t.folder + "/missing")
    assert s.request("POST", PATH, form(("file", SOUND, "a.wav"), ("model", "up/w")), FORM).status == 200
    record = s.usage()[2]
    assert (record["status"], record["error_code"]) == ("error", "io"), record
    sink.close()


def test_a_forms_limits_are_named(t):
    sink = Sink()
    s = serving(t, sink)
    sound, model = ("file", SOUND[:300000], "a.wav"), ("model", "up/w")
    long = b'--XX\r\nContent-Disposition: form-data; name="a"\r\nX: ' + b"x" * 9000 + b"\r\n\r\nv\r\n"
    cases = ((form(sound, model, *[("a", "b")] * 255), "more than 256 fields", None), (form(sound)[:-8] + long + form(model), "over 8192 bytes", None),
             (form(sound, ("n" * 257, "x"), model), "the name of field 2 is over 256 bytes", None), (form(sound, ("model", "m" * 5000)), "over 4096 bytes", "model"),
             (form(sound, model, model), "comes twice", "model"), (form(sound), "model", "model"), (form(sound, model)[:-6], "breaks off", None),
             (b"no form" * 50000, "its boundary does not come", None))
    with s.connect() as c:
        for body, words, param in cases:
            c.send(request_bytes("POST", PATH, body, FORM))
            r = c.read_reply()
            assert r.status == 400 and words in r.message and r.json()["error"]["param"] == param, (words, r.status, r.body)
        c.send(request_bytes("POST", PATH, form(sound, ("prompt", "p" * 100000), model), FORM))
        assert c.read_reply().status == 200
    assert len(s.usage()) == len(cases) + 1 and wait(lambda: put_aside(s) == 0)
    sink.close()
