// What a vendor keeps of a conversation, or hands out where it alone can read it: no other target answers a request that goes on from there.
#include <algorithm>

#include "catch.h"
#include "support.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace dialect_test;
using wire::JsonValue;

namespace {

const char* const kDialects[] = {"openai", "responses", "anthropic", "gemini", "ollama", "cohere", "bedrock"};

Result<Encoded> ask(std::string_view client, std::string_view upstream, const std::string& body) {
  ProviderConfig config = provider();
  if (upstream == "bedrock") config.region = "eu-west-1";
  return translate_request(client, upstream, body, config);
}

std::string claude(const std::string& members, const std::string& messages = R"({"role":"user","content":"q"})") {
  return R"({"model":"m","max_tokens":5,)" + members + R"("messages":[)" + messages + "]}";
}

std::string items(const std::string& item) { return R"({"model":"m","input":[)" + item + R"(,{"role":"user","content":"q"}]})"; }

bool has(const std::vector<std::string>& list, std::string_view name) { return std::find(list.begin(), list.end(), name) != list.end(); }

}  // namespace

TEST_CASE("a thread that goes on is refused by whoever has to translate it, in words that the vendor's tools act on") {
  for (const char* thread : {R"("thread":{"type":"continue","previous_message_id":"msg_1"},)", R"("thread":{"type":"tomorrow"},)", R"("thread":"msg_1",)"}) {
    for (const char* upstream : kDialects) {
      INFO(thread << upstream);
      auto out = ask("anthropic", upstream, claude(thread));
      REQUIRE(!out.ok());
      CHECK(out.error().code == ErrorCode::kInvalidRequest);
      CHECK(out.error().param == "thread");
      std::string told;
      dialect("anthropic")->new_client_codec()->encode_error(out.error(), told);
      const JsonValue error = wire::find_member(JsonValue(told), "error");
      CHECK(wire::find_member(error, "type").equals("invalid_request_error"));
      CHECK(canonical(wire::find_member(error, "details")) == canonical(R"({"error_code":"thread_unsupported_request","unsupported":["thread"]})"));
    }
  }
  CHECK(relay_request("anthropic", claude(R"("thread":{"type":"continue","previous_message_id":"msg_1"},)")).ok());
}

TEST_CASE("a thread that is to begin has all of its conversation in the request: the wish is dropped by name") {
  for (const char* upstream : kDialects) {
    INFO(upstream);
    auto out = ask("anthropic", upstream, claude(R"("thread":{"type":"create"},)"));
    REQUIRE(out.ok());
    const bool own = std::string_view(upstream) == "anthropic";
    CHECK(has(out->request.dropped, "thread") == !own);
    CHECK((out->body.find("thread") != std::string::npos) == own);
    CHECK(ask("anthropic", upstream, claude(R"("thread":null,)")).ok());
  }
}

TEST_CASE("codes about threads reach the vendor's tools where they look for them, written anew as well") {
  HttpHead head;
  head.status = 404;
  const Error error = dialect("anthropic")->new_upstream_codec()->parse_error(
      head, R"({"type":"error","error":{"type":"not_found_error","message":"no thread","details":{"error_code":"thread_not_found"}}})");
  CHECK(error.code == ErrorCode::kUpstreamRejected);
  CHECK(error.upstream_code == "thread_not_found");
  std::string told;
  dialect("anthropic")->new_client_codec()->encode_error(error, told);
  CHECK(wire::find(JsonValue(told), "error", "details").raw() == R"({"error_code":"thread_not_found"})");
}

TEST_CASE("a conversation in short is text to every dialect, and its own block to its own") {
  const std::string body = claude("", R"({"role":"user","content":"q"},{"role":"assistant","content":[{"type":"compaction","content":"in short"},{"type":"text","text":"a"}]},)"
                                      R"({"role":"user","content":"r"})");
  for (const char* upstream : kDialects) {
    INFO(upstream);
    auto out = ask("anthropic", upstream, body);
    REQUIRE(out.ok());
    CHECK(out->body.find("in short") != std::string::npos);
    CHECK((out->body.find("compaction") != std::string::npos) == (std::string_view(upstream) == "anthropic"));
    CHECK_FALSE(has(out->request.dropped, "messages.compaction"));
  }
}

