// Gemini's requests: read, relayed, translated both ways.
#include "catch.h"
#include "dialects/gemini.h"
#include "dialects/signature.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace gemini = dialects::gemini;

namespace {

RequestPath path_of(std::string model, std::string operation = "generateContent", std::string query = {}) {
  RequestPath path;
  path.model = std::move(model);
  path.operation = std::move(operation);
  path.query = std::move(query);
  return path;
}

Result<RequestFacts> scan(std::string_view body, const RequestPath& path = path_of("gemini-2.5-flash")) {
  auto codec = dialect("gemini")->new_client_codec();
  codec->set_path(path);
  return codec->scan(body);
}

ChatRequest decode(std::string_view body) {
  auto codec = dialect("gemini")->new_client_codec();
  codec->set_path(path_of("m"));
  auto facts = codec->scan(body);
  if (!facts) FAIL(facts.error().message);
  auto chat = codec->decode();
  if (!chat) FAIL(chat.error().message);
  return std::move(*chat);
}

constexpr const char* kHi = R"("contents":[{"role":"user","parts":[{"text":"hi"}]}])";

// From OpenAI's dialect to a model of Google's.
struct Written {
  std::string body, error_param;
  std::vector<std::string> dropped;
  JsonValue root() const { return JsonValue(body); }
};
Written to_gemini(const std::string& members, const std::string& messages = R"([{"role":"user","content":"hi"}])",
                  const std::string& model = "gemini-2.5-flash", std::vector<std::string> quirks = {}) {
  const std::string body = R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}";
  auto out = translate_request("openai", "gemini", body, provider(std::move(quirks)), model);
  Written written;
  if (!out) {
    CHECK(out.error().code == ErrorCode::kInvalidRequest);
    written.error_param = out.error().param;
    return written;
  }
  CHECK(wire::validate(out->body));
  written.body = out->body;
  written.dropped = out->request.dropped;
  return written;
}
std::string config_of(const Written& w, std::string_view name) {
  return canonical(find(w.root(), "generationConfig", std::string(name)));
}

// From Gemini's dialect to OpenAI's.
std::string to_openai(const std::string& members, std::vector<std::string>* dropped = nullptr, const std::string& contents = kHi) {
  auto out = translate_request("gemini", "openai", R"({"model":"models/gpt-4o",)" + contents + (members.empty() ? "" : "," + members) + "}");
  if (!out) FAIL(out.error().message);
  if (dropped) *dropped = out->request.dropped;
  return out->body;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("gemini: names in camelCase and in snake_case are the same names") {
  CHECK(gemini::is_field("systemInstruction", "systemInstruction"));
  CHECK(gemini::is_field("system_instruction", "systemInstruction"));
  CHECK(gemini::is_field("top_p", "topP"));
  CHECK(gemini::is_field("parameters_json_schema", "parametersJsonSchema"));
  CHECK(!gemini::is_field("system_Instruction", "systemInstruction"));
  CHECK(!gemini::is_field("systeminstruction", "systemInstruction"));
  CHECK(!gemini::is_field("system_", "systemInstruction"));
  CHECK(!gemini::is_field("system", "systemInstruction"));
  CHECK(!gemini::is_field("systemInstructions", "systemInstruction"));
}

TEST_CASE("gemini: the facts of a request; model and operation stand in the path") {
  const std::string body = R"({"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
    {"file_data":{"mime_type":"application/pdf","file_uri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}]}],
    "generation_config":{"temperature":0.5,"max_output_tokens":64,"candidate_count":2,"response_schema":{"type":"OBJECT"}},
    "tools":[{"function_declarations":[{"name":"f"}]}]})";
  auto facts = scan(body, path_of("models/gemini-2.5-flash", "streamGenerateContent", "key=k&alt=sse"));
  REQUIRE(facts.ok());
  CHECK(facts->model == "gemini-2.5-flash");
  CHECK(facts->stream);
  CHECK(facts->relayable);
  CHECK(facts->include_usage);
  CHECK(facts->has_image);
  CHECK(facts->has_file);
  CHECK(!facts->has_audio);
  CHECK(facts->has_tools);
  CHECK(facts->wants_schema);
  CHECK(facts->n == 2);
  CHECK(facts->max_tokens == 64);
  CHECK(facts->temperature == 0.5);
  CHECK(facts->members.size() == 3);
  CHECK(facts->input_tokens > 800);
  CHECK(!scan(body)->stream);
  CHECK(!scan(body, path_of("m", "streamGenerateContent"))->relayable);
  CHECK(scan(body, path_of("m", "streamGenerateContent", "%24alt=sse"))->relayable);
  CHECK(scan(R"({"model":"models/x",)" + std::string(kHi) + "}", RequestPath())->model == "x");
  CHECK(scan(body, path_of("openai/gpt-4o"))->model == "openai/gpt-4o");
  CHECK(scan(body, path_of("tunedModels/mine"))->model == "tunedModels/mine");
}

TEST_CASE("gemini: single things stand for lists of one, as in Google's own examples") {
  const std::string body = R"({"system_instruction":{"parts":{"text":"be brief"}},"contents":{"parts":{"text":"hi"}},"tools":{"functionDeclarations":{"name":"f"}}})";
  REQUIRE(scan(body).ok());
  const ChatRequest chat = decode(body);
  REQUIRE(chat.messages.size() == 2);
  CHECK(chat.messages[0].role == Role::kSystem);
  CHECK(chat.messages[0].text() == "be brief");
  CHECK(chat.messages[1].text() == "hi");
  REQUIRE(chat.tools.size() == 1);
  CHECK(chat.tools[0].name == "f");
  CHECK(decode(R"({"systemInstruction":"be brief",)" + std::string(kHi) + "}").messages[0].text() == "be brief");
}

TEST_CASE("gemini: tokens are counted without a model being asked") {
  auto facts = scan(R"({"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"01234567890123456789"}]}]}})", path_of("m", "countTokens"));
  REQUIRE(facts.ok());
  CHECK(facts->input_tokens == 5 + 4 + 3);
  CHECK(scan(R"({"contents":[{"parts":[{"text":"01234567890123456789"}]}]})", path_of("m", "countTokens"))->input_tokens == 12);
}

