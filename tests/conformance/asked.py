#!/usr/bin/env python3
"""Every recorded request, sent as its own dialect's client to an upstream of every dialect: each upstream, strict as it is, takes what it gets,
or the caller hears by name what cannot be said.

  asked.py SERVER [-k WORD] [-v]

Skipped with a line when the recordings are not there. The last line is "N passed, M failed".
"""
import json
import os
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "..", "integration"))

import cases
import recorded
import run as pairs
from run import CLIENTS, World, check
from tally import Tally, arguments


class Asked(World):
    """The upstreams of the pairs, which here say one and the same to all."""

    async def answer(self, exchange):
        request = exchange.request
        up = self.by_dialect[request.target.lstrip("/").partition("/")[0]]
        try:
            ask = up.see(urllib.parse.unquote(request.target), request.headers, json.loads(request.body))
            self.seen.append(ask)
        except (pairs.Refused, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
            self.seen.append(pairs.Refused("%s: %s\n%s\n%s" % (type(e).__name__, e, request.target, request.body.decode("utf-8", "replace")[:4000])))
            return await self.send(exchange, 400, up.headers(False), [up.error(400, "refused")], whole=True)
        say = cases.Say('{"well": "said"}')
        say = up.said(say, ask)
        if ask.stream:
            return await self.send(exchange, 200, up.headers(True), up.stream(say, ask.model), whole=False)
        await self.send(exchange, 200, up.headers(False), [up.whole(say, ask.model)], whole=True)


def request_of(r, make, model):
    """(path, body, streamed) of a recorded request for another model."""
    body = json.loads(r.request["body"])
    client = make(cases.Ask(turns=[cases.Turn("user", "x")]))
    if r.dialect == "gemini":
        stream = r.endpoint == "streamGenerateContent"
        path, _ = client.request(model, stream)
    else:
        stream = bool(body.get("stream", r.dialect == "ollama"))
        path, _ = client.request(model, stream)
        body["model"] = model
        if r.dialect == "openai" and stream:
            body["stream_options"] = {"include_usage": True}  # the client is strict about it
        body.pop("anthropic_version", None)
    return client, path, body, stream


def run_one(world, r, make, up):
    client, path, body, stream = request_of(r, make, "%s-up/text" % up.dialect)
    before = len(world.seen)
    reply = world.server.request("POST", path, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), headers=client.headers())
    seen = world.seen[before:]
    if not seen:
        check(reply.status == 400, "status", reply.status, reply.body[:400])
        words = client.error_message(reply.json())
        check(words and len(words) > 10, "a refusal without words")
        return "refused: " + words
    if client.dialect == up.dialect:
        return "passed"  # the client's own bytes: whatever they were
    check(not isinstance(seen[0], Exception), "the upstream refuses it:", seen[0])
    check(reply.status == 200, "status", reply.status, reply.body[:400])
    heard = client.streamed(reply.body) if stream else client.whole(reply.json())
    check(heard.text == '{"well": "said"}', "text:", heard.text)
    return "translated"


def main():
    args = arguments()
    if not os.path.isdir(recorded.FOLDER):
        print("SKIP asked: no recorded exchanges at ../shared/wire/exchanges")
        print("0 passed, 0 failed")
        return 0
    world, tally, refusals = Asked(args.server), Tally(args), {}
    makes = {make.dialect: make for make in CLIENTS if world.serves(make)}
    for r in recorded.recordings():
        if r.dialect not in makes or r.fidelity == "pasted" or r.status >= 400:
            continue
        try:
            if not isinstance(json.loads(r.request.get("body") or "null"), dict):
                continue
        except ValueError:
            continue
        for up in pairs.UPSTREAMS:
            name = "%s>%s %s" % (r.dialect, up.dialect, r.name)
            if up.dialect not in world.served or not tally.wants(name):
                continue
            how = tally.attempt(name, run_one, world, r, makes[r.dialect], up)
            if how is not None and how.startswith("refused"):
                refusals.setdefault((up.dialect, how[:110]), []).append(name)
    for (dialect, words), names in sorted(refusals.items()):
        print("%4d not for %s, %s" % (len(names), dialect, words))
    return tally.end(world)


if __name__ == "__main__":
    sys.exit(main())
