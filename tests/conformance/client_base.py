"""What the clients of all dialects share. They are strict: what a vendor's own SDK would stumble over is a failure here."""
import json

from cases import Usage


class Broken(Exception):
    """The server said something its dialect does not allow."""


def need(condition, *words):
    if not condition:
        raise Broken(" ".join(str(w) for w in words))


class Heard:
    def __init__(self):
        self.text, self.thought, self.signature, self.calls, self.finish = "", "", "", [], None
        self.usage = Usage()
        self.error = None       # the message of an error event
        self.ended = False      # cleanly, as the dialect ends an answer
        self.id = None
        self.model = None
        self.native = None      # the assistant's turn as the client would send it back


def sse(raw):
    """(event name, data) of each event."""
    text = raw.decode("utf-8")
    need(text == "" or text.endswith("\n\n"), "the stream ends inside an event:", repr(text[-80:]))
    out = []
    for block in text.split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            if line.startswith(":") or line == "":
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            else:
                need(field in ("id", "retry"), "an SSE field nobody knows:", line)
        if data:
            out.append((name, "\n".join(data)))
        else:
            need(name is None, "an event without data:", name)
    return out


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        raise Broken("not JSON: " + repr(text[:200]))


def arguments(text):
    value = parse(text)
    need(isinstance(value, dict), "arguments are no object:", text)
    return value


def number(value, name):
    need(isinstance(value, int) and not isinstance(value, bool) and value >= 0, name, "is no count:", repr(value))
    return value


class Client:
    dialect = None
    carries = set()     # of: signature thought cache reasoning_tokens tool_error call_ids filter tier
    stream_type = "text/event-stream"

    def __init__(self, ask):
        self.ask = ask
        self.begin()

    def headers(self):
        return []

    # begin() makes self.messages; request(model, stream) -> (path, body); whole(value) -> Heard; streamed(raw) -> Heard;
    # absorb(heard); give(results) with [(call, text, failed)]; say(text); error_message(value)
