// think_tags and text filters, whole and streamed.
#include <algorithm>

#include "catch.h"
#include "llmrouter/filter.h"

using namespace llmrouter;

namespace {

struct Seen final : FilterOutput {
  void emit(const StreamEvent& e) override {
    kinds.push_back(e.kind);
    texts.push_back(std::string(e.text));
    if (e.kind == StreamEvent::Kind::kText) all[e.choice] += e.text;
    of_kind[e.kind] += e.text;
    arguments[e.tool_index] += e.arguments;
    if (!e.signature.empty()) signatures.push_back(std::string(e.signature));
  }
  std::vector<StreamEvent::Kind> kinds;
  std::vector<std::string> texts;
  std::map<int64_t, std::string> all;
  std::map<StreamEvent::Kind, std::string> of_kind;
  std::map<int64_t, std::string> arguments;  // of each tool call
  std::vector<std::string> signatures;
};

StreamEvent event(StreamEvent::Kind kind, std::string_view text = {}, int64_t choice = 0) {
  StreamEvent e;
  e.kind = kind;
  e.text = text;
  e.choice = choice;
  return e;
}

using Kind = StreamEvent::Kind;

TextFilterConfig config(std::string pattern, std::string replace) {
  TextFilterConfig c;
  c.name = "f";
  c.pattern = std::move(pattern);
  c.replace = std::move(replace);
  return c;
}

// A text as a stream in pieces of one size, filtered.
std::string streamed(const FilterFactory& factory, const std::string& text, size_t piece) {
  auto filter = factory();
  Seen seen;
  for (size_t at = 0; at < text.size(); at += piece) filter->on_event(event(Kind::kText, std::string_view(text).substr(at, piece)), seen);
  filter->on_event(event(Kind::kFinish), seen);
  REQUIRE(!seen.kinds.empty());
  CHECK(seen.kinds.back() == Kind::kFinish);
  return seen.all[0];
}

std::string whole(const FilterFactory& factory, const std::string& text) {
  ChatResponse response;
  response.choices.resize(1);
  response.choices[0].message.parts.push_back(Part::of_text(text));
  factory()->on_response(response);
  return response.choices[0].message.text();
}

}  // namespace

TEST_CASE("think_tags: thoughts become text between tags, of each choice apart") {
  auto filter = think_tags_filter()();
  Seen seen;
  filter->on_event(event(Kind::kStart), seen);
  filter->on_event(event(Kind::kReasoning, "let me"), seen);
  filter->on_event(event(Kind::kReasoning, "other", 1), seen);
  filter->on_event(event(Kind::kReasoning, " think"), seen);
  StreamEvent sign = event(Kind::kReasoning);
  sign.signature = "c2ln";
  filter->on_event(sign, seen);
  filter->on_event(event(Kind::kText, "four"), seen);
  filter->on_event(event(Kind::kFinish), seen);
  filter->on_event(event(Kind::kFinish, {}, 1), seen);
  CHECK(seen.all[0] == "<think>let me think</think>four");
  CHECK(seen.all[1] == "<think>other</think>");
  CHECK(std::count(seen.kinds.begin(), seen.kinds.end(), Kind::kReasoning) == 0);
  CHECK(seen.kinds.back() == Kind::kFinish);
}

TEST_CASE("think_tags: whole answers, and what earlier turns said") {
  ChatResponse response;
  response.choices.resize(1);
  Part thought;
  thought.kind = Part::Kind::kReasoning;
  thought.text = "hm";
  thought.signature = "c2ln";
  response.choices[0].message.parts = {thought, Part::of_text("four")};
  think_tags_filter()()->on_response(response);
  REQUIRE(response.choices[0].message.parts.size() == 1);
  CHECK(response.text() == "<think>hm</think>four");

  ChatRequest request = ChatRequest::of("m", "<think>mine</think>q");
  Message said;
  said.role = Role::kAssistant;
  said.parts.push_back(Part::of_text("<think>hm</think>four <think>kept</think>"));
  request.messages.push_back(said);
  said.parts[0].text = "<think>never closed";
  request.messages.push_back(said);
  REQUIRE(think_tags_filter()()->on_request(request).ok());
  CHECK(request.messages[0].text() == "<think>mine</think>q");
  CHECK(request.messages[1].text() == "four <think>kept</think>");
  CHECK(request.messages[2].text() == "<think>never closed");
}

