// Streams that leave their grammar: an error, or what was meant; never a clean end with calls or words lost, doubled or made up.
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace dialect_test;

namespace {

struct Event {
  std::string bytes;
  bool piece = false;  // of words or arguments: that one is lost, or said twice, nobody can know
};
using Events = std::vector<Event>;

std::string sse(const std::string& json) { return "data: " + json + "\n\n"; }

// What a caller ends up with.
std::string meant(const Recorder& seen) {
  std::string out;
  for (const auto& [index, choice] : answer_of(seen).choices) {
    out += std::to_string(index) + ": " + choice.reasoning + "|" + choice.text + "|" + choice.finish;
    for (const auto& call : choice.calls) out += "|" + call.name + call.arguments;
  }
  return out;
}

Recorder told(std::string_view dialect, const Events& events) {
  std::string stream;
  for (const Event& event : events) stream += event.bytes;
  return feed(dialect, false, {stream});
}

void check(std::string_view dialect, const Events& events, const std::string& right) {
  const Recorder seen = told(dialect, events);
  std::string stream;
  for (const Event& event : events) stream += event.bytes;
  INFO(stream);
  CHECK(seen.errors.size() <= 1);
  if (!seen.errors.empty()) CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
  else CHECK(meant(seen) == right);
}

void check_all(std::string_view dialect, const Events& events) {
  const Recorder whole = told(dialect, events);
  REQUIRE(whole.errors.empty());
  const std::string right = meant(whole);
  for (size_t i = 0; i < events.size(); ++i) {
    Events changed = events;
    if (i + 1 < events.size() && !(events[i].piece && events[i + 1].piece)) {
      std::swap(changed[i], changed[i + 1]);
      check(dialect, changed, right);
    }
    if (events[i].piece) continue;
    changed = events;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), events[i]);
    check(dialect, changed, right);
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i), changed.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    check(dialect, changed, right);
  }
}

void check_broken(std::string_view dialect, const std::string& stream, std::string_view words) {
  INFO(stream);
  const Recorder seen = feed(dialect, false, {stream});
  REQUIRE(seen.errors.size() == 1);
  CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
  CHECK(seen.errors[0].message.find(words) != std::string::npos);
}

std::string anthropic_event(const std::string& json) { return sse("{\"type\":" + json + "}"); }
std::string open_block(int index, const std::string& block) {
  return anthropic_event(R"("content_block_start","index":)" + std::to_string(index) + R"(,"content_block":)" + block);
}
std::string block_delta(int index, const std::string& delta) {
  return anthropic_event(R"("content_block_delta","index":)" + std::to_string(index) + R"(,"delta":)" + delta);
}
std::string close_block(int index) { return anthropic_event(R"("content_block_stop","index":)" + std::to_string(index)); }
const std::string kMessageStart =
    anthropic_event(R"("message_start","message":{"id":"m","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":8,"output_tokens":1}})");
const std::string kMessageEnd =
    anthropic_event(R"("message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9})") + anthropic_event(R"("message_stop")");
const std::string kToolF = R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}})", kToolG = R"({"type":"tool_use","id":"toolu_2","name":"g","input":{}})";
const std::string kInput = R"({"type":"input_json_delta","partial_json":"{\"a\":1}"})";

std::string response_event(const std::string& json) { return sse("{\"type\":\"response." + json + "}"); }
std::string call_item(const std::string& name, const std::string& arguments) {
  return R"({"type":"function_call","id":"fc_)" + name + R"(","call_id":"call_)" + name + R"(","name":")" + name + R"(","arguments":")" + arguments + "\"}";
}
const std::string kArgs = R"({\"a\":1})";
const std::string kMessageItem = R"({"type":"message","id":"msg","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[]}]})";

