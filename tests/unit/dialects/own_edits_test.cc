// A model's defaults, overrides and drops in a relayed body of another dialect than OpenAI's: its own members change, and nothing else.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using Kind = BodyEdit::Kind;
using Edits = std::vector<BodyEdit>;

namespace {

std::string sent(std::string_view dialect, const std::string& body, const Edits& edits, std::string model = "m", std::vector<std::string> quirks = {}) {
  auto out = relay_request(dialect, body, provider(std::move(quirks)), edits, std::move(model));
  if (!out) FAIL(out.error().message);
  CHECK(wire::validate(out->body));
  return out->body;
}

std::vector<std::string> named(std::string_view dialect, const std::string& body, const Edits& edits, std::string model = "m") {
  auto out = relay_request(dialect, body, provider(), edits, std::move(model));
  if (!out) FAIL(out.error().message);
  return out->request.dropped;
}

// POST /api/generate.
std::string sent_prompt(const std::string& body, const Edits& edits) {
  auto client = dialect("ollama")->new_client_codec();
  RequestPath path;
  path.operation = "generate";
  client->set_path(path);
  auto facts = client->scan(body);
  if (!facts) FAIL(facts.error().message);
  const ProviderConfig config = provider();
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.edits = &edits;
  input.provider = &config;
  input.upstream_model = "m";
  EncodedRequest out;
  REQUIRE(dialect("ollama")->new_upstream_codec()->encode(input, out).ok());
  std::string joined;
  for (std::string_view piece : out.http.body) joined += piece;
  return joined;
}

bool is_spliced(std::string_view dialect, const std::string& body, const Edits& edits, std::string model) {
  auto out = relay_request(dialect, body, provider(), edits, std::move(model));
  if (!out) CHECK(out.error().code == ErrorCode::kNotSupported);
  return out.ok();
}

BodyEdit set(std::string name, std::string json) { return {Kind::kSet, std::move(name), std::move(json)}; }
BodyEdit by_default(std::string name, std::string json) { return {Kind::kDefault, std::move(name), std::move(json)}; }
BodyEdit drop(std::string name) { return {Kind::kRemove, std::move(name), {}}; }

// Blocks and members that no reader here knows.
const std::string kClaudes = R"("messages": [ {"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"of_tomorrow","x":[1.50]}]},
  {"role":"user","content":"go"}],  "container":{"id":"c"}, "context_management":{"edits":[ ]})";

std::string claudes(const std::string& members) { return "{\"model\":\"m\"," + kClaudes + members + "}"; }

}  // namespace

TEST_CASE("own edits, anthropic: what is set and dropped stands under its own names, and all else is the client's") {
  const std::string model = "claude-sonnet-4-5";
  const auto anthropic = [&](const std::string& members, const Edits& edits) {
    const std::string head = "{\"model\":\"" + model + "\"," + kClaudes;
    const std::string out = sent("anthropic", claudes(members), edits, model);
    REQUIRE(out.substr(0, head.size()) == head);
    return out.substr(head.size());
  };
  CHECK(anthropic(R"(,"max_tokens":9)", {by_default("temperature", "0.7")}) == R"(,"max_tokens":9,"temperature":0.7})");
  CHECK(anthropic(R"(, "max_tokens" : 9)", {by_default("max_tokens", "5"), by_default("max_completion_tokens", "6")}) == R"(, "max_tokens" : 9})");
  CHECK(anthropic(R"(, "max_tokens" : 9 )", {set("max_completion_tokens", "5")}) == R"(, "max_tokens" : 5 })");
  CHECK(anthropic(R"(,"max_tokens":9)", {set("stop", R"("END")")}) == R"(,"max_tokens":9,"stop_sequences":["END"]})");
  CHECK(anthropic(R"(,"max_tokens":9)", {set("user", R"("u")")}) == R"(,"max_tokens":9,"metadata":{"user_id":"u"}})");
  CHECK(anthropic(R"(,"max_tokens":9,"metadata":{"team": "t", "user_id":"x"})", {set("user", R"("u")")}) ==
        R"(,"max_tokens":9,"metadata":{"team": "t", "user_id":"u"}})");
  CHECK(anthropic(R"(,"max_tokens":9,"metadata":{"team": "t", "user_id":"x"})", {drop("user")}) == R"(,"max_tokens":9,"metadata":{"team": "t"}})");
  CHECK(anthropic(R"(,"max_tokens":9,"metadata":{"user_id":"x"})", {drop("user")}) == R"(,"max_tokens":9})");
  CHECK(anthropic(R"(,"max_tokens":9,"metadata":{"user_id":"x"})", {drop("metadata")}) == R"(,"max_tokens":9})");
  CHECK(anthropic(R"(,"max_tokens":9,"stop_sequences":["a"],"top_k":5)", {drop("stop"), drop("top_k"), drop("seed")}) == R"(,"max_tokens":9})");
  CHECK(anthropic(R"(,"max_tokens":9,"service_tier":"auto")", {set("service_tier", R"("default")")}) == R"(,"max_tokens":9,"service_tier":"standard_only"})");
  // The dialect's own members have their own names.
  CHECK(anthropic(R"(,"max_tokens":9)", {by_default("inference_geo", R"("us")"), drop("container_of_tomorrow")}) == R"(,"max_tokens":9,"inference_geo":"us"})");
  // Tools, and what is chosen of them.
  const std::string tools = R"(,"max_tokens":9,"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"f", "input_schema":{"type":"object"},"odd":1}])";
  CHECK(anthropic(tools, {set("tool_choice", R"("required")")}) == tools + R"(,"tool_choice":{"type":"any"}})");
  CHECK(anthropic(tools, {by_default("parallel_tool_calls", "false")}) == tools + R"(,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}})");
  CHECK(anthropic(tools + R"(,"tool_choice":{"type":"tool","name":"f"})", {by_default("tool_choice", R"("auto")")}) == tools + R"(,"tool_choice":{"type":"tool","name":"f"}})");
}

