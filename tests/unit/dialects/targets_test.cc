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

namespace {

const std::string kLong(100, 'n');
const std::string kOdd = "mcp.server/tool:name";

// A request by the neutral form with these tools, all called before, the last one chosen; encoded, and the codec kept for the answer.
struct Named {
  Named(std::string_view to, const std::vector<std::string>& tools, bool foreign = true, bool stream = false) : codec(dialect(to)->new_upstream_codec()) {
    ChatRequest chat = ChatRequest::of("m", "x");
    Message calls;
    calls.role = Role::kAssistant;
    for (const std::string& name : tools) {
      chat.tools.emplace_back();
      chat.tools.back().name = name;
      calls.tool_calls.push_back({"id" + std::to_string(calls.tool_calls.size()), name, "{}", {}, {}});
    }
    chat.messages.push_back(calls);
    for (const ToolCall& call : calls.tool_calls) {
      Message result;
      result.role = Role::kTool;
      result.tool_call_id = call.id;
      result.name = call.name;
      result.parts.push_back(Part::of_text("r"));
      chat.messages.push_back(result);
    }
    chat.tool_choice.kind = ToolChoice::Kind::kNamed;
    chat.tool_choice.name = tools.back();
    ProviderConfig config = provider();
    config.region = "eu-west-1";
    EncodeInput input;
    input.chat = &chat;
    input.provider = &config;
    input.upstream_model = to == "gemini" ? "gemini-2.5-pro" : "claude-sonnet-4-5";
    input.foreign = foreign;
    input.stream = stream;
    EncodedRequest out;
    REQUIRE(codec->encode(input, out).ok());
    for (std::string_view piece : out.http.body) body += piece;
    REQUIRE(wire::validate(body));
  }
  // As the tools are declared.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    const JsonValue root(body);
    JsonValue list = find(root, "toolConfig", "tools");
    if (!list.exists()) list = find_member(root, "tools");
    if (const JsonValue google = find_member(wire::find_element(list, 0), "functionDeclarations"); google.exists()) list = google;
    for (JsonValue tool : wire::JsonElements(list)) {
      if (const JsonValue spec = find_member(tool, "toolSpec"); spec.exists()) tool = spec;
      if (const JsonValue function = find_member(tool, "function"); function.exists()) tool = function;
      out.push_back(find_member(tool, "name").string_or());
    }
    return out;
  }
  size_t count(const std::string& text) const {
    size_t n = 0;
    for (size_t at = body.find(text); at != std::string::npos; at = body.find(text, at + 1)) ++n;
    return n;
  }
  std::unique_ptr<UpstreamCodec> codec;
  std::string body;
};

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string::npos;
}

}  // namespace

TEST_CASE("targets: a tool's name that the vendor's rule does not take is fitted, everywhere in the request, and stays distinct") {
  for (const char* to : {"anthropic", "bedrock", "responses", "openai", "gemini"}) {
    CAPTURE(to);
    const std::string other = "mcp.server/tool.name", same = "plain_name";
    const Named named(to, {kOdd, other, kLong, kLong + "x", same});
    const std::vector<std::string> names = named.names();
    REQUIRE(names.size() == 5);
    for (size_t i = 0; i < names.size(); ++i) {
      std::string plain = names[i];
      if (std::string_view(to) == "gemini") plain.erase(std::remove(plain.begin(), plain.end(), '.'), plain.end());
      CHECK(is_plain_name(plain));
      CHECK(names[i].size() <= 64);
      for (size_t j = 0; j < i; ++j) CHECK(names[i] != names[j]);
    }
    CHECK(names[4] == same);
    CHECK(named.count(kOdd) == 0);
    CHECK(named.count(kLong) == 0);
    CHECK(named.count('"' + names[0] + '"') >= 2);  // the tool and the call
    // The same name has the same form beside others.
    CHECK(Named(to, {"a", kOdd}).names()[1] == names[0]);
    // The choice.
    const Named chosen(to, {kOdd});
    CHECK(chosen.count('"' + names[0] + '"') >= 3);
    // A tool that has that very name already.
    const Named taken(to, {names[0], kOdd});
    CHECK(taken.names()[0] == names[0]);
    CHECK(taken.names()[1] != names[0]);
    // Of its own dialect's clients names stay: its vendor judges them.
    CHECK(Named(to, {kOdd}, false).names()[0] == kOdd);
  }
  CHECK(Named("gemini", {"ns.tool"}).names()[0] == "ns.tool");
  CHECK(Named("gemini", {"1st"}).names()[0].substr(0, 4) == "_1st");
  CHECK(Named("anthropic", {"ns.tool"}).names()[0].substr(0, 8) == "ns_tool_");
}

