#!/usr/bin/env python3
"""Every client dialect against every upstream dialect, through the real server.

  run.py SERVER              runs all pairs; the last line is "N passed, M failed"
  run.py SERVER -k WORD      only those whose name ("anthropic>openai tool stream") holds the word
  run.py SERVER --write      also puts the table of all pairs into lib/dialects/README.md; else a stale table is a failure

Clients and upstreams here were written from the vendors' documents and share no code with the library. Both are strict.
"""
import json
import os
import re
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "..", "integration"))

import harness
import upstream as scripted
from cases import BY_NAME, CASES, Ask, Result, Turn
from client_anthropic import Anthropic
from client_base import Broken
from client_cohere import Cohere
from client_gemini import Gemini
from client_ollama import Ollama
from client_openai import OpenAi
from client_responses import Responses
from tally import Tally, arguments
from upstreams import UPSTREAMS, Refused

CLIENTS = [OpenAi, Responses, Anthropic, Gemini, Ollama, Cohere]
README = os.path.join(HERE, "..", "..", "lib", "dialects", "README.md")
BEGIN, END = "<!-- conformance: made by tests/conformance/run.py --write -->\n", "<!-- conformance end -->\n"

TEXT_ALONE = "a template has words for text alone"
# What a target cannot express: the answer is 400, and its message names this.
REFUSED = {
    ("ollama", "tools_parallel"): "tool_choice",
    ("http", "tool"): "tools", ("http", "tools_parallel"): "tools", ("http", "tool_custom"): "tools", ("http", "tool_no_arguments"): "tools", ("http", "tool_error"): "tools",
    ("http", "image"): "image", ("http", "schema"): "response_format", ("http", "reasoning"): "tools",
}
# What an upstream has no way to say.
UNSAID = {
    ("ollama", "filter"): "no such done_reason", ("cohere", "filter"): "no such finish_reason",
    ("gemini", "tier"): "no service tier", ("ollama", "tier"): "no service tier", ("cohere", "tier"): "no service tier", ("http", "tier"): "no service tier",
    ("ollama", "cache"): "no count of cached tokens", ("http", "cache"): "no count of cached tokens",
}
STREAMS_ALONE = {"error_inside"}