TEST_CASE("text filter: the same however a stream is cut") {
  const std::string filler(700, 'x');
  struct Row {
    const char *pattern, *replace;
    std::string text, expected;
  };
  const Row rows[] = {
      {"cat", "dog", "cat " + filler + " cat concat " + filler + "cat", "dog " + filler + " dog condog " + filler + "dog"},
      {"(?i)(\\w+)@example\\.com", "<\\1>", filler + " Ann@Example.com and bob@example.com", filler + " <Ann> and <bob>"},
      {"^a", "b", "aaa" + filler + "a", "baa" + filler + "a"},
      {"\\bdog\\b", "cat", "dog hotdog dog" + filler + " dog dogs dog", "cat hotdog dog" + filler + " cat dogs cat"},
      {"é+", "e", "caféé " + filler + "é ü", "cafe " + filler + "e ü"},
      {"x{3}", "y", "xxxxxxx", "yyx"},
      {"a*", "-", "baac", "-b-c-"},
      {"$", "!", "end", "end!"},
      {"nothing", "", filler, filler},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    auto made = make_text_filter(config(row.pattern, row.replace));
    REQUIRE(made.ok());
    CHECK(whole(*made, row.text) == row.expected);
    for (size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{100}, row.text.size()}) {
      CAPTURE(piece);
      CHECK(streamed(*made, row.text, piece) == row.expected);
    }
  }
}

TEST_CASE("text filter: words come out before what follows them, and choices are apart") {
  auto made = make_text_filter(config("secret", "***"));
  REQUIRE(made.ok());
  auto filter = (*made)();
  Seen seen;
  filter->on_event(event(Kind::kText, "a sec"), seen);
  filter->on_event(event(Kind::kText, "other", 1), seen);
  filter->on_event(event(Kind::kUsage), seen);
  CHECK(seen.all[0].empty());
  filter->on_event(event(Kind::kText, "ret"), seen);
  filter->on_event(event(Kind::kToolCallBegin), seen);
  CHECK(seen.all[0] == "a ***");
  CHECK(seen.kinds.back() == Kind::kToolCallBegin);
  filter->on_event(event(Kind::kFinish, {}, 1), seen);
  CHECK(seen.all[1] == "other");
  // No more is held than has to be.
  const std::string megabyte(1 << 20, 'a');
  filter->on_event(event(Kind::kText, megabyte), seen);
  CHECK(seen.all[0].size() >= megabyte.size() - kTextFilterHold);
}

TEST_CASE("text filter: only where it is switched on") {
  TextFilterConfig c = config("a", "b");
  c.request = true;
  c.response = c.stream = false;
  auto made = make_text_filter(c);
  REQUIRE(made.ok());
  CHECK(whole(*made, "aa") == "aa");
  CHECK(streamed(*made, "aa", 1) == "aa");
  ChatRequest request = ChatRequest::of("m", "aa");
  REQUIRE((*made)()->on_request(request).ok());
  CHECK(request.messages[0].text() == "bb");
}

TEST_CASE("text filter: thoughts, refusals and arguments of whole answers and of requests") {
  TextFilterConfig c = config("secret[0-9]", "\"x\"");
  c.request = true;
  auto made = make_text_filter(c);
  REQUIRE(made.ok());
  Message m;
  m.role = Role::kAssistant;
  Part thought, signed_thought, refusal;
  thought.kind = signed_thought.kind = Part::Kind::kReasoning;
  thought.text = "a secret1";
  thought.signature = "s1";
  signed_thought.text = "harmless";
  signed_thought.signature = "s2";
  refusal.kind = Part::Kind::kRefusal;
  refusal.text = "no secret2";
  m.parts = {thought, signed_thought, refusal};
  ToolCall call;
  call.arguments = R"({"secret1":["secr\u0065t2\n\/",1.50,null],"lone":"\ud800 \ud83d\ude00","n":3})";
  m.tool_calls.push_back(call);
  auto check = [](const Message& out) {
    CHECK(out.parts[0].text == "a \"x\"");
    CHECK(out.parts[0].signature.empty());
    CHECK(out.parts[1].text == "harmless");
    CHECK(out.parts[1].signature == "s2");
    CHECK(out.parts[2].text == "no \"x\"");
    CHECK(out.tool_calls[0].arguments == "{\"\\\"x\\\"\":[\"\\\"x\\\"\\u000a/\",1.50,null],\"lone\":\"\\ud800 \xf0\x9f\x98\x80\",\"n\":3}");
  };
  ChatResponse response;
  response.choices.resize(1);
  response.choices[0].message = m;
  response.choices[0].logprobs = "{\"content\":[{\"token\":\"secret1\"}]}";
  (*made)()->on_response(response);
  check(response.choices[0].message);
  CHECK(response.choices[0].logprobs.empty());
  ChatRequest request;
  request.messages.push_back(m);
  REQUIRE((*made)()->on_request(request).ok());
  check(request.messages[0]);
}

