#!/usr/bin/env python3
"""Every recorded answer, replayed by an upstream, heard by a client of every dialect: text, calls, finish and usage are what was recorded; a
client of the recording's own dialect gets its bytes.

  replay.py SERVER [-k WORD] [-v]

Skipped with a line when the recordings are not there. The last line is "N passed, M failed".
"""
import collections
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "..", "integration"))

import harness
import recorded
import upstream as scripted
from cases import Ask, Turn
from client_base import Broken
from run import CLIENTS, check, squeeze
from tally import Tally, arguments

SUFFIX = {"openai": "/v1", "responses": "/v1", "gemini": "/v1beta", "cohere": "/v2"}
PICTURE = re.compile(r"\n\[The answer has a picture \([^\]]*\) here, [^\]]*\]\n")
PASSED_ON = (400, 404, 409, 413, 415, 422)


class World:
    def __init__(self, binary, list_):
        self.list = list_
        self.test = harness.Test(binary, scripted.Loop())
        self.upstream = self.test.upstream(self.answer)
        config = self.test.config()
        config["providers"] = {}
        for at, r in enumerate(list_):
            provider = {"base_url": "%s/%d%s" % (self.upstream.url.rsplit("/v1", 1)[0], at, SUFFIX.get(r.dialect, "")), "dialect": r.dialect,
                        "api_key": "key-up", "models": {"override": ["m"]}}
            if r.dialect in ("anthropic", "gemini", "bedrock"):
                provider["type"] = r.dialect
            if r.dialect == "bedrock":
                provider["region"] = "eu-west-1"
            config["providers"]["r%d" % at] = provider
        config["routing"] = {"attempts": 1, "cooldown": {"failures": 1000}}
        self.server = self.test.start(config)

    async def answer(self, exchange):
        r = self.list[int(exchange.request.target.split("/")[1])]
        kind = r.headers.get("content-type")
        kind = kind[0] if isinstance(kind, list) else kind
        if not kind or r.fidelity == "pasted":
            kind = {"bedrock": "application/vnd.amazon.eventstream", "ollama": "application/x-ndjson"}.get(r.dialect, "text/event-stream") if r.stream else "application/json"
        head = "HTTP/1.1 %d X\r\ncontent-type: %s\r\n" % (r.status, kind)
        for name in ("x-amzn-errortype", "retry-after"):
            if name in r.headers:
                value = r.headers[name]
                head += "%s: %s\r\n" % (name, value[0] if isinstance(value, list) else value)
        await exchange.send((head + "content-length: %d\r\n\r\n" % len(r.body)).encode())
        rest = r.body
        for size in r.sizes:
            if rest[:size]:
                await exchange.send(rest[:size])
            rest = rest[size:]
        if rest:
            await exchange.send(rest)


def same_arguments(got, wanted):
    return [(n, a) for n, a in got] == [(n, a if isinstance(a, dict) else {}) for n, a in wanted] or \
           [n for n, _ in got] == [n for n, _ in wanted] and any(not isinstance(a, dict) for _, a in wanted)


def compare(client, r, said, heard):
    check(heard.error is None and heard.ended, "no clean end:", heard.error)
    text = heard.text
    if said.pictures and client.dialect in ("anthropic", "ollama", "cohere"):  # which have no place for one, and say so
        text, told = PICTURE.subn("", text)
        check(told == said.pictures, "pictures told of:", told, "instead of", said.pictures)
    check(text == said.text, "text:", repr(text[-300:]), "instead of", repr(said.text[-300:]))
    if not said.other:
        check(same_arguments([(c.name, c.arguments) for c in heard.calls], said.calls), "calls:", heard.calls, "instead of", said.calls)
        if said.finish:
            # A refusal that ended as any answer is a `refusal` for those whose dialect has a word for it.
            check(heard.finish == said.finish or said.refused and heard.finish == "filter", "finish:", heard.finish, "instead of", said.finish, said.finish_word)
    if said.thought and "thought" in client.carries:
        check(squeeze(heard.thought) == squeeze(said.thought), "thought:", repr(heard.thought[:200]), "instead of", repr(said.thought[:200]))
    if said.input is not None and said.output is not None:
        check((heard.usage.input, heard.usage.output) == (said.input, said.output), "usage:", heard.usage, "instead of", said.input, said.output)


