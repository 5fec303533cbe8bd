"""The official OpenAI SDK for Python against llmrouter-server: only the base URL and the key are changed."""
import asyncio
import json
import time

import openai
from pydantic import BaseModel

from harness import KEYS, SERVER, equal, fresh, raises, run, seen, soon

BASE = SERVER + "/v1"
client = openai.OpenAI(base_url=BASE, api_key=KEYS["main"], timeout=20, max_retries=0)
chat = client.chat.completions
HELLO = [{"role": "user", "content": "Say hello"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}}


class City(BaseModel):
    name: str
    people: int


def collect(stream):
    chunks = list(stream)
    return chunks, "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


# ---- answers

def test_chat():
    answer = chat.create(model="up/plain", messages=HELLO, temperature=0.3, max_completion_tokens=50)
    equal(answer.choices[0].message.content, "Hello, wörld!")
    equal(answer.choices[0].message.role, "assistant")
    equal(answer.choices[0].finish_reason, "stop")
    equal(answer.object, "chat.completion")
    equal((answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens), (11, 7, 18))
    equal(answer.usage.prompt_tokens_details.cached_tokens, 3)
    equal(answer.usage.completion_tokens_details.reasoning_tokens, 2)


def test_chat_with_other_prefixes():
    for base in (SERVER + "/api/v1", SERVER):
        with openai.OpenAI(base_url=base, api_key=KEYS["main"], max_retries=0) as other:
            answer = other.chat.completions.create(model="up/plain", messages=HELLO)
            equal(answer.choices[0].message.content, "Hello, wörld!")


def test_ids_differ():
    equal(len({chat.create(model="up/plain", messages=HELLO).id for _ in range(5)}), 5)


def test_demo_echo():
    answer = chat.create(model="demo/echo", messages=[{"role": "user", "content": "one two three"}])
    assert "one two three" in answer.choices[0].message.content, answer
    assert answer.usage.total_tokens > 0
    _, text = collect(chat.create(model="demo/echo", messages=[{"role": "user", "content": "one two three"}], stream=True))
    assert "one two three" in text, text


# ---- streams

def test_stream_without_usage():
    model = fresh("plain")
    chunks, text = collect(chat.create(model="up/" + model, messages=HELLO, stream=True))
    equal(text, "Hello, wörld!")
    equal([c for c in chunks if not c.choices], [])
    equal([c.usage for c in chunks if c.usage is not None], [])
    equal(chunks[0].choices[0].delta.role, "assistant")
    equal([c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason], ["stop"])
    equal(len({c.id for c in chunks}), 1)
    equal(seen(model)[0]["json"]["stream_options"], {"include_usage": True})  # metering asks, the client is not told


