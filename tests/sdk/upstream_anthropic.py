"""The scripted provider's other face: Anthropic's Messages. Kinds of models as in upstream.py: plain, tools, thinking, status-NNN, cut-N."""
import base64
import json
import time

USAGE = {"input_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 7, "service_tier": "standard"}
SIGNATURE = base64.b64encode(b"signed by the scripted provider" * 3).decode()
ERRORS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
          429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
TOOL_USES = [{"type": "tool_use", "id": "toolu_paris", "name": "get_weather", "input": {"city": "Paris"}},
             {"type": "tool_use", "id": "toolu_tokyo", "name": "get_weather", "input": {"city": "Tokyo"}}]
THOUGHT = {"type": "thinking", "thinking": "Let me think.", "signature": SIGNATURE}
HIDDEN = {"type": "redacted_thinking", "data": SIGNATURE}


class AnthropicFace:
    """Mixed into upstream.Handler."""

    def send_anthropic_error(self, status, message):
        self.send_json(status, {"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": message}, "request_id": "req_up"},
                       [("request-id", "req_up")])

    def answer_anthropic(self, request, record, key):
        if self.headers.get("x-api-key") != key:
            return self.send_anthropic_error(401, "invalid x-api-key")
        if not self.headers.get("anthropic-version"):
            return self.send_anthropic_error(400, "anthropic-version: header is required")
        if self.path.endswith("/count_tokens"):
            return self.send_json(200, {"input_tokens": 321})
        if not isinstance(request.get("max_tokens"), int):
            return self.send_anthropic_error(400, "max_tokens: Field required")
        kind = request["model"].partition("+")[0]
        name, _, argument = kind.removeprefix("claude-").partition("-")
        if name == "status":
            return self.send_anthropic_error(int(argument), f"scripted {argument}")
        content, stop = self.content_for(name, request)
        if content is None:
            return self.send_anthropic_error(400, stop)
        message = {"id": f"msg_{time.time_ns():x}", "type": "message", "role": "assistant", "model": request["model"], "content": content, "stop_reason": stop,
                   "stop_sequence": None, "usage": USAGE, "novel_top_member": {"deep": [1, None]}}
        if not request.get("stream"):
            return self.send_json(200, message, [("request-id", "req_up")])
        self.stream_anthropic(message, int(argument) if name == "cut" else None)

    def content_for(self, name, request):
        results = [b for m in request["messages"] if m["role"] == "user" and isinstance(m["content"], list) for b in m["content"] if b["type"] == "tool_result"]
        said = [b for m in request["messages"] if m["role"] == "assistant" and isinstance(m["content"], list) for b in m["content"]]
        if name == "tools" and not results:
            if [t["name"] for t in request.get("tools", [])] != ["get_weather"]:
                return None, "the tool get_weather did not arrive"
            return [{"type": "text", "text": "Let me see."}] + TOOL_USES, "tool_use"
        if name == "thinking" and not results:
            return [THOUGHT, HIDDEN] + TOOL_USES[:1], "tool_use"
        if name == "thinking" and [b for b in said if b["type"] != "tool_use"] != [THOUGHT, HIDDEN]:
            return None, "messages.1.content.0: Invalid signature in thinking block"
        if results:
            text = "; ".join(f"{b['tool_use_id']}={b['content'] if isinstance(b['content'], str) else b['content'][0]['text']}" for b in results)
            return [{"type": "text", "text": text}], "end_turn"
        return [{"type": "text", "text": "Hello, wörld!"}], "end_turn"

    def send_named(self, kind, **members):
        self.send_piece(f"event: {kind}\ndata: {json.dumps(dict({'type': kind}, **members), ensure_ascii=False)}\n\n".encode())

    def stream_anthropic(self, message, cut_after):
        self.begin_stream()
        self.send_named("message_start", message=dict(message, content=[], stop_reason=None, usage=dict(USAGE, output_tokens=1)))
        self.send_named("ping")
        sent = 0
        for index, block in enumerate(message["content"]):
            kind = block["type"]
            empty = dict(block, **{"text": {"text": ""}, "tool_use": {"input": {}}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {}))
            self.send_named("content_block_start", index=index, content_block=empty)
            for delta in self.deltas_of(block):
                if sent == cut_after:
                    return self.break_off()
                sent += 1
                self.send_named("content_block_delta", index=index, delta=delta)
            self.send_named("content_block_stop", index=index)
        self.send_named("message_delta", delta={"stop_reason": message["stop_reason"], "stop_sequence": None}, usage={"output_tokens": 7})
        self.send_named("message_stop")
        self.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def deltas_of(block):
        if block["type"] == "text":
            return [{"type": "text_delta", "text": block["text"][i:i + 4]} for i in range(0, len(block["text"]), 4)]
        if block["type"] == "thinking":
            return [{"type": "thinking_delta", "thinking": block["thinking"]}, {"type": "signature_delta", "signature": block["signature"]}]
        if block["type"] == "tool_use":
            text = json.dumps(block["input"])
            return [{"type": "input_json_delta", "partial_json": ""}] + [{"type": "input_json_delta", "partial_json": text[i:i + 5]} for i in range(0, len(text), 5)]
        return []
