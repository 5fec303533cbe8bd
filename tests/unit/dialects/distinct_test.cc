// Names that come twice inside of a request: whoever reads the first and whoever reads the last would see two requests.
#include "dialects/distinct.h"

#include <utility>

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
      // Tools, choices and calls.
      {"openai", R"({"model":"m","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","type":"custom","function":{"name":"f"}}],)" + hi + "}", "tools[1].type"},
      {"openai", R"({"model":"m","tools":[{"type":"function","function":{"name":"f","na\u006de":"g"}}],)" + hi + "}", "tools[0].function.name"},
      {"openai", R"({"model":"m","tool_choice":{"type":"function","function":{"name":"f","name":"g"}},)" + hi + "}", "tool_choice.function.name"},
      {"openai", R"({"model":"m","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f","name":"g"}}]}},)" + hi + "}",
       "tool_choice.allowed_tools.tools[0].function.name"},
      {"openai", R"({"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{},"schema":{}}},)" + hi + "}", "response_format.json_schema.schema"},
      {"openai", R"({"model":"m","thinking":{"type":"enabled","budget_tokens":1,"budget_tokens":99999},)" + hi + "}", "thinking.budget_tokens"},
      {"openai", R"({"model":"m","reasoning":{"max_tokens":1,"max_tokens":99999},)" + hi + "}", "reasoning.max_tokens"},
      {"openai", R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}","arguments":"{\"x\":1}"}}]}]})",
       "messages[0].tool_calls[0].function.arguments"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"A","data":"B","format":"wav"}}]}]})",
       "messages[0].content[0].input_audio.data"},
      {"openai", R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"A","file_data":"B"}}]}]})", "messages[0].content[0].file.file_data"},
      {"anthropic", R"({"model":"m","max_tokens":1,"tools":[{"name":"f","name":"g","input_schema":{}}],)" + hi + "}", "tools[0].name"},
      {"anthropic", R"({"model":"m","max_tokens":1,"tool_choice":{"type":"tool","name":"f","name":"g"},)" + hi + "}", "tool_choice.name"},
      {"anthropic", R"({"model":"m","max_tokens":1,"thinking":{"type":"enabled","budget_tokens":1,"budget_tokens":9},)" + hi + "}", "thinking.budget_tokens"},
      {"anthropic", R"({"model":"m","max_tokens":1,"output_config":{"format":{"type":"json_schema","schema":{},"schema":{}}},)" + hi + "}", "output_config.format.schema"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[)" + text + "]}]}]}",
       "messages[0].content[0].content[0].text"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"A","data":"B"}}]}]})",
       "messages[0].content[0].source.data"},
      {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[)" + text + "]}}]}]}",
       "messages[0].content[0].source.content[0].text"},
      {"responses", R"({"model":"m","input":"hi","tools":[{"type":"function","name":"f","name":"g"}]})", "tools[0].name"},
      {"responses", R"({"model":"m","input":"hi","tool_choice":{"type":"function","name":"f","name":"g"}})", "tool_choice.name"},
      {"responses", R"({"model":"m","input":"hi","text":{"format":{"type":"text","type":"json_object"}}})", "text.format.type"},
      {"responses", R"({"model":"m","input":"hi","reasoning":{"effort":"low","effort":"high"}})", "reasoning.effort"},
      {"responses", R"({"model":"m","input":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"a","data":"b"}}]}]})", "input[0].content[0].input_audio.data"},
      {"cohere", R"({"model":"m","tools":[{"type":"function","function":{"name":"f","name":"g"}}],)" + hi + "}", "tools[0].function.name"},
      {"cohere", R"({"model":"m","documents":["x",{"data":{"text":"a","text":"b"}}],)" + hi + "}", "documents[1].data.text"},
      {"cohere", R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","name":"g"}}]}]})", "messages[0].tool_calls[0].function.name"},
      {"ollama", R"({"model":"m","tools":[{"type":"function","function":{"name":"f","name":"g"}}],)" + hi + "}", "tools[0].function.name"},
      {"ollama", R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","name":"g"}}]}]})", "messages[0].tool_calls[0].function.name"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g","name":"h"}]}]})", "tools[0].functionDeclarations[1].name"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"tools":{"functionDeclarations":[],"function_declarations":[]}})", "tools.function_declarations"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE","mode":"ANY"}}})", "toolConfig.functionCallingConfig.mode"},
      {"gemini", R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinking_budget":9}}})",
       "generationConfig.thinkingConfig.thinking_budget"},
      {"gemini", R"({"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"A","data":"B"}}]}]})", "contents[0].parts[0].inlineData.data"},
      {"gemini", R"({"contents":[{"parts":[{"functionCall":{"name":"f","args":{},"args":{"x":1}}}]}]})", "contents[0].parts[0].functionCall.args"},
      {"gemini", R"({"contents":[{"parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"a","mime_type":"b"}}]}}]}]})",
       "contents[0].parts[0].functionResponse.parts[0].inlineData.mime_type"},
      // What else of a message is read by name.
      {"openai", R"({"model":"m","messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text"},{"type":"reasoning.text","text":"a","text":"b"}]}]})",
       "messages[0].reasoning_details[1].text"},
      {"openai", R"({"model":"m","messages":[{"role":"assistant","audio":{"id":"a","id":"b"}}]})", "messages[0].audio.id"},
      {"openai", R"({"model":"m","messages":[{"role":"assistant","function_call":{"name":"a","name":"b","arguments":"{}"}}]})", "messages[0].function_call.name"},
      {"openai", R"({"model":"m","messages":[{"role":"assistant","content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"a","url":"b"}}]}]})",
       "messages[0].annotations[0].url_citation.url"},
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

