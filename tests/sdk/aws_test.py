"""Bedrock behind, judged by Amazon's own library: botocore checks each signature, reads back each event stream that is sent, and knows the API's shapes.

Starts a server of its own (SDK_BINARY), since a scripted Bedrock is its upstream.
"""
import binascii
import json
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
import botocore.loaders
import botocore.model
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from botocore.validate import ParamValidator

from harness import equal, run

ACCESS, SECRET, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FQoG/token+x=="
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
SEEN = []


def frame(name, value, kind="event"):
    payload = json.dumps(value).encode()
    headers = b""
    for key, text in ((":message-type", kind), (":exception-type" if kind == "exception" else ":event-type", name), (":content-type", "application/json")):
        headers += bytes([len(key)]) + key.encode() + b"\7" + struct.pack(">H", len(text)) + text.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", binascii.crc32(message))


EVENTS = [("messageStart", {"role": "assistant"}),
          ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
          ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}),
          ("contentBlockStop", {"contentBlockIndex": 0}),
          ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Héllo 🎉"}}),
          ("contentBlockStop", {"contentBlockIndex": 1}),
          ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "get_weather"}}}),
          ("contentBlockStop", {"contentBlockIndex": 2}),
          ("messageStop", {"stopReason": "tool_use"}),
          ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 1}})]


class Bedrock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.record(b"")
        self.reply(json.dumps({"modelSummaries": [{"modelId": MODEL, "outputModalities": ["TEXT"]}]}).encode(), "application/json")

    def do_POST(self):
        self.record(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/converse-stream"):
            data = b"".join(frame(*e) for e in EVENTS)
            # What we send is what Amazon's own decoder reads.
            buffer = EventStreamBuffer()
            buffer.add_data(data)
            equal([m.headers[":event-type"] for m in buffer], [name for name, _ in EVENTS])
            return self.reply(data, "application/vnd.amazon.eventstream")
        self.reply(json.dumps({"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn",
                               "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 1}}).encode(), "application/json")

    def record(self, body):
        SEEN.append({"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})

    def reply(self, data, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def resigned(request, port):
    """The authorization header that botocore makes of the same request at the same second."""
    headers = request["headers"]
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    again = AWSRequest(method=request["method"], url="http://127.0.0.1:%d%s" % (port, request["path"]), data=request["body"],
                       headers={n: headers[n] for n in names if n not in ("host", "x-amz-date", "x-amz-security-token")})
    again.context["timestamp"] = headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(Credentials(ACCESS, SECRET, SESSION), "bedrock", "eu-west-1")
    again.headers["X-Amz-Date"] = headers["x-amz-date"]
    again.headers["X-Amz-Security-Token"] = SESSION
    canonical = signer.canonical_request(again)
    signature = signer.signature(signer.string_to_sign(again, canonical), again)
    return "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (signer.scope(again), ";".join(sorted(names)), signature)


def valid(body):
    """Does the API's own model of a Converse request take this body?"""
    service = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = service.operation_model("Converse").input_shape
    params = dict(json.loads(body), modelId=MODEL)
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), report.generate_report()


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Bedrock)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
PORT = upstream.server_address[1]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    OURS = s.getsockname()[1]
folder = tempfile.TemporaryDirectory(prefix="llmrouter-aws-")
config = pathlib.Path(folder.name) / "llmrouter.yaml"
config.write_text(json.dumps({"server": {"listen": "127.0.0.1:%d" % OURS, "auth": "none"}, "storage": {"keys": "memory:", "usage": "memory:"}, "providers": {
    "aws": {"type": "bedrock", "base_url": "http://127.0.0.1:%d" % PORT, "region": "eu-west-1", "api_key": "%s:%s:%s" % (ACCESS, SECRET, SESSION)}}}))
log = open(pathlib.Path(folder.name) / "log", "wb")
server = subprocess.Popen([os.environ["SDK_BINARY"], "serve", "-c", str(config)], cwd=folder.name, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def ask(**members):
    body = dict({"model": "aws/" + MODEL, "messages": [{"role": "user", "content": "Héllo"}]}, **members)
    end = time.monotonic() + 15
    while True:
        try:
            request = urllib.request.Request("http://127.0.0.1:%d/v1/chat/completions" % OURS, json.dumps(body).encode(), {"content-type": "application/json"})
            return urllib.request.urlopen(request, timeout=20).read().decode()
        except (ConnectionError, urllib.error.URLError) as e:
            if isinstance(e, urllib.error.HTTPError) or time.monotonic() > end:
                raise
            time.sleep(0.05)


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]


def test_signature_of_a_whole_answer():
    del SEEN[:]
    equal(json.loads(ask())["choices"][0]["message"]["content"], "Hi")
    sent = [r for r in SEEN if r["method"] == "POST"][-1]
    equal(sent["path"], "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse")
    equal(sent["headers"]["authorization"], resigned(sent, PORT))


def test_signature_of_an_arn():
    ask(model="aws/" + ARN)
    sent = [r for r in SEEN if r["method"] == "POST"][-1]
    assert "%2F" in sent["path"] and sent["path"].count("/") == 3, sent["path"]
    equal(sent["headers"]["authorization"], resigned(sent, PORT))


def test_signature_of_the_list_of_models():
    lists = [r for r in SEEN if r["method"] == "GET"]
    assert lists, "the list was not asked for"
    equal(lists[0]["path"], "/foundation-models")
    equal(lists[0]["headers"]["authorization"], resigned(lists[0], PORT))


def test_stream():
    events = [e[6:] for e in ask(stream=True, tools=TOOLS, stream_options={"include_usage": True}).split("\n") if e.startswith("data: ")]
    equal(events[-1], "[DONE]")
    chunks = [json.loads(e) for e in events[:-1]]
    deltas = [c["delta"] for k in chunks for c in k["choices"]]
    equal("".join(d.get("content") or "" for d in deltas), "Héllo 🎉")
    equal("".join(d.get("reasoning_content") or "" for d in deltas), "hm")
    equal("".join(c["function"].get("arguments", "") for d in deltas for c in d.get("tool_calls", [])), "{}")
    equal(chunks[-1]["usage"]["total_tokens"], 5)
    sent = [r for r in SEEN if r["method"] == "POST"][-1]
    equal(sent["headers"]["authorization"], resigned(sent, PORT))


def test_requests_are_what_the_api_takes():
    ask(tools=TOOLS, tool_choice="required", max_tokens=50, temperature=0.5, top_p=0.9, stop=["END"], metadata={"team": "a"}, service_tier="priority", messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                                     {"type": "file", "file": {"filename": "a_b.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]},
        {"role": "assistant", "content": "ok", "tool_calls": [{"id": "call.1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
        {"role": "tool", "tool_call_id": "call.1", "content": "snow"}, {"role": "user", "content": "and?"}])
    valid([r for r in SEEN if r["method"] == "POST"][-1]["body"])
    ask(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}})
    valid([r for r in SEEN if r["method"] == "POST"][-1]["body"])
    ask(reasoning_effort="high", max_tokens=9000)
    valid([r for r in SEEN if r["method"] == "POST"][-1]["body"])


try:
    run("aws", globals())
finally:
    server.terminate()
    code = server.wait(20)
    upstream.shutdown()
    log.close()
    words = pathlib.Path(log.name).read_text(errors="replace")
    if code != 0 or SECRET in words or SESSION in words:
        print("FAIL aws server: exit %s, a secret in the log: %s" % (code, SECRET in words or SESSION in words))
