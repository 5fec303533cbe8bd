"""What every pair of dialects is asked, in no dialect's words."""
import base64
import copy

# A PNG of one pixel.
PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

WEATHER = {
    "name": "get_weather", "description": "The weather at a place.",
    "schema": {"type": "object", "properties": {"city": {"type": "string", "description": "Where"}, "days": {"type": "integer"}},
               "required": ["city"]},
}
TIME = {
    "name": "get_time", "description": "The time at a place.",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
# Takes any text; clients whose dialect has no such tool have a function of one text.
PATCH = {
    "name": "apply_patch", "description": "Changes files.", "custom": True,
    "schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"], "additionalProperties": False},
}
PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"],
          "additionalProperties": False}


class Thought:
    def __init__(self, text, signature=None):
        self.text, self.signature = text, signature


class Call:
    def __init__(self, id, name, arguments, custom=False):
        self.id, self.name, self.arguments, self.custom = id, name, arguments, custom

    def __repr__(self):
        return "%s(%s)#%s" % (self.name, self.arguments, self.id)


class Usage:
    """`input` includes cached and written, `output` the reasoning; None: not said. `tier`: what served it."""

    def __init__(self, input=None, output=None, cached=0, written=0, reasoning=0, tier=None):
        self.input, self.output, self.cached, self.written, self.reasoning, self.tier = input, output, cached, written, reasoning, tier

    def __repr__(self):
        return "in %s (cached %s, written %s) out %s (reasoning %s)" % (self.input, self.cached, self.written, self.output, self.reasoning)


class Turn:
    """role: user, assistant or tool."""

    def __init__(self, role, text="", images=(), calls=(), results=(), thought=None):
        self.role, self.text, self.images, self.calls, self.results, self.thought = role, text, list(images), list(calls), list(results), thought

    def __repr__(self):
        return "%s:%r%s%s%s" % (self.role, self.text, self.images and " +images" or "", self.calls or "", self.results or "")


class Result:
    def __init__(self, id, name, text, error=False):
        self.id, self.name, self.text, self.error = id, name, text, error

    def __repr__(self):
        return "#%s=%r%s" % (self.id, self.text, " error" if self.error else "")


class Ask:
    """A conversation as a client wants it. Also what an upstream understood of what it was sent."""

    def __init__(self, model="", turns=(), system="", tools=(), choice=None, schema=None, max_tokens=None, temperature=None, stop=(),
                 effort=None, stream=False):
        self.model, self.turns, self.system, self.tools, self.choice = model, list(turns), system, list(tools), choice
        self.schema, self.max_tokens, self.temperature, self.stop, self.effort = schema, max_tokens, temperature, list(stop), effort
        self.stream = stream
        self.answer_tool = None  # (name, schema): the answer is wanted as the arguments of this tool


class Say:
    """An answer. finish: stop, length, tools, filter. error: (status, words), told before or (`inside`) after the text."""

    def __init__(self, text="", calls=(), thought=None, finish="stop", usage=None, error=None, inside=False, refusal=False):
        self.text, self.calls, self.thought, self.finish = text, list(calls), thought, finish
        self.usage = usage or Usage(100, 25)
        self.error, self.inside, self.refusal = error, inside, refusal


class Case:
    """ask: the first request. says: the answers, one a turn; after one with calls the client gives `results` for them and asks again.
    then: the user's next words after an answer without calls."""

    def __init__(self, name, ask, says, results=(), then=None):
        self.name, self.ask, self.says, self.results, self.then = name, ask, says, list(results), then

    def new_ask(self):
        return copy.deepcopy(self.ask)


def user(text, **more):
    return Turn("user", text, **more)


CASES = [
    Case("text", Ask(turns=[user("Hello, world")], system="Be brief.", max_tokens=64, temperature=0.5, stop=["END"]),
         [Say("Hé, wörld: “quotes”, \\ and \n new lines, 你好 🎉.")]),
    Case("dialogue", Ask(turns=[user("One"), Turn("assistant", "Two"), user("Three"), user("Four")], system="Count."), [Say("Five")]),
    Case("tool", Ask(turns=[user("Weather in Paris?")], tools=[WEATHER]),
         [Say(calls=[Call("call_a1", "get_weather", {"city": "Paris", "days": 2})], finish="tools"), Say("It is sunny.")],
         results=["sunny, 21 °C"]),
    Case("tools_parallel", Ask(turns=[user("Weather and time in Oslo?")], tools=[WEATHER, TIME], choice="required"),
         [Say("Let me look.", calls=[Call("call_a1", "get_weather", {"city": "Oslo"}), Call("call_b2", "get_time", {"city": "Oslo"})], finish="tools"),
          Say("Snow at noon.")],
         results=["snow", "12:00"]),
    Case("tool_no_arguments", Ask(turns=[user("Now?")], tools=[dict(TIME, schema={"type": "object", "properties": {}})]),
         [Say(calls=[Call("call_n1", "get_time", {})], finish="tools"), Say("Noon.")], results=["12:00"]),
    Case("tool_custom", Ask(turns=[user("Mend it")], tools=[WEATHER, PATCH]),
         [Say(calls=[Call("call_c1", "apply_patch", {"input": "*** Begin \"Patch\"\n+\ta \\ b 你好 🎉\n"})], finish="tools"), Say("Mended.")],
         results=["done"]),
    Case("tool_error", Ask(turns=[user("Weather in Atlantis?")], tools=[WEATHER]),
         [Say(calls=[Call("call_e1", "get_weather", {"city": "Atlantis"})], finish="tools"), Say("No such place.")],
         results=[("no such city", True)]),
    Case("image", Ask(turns=[user("What is this?", images=[("image/png", PIXEL)])]), [Say("A dot.")]),
    Case("schema", Ask(turns=[user("Ada is 36.")], schema=("person", PERSON)), [Say('{"name": "Ada", "age": 36}')]),
    Case("reasoning", Ask(turns=[user("Think about Rome.")], effort="high", max_tokens=8000, tools=[WEATHER]),
         [Say("", thought=Thought("Rome has weather. Ask.", "c2lnbmVkLWJ5LW1ha2VyLTE="), calls=[Call("call_r1", "get_weather", {"city": "Rome"})],
              finish="tools", usage=Usage(100, 50, reasoning=20)),
          Say("Mild.", thought=Thought("It is mild.", "c2lnbmVkLWJ5LW1ha2VyLTI="), usage=Usage(120, 40, reasoning=10))],
         results=["mild"]),
    Case("length", Ask(turns=[user("Go on")], max_tokens=3), [Say("One two", finish="length")]),
    Case("filter", Ask(turns=[user("Bad words")]), [Say("I can", finish="filter")]),
    Case("cache", Ask(turns=[user("Again")], system="A long text."), [Say("Cached.", usage=Usage(1000, 10, cached=900))]),
    Case("tier", Ask(turns=[user("Soon")]), [Say("Now.", usage=Usage(100, 25, tier="priority"))]),
    Case("error_before", Ask(turns=[user("Oops")]), [Say(error=(400, "the flux capacitor is unknown"))]),
    Case("error_busy", Ask(turns=[user("Busy")]), [Say(error=(429, "slow down, please"))]),
    Case("error_inside", Ask(turns=[user("Break")]), [Say("Half an ans", error=(500, "the wheels came off"), inside=True)]),
]
BY_NAME = {case.name: case for case in CASES}


def is_base64(text):
    try:
        base64.b64decode(text, validate=True)
        return True
    except ValueError:
        return False
