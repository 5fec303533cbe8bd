// What callers say in a request, in each dialect, as rules on content see it.
#include <map>
#include <set>

#include "catch.h"
#include "llmrouter/codec.h"
#include "support.h"

using namespace llmrouter;

namespace {

struct Kept final : TextSink {
  std::string all;
  size_t most = 1000000;
  bool on_text(std::string_view text) override {
    if (most == 0) return false;
    --most;
    if (!all.empty()) all += '|';
    all += text;
    return true;
  }
};

std::string texts(std::string_view dialect, const std::string& body, const RequestPath& path = {}) {
  for (const auto& d : builtin_dialects()) {
    if (d->name() != dialect) continue;
    auto codec = d->new_client_codec();
    codec->set_path(path);
    auto facts = codec->scan(body);
    INFO(body);
    REQUIRE(facts.ok());
    Kept kept;
    const auto whole = codec->tell_texts(kept);
    REQUIRE(whole.ok());
    CHECK(*whole);
    return kept.all;
  }
  return "no such dialect";
}

}  // namespace

TEST_CASE("texts of a chat: newest first, all roles but the assistant's, no URLs and no base64") {
  CHECK(texts("openai", R"({"model":"m","messages":[
    {"role":"system","content":"sys"},{"role":"developer","content":"dev"},
    {"role":"user","name":"bob","content":[{"type":"text","text":"one"},{"type":"image_url","image_url":{"url":"https://x/secret"}},
      {"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]},
    {"role":"assistant","content":"said","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"result"},{"role":"function","name":"f","content":"old result"},
    {"role":"user","content":"two \u00e9\n"}],"tools":[{"type":"function","function":{"name":"f","description":"a tool"}}]})") ==
        "two \xc3\xa9\n|old result|result|one|f.pdf|bob|dev|sys");
  // Whatever a message is made of: parts of a kind that is not known.
  CHECK(texts("openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"future","deep":[[{"note":"in there"}]],"text":"too"}]}]})") == "in there|too");
}

TEST_CASE("texts of messages: system, results and documents") {
  CHECK(texts("anthropic", R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":"sys"}],"messages":[
    {"role":"user","content":[{"type":"document","title":"Title","source":{"type":"text","media_type":"text/plain","data":"plain"}},
      {"type":"document","source":{"data":"first","media_type":"text/plain","type":"text"}},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},
      {"type":"document","source":{"type":"content","content":[{"type":"text","text":"inside"}]}},
      {"type":"image","source":{"type":"url","url":"https://secret"}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t1","name":"f","input":{"a":"b"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"result"},
      {"type":"search_result","source":"site","title":"Found","content":[{"type":"text","text":"page"}]}]}]}]})") ==
        "result|site|Found|page|Title|plain|first|inside|sys");
}

TEST_CASE("texts of responses: items, results of tools that have no field here, instructions, a prompt's variables") {
  CHECK(texts("responses", R"({"model":"m","instructions":"ins","input":"hello"})") == "hello|ins");
  CHECK(texts("responses", R"({"model":"m","previous_response_id":"r1","prompt":{"id":"p","variables":{"type":"v"}},"input":[
    {"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"https://secret"}]},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"said"}]},
    {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"AAAA"},
    {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c","output":"result"},
    {"type":"local_shell_call_output","id":"x","output":"of a shell"}]})") == "of a shell|result|hi|type|v");
}

TEST_CASE("texts of Gemini: contents, results as JSON, the system's") {
  RequestPath path;
  path.model = "g";
  path.operation = "generateContent";
  CHECK(texts("gemini", R"({"systemInstruction":{"parts":[{"text":"sys"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},
    {"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":"b"}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"url":"deep","list":["down",1,{"type":"here"}]}}}]}]})",
              path) == "url|deep|list|down|1|type|here|hi|sys");
  CHECK(texts("gemini", R"({"system_instruction":{"parts":{"text":"sys"}},"contents":{"parts":{"text":"hi"}}})", path) == "hi|sys");
}

TEST_CASE("texts of the other dialects") {
  CHECK(texts("cohere", R"({"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"no"},
    {"role":"tool","tool_call_id":"c","content":[{"type":"document","document":{"data":"of a tool"}}]}],
    "documents":["one",{"id":"2","data":{"title":"T","url":"U"}}]})") == "data|of a tool|hi|id|2|data|title|T|url|U|one");
  CHECK(texts("ollama", R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi","images":["AAAA"]},{"role":"tool","content":"r"}]})") == "r|hi|s");
  RequestPath generate;
  generate.operation = "generate";
  CHECK(texts("ollama", R"({"model":"m","prompt":"p","system":"s","suffix":"x","images":["AAAA"]})", generate) == "p|x|s");
  CHECK(texts("completions", R"({"model":"m","prompt":["one","two"],"suffix":"x"})") == "two|one|x");
}

