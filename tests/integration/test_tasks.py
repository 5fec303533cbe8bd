"""The endpoints beside chat."""
import base64
import json
import struct

import upstream as up
from harness import request_bytes, wait


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
    assert record["endpoint"] == "audio" and record["status"] == "ok" and record["estimated"] is True and record["output_tokens"] == 0, record


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


# Across dialects.

def batched(limit, calls):
    """An OpenAI upstream that embeds `text N` as [N, N], and no more than `limit` at once."""
    async def handler(x):
        texts = x.request.json()["input"]
        calls.append(len(texts))
        if len(texts) > limit:
            return await x.send(up.error(400, "too many"))
        await x.send(up.reply(embeddings([[float(t.split()[1])] * 2 for t in texts], usage={"prompt_tokens": len(texts), "total_tokens": len(texts)})))
    return handler


def test_more_inputs_than_a_provider_takes_go_in_several_requests(t):
    calls = []
    u = t.upstream(up.scripted(batched(32, calls)))
    s = t.server(u, providers={"up": {"type": "siliconflow"}}, prices={"entries": [{"model": "up/*", "input": "1.00", "output": "1.00"}]})
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": ["text %d" % i for i in range(70)]})
    assert r.status == 200, r.body
    assert calls == [32, 32, 6], calls
    assert [d["embedding"][0] for d in r.json()["data"]] == [float(i) for i in range(70)]
    assert [d["index"] for d in r.json()["data"]] == list(range(70))
    assert r.json()["usage"] == {"prompt_tokens": 70, "total_tokens": 70}, r.json()["usage"]
    record = s.usage()[0]
    assert record["input_tokens"] == 70 and record["cost_nano_usd"] == 70000 and len(record["attempts"]) == 1, record


def test_a_batch_that_fails_is_asked_again_alone(t):
    calls, good = [], []
    fine = batched(32, calls)

    async def handler(x):
        good.append(1)
        if len(good) == 2:
            return await x.send(up.error(500))
        await fine(x)
    u = t.upstream(up.scripted(handler))
    s = t.server(u, providers={"up": {"type": "siliconflow"}})
    r = s.request("POST", "/v1/embeddings", {"model": "up/m1", "input": ["text %d" % i for i in range(40)]})
    assert r.status == 200 and r.header("x-llmrouter-attempts") == "2", r.head
    assert calls == [32, 8], calls
    assert [d["embedding"][0] for d in r.json()["data"]] == [float(i) for i in range(40)]


def test_an_answer_with_too_few_vectors_is_an_error(t):
    u = t.upstream(up.scripted(up.sends(up.reply(embeddings([[1.0]])))))
    s = t.server(u)
    r = s.request("POST", "/api/embed", {"model": "up/m1", "input": ["a", "b"]})
    assert r.status == 502 and "1 vectors for 2 inputs" in r.json()["error"], r.body


def test_every_client_gets_vectors_from_an_openai_upstream(t):
    u = t.upstream(up.scripted(up.sends(up.reply(embeddings([[0.5, -1]])))))
    s = t.server(u)
    r = s.request("POST", "/api/embed", {"model": "up/m1", "input": "x"})
    assert r.json()["embeddings"] == [[0.5, -1]], r.body
    r = s.request("POST", "/api/embeddings", {"model": "up/m1", "prompt": "x"})
    assert r.json() == {"embedding": [0.5, -1]}, r.body
    r = s.request("POST", "/v2/embed", {"model": "up/m1", "texts": ["x"], "input_type": "search_query", "embedding_types": ["float"]})
    assert r.json()["embeddings"] == {"float": [[0.5, -1]]}, r.body
    assert r.header("x-llmrouter-dropped") == "input_type"
    r = s.request("POST", "/v1beta/models/up/m1:embedContent", {"content": {"parts": [{"text": "x"}]}})
    assert r.json() == {"embedding": {"values": [0.5, -1]}}, r.body
    r = s.request("POST", "/v1/models/up/m1:batchEmbedContents", {"requests": [{"model": "models/up/m1", "content": {"parts": [{"text": "x"}]}}]})
    assert r.json() == {"embeddings": [{"values": [0.5, -1]}]}, r.body
    assert all(c.json()["input"] == ["x"] for c in u.chats())
    # Errors in their own shape.
    assert "input" in s.request("POST", "/api/embed", {"model": "up/m1"}).json()["error"]
    assert "texts" in s.request("POST", "/v2/embed", {"model": "up/m1"}).json()["message"]
    r = s.request("POST", "/v1beta/models/up/m1:embedContent", {})
    assert r.status == 400 and "content" in r.json()["error"]["message"] and r.json()["error"]["status"] == "INVALID_ARGUMENT", r.body


