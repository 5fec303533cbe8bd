"""How things end in Python: an interpreter that leaves with calls in flight, streams that nobody reads to their end.

Run as test_llmrouter.py is. The last line is "N passed, M failed".
"""
import concurrent.futures
import contextlib
import gc
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import llmrouter

MEMORY = {"storage.keys": "memory:", "storage.usage": "memory:", "routing.attempts": "1"}


@contextlib.contextmanager
def upstream(forever):
    """A provider at the URL that this gives. `forever`: streams without end; else says nothing. Its `begun` and `left` tell when somebody came and went."""
    begun, left = threading.Event(), threading.Event()

    class Provider(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            begun.set()
            try:
                if forever:
                    self.stream()
                else:
                    self.rfile.read(1)  # until the other side goes
            except OSError:
                pass
            self.close_connection = True
            left.set()

        def do_GET(self):
            begun.set()
            with contextlib.suppress(OSError):
                self.rfile.read(1)
            self.close_connection = True
            left.set()

        def stream(self):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            one = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
                   "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
            while True:
                self.wfile.write(b"data: " + json.dumps(one).encode() + b"\n\n")
                self.wfile.flush()
                time.sleep(0.005)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        server.daemon_threads = True
        server.url, server.begun, server.left = "http://127.0.0.1:%d/v1" % server.server_port, begun, left
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def router_of(server):
    return llmrouter.Router(settings=MEMORY, providers={"lab": (server.url, "k")}, environment=False)


class Exits(unittest.TestCase):
    """The interpreter ends, with its own status and in peace, whatever is open."""

    HEAD = ("import llmrouter, sys, threading\n"
            "r = llmrouter.Router(settings={'storage.keys': 'memory:', 'storage.usage': 'memory:'}, environment=False)\n")
    TIMES = 10

    def leaves(self, program, want=0, say=""):
        def once(_):
            return subprocess.run([sys.executable, "-c", self.HEAD + program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60)

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            for done in pool.map(once, range(self.TIMES)):
                self.assertEqual((done.returncode, done.stdout), (want, say))

    def test_after_a_stream(self):
        self.leaves("list(r.stream('demo/echo', 'a b'))\n")

    def test_after_a_stream_in_a_block(self):
        self.leaves("with r.stream('demo/echo', 'a b') as s:\n  list(s)\n")

    def test_after_a_stream_that_was_closed(self):
        self.leaves("s = r.stream('demo/slow', 'a b c d e')\nnext(s)\ns.close()\n")

    def test_after_a_stream_that_was_left(self):
        self.leaves("for p in r.stream('demo/slow', 'one two three four'):\n  break\n")

    def test_with_a_stream_in_flight(self):
        self.leaves("s = r.stream('demo/slow', 'one two three four five')\nnext(s)\n")

    def test_with_a_stream_that_stalls(self):
        self.leaves("s = r.stream('demo/stall', 'one two three four five')\nnext(s)\n")

    def test_with_a_started_call(self):
        self.leaves("begun = threading.Event()\nc = r.call('demo/slow', 'one two three four', mode=llmrouter.TEXT)\n"
                    "c.start(lambda d: begun.set(), lambda e: print('ended:', e.error.code))\nbegun.wait()\n", say="ended: cancelled\n")

    def test_with_a_thread_that_reads(self):
        self.leaves("begun = threading.Event()\ndef read():\n  try:\n    for p in r.stream('demo/slow', 'one two three ' * 20):\n      begun.set()\n"
                    "  except llmrouter.Error:\n    pass\n"
                    "threading.Thread(target=read, daemon=True).start()\nbegun.wait()\n")

    def test_with_a_thread_that_runs_a_call(self):
        self.leaves("begun = threading.Event()\ndef run():\n  try:\n    r.call('demo/slow', 'one two three ' * 20, mode=llmrouter.TEXT)"
                    ".run(lambda d: begun.set())\n  except llmrouter.Error:\n    pass\n"
                    "threading.Thread(target=run, daemon=True).start()\nbegun.wait()\n")

    def test_status(self):
        self.leaves("s = r.stream('demo/slow', 'one two three four')\nnext(s)\nsys.exit(3)\n", want=3)

    def test_closed_in_the_end_of_a_call(self):
        self.leaves("done = threading.Event()\nc = r.call('demo/echo', 'one')\n"
                    "def end(result):\n  r.close()\n  done.set()\nc.start(None, end)\ndone.wait()\n")

    def test_child_of_a_fork(self):
        self.leaves("import os\ns = r.stream('demo/slow', 'one two three four')\nnext(s)\nchild = os.fork()\n"
                    "if child == 0:\n  sys.exit(4)\nprint(os.waitpid(child, 0)[1] >> 8)\n", say="4\n")


class Streams(unittest.TestCase):
    def test_left_by_break(self):
        with upstream(forever=True) as server, router_of(server) as router:
            for _ in router.stream("lab/m", "x"):
                break
            gc.collect()
            self.assertTrue(server.left.wait(10), "the upstream was read on")
            self.assertEqual(router.providers()[0]["in_flight"], 0)

    def test_closed_with_pieces_waiting(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            stream = router.stream("demo/echo", "w " * 500)
            next(stream)
            while not stream._pipe._paused:
                time.sleep(0.001)
            stream.close()
            for _ in range(2):
                with self.assertRaises(llmrouter.Error) as caught:
                    next(stream)
                self.assertEqual((caught.exception.code, caught.exception.status), ("cancelled", 499))
            stream.close()

    def test_closed_after_its_end(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            stream = router.stream("demo/echo", "a b")
            self.assertTrue(list(stream))
            stream.close()
            self.assertEqual(list(stream), [])

    def test_closed_by_another_thread(self):
        with upstream(forever=False) as server, router_of(server) as router:
            stream, codes = router.stream("lab/m", "x"), []

            def read():
                try:
                    next(stream)
                except llmrouter.Error as error:
                    codes.append(error.code)

            readers = [threading.Thread(target=read) for _ in range(3)]
            for reader in readers:
                reader.start()
            self.assertTrue(server.begun.wait(10))
            stream.close()
            for reader in readers:
                reader.join(10)
            self.assertEqual(codes, ["cancelled"] * 3)

    def test_three_readers(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            stream, pieces = router.stream("demo/echo", "w " * 300), []
            readers = [threading.Thread(target=lambda: pieces.extend(stream), daemon=True) for _ in range(3)]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(10)
            self.assertFalse(any(reader.is_alive() for reader in readers))
            self.assertEqual("".join(pieces).count("w"), 300)


class Interrupts(unittest.TestCase):
    """^C ends what blocks, at once, as KeyboardInterrupt."""

    def setUp(self):
        # Who starts tests in the background has them ignore ^C, and Python then leaves it so.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def interrupted(self, begun, function, *arguments, **named):
        def press():
            self.assertTrue(begun.wait(10))
            os.kill(os.getpid(), signal.SIGINT)
        finger = threading.Thread(target=press)
        finger.start()
        start = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            function(*arguments, **named)
        finger.join()
        self.assertLess(time.monotonic() - start, 10)

    def test_chat_that_stalls(self):
        with upstream(forever=False) as server, router_of(server) as router:
            self.interrupted(server.begun, router.chat, "lab/m", "x", timeout=60)
            self.assertTrue(server.left.wait(10), "it was not cancelled")
            router.flush()
            self.assertEqual(router.usage()["data"][0]["status"], "cancelled")

    def test_chat_that_waits_for_lists(self):
        with upstream(forever=False) as server, router_of(server) as router:
            self.interrupted(server.begun, router.chat, "a-bare-name", "x", timeout=60)
            self.assertTrue(server.left.wait(10), "the list was waited for")

    def test_run_that_is_told_pieces(self):
        begun, threads = threading.Event(), set()

        def piece(data):
            threads.add(threading.get_ident())
            begun.set()

        with upstream(forever=True) as server, router_of(server) as router, router.call("lab/m", "x", mode=llmrouter.TEXT) as call:
            self.interrupted(begun, call.run, piece)
            self.assertTrue(server.left.wait(10), "it was not cancelled")
        self.assertEqual(threads, {threading.get_ident()})

    def test_lists(self):
        with upstream(forever=False) as server:
            with router_of(server) as router:
                self.interrupted(server.begun, router.models, refresh=True)
            self.assertTrue(server.left.wait(10), "closing did not end it")

    def test_stream(self):
        with upstream(forever=False) as server, router_of(server) as router:
            self.interrupted(server.begun, lambda: list(router.stream("lab/m", "x", timeout=60)))
            gc.collect()
            self.assertTrue(server.left.wait(10), "it was not cancelled")


class Leftovers(unittest.TestCase):
    def test_nothing_is_held(self):
        """Runs last: neither calls nor threads."""
        gc.collect()
        self.assertEqual(llmrouter._Flight._flights, {})
        self.assertEqual([t for t in threading.enumerate() if t.name == "llmrouter"], [])


if __name__ == "__main__":
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (Exits, Streams, Interrupts, Leftovers))
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed")
    raise SystemExit(1 if bad else 0)
