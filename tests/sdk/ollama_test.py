"""The Ollama SDK for Python against /api/*, with an OpenAI-compatible upstream behind: every answer here is translated."""
import asyncio

import ollama

from harness import KEYS, SERVER, equal, fresh, raises, run, seen, soon

client = ollama.Client(host=SERVER, headers={"Authorization": "Bearer " + KEYS["main"]}, timeout=20)
HELLO = [{"role": "user", "content": "Say hello"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def test_chat():
    model = fresh("plain")
    answer = client.chat("up/" + model, HELLO, options={"temperature": 0.5, "num_predict": 20})
    equal((answer.message.role, answer.message.content), ("assistant", "Hello, wörld!"))
    equal((answer.done, answer.done_reason), (True, "stop"))
    equal((answer.prompt_eval_count, answer.eval_count), (11, 7))
    sent = seen(model)[0]["json"]
    equal((sent["temperature"], sent["messages"]), (0.5, HELLO))
    equal(sent.get("max_tokens", sent.get("max_completion_tokens")), 20)


def test_stream():
    parts = list(client.chat("up/plain", HELLO, stream=True))
    equal("".join(p.message.content or "" for p in parts), "Hello, wörld!")
    equal([p.done for p in parts], [False] * (len(parts) - 1) + [True])
    equal((parts[-1].done_reason, parts[-1].prompt_eval_count, parts[-1].eval_count), ("stop", 11, 7))
    assert len(parts) >= 4, "it came in one piece"


def test_tools():
    answer = client.chat("up/tools", HELLO, tools=[WEATHER])
    equal([(c.function.name, dict(c.function.arguments)) for c in answer.message.tool_calls],
          [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})])
    calls = [c for part in client.chat("up/tools", HELLO, tools=[WEATHER], stream=True) for c in part.message.tool_calls or []]
    equal([(c.function.name, dict(c.function.arguments)) for c in calls],
          [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})])


def test_format_schema():
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    answer = client.chat("up/json", HELLO, format=schema)
    equal(answer.message.content, '{"name": "Paris"}')


def test_images():
    model = fresh("plain")
    client.chat("up/" + model, [{"role": "user", "content": "What is it?", "images": [b"\x89PNG\r\n\x1a\n...."]}])
    parts = seen(model)[0]["json"]["messages"][0]["content"]
    equal([p["type"] for p in parts], ["text", "image_url"])
    assert parts[1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgouLi4u", parts[1]


def test_list():
    assert soon(lambda: "up/plain" in [m.model for m in client.list().models]), [m.model for m in client.list().models]
    found = client.list().models
    assert "resilient" in [m.model for m in found]
    digests = [m.digest for m in found]
    assert all(digests) and len(set(digests)) == len(digests), "digests must be there and differ"


def test_errors():
    equal(raises(ollama.ResponseError, lambda: client.chat("no-such-model", HELLO)).status_code, 404)
    stranger = ollama.Client(host=SERVER, headers={"Authorization": "Bearer sk-wrong"})
    equal(raises(ollama.ResponseError, lambda: stranger.chat("up/plain", HELLO)).status_code, 401)
    error = raises(ollama.ResponseError, lambda: client.chat("up/status-422", HELLO))
    equal(error.status_code, 422)
    assert "scripted 422" in error.error, error.error


def test_a_cut_stream_never_ends_clean():
    parts = []
    try:
        for part in client.chat("up/" + fresh("cut-3"), HELLO, stream=True):
            parts.append(part)
    except Exception as e:
        assert type(e).__name__ in ("ResponseError", "RemoteProtocolError"), e
        equal([p.done for p in parts], [False] * len(parts))
        equal("".join(p.message.content for p in parts), "w0 w1 w2 ")
    else:
        raise AssertionError(f"a clean end after {parts}")


def test_async_stream():
    async def main():
        aio = ollama.AsyncClient(host=SERVER, headers={"Authorization": "Bearer " + KEYS["main"]})
        return "".join([p.message.content or "" async for p in await aio.chat("up/plain", HELLO, stream=True)])
    equal(asyncio.run(main()), "Hello, wörld!")


def test_embed():
    found = client.embed("up/vec", ["one", "three"], dimensions=2)
    equal([list(v) for v in found.embeddings], [[3.0, -0.5], [5.0, -0.5]])
    equal(found.prompt_eval_count, 5)
    equal(list(client.embeddings("up/vec", "one").embedding), [3.0, -0.5, 0.25])
    equal(raises(ollama.ResponseError, lambda: client.embed("up/vec", [])).status_code, 400)


def test_generate():
    model = fresh("plain")
    answer = client.generate("up/" + model, "Say hello", system="Be brief", options={"num_predict": 20})
    equal((answer.response, answer.done, answer.done_reason, answer.eval_count), ("Hello, wörld!", True, "stop", 7))
    equal(seen(model)[0]["json"]["messages"], [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hello"}])
    parts = list(client.generate("up/plain", "Say hello", stream=True))
    equal("".join(p.response for p in parts), "Hello, wörld!")
    equal([p.done for p in parts], [False] * (len(parts) - 1) + [True])


def test_show():
    found = client.show("up/plain")
    assert "completion" in found.capabilities, found
    equal(raises(ollama.ResponseError, lambda: client.show("no-such-model")).status_code, 404)


run("ollama", globals())
