"""Vertex AI: Gemini, Claude and others behind one provider, with access tokens, relayed and translated."""
import json
import urllib.parse

import upstream as up
from test_cloud import service_account

BASE = "/v1/projects/p-1/locations/us-east5"
GEMINI = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello from Google"}]}, "finishReason": "STOP", "index": 0}],
          "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}, "modelVersion": "gemini-2.5-pro"}
CLAUDE = {"id": "msg_vrtx_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5@20250929", "content": [{"type": "text", "text": "Hello from Claude"}],
          "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 2}}
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def claude_events():
    events = [{"type": "message_start", "message": dict(CLAUDE, content=[], stop_reason=None)},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello from Claude"}},
              {"type": "content_block_stop", "index": 0},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
              {"type": "message_stop"}]
    return b"".join(b"event: %s\ndata: %s\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


async def openai_answer(x, words):
    if not x.request.json().get("stream"):
        return await x.send(up.reply(up.chat_body(words)))
    await x.send(STREAM + b"".join(up.frames(words.split(" ", 1)[:1] + [" " + words.split(" ", 1)[1]], usage=up.USAGE)))
    x.close()


def google_cloud(t):
    async def handler(x):
        path = urllib.parse.unquote(x.request.target.partition("?")[0])
        if path == "/token":
            return await x.send(up.reply({"access_token": "ya29.it", "expires_in": 3600}))
        if x.request.headers.get("authorization") != "Bearer ya29.it" or "x-api-key" in x.request.headers:
            return await x.send(up.reply([{"error": {"code": 401, "message": "no such token", "status": "UNAUTHENTICATED"}}], 401))
        if path == "/v1beta1/publishers/google/models":
            return await x.send(up.reply({"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]}))
        if path == "/v1beta1/publishers/anthropic/models":
            return await x.send(up.reply({"publisherModels": [{"name": "publishers/anthropic/models/claude-sonnet-4-5"}]}))
        if path == BASE + "/endpoints/openapi/chat/completions":
            assert x.request.json()["model"] == "meta/llama-3.3-70b-instruct-maas", x.request.body
            return await openai_answer(x, "Hello from Meta")
        if path.startswith(BASE + "/publishers/mistralai/models/mistral-small-2503:"):
            assert x.request.json()["model"] == "mistral-small-2503", x.request.body
            assert path.endswith(":streamRawPredict" if x.request.json().get("stream") else ":rawPredict"), path
            return await openai_answer(x, "Hello from Mistral")
        assert path.startswith(BASE + "/publishers/"), path
        maker, _, rest = path[len(BASE + "/publishers/"):].partition("/models/")
        model, _, operation = rest.rpartition(":")
        body = x.request.json()
        if maker == "anthropic":
            assert body["anthropic_version"] == "vertex-2023-10-16", body
            if model == "count-tokens":
                assert body["model"].startswith("claude-"), body
                return await x.send(up.reply({"input_tokens": 12}))
            assert "model" not in body, body
            if operation == "rawPredict":
                return await x.send(up.reply(CLAUDE))
            assert operation == "streamRawPredict" and body["stream"] is True, (operation, body)
            await x.send(STREAM + claude_events())
            return x.close()
        if operation == "countTokens":
            return await x.send(up.reply({"totalTokens": 9}))
        if operation == "predict" and model.startswith("imagen"):
            return await x.send(up.reply({"predictions": [{"bytesBase64Encoded": "QUJD", "mimeType": "image/png"}] * body["parameters"]["sampleCount"]}))
        if operation == "generateContent" and body.get("generationConfig", {}).get("responseModalities") == ["IMAGE"]:
            return await x.send(up.reply({"candidates": [{"content": {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": "REVG"}}]}, "finishReason": "STOP"}],
                                          "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1290, "totalTokenCount": 1294}}))
        if operation == "predict":
            return await x.send(up.reply({"predictions": [{"embeddings": {"values": [0.5, i], "statistics": {"token_count": 2}}} for i, _ in enumerate(body["instances"])]}))
        assert all(c.get("role") for c in body["contents"]), body
        if operation == "generateContent":
            return await x.send(up.reply(GEMINI))
        await x.send(STREAM + b"data: %s\r\n\r\n" % json.dumps(GEMINI).encode())
        x.close()
    return t.upstream(handler)


def vertex(t, u, **more):
    return t.server(providers={"cloud": dict({"type": "vertex", "base_url": u.url[:-3], "region": "us-east5", "project": "p-1",
                                                 "credentials_file": service_account(t, "http://127.0.0.1:%d/token" % u.port)}, **more)})


def calls(u):
    return [r for r in u.seen if r.target.startswith("/v1/projects")]


def test_openai_clients_reach_both_makers(t):
    u = google_cloud(t)
    s = vertex(t, u)
    for model, words in (("gemini-2.5-pro", "Hello from Google"), ("claude-sonnet-4-5@20250929", "Hello from Claude"), ("anthropic/claude-x", "Hello from Claude")):
        r = s.chat("cloud/" + model)
        assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == words, r.body
        r = s.chat("cloud/" + model, stream=True)
        assert r.complete and r.text() == words and r.events()[-1] == "[DONE]", r.body
    assert calls(u)[-1].target == BASE + "/publishers/anthropic/models/claude-x:streamRawPredict"
    assert not any("ya29" in line for line in s.log)


def test_each_makers_own_clients_are_relayed(t):
    u = google_cloud(t)
    s = vertex(t, u)
    body = b'{"contents" : [{"role":"user","parts":[{"text":"hi"}]}],  "tomorrow":[1]}'
    r = s.request("POST", "/v1beta/models/cloud/gemini-2.5-pro:generateContent", body)
    assert r.json() == GEMINI, r.body
    assert calls(u)[-1].body == body, calls(u)[-1].body
    r = s.request("POST", "/v1beta/models/cloud/gemini-2.5-pro:streamGenerateContent?alt=sse", b'{"contents":[{"parts":[{"text":"hi"}]}]}')
    assert r.body == b"data: %s\r\n\r\n" % json.dumps(GEMINI).encode(), r.body
    assert calls(u)[-1].body == b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
    body = b'{"max_tokens":9, "model":"cloud/claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}],"stream":true,"later":1}'
    r = s.request("POST", "/v1/messages", body, headers=[("anthropic-beta", "context-1m"), ("x-api-key", "mine")])
    assert r.body == claude_events(), r.body
    sent = calls(u)[-1]
    assert sent.body == b'{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true,"later":1,"anthropic_version":"vertex-2023-10-16"}', sent.body
    assert sent.headers["anthropic-beta"] == "context-1m"
    # A Claude is no Gemini: Google's client is translated.
    r = s.request("POST", "/v1beta/models/cloud/claude-x:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]})
    assert r.json()["candidates"][0]["content"]["parts"][0]["text"] == "Hello from Claude", r.body


def test_models_of_other_makers_are_asked_in_openais_words(t):
    u = google_cloud(t)
    s = vertex(t, u, models={"append": ["meta/llama-3.3-70b-instruct-maas", "mistral-small-2503"]})
    for model, words in (("meta/llama-3.3-70b-instruct-maas", "Hello from Meta"), ("llama-3.3-70b-instruct-maas", "Hello from Meta"),
                         ("mistral-small-2503", "Hello from Mistral"), ("mistralai/mistral-small-2503", "Hello from Mistral")):
        r = s.chat("cloud/" + model)
        assert r.status == 200 and r.json()["choices"][0]["message"]["content"] == words, r.body
        r = s.chat("cloud/" + model, stream=True)
        assert r.complete and r.text() == words and r.events()[-1] == "[DONE]", r.body
        r = s.request("POST", "/v1/messages", {"model": "cloud/" + model, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
        assert r.json()["content"][0]["text"] == words, r.body
        r = s.request("POST", "/v1beta/models/cloud/%s:generateContent" % model, {"contents": [{"parts": [{"text": "hi"}]}]})
        assert r.json()["candidates"][0]["content"]["parts"][0]["text"] == words, r.body
    # OpenAI's clients are passed as they are, but for the name.
    s.request("POST", "/v1/chat/completions", b'{"tomorrow" : [1], "model":"cloud/publishers/meta/models/llama-3.3-70b-instruct-maas","messages":[{"role":"user","content":"hi"}]}')
    assert calls(u)[-1].body == b'{"tomorrow" : [1], "model":"meta/llama-3.3-70b-instruct-maas","messages":[{"role":"user","content":"hi"}]}', calls(u)[-1].body
    r = s.request("POST", "/v1/embeddings", {"model": "cloud/meta/llama-3.3-70b-instruct-maas", "input": "a"})
    assert r.status == 400 and "embed" in r.json()["error"]["message"], r.body


def test_tokens_are_counted_and_texts_embedded(t):
    u = google_cloud(t)
    s = vertex(t, u)
    r = s.request("POST", "/v1/messages/count_tokens", {"model": "cloud/claude-x", "messages": [{"role": "user", "content": "hi"}]})
    assert r.json() == {"input_tokens": 12}, r.body
    assert calls(u)[-1].target == BASE + "/publishers/anthropic/models/count-tokens:rawPredict"
    assert calls(u)[-1].json()["model"] == "claude-x"
    r = s.request("POST", "/v1beta/models/cloud/gemini-2.5-pro:countTokens", {"contents": [{"parts": [{"text": "hi"}]}]})
    assert r.json()["totalTokens"] == 9, r.body
    r = s.request("POST", "/v1/embeddings", {"model": "cloud/text-embedding-005", "input": ["a", "b"]})
    assert [d["embedding"] for d in r.json()["data"]] == [[0.5, 0], [0.5, 1]] and r.json()["usage"]["prompt_tokens"] == 4, r.body
    r = s.request("POST", "/v1/embeddings", {"model": "cloud/gemini-embedding-001", "input": ["a", "b"]})
    assert len(r.json()["data"]) == 2, r.body
    assert [len(c.json()["instances"]) for c in calls(u)[-2:]] == [1, 1]


def test_pictures_are_made_by_imagen_and_gemini(t):
    u = google_cloud(t)
    s = vertex(t, u)
    r = s.request("POST", "/v1/images/generations", {"model": "cloud/imagen-4.0-generate-001", "prompt": "a cat", "n": 2, "size": "1024x1024", "quality": "hd"})
    assert r.status == 200 and [d["b64_json"] for d in r.json()["data"]] == ["QUJD", "QUJD"] and r.json()["created"] > 0, r.body
    assert r.header("x-llmrouter-dropped") == "quality", r.head
    assert calls(u)[-1].target == BASE + "/publishers/google/models/imagen-4.0-generate-001:predict", calls(u)[-1].target
    r = s.request("POST", "/v1/images/generations", {"model": "cloud/gemini-2.5-flash-image", "prompt": "a cat", "response_format": "url"})
    assert r.json()["data"] == [{"url": "data:image/png;base64,REVG"}] and r.json()["usage"]["total_tokens"] == 1294, r.body
    r = s.request("POST", "/v1/images/generations", {"model": "cloud/gemini-2.5-flash-image", "prompt": "a cat", "n": 3})
    assert r.status == 400 and r.json()["error"]["param"] == "n", r.body
    r = s.request("POST", "/v1/images/generations", {"model": "cloud/imagen-4.0-generate-001", "prompt": "a cat", "stream": True})
    assert r.status == 400 and r.json()["error"]["param"] == "stream", r.body
    records = [x for x in s.usage() if x["status"] == "ok"]
    assert [x["model"] for x in records] == ["gemini-2.5-flash-image", "imagen-4.0-generate-001"], records


def test_models_of_both_makers_are_listed(t):
    u = google_cloud(t)
    s = vertex(t, u)
    r = s.request("GET", "/v1/models")
    ids = [m["id"] for m in r.json()["data"]]
    assert "cloud/gemini-2.5-pro" in ids and "cloud/claude-sonnet-4-5" in ids, ids


def test_errors_in_googles_shape_are_told_in_the_clients(t):
    async def handler(x):
        await x.send(up.reply([{"error": {"code": 429, "message": "Quota exceeded for base model", "status": "RESOURCE_EXHAUSTED"}}], 429))
    u = t.upstream(handler)
    s = t.server(providers={"cloud": {"type": "vertex", "base_url": u.url[:-3], "project": "p", "api_key": "AIzaKey"}}, routing={"attempts": 1})
    r = s.request("POST", "/v1/messages", {"model": "cloud/claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
    assert r.status == 429 and r.json()["type"] == "error" and "Quota exceeded" in r.json()["error"]["message"], r.body
    assert u.seen[-1].headers["x-goog-api-key"] == "AIzaKey" and "authorization" not in u.seen[-1].headers
    assert "AIzaKey" not in u.seen[-1].target
