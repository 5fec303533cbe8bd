"""What a target cannot express: it is not asked, and when nobody is left the caller hears the field and the models. Hints are dropped by name."""
import json

import upstream as up

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"x": {"type": "string"}}}}}
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]}]
SOUND = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]}]
FILM = [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "https://films.example/a.mp4"}}]}]
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
NAMED = {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}}

TEMPLATE = {"path": "/g", "body": {"p": "${prompt}"}, "text": "/t"}
# For each dialect: what it has no word for, and the field that the answer names.
REFUSED = {
    "anthropic": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"messages": SOUND}, "messages[0].content[0]"), ({"messages": FILM}, "messages[0].content[0]")],
    "bedrock": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"messages": PICTURE}, "messages[0].content[0]"), ({"messages": FILM}, "messages[0].content[0]")],
    "cohere": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"messages": SOUND}, "messages[0].content[0]"), ({"tools": TOOLS, "response_format": SCHEMA}, "response_format")],
    "gemini": [({"messages": PICTURE}, "messages[0].content[0]")],
    "ollama": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"messages": PICTURE}, "messages[0].content[0]"), (NAMED, "tool_choice"), ({"messages": SOUND}, "messages[0].content[0]")],
    "responses": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"messages": FILM}, "messages[0].content[0]")],
    "http": [({"n": 2}, "n"), (SPOKEN, "modalities"), ({"tools": TOOLS}, "tools"), ({"response_format": SCHEMA}, "response_format"), ({"messages": PICTURE}, "messages[0].content[0]")],
}


def every_dialect(t, u, **more):
    base = u.url[:-3]
    providers = {"p-" + name: {"dialect": name, "base_url": base, "api_key": "k", "models": {"override": ["m"]}} for name in REFUSED}
    providers["p-http"]["http"] = TEMPLATE
    providers["p-bedrock"].update({"type": "bedrock", "region": "eu-west-1", "api_key": "AKID:secret"})
    return t.server(u, providers=providers, **more)


def test_each_dialect_names_the_field_and_the_model(t):
    u = t.upstream()
    s = every_dialect(t, u)
    for name, rows in REFUSED.items():
        for members, field in rows:
            body = dict({"model": "p-%s/m" % name, "messages": [{"role": "user", "content": "hi"}]}, **members)
            r = s.request("POST", "/v1/chat/completions", body)
            assert r.status == 400 and r.code == "invalid_request", (name, members, r.status, r.body)
            assert field in r.message and "(p-%s/m)" % name in r.message, (name, field, r.message)
            assert r.json()["error"]["param"] == field, (name, field, r.body)
    assert not u.chats(), u.chats()


def test_tools_in_older_words_are_not_left_out(t):
    u = t.upstream()
    s = every_dialect(t, u)
    older = {"functions": [{"name": "f", "parameters": {"type": "object", "properties": {}}}], "function_call": "auto"}
    for name in REFUSED:
        r = s.chat("p-%s/m" % name, **older)
        assert r.status == 400 and r.json()["error"]["param"] in ("functions", "function_call"), (name, r.status, r.body)
    assert not u.chats(), u.chats()
    r = s.chat("up/m1", **older)
    assert r.status == 200 and u.chats()[0].json()["functions"] == older["functions"], r.body


def test_several_models_are_named_each_with_its_reason(t):
    u = t.upstream()
    s = every_dialect(t, u, models={"any": {"targets": ["p-ollama/m", "p-anthropic/m", "p-cohere/m"], "strategy": "priority"}, "two": ["p-http/m", "p-ollama/m"]})
    r = s.chat("any", n=2)
    assert r.status == 400 and "`n`" in r.message, r.body
    for model in ("p-ollama/m", "p-anthropic/m", "p-cohere/m"):
        assert r.message.count(model) == 1, r.message
    r = s.request("POST", "/v1/chat/completions", dict(NAMED, model="two", messages=[{"role": "user", "content": "hi"}]))
    assert r.status == 400 and "`tools`" in r.message and "(p-http/m)" in r.message and "`tool_choice`" in r.message and "(p-ollama/m)" in r.message, r.message
    # In the client's own shape, too.
    r = s.request("POST", "/v1beta/models/any:generateContent", {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"candidateCount": 2}})
    assert r.status == 400 and r.json()["error"]["status"] == "INVALID_ARGUMENT" and "p-cohere/m" in r.json()["error"]["message"], r.body
    assert not u.chats()