TEST_CASE("own edits, anthropic: an edit that the model or the request rules out is named and leaves the bytes alone") {
  const std::string thinking = claudes(R"(,"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048})");
  CHECK(sent("anthropic", thinking, {by_default("temperature", "0.7")}) == thinking);
  CHECK(named("anthropic", thinking, {by_default("temperature", "0.7")}) == std::vector<std::string>{"temperature"});
  const std::string plain = claudes(R"(,"max_tokens":9)");
  CHECK(named("anthropic", plain, {set("temperature", "0.7")}, "claude-opus-4-7") == std::vector<std::string>{"temperature"});
  for (const char* name : {"frequency_penalty", "seed", "verbosity"}) {
    INFO(name);
    CHECK(sent("anthropic", plain, {set(name, name == std::string("verbosity") ? "\"low\"" : "1")}) == plain);
    CHECK(named("anthropic", plain, {set(name, name == std::string("verbosity") ? "\"low\"" : "1")}) == std::vector<std::string>{name});
  }
  CHECK(named("anthropic", plain, {by_default("max_tokens", "5")}).empty());
}

TEST_CASE("own edits, anthropic: thinking gets room, and a form of the answer that older models give as a call is translated") {
  const std::string plain = claudes(R"(,"max_tokens":9000)");
  CHECK(sent("anthropic", plain, {set("reasoning_effort", R"("low")")}, "claude-sonnet-4-5") ==
        "{\"model\":\"claude-sonnet-4-5\"," + kClaudes + R"(,"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":1024}})");
  const Edits schema = {set("response_format", R"({"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{},"additionalProperties":false}}})")};
  CHECK_FALSE(is_spliced("anthropic", plain, schema, "claude-3-5-haiku-latest"));
  const std::string out = sent("anthropic", claudes(R"(,"max_tokens":9,"output_format":{"type":"json_schema","schema":{"type":"object"}})"), schema, "claude-sonnet-4-5");
  CHECK_FALSE(wire::find_member(wire::JsonValue(out), "output_format").exists());
  CHECK(wire::find(wire::JsonValue(out), "output_config", "format", "type").equals("json_schema"));
  CHECK_FALSE(is_spliced("anthropic", plain, {set("n", "2")}, "m"));
}

TEST_CASE("own edits, gemini: in the client's own spelling, whichever that is") {
  const std::string contents = R"("model":"models/gemini-2.5-flash","contents": [{"role":"model","parts":[{"executableCode":{"code":"x"}},{"of_tomorrow":1.50}]},{"parts":[{"text":"go"}]}], "somethingNew":{"a":[ ]})";
  const auto gemini = [&](const std::string& members, const Edits& edits, std::vector<std::string> quirks = {}) {
    const std::string out = sent("gemini", "{" + contents + members + "}", edits, "gemini-2.5-flash", std::move(quirks));
    REQUIRE(out.substr(0, contents.size() + 1) == "{" + contents);
    return out.substr(contents.size() + 1);
  };
  CHECK(gemini("", {by_default("temperature", "0.5"), by_default("seed", "7")}) == R"(,"generationConfig":{"temperature":0.5,"seed":7}})");
  CHECK(gemini(R"(,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}, "responseModalities":["TEXT","IMAGE"]})", {set("max_tokens", "55")}) ==
        R"(,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}, "responseModalities":["TEXT","IMAGE"],"maxOutputTokens":55}})");
  CHECK(gemini(R"(,"generation_config":{"max_output_tokens": 9, "top_p":0.1})", {set("max_completion_tokens", "5"), by_default("top_p", "0.9")}) ==
        R"(,"generation_config":{"max_output_tokens": 5, "top_p":0.1}})");
  CHECK(gemini(R"(,"generationConfig":{"stop_sequences":["a"],"x":1})", {drop("stop")}) == R"(,"generationConfig":{"x":1}})");
  CHECK(gemini(R"(,"generationConfig":{"x":1})", {set("stop", R"("E")"), set("n", "2")}) == R"(,"generationConfig":{"x":1,"candidateCount":2,"stopSequences":["E"]}})");
  CHECK(gemini("", {drop("user")}) == "}");
  CHECK(named("gemini", "{" + contents + "}", {set("user", R"("u")")}, "gemini-2.5-flash") == std::vector<std::string>{"user"});
  CHECK(gemini(R"(,"safety_settings":[])", {drop("safetySettings")}) == "}");
  const std::string tools = R"(,"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]},{"googleSearch":{ }}])";
  CHECK(gemini(tools, {set("tool_choice", R"("required")")}) == tools + R"(,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}})");
  CHECK(gemini(R"(,"generationConfig":{"responseSchema":{"type":"OBJECT"},"responseMimeType":"application/json"})", {set("response_format", R"({"type":"text"})")}) ==
        R"(,"generationConfig":{"responseMimeType":"text/plain"}})");
}