TEST_CASE("targets: calls of an answer have the caller's names again, whole and streamed") {
  struct Case {
    const char *to, *whole, *stream;
  };
  const Case cases[] = {
      {"anthropic",
       R"({"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"tool_use","id":"t","name":"NAME","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}})",
       "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":1}}}\n\n"
       "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"NAME\",\"input\":{}}}\n\n"
       "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
       "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":1}}\n\n"
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
      {"bedrock", R"({"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"NAME","input":{}}}]}},"stopReason":"tool_use"})", ""},
      {"gemini", R"({"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"NAME","args":{}}}]},"finishReason":"STOP"}]})",
       "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"NAME\",\"args\":{}}}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"},
      {"openai",
       R"({"id":"c","object":"chat.completion","model":"g","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"NAME","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})",
       "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"NAME\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n"
       "data: [DONE]\n\n"},
      {"responses",
       R"({"id":"r","object":"response","status":"completed","model":"g","output":[{"type":"function_call","id":"f","call_id":"t","name":"NAME","arguments":"{}"}]})",
       "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"id\":\"f\",\"call_id\":\"t\",\"name\":\"NAME\",\"arguments\":\"\"}}\n\n"
       "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"id\":\"f\",\"call_id\":\"t\",\"name\":\"NAME\",\"arguments\":\"{}\"}}\n\n"
       "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"model\":\"g\",\"output\":[]}}\n\n"},
  };
  const auto with = [](std::string text, const std::string& name) {
    for (size_t at; (at = text.find("NAME")) != std::string::npos;) text.replace(at, 4, name);
    return text;
  };
  for (const Case& c : cases) {
    CAPTURE(c.to);
    for (const std::string& name : {kOdd, kLong, std::string("plain")}) {
      const Named whole(c.to, {name});
      auto answer = whole.codec->decode(with(c.whole, whole.names()[0]));
      REQUIRE(answer.ok());
      REQUIRE(answer->choices.at(0).message.tool_calls.size() == 1);
      CHECK(answer->choices[0].message.tool_calls[0].name == name);
      if (*c.stream == '\0') continue;
      const Named streamed(c.to, {name}, true, true);
      Recorder seen;
      const std::string stream = with(c.stream, streamed.names()[0]);
      for (size_t i = 0; i < stream.size(); i += 7) streamed.codec->feed(std::string_view(stream).substr(i, 7), seen);
      streamed.codec->finish(seen);
      CHECK(seen.errors.empty());
      const Answer told = answer_of(seen);
      REQUIRE(told.choices.count(0) == 1);
      REQUIRE(told.choices.at(0).calls.size() == 1);
      CHECK(told.choices.at(0).calls[0].name == name);
    }
  }
}

TEST_CASE("targets: texts that would run together are set apart where a dialect has room for one; pieces of an answer are not") {
  const std::string claude = R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":"You are A."},{"type":"text","text":"Rules: B"}],"messages":[
    {"role":"user","content":[{"type":"text","text":"One."},{"type":"text","text":"Two."},{"type":"text","text":" Three."}]},
    {"role":"assistant","content":[{"type":"text","text":"It is "},{"type":"text","text":"cited"},{"type":"text","text":"."},{"type":"tool_use","id":"t","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"ra"},{"type":"text","text":"rb"}]}]}]})";
  const Sent ollama = send("anthropic", "ollama", claude);
  CHECK(ollama.has(R"("content":"You are A.\n\nRules: B")"));
  CHECK(ollama.has(R"("content":"One.\n\nTwo. Three.")"));
  CHECK(ollama.has(R"("content":"It is cited.")"));
  CHECK(ollama.has(R"("content":"ra\n\nrb")"));
  CHECK(send("anthropic", "gemini", claude, "gemini-2.5-pro").has(R"("response":{"result":"ra\n\nrb"})"));
  // Responses has room for all of them.
  CHECK(send("anthropic", "responses", claude).has(R"([{"type":"output_text","text":"It is "},{"type":"output_text","text":"cited"},{"type":"output_text","text":"."}])"));
}

TEST_CASE("targets: OpenAI's Responses takes wav and mp3") {
  const auto spoken = [](const std::string& mime) {
    return R"({"model":"m","contents":[{"role":"user","parts":[{"inlineData":{"mimeType":")" + mime + R"(","data":"AAAA"}}]}]})";
  };
  for (const char* wav : {"audio/wav", "audio/x-wav", "audio/wave"}) CHECK(send("gemini", "responses", spoken(wav)).has(R"("format":"wav")"));
  for (const char* mp3 : {"audio/mpeg", "audio/mp3"}) CHECK(send("gemini", "responses", spoken(mp3)).has(R"("format":"mp3")"));
  CHECK(send("gemini", "responses", spoken("audio/ogg")).refused == "messages[0].content[0]");
}
