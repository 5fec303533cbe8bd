"""The Anthropic SDK for Python: in front of a provider of its own dialect (every answer passes) and of an OpenAI-compatible one (every answer is translated)."""
import anthropic

from harness import KEYS, SERVER, equal, fresh, raises, run, seen

client = anthropic.Anthropic(base_url=SERVER, api_key=KEYS["main"], timeout=20, max_retries=0)
HELLO = [{"role": "user", "content": "Say hello"}]
WEATHER = {"name": "get_weather", "description": "Weather of a city", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
BOTH = (("claude/", "toolu_"), ("up/", "call_"))  # its own dialect, and another


def ask(model, **more):
    return client.messages.create(model=model, max_tokens=2000, messages=more.pop("messages", HELLO), **more)


def counts(usage):
    return usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens


def test_message():
    for provider, _ in BOTH:
        model = fresh("plain")
        answer = ask(provider + model, extra_body={"temperature": 0.5}, system="Be brief.", stop_sequences=["END"], metadata={"user_id": "u1"})
        equal((answer.type, answer.role, answer.content[0].text, answer.stop_reason), ("message", "assistant", "Hello, wörld!", "end_turn"))
        equal(counts(answer.usage), (8, 3, 7))
        assert answer.id and answer._request_id, answer
        sent = seen(model)[0]["json"]
        equal((sent["temperature"], sent["max_tokens"]), (0.5, 2000))
        if provider == "up/":
            equal((sent["messages"], sent["stop"], sent["user"]), ([{"role": "system", "content": "Be brief."}] + HELLO, ["END"], "u1"))


def test_stream_of_events():
    for provider, _ in BOTH:
        kinds, text = [], ""
        for event in client.messages.create(model=provider + "plain", max_tokens=50, messages=HELLO, stream=True):
            kinds.append(event.type)
            text += event.delta.text if event.type == "content_block_delta" else ""
        equal(text, "Hello, wörld!")
        kinds = [k for k in kinds if k not in ("ping", "content_block_delta")]
        equal(kinds, ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"])


def test_stream_helper():
    for provider, _ in BOTH:
        with client.messages.stream(model=provider + "plain", max_tokens=50, messages=HELLO) as stream:
            equal("".join(stream.text_stream), "Hello, wörld!")
            final = stream.get_final_message()
        equal((final.content[0].text, final.stop_reason), ("Hello, wörld!", "end_turn"))
        equal(counts(final.usage), (8, 3, 7))


def check_calls(content, prefix):
    calls = [b for b in content if b.type == "tool_use"]
    equal([(c.id, c.name, c.input) for c in calls], [(prefix + "paris", "get_weather", {"city": "Paris"}), (prefix + "tokyo", "get_weather", {"city": "Tokyo"})])
    return calls


def test_parallel_tools_over_turns():
    for provider, prefix in BOTH:
        for stream in (False, True):
            messages = list(HELLO)
            if stream:
                with client.messages.stream(model=provider + "tools", max_tokens=50, messages=messages, tools=[WEATHER]) as s:
                    answer = s.get_final_message()
            else:
                answer = ask(provider + "tools", messages=messages, tools=[WEATHER], tool_choice={"type": "auto"})
            equal(answer.stop_reason, "tool_use")
            calls = check_calls(answer.content, prefix)
            messages += [{"role": "assistant", "content": answer.content},
                         {"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": f"sunny in {c.input['city']}"} for c in calls]}]
            equal(ask(provider + "tools", messages=messages, tools=[WEATHER]).content[0].text, f"{prefix}paris=sunny in Paris; {prefix}tokyo=sunny in Tokyo")


