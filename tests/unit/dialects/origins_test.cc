// Errors name a field as it stands in the client's own request, whatever became of it on the way to the target.
#include <algorithm>

#include "catch.h"
#include "support.h"

using namespace dialect_test;

namespace {

// What a field of the neutral request is called in the client's body.
struct Named {
  std::shared_ptr<const std::string> body;  // which the codec reads again
  ChatRequest chat;
  std::unique_ptr<ClientCodec> codec;
  std::string operator()(const std::string& neutral) { return codec->field(neutral, chat); }
};

Named named(std::string_view client, const std::string& body, const RequestPath& at = {}) {
  Named out;
  out.body = std::make_shared<const std::string>(body);
  out.codec = dialect(client)->new_client_codec();
  out.codec->set_path(at);
  auto scanned = out.codec->scan(*out.body);
  if (!scanned) FAIL(scanned.error().message);
  auto chat = out.codec->decode();
  if (!chat) FAIL(chat.error().message);
  out.chat = std::move(*chat);
  return out;
}

}  // namespace

TEST_CASE("fields: an Anthropic client's system and results of tools shift nothing") {
  const std::string body = R"({"model":"m","max_tokens":5,"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"messages":[{"role":"user","content":"q"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"x"},{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"},{"type":"image","source":{"type":"url","url":"https://x/y"}}]},
      {"type":"tool_result","tool_use_id":"2","content":"r"},{"type":"image","source":{"type":"url","url":"https://x/y"}}]}]})";
  Named name = named("anthropic", body);
  CHECK(name("messages[0].content[1]") == "system[1]");
  CHECK(name("messages[0].content") == "system");
  CHECK(name("messages[1].content[0]") == "messages[0].content");
  CHECK(name("messages[2].content[1]") == "messages[1].content[1]");
  CHECK(name("messages[2].tool_calls[1]") == "messages[1].content[3]");
  CHECK(name("messages[3].content[1]") == "messages[2].content[0].content[1]");
  CHECK(name("messages[4].tool_call_id") == "messages[2].content[1]");
  CHECK(name("messages[5].content[0]") == "messages[2].content[2]");
  CHECK(name("messages[6].content[0]") == "messages[6].content[0]");  // none of his
  CHECK(name("tools[1]") == "tools[1]");
  CHECK(name("response_format") == "output_config.format");
}

TEST_CASE("fields: a Gemini client's contents, parts and declarations") {
  const std::string body = R"({"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}]},
    {"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f","args":{}}}]},{"role":"model","parts":[{"text":"x"},{"functionCall":{"name":"g","args":{}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}},{"functionResponse":{"name":"g","response":{}}},{"text":"go"}]}],
    "system_instruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"googleSearch":{}}]})";
  RequestPath at;
  at.model = "m";
  at.operation = "generateContent";
  Named name = named("gemini", body, at);
  CHECK(name("messages[0].content[0]") == "system_instruction.parts[0]");
  CHECK(name("messages[1].content[1]") == "contents[0].parts[1]");
  CHECK(name("messages[2].content[1]") == "contents[2].parts[0]");
  CHECK(name("messages[2].tool_calls[0]") == "contents[1].parts[1]");
  CHECK(name("messages[2].tool_calls[1]") == "contents[2].parts[1]");
  CHECK(name("messages[3].content[0]") == "contents[3].parts[0].functionResponse.response");
  CHECK(name("messages[3].content[1]") == "contents[3].parts[0].functionResponse.parts[0]");
  CHECK(name("messages[4].tool_call_id") == "contents[3].parts[1]");
  CHECK(name("messages[5].content[0]") == "contents[3].parts[2]");
  CHECK(name("tools[1]") == "tools[0].functionDeclarations[1]");
  CHECK(name("tools[2]") == "tools[1].googleSearch");
  CHECK(name("n") == "generationConfig.candidateCount");
  CHECK(name("tool_choice") == "toolConfig.functionCallingConfig");
}

