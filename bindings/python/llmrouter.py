"""llmrouter for Python: the router in this process, over libllmrouter-c by ctypes. No compiler, no packages.

    import llmrouter
    with llmrouter.Router() as router:                     # or Router("llmrouter.yaml"), Router(yaml="...")
        print(router.chat("demo/echo", "Hello"))
        for piece in router.stream("demo/echo", "one word at a time"):
            print(piece, end="")

Requests may be a model and a text, or a dict (or JSON text) in OpenAI's chat dialect; answers are then dicts. Failures raise llmrouter.Error.
A Router may be used from many threads. What is still open when the interpreter ends is closed then: calls in flight are cancelled. The library is the one that LLMROUTER_LIBRARY names, or else lies beside this file, or else is installed
(first: under the prefix that this file was installed in).
"""
import atexit
import collections
import ctypes
import itertools
import json as _json
import math
import os
import queue
import sysconfig
import threading
import weakref

__all__ = ["Router", "Call", "Result", "Error", "Refuse", "DROP", "check", "version"]

__version__ = "0.1.0"  # of the library that this was written for

CONTINUE, PAUSE, STOP = 0, 1, 2
WHOLE, CHUNKS, TEXT = 0, 1, 2
SWITCH_OFF, SWITCH_ON, SWITCH_OTHER = 0, 1, 2
DROP = object()  # what a filter answers for an event that does not pass
_YEAR = 365 * 24 * 60 * 60
LOG_LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3}

_on_data = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)
_on_end = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_on_log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)
_on_filter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_void_p)
_destroy = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _places():
    """Where the library may lie: beside this file, in the `lib` that this file was installed in, where the loader looks, in /usr/local."""
    name, many = "libllmrouter-c.so.0", sysconfig.get_config_var("MULTIARCH") or ""
    folder = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(folder, name)
    while os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        if os.path.basename(folder) in ("lib", "lib64"):
            # PREFIX/lib/python3/dist-packages: the library may be in PREFIX/lib64, too.
            for lib in {folder: 0, os.path.join(os.path.dirname(folder), "lib"): 0, os.path.join(os.path.dirname(folder), "lib64"): 0}:
                for place in (os.path.join(lib, name), os.path.join(lib, many, name)):
                    if os.path.exists(place):
                        yield place
            break
    yield name
    yield os.path.join("/usr/local/lib", name)


def _load():
    named = os.environ.get("LLMROUTER_LIBRARY")
    for name in [named] if named else _places():
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            problem = error
    raise ImportError(f"libllmrouter-c was not found ({problem}); name it in LLMROUTER_LIBRARY")


# Argument kinds: p a handle or pointer, s a text as (pointer, size), i an int, l a 64-bit int, d data callback, e end callback, g log callback,
# f filter callback, x destroy callback. The result of every function without one is an error.
_KINDS = {"p": [ctypes.c_void_p], "s": [ctypes.c_char_p, ctypes.c_size_t], "i": [ctypes.c_int], "l": [ctypes.c_int64], "d": [_on_data],
          "e": [_on_end], "g": [_on_log], "f": [_on_filter], "x": [_destroy]}
