"""A scripted OpenAI-compatible provider on loopback, for the SDK tests. Standard library only.

What it does is said by the model's name, which ends in "+anything" so that tests can find their own requests again:

  plain       a whole answer or a stream, with members nobody has heard of at every level
  words-N     a stream of N words that repeat the text after "+"
  tools       two parallel tool calls; once their results are in the messages, a text made of them
  json        JSON content for the schema that was asked for; 400 when none was
  many        as many choices as `n` says; streamed, their chunks interleave
  logprobs    token log probabilities when asked for
  status-NNN  an OpenAI error of that status
  cut-N       N chunks of a stream, then the connection breaks in the middle of one
  cut         a whole answer that breaks off in its body
  slow        nothing for ten seconds
  think       thoughts, then words
  fail-once   500 the first time a name is asked for, then as plain

/v1beta speaks Google's dialect (upstream_gemini.py), /v1/messages Anthropic's. /v1/responses and /v1/completions are served natively, for providers that are said to speak them.

GET /v1/models lists some of them. GET /_seen?model=NAME tells what was asked for by that name: [{body (base64), headers, gone}].
"""
import base64
import http.server
import json
import select
import socket
import struct
import sys
import threading
import time
import urllib.parse

import upstream_gemini
from upstream_anthropic import AnthropicFace
from upstream_gemini import GeminiFace

KEY = "sk-upstream-0123456789abcdef0123456789abcdef"
MODELS = ["plain", "tools", "org/model-a", "slow"]
SLOW_SECONDS = 10

seen_lock = threading.Lock()
seen = {}  # model name -> list of records


def usage(inputs=11, outputs=7):
    return {"prompt_tokens": inputs, "completion_tokens": outputs, "total_tokens": inputs + outputs,
            "prompt_tokens_details": {"cached_tokens": 3, "novel_prompt_detail": 1},
            "completion_tokens_details": {"reasoning_tokens": 2}, "novel_usage_member": {"joules": 1.5}}


def completion(request, message, finish="stop", **more):
    n = more.pop("n", 1)
    choices = [{"index": i, "message": dict(message, **({"content": f"{message['content']} {i}"} if n > 1 else {})),
                "logprobs": more.get("logprobs"), "finish_reason": finish, "novel_choice_member": [i]} for i in range(n)]
    return {"id": f"chatcmpl-{time.time_ns():x}", "object": "chat.completion", "created": int(time.time()), "model": request["model"],
            "choices": choices, "usage": usage(), "system_fingerprint": "fp_scripted", "service_tier": "default",
            "novel_top_member": {"deep": [1, None, "é", 12345678901234567890]}}


