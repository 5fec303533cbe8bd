// What served an answer, in streams that are translated: from every dialect that says it to every one that has a place for it.
#include "catch.h"
#include "support.h"

using namespace dialect_test;

namespace {

struct Told {
  const char* dialect;
  std::string stream;
};

const std::string kText = R"("choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}])";

// A stream of each dialect, with `tier` where its vendor puts it.
std::vector<Told> streams(const std::string& tier) {
  const std::string chat = R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":")" + tier + R"(",)";
  const std::string claude = tier == "default" ? "standard" : tier;
  const std::string response = R"("response":{"id":"r","object":"response","created_at":1,"model":"m","output":[],"status":)";
  return {
      {"openai", chat + kText + "}\n\n" + chat + R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})" + "\n\ndata: [DONE]\n\n"},
      {"anthropic",
       R"(data: {"type":"message_start","message":{"id":"m","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1,"service_tier":")" + claude + "\"}}}\n\n" +
           R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})" + "\n\n" +
           R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}})" + "\n\n" +
           R"(data: {"type":"content_block_stop","index":0})" + "\n\n" +
           R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}})" + "\n\ndata: {\"type\":\"message_stop\"}\n\n"},
      {"responses",
       "data: {\"type\":\"response.created\"," + response + "\"in_progress\",\"service_tier\":\"auto\"}}\n\n" +
           R"(data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hi"})" + "\n\n" +
           "data: {\"type\":\"response.completed\"," + response + R"("completed","service_tier":")" + tier + "\"}}\n\n"},
  };
}

size_t count(const std::string& text, std::string_view words) {
  size_t n = 0;
  for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("service tier: a translated stream tells what served it") {
  for (const std::string tier : {"flex", "priority", "default"}) {
    const std::string member = "\"service_tier\":\"" + tier + "\"";
    for (const Told& told : streams(tier)) {
      INFO(told.dialect << " " << tier);
      const Recorder seen = feed(told.dialect, false, {told.stream});
      REQUIRE(seen.errors.empty());

      const std::string chat = write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})", seen);
      CHECK(count(chat, member) >= 1);
      CHECK(count(chat, "service_tier") == count(chat, member));
      const size_t finish = chat.find("\"finish_reason\":\"stop\"");
      REQUIRE(finish != std::string::npos);
      CHECK(chat.rfind(member, finish) > chat.rfind("data:", finish));  // the last chunk has it, whatever the upstream's order was
      read_strict(chat);

      const std::string responses = write_again("responses", R"({"model":"m","input":"q","stream":true,"service_tier":"auto"})", seen);
      const size_t completed = responses.find("event: response.completed");
      REQUIRE(completed != std::string::npos);
      CHECK(responses.find(member, completed) != std::string::npos);

      const std::string claude = write_again("anthropic", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"stream":true})", seen);
      const std::string word = R"("service_tier":")" + (tier == "default" ? "standard" : tier) + "\"";
      CHECK(count(claude, word) == 1);
      CHECK(count(claude, "service_tier") == 1);
      // The vendor's own place, where it is known by then.
      if (std::string(told.dialect) != "responses") CHECK(claude.find(word) < claude.find("content_block_start"));
    }
  }
}

TEST_CASE("service tier: an upstream that says none gets none added") {
  const std::string stream = R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":null,)" + kText + "}\n\n" +
                             R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})" + "\n\ndata: [DONE]\n\n";
  const Recorder seen = feed("openai", false, {stream});
  REQUIRE(seen.errors.empty());
  CHECK(count(write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}]})", seen), "service_tier") == 0);
  CHECK(count(write_again("anthropic", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}]})", seen), "service_tier") == 0);
  const std::string responses = write_again("responses", R"({"model":"m","input":"q"})", seen);
  CHECK(count(responses, "\"service_tier\":null") == count(responses, "service_tier"));
}