_FUNCTIONS = {
    "version": ("", ctypes.c_char_p), "error_code": ("p", ctypes.c_char_p), "error_message": ("p", ctypes.c_char_p),
    "error_detail": ("p", ctypes.c_char_p),
    "error_param": ("p", ctypes.c_char_p), "error_status": ("p", ctypes.c_int), "error_retry_after_ms": ("p", ctypes.c_int64),
    "error_provider": ("p", ctypes.c_char_p), "error_upstream_status": ("p", ctypes.c_int), "error_upstream_body": ("p", ctypes.c_char_p),
    "error_free": ("p", None), "text_data": ("p", ctypes.c_void_p), "text_size": ("p", ctypes.c_size_t), "text_free": ("p", None),
    "options_free": ("p", None), "close": ("p", None), "call_free": ("p", None), "call_cancel": ("p", None), "call_pause": ("p", None),
    "call_resume": ("p", None), "result_error": ("p", ctypes.c_void_p), "result_body": ("pp", ctypes.c_void_p),
    "result_text": ("pp", ctypes.c_void_p), "result_record": ("pp", ctypes.c_void_p), "result_free": ("p", None), "filter_free": ("p", None),
    "options_new": "p", "options_set_file": "ps", "options_set_yaml": "ps", "options_set": "pss", "options_add_provider": "psss",
    "options_add_model": "pss", "options_use_environment": "pi", "options_check": "pp", "options_set_log": "pigpx",
    "options_add_json_filter": "psfpx", "text_append": "ps", "open": "pp", "reload": "pp",
    "call_new": "psp", "call_new_text": "pssp", "call_set_mode": "pi", "call_set_key": "ps", "call_set_request_id": "ps",
    "call_set_timeout_ms": "pl", "call_set_provider": "ps", "call_add_header": "pss", "call_run": "pdpxp", "call_start": "pdepx",
    "call_explain": "pp", "explain": "psp", "models": "pip", "providers": "pp", "model_health": "pssp", "metrics": "pp", "keys_create": "pssp", "keys_list": "pp",
    "keys_show": "psp", "keys_modify": "pssp", "keys_revoke": "ps", "keys_limits": "psp", "keys_check": "psp", "filter_new": "p",
    "filter_set": "pss", "usage": "ppp", "usage_sum": "pspp", "usage_flush": "pl", "rules_list": "pp", "rules_set": "psp", "rules_remove": "ps",
    "rules_test": "psp", "switch_status": "pp", "switch_toggle": "pissp", "switch_history": "pp", "keys_override": "psp",
    "keys_set_override": "pss", "keys_clear_override": "ps", "keys_start_session": "pssp", "keys_sessions": "psp", "keys_end_session": "pss",
}


class _Library:
    """The functions without their prefix, with their types."""

    def __init__(self, library):
        for name, shape in _FUNCTIONS.items():
            kinds, result = (shape, ctypes.c_void_p) if isinstance(shape, str) else shape
            try:
                function = getattr(library, "llmrouter_" + name)
            except AttributeError:
                raise ImportError(f"{library._name} (version {self._version(library)}) has no llmrouter_{name}: it is older than this llmrouter.py, which needs "
                                  f"libllmrouter-c {__version__} of the same build; install that, or name it in LLMROUTER_LIBRARY") from None
            function.argtypes = [kind for letter in kinds for kind in _KINDS[letter]]
            function.restype = result
            setattr(self, name, function)

    @staticmethod
    def _version(library):
        try:
            library.llmrouter_version.restype = ctypes.c_char_p
            return library.llmrouter_version().decode()
        except AttributeError:
            return "unknown"


_lib = _Library(_load())


class Error(Exception):
    """A failure: `code` ("model_not_found", ...), `message`, `param`, `status`, `retry_after_ms`, `provider`, `upstream_status`, `upstream_body`, and
    `detail`: where it happened (host and port), for logs; `message` names no address and may be shown to anybody."""

    def __init__(self, code, message, param="", status=0, retry_after_ms=0, provider="", upstream_status=0, upstream_body="", detail=""):
        super().__init__(f"{code}: {message}" + (f" ({detail})" if detail else ""))
        self.detail = detail
        self.code, self.message, self.param, self.status = code, message, param, status
        self.retry_after_ms, self.provider = retry_after_ms, provider
        self.upstream_status, self.upstream_body = upstream_status, upstream_body

    def __reduce__(self):  # to other processes, and copies
        fields = (self.code, self.message, self.param, self.status, self.retry_after_ms, self.provider, self.upstream_status, self.upstream_body, self.detail)
        return type(self), fields, self.__dict__

    @staticmethod
    def _of(handle):
        def text(name):
            return getattr(_lib, "error_" + name)(handle).decode("utf-8", "replace")

        return Error(text("code"), text("message"), text("param"), _lib.error_status(handle), _lib.error_retry_after_ms(handle),
                     text("provider"), _lib.error_upstream_status(handle), text("upstream_body"), text("detail"))

    @staticmethod
    def _taken(handle):
        try:
            return Error._of(handle)
        finally:
            _lib.error_free(handle)