TEST_CASE("own edits, gemini at Vertex AI: beside what Vertex AI wants of the contents") {
  const std::string body = R"({"model":"x","contents":[{"parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{ }}}]}],"odd":1.50})";
  const std::string out = sent("gemini", body, {set("max_tokens", "5")}, "gemini-2.5-flash", {"publishers"});
  CHECK(out == R"({"contents":[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{ }}}]}],"odd":1.50,"generationConfig":{"maxOutputTokens":5}})");
}

TEST_CASE("own edits, cohere") {
  const std::string head = R"({"model":"m","messages":[{"role":"user","content":[{"type":"of_tomorrow"}]}], "safety_mode":"NONE")";
  const auto cohere = [&](const std::string& members, const Edits& edits) {
    const std::string out = sent("cohere", head + members + "}", edits);
    REQUIRE(out.substr(0, head.size()) == head);
    return out.substr(head.size());
  };
  CHECK(cohere(R"(,"p":0.5)", {by_default("top_p", "0.9"), by_default("top_k", "3"), by_default("stop", R"("E")")}) == R"(,"p":0.5,"k":3,"stop_sequences":["E"]})");
  CHECK(cohere(R"(,"p":0.5,"k":4)", {set("top_p", "0.9"), drop("top_k")}) == R"(,"p":0.9})");
  CHECK(cohere("", {set("max_completion_tokens", "5")}) == R"(,"max_tokens":5})");
  CHECK(cohere("", {set("reasoning_effort", R"("none")")}) == R"(,"thinking":{"type":"disabled"}})");
  CHECK(named("cohere", head + "}", {set("user", R"("u")")}) == std::vector<std::string>{"user"});
}

TEST_CASE("own edits, ollama: options, of chats and of prompts") {
  const std::string chat = R"({"model":"m","messages":[{"role":"user","content":"go","odd":1.50}])", prompt = R"({"model":"m","prompt":"go","raw":true,"context":[1, 2])";
  for (const std::string& head : {chat, prompt}) {
    const auto ollama = [&](const std::string& members, const Edits& edits) {
      const std::string out = head == chat ? sent("ollama", head + members + "}", edits) : sent_prompt(head + members + "}", edits);
      REQUIRE(out.substr(0, head.size()) == head);
      return out.substr(head.size());
    };
    CHECK(ollama(R"(,"keep_alive":"5m")", {by_default("temperature", "0.5"), by_default("seed", "7")}) == R"(,"keep_alive":"5m","options":{"temperature":0.5,"seed":7}})");
    CHECK(ollama(R"(,"options":{"num_ctx": 9, "temperature":1})", {set("temperature", "0.5"), set("max_tokens", "5")}) ==
          R"(,"options":{"num_ctx": 9, "temperature":0.5,"num_predict":5}})");
    // -1 is no limit, so that one which is there by default holds.
    CHECK(ollama(R"(,"options":{"num_predict":-1})", {by_default("max_tokens", "5")}) == R"(,"options":{"num_predict":5}})");
    CHECK(ollama(R"(,"options":{"num_predict":3})", {by_default("max_tokens", "5")}) == R"(,"options":{"num_predict":3}})");
    CHECK(ollama(R"(,"options":{"seed":3,"mirostat":1})", {drop("seed"), drop("keep_alive")}) == R"(,"options":{"mirostat":1}})");
    CHECK(ollama(R"(,"keep_alive":0)", {drop("keep_alive")}) == "}");
    CHECK(ollama("", {set("reasoning_effort", R"("none")")}) == R"(,"think":false})");
    CHECK(ollama("", {set("response_format", R"({"type":"json_object"})")}) == R"(,"format":"json"})");
  }
}
