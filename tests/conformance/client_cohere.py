from cases import Call
from client_base import Client, Heard, arguments, need, number, parse, sse

FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tools", "ERROR": "filter"}


class Cohere(Client):
    dialect = "cohere"
    carries = {"thought", "call_ids", "filter"}

    def begin(self):
        self.messages = [{"role": "system", "content": self.ask.system}] if self.ask.system else []
        for turn in self.ask.turns:
            if turn.images:
                content = [{"type": "text", "text": turn.text}]
                content += [{"type": "image_url", "image_url": {"url": "data:%s;base64,%s" % image}} for image in turn.images]
                self.messages.append({"role": turn.role, "content": content})
            else:
                self.messages.append({"role": turn.role, "content": turn.text})

    def request(self, model, stream):
        ask = self.ask
        body = {"model": model, "messages": self.messages, "stream": stream}
        if ask.tools:
            body["tools"] = [{"type": "function", "function": {"name": t["name"], "description": t["description"], "parameters": t["schema"]}}
                             for t in ask.tools]
        if ask.choice:
            body["tool_choice"] = {"required": "REQUIRED"}[ask.choice]
        if ask.schema:
            body["response_format"] = {"type": "json_object", "json_schema": ask.schema[1]}
        if ask.max_tokens:
            body["max_tokens"] = ask.max_tokens
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if ask.stop:
            body["stop_sequences"] = ask.stop
        if ask.effort:
            body["thinking"] = {"type": "enabled", "token_budget": 4096}
        return "/v2/chat", body

    def usage(self, value, heard):
        tokens = value["tokens"]
        # Images are counted beside the text.
        heard.usage.input = number(int(tokens["input_tokens"]), "input_tokens") + number(int(tokens.get("image_tokens") or 0), "image_tokens")
        heard.usage.output = number(int(tokens["output_tokens"]), "output_tokens")
        heard.usage.cached = int(value.get("cached_tokens") or 0)

    def whole(self, value):
        heard = Heard()
        heard.id = value["id"]
        message = value["message"]
        need(heard.id and message["role"] == "assistant", "top level", value)
        for part in message.get("content") or []:
            if part["type"] == "thinking":
                heard.thought += part["thinking"]
            else:
                heard.text += part["text"]
        heard.thought += message.get("tool_plan") or ""
        for call in message.get("tool_calls") or []:
            heard.calls.append(Call(call["id"], call["function"]["name"], arguments(call["function"]["arguments"])))
        heard.finish = FINISH[value["finish_reason"]]
        self.usage(value["usage"], heard)
        heard.native = message
        heard.ended = True
        return heard

    def streamed(self, raw):
        heard = Heard()
        content, calls, open_part, open_call, plan = [], [], None, None, ""
        started = False
        for name, data in sse(raw):
            need(not heard.ended and not heard.error or data == "[DONE]", "something after the end", data)
            if data == "[DONE]":
                continue
            event = parse(data)
            if "type" not in event:
                heard.error = event["message"]
                continue
            kind = event["type"]
            need(name == kind, "the event's name is", name, "its type", kind)
            if kind == "message-start":
                need(not started and event["id"], "message-start")
                started, heard.id = True, event["id"]
                continue
            need(started, kind, "before message-start")
            if kind == "content-start":
                need(open_part is None and event["index"] == len(content), "content-start")
                open_part = dict(event["delta"]["message"]["content"])
            elif kind == "content-delta":
                need(open_part is not None and event["index"] == len(content), "content-delta")
                for member, text in event["delta"]["message"]["content"].items():
                    need(member in open_part, "another kind of content")
                    open_part[member] += text
            elif kind == "content-end":
                need(open_part is not None and event["index"] == len(content), "content-end")
                content.append(open_part)
                open_part = None
            elif kind == "tool-plan-delta":
                plan += event["delta"]["message"]["tool_plan"]
            elif kind == "tool-call-start":
                need(open_call is None and event["index"] == len(calls), "tool-call-start")
                open_call = event["delta"]["message"]["tool_calls"]
                need(open_call["id"] and open_call["function"]["name"], "call", open_call)
            elif kind == "tool-call-delta":
                need(open_call is not None and event["index"] == len(calls), "tool-call-delta")
                open_call["function"]["arguments"] += event["delta"]["message"]["tool_calls"]["function"]["arguments"]
            elif kind == "tool-call-end":
                need(open_call is not None and event["index"] == len(calls), "tool-call-end")
                calls.append(open_call)
                open_call = None
            elif kind in ("citation-start", "citation-end"):
                continue
            elif kind == "message-end":
                if event["delta"].get("error"):
                    need(event["delta"]["finish_reason"] == "ERROR", "an error that ends well")
                    heard.error = event["delta"]["error"]
                    continue
                need(open_part is None and open_call is None, "message-end while something is open")
                heard.finish = FINISH[event["delta"]["finish_reason"]]
                self.usage(event["delta"]["usage"], heard)
                heard.ended = True
            else:
                need(False, "an event nobody knows:", kind)
        need(heard.ended or heard.error, "no message-end")
        for part in content + ([open_part] if open_part else []):
            if part["type"] == "thinking":
                heard.thought += part["thinking"]
            else:
                heard.text += part["text"]
        heard.thought += plan
        heard.calls = [Call(c["id"], c["function"]["name"], arguments(c["function"]["arguments"] or "{}")) for c in calls]
        heard.native = {"role": "assistant"}
        if content:
            heard.native["content"] = content
        if plan:
            heard.native["tool_plan"] = plan
        if calls:
            heard.native["tool_calls"] = calls
        return heard

    def absorb(self, heard):
        self.messages.append(heard.native)

    def give(self, results):
        for call, text, failed in results:
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": [{"type": "document", "document": {"data": text}}]})

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def error_message(self, value):
        need(isinstance(value["message"], str), "the error's shape", value)
        return value["message"]