class World:
    """One upstream server for all dialects, one llmrouter-server in front of it."""

    def __init__(self, binary):
        self.test = harness.Test(binary, scripted.Loop())
        self.upstream = self.test.upstream(self.answer)
        self.by_dialect = {u.dialect: u for u in UPSTREAMS}
        self.seen = []       # [(Ask or exception)]: what the upstream made of each request
        self.served = []
        self.providers = {}
        for u in UPSTREAMS:
            for name in [u.dialect + "-up"] + ["%s-busy-%s-%d" % (u.dialect, c.dialect, s) for c in CLIENTS for s in (0, 1)]:
                self.providers[name] = self.provider(u, name)
        self.drop_unknown(binary)
        config = self.test.config()
        config["providers"] = self.providers
        config["routing"] = {"attempts": 1, "cooldown": {"failures": 1000}}
        self.server = self.test.start(config)

    def provider(self, u, name):
        base = {"base_url": u.base("%s/%s" % (self.upstream.url.rsplit("/v1", 1)[0], u.dialect)), "dialect": u.dialect, "api_key": "key-up",
                "models": {"override": [case.name for case in CASES]}}
        if u.dialect == "anthropic":
            base["type"] = "anthropic"
        if u.dialect == "gemini":
            base["type"] = "gemini"
        if u.dialect == "bedrock":
            base.update(type="bedrock", region="eu-west-1")
        if hasattr(u, "provider"):
            base.update(u.provider())
        return base

    def drop_unknown(self, binary):
        """A dialect the server does not know at all is no pair; the table says so."""
        config = self.test.config()
        for u in UPSTREAMS:
            config["providers"] = {u.dialect + "-up": self.providers[u.dialect + "-up"]}
            path = os.path.join(self.test.folder, "check.yaml")
            with open(path, "w") as f:
                json.dump(config, f)
            done = self.test.cli("check", "-c", path)
            if done.returncode == 0:
                self.served.append(u.dialect)
            else:
                print("SKIP upstream %s: %s" % (u.dialect, (done.stdout + done.stderr).strip().splitlines()[:2]))
                self.providers = {k: v for k, v in self.providers.items() if not k.startswith(u.dialect + "-")}

    def serves(self, make):
        client = make(Ask(turns=[Turn("user", "x")]))
        path, _ = client.request("nobody/knows", False)
        return b"is not supported yet" not in self.server.request("POST", path, b"{}").body

    async def answer(self, exchange):
        request = exchange.request
        dialect, _, _ = request.target.lstrip("/").partition("/")
        up = self.by_dialect[dialect]
        try:
            body = json.loads(request.body)
            ask = up.see(urllib.parse.unquote(request.target), request.headers, body)
            case = BY_NAME[ask.model.rpartition("/")[2]]
            self.seen.append(ask)
        except (Refused, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
            words = "the upstream refused: %s: %s" % (type(e).__name__, e)
            self.seen.append(Refused(words + "\n" + request.target + "\n" + request.body.decode("utf-8", "replace")[:3000]))
            return await self.send(exchange, 400, up.headers(False), [up.error(400, words)], whole=True)
        turn = sum(1 for t in ask.turns if t.role == "assistant") - sum(1 for t in case.ask.turns if t.role == "assistant")
        say = case.says[min(turn, len(case.says) - 1)]
        say = up.said(say, ask)
        if say.error and not say.inside:
            return await self.send(exchange, say.error[0], up.headers(False), [up.error(*say.error)], whole=True)
        if ask.stream:
            return await self.send(exchange, 200, up.headers(True), up.stream(say, ask.model), whole=False)
        await self.send(exchange, 200, up.headers(False), [up.whole(say, ask.model)], whole=True)

    async def send(self, exchange, status, headers, pieces, whole):
        head = "HTTP/1.1 %d X\r\n" % status + "".join("%s: %s\r\n" % h for h in headers)
        head += "content-length: %d\r\n\r\n" % len(pieces[0]) if whole else "transfer-encoding: chunked\r\n\r\n"
        await exchange.send(head.encode())
        for piece in pieces:
            await exchange.send(piece if whole else b"%x\r\n%s\r\n" % (len(piece), piece))
        if not whole:
            await exchange.send(b"0\r\n\r\n")


def check(condition, *words):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in words))


def squeeze(text):
    return re.sub(r"\s+", "", text)


def merged(turns):
    """Turns of one role after the other as one."""
    out = []
    for turn in turns:
        if out and out[-1].role == turn.role:
            last = out[-1]
            last.text += turn.text
            last.images += turn.images
            last.calls += turn.calls
            last.results += turn.results
            last.thought = last.thought or turn.thought
        else:
            out.append(Turn(turn.role, turn.text, turn.images, turn.calls, turn.results, turn.thought))
    return out


def same_schema(got, wanted, name):
    check(isinstance(got, dict) or not wanted["properties"], name, "no schema:", got)
    check(set((got or {}).get("properties") or {}) == set(wanted["properties"]), name, "properties", got)
    check(set((got or {}).get("required") or []) == set(wanted.get("required") or []), name, "required", got)


