#!/usr/bin/env python3
"""Answers that break off, for every client dialect from every upstream dialect, gone on with by every upstream that can, through the real server.

  cut.py SERVER              runs all of them; the last line is "N passed, M failed"
  cut.py SERVER -k WORD      only those whose name ("anthropic: openai>bedrock") holds the word

Each stream is broken behind each of its frames and in the middle of each; then the same where nobody goes on. Clients are as strict as in run.py: what they hear has to be one stream.
"""
import json
import os
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "..", "integration"))

import harness
import upstream as scripted
from cases import Ask, Say, Thought, Turn, Usage
from client_base import Broken
from run import CLIENTS, check
from tally import Tally, arguments
from upstreams import UPSTREAMS, Refused

TEXT = "Once there was a brave   little router, and it went on and on."
# Who goes on: the provider's own settings, and its model.
GOES_ON = {
    "openai": ({"type": "vllm"}, "m"),
    "anthropic": ({"type": "anthropic"}, "claude-sonnet-4-5"),
    "ollama": ({"type": "ollama"}, "m"),
    "bedrock": ({"type": "bedrock", "region": "eu-west-1"}, "anthropic.claude-sonnet-4-5-v1:0"),
}
MARKS = {"openai": {"add_generation_prompt": False, "continue_final_message": True}}