TEST_CASE("gemini: a wrong request is refused by the name of its field") {
  struct Bad {
    std::string body, param;
  };
  const std::string hi = kHi;
  for (const Bad& b : std::vector<Bad>{
           {"[]", ""},
           {"{}", "contents"},
           {R"({"contents":null})", "contents"},
           {R"({"contents":[]})", "contents"},
           {R"({"contents":"hi"})", "contents"},
           {R"({"contents":["hi"]})", "contents[0]"},
           {R"({"contents":[{"role":"assistant","parts":[]}]})", "contents[0].role"},
           {R"({"contents":[{"role":5,"parts":[]}]})", "contents[0].role"},
           {R"({"contents":[{"parts":"hi"}]})", "contents[0].parts"},
           {R"({"contents":[{"parts":["hi"]}]})", "contents[0].parts[0]"},
           {R"({"contents":[{"parts":[{"text":5}]}]})", "contents[0].parts[0].text"},
           {R"({"contents":[{"parts":[{"inlineData":"x"}]}]})", "contents[0].parts[0].inlineData"},
           {R"({"contents":[{"parts":[{"functionCall":{"args":{}}}]}]})", "contents[0].parts[0].functionCall.name"},
           {R"({"contents":[{"parts":[{"function_response":5}]}]})", "contents[0].parts[0].function_response"},
           {R"({"system_instruction":5,)" + hi + "}", "systemInstruction"},
           {"{" + hi + R"(,"tools":5})", "tools"},
           {"{" + hi + R"(,"tools":[5]})", "tools[0]"},
           {"{" + hi + R"(,"toolConfig":[]})", "toolConfig"},
           {"{" + hi + R"(,"generationConfig":[]})", "generationConfig"},
           {"{" + hi + R"(,"generationConfig":{"temperature":"hot"}})", "generationConfig.temperature"},
           {"{" + hi + R"(,"generationConfig":{"maxOutputTokens":0}})", "generationConfig.maxOutputTokens"},
           {"{" + hi + R"(,"generationConfig":{"candidateCount":0}})", "generationConfig.candidateCount"},
           {"{" + hi + R"(,"generationConfig":{"responseSchema":5}})", "generationConfig.responseSchema"},
       }) {
    INFO(b.body);
    auto facts = scan(b.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().param == b.param);
  }
  CHECK(scan("{" + hi + "}", RequestPath()).error().param == "model");
}

TEST_CASE("gemini: a relayed request is its own bytes; the model stands in the path") {
  const std::string body = R"({ "contents": [{"role":"user","parts":[{"text":"hi"}]}], "fieldOfTomorrow": {"a": 1} })";
  auto d = dialect("gemini");
  for (bool stream : {false, true}) {
    auto client = d->new_client_codec();
    client->set_path(path_of("m", stream ? "streamGenerateContent" : "generateContent", "alt=sse"));
    auto facts = client->scan(body);
    REQUIRE(facts.ok());
    ProviderConfig config = provider();
    config.base_url = "https://generativelanguage.googleapis.com/v1beta";
    config.auth = "x-goog-api-key";
    EncodeInput input;
    input.body = body;
    input.facts = &*facts;
    input.provider = &config;
    input.key = "AIza-secret";
    input.upstream_model = "models/gemini-2.5-flash preview";
    input.stream = stream;
    EncodedRequest out;
    REQUIRE(d->new_upstream_codec()->encode(input, out).ok());
    std::string sent;
    for (std::string_view piece : out.http.body) sent += piece;
    CHECK(sent == body);
    CHECK(out.http.url == std::string("https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash%20preview:") +
                              (stream ? "streamGenerateContent?alt=sse" : "generateContent"));
    bool key = false;
    for (const HttpHeader& h : out.http.headers) key = key || (h.name == "x-goog-api-key" && h.value == "AIza-secret");
    CHECK(key);
  }
  // A body that names a model all the same (LangChain) names the upstream's.
  auto named = relay_request("gemini", R"({"model":"models/m",)" + std::string(kHi) + "}", provider(), {}, "gemini-3-pro");
  REQUIRE(named.ok());
  CHECK(named->body == R"({"model":"models/gemini-3-pro",)" + std::string(kHi) + "}");
  auto tuned = relay_request("gemini", R"({"model":"models/m",)" + std::string(kHi) + "}", provider(), {}, "tunedModels/mine");
  CHECK(tuned->request.http.url.find("/tunedModels/mine:generateContent") != std::string::npos);
}

