"""Cohere's SDK for Python against /v2/chat, with an OpenAI-compatible upstream behind: every answer here is translated."""
import cohere
from cohere.core.api_error import ApiError

from harness import KEYS, SERVER, equal, fresh, run, seen

client = cohere.ClientV2(api_key=KEYS["main"], base_url=SERVER, timeout=20)
HELLO = [{"role": "user", "content": "Say hello"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def test_chat():
    model = fresh("plain")
    answer = client.chat(model="up/" + model, messages=HELLO, temperature=0.5, max_tokens=20, stop_sequences=["END"], p=0.9, k=4)
    assert answer.message.content[0].text, answer
    equal(answer.finish_reason, "COMPLETE")
    assert answer.id and answer.usage.tokens.input_tokens > 0, answer
    sent = seen(model)[0]["json"]
    equal(sent["max_tokens"], 20)
    equal(sent["stop"], ["END"])
    equal(sent["top_p"], 0.9)


def test_stream():
    model = fresh("plain")
    events = list(client.chat_stream(model="up/" + model, messages=HELLO))
    kinds = [e.type for e in events]
    equal(kinds[:2], ["message-start", "content-start"])
    equal(kinds[-2:], ["content-end", "message-end"])
    whole = client.chat(model="up/" + fresh("plain"), messages=HELLO).message.content[0].text
    equal("".join(e.delta.message.content.text for e in events if e.type == "content-delta"), whole)
    equal(events[-1].delta.finish_reason, "COMPLETE")
    assert events[-1].delta.usage.tokens.output_tokens > 0, events[-1]


def test_tools_round_trip():
    for stream in (False, True):
        model = fresh("tools")
        asked = dict(model="up/" + model, messages=HELLO, tools=[WEATHER])
        if stream:
            calls = []
            for e in client.chat_stream(**asked):
                if e.type == "tool-call-start":
                    call = e.delta.message.tool_calls
                    calls.append({"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments or ""}})
                elif e.type == "tool-call-delta":
                    calls[-1]["function"]["arguments"] += e.delta.message.tool_calls.function.arguments
        else:
            answer = client.chat(**asked)
            equal(answer.finish_reason, "TOOL_CALL")
            calls = [{"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}} for c in answer.message.tool_calls]
        assert calls and calls[0]["function"]["name"], calls
        after = fresh("plain")
        client.chat(model="up/" + after, tools=[WEATHER], messages=HELLO + [{"role": "assistant", "tool_calls": calls}] + [
            {"role": "tool", "tool_call_id": c["id"], "content": [{"type": "document", "document": {"data": {"weather": "snow"}}}]} for c in calls])
        sent = seen(after)[0]["json"]["messages"]
        equal(sent[1]["tool_calls"][0]["id"], calls[0]["id"])
        assert "snow" in str(sent[2]["content"]), sent


def test_errors():
    for model, status in (("nobody/knows", 404), ("up/" + fresh("status-400"), 400)):
        try:
            client.chat(model=model, messages=HELLO)
            raise AssertionError("no error")
        except ApiError as e:
            equal(e.status_code, status)
            assert "message" in str(e.body), e.body



run("cohere", globals())
