// What the meter learns of a stream that is passed on: how much it says, and which counts are not the last.
#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace dialect_test;

namespace {

struct Counting final : Recorder {
  size_t said = 0;
  void on_payload(size_t bytes) override { said += bytes; }
};

Counting relayed(std::string_view dialect, const std::string& stream) {
  Counting seen;
  auto codec = reading(dialect, true, 1);
  codec->feed(stream, seen);
  return seen;
}

std::string data(const std::string& json) { return "data: " + json + "\n\n"; }
std::string openai(const std::string& delta, const std::string& finish = "null", const std::string& more = {}) {
  return data(R"({"id":"c","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + "}]" + more + "}");
}

}  // namespace

TEST_CASE("payload: what OpenAI's chunks say is counted, in the quick look and the close one") {
  const std::string more = GENERATE("", R"(,"usage":{"prompt_tokens":4,"completion_tokens":1})");  // usage: looked at closely
  const std::string finish = GENERATE("null", "\"stop\"");
  CAPTURE(more, finish);
  const auto said = [&](const std::string& delta) { return relayed("openai", openai(delta, finish, more)).said; };
  CHECK(said(R"({"role":"assistant","content":""})") == 0);
  CHECK(said(R"({"content":"0123456789"})") == 10);
  CHECK(said(R"({"content":"a\nb"})") == 4);
  CHECK(said(R"({"reasoning_content":"012345","content":null})") == 6);
  CHECK(said(R"({"reasoning":"01234"})") == 5);
  CHECK(said(R"({"refusal":"012"})") == 3);
  CHECK(said(R"({"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"0123456"}}]})") == 7);
}

TEST_CASE("payload: what the other dialects' events say is counted") {
  const auto anthropic = [](const std::string& json) { return relayed("anthropic", data(json)).said; };
  CHECK(anthropic(R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"0123"}})") == 4);
  CHECK(anthropic(R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"012"}})") == 3);
  CHECK(anthropic(R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"01"}})") == 2);
  CHECK(anthropic(R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"0123456789"}})") == 0);
  CHECK(anthropic(R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"01"}})") == 2);
  CHECK(relayed("gemini", data(R"({"candidates":[{"content":{"parts":[{"text":"0123"},{"text":"01","thought":true}]},"finishReason":"STOP"}]})")).said == 6);
  CHECK(relayed("responses", data(R"({"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"0123"})")).said == 4);
  CHECK(relayed("cohere", data(R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"0123"}}}})")).said == 4);
  CHECK(relayed("ollama", "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"0123\"},\"done\":false}\n").said == 4);
}

TEST_CASE("payload: counts of an answer under way are marked, the last ones are not") {
  for (bool relay : {true, false}) {
    CAPTURE(relay);
    const auto usage = [&](std::string_view dialect, const std::string& stream) {
      Recorder seen;
      auto codec = reading(dialect, relay, 1);
      codec->feed(stream, seen);
      return seen.last_usage().value();
    };
    const std::string start = data(R"({"type":"message_start","message":{"id":"m","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":8,"output_tokens":1}}})");
    CHECK(usage("anthropic", start).estimated);
    CHECK(usage("anthropic", start).input == 8);
    CHECK_FALSE(usage("anthropic", start + data(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}})")).estimated);
    CHECK(usage("anthropic", start + data(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9}})")).estimated);

    const auto step = [](const std::string& finish, const std::string& counts) {
      return data(R"({"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"index":0)" + finish + R"(}],"usageMetadata":{"promptTokenCount":8)" + counts + "}}");
    };
    CHECK(usage("gemini", step("", "")).estimated);
    CHECK(usage("gemini", step("", R"(,"candidatesTokenCount":3)")).estimated);
    CHECK(usage("gemini", step(R"(,"finishReason":"STOP")", "")).estimated);
    CHECK_FALSE(usage("gemini", step(R"(,"finishReason":"STOP")", R"(,"candidatesTokenCount":3)")).estimated);
    CHECK_FALSE(usage("gemini", data(R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":8}})")).estimated);

    const std::string counts = R"(,"usage":{"prompt_tokens":4,"completion_tokens":1})";
    CHECK(usage("openai", openai(R"({"content":"a"})", "null", counts)).estimated);
    CHECK_FALSE(usage("openai", openai(R"({"content":"a"})", "\"stop\"", counts)).estimated);
    CHECK_FALSE(usage("openai", openai(R"({"content":"a"})") + data(R"({"choices":[])" + counts + "}")).estimated);
  }
}