class World:
    def __init__(self, binary):
        self.test = harness.Test(binary, scripted.Loop())
        self.upstream = self.test.upstream(self.answer)
        self.by_dialect = {u.dialect: u for u in UPSTREAMS}
        self.thought, self.places, self.place, self.abrupt = False, 0, 0, False
        self.deaf = False  # nobody goes on
        self.begun, self.faults = [], []
        config = self.test.config()
        config["providers"] = {}
        config["models"] = {}
        for u in UPSTREAMS:
            for side in ("cut", "on"):
                provider = {"base_url": u.base("%s/%s/%s" % (self.upstream.url.rsplit("/v1", 1)[0], side, u.dialect)), "dialect": u.dialect, "api_key": "key-up"}
                if u.dialect in ("anthropic", "gemini"):
                    provider["type"] = u.dialect
                if u.dialect == "bedrock":
                    provider.update(type="bedrock", region="eu-west-1")
                if hasattr(u, "provider"):
                    provider.update(u.provider())
                if side == "on":
                    provider.update(GOES_ON.get(u.dialect, ({}, ""))[0])
                config["providers"][side + "-" + u.dialect] = provider
        for first in UPSTREAMS:
            for then, (_, model) in GOES_ON.items():
                targets = [{"model": "cut-%s/first" % first.dialect, "priority": 1}, {"model": "on-%s/%s" % (then, model), "priority": 2}]
                config["models"]["%s-%s" % (first.dialect, then)] = {"targets": targets, "strategy": "priority"}
        config["routing"] = {"attempts": 2, "retry_budget": "off", "cooldown": {"failures": 1000, "within": "1s"}, "continue_on": "cut"}
        self.server = self.test.start(config)

    async def answer(self, exchange):
        request = exchange.request
        if request.method == "GET":
            return await scripted.good(exchange)  # lists of models
        side, _, rest = request.target.lstrip("/").partition("/")
        up = self.by_dialect[rest.partition("/")[0]]
        up.joins = True  # the conversation is of one turn
        try:
            body = json.loads(request.body)
            if side == "on":
                self.marked(up, body)
            ask = up.see(urllib.parse.unquote("/" + rest), request.headers, body)
            begun = ask.turns[-1].text if ask.turns[-1].role == "assistant" else ""
            check(side == "cut" or TEXT.startswith(begun), "it goes on from", repr(begun))
            check(begun == begun.rstrip(), "blanks at the end of", repr(begun))
        except (AssertionError, Refused, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
            self.faults.append("%s: %s\n%s" % (type(e).__name__, e, request.body.decode("utf-8", "replace")[:2000]))
            return exchange.close()
        thought = Thought("Let me think.", "c2lnbmVk") if self.thought and side == "cut" else None
        pieces = up.stream(Say(TEXT[len(begun):], thought=thought, usage=Usage(100, 25)), ask.model)
        if side == "on" and self.deaf:
            return await exchange.send(scripted.error(500))
        if side == "on":
            self.begun.append(begun)
            return await self.send(exchange, up, pieces, False)
        # Places: behind the first piece, in the middle of the second, behind it, and so on.
        self.places = 2 * len(pieces) - 1
        whole, half = divmod(self.place + 1, 2)
        cut = pieces[:whole] + ([pieces[whole][:len(pieces[whole]) // 2]] if half else [])
        await self.send(exchange, up, [p for p in cut if p], self.abrupt)

    @staticmethod
    def marked(up, body):
        """The vendor's own words for it stand beside an answer that was begun and nowhere else; the strict upstreams know none of them."""
        marks = MARKS.get(up.dialect, {})
        begun = up.dialect == "openai" and body["messages"][-1]["role"] == "assistant"
        for name, value in marks.items():
            check(body.pop(name, None) == (value if begun else None), name)
        body.pop("chat_template_kwargs", None)

    async def send(self, exchange, up, pieces, abrupt):
        head = "HTTP/1.1 200 X\r\n" + "".join("%s: %s\r\n" % h for h in up.headers(True)) + "transfer-encoding: chunked\r\n\r\n"
        await exchange.send(head.encode())
        for piece in pieces:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        if abrupt:
            return exchange.close()
        await exchange.send(b"0\r\n\r\n")


def heard_by(client, reply):
    try:
        return client.streamed(reply.body)
    except (Broken, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
        raise AssertionError("%s: %s\n%s" % (type(e).__name__, e, reply.body.decode("utf-8", "replace")[:6000]))


def one_place(world, make, first, then):
    client = make(Ask(turns=[Turn("user", "Tell me.")], max_tokens=500))
    path, body = client.request("%s-%s" % (first, then), True)
    del world.begun[:]
    reply = world.server.request("POST", path, json.dumps(body).encode(), headers=client.headers())
    where = "place %d, %s%s: " % (world.place, "abrupt" if world.abrupt else "clean", ", with a thought" if world.thought else "")
    if world.faults:
        raise AssertionError(where + world.faults.pop())
    if world.deaf and reply.status != 200:
        return 0  # nothing had been said
    check(reply.status == 200, where, reply.status, reply.body[:500])
    if client.dialect == first and not world.begun and world.place >= world.places - 5:
        return 0  # it had finished: the upstream's own end is passed as it came
    heard = heard_by(client, reply)
    shown = "\n" + reply.body.decode("utf-8", "replace")[:6000]
    if world.deaf:
        check(heard.error and not heard.ended, where, "no error", shown)
        check(TEXT.startswith(heard.text.strip()), where, "text", repr(heard.text), shown)
        check(b"llmrouter: continued" not in reply.body, where, "a remark", shown)
        return 0
    if heard.error:  # in the middle of a thought, or an answer that had finished and lost its counts
        check(not heard.ended and not world.begun, where, heard.error, shown)
        check(not heard.text.strip() and world.thought or heard.text == TEXT, where, "nobody went on from", repr(heard.text), shown)
        return 0
    check(heard.ended and heard.finish == "stop", where, "no clean end", heard.finish, shown)
    check(heard.text == TEXT, where, "text", repr(heard.text), shown)
    check(heard.usage.output and heard.usage.input is not None, where, "usage", heard.usage, shown)
    if any(world.begun):
        # Both inputs are in the sum.
        check(heard.usage.input > 100 and heard.usage.output > 25, where, "usage", heard.usage, shown)
        remark = b": llmrouter: continued from=cut-%s/first to=on-%s/" % (first.encode(), then.encode())
        check((remark in reply.body) == (client.dialect not in ("gemini", "ollama")), where, "remark", shown)
    return len([b for b in world.begun if b])


def run_pair(world, make, first, then):
    gone_on, world.deaf = 0, False
    for world.thought in (False, True):
        if world.thought and first == "http":
            continue
        for world.abrupt in (False, True):
            world.place, world.places = 0, 1
            if first == "http" and not world.abrupt:
                continue  # the end of the stream is the end of the answer there
            while world.place < world.places:
                gone_on += one_place(world, make, first, then)
                world.place += 1
    check(gone_on >= 2, "it never went on")
    world.thought, world.abrupt, world.deaf = False, True, True
    world.place, world.places = 0, 6
    while world.place < world.places - 5:
        one_place(world, make, first, then)
        world.place += 1


def main():
    args = arguments()
    world, tally = World(args.server), Tally(args)
    for make in CLIENTS:
        for first in UPSTREAMS:
            for then in GOES_ON:
                name = "%s: %s>%s" % (make.dialect, first.dialect, then)
                if tally.wants(name):
                    tally.attempt(name, run_pair, world, make, first.dialect, then)
    return tally.end(world)


if __name__ == "__main__":
    sys.exit(main())