def test_a_target_that_can_is_asked_instead(t):
    u = t.upstream()
    s = every_dialect(t, u, models={"m": {"targets": [{"model": "p-ollama/m", "priority": 1}, {"model": "up/m1", "priority": 2}], "strategy": "priority"}})
    r = s.chat("m", n=2)
    assert r.status == 200 and r.header("x-llmrouter-provider") == "up", r.body
    assert u.chats()[0].json()["n"] == 2


def test_the_field_is_named_as_the_client_wrote_it(t):
    u = t.upstream()
    s = every_dialect(t, u)
    film = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    r = s.request("POST", "/v1beta/models/p-anthropic/m:generateContent", {"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"parts": [{"text": "hi"}, film]}]})
    assert r.status == 400 and "`contents[0].parts[1]`" in r.json()["error"]["message"], r.body
    r = s.request("POST", "/v1beta/models/p-anthropic/m:generateContent", {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"candidateCount": 2}})
    assert r.status == 400 and "`generationConfig.candidateCount`" in r.json()["error"]["message"], r.body
    r = s.request("POST", "/v1/messages", {"model": "p-http/m", "max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "hi"}, {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}}]}]})
    assert r.status == 400 and "`messages[0].content[1]`" in r.json()["error"]["message"], r.body
    r = s.request("POST", "/v1/responses", {"model": "p-http/m", "instructions": "s", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://pictures.example/a.png"}]}]})
    assert r.status == 400 and r.json()["error"]["param"] == "input[0].content[0]", r.body
    assert not u.chats()


def test_hosted_tools_are_asked_of_their_own_vendor_alone(t):
    u = t.upstream()
    search = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
    s = every_dialect(t, u, models={"m": {"targets": [{"model": "p-ollama/m", "priority": 1}, {"model": "p-responses/m", "priority": 2}], "strategy": "priority"},
                                    "none": ["p-anthropic/m", "p-gemini/m"]})
    r = s.request("POST", "/v1/responses", {"model": "none", "input": "hi", "tools": search})
    assert r.status == 400 and r.json()["error"]["param"] == "tools[0]" and "file_search" in r.message, r.body
    assert "p-anthropic/m" in r.message and "p-gemini/m" in r.message, r.message
    assert not u.chats(), u.chats()
    s.request("POST", "/v1/responses", {"model": "m", "input": "hi", "tools": search})
    asked = {(x.target, x.json()["tools"][0]["type"]) for x in u.chats()}
    assert len(asked) == 1 and asked.pop()[1] == "file_search", [(x.target, x.body) for x in u.chats()]


def test_one_that_rests_is_better_news_than_one_that_cannot(t):
    u = t.upstream(up.sends(up.error(429, "slow down", headers=[("retry-after", "30")])))
    s = every_dialect(t, u, routing={"attempts": 1}, models={"m": ["up/m1", "p-ollama/m"]})
    s.chat("up/m1", n=2)
    r = s.chat("m", n=2)
    assert r.status == 429, (r.status, r.body)


def test_hints_are_dropped_by_name_in_the_answer_and_the_record(t):
    async def claude(x):
        await x.send(up.reply({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
                               "usage": {"input_tokens": 5, "output_tokens": 2}}))
    u = t.upstream(claude)
    s = every_dialect(t, u)
    r = s.chat("p-anthropic/m", seed=7, logit_bias={"1": 1}, frequency_penalty=0.5)
    assert r.status == 200, r.body
    dropped = {name.strip() for name in r.header("x-llmrouter-dropped").split(",")}
    assert {"seed", "logit_bias", "frequency_penalty"} <= dropped, dropped
    assert not dropped & set(u.chats()[0].json()), u.chats()[0].body
    records = s.usage()
    assert set(records[0]["dropped"]) == dropped, records[0]


def test_what_strangers_name_fits_a_header_and_forges_nothing(t):
    async def handler(x):
        await x.send(up.reply(up.chat_body("Hi")))
    u = t.upstream(up.scripted(handler))
    s = every_dialect(t, u)

    def ask(extras):
        block = dict(extras, type="text", text="hi")
        r = s.request("POST", "/v1/messages", {"model": "up/m", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]})
        assert r.status == 200, r.body
        return r.header("x-llmrouter-dropped")
    told = ask({"a\nb": 1, "q, tools.web_search": 1, "\u00e9": 1, "plain": 1})
    assert told == "content.a?b, content.q??tools.web_search, content.??, content.plain", told
    names = ask({("x%d" % i) + "y" * 100: 1 for i in range(1000)}).split(", ")
    assert len(names) == 64 and names[-1] == "...", names
    assert names[0] == ("content.x0" + "y" * 100)[:64], names
    record = s.usage()[0]
    assert sorted(record["dropped"]) == sorted(names), record


def test_hints_inside_of_parts_and_tools_are_named_by_every_dialect(t):
    answers = {"gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]},
               "bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}},
               "ollama": {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "Hi"}, "done": True, "done_reason": "stop"},
               "cohere": {"id": "c", "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE"},
               "responses": {"id": "r", "object": "response", "status": "completed", "model": "m", "created_at": 1, "output": [
                   {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}]},
               "openai": up.chat_body("Hi")}
    words = {"converse": "bedrock", "enerateContent": "gemini", "/api/chat": "ollama", "/responses": "responses", "/chat/completions": "openai", "/chat": "cohere"}

    async def handler(x):
        await x.send(up.reply(answers[next(name for word, name in words.items() if word in x.request.target)]))
    u = t.upstream(up.scripted(handler))
    s = every_dialect(t, u)
    mark = {"cache_control": {"type": "ephemeral"}}
    body = {"max_tokens": 9, "system": [dict(mark, type="text", text="S")], "tools": [dict(mark, name="f", input_schema={"type": "object", "properties": {}}, defer_loading=True)],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "tomorrow": {"x": 1}, "nothing": None, "none": []}]}]}
    for name in answers:
        r = s.request("POST", "/v1/messages", dict(body, model=("up/m" if name == "openai" else "p-%s/m" % name)))
        dropped = {n.strip() for n in r.header("x-llmrouter-dropped").split(",")}
        wanted = {"content.tomorrow", "tools.defer_loading"} | ({"cache_control"} if name != "bedrock" else set())
        assert r.status == 200 and wanted <= dropped, (name, dropped)
        assert not {"content.nothing", "content.none"} & dropped, (name, dropped)
    # The same of what OpenAI's clients say.
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {}}}}]
    for name in ("ollama", "gemini", "cohere"):
        r = s.chat("p-%s/m" % name, tools=tools, verbosity="low", prompt_cache_key="k")
        dropped = {n.strip() for n in r.header("x-llmrouter-dropped").split(",")}
        assert {"verbosity", "prompt_cache_key"} <= dropped, (name, dropped)
        assert ("tools.strict" in dropped) == (name != "cohere"), (name, dropped)  # Cohere has it for all tools
    # Bedrock has citations of documents.
    paper = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "T", "citations": {"enabled": True}}
    r = s.request("POST", "/v1/messages", dict(body, model="p-bedrock/m", messages=[{"role": "user", "content": [paper, {"type": "text", "text": "hi"}]}]))
    assert r.status == 200 and "content.citations" not in r.header("x-llmrouter-dropped"), r.body
    assert u.chats()[-1].json()["messages"][0]["content"][0]["document"]["citations"] == {"enabled": True}, u.chats()[-1].body
    r = s.request("POST", "/v1/messages", dict(body, model="p-gemini/m", messages=[{"role": "user", "content": [paper, {"type": "text", "text": "hi"}]}]))
    assert "content.citations" in r.header("x-llmrouter-dropped"), r.head
