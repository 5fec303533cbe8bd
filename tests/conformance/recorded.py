"""Recorded answers of vendors, read without regard to grammar: what they say, however they say it."""
import base64
import binascii
import glob
import json
import os
import struct

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "wire", "exchanges")

DIALECTS = {"chat/completions": "openai", "responses": "responses", "messages": "anthropic", "rawPredict": "anthropic", "streamRawPredict": "anthropic",
            "generateContent": "gemini", "streamGenerateContent": "gemini", "v2/chat": "cohere", "converse": "bedrock", "converse-stream": "bedrock",
            "api/chat": "ollama"}
FINISH = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "end_turn": "stop", "STOP": "stop", "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop", "completed": "stop", "pause_turn": None, "refusal": "filter",
    "length": "length", "max_tokens": "length", "MAX_TOKENS": "length", "model_length": "length", "max_output_tokens": "length",
    "model_context_window_exceeded": "length", "tool_calls": "tools", "function_call": "tools", "tool_use": "tools", "TOOL_CALL": "tools",
    "content_filter": "filter", "SAFETY": "filter", "PROHIBITED_CONTENT": "filter", "MODEL_ARMOR": "filter", "RECITATION": "filter",
    "guardrail_intervened": "filter", "content_filtered": "filter", "sensitive": "filter",
}


class Said:
    def __init__(self):
        self.text, self.thought, self.calls, self.finish_word, self.error = "", "", [], None, False
        self.input = self.output = None
        self.refused = False   # in words of its own, however it ended
        self.pictures = 0
        self.other = False     # parts that no other dialect has

    @property
    def finish(self):
        word = FINISH.get(self.finish_word)
        return "tools" if self.calls and word in ("stop", "tools") else word


class Recording:
    def __init__(self, path):
        with open(path) as f:
            value = json.load(f)
        self.name = value["id"]
        self.provider, self.endpoint, self.fidelity = value["provider"], value["endpoint"], value.get("fidelity")
        self.request, response = value.get("request") or {}, value["response"]
        self.status = response.get("status") or 200
        self.headers = {k.lower(): v for k, v in (response.get("headers") or {}).items()}
        body = response.get("body") or ""
        self.body = base64.b64decode(body) if response.get("body_encoding") == "base64" else body.encode()
        self.dialect = DIALECTS.get(self.endpoint)
        self.sizes = response.get("chunk_sizes") or []

    @property
    def stream(self):
        if self.status != 200 or not self.body:
            return False
        if self.dialect == "bedrock":
            return self.endpoint == "converse-stream" and self.body[:1] == b"\0"
        if self.dialect == "ollama":
            return b"\n{" in self.body
        return self.body.lstrip()[:1] not in (b"{", b"[", b"<") and (b"data:" in self.body)


def recordings():
    return sorted((Recording(p) for p in glob.glob(os.path.join(FOLDER, "*", "*.json"))), key=lambda r: r.name)


def datas(body):
    """The JSON of each event or line."""
    out = []
    for line in body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = line[5:].strip() if line.startswith("data:") else line.strip() if line.startswith("{") else ""
        if line and line != "[DONE]":
            try:
                out.append(json.loads(line))
            except ValueError:
                pass
    return out


def frames(body):
    """(type, value) of AWS's event stream."""
    out = []
    while body:
        total, size = struct.unpack(">II", body[:8])
        head, payload = body[12:12 + size], body[12 + size:total - 4]
        assert binascii.crc32(body[:total - 4]) == struct.unpack(">I", body[total - 4:total])[0]
        names = {}
        while head:
            n = head[0]
            name = head[1:1 + n].decode()
            (m,) = struct.unpack(">H", head[2 + n:4 + n])
            names[name] = head[4 + n:4 + n + m].decode()
            head = head[4 + n + m:]
        out.append((names.get(":event-type") or names.get(":exception-type"), json.loads(payload)))
        body = body[total:]
    return out