TEST_CASE("gemini: a request means the same after decode and encode") {
  const std::string contents = R"("contents":[
    {"role":"user","parts":[{"text":"u"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
      {"fileData":{"mimeType":"video/mp4","fileUri":"gs://b/x.mp4"},"videoMetadata":{"fps":5}}]},
    {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"U0lH"},{"text":"a"},{"text":"","thoughtSignature":"VEFJTA=="},
      {"executableCode":{"language":"PYTHON","code":"1"}},
      {"functionCall":{"name":"f","args":{"x":1},"id":"c1"},"thoughtSignature":"Q0FMTA=="},{"functionCall":{"name":"g","args":{},"id":"c2"}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":42},"id":"c1"}},
      {"functionResponse":{"name":"g","response":{"error":"no"},"id":"c2","scheduling":"SILENT"}}]}])";
  const std::string rest = R"(
    "systemInstruction":{"parts":[{"text":"s"}]},
    "tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"x":{"type":"integer"}}},"behavior":"BLOCKING"},
      {"name":"g","description":""}]},{"googleSearch":{}}],
    "toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"},"retrievalConfig":{"languageCode":"de"}},
    "safetySettings":[{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"BLOCK_NONE"}],"cachedContent":"cachedContents/x","labels":{"a":"b"},
    "generationConfig":{"temperature":0.5,"topP":0.9,"topK":40,"maxOutputTokens":5,"stopSequences":["x"],"seed":3,"candidateCount":2,
      "presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json",
      "responseJsonSchema":{"type":"object"},"responseModalities":["TEXT","IMAGE"],"mediaResolution":"MEDIA_RESOLUTION_LOW",
      "thinkingConfig":{"includeThoughts":true,"thinkingBudget":2048,"someday":1}})";
  const std::string body = "{" + contents + "," + rest + "}";
  auto again = translate_request("gemini", "gemini", R"({"model":"m",)" + body.substr(1), provider(), "gemini-2.5-flash");
  if (!again) FAIL(again.error().message);
  CHECK(canonical(again->body) == canonical(body));
  CHECK(again->request.dropped.empty());
  auto level = translate_request("gemini", "gemini", R"({"model":"m",)" + std::string(kHi) + R"(,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}})",
                                 provider(), "gemini-3-pro-preview");
  CHECK(find(JsonValue(level->body), "generationConfig", "thinkingConfig", "thinkingLevel").equals("low"));
}

TEST_CASE("gemini: OpenAI's parameters by Google's names") {
  const Written w = to_gemini(R"("max_tokens":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":3,"frequency_penalty":0.1,"presence_penalty":0.2,"stop":"x",
    "n":2,"logprobs":true,"top_logprobs":3,"logit_bias":{"1":2},"user":"u","parallel_tool_calls":false,"metadata":{"a":"b"},"store":true,
    "safety_settings":[],"cachedContent":"cachedContents/c")");
  CHECK(canonical(find_member(w.root(), "generationConfig")) ==
        canonical(R"({"maxOutputTokens":5,"temperature":0.5,"topP":0.9,"topK":40,"seed":3,"frequencyPenalty":0.1,"presencePenalty":0.2,"stopSequences":["x"],
          "candidateCount":2,"responseLogprobs":true,"logprobs":3})"));
  CHECK(w.dropped == Strings{"logit_bias", "user", "metadata", "parallel_tool_calls", "store"});
  CHECK(find_member(w.root(), "safety_settings").is_array());
  CHECK(find_member(w.root(), "cachedContent").equals("cachedContents/c"));
  CHECK(!find_member(w.root(), "model").exists());
}

TEST_CASE("gemini: what it has no word for is refused by name, hints are dropped") {
  CHECK(to_gemini(R"("n":9)").error_param == "n");
  CHECK(to_gemini(R"("stop":["1","2","3","4","5","6"])").error_param == "stop");
  CHECK(to_gemini(R"("modalities":["text","audio"],"audio":{"voice":"a","format":"wav"})").error_param == "modalities");
  CHECK(to_gemini("", R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}])").error_param == "messages[0].content[0]");
  CHECK(to_gemini("", R"([{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}])").error_param == "messages[0].content[0]");
  CHECK(to_gemini("", R"([{"role":"user","content":[{"type":"hologram","x":1}]}])").error_param == "messages[0].content[0]");
  CHECK(to_gemini("", R"([{"role":"user","content":"x"},{"role":"tool","tool_call_id":"nobody","content":"42"}])").error_param == "messages[1].tool_call_id");
  CHECK(to_gemini("", R"([{"role":"user","content":""}])").error_param == "messages");
  CHECK(to_gemini(R"("response_format":{"type":"grammar"})").error_param == "response_format");
  CHECK(to_gemini(R"("seed":99999999999)").dropped == Strings{"seed"});
  CHECK(to_gemini(R"("tools":[{"type":"web_search"},{"type":"function","function":{"name":"f"}}])").dropped == Strings{"tools.web_search"});
  CHECK(to_gemini("", R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]}])").dropped == Strings{"detail"});
}

TEST_CASE("gemini: system words go to systemInstruction; alone they are the user's, since there has to be a content") {
  const Written w = to_gemini("", R"([{"role":"system","content":"a"},{"role":"user","content":"u"},{"role":"developer","content":[{"type":"text","text":"b"}]}])");
  CHECK(canonical(w.body) == canonical(R"({"contents":[{"role":"user","parts":[{"text":"u"}]}],"systemInstruction":{"parts":[{"text":"a"},{"text":"b"}]}})"));
  CHECK(canonical(to_gemini("", R"([{"role":"system","content":"a"}])").body) == canonical(R"({"contents":[{"role":"user","parts":[{"text":"a"}]}]})"));
}

