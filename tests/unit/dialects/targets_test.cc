// What a target takes of any client's request: media by their types, ids, names, texts and formats in the shape that its vendor wants.
#include <algorithm>

#include "catch.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

struct Sent {
  std::string body, refused;  // the field
  std::vector<std::string> dropped;
  JsonValue operator[](std::string_view name) const { return find_member(JsonValue(body), name); }
  bool has(std::string_view text) const { return body.find(text) != std::string::npos; }
  bool names(std::string_view name) const { return std::find(dropped.begin(), dropped.end(), name) != dropped.end(); }
};

Sent send(std::string_view from, std::string_view to, const std::string& body, std::string model = "claude-sonnet-4-5") {
  ProviderConfig config = provider();
  if (to == "bedrock") config.region = "eu-west-1";
  auto out = translate_request(from, to, body, config, std::move(model));
  Sent sent;
  if (!out) {
    CHECK(out.error().code == ErrorCode::kInvalidRequest);
    sent.refused = out.error().param;
    return sent;
  }
  CHECK(wire::validate(out->body));
  sent.body = out->body;
  sent.dropped = out->request.dropped;
  return sent;
}

std::string chat(const std::string& messages, const std::string& more = {}) {
  return R"({"model":"m","messages":)" + messages + (more.empty() ? "" : "," + more) + "}";
}
std::string picture(const std::string& url) {
  return chat(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":")" + url + R"("}}]}])");
}

}  // namespace

TEST_CASE("targets: a picture's type is spelt as the vendor spells it, whatever case and alias its data: URL has") {
  for (const char* url : {"data:image/jpg;base64,/9j/AA==", "DATA:IMAGE/JPEG;BASE64,/9j/AA==", "data:image/pjpeg;x=y;base64,/9j/AA=="}) {
    CAPTURE(url);
    CHECK(send("openai", "anthropic", picture(url)).has(R"({"type":"base64","media_type":"image/jpeg","data":"/9j/AA=="})"));
    CHECK(send("openai", "gemini", picture(url)).has(R"({"mimeType":"image/jpeg","data":"/9j/AA=="})"));
    CHECK(send("openai", "bedrock", picture(url)).has(R"({"format":"jpeg","source":{"bytes":"/9j/AA=="}})"));
    CHECK(send("openai", "ollama", picture(url)).has(R"("images":["/9j/AA=="])"));
  }
  // A label that says nothing: the bytes do.
  CHECK(send("openai", "anthropic", picture("data:application/octet-stream;base64,iVBORw0K")).has(R"("media_type":"image/png")"));
}

TEST_CASE("targets: pictures that Anthropic does not take are refused by their place, not sent as URLs") {
  for (const char* url : {"data:image/svg+xml;utf8,<svg/>", "data:image/bmp;base64,Qk0=", "data:image/png,AAAA"}) {
    CAPTURE(url);
    CHECK(send("openai", "anthropic", picture(url)).refused == "messages[0].content[0]");
  }
  const std::string svg = picture("data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>");
  CHECK(send("openai", "gemini", svg).refused == "messages[0].content[0]");
  CHECK(send("openai", "bedrock", svg).refused == "messages[0].content[0]");
  CHECK(send("openai", "anthropic", picture("https://a.example/a.bmp")).has(R"({"type":"url","url":"https://a.example/a.bmp"})"));
}

TEST_CASE("targets: an Ollama client may leave the data: URL around its pictures") {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"?","images":["data:image/jpg;base64,/9j/AA==","iVBORw0K"]}]})";
  const Sent claude = send("ollama", "anthropic", body);
  CHECK(claude.has(R"({"type":"base64","media_type":"image/jpeg","data":"/9j/AA=="})"));
  CHECK(claude.has(R"({"type":"base64","media_type":"image/png","data":"iVBORw0K"})"));
  CHECK(send("ollama", "ollama", body).has(R"("images":["/9j/AA==","iVBORw0K"])"));
}