def test_a_gemini_clients_embeddings_pass_to_google(t):
    answer = b'{ "embeddings":[{"values":[0.10]}] }'
    u = t.upstream(up.sends(up.reply(answer)))
    s = t.server(providers={"g": {"type": "gemini", "base_url": u.url[:-3], "api_key": "k"}})
    body = b'{"requests":[ {"model":"models/g/gemini-embedding-001","content":{"parts":[{"text":"x"}]},"later":1} ]}'
    r = s.request("POST", "/v1beta/models/g/gemini-embedding-001:batchEmbedContents", body)
    assert r.status == 200 and r.body == answer, r.body
    sent = u.chats()[0]
    assert sent.target == "/v1beta/models/gemini-embedding-001:batchEmbedContents" and sent.body == body.replace(b"models/g/", b"models/"), (sent.target, sent.body)


def test_lists_of_models_follow_the_files_words(t):
    ids = ["gpt-4o", "GPT-4.1-mini", "gpt-3.5-turbo", "o4-mini", "text-embedding-3-small"]
    u = t.upstream(up.sends(up.reply({"object": "list", "data": [{"id": i, "object": "model"} for i in ids]})))
    own = {"base_url": u.url, "api_key": "k"}
    s = t.server(providers={"a": dict(own, models={"filter": "gpt 4*", "append": ["my-finetune"]}), "b": dict(own, models={"override": ["only/this", "and-that"]}),
                            "c": dict(own, models={"filter": "no such word"})})
    wanted = {"a/gpt-4o", "a/GPT-4.1-mini", "a/my-finetune", "b/only/this", "b/and-that"}
    assert wait(lambda: wanted <= set(m["id"] for m in s.get("/v1/models").json()["data"]))

    def real(names):
        return {n for n in names if not n.startswith("demo/")}
    assert real(m["id"] for m in s.get("/v1/models").json()["data"]) == wanted
    assert real(m["id"] for m in s.request("GET", "/v1/models", headers=[("anthropic-version", "2023-06-01")]).json()["data"]) == wanted
    assert real(m["name"][len("models/"):] for m in s.get("/v1beta/models").json()["models"]) == wanted
    assert real(m["name"] for m in s.get("/api/tags").json()["models"]) == wanted
    cohere = [("x-fern-sdk-name", "cohere")]
    assert real(m["name"] for m in s.request("GET", "/v1/models", headers=cohere).json()["models"]) == wanted
    first = s.request("GET", "/v1/models?page_size=2", headers=cohere).json()
    assert len(first["models"]) == 2 and first["models"][0]["endpoints"] == ["chat"] and first["models"][0]["is_deprecated"] is False, first
    second = s.request("GET", "/v1/models?page_size=2&page_token=" + first["next_page_token"], headers=cohere).json()
    assert not {m["name"] for m in first["models"]} & {m["name"] for m in second["models"]}
    assert s.request("GET", "/v1/models/b/and-that", headers=cohere).json()["name"] == "b/and-that"
    assert "no model" in s.request("GET", "/v1/models/nothing", headers=cohere).json()["message"]
    assert s.get("/v1/models/b/only/this").json()["id"] == "b/only/this"
    assert s.request("POST", "/api/show", {"model": "b/and-that"}).status == 200
    assert s.get("/v1/models/c/gpt-4o").status == 404