TEST_CASE("payload: the last counts of a stream stand when it has ended whole, without others beside the end") {
  const bool relay = GENERATE(true, false);
  CAPTURE(relay);
  const auto usage = [&](std::string_view dialect, const std::string& stream) {
    Recorder seen;
    auto codec = reading(dialect, relay, 1);
    codec->feed(stream, seen);
    codec->finish(seen);
    return print(seen.last_usage().value());
  };
  const auto counts = [](int output) { return R"(,"usage":{"prompt_tokens":40,"completion_tokens":)" + std::to_string(output) + "}"; };
  const std::string null = R"(,"usage":null)", done = "data: [DONE]\n\n", exact = "40 0 0 9 0 0 0 0 known", guess = exact + " estimated";
  const std::string hello = openai(R"({"role":"assistant","content":"Hel"})", "null", null), lo = openai(R"({"content":"lo"})", "null", counts(9));
  for (const std::string& end : {openai("{}", "\"stop\"", null), openai("{}", "\"stop\""), openai("{}", "\"stop\"", null) + data(R"({"choices":[],"usage":null})")}) {
    CAPTURE(end);
    CHECK(usage("openai", hello + lo + end + done) == exact);
    CHECK(usage("openai", hello + lo + end) == exact);
    CHECK(usage("openai", openai(R"({"content":"H"})", "null", counts(3)) + lo + end) == exact);
    CHECK(usage("openai", hello + lo + openai(R"({"content":"!"})") + end) == guess);
  }
  CHECK(usage("openai", hello + lo + done) == exact);  // no finish reason, but the terminator
  const std::string call = openai(R"({"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{}"}}]})", "null", counts(9));
  CHECK(usage("openai", call + openai("{}", "\"tool_calls\"", null)) == exact);
  CHECK(usage("openai", hello + lo + openai("{}", "\"stop\"", counts(12))) == "40 0 0 12 0 0 0 0 known");
  // No end, or counts that cannot be of what was said.
  CHECK(usage("openai", hello + lo) == guess);
  CHECK(usage("openai", hello + lo + openai(R"({"content":"!"})")) == guess);
  CHECK(usage("openai", hello + lo + data(R"({"error":{"message":"boom","code":500}})")) == guess);
  CHECK(usage("openai", hello + lo + openai("{}", "\"error\"")) == guess);
  const std::string role = openai(R"({"role":"assistant","content":""})", "null", counts(1));
  CHECK(usage("openai", role + hello + openai("{}", "\"stop\"", null) + done) == "40 0 0 1 0 0 0 0 known estimated");
  CHECK(usage("openai", openai(R"({"content":"a"})", "null", counts(0)) + openai("{}", "\"stop\"", null)) == "40 0 0 0 0 0 0 0 known estimated");
  CHECK(usage("openai", role + openai("{}", "\"stop\"", null) + done) == "40 0 0 1 0 0 0 0 known");  // nothing was said

  const auto step = [](const std::string& text, const std::string& finish, const std::string& count) {
    return data(R"({"candidates":[{"content":{"role":"model","parts":[{"text":")" + text + R"("}]},"index":0)" + finish + R"(}],"usageMetadata":)" + count + "}");
  };
  const std::string stop = R"(,"finishReason":"STOP")", traffic = R"({"trafficType":"ON_DEMAND"})";
  const std::string first = step("hi", "", R"({"promptTokenCount":40,"candidatesTokenCount":9,"totalTokenCount":49})");
  CHECK(usage("gemini", first + step("", stop, traffic)) == exact);
  CHECK(usage("gemini", first + step("!", stop, traffic)) == guess);
  CHECK(usage("gemini", first + step("!", "", traffic)) == guess);
  CHECK(usage("gemini", step("hi", "", R"({"promptTokenCount":40,"totalTokenCount":40})") + step("", stop, traffic)) == "40 0 0 0 0 0 0 0 known estimated");
}
