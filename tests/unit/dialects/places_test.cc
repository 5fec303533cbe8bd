// Files and pictures that stand somewhere else: in a vendor's store, at a URL, or inside without a name.
#include "catch.h"
#include "dialects/media.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

std::string ask(const std::string& part) { return R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)" + part + "]}]}"; }
std::string ask_gemini(const std::string& part) { return R"({"model":"m","contents":[{"role":"user","parts":[)" + part + "]}]}"; }
// The field that is refused; empty: it is not.
std::string refused(std::string_view from, std::string_view to, const std::string& body) {
  auto out = translate_request(from, to, body);
  if (out) return {};
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}
std::string body_of(std::string_view from, std::string_view to, const std::string& body) {
  auto out = translate_request(from, to, body);
  if (!out) FAIL(out.error().message);
  return out->body;
}

}  // namespace

TEST_CASE("places: a file gets a name where its client had none and the vendor wants one") {
  const std::string pdf = ask_gemini(R"({"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}})");
  const std::string chat = body_of("gemini", "openai", pdf), responses = body_of("gemini", "responses", pdf);
  CHECK(find(JsonValue(chat), "messages", 0, "content", 0, "file", "filename").equals("file.pdf"));
  CHECK(find(JsonValue(responses), "input", 0, "content", 0, "filename").equals("file.pdf"));
  const std::string named = ask(R"({"type":"document","title":"a b.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}})");
  CHECK(find(JsonValue(body_of("anthropic", "openai", named)), "messages", 0, "content", 0, "file", "filename").equals("a b.pdf"));
  CHECK(dialects::file_name_of("application/x-unheard") == "file");
}

TEST_CASE("places: an id of one vendor's store goes to no other vendor") {
  const std::string claude = ask(R"({"type":"document","source":{"type":"file","file_id":"file_011C"}})");
  const std::string picture = ask(R"({"type":"image","source":{"type":"file","file_id":"file_011C"}})");
  for (std::string_view to : {"openai", "responses"}) {
    CHECK(refused("anthropic", to, claude) == "messages[0].content[0]");
    CHECK(refused("anthropic", to, picture) == "messages[0].content[0]");
  }
  const std::string openai = ask(R"({"type":"file","file":{"file_id":"file-abc"}})");
  CHECK(refused("openai", "anthropic", openai) == "messages[0].content[0]");
  CHECK(find(JsonValue(body_of("openai", "responses", openai)), "input", 0, "content", 0, "file_id").equals("file-abc"));
  // A client of any dialect may name a file of the vendor it asks.
  CHECK(refused("openai", "anthropic", ask(R"({"type":"file","file":{"file_id":"file_011C"}})")).empty());
  // A chat has no picture by id.
  CHECK(refused("responses", "openai", R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image","file_id":"file-abc"}]}]})") ==
        "messages[0].content[0]");
}

TEST_CASE("places: a picture of a tool that stands in another vendor's store is refused, not sent empty") {
  const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
    {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":{"type":"file","file_id":"file_011C"}}]}]}]})";
  CHECK(refused("anthropic", "openai", body) == "messages[2].content[0]");
  CHECK(refused("anthropic", "responses", body) == "messages[2].content[0]");
}

TEST_CASE("places: URLs that only one vendor understands") {
  const std::string stored = ask_gemini(R"({"fileData":{"mimeType":"image/png","fileUri":"gs://bucket/a.png"}})");
  for (std::string_view to : {"openai", "responses", "anthropic"}) CHECK(refused("gemini", to, stored) == "messages[0].content[0]");
  const std::string paper = ask(R"({"type":"document","source":{"type":"url","url":"https://example.org/a.pdf"}})");
  CHECK(refused("anthropic", "openai", paper) == "messages[0].content[0]");  // file_data holds bytes there
  CHECK(find(JsonValue(body_of("anthropic", "responses", paper)), "input", 0, "content", 0, "file_url").equals("https://example.org/a.pdf"));
  const std::string web = ask(R"({"type":"image","source":{"type":"url","url":"https://example.org/a.png"}})");
  CHECK(find(JsonValue(body_of("anthropic", "openai", web)), "messages", 0, "content", 0, "image_url", "url").equals("https://example.org/a.png"));
}
