"""Google's Gen AI SDK for Python against /v1beta, /v1: at an OpenAI-compatible upstream (translated) and at one of Google's (relayed)."""
import asyncio
import base64

from google import genai
from google.genai import errors, types

from harness import KEYS, SERVER, equal, fresh, raises, run, seen, soon

PNG = b"\x89PNG\r\n\x1a\n...."
DATA = base64.b64encode(PNG).decode()


def make(version="v1beta", key=KEYS["main"]):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=SERVER, api_version=version, timeout=20000,
                                                                    retry_options=types.HttpRetryOptions(attempts=1)))


client = make()
BOTH = ("up/", "goog/")  # an OpenAI upstream; a Google one


def test_text():
    for provider in BOTH:
        model = fresh("plain")
        answer = client.models.generate_content(model=provider + model, contents="Say hello", config=types.GenerateContentConfig(
            system_instruction="Be brief", temperature=0.5, max_output_tokens=20, stop_sequences=["END"]))
        equal(answer.text, "Hello, wörld!")
        equal(answer.candidates[0].finish_reason, types.FinishReason.STOP)
        usage = answer.usage_metadata
        equal((usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count), (11, 5, 2, 18))
        assert answer.response_id and answer.model_version
        sent = seen(model)[0]["json"]
        if provider == "up/":
            equal([m["role"] for m in sent["messages"]], ["system", "user"])
            equal((sent["temperature"], sent["max_tokens"], sent["stop"]), (0.5, 20, ["END"]))
        else:
            equal(sent["generationConfig"], {"temperature": 0.5, "maxOutputTokens": 20, "stopSequences": ["END"]})


def test_the_sdks_own_version_of_the_path():
    stable = make("v1")
    equal(stable.models.generate_content(model="up/plain", contents="x").text, "Hello, wörld!")
    equal(stable.models.generate_content(model="models/goog/plain", contents="x").text, "Hello, wörld!")


def test_stream():
    for provider in BOTH:
        parts = list(client.models.generate_content_stream(model=provider + "plain", contents="Say hello"))
        equal("".join(p.text or "" for p in parts), "Hello, wörld!")
        assert len(parts) >= 3, "it came in one piece"
        equal(parts[-1].candidates[0].finish_reason, types.FinishReason.STOP)
        equal(parts[-1].usage_metadata.total_token_count, 18)


def test_async_stream():
    async def main():
        out = ""
        own = make()
        async for part in await own.aio.models.generate_content_stream(model="up/plain", contents="x"):
            out += part.text or ""
        return out
    equal(asyncio.run(main()), "Hello, wörld!")


def get_weather(city: str) -> str:
    """Weather of a city.

    Args:
      city: its name
    """
    return f"sunny in {city}"


def test_functions_are_called_by_the_sdk_itself():
    for provider in BOTH:
        model = fresh("tools")
        answer = client.models.generate_content(model=provider + model, contents="Weather in Paris and Tokyo?",
                                                config=types.GenerateContentConfig(tools=[get_weather]))
        assert "sunny in Paris" in answer.text and "sunny in Tokyo" in answer.text, answer.text
        asked = [record["json"] for record in seen(model)]
        equal(len(asked), 2)
        if provider == "up/":
            messages = asked[1]["messages"]
            equal([m["role"] for m in messages], ["user", "assistant", "tool", "tool"])
            equal([c["id"] for c in messages[1]["tool_calls"]], [m["tool_call_id"] for m in messages[2:]])
            equal(asked[0]["tools"][0]["function"]["parameters"]["properties"]["city"]["type"], "string")
        else:
            equal(asked[1]["contents"][1]["parts"][0]["thoughtSignature"], "c2lnbmF0dXJl")


def test_thought_signatures_of_calls_go_round_and_to_no_other_maker():
    config = types.GenerateContentConfig(tools=[get_weather], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    model = fresh("tools")
    first = client.models.generate_content(model="goog/" + model, contents="Weather?", config=config)
    equal(first.candidates[0].content.parts[0].thought_signature, b"signature")
    results = types.Content(role="user", parts=[types.Part.from_function_response(name=c.name, response={"result": "fine"}) for c in first.function_calls])
    history = [types.Content(role="user", parts=[types.Part(text="Weather?")]), first.candidates[0].content, results]
    assert "fine" in client.models.generate_content(model="goog/" + model, contents=history, config=config).text
    other = fresh("tools")
    assert "fine" in client.models.generate_content(model="up/" + other, contents=history, config=config).text
    assert b"signature" not in seen(other)[0]["body"] and b"c2lnbmF0dXJl" not in seen(other)[0]["body"]


def test_a_chat_of_many_turns_streamed_with_functions():
    for provider in BOTH:
        chat = client.chats.create(model=provider + fresh("tools"), config=types.GenerateContentConfig(
            tools=[get_weather], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)))
        calls = [c for part in chat.send_message_stream("Weather?") for c in part.function_calls or []]
        equal([(c.name, c.args) for c in calls], [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})])
        results = [types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"result": get_weather(**c.args)})) for c in calls]
        text = "".join(part.text or "" for part in chat.send_message_stream(results))
        assert "sunny in Paris" in text and "sunny in Tokyo" in text, text
        again = "".join(part.text or "" for part in chat.send_message_stream("Thanks"))
        assert again, "nothing was said"


