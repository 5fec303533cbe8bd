from cases import Call
from client_base import Client, Heard, need, number, parse, sse

FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "filter", "PROHIBITED_CONTENT": "filter", "OTHER": "other"}


class Gemini(Client):
    dialect = "gemini"
    carries = {"signature", "thought", "cache", "reasoning_tokens", "filter"}

    def begin(self):
        self.contents = []
        self.others, self.ended_others = set(), set()
        for turn in self.ask.turns:
            parts = [{"text": turn.text}] + [{"inlineData": {"mimeType": mime, "data": data}} for mime, data in turn.images]
            self.contents.append({"role": "model" if turn.role == "assistant" else "user", "parts": parts})

    def request(self, model, stream):
        ask, config = self.ask, {}
        body = {"contents": self.contents, "generationConfig": config}
        if ask.system:
            body["systemInstruction"] = {"parts": [{"text": ask.system}]}
        if ask.tools:
            body["tools"] = [{"functionDeclarations": [{"name": t["name"], "description": t["description"], "parametersJsonSchema": t["schema"]}
                                                       for t in ask.tools]}]
        if ask.choice:
            body["toolConfig"] = {"functionCallingConfig": {"mode": {"required": "ANY"}[ask.choice]}}
        if ask.schema:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = ask.schema[1]
        if ask.max_tokens:
            config["maxOutputTokens"] = ask.max_tokens
        if ask.temperature is not None:
            config["temperature"] = ask.temperature
        if ask.stop:
            config["stopSequences"] = ask.stop
        if ask.effort:
            config["thinkingConfig"] = {"thinkingBudget": 4096, "includeThoughts": True}
        return "/v1beta/models/%s:%s" % (model, "streamGenerateContent?alt=sse" if stream else "generateContent"), body

    def take(self, value, heard, parts):
        need("error" not in value, "an error in an answer")
        need(heard.id in (None, value["responseId"]) and value["responseId"], "responseId")
        heard.id, heard.model = value["responseId"], value["modelVersion"]
        if value.get("usageMetadata"):
            usage = value["usageMetadata"]
            heard.usage.input = number(usage["promptTokenCount"], "promptTokenCount")
            heard.usage.reasoning = usage.get("thoughtsTokenCount") or 0
            heard.usage.output = (usage.get("candidatesTokenCount") or 0) + heard.usage.reasoning
            heard.usage.cached = usage.get("cachedContentTokenCount") or 0
            need(usage["totalTokenCount"] == heard.usage.input + heard.usage.output, "total", usage)
        for candidate in value.get("candidates") or []:
            index = candidate.get("index", 0)
            if index != 0:  # of several answers the first is compared; the others have one end as well
                need(index not in self.ended_others, "something after an answer's end", candidate)
                if candidate.get("finishReason"):
                    self.ended_others.add(index)
                self.others.add(index)
                continue
            for part in (candidate.get("content") or {}).get("parts") or []:
                need(heard.finish is None, "a part after the finish")
                parts.append(part)
                if part.get("thoughtSignature"):
                    heard.signature = heard.signature or part["thoughtSignature"]
                if "functionCall" in part:
                    call = part["functionCall"]
                    need(call["name"] and isinstance(call.get("args", {}), dict), "call", call)
                    heard.calls.append(Call(call.get("id"), call["name"], call.get("args", {})))
                elif part.get("thought"):
                    heard.thought += part["text"]
                elif "text" in part:
                    heard.text += part["text"]
            if candidate.get("finishReason"):
                need(heard.finish is None, "two finish reasons")
                heard.finish = FINISH[candidate["finishReason"]]
        if (value.get("promptFeedback") or {}).get("blockReason"):
            heard.finish = "filter"

    def close(self, heard, parts):
        need(self.others == self.ended_others, "an answer without an end")
        if heard.finish == "stop" and heard.calls:
            heard.finish = "tools"
        heard.native = {"role": "model", "parts": parts}
        heard.ended = heard.finish is not None

    def whole(self, value):
        heard, parts = Heard(), []
        self.others, self.ended_others = set(), set()
        self.take(value, heard, parts)
        self.close(heard, parts)
        need(heard.ended, "no finishReason")
        return heard

    def streamed(self, raw):
        heard, parts = Heard(), []
        self.others, self.ended_others = set(), set()
        last = None
        for name, data in sse(raw.replace(b"\r\n", b"\n")):
            need(name is None, "an event name")
            value = parse(data)
            need(not heard.error, "something after an error")
            if "error" in value:
                heard.error = value["error"]["message"]
                continue
            last = value
            self.take(value, heard, parts)
        if not heard.error:
            need(last and last.get("usageMetadata"), "the last chunk has no usageMetadata")
            self.close(heard, parts)
            need(heard.ended, "no finishReason")
        return heard

    def absorb(self, heard):
        self.contents.append(heard.native)

    def give(self, results):
        parts = []
        for call, text, failed in results:
            answer = {"name": call.name, "response": {"error" if failed else "output": text}}
            if call.id:
                answer["id"] = call.id
            parts.append({"functionResponse": answer})
        self.contents.append({"role": "user", "parts": parts})

    def say(self, text):
        self.contents.append({"role": "user", "parts": [{"text": text}]})

    def error_message(self, value):
        need(isinstance(value["error"]["code"], int) and value["error"]["status"], "the error's shape", value)
        return value["error"]["message"]
