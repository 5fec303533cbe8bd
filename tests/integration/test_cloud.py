"""Amazon's signatures and event streams, Google's tokens, Cohere's API and templates, through the real server."""
import binascii
import datetime
import hashlib
import hmac
import json
import os
import struct
import subprocess
import threading
import urllib.parse

import harness
import upstream as up

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


def event(name, value, kind="event"):
    """A message of AWS's event stream."""
    payload = json.dumps(value).encode()
    headers = b""
    for key, text in ((":message-type", kind), (":exception-type" if kind == "exception" else ":event-type", name), (":content-type", "application/json")):
        headers += bytes([len(key)]) + key.encode() + b"\7" + struct.pack(">H", len(text)) + text.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", binascii.crc32(message))


def converse_events():
    return [event("messageStart", {"role": "assistant"}),
            event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Let me "}}),
            event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "look."}}),
            event("contentBlockStop", {"contentBlockIndex": 0}),
            event("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather"}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"city\":"}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "\"Oslo\"}"}}}),
            event("contentBlockStop", {"contentBlockIndex": 1}),
            event("messageStop", {"stopReason": "tool_use"}),
            event("metadata", {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 55, "cacheReadInputTokens": 40}, "metrics": {"latencyMs": 3}})]


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"


def signature(request, secret, port):
    """AWS Signature Version 4 over what was received; the signature that should stand in it, and the one that does."""
    parts = dict(p.strip().split("=", 1) for p in request.headers["authorization"].split(" ", 1)[1].split(","))
    day, region, service = parts["Credential"].split("/")[1:4]
    path, _, query = request.target.partition("?")
    names = parts["SignedHeaders"].split(";")
    canonical = "\n".join([request.method, urllib.parse.quote(path, safe="/-_.~"), query, *("%s:%s" % (n, request.headers[n]) for n in names), "", ";".join(names),
                           hashlib.sha256(request.body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], "/".join([day, region, service, "aws4_request"]),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.new(key, step.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest(), parts["Signature"]


def bedrock(t, u, **more):
    return t.server(u, providers={"aws": dict({"type": "bedrock", "base_url": u.url[:-3], "region": "eu-west-1", "api_key": "AKIDEXAMPLE:se/cr+et:tok/en==",
                                               "models": {"override": ["anthropic.claude-3-5-sonnet-20241022-v2:0"]}}, **more)})


MODEL = "aws/anthropic.claude-3-5-sonnet-20241022-v2:0"


def test_bedrock_is_signed_and_streams(t):
    async def handler(x):
        await x.send(STREAM)
        data = b"".join(converse_events())
        for i in range(0, len(data), 7):
            await x.send(up.http_chunk(data[i:i + 7]))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(handler)
    s = bedrock(t, u)
    r = s.chat(MODEL, stream=True, tools=[WEATHER], stream_options={"include_usage": True})
    assert r.status == 200 and r.complete, (r.status, r.body)
    assert r.text() == "Let me look."
    chunks = [json.loads(e) for e in r.events() if e != "[DONE]"]
    arguments = "".join(c["function"].get("arguments", "") for k in chunks for choice in k["choices"] for c in choice["delta"].get("tool_calls", []))
    assert arguments == '{"city":"Oslo"}', arguments
    assert [choice["finish_reason"] for k in chunks for choice in k["choices"] if choice["finish_reason"]] == ["tool_calls"]
    assert chunks[-1]["usage"]["prompt_tokens"] == 50 and chunks[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 40, chunks[-1]
    sent = u.chats()[0]
    assert sent.target == "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream", sent.target
    assert sent.headers["x-amz-security-token"] == "tok/en=="
    wanted, found = signature(sent, "se/cr+et", u.port)
    assert wanted == found, (wanted, found, sent.headers)
    said = datetime.datetime.strptime(sent.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - said).total_seconds()) < 60
    assert not any("se/cr+et" in line for line in s.log)


def test_bedrock_answers_whole_and_takes_bearer_keys(t):
    u = t.upstream(up.sends(up.reply({"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn",
                                      "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}})))
    s = bedrock(t, u, api_key="ABSKkey")
    r = s.chat(MODEL)
    assert r.json()["choices"][0]["message"]["content"] == "Hi", r.body
    assert r.json()["usage"]["total_tokens"] == 4
    assert u.chats()[0].headers["authorization"] == "Bearer ABSKkey"


def test_bedrock_embeds_with_titan_nova_and_cohere(t):
    titan, nova, cohere = "amazon.titan-embed-text-v2:0", "amazon.nova-2-multimodal-embeddings-v1:0", "us.cohere.embed-v4:0"

    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"data": []}))
        body = x.request.json()
        if "titan" in x.request.target:
            if "wrong" in body["inputText"]:
                return await x.send(up.reply({"message": "Malformed input request"}, status=400, headers=[("x-amzn-errortype", "ValidationException:http://x")]))
            return await x.send(up.reply({"embedding": [len(body["inputText"]), 1], "inputTextTokenCount": 3}))
        if "nova" in x.request.target:
            asked = body["singleEmbeddingParams"]
            assert body["taskType"] == "SINGLE_EMBEDDING" and asked["embeddingPurpose"] and asked["text"]["truncationMode"] == "NONE", body
            return await x.send(up.reply({"embeddings": [{"embeddingType": "TEXT", "embedding": [len(asked["text"]["value"]), 3]}]},
                                         headers=[("x-amzn-bedrock-input-token-count", "2")]))
        await x.send(up.reply({"embeddings": {"float": [[len(text), 2] for text in body["texts"]]}}, headers=[("x-amzn-bedrock-input-token-count", "5")]))
    u = t.upstream(handler)
    s = bedrock(t, u, models={"override": [titan, nova, cohere]})
    r = s.request("POST", "/v1/embeddings", {"model": "aws/" + titan, "input": ["a", "bb", "ccc"], "dimensions": 256})
    assert r.status == 200 and [d["embedding"] for d in r.json()["data"]] == [[1, 1], [2, 1], [3, 1]], r.body
    assert r.json()["usage"]["prompt_tokens"] == 9, r.body
    assert [c.json() for c in u.chats()] == [{"inputText": text, "dimensions": 256} for text in ("a", "bb", "ccc")]
    assert u.chats()[0].target == "/model/amazon.titan-embed-text-v2%3A0/invoke", u.chats()[0].target
    for sent in u.chats():
        wanted, found = signature(sent, "se/cr+et", u.port)
        assert wanted == found, (wanted, found, sent.headers)
    r = s.request("POST", "/v1/embeddings", {"model": "aws/" + nova, "input": ["a", "bb"], "dimensions": 1024})
    assert [d["embedding"] for d in r.json()["data"]] == [[1, 3], [2, 3]] and r.json()["usage"]["prompt_tokens"] == 4, r.body
    assert u.chats()[-1].json()["singleEmbeddingParams"]["embeddingDimension"] == 1024
    r = s.request("POST", "/v1/embeddings", {"model": "aws/" + cohere, "input": ["a", "bb"]})
    assert [d["embedding"] for d in r.json()["data"]] == [[1, 2], [2, 2]] and r.json()["usage"]["prompt_tokens"] == 5, r.body
    r = s.request("POST", "/v2/embed", {"model": "aws/" + cohere, "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]})
    assert r.json()["embeddings"]["float"] == [[1, 2]] and u.chats()[-1].json()["input_type"] == "search_query", r.body
    r = s.request("POST", "/v1/embeddings", {"model": "aws/" + titan, "input": "wrong"})
    assert r.status == 400 and "Malformed input request" in r.json()["error"]["message"], r.body
    assert all(not x["estimated"] for x in s.usage() if x["status"] == "ok"), s.usage()


def test_bedrock_exceptions_before_the_text_are_retried_and_after_it_end_the_stream(t):
    turns = [[event("messageStart", {"role": "assistant"}), event("throttlingException", {"message": "slow down"}, "exception")],
             converse_events()[:2] + [event("internalServerException", {"message": "the wheels came off"}, "exception")]]

    async def handler(x):
        if x.request.method == "GET":
            return await up.good(x)
        await x.send(STREAM)
        for message in turns.pop(0):
            await x.send(up.http_chunk(message))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(handler)
    s = bedrock(t, u)
    r = s.chat(MODEL, stream=True)
    assert len(u.chats()) == 2, r.body
    assert "Let me " in r.text() and "the wheels came off" in r.events()[-1], r.body
    assert "[DONE]" not in r.events()


def service_account(t, token_url):
    made = subprocess.run(["openssl", "genrsa", "2048"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if made.returncode != 0:
        raise harness.Skip("no openssl program to make a key with")
    path = t.folder + "/account.json"
    with open(path, "w") as f:
        json.dump({"type": "service_account", "client_email": "bot@p.iam.gserviceaccount.com", "private_key_id": "k1", "private_key": made.stdout.decode(),
                   "token_uri": token_url}, f, indent=1)
    return path


def test_check_knows_good_service_accounts(t):
    good = service_account(t, "http://127.0.0.1:1/token")
    bad = t.folder + "/bad.json"
    with open(good) as f, open(bad, "w") as g:
        json.dump(dict(json.load(f), private_key="no key"), g)
    for path, code, said in ((good, 0, "ok"), (bad, 2, "private_key")):
        t.write_config({"storage": {"keys": "sqlite:" + t.folder + "/none.db"}, "providers": {"v": {"base_url": "http://127.0.0.1:1", "api_key_file": path}}})
        done = t.cli("check", "-c", t.folder + "/llmrouter.yaml")
        assert done.returncode == code and said in done.stdout + done.stderr, done
    assert not os.path.exists(t.folder + "/none.db")


def token_world(t, answers):
    """An upstream that gives tokens at /token and wants the last one given; what was asked of /token."""
    asked, given = [], []

    async def handler(x):
        if x.request.target == "/token":
            asked.append(urllib.parse.parse_qs(x.request.body.decode()))
            await x.sleep(0.05)
            status, body = answers[min(len(asked), len(answers)) - 1]
            given.append(body.get("access_token"))
            return await x.send(up.reply(body, status))
        if x.request.headers.get("authorization") != "Bearer %s" % (given or [None])[-1]:
            return await x.send(up.error(401, "no such token", "invalid_api_key"))
        await up.good(x)
    return t.upstream(handler), asked


def test_a_service_account_becomes_one_token_for_all(t):
    u, asked = token_world(t, [(200, {"access_token": "ya29.first", "expires_in": 3600, "token_type": "Bearer"})])
    s = t.server(u, providers={"up": {"base_url": u.url, "dialect": "openai", "api_key": None, "models": {"override": ["m1"]},
                                      "credentials_file": service_account(t, "http://127.0.0.1:%d/token" % u.port)}})
    replies = []
    threads = [threading.Thread(target=lambda i=i: replies.append(s.chat(stream=i % 2 == 0))) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.status for r in replies] == [200] * 12, [r.body for r in replies]
    assert len(asked) == 1, len(asked)
    assert asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"] and asked[0]["assertion"][0].count(".") == 2
    assert not any("ya29" in line or "PRIVATE" in line for line in s.log)


def test_a_refused_service_account_fails_the_attempt_and_the_next_target_answers(t):
    u, asked = token_world(t, [(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})])
    other = t.upstream()
    s = t.server(u, other, providers={"up": {"base_url": u.url, "dialect": "openai", "api_key": None, "models": {"override": ["m1"]},
                                             "credentials_file": service_account(t, "http://127.0.0.1:%d/token" % u.port)}},
                 models={"both": {"strategy": "priority", "targets": [{"model": "up/m1", "priority": 1}, {"model": "up2/m1", "priority": 2}]}})
    r = s.chat("up/m1")
    assert r.status == 502 and r.code == "upstream_credentials_rejected" and "Invalid JWT Signature." in r.message, r.body
    r = s.chat("both")
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up2", r.body
    assert len(asked) >= 2


def test_the_metadata_server_is_asked(t):
    async def handler(x):
        if x.request.target.startswith("/computeMetadata/"):
            assert x.request.headers["metadata-flavor"] == "Google"
            return await x.send(up.reply({"access_token": "ya29.vm", "expires_in": 300}))
        assert x.request.headers["authorization"] == "Bearer ya29.vm", x.request.headers
        await up.good(x)
    u = t.upstream(handler)
    s = t.server(u, providers={"up": {"base_url": u.url, "dialect": "openai", "api_key": "google-metadata:http://127.0.0.1:%d" % u.port, "models": {"override": ["m1"]}}})
    assert s.chat().status == 200
    assert s.chat(stream=True).complete


def test_cohere_clients_reach_openai_models(t):
    u = t.upstream()
    s = t.server(u)
    r = s.request("POST", "/v2/chat", {"model": "up/m1", "messages": [{"role": "user", "content": "hi"}]})
    body = r.json()
    assert r.status == 200 and body["message"]["content"] == [{"type": "text", "text": "Hello from upstream"}] and body["finish_reason"] == "COMPLETE", r.body
    assert body["usage"]["tokens"]["input_tokens"] == 11 and body["usage"]["cached_tokens"] == 3
    r = s.request("POST", "/v2/chat", {"model": "up/m1", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    events = [json.loads(e) for e in r.events() if e != "[DONE]"]
    assert [e["type"] for e in events][:2] == ["message-start", "content-start"] and events[-1]["type"] == "message-end" and r.complete, r.body
    assert "".join(e["delta"]["message"]["content"]["text"] for e in events if e["type"] == "content-delta") == "Hello from upstream"
    r = s.request("POST", "/v2/chat", {"messages": []})
    assert r.status == 400 and "messages" in r.json()["message"] and r.json()["id"], r.body


def test_a_template_asks_and_reads(t):
    last = {"finished": True, "usage": {"in": 3, "out": 1}}
    said = {"type": b"application/x-ndjson", "lines": [{"delta": "hel"}, {"delta": "lo"}, last]}

    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"data": []}))
        body = x.request.json()
        assert x.request.target == "/generate/m1" and body["prompt"] == 'say "hi"' and body["max"] == 512 and "t" not in body, (x.request.target, body)
        if not body["stream"]:
            return await x.send(up.reply({"output": [{"text": "hello", "stop": "stop"}], "usage": {"in": 3, "out": 1}}))
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: " + said["type"] + b"\r\nconnection: close\r\n\r\n")
        for line in said["lines"]:
            await x.send(json.dumps(line).encode() + b"\n")
        x.close()
    u = t.upstream(handler)
    s = t.server(u, providers={"up": {"base_url": u.url[:-3], "dialect": "http", "api_key": "k", "models": {"override": ["m1"]}, "http": {
        "path": "/generate/{model}", "body": {"prompt": "${prompt}", "history": "${messages}", "max": "${max_tokens:-512}", "t": "${temperature}", "stream": "${stream}"},
        "text": "/output/0/text", "finish": "/output/0/stop", "usage": {"input": "/usage/in", "output": "/usage/out"},
        "stream": {"format": "ndjson", "text": "/delta", "done": "/finished"}}}})
    r = s.chat(text='say "hi"')
    assert r.json()["choices"][0]["message"]["content"] == "hello" and r.json()["usage"]["prompt_tokens"] == 3, r.body
    r = s.chat(text='say "hi"', stream=True)
    assert r.text() == "hello" and r.events()[-1] == "[DONE]", r.body
    # Servers made at home name anything JSON.
    for lines in (said["lines"], [dict(last, delta="hello")]):
        said.update(type=b"application/json", lines=lines)
        r = s.chat(text='say "hi"', stream=True, stream_options={"include_usage": True})
        assert r.text() == "hello" and r.events()[-1] == "[DONE]" and json.loads(r.events()[-2])["usage"]["prompt_tokens"] == 3, r.body


def test_a_template_is_checked_when_it_is_loaded(t):
    config = "providers:\n  lab:\n    dialect: http\n    base_url: http://127.0.0.1:1\n    http:\n      path: generate\n      body: {a: \"${prompt\", b: [\"${1x}\"]}\n      text: output\n"
    with open(t.folder + "/bad.yaml", "w") as f:
        f.write(config)
    done = t.cli("check", "-c", t.folder + "/bad.yaml")
    words = done.stdout + done.stderr
    assert done.returncode == 2, words
    for expected in ("bad.yaml:6:13: providers.lab.http.path", "bad.yaml:7:17: providers.lab.http.body.a", "bad.yaml:7:33: providers.lab.http.body.b[0]",
                     "bad.yaml:8:13: providers.lab.http.text"):
        assert expected in words, (expected, words)
