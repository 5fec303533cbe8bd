"""Qwen's provider: DashScope's OpenAI face, and its native API for what that does not have."""
import upstream as up
from harness import wait

RERANK = "/api/v1/services/rerank/text-rerank/text-rerank"
EMBED = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
RANKED = {"output": {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}, "usage": {"total_tokens": 79}, "request_id": "r-1"}


def qwen(u, face="/compatible-mode/v1", **more):
    return dict({"type": "qwen", "base_url": "http://127.0.0.1:%d%s" % (u.port, face), "api_key": "sk-dash"}, **more)


def served(t, *replies, **sections):
    state = list(replies)

    async def handler(x):
        if x.request.method == "GET":
            return await x.send(up.reply({"object": "list", "data": [{"id": m, "object": "model"} for m in ("qwen-max", "qwen3-rerank", "qwen3-vl-embedding")]}))
        reply = state.pop(0) if len(state) > 1 else state[0]
        await x.send(reply(x.request) if callable(reply) else reply)
    u = t.upstream(handler)
    return u, t.server(providers={"q": qwen(u)}, **sections)


def test_rankings_go_to_the_native_api_from_every_client(t):
    u, s = served(t, up.reply(RANKED))
    body = {"model": "qwen3-rerank", "query": "q", "documents": ["a", "b"], "top_n": 2}
    assert wait(lambda: s.request("POST", "/v1/rerank", body).status == 200)  # a bare name, as soon as the list is there
    r = s.request("POST", "/v1/rerank", dict(body, model="q/gte-rerank-v2", return_documents=True))
    assert r.status == 200, r.body
    got = r.json()
    assert [(x["index"], x["relevance_score"], x["document"]["text"]) for x in got["results"]] == [(1, 0.9, "b"), (0, 0.1, "a")], got
    assert got["usage"]["total_tokens"] == 79
    sent = u.chats()[-1]
    assert sent.target == RERANK and sent.headers["authorization"] == "Bearer sk-dash", (sent.target, sent.headers)
    assert sent.json() == {"model": "gte-rerank-v2", "input": {"query": "q", "documents": ["a", "b"]}, "parameters": {"return_documents": False, "top_n": 2}}, sent.body
    cohere = s.request("POST", "/v2/rerank", dict(body, model="q/qwen3-rerank")).json()
    assert [x["index"] for x in cohere["results"]] == [1, 0] and u.chats()[-1].target == RERANK, cohere
    record = s.usage()[0]
    assert record["endpoint"] == "rerank" and record["provider"] == "q" and record["input_tokens"] == 79 and not record["estimated"], record


def test_vectors_of_models_that_see_go_there_others_to_the_openai_face(t):
    def answer(request):
        if request.target != EMBED:
            return up.reply({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [7]}], "usage": {"prompt_tokens": 2, "total_tokens": 2}})
        contents = request.json()["input"]["contents"]
        rows = [{"index": i, "embedding": [i, len(c["text"])], "type": "text"} for i, c in enumerate(contents)]
        return up.reply({"output": {"embeddings": rows[::-1]}, "usage": {"input_tokens": len(contents)}, "request_id": "r"})
    u, s = served(t, answer)
    r = s.request("POST", "/v1/embeddings", {"model": "q/qwen3-vl-embedding", "input": ["x" * n for n in range(1, 26)], "dimensions": 256})
    assert r.status == 200 and [e["embedding"][1] for e in r.json()["data"]] == list(range(1, 26)), r.body
    assert [len(c.json()["input"]["contents"]) for c in u.chats()] == [20, 5] and u.chats()[0].json()["parameters"] == {"dimension": 256}
    assert s.usage()[0]["input_tokens"] == 25
    r = s.request("POST", "/v1/embeddings", {"model": "q/qwen2.5-vl-embedding", "input": ["a", "b"]})
    assert r.status == 200 and len(u.chats()) == 4, r.body
    google = s.request("POST", "/v1beta/models/q/multimodal-embedding-v1:embedContent", {"content": {"parts": [{"text": "abc"}]}, "taskType": "RETRIEVAL_QUERY"})
    assert google.status == 200 and google.json()["embedding"]["values"] == [0, 3], google.body
    assert "taskType" in google.header("x-llmrouter-dropped") or "input_type" in google.header("x-llmrouter-dropped"), google.headers
    r = s.request("POST", "/v1/embeddings", {"model": "q/text-embedding-v4", "input": "a"})
    assert r.json()["data"][0]["embedding"] == [7] and u.chats()[-1].target == "/compatible-mode/v1/embeddings", u.chats()[-1].target


