"""The recorded exchanges of OpenAI-compatible vendors, replayed through the real server. They are not part of the project: without them
(../shared/wire beside the repository, or $LLMROUTER_WIRE) these tests are skipped."""
import json
import os
import re

import harness
import upstream as up

FOLDER = os.environ.get("LLMROUTER_WIRE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "wire")
PASSED = (400, 404, 409, 413, 415, 422)


def recordings():
    folder = os.path.join(FOLDER, "exchanges")
    if not os.path.isdir(folder):
        raise harness.Skip("no recorded exchanges at %s" % FOLDER)
    for provider in sorted(os.listdir(folder)):
        for file in sorted(os.listdir(os.path.join(folder, provider))):
            with open(os.path.join(folder, provider, file)) as f:
                r = json.load(f)
            if r["endpoint"] != "chat/completions" or r["fidelity"] != "raw" or "body_encoding" in r["response"]:
                continue
            try:
                request = json.loads(r["request"]["body"])
            except (TypeError, ValueError):
                continue
            if request.get("model") and isinstance(request.get("messages"), list) and isinstance(r["response"].get("body"), str):
                yield r, request


def pieces(r):
    body, out = r["response"]["body"].encode(), []
    for size in r["response"].get("chunk_sizes") or []:
        out.append(body[:size])
        body = body[size:]
    return [p for p in out + [body] if p]


class Problems:
    """What did not hold, of all recordings: one failure at the end names each."""

    def __init__(self):
        self.found = []

    def check(self, holds, *what):
        if not holds:
            self.found.append(" ".join(str(w)[:400] for w in what))
        return holds

    def none(self):
        assert not self.found, "%d problems:\n%s" % (len(self.found), "\n".join(self.found))


def replaying(t):
    state = {}

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        r = state["r"]
        headers = {k.lower(): v for k, v in r["response"]["headers"].items()}
        head = "HTTP/1.1 %d Recorded\r\ncontent-type: %s\r\n" % (r["response"]["status"], headers.get("content-type", "application/json"))
        if "retry-after" in headers:
            head += "retry-after: %s\r\n" % headers["retry-after"]
        await x.send(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        for piece in pieces(r):
            await x.send(up.http_chunk(piece))
            await x.sleep(0)
        await x.send(up.LAST_CHUNK)
    u = t.upstream(handler)
    s = t.server(u, routing={"attempts": 1, "cooldown": {"failures": 1000}})
    return u, s, state


def ask(s, u, state, r, request):
    state["r"] = r
    body = json.dumps({**request, "model": "up/" + request["model"]}).encode()
    reply = s.request("POST", "/v1/chat/completions", body)
    return reply, u.chats()[-1].json()


def hides_usage(body):
    """The stream without its usage-only chunk and the `usage` of the others, which a client who did not ask does not see."""
    out = []
    for frame in body.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].strip() for line in frame.split("\n") if line.startswith("data:")]
        try:
            chunk = json.loads("\n".join(lines))
            if isinstance(chunk, dict) and chunk.get("choices") == [] and chunk.get("usage") and "error" not in chunk:
                continue
            if isinstance(chunk, dict) and "usage" in chunk and "error" not in chunk:
                frame = without_usage(frame)
        except ValueError:
            pass
        out.append(frame)
    return "\n\n".join(out)


def without_usage(frame):
    """The frame of one line of data without the chunk's own `usage`, the other bytes as they are."""
    begin = frame.index("{")
    depth, at = 0, begin
    while at < len(frame):
        if frame[at] == '"':
            _, end = json.decoder.scanstring(frame, at + 1, False)
            name = re.compile(r'\s*:\s*').match(frame, end)
            if depth == 1 and name and frame[at:end] == '"usage"':
                _, end = json.JSONDecoder().raw_decode(frame, name.end())
                before = frame[begin:at].rstrip()
                if before.endswith(","):
                    return frame[:begin] + before[:-1] + frame[end:]
                return frame[:at] + re.sub(r"^\s*,", "", frame[end:])
            at = end
            continue
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(frame[at], 0)
        at += 1
    return frame


def words(body):
    """What a client reads of a stream: each event's data, comments left out."""
    out = []
    for frame in body.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = [line[5:].strip() for line in frame.split("\n") if line.startswith("data:")]
        if lines:
            out.append("\n".join(lines))
    return out


def fails_inside(body):
    return "\nerror:" in body or any('"error"' in w and isinstance(json.loads(w), dict) and json.loads(w).get("error") for w in words(body) if w.startswith("{"))


def test_recorded_whole_answers(t):
    u, s, state = replaying(t)
    count, problems = 0, Problems()
    for r, request in recordings():
        if request.get("stream") or r["response"]["status"] != 200:
            continue
        reply, sent = ask(s, u, state, r, request)
        count += 1
        body = json.loads(r["response"]["body"])
        if body.get("error") or any(c.get("error") for c in body.get("choices") or []):
            problems.check(reply.status >= 400, r["id"], reply.status, reply.body)
            continue
        problems.check(reply.status == 200 and reply.complete, r["id"], reply.status, reply.body)
        problems.check(reply.body.decode() == r["response"]["body"], r["id"], "not the same bytes", reply.body)
        problems.check(sent == request, r["id"], "not the same request", sent)
    problems.none()
    assert count > 50, count


def test_recorded_streams(t):
    u, s, state = replaying(t)
    count, problems = 0, Problems()
    for r, request in recordings():
        if not request.get("stream") or r["response"]["status"] != 200:
            continue
        reply, sent = ask(s, u, state, r, request)
        count += 1
        recorded = r["response"]["body"]
        asked = bool((request.get("stream_options") or {}).get("include_usage"))
        if fails_inside(recorded):
            problems.check(reply.status >= 400 or not reply.complete, r["id"], "an error that ends well", reply.body[-300:])
            continue
        problems.check(reply.status == 200 and reply.complete, r["id"], reply.status, reply.error, reply.body[-300:])
        expected = words(recorded if asked else hides_usage(recorded))
        problems.check(words(reply.body.decode()) == expected, r["id"], "not the same events", reply.body[-300:], expected[-2:])
        without = [{k: v for k, v in m.items() if k != "stream_options"} for m in (sent, request)]
        problems.check(without[0] == without[1], r["id"], "not the same request", sent)
    problems.none()
    assert count > 50, count


def test_recorded_refusals(t):
    count, problems = 0, Problems()
    for r, request in recordings():
        status = r["response"]["status"]
        if status < 400:
            continue
        u, s, state = replaying(t)  # a fresh one each time: a refused key rests
        reply, _ = ask(s, u, state, r, request)
        s.stop()
        count += 1
        if status in PASSED:
            good = (status,)
        elif status in (401, 403):
            good = (502,)
        elif status == 429:
            good = (429,)
        else:
            good = (502, 503, 504)
        problems.check(reply.status in good, r["id"], status, reply.status, reply.body, r["response"]["body"])
        problems.check(reply.complete and reply.json().get("error"), r["id"], reply.body)
    problems.none()
    assert count > 5, count