def _check(handle):
    if handle:
        raise Error._taken(handle)


def _text(value):
    """A text argument as (bytes, size)."""
    if isinstance(value, str):
        data = value.encode()
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    else:
        raise TypeError(f"expected text (str or bytes), not {type(value).__name__}")
    return data, len(data)


def _milliseconds(timeout):
    """Seconds, rounded up: 0 means something else than "very soon"."""
    if not 0 <= timeout <= _YEAR:
        raise Error("invalid_request", "timeout: expected 0 to a year, in seconds", param="timeout", status=400)
    return math.ceil(timeout * 1000)


def _json_text(value):
    return _text(value if isinstance(value, (str, bytes)) else _json.dumps(value))


def _new(function, *arguments):
    """A handle that `function` writes to its last argument."""
    out = ctypes.c_void_p()
    _check(function(*arguments, ctypes.byref(out)))
    return out


def _taken(function, *arguments):
    """The text that `function` gives, as str."""
    text = _new(function, *arguments)
    try:
        return ctypes.string_at(_lib.text_data(text), _lib.text_size(text)).decode("utf-8", "replace")
    finally:
        _lib.text_free(text)


def version():
    return _lib.version().decode()


class Result:
    """How a call ended: `error` (None: well), `body` (a dict, of whole answers), `text`, `record` (the usage record, a dict)."""

    def __init__(self, handle):
        error = _lib.result_error(handle)
        self.error = Error._of(error) if error else None
        self.body = self._json(_lib.result_body, handle)
        self.text = self._lent(_lib.result_text, handle)
        self.record = self._json(_lib.result_record, handle)

    @staticmethod
    def _lent(function, handle):
        size = ctypes.c_size_t()
        data = function(handle, ctypes.byref(size))
        return ctypes.string_at(data, size.value).decode("utf-8", "replace")

    @classmethod
    def _json(cls, function, handle):
        text = cls._lent(function, handle)
        return _json.loads(text) if text else None


class _Handle:
    """A handle that is freed when nobody refers to it any more: never while another thread's function has it."""

    def __init__(self, pointer, free):
        self._as_parameter_, self._free, self._process = pointer, free, os.getpid()

    def ours(self):
        """Not a fork's child, which may not call the library."""
        return self._process == os.getpid()

    def __del__(self):
        if self.ours():
            self._free(self._as_parameter_)


def _answer(value):
    """What an on_data answered. Not a bool: True means "go on" to some and is PAUSE in numbers."""
    if value is None:
        return CONTINUE
    if not isinstance(value, int) or isinstance(value, bool) or value not in (CONTINUE, PAUSE, STOP):
        raise TypeError(f"on_data: expected None, CONTINUE, PAUSE or STOP, not {value!r}")
    return int(value)


def _wait(work, on_data=None, cancel=None):
    """work(on_data), which blocks in the library. Only the main thread hears signals, and not while it is in there: it lets another thread do the work, and
    waits where ^C comes out at once. `on_data` is called here all the same. What is raised here, by it or by a signal, cancels."""
    if threading.get_ident() != threading.main_thread().ident:
        return _inside(work, on_data)
    told, answers, the_end = queue.SimpleQueue(), queue.SimpleQueue(), object()

    def ask(data):
        told.put((None, data))
        return answers.get()

    def run():
        try:
            told.put((the_end, (None, _inside(work, on_data and ask))))
        except BaseException as thrown:
            told.put((the_end, (thrown, None)))

    worker = threading.Thread(target=run, name="llmrouter", daemon=True)
    try:
        try:
            worker.start()
        except RuntimeError:  # an interpreter that is about to end makes no more threads
            return _inside(work, on_data)
        while True:
            by, value = told.get()
            if by is the_end:
                worker.join()  # it says this last; what it holds is let go
                break
            answers.put(_answer(on_data(value)))
    except BaseException:
        answers.put(STOP)
        if cancel:
            cancel()
            if worker.is_alive():
                worker.join(1)  # it has nothing left to wait for; should it have, it ends by itself
        raise
    try:
        if value[0]:
            raise value[0]
        return value[1]
    finally:
        value = None  # an exception and the frame that it came through would hold each other


