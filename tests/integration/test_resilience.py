"""Bad days, at small scale and in real time: who is asked again, who rests, who waits."""
import json
import threading
import time

import upstream as up
from harness import ADMIN, wait

TWO = {"main": {"targets": [{"model": "up/a", "priority": 1}, {"model": "up2/b", "priority": 2}], "strategy": "priority"}}


def after(seconds, then=up.good):
    async def handler(x):
        if x.request.method == "POST":
            await x.sleep(seconds)
        await then(x)
    return handler


def in_parallel(count, call):
    out = [None] * count

    def run(i):
        out[i] = call(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    return out


def target(s, name, provider):
    health = s.get("/v1/health/models/" + name).json()
    return health, [x for x in health["targets"] if x["provider"] == provider][0]


def test_outage_is_left_after_a_few_and_found_over_by_one(t):
    state = {"broken": True}

    async def flaky(x):
        await (up.sends(up.error(503)) if state["broken"] else up.good)(x)
    bad, good = t.upstream(flaky), t.upstream()
    s = t.server(bad, good, models=TWO, routing={"cooldown": {"failures": 3, "within": "10s", "for": "1s", "max": "2s"}})
    for _ in range(10):
        r = s.chat("main")
        assert r.status == 200 and r.header("x-llmrouter-provider") == "up2", (r.status, r.body)
    assert len(bad.chats()) == 3, len(bad.chats())
    health, broken = target(s, "main", "up")
    assert health["status"] == "degraded" and broken["breaker"] == "open" and 0 < broken["resting_ms"] <= 1000, health
    time.sleep(1.05)
    for r in in_parallel(8, lambda i: s.chat("main")):
        assert r.status == 200, r.body
    assert len(bad.chats()) == 4, "one probe: %d" % (len(bad.chats()) - 3)
    state["broken"] = False
    time.sleep(2.05)
    assert s.chat("main").header("x-llmrouter-provider") == "up"
    health, back = target(s, "main", "up")
    assert health["status"] == "ok" and back["breaker"] == "closed", health


def test_a_limited_key_rests_as_long_as_it_was_told(t):
    async def limited(x):
        if x.request.headers.get("authorization") == "Bearer sk-a-00000000":
            return await up.sends(up.error(429, "slow down", "rate_limit_exceeded", headers=[("retry-after-ms", "1500")]))(x)
        await up.good(x)
    u = t.upstream(limited)
    config = t.config(u)
    config["providers"]["up"].pop("api_key", None)
    config["providers"]["up"]["api_keys"] = [{"name": "a", "key": "sk-a-00000000"}, {"name": "b", "key": "sk-b-00000000"}]
    s = t.start(config)
    asked = lambda: sum(x.headers.get("authorization") == "Bearer sk-a-00000000" for x in u.chats())
    began = time.monotonic()
    while asked() == 0:
        assert s.chat("up/m").status == 200
    while time.monotonic() - began < 1.3:
        assert s.chat("up/m").status == 200
        time.sleep(0.05)
    assert asked() == 1
    told = s.request("GET", "/v1/health/providers", key=ADMIN).json()
    state = [c for p in told["data"] if p["name"] == "up" for c in p["credentials"] if c["name"] == "a"][0]
    assert state["resting"] and state["why"] == "rate limited" and 0 < state["resting_ms"] <= 1500, state
    assert wait(lambda: s.chat("up/m").status == 200 and asked() >= 2), asked()


def test_hedging_answers_for_a_slow_target(t):
    slow, good = t.upstream(after(5)), t.upstream()
    s = t.server(slow, good, models=TWO, routing={"hedge": {"after": "200ms", "max_extra": "100%"}})
    for stream in (False, True):
        began = time.monotonic()
        r = s.chat("main", stream=stream)
        assert r.status == 200 and r.header("x-llmrouter-provider") == "up2", (r.status, r.body)
        assert 0.2 <= time.monotonic() - began < 2, time.monotonic() - began
    record = s.usage()[0]
    assert [(a["provider"], a["outcome"]) for a in record["attempts"]] == [("up", "cancelled"), ("up2", "ok")], record


def test_a_queue_serves_all_where_none_serves_one(t):
    for queue, expected in (({}, 1), ({"max_wait": "10s"}, 6)):
        u = t.upstream(after(0.2))
        config = t.config(u, routing={"queue": queue} if queue else {})
        config["providers"]["up"]["limits"] = {"concurrent": 1}
        s = t.start(config)
        codes = [r.status for r in in_parallel(6, lambda i: s.chat("up/m"))]
        assert codes.count(200) == expected and codes.count(429) == 6 - expected, codes
        assert len(u.chats()) == expected


def test_long_prompts_have_fallbacks_of_their_own(t):
    small = t.upstream(up.sends(up.error(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded", "invalid_request_error")))
    large, spare = t.upstream(), t.upstream()
    s = t.server(small, large, spare, models={"main": {"targets": ["up/a"], "fallbacks": ["spare"], "context_fallbacks": ["long"]}, "long": "up2/b", "spare": "up3/c"})
    r = s.chat("main")
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up2", (r.status, r.body)
    assert len(spare.chats()) == 0


def test_the_retry_budget_bounds_an_outage(t):
    bad, worse = t.upstream(up.sends(up.error(500))), t.upstream(up.sends(up.error(500)))
    s = t.server(bad, worse, models=TWO, routing={"attempts": 2, "retry_budget": "10%", "cooldown": {"failures": 1000}})
    replies = in_parallel(4, lambda i: [s.chat("main") for _ in range(50)])
    assert all(r.status == 502 for some in replies for r in some)
    sent = len(bad.chats()) + len(worse.chats())
    assert 200 + 100 <= sent <= 200 + 100 + 20, sent
    assert any("retry_budget" in r.message for some in replies for r in some)


def test_probes_find_out_before_a_caller_does(t):
    u, other = t.upstream(), t.upstream()
    config = t.config(u, other, models=TWO, routing={"cooldown": {"failures": 2, "within": "10s", "for": "30s"}})
    config["providers"]["up"]["health"] = {"probe": "models", "interval": "1s"}
    s = t.start(config)
    listed = lambda: sum(x.method == "GET" for x in u.seen)
    before = listed()
    assert wait(lambda: listed() >= before + 2), "not probed"
    assert s.get("/api/v1/providers/health").json()["status"] == "ok"
    u.close()
    down = lambda: s.get("/v1/health/providers").json()["status"] == "degraded"
    assert wait(down), s.get("/v1/health/providers").body
    r = s.chat("main")
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up2" and r.header("x-llmrouter-attempts") == "1", r.head


def test_an_answer_that_breaks_off_goes_on_elsewhere_and_is_paid_for_twice(t):
    words = ["One", " two", " three", " four"]

    async def breaks(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(up.STREAM_HEAD)
        for frame in up.frames(words[:2])[:3]:
            await x.send(up.http_chunk(frame))
        x.close()

    async def goes_on(x):
        if x.request.method == "GET":
            return await up.good(x)
        said = x.request.json()["messages"][-1]
        rest = words[2:] if said["role"] == "assistant" else words
        assert said == {"role": "assistant", "content": "One two"} and x.request.json()["continue_final_message"] is True, x.request.body
        await x.send(up.STREAM_HEAD)
        for frame in up.frames(rest, usage={"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}):
            await x.send(up.http_chunk(frame.replace(b"chatcmpl-s", b"chatcmpl-other")))
        await x.send(up.LAST_CHUNK)

    first, second = t.upstream(breaks), t.upstream(goes_on)
    for on in (False, True):
        config = t.config(first, second, models=TWO, routing={"continue_on": "cut"} if on else {},
                          prices={"entries": [{"model": "up/*", "input": 1, "output": 1}, {"model": "up2/*", "input": 10, "output": 10}]})
        config["providers"]["up2"]["type"] = "vllm"
        s = t.start(config)
        r = s.chat("main", stream=True, stream_options={"include_usage": True})
        record = s.usage()[0]
        if not on:
            assert record["status"] == "cut" and b"[DONE]" not in r.body and b"continued" not in r.body, (record, r.body)
            assert "error" in json.loads(r.events()[-1]), r.body
            continue
        assert r.text() == "One two three four", r.body
        assert r.body.count(b": llmrouter: continued from=up/a to=up2/b\n\n") == 1 and r.body.count(b"[DONE]") == 1, r.body
        chunks = [json.loads(e) for e in r.events() if e != "[DONE]"]
        assert {c["id"] for c in chunks} == {"chatcmpl-s"}, r.body
        assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]] == ["stop"], r.body
        usage = chunks[-1]["usage"]
        assert usage["prompt_tokens"] > 40 and usage["completion_tokens"] == 4, usage
        assert record["status"] == "ok" and record["provider"] == "up2" and record["estimated"], record
        assert [(a["provider"], a["outcome"]) for a in record["attempts"]] == [("up", "cut"), ("up2", "ok")], record
        assert "continued from up/a" in record["decision"], record
        assert record["input_tokens"] == usage["prompt_tokens"] and record["output_tokens"] == 4, record
        costs = [a["cost_nano_usd"] for a in record["attempts"]]
        assert costs[0] == (usage["prompt_tokens"] - 40 + 2) * 1000 and costs[1] == 42 * 10000, record
        assert record["cost_nano_usd"] == sum(costs), record


def test_a_providers_own_total_bounds_its_attempts(t):
    async def drips(x):
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(100):
            await x.send(up.chunk({"content": "drop "}))
            await x.sleep(0.05)
        await x.send(b"data: [DONE]\n\n")

    async def never(x):
        await x.sleep(5)
    slow, dripping, good = t.upstream(never), t.upstream(drips), t.upstream()
    config = t.config(slow, dripping, good, models={"both": {"targets": ["up/m1", "up3/m1"], "strategy": "round_robin"}}, routing={"timeouts": {"idle": "30s"}})
    for name in ("up", "up2"):
        config["providers"][name]["timeouts"] = {"total": "400ms"}
    s = t.start(config)
    began = time.monotonic()
    r = s.chat("up/m1", headers=[("x-llmrouter-timeout", "20s")])
    assert r.status == 504 and "timeout: total: no complete answer within 400 ms" in r.message and time.monotonic() - began < 4, (r.status, r.body)
    # The next target has its own time.
    for _ in range(2):
        assert s.chat("both").status == 200
    # A stream that goes on and on is cut in its middle, and says so.
    began = time.monotonic()
    r = s.chat("up2/m1", stream=True)
    assert r.status == 200 and "timeout: total" in r.body.decode() and time.monotonic() - began < 3, r.body


def test_quirk_a_retry_after_header_on_a_200_rests_nobody(t):
    """Anthropic and Together send it beside good answers."""
    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"data": [{"id": "m1"}]}))
        answer = {"id": "c", "object": "chat.completion", "model": "m1", "usage": up.USAGE,
                  "choices": [{"index": 0, "message": {"role": "assistant", "content": "good"}, "finish_reason": "stop"}]}
        await x.send(up.reply(answer, headers=[("retry-after", "600"), ("retry-after-ms", "600000")]))
    u, other = t.upstream(handler), t.upstream(up.good)
    config = t.config(u, models={"both": {"strategy": "priority", "targets": [{"model": "up/m1", "priority": 1}, {"model": "other/m1", "priority": 2}]}})
    config["providers"]["other"] = {"base_url": other.url, "api_key": "sk-other-123456"}
    s = t.start(config)
    for _ in range(3):
        r = s.chat("both")
        assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == "good" and r.header("retry-after") is None, (r.status, r.headers, r.body)
    assert len(u.chats()) == 3 and other.chats() == []


def test_calls_without_an_end_end_an_attempt_in_its_providers_name(t):
    """Gemini's and Ollama's clients get calls whole: what they wait for has a bound, which is the upstream's fault."""
    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"data": [{"id": "m1"}]}))
        await x.send(up.CLOSE_HEAD)
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\""}}
        for call in [first] + [{"index": 0, "function": {"arguments": "x" * (1 << 20)}}] * 34:
            await x.send(b"data: " + json.dumps({"id": "c", "model": "m1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).encode() + b"\n\n")
    u = t.upstream(handler)
    s = t.server(u)
    body = {"model": "up/m1", "messages": [{"role": "user", "content": "hi"}]}
    lines = s.request("POST", "/api/chat", body, timeout=60).body.splitlines()
    assert "32 MiB" in json.loads(lines[-1])["error"] and "up" in json.loads(lines[-1])["error"] and len(lines) == 1, lines[-1][:300]
    google = s.request("POST", "/v1beta/models/up/m1:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "hi"}]}]}, timeout=60).body.decode()
    assert "32 MiB" in google and len(google) < 2000, google[:300]
    assert [r["status"] for r in s.usage()] == ["cut", "cut"], s.usage()