def tool_calls():
    return [{"id": "call_paris", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}},
            {"id": "call_tokyo", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Tokyo"}'}}]


def logprobs(words):
    return {"content": [{"token": w, "logprob": -0.25 * (i + 1), "bytes": list(w.encode()),
                         "top_logprobs": [{"token": w, "logprob": -0.25 * (i + 1), "bytes": list(w.encode())},
                                          {"token": "other", "logprob": -3.5, "bytes": None}]} for i, w in enumerate(words)],
            "refusal": None}


class Refusal(Exception):
    def __init__(self, status, message, param=None, code=None, kind="invalid_request_error"):
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Handler(AnthropicFace, GeminiFace, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    # ---- replies

    def send_json(self, status, value, headers=()):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def send_event(self, value):
        self.send_piece(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")

    def break_off(self):
        self.wfile.flush()
        # A reset, not a polite end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.close_connection = True
        self.connection.close()

    def stream(self, request, deltas, choices=1, finish="stop"):
        """deltas: (choice index, delta, more members of the choice)."""
        self.begin_stream()
        want_usage = (request.get("stream_options") or {}).get("include_usage")
        base = {"id": f"chatcmpl-{time.time_ns():x}", "object": "chat.completion.chunk", "created": int(time.time()),
                "model": request["model"], "system_fingerprint": "fp_scripted", "novel_top_member": {"deep": True}}
        if want_usage:
            base["usage"] = None

        def chunk(choice):
            return dict(base, choices=[choice])

        for i in range(choices):
            self.send_event(chunk({"index": i, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}))
        for index, delta, more in deltas:
            self.send_event(chunk(dict({"index": index, "delta": delta, "logprobs": None, "finish_reason": None}, **more)))
        for i in range(choices):
            self.send_event(chunk({"index": i, "delta": {}, "logprobs": None, "finish_reason": finish}))
        if want_usage:
            self.send_event(dict(base, choices=[], usage=usage()))
        self.send_piece(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    # ---- requests

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/_seen":
            name = urllib.parse.parse_qs(url.query)["model"][0]
            with seen_lock:
                found = [dict(r) for r in seen.get(name, [])]
            return self.send_json(200, found)
        if url.path == "/v1/models":
            return self.send_json(200, {"object": "list", "data": [{"id": m, "object": "model", "created": 1700000000, "owned_by": "scripted"}
                                                                     for m in MODELS]})
        if url.path == upstream_gemini.ROOT:
            return self.answer_google_list()
        self.send_json(404, {"error": {"message": f"no such path {url.path}", "type": "invalid_request_error", "param": None, "code": None}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.startswith(upstream_gemini.ROOT):
            return self.post_google(body)
        anthropic = self.path in ("/v1/messages", "/v1/messages/count_tokens")
        task = getattr(self, "task_" + self.path[4:].replace("/", "_"), None) if self.path.startswith("/v1/") else None
        if task is None and self.path not in ("/v1/chat/completions", "/v1/responses", "/v1/completions") and not anthropic:
            return self.send_json(404, {"error": {"message": "no such path", "type": "invalid_request_error", "param": None, "code": None}})
        if not anthropic and self.headers.get("authorization") != "Bearer " + KEY:
            return self.send_json(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "param": None,
                                                  "code": "invalid_api_key"}})
        if task is not None:
            return task(body)
        request = json.loads(body)
        record = {"body": base64.b64encode(body).decode(), "headers": {k.lower(): v for k, v in self.headers.items()}, "gone": False}
        with seen_lock:
            records = seen.setdefault(request["model"], [])
            records.append(record)
            turn = len(records)
        if anthropic:
            try:
                return self.answer_anthropic(request, record, KEY)
            except (BrokenPipeError, ConnectionResetError):
                record["gone"] = True
                self.close_connection = True
                return
        if self.path == "/v1/responses":
            return self.answer_responses(request)
        if self.path == "/v1/completions":
            return self.answer_completions(request)
        kind, _, words = request["model"].partition("+")
        name, _, argument = kind.partition("-")
        if kind == "fail-once":
            name, argument = ("status", "500") if turn == 1 else ("plain", "")
        try:
            getattr(self, "answer_" + name, self.answer_plain)(request, argument, words, record)
        except Refusal as refusal:
            self.send_json(refusal.status, refusal.body)
        except (BrokenPipeError, ConnectionResetError):
            record["gone"] = True
            self.close_connection = True

    def post_google(self, body):
        model, operation = upstream_gemini.split(self.path)
        with seen_lock:
            seen.setdefault(model, []).append({"body": base64.b64encode(body).decode(), "headers": {k.lower(): v for k, v in self.headers.items()}, "gone": False})
        self.answer_google(operation, dict(json.loads(body), model=model), KEY)

    # ---- the endpoints beside chat: what they say follows from the request alone

    def send_bytes(self, body, content_type):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def task_embeddings(self, body):
        request = json.loads(body)
        inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
        inputs = [inputs] if isinstance(inputs[0], int) else inputs
        data = []
        for i, text in enumerate(inputs):
            vector = [float(len(text)), -0.5, 0.25][:request.get("dimensions", 3)]
            coded = base64.b64encode(struct.pack("<%df" % len(vector), *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": coded if request.get("encoding_format") == "base64" else vector})
        self.send_json(200, {"object": "list", "data": data, "model": request["model"], "usage": {"prompt_tokens": 5, "total_tokens": 5}})

    def task_moderations(self, body):
        request = json.loads(body)
        names = ["harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm", "self-harm/instructions",
                 "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"]
        flagged = "bad" in request["input"]
        self.send_json(200, {"id": "modr-1", "model": request["model"], "results": [{
            "flagged": flagged, "categories": {n: flagged and n == "hate" for n in names}, "category_scores": {n: 0.5 for n in names},
            "category_applied_input_types": {n: ["text"] for n in names}}]})

    def task_rerank(self, body):
        request = json.loads(body)
        order = sorted(range(len(request["documents"])), key=lambda i: -len(request["documents"][i]))[:request.get("top_n", 1000)]
        self.send_json(200, {"id": "rr-1", "model": request["model"], "results": [{"index": i, "relevance_score": 1 / (1 + n)} for n, i in enumerate(order)],
                             "usage": {"total_tokens": 9}})

    def task_images_generations(self, body):
        request = json.loads(body)
        if not request.get("stream"):
            return self.send_json(200, {"created": 1, "data": [{"b64_json": "UE5H"}], "usage": {
                "input_tokens": 5, "output_tokens": 10, "total_tokens": 15, "input_tokens_details": {"text_tokens": 5, "image_tokens": 0}}})
        self.begin_stream()
        for kind in ("partial_image", "completed"):
            event = {"type": "image_generation." + kind, "b64_json": "UE5H", "created_at": 1, "size": "1024x1024", "quality": "low", "background": "auto",
                     "output_format": "png"}
            event.update({"partial_image_index": 0} if kind == "partial_image" else {"usage": {"input_tokens": 5, "output_tokens": 10, "total_tokens": 15,
                         "input_tokens_details": {"text_tokens": 5, "image_tokens": 0}}})
            self.send_piece(b"event: " + event["type"].encode() + b"\n")
            self.send_event(event)
        self.wfile.write(b"0\r\n\r\n")

    def task_images_edits(self, body):
        self.send_json(200, {"created": 1, "data": [{"b64_json": "UE5H" if b"PNGDATA" in body else ""}]})

    def task_audio_speech(self, body):
        self.send_bytes(b"ID3" + bytes(range(256)) * 200, "audio/mpeg")

    def task_audio_transcriptions(self, body):
        if b'name="stream"' not in body:
            return self.send_json(200, {"text": "Hello" if b"RIFFDATA" in body else "", "usage": {"type": "duration", "seconds": 1}})
        self.begin_stream()
        self.send_event({"type": "transcript.text.delta", "delta": "Hel"})
        self.send_event({"type": "transcript.text.done", "text": "Hello"})
        self.wfile.write(b"0\r\n\r\n")

    def task_audio_translations(self, body):
        self.send_json(200, {"text": "Hello"})

    def answer_completions(self, request):
        base = {"id": f"cmpl-{time.time_ns():x}", "object": "text_completion", "created": int(time.time()), "model": request["model"]}
        if not request.get("stream"):
            return self.send_json(200, dict(base, choices=[{"text": "native", "index": 0, "logprobs": None, "finish_reason": "stop"}], usage=usage()))
        self.begin_stream()
        for text, finish in (("na", None), ("tive", None), ("", "stop")):
            self.send_event(dict(base, choices=[{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}]))
        self.send_piece(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def answer_responses(self, request):
        """A thought, and a text or (with tools and no results yet) a call; in OpenAI's own grammar."""
        items = request["input"] if isinstance(request["input"], list) else []
        results = [i for i in items if i.get("type") == "function_call_output"]
        thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "AAAA"}
        if request.get("tools") and not results:
            last = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_paris", "name": "get_weather", "arguments": '{"city":"Paris"}'}
        else:
            text = "; ".join(r["output"] for r in results) or "native wörld"
            last = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]}
        base = {"id": f"resp_{time.time_ns():x}", "object": "response", "created_at": int(time.time()), "status": "completed", "model": request["model"],
                "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
                "tool_choice": "auto", "tools": [], "top_p": 1.0, "novel_member": {"k": 1}}
        counts = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7,
                  "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 18}
        whole = dict(base, output=[thought, last], usage=counts)
        if not request.get("stream"):
            return self.send_json(200, whole)
        self.begin_stream()
        number = 0

        def tell(kind, **members):
            nonlocal number
            event = json.dumps(dict(members, type="response." + kind, sequence_number=number), ensure_ascii=False)
            self.send_piece(f"event: response.{kind}\ndata: {event}\n\n".encode())
            number += 1

        started = dict(base, status="in_progress", output=[], usage=None)
        tell("created", response=started)
        tell("in_progress", response=started)
        tell("output_item.added", output_index=0, item=dict(thought, summary=[]))
        tell("output_item.done", output_index=0, item=thought)
        if last["type"] == "message":
            part = last["content"][0]
            tell("output_item.added", output_index=1, item=dict(last, content=[], status="in_progress"))
            tell("content_part.added", output_index=1, content_index=0, item_id="msg_1", part=dict(part, text=""))
            for i in range(0, len(part["text"]), 4):
                tell("output_text.delta", output_index=1, content_index=0, item_id="msg_1", delta=part["text"][i:i + 4], logprobs=[])
            tell("output_text.done", output_index=1, content_index=0, item_id="msg_1", text=part["text"], logprobs=[])
            tell("content_part.done", output_index=1, content_index=0, item_id="msg_1", part=part)
        else:
            tell("output_item.added", output_index=1, item=dict(last, arguments="", status="in_progress"))
            for i in range(0, len(last["arguments"]), 5):
                tell("function_call_arguments.delta", output_index=1, item_id="fc_1", delta=last["arguments"][i:i + 5])
            tell("function_call_arguments.done", output_index=1, item_id="fc_1", name="get_weather", arguments=last["arguments"])
        tell("output_item.done", output_index=1, item=last)
        tell("completed", response=whole)
        self.wfile.write(b"0\r\n\r\n")

    def answer_plain(self, request, argument, words, record):
        if request.get("stream"):
            more = {"novel_choice_member": [0]}
            return self.stream(request, [(0, {"content": w, "novel_delta_member": {"k": w}}, more) for w in ("Hello", ",", " wörld", "!")])
        self.send_json(200, completion(request, {"role": "assistant", "content": "Hello, wörld!", "refusal": None, "annotations": [],
                                                 "novel_message_member": "kept"}))

    def answer_think(self, request, argument, words, record):
        if request.get("stream"):
            return self.stream(request, [(0, {"reasoning_content": "hm"}, {}), (0, {"content": "So."}, {})])
        self.send_json(200, completion(request, {"role": "assistant", "content": "So.", "reasoning_content": "hm"}))

    def answer_words(self, request, argument, words, record):
        self.stream(request, [(0, {"content": f"{words} "}, {}) for _ in range(int(argument))])

    def answer_tools(self, request, argument, words, record):
        results = [m for m in request["messages"] if m["role"] == "tool"]
        if results:
            text = "; ".join(f"{m['tool_call_id']}={m['content']}" for m in results)
            if request.get("stream"):
                return self.stream(request, [(0, {"content": text}, {})])
            return self.send_json(200, completion(request, {"role": "assistant", "content": text}))
        if [t["function"]["name"] for t in request.get("tools", [])] != ["get_weather"]:
            raise Refusal(400, "the tool get_weather did not arrive", "tools")
        if not request.get("stream"):
            return self.send_json(200, completion(request, {"role": "assistant", "content": None, "tool_calls": tool_calls()}, "tool_calls"))
        deltas = []
        for i, call in enumerate(tool_calls()):
            whole = call["function"]["arguments"]
            begin = dict(call, index=i, function={"name": call["function"]["name"], "arguments": ""})
            deltas.append((0, {"tool_calls": [begin]}, {}))
            deltas += [(0, {"tool_calls": [{"index": i, "function": {"arguments": whole[k:k + 4]}}]}, {}) for k in range(0, len(whole), 4)]
        self.stream(request, deltas, finish="tool_calls")

    def answer_json(self, request, argument, words, record):
        asked = request.get("response_format") or {}
        if asked.get("type") != "json_schema" or "properties" not in asked["json_schema"]["schema"]:
            raise Refusal(400, "response_format: a json_schema was expected", "response_format")
        text = json.dumps({k: "Paris" if v.get("type") == "string" else 2102650 for k, v in asked["json_schema"]["schema"]["properties"].items()})
        if request.get("stream"):
            return self.stream(request, [(0, {"content": text[i:i + 5]}, {}) for i in range(0, len(text), 5)])
        self.send_json(200, completion(request, {"role": "assistant", "content": text, "refusal": None}))

    def answer_many(self, request, argument, words, record):
        n = request.get("n", 1)
        if request.get("stream"):
            return self.stream(request, [(i, {"content": f"{w}{i} "}, {}) for w in "abc" for i in range(n)], choices=n)
        self.send_json(200, completion(request, {"role": "assistant", "content": "choice"}, n=n))

    def answer_logprobs(self, request, argument, words, record):
        asked = request.get("logprobs") and request.get("top_logprobs") == 2
        if request.get("stream"):
            return self.stream(request, [(0, {"content": w}, {"logprobs": logprobs([w]) if asked else None}) for w in ("Hi", "!")])
        self.send_json(200, completion(request, {"role": "assistant", "content": "Hi!"}, logprobs=logprobs(["Hi", "!"]) if asked else None))

    def answer_status(self, request, argument, words, record):
        status = int(argument)
        raise Refusal(status, f"scripted {status}", "messages" if status < 500 else None, f"scripted_{status}",
                      "invalid_request_error" if status < 500 else "server_error")

    def answer_cut(self, request, argument, words, record):
        if not argument:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id":"chatcmpl-1","choices":[{"index":0,"mess')
            return self.break_off()
        self.begin_stream()
        base = {"id": "chatcmpl-cut", "object": "chat.completion.chunk", "created": 1, "model": request["model"]}
        for i in range(int(argument)):
            self.send_event(dict(base, choices=[{"index": 0, "delta": {"content": f"w{i} "}, "finish_reason": None}]))
        self.send_piece(b'data: {"id":"chatcmpl-cut","choices":[{"index":0,"del')
        self.break_off()

    def answer_slow(self, request, argument, words, record):
        # Readable while nothing is owed: the router has let go.
        readable, _, _ = select.select([self.connection], [], [], SLOW_SECONDS)
        if readable:
            record["gone"] = True
            self.close_connection = True
            return
        self.answer_plain(request, argument, words, record)


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)


def start():
    """An upstream on a free port, in a thread of its own."""
    server = Upstream(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