def test_images():
    for provider in BOTH:
        model = fresh("plain")
        client.models.generate_content(model=provider + model, contents=["What is it?", types.Part.from_bytes(data=PNG, mime_type="image/png")])
        sent = seen(model)[0]["json"]
        if provider == "up/":
            equal(sent["messages"][0]["content"][1]["image_url"]["url"], "data:image/png;base64," + DATA)
        else:
            equal(base64.urlsafe_b64decode(sent["contents"][0]["parts"][1]["inlineData"]["data"]), PNG)


def test_json_schema():
    import pydantic

    class City(pydantic.BaseModel):
        name: str

    for provider in BOTH:
        model = fresh("json")
        answer = client.models.generate_content(model=provider + model, contents="x", config=types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=City))
        equal(answer.parsed, City(name="Paris"))
        if provider == "up/":
            equal(seen(model)[0]["json"]["response_format"]["json_schema"]["schema"]["properties"]["name"]["type"], "string")
    answer = client.models.generate_content(model="up/json", contents="x", config={"response_mime_type": "application/json", "response_json_schema": City.model_json_schema()})
    equal(answer.text, '{"name": "Paris"}')


def test_thinking_and_the_next_turn():
    model = fresh("think")
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024))
    chat = client.chats.create(model="goog/" + model, config=config)
    first = chat.send_message("x")
    equal(([p.text for p in first.parts if p.thought], first.text), (["hm"], "So."))
    chat.send_message("and?")
    parts = seen(model)[1]["json"]["contents"][1]["parts"]
    equal((parts[0]["thought"], parts[1]["thoughtSignature"]), (True, "c2lnbmF0dXJl"))
    # The same thoughts from a model of OpenAI's dialect.
    model = fresh("think")
    chat = client.chats.create(model="up/" + model, config=config)
    pieces = [p for part in chat.send_message_stream("x") for p in part.parts or []]
    equal(("".join(p.text for p in pieces if p.thought), "".join(p.text or "" for p in pieces if not p.thought)), ("hm", "So."))
    chat.send_message("and?")
    equal(seen(model)[0]["json"]["reasoning_effort"], "low")
    equal([m["role"] for m in seen(model)[1]["json"]["messages"]], ["user", "assistant", "user"])


def test_candidates_and_logprobs():
    answer = client.models.generate_content(model="up/many", contents="x", config={"candidate_count": 3})
    equal([c.index for c in answer.candidates], [0, 1, 2])
    answer = client.models.generate_content(model="up/logprobs", contents="x", config={"response_logprobs": True, "logprobs": 2})
    chosen = answer.candidates[0].logprobs_result.chosen_candidates
    assert chosen and chosen[0].log_probability == -0.25, chosen


def test_errors():
    unknown = raises(errors.ClientError, lambda: client.models.generate_content(model="no-such-model", contents="x"))
    equal((unknown.code, unknown.status), (404, "NOT_FOUND"))
    assert "no-such-model" in unknown.message
    other = make(key="sk-wrong")
    stranger = raises(errors.ClientError, lambda: other.models.generate_content(model="up/plain", contents="x"))
    equal((stranger.code, stranger.status), (401, "UNAUTHENTICATED"))
    for provider in BOTH:
        refused = raises(errors.ClientError, lambda p=provider: client.models.generate_content(model=p + "status-422", contents="x"))
        equal(refused.code, 422)
        assert "scripted 422" in refused.message, refused.message
        broken = raises(errors.ServerError, lambda p=provider: client.models.generate_content(model=p + fresh("status-500"), contents="x"))
        equal(broken.code, 502)


def test_a_cut_stream_never_ends_clean():
    for provider in BOTH:
        parts = []
        try:
            for part in client.models.generate_content_stream(model=provider + fresh("cut-3"), contents="x"):
                parts.append(part)
        except Exception:
            assert parts, "nothing came before the cut"
            assert not any(c.finish_reason for p in parts for c in p.candidates or []), parts
        else:
            raise AssertionError(f"a clean end after {parts}")


def test_tokens():
    equal(client.models.count_tokens(model="goog/plain", contents="x").total_tokens, 31)
    assert client.models.count_tokens(model="up/plain", contents="x" * 400).total_tokens > 100


def test_embeddings():
    for provider in BOTH:
        answer = client.models.embed_content(model=provider + "plain", contents=["abc", "defgh"])
        equal([e.values for e in answer.embeddings], [[3.0, -0.5, 0.25], [5.0, -0.5, 0.25]])


def test_models():
    names = lambda: [m.name for m in client.models.list(config={"page_size": 2})]
    assert soon(lambda: "models/up/plain" in names() and "models/goog/plain" in names()), names()
    assert len(names()) == len(set(names())) and "models/resilient" in names(), names()
    model = client.models.get(model="up/plain")
    equal(model.name, "models/up/plain")
    assert model.input_token_limit > 0 and "generateContent" in model.supported_actions
    equal(raises(errors.ClientError, lambda: client.models.get(model="no-such-model")).code, 404)


run("gemini", globals())
