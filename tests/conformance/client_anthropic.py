from cases import Call
from client_base import Client, Heard, arguments, need, number, parse, sse

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "filter"}
DELTAS = {"text": ("text_delta",), "thinking": ("thinking_delta", "signature_delta"), "tool_use": ("input_json_delta",)}


class Anthropic(Client):
    dialect = "anthropic"
    carries = {"signature", "thought", "cache", "tool_error", "call_ids", "filter", "tier"}

    def headers(self):
        return [("anthropic-version", "2023-06-01")]

    def begin(self):
        self.messages = []
        for turn in self.ask.turns:
            content = [{"type": "text", "text": turn.text}]
            content += [{"type": "image", "source": {"type": "base64", "media_type": mime, "data": data}} for mime, data in turn.images]
            self.messages.append({"role": turn.role, "content": content if turn.images else turn.text})

    def request(self, model, stream):
        ask = self.ask
        body = {"model": model, "messages": self.messages, "max_tokens": ask.max_tokens or 1024}
        if ask.system:
            body["system"] = [{"type": "text", "text": ask.system}]
        if ask.tools:
            body["tools"] = [{"name": t["name"], "description": t["description"], "input_schema": t["schema"]} for t in ask.tools]
        if ask.choice:
            body["tool_choice"] = {"type": {"required": "any"}[ask.choice]}
        if ask.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema[1]}}
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if ask.stop:
            body["stop_sequences"] = ask.stop
        if ask.effort:
            body["thinking"] = {"type": "enabled", "budget_tokens": 4096}
        if stream:
            body["stream"] = True
        return "/v1/messages", body

    def usage(self, value, heard):
        if "input_tokens" in value and value["input_tokens"] is not None:
            heard.usage.cached = value.get("cache_read_input_tokens") or 0
            heard.usage.written = value.get("cache_creation_input_tokens") or 0
            heard.usage.input = number(value["input_tokens"], "input_tokens") + heard.usage.cached + heard.usage.written
        heard.usage.output = number(value["output_tokens"], "output_tokens")
        heard.usage.tier = value.get("service_tier") or heard.usage.tier

    def blocks(self, content, heard):
        for block in content:
            if block["type"] == "text":
                need(block["text"], "an empty text block")
                heard.text += block["text"]
            elif block["type"] == "thinking":
                need(isinstance(block["signature"], str), "a thought's signature is no string")
                heard.thought += block["thinking"]
                heard.signature = heard.signature or block["signature"]
            elif block["type"] == "tool_use":
                need(block["id"] and isinstance(block["input"], dict), "call", block)
                heard.calls.append(Call(block["id"], block["name"], block["input"]))
            else:
                need(block["type"] == "redacted_thinking", "a block nobody knows", block)
        heard.native = {"role": "assistant", "content": content}

    def whole(self, value):
        heard = Heard()
        need(value["type"] == "message" and value["role"] == "assistant" and value["id"], "top level", value)
        need("stop_sequence" in value, "no stop_sequence")
        heard.id, heard.model = value["id"], value["model"]
        self.blocks(value["content"], heard)
        heard.finish = FINISH[value["stop_reason"]]
        self.usage(value["usage"], heard)
        heard.ended = True
        return heard

    def streamed(self, raw):
        heard = Heard()
        content, open_block, started, finished = [], None, False, False
        for name, data in sse(raw):
            event = parse(data)
            need(name == event["type"], "the event's name is", name, "its type", event["type"])
            need(not heard.ended and not heard.error, "something after the end:", data)
            kind = event["type"]
            if kind == "error":
                heard.error = event["error"]["message"]
                need(event["error"]["type"], "no error type")
                continue
            if kind == "ping":
                continue
            if kind == "message_start":
                need(not started, "two message_start")
                started = True
                message = event["message"]
                need(message["content"] == [] and message["stop_reason"] is None and message["role"] == "assistant" and message["type"] == "message",
                     "message_start", data)
                heard.id, heard.model = message["id"], message["model"]
                self.usage(message["usage"], heard)
                continue
            need(started, kind, "before message_start")
            if kind == "content_block_start":
                need(open_block is None, "a block in a block")
                need(event["index"] == len(content), "block index", event["index"])
                open_block = dict(event["content_block"])
                need(open_block["type"] in DELTAS or open_block["type"] == "redacted_thinking", "block", data)
                if open_block["type"] == "tool_use":
                    need(open_block["input"] == {}, "input at the start")
                if open_block["type"] == "thinking":
                    need(isinstance(open_block.get("signature", ""), str), "signature")
                    open_block.setdefault("signature", "")
                open_block["_json"] = ""
            elif kind == "content_block_delta":
                need(open_block is not None and event["index"] == len(content), "a delta of no open block")
                delta = event["delta"]
                if delta["type"] == "citations_delta":
                    continue
                need(delta["type"] in DELTAS[open_block["type"]], delta["type"], "in", open_block["type"])
                if delta["type"] == "text_delta":
                    open_block["text"] += delta["text"]
                elif delta["type"] == "thinking_delta":
                    open_block["thinking"] += delta["thinking"]
                elif delta["type"] == "signature_delta":
                    open_block["signature"] += delta["signature"]
                else:
                    open_block["_json"] += delta["partial_json"]
            elif kind == "content_block_stop":
                need(open_block is not None and event["index"] == len(content), "a stop of no open block")
                text = open_block.pop("_json")
                if open_block["type"] == "tool_use":
                    open_block["input"] = arguments(text) if text else {}
                content.append(open_block)
                open_block = None
            elif kind == "message_delta":
                need(open_block is None and not finished, "message_delta at the wrong time")
                heard.finish = FINISH[event["delta"]["stop_reason"]]
                need("stop_sequence" in event["delta"], "no stop_sequence")
                self.usage(event["usage"], heard)
                finished = True
            elif kind == "message_stop":
                need(finished, "message_stop without message_delta")
                heard.ended = True
            else:
                need(False, "an event nobody knows:", kind)
        if heard.error is None:
            need(heard.ended, "no message_stop")
            self.blocks(content, heard)
        else:
            need(not finished, "a clean end before an error")
            self.blocks([dict(b, text=b["text"] or " ") if b["type"] == "text" else b
                         for b in content + ([{k: v for k, v in open_block.items() if k != "_json"}] if open_block else [])], heard)
        return heard

    def absorb(self, heard):
        self.messages.append(heard.native)

    def give(self, results):
        content = []
        for call, text, failed in results:
            block = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": text}]}
            if failed:
                block["is_error"] = True
            content.append(block)
        self.messages.append({"role": "user", "content": content})

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def error_message(self, value):
        need(value["type"] == "error" and value["error"]["type"], "the error's shape", value)
        return value["error"]["message"]
