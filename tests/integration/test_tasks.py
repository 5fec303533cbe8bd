"""The endpoints beside chat."""
import base64
import json
import struct

import upstream as up
from harness import request_bytes


def floats(text):
    raw = base64.b64decode(text)
    return list(struct.unpack("<%df" % (len(raw) // 4), raw))


def embeddings(vectors, model="e1", usage={"prompt_tokens": 5, "total_tokens": 5}):
    return {"object": "list", "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)], "model": model,
            "usage": usage}


# OpenAI's own.

def test_embeddings_pass_byte_for_byte(t):
    answer = b'{"object":"list", "data":[{"object":"embedding","index":0,"embedding":[0.10,-2E-5]}],"model":"m1","new":[1],"usage":{"prompt_tokens":5,"total_tokens":5}}'
    u = t.upstream(up.scripted(up.sends(up.reply(answer))))
    s = t.server(u, prices={"entries": [{"model": "up/*", "input": "1.00", "output": "2.00"}]})
    body = b'{ "model" : "up/m1", "input":["caf\\u00e9"],\n"unheard_of":1.0}'
    for path in ("/v1/embeddings", "/api/v1/embeddings", "/embeddings"):
        r = s.request("POST", path, body)
        assert r.status == 200 and r.body == answer, (r.status, r.body)
        assert r.header("content-type") == "application/json"
        assert r.header("x-llmrouter-cost-usd") == "0.000005", r.head
    sent = u.chats()[0]
    assert sent.target == "/v1/embeddings" and sent.body == body.replace(b'"up/m1"', b'"m1"'), (sent.target, sent.body)
    record = s.usage()[0]
    assert record["endpoint"] == "embeddings" and record["input_tokens"] == 5 and record["output_tokens"] == 0, record
    assert record["cost_nano_usd"] == 5000 and record["estimated"] is False, record


def test_errors_of_tasks_name_the_field(t):
    u = t.upstream()
    s = t.server(u)
    for path, body, param in (("/v1/embeddings", {"model": "up/m1"}, "input"), ("/v1/embeddings", {"input": "x"}, "model"),
                              ("/v1/embeddings", {"model": "up/m1", "input": [1, "x"]}, "input[0]"),
                              ("/v1/embeddings", {"model": "up/m1", "input": []}, "input"),
                              ("/v1/rerank", {"model": "up/m1", "query": "q"}, "documents"),
                              ("/v1/rerank", {"model": "up/m1", "query": "q", "documents": ["x", 5]}, "documents[1]"),
                              ("/v1/rerank", {"model": "up/m1", "documents": ["x"]}, "query"),
                              ("/v1/moderations", {"model": "up/m1"}, "input"), ("/v1/images/generations", {"model": "up/m1"}, "prompt"),
                              ("/v1/audio/speech", {"model": "up/m1", "voice": "alloy"}, "input")):
        r = s.request("POST", path, body)
        assert r.status == 400 and r.json()["error"]["param"] == param, (path, body, r.body)
    assert not u.chats()


def test_an_upstream_error_passes_and_a_broken_one_is_retried(t):
    u = t.upstream(up.scripted(up.sends(up.error(500)), up.sends(up.reply(embeddings([[1.0]])))))
    s = t.server(u)
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": "x"})
    assert r.status == 200 and r.header("x-llmrouter-attempts") == "2", r.head
    u = t.upstream(up.scripted(up.sends(up.error(400, "no such dimension", "bad_dimension", "invalid_request_error"))))
    s = t.server(u)
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": "x"})
    assert r.status == 400 and r.message == "no such dimension" and r.code == "bad_dimension", r.body
    u = t.upstream(up.scripted(up.sends(up.reply("<html>busy</html>", content_type="text/html"))))
    s = t.server(u)
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": "x"})
    assert r.status == 502 and r.code == "upstream_error", r.body


def test_keys_allow_tasks_by_name(t):
    u = t.upstream(up.scripted(up.sends(up.reply(embeddings([[1.0]])))))
    s = t.server(u, server={"auth": "keys"}, keys=[{"name": "e", "key": "sk-only-embeddings-0001", "allow": {"endpoints": ["embeddings"]}},
                                                   {"name": "c", "key": "sk-only-chat-000000001", "allow": {"endpoints": ["chat"]}}])
    body = {"model": "up/m1", "input": "x"}
    assert s.request("POST", "/v1/embeddings", body).status == 401
    assert s.request("POST", "/v1/embeddings", body, key="sk-only-embeddings-0001").status == 200
    r = s.request("POST", "/v1/embeddings", body, key="sk-only-chat-000000001")
    assert r.status == 403 and "embeddings" in r.message, r.body
    assert s.chat(key="sk-only-embeddings-0001").status == 403


def test_limits_hold_for_tasks(t):
    u = t.upstream(up.scripted(up.sends(up.reply(embeddings([[1.0]])))))
    s = t.server(u, models={"e": {"targets": ["up/m1"], "limits": {"requests": {"requests": 1, "per": "1h"}}}})
    assert s.request("POST", "/v1/embeddings", {"model": "e", "input": "x"}).status == 200
    r = s.request("POST", "/v1/embeddings", {"model": "e", "input": "x"})
    assert r.status == 429 and r.code == "rate_limited", r.body


def test_speech_passes_as_binary_while_it_comes(t):
    audio = bytes(range(256)) * 300

    async def handler(x):
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n" + up.http_chunk(audio[:1000]))
        await x.sleep(0.1)
        for i in range(1000, len(audio), 9000):
            await x.send(up.http_chunk(audio[i:i + 9000]))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    with s.connect() as c:
        c.send(request_bytes("POST", "/v1/audio/speech", {"model": "up/tts", "input": "Hello there", "voice": "alloy"}))
        r = c.read_body(c.read_head())
    assert r.status == 200 and r.complete and r.body == audio, (r.status, len(r.body), r.error)
    assert r.header("content-type") == "audio/mpeg", r.head
    record = s.usage()[0]
    assert record["endpoint"] == "speech" and record["status"] == "ok" and record["estimated"] is True and record["output_tokens"] == 0, record


def test_speech_that_breaks_off_does_not_look_whole(t):
    async def handler(x):
        await x.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 1000\r\n\r\n" + b"a" * 500)
        x.close()
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.request("POST", "/v1/audio/speech", {"model": "up/tts", "input": "Hello", "voice": "alloy"})
    assert r.status == 200 and not r.complete and r.body == b"a" * 500, (r.status, r.complete, r.body[-200:])
    assert s.usage()[0]["status"] == "cut"


def test_an_error_in_place_of_speech_is_json(t):
    u = t.upstream(up.scripted(up.sends(up.error(400, "voice?", "bad_voice", "invalid_request_error"))))
    s = t.server(u)
    r = s.request("POST", "/v1/audio/speech", {"model": "up/tts", "input": "Hello", "voice": "nobody"})
    assert r.status == 400 and r.message == "voice?" and r.header("content-type") == "application/json", r.body


IMAGE_EVENTS = [b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AAAA","partial_image_index":0}\n\n',
                b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"BBBB","usage":{"total_tokens":100,'
                b'"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}\n\n']


def test_pictures_stream_as_events_and_whole(t):
    whole = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": {"input_tokens": 50, "output_tokens": 272, "total_tokens": 322,
                                                                     "input_tokens_details": {"text_tokens": 50, "image_tokens": 0}}}

    async def handler(x):
        if not x.request.json().get("stream"):
            return await x.send(up.reply(whole))
        await x.send(up.STREAM_HEAD)
        for event in IMAGE_EVENTS:
            await x.send(up.http_chunk(event))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.request("POST", "/v1/images/generations", {"model": "up/pic", "prompt": "a cat"})
    assert r.status == 200 and r.json() == whole, r.body
    r = s.request("POST", "/v1/images/generations", {"model": "up/pic", "prompt": "a cat", "stream": True})
    assert r.complete and r.body == b"".join(IMAGE_EVENTS), r.body
    assert r.header("content-type").startswith("text/event-stream")
    stream, first = s.usage()
    assert (first["input_tokens"], first["output_tokens"], first["endpoint"]) == (50, 272, "images"), first
    assert (stream["input_tokens"], stream["output_tokens"], stream["image_tokens"], stream["stream"]) == (50, 50, 40, True), stream


def test_a_picture_stream_that_ends_early_has_no_clean_end(t):
    async def handler(x):
        await x.send(up.STREAM_HEAD + up.http_chunk(IMAGE_EVENTS[0]) + up.LAST_CHUNK)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.request("POST", "/v1/images/generations", {"model": "up/pic", "prompt": "a cat", "stream": True})
    assert not r.complete and r.body.startswith(IMAGE_EVENTS[0]) and b"event: error" in r.body, r.body


def test_a_provider_without_the_operation_is_passed_over(t):
    u = t.upstream(up.scripted(up.sends(up.reply(embeddings([[1.0]])))))
    s = t.server(u, providers={"ollama": {"type": "ollama", "base_url": "http://127.0.0.1:1"}},
                 models={"pic": {"targets": ["ollama/x"]}})
    r = s.request("POST", "/v1/images/generations", {"model": "pic", "prompt": "a cat"})
    assert r.status == 400 and r.code == "not_supported" and "ollama" in r.message and "images" in r.message, r.body


def test_the_demo_model_embeds_ranks_and_moderates(t):
    s = t.server()
    near = s.request("POST", "/v1/embeddings", {"model": "demo/echo", "input": ["the red fox", "the red dog", "pure mathematics"]}).json()
    vectors = [d["embedding"] for d in near["data"]]
    dot = lambda a, b: sum(x * y for x, y in zip(a, b))  # noqa: E731
    assert len(vectors[0]) == 64 and abs(dot(vectors[0], vectors[0]) - 1) < 1e-5
    assert dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2])
    coded = s.request("POST", "/v1/embeddings", {"model": "demo/echo", "input": "the red fox", "encoding_format": "base64"}).json()
    assert floats(coded["data"][0]["embedding"]) == [struct.unpack("<f", struct.pack("<f", x))[0] for x in vectors[0]]
    ranked = s.request("POST", "/v1/rerank", {"model": "demo/echo", "query": "red fox", "documents": ["a dog", "the red fox"]}).json()
    assert [r["index"] for r in ranked["results"]] == [1, 0], ranked
    assert s.request("POST", "/v1/moderations", {"model": "demo/echo", "input": "forbidden fruit"}).json()["results"][0]["flagged"] is True
    assert s.usage()[0]["endpoint"] == "moderations"