def test_texts_that_are_questions_are_told_so(t):
    def answer(request):
        if request.target.startswith("/compatible-mode"):
            return up.reply({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [7]}], "usage": {"prompt_tokens": 2, "total_tokens": 2}})
        rows = [{"text_index": i, "embedding": [i, len(x)]} for i, x in enumerate(request.json()["input"]["texts"])]
        return up.reply({"output": {"embeddings": rows[::-1]}, "usage": {"total_tokens": 5}, "request_id": "r"})
    u, s = served(t, answer)
    body = {"model": "q/text-embedding-v4", "texts": ["x" * n for n in range(1, 13)], "input_type": "search_query", "output_dimension": 64}
    r = s.request("POST", "/v2/embed", body)
    assert r.status == 200 and [v[1] for v in r.json()["embeddings"]["float"]] == list(range(1, 13)), r.body
    sent = u.chats()
    assert [c.target for c in sent] == ["/api/v1/services/embeddings/text-embedding/text-embedding"] * 2 and len(sent[0].json()["input"]["texts"]) == 10, sent
    assert sent[1].json() == {"model": "text-embedding-v4", "input": {"texts": ["x" * 11, "x" * 12]}, "parameters": {"dimension": 64, "text_type": "query"}}, sent[1].body
    assert "input_type" not in (r.header("x-llmrouter-dropped") or "") and s.usage()[0]["input_tokens"] == 10, r.headers
    # What neither has a word for goes to the OpenAI face, and is named.
    r = s.request("POST", "/v2/embed", dict(body, texts=["a"], input_type="clustering"))
    assert u.chats()[-1].target == "/compatible-mode/v1/embeddings" and "input_type" in r.header("x-llmrouter-dropped"), r.headers


def test_pictures_are_told_by_where_they_lie(t):
    made = {"output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"image": "https://x/1.png"}]}}]},
            "usage": {"height": 928, "image_count": 1, "width": 1664}, "request_id": "r"}
    u, s = served(t, up.reply(made))
    r = s.request("POST", "/v1/images/generations", {"model": "q/qwen-image-plus", "prompt": "a cat", "size": "1664x928", "seed": 7, "quality": "hd"})
    assert r.status == 200 and r.json()["data"] == [{"url": "https://x/1.png"}] and r.header("x-llmrouter-dropped") == "quality", (r.body, r.headers)
    sent = u.chats()[-1]
    assert sent.target == "/api/v1/services/aigc/multimodal-generation/generation", sent.target
    assert sent.json()["parameters"] == {"size": "1664*928", "seed": 7} and sent.json()["input"]["messages"][0]["content"] == [{"text": "a cat"}], sent.body
    r = s.request("POST", "/v1/images/generations", {"model": "q/qwen-image-plus", "prompt": "a cat", "response_format": "b64_json"})
    assert r.status == 400 and "response_format" in r.message and len(u.chats()) == 1, r.body


def test_its_errors_are_read_as_what_they_are(t):
    fault = lambda status, code, message: up.reply({"code": code, "message": message, "request_id": "x"}, status)
    body = {"model": "q/qwen3-rerank", "query": "q", "documents": ["a", "b"]}
    # A busy one is asked again.
    u, s = served(t, fault(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."), up.reply(RANKED))
    assert s.request("POST", "/v1/rerank", body).status == 200 and len(u.chats()) == 2
    u, s = served(t, fault(400, "InvalidParameter", "documents is too long"))
    r = s.request("POST", "/v1/rerank", body)
    assert r.status == 400 and "documents is too long" in r.message and len(u.chats()) == 1, r.body
    u, s = served(t, fault(401, "InvalidApiKey", "Invalid API-key provided."))
    r = s.request("POST", "/v1/rerank", body)
    assert r.status == 502 and "sk-dash" not in str(r.body), (r.status, r.body)
    u, s = served(t, fault(200, "InternalError", "An internal error has occured"))
    assert s.request("POST", "/v1/rerank", body).status == 502
    # Chats are not ranked.
    r = s.request("POST", "/v1/chat/completions", {"model": "q/qwen3-rerank", "messages": [{"role": "user", "content": "x"}]})
    assert r.status == 400 and "no chat" in r.message, r.body


def test_a_server_that_speaks_for_it_has_no_native_api(t):
    u = t.upstream(up.sends(up.reply({"results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 3}})))
    s = t.server(providers={"q": qwen(u, face="/v1")})
    r = s.request("POST", "/v1/rerank", {"model": "q/qwen3-rerank", "query": "q", "documents": ["a"]})
    assert r.status == 200 and u.chats()[0].target == "/v1/rerank", (r.body, u.chats()[0].target)