def as_arguments(text):
    if isinstance(text, dict):
        return text
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def openai_content(value, said):
    if isinstance(value, str):
        said.text += value
    if isinstance(value, dict):
        said.text += json.dumps(value, separators=(",", ":"))
    for part in value if isinstance(value, list) else []:
        if part.get("type") == "thinking":
            for t in part.get("thinking") or []:
                said.thought += t.get("text", "")
        else:
            said.text += part.get("text") or ""


def openai_delta(delta, said, calls):
    openai_content(delta.get("content"), said)
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    if not thought:
        thought = "".join((d.get("text") or "") + (d.get("summary") or "") for d in delta.get("reasoning_details") or [])
    said.thought += thought if isinstance(thought, str) else ""
    said.text += delta.get("refusal") or ""
    said.refused = said.refused or bool(delta.get("refusal"))
    for entry in delta.get("tool_calls") or []:
        f = entry.get("function") or {}
        index, id, name = entry.get("index"), entry.get("id"), f.get("name") or ""
        found = None
        for call in calls:
            if index is not None and call["index"] == index and not (id and name and call["id"] and id != call["id"]):
                found = call
            elif index is None and id and call["id"] == id:
                found = call
        if found is None and index is None and not id and not name and calls:
            found = calls[-1]
        if found is None:
            found = {"index": index, "id": id, "name": "", "arguments": ""}
            calls.append(found)
        found["name"] = found["name"] or name
        text = f.get("arguments")
        found["arguments"] += json.dumps(text) if isinstance(text, (dict, list)) else text or ""


def openai_usage(value, said):
    for usage in (value.get("usage"), (value.get("x_groq") or {}).get("usage"), ((value.get("choices") or [{}])[0] or {}).get("usage")):
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            said.input = usage["prompt_tokens"]
            said.output = usage.get("completion_tokens") or 0
            total = usage.get("total_tokens") or 0
            if total > said.input + said.output:
                said.output = total - said.input
            return


def read_openai(r, said):
    calls = []
    values = datas(r.body) if r.stream else [json.loads(r.body)]
    for value in values:
        if not isinstance(value, dict):
            said.error = True
            continue
        if value.get("error") and not isinstance(value["error"], bool):
            said.error = True
        openai_usage(value, said)
        if r.provider == "mistral" and said.input is not None and (value.get("usage") or {}).get("prompt_audio_seconds") is not None:
            said.output, said.input = value["usage"]["completion_tokens"], value["usage"]["total_tokens"] - value["usage"]["completion_tokens"]
        for choice in value.get("choices") or []:
            if choice.get("error"):
                said.error = True
            if choice.get("index", 0) != 0:
                continue
            openai_delta((choice.get("delta") if r.stream else choice.get("message")) or {}, said, calls)
            said.finish_word = choice.get("finish_reason") or said.finish_word
            said.other = said.other or said.finish_word == "function_call"
    said.calls = [(c["name"], as_arguments(c["arguments"])) for c in calls if c["name"]]


def read_responses(r, said):
    if r.stream:
        values = datas(r.body)
        # Some files hold several answers, one after the other: the first one is what was asked for.
        ends = [i for i, v in enumerate(values) if v.get("type") in ("response.completed", "response.incomplete", "response.failed")]
        values = values[:ends[0] + 1] if ends else values
        last = [v for v in values if v.get("type") in ("response.completed", "response.incomplete", "response.failed")]
        said.error = any(v.get("type") in ("error", "response.failed") for v in values)
        if not last:
            said.finish_word = None
            said.other = True
            return
        value = last[-1]["response"]
        output = [v["item"] for v in values if v.get("type") == "response.output_item.done"] or value.get("output") or []
    else:
        value = json.loads(r.body)
        output = value.get("output") or []
        said.error = bool(value.get("error")) or value.get("status") == "failed"
    for item in output:
        kind = item.get("type")
        if kind == "message":
            for part in item["content"]:
                said.text += part.get("text") or part.get("refusal") or ""
                said.refused = said.refused or bool(part.get("refusal"))
        elif kind == "reasoning":
            said.thought += "".join(p.get("text", "") for p in item.get("summary") or []) or "".join(p.get("text", "") for p in item.get("content") or [])
        elif kind == "function_call":
            said.calls.append((item["name"], as_arguments(item["arguments"])))
        else:
            said.other = True
            said.pictures += kind == "image_generation_call" and bool(item.get("result"))
    usage = value.get("usage") or {}
    said.input, said.output = usage.get("input_tokens"), usage.get("output_tokens")
    said.finish_word = (value.get("incomplete_details") or {}).get("reason") or value.get("status")


