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

namespace {

// Two calls made together, words of the user between their results.
const char* const kBetween = R"({"model":"m","input":[
  {"role":"user","content":"go"},
  {"type":"function_call","call_id":"call_a","name":"fa","arguments":"{}"},
  {"type":"function_call","call_id":"call_b","name":"fb","arguments":"{}"},
  {"type":"function_call_output","call_id":"call_a","output":"ra"},
  {"role":"user","content":"hurry"},
  {"type":"function_call_output","call_id":"call_b","output":"rb"}]})";

std::string roles(JsonValue messages) {
  std::string out;
  for (JsonValue message : wire::JsonElements(messages)) out += find_member(message, "role").string_or() + " ";
  return out;
}

// Each turn counts its calls from one.
std::string counted(const std::string& first, const std::string& second) {
  const auto turn = [](const std::string& id, const std::string& name) {
    return R"({"role":"assistant","tool_calls":[{"id":")" + id + R"(","type":"function","function":{"name":")" + name +
           R"(","arguments":"{}"}}]},{"role":"tool","tool_call_id":")" + id + R"(","content":"of )" + name + R"("})";
  };
  return chat(R"([{"role":"user","content":"go"},)" + turn(first, "f0") + R"(,{"role":"user","content":"more"},)" + turn(second, "f1") + "]");
}

}  // namespace

TEST_CASE("targets: results stand right behind their calls, whatever a client said between them") {
  for (const char* to : {"openai", "cohere", "ollama"}) {
    CAPTURE(to);
    const Sent sent = send("responses", to, kBetween);
    CHECK(roles(sent["messages"]) == "user assistant tool tool user ");
    CHECK(sent.body.find("rb") < sent.body.find("hurry"));
  }
  const Sent bedrock = send("responses", "bedrock", kBetween);
  CHECK(roles(bedrock["messages"]) == "user assistant user ");
  CHECK(bedrock.body.find("rb") < bedrock.body.find("hurry"));
  const Sent gemini = send("responses", "gemini", kBetween, "gemini-3-pro");
  CHECK(roles(gemini["contents"]) == "user model user user ");
  size_t together = 0;
  for (JsonValue part : wire::JsonElements(find_member(wire::find_element(gemini["contents"], 2), "parts"))) {
    if (find_member(part, "functionResponse").exists()) ++together;
  }
  CHECK(together == 2);
}

TEST_CASE("targets: an id that comes again in a later turn becomes another one, in the call and in its result") {
  const Sent claude = send("openai", "anthropic", counted("call_1", "call_1"));
  CHECK(claude.has(R"("id":"call_1","name":"f0")"));
  CHECK(claude.has(R"("id":"call_1_1","name":"f1")"));
  CHECK(claude.has(R"("tool_use_id":"call_1_1","content":"of f1")"));
  const Sent bedrock = send("openai", "bedrock", counted("call_1", "call_1"));
  CHECK(bedrock.has(R"("toolUseId":"call_1_1","name":"f1")"));
  CHECK(bedrock.has(R"("toolResult":{"toolUseId":"call_1_1")"));
  const Sent ollama = send("openai", "ollama", counted("call_1", "call_1"));
  CHECK(ollama.has(R"("content":"of f0","tool_name":"f0")"));
  CHECK(ollama.has(R"("content":"of f1","tool_name":"f1")"));
  const Sent gemini = send("openai", "gemini", counted("call_1", "call_1"), "gemini-2.5-pro");
  CHECK(gemini.has(R"("name":"f1","args":{},"id":"call_1_1")"));
  CHECK(gemini.has(R"({"name":"f1","response":{"result":"of f1"},"id":"call_1_1"})"));
  // Distinct ids stay as they are, even those that look made.
  const Sent apart = send("openai", "anthropic", counted("call_1_1", "call_1"));
  CHECK(apart.has(R"("tool_use_id":"call_1_1","content":"of f0")"));
  CHECK(apart.has(R"("tool_use_id":"call_1","content":"of f1")"));
}

TEST_CASE("targets: two calls of one turn with one id have their results in order") {
  const std::string body = chat(R"([{"role":"user","content":"go"},{"role":"assistant","tool_calls":[
      {"id":"0","type":"function","function":{"name":"fa","arguments":"{}"}},{"id":"0","type":"function","function":{"name":"fb","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"0","content":"ra"},{"role":"tool","tool_call_id":"0","content":"rb"}])");
  const Sent claude = send("openai", "anthropic", body);
  CHECK(claude.has(R"("tool_use_id":"0","content":"ra")"));
  CHECK(claude.has(R"("tool_use_id":"0_1","content":"rb")"));
  const Sent ollama = send("openai", "ollama", body);
  CHECK(ollama.has(R"("content":"ra","tool_name":"fa")"));
  CHECK(ollama.has(R"("content":"rb","tool_name":"fb")"));
}

TEST_CASE("targets: results of an Ollama client, which have no ids, carry their calls' ids to Gemini") {
  const Sent gemini = send("ollama", "gemini", R"({"model":"m","messages":[{"role":"user","content":"go"},
      {"role":"assistant","content":"","tool_calls":[{"id":"x1","function":{"name":"fa","arguments":{}}},{"id":"x2","function":{"name":"fb","arguments":{}}}]},
      {"role":"tool","content":"rb","tool_name":"fb"},{"role":"tool","content":"ra","tool_name":"fa"}]})", "gemini-2.5-pro");
  CHECK(gemini.has(R"({"name":"fa","response":{"result":"ra"},"id":"x1"})"));
  CHECK(gemini.has(R"({"name":"fb","response":{"result":"rb"},"id":"x2"})"));
  // Where nobody has ids there are none.
  const Sent bare = send("ollama", "gemini", R"({"model":"m","messages":[{"role":"user","content":"go"},
      {"role":"assistant","content":"","tool_calls":[{"function":{"name":"fa","arguments":{}}}]},{"role":"tool","content":"ra","tool_name":"fa"}]})", "gemini-2.5-pro");
  CHECK_FALSE(bare.has(R"("id")"));
}
