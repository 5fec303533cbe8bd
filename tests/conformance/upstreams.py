"""What the upstreams of all dialects understand and say. They are strict: what a vendor would refuse is a failure here."""
import base64
import binascii
import itertools
import json
import re
import struct

from cases import PATCH, Ask, Call, Result, Say, Thought, Turn, is_base64

_numbers = itertools.count(1)


class Refused(Exception):
    """The request is not one this vendor takes."""


def need(condition, *words):
    if not condition:
        raise Refused(" ".join(str(w) for w in words))


def only(value, *names):
    extra = set(value) - set(names)
    need(not extra, "members nobody knows:", sorted(extra), "in", json.dumps(value)[:300])


def pieces(text):
    """A text in two, inside a word where it can be."""
    half = max(1, len(text) // 2)
    return [p for p in (text[:half], text[half:]) if p]


def data_url(url):
    need(url.startswith("data:") and ";base64," in url, "no data URL:", url[:60])
    mime, _, data = url[5:].partition(";base64,")
    need(is_base64(data), "no base64")
    return mime, data


def place(url):
    """An image's URL: its bytes, or an address that the vendor asks by itself."""
    return data_url(url) if url.startswith("data:") else (need(url.startswith(("https://", "http://")), "URL", url[:60]), url)


def file_of(value, *ids):
    """A file of OpenAI's dialects: its id at the vendor, or its bytes with a name (the vendor asks for one)."""
    if value.get("file_id"):
        need(not value["file_id"].startswith("file_"), "an id of another vendor's store", value)
        return "id", value["file_id"]
    need(value.get("filename"), "a file without a name", sorted(value))
    return data_url(value["file_data"])


def audio_of(value):
    need(value["format"] in ("wav", "mp3") and is_base64(value["data"]), "audio", value["format"])
    return "audio/" + value["format"], value["data"]


def event(value, name=None):
    return (("event: %s\n" % name if name else "") + "data: " + json.dumps(value, ensure_ascii=False) + "\n\n").encode()


def as_object(text):
    value = json.loads(text)
    need(isinstance(value, dict), "arguments are no object", text)
    return value


def told(call):
    """A call as OpenAI tells it: its type, the member that holds the words, the words."""
    return ("custom", "input", call.arguments["input"]) if call.custom else ("function", "arguments", json.dumps(call.arguments))


class Upstream:
    dialect = None
    tells = set()       # of: cached written reasoning_tokens
    takes = set()       # of: signature tool_error call_ids system_turns
    stream_type = "text/event-stream"
    json_type = "application/json"
    no_error_inside = False
    joins = False       # turns of one role after another are for who relays them to bear

    def headers(self, stream):
        return [("content-type", self.stream_type if stream else self.json_type)]

    def said(self, say, ask):
        """Calls of tools that take any text are told as such."""
        customs = [t["name"] for t in ask.tools if t.get("custom")]
        if not customs:
            return say
        calls = [Call(c.id, c.name, c.arguments, custom=c.name in customs) for c in say.calls]
        return Say(say.text, calls, say.thought, say.finish, say.usage, say.error, say.inside, say.refusal)

    # see(path, headers, body) -> Ask; whole(say, model) -> bytes; stream(say, model) -> [bytes]; error(status, words) -> bytes


class OpenAi(Upstream):
    dialect = "openai"
    tells = {"cached", "reasoning_tokens"}
    takes = {"call_ids"}
    finish = {"stop": "stop", "length": "length", "tools": "tool_calls", "filter": "content_filter"}

    def base(self, root):
        return root + "/v1"

    def see(self, path, headers, body):
        need(path.endswith("/v1/chat/completions"), path)
        need(headers.get("authorization") == "Bearer key-up", "key")
        only(body, "model", "messages", "tools", "tool_choice", "response_format", "max_tokens", "max_completion_tokens", "temperature", "stop", "stream",
             "stream_options", "reasoning_effort", "parallel_tool_calls", "top_p", "n", "user", "metadata", "store", "reasoning", "logprobs", "top_logprobs",
             "seed", "frequency_penalty", "presence_penalty", "service_tier",
             "top_k")  # OpenAI itself has no such thing, most servers of this dialect do (vLLM, llama.cpp, OpenRouter): no vendor is named here
        ask = Ask(model=body["model"], stream=bool(body.get("stream")))
        if not ask.stream:
            need("stream_options" not in body, "stream_options without a stream")
        open_calls = []
        for message in body["messages"]:
            only(message, "role", "content", "tool_calls", "tool_call_id", "reasoning_content", "reasoning_details", "name", "refusal")
            role, content = message["role"], message.get("content")
            need(role == "tool" or not open_calls, "a tool's result is missing before", role)
            if role in ("system", "developer"):
                ask.system += content if isinstance(content, str) else "".join(p["text"] for p in content)
                continue
            if role == "tool":
                need(message["tool_call_id"] in open_calls, "the result of no call")
                open_calls.remove(message["tool_call_id"])
                text = content if isinstance(content, str) else "".join(p["text"] for p in content)
                ask.turns.append(Turn("tool", results=[Result(message["tool_call_id"], None, text)]))
                continue
            turn = Turn(role)
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
                if part["type"] == "text":
                    turn.text += part["text"]
                else:
                    need(role == "user", "media of", role)
                    kind = part["type"]
                    # `video_url` is what OpenRouter, Qwen and vLLM have beside OpenAI's own.
                    need(kind in ("image_url", "file", "input_audio", "video_url"), "part", part)
                    turn.images.append(place(part[kind]["url"]) if kind.endswith("_url") else file_of(part[kind]) if kind == "file" else audio_of(part[kind]))
            if role == "assistant":
                need(content or message.get("tool_calls"), "an assistant's turn without anything", message)
                for call in message.get("tool_calls") or []:
                    only(call, "id", "type", call["type"], "extra_content")
                    need(call["type"] in ("function", "custom") and call["id"], "call")
                    told = call[call["type"]]
                    turn.calls.append(Call(call["id"], told["name"], {"input": told["input"]} if call["type"] == "custom" else as_object(told["arguments"])))
                    open_calls.append(call["id"])
                if message.get("reasoning_content"):
                    turn.thought = Thought(message["reasoning_content"])
            ask.turns.append(turn)
        need(not open_calls, "results are missing")
        for tool in body.get("tools") or []:
            if tool["type"] == "custom":
                need(self.joins, "a custom tool, which most servers of this dialect do not know")
                ask.tools.append(dict(PATCH, name=tool["custom"]["name"], description=tool["custom"]["description"]))
                continue
            need(tool["type"] == "function", "tool", tool)
            f = tool["function"]
            ask.tools.append({"name": f["name"], "description": f.get("description", ""), "schema": f.get("parameters")})
        choice = body.get("tool_choice")
        ask.choice = None if choice == "auto" else choice
        form = body.get("response_format")
        if form and form["type"] != "text":
            need(form["type"] == "json_schema", "response_format", form)
            ask.schema = (form["json_schema"]["name"], form["json_schema"]["schema"])
        ask.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
        ask.temperature, ask.effort = body.get("temperature"), body.get("reasoning_effort")
        stop = body.get("stop") or []
        ask.stop = [stop] if isinstance(stop, str) else stop
        return ask

    def usage(self, u):
        return {"prompt_tokens": u.input, "completion_tokens": u.output, "total_tokens": u.input + u.output,
                "prompt_tokens_details": {"cached_tokens": u.cached}, "completion_tokens_details": {"reasoning_tokens": u.reasoning}}

    def whole(self, say, model):
        message = {"role": "assistant", "content": say.text or None}
        if say.thought:
            message["reasoning_content"] = say.thought.text
        if say.calls:
            message["tool_calls"] = [{"id": c.id, "type": kind, kind: {"name": c.name, words: text}} for c in say.calls for kind, words, text in [told(c)]]
        return json.dumps({"id": "chatcmpl-%d" % next(_numbers), "object": "chat.completion", "created": 1790000000, "model": model,
                           "choices": [{"index": 0, "message": message, "finish_reason": self.finish[say.finish], "logprobs": None}],
                           "usage": self.usage(say.usage), "service_tier": say.usage.tier}, ensure_ascii=False).encode()

    def stream(self, say, model):
        head = {"id": "chatcmpl-%d" % next(_numbers), "object": "chat.completion.chunk", "created": 1790000000, "model": model, "service_tier": say.usage.tier}

        def chunk(delta, finish=None):
            return event(dict(head, choices=[{"index": 0, "delta": delta, "finish_reason": finish}], usage=None))
        out = [chunk({"role": "assistant", "content": ""})]
        if say.thought:
            out += [chunk({"reasoning_content": p}) for p in pieces(say.thought.text)]
        out += [chunk({"content": p}) for p in pieces(say.text)]
        if say.error:
            return out + [event({"error": {"message": say.error[1], "type": "server_error", "param": None, "code": None}})]
        for i, c in enumerate(say.calls):
            kind, words, text = told(c)
            out.append(chunk({"tool_calls": [{"index": i, "id": c.id, "type": kind, kind: {"name": c.name, words: ""}}]}))
            out += [chunk({"tool_calls": [{"index": i, kind: {words: p}}]}) for p in pieces(text)]
        out.append(chunk({}, self.finish[say.finish]))
        return out + [event(dict(head, choices=[], usage=self.usage(say.usage))), b"data: [DONE]\n\n"]

    def error(self, status, words):
        kind = "rate_limit_error" if status == 429 else "invalid_request_error"
        return json.dumps({"error": {"message": words, "type": kind, "param": None, "code": None}}).encode()


class Responses(Upstream):
    dialect = "responses"
    tells = {"cached", "reasoning_tokens"}
    takes = {"call_ids", "signature"}

    def base(self, root):
        return root + "/v1"

    def see(self, path, headers, body):
        need(path.endswith("/v1/responses"), path)
        need(headers.get("authorization") == "Bearer key-up", "key")
        only(body, "model", "input", "instructions", "tools", "tool_choice", "text", "max_output_tokens", "temperature", "stream", "store", "include",
             "reasoning", "parallel_tool_calls", "top_p", "metadata", "user", "truncation", "top_logprobs", "service_tier")
        ask = Ask(model=body["model"], stream=bool(body.get("stream")), system=body.get("instructions") or "")
        items = body["input"]
        items = [{"role": "user", "content": items}] if isinstance(items, str) else items
        thought, open_calls = None, []
        for item in items:
            kind = item.get("type", "message")
            if kind == "message":
                role, turn = item["role"], Turn(item["role"])
                content = item["content"]
                for part in [{"type": "input_text", "text": content}] if isinstance(content, str) else content:
                    if part["type"] in ("input_image", "input_file", "input_audio"):
                        need(role == "user", "media of", role)
                        turn.images.append(self.media(part))
                    else:
                        need(part["type"] == "output_text" if role == "assistant" and not isinstance(content, str) else part["type"] == "input_text",
                             part["type"], "of", role)
                        turn.text += part["text"]
                if role in ("system", "developer"):
                    ask.system += turn.text
                    continue
                turn.thought, thought = thought, None
                ask.turns.append(turn)
            elif kind == "reasoning":
                need(item.get("id") != "" and isinstance(item["summary"], list), "reasoning", item)  # stateless clients leave the id out
                thought = Thought("".join(p["text"] for p in item["summary"]), item.get("encrypted_content"))
            elif kind in ("function_call", "custom_tool_call"):
                if not (ask.turns and ask.turns[-1].role == "assistant") or thought:
                    ask.turns.append(Turn("assistant", thought=thought))
                    thought = None
                custom = kind == "custom_tool_call"
                ask.turns[-1].calls.append(Call(item["call_id"], item["name"], {"input": item["input"]} if custom else as_object(item["arguments"])))
                open_calls.append((kind, item["call_id"]))
            else:
                call = (kind.replace("_output", ""), item["call_id"])
                need(kind.endswith("_output") and call in open_calls, "item", item)
                open_calls.remove(call)
                text = item["output"]
                if not isinstance(text, str):
                    text = "".join(p["text"] if p["type"] == "input_text" else "<%s>" % self.media(p)[0] for p in text)
                ask.turns.append(Turn("tool", results=[Result(item["call_id"], None, text)]))
        need(not open_calls, "results are missing")
        for tool in body.get("tools") or []:
            if tool["type"] == "custom":
                only(tool, "type", "name", "description")
                ask.tools.append(dict(PATCH, name=tool["name"], description=tool["description"]))
                continue
            need(tool["type"] == "function" and "function" not in tool, "tool", tool)
            ask.tools.append({"name": tool["name"], "description": tool.get("description", ""), "schema": tool.get("parameters")})
        choice = body.get("tool_choice")
        ask.choice = None if choice == "auto" else choice
        form = (body.get("text") or {}).get("format")
        if form and form["type"] == "json_schema":
            ask.schema = (form["name"], form["schema"])
        ask.max_tokens, ask.temperature = body.get("max_output_tokens"), body.get("temperature")
        ask.effort = (body.get("reasoning") or {}).get("effort")
        return ask

    def media(self, part):
        if part["type"] == "input_audio":
            return audio_of(part["input_audio"])
        if part["type"] == "input_image":
            return ("id", part["file_id"]) if part.get("file_id") else place(part["image_url"])
        need(part["type"] == "input_file", "part", part["type"])
        return place(part["file_url"]) if part.get("file_url") else file_of(part)

    def items(self, say):
        n = next(_numbers)
        out = []
        if say.thought:
            out.append({"type": "reasoning", "id": "rs_%d" % n, "summary": [{"type": "summary_text", "text": say.thought.text}],
                        "encrypted_content": say.thought.signature})
        if say.text:
            out.append({"type": "message", "id": "msg_%d" % n, "status": "completed", "role": "assistant",
                        "content": [{"type": "output_text", "text": say.text, "annotations": [], "logprobs": []}]})
        for i, c in enumerate(say.calls):
            _, words, text = told(c)
            out.append({"type": "custom_tool_call" if c.custom else "function_call", "id": "fc_%d_%d" % (n, i), "call_id": c.id, "name": c.name, words: text,
                        "status": "completed"})
        return out

    def response(self, say, model, items, status):
        why = {"length": "max_output_tokens", "filter": "content_filter"}.get(say.finish)
        u = say.usage
        return {"id": "resp_%d" % next(_numbers), "object": "response", "created_at": 1790000000, "model": model, "status": status, "output": items,
                "error": None, "incomplete_details": {"reason": why} if why and status == "incomplete" else None, "instructions": None, "metadata": {},
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "temperature": 1, "top_p": 1,
                "service_tier": "auto" if status == "in_progress" else u.tier,
                "usage": None if status == "in_progress" else {"input_tokens": u.input, "input_tokens_details": {"cached_tokens": u.cached},
                                                               "output_tokens": u.output, "output_tokens_details": {"reasoning_tokens": u.reasoning},
                                                               "total_tokens": u.input + u.output}}

    def status(self, say):
        return "incomplete" if say.finish in ("length", "filter") else "completed"

    def whole(self, say, model):
        return json.dumps(self.response(say, model, self.items(say), self.status(say)), ensure_ascii=False).encode()

    def stream(self, say, model):
        numbers = itertools.count()

        def e(kind, **more):
            return event(dict({"type": kind, "sequence_number": next(numbers)}, **more), kind)
        items = self.items(say)
        base = self.response(say, model, [], "in_progress")
        out = [e("response.created", response=base), e("response.in_progress", response=base)]
        for i, item in enumerate(items):
            at = {"output_index": i, "item_id": item["id"]}
            if item["type"] == "message":
                part = item["content"][0]
                out.append(e("response.output_item.added", output_index=i, item=dict(item, content=[], status="in_progress")))
                out.append(e("response.content_part.added", content_index=0, part=dict(part, text=""), **at))
                out += [e("response.output_text.delta", content_index=0, delta=p, logprobs=[], **at) for p in pieces(part["text"])]
                if say.error:
                    out.append(event({"type": "error", "code": "server_error", "message": say.error[1], "param": None, "sequence_number": next(numbers)}, "error"))
                    failed = dict(base, status="failed", error={"code": "server_error", "message": say.error[1]})
                    return out + [e("response.failed", response=failed)]
                out.append(e("response.output_text.done", content_index=0, text=part["text"], logprobs=[], **at))
                out.append(e("response.content_part.done", content_index=0, part=part, **at))
            elif item["type"] == "reasoning":
                part = item["summary"][0]
                out.append(e("response.output_item.added", output_index=i, item=dict(item, summary=[], encrypted_content=None)))
                out.append(e("response.reasoning_summary_part.added", summary_index=0, part=dict(part, text=""), **at))
                out += [e("response.reasoning_summary_text.delta", summary_index=0, delta=p, **at) for p in pieces(part["text"])]
                out.append(e("response.reasoning_summary_text.done", summary_index=0, text=part["text"], **at))
                out.append(e("response.reasoning_summary_part.done", summary_index=0, part=part, **at))
            else:
                words, name = ("input", "custom_tool_call_input") if item["type"] == "custom_tool_call" else ("arguments", "function_call_arguments")
                out.append(e("response.output_item.added", output_index=i, item=dict(item, status="in_progress", **{words: ""})))
                out += [e("response.%s.delta" % name, delta=p, **at) for p in pieces(item[words])]
                out.append(e("response.%s.done" % name, **dict(at, **{words: item[words]})))
            out.append(e("response.output_item.done", output_index=i, item=item))
        status = self.status(say)
        last = dict(self.response(say, model, items, status), id=base["id"])
        return out + [e("response." + status, response=last)]

    error = OpenAi.error


class Anthropic(Upstream):
    dialect = "anthropic"
    tells = {"cached"}
    takes = {"call_ids", "signature", "tool_error"}
    finish = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "filter": "refusal"}

    def base(self, root):
        return root

    def check_head(self, path, headers, body):
        need(path.split("?")[0].endswith("/v1/messages"), path)
        need(headers.get("x-api-key") == "key-up" and headers.get("anthropic-version"), "key or version")
        need(isinstance(body.get("model"), str), "model")

    def source(self, block, source):
        """Where an image or a document is: inside, at a URL (the vendor asks for it), in the vendor's own store; a document may be text."""
        kind = source["type"]
        if kind == "file":
            need(source["file_id"].startswith("file_"), "an id of another vendor's store", source)
            return "id", source["file_id"]
        if kind == "url":
            return place(source["url"])
        if kind == "text":
            need(block == "document" and source["media_type"] == "text/plain", "source", source)
            return "text/plain", source["data"]
        need(kind == "base64" and is_base64(source["data"]), "source", kind)
        need(source["media_type"] in (("application/pdf",) if block == "document" else ("image/png", "image/jpeg", "image/gif", "image/webp")), source["media_type"])
        return source["media_type"], source["data"]

    def see(self, path, headers, body):
        self.check_head(path, headers, body)
        only(body, "model", "messages", "max_tokens", "system", "tools", "tool_choice", "output_config", "temperature", "stop_sequences", "thinking",
             "stream", "metadata", "top_p", "top_k", "anthropic_version", "service_tier")
        need(isinstance(body["max_tokens"], int) and body["max_tokens"] > 0, "max_tokens")
        ask = Ask(model=body.get("model", ""), stream=bool(body.get("stream")))
        system = body.get("system", "")
        ask.system = system if isinstance(system, str) else "".join(b["text"] for b in system)
        thinking = body.get("thinking") or {}
        if thinking.get("type") == "enabled":
            need(1024 <= thinking["budget_tokens"] < body["max_tokens"], "budget", thinking)
            need(body.get("temperature") in (None, 1), "temperature with thinking")
            ask.effort = thinking["budget_tokens"]
        elif thinking.get("type") == "adaptive":
            ask.effort = (body.get("output_config") or {}).get("effort", "high")
        last, open_calls = None, []
        for message in body["messages"]:
            role = message["role"]
            need(role in ("user", "assistant") and (role != last or self.joins), "roles", role, "after", last)
            last = role
            turn, content = Turn(role), message["content"]
            need(content, "an empty message")
            results, others = [], False
            for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                kind = block["type"]
                if kind == "text":
                    need(block["text"].strip(), "a blank text block")
                    turn.text += block["text"]
                    others = True
                elif kind in ("image", "document"):
                    need(role == "user", kind, "of", role)
                    turn.images.append(self.source(kind, block["source"]))
                    others = True
                elif kind == "tool_use":
                    need(role == "assistant" and isinstance(block["input"], dict), "tool_use", block)
                    turn.calls.append(Call(block["id"], block["name"], block["input"]))
                    open_calls.append(block["id"])
                elif kind == "tool_result":
                    need(role == "user" and not others and block["tool_use_id"] in open_calls, "tool_result", block)
                    open_calls.remove(block["tool_use_id"])
                    inner = block.get("content", "")
                    text = inner if isinstance(inner, str) else "".join(p["text"] if p["type"] == "text" else "<%s>" % self.source(p["type"], p["source"])[0]
                                                                        for p in inner)
                    results.append(Result(block["tool_use_id"], None, text, bool(block.get("is_error"))))
                else:
                    need(kind in ("thinking", "redacted_thinking") and role == "assistant" and not turn.calls, "block", block)
                    need(kind == "redacted_thinking" or block["signature"], "a thought without its signature")
                    turn.thought = Thought(block.get("thinking", ""), block.get("signature"))
            if turn.calls and ask.effort:
                need(turn.thought is not None, "thinking is on and a turn with calls has no thought")
            need(role == "assistant" or not open_calls, "results are missing")
            if results:
                ask.turns.append(Turn("tool", results=results))
            if role == "assistant" or turn.text or turn.images:
                ask.turns.append(turn)
        for tool in body.get("tools") or []:
            need(tool["input_schema"]["type"] == "object", "schema")
            ask.tools.append({"name": tool["name"], "description": tool.get("description", ""), "schema": tool["input_schema"]})
        choice = body.get("tool_choice")
        if choice:
            need(body.get("tools"), "tool_choice without tools")
            ask.choice = {"any": "required", "auto": None, "none": "none", "tool": choice.get("name")}[choice["type"]]
            need(not ask.effort or choice["type"] in ("auto", "none"), "tool_choice with thinking")
        if ask.tools and ask.tools[-1]["description"].startswith("Gives the final answer"):
            # Alone it is the one to call; beside the caller's own tools any of them may come first.
            need(choice["type"] == "any" if len(ask.tools) > 1 else choice["type"] == "tool" and choice["name"] == ask.tools[-1]["name"], "tool_choice", choice)
            tool, ask.choice = ask.tools.pop(), None
            ask.schema = ask.answer_tool = (tool["name"], tool["schema"])
        form = (body.get("output_config") or {}).get("format")
        if form:
            need(form["type"] == "json_schema", "format")
            ask.schema = (None, form["schema"])
        ask.max_tokens, ask.temperature, ask.stop = body["max_tokens"], body.get("temperature"), body.get("stop_sequences") or []
        return ask

    def said(self, say, ask):
        """Older models answer in a form by calling a tool that has it."""
        if not ask.answer_tool:
            return say
        return Say("", calls=[Call("toolu_answer", ask.answer_tool[0], json.loads(say.text))], finish="tools", usage=say.usage)

    def usage(self, u):
        return {"input_tokens": u.input - u.cached - u.written, "cache_read_input_tokens": u.cached, "cache_creation_input_tokens": u.written,
                "output_tokens": u.output, "service_tier": u.tier}

    def content(self, say):
        out = []
        if say.thought:
            out.append({"type": "thinking", "thinking": say.thought.text, "signature": say.thought.signature})
        if say.text:
            out.append({"type": "text", "text": say.text})
        return out + [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in say.calls]

    def whole(self, say, model):
        return json.dumps({"id": "msg_%d" % next(_numbers), "type": "message", "role": "assistant", "model": model, "content": self.content(say),
                           "stop_reason": self.finish[say.finish], "stop_sequence": None, "usage": self.usage(say.usage)}, ensure_ascii=False).encode()

    def stream(self, say, model):
        def e(value):
            return event(value, value["type"])
        usage = self.usage(say.usage)
        out = [e({"type": "message_start", "message": {"id": "msg_%d" % next(_numbers), "type": "message", "role": "assistant", "model": model, "content": [],
                                                       "stop_reason": None, "stop_sequence": None, "usage": dict(usage, output_tokens=1)}})]
        for i, block in enumerate(self.content(say)):
            empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}[block["type"]]
            out.append(e({"type": "content_block_start", "index": i, "content_block": dict(block, **empty)}))
            out.append(e({"type": "ping"}))
            deltas = []
            if block["type"] == "text":
                deltas = [{"type": "text_delta", "text": p} for p in pieces(block["text"])]
            elif block["type"] == "thinking":
                deltas = [{"type": "thinking_delta", "thinking": p} for p in pieces(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            elif block["input"]:
                deltas = [{"type": "input_json_delta", "partial_json": p} for p in [""] + pieces(json.dumps(block["input"]))]
            out += [e({"type": "content_block_delta", "index": i, "delta": d}) for d in deltas]
            if say.error:
                return out + [e({"type": "error", "error": {"type": "overloaded_error", "message": say.error[1]}})]
            out.append(e({"type": "content_block_stop", "index": i}))
        del usage["service_tier"]  # the vendor tells it at the beginning
        out.append(e({"type": "message_delta", "delta": {"stop_reason": self.finish[say.finish], "stop_sequence": None}, "usage": usage}))
        return out + [e({"type": "message_stop"})]

    def error(self, status, words):
        kind = "rate_limit_error" if status == 429 else "invalid_request_error"
        return json.dumps({"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}).encode()


class Gemini(Upstream):
    dialect = "gemini"
    tells = {"cached", "reasoning_tokens"}
    takes = {"signature"}
    finish = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "filter": "SAFETY"}

    def base(self, root):
        return root + "/v1beta"

    def see(self, path, headers, body):
        path, _, query = path.partition("?")
        need("/v1beta/models/" in path, path)
        need(headers.get("x-goog-api-key") == "key-up", "key")
        model, _, operation = path.rpartition("/")[2].partition(":")
        need(operation == "generateContent" or (operation == "streamGenerateContent" and query == "alt=sse"), operation, query)
        only(body, "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings")
        ask = Ask(model=model, stream=operation != "generateContent")
        ask.system = "".join(p["text"] for p in (body.get("systemInstruction") or {"parts": []})["parts"])
        last, open_calls, answers = None, [], False
        for content in body["contents"]:
            role = content["role"]
            # Answers of functions stand alone in a content: Gemini 3 refuses other parts beside them. What the user says next is a content of its
            # own, which Google takes (recording b138cc-2).
            need(role in ("user", "model") and (role != last or answers or self.joins), "roles", role, "after", last)
            last = role
            need(content["parts"], "no parts")
            of_answers = ["functionResponse" in part for part in content["parts"]]
            answers = any(of_answers)
            need(not answers or all(of_answers), "other parts beside a function's answer")
            turn, results = Turn("assistant" if role == "model" else "user"), []
            for part in content["parts"]:
                if "functionCall" in part:
                    call = part["functionCall"]
                    need(role == "model" and isinstance(call.get("args", {}), dict), "functionCall", part)
                    turn.calls.append(Call(call.get("id"), call["name"], call.get("args", {})))
                    open_calls.append(call["name"])
                    if part.get("thoughtSignature"):
                        turn.thought = turn.thought or Thought("")
                        turn.thought.signature = part["thoughtSignature"]
                elif "functionResponse" in part:
                    answer = part["functionResponse"]
                    need(role == "user" and answer["name"] in open_calls and isinstance(answer["response"], dict), "functionResponse", part, open_calls)
                    open_calls.remove(answer["name"])
                    results.append(Result(answer.get("id"), answer["name"], json.dumps(answer["response"], ensure_ascii=False)))
                elif "inlineData" in part:
                    need(is_base64(part["inlineData"]["data"]), "data")
                    turn.images.append((part["inlineData"]["mimeType"], part["inlineData"]["data"]))
                elif part.get("thought"):
                    turn.thought = Thought(part["text"], part.get("thoughtSignature"))
                else:
                    turn.text += part["text"]
            need(role == "model" or not open_calls, "results are missing", open_calls)
            if results:
                ask.turns.append(Turn("tool", results=results))
            if role == "model" or turn.text or turn.images:
                ask.turns.append(turn)
        for tool in body.get("tools") or []:
            for f in tool["functionDeclarations"]:
                ask.tools.append({"name": f["name"], "description": f.get("description", ""), "schema": f.get("parametersJsonSchema") or f.get("parameters")})
        mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
        ask.choice = {None: None, "AUTO": None, "ANY": "required", "NONE": "none"}[mode]
        config = body.get("generationConfig") or {}
        only(config, "maxOutputTokens", "temperature", "stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig", "topP", "topK",
             "candidateCount", "seed", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs")
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        if schema:
            need(config["responseMimeType"] == "application/json", "responseMimeType")
            ask.schema = (None, schema)
        ask.max_tokens, ask.temperature, ask.stop = config.get("maxOutputTokens"), config.get("temperature"), config.get("stopSequences") or []
        thinking = config.get("thinkingConfig") or {}
        need(not ("thinkingBudget" in thinking and "thinkingLevel" in thinking), "budget and level")
        ask.effort = thinking.get("thinkingLevel") or thinking.get("thinkingBudget")
        return ask

    def usage(self, u):
        return {"promptTokenCount": u.input, "candidatesTokenCount": u.output - u.reasoning, "thoughtsTokenCount": u.reasoning,
                "cachedContentTokenCount": u.cached, "totalTokenCount": u.input + u.output}

    def parts(self, say):
        out = []
        if say.thought:
            out.append({"text": say.thought.text, "thought": True})
        if say.text:
            out.append({"text": say.text})
        out += [{"functionCall": {"name": c.name, "args": c.arguments}} for c in say.calls]
        if say.thought and (say.calls or say.text):
            first = next(p for p in out if not p.get("thought"))
            first["thoughtSignature"] = say.thought.signature
        return out

    def chunk(self, parts, say, head, finish=None):
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return dict(head, candidates=[candidate], usageMetadata=self.usage(say.usage))

    def head(self, model):
        return {"modelVersion": model, "responseId": "r%d" % next(_numbers)}

    def whole(self, say, model):
        return json.dumps(self.chunk(self.parts(say), say, self.head(model), self.finish[say.finish]), ensure_ascii=False).encode()

    def stream(self, say, model):
        def e(value):
            return event(value).replace(b"\n\n", b"\r\n\r\n")
        head, out = self.head(model), []
        for part in self.parts(say):
            if "text" in part:
                for at, text in enumerate(pieces(part["text"])):
                    out.append(e(self.chunk([dict(part, text=text) if at == 0 else {k: v for k, v in dict(part, text=text).items() if k != "thoughtSignature"}],
                                            say, head)))
            else:
                out.append(e(self.chunk([part], say, head)))
        if say.error:
            return out + [e({"error": {"code": 500, "message": say.error[1], "status": "INTERNAL"}})]
        return out + [e(self.chunk([{"text": ""}], say, head, self.finish[say.finish]))]

    def error(self, status, words):
        name = "RESOURCE_EXHAUSTED" if status == 429 else "INVALID_ARGUMENT"
        return json.dumps({"error": {"code": status, "message": words, "status": name}}).encode()


class Ollama(Upstream):
    dialect = "ollama"
    stream_type = "application/x-ndjson"
    finish = {"stop": "stop", "length": "length", "tools": "stop", "filter": "stop"}

    def base(self, root):
        return root

    def see(self, path, headers, body):
        need(path.endswith("/api/chat"), path)
        only(body, "model", "messages", "tools", "format", "options", "stream", "think", "keep_alive", "logprobs", "top_logprobs")
        ask = Ask(model=body["model"], stream=body.get("stream", True))
        open_calls = []
        for message in body["messages"]:
            role = message["role"]
            need(isinstance(message.get("content", ""), str), "content")
            if role == "system":
                ask.system += message["content"]
            elif role == "tool":
                need(message["tool_name"] in open_calls, "the result of no call")
                open_calls.remove(message["tool_name"])
                ask.turns.append(Turn("tool", results=[Result(None, message["tool_name"], message["content"])]))
            else:
                need(not open_calls, "results are missing")
                turn = Turn(role, message.get("content", ""), images=[("image/png", data) for data in message.get("images") or []])
                for call in message.get("tool_calls") or []:
                    need(isinstance(call["function"]["arguments"], dict), "arguments")
                    turn.calls.append(Call(None, call["function"]["name"], call["function"]["arguments"]))
                    open_calls.append(call["function"]["name"])
                ask.turns.append(turn)
        for tool in body.get("tools") or []:
            f = tool["function"]
            ask.tools.append({"name": f["name"], "description": f.get("description", ""), "schema": f.get("parameters")})
        if isinstance(body.get("format"), dict):
            ask.schema = (None, body["format"])
        options = body.get("options") or {}
        ask.max_tokens, ask.temperature, ask.stop = options.get("num_predict"), options.get("temperature"), options.get("stop") or []
        ask.effort = body.get("think")
        return ask

    def line(self, model, message, **more):
        return dict({"model": model, "created_at": "2026-11-20T10:00:00.000000Z", "message": dict({"role": "assistant", "content": ""}, **message),
                     "done": False}, **more)

    def last(self, say):
        return {"done": True, "done_reason": self.finish[say.finish], "prompt_eval_count": say.usage.input, "eval_count": say.usage.output, "total_duration": 5}

    def calls(self, say):
        return [{"function": {"name": c.name, "arguments": c.arguments}} for c in say.calls]

    def whole(self, say, model):
        message = {"content": say.text}
        if say.thought:
            message["thinking"] = say.thought.text
        if say.calls:
            message["tool_calls"] = self.calls(say)
        return json.dumps(self.line(model, message, **self.last(say)), ensure_ascii=False).encode()

    def stream(self, say, model):
        lines = [self.line(model, {"thinking": p}) for p in pieces(say.thought.text)] if say.thought else []
        lines += [self.line(model, {"content": p}) for p in pieces(say.text)]
        if say.error:
            lines.append({"error": say.error[1]})
        else:
            lines += [self.line(model, {"tool_calls": [c]}) for c in self.calls(say)]
            lines.append(self.line(model, {}, **self.last(say)))
        return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]

    def error(self, status, words):
        return json.dumps({"error": words}).encode()


class Cohere(Upstream):
    dialect = "cohere"
    tells = {"cached"}
    takes = {"call_ids"}
    finish = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tools": "TOOL_CALL", "filter": "ERROR"}

    def base(self, root):
        return root + "/v2"

    def see(self, path, headers, body):
        need(path.endswith("/v2/chat"), path)
        need(headers.get("authorization") == "Bearer key-up", "key")
        only(body, "model", "messages", "tools", "tool_choice", "response_format", "max_tokens", "temperature", "stop_sequences", "stream", "thinking",
             "strict_tools", "p", "k", "seed", "logprobs", "frequency_penalty", "presence_penalty")
        ask = Ask(model=body["model"], stream=bool(body.get("stream")))
        open_calls = []
        for message in body["messages"]:
            role, content = message["role"], message.get("content")
            only(message, "role", "content", "tool_calls", "tool_plan", "tool_call_id")
            if role == "tool":
                need(message["tool_call_id"] in open_calls, "the result of no call")
                open_calls.remove(message["tool_call_id"])
                text = content if isinstance(content, str) else "".join(p["text"] if p["type"] == "text" else plain(p["document"]["data"]) for p in content)
                ask.turns.append(Turn("tool", results=[Result(message["tool_call_id"], None, text)]))
                continue
            need(not open_calls, "results are missing")
            turn = Turn(role)
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
                if part["type"] == "image_url":
                    turn.images.append(place(part["image_url"]["url"]))  # remote ones too: recording e1ada4-1
                elif part["type"] == "thinking":
                    turn.thought = Thought(part["thinking"])
                else:
                    turn.text += part["text"]
            if role == "system":
                ask.system += turn.text
                continue
            for call in message.get("tool_calls") or []:
                turn.calls.append(Call(call["id"], call["function"]["name"], as_object(call["function"]["arguments"])))
                open_calls.append(call["id"])
            ask.turns.append(turn)
        for tool in body.get("tools") or []:
            f = tool["function"]
            ask.tools.append({"name": f["name"], "description": f.get("description", ""), "schema": f.get("parameters")})
        choice = body.get("tool_choice")
        ask.choice = {None: None, "REQUIRED": "required", "NONE": "none"}[choice]
        form = body.get("response_format")
        if form and form.get("type") == "json_object":
            need(not body.get("tools"), "response_format with tools")
            ask.schema = (None, form.get("json_schema"))
        ask.max_tokens, ask.temperature, ask.stop = body.get("max_tokens"), body.get("temperature"), body.get("stop_sequences") or []
        ask.effort = (body.get("thinking") or {}).get("token_budget") or (body.get("thinking") or {}).get("type")
        return ask

    def usage(self, u):
        return {"billed_units": {"input_tokens": 1, "output_tokens": 1}, "tokens": {"input_tokens": u.input, "output_tokens": u.output}, "cached_tokens": u.cached}

    def content(self, say):
        out = [{"type": "thinking", "thinking": say.thought.text}] if say.thought else []
        return out + ([{"type": "text", "text": say.text}] if say.text else [])

    def calls(self, say):
        return [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}} for c in say.calls]

    def whole(self, say, model):
        message = {"role": "assistant"}
        if self.content(say):
            message["content"] = self.content(say)
        if say.calls:
            message["tool_calls"] = self.calls(say)
        return json.dumps({"id": "co-%d" % next(_numbers), "finish_reason": self.finish[say.finish], "message": message, "usage": self.usage(say.usage)},
                          ensure_ascii=False).encode()

    def stream(self, say, model):
        def e(value):
            return event(value, value["type"])
        out = [e({"type": "message-start", "id": "co-%d" % next(_numbers), "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
                                                                                                 "citations": []}}})]
        for i, part in enumerate(self.content(say)):
            kind = part["type"]
            out.append(e({"type": "content-start", "index": i, "delta": {"message": {"content": {"type": kind, kind: ""}}}}))
            out += [e({"type": "content-delta", "index": i, "delta": {"message": {"content": {kind: p}}}}) for p in pieces(part[kind])]
            if say.error:
                return out + [e({"type": "message-end", "id": "x", "delta": {"finish_reason": "ERROR", "error": say.error[1], "usage": self.usage(say.usage)}})]
            out.append(e({"type": "content-end", "index": i}))
        for i, call in enumerate(self.calls(say)):
            text = call["function"]["arguments"]
            out.append(e({"type": "tool-call-start", "index": i, "delta": {"message": {"tool_calls": dict(call, function=dict(call["function"], arguments=""))}}}))
            out += [e({"type": "tool-call-delta", "index": i, "delta": {"message": {"tool_calls": {"function": {"arguments": p}}}}}) for p in pieces(text)]
            out.append(e({"type": "tool-call-end", "index": i}))
        out.append(e({"type": "message-end", "delta": {"finish_reason": self.finish[say.finish], "usage": self.usage(say.usage)}}))
        return out + [b"data: [DONE]\n\n"]

    def error(self, status, words):
        return json.dumps({"id": "e1", "message": words}).encode()


