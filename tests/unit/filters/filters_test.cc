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
  }
  std::vector<StreamEvent::Kind> kinds;
  std::vector<std::string> texts;
  std::map<int64_t, std::string> all;
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

TEST_CASE("text filter: what cannot be used is said") {
  auto pattern = make_text_filter(config("(", ""));
  REQUIRE(!pattern.ok());
  CHECK(pattern.error().code == ErrorCode::kConfig);
  CHECK(pattern.error().param == "filters.f.pattern");
  auto replace = make_text_filter(config("a", "\\1"));
  REQUIRE(!replace.ok());
  CHECK(replace.error().param == "filters.f.replace");
}