def understood(client, up, ask, turns, seen):
    """Did the upstream get what the client meant?"""
    if isinstance(seen, Exception):
        raise AssertionError(str(seen))
    check(squeeze(seen.system) == squeeze(ask.system), "system:", repr(seen.system))
    expected, got = merged(turns), merged(seen.turns)
    check([t.role for t in got] == [t.role for t in expected], "roles:", got, "instead of", expected)
    for g, e in zip(got, expected):
        check(squeeze(g.text) == squeeze(e.text), "text:", repr(g.text), "instead of", repr(e.text))
        check(g.images == e.images, "images")
        check([(c.name, c.arguments) for c in g.calls] == [(c.name, c.arguments) for c in e.calls], "calls:", g.calls, "instead of", e.calls)
        check(len(g.results) == len(e.results), "results:", g.results)
        for r, w in zip(g.results, e.results):
            check(w.text in r.text, "result:", r, "instead of", w)
            check(r.error == w.error or not ("tool_error" in up.takes and "tool_error" in client.carries), "a failed tool is none")
        if e.thought and "signature" in client.carries and "signature" in up.takes:
            check(g.thought and g.thought.signature == e.thought.signature, "signature:", g.thought and g.thought.signature, "instead of", e.thought.signature)
    if "call_ids" in up.takes:
        calls = [c.id for t in got for c in t.calls]
        check(calls == [r.id for t in got for r in t.results] and len(set(calls)) == len(calls), "ids of calls and results")
    if up.dialect == "http":
        return
    check([(t["name"], t["description"]) for t in seen.tools] == [(t["name"], t["description"]) for t in ask.tools], "tools:", seen.tools)
    for g, e in zip(seen.tools, ask.tools):
        if e["schema"]["properties"]:
            same_schema(g["schema"], e["schema"], "tool")
    check(seen.choice == ask.choice, "tool_choice:", seen.choice)
    if ask.schema:
        check(seen.schema, "the schema is gone")
        same_schema(seen.schema[1], ask.schema[1], "response_format")
    else:
        check(not seen.schema, "a schema nobody asked for")
    if ask.max_tokens:
        check(seen.max_tokens == ask.max_tokens, "max_tokens:", seen.max_tokens)
    if ask.temperature is not None:
        check(seen.temperature == ask.temperature, "temperature:", seen.temperature)
    if "responses" not in (up.dialect, client.dialect):
        check(seen.stop == ask.stop, "stop:", seen.stop)
    # Who wants thoughts back with calls cannot be asked to think on when the client lost them.
    lost = "signature" in up.takes and "signature" not in client.carries and any(t.calls for t in turns)
    check(bool(seen.effort) == bool(ask.effort) or seen.effort == "none" or (lost and not seen.effort), "reasoning:", seen.effort)


def heard_well(client, up, say, heard, ids):
    check(heard.ended and heard.error is None, "no clean end:", heard.error)
    check(heard.text == say.text, "text:", repr(heard.text))
    check([(c.name, c.arguments) for c in heard.calls] == [(c.name, c.arguments) for c in say.calls], "calls:", heard.calls)
    if "call_ids" in up.takes and "call_ids" in client.carries:
        check([c.id for c in heard.calls] == [c.id for c in say.calls], "ids:", heard.calls)
    check(heard.finish == say.finish, "finish:", heard.finish)
    check(heard.usage.input == say.usage.input and heard.usage.output == say.usage.output, "usage:", heard.usage, "instead of", say.usage)
    if "cache" in client.carries and "cached" in up.tells:
        check(heard.usage.cached == say.usage.cached, "cached:", heard.usage)
    if "reasoning_tokens" in client.carries and "reasoning_tokens" in up.tells:
        check(heard.usage.reasoning == say.usage.reasoning, "reasoning:", heard.usage)
    if "tier" in client.carries:
        check(heard.usage.tier == say.usage.tier, "service tier:", heard.usage.tier)
    if say.thought and "thought" in client.carries:
        check(heard.thought == say.thought.text, "thought:", repr(heard.thought))
    if heard.id is not None:
        check(heard.id not in ids, "an id that was used before:", heard.id)
        ids.add(heard.id)


def call(world, client, model, stream):
    path, body = client.request(model, stream)
    before = len(world.seen)
    reply = world.server.request("POST", path, json.dumps(body, ensure_ascii=False).encode(), headers=client.headers())
    return reply, world.seen[before:]