def _inside(work, on_data):
    mark = object()
    _Exit._inside.add(mark)
    try:
        return work(on_data)
    finally:
        _Exit._inside.discard(mark)
        _Exit.look()


class _Flight:
    """What the library calls while one call is in flight; the library holds a reference until it calls `destroy`."""

    # No lock: one step each, also for a collector of garbage that runs in between and ends other flights.
    _flights = {}
    _ids = itertools.count(1)

    def __init__(self, on_data, on_end=None, *, started):
        self.on_data, self.on_end, self.started, self.thrown, self.id = on_data, on_end, started, None, next(_Flight._ids)
        _Flight._flights[self.id] = self

    @staticmethod
    @_on_data
    def data(user_data, data, size):
        flight = _Flight._flights[user_data]
        try:
            return _answer(flight.on_data(ctypes.string_at(data, size))) if flight.on_data else CONTINUE
        except BaseException as thrown:  # it must not travel through the library
            flight.failed(thrown)
            return STOP

    @staticmethod
    @_on_end
    def end(user_data, result):
        flight = _Flight._flights[user_data]
        try:
            if flight.on_end:
                flight.on_end(Result(result))
        except BaseException as thrown:
            flight.failed(thrown)

    def failed(self, thrown):
        """Kept for who runs the call; a started one's goes where those of threads go."""
        if self.started:
            threading.excepthook(threading.ExceptHookArgs((type(thrown), thrown, thrown.__traceback__, None)))
        else:
            self.thrown = thrown

    @staticmethod
    @_destroy
    def destroy(user_data):
        del _Flight._flights[user_data]
        _Exit.look()


class _Exit:
    """No thread may call back into an interpreter that ends: what is open is closed before, and what still runs is waited for."""

    PATIENCE = 5.0  # seconds, for callbacks of daemon threads that do not return

    _open = weakref.WeakValueDictionary()  # routers and calls
    _inside = set()                        # functions of the library that call back on the thread that called them
    _empty = None                          # an event, from the exit on

    @classmethod
    def opened(cls, thing):
        cls._open[id(thing)] = thing

    @classmethod
    def look(cls):
        if cls._empty is not None and not _Flight._flights and not cls._inside:
            cls._empty.set()

    @classmethod
    def leave(cls):
        for reference in cls._open.valuerefs():
            thing = reference()
            if thing is not None:
                thing.close()
        cls._empty = threading.Event()
        cls.look()
        cls._empty.wait(cls.PATIENCE)

    @classmethod
    def forked(cls):
        """In the child: nothing that the parent opened is there to be waited for."""
        _Flight._flights.clear()
        cls._inside.clear()


atexit.register(_Exit.leave)
os.register_at_fork(after_in_child=_Exit.forked)


