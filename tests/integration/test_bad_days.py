"""The simulator's bad days (tests/unit/sim) at small scale, in real time, through the whole server: brown-outs, slow starts, crowds."""
import threading
import time

import upstream as up
from test_resilience import in_parallel, target

COOLDOWN = {"failures": 3, "within": "10s", "for": "1s", "max": "2s"}


class Crowd:
    """An upstream that answers after state["takes"] and counts how many it has at once."""

    def __init__(self, **state):
        self.state, self.now, self.most, self.lock = state, 0, 0, threading.Lock()

    async def __call__(self, x):
        if x.request.method != "POST":
            return await up.good(x)
        if self.state.get("broken"):
            return await up.sends(up.error(503))(x)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await x.sleep(self.state["takes"])
        finally:
            self.now -= 1
        await up.good(x)


def fails(some, of):
    """Of so many requests in a row the first few fail."""
    seen = [0]

    async def handler(x):
        if x.request.method == "POST":
            seen[0] += 1
            if seen[0] % of < some:
                return await up.sends(up.error(500))(x)
        await up.good(x)
    return handler


def alike(count, strategy):
    names = ["up"] + ["up%d" % i for i in range(2, count + 1)]
    return {"main": {"targets": [n + "/m" for n in names], "strategy": strategy}}


def test_a_brown_out_of_most_requests_is_left_and_one_of_a_few_is_borne(t):
    for handler, left in ((fails(7, 10), True), (fails(1, 20), False)):
        sick, well = t.upstream(handler), t.upstream()
        s = t.server(sick, well, models=alike(2, "weighted"), routing={"cooldown": {"failures": 3, "within": "10s", "for": "30s"}})
        for some in in_parallel(4, lambda i: [s.chat("main") for _ in range(30)]):
            assert all(r.status == 200 for r in some), [r.status for r in some]
        health, state = target(s, "main", "up")
        asked = len(sick.chats())
        if left:  # three failures, what was under way beside them, and what went well before
            assert state["breaker"] == "open" and asked <= 15, (asked, state)
        else:  # half of 120, within five standard deviations
            assert state["breaker"] == "closed" and 32 <= asked <= 88, (asked, state)
        s.stop()


def test_a_target_that_comes_back_slow_is_not_flooded(t):
    for strategy in ("latency", "performance"):
        slow, quick = Crowd(broken=True, takes=0.8), Crowd(takes=0.03)
        u, other = t.upstream(slow), t.upstream(quick)
        s = t.server(u, other, models=alike(2, strategy), routing={"cooldown": COOLDOWN})
        for _ in range(20):
            assert s.chat("main").status == 200
        assert target(s, "main", "up")[1]["breaker"] == "open"
        slow.state["broken"] = False
        before, end = len(u.chats()), time.monotonic() + 4

        def calls(_):
            worst = 0.0
            while time.monotonic() < end:
                began = time.monotonic()
                assert s.chat("main").status == 200
                worst = max(worst, time.monotonic() - began)
            return worst
        in_parallel(6, calls)
        asked, rest = len(u.chats()) - before, len(other.chats())
        assert target(s, "main", "up")[1]["breaker"] == "closed", strategy  # found well again by one
        assert 1 <= asked <= 6 and slow.most <= 2, (strategy, asked, slow.most)
        assert rest > 50 * asked / 6, (strategy, rest, asked)
        s.stop()


def test_a_crowd_that_comes_at_once_is_spread_over_targets_that_nobody_knows(t):
    for strategy in ("latency", "performance", "least_busy"):
        crowds = [Crowd(takes=0.5) for _ in range(4)]
        ups = [t.upstream(c) for c in crowds]
        s = t.server(*ups, models=alike(4, strategy))
        assert all(r.status == 200 for r in in_parallel(40, lambda i: s.chat("main")))
        asked = [len(u.chats()) for u in ups]
        assert sum(asked) == 40 and max(asked) <= 16 and min(asked) >= 4, (strategy, asked)  # ten each
        s.stop()


def test_everybody_down_comes_back_to_a_crowd_that_is_no_larger(t):
    crowds = [Crowd(broken=True, takes=0.05) for _ in range(2)]
    ups = [t.upstream(c) for c in crowds]
    s = t.server(*ups, models=alike(2, "round_robin"), routing={"cooldown": COOLDOWN, "attempts": 2})
    end = time.monotonic() + 3
    state = {"back": 0.0}

    def calls(i):
        out = []
        while time.monotonic() < end:
            r = s.chat("main")
            out.append((time.monotonic(), r.status))
            time.sleep(0.02)
        return out
    threading.Timer(1.5, lambda: [c.state.update(broken=False) for c in crowds] and state.update(back=time.monotonic())).start()
    said = [x for some in in_parallel(8, calls) for x in some]
    late = [status for at, status in said if at > state["back"] + 0.3]
    assert state["back"] > 0 and len(late) > 50 and all(status == 200 for status in late), (len(late), [x for x in late if x != 200][:3])
    # As many at once as there are callers, and no more: nobody had saved up attempts for the moment.
    assert sum(c.most for c in crowds) <= 8 + 2, [c.most for c in crowds]