def test_stream_with_usage():
    chunks, text = collect(chat.create(model="up/plain", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    equal(text, "Hello, wörld!")
    equal([i for i, c in enumerate(chunks) if c.usage is not None], [len(chunks) - 1])
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.total_tokens, 18)


def test_stream_with_usage_refused():
    chunks, _ = collect(chat.create(model="up/plain", messages=HELLO, stream=True, stream_options={"include_usage": False}))
    equal([c for c in chunks if not c.choices or c.usage], [])


def test_stream_options_are_kept():
    model = fresh("plain")
    collect(chat.create(model="up/" + model, messages=HELLO, stream=True, stream_options={"include_obfuscation": False}))
    equal(seen(model)[0]["json"]["stream_options"], {"include_obfuscation": False, "include_usage": True})


def test_stream_helper():
    with chat.stream(model="up/plain", messages=HELLO, stream_options={"include_usage": True}) as stream:
        deltas = [e.delta for e in stream if e.type == "content.delta"]
        final = stream.get_final_completion()
    equal("".join(deltas), "Hello, wörld!")
    equal(final.choices[0].message.content, "Hello, wörld!")
    equal(final.usage.total_tokens, 18)


def test_stream_closed_early_reaches_the_upstream():
    model = fresh("words-200000")
    stream = chat.create(model="up/" + model, messages=HELLO, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    assert soon(lambda: seen(model)[0]["gone"]), "the upstream still streams"


# ---- tools

def check_calls(calls):
    equal([(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls],
          [("call_paris", "get_weather", {"city": "Paris"}), ("call_tokyo", "get_weather", {"city": "Tokyo"})])


def test_tools_and_their_results():
    messages = [{"role": "user", "content": "Weather in Paris and Tokyo?"}]
    answer = chat.create(model="up/tools", messages=messages, tools=[WEATHER], tool_choice="auto", parallel_tool_calls=True)
    equal(answer.choices[0].finish_reason, "tool_calls")
    check_calls(answer.choices[0].message.tool_calls)
    messages.append(answer.choices[0].message)
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "sunny"} for c in answer.choices[0].message.tool_calls]
    answer = chat.create(model="up/tools", messages=messages, tools=[WEATHER])
    equal(answer.choices[0].message.content, "call_paris=sunny; call_tokyo=sunny")


def test_tools_streamed_in_parallel():
    calls = {}
    for chunk in chat.create(model="up/tools", messages=HELLO, tools=[WEATHER], stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"id": None, "name": None, "arguments": ""})
            call["id"] = delta.id or call["id"]
            call["name"] = delta.function.name or call["name"]
            call["arguments"] += delta.function.arguments or ""
    equal(calls, {0: {"id": "call_paris", "name": "get_weather", "arguments": '{"city":"Paris"}'},
                  1: {"id": "call_tokyo", "name": "get_weather", "arguments": '{"city":"Tokyo"}'}})


def test_tools_stream_helper():
    with chat.stream(model="up/tools", messages=HELLO, tools=[WEATHER]) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    equal([json.loads(e.arguments) for e in done], [{"city": "Paris"}, {"city": "Tokyo"}])
    check_calls(final.choices[0].message.tool_calls)
    equal(final.choices[0].message.tool_calls[1].function.parsed_arguments, {"city": "Tokyo"})
    equal(final.choices[0].finish_reason, "tool_calls")


# ---- structured output

def test_parse_helper():
    answer = chat.parse(model="up/json", messages=HELLO, response_format=City)
    equal(answer.choices[0].message.parsed, City(name="Paris", people=2102650))


def test_parse_in_a_stream():
    with chat.stream(model="up/json", messages=HELLO, response_format=City) as stream:
        final = stream.get_final_completion()
    equal(final.choices[0].message.parsed, City(name="Paris", people=2102650))


def test_json_schema_by_hand():
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    answer = chat.create(model="up/json", messages=HELLO, response_format={"type": "json_schema", "json_schema": {
        "name": "city", "strict": True, "schema": schema}})
    equal(json.loads(answer.choices[0].message.content), {"name": "Paris"})


# ---- what goes in comes out

