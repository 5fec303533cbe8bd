// How an answer ended, where it ended badly, as clients of other dialects hear it.
#include "answered.h"

using namespace dialect_test;

namespace {

bool holds(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

std::string chat_answer(const std::string& message, const std::string& finish) {
  return R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",)" + message + R"(},"finish_reason":")" + finish +
         R"("}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})";
}

std::string chat_stream(const std::string& delta, const std::string& finish) {
  const std::string head = R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)";
  return head + delta + ",\"finish_reason\":null}]}\n\n" + head + "{},\"finish_reason\":\"" + finish + "\"}]}\n\ndata: [DONE]\n\n";
}

std::string anthropic_answer(const std::string& reason) {
  return R"({"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":")" + reason +
         R"(","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}})";
}

}  // namespace

TEST_CASE("a call that the length limit cut is nobody's to run") {
  const std::string calls = R"("tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"whole","arguments":"{\"b\":2}"}},)"
                            R"({"index":1,"id":"call_2","type":"function","function":{"name":"torn","arguments":"{\"a\":"}}])";
  for (const bool stream : {false, true}) {
    const std::string answer = stream ? chat_stream(R"({"role":"assistant",)" + calls + "}", "length") : chat_answer(R"("content":"I call",)" + calls, "length");
    for (const char* client : {"gemini", "ollama", "anthropic", "responses"}) {
      const std::string got = answered("openai", client, answer, stream);
      INFO(client << (stream ? " streamed: " : " whole: ") << got);
      CHECK(holds(got, "whole"));
      CHECK_FALSE(holds(got, R"("input":"{)"));
      if (std::string_view(client) == "responses") CHECK(holds(got, R"("status":"incomplete","call_id":"call_2")"));
      if (std::string_view(client) == "responses") CHECK(holds(got, R"("status":"completed","call_id":"call_1")"));
      if (std::string_view(client) == "gemini" || std::string_view(client) == "ollama") CHECK_FALSE(holds(got, "torn"));
    }
  }
  const std::string whole = answered("openai", "anthropic", chat_answer(R"("content":null,)" + calls, "length"), false);
  CHECK_FALSE(holds(whole, "torn"));
  CHECK(holds(whole, R"("stop_reason":"max_tokens")"));
  // Not cut: what is no object is told as it always was.
  CHECK(holds(answered("openai", "gemini", chat_answer(R"("content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"words"}}])", "tool_calls"), false),
              R"("args":{"input":"words"})"));
}

TEST_CASE("a stop sequence is told to who has a word for it") {
  const std::string cohere = R"({"id":"x","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}]},"finish_reason":"STOP_SEQUENCE","usage":{"tokens":{"input_tokens":1,"output_tokens":1}}})";
  CHECK(holds(answered("cohere", "anthropic", cohere, false), R"("stop_reason":"stop_sequence")"));
  CHECK(holds(answered("anthropic", "cohere", anthropic_answer("stop_sequence"), false), R"("finish_reason":"STOP_SEQUENCE")"));
  CHECK(holds(answered("anthropic", "cohere", anthropic_answer("end_turn"), false), R"("finish_reason":"COMPLETE")"));
  CHECK(holds(answered("cohere", "openai", cohere, false), R"("finish_reason":"stop")"));
}

TEST_CASE("an end that is known to be no clean one is not told as one where the dialect has another word") {
  const std::string gemini = R"({"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"UNEXPECTED_TOOL_CALL","index":0}],"modelVersion":"m"})";
  const std::pair<const char*, std::string> ends[] = {{"anthropic", anthropic_answer("pause_turn")}, {"anthropic", anthropic_answer("compaction")}, {"gemini", gemini},
                                                      {"openai", chat_answer(R"("content":"Hi")", "abort")}};
  for (const auto& [upstream, answer] : ends) {
    INFO(upstream << ": " << answer);
    const std::string responses = answered(upstream, "responses", answer, false);
    CHECK(holds(responses, R"("status":"incomplete","background")"));
    CHECK(holds(responses, R"("incomplete_details":null)"));
    CHECK(holds(answered(upstream, "cohere", answer, false), R"("finish_reason":"ERROR")"));
    if (std::string_view(upstream) != "gemini") CHECK(holds(answered(upstream, "gemini", answer, false), R"("finishReason":"OTHER")"));
  }
  CHECK(holds(answered("openai", "responses", chat_stream(R"({"role":"assistant","content":"Hi"})", "abort"), true), "event: response.incomplete"));
  // A word that nobody knows may well mean "stop".
  CHECK(holds(answered("openai", "responses", chat_answer(R"("content":"Hi")", "all_said"), false), R"("status":"completed","background")"));
}