def test_googles_embeddings_one_and_many(t):
    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"models": [], "data": []}))
        if x.request.target == "/v1/embeddings":
            n = len(x.request.json()["input"])
            return await x.send(up.reply({"data": [{"index": i, "embedding": [1, i]} for i in range(n)], "usage": {"prompt_tokens": 4, "total_tokens": 4}}))
        single = x.request.target.endswith(":embedContent")
        await x.send(up.reply({"embedding": {"values": [2, 3]}} if single else {"embeddings": [{"values": [2, 3]}, {"values": [4, 5]}]}))
    u = t.upstream(handler)
    base = "http://127.0.0.1:%d" % u.port
    s = t.server(u, providers={"google": {"base_url": base, "dialect": "gemini", "type": "gemini", "api_key": "k"}})
    one = {"content": {"parts": [{"text": "a"}]}}
    many = {"requests": [dict(one, model="models/x"), dict(one, model="models/x")]}
    for root in ("/v1beta", "/v1"):
        r = s.request("POST", root + "/models/google/m:embedContent", one)
        assert r.status == 200 and r.json()["embedding"]["values"] == [2, 3], r.body
        r = s.request("POST", root + "/models/google/m:batchEmbedContents", many)
        assert [e["values"] for e in r.json()["embeddings"]] == [[2, 3], [4, 5]], r.body
        r = s.request("POST", root + "/models/up/m1:embedContent", one)
        assert r.status == 200 and r.json()["embedding"]["values"] == [1, 0], r.body
        r = s.request("POST", root + "/models/up/m1:batchEmbedContents", many)
        assert [e["values"] for e in r.json()["embeddings"]] == [[1, 0], [1, 1]], r.body
    asked = [c for c in u.chats() if "google" not in c.target and "/models/m:" in c.target]
    assert {r["model"] for c in asked for r in c.json().get("requests", [])} == {"models/m"}
    refused = s.request("POST", "/v1beta/models/up/m1:embedContent", {})
    assert refused.status == 400 and refused.json()["error"]["status"] == "INVALID_ARGUMENT", refused.body


def test_an_openai_client_gets_vectors_from_every_upstream(t):
    async def handler(x):
        target = x.request.target
        if x.request.method == "GET":
            return await x.send(up.reply({"models": [], "data": []}))
        if target == "/api/embed":
            return await x.send(up.reply({"model": "m", "embeddings": [[1, 2], [3, 4]], "prompt_eval_count": 4}))
        if target == "/v2/embed":
            return await x.send(up.reply({"id": "i", "embeddings": {"float": [[1, 2], [3, 4]]}, "meta": {"billed_units": {"input_tokens": 4}}}))
        assert target == "/v1beta/models/m:batchEmbedContents", target
        assert x.request.headers["x-goog-api-key"] == "k"
        await x.send(up.reply({"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]}))
    u = t.upstream(handler)
    base = "http://127.0.0.1:%d" % u.port
    s = t.server(providers={"ollama": {"type": "ollama", "base_url": base}, "cohere": {"type": "cohere", "base_url": base, "api_key": "k"},
                            "google": {"base_url": base, "dialect": "gemini", "type": "gemini", "api_key": "k"}})
    for name in ("ollama", "cohere", "google"):
        r = s.request("POST", "/v1/embeddings", {"model": name + "/m", "input": ["a", "b"]})
        assert r.status == 200 and [d["embedding"] for d in r.json()["data"]] == [[1, 2], [3, 4]], (name, r.body)
        assert name == "google" or r.json()["usage"]["prompt_tokens"] == 4, r.body
    assert [x["estimated"] for x in s.usage()] == [True, False, False]


def test_rankings_across_dialects(t):
    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"models": []}))
        await x.send(up.reply({"id": "i", "results": [{"index": 1, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 1}}}))
    u = t.upstream(handler)
    s = t.server(u, providers={"cohere": {"type": "cohere", "base_url": "http://127.0.0.1:%d" % u.port, "api_key": "k"}})
    r = s.request("POST", "/v1/rerank", {"model": "cohere/r", "query": "q", "documents": ["a", "b"], "top_n": 1})
    assert r.status == 200 and r.json()["results"] == [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}], r.body
    assert u.chats()[-1].target == "/v2/rerank"
    r = s.request("POST", "/v2/rerank", {"model": "up/r", "query": "q", "documents": ["a", "b"], "top_n": 1})
    assert r.status == 200 and r.json()["results"] == [{"index": 1, "relevance_score": 0.9}], r.body
    assert u.chats()[-1].target == "/v1/rerank"


# Forms.

def form(*fields, boundary="XX"):
    """(name, value) or (name, value, filename) each."""
    out = b""
    for name, value, *file in fields:
        head = '--%s\r\nContent-Disposition: form-data; name="%s"' % (boundary, name)
        if file:
            head += '; filename="%s"\r\nContent-Type: audio/wav' % file[0]
        out += head.encode() + b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return out + b"--" + boundary.encode() + b"--\r\n"


FORM = [("content-type", "multipart/form-data; boundary=XX")]