def run_one(world, at, r, make, said):
    client = make(Ask(turns=[Turn("user", "hi")]))
    path, body = client.request("r%d/m" % at, r.stream)
    reply = world.server.request("POST", path, json.dumps(body).encode(), headers=client.headers())
    if r.status >= 300:
        check(reply.status >= 400, "status", reply.status)
        try:
            words = client.error_message(reply.json())
        except Broken:
            check(client.dialect == r.dialect, "the error's shape:", reply.body)  # the provider's own words pass as they are
            error = reply.json()["error"]
            words = error if isinstance(error, str) else error["message"]
        check(words, "an error without words")
        if b"violates usage guidelines" in r.body:
            check(reply.status == 400, "status", reply.status, "of a content policy's refusal")
            return
        check(reply.status in ((r.status,) if r.status in PASSED_ON + (429,) else (502, 503, 504, 529)) or reply.status == 502, "status", reply.status, "for", r.status)
        return
    own = client.dialect == r.dialect
    if "f112a6-0" in r.name:
        return  # two answers in one file
    if r.fidelity == "pasted" or said is None:
        check(reply.status in (200, 502) or reply.status == 400, "status", reply.status)
        return
    if said.error:
        if reply.status == 200:
            check(r.stream, "an error became an answer")
            if not own:
                heard = client.streamed(reply.body)
                check(heard.error and not heard.ended, "an error became a clean end")
        return
    if r.stream and reply.status == 200 and own:
        check(r.fidelity != "raw" or reply.body.rstrip() == r.body.rstrip() or b"error" in reply.body[-600:], "other bytes than the recording's")
        return
    if own:
        check(reply.status in (200, 502), "status", reply.status)
        check(reply.status == 502 or reply.body.strip() == r.body.strip(), "other bytes than the recording's")
        return
    if reply.status == 502 and not (said.text or said.calls or said.thought):
        return  # nothing in it: an answer that is none
    if reply.status in (502,) and said.finish_word is None:
        return  # it never finished: that is said
    check(reply.status == 200, "status", reply.status, reply.body[:500])
    try:
        heard = client.streamed(reply.body) if r.stream else client.whole(reply.json())
    except (Broken, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
        raise AssertionError("%s: %s\n%s" % (type(e).__name__, e, reply.body.decode("utf-8", "replace")[-3000:]))
    if heard.error and said.finish_word is None:
        return
    compare(client, r, said, heard)


def main():
    args = arguments()
    if not os.path.isdir(recorded.FOLDER):
        print("SKIP replay: no recorded exchanges at ../shared/wire/exchanges")
        print("0 passed, 0 failed")
        return 0
    all_ = recorded.recordings()
    list_ = [r for r in all_ if r.dialect]
    others = collections.Counter(r.endpoint or "none" for r in all_ if not r.dialect)
    print("SKIP %d recordings that are no chat in a dialect served upstream: %s" % (sum(others.values()), ", ".join("%s %d" % o for o in others.most_common())))
    world, tally = None, Tally(args)
    while world is None:
        try:
            world = World(args.server, list_)
        except AssertionError as e:
            known = {d for d in {r.dialect for r in list_} if "`%s` is not supported yet" % d not in str(e)}
            if known == {r.dialect for r in list_}:
                raise
            print("SKIP recordings of dialects that are not served: %s" % sorted({r.dialect for r in list_} - known))
            list_ = [r for r in list_ if r.dialect in known]
    served = []
    for make in CLIENTS:
        path, _ = make(Ask(turns=[Turn("user", "x")])).request("r0/m", False)
        if b"is not supported yet" not in world.server.request("POST", path, b"{}").body:
            served.append(make)
    for at, r in enumerate(list_):
        said = recorded.read(r) if r.status < 300 else None
        for make in served:
            name = "%s>%s %s" % (make.dialect, r.dialect, r.name)
            if tally.wants(name):
                tally.attempt(name, run_one, world, at, r, make, said)
    return tally.end(world, "%d recordings" % len(list_))


if __name__ == "__main__":
    sys.exit(main())
