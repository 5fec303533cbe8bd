"""A scripted upstream: an HTTP/1.1 server that does what real providers do, right and wrong.

A test sets `handler`, an async function that gets an Exchange and may send any bytes at any time, wait, stall, close or reset. Nothing is
added to what it sends. By itself (`python3 upstream.py PORT`) it answers every chat well, whole or streamed: for benchmarks and by hand.
"""
import asyncio
import json
import socket
import struct
import sys
import threading
import time


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def json(self):
        return json.loads(self.body)


class Exchange:
    """One request and the connection it came on. `gone` is set as soon as the other side has closed."""

    def __init__(self, connection, request):
        self.connection, self.request = connection, request
        self.gone = connection.gone

    async def send(self, data):
        if self.connection.transport.is_closing():
            raise ConnectionError("the other side has closed")
        self.connection.transport.write(data)
        await self.connection.drain()

    async def bytewise(self, data, size=1, pause=0.0):
        for i in range(0, len(data), size):
            await self.send(data[i:i + size])
            await asyncio.sleep(pause)

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    async def stall(self, seconds=30):
        """Says nothing until the client goes away (or for that long)."""
        try:
            await asyncio.wait_for(self.gone.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        self.close()

    def close(self):
        self.connection.transport.close()

    def cut(self):
        """Resets the connection: what was sent and not read may be lost."""
        sock = self.connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.transport.abort()


class Connection(asyncio.Protocol):
    def __init__(self, upstream):
        self.upstream = upstream
        self.buffer = b""
        self.gone = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.task = None

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=65536)
        self.upstream.connections += 1
        self.upstream.open.add(self)

    def connection_lost(self, exc):
        self.gone.set()
        self.writable.set()
        self.upstream.open.discard(self)

    def eof_received(self):
        self.gone.set()
        return False

    def pause_writing(self):
        self.writable.clear()
        self.upstream.pauses += 1

    def resume_writing(self):
        self.writable.set()

    async def drain(self):
        await self.writable.wait()

    def data_received(self, data):
        self.buffer += data
        if self.task is None or self.task.done():
            self.next()

    def next(self):
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        request = Request(method, target, headers, rest[:length])
        request.at = time.monotonic()
        self.upstream.seen.append(request)
        self.task = asyncio.ensure_future(self.run(Exchange(self, request)))

    async def run(self, exchange):
        try:
            await self.upstream.handler(exchange)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Exception as e:  # a test's mistake: seen in its failure
            self.upstream.faults.append(e)
            self.transport.abort()
            raise
        self.task = None
        if not self.transport.is_closing():
            self.next()


class Loop:
    """One event loop on a thread of its own for all upstreams of a process."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


class Upstream:
    def __init__(self, loop, handler=None, port=0):
        self.loop = loop
        self.handler = handler or good
        self.seen = []        # every request
        self.faults = []      # exceptions of handlers
        self.open = set()     # live connections
        self.connections = 0  # ever made
        self.pauses = 0       # times a send had to wait for the reader

        async def start():
            return await asyncio.get_running_loop().create_server(lambda: Connection(self), "127.0.0.1", port)
        self.server = loop.run(start())
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = "http://127.0.0.1:%d/v1" % self.port

    def chats(self):
        return [r for r in self.seen if r.method == "POST"]

    def close(self):
        async def stop():
            self.server.close()
            for connection in list(self.open):
                connection.transport.abort()
        self.loop.run(stop())


# What a provider says.

def reply(body, status=200, headers=(), content_type="application/json"):
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = "HTTP/1.1 %d Status\r\ncontent-type: %s\r\ncontent-length: %d\r\n" % (status, content_type, len(body))
    for name, value in headers:
        head += "%s: %s\r\n" % (name, value)
    return head.encode() + b"\r\n" + body


def error(status, message="it failed", code=None, type_="server_error", headers=()):
    return reply({"error": {"message": message, "type": type_, "param": None, "code": code}}, status, headers)


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
         "prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2}}


def chat_body(text="Hello from upstream", model="m1", usage=USAGE, finish="stop", **more):
    body = {"id": "chatcmpl-%d" % time.monotonic_ns(), "object": "chat.completion", "created": 1790000000, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}]}
    if usage is not None:
        body["usage"] = usage
    body.update(more)
    return body


def data(obj):
    return b"data: " + (obj if isinstance(obj, bytes) else json.dumps(obj).encode()) + b"\n\n"


def chunk(delta, finish=None, id_="chatcmpl-s", model="m1", **more):
    return data({"id": id_, "object": "chat.completion.chunk", "created": 1790000000, "model": model,
                 "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


def usage_chunk(usage=USAGE, id_="chatcmpl-s", model="m1"):
    return data({"id": id_, "object": "chat.completion.chunk", "created": 1790000000, "model": model, "choices": [], "usage": usage})


def frames(words=("Hello", " from", " upstream"), usage=None, done=True):
    out = [chunk({"role": "assistant", "content": ""})]
    out += [chunk({"content": word}) for word in words]
    out.append(chunk({}, "stop"))
    if usage is not None:
        out.append(usage_chunk(usage))
    if done:
        out.append(b"data: [DONE]\n\n")
    return out


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CLOSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def http_chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


LAST_CHUNK = b"0\r\n\r\n"


def asks_usage(request):
    return bool((request.json().get("stream_options") or {}).get("include_usage"))


async def good(x):
    """Answers well, whatever is asked."""
    if x.request.method == "GET":
        return await x.send(reply({"object": "list", "data": [{"id": "m1", "object": "model", "created": 1, "owned_by": "test"}]}))
    if not x.request.json().get("stream"):
        return await x.send(reply(chat_body()))
    await x.send(STREAM_HEAD)
    for frame in frames(usage=USAGE if asks_usage(x.request) else None):
        await x.send(http_chunk(frame))
    await x.send(LAST_CHUNK)


def scripted(*handlers):
    """Chats get these handlers in turn, the last one again and again; lists of models are answered well."""
    turn = iter(range(1 << 30))

    async def handler(x):
        if x.request.method == "GET":
            return await good(x)
        await handlers[min(next(turn), len(handlers) - 1)](x)
    return handler


def sends(raw):
    async def handler(x):
        await x.send(raw)
    return handler


def main():
    loop = Loop()
    upstream = Upstream(loop, port=int(sys.argv[1]) if len(sys.argv) > 1 else 9100)
    print(upstream.url, flush=True)
    loop.thread.join()


if __name__ == "__main__":
    main()