TEST_CASE("a name that comes twice in what is embedded or ranked is refused by its path") {
  struct TaskCase {
    std::string dialect;
    Operation operation;
    std::string operation_name, body, param;
  };
  const std::vector<TaskCase> cases = {
      {"openai", Operation::kEmbed, "", R"({"model":"m","input":["x",{"text":"a","text":"b"}]})", "input[1].text"},
      {"openai", Operation::kEmbed, "", R"({"model":"m","inputs":[{"content":[{"type":"text","text":"a","te\u0078t":"b"}]}],"input":"x"})", "inputs[0].content[0].text"},
      {"openai", Operation::kRerank, "", R"({"model":"m","query":"q","documents":["x",{"text":"a","text":"b"}]})", "documents[1].text"},
      {"openai", Operation::kRerank, "", R"({"model":"m","query":{"text":"a","text":"b"},"documents":["x"]})", "query.text"},
      {"openai", Operation::kModerate, "", R"({"model":"m","input":[{"type":"text","text":"a","text":"b"}]})", "input[0].text"},
      {"cohere", Operation::kEmbed, "", R"({"model":"m","inputs":[{"content":[{"type":"text","text":"a","text":"b"}]}]})", "inputs[0].content[0].text"},
      {"cohere", Operation::kRerank, "", R"({"model":"m","query":"q","documents":[{"text":"a","text":"b"}]})", "documents[0].text"},
      {"gemini", Operation::kEmbed, "embedContent", R"({"content":{"parts":[{"text":"a","text":"b"}]}})", "content.parts[0].text"},
      {"gemini", Operation::kEmbed, "embedContent", R"({"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING","task_type":"CLUSTERING"})", "task_type"},
      {"gemini", Operation::kEmbed, "batchEmbedContents", R"({"requests":[{"content":{"parts":[{"text":"a"}]},"content":{"parts":[{"text":"b"}]}}]})", "requests[0].content"},
  };
  for (const TaskCase& c : cases) {
    INFO(c.dialect << ' ' << c.body);
    auto codec = dialect(c.dialect)->new_task_client(c.operation);
    RequestPath path;
    path.operation = c.operation_name;
    if (c.dialect == "gemini") path.model = "m";
    codec->set_path(path);
    const auto facts = codec->scan(c.body);
    REQUIRE(!facts);
    CHECK(facts.error().param == c.param);
    CHECK(facts.error().message.find("`" + c.param + "` comes twice") != std::string::npos);
  }
  // What lies deeper in a document is the caller's own.
  auto codec = dialect("openai")->new_task_client(Operation::kRerank);
  CHECK(codec->scan(R"({"model":"m","query":"q","documents":[{"text":"a","meta":{"x":1,"x":2}}]})"));
}

TEST_CASE("a name that limits look at is refused in another case, which some servers read as the same") {
  const std::string hi = R"("messages":[{"role":"user","content":"hi"}])";
  const std::pair<std::string, std::string> refused[] = {
      {"openai", R"({"model":"m","Max_Tokens":9,)" + hi + "}"},      {"openai", R"({"model":"m","TEMPERATURE":9,)" + hi + "}"},
      {"openai", R"({"model":"m","Tools":[],)" + hi + "}"},           {"anthropic", R"({"model":"m","max_tokens":1,"Thinking":{},)" + hi + "}"},
      {"responses", R"({"model":"m","input":"hi","Tools":[]})"},      {"completions", R"({"model":"m","prompt":"hi","Best_of":3})"},
      {"cohere", R"({"model":"m","maX_tokens":3,)" + hi + "}"},
  };
  for (const auto& [name, body] : refused) {
    INFO(body);
    const auto facts = scan(name, body);
    REQUIRE(!facts);
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(body.find("\"" + facts.error().param + "\":") != std::string::npos);
  }
  CHECK(!dialect("openai")->new_task_client(Operation::kEmbed)->scan(R"({"model":"m","input":"a","Input":"b"})"));
  CHECK(scan("openai", R"({"model":"m","vendorOption":1,"Max":2,)" + hi + "}"));
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

TEST_CASE("what nobody reads by name may have names twice: schemas, arguments, what a tool says; many names there are no fault") {
  const std::string twice = R"({"a":1,"a":2})", many = members(3000, "\"last\":1");
  for (const std::string& inside : {twice, many}) {
    const std::pair<std::string, std::string> good[] = {
        {"openai", R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":)" + inside + "}}]}"},
        {"openai", R"({"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":)" + inside + "}}}"},
        {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":)" + inside + "}]}]}"},
        {"anthropic", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":)" + inside + "}]}"},
        {"ollama", R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":)" + inside + "}}]}]}"},
        {"gemini", R"({"contents":[{"parts":[{"functionCall":{"name":"f","args":)" + inside + "}}]}]}"},
        {"gemini", R"({"contents":[{"parts":[{"functionResponse":{"name":"f","response":)" + inside + "}}]}]}"}};
    for (const auto& [dialect_name, body] : good) {
      INFO(dialect_name << " " << body.substr(0, 200));
      const auto facts = scan(dialect_name, body);
      if (!facts) FAIL(facts.error().message);
    }
  }
  // Where names are read, many are too many, and twice is found among many.
  const auto crowd = scan("openai", R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[)" + many + "]}");
  REQUIRE(!crowd);
  CHECK(crowd.error().param == "tools[0]");
  const auto hidden = scan("openai", R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[)" + members(100, R"("n3":2)") + "]}");
  REQUIRE(!hidden);
  CHECK(hidden.error().param == "tools[0].n3");
  // Broken nesting is the scan's to refuse.
  CHECK(!scan("openai", R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"a":[[[]]])"));
}