TEST_CASE("fields: a Responses client's items") {
  const std::string body = R"({"model":"m","instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"q"},{"type":"input_image","image_url":"https://x/y"}]},
    {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]},
    {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"web_search_call","id":"ws"},{"type":"function_call","call_id":"2","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"1","output":"r"},{"type":"function_call_output","call_id":"2","output":[{"type":"input_image","image_url":"https://x/y"}]}],
    "tools":[{"type":"function","name":"e","parameters":{}},{"type":"function","name":"f","parameters":{}},{"type":"file_search"}],
    "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"file_search"}]}})";
  Named name = named("responses", body);
  CHECK(name("messages[0].content[0]") == "instructions");
  CHECK(name("messages[1].content[1]") == "input[0].content[1]");
  CHECK(name("messages[2].content[1]") == "input[2].content[0]");
  CHECK(name("messages[2].tool_calls[1]") == "input[5]");
  CHECK(name("messages[3].content[0]") == "input[6].output");
  CHECK(name("messages[4].content[0]") == "input[7].output[0]");
  CHECK(name("tools[1]") == "tools[2]");
  CHECK(name("response_format") == "text.format");
}

TEST_CASE("fields: clients of chat, legacy completions, Ollama and Cohere") {
  Named chat = named("openai", R"({"model":"m","messages":[{"role":"assistant","reasoning_content":"hm","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"refusal":"no",
    "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"q"}]})");
  CHECK(chat("messages[0].content[2]") == "messages[0].content[1]");
  CHECK(chat("messages[0].content[3]") == "messages[0].refusal");
  CHECK(chat("messages[0].tool_calls[0]") == "messages[0].tool_calls[0]");
  CHECK(chat("messages[0].audio") == "messages[0].audio");
  CHECK(chat("messages[1].content[0]") == "messages[1].content");
  Named ollama = named("ollama", R"({"model":"m","messages":[{"role":"user","content":"q","images":["AAAA","BBBB"]},{"role":"assistant","thinking":"hm","content":"a"}]})");
  CHECK(ollama("messages[0].content[2]") == "messages[0].images[1]");
  CHECK(ollama("messages[1].content[1]") == "messages[1].content");
  CHECK(ollama("response_format") == "format");
  RequestPath at;
  at.operation = "generate";
  Named generate = named("ollama", R"({"model":"m","system":"s","prompt":"q","images":["AAAA"]})", at);
  CHECK(generate("messages[0].content[0]") == "system");
  CHECK(generate("messages[1].content[1]") == "images[0]");
  Named cohere = named("cohere", R"({"model":"m","documents":["a",{"data":{"t":"b"}}],"messages":[{"role":"user","content":[{"type":"text","text":"q"},{"type":"image_url","image_url":{"url":"https://x/y"}}]}]})");
  CHECK(cohere("messages[0].content[2]") == "documents[1]");
  CHECK(cohere("messages[1].content[1]") == "messages[0].content[1]");
  Named legacy = named("completions", R"({"model":"m","prompt":"q"})");
  CHECK(legacy("messages[0].content[0]") == "prompt");
}

const std::pair<std::string_view, const char*> kEndpoints[] = {{"chat/completions", "openai"}, {"messages", "anthropic"}, {"responses", "responses"},
                                                              {"generateContent", "gemini"}, {"streamGenerateContent", "gemini"}, {"v2/chat", "cohere"},
                                                              {"api/chat", "ollama"}};

// Each message, part and call that the reader makes of a recorded request has a place in it, and no two the same.
TEST_CASE("fields: every part of every recorded request is found again") {
  int seen = 0;
  for (const Recording& r : recordings()) {
    const auto kind = std::find_if(std::begin(kEndpoints), std::end(kEndpoints), [&](const auto& e) { return e.first == r.endpoint; });
    if (kind == std::end(kEndpoints) || r.request.empty() || r.request[0] != '{') continue;
    const std::string client = kind->second;
    auto codec = dialect(client)->new_client_codec();
    RequestPath at;
    at.model = "m";
    codec->set_path(at);
    if (!codec->scan(r.request).ok()) continue;
    auto decoded = codec->decode();
    if (!decoded) continue;
    INFO(r.provider << "/" << r.name);
    ++seen;
    std::vector<std::string> places;
    for (size_t i = 0; i < decoded->messages.size(); ++i) {
      const Message& message = decoded->messages[i];
      const std::string here = "messages[" + std::to_string(i) + "]";
      for (size_t k = 0; k < message.parts.size(); ++k) {
        if (message.parts[k].kind != Part::Kind::kReasoning) places.push_back(codec->field(here + ".content[" + std::to_string(k) + "]", *decoded));
      }
      for (size_t k = 0; k < message.tool_calls.size(); ++k) places.push_back(codec->field(here + ".tool_calls[" + std::to_string(k) + "]", *decoded));
    }
    // Neither has a member of that name.
    if (client == "gemini" || client == "responses") CHECK(std::none_of(places.begin(), places.end(), [](const std::string& p) { return p.substr(0, 8) == "messages"; }));
    std::sort(places.begin(), places.end());
    CHECK(std::adjacent_find(places.begin(), places.end()) == places.end());
  }
  if (!recordings().empty()) CHECK(seen > 100);
}

TEST_CASE("fields: counting names the client's own as chat does; tools that may not be called shift nothing") {
  struct Row {
    const char *client, *operation, *body, *neutral, *field;
  };
  const char* const claude = R"({"model":"m","system":"s","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"r"},{"type":"text","text":"x"}]}],
    "tools":[{"name":"f","input_schema":{"type":"object"}}]})";
  const char* const google = R"({"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}],"systemInstruction":{"parts":[{"text":"s"}]}})";
  const char* const wrapped = R"({"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}})";
  const Row rows[] = {{"anthropic", "", claude, "messages[0].content[0]", "system"},
                      {"anthropic", "", claude, "messages[2].content[0]", "messages[0].content[1]"},
                      {"anthropic", "", claude, "response_format", "output_config.format"},
                      {"gemini", "countTokens", google, "messages[1].content[1]", "contents[0].parts[1]"},
                      {"gemini", "countTokens", google, "tool_choice", "toolConfig.functionCallingConfig"},
                      {"gemini", "countTokens", wrapped, "messages[0].content[1]", "generateContentRequest.contents[0].parts[1]"}};
  for (const Row& row : rows) {
    INFO(row.client << " " << row.neutral);
    auto codec = dialect(row.client)->new_task_client(Operation::kCountTokens);
    RequestPath at;
    at.model = "m";
    at.operation = row.operation;
    codec->set_path(at);
    REQUIRE(codec->scan(row.body).ok());
    auto task = codec->decode_task();
    REQUIRE(task.ok());
    CHECK(codec->field(row.neutral, task->chat) == row.field);
  }
  const std::string chat = R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}},
    {"type":"custom","custom":{"name":"h"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}},
    {"type":"custom","custom":{"name":"h"}}]}},"max_completion_tokens":5,"reasoning":{"max_tokens":2}})";
  Named name = named("openai", chat);
  CHECK(name("tools[0]") == "tools[1]");
  CHECK(name("tools[1]") == "tools[2]");
  CHECK(name("max_tokens") == "max_completion_tokens");
  CHECK(name("reasoning_budget") == "reasoning.max_tokens");
  const std::string some = R"({"contents":[{"role":"user","parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"googleSearch":{}}],
    "toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["g"]}}})";
  RequestPath at;
  at.model = "m";
  at.operation = "generateContent";
  Named declared = named("gemini", some, at);
  CHECK(declared("tools[0]") == "tools[0].functionDeclarations[1]");
  CHECK(declared("tools[1]") == "tools[1].googleSearch");
  CHECK(declared("max_tokens") == "generationConfig.maxOutputTokens");
}