class Call:
    """One request: set up by its arguments, run or started once. `cancel`, `pause` and `resume` work from any thread. `timeout` is in seconds; 0 or none:
    what the configuration says."""

    def __init__(self, router, request, text=None, *, mode=WHOLE, key=None, request_id=None, timeout=None, provider=None, headers=None):
        if text is None:
            pointer = _new(_lib.call_new, router._handle, *_json_text(request))
        else:
            pointer = _new(_lib.call_new_text, router._handle, *_text(request), *_text(text))
        self._handle = _Handle(pointer, _lib.call_free)
        _Exit.opened(self)
        self._mode = mode
        self._router = router  # a call needs its router's library thread as long as it is in flight
        _check(_lib.call_set_mode(self._handle, mode))
        if key is not None:
            _check(_lib.call_set_key(self._handle, *_text(key)))
        if request_id is not None:
            _check(_lib.call_set_request_id(self._handle, *_text(request_id)))
        if timeout is not None:
            _check(_lib.call_set_timeout_ms(self._handle, _milliseconds(timeout)))
        if provider is not None:
            _check(_lib.call_set_provider(self._handle, *_text(provider)))
        for name, value in (headers or {}).items():
            _check(_lib.call_add_header(self._handle, *_text(name), *_text(value)))

    def _check_on_data(self, on_data):
        if on_data is not None and self._mode == WHOLE:
            raise TypeError("on_data: a whole answer comes with the result; mode=CHUNKS or TEXT has data")

    def run(self, on_data=None):
        """Blocks until the call has ended. `on_data(bytes)` may answer PAUSE or STOP (None and CONTINUE: go on; anything else is a TypeError); what it raises
        stops the call and comes out here. So does ^C, and what else a signal's handler raises."""
        self._check_on_data(on_data)
        handle = self._handle  # not freed while it runs, whoever closes this
        return _wait(lambda ask: self._run(handle, ask), on_data, lambda: _lib.call_cancel(handle))

    @staticmethod
    def _run(handle, on_data):
        flight = _Flight(on_data, started=False)
        result = ctypes.c_void_p()
        error = _lib.call_run(handle, _Flight.data, flight.id, _Flight.destroy, ctypes.byref(result))
        try:
            if flight.thrown:
                raise flight.thrown
            if error:
                raise Error._of(error)
            return Result(result)
        finally:
            _lib.error_free(error)
            _lib.result_free(result)

    def start(self, on_data=None, on_end=None):
        """Returns at once. `on_data(bytes)`, which answers as that of run(), and then, once, `on_end(Result)` are called on the library's thread. What they
        raise goes to threading.excepthook; what on_data raises also stops the call."""
        self._check_on_data(on_data)
        flight = _Flight(on_data, on_end, started=True)
        _check(_lib.call_start(self._handle, _Flight.data, _Flight.end, flight.id, _Flight.destroy))

    def cancel(self):
        _lib.call_cancel(self._handle)

    def pause(self):
        _lib.call_pause(self._handle)

    def resume(self):
        _lib.call_resume(self._handle)

    def explain(self):
        return _json.loads(_taken(_lib.call_explain, self._handle))

    def test_rules(self, key=""):
        """{"rule", "plan", "error"}: which rule would decide this call, and what would come of it. `key`: for whom, by id or name; none: for whose it is."""
        return _json.loads(_taken(_lib.rules_test, self._handle, *_text(key)))

    def close(self):
        """Cancels the call when it is in flight, and frees it. So does letting go of it."""
        handle, self._handle = self._handle, None
        if handle and handle.ours():
            _lib.call_cancel(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Pipe:
    """Between a started call, which fills it, and the _Stream that reads it. The flight holds this and not the stream: a stream that nobody has any more
    goes, and its call with it."""

    HIGH = 64

    def __init__(self):
        self._waiting = collections.deque()
        self._changed = threading.Condition()
        self._paused = False
        self._cut = None   # why nothing more is read: the stream was closed before it was read to its end
        self.result = None

    def put(self, data):
        with self._changed:
            self._waiting.append(data)
            self._paused = len(self._waiting) >= self.HIGH
            self._changed.notify()
            return PAUSE if self._paused else CONTINUE

    def end(self, result):
        with self._changed:
            self.result = result
            self._changed.notify_all()

    def take(self):
        """A piece (None at the end), and whether the call is to be resumed."""
        with self._changed:
            while not self._waiting and self.result is None and self._cut is None:
                self._changed.wait()
            if self._cut is not None:
                raise self._cut
            if not self._waiting:
                return None, False
            data = self._waiting.popleft()
            resume = self._paused and not self._waiting
            self._paused = self._paused and not resume
            return data, resume

    def close(self):
        with self._changed:
            if self._waiting or self.result is None:
                self._cut = Error("cancelled", "the stream was closed before its end", status=499)
                self._waiting.clear()
                self._changed.notify_all()


class _Stream:
    """Iterates over a streamed answer. Reads ahead a little, then pauses the upstream; closing it early, or letting go of it, cancels the call."""

    def __init__(self, call, decode):
        self._call, self._decode, self._pipe = call, decode, _Pipe()
        call.start(self._pipe.put, self._pipe.end)

    @property
    def result(self):
        """The Result, after the end."""
        return self._pipe.result

    def __iter__(self):
        return self

    def __next__(self):
        data, resume = self._pipe.take()
        if resume:
            self._call.resume()
        if data is not None:
            return self._decode(data)
        if self.result.error:
            raise self.result.error
        raise StopIteration

    def close(self):
        self._pipe.close()
        self._call.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Keys:
    """The router's keys. A key is named by its id, or by its name when no other has it."""

    def __init__(self, router):
        self._router = router

    def create(self, spec=None, prefix=""):
        """The new key's record; its member `key` is the secret, shown this once."""
        return _json.loads(_taken(_lib.keys_create, self._router._handle, *_json_text(spec or {}), *_text(prefix)))

    def list(self):
        return _json.loads(_taken(_lib.keys_list, self._router._handle))["data"]

    def show(self, key):
        return _json.loads(_taken(_lib.keys_show, self._router._handle, *_text(key)))

    def modify(self, key, change):
        return _json.loads(_taken(_lib.keys_modify, self._router._handle, *_text(key), *_json_text(change)))

    def revoke(self, key):
        _check(_lib.keys_revoke(self._router._handle, *_text(key)))

    def limits(self, key):
        return _json.loads(_taken(_lib.keys_limits, self._router._handle, *_text(key)))

    def check(self, secret):
        """The record of the key with this secret; None when it is nobody's and none is required."""
        return _json.loads(_taken(_lib.keys_check, self._router._handle, *_text(secret)))

    def override(self, key):
        """The model that the key's chats go to, whatever they ask for; None: what they ask for."""
        return _json.loads(_taken(_lib.keys_override, self._router._handle, *_text(key)))["model"]

    def set_override(self, key, model):
        _check(_lib.keys_set_override(self._router._handle, *_text(key), *_text(model)))

    def clear_override(self, key):
        _check(_lib.keys_clear_override(self._router._handle, *_text(key)))

    def start_session(self, key, model, ttl="8h"):
        """A token that is the key, but whose chats go to `model`; its member `token` is shown this once."""
        wish = {"model": model, "ttl": ttl}
        return _json.loads(_taken(_lib.keys_start_session, self._router._handle, *_text(key), *_json_text(wish)))

    def sessions(self, key):
        """Those that have not ended, oldest first."""
        return _json.loads(_taken(_lib.keys_sessions, self._router._handle, *_text(key)))["data"]

    def end_session(self, key, id=""):
        """The one of this id; without one all of the key's."""
        _check(_lib.keys_end_session(self._router._handle, *_text(key), *_text(id)))


class Rules:
    """The router's rules: those of the configuration, and those stored here."""

    def __init__(self, router):
        self._router = router

    def list(self):
        """In the order they are asked."""
        return _json.loads(_taken(_lib.rules_list, self._router._handle))["data"]

    def set(self, rule):
        """Stores a rule, or replaces the stored one of its name; the rule as it is now."""
        return _json.loads(_taken(_lib.rules_set, self._router._handle, *_json_text(rule)))

    def remove(self, name):
        _check(_lib.rules_remove(self._router._handle, *_text(name)))

    def test(self, request, text=None, *, key="", headers=None):
        """As Call.test_rules, of a request that is not sent."""
        with Call(self._router, request, text, headers=headers) as call:
            return call.test_rules(key)


class Switch:
    """The routing switch. Off: every chat goes to `routing.default_model`."""

    def __init__(self, router):
        self._router = router

    def status(self):
        return _json.loads(_taken(_lib.switch_status, self._router._handle))

    def toggle(self, enabled=None, *, who="", why=""):
        """Turns it to `enabled`, or (None) the other way; its status."""
        to = SWITCH_OTHER if enabled is None else SWITCH_ON if enabled else SWITCH_OFF
        return _json.loads(_taken(_lib.switch_toggle, self._router._handle, to, *_text(who), *_text(why)))

    def history(self):
        """The changes, newest first."""
        return _json.loads(_taken(_lib.switch_history, self._router._handle))["data"]


class Router:
    """`config` is a file's path, `yaml` a file's text; with neither, environment and defaults. `settings` go over both: {"storage.usage": "off"}."""

    def __init__(self, config=None, *, yaml=None, settings=None, providers=None, models=None, environment=True, log=None, log_level="info", filters=None):
        """`providers`: {name: (base_url, api_key)}; `models`: {name: [target, ...]}; `log(level, line)` is called from any thread. `filters`: {name: object};
        such an object may have on_request(request), on_response(answer) and on_event(event), which get dicts. They answer None (it passes as it is) or what
        stands in its place: a dict, of an event its new text (of a tool's its arguments); DROP leaves an event out. What they raise refuses: Refuse says why
        in words for the caller. They are called from any thread, and must not use the router."""
        self._handle = None
        options = self._options(config, yaml, settings, providers, models, environment, log, log_level, filters)
        try:
            self._handle = _new(_lib.open, options)
        finally:
            _lib.options_free(options)
        self._process = os.getpid()
        self._filters = filters
        _Exit.opened(self)
        self.keys, self.rules, self.switch = Keys(self), Rules(self), Switch(self)

    @staticmethod
    def _options(config, yaml, settings, providers, models, environment, log=None, log_level="info", filters=None):
        options = _new(_lib.options_new)
        try:
            if config is not None:
                _check(_lib.options_set_file(options, *_text(os.fspath(config))))
            if yaml is not None:
                _check(_lib.options_set_yaml(options, *_text(yaml)))
            for path, value in (settings or {}).items():
                _check(_lib.options_set(options, *_text(path), *_text(str(value))))
            for name, (base_url, api_key) in (providers or {}).items():
                _check(_lib.options_add_provider(options, *_text(name), *_text(base_url or ""), *_text(api_key or "")))
            for name, targets in (models or {}).items():
                for target in [targets] if isinstance(targets, str) else targets:
                    _check(_lib.options_add_model(options, *_text(name), *_text(target)))
            _check(_lib.options_use_environment(options, 1 if environment else 0))
            if log is not None:
                flight = _Log(log)
                _check(_lib.options_set_log(options, LOG_LEVELS[log_level], _Log.line, flight.id, _Log.destroy))
            for name, what in (filters or {}).items():
                flight = _Filter(what)
                _check(_lib.options_add_json_filter(options, *_text(name), _Filter.ask, flight.id, _Filter.destroy))
        except BaseException:
            _lib.options_free(options)
            raise
        return options

    def reload(self, config=None, *, yaml=None, settings=None, providers=None, models=None, environment=True):
        filters = self._filters  # it keeps them, so a configuration may name them
        options = self._options(config, yaml, settings, providers, models, environment, filters=filters)
        try:
            _check(_lib.reload(self._handle, options))
        finally:
            _lib.options_free(options)

    def chat(self, request, text=None, **options):
        """chat("model", "text") gives the answer's text; chat({...}) gives the answer as a dict."""
        with Call(self, request, text, **options) as call:
            result = call.run()
        return result.body if text is None else result.text

    def stream(self, request, text=None, **options):
        """Iterates over the answer: pieces of text for (model, text), chunks as dicts for a request."""
        if text is None:
            return _Stream(Call(self, request, mode=CHUNKS, **options), _json.loads)
        return _Stream(Call(self, request, text, mode=TEXT, **options), lambda data: data.decode("utf-8", "replace"))

    def call(self, request, text=None, **options):
        return Call(self, request, text, **options)

    def explain(self, model):
        return _json.loads(_taken(_lib.explain, self._handle, *_text(model)))

    def models(self, refresh=False):
        """`refresh`: asks the providers for theirs before."""
        handle, list_them = self._handle, lambda _: _taken(_lib.models, handle, 1 if refresh else 0)
        return _json.loads(_wait(list_them) if refresh else list_them(None))["data"]

    def providers(self):
        return _json.loads(_taken(_lib.providers, self._handle))["data"]

    def model_health(self, model, key=""):
        """{"model", "status", "targets": [...]}: how the targets behind a name are doing. `key`: only those that it may use, by id or name."""
        return _json.loads(_taken(_lib.model_health, self._handle, *_text(model), *_text(key)))

    def metrics(self):
        return _taken(_lib.metrics, self._handle)

    def usage(self, **filters):
        """{"data": [record, ...], "next": cursor}; filters: since, until, key, user, model, provider, status, limit, cursor."""
        wanted = self._filter(filters)
        try:
            return _json.loads(_taken(_lib.usage, self._handle, wanted))
        finally:
            _lib.filter_free(wanted)

    def usage_sum(self, by="", **filters):
        wanted = self._filter(filters)
        try:
            return _json.loads(_taken(_lib.usage_sum, self._handle, *_text(by), wanted))["data"]
        finally:
            _lib.filter_free(wanted)

    def flush(self, timeout=5.0):
        """Waits until the usage recorded so far is on disk, `timeout` seconds at most."""
        handle, most = self._handle, _milliseconds(timeout)
        _wait(lambda _: _check(_lib.usage_flush(handle, most)))

    @staticmethod
    def _filter(filters):
        handle = _new(_lib.filter_new)
        try:
            for name, value in filters.items():
                _check(_lib.filter_set(handle, *_text(name), *_text(str(value))))
        except BaseException:
            _lib.filter_free(handle)
            raise
        return handle

    def close(self):
        """Cancels every call in flight, waits for their callbacks, and frees the router."""
        handle, self._handle = self._handle, None
        if handle and self._process == os.getpid():  # a fork's child may not call the library
            _lib.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()


def check(config=None, *, yaml=None, settings=None, providers=None, models=None, environment=True, filters=None):
    """Reads a configuration as Router() does and opens nothing: raises Error with a line for each fault, or returns the warnings: what is legal and
    surely not meant, one text each."""
    options = Router._options(config, yaml, settings, providers, models, environment, filters=filters)
    try:
        return _taken(_lib.options_check, options).splitlines()
    finally:
        _lib.options_free(options)


class _Log:
    """Where lines go; held until the library lets go."""

    _logs = {}
    _next = 1

    def __init__(self, write):
        self.write, self.id = write, _Log._next
        _Log._next += 1
        _Log._logs[self.id] = self

    @staticmethod
    @_on_log
    def line(user_data, level, line, size):
        try:
            _Log._logs[user_data].write(level, ctypes.string_at(line, size).decode("utf-8", "replace"))
        except BaseException:  # a log that fails is no reason for a call to fail
            pass

    @staticmethod
    @_destroy
    def destroy(user_data):
        _Log._logs.pop(user_data, None)


class Refuse(Exception):
    """What a filter raises to refuse a request, or what comes of it; its text is told to the caller of a request."""


class _Filter:
    """An application's filter; held until the library lets go."""

    _filters = {}
    _ids = itertools.count(1)
    _METHODS = ("on_request", "on_response", "on_event")  # by the place
    _PASS, _REPLACE, _DROP, _REFUSE = 0, 1, 2, 3

    def __init__(self, what):
        self.methods, self.id = [getattr(what, name, None) for name in self._METHODS], next(_Filter._ids)
        if not any(self.methods):
            raise TypeError(f"a filter needs one of {', '.join(self._METHODS)}")
        _Filter._filters[self.id] = self

    @staticmethod
    @_on_filter
    def ask(user_data, attempt, place, json, size, out):
        try:
            method = _Filter._filters[user_data].methods[place]
            if method is None:
                return _Filter._PASS
            answer = method(_json.loads(ctypes.string_at(json, size)))
            if answer is None:
                return _Filter._PASS
            if answer is DROP:
                return _Filter._DROP
            if not isinstance(answer, str if place == 2 else dict):
                raise TypeError(f"{_Filter._METHODS[place]}: expected {'a text, DROP' if place == 2 else 'a dict'} or None, not {answer!r}")
            _check(_lib.text_append(out, *_text(answer if place == 2 else _json.dumps(answer))))
            return _Filter._REPLACE
        except Refuse as refused:
            _lib.error_free(_lib.text_append(out, *_text(str(refused))))
        except BaseException as thrown:  # it must not travel through the library; no words of it are for the caller
            threading.excepthook(threading.ExceptHookArgs((type(thrown), thrown, thrown.__traceback__, None)))
        return _Filter._REFUSE

    @staticmethod
    @_destroy
    def destroy(user_data):
        _Filter._filters.pop(user_data, None)