TEST_CASE("gemini: equal roles are one content, results of calls stand alone") {
  const Written w = to_gemini("", R"([{"role":"user","content":"a"},{"role":"user","content":"b"},
    {"role":"assistant","content":"x","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"2","type":"function","function":{"name":"g","arguments":""}}]},
    {"role":"tool","tool_call_id":"2","content":"two"},{"role":"tool","tool_call_id":"1","content":"{\"one\":1}"},
    {"role":"user","content":"c"},{"role":"assistant","content":""},{"role":"user","content":"d"}])");
  CHECK(canonical(find_member(w.root(), "contents")) == canonical(R"([
    {"role":"user","parts":[{"text":"a"},{"text":"b"}]},
    {"role":"model","parts":[{"text":"x"},{"functionCall":{"name":"f","args":{"a":1},"id":"1"}},{"functionCall":{"name":"g","args":{},"id":"2"}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"one":1},"id":"1"}},{"functionResponse":{"name":"g","response":{"result":"two"},"id":"2"}}]},
    {"role":"user","parts":[{"text":"c"},{"text":"d"}]}])"));
}

TEST_CASE("gemini: an id used again means the call that came last") {
  const Written w = to_gemini("", R"([{"role":"user","content":"a"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"call_0","content":"1"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":"g","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"call_0","content":"2"}])");
  CHECK(find(w.root(), "contents", 2, "parts", 0, "functionResponse", "name").equals("f"));
  CHECK(find(w.root(), "contents", 4, "parts", 0, "functionResponse", "name").equals("g"));
}

TEST_CASE("quirk no_call_ids: Vertex AI pairs calls and results by their place") {
  const Written w = to_gemini("", R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"2","content":"two"},{"role":"tool","tool_call_id":"1","content":"one"}])", "gemini-2.5-flash", {"no_call_ids"});
  CHECK(w.body.find("\"id\"") == std::string::npos);
  CHECK(find(w.root(), "contents", 2, "parts", 0, "functionResponse", "response", "result").equals("one"));
}