Events responses_events() {
  const auto at = [](int index) { return "\"output_index\":" + std::to_string(index); };
  return {{response_event(R"(created","response":{"id":"r","model":"m","status":"in_progress","output":[]})")},
          {response_event("output_item.added\"," + at(0) + R"(,"item":{"type":"message","id":"msg","role":"assistant","content":[]})")},
          {response_event("output_text.delta\"," + at(0) + R"(,"content_index":0,"delta":"Hi")"), true},
          {response_event("output_text.done\"," + at(0) + R"(,"content_index":0,"text":"Hi")")},
          {response_event("output_item.done\"," + at(0) + ",\"item\":" + kMessageItem)},
          {response_event("output_item.added\"," + at(1) + ",\"item\":" + call_item("f", ""))},
          {response_event("function_call_arguments.delta\"," + at(1) + ",\"delta\":\"" + kArgs + '"'), true},
          {response_event("function_call_arguments.done\"," + at(1) + ",\"arguments\":\"" + kArgs + '"')},
          {response_event("output_item.done\"," + at(1) + ",\"item\":" + call_item("f", kArgs))},
          {response_event("output_item.added\"," + at(2) + ",\"item\":" + call_item("g", ""))},
          {response_event("function_call_arguments.done\"," + at(2) + ",\"arguments\":\"{}\"")},
          {response_event("output_item.done\"," + at(2) + ",\"item\":" + call_item("g", "{}"))},
          {response_event(R"(completed","response":{"id":"r","model":"m","status":"completed","output":[)" + kMessageItem + "," + call_item("f", kArgs) + "," +
                          call_item("g", "{}") + "]}")}};
}

std::string cohere_event(const std::string& type, int index, const std::string& message) {
  return sse(R"({"type":")" + type + R"(","index":)" + std::to_string(index) + R"(,"delta":{"message":)" + message + "}}");
}
std::string cohere_start(int index, const std::string& name) {
  return cohere_event("tool-call-start", index, R"({"tool_calls":{"id":")" + name + R"(_1","type":"function","function":{"name":")" + name + R"(","arguments":""}}})");
}
std::string cohere_args(int index) { return cohere_event("tool-call-delta", index, R"({"tool_calls":{"function":{"arguments":"{\"a\":1}"}}})"); }
std::string cohere_end(int index) { return sse(R"({"type":"tool-call-end","index":)" + std::to_string(index) + "}"); }
const std::string kCohereBegin = sse(R"({"id":"i","type":"message-start","delta":{"message":{"role":"assistant"}}})");
std::string cohere_finish(const std::string& word) {
  return sse(R"({"type":"message-end","delta":{"finish_reason":")" + word + R"(","usage":{"tokens":{"input_tokens":8,"output_tokens":9}}}})");
}

std::string google(const std::string& parts, const std::string& finish = {}) {
  return sse(R"({"candidates":[{"content":{"role":"model","parts":[)" + parts + R"(]},"index":0)" +
             (finish.empty() ? "" : R"(,"finishReason":")" + finish + '"') + R"(}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":9}})");
}

}  // namespace

TEST_CASE("grammar: an event that is lost, told twice or told too early is an error, or what was meant") {
  check_all("anthropic", {{kMessageStart},
                          {open_block(0, R"({"type":"thinking","thinking":"","signature":""})")},
                          {block_delta(0, R"({"type":"thinking_delta","thinking":"hm"})"), true},
                          {close_block(0)},
                          {open_block(1, R"({"type":"text","text":""})")},
                          {block_delta(1, R"({"type":"text_delta","text":"Hi"})"), true},
                          {close_block(1)},
                          {open_block(2, kToolF)},
                          {block_delta(2, kInput), true},
                          {close_block(2)},
                          {open_block(3, kToolG)},
                          {close_block(3)},
                          {anthropic_event(R"("message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9})")},
                          {anthropic_event(R"("message_stop")")}});
  check_all("responses", responses_events());
  check_all("cohere", {{kCohereBegin},
                       {cohere_event("tool-plan-delta", 0, R"({"tool_plan":"hm"})"), true},
                       {cohere_start(0, "f")},
                       {cohere_args(0), true},
                       {cohere_end(0)},
                       {cohere_start(1, "g")},
                       {cohere_end(1)},
                       {cohere_finish("TOOL_CALL")}});
}

TEST_CASE("grammar: anthropic: a call begun twice, ended without a beginning, or gone on with after its end") {
  check_broken("anthropic", kMessageStart + open_block(0, kToolF) + open_block(0, kToolF) + block_delta(0, kInput) + close_block(0) + kMessageEnd, "anew");
  check_broken("anthropic", kMessageStart + open_block(0, kToolF) + block_delta(0, kInput) + close_block(0) + close_block(1) + kMessageEnd, "never began");
  check_broken("anthropic", kMessageStart + open_block(0, kToolF) + close_block(0) + block_delta(0, kInput) + kMessageEnd, "never began");
  // A text is what it is without its start, and may begin where the one before was not ended.
  const std::string text = block_delta(0, R"({"type":"text_delta","text":"Hi"})"), start = open_block(0, R"({"type":"text","text":""})");
  for (const std::string& body : {text + close_block(0), start + start + text + close_block(0), start + text + close_block(0) + close_block(0), start + text + open_block(0, kToolF) + close_block(0)}) {
    const Recorder seen = feed("anthropic", false, {kMessageStart + body + kMessageEnd});
    CHECK(seen.errors.empty());
    CHECK(answer_of(seen).choices.at(0).text == "Hi");
  }
}

TEST_CASE("grammar: responses: pieces behind the whole of them, or behind the end") {
  const Events right = responses_events();
  const auto stream = [&](std::vector<size_t> order) {
    std::string out;
    for (size_t i : order) out += right[i].bytes;
    return out;
  };
  check_broken("responses", stream({0, 1, 2, 3, 4, 5, 7, 6, 8, 12}), "has ended");           // arguments.done before its delta
  check_broken("responses", stream({0, 1, 3, 2, 4, 12}), "has ended");                        // output_text.done before its delta
  check_broken("responses", stream({0, 1, 2, 3, 4, 5, 8, 6, 12}), "has ended");               // item.done before its delta
  check_broken("responses", stream({0, 1, 2, 3, 4, 12, 5}), "behind its end");                // a call behind `completed`
  check_broken("responses", stream({0, 1, 12, 2}), "behind its end");                         // text behind it
  const std::string bare = response_event(R"(completed","response":{"id":"r","model":"m","status":"completed","output":[]})");
  check_broken("responses", stream({0, 1, 2, 3, 4, 6}) + bare, "never began");
  check_broken("responses", stream({0, 1, 2, 3, 4, 6, 5}) + bare, "before a tool call did");  // arguments of which a part may be lacking
  // Another answer behind it is no part of this one.
  const Recorder twice = feed("responses", false, {stream({0, 1, 2, 3, 4, 12, 0, 1, 2, 3, 4, 12})});
  CHECK(twice.errors.empty());
  CHECK(answer_of(twice).choices.at(0).text == "Hi");
  // All of them are said once more somewhere.
  for (const auto& order : {std::vector<size_t>{0, 1, 2, 5, 6, 12}, {0, 1, 2, 5, 12}, {0, 1, 2, 6, 5, 7, 12}, {0, 1, 2, 6, 8, 12}, {0, 1, 2, 6, 5, 12}}) {
    const Recorder seen = feed("responses", false, {stream(order)});
    REQUIRE(seen.errors.empty());
    CHECK(meant(seen) == "0: |Hi|tool_calls|f{\"a\":1}");
  }
}

TEST_CASE("grammar: cohere: a call that never began, begins anew, goes on behind its end, or has none") {
  const std::string end = cohere_finish("TOOL_CALL");
  check_broken("cohere", kCohereBegin + cohere_start(0, "f") + cohere_end(0) + cohere_args(0) + end, "has ended");
  check_broken("cohere", kCohereBegin + cohere_start(0, "f") + cohere_start(0, "f") + cohere_args(0) + cohere_end(0) + end, "anew");
  check_broken("cohere", kCohereBegin + cohere_start(0, "f") + cohere_args(0) + cohere_end(0) + cohere_end(1) + end, "never began");
  check_broken("cohere", kCohereBegin + cohere_start(0, "f") + end, "before a tool call did");
  check_broken("cohere", kCohereBegin + cohere_start(0, "f") + cohere_args(0) + cohere_end(0) + end + cohere_start(1, "g"), "behind its end");
  // Its arguments are all there; and the length limit may cut a call.
  CHECK(meant(feed("cohere", false, {kCohereBegin + cohere_start(0, "f") + cohere_args(0) + end})) == "0: ||tool_calls|f{\"a\":1}");
  CHECK(feed("cohere", false, {kCohereBegin + cohere_start(0, "f") + cohere_finish("MAX_TOKENS")}).errors.empty());
}

TEST_CASE("grammar: gemini: what comes behind a finishReason is told, and the last one counts") {
  const std::string call = R"({"functionCall":{"name":"f","args":{"a":1}}})";
  CHECK(meant(feed("gemini", false, {google(R"({"text":"Hi"})", "STOP") + google(call)})) == "0: |Hi|tool_calls|f{\"a\":1}");
  // Older models say STOP in each chunk.
  CHECK(meant(feed("gemini", false, {google(R"({"text":"Hi"})", "STOP") + google(R"({"text":" you"})", "STOP") + google(R"({"text":"!"})", "MAX_TOKENS")})) == "0: |Hi you!|length");
  const Recorder seen = feed("gemini", false, {google(R"({"text":"Hi"})", "STOP") + google(R"({"text":" you"})", "STOP")});
  CHECK(answer_of(seen).choices.at(0).finishes == 1);
  CHECK_FALSE(seen.last_usage()->estimated);
}

TEST_CASE("grammar: ollama: what comes behind the last line is an error") {
  const std::string hello = R"({"model":"m","message":{"role":"assistant","content":"Hi"},"done":false})", done = R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"})";
  const std::string call = R"({"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false})";
  check_broken("ollama", hello + "\n" + done + "\n" + call + "\n", "behind its end");
  check_broken("ollama", done + "\n" + hello + "\n", "behind its end");
  CHECK(feed("ollama", false, {hello + "\n" + done + "\n" + done + "\n\n"}).errors.empty());
}

TEST_CASE("grammar: openai: what the same answer says behind its finish reason is an error") {
  const auto chunk = [](const std::string& id, const std::string& delta, const std::string& finish = "null") {
    return sse(R"({"id":")" + id + R"(","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + "}]}");
  };
  const std::string hello = chunk("c", R"({"role":"assistant","content":"Hi"})"), stop = chunk("c", "{}", "\"stop\""), done = "data: [DONE]\n\n";
  for (const char* delta : {R"({"content":"!"})", R"({"reasoning_content":"hm"})", R"({"refusal":"no"})", R"({"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{}"}}]})"}) {
    check_broken("openai", hello + stop + chunk("c", delta) + done, "behind its finish reason");
    check_broken("openai", hello + stop + chunk("c", delta, "\"stop\"") + done, "behind its finish reason");
    // Another answer behind it is no part of this one.
    CHECK(meant(feed("openai", false, {hello + stop + chunk("d", delta) + done})) == "0: |Hi|stop");
  }
  CHECK(feed("openai", false, {hello + stop + chunk("c", R"({"role":"assistant","content":""})", "\"stop\"") + done}).errors.empty());
}