TEST_CASE("text filter: thoughts, refusals and arguments of streams, however they are cut") {
  auto made = make_text_filter(config("secret[0-9]", "\"x\""));
  REQUIRE(made.ok());
  const std::string words = "my secret1 and secret2", filler(600, 'y');
  const std::string arguments = "{\"a\":\"" + filler + "secr\\u0065t1 \\ud83d\\ude00" + filler + "\",\"b\":\"secret2\\\\\",\"secret\":1}";
  const std::string expected = "{\"a\":\"" + filler + "\\\"x\\\" \xf0\x9f\x98\x80" + filler + "\",\"b\":\"\\\"x\\\"\\\\\",\"secret\":1}";
  for (size_t piece : {size_t{1}, size_t{2}, size_t{5}, size_t{100}, arguments.size()}) {
    CAPTURE(piece);
    auto filter = (*made)();
    Seen seen;
    for (Kind kind : {Kind::kReasoning, Kind::kRefusal}) {
      for (size_t at = 0; at < words.size(); at += piece) filter->on_event(event(kind, std::string_view(words).substr(at, std::min(piece, words.size() - at))), seen);
    }
    StreamEvent begin = event(Kind::kToolCallBegin);
    begin.tool_index = 1;
    filter->on_event(begin, seen);
    CHECK(seen.of_kind[Kind::kReasoning] == "my \"x\" and \"x\"");
    CHECK(seen.of_kind[Kind::kRefusal] == "my \"x\" and \"x\"");
    for (size_t at = 0; at < arguments.size(); at += piece) {
      StreamEvent delta = event(Kind::kToolCallDelta);
      delta.tool_index = 1;
      delta.arguments = std::string_view(arguments).substr(at, piece);
      filter->on_event(delta, seen);
    }
    CHECK(seen.arguments[1] == expected);
    filter->on_event(event(Kind::kFinish), seen);
    CHECK(seen.arguments[1] == expected);
  }
}

TEST_CASE("text filter: a seal over changed thoughts is taken away, and what spells words out") {
  auto made = make_text_filter(config("secret", "x"));
  REQUIRE(made.ok());
  auto filter = (*made)();
  Seen seen;
  StreamEvent seal = event(Kind::kReasoning);
  seal.signature = "s1";
  filter->on_event(event(Kind::kReasoning, "a secret"), seen);
  filter->on_event(seal, seen);
  seal.signature = "s2";
  filter->on_event(event(Kind::kReasoning, " b"), seen);
  filter->on_event(seal, seen);
  filter->on_event(event(Kind::kLogprobs), seen);
  CHECK(seen.of_kind[Kind::kReasoning] == "a x b");
  CHECK(seen.signatures == std::vector<std::string>{"s2"});
  CHECK(std::count(seen.kinds.begin(), seen.kinds.end(), Kind::kLogprobs) == 0);
  // What breaks off is not lost.
  StreamEvent begin = event(Kind::kToolCallBegin);
  begin.arguments = "{\"a\":\"sec";
  filter->on_event(begin, seen);
  filter->on_event(event(Kind::kFinish), seen);
  CHECK(seen.arguments[0] == "{\"a\":\"sec");
}

TEST_CASE("filters say which operations may pass without them") {
  TextFilterConfig c = config("a", "b");
  CHECK((*make_text_filter(c))()->may_miss(Operation::kEmbed));
  CHECK_FALSE((*make_text_filter(c))()->may_miss(Operation::kTranscribe));
  c.request = true;
  CHECK_FALSE((*make_text_filter(c))()->may_miss(Operation::kEmbed));
  CHECK(think_tags_filter()()->may_miss(Operation::kEmbed));
  CHECK_FALSE(Filter().may_miss(Operation::kEmbed));
}

TEST_CASE("text filter: what cannot be used is said") {
  auto pattern = make_text_filter(config("(", ""));
  REQUIRE(!pattern.ok());
  CHECK(pattern.error().code == ErrorCode::kConfig);
  CHECK(pattern.error().param == "filters.f.pattern");
  auto replace = make_text_filter(config("a", "\\1"));
  REQUIRE(!replace.ok());
  CHECK(replace.error().param == "filters.f.replace");
}
