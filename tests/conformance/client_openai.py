from cases import Call
from client_base import Client, Heard, arguments, need, number, parse, sse

FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filter"}


class OpenAi(Client):
    dialect = "openai"
    carries = {"signature", "thought", "cache", "reasoning_tokens", "call_ids", "filter", "tier"}

    def begin(self):
        self.messages = [{"role": "system", "content": self.ask.system}] if self.ask.system else []
        for turn in self.ask.turns:
            if turn.images:
                parts = [{"type": "text", "text": turn.text}]
                parts += [{"type": "image_url", "image_url": {"url": "data:%s;base64,%s" % image}} for image in turn.images]
                self.messages.append({"role": turn.role, "content": parts})
            else:
                self.messages.append({"role": turn.role, "content": turn.text})

    def request(self, model, stream):
        ask = self.ask
        body = {"model": model, "messages": self.messages}
        if ask.tools:
            body["tools"] = [{"type": "custom", "custom": {"name": t["name"], "description": t["description"]}} if t.get("custom") else
                             {"type": "function", "function": {"name": t["name"], "description": t["description"], "parameters": t["schema"]}}
                             for t in ask.tools]
        if ask.choice:
            body["tool_choice"] = ask.choice
        if ask.schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": ask.schema[0], "schema": ask.schema[1], "strict": True}}
        if ask.max_tokens:
            body["max_completion_tokens"] = ask.max_tokens
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if ask.stop:
            body["stop"] = ask.stop
        if ask.effort:
            body["reasoning_effort"] = ask.effort
        if stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        return "/v1/chat/completions", body

    def usage(self, value, heard):
        heard.usage.input = number(value["prompt_tokens"], "prompt_tokens")
        heard.usage.output = number(value["completion_tokens"], "completion_tokens")
        need(value["total_tokens"] == heard.usage.input + heard.usage.output, "total_tokens is no sum", value)
        heard.usage.cached = (value.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        heard.usage.reasoning = (value.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0

    def call(self, id, kind, name, text):
        need(kind == ("custom" if any(t["name"] == name and t.get("custom") for t in self.ask.tools) else "function"), "a call's type", kind, name)
        return Call(id, name, {"input": text} if kind == "custom" else arguments(text))

    def whole(self, value):
        heard = Heard()
        need(value["object"] == "chat.completion" and value["id"] and isinstance(value["created"], int), "top level", value)
        heard.id, heard.model = value["id"], value["model"]
        (choice,) = value["choices"]
        need(choice["index"] == 0, "index")
        message = choice["message"]
        need(message["role"] == "assistant" and "content" in message, "message", message)
        heard.text = message["content"] or ""
        if message.get("refusal"):
            heard.text += message["refusal"]
        heard.thought = message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or []:
            kind = call["type"]
            need(call["id"] and set(call) - {"extra_content"} == {"id", "type", kind}, "call", call)
            heard.calls.append(self.call(call["id"], kind, call[kind]["name"], call[kind]["input" if kind == "custom" else "arguments"]))
        heard.finish = FINISH[choice["finish_reason"]]
        self.usage(value["usage"], heard)
        heard.usage.tier = value.get("service_tier")
        heard.native = {k: v for k, v in message.items() if v is not None and k != "refusal"}
        heard.native.setdefault("content", None)
        heard.ended = True
        return heard

    def streamed(self, raw):
        heard = Heard()
        events = sse(raw)
        calls, details, usage_seen, role, extras = [], [], False, False, []
        for at, (name, data) in enumerate(events):
            if data == "[DONE]":
                need(at == len(events) - 1, "something after [DONE]")
                need(heard.finish and not heard.error, "[DONE] without a finish reason, or after an error")
                heard.ended = True
                break
            chunk = parse(data)
            if chunk.get("error"):
                need(at == len(events) - 1, "something after an error")
                heard.error = chunk["error"]["message"]
                break
            need(name is None, "an event name in a chat stream:", name)
            need(chunk["object"] == "chat.completion.chunk" and isinstance(chunk["created"], int), "chunk", data)
            need(heard.id in (None, chunk["id"]) and chunk["id"], "another id")
            need(heard.model in (None, chunk["model"]) and chunk["model"], "another model")
            heard.id, heard.model = chunk["id"], chunk["model"]
            heard.usage.tier = chunk.get("service_tier") or heard.usage.tier
            if chunk.get("usage"):
                need(chunk["choices"] == [] and heard.finish, "usage beside choices or before the finish")
                self.usage(chunk["usage"], heard)
                usage_seen = True
                continue
            need(not usage_seen, "a chunk after the usage")
            (choice,) = chunk["choices"]
            delta = choice["delta"]
            if not role:
                need(delta.get("role") == "assistant", "the first delta has no role", data)
                role = True
            else:
                need("role" not in delta, "a second role")
            payload = any(delta.get(k) for k in ("content", "reasoning_content", "refusal", "tool_calls"))
            need(not (heard.finish and payload), "payload after the finish")
            heard.text += (delta.get("content") or "") + (delta.get("refusal") or "")
            heard.thought += delta.get("reasoning_content") or ""
            details += delta.get("reasoning_details") or []
            for call in delta.get("tool_calls") or []:
                index = call["index"]
                if index == len(calls):
                    kind = call["type"]
                    words = "input" if kind == "custom" else "arguments"
                    need(call["id"] and call[kind]["name"], "a call's first delta", call)
                    calls.append([call["id"], call[kind]["name"], call[kind].get(words, ""), kind, words])
                    extras.append({k: v for k, v in call.items() if k not in ("index", "id", "type", kind)})
                else:
                    need(index == len(calls) - 1, "calls interleave: index", index, "of", len(calls))
                    need(not call.get("id") or call["id"] == calls[index][0], "another id")
                    kind, words = calls[index][3:]
                    calls[index][2] += call[kind][words]
                    extras[index].update({k: v for k, v in call.items() if k not in ("index", "id", "type", kind)})
            if choice["finish_reason"] is not None:
                need(heard.finish is None, "two finish reasons")
                heard.finish = FINISH[choice["finish_reason"]]
        if not heard.error:
            need(heard.ended, "no [DONE]")
            need(usage_seen, "no usage though it was asked for")
        heard.calls = [self.call(id, kind, name, text) for id, name, text, kind, _ in calls if heard.ended]
        heard.native = {"role": "assistant", "content": heard.text or None}
        if heard.thought:
            heard.native["reasoning_content"] = heard.thought
        if details:
            heard.native["reasoning_details"] = details
        if calls:
            heard.native["tool_calls"] = [dict({"id": id, "type": kind, kind: {"name": name, words: text}}, **extra)
                                          for (id, name, text, kind, words), extra in zip(calls, extras)]
        return heard

    def absorb(self, heard):
        self.messages.append(heard.native)

    def give(self, results):
        for call, text, failed in results:
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def error_message(self, value):
        error = value["error"]
        need(set(error) >= {"message", "type", "param", "code"}, "the error's shape", value)
        return error["message"]