TEST_CASE("quirk fetches_urls: Vertex AI fetches pictures, sounds and papers itself") {
  const std::string messages = R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.webp?v=1"}},
    {"type":"file","file":{"file_data":"https://x.example/b.pdf"}},{"type":"image_url","image_url":{"url":"https://x.example/c"}}]}])";
  const Written w = to_gemini("", messages, "gemini-2.5-flash", {"fetches_urls"});
  CHECK(canonical(find(w.root(), "contents", 0, "parts")) == canonical(R"([{"fileData":{"mimeType":"image/webp","fileUri":"https://x.example/a.webp?v=1"}},
    {"fileData":{"mimeType":"application/pdf","fileUri":"https://x.example/b.pdf"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://x.example/c"}}])"));
  CHECK(to_gemini("", messages).error_param == "messages[0].content[0]");
}

TEST_CASE("gemini: media of every kind go inline; Google's own stores and films of YouTube by their URL") {
  const Written w = to_gemini("", R"([{"role":"user","content":[
    {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},
    {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},
    {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},
    {"type":"file","file":{"filename":"x","file_data":"JVBERi0="}},
    {"type":"image_url","image_url":{"url":"https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    {"type":"video_url","video_url":{"url":"https://www.youtube.com/watch?v=1"}}]}])");
  CHECK(canonical(find(w.root(), "contents", 0, "parts")) == canonical(R"([
    {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}},
    {"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}},{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}},
    {"fileData":{"mimeType":"image/jpeg","fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    {"fileData":{"mimeType":"video/mp4","fileUri":"https://www.youtube.com/watch?v=1"}}])"));
}

TEST_CASE("gemini: pictures in results stand inside them from Gemini 3 on, behind them before") {
  ChatRequest chat = ChatRequest::of("m", "look");
  Message call, result;
  call.role = Role::kAssistant;
  call.tool_calls.push_back({"c", "shot", "{}", "", ""});
  result.role = Role::kTool;
  result.tool_call_id = "c";
  result.parts.push_back(Part::of_text("here"));
  Part picture;
  picture.kind = Part::Kind::kImage;
  picture.data = "iVBORw0KGgo=";
  picture.mime = "image/png";
  result.parts.push_back(picture);
  chat.messages.push_back(call);
  chat.messages.push_back(result);
  const auto write = [&](std::string_view model) {
    std::string out;
    std::vector<std::string> dropped;
    REQUIRE(gemini::write_request(chat, model, {}, out, dropped).ok());
    return out;
  };
  const std::string old = write("gemini-2.5-pro"), fresh = write("gemini-3-flash-preview");
  CHECK(canonical(find(JsonValue(old), "contents", 3)) == canonical(R"({"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]})"));
  CHECK(canonical(find(JsonValue(fresh), "contents", 2, "parts", 0, "functionResponse", "parts")) ==
        canonical(R"([{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}])"));
  CHECK(!find(JsonValue(fresh), "contents", 3).exists());
}

TEST_CASE("gemini: a call of the current turn without its signature gets Google's word for that, from Gemini 3 on") {
  const std::string messages = R"([{"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"1"},
    {"role":"user","content":"b"},
    {"role":"assistant","tool_calls":[{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"3","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"2","content":"2"},{"role":"tool","tool_call_id":"3","content":"3"}])";
  const auto signature = [&](const std::string& model, size_t content, size_t part) {
    return find(to_gemini("", messages, model).root(), "contents", content, "parts", part, "thoughtSignature").string_or();
  };
  CHECK(signature("gemini-3-pro-preview", 4, 0) == "skip_thought_signature_validator");
  CHECK(signature("gemini-3-pro-preview", 4, 1).empty());
  CHECK(signature("gemini-3-pro-preview", 1, 0).empty());
  CHECK(signature("gemini-flash-latest", 4, 0) == "skip_thought_signature_validator");
  CHECK(signature("gemini-2.5-flash", 4, 0).empty());
  // A user who says nothing is not written, and begins no turn.
  const std::string silent = R"([{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"1","content":"1"},{"role":"user","content":""}])";
  CHECK(find(to_gemini("", silent, "gemini-3-pro-preview").root(), "contents", 1, "parts", 0, "thoughtSignature").string_or() == "skip_thought_signature_validator");
}

TEST_CASE("gemini: own signatures go back as they came, others never do") {
  ChatRequest chat = ChatRequest::of("m", "x");
  Message m;
  m.role = Role::kAssistant;
  const auto thought = [&](std::string text, std::string signature, std::string maker, bool redacted = false) {
    Part p;
    p.kind = Part::Kind::kReasoning;
    p.text = std::move(text);
    p.signature = std::move(signature);
    p.maker = std::move(maker);
    p.redacted = redacted;
    m.parts.push_back(p);
  };
  thought("mine", "R0VN", "gemini");
  thought("theirs", "QU5U", "anthropic");
  thought("", "SElE", "anthropic", true);
  thought("", "QU5U", "anthropic");
  m.tool_calls.push_back({"c", "f", "{}", "U0lH", ""});
  m.tool_calls.back().maker = "responses";
  chat.messages.push_back(m);
  std::string out;
  std::vector<std::string> dropped;
  REQUIRE(gemini::write_request(chat, "gemini-2.5-flash", {}, out, dropped).ok());
  CHECK(canonical(find(JsonValue(out), "contents", 1, "parts")) ==
        canonical(R"([{"text":"mine","thought":true,"thoughtSignature":"R0VN"},{"text":"theirs","thought":true},{"functionCall":{"name":"f","args":{},"id":"c"}}])"));
}

TEST_CASE("gemini: what another maker signed comes back from a client whole, in one piece or in several") {
  const std::string sealed = dialects::seal_signature("anthropic", "gemini", "c2ln"), hidden = dialects::seal_signature("anthropic+redacted", "gemini", "aGlk");
  const ChatRequest chat = decode(R"({"contents":[{"role":"user","parts":[{"text":"u"}]},
    {"role":"model","parts":[{"text":"one ","thought":true}]},{"role":"model","parts":[{"text":"two","thought":true},{"text":"","thought":true,"thoughtSignature":")" +
                                  sealed + R"("},{"text":"","thought":true,"thoughtSignature":")" + hidden + R"("}]},
    {"role":"model","parts":[{"text":"said"},{"functionCall":{"name":"f"},"thoughtSignature":"T1dO"}]}]})");
  REQUIRE(chat.messages.size() == 2);
  const Message& m = chat.messages[1];
  REQUIRE(m.parts.size() == 3);
  CHECK(m.parts[0].kind == Part::Kind::kReasoning);
  CHECK(m.parts[0].text == "one two");
  CHECK(m.parts[0].signature == "c2ln");
  CHECK(m.parts[0].maker == "anthropic");
  CHECK(!m.parts[0].redacted);
  CHECK(m.parts[1].redacted);
  CHECK(m.parts[1].maker == "anthropic");
  CHECK(m.parts[1].signature == "aGlk");
  CHECK(m.parts[2].text == "said");
  REQUIRE(m.tool_calls.size() == 1);
  CHECK(m.tool_calls[0].arguments == "{}");
  CHECK(m.tool_calls[0].signature == "T1dO");
  CHECK(m.tool_calls[0].maker == "gemini");
}

TEST_CASE("gemini: results find their calls by id, by name, by place") {
  const ChatRequest chat = decode(R"({"contents":[{"role":"user","parts":[{"text":"u"}]},
    {"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"g","id":"own"}},{"functionCall":{"name":"f","args":{"n":2}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"g","response":{"r":"g"}}}]},
    {"role":"function","parts":[{"functionResponse":{"name":"f","response":{"r":"f1"}}},{"functionResponse":{"name":"f","response":{"error":"f2"}}},{"text":"and"}]}]})");
  REQUIRE(chat.messages.size() == 6);
  const auto& calls = chat.messages[1].tool_calls;
  REQUIRE(calls.size() == 3);
  CHECK(!calls[0].id.empty());
  CHECK(calls[0].id != calls[2].id);
  CHECK(calls[1].id == "own");
  CHECK(chat.messages[2].role == Role::kTool);
  CHECK(chat.messages[2].tool_call_id == "own");
  CHECK(chat.messages[2].text() == R"({"r":"g"})");
  CHECK(chat.messages[3].tool_call_id == calls[0].id);
  CHECK(chat.messages[4].tool_call_id == calls[2].id);
  CHECK(chat.messages[4].tool_error);
  CHECK(!chat.messages[3].tool_error);
  CHECK(chat.messages[5].role == Role::kUser);
  CHECK(chat.messages[5].text() == "and");
}

TEST_CASE("gemini: Google's parameters by OpenAI's names") {
  std::vector<std::string> dropped;
  const std::string out = to_openai(R"("generationConfig":{"temperature":0.5,"topP":0.9,"maxOutputTokens":5,"stopSequences":["x"],"seed":3,"candidateCount":2,
    "presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":2,"responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_LOW",
    "responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}},"required":["a"]},
    "thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}},
    "systemInstruction":"s","tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"n":{"type":"INTEGER","minimum":1}}}}]}],
    "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
    "safetySettings":[{"category":"X"}])", &dropped);
  CHECK(canonical(out) == canonical(R"({"model":"upstream-model","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],
    "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}}}],
    "tool_choice":{"type":"function","function":{"name":"f"}},
    "response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}}},
    "temperature":0.5,"top_p":0.9,"max_tokens":5,"stop":["x"],"seed":3,"n":2,"presence_penalty":0.1,"frequency_penalty":0.2,"logprobs":true,"top_logprobs":2,
    "reasoning_effort":"low"})"));
  CHECK(dropped == Strings{"reasoning_summary", "generationConfig.mediaResolution", "safetySettings"});
}

TEST_CASE("gemini: LiteLLM's snake_case loses nothing") {
  const std::string out = to_openai(R"("system_instruction":{"parts":[{"text":"s"}]},"tools":[{"function_declarations":[{"name":"f","parameters_json_schema":{"type":"object"}}]}],
    "tool_config":{"function_calling_config":{"mode":"ANY"}},"generation_config":{"max_output_tokens":5,"response_mime_type":"application/json"})");
  CHECK(canonical(out) == canonical(R"({"model":"upstream-model","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required","max_tokens":5,"response_format":{"type":"json_object"}})"));
}

TEST_CASE("gemini: every mode of calling") {
  const auto choice = [](const std::string& config) {
    return canonical(find_member(JsonValue(to_openai(R"("tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}],"toolConfig":{"functionCallingConfig":)" + config + "}")), "tool_choice"));
  };
  CHECK(choice(R"({"mode":"AUTO"})") == "\"auto\"");
  CHECK(choice(R"({"mode":"none"})") == "\"none\"");
  CHECK(choice(R"({"mode":2})") == "\"required\"");
  CHECK(choice(R"({"mode":"VALIDATED"})") == "\"auto\"");
  CHECK(choice(R"({})") == "");
  CHECK(choice(R"({"mode":"ANY","allowedFunctionNames":["f","g"]})") == "\"required\"");
  const auto back = [](const std::string& tool_choice) {
    return canonical(find(to_gemini(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":)" + tool_choice).root(), "toolConfig", "functionCallingConfig"));
  };
  CHECK(back("\"auto\"") == canonical(R"({"mode":"AUTO"})"));
  CHECK(back("\"none\"") == canonical(R"({"mode":"NONE"})"));
  CHECK(back("\"required\"") == canonical(R"({"mode":"ANY"})"));
  CHECK(back(R"({"type":"function","function":{"name":"f"}})") == canonical(R"({"mode":"ANY","allowedFunctionNames":["f"]})"));
  CHECK(back(R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}})") == canonical(R"({"mode":"AUTO"})"));
  CHECK(to_gemini(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"custom"})").error_param == "tool_choice");
}

TEST_CASE("gemini: effort and budget, by what the model understands") {
  const auto thinking = [](const std::string& effort, const std::string& model, std::vector<std::string>* dropped = nullptr) {
    const Written w = to_gemini(R"("reasoning_effort":")" + effort + "\"", R"([{"role":"user","content":"hi"}])", model);
    if (dropped) *dropped = w.dropped;
    return config_of(w, "thinkingConfig");
  };
  CHECK(thinking("low", "gemini-2.5-flash") == canonical(R"({"includeThoughts":true,"thinkingBudget":1024})"));
  CHECK(thinking("medium", "gemini-2.5-flash") == canonical(R"({"includeThoughts":true,"thinkingBudget":2048})"));
  CHECK(thinking("high", "gemini-2.5-pro") == canonical(R"({"includeThoughts":true,"thinkingBudget":4096})"));
  CHECK(thinking("none", "gemini-2.5-flash") == canonical(R"({"thinkingBudget":0})"));
  std::vector<std::string> dropped;
  CHECK(thinking("none", "gemini-2.5-pro", &dropped) == canonical(R"({"thinkingBudget":128})"));
  CHECK(dropped == Strings{"reasoning_effort"});
  CHECK(thinking("minimal", "gemini-3-flash-preview") == canonical(R"({"includeThoughts":true,"thinkingLevel":"minimal"})"));
  CHECK(thinking("minimal", "gemini-3-pro-preview") == canonical(R"({"includeThoughts":true,"thinkingLevel":"low"})"));
  CHECK(thinking("medium", "gemini-3-pro-preview") == canonical(R"({"includeThoughts":true,"thinkingLevel":"high"})"));
  CHECK(thinking("medium", "gemini-3.1-pro-preview") == canonical(R"({"includeThoughts":true,"thinkingLevel":"medium"})"));
  CHECK(thinking("xhigh", "gemini-3.5-flash") == canonical(R"({"includeThoughts":true,"thinkingLevel":"high"})"));
  CHECK(thinking("none", "gemini-3.5-flash", &dropped) == canonical(R"({"thinkingLevel":"minimal"})"));
  CHECK(dropped == Strings{"reasoning_effort"});
  CHECK(thinking("high", "gemini-2.0-flash", &dropped) == "");
  CHECK(dropped == Strings{"reasoning_effort"});
  CHECK(thinking("none", "gemini-2.0-flash", &dropped) == "");
  CHECK(dropped.empty());
}

TEST_CASE("gemini: structured output; old models get Google's own schema") {
  const std::string format = R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}}})";
  const Written fresh = to_gemini(format);
  CHECK(config_of(fresh, "responseMimeType") == "\"application/json\"");
  CHECK(config_of(fresh, "responseJsonSchema") == canonical(R"({"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false})"));
  const Written old = to_gemini(format, R"([{"role":"user","content":"hi"}])", "gemini-1.5-pro");
  CHECK(config_of(old, "responseSchema") == canonical(R"({"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}})"));
  CHECK(config_of(old, "responseJsonSchema") == "");
  const Written tools = to_gemini(R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}])", R"([{"role":"user","content":"hi"}])", "gemini-2.0-flash");
  CHECK(!find(tools.root(), "tools", 0, "functionDeclarations", 0, "parameters").exists());
}