def test_transcriptions_pass_with_the_model_in_its_field(t):
    sound = bytes(range(256)) * 4000  # a megabyte

    async def handler(x):
        assert x.request.headers["content-type"] == FORM[0][1], x.request.headers
        if b"srt" in x.request.body:
            return await x.send(up.reply("1\n00:00 --> 00:01\nHello\n", content_type="text/plain; charset=utf-8"))
        await x.send(up.reply({"text": "Hello", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
                                                         "input_token_details": {"audio_tokens": 10, "text_tokens": 4}}}))
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    body = form(("model", "up/whisper"), ("file", sound, "a.wav"), ("language", "en"))
    for path in ("/v1/audio/transcriptions", "/v1/audio/translations", "/api/v1/audio/transcriptions", "/audio/transcriptions"):
        r = s.request("POST", path, body, FORM)
        assert r.status == 200 and r.json()["text"] == "Hello", (path, r.body)
    assert u.chats()[0].body == body.replace(b"up/whisper", b"whisper")
    assert u.chats()[0].target == "/v1/audio/transcriptions" and u.chats()[1].target == "/v1/audio/translations"
    record = s.usage()[0]
    assert (record["endpoint"], record["input_tokens"], record["output_tokens"], record["audio_input_tokens"]) == ("audio", 14, 45, 10), record
    r = s.request("POST", "/v1/audio/transcriptions", form(("file", sound, "a.wav"), ("model", "up/whisper"), ("response_format", "srt")), FORM)
    assert r.status == 200 and r.body.startswith(b"1\n") and r.header("content-type") == "text/plain; charset=utf-8", r.body


def test_transcripts_stream_as_events(t):
    events = [b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n',
              b'data: {"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":2,"total_tokens":16}}\n\n']

    async def handler(x):
        await x.send(up.STREAM_HEAD)
        for event in events:
            await x.send(up.http_chunk(event))
        await x.send(up.LAST_CHUNK)
    u = t.upstream(up.scripted(handler))
    s = t.server(u)
    r = s.request("POST", "/v1/audio/transcriptions", form(("model", "up/w"), ("file", b"RIFF", "a.wav"), ("stream", "true")), FORM)
    assert r.complete and r.body == b"".join(events), r.body
    record = s.usage()[0]
    assert record["stream"] is True and record["output_tokens"] == 2, record


def test_pictures_are_edited_by_form(t):
    u = t.upstream(up.scripted(up.sends(up.reply({"created": 1, "data": [{"b64_json": "AAAA"}]}))))
    s = t.server(u, models={"pic": {"targets": ["up/gpt-image"], "override": {"quality": "low"}}})
    body = form(("model", "pic"), ("prompt", "a hat"), ("image[]", b"\x89PNG", "a.png"), ("image[]", b"\x89PNG2", "b.png"))
    r = s.request("POST", "/v1/images/edits", body, FORM)
    assert r.status == 200, r.body
    sent = u.chats()[0].body
    assert b'name="model"\r\n\r\ngpt-image\r\n' in sent and b'name="quality"\r\n\r\nlow\r\n--XX--' in sent and sent.count(b"image[]") == 2, sent
    r = s.request("POST", "/v1/images/edits", {"model": "pic", "prompt": "a hat", "images": [{"image_url": "https://x.example/a.png"}]})
    assert r.status == 200 and u.chats()[1].json()["quality"] == "low", r.body


def test_forms_that_cannot_be_read_are_refused(t):
    u = t.upstream()
    s = t.server(u)
    path = "/v1/audio/transcriptions"
    good = form(("model", "up/w"), ("file", b"RIFF", "a.wav"))
    for body, headers, status, param in (
            (form(("file", b"RIFF", "a.wav")), FORM, 400, "model"), (form(("model", "up/w")), FORM, 400, "file"),
            (form(("model", "a"), ("model", "b"), ("file", b"x", "a")), FORM, 400, "model"), (good[:-10], FORM, 400, None),
            (good, [("content-type", "multipart/form-data")], 415, None), (b'{"model":"up/w"}', [], 415, None)):
        r = s.request("POST", path, body, headers)
        assert r.status == status and r.json()["error"]["param"] == param, (body, r.status, r.body)
    assert s.request("POST", "/v1/chat/completions", good, FORM).status == 415
    assert not u.chats()
    # A web page may not send a form unasked.
    page = FORM + [("origin", "https://evil.example"), ("host", "127.0.0.1")]
    assert s.request("POST", path, good, page).status == 415
    assert not u.chats()


# Ollama's other paths.