TEST_CASE("texts: whoever has enough is told no more, and of very many messages the newest are told") {
  const auto dialects = builtin_dialects();
  auto codec = dialects.front()->new_client_codec();
  std::string body = R"({"model":"m","messages":[)";
  for (int i = 0; i < 20000; ++i) body += std::string(i == 0 ? "" : ",") + R"({"role":"user","content":")" + std::to_string(i) + "\"}";
  body += "]}";
  REQUIRE(codec->scan(body).ok());
  Kept few;
  few.most = 3;
  CHECK_FALSE(codec->tell_texts(few).value());
  CHECK(few.all == "19999|19998|19997");
  Kept all;
  CHECK_FALSE(codec->tell_texts(all).value());
  CHECK(all.all.substr(0, 12) == "19999|19998|");
  CHECK(all.all.substr(all.all.size() - 5) == "|3616");  // 16,384 of them
}

// Not part of the project: without the recordings this says so and passes.
TEST_CASE("texts of recorded requests: what decode() has of the caller's words is told, and no base64 is") {
  const std::map<std::string, std::string> dialects = {{"chat/completions", "openai"}, {"responses", "responses"}, {"messages", "anthropic"}, {"generateContent", "gemini"},
                                                       {"streamGenerateContent", "gemini"}, {"v2/chat", "cohere"}, {"api/chat", "ollama"}, {"completions", "completions"}};
  RequestPath path;
  path.model = "m";
  path.operation = "generateContent";
  int looked = 0, texts = 0;
  for (const dialect_test::Recording& r : dialect_test::recordings()) {
    const auto dialect = dialects.find(r.endpoint);
    if (dialect == dialects.end() || r.request.empty()) continue;
    INFO(r.provider << "/" << r.name);
    std::unique_ptr<ClientCodec> codec;
    for (const auto& d : builtin_dialects()) {
      if (d->name() == dialect->second) codec = d->new_client_codec();
    }
    if (dialect->second == "gemini") codec->set_path(path);
    if (!codec->scan(r.request).ok()) continue;
    struct Told final : TextSink {
      std::set<std::string, std::less<>> all;
      bool on_text(std::string_view text) override {
        all.emplace(text);
        return true;
      }
    } told;
    CHECK(codec->tell_texts(told).value());
    for (const std::string& text : told.all) {
      if (text.size() > 500) CHECK(text.find_first_of(" \n") != std::string::npos);
    }
    ++looked;
    const auto chat = codec->decode();
    if (!chat.ok()) continue;
    for (const Message& message : chat->messages) {
      for (const Part& part : message.parts) {
        if (message.role == Role::kAssistant || part.kind != Part::Kind::kText || part.text.empty()) continue;
        // JSON of a tool's or a document's is told string by string, and the words around documents are ours.
        if (part.text[0] == '{' || part.text[0] == '[' || part.text.compare(0, 12, "Answer from ") == 0) continue;
        ++texts;
        INFO(part.text.substr(0, 200));
        CHECK(told.all.count(part.text) == 1);
      }
    }
  }
  if (dialect_test::recordings().empty()) return;
  CHECK(looked > 300);
  CHECK(texts > 300);
}

TEST_CASE("what a caller may write beside its words hides nothing of them") {
  RequestPath path;
  path.model = "m";
  path.operation = "generateContent";
  // Only Responses says by `type` who an entry is of; elsewhere, and of a kind that nobody knows, it is the caller's.
  CHECK(texts("gemini", R"({"contents":[{"type":"reasoning","parts":[{"text":"a"}]},{"type":"x_call","parts":[{"text":"b"}]}]})", path) == "b|a");
  CHECK(texts("responses", R"({"model":"m","input":[{"type":"x_call","content":[{"type":"input_text","text":"a"}]},{"type":"mcp_call","output":"no"}]})") == "a");
  CHECK(texts("gemini", R"({"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"card":4111111111111111,"ok":true}}}]}]})", path) == "card|4111111111111111|ok");
}

TEST_CASE("texts of a chat: a prediction is what the caller says, too") {
  CHECK(texts("openai", R"({"model":"m","messages":[{"role":"user","content":"hi"}],"prediction":{"type":"content","content":"guess"}})") == "hi|guess");
  CHECK(texts("openai", R"({"model":"m","messages":[{"role":"user","content":"hi"}],"prediction":{"type":"content","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}})") ==
        "hi|one|two");
}