namespace {

std::string google_of(const std::string& schema, std::vector<std::string>* lost = nullptr) {
  std::vector<std::string> dropped;
  std::string out = gemini::google_schema_of(JsonValue(schema), "", lost != nullptr ? *lost : dropped);
  return out;
}

}  // namespace

TEST_CASE("gemini: JSON Schema as Google's Schema") {
  // Whatever there may be.
  const auto any = [](const std::string& more) {
    std::string out;
    for (const char* type : {"STRING", "NUMBER", "BOOLEAN", "OBJECT"}) out += "{" + more + R"("type":")" + type + "\"},";
    return R"({"anyOf":[)" + out + "{" + more + R"("type":"ARRAY","items":{"type":"STRING"}}]})";
  };
  struct Row {
    std::string json, google;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"type":"object","properties":{}})", ""},
           {R"({})", ""},
           {R"({"type":"string","const":"x"})", R"({"type":"STRING","enum":["x"]})"},
           {R"({"enum":["a","b",null]})", R"({"type":"STRING","nullable":true,"enum":["a","b"]})"},
           {R"({"type":"integer","enum":[1,2],"minimum":1})", R"({"type":"INTEGER","description":"{one of: 1, 2}","minimum":1})"},
           {R"({"enum":[1,2]})", R"({"type":"INTEGER","description":"{one of: 1, 2}"})"},
           {R"({"const":3.5,"description":"d"})", R"({"type":"NUMBER","description":"d\n{one of: 3.5}"})"},
           {R"({"const":true})", R"({"type":"BOOLEAN","description":"{one of: true}"})"},
           {R"({"enum":["a",1,null]})",
            R"({"anyOf":[{"type":"STRING","nullable":true,"enum":["a"]},{"type":"INTEGER","nullable":true,"description":"{one of: 1}"}]})"},
           {R"({"type":"number","exclusiveMaximum":5,"multipleOf":0.5})", R"({"type":"NUMBER","description":"{exclusiveMaximum: 5, multipleOf: 0.5}"})"},
           {R"({"type":"array","uniqueItems":true,"items":{"minLength":2}})",
            R"({"type":"ARRAY","description":"{uniqueItems: true}","items":{"type":"STRING","minLength":2}})"},
           {R"({"type":"object","properties":{"a":{},"b":{"description":"d"}}})",
            R"({"type":"OBJECT","properties":{"a":)" + any("") + R"(,"b":)" + any(R"("description":"d",)") + "}}"},
           {R"({"type":["integer","string"]})", R"({"anyOf":[{"type":"INTEGER"},{"type":"STRING"}]})"},
           {R"({"anyOf":[{"type":"string"},{"type":"null"}]})", R"({"type":"STRING","nullable":true})"},
           {R"({"oneOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]})", R"({"anyOf":[{"type":"STRING","nullable":true},{"type":"INTEGER","nullable":true}]})"},
           {R"({"type":"array"})", R"({"type":"ARRAY","items":{"type":"STRING"}})"},
           {R"({"type":"array","items":{"type":"number","format":"double"},"minItems":1})", R"({"type":"ARRAY","minItems":1,"items":{"type":"NUMBER","format":"double"}})"},
           {R"({"type":"string","format":"email","$schema":"x","default":1})", R"({"type":"STRING","description":"{format: \"email\"}"})"},
           {R"({"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"boolean"}},"required":["b","zz"]}]})",
            R"({"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"BOOLEAN"}},"required":["a","b"]})"},
           {R"({"$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}}}},"type":"object","properties":{"p":{"$ref":"#/$defs/P","description":"d"}}})",
            R"({"type":"OBJECT","properties":{"p":{"type":"OBJECT","description":"d","properties":{"x":{"type":"NUMBER"}}}}})"},
           {R"({"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}},"$ref":"#/$defs/N"})",
            R"({"type":"OBJECT","properties":{"next":{"type":"OBJECT"}}})"},
           {R"({"type":"object","properties":{"p":{"$ref":"https://elsewhere.example/x"},"q":true}})",
            R"({"type":"OBJECT","properties":{"p":)" + any("") + R"(,"q":)" + any("") + "}}"},
       }) {
    INFO(row.json);
    const std::string google = google_of(row.json);
    CHECK((row.google.empty() ? google.empty() : canonical(google) == canonical(row.google)));
  }
  // References that double at every level stay bounded.
  std::string defs = R"("D0":{"type":"object","properties":{"x":{"type":"string"}}})";
  for (int i = 1; i < 40; ++i) {
    const std::string below = R"({"$ref":"#/$defs/D)" + std::to_string(i - 1) + "\"}";
    defs += ",\"D" + std::to_string(i) + R"(":{"type":"object","properties":{"a":)" + below + R"(,"b":)" + below + "}}";
  }
  const std::string bomb = google_of(R"({"$defs":{)" + defs + R"(},"$ref":"#/$defs/D30"})");
  CHECK(bomb.size() < 2 * 1024 * 1024);
  CHECK(wire::validate(bomb));
}

