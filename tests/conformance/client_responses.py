from cases import Call
from client_base import Client, Heard, arguments, need, number, parse, sse


class Responses(Client):
    dialect = "responses"
    carries = {"signature", "thought", "cache", "reasoning_tokens", "call_ids", "filter", "tier"}

    def begin(self):
        self.items = []
        for turn in self.ask.turns:
            if turn.role == "assistant":
                self.items.append({"role": "assistant", "content": turn.text})
            elif turn.images:
                content = [{"type": "input_text", "text": turn.text}]
                content += [{"type": "input_image", "image_url": "data:%s;base64,%s" % image, "detail": "auto"} for image in turn.images]
                self.items.append({"role": "user", "content": content})
            else:
                self.items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": turn.text}]})

    def request(self, model, stream):
        ask = self.ask
        body = {"model": model, "input": self.items, "store": False, "include": ["reasoning.encrypted_content"]}
        if ask.system:
            body["instructions"] = ask.system
        if ask.tools:
            body["tools"] = [{"type": "custom", "name": t["name"], "description": t["description"]} if t.get("custom") else
                             {"type": "function", "name": t["name"], "description": t["description"], "parameters": t["schema"], "strict": False}
                             for t in ask.tools]
        if ask.choice:
            body["tool_choice"] = ask.choice
        if ask.schema:
            body["text"] = {"format": {"type": "json_schema", "name": ask.schema[0], "schema": ask.schema[1], "strict": True}}
        if ask.max_tokens:
            body["max_output_tokens"] = ask.max_tokens
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if ask.effort:
            body["reasoning"] = {"effort": ask.effort, "summary": "auto"}
        if stream:
            body["stream"] = True
        return "/v1/responses", body

    def response(self, value, heard, cut=False):
        need(value["object"] == "response" and value["id"] and value["created_at"], "top level", value)
        for member in ("error", "incomplete_details", "instructions", "metadata", "parallel_tool_calls", "tool_choice", "tools", "output"):
            need(member in value, "the response has no", member)
        heard.id, heard.model = value["id"], value["model"]
        seen = set()
        for item in value["output"]:
            need(item["id"] and item["id"] not in seen, "item ids", item)
            seen.add(item["id"])
            self.item(item, heard)
        if value["status"] == "completed":
            heard.finish = "tools" if heard.calls else "stop"
        else:
            need(value["status"] == "incomplete", "status", value["status"])
            heard.finish = {"max_output_tokens": "length", "content_filter": "filter"}[value["incomplete_details"]["reason"]]
        usage = value["usage"]
        heard.usage.tier = value["service_tier"]
        heard.usage.input = number(usage["input_tokens"], "input_tokens")
        heard.usage.output = number(usage["output_tokens"], "output_tokens")
        need(usage["total_tokens"] == heard.usage.input + heard.usage.output, "total", usage)
        heard.usage.cached = usage["input_tokens_details"]["cached_tokens"]
        heard.usage.reasoning = usage["output_tokens_details"]["reasoning_tokens"]
        heard.native = value["output"]

    def item(self, item, heard):
        if item["type"] == "message":
            need(item["role"] == "assistant" and item["status"] in ("completed", "incomplete"), "message", item)
            for part in item["content"]:
                if part["type"] == "output_text":
                    need(isinstance(part["annotations"], list), "annotations")
                    heard.text += part["text"]
                else:
                    need(part["type"] == "refusal", "part", part)
                    heard.text += part["refusal"]
        elif item["type"] in ("function_call", "custom_tool_call"):
            custom = any(t["name"] == item["name"] and t.get("custom") for t in self.ask.tools)
            need(item["call_id"] and custom == (item["type"] == "custom_tool_call"), "a call's type", item)
            if custom:
                return heard.calls.append(Call(item["call_id"], item["name"], {"input": item["input"]}, custom=True))
            heard.calls.append(Call(item["call_id"], item["name"], arguments(item["arguments"])))
        elif item["type"] == "reasoning":
            need(isinstance(item["summary"], list), "summary")
            for part in item["summary"]:
                need(part["type"] == "summary_text", "summary", part)
                heard.thought += part["text"]
            for part in item.get("content") or []:
                heard.thought += part["text"]
            heard.signature = heard.signature or item.get("encrypted_content") or ""
        else:
            need(False, "an item nobody knows", item)

    def whole(self, value):
        heard = Heard()
        self.response(value, heard)
        heard.ended = True
        return heard

    def streamed(self, raw):
        heard = Heard()
        items, open_item, part, sequence, final, last = [], None, None, -1, None, None
        text = {}
        for name, data in sse(raw):
            event = parse(data)
            kind = event["type"]
            need(name == kind, "the event's name is", name, "its type", kind)
            need(event["sequence_number"] == sequence + 1, "sequence_number", event["sequence_number"], "after", sequence)
            sequence += 1
            need(final is None, "something after the end")
            if sequence == 0:
                need(kind == "response.created", "it begins with", kind)
            if kind in ("response.created", "response.in_progress", "response.queued"):
                need(event["response"]["status"] in ("in_progress", "queued"), "status")
                need(heard.id in (None, event["response"]["id"]), "another id")
                heard.id = event["response"]["id"]
            elif kind == "error":
                heard.error = event["message"]
            elif kind == "response.failed":
                need(event["response"]["error"]["message"], "no words")
                heard.error = heard.error or event["response"]["error"]["message"]
                final = "failed"
            elif kind in ("response.completed", "response.incomplete"):
                need(open_item is None and not heard.error, kind, "while an item is open, or after an error")
                need("response." + event["response"]["status"] == kind, "status")
                need(event["response"]["id"] == heard.id, "another id")
                need(event["response"]["output"] == items, "the last output is not what was streamed:", event["response"]["output"], items)
                streamed = heard.text
                heard.text = ""
                self.response(event["response"], heard)
                final = "ended"
            elif kind == "response.output_item.added":
                need(open_item is None and event["output_index"] == len(items), "output_item.added")
                open_item = event["item"]
                text = {}
                part = None
            elif kind == "response.output_item.done":
                need(open_item is not None and event["output_index"] == len(items) and part is None, "output_item.done")
                need(event["item"]["id"] == open_item["id"] and event["item"]["type"] == open_item["type"], "another item")
                items.append(event["item"])
                open_item = None
            else:
                need(open_item is not None and event["output_index"] == len(items) and event["item_id"] == open_item["id"], kind, "of no open item")
                if kind in ("response.content_part.added", "response.reasoning_summary_part.added"):
                    need(part is None, "a part in a part")
                    part, last = "", event
                elif kind in ("response.content_part.done", "response.reasoning_summary_part.done"):
                    need(part is not None, "no part is open")
                    need(event["part"].get("text", event["part"].get("refusal")) == part, "the part's text", event["part"], part)
                    part = None
                elif kind in ("response.output_text.delta", "response.refusal.delta", "response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
                    if kind != "response.reasoning_text.delta":
                        need(part is not None, kind, "without a part")
                    part = (part or "") + event["delta"]
                    if "reasoning" not in kind:
                        heard.text += event["delta"]
                elif kind in ("response.output_text.done", "response.reasoning_summary_text.done", "response.reasoning_text.done"):
                    need(event["text"] == part, kind, "has another text")
                    if kind == "response.reasoning_text.done":
                        part = None
                elif kind == "response.refusal.done":
                    need(event["refusal"] == part, "refusal")
                elif kind == "response.function_call_arguments.delta":
                    text["arguments"] = text.get("arguments", "") + event["delta"]
                elif kind == "response.custom_tool_call_input.delta":
                    need(event["delta"], "an empty delta")
                    text["input"] = text.get("input", "") + event["delta"]
                elif kind == "response.custom_tool_call_input.done":
                    need(event["input"] == text.get("input", ""), "input")
                elif kind == "response.function_call_arguments.done":
                    need(event["arguments"] == text.get("arguments", event["arguments"]), "arguments")
                else:
                    need(kind == "response.output_text.annotation.added", "an event nobody knows:", kind)
        heard.ended = final == "ended"
        need(final is not None, "no last event")
        return heard

    def absorb(self, heard):
        self.items += heard.native

    def give(self, results):
        for call, text, failed in results:
            self.items.append({"type": "custom_tool_call_output" if call.custom else "function_call_output", "call_id": call.id, "output": text})

    def say(self, text):
        self.items.append({"role": "user", "content": text})

    def error_message(self, value):
        need(set(value["error"]) >= {"message", "type", "param", "code"}, "the error's shape", value)
        return value["error"]["message"]