def plain(data):
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def frame(kind, name, value):
    """One message of AWS's event stream."""
    payload = json.dumps(value, ensure_ascii=False).encode()
    headers = b""
    names = {":message-type": kind, ":exception-type" if kind == "exception" else ":event-type": name, ":content-type": "application/json"}
    for key, text in names.items():
        headers += bytes([len(key)]) + key.encode() + b"\7" + struct.pack(">H", len(text)) + text.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", binascii.crc32(message))


class Bedrock(Upstream):
    dialect = "bedrock"
    tells = {"cached"}
    takes = {"call_ids", "signature", "tool_error"}
    stream_type = "application/vnd.amazon.eventstream"
    finish = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "filter": "content_filtered"}

    def base(self, root):
        return root

    FORMATS = {"image": ("png", "jpeg", "gif", "webp"), "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
               "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
               "audio": ("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "webm", "m4a")}
    MEDIA = set(FORMATS)

    def media(self, block):
        """(type, bytes) of an image, a document, a video or audio. Nothing is fetched here but from S3."""
        (kind, value), = block.items()
        need(kind in self.MEDIA and value["format"] in self.FORMATS[kind], "block", kind, value.get("format"))
        need("bytes" in value["source"] and is_base64(value["source"]["bytes"]) or value["source"]["s3Location"]["uri"].startswith("s3://"), "source")
        need(kind != "document" or re.fullmatch(r"[A-Za-z0-9()\[\] -]{1,200}", value["name"]) and "  " not in value["name"], "a document's name")
        return "%s/%s" % (kind, value["format"]), value["source"].get("bytes")

    def marked(self, blocks):
        """The blocks without the marks of the prompt cache, of which there are four at most and none at the beginning."""
        marks = [i for i, b in enumerate(blocks) if "cachePoint" in b]
        need(len(marks) <= 4 and 0 not in marks, "cachePoint")
        for i in marks:
            only(blocks[i], "cachePoint")
            need(blocks[i]["cachePoint"]["type"] == "default", "cachePoint")
        return [b for b in blocks if "cachePoint" not in b]

    def see(self, path, headers, body):
        need("/model/" in path, path)
        need(headers.get("authorization") == "Bearer key-up", "key")
        model, _, operation = path.partition("/model/")[2].partition("/")
        need(operation in ("converse", "converse-stream"), operation)
        only(body, "messages", "system", "toolConfig", "inferenceConfig", "additionalModelRequestFields", "outputConfig", "serviceTier")
        ask = Ask(model=model, stream=operation == "converse-stream")
        ask.system = "".join(b["text"] for b in self.marked(body.get("system") or []))
        last, open_calls = None, []
        for message in body["messages"]:
            role = message["role"]
            need(role in ("user", "assistant") and role != last, "roles", role, "after", last)
            last = role
            turn, results = Turn(role), []
            need(message["content"], "no content")
            names = [block["document"]["name"] for block in message["content"] if "document" in block]
            need(len(names) == len(set(names)), "two documents of one name")
            for block in self.marked(message["content"]):
                if "text" in block:
                    need(block["text"].strip(), "blank text")
                    turn.text += block["text"]
                elif self.MEDIA & set(block):
                    need(role == "user", "media of", role)
                    turn.images.append(self.media(block))
                elif "toolUse" in block:
                    call = block["toolUse"]
                    turn.calls.append(Call(call["toolUseId"], call["name"], call["input"]))
                    open_calls.append(call["toolUseId"])
                elif "toolResult" in block:
                    answer = block["toolResult"]
                    need(answer["toolUseId"] in open_calls, "toolResult", block)
                    open_calls.remove(answer["toolUseId"])
                    text = "".join(p["text"] if "text" in p else json.dumps(p["json"]) if "json" in p else "<%s>" % self.media(p)[0] for p in answer["content"])
                    results.append(Result(answer["toolUseId"], None, text, answer.get("status") == "error"))
                else:
                    need(role == "assistant", "a thought of", role)
                    inner = block["reasoningContent"].get("reasoningText") or {"text": "", "signature": block["reasoningContent"].get("redactedContent")}
                    need(inner.get("signature"), "a thought without its signature")
                    turn.thought = Thought(inner["text"], inner["signature"])
            need(role == "assistant" or not open_calls, "results are missing")
            if results:
                ask.turns.append(Turn("tool", results=results))
            if role == "assistant" or turn.text or turn.images:
                ask.turns.append(turn)
        config = body.get("toolConfig") or {}
        need(config.get("tools") or not any(t.calls for t in ask.turns), "toolConfig is missing")
        for tool in self.marked(config.get("tools") or []):
            spec = tool["toolSpec"]
            need(spec.get("description", "x"), "an empty description")
            ask.tools.append({"name": spec["name"], "description": spec.get("description", ""), "schema": spec["inputSchema"]["json"]})
        choice = config.get("toolChoice") or {}
        ask.choice = "required" if "any" in choice else None
        inference = body.get("inferenceConfig") or {}
        ask.max_tokens, ask.temperature, ask.stop = inference.get("maxTokens"), inference.get("temperature"), inference.get("stopSequences") or []
        ask.effort = ((body.get("additionalModelRequestFields") or {}).get("thinking") or {}).get("budget_tokens")
        form = ((body.get("outputConfig") or {}).get("textFormat") or {})
        if form:
            schema = form["structure"]["jsonSchema"]["schema"]
            ask.schema = (None, json.loads(schema) if isinstance(schema, str) else schema)
        return ask

    def usage(self, u):
        return {"inputTokens": u.input - u.cached - u.written, "outputTokens": u.output, "totalTokens": u.input + u.output, "cacheReadInputTokens": u.cached,
                "cacheWriteInputTokens": u.written}

    def tier(self, u):
        return {"serviceTier": {"type": u.tier}} if u.tier else {}

    def content(self, say):
        out = []
        if say.thought:
            out.append({"reasoningContent": {"reasoningText": {"text": say.thought.text, "signature": say.thought.signature}}})
        if say.text:
            out.append({"text": say.text})
        return out + [{"toolUse": {"toolUseId": c.id, "name": c.name, "input": c.arguments}} for c in say.calls]

    def whole(self, say, model):
        return json.dumps({"output": {"message": {"role": "assistant", "content": self.content(say)}}, "stopReason": self.finish[say.finish],
                           "usage": self.usage(say.usage), "metrics": {"latencyMs": 5}, **self.tier(say.usage)}, ensure_ascii=False).encode()

    def stream(self, say, model):
        out = [frame("event", "messageStart", {"role": "assistant", "p": "abc"})]
        for i, block in enumerate(self.content(say)):
            deltas = []
            if "toolUse" in block:
                call = block["toolUse"]
                out.append(frame("event", "contentBlockStart", {"contentBlockIndex": i, "start": {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}}))
                if call["input"]:
                    deltas = [{"toolUse": {"input": p}} for p in pieces(json.dumps(call["input"]))]
            elif "text" in block:
                deltas = [{"text": p} for p in pieces(block["text"])]
            else:
                inner = block["reasoningContent"]["reasoningText"]
                deltas = [{"reasoningContent": {"text": p}} for p in pieces(inner["text"])] + [{"reasoningContent": {"signature": inner["signature"]}}]
            out += [frame("event", "contentBlockDelta", {"contentBlockIndex": i, "delta": d}) for d in deltas]
            if say.error:
                return out + [frame("exception", "internalServerException", {"message": say.error[1]})]
            out.append(frame("event", "contentBlockStop", {"contentBlockIndex": i}))
        out.append(frame("event", "messageStop", {"stopReason": self.finish[say.finish]}))
        return out + [frame("event", "metadata", {"usage": self.usage(say.usage), "metrics": {"latencyMs": 5}, **self.tier(say.usage)})]

    def error(self, status, words):
        return json.dumps({"message": words}).encode()


class Template(Upstream):
    """A server of nobody's dialect, reached by the `http` template: text alone."""
    dialect = "http"
    stream_type = "application/x-ndjson"

    def base(self, root):
        return root

    def provider(self):
        return {"http": {"method": "POST", "path": "/generate",
                         "body": {"model": "${model}", "prompt": "${prompt}", "history": "${messages}", "max": "${max_tokens:-512}", "stream": "${stream}"},
                         "text": "/output/0/text", "finish": "/output/0/stop", "usage": {"input": "/usage/in", "output": "/usage/out"},
                         "stream": {"format": "ndjson", "text": "/delta", "done": "/finished"}}}

    def see(self, path, headers, body):
        need(path.endswith("/generate"), path)
        ask = Ask(model=body["model"], stream=body["stream"], max_tokens=body["max"])
        for message in body["history"]:
            only(message, "role", "content", "name")
            content = message["content"]
            text = content if isinstance(content, str) else "".join(p["text"] for p in content)
            if message["role"] in ("system", "developer"):
                ask.system += text
            else:
                ask.turns.append(Turn(message["role"], text))
        # A talk in which no user speaks has none; its words are in the history.
        # Several parts of it are set apart there.
        last = ([""] + [t.text for t in ask.turns if t.role == "user"])[-1]
        need("".join(body["prompt"].split()) == "".join(last.split()), "the prompt is not the last user's text")
        return ask

    def whole(self, say, model):
        return json.dumps({"output": [{"text": say.text, "stop": {"stop": "stop", "length": "length", "filter": "content_filter"}[say.finish]}],
                           "usage": {"in": say.usage.input, "out": say.usage.output}}).encode()

    def stream(self, say, model):
        lines = [{"delta": p} for p in pieces(say.text)]
        lines.append({"error": say.error[1]} if say.error else
                     {"finished": True, "usage": {"in": say.usage.input, "out": say.usage.output},
                      "output": [{"stop": {"stop": "stop", "length": "length", "filter": "content_filter"}[say.finish]}]})
        return [json.dumps(line).encode() + b"\n" for line in lines]

    def error(self, status, words):
        return json.dumps({"error": words}).encode()


UPSTREAMS = [OpenAi(), Responses(), Anthropic(), Gemini(), Ollama(), Cohere(), Bedrock(), Template()]