TEST_CASE("gemini: Google's Schema as JSON Schema") {
  struct Row {
    std::string google, json;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true}},"required":["type"],"propertyOrdering":["type"]})",
            R"({"type":"object","properties":{"type":{"type":["string","null"]}},"required":["type"],"propertyOrdering":["type"]})"},
           {R"({"type":6,"properties":{"a":{"type":1}}})", R"({"type":"object","properties":{"a":{"type":"string"}}})"},
           {R"({"type":"ARRAY","items":{"type":"INTEGER"},"min_items":"2","maxItems":3})", R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})"},
           {R"({"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true})", R"({"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]})"},
           {R"({"type":"STRING","enum":["a"],"nullable":true})", R"({"type":["string","null"],"enum":["a",null]})"},
           {R"({"type":"object","additionalProperties":false})", R"({"type":"object","additionalProperties":false})"},
       }) {
    INFO(row.google);
    CHECK(canonical(gemini::json_schema_of(JsonValue(row.google))) == canonical(row.json));
  }
}

TEST_CASE("gemini: what a model's name says") {
  CHECK(gemini::traits_of("gemini-2.5-pro").pro);
  CHECK(gemini::traits_of("gemini-2.5-pro").takes_json_schema);
  CHECK(!gemini::traits_of("gemini-2.5-pro").has_levels);
  CHECK(!gemini::traits_of("gemini-2.0-flash-lite").takes_json_schema);
  CHECK(!gemini::traits_of("gemini-1.5-pro").thinks);
  CHECK(gemini::traits_of("models/gemini-3.1-pro-preview").has_levels);
  CHECK(gemini::traits_of("gemini-3.1-pro-preview").minor == 1);
  CHECK(gemini::traits_of("gemini-flash-latest").has_levels);
  CHECK(!gemini::traits_of("gemma-3-27b-it").thinks);
  CHECK(!gemini::traits_of("my-endpoint").wants_signatures);
}

