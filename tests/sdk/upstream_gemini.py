"""The scripted provider's third face: Google's API under /v1beta. Kinds of models as in upstream.py: plain, tools, json, think, status-NNN, cut-N."""
import base64
import json
import time
import urllib.parse

SIGNATURE = base64.b64encode(b"signature").decode()
ROOT = "/v1beta/models"


class GeminiFace:
    """Mixed into upstream.Handler."""

    def send_google_error(self, status, message):
        kind = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        self.send_json(status, {"error": {"code": status, "message": message, "status": kind}})

    def answer_google_list(self):
        self.send_json(200, {"models": [{"name": "models/" + m, "supportedGenerationMethods": ["generateContent"]} for m in ("plain", "tools")]})

    def answer_google(self, operation, request, key):
        if self.headers.get("x-goog-api-key") != key:
            return self.send_google_error(400, "API key not valid. Please pass a valid API key.")
        if operation == "countTokens":
            return self.send_json(200, {"totalTokens": 31})
        if operation == "batchEmbedContents":
            texts = [r["content"]["parts"][0]["text"] for r in request["requests"]]
            return self.send_json(200, {"embeddings": [{"values": [float(len(t)), -0.5, 0.25]} for t in texts]})
        if operation not in ("generateContent", "streamGenerateContent"):
            return self.send_google_error(404, f"no such operation {operation}")
        name, _, argument = request["model"].partition("+")[0].partition("-")
        if name == "status":
            return self.send_google_error(int(argument), f"scripted {argument}")
        stream = operation.startswith("stream")
        if name == "cut":
            return self.say_google(request, stream, *[[{"text": f"w{i} "}] for i in range(int(argument))], cut=True)
        steps = self.steps_for(name, request)
        if isinstance(steps, str):
            return self.send_google_error(400, steps)
        self.say_google(request, stream, *steps)

    @staticmethod
    def steps_for(name, request):
        """The parts to say, one list for each event; or what is wrong with the request."""
        said = [{"text": "Hello"}], [{"text": ", wörld!"}], [{"text": ""}]
        if name == "think":
            return [{"text": "hm", "thought": True}], [{"text": "So.", "thoughtSignature": SIGNATURE}]
        if name == "json":
            config = request["generationConfig"]
            return ([{"text": json.dumps({k: "Paris" for k in (config.get("responseSchema") or config["responseJsonSchema"])["properties"]})}],)
        if name != "tools":
            return said
        calls = [p for c in request["contents"] for p in c["parts"] if "functionCall" in p]
        if calls and calls[0].get("thoughtSignature") != SIGNATURE:
            return "Function call is missing a thought_signature in functionCall parts."
        results = [p["functionResponse"] for p in request["contents"][-1]["parts"] if "functionResponse" in p]
        if results:
            return ([{"text": "; ".join(json.dumps(r["response"]) for r in results)}],)
        if calls:
            return said
        calls = [{"functionCall": {"name": "get_weather", "args": {"city": city}}} for city in ("Paris", "Tokyo")]
        calls[0]["thoughtSignature"] = SIGNATURE
        return calls, [{"text": ""}]

    @staticmethod
    def google_step(request, answer_id, parts, finish=None):
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        step = {"candidates": [candidate], "modelVersion": request["model"], "responseId": answer_id, "novelTopMember": [1]}
        if finish:
            candidate["finishReason"] = finish
            step["usageMetadata"] = {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 18,
                                     "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 11}]}
        return step

    def say_google(self, request, stream, *steps, cut=False):
        answer_id = f"r{time.time_ns():x}"
        if not stream:
            return self.send_json(200, self.google_step(request, answer_id, [p for parts in steps for p in parts], "STOP"))
        self.begin_stream()
        for i, parts in enumerate(steps):
            finish = "STOP" if i + 1 == len(steps) and not cut else None
            self.send_piece(b"data: " + json.dumps(self.google_step(request, answer_id, parts, finish), ensure_ascii=False).encode() + b"\r\n\r\n")
        if cut:
            self.send_piece(b'data: {"candidates": [{"cont')
            return self.break_off()
        self.wfile.write(b"0\r\n\r\n")


def split(path):
    """(model, operation) of a path under ROOT."""
    model, _, operation = urllib.parse.unquote(urllib.parse.urlsplit(path).path[len(ROOT) + 1:]).rpartition(":")
    return model, operation
