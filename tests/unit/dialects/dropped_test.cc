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
  check_bounded("openai", "anthropic", part, "content.x");
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

namespace {

std::vector<std::string> lost(std::string_view client, std::string_view upstream, const std::string& body, std::string* sent = nullptr) {
  INFO(client << " to " << upstream << ": " << body);
  ProviderConfig config = provider();
  if (upstream == "bedrock") config.region = "eu-west-1";
  auto out = translate_request(client, upstream, body, config);
  if (!out) FAIL(out.error().message);
  if (sent != nullptr) *sent = out->body;
  return out->request.dropped;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("dropped: what a speaker is called, how closely to look, how short to tell") {
  const std::string named = R"({"model":"m","messages":[{"role":"user","name":"bob","content":"a"}]})";
  for (const char* upstream : {"gemini", "ollama", "anthropic", "cohere", "responses"}) CHECK(lost("openai", upstream, named) == Names{"messages.name"});
  const std::string looked = R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}]})";
  CHECK(lost("openai", "bedrock", looked) == Names{"detail"});
  const std::string told = R"({"model":"m","input":"a","reasoning":{"summary":"concise"}})";
  for (const char* upstream : {"openai", "ollama", "anthropic"}) CHECK(lost("responses", upstream, told) == Names{"reasoning_summary"});
}

TEST_CASE("dropped: names say where it stood") {
  const std::string tool = R"({"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"foo":1}}]})";
  for (const char* upstream : {"anthropic", "gemini", "cohere"}) CHECK(lost("openai", upstream, tool) == Names{"tools.function.foo"});
  const std::string options = R"({"model":"m","messages":[{"role":"user","content":"a"}],"options":{"num_ctx":4096,"mirostat":1,"temperature":0.5}})";
  CHECK(lost("ollama", "openai", options) == Names{"options.num_ctx", "options.mirostat"});
}

TEST_CASE("thinking that is switched on is switched on at Ollama") {
  for (const char* asked : {R"("enable_thinking":true)", R"("thinking":{"type":"enabled"})", R"("thinking":{"type":"adaptive"})"}) {
    std::string sent;
    CHECK(lost("openai", "ollama", R"({"model":"m","messages":[{"role":"user","content":"a"}],)" + std::string(asked) + "}", &sent).empty());
    CHECK(sent.find(R"("think":true)") != std::string::npos);
  }
}

TEST_CASE("a file in Google's own store goes to nobody else") {
  const std::string source = R"({"type":"url","url":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]})";
  for (const char* type : {"image", "document"}) {
    const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":")" + std::string(type) + R"(","source":)" + source;
    for (const char* upstream : {"openai", "responses", "anthropic", "cohere", "ollama", "bedrock"}) {
      INFO(type << " to " << upstream);
      ProviderConfig config = provider();
      if (std::string_view(upstream) == "bedrock") config.region = "eu-west-1";
      const auto out = translate_request("anthropic", upstream, body, config);
      REQUIRE_FALSE(out);
      CHECK(out.error().param == "messages[0].content[1]");
    }
    CHECK(translate_request("anthropic", "gemini", body));
  }
}

TEST_CASE("dropped: thoughts of the history that a target gets nothing of") {
  const auto claude = [](const std::string& block) {
    return R"({"model":"m","max_tokens":50,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[)" + block + R"({"type":"text","text":"Hi"}]},{"role":"user","content":"r"}]})";
  };
  const std::string signed_thought = claude(R"({"type":"thinking","thinking":"WORDS","signature":"SIG"},)"), hidden = claude(R"({"type":"redacted_thinking","data":"RED"},)");
  const std::string empty = claude(R"({"type":"thinking","thinking":"","signature":""},)");
  std::string sent;
  for (const char* upstream : {"openai", "responses", "gemini", "ollama", "cohere", "bedrock"}) {
    CAPTURE(upstream);
    CHECK(lost("anthropic", upstream, hidden, &sent) == Names{"reasoning"});
    CHECK(sent.find("RED") == std::string::npos);
    CHECK(lost("anthropic", upstream, empty).empty());
    // Its words reach all that have a place for another model's thoughts.
    const bool told = upstream != std::string_view("responses") && upstream != std::string_view("bedrock");
    CHECK(lost("anthropic", upstream, signed_thought, &sent) == (told ? Names{} : Names{"reasoning"}));
    CHECK((sent.find("WORDS") != std::string::npos) == told);
  }
  ProviderConfig silent = provider();
  silent.quirks = {"no_reasoning_back"};
  CHECK(translate_request("anthropic", "openai", signed_thought, silent)->request.dropped == Names{"reasoning"});
  const std::string foreign = R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"RED"},{"role":"assistant","content":"Hi"},{"role":"user","content":"r"}]})";
  for (const char* upstream : {"openai", "gemini", "anthropic", "ollama", "cohere", "bedrock"}) CHECK(lost("responses", upstream, foreign) == Names{"reasoning"});
}