def run_pair(world, ids, make, up, case, stream):
    ask = case.new_ask()
    client = make(ask)
    up.joins = client.dialect == up.dialect
    turns = list(ask.turns)
    provider = "%s-busy-%s-%d" % (up.dialect, client.dialect, stream) if case.name == "error_busy" else up.dialect + "-up"
    for say in case.says:
        reply, seen = call(world, client, "%s/%s" % (provider, case.name), stream)
        refused = REFUSED.get((up.dialect, case.name))
        if refused == "tool_choice" and not ask.choice:
            refused = None  # this client cannot ask for it
        if refused:
            check(reply.status == 400, "status", reply.status, "instead of 400:", reply.body[:300])
            words = client.error_message(reply.json())
            check(refused in words or up.dialect in words, "the words name nothing:", words)
            check(not seen, "it was sent all the same")
            return
        check(len(seen) == 1, "requests upstream:", len(seen), reply.status, reply.body[:500])
        if say.error and not say.inside:
            understood(client, up, ask, turns, seen[0])
            check(reply.status == say.error[0], "status", reply.status, reply.body[:300])
            words = client.error_message(reply.json())
            check(say.error[1] in words, "the provider's words are gone:", words)
            return
        check(reply.status == 200, "status", reply.status, reply.body[:2000], isinstance(seen[0], Exception) and seen[0] or "")
        understood(client, up, ask, turns, seen[0])
        kind = reply.header("content-type") or ""
        check(kind.startswith(client.stream_type if stream else "application/json"), "content-type", kind)
        try:
            heard = client.streamed(reply.body) if stream else client.whole(reply.json())
        except (Broken, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
            raise AssertionError("%s: %s\n%s" % (type(e).__name__, e, reply.body.decode("utf-8", "replace")[:6000]))
        if say.error:
            check(heard.error and say.error[1] in heard.error, "the error's words:", heard.error)
            check(not heard.ended, "a clean end after an error")
            check(heard.text == say.text, "text before the error:", repr(heard.text))
            return
        try:
            heard_well(client, up, say, heard, ids)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, reply.body.decode("utf-8", "replace")[:6000]))
        client.absorb(heard)
        turns.append(Turn("assistant", say.text, calls=say.calls, thought=say.thought))
        if say.calls:
            given = [(r, False) if isinstance(r, str) else r for r in case.results]
            client.give([(c, text, failed) for c, (text, failed) in zip(heard.calls, given)])
            turns.append(Turn("tool", results=[Result(c.id, c.name, text, failed) for c, (text, failed) in zip(say.calls, given)]))


def note(up, case):
    if (up.dialect, case.name) in REFUSED:
        return "400: " + REFUSED[(up.dialect, case.name)]
    return UNSAID.get((up.dialect, case.name))


def table(world):
    clients = [c.dialect for c in CLIENTS if world.serves(c)]
    out = [BEGIN, "\nEvery client dialect (%s) does what stands here towards each upstream dialect, whole and streamed.\n\n" % ", ".join(clients)]
    served = [u for u in UPSTREAMS if u.dialect in world.served]
    out.append("| case | " + " | ".join(u.dialect for u in served) + " |\n" + "|---" * (len(served) + 1) + "|\n")
    for case in CASES:
        out.append("| %s | " % case.name + " | ".join(note(u, case) or "yes" for u in served) + " |\n")
    out.append("\n`400: x`: the target has no word for `x`; the caller hears it by name, or another target is asked. A reason instead of yes: the upstream has no way to say it.\n")
    out.append("Error inside a stream: streams alone. `http`: the template dialect, text alone.\n")
    return "".join(out) + END


def check_table(world, write):
    with open(README) as f:
        text = f.read()
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < 0:
        return "lib/dialects/README.md has no place for the table"
    now = text[:begin] + table(world) + text[end + len(END):]
    if now == text:
        return None
    if write:
        with open(README, "w") as f:
            f.write(now)
        return None
    return "the table in lib/dialects/README.md is stale: run tests/conformance/run.py SERVER --write"


def main():
    args = arguments("--write")
    world, tally, ids = World(args.server), Tally(args), set()
    for make in CLIENTS:
        if not world.serves(make):
            print("SKIP client %s: its path is not served" % make.dialect)
            continue
        for up in UPSTREAMS:
            if up.dialect not in world.served:
                continue
            for case in CASES:
                if (up.dialect, case.name) in UNSAID:
                    continue
                for stream in (False, True):
                    name = "%s>%s %s %s" % (make.dialect, up.dialect, case.name, "stream" if stream else "whole")
                    if tally.wants(name) and (stream or case.name not in STREAMS_ALONE):
                        tally.attempt(name, run_pair, world, ids, make, up, case, stream)
    stale = check_table(world, args.write) if not args.k else None
    if stale:
        tally.failed("table", stale)
    return tally.end(world)


if __name__ == "__main__":
    sys.exit(main())
