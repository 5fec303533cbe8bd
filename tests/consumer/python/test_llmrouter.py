"""The Python module and, through it, every path of a call over the C ABI, seen from another language.

Run with bindings/python on PYTHONPATH and the library in LLMROUTER_LIBRARY. The last line is "N passed, M failed".
"""
import copy
import ctypes
import gc
import http.server
import json
import pickle
import threading
import time
import unittest

import llmrouter
from llmrouter import _lib

MEMORY = {"storage.keys": "memory:", "storage.usage": "memory:", "routing.attempts": "1"}
LONG = " ".join("abcdefghijklmnopqrstuvwxyz" * 2)


def body(model, text=LONG, **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


class Watch:
    """Counts what one call tells, at the lowest level: the library's own function pointers."""

    def __init__(self, act=None):
        self.data, self.ends, self.destroys, self.order = [], 0, 0, []
        self.code = None
        self.done = threading.Event()
        self.begun = threading.Event()
        self.act = act
        self.on_data = llmrouter._on_data(self._data)
        self.on_end = llmrouter._on_end(self._end)
        self.destroy = llmrouter._destroy(self._destroy)

    def _data(self, user, data, size):
        assert user == 7
        self.data.append(ctypes.string_at(data, size))
        self.order.append("data")
        self.begun.set()
        return self.act(self) if self.act else llmrouter.CONTINUE

    def _end(self, user, result):
        assert user == 7
        error = _lib.result_error(result)
        self.code = _lib.error_code(error).decode() if error else "ok"
        self.ends += 1
        self.order.append("end")

    def _destroy(self, user):
        assert user == 7
        self.destroys += 1
        self.order.append("destroy")
        self.done.set()

    def start(self, call):
        error = _lib.call_start(call._handle, self.on_data, self.on_end, 7, self.destroy)
        return _code(error)

    def run(self, call):
        result = ctypes.c_void_p()
        code = _code(_lib.call_run(call._handle, self.on_data, 7, self.destroy, ctypes.byref(result)))
        assert (result.value is None) == (code != "ok")
        _lib.result_free(result)
        return code


def _code(error):
    code = _lib.error_code(error).decode() if error else "ok"
    _lib.error_free(error)
    return code


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.router = llmrouter.Router(settings=MEMORY, environment=False)

    @classmethod
    def tearDownClass(cls):
        cls.router.close()

    def ended(self, watch, code):
        """Exactly one end and one destroy, in this order and last."""
        self.assertTrue(watch.done.wait(10), f"no destroy: {watch.order[-5:]}")
        time.sleep(0.01)  # anything that should not come would come now
        self.assertEqual((watch.ends, watch.destroys, watch.code), (1, 1, code))
        self.assertEqual(watch.order[-2:], ["end", "destroy"])
        self.assertEqual(watch.order.count("data") + 2, len(watch.order))

    def let_go(self, watch):
        self.assertEqual(watch.order, ["destroy"])


class Loading(unittest.TestCase):
    def test_the_version_is_the_librarys(self):
        self.assertEqual(llmrouter.__version__, llmrouter.version())

    def test_an_older_library_is_told(self):
        class Older:
            """The real library without one function, as one would have it that was built before that was added."""
            _name = "/opt/old/libllmrouter-c.so.0"
            _real = llmrouter._load()

            def __getattr__(self, name):
                if name == "llmrouter_keys_sessions":
                    raise AttributeError(name)
                return getattr(self._real, name)

        with self.assertRaises(ImportError) as raised:
            llmrouter._Library(Older())
        for word in ("/opt/old/libllmrouter-c.so.0", "version " + llmrouter.version(), "llmrouter_keys_sessions", "needs libllmrouter-c " + llmrouter.__version__, "LLMROUTER_LIBRARY"):
            self.assertIn(word, str(raised.exception))

    def test_a_wrong_setting_is_told_by_the_argument_it_came_by(self):
        with self.assertRaises(llmrouter.Error) as raised:
            llmrouter.Router(settings={**MEMORY, "routing.atempts": "1"}, environment=False)
        self.assertEqual(raised.exception.message, "settings: routing.atempts: unknown key; did you mean `attempts`?")


class Paths(Case):
    def test_success(self):
        for mode in (llmrouter.WHOLE, llmrouter.CHUNKS, llmrouter.TEXT):
            with self.subTest(mode=mode), self.router.call(body("demo/echo"), mode=mode) as call:
                watch = Watch()
                self.assertEqual(watch.start(call), "ok")
                self.ended(watch, "ok")
                self.assertEqual(bool(watch.data), mode != llmrouter.WHOLE)

    def test_success_blocking(self):
        for mode in (llmrouter.WHOLE, llmrouter.CHUNKS, llmrouter.TEXT):
            with self.subTest(mode=mode), self.router.call(body("demo/echo"), mode=mode) as call:
                watch = Watch()
                self.assertEqual(watch.run(call), "ok")
                self.assertEqual((watch.ends, watch.destroys, watch.order[-1]), (0, 1, "destroy"))

    def test_failures(self):
        # A router of its own: after a 429 the provider's key rests.
        router = llmrouter.Router(settings=MEMORY, environment=False)
        self.addCleanup(router.close)
        for request, code in [("{\"model\":", "invalid_request"), ("[]", "invalid_request"), ({"model": "demo/echo"}, "invalid_request"),
                              (body("demon"), "model_not_found"), (body("demo/error-429"), "upstream_rate_limited")]:
            for mode in (llmrouter.WHOLE, llmrouter.CHUNKS, llmrouter.TEXT):
                with self.subTest(request=request, mode=mode):
                    watch = Watch()
                    with router.call(request, mode=mode) as call:
                        self.assertEqual(watch.start(call), "ok")
                        self.ended(watch, code)
                    watch = Watch()
                    with router.call(request, mode=mode) as call:
                        self.assertEqual(watch.run(call), code)
                        self.let_go(watch)

    def test_cut(self):
        watch = Watch()
        with self.router.call(body("demo/cut"), mode=llmrouter.TEXT) as call:
            watch.start(call)
            self.ended(watch, "upstream_error")
            self.assertTrue(watch.data)

    def test_cancel_before_start(self):
        watch = Watch()
        with self.router.call(body("demo/slow"), mode=llmrouter.TEXT) as call:
            call.cancel()
            self.assertEqual(watch.start(call), "ok")
            self.ended(watch, "cancelled")
            self.assertEqual(watch.data, [])

    def test_cancel_before_first_token(self):
        watch = Watch()
        with self.router.call(body("demo/slow"), mode=llmrouter.TEXT) as call:
            watch.start(call)
            call.cancel()
            self.ended(watch, "cancelled")

    def test_cancel_midway_from_another_thread(self):
        watch = Watch()
        with self.router.call(body("demo/slow"), mode=llmrouter.TEXT) as call:
            watch.start(call)
            self.assertTrue(watch.begun.wait(10))
            thread = threading.Thread(target=call.cancel)
            thread.start()
            self.ended(watch, "cancelled")
            thread.join()
            self.assertTrue(watch.data)

    def test_cancel_after_the_end(self):
        watch = Watch()
        with self.router.call(body("demo/echo"), mode=llmrouter.TEXT) as call:
            watch.start(call)
            self.ended(watch, "ok")
            call.cancel()
            self.ended(watch, "ok")

    def test_cancel_a_blocking_run(self):
        watch = Watch()
        with self.router.call(body("demo/slow"), mode=llmrouter.TEXT) as call:
            timer = threading.Timer(0.03, call.cancel)
            timer.start()
            self.assertEqual(watch.run(call), "cancelled")
            timer.join()
            self.assertEqual((watch.ends, watch.destroys), (0, 1))

    def test_callback_stops(self):
        watch = Watch(lambda w: llmrouter.STOP if len(w.data) == 2 else llmrouter.CONTINUE)
        with self.router.call(body("demo/slow"), mode=llmrouter.CHUNKS) as call:
            watch.start(call)
            self.ended(watch, "cancelled")
            self.assertEqual(len(watch.data), 2)

    def test_handle_freed_in_flight(self):
        watch = Watch()
        call = self.router.call(body("demo/slow"), mode=llmrouter.TEXT)
        watch.start(call)
        self.assertTrue(watch.begun.wait(10))
        call.close()
        self.ended(watch, "cancelled")

    def test_handle_freed_by_its_callback(self):
        call = self.router.call(body("demo/slow"), mode=llmrouter.TEXT)

        def act(watch):
            if call._handle:
                call.close()
            return llmrouter.CONTINUE
        watch = Watch(act)
        watch.start(call)
        self.ended(watch, "cancelled")

    def test_second_start(self):
        first, second = Watch(), Watch()
        with self.router.call(body("demo/echo"), mode=llmrouter.TEXT) as call:
            self.assertEqual(first.start(call), "ok")
            self.assertEqual(second.start(call), "conflict")
            self.let_go(second)
            self.ended(first, "ok")

    def test_start_without_a_call(self):
        watch = Watch()
        self.assertEqual(_code(_lib.call_start(None, watch.on_data, watch.on_end, 7, watch.destroy)), "invalid_request")
        self.let_go(watch)

    def test_pause_and_resume(self):
        watch = Watch(lambda w: llmrouter.PAUSE if len(w.data) == 2 else llmrouter.CONTINUE)
        with self.router.call(body("demo/echo"), mode=llmrouter.TEXT) as call:
            watch.start(call)
            time.sleep(0.1)
            seen = len(watch.data)
            time.sleep(0.1)
            self.assertEqual((len(watch.data), watch.ends), (seen, 0))
            call.resume()
            self.ended(watch, "ok")

    def test_closing_the_router(self):
        router = llmrouter.Router(settings=MEMORY, environment=False)
        watches = [Watch() for _ in range(4)]
        calls = [router.call(body("demo/slow"), mode=llmrouter.TEXT) for _ in watches]
        for watch, call in zip(watches, calls):
            watch.start(call)
        late = router.call(body("demo/echo"), mode=llmrouter.TEXT)
        router.close()
        for watch in watches:
            self.assertEqual(watch.destroys, 1)
            self.ended(watch, "cancelled")
        watch = Watch()
        self.assertEqual(watch.start(late), "shutting_down")
        self.let_go(watch)

    def test_many_at_random_moments(self):
        def work():
            for i in range(15):
                watch = Watch()
                call = self.router.call(body("demo/slow" if i % 2 else "demo/echo"), mode=llmrouter.TEXT)
                watch.start(call)
                if i % 2:
                    time.sleep(i * 0.001)
                    call.cancel() if i % 4 == 1 else call.close()
                self.ended(watch, "cancelled" if i % 2 else "ok")
                if call._handle:
                    call.close()
        failures = []

        def guarded():
            try:
                work()
            except BaseException as failure:
                failures.append(failure)
        threads = [threading.Thread(target=guarded) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class NullTexts(Case):
    def test_every_function_that_takes_a_text(self):
        """NULL with a size is an error, not a crash: each text of each function in turn."""
        handles = {"options": llmrouter._new(_lib.options_new), "filter": llmrouter._new(_lib.filter_new), "text": llmrouter._new(_lib.metrics, self.router._handle)}
        call = self.router.call("demo/echo", "hello")
        self.router.keys.create({"name": "x"})
        # Only these take a handle of their own; what else there is takes the router.
        handles.update(call=call._handle, rules_test=call._handle, call_new=self.router._handle, call_new_text=self.router._handle)
        tried = 0
        for name, shape in llmrouter._FUNCTIONS.items():
            kinds = shape if isinstance(shape, str) else shape[0]
            handle = handles.get(name) or handles.get(name.split("_")[0], self.router._handle)
            for null in range(kinds.count("s")):
                arguments, texts, out = [], 0, ctypes.c_void_p(1)
                for place, kind in enumerate(kinds):
                    if kind == "s":
                        arguments += [None, 5] if texts == null else [b"x", 1]
                        texts += 1
                    elif kind == "p":
                        last = place == len(kinds) - 1
                        arguments.append(handle if place == 0 else ctypes.byref(out) if last else None)
                    elif kind in "il":
                        arguments.append(0)
                    else:  # a filter needs its function; of the rest none is called
                        arguments.append(_NO_FILTER if kind == "f" else _RELAX if kind == "d" else _NOBODY)
                error = getattr(_lib, name)(*arguments)
                message = _lib.error_message(error).decode() if error else ""
                code, where = _code(error), f"{name}, text {null}: {message}"
                self.assertNotEqual(code, "ok", where)
                if null == 0:  # before others something else may be wrong
                    self.assertEqual((code, "must not be NULL" in message), ("invalid_request", True), where)
                tried += 1
        self.assertGreater(tried, 45)
        call.close()
        _lib.options_free(handles["options"])
        _lib.filter_free(handles["filter"])
        _lib.text_free(handles["text"])


_NO_FILTER = llmrouter._on_filter(lambda *_: 0)
_RELAX = llmrouter._on_data(lambda *_: llmrouter.CONTINUE)
_NOBODY = llmrouter._destroy(lambda _: None)


class Module(Case):
    def test_chat(self):
        self.assertIn("hello", self.router.chat("demo/echo", "hello"))
        answer = self.router.chat(body("demo/echo", "hello"))
        self.assertIn("hello", answer["choices"][0]["message"]["content"])
        self.assertIn("hello", self.router.chat(json.dumps(body("demo/echo", "hello")))["choices"][0]["message"]["content"])

    def test_unicode(self):
        text = "žluťoučký 日本語 🙂 \u0007 \"quoted\" \\back"
        self.assertIn("日本語 🙂", self.router.chat("demo/echo", text))
        self.assertIn("日本語", "".join(self.router.stream("demo/echo", text)))

    def test_errors(self):
        with self.assertRaises(llmrouter.Error) as raised:
            self.router.chat("demon", "hello")
        self.assertEqual((raised.exception.code, raised.exception.status), ("model_not_found", 404))
        with self.assertRaises(llmrouter.Error) as raised:
            self.router.chat({"model": "demo/echo", "messages": 7})
        self.assertEqual((raised.exception.code, raised.exception.param), ("invalid_request", "messages"))

    def test_stream(self):
        pieces = list(self.router.stream("demo/echo", LONG))
        self.assertGreater(len(pieces), 10)
        self.assertIn("x y z", "".join(pieces))
        chunks = list(self.router.stream(body("demo/echo")))
        self.assertEqual(chunks[0]["object"], "chat.completion.chunk")
        self.assertEqual([c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0].get("finish_reason")], ["stop"])

    def test_stream_that_is_read_slowly_pauses(self):
        stream = self.router.stream("demo/echo", " ".join(str(i) for i in range(1000)))
        first = next(stream)
        time.sleep(0.2)
        self.assertIsNone(stream.result)  # it has not run ahead to its end
        text = first + "".join(stream)
        self.assertIn("998 999", text)
        self.assertEqual(stream.result.record["status"], "ok")

    def test_stream_that_is_left(self):
        stream = self.router.stream("demo/slow", LONG)
        next(stream)
        stream.close()
        del stream
        gc.collect()

    def test_stream_error(self):
        pieces = []
        with self.assertRaises(llmrouter.Error) as raised:
            for piece in self.router.stream("demo/cut", LONG):
                pieces.append(piece)
        self.assertTrue(pieces)
        self.assertEqual(raised.exception.code, "upstream_error")

    def test_exceptions_of_callbacks(self):
        def boom(data):
            raise KeyError("mine")
        with self.router.call("demo/slow", LONG, mode=llmrouter.TEXT) as call:
            with self.assertRaises(KeyError):
                call.run(boom)

    def test_exceptions_of_started_calls(self):
        caught = []
        before, threading.excepthook = threading.excepthook, caught.append
        try:
            for on_data, on_end, code in [(lambda data: 1 / 0, None, "cancelled"), (None, lambda result: 1 / 0, None)]:
                done, ends = threading.Event(), []

                def end(result):
                    ends.append(result.error and result.error.code)
                    done.set()
                    if on_end:
                        on_end(result)
                with self.router.call("demo/slow", "a b", mode=llmrouter.TEXT) as call:
                    call.start(on_data, end)
                    self.assertTrue(done.wait(10))
                self.assertEqual(ends, [code])
            until = time.monotonic() + 10
            while len(caught) < 2 and time.monotonic() < until:
                time.sleep(0.001)
        finally:
            threading.excepthook = before
        self.assertEqual([args.exc_type for args in caught], [ZeroDivisionError] * 2)

    def test_answers_of_on_data(self):
        for answer in (True, False, "no", 3, -1, 2 ** 32, 1.0):
            with self.subTest(answer=answer), self.router.call("demo/slow", LONG, mode=llmrouter.TEXT) as call:
                with self.assertRaisesRegex(TypeError, "on_data: expected None, CONTINUE, PAUSE or STOP"):
                    call.run(lambda data: answer)
        with self.router.call("demo/slow", LONG, mode=llmrouter.TEXT) as call:
            self.refused("cancelled", call.run, lambda data: llmrouter.STOP)
        raised = []

        def elsewhere():
            with self.router.call("demo/slow", LONG, mode=llmrouter.TEXT) as call:
                try:
                    call.run(lambda data: True)
                except TypeError as error:
                    raised.append(error)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        self.assertEqual(len(raised), 1)

    def test_a_whole_answer_has_no_data(self):
        with llmrouter.Call(self.router, "demo/echo", "hello") as call:
            self.assertRaises(TypeError, call.run, print)
            self.assertRaises(TypeError, call.start, print)
            self.assertEqual(call.run().text, "hello")  # it was not begun

    def test_errors_are_copied(self):
        error = llmrouter.Error("c", "m", "p", 429, 5, "lab", 503, "body", "host:1")
        error.mine = "added"
        for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            self.assertEqual((type(other), str(other), vars(other)), (llmrouter.Error, str(error), vars(error)))
        caught = self.refused("model_not_found", self.router.chat, "demon", "hello")
        self.assertEqual(vars(pickle.loads(pickle.dumps(caught))), vars(caught))

    def test_what_is_no_text(self):
        for call in [lambda: self.router.chat("demo/echo", 123), lambda: self.router.chat(7, "hello"),
                     lambda: self.router.chat("demo/echo", "hello", request_id=42), lambda: self.router.chat("demo/echo", "hello", key=3),
                     lambda: self.router.chat("demo/echo", "hello", headers={"x-a": 1}), lambda: self.router.chat("demo/echo", ["hello"]),
                     lambda: self.router.keys.show(9), lambda: llmrouter.Router(yaml=5)]:
            with self.assertRaisesRegex(TypeError, r"expected text \(str or bytes\), not (int|list)"):
                call()
        for text in (b"hello", bytearray(b"hello"), memoryview(b"hello")):
            self.assertIn("hello", self.router.chat("demo/echo", text))

    def test_result(self):
        with self.router.call("demo/echo", "hello", request_id="my-id") as call:
            self.assertEqual(call.explain()["steps"][0]["provider"], "demo")
            result = call.run()
        self.assertIsNone(result.error)
        self.assertIn("hello", result.text)
        self.assertEqual(result.record["request_id"], "my-id")
        self.assertGreater(result.record["output_tokens"], 0)

    def test_timeout(self):
        with self.assertRaises(llmrouter.Error) as raised:
            self.router.chat("demo/slow", LONG, timeout=0.05)
        self.assertEqual(raised.exception.code, "upstream_timeout")
        self.refused("upstream_timeout", self.router.chat, "demo/slow", LONG, timeout=0.0001)
        self.assertIn("hello", self.router.chat("demo/echo", "hello", timeout=0))
        for wrong in (-1, -0.0001, float("inf"), float("nan"), 1e16):
            self.assertEqual(self.refused("invalid_request", self.router.chat, "demo/echo", "hello", timeout=wrong).param, "timeout")
            self.refused("invalid_request", self.router.flush, wrong)

    def test_lists(self):
        self.assertIn("demo/echo", [m["id"] for m in self.router.models(refresh=True)])
        self.assertIn("demo", [p["name"] for p in self.router.providers()])
        self.assertEqual(self.router.explain("demo/echo")["requested"], "demo/echo")
        self.assertIn("# TYPE", self.router.metrics())
        self.assertRegex(llmrouter.version(), r"^\d+\.\d+\.\d+$")

    def test_usage(self):
        self.router.chat("demo/echo", "for the record")
        self.router.flush()
        page = self.router.usage(model="demo/echo", limit=2, since="1h")
        self.assertTrue(page["data"] and all(r["requested_model"] == "demo/echo" for r in page["data"]))
        self.assertGreaterEqual(self.router.usage_sum("provider")[0]["calls"], 1)
        with self.assertRaises(llmrouter.Error):
            self.router.usage(colour="blue")

    def test_logs(self):
        lines = []
        router = llmrouter.Router(settings=MEMORY, environment=False, log=lambda level, line: lines.append((level, line)), log_level="debug")
        logs = len(llmrouter._Log._logs)
        router.chat("demo/echo", "hello")
        router.close()
        self.assertEqual(len(llmrouter._Log._logs), logs - 1)

    def test_reload(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            router.reload(settings=MEMORY, models={"fresh-1.0": ["demo/echo"]}, environment=False)
            self.assertIn("hello", router.chat("fresh-1.0", "hello"))
            with self.assertRaises(llmrouter.Error):
                router.reload(settings=MEMORY, models={"fresh-1.0": ["nowhere/echo"]}, environment=False)
            self.assertIn("hello", router.chat("fresh-1.0", "hello"))

    def test_wrong_configuration(self):
        with self.assertRaises(llmrouter.Error) as raised:
            llmrouter.Router(yaml="routing: {attempts: many}\n", environment=False)
        self.assertEqual(raised.exception.code, "config")
        self.assertIn("routing.attempts", raised.exception.message)

    def test_what_a_failure_tells(self):
        with llmrouter.Router(yaml="providers: {gone: {base_url: 'http://127.0.0.1:1/v1'}}", settings=MEMORY, environment=False) as router:
            with self.assertRaises(llmrouter.Error) as caught:
                router.chat("gone/m", "hi")
        self.assertIn("provider gone, model m: cannot connect", caught.exception.message)
        self.assertNotIn("127.0.0.1", caught.exception.message)
        self.assertIn("127.0.0.1:1", caught.exception.detail)
        self.assertIn("127.0.0.1:1", str(caught.exception))

    def test_check(self):
        self.assertEqual(llmrouter.check(yaml="routing: {attempts: 2}", environment=False), [])
        old = "keys: [{name: old, key: sk-1234567890, expires: 2020-01-01T00:00:00Z}]"
        warnings = llmrouter.check(yaml=old, environment=False)
        self.assertEqual(len(warnings), 1)
        self.assertIn("warning: keys[0].expires: is over", warnings[0])
        with self.assertRaises(llmrouter.Error) as caught:
            llmrouter.check(yaml="routing: {attempts: x}", environment=False)
        self.assertEqual(caught.exception.code, "config")
        lines = []
        with llmrouter.Router(yaml=old, settings=MEMORY, environment=False, log=lambda level, line: lines.append(line), log_level="warn"):
            pass
        self.assertTrue(any("keys[0].expires" in line for line in lines), lines)

    def test_a_bare_name_that_a_provider_offers(self):
        asked = []

        class Provider(http.server.BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("content-length") or 0))
                asked.append(self.command)
                one = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "here"}}
                told = {"data": [{"id": "m-only"}]} if self.command == "GET" else {"choices": [one]}
                data = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as provider:
            thread = threading.Thread(target=provider.serve_forever)
            thread.start()
            try:
                url = "http://127.0.0.1:%d/v1" % provider.server_port
                with llmrouter.Router(providers={"lab": (url, "")}, settings=MEMORY, environment=False) as router:
                    # A call that returns at once does not wait for lists; it says what to do.
                    with self.assertRaises(llmrouter.Error) as caught:
                        list(router.stream("m-only", "hi"))
                    self.assertIn("what lab offers is not known yet; llmrouter_models(router, 1, &list)", caught.exception.message)
                    self.assertEqual(asked, [])
                    self.assertEqual(router.chat("m-only", "hi"), "here")
                    self.assertEqual(asked, ["GET", "POST"])
                    with self.assertRaises(llmrouter.Error):
                        router.chat("m-nobody", "hi")
                    self.assertEqual(asked, ["GET", "POST"])
            finally:
                provider.shutdown()
                thread.join()

    def test_health(self):
        asked, twice = [], threading.Event()

        class Provider(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                if len(asked) == 2:
                    twice.set()
                self.send_response(503)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as provider:
            thread = threading.Thread(target=provider.serve_forever)
            thread.start()
            try:
                yaml = "providers: {lab: {base_url: 'http://127.0.0.1:%d/v1', models: {override: [x]}, health: {probe: %s, interval: 1s}}}\nmodels: {m: lab/x}"
                with llmrouter.Router(yaml=yaml % (provider.server_port, "off"), settings=MEMORY, environment=False) as router:
                    health = router.model_health("m")
                    self.assertEqual((health["model"], health["status"], health["targets"][0]["breaker"]), ("m", "unknown", "closed"))
                    self.refused("model_not_found", router.model_health, "nope")
                    self.refused("not_found", router.model_health, "m", "nobody")
                    router.keys.create({"name": "ci", "allow": {"models": ["other"]}})
                    self.assertEqual(router.model_health("m", "ci")["targets"], [], "none that the key may use")
                    self.assertEqual(asked, [])
                    router.reload(yaml=yaml % (provider.server_port, "models"), settings=MEMORY, environment=False)
                    self.assertTrue(twice.wait(20), "a reload that wants probes gets them")
                    stop = time.monotonic() + 20  # the answer is on its way
                    while router.model_health("m")["status"] == "unknown" and time.monotonic() < stop:
                        time.sleep(0.02)
                    self.assertNotEqual(router.model_health("m")["status"], "unknown")
                begun = len(asked)
                with llmrouter.Router(yaml=yaml % (provider.server_port, "models"), settings=MEMORY, environment=False) as router:
                    stop = time.monotonic() + 20
                    while len(asked) == begun and time.monotonic() < stop:
                        time.sleep(0.02)
                self.assertGreater(len(asked), begun, "nobody was probed where the configuration said so from the start")
            finally:
                provider.shutdown()
                thread.join()

    def test_keys(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            key = router.keys.create({"name": "ci", "limits": {"requests": "1/min"}}, prefix="py-")
            self.assertTrue(key["key"].startswith("py-"))
            self.assertEqual(router.keys.check(key["key"])["id"], key["id"])
            self.assertEqual([k["id"] for k in router.keys.list()], [key["id"]])
            self.assertIn("hello", router.chat("demo/echo", "hello", key=key["key"]))
            with self.assertRaises(llmrouter.Error) as raised:
                router.chat("demo/echo", "hello", key=key["key"])
            self.assertEqual(raised.exception.code, "rate_limited")
            self.assertGreater(raised.exception.retry_after_ms, 0)
            self.assertEqual(router.keys.limits("ci")["requests"]["remaining"], 0)
            router.keys.modify("ci", {"limits": {"requests": None}})
            self.assertEqual(router.keys.limits("ci"), {})
            router.keys.revoke(key["id"])
            with self.assertRaises(llmrouter.Error):
                router.keys.check(key["key"])

    def refused(self, code, function, *arguments, **named):
        with self.assertRaises(llmrouter.Error) as raised:
            function(*arguments, **named)
        self.assertEqual(raised.exception.code, code)
        return raised.exception

    def test_rules(self):
        file = {"name": "file", "when": {"model": "night"}, "use": "demo/echo"}
        with llmrouter.Router(settings={**MEMORY, "routing.rules": json.dumps([file])}, models={"main": "demo/echo"}, environment=False) as router:
            self.assertEqual([(r["name"], r["source"]) for r in router.rules.list()], [("file", "file")])
            rule = {"name": "no-code", "priority": 5, "when": {"header": {"X-Team": "search"}}, "use": {"reject": "no code"}}
            self.assertEqual(router.rules.set(rule)["source"], "store")
            self.assertEqual([r["name"] for r in router.rules.list()], ["no-code", "file"])
            self.refused("model_not_allowed", router.chat, "main", "hello", headers={"X-Team": "search"})
            self.assertEqual(router.rules.list()[0]["hits"], 1)
            tried = router.rules.test("main", "hello", headers={"X-Team": "search"})
            self.assertEqual((tried["rule"]["name"], tried["plan"], tried["error"]["code"]), ("no-code", None, "model_not_allowed"))
            tried = router.rules.test(body("night"))
            self.assertEqual((tried["rule"]["name"], tried["plan"]["rule"], tried["error"]), ("file", "file", None))
            self.assertIsNone(router.rules.test("main", "hello")["rule"])
            self.assertEqual(self.refused("invalid_request", router.rules.set, {"name": "x", "use": "main", "wehn": {}}).param, "wehn")
            self.assertEqual(self.refused("invalid_request", router.rules.set, {"name": "x", "use": "nowhere"}).param, "use.model")
            self.refused("invalid_request", router.rules.set, "{")
            self.refused("conflict", router.rules.set, file)
            self.refused("conflict", router.rules.remove, "file")
            self.refused("not_found", router.rules.test, "main", "hello", key="nobody")
            self.refused("invalid_request", router.rules.test, "[]")
            router.rules.remove("no-code")
            self.refused("not_found", router.rules.remove, "no-code")
            self.assertIn("hello", router.chat("main", "hello", headers={"X-Team": "search"}))

    def test_rules_for_a_key(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            key = router.keys.create({"name": "ci"})
            router.rules.set({"name": "ci-only", "when": {"key": "ci"}, "use": "demo/echo"})
            self.assertEqual(router.rules.test("demo/slow", "hi", key="ci")["rule"]["name"], "ci-only")
            self.assertIsNone(router.rules.test("demo/slow", "hi")["rule"])
            with router.call("demo/slow", "hi", key=key["key"]) as call:
                self.assertEqual(call.test_rules()["plan"]["steps"][0]["model"], "echo")
            with router.call("demo/slow", "hi", key="sk-wrong") as call:
                self.refused("invalid_key", call.test_rules)
                self.refused("invalid_key", call.run)
                self.refused("conflict", call.test_rules)

    def test_switch(self):
        settings = {**MEMORY, "routing.default_model": "main", "routing.switch.delay": "0s", "routing.switch.cooldown": "0s"}
        with llmrouter.Router(settings=settings, models={"main": "demo/echo"}, environment=False) as router:
            self.assertEqual((router.switch.status()["enabled"], router.switch.status()["last"], router.switch.history()), (True, None, []))
            now = router.switch.toggle(False, who="me", why="an audit")
            self.assertEqual((now["enabled"], now["last"]["who"], now["last"]["why"]), (False, "me", "an audit"))
            self.assertEqual(router.explain("demo/slow")["by"], "switch")
            self.assertTrue(router.switch.toggle()["enabled"])
            self.assertTrue(router.switch.toggle(True)["enabled"])
            self.assertEqual([c["enabled"] for c in router.switch.history()], [True, False])
            self.assertEqual(self.refused("invalid_request", router.switch.toggle, why="x" * 1025).param, "reason")
            self.assertEqual(self.refused("invalid_request", router.switch.toggle, who="x" * 1025).param, "who")
            self.refused("invalid_request", router.switch.toggle, why=b"\xff")
            self.assertTrue(router.switch.status()["enabled"])

    def test_switch_that_rests(self):
        settings = {**MEMORY, "routing.default_model": "demo/echo"}
        with llmrouter.Router(settings=settings, environment=False) as router:
            now = router.switch.toggle(False)
            self.assertEqual((now["enabled"], now["pending"]["enabled"]), (True, False))
            self.assertGreater(self.refused("rate_limited", router.switch.toggle).retry_after_ms, 0)

    def test_override(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            key = router.keys.create({"name": "ci", "allow": {"models": ["demo/echo", "demo/slow"]}})
            self.assertIsNone(router.keys.override("ci"))
            router.keys.set_override("ci", "demo/echo")
            self.assertEqual(router.keys.override(key["id"]), "demo/echo")
            with router.call("demo/slow", "hi", key=key["key"]) as call:
                self.assertEqual((call.explain()["by"], call.explain()["model"]), ("override", "demo/echo"))
            self.refused("model_not_found", router.keys.set_override, "ci", "nowhere")
            self.refused("model_not_allowed", router.keys.set_override, "ci", "demo/cut")
            self.refused("invalid_request", router.keys.set_override, "ci", "")
            self.refused("invalid_request", router.keys.set_override, "ci", b"demo/\xff")
            for function, rest in [(router.keys.override, ()), (router.keys.set_override, ("demo/echo",)), (router.keys.clear_override, ())]:
                self.refused("not_found", function, "nobody", *rest)
            self.assertEqual(router.keys.override("ci"), "demo/echo")
            router.keys.clear_override("ci")
            router.keys.clear_override("ci")
            self.assertIsNone(router.keys.override("ci"))


    def test_session(self):
        with llmrouter.Router(settings=MEMORY, environment=False) as router:
            key = router.keys.create({"name": "ci", "allow": {"models": ["demo/echo", "demo/slow"]}})
            made = router.keys.start_session("ci", "demo/echo", "1h")
            self.assertEqual((made["model"], made["key"]), ("demo/echo", key["id"]))
            with router.call("demo/slow", "hi", key=made["token"]) as call:
                self.assertEqual((call.explain()["by"], call.explain()["model"]), ("session", "demo/echo"))
            self.assertEqual([s["id"] for s in router.keys.sessions("ci")], [made["id"]])
            self.refused("model_not_found", router.keys.start_session, "ci", "nowhere")
            self.refused("model_not_allowed", router.keys.start_session, "ci", "demo/cut")
            self.assertEqual(self.refused("invalid_request", router.keys.start_session, "ci", "demo/echo", "31d").param, "ttl")
            self.refused("not_found", router.keys.sessions, "nobody")
            router.keys.end_session("ci", made["id"])
            self.refused("not_found", router.keys.end_session, "ci", made["id"])
            router.keys.end_session("ci")
            self.assertEqual(router.keys.sessions("ci"), [])
            self.refused("invalid_key", router.keys.check, made["token"])


class Claude(http.server.BaseHTTPRequestHandler):
    """Thinks, signs its thoughts, and answers; keeps what it was asked."""

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        answer = json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
                             "content": [{"type": "thinking", "thinking": "hm", "signature": "SIGNED"}, {"type": "text", "text": "yes"}],
                             "usage": {"input_tokens": 3, "output_tokens": 4}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Filters(unittest.TestCase):
    def open(self, what, **more):
        return llmrouter.Router(yaml="models: {m: {targets: [demo/echo], filters: [mine]}}", settings=MEMORY, environment=False, filters={"mine": what}, **more)

    def test_the_request(self):
        class Polite:
            def on_request(self, request):
                request["messages"].append({"role": "user", "content": "please"})
                return request

        with self.open(Polite()) as router:
            self.assertIn("please", router.chat("m", "hello"))
            self.assertNotIn("please", router.chat("demo/echo", "hello"))
            router.reload(yaml="models: {again: {targets: [demo/echo], filters: [mine]}}", settings=MEMORY, environment=False)
            self.assertIn("please", router.chat("again", "hello"))

    def test_refusal(self):
        class No:
            def on_request(self, request):
                raise llmrouter.Refuse("not " + request["messages"][0]["content"])

        with self.open(No()) as router:
            with self.assertRaises(llmrouter.Error) as raised:
                router.chat("m", "today")
            self.assertEqual(raised.exception.code, "invalid_request")
            self.assertIn("not today", raised.exception.message)

    def test_what_goes_wrong_in_a_filter_refuses(self):
        class Broken:
            def on_request(self, request):
                return 1 / 0

            def on_event(self, event):
                return 7

        heard, hook = [], threading.excepthook
        threading.excepthook = lambda what: heard.append(what.exc_type)
        try:
            with self.open(Broken()) as router:
                with self.assertRaises(llmrouter.Error) as raised:
                    router.chat("m", "secret")
                self.assertEqual(raised.exception.code, "invalid_request")
                self.assertNotIn("division", raised.exception.message)
        finally:
            threading.excepthook = hook
        self.assertEqual(heard, [ZeroDivisionError])
        self.assertRaises(TypeError, self.open, object())

    def test_the_answer(self):
        class Shout:
            def on_response(self, answer):
                for choice in answer["choices"]:
                    choice["message"]["content"] = choice["message"]["content"].upper()
                return answer

        with self.open(Shout()) as router:
            self.assertEqual(router.chat("m", "hello"), "HELLO")

    def test_a_stream(self):
        class Half:
            def __init__(self):
                self.kinds = []

            def on_event(self, event):
                self.kinds.append(event["kind"])
                if event["kind"] == "text":
                    return llmrouter.DROP if "b" in event["text"] else event["text"].upper()
                return "!" if event["kind"] == "finish" else None

        half = Half()
        with self.open(half) as router:
            self.assertEqual("".join(router.stream("m", "a b c")).split(), ["A", "C!"])
        self.assertEqual((half.kinds[0], half.kinds.count("text"), half.kinds.count("finish")), ("start", 3, 1))

    def test_what_the_json_cannot_say_stays(self):
        """A message that the filter left alone goes out as its caller meant it: with the mark of a cache and the signature of a thought."""
        class Rules:
            def on_request(self, request):
                request["messages"].insert(0, {"role": "system", "content": "be brief"})
                return request

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Claude) as server:
            server.asked = []
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yaml = f"""
providers: {{c: {{dialect: anthropic, base_url: "http://127.0.0.1:{server.server_port}", api_key: k}}}}
models: {{m: {{targets: [c/claude-sonnet-4-5], filters: [mine]}}}}
"""
            with llmrouter.Router(yaml=yaml, settings=MEMORY, environment=False, filters={"mine": Rules()}) as router:
                user = {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}
                said = router.chat({"model": "m", "messages": [user]})["choices"][0]["message"]
                router.chat({"model": "m", "messages": [user, said, {"role": "user", "content": "and?"}]})
            server.shutdown()
        last = server.asked[-1]
        self.assertIn("be brief", json.dumps(last["system"]))
        self.assertIn('"signature": "SIGNED"', json.dumps(last["messages"]))
        self.assertIn('"cache_control"', json.dumps(last["messages"]))


class Leftovers(unittest.TestCase):
    def test_nothing_is_held(self):
        """Runs last: no call left anything behind."""
        gc.collect()
        self.assertEqual(llmrouter._Flight._flights, {})
        self.assertEqual(llmrouter._Filter._filters, {})


if __name__ == "__main__":
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (Loading, Paths, NullTexts, Module, Filters, Leftovers))
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed")
    raise SystemExit(1 if bad else 0)