TEST_CASE("gemini: a schema whose reference leads nowhere is left out as an empty object is, and what was written is written again the same") {
  for (const char* schema : {R"({"$ref":""})", R"({"$ref":"#/$defs/a"})", R"({"allOf":[{"$ref":"#/none"}]})", R"({"type":"object"})"}) {
    CAPTURE(schema);
    CHECK(google_of(schema) == "");
  }
  CHECK(google_of(R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}})") == R"({"type":"STRING"})");
}

TEST_CASE("gemini: what Google's Schema has no word for is named, by the keyword") {
  const auto lost = [](const std::string& schema) {
    std::vector<std::string> names;
    google_of(schema, &names);
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(lost(R"({"type":"object","properties":{"n":{"$ref":"#/$defs/N"}},"$defs":{"N":{"type":"object","properties":{"child":{"$ref":"#/$defs/N"}}}}})") == Names{"$ref"});
  CHECK(lost(R"({"type":"object","properties":{"a":{"$ref":"https://elsewhere.example/x"}}})") == Names{"$ref"});
  CHECK(lost(R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false})") == Names{"additionalProperties"});
  CHECK(lost(R"({"type":"object","additionalProperties":{"type":"string"}})") == Names{"additionalProperties"});
  CHECK(lost(R"({"type":"object","properties":{"a":{"type":"array"}}})") == Names{"items"});
  CHECK(lost(R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]})") == Names{"prefixItems"});
  CHECK(lost(R"({"type":"object","properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]}]})") == Names{"properties"});
  CHECK(lost(R"({"anyOf":[{"type":"string"},{"type":"integer"}],"description":"d","title":"t"})") == Names{"description"});
  CHECK(lost(R"({"type":"integer","format":"uint32","not":{"const":3},"default":4})") == Names{"format", "not", "default"});
  // Written, or told in the description.
  CHECK(lost(R"({"$schema":"s","$id":"i","$comment":"c","title":"t","type":"object","required":["a"],"properties":{"a":{"type":["integer","null"],"minimum":1,"multipleOf":2,"enum":[2,4]},
    "b":{"const":"x"},"c":{"oneOf":[{"type":"string","format":"email"},{"type":"array","items":{"type":"string"},"uniqueItems":true}]},"d":{},"e":{"allOf":[{"type":"string"}]}}})").empty());
  // In a request; later models take JSON Schema as it is.
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false})";
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f","parameters":)" + schema +
                           R"(}}],"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":)" + schema + "}}}";
  for (const auto& [model, names] : std::vector<std::pair<std::string, Names>>{
           {"gemini-2.0-flash", {"tools.parameters.additionalProperties", "response_format.additionalProperties"}}, {"gemini-2.5-pro", {}}}) {
    CAPTURE(model);
    auto out = translate_request("openai", "gemini", body, provider(), model);
    REQUIRE(out.ok());
    CHECK(out->request.dropped == names);
  }
}
