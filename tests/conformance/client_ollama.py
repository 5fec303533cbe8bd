from cases import Call
from client_base import Client, Heard, need, number, parse

FINISH = {"stop": "stop", "length": "length", "content_filter": "filter"}


class Ollama(Client):
    dialect = "ollama"
    carries = {"thought", "filter"}
    stream_type = "application/x-ndjson"

    def begin(self):
        self.ask.choice = None  # no word for it
        self.messages = [{"role": "system", "content": self.ask.system}] if self.ask.system else []
        for turn in self.ask.turns:
            message = {"role": turn.role, "content": turn.text}
            if turn.images:
                message["images"] = [data for _, data in turn.images]
            self.messages.append(message)

    def request(self, model, stream):
        ask, options = self.ask, {}
        body = {"model": model, "messages": self.messages, "options": options, "stream": stream}
        if ask.tools:
            body["tools"] = [{"type": "function", "function": {"name": t["name"], "description": t["description"], "parameters": t["schema"]}}
                             for t in ask.tools]
        if ask.schema:
            body["format"] = ask.schema[1]
        if ask.max_tokens:
            options["num_predict"] = ask.max_tokens
        if ask.temperature is not None:
            options["temperature"] = ask.temperature
        if ask.stop:
            options["stop"] = ask.stop
        if ask.effort:
            body["think"] = ask.effort
        return "/api/chat", body

    def line(self, value, heard):
        need(value["model"] and value["created_at"], "line", value)
        heard.model = value["model"]
        message = value["message"]
        need(message["role"] == "assistant" and isinstance(message["content"], str), "message", message)
        heard.text += message["content"]
        heard.thought += message.get("thinking") or ""
        for call in message.get("tool_calls") or []:
            need(isinstance(call["function"]["arguments"], dict), "arguments", call)
            heard.calls.append(Call(call.get("id"), call["function"]["name"], call["function"]["arguments"]))
            heard.native["tool_calls"].append(call)
        if value["done"]:
            heard.finish = FINISH[value["done_reason"]]
            if heard.finish == "stop" and heard.calls:
                heard.finish = "tools"
            heard.usage.input = number(value["prompt_eval_count"], "prompt_eval_count")
            heard.usage.output = number(value["eval_count"], "eval_count")
            heard.ended = True

    def close(self, heard):
        heard.native["content"] = heard.text
        if heard.thought:
            heard.native["thinking"] = heard.thought
        if not heard.native["tool_calls"]:
            del heard.native["tool_calls"]

    def start(self):
        heard = Heard()
        heard.native = {"role": "assistant", "content": "", "tool_calls": []}
        return heard

    def whole(self, value):
        heard = self.start()
        self.line(value, heard)
        need(heard.ended, "not done")
        self.close(heard)
        return heard

    def streamed(self, raw):
        heard = self.start()
        need(raw.endswith(b"\n"), "the last line has no end")
        for line in raw.decode("utf-8").split("\n")[:-1]:
            value = parse(line)
            need(not heard.ended and not heard.error, "something after the end")
            if "error" in value:
                heard.error = value["error"]
            else:
                self.line(value, heard)
        need(heard.ended or heard.error, "not done")
        self.close(heard)
        return heard

    def absorb(self, heard):
        self.messages.append(heard.native)

    def give(self, results):
        for call, text, failed in results:
            self.messages.append({"role": "tool", "tool_name": call.name, "content": text})

    def say(self, text):
        self.messages.append({"role": "user", "content": text})

    def error_message(self, value):
        return value["error"]