def test_thinking_with_the_next_turn():
    model = "claude/" + fresh("thinking")
    for stream in (False, True):
        options = {"model": model, "max_tokens": 4000, "tools": [WEATHER], "thinking": {"type": "enabled", "budget_tokens": 2000}}
        if stream:
            with client.messages.stream(messages=HELLO, **options) as s:
                answer = s.get_final_message()
        else:
            answer = client.messages.create(messages=HELLO, **options)
        equal([b.type for b in answer.content], ["thinking", "redacted_thinking", "tool_use"])
        messages = HELLO + [{"role": "assistant", "content": answer.content},
                            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": answer.content[2].id, "content": "sunny"}]}]
        equal(client.messages.create(messages=messages, **options).content[0].text, "toolu_paris=sunny")


def test_images_and_documents():
    model = fresh("plain")
    content = [{"type": "text", "text": "What is it?", "cache_control": {"type": "ephemeral"}},
               {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
               {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
               {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}]
    ask("up/" + model, messages=[{"role": "user", "content": content}])
    parts = seen(model)[0]["json"]["messages"][0]["content"]
    equal([p["type"] for p in parts], ["text", "image_url", "image_url", "file"])
    equal([p["image_url"]["url"] for p in parts[1:3]], ["data:image/png;base64,iVBORw0KGgo=", "https://example.com/a.png"])
    equal(parts[3]["file"], {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="})
    ask("claude/" + model, messages=[{"role": "user", "content": content}])
    equal(seen(model)[1]["json"]["messages"][0]["content"], content)


def test_structured_output():
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    answer = ask("up/json", output_config={"format": {"type": "json_schema", "schema": schema}})
    equal(answer.content[0].text, '{"name": "Paris"}')


def test_what_nobody_has_heard_of():
    model = fresh("plain")
    answer = ask("claude/" + model, extra_body={"from_the_future": {"a": [1, None]}}, extra_headers={"anthropic-beta": "tomorrow-2027-01-01"})
    equal(answer.model_extra["novel_top_member"], {"deep": [1, None]})
    record = seen(model)[0]
    equal((record["json"]["from_the_future"], record["headers"]["anthropic-beta"]), ({"a": [1, None]}, "tomorrow-2027-01-01"))
    answer = ask("up/" + model, extra_body={"from_the_future": 1, "context_management": {"edits": []}}, thinking={"type": "disabled"},
                 tools=[WEATHER, {"type": "tool_of_tomorrow_20270101", "name": "tomorrow"}])
    equal(answer.content[0].text, "Hello, wörld!")


def test_count_tokens():
    equal(client.messages.count_tokens(model="claude/plain", messages=HELLO).input_tokens, 321)
    assert 5 < client.messages.count_tokens(model="up/plain", messages=HELLO, tools=[WEATHER]).input_tokens < 100


def test_models():
    ids = [m.id for m in client.models.list(limit=2)]
    assert "resilient" in ids, ids
    model = client.models.retrieve("resilient")
    equal((model.type, model.id), ("model", "resilient"))
    raises(anthropic.NotFoundError, lambda: client.models.retrieve("no-such-model"))


def test_errors():
    for provider, _ in BOTH:
        for kind, name in ((anthropic.BadRequestError, "status-400"), (anthropic.NotFoundError, "status-404"), (anthropic.InternalServerError, "status-500")):
            error = raises(kind, lambda: ask(provider + fresh(name)))
            assert "scripted" in str(error), error
    for provider in ("claude2/", "busy/"):
        raises(anthropic.RateLimitError, lambda: ask(provider + fresh("status-429")))
    error = raises(anthropic.InternalServerError, lambda: ask("claude/" + fresh("status-529")))
    equal(error.body["error"]["type"], "overloaded_error")
    raises(anthropic.RequestTooLargeError if hasattr(anthropic, "RequestTooLargeError") else anthropic.APIStatusError, lambda: ask("claude/" + fresh("status-413")))
    error = raises(anthropic.NotFoundError, lambda: ask("no-such-model"))
    assert "no-such-model" in str(error) and error.request_id, error
    raises(anthropic.BadRequestError, lambda: ask("up/plain", messages=[]))
    stranger = anthropic.Anthropic(base_url=SERVER, api_key="sk-wrong", max_retries=0)
    raises(anthropic.AuthenticationError, lambda: stranger.messages.create(model="up/plain", max_tokens=5, messages=HELLO))
    narrow = anthropic.Anthropic(base_url=SERVER, auth_token=KEYS["narrow"], api_key=None, max_retries=0)
    raises(anthropic.PermissionDeniedError, lambda: narrow.messages.create(model="up/tools", max_tokens=5, messages=HELLO))
    equal(narrow.messages.create(model="up/plain", max_tokens=5, messages=HELLO).content[0].text, "Hello, wörld!")


def test_a_cut_stream_never_ends_clean():
    for model in ("claude/" + fresh("cut-2"), "up/" + fresh("cut-3")):
        kinds = []
        try:
            for event in client.messages.create(model=model, max_tokens=50, messages=HELLO, stream=True):
                kinds.append(event.type)
        except anthropic.APIError:
            pass
        else:
            raise AssertionError("it ended clean")
        assert "content_block_delta" in kinds and "message_stop" not in kinds, kinds


run("anthropic", globals())