def test_ollama_generate_is_translated(t):
    u = t.upstream()
    s = t.server(u)
    r = s.request("POST", "/api/generate", {"model": "up/m1", "prompt": "hi", "system": "be brief", "stream": False, "options": {"num_predict": 9}})
    assert r.status == 200 and r.json()["response"] == "Hello from upstream" and r.json()["done"] is True, r.body
    sent = u.chats()[0].json()
    assert sent["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}] and sent["max_tokens"] == 9, sent
    r = s.request("POST", "/api/generate", {"model": "up/m1", "prompt": "hi"})
    lines = [json.loads(line) for line in r.body.splitlines()]
    assert "".join(line["response"] for line in lines) == "Hello from upstream" and lines[-1]["done"] and lines[-1]["eval_count"] == 7, lines
    assert all("message" not in line for line in lines)
    for member, value in (("suffix", "x"), ("raw", True), ("context", [1]), ("template", "{{.}}")):
        r = s.request("POST", "/api/generate", {"model": "up/m1", "prompt": "hi", member: value})
        assert r.status == 400 and member in r.json()["error"], r.body


def test_ollama_generate_passes_to_ollama(t):
    lines = b'{"model":"m","created_at":"2026-01-01T00:00:00Z","response":"Hel","done":false}\n{"model":"m","created_at":"2026-01-01T00:00:00Z","response":"","done":true,"done_reason":"stop","context":[1,2],"prompt_eval_count":3,"eval_count":2}\n'

    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"models": []}))
        assert x.request.target == "/api/generate", x.request.target
        await x.send(up.reply(lines, content_type="application/x-ndjson"))
    u = t.upstream(handler)
    s = t.server(providers={"o": {"type": "ollama", "base_url": "http://127.0.0.1:%d" % u.port}})
    r = s.request("POST", "/api/generate", b'{"model":"o/m","prompt":"fn(","suffix":")","raw":true}')
    assert r.status == 200 and r.body == lines, r.body
    assert u.chats()[0].body == b'{"model":"m","prompt":"fn(","suffix":")","raw":true}'
    assert (s.usage()[0]["input_tokens"], s.usage()[0]["output_tokens"]) == (3, 2)


def test_ollama_requests_that_only_load_a_model_are_answered_without_asking_it(t):
    u = t.upstream()
    s = t.server(u, models={"fast": ["up/m1"]})
    for path, body, reason in (("/api/chat", {"messages": []}, "load"), ("/api/chat", {}, "load"), ("/api/chat", {"messages": [], "keep_alive": 0}, "unload"),
                               ("/api/chat", {"messages": None, "keep_alive": "0s", "stream": False}, "unload"), ("/api/chat", {"messages": [], "keep_alive": "10m"}, "load"),
                               ("/api/generate", {}, "load"), ("/api/generate", {"prompt": "", "keep_alive": -1}, "load"), ("/api/generate", {"keep_alive": 0}, "unload")):
        r = s.request("POST", path, dict(body, model="fast"))
        said = r.json()
        assert r.status == 200 and said["done"] is True and said["done_reason"] == reason and said["model"] == "fast" and said["created_at"], (path, body, r.body)
        assert said["response"] == "" if path == "/api/generate" else said["message"] == {"role": "assistant", "content": ""}, r.body
    assert u.chats() == [], [x.body for x in u.chats()]
    assert s.usage() == []
    # Names and keys are looked at as for a chat, and a fault in such a request is told as one.
    r = s.request("POST", "/api/chat", {"model": "fasst", "messages": []})
    assert r.status == 404 and "fast" in r.json()["error"], r.body
    assert s.request("POST", "/api/chat", {"messages": []}).status == 400
    assert s.request("POST", "/api/chat", b'{"model":"fast","messages":[],"messages":[{"role":"user","content":"hi"}]}').status == 400
    assert s.request("POST", "/api/chat", {"model": "fast", "messages": {}}).status == 400
    # What says something is asked.
    assert s.request("POST", "/api/generate", {"model": "fast", "images": ["iVBORw0KGgo="], "stream": False}).json()["done_reason"] == "stop"
    assert s.request("POST", "/api/chat", {"model": "fast", "messages": [{"role": "user", "content": ""}], "stream": False}).json()["done_reason"] == "stop"
    assert len(u.chats()) == 2
    locked = t.server(u, server={"auth": "keys"}, models={"fast": ["up/m1"]})
    assert locked.request("POST", "/api/chat", {"model": "fast", "messages": []}).status == 401


def test_ollama_show(t):
    s = t.server(models={"fast": "demo/echo"})
    r = s.request("POST", "/api/show", {"model": "fast"})
    assert r.status == 200 and "completion" in r.json()["capabilities"] and r.json()["model_info"]["general.basename"] == "fast", r.body
    r = s.request("POST", "/api/show", {"model": "fasst"})
    assert r.status == 404 and "fast" in r.json()["error"], r.body
    assert s.request("POST", "/api/show", {}).status == 400