TEST_CASE("files of text, search results and documents put together of texts are words to who has no such thing") {
  const auto asked = [](const std::string& block) { return claude("", R"({"role":"user","content":[)" + block + R"(,{"type":"text","text":"q"}]})"); };
  const std::string document = R"({"type":"document","title":"TITLE","source":{"type":"text","media_type":"text/plain","data":"plain words"}})";
  const std::string found = R"({"type":"search_result","source":"https://a.example/b","title":"TITLE","content":[{"type":"text","text":"plain words"},{"type":"text","text":"and more"}]})";
  const std::string made = R"({"type":"document","title":"TITLE","source":{"type":"content","content":[{"type":"text","text":"plain words"}]}})";
  for (const char* upstream : kDialects) {
    INFO(upstream);
    const bool own = std::string_view(upstream) == "anthropic", wordless = std::string_view(upstream) == "cohere" || std::string_view(upstream) == "ollama";
    for (const std::string& block : {found, made}) {
      auto out = ask("anthropic", upstream, asked(block));
      REQUIRE(out.ok());
      CHECK(out->body.find("TITLE") != std::string::npos);
      CHECK(out->body.find("plain words") != std::string::npos);
      CHECK((out->body.find("\"search_result\"") != std::string::npos) == (own && block == found));
      if (!own && block == found) CHECK(out->body.find("TITLE\\nhttps://a.example/b\\n\\nplain words\\n\\nand more") != std::string::npos);
    }
    auto out = ask("anthropic", upstream, asked(document));
    REQUIRE(out.ok());
    if (wordless) CHECK(out->body.find("TITLE\\n\\nplain words") != std::string::npos);
    // Of a tool, too.
    const std::string result = claude("", R"({"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},)"
                                          R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[)" + found + "]}]}");
    CHECK(ask("anthropic", upstream, result)->body.find("plain words") != std::string::npos);
  }
  // What is no text is refused by its place, as before.
  const std::string picture = R"({"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]}})";
  const std::string pdf = R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QUJD"}})";
  for (const std::string& block : {picture, pdf}) {
    auto out = ask("anthropic", "cohere", asked(block));
    REQUIRE_FALSE(out.ok());
    CHECK(out.error().param == "messages[0].content[0]");
  }
  // Words need no model that takes files.
  auto scanned = dialect("anthropic")->new_client_codec();
  const std::string text = asked(document), file = asked(pdf);
  CHECK_FALSE(scanned->scan(text)->has_file);
  CHECK(dialect("anthropic")->new_client_codec()->scan(file)->has_file);
}

TEST_CASE("items that only their maker can read, and kinds of tomorrow that say something, are refused by their place") {
  for (const char* item : {R"({"type":"compaction","id":"cmp_1","encrypted_content":"gAAA"})", R"({"type":"additional_tools","tools":[]})",
                           R"({"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"f"}]})", R"({"type":"hologram","text":"words"})",
                           R"({"type":"hologram","inside":{"text":"words"}})", R"({"type":"holo\"gram","list":[1]})"}) {
    for (const char* upstream : kDialects) {
      INFO(item << upstream);
      auto out = ask("responses", upstream, items(R"({"role":"user","content":"p"},)" + std::string(item)));
      REQUIRE(!out.ok());
      CHECK(out.error().code == ErrorCode::kInvalidRequest);
      CHECK(out.error().param == "input[1]");
    }
    CHECK(relay_request("responses", items(item)).ok());
  }
}

TEST_CASE("items that say nothing, and what hosted tools did, are left out by name") {
  for (const auto& [item, name] : {std::pair(R"({"type":"hologram","id":"h","status":"completed","on":true,"text":"","list":[],"more":null})", "input.hologram"),
                                   std::pair(R"({"type":"holo\"gram"})", "input.holo\"gram"), std::pair(R"({"type":"shell_call","action":{"commands":["ls"]}})", "input.shell_call")}) {
    INFO(item);
    auto out = ask("responses", "openai", items(item));
    REQUIRE(out.ok());
    CHECK(has(out->request.dropped, name));
  }
}
