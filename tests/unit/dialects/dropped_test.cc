// Names of what a target cannot be told, where a stranger says very many of them.
#include <algorithm>

#include "catch.h"
#include "llmrouter/dropped.h"
#include "support.h"

using namespace llmrouter;
using namespace dialect_test;

namespace {

constexpr int kMany = 100000;

constexpr int kMembers = 1000;  // of one object: with more it is refused

// `before` i `after`, parted by commas.
std::string listed(std::string_view before, std::string_view after, int count = kMany) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    out.append(before).append(std::to_string(i)).append(after);
  }
  return out;
}

void check_bounded(std::string_view client, std::string_view upstream, const std::string& body, const std::string& first) {
  INFO(client << " to " << upstream << ": " << first);
  ProviderConfig config = provider();
  if (upstream == "bedrock") config.region = "eu-west-1";
  auto out = translate_request(client, upstream, body, config);
  if (!out) FAIL(out.error().message);
  const auto& dropped = out->request.dropped;
  REQUIRE(dropped.size() == kMaxDropped);
  CHECK(std::count(dropped.begin(), dropped.end(), first + "0") == 1);
  CHECK(std::count(dropped.begin(), dropped.end(), first + "1") == 1);
  CHECK(dropped.back() == "...");
}

}  // namespace

TEST_CASE("dropped: very many extra members of a part or a tool") {
  const std::string members = listed(R"("x)", R"(":1)", kMembers);
  const std::string part = R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a",)" + members + "}]}]}";
  for (const char* upstream : {"responses", "gemini", "ollama", "cohere", "bedrock"}) check_bounded("openai", upstream, part, "content.x");
  check_bounded("openai", "anthropic", part, "x");
  check_bounded("anthropic", "openai",
                R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":{"type":"object"},)" + members + "}]}", "tools.x");
}

TEST_CASE("dropped: very many kinds of tools, blocks and items") {
  const std::string head = R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"})";
  check_bounded("anthropic", "openai", head + R"(],"tools":[{"name":"f","input_schema":{"type":"object"}},)" + listed(R"({"type":"k)", R"("})") + "]}", "tools.k");
  check_bounded("anthropic", "openai", head + R"(,{"role":"assistant","content":[)" + listed(R"({"type":"k)", R"("})") + R"(]},{"role":"user","content":"b"}]})", "messages.k");
}

TEST_CASE("dropped: a name forges no other one") {
  auto out = translate_request("openai", "gemini", R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","q, tools.web_search":1,"r\n\u00e9":1}]}]})", provider());
  if (!out) FAIL(out.error().message);
  CHECK(out->request.dropped == std::vector<std::string>{"content.q??tools.web_search", "content.r???"});
}
