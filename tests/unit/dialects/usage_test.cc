// Usage that an upstream tells more than once in one answer.
#include <string>

#include "catch.h"
#include "support.h"
#include "unit/event_stream_support.h"

using namespace dialect_test;

namespace {

struct Told {
  const char* dialect;
  std::string before, behind;  // of `"usage":...` in a whole answer
  std::string name, first, second;
};

std::string without_stream(std::string_view upstream, std::string_view body, bool relay) {
  auto codec = reading(upstream, relay);
  if (relay) {
    const auto facts = codec->inspect(body);
    REQUIRE(facts);
    return print(facts->usage);
  }
  const auto response = codec->decode(body);
  REQUIRE(response);
  return print(response->usage);
}

}  // namespace

TEST_CASE("of a usage that comes twice in one answer the last that is not null counts") {
  const std::string openai_counts[] = {R"({"prompt_tokens":1,"completion_tokens":2})", R"({"prompt_tokens":30,"completion_tokens":40})"};
  const std::string plain_counts[] = {R"({"input_tokens":1,"output_tokens":2})", R"({"input_tokens":30,"output_tokens":40})"};
  const std::string cohere_counts[] = {R"({"tokens":{"input_tokens":1,"output_tokens":2}})", R"({"tokens":{"input_tokens":30,"output_tokens":40}})"};
  const std::string google_counts[] = {R"({"promptTokenCount":1,"candidatesTokenCount":2})", R"({"promptTokenCount":30,"candidatesTokenCount":40})"};
  const std::string bedrock_counts[] = {R"({"inputTokens":1,"outputTokens":2})", R"({"inputTokens":30,"outputTokens":40})"};
  const Told whole[] = {
      {"openai", R"({"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],)", "}", "usage", openai_counts[0], openai_counts[1]},
      {"responses", R"({"object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],)", "}", "usage",
       plain_counts[0], plain_counts[1]},
      {"anthropic", R"({"type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn",)", "}", "usage", plain_counts[0], plain_counts[1]},
      {"cohere", R"({"message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE",)", "}", "usage", cohere_counts[0], cohere_counts[1]},
      {"gemini", R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],)", "}", "usageMetadata", google_counts[0], google_counts[1]},
      {"bedrock", R"({"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"end_turn",)", "}", "usage", bedrock_counts[0], bedrock_counts[1]},
  };
  for (const Told& t : whole) {
    const auto body = [&](std::initializer_list<std::string> told) {
      std::string out = t.before;
      for (const std::string& one : told) out += '"' + t.name + "\":" + one + ',';
      out.pop_back();
      return out + t.behind;
    };
    for (const bool relay : {true, false}) {
      if (relay && std::string_view(t.dialect) == "bedrock") continue;  // has no clients
      INFO(t.dialect << (relay ? " relayed" : " translated"));
      const std::string expected = without_stream(t.dialect, body({t.second}), relay);
      CHECK(expected != without_stream(t.dialect, body({t.first}), relay));
      CHECK(without_stream(t.dialect, body({t.first, t.second}), relay) == expected);
      CHECK(without_stream(t.dialect, body({t.second, "null"}), relay) == expected);
      CHECK(without_stream(t.dialect, body({"null", t.second}), relay) == expected);
    }
  }
}

TEST_CASE("of a usage that comes twice in one event of a stream the last that is not null counts") {
  const auto last = [](std::string_view name, bool relay, const std::string& stream) {
    const Recorder seen = feed(name, relay, {stream});
    REQUIRE(seen.errors.empty());
    const auto usage = seen.last_usage();
    REQUIRE(usage);
    return *usage;
  };
  const std::string responses = "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"item_id\":\"i\",\"delta\":\"a\"}\n\n"
                                "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":2},"
                                "\"usage\":{\"input_tokens\":30,\"output_tokens\":40},\"usage\":null}}\n\n";
  const std::string cohere = "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n"
                             "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":1,\"output_tokens\":2}},"
                             "\"usage\":{\"tokens\":{\"input_tokens\":3,\"input_tokens\":30,\"output_tokens\":40}},\"usage\":null}}\n\n";
  const std::string openai = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2},"
                             "\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":40},\"usage\":null}\n\ndata: [DONE]\n\n";
  const std::string anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
                                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\n"
                                "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
                                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2},"
                                "\"usage\":{\"input_tokens\":30,\"output_tokens\":40},\"usage\":null}\n\n"
                                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  for (const bool relay : {true, false}) {
    for (const auto& [name, stream] : {std::pair<const char*, const std::string*>{"responses", &responses}, {"cohere", &cohere}, {"openai", &openai}, {"anthropic", &anthropic}}) {
      INFO(name << (relay ? " relayed" : " translated"));
      const TokenUsage usage = last(name, relay, *stream);
      CHECK(usage.input == 30);
      CHECK(usage.output == 40);
    }
  }
  using event_stream_test::event;
  const TokenUsage bedrock = last("bedrock", false,
                                  event("messageStart", R"({"role":"assistant"})") + event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"a"}})") +
                                      event("messageStop", R"({"stopReason":"end_turn"})") +
                                      event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":2},"usage":{"inputTokens":3,"inputTokens":30,"outputTokens":40},"usage":null})"));
  CHECK(bedrock.input == 30);
  CHECK(bedrock.output == 40);
}

TEST_CASE("audio that was read from a cache is counted apart, for its price") {
  const Told kinds[] = {
      {"openai", R"({"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],)", "}", "usage",
       R"({"prompt_tokens":1000,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":200,"audio_tokens":500,"cached_tokens_details":{"text_tokens":100,"audio_tokens":100}}})", {}},
      {"responses", R"({"object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],)", "}", "usage",
       R"({"input_tokens":1000,"output_tokens":1,"input_tokens_details":{"cached_tokens":200,"audio_tokens":500,"cached_tokens_details":{"audio_tokens":100}}})", {}},
      {"gemini", R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],)", "}", "usageMetadata",
       R"({"promptTokenCount":1000,"candidatesTokenCount":1,"cachedContentTokenCount":200,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":500},{"modality":"TEXT","tokenCount":500}],
           "cacheTokensDetails":[{"modality":"TEXT","tokenCount":100},{"modality":"AUDIO","tokenCount":100}]})", {}},
  };
  for (const Told& t : kinds) {
    INFO(t.dialect);
    const std::string body = t.before + '"' + t.name + "\":" + t.first + t.behind;
    const auto facts = reading(t.dialect, true)->inspect(body);
    const auto response = reading(t.dialect, false)->decode(body);
    REQUIRE(facts);
    REQUIRE(response);
    for (const TokenUsage& usage : {facts->usage, response->usage}) {
      CHECK(usage.cached == 200);
      CHECK(usage.audio_input == 500);
      CHECK(usage.cached_audio == 100);
    }
  }
  // A part is never more than its whole.
  const auto lie = reading("openai", true)->inspect(
      R"({"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":9,"cached_tokens_details":{"audio_tokens":7}}}})");
  REQUIRE(lie);
  CHECK(lie->usage.cached_audio == 4);
}