def read_anthropic(r, said):
    usage = {}
    if r.stream:
        blocks = {}
        order = []
        for value in datas(r.body):
            kind = value.get("type")
            if kind == "message_start":
                usage.update({k: v for k, v in value["message"]["usage"].items() if v is not None})
                blocks = {}
            elif kind == "content_block_start":
                block = dict(value["content_block"], _json="")
                blocks[value["index"]] = block
                order.append(block)
            elif kind == "content_block_delta":
                block, delta = blocks[value["index"]], value["delta"]
                for member in ("text", "thinking"):
                    if member in delta:
                        block[member] = block.get(member, "") + delta[member]
                block["_json"] += delta.get("partial_json", "")
            elif kind == "message_delta":
                usage.update({k: v for k, v in (value.get("usage") or {}).items() if v is not None})
                said.finish_word = value["delta"].get("stop_reason") or said.finish_word
            elif kind == "error":
                said.error = True
        content = order
    else:
        value = json.loads(r.body)
        said.error = value.get("type") == "error"
        content, usage, said.finish_word = value.get("content") or [], value.get("usage") or {}, value.get("stop_reason")
    for block in content:
        kind = block["type"]
        if kind == "text":
            said.text += block["text"]
        elif kind == "thinking":
            said.thought += block["thinking"]
        elif kind == "tool_use":
            said.calls.append((block["name"], as_arguments(block["_json"]) if block.get("_json") else block["input"]))
        elif kind != "redacted_thinking":
            said.other = True
    if "input_tokens" in usage:
        said.input = usage["input_tokens"] + (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    said.output = usage.get("output_tokens")


def read_gemini(r, said):
    values = datas(r.body) if r.stream else [json.loads(r.body)]
    values = [x for v in values for x in (v if isinstance(v, list) else [v])]
    for value in values:
        said.error = said.error or "error" in value
        for candidate in value.get("candidates") or []:
            if candidate.get("index", 0) != 0:
                continue
            for part in (candidate.get("content") or {}).get("parts") or []:
                if "functionCall" in part:
                    if part["functionCall"].get("partialArgs") or part["functionCall"].get("willContinue") or "name" not in part["functionCall"]:
                        said.other = True
                    said.calls.append((part["functionCall"].get("name"), part["functionCall"].get("args", {})))
                elif "text" in part:
                    if part.get("thought"):
                        said.thought += part["text"]
                    else:
                        said.text += part["text"]
                else:
                    said.other = True
            said.finish_word = candidate.get("finishReason") or said.finish_word
            # What was blocked says why: words for the one who asked, where nothing else was said.
            if candidate.get("finishMessage") and FINISH.get(said.finish_word) == "filter" and not said.text:
                said.text, said.refused = candidate["finishMessage"], True
        if (value.get("promptFeedback") or {}).get("blockReason"):
            said.finish_word, said.refused = "SAFETY", True
            said.text = value["promptFeedback"].get("blockReasonMessage") or ""
        usage = value.get("usageMetadata") or {}
        if "promptTokenCount" in usage:
            said.input = usage["promptTokenCount"] + (usage.get("toolUsePromptTokenCount") or 0)
            said.output = (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)


def cohere_usage(usage, said):
    """Images are counted beside the text's tokens: billed_units, which leave out what a template adds, hold both (recording e1ada4-1)."""
    tokens = usage.get("tokens") or {}
    said.input, said.output = tokens.get("input_tokens"), tokens.get("output_tokens")
    if said.input is not None:
        said.input += tokens.get("image_tokens") or 0


def read_cohere(r, said):
    if r.stream:
        calls = []
        for value in datas(r.body):
            message = (value.get("delta") or {}).get("message") or {}
            kind = value.get("type")
            if kind == "content-delta":
                said.text += message["content"].get("text") or ""
                said.thought += message["content"].get("thinking") or ""
            elif kind == "tool-plan-delta":
                said.thought += message["tool_plan"]
            elif kind == "tool-call-start":
                f = message["tool_calls"]["function"]
                calls.append([f["name"], f.get("arguments") or ""])
            elif kind == "tool-call-delta":
                calls[-1][1] += message["tool_calls"]["function"].get("arguments") or ""
            elif kind == "message-end":
                said.finish_word = value["delta"].get("finish_reason")
                usage = value["delta"].get("usage") or {}
                cohere_usage(usage, said)
                said.error = bool(value["delta"].get("error"))
        said.calls = [(n, as_arguments(a)) for n, a in calls]
    else:
        value = json.loads(r.body)
        message = value["message"]
        for part in message.get("content") or []:
            said.text += part.get("text") or ""
            said.thought += part.get("thinking") or ""
        said.thought += message.get("tool_plan") or ""
        said.calls = [(c["function"]["name"], as_arguments(c["function"]["arguments"])) for c in message.get("tool_calls") or []]
        said.finish_word = value.get("finish_reason")
        cohere_usage(value.get("usage") or {}, said)
    said.input, said.output = (int(v) if v is not None else None for v in (said.input, said.output))


def read_bedrock(r, said):
    usage = {}
    if r.stream:
        blocks = {}
        for kind, value in frames(r.body):
            if kind == "contentBlockStart":
                blocks[value["contentBlockIndex"]] = {"name": value["start"]["toolUse"]["name"], "json": ""}
            elif kind == "contentBlockDelta":
                delta = value["delta"]
                said.text += delta.get("text") or ""
                said.thought += (delta.get("reasoningContent") or {}).get("text") or ""
                if "toolUse" in delta:
                    blocks[value["contentBlockIndex"]]["json"] += delta["toolUse"].get("input") or ""
            elif kind == "messageStop":
                said.finish_word = value["stopReason"]
            elif kind == "metadata":
                usage = value.get("usage") or {}
            elif kind and kind.endswith("Exception"):
                said.error = True
        said.calls = [(b["name"], as_arguments(b["json"])) for b in blocks.values()]
    else:
        value = json.loads(r.body)
        for block in ((value.get("output") or {}).get("message") or {}).get("content") or []:
            said.text += block.get("text") or ""
            said.thought += ((block.get("reasoningContent") or {}).get("reasoningText") or {}).get("text") or ""
            if "toolUse" in block:
                said.calls.append((block["toolUse"]["name"], block["toolUse"]["input"]))
        said.finish_word, usage = value.get("stopReason"), value.get("usage") or {}
        said.error = "output" not in value
    if "inputTokens" in usage:
        said.input = usage["inputTokens"] + (usage.get("cacheReadInputTokens") or 0) + (usage.get("cacheWriteInputTokens") or 0)
        said.output = usage["outputTokens"]


def read_ollama(r, said):
    for value in datas(r.body) if r.stream else [json.loads(r.body)]:
        said.error = said.error or "error" in value
        message = value.get("message") or {}
        said.text += message.get("content") or ""
        said.thought += message.get("thinking") or ""
        said.calls += [(c["function"]["name"], as_arguments(c["function"]["arguments"])) for c in message.get("tool_calls") or []]
        if value.get("done"):
            said.finish_word = value.get("done_reason")
            said.input, said.output = value.get("prompt_eval_count"), value.get("eval_count")


def read(r):
    """Said, or None when the body is nothing that can be read."""
    said = Said()
    try:
        {"openai": read_openai, "responses": read_responses, "anthropic": read_anthropic, "gemini": read_gemini, "cohere": read_cohere,
         "bedrock": read_bedrock, "ollama": read_ollama}[r.dialect](r, said)
    except ValueError:
        return None
    return said