def test_image_parts_arrive_unchanged():
    model = fresh("plain")
    parts = [{"type": "text", "text": "What is in these?"},
             {"type": "image_url", "image_url": {"url": "https://example.com/a b.png?x=1&y=%2F", "detail": "low"}},
             {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo/+" * 40000}},
             {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
             {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
             {"type": "hologram", "hologram": {"angle": 0.1}}]
    chat.create(model="up/" + model, messages=[{"role": "user", "content": parts}])
    equal(seen(model)[0]["json"]["messages"], [{"role": "user", "content": parts}])


def test_unknown_request_fields_arrive_byte_for_byte():
    model = fresh("plain")
    extra = {"novel_member": {"deep": [1, 1.5e-9, None, True, "é\u2028\"\\/"], "big": 123456789012345678901234567890},
             "temperature_schedule": [0.10, 1e22], "": "an empty name", "nested": {"model": "not this one", "stream": False}}
    raw = chat.with_raw_response.create(model="up/" + model, messages=[{"role": "user", "content": "Grüße 🌍", "novel": 1}], seed=7,
                                        metadata={"a": "b"}, extra_body=extra)
    sent = raw.http_request.content
    assert b"novel_member" in sent
    equal(seen(model)[0]["body"], sent.replace(f'"up/{model}"'.encode(), f'"{model}"'.encode()))


def test_unknown_response_members_come_back():
    answer = chat.create(model="up/plain", messages=HELLO)
    equal(answer.model_extra["novel_top_member"], {"deep": [1, None, "é", 12345678901234567890]})
    equal(answer.choices[0].model_extra["novel_choice_member"], [0])
    equal(answer.choices[0].message.model_extra["novel_message_member"], "kept")
    equal(answer.usage.model_extra["novel_usage_member"], {"joules": 1.5})
    equal(answer.system_fingerprint, "fp_scripted")
    equal(answer.service_tier, "default")
    chunks, _ = collect(chat.create(model="up/plain", messages=HELLO, stream=True))
    equal([c.choices[0].delta.model_extra["novel_delta_member"]["k"] for c in chunks if c.choices[0].delta.content],
          ["Hello", ",", " wörld", "!"])
    equal(chunks[1].model_extra["novel_top_member"], {"deep": True})
    equal(chunks[1].choices[0].model_extra["novel_choice_member"], [0])


def test_the_caller_s_key_and_headers_stay_here():
    model = fresh("plain")
    chat.create(model="up/" + model, messages=HELLO, extra_headers={"x-private": "mine", "openai-beta": "assistants=v2"})
    headers = seen(model)[0]["headers"]
    assert not any(KEYS["main"] in v for v in headers.values()), headers
    equal([h for h in headers if h.startswith("x-stainless") or h in ("x-private", "cookie")], [])
    equal(headers.get("openai-beta"), "assistants=v2")


def test_several_choices():
    answer = chat.create(model="up/many", messages=HELLO, n=3)
    equal([(c.index, c.message.content) for c in answer.choices], [(0, "choice 0"), (1, "choice 1"), (2, "choice 2")])
    texts = {}
    for chunk in chat.create(model="up/many", messages=HELLO, n=3, stream=True):
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    equal(texts, {0: "a0 b0 c0 ", 1: "a1 b1 c1 ", 2: "a2 b2 c2 "})


def test_logprobs():
    answer = chat.create(model="up/logprobs", messages=HELLO, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    equal([(t.token, t.logprob, t.bytes) for t in tokens], [("Hi", -0.25, [72, 105]), ("!", -0.5, [33])])
    equal(tokens[0].top_logprobs[1].token, "other")
    chunks = list(chat.create(model="up/logprobs", messages=HELLO, logprobs=True, top_logprobs=2, stream=True))
    equal([t.token for c in chunks if c.choices and c.choices[0].logprobs for t in c.choices[0].logprobs.content], ["Hi", "!"])


# ---- models

def test_models_list():
    assert soon(lambda: "up/plain" in [m.id for m in client.models.list()]), [m.id for m in client.models.list()]
    found = {m.id: m for m in client.models.list()}
    for expected in ("resilient", "up/plain", "up/org/model-a", "demo/echo"):
        assert expected in found, f"{expected} is not among {sorted(found)}"
        equal(found[expected].object, "model")
    assert isinstance(found["up/plain"].created, int)


def test_models_retrieve():
    assert soon(lambda: "up/org/model-a" in [m.id for m in client.models.list()])
    for name in ("resilient", "up/plain", "up/org/model-a"):
        equal(client.models.retrieve(name).id, name)
    error = raises(openai.NotFoundError, lambda: client.models.retrieve("no/such-model"))
    equal(error.code, "model_not_found")


def test_models_of_a_narrow_key():
    narrow = client.with_options(api_key=KEYS["narrow"])
    ids = [m.id for m in narrow.models.list()]
    # One of its targets is the key's to use, so the group is; with that one alone.
    equal([i for i in ids if not i.startswith("up/plain")], ["resilient"])
    equal(narrow.chat.completions.create(model="resilient", messages=HELLO).model, "plain+resilient")


# ---- errors

def ask(model, **more):
    return lambda: client.with_options(**more).chat.completions.create(model=model, messages=HELLO)


def test_bad_request_of_the_upstream():
    error = raises(openai.BadRequestError, ask("up/status-400"))
    equal((error.status_code, error.code, error.param, error.type), (400, "scripted_400", "messages", "invalid_request_error"))
    assert "scripted 400" in error.message
    assert error.request_id


def test_bad_request_of_ours():
    error = raises(openai.BadRequestError, lambda: chat.create(model="up/plain", messages="not a list"))
    equal((error.code, error.param), ("invalid_request", "messages"))
    error = raises(openai.BadRequestError, lambda: client.post("/chat/completions", body={"model": "up/plain"}, cast_to=object))
    equal((error.code, error.param), ("invalid_request", "messages"))


def test_authentication():
    equal(raises(openai.AuthenticationError, ask("up/plain", api_key="sk-wrong")).code, "invalid_key")
    equal(raises(openai.AuthenticationError, ask("up/plain", api_key=KEYS["expired"])).code, "expired_key")
    error = raises(openai.AuthenticationError, lambda: chat.create(model="up/plain", messages=HELLO,
                                                                   extra_headers={"Authorization": openai.omit}))
    equal(error.code, "missing_key")


def test_permission_denied():
    error = raises(openai.PermissionDeniedError, ask("up/tools", api_key=KEYS["narrow"]))
    equal(error.code, "model_not_allowed")


def test_not_found():
    error = raises(openai.NotFoundError, ask("up-plain"))
    equal(error.code, "model_not_found")
    assert "up-plain" in error.message
    raises(openai.NotFoundError, ask("up/status-404"))
    raises(openai.NotFoundError, lambda: client.get("/no/such/path", cast_to=object))


def test_conflict():
    equal(raises(openai.ConflictError, ask("up/status-409")).code, "scripted_409")


def test_unprocessable():
    equal(raises(openai.UnprocessableEntityError, ask("up/status-422")).code, "scripted_422")


def test_rate_limit_of_the_upstream():
    error = raises(openai.RateLimitError, ask("busy/status-429"))
    equal(error.code, "upstream_rate_limited")


def test_internal_server_error():
    error = raises(openai.InternalServerError, ask("up/" + fresh("status-500")))
    equal((error.status_code, error.code), (502, "upstream_error"))
    assert "scripted 500" in error.message
    error = raises(openai.InternalServerError, ask("up/" + fresh("cut")))
    equal((error.status_code, error.code), (502, "upstream_error"))


def test_an_upstream_that_refuses_our_key_is_no_fault_of_the_caller():
    error = raises(openai.InternalServerError, ask("badkey/plain"))
    equal((error.status_code, error.code), (502, "upstream_credentials_rejected"))
    assert "sk-wrong" not in str(error.body)


def test_upstream_timeout():
    error = raises(openai.InternalServerError, lambda: chat.create(model="hasty/" + fresh("slow"), messages=HELLO, stream=True))
    equal((error.status_code, error.code), (504, "upstream_timeout"))
    assert "first_token" in error.message, error.message
    error = raises(openai.InternalServerError, lambda: chat.create(model="up/slow", messages=HELLO,
                                                                   extra_headers={"x-llmrouter-timeout": "300ms"}))
    equal((error.status_code, error.code), (504, "upstream_timeout"))


def test_client_timeout_reaches_the_upstream():
    model = fresh("slow")
    raises(openai.APITimeoutError, ask("up/" + model, timeout=0.4))
    assert soon(lambda: seen(model)[0]["gone"]), "the upstream is still asked"


def test_a_cut_stream_never_ends_clean():
    words = []
    try:
        for chunk in chat.create(model="up/" + fresh("cut-3"), messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content)
    except openai.APIError as e:
        assert not isinstance(e, openai.APIStatusError), e
        equal([w for w in words if w], ["w0 ", "w1 ", "w2 "])
    else:
        raise AssertionError(f"a clean end after {words}")


def test_a_cut_stream_breaks_the_connection_too():
    """Clients that skip over error events see the end of the body alone: it has to be an error of its own."""
    data = b""
    try:
        with chat.with_streaming_response.create(model="up/" + fresh("cut-3"), messages=HELLO, stream=True) as response:
            for piece in response.iter_bytes():
                data += piece
    except Exception as e:
        assert "Error" in type(e).__name__, e
        assert b'"error"' in data and b"[DONE]" not in data, data
        equal(data.count(b'"content": "w'), 3)
    else:
        raise AssertionError("the body ended as if it were whole")


def test_a_stream_cut_before_its_first_word_is_an_error_reply():
    error = raises(openai.InternalServerError, lambda: chat.create(model="up/" + fresh("cut-0"), messages=HELLO, stream=True))
    equal(error.status_code, 502)


def test_connection_error():
    with openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0) as nobody:
        raises(openai.APIConnectionError, lambda: nobody.chat.completions.create(model="m", messages=HELLO))


# ---- retries, headers

def test_the_router_retries():
    model = fresh("fail-once")
    raw = chat.with_raw_response.create(model="up/" + model, messages=HELLO)
    equal(raw.parse().choices[0].message.content, "Hello, wörld!")
    equal(raw.headers["x-llmrouter-attempts"], "2")
    equal(len(seen(model)), 2)


def test_fallback_to_the_next_target():
    raw = chat.with_raw_response.create(model="resilient", messages=HELLO)
    equal(raw.parse().choices[0].message.content, "Hello, wörld!")
    equal((raw.headers["x-llmrouter-provider"], raw.headers["x-llmrouter-model"], raw.headers["x-llmrouter-attempts"]),
          ("up", "plain+resilient", "2"))


def test_raw_response_headers():
    raw = chat.with_raw_response.create(model="up/plain", messages=HELLO, extra_headers={"x-request-id": "my-request-1"})
    equal(raw.headers["x-request-id"], "my-request-1")
    equal(raw.parse()._request_id, "my-request-1")
    equal((raw.headers["x-llmrouter-provider"], raw.headers["x-llmrouter-model"], raw.headers["x-llmrouter-attempts"]), ("up", "plain", "1"))
    assert int(raw.headers["x-llmrouter-overhead-us"]) >= 0
    # 11 input (3 of them cached) and 7 output tokens at 1, 0.5 and 2 USD per million.
    equal(raw.headers["x-llmrouter-cost-usd"], "0.0000235")
    raw = chat.with_raw_response.create(model="up/plain", messages=HELLO, stream=True)
    assert raw.headers["content-type"].startswith("text/event-stream"), raw.headers
    assert raw.headers["x-request-id"]
    equal(raw.headers["x-llmrouter-provider"], "up")
    list(raw.parse())


def test_our_limit_and_max_retries():
    hurried = client.with_options(api_key=KEYS["hurried"])
    raw = hurried.chat.completions.with_raw_response.create(model="up/plain", messages=HELLO)
    equal((raw.headers["x-ratelimit-limit-requests"], raw.headers["x-ratelimit-remaining-requests"]), ("1", "0"))
    error = raises(openai.RateLimitError, lambda: hurried.chat.completions.create(model="up/plain", messages=HELLO))
    equal((error.code, error.response.headers["retry-after"]), ("rate_limited", "1"))
    began = time.monotonic()
    raw = hurried.with_options(max_retries=3).chat.completions.with_raw_response.create(model="up/plain", messages=HELLO)
    waited = time.monotonic() - began
    equal(raw.parse().choices[0].message.content, "Hello, wörld!")
    assert raw.retries_taken >= 1, "the second request was not limited"
    assert 0.5 < waited < 10, f"retry-after was not honoured: {waited:.2f} s"


# ---- async

def test_async_client():
    async def main():
        async with openai.AsyncOpenAI(base_url=BASE, api_key=KEYS["main"], timeout=20, max_retries=0) as aio:
            answer = await aio.chat.completions.create(model="up/plain", messages=HELLO)
            equal(answer.choices[0].message.content, "Hello, wörld!")
            text = ""
            async for chunk in await aio.chat.completions.create(model="up/plain", messages=HELLO, stream=True):
                text += chunk.choices[0].delta.content or ""
            equal(text, "Hello, wörld!")
            async with aio.chat.completions.stream(model="up/tools", messages=HELLO, tools=[WEATHER]) as stream:
                check_calls((await stream.get_final_completion()).choices[0].message.tool_calls)
            try:
                await aio.chat.completions.create(model="up/status-422", messages=HELLO)
            except openai.UnprocessableEntityError:
                pass
            else:
                raise AssertionError("no UnprocessableEntityError")
            return [m.id async for m in aio.models.list()]
    assert "resilient" in asyncio.run(main())


def test_many_streams_at_once():
    async def one(aio, i):
        text = ""
        async for chunk in await aio.chat.completions.create(model=f"up/words-20+stream{i}", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
        return text

    async def main():
        async with openai.AsyncOpenAI(base_url=BASE, api_key=KEYS["main"], timeout=60, max_retries=0) as aio:
            return await asyncio.gather(*(one(aio, i) for i in range(100)))
    equal(asyncio.run(main()), [f"stream{i} " * 20 for i in range(100)])


# ---- beside chat

def test_embeddings():
    found = client.embeddings.create(model="up/vec", input=["one", "three"], dimensions=2)  # the SDK asks for base64
    equal([e.embedding for e in found.data], [[3.0, -0.5], [5.0, -0.5]])
    equal((found.usage.prompt_tokens, found.usage.total_tokens), (5, 5))
    found = client.embeddings.create(model="up/vec", input=[1, 2, 3, 4], encoding_format="float")
    equal(found.data[0].embedding, [4.0, -0.5, 0.25])
    found = client.embeddings.create(model="demo/echo", input="hello")
    equal(len(found.data[0].embedding), 64)
    error = raises(openai.BadRequestError, lambda: client.embeddings.create(model="up/vec", input=[]))
    equal(error.body["param"], "input")


def test_moderations():
    found = client.moderations.create(model="up/mod", input="something bad")
    assert found.results[0].flagged and found.results[0].categories.hate
    assert not client.moderations.create(model="up/mod", input="nice").results[0].flagged


def test_images():
    equal(client.images.generate(model="up/pic", prompt="a cat").data[0].b64_json, "UE5H")
    events = list(client.images.generate(model="up/pic", prompt="a cat", stream=True, partial_images=1))
    equal([e.type for e in events], ["image_generation.partial_image", "image_generation.completed"])
    equal(events[-1].usage.output_tokens, 10)
    equal(client.images.edit(model="up/pic", prompt="a hat", image=("a.png", b"PNGDATA", "image/png")).data[0].b64_json, "UE5H")


def test_audio():
    sound = b"ID3" + bytes(range(256)) * 200
    equal(client.audio.speech.create(model="up/tts", voice="alloy", input="Hello").read(), sound)
    with client.audio.speech.with_streaming_response.create(model="up/tts", voice="alloy", input="Hello") as reply:
        equal(reply.headers["content-type"], "audio/mpeg")
        equal(b"".join(reply.iter_bytes()), sound)
    wave = ("a.wav", b"RIFFDATA" + bytes(100000), "audio/wav")
    equal(client.audio.transcriptions.create(model="up/stt", file=wave).text, "Hello")
    events = list(client.audio.transcriptions.create(model="up/stt", file=wave, stream=True))
    equal([e.type for e in events], ["transcript.text.delta", "transcript.text.done"])
    equal(client.audio.translations.create(model="up/stt", file=wave).text, "Hello")
# ---- the Responses half, towards a chat model (up) and one that speaks it (native)

TOOL = {"type": "function", "name": "get_weather", "description": "Weather of a city", "strict": True, "parameters": WEATHER["function"]["parameters"]}
responses = client.responses


def test_responses():
    for provider, text in (("up", "Hello, wörld!"), ("native", "native wörld")):
        answer = responses.create(model=f"{provider}/plain", input="Say hello", instructions="Be brief", max_output_tokens=50)
        equal(answer.output_text, text)
        equal((answer.status, answer.object, answer.error), ("completed", "response", None))
        equal((answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens), (11, 7, 18))
        equal(answer.usage.input_tokens_details.cached_tokens, 3)
        equal(answer.usage.output_tokens_details.reasoning_tokens, 2)
    equal(responses.create(model="native/plain", input="x").novel_member, {"k": 1})
    equal(len({responses.create(model="up/plain", input="x").id for _ in range(5)}), 5)


def test_responses_streamed():
    for provider, text in (("up", "Hello, wörld!"), ("native", "native wörld")):
        events = list(responses.create(model=f"{provider}/plain", input="Say hello", stream=True))
        equal([e.sequence_number for e in events], list(range(len(events))))
        equal("".join(e.delta for e in events if e.type == "response.output_text.delta"), text)
        equal(events[-1].type, "response.completed")
        equal(events[-1].response.output_text, text)
        equal(events[-1].response.usage.total_tokens, 18)
        with responses.stream(model=f"{provider}/plain", input="Say hello") as stream:
            for _ in stream:
                pass
            equal(stream.get_final_response().output_text, text)


def test_responses_tools_and_the_next_turn():
    for provider, expected in (("up", [("call_paris", '{"city":"Paris"}'), ("call_tokyo", '{"city":"Tokyo"}')]), ("native", [("call_paris", '{"city":"Paris"}')])):
        model = "up/tools" if provider == "up" else "native/plain"
        turn = [{"role": "user", "content": "How is the weather?"}]
        with responses.stream(model=model, input=turn, tools=[TOOL], store=False, include=["reasoning.encrypted_content"]) as stream:
            done = [(e.name, e.arguments) for e in stream if e.type == "response.function_call_arguments.done"]
            final = stream.get_final_response()
        whole = responses.create(model=model, input=turn, tools=[TOOL])
        for answer in (final, whole):
            calls = [i for i in answer.output if i.type == "function_call"]
            equal([(c.call_id, c.arguments) for c in calls], expected)
        equal(done, [("get_weather", arguments) for _, arguments in expected])
        turn += final.output
        turn += [{"type": "function_call_output", "call_id": c, "output": "sunny " + c} for c, _ in expected]
        answer = responses.create(model=model, input=turn, tools=[TOOL])
        assert all("sunny " + c in answer.output_text for c, _ in expected), answer.output_text


def test_responses_parse():
    equal(responses.parse(model="up/json", input="Which city?", text_format=City).output_parsed, City(name="Paris", people=2102650))


def test_responses_errors():
    e = raises(openai.BadRequestError, lambda: responses.create(model="up/status-400", input="x"))
    equal(e.code, "scripted_400")
    e = raises(openai.BadRequestError, lambda: responses.create(model="up/plain", input="x", previous_response_id="resp_1"))
    equal(e.param, "previous_response_id")
    raises(openai.NotFoundError, lambda: responses.create(model="nobody", input="x"))
    raises(openai.AuthenticationError, lambda: openai.OpenAI(base_url=BASE, api_key="sk-nobody", max_retries=0).responses.create(model="up/plain", input="x"))
    raises(openai.APIError, lambda: list(responses.create(model="up/cut-2", input="x", stream=True)))


# ---- legacy completions

def test_completions():
    for provider, text in (("up", "Hello, wörld!"), ("native", "native")):
        answer = client.completions.create(model=f"{provider}/plain", prompt="Once", max_tokens=20)
        equal((answer.object, answer.choices[0].text, answer.choices[0].finish_reason), ("text_completion", text, "stop"))
        equal(answer.usage.total_tokens, 18)
        chunks = list(client.completions.create(model=f"{provider}/plain", prompt="Once", stream=True))
        equal("".join(c.choices[0].text for c in chunks), text)
        equal([c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason], ["stop"])
    e = raises(openai.BadRequestError, lambda: client.completions.create(model="up/plain", prompt=["a", "b"]))
    equal(e.param, "prompt")


run("python", globals())
