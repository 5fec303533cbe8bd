// Names that come twice inside of a request: whoever reads the first and whoever reads the last would see two requests.
#include "dialects/distinct.h"

#include "catch.h"
#include "support.h"

using namespace dialect_test;
using dialects::pick_distinct;
using dialects::Spelling;
using wire::JsonValue;

namespace {

Result<RequestFacts> scan(std::string_view name, std::string_view body) {
  auto codec = dialect(name)->new_client_codec();
  RequestPath path;
  if (name == "gemini") {
    path.model = "m";
    path.operation = "generateContent";
  }
  codec->set_path(path);
  return codec->scan(body);
}

struct Case {
  std::string dialect, body, param;
};

std::string members(int count, std::string_view last) {
  std::string out = "{";
  for (int i = 0; i < count; ++i) out += "\"n" + std::to_string(i) + "\":1,";
  return out + std::string(last) + "}";
}

}  // namespace

TEST_CASE("a name that comes twice where limits and rules read is refused by its path") {
  const std::string text = R"({"type":"text","text":"a","text":"b"})", hi = R"("messages":[{"role":"user","content":"hi"}])";
  const std::vector<Case> cases = {
      {"ollama", R"({"model":"m","options":{"num_predict":1,"num_predict":99999},)" + hi + "}", "options.num_predict"},
      {"ollama", R"({"model":"m","options":{"temperature":0.1,"tem\u0070erature":1.9},)" + hi + "}", "options.temperature"},
      {"ollama", R"({"model":"m","messages":[{"role":"user","content":"a","content":"b"}]})", "messages[0].content"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":"a","content":"b"}]})", "messages[0].content"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","role":"user","content":"a"}]})", "messages[1].role"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":[)" + text + "]}]}", "messages[0].content[0].text"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","type":"zzz","text":"a"}]}]})", "messages[0].content[0].type"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://a","url":"http://b"}}]}]})",
       "messages[0].content[0].image_url.url"},
      {"openai", R"({"model":"m","stream_options":{"include_usage":true,"include_usage":false},)" + hi + "}", "stream_options.include_usage"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a","content":"b"}]})", "messages[0].content"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[)" + text + "]}]}", "messages[0].content[0].text"},
      {"anthropic", R"({"model":"m","max_tokens":1,"system":[)" + text + "]," + hi + "}", "system[0].text"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[)" + text + "]}]}]}",
       "messages[0].content[0].content[0].text"},
      {"responses", R"({"model":"m","input":[{"role":"user","content":"a","content":"b"}]})", "input[0].content"},
      {"responses", R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]}]})", "input[0].content[0].text"},
      {"responses", R"({"model":"m","input":"hi","instructions":[{"role":"system","content":"a","content":"b"}]})", "instructions[0].content"},
      {"responses", R"({"model":"m","input":"hi","instructions":[{"role":"system","content":[)" + text + "]}]}", "instructions[0].content[0].text"},
      {"completions", R"({"model":"m","prompt":"a","stream_options":{"include_usage":true,"include_usage":false}})", "stream_options.include_usage"},
      {"cohere", R"({"model":"m","messages":[{"role":"user","content":"a","content":"b"}]})", "messages[0].content"},
      {"cohere", R"({"model":"m","messages":[{"role":"user","content":[)" + text + "]}]}", "messages[0].content[0].text"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a","text":"b"}]}]})", "contents[0].parts[0].text"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}],"parts":[{"text":"b"}]}]})", "contents[0].parts"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"temperature":0.1,"temperature":1.9}})", "generationConfig.temperature"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":99999}})",
       "generationConfig.max_output_tokens"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":1},"generation_config":{"maxOutputTokens":99999}})",
       "generation_config"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"systemInstruction":{"parts":[{"text":"a"}],"parts":[{"text":"b"}]}})", "systemInstruction.parts"},
  };
  for (const Case& c : cases) {
    INFO(c.dialect << ' ' << c.body);
    const auto facts = scan(c.dialect, c.body);
    REQUIRE(!facts);
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().param == c.param);
    CHECK(facts.error().message.find("`" + c.param + "` comes twice") != std::string::npos);
  }
}

TEST_CASE("the same name in different objects is no repetition") {
  CHECK(scan("openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"a"}]},{"role":"user","content":"a"}]})"));
  CHECK(scan("gemini", R"({"contents":[{"parts":[{"text":"a"},{"text":"a"}]},{"parts":{"text":"a"}}],"generation_config":{"topP":1,"top_k":1}})"));
}

TEST_CASE("names are told apart whatever their number and spelling") {
  const auto fault = [](const std::string& object, Spelling spelling = Spelling::kExact) { return pick_distinct(JsonValue(object), {}, spelling); };
  for (int count : {0, 1, 30, 31, 32, 33, 500}) {
    INFO(count);
    CHECK(!fault(members(count, R"("last":1)")));
    const auto found = fault(members(count, R"("last":1,"last":2)"));
    REQUIRE(found);
    CHECK(found->name == "last");
    CHECK(!found->too_many);
  }
  CHECK(fault(R"({"":1,"":2})"));
  CHECK(fault(R"({"a":1,"\u0061":2})"));
  CHECK(!fault(R"({"top_p":1,"topP":2})"));
  CHECK(fault(R"({"top_p":1,"topP":2})", Spelling::kCamelOrSnake));
  CHECK(fault(members(40, R"("top_p":1,"topP":2)"), Spelling::kCamelOrSnake));
  CHECK(!fault(R"({"top":1,"top_":2,"topp":3,"_":4})", Spelling::kCamelOrSnake));
  CHECK(!fault("[1,2]"));
  const auto many = fault(members(1024, R"("last":1)"));
  REQUIRE(many);
  CHECK(many->too_many);
  CHECK(!fault(members(1023, R"("last":1)")));

  JsonValue first;
  const std::string object = R"({"x":1,"wanted":2})";
  CHECK(!pick_distinct(JsonValue(object), {{"wanted", &first}}));
  CHECK(first.raw() == "2");
}

TEST_CASE("members that bring tools along are tools") {
  const std::string hi = R"("messages":[{"role":"user","content":"hi"}]})";
  const auto has_tools = [&](const char* name, const std::string& member) {
    const auto facts = scan(name, "{\"model\":\"m\",\"max_tokens\":1," + member + "," + hi);
    REQUIRE(facts);
    return facts->has_tools;
  };
  CHECK(has_tools("openai", R"("web_search_options":{})"));
  CHECK(!has_tools("openai", R"("web_search_options":null)"));
  CHECK(has_tools("openai", R"("tools":[{"type":"function","function":{"name":"f"}}],"web_search_options":null)"));
  CHECK(has_tools("anthropic", R"("mcp_servers":[{"type":"url","url":"https://x.example","name":"n"}],"tools":[])"));
  CHECK(!has_tools("anthropic", R"("mcp_servers":[])"));
}

TEST_CASE("of two limits for the output the larger one counts") {
  const std::string messages = R"("messages":[{"role":"user","content":"hi"}]})";
  for (const char* both : {R"("max_tokens":100000,"max_completion_tokens":1)", R"("max_completion_tokens":100000,"max_tokens":1)"}) {
    const auto facts = scan("openai", R"({"model":"m",)" + std::string(both) + "," + messages);
    REQUIRE(facts);
    CHECK(facts->max_tokens == 100000);
  }
  const auto one = scan("openai", R"({"model":"m","max_completion_tokens":7,"max_tokens":null,)" + messages);
  REQUIRE(one);
  CHECK(one->max_tokens == 7);
}
