// The OpenAI dialect to and from the neutral model: requests, whole answers, and the grammar of streams that are written.
#include <set>

#include "catch.h"
#include "dialects/fields.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

ChatRequest decoded(const std::string& body) {
  auto client = dialect("openai")->new_client_codec();
  auto facts = client->scan(body);
  if (!facts) FAIL(facts.error().message);
  auto chat = client->decode();
  if (!chat) FAIL(chat.error().message);
  return std::move(*chat);
}

std::string encoded(const ChatRequest& chat, ProviderConfig config = provider(), bool foreign = false, std::vector<std::string>* dropped = nullptr) {
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "up";
  input.stream = false;
  input.foreign = foreign;
  EncodedRequest out;
  auto ok = dialect("openai")->new_upstream_codec()->encode(input, out);
  if (!ok) FAIL(ok.error().message);
  if (dropped) *dropped = out.dropped;
  std::string body;
  for (std::string_view piece : out.http.body) body += piece;
  CHECK(wire::validate(body));
  return body;
}

std::string message_json(const std::string& body, size_t index) { return std::string(find(JsonValue(body), "messages", index).raw()); }

// A request whose every member is there and means something.
const std::string kFull = R"({
  "model":"gpt-4o","messages":[
    {"role":"system","content":"Be brief."},
    {"role":"developer","content":[{"type":"text","text":"Really."}]},
    {"role":"user","name":"ann","content":[
      {"type":"text","text":"Look:","cache_control":{"type":"ephemeral"}},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
      {"type":"image_url","image_url":{"url":"https://x/y.png","min_pixels":9}},
      {"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
      {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
      {"type":"file","file":{"file_id":"file-1"}},
      {"type":"video_url","video_url":{"url":"https://x/y.mp4"}},
      {"type":"hologram","hologram":{"z":1}}]},
    {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
      {"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"},"extra_content":{"google":{"thought_signature":"c2ln"}}},
      {"id":"call_b","type":"custom","custom":{"name":"g","input":"raw text"}}]},
    {"role":"tool","tool_call_id":"call_a","content":"42"},
    {"role":"tool","tool_call_id":"call_b","content":[{"type":"text","text":"ok"}]},
    {"role":"assistant","content":"Done","refusal":null,"reasoning":"ah","reasoning_details":[{"type":"reasoning.text","text":"ah"}]},
    {"role":"assistant","refusal":"I cannot","audio":{"id":"audio_1"}}],
  "tools":[
    {"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object","properties":{"x":{"type":"integer"}}},"strict":true,"invented":1},"cache_control":{"type":"ephemeral"}},
    {"type":"custom","custom":{"name":"g"}}],
  "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
  "response_format":{"type":"json_schema","json_schema":{"name":"answer","description":"d","schema":{"type":"object"},"strict":true}},
  "max_tokens":100,"temperature":0.7,"top_p":0.9,"top_k":40,"frequency_penalty":0.1,"presence_penalty":-0.1,"seed":-7,"n":2,
  "stop":["a","b"],"logprobs":true,"top_logprobs":3,"logit_bias":{"50256":-100},"user":"u1","reasoning_effort":"low","service_tier":"flex",
  "metadata":{"k":"v"},"store":true,"prediction":{"type":"content","content":"x"},"vendor_thing":{"deep":[1,{"a":null}]}})";

}  // namespace

TEST_CASE("a full request means the same after decode and encode") {
  auto again = translate_request("openai", "openai", kFull, provider(), "gpt-4o");
  REQUIRE(again.ok());
  const JsonValue was(kFull), is(again->body);
  for (const wire::JsonMember& m : wire::JsonMembers(was)) {
    if (m.key == "messages") continue;
    INFO(m.key);
    CHECK(canonical(find_member(is, m.key)) == canonical(m.value));
  }
  size_t i = 0;
  for (JsonValue message : wire::JsonElements(find_member(was, "messages"))) {
    INFO(i);
    std::string expected = canonical(message);
    // A lone text part may as well be a string.
    for (const char* lone : {R"([{"text":"Really.","type":"text",},])", R"([{"text":"ok","type":"text",},])"}) {
      if (const size_t at = expected.find(lone); at != std::string::npos) {
        const std::string text = lone;
        const size_t begin = text.find(":\"") + 1;
        expected.replace(at, text.size(), text.substr(begin, text.find(",\"type\"") - begin));
      }
    }
    const std::string written = canonical(find(is, "messages", i));
    if (i == 7) CHECK(written == canonical(R"({"role":"assistant","refusal":"I cannot","content":"","audio":{"id":"audio_1"}})"));
    else CHECK(written == expected);
    ++i;
  }
  CHECK(i == 8);
}

TEST_CASE("the neutral form of a full request") {
  const ChatRequest c = decoded(kFull);
  CHECK(c.model == "gpt-4o");
  REQUIRE(c.messages.size() == 8);
  CHECK(c.messages[1].role == Role::kDeveloper);
  const Message& user = c.messages[2];
  CHECK(user.name == "ann");
  REQUIRE(user.parts.size() == 8);
  CHECK(user.parts[0].cache == R"({"type":"ephemeral"})");
  CHECK(user.parts[0].extras.empty());
  CHECK(c.tools[0].cache == R"({"type":"ephemeral"})");
  CHECK((c.messages[3].tool_calls[0].signature == "c2ln" && c.messages[3].tool_calls[0].maker == "gemini"));
  CHECK(user.parts[1].kind == Part::Kind::kImage);
  CHECK(user.parts[1].detail == "low");
  CHECK(user.parts[3].kind == Part::Kind::kAudio);
  CHECK(user.parts[3].mime == "audio/mp3");
  CHECK(user.parts[4].kind == Part::Kind::kFile);
  CHECK(user.parts[4].name == "a.pdf");
  CHECK(user.parts[5].file_id == "file-1");
  CHECK(user.parts[6].kind == Part::Kind::kVideo);
  CHECK(user.parts[7].kind == Part::Kind::kOther);
  CHECK(c.messages[3].parts[0].kind == Part::Kind::kReasoning);
  CHECK(c.messages[3].tool_calls[0].name == "f");
  CHECK((c.messages[3].tool_calls[1].custom && c.messages[3].tool_calls[1].name == "g"));
  CHECK(c.messages[3].tool_calls[1].arguments == R"({"input":"raw text"})");
  CHECK(c.messages[4].tool_call_id == "call_a");
  CHECK(c.messages[7].parts[0].kind == Part::Kind::kRefusal);
  CHECK(c.tools[0].strict == true);
  CHECK((c.tools[1].custom && c.tools[1].raw.empty() && c.tools[1].name == "g"));
  CHECK(c.tool_choice.kind == ToolChoice::Kind::kNamed);
  CHECK(c.response_format.kind == ResponseFormat::Kind::kJsonSchema);
  CHECK(c.seed == -7);
  CHECK(c.stop == std::vector<std::string>{"a", "b"});
  CHECK(c.extras.find("vendor_thing") != std::string::npos);
  CHECK(c.extras.find("temperature") == std::string::npos);
}

TEST_CASE("legacy functions and a string for stop pass through translation") {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
    {"role":"function","name":"f","content":"42"}],"functions":[{"name":"f"}],"function_call":"auto","stop":"END"})";
  auto again = translate_request("openai", "openai", body);
  REQUIRE(again.ok());
  CHECK(canonical(message_json(again->body, 1)) == canonical(R"({"role":"assistant","content":"","function_call":{"name":"f","arguments":"{}"}})"));
  CHECK(canonical(message_json(again->body, 2)) == canonical(R"({"role":"function","name":"f","content":"42"})"));
  CHECK(find(JsonValue(again->body), "functions", 0, "name").equals("f"));
  CHECK(find(JsonValue(again->body), "stop", 0).equals("END"));
}

TEST_CASE("formats and choices without a field of their own pass as they are") {
  for (const char* member : {R"("response_format":{"type":"json_object","schema":{"type":"object"}})", R"("response_format":{"type":"grammar","grammar":"x"})",
                             R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}})", R"("tool_choice":"my_function")",
                             R"("tool_choice":"none")", R"("response_format":{"type":"text"})"}) {
    const std::string body = R"({"model":"m","messages":[{"role":"user","content":"x"}],)" + std::string(member) + "}";
    auto again = translate_request("openai", "openai", body, provider(), "m");
    REQUIRE(again.ok());
    CHECK(canonical(again->body) == canonical(body));
  }
}

TEST_CASE("extras of another dialect are dropped by name") {
  ChatRequest chat = ChatRequest::of("m", "hello");
  chat.extras = R"("keep_alive":"5m","options":{"num_ctx":4096})";
  chat.messages[0].extras = R"("odd":1)";
  std::vector<std::string> dropped;
  const std::string body = encoded(chat, provider(), true, &dropped);
  CHECK(canonical(body) == canonical(R"({"model":"up","messages":[{"role":"user","content":"hello"}]})"));
  CHECK(dropped == std::vector<std::string>{"keep_alive", "options.num_ctx"});
  CHECK(canonical(encoded(chat)) == canonical(R"({"model":"up","messages":[{"role":"user","content":"hello","odd":1}],"keep_alive":"5m","options":{"num_ctx":4096}})"));
}

TEST_CASE("calls without ids get ids, and the results that belong to them the same") {
  ChatRequest chat;
  Message call;
  call.role = Role::kAssistant;
  call.tool_calls = {{"", "f", "{}", "", ""}, {"", "g", "{}", "", ""}};
  Message g, f;
  g.role = f.role = Role::kTool;
  g.name = "g";  // named, out of order
  g.parts.push_back(Part::of_text("1"));
  f.parts.push_back(Part::of_text("2"));
  chat.messages = {call, g, f, call, f, f};
  const std::string body = encoded(chat);
  const JsonValue root(body);
  const auto id = [&](size_t m, size_t c) { return find(root, "messages", m, "tool_calls", c, "id").string_or(); };
  const auto result = [&](size_t m) { return find(root, "messages", m, "tool_call_id").string_or(); };
  CHECK(result(1) == id(0, 1));
  CHECK(result(2) == id(0, 0));
  CHECK(result(4) == id(3, 0));
  CHECK(result(5) == id(3, 1));
  CHECK(std::set<std::string>{id(0, 0), id(0, 1), id(3, 0), id(3, 1)}.size() == 4);
  CHECK(encoded(chat) == body);  // the same each time: a provider's cache goes by the bytes
}

TEST_CASE("a tool that failed says so in words; a thinking budget becomes an effort") {
  ChatRequest chat = ChatRequest::of("m", "x");
  Message tool;
  tool.role = Role::kTool;
  tool.tool_call_id = "call_a";
  tool.tool_error = true;
  tool.parts.push_back(Part::of_text("no such file"));
  chat.messages.push_back(tool);
  chat.reasoning_budget = 2048;
  const std::string body = encoded(chat);
  CHECK(find(JsonValue(body), "messages", 1, "content").equals("Error: no such file"));
  CHECK(find_member(JsonValue(body), "reasoning_effort").equals("medium"));
}

TEST_CASE("images given as data become data: URLs") {
  ChatRequest chat = ChatRequest::of("m", "x");
  Part image;
  image.kind = Part::Kind::kImage;
  image.data = "AAAA";
  image.mime = "image/jpeg";
  chat.messages[0].parts.push_back(image);
  const std::string body = encoded(chat);
  CHECK(find(JsonValue(body), "messages", 0, "content", 1, "image_url", "url").equals("data:image/jpeg;base64,AAAA"));
}

// --- whole answers ---

namespace {

const std::string kAnswer = R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024","choices":[
  {"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[{"type":"url_citation"}],"audio":{"id":"a","data":"x"},"reasoning_content":"hm",
    "tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}],"invented":1},
   "logprobs":{"content":[{"token":"Hi","logprob":-0.1}],"refusal":null},"finish_reason":"tool_calls","content_filter_results":{"hate":{"filtered":false}}},
  {"index":1,"message":{"role":"assistant","content":null,"refusal":"No"},"logprobs":null,"finish_reason":"content_filter"}],
  "usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1},
    "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":2},"cost":0.25},
  "service_tier":"default","system_fingerprint":"fp_1","citations":["https://x"]})";

Result<ChatResponse> answer(std::string_view body) { return reading("openai", false)->decode(body); }

std::string written(const ChatResponse& response) {
  std::string out;
  dialect("openai")->new_client_codec()->encode_response(response, out);
  CHECK(wire::validate(out));
  return out;
}

// An answer with this message.
std::string with_message(std::string_view message, std::string_view finish = R"("stop")") {
  return R"({"id":"c","model":"m","created":1,"choices":[{"index":0,"message":)" + std::string(message) + R"(,"finish_reason":)" + std::string(finish) + "}]}";
}

}  // namespace

TEST_CASE("a full answer means the same when written again") {
  auto response = answer(kAnswer);
  REQUIRE(response.ok());
  CHECK(canonical(written(*response)) == canonical(kAnswer));
  CHECK(print(response->usage) == "10 4 0 20 5 1 2 0 known");
  CHECK(response->usage_extras == R"("cost":0.25)");
  CHECK(response->choices[1].finish == FinishReason::kContentFilter);
  auto facts = reading("openai", true)->inspect(kAnswer);
  REQUIRE(facts.ok());
  CHECK(facts->model == "gpt-4o-2024");
  CHECK(facts->finish == FinishReason::kToolCalls);
  CHECK(print(facts->usage) == print(response->usage));
}

TEST_CASE("quirk: blank lines before and after a whole body") {
  CHECK(answer("\n\n\n" + kAnswer + "\n\n").ok());
  CHECK(reading("openai", true)->inspect("\n\r\n " + kAnswer).ok());
}

TEST_CASE("quirk: a message without content, with null, with an object, with an array") {
  CHECK(find(JsonValue(written(*answer(with_message(R"({"role":"assistant"})")))), "choices", 0, "message", "content").is_null());
  CHECK(find(JsonValue(written(*answer(with_message(R"({"role":"assistant","content":null})")))), "choices", 0, "message", "content").is_null());
  CHECK(answer(with_message(R"({"content":{"author":"x"}})"))->text() == R"({"author":"x"})");  // Cloudflare's JSON mode
  auto mistral = answer(with_message(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},{"type":"text","text":"b"}]})"));
  CHECK(mistral->text() == "ab");
  const std::string out = written(*mistral);
  CHECK(find(JsonValue(out), "choices", 0, "message", "reasoning_content").equals("hm"));
  CHECK(find(JsonValue(out), "choices", 0, "message", "content").equals("ab"));
}

TEST_CASE("quirk: reasoning by its other name reaches the client as reasoning_content") {
  const std::string out = written(*answer(with_message(R"({"content":"a","reasoning":"hm"})")));
  CHECK(find(JsonValue(out), "choices", 0, "message", "reasoning_content").equals("hm"));
}

TEST_CASE("quirk: empty and foreign finish reasons of whole answers") {
  const auto finish = [](std::string_view word, std::string_view message = R"({"content":"a"})") {
    const std::string body = with_message(message, word);
    const FinishReason of_relay = reading("openai", true)->inspect(body)->finish;
    CHECK(answer(body)->choices[0].finish == of_relay);
    return of_relay;
  };
  const char* const kCall = R"({"content":null,"tool_calls":[{"id":"call_a","function":{"name":"f","arguments":"{}"}}]})";
  CHECK(finish(R"("")") == FinishReason::kStop);  // Snowflake
  CHECK(finish("null") == FinishReason::kStop);
  CHECK(finish(R"("eos")") == FinishReason::kStop);
  CHECK(finish(R"("length")") == FinishReason::kLength);
  CHECK(finish(R"("")", kCall) == FinishReason::kToolCalls);
  CHECK(finish(R"("eos_token")", kCall) == FinishReason::kToolCalls);  // TGI
  CHECK(finish(R"("stop")", kCall) == FinishReason::kStop);            // OpenAI, after a forced call
}

TEST_CASE("quirk: tool calls of whole answers: numbered ids, trivial ids, object and null arguments, stand-ins beside them") {
  auto response = answer(with_message(R"({"content":null,"function_call":{"name":"","arguments":""},"tool_calls":[
    {"id":0,"type":"function","function":{"description":null,"name":"f","arguments":{"x":1}}},
    {"id":"","type":"function","function":{"name":"g","arguments":null}},
    {"id":"call_h","type":"function","custom":{"name":"","input":""},"function":{"name":"h","arguments":""}}]})"));
  REQUIRE(response.ok());
  const auto& calls = response->choices[0].message.tool_calls;
  REQUIRE(calls.size() == 3);
  CHECK(calls[0].arguments == R"({"x":1})");
  CHECK(calls[1].arguments == "{}");
  CHECK(calls[2].arguments == "{}");
  CHECK(calls[0].id.size() > 8);
  CHECK(calls[0].id != calls[1].id);
  CHECK(calls[2].id == "call_h");
  const std::string out = written(*response);
  CHECK(canonical(find(JsonValue(out), "choices", 0, "message", "tool_calls", 2)) ==
        canonical(R"({"id":"call_h","type":"function","function":{"name":"h","arguments":"{}"}})"));
  CHECK(!find(JsonValue(out), "choices", 0, "message", "function_call").exists());
}

TEST_CASE("quirk: Google's signature beside a call is kept") {
  auto response = answer(with_message(R"({"content":null,"tool_calls":[{"id":"","type":"function","extra_content":{"google":{"thought_signature":"c2ln"}},"function":{"name":"f","arguments":"{}"}}]})"));
  const std::string out = written(*response);
  CHECK(find(JsonValue(out), "choices", 0, "message", "tool_calls", 0, "extra_content", "google", "thought_signature").equals("c2ln"));
}

TEST_CASE("quirk: an answer without usage, and where usage hides") {
  CHECK(!answer(with_message(R"({"content":"a"})"))->usage.known);
  CHECK(!find_member(JsonValue(written(*answer(with_message(R"({"content":"a"})")))), "usage").exists());
  const std::string plain = with_message(R"({"content":"a"})");
  const auto usage = [&](const std::string& member) { return print(answer(plain.substr(0, plain.size() - 1) + "," + member + "}")->usage); };
  CHECK(usage(R"("x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}})") == "1 0 0 2 0 0 0 0 known");
  CHECK(usage(R"("usage":null)") == "0 0 0 0 0 0 0 0 unknown");
}

TEST_CASE("usage of every vendor becomes the same counts") {
  const std::string plain = with_message(R"({"content":"a"})");
  const auto usage = [&](const std::string& object) { return print(answer(plain.substr(0, plain.size() - 1) + ",\"usage\":" + object + "}")->usage); };
  // input cached cache_write output reasoning audio_in audio_out image
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4})") == "10 6 0 4 0 0 0 0 known");  // DeepSeek
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"cached_tokens":6})") == "10 6 0 4 0 0 0 0 known");  // Moonshot, Together
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"cache_read_input_tokens":6,"cache_creation_input_tokens":3})") == "10 6 3 4 0 0 0 0 known");  // Databricks
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":3,"image_tokens":1}})") == "10 2 3 4 0 0 0 1 known");  // OpenRouter
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":34,"completion_tokens_details":{"reasoning_tokens":20}})") == "10 0 0 24 20 0 0 0 known");  // xAI: reasoning outside
  CHECK(usage(R"({"prompt_tokens":35,"completion_tokens":12,"total_tokens":109})") == "35 0 0 74 62 0 0 0 known");  // Google's OpenAI face: thoughts in the total alone
  CHECK(usage(R"({"prompt_tokens":9,"completion_tokens":201,"total_tokens":585,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":375}})") == "384 0 0 201 0 375 0 0 known");  // Mistral: audio outside
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"completion_tokens_details":{"reasoning_tokens":9}})") == "10 0 0 4 4 0 0 0 known");  // OpenRouter: more thoughts than answer
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":0,"total_tokens":10})") == "10 0 0 0 0 0 0 0 known");
  CHECK(usage(R"({"prompt_tokens":-1,"completion_tokens":"x"})") == "0 0 0 0 0 0 0 0 unknown");
  CHECK(usage(R"({"prompt_tokens":9223372036854775807,"completion_tokens":1})") == "0 0 0 1 0 0 0 0 known estimated");
  // One side alone: the other is for whoever books it to estimate, unless the total says it.
  CHECK(usage(R"({"prompt_tokens":10})") == "10 0 0 0 0 0 0 0 known estimated");
  CHECK(usage(R"({"completion_tokens":4,"prompt_tokens":null})") == "0 0 0 4 0 0 0 0 known estimated");
  CHECK(usage(R"({"prompt_tokens":10,"total_tokens":14})") == "10 0 0 4 0 0 0 0 known");
  CHECK(usage(R"({"completion_tokens":4,"total_tokens":14})") == "10 0 0 4 0 0 0 0 known");
  CHECK(usage(R"({"prompt_tokens":10,"total_tokens":10})") == "10 0 0 0 0 0 0 0 known estimated");
  // Two names for one count, and one name twice: the last that is a number.
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"input_tokens":null,"output_tokens":null})") == "10 0 0 4 0 0 0 0 known");
  CHECK(usage(R"({"prompt_tokens":10,"completion_tokens":4,"prompt_tokens":11})") == "11 0 0 4 0 0 0 0 known");
  CHECK(usage("{}") == "0 0 0 0 0 0 0 0 unknown");
}

TEST_CASE("quirk: errors inside a 200 that is no stream") {
  struct Row {
    std::string body;
    ErrorCode code;
  };
  const std::vector<Row> rows = {
      {R"({"error":{"code":502,"message":"ConnectionError"},"user_id":"u"})", ErrorCode::kUpstreamError},
      {R"({"error":{"message":"filtered","code":"content_filter","status":400}})", ErrorCode::kContentPolicy},
      {R"({"choices":[{"error":{"code":502,"message":"Error processing stream"},"finish_reason":null,"index":0,"message":{"content":"half"}}]})", ErrorCode::kUpstreamError},
      {R"({"choices":[{"index":0,"message":{"content":"half"},"finish_reason":"error"}]})", ErrorCode::kUpstreamError},
      {R"({"code":20015,"message":"bad","data":null})", ErrorCode::kUpstreamError},
      {R"([{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}])", ErrorCode::kUpstreamRateLimited},
      {"{}", ErrorCode::kUpstreamError},  // transformers serve, to a conversation that ends with the assistant
      {R"({"choices":[]})", ErrorCode::kUpstreamError},
      {R"({"choices":null})", ErrorCode::kUpstreamError},
      {"", ErrorCode::kUpstreamError},
      {"null", ErrorCode::kUpstreamError},
      {"<html><title>Sorry</title></html>", ErrorCode::kUpstreamError},
      {R"({"choices":[{"message":{"content":"cut)", ErrorCode::kUpstreamError},
  };
  for (const Row& row : rows) {
    INFO(row.body);
    auto facts = reading("openai", true)->inspect(row.body);
    auto response = answer(row.body);
    REQUIRE(!facts.ok());
    REQUIRE(!response.ok());
    CHECK(code_name(facts.error().code) == code_name(row.code));
    CHECK(facts.error().message == response.error().message);
    CHECK(facts.error().message.size() > 5);
  }
}

// --- streams, as they are written ---

namespace {

StreamEvent event(Kind kind, std::string_view text = {}, int64_t choice = 0) {
  StreamEvent e;
  e.kind = kind;
  e.choice = choice;
  e.text = text;
  return e;
}
StreamEvent call_begin(int64_t index, std::string_view id, std::string_view name, std::string_view arguments = {}) {
  StreamEvent e = event(Kind::kToolCallBegin);
  e.tool_index = index;
  e.id = id;
  e.name = name;
  e.arguments = arguments;
  return e;
}
StreamEvent call_delta(int64_t index, std::string_view arguments) {
  StreamEvent e = event(Kind::kToolCallDelta);
  e.tool_index = index;
  e.arguments = arguments;
  return e;
}
StreamEvent start(std::string_view id, std::string_view model, int64_t created) {
  StreamEvent e = event(Kind::kStart);
  e.id = id;
  e.model = model;
  e.created = created;
  return e;
}
StreamEvent end(FinishReason reason, int64_t choice = 0) {
  StreamEvent e = event(Kind::kFinish, {}, choice);
  e.finish = reason;
  return e;
}
StreamEvent usage_event() {
  StreamEvent e = event(Kind::kUsage);
  e.usage.input = 5;
  e.usage.output = 2;
  e.usage.known = true;
  return e;
}

std::string write(const std::vector<StreamEvent>& events, bool include_usage = false) {
  auto client = dialect("openai")->new_client_codec();
  const std::string body = R"({"model":"asked","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":)" +
                           std::string(include_usage ? "true" : "false") + "}}";
  REQUIRE(client->scan(body).ok());
  std::string out;
  for (const StreamEvent& e : events) client->encode_event(e, out);
  client->encode_end(out);
  return out;
}

}  // namespace

TEST_CASE("written stream: text, byte for byte") {
  CHECK(write({start("c1", "m1", 7), event(Kind::kText, "Hi \"you\""), end(FinishReason::kStop), usage_event()}) ==
        R"(data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
        "\n\n"
        R"(data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m1","choices":[{"index":0,"delta":{"content":"Hi \"you\""},"logprobs":null,"finish_reason":null}]})"
        "\n\n"
        R"(data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]})"
        "\n\ndata: [DONE]\n\n");
}

TEST_CASE("written stream: usage only for who asked, in a chunk without choices, and null before it") {
  const std::vector<StreamEvent> events{start("c1", "m1", 7), event(Kind::kText, "Hi"), usage_event(), end(FinishReason::kStop)};
  CHECK(write(events).find("usage") == std::string::npos);
  const std::string out = write(events, true);
  const Answer a = read_strict(out);
  REQUIRE(a.usage);
  CHECK(print(*a.usage) == "5 0 0 2 0 0 0 0 known");
  CHECK(out.find("\"finish_reason\":\"stop\"}],\"usage\":null}") != std::string::npos);
  CHECK(out.find("\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7") != std::string::npos);
  // Nobody counted: no chunk that claims zero.
  CHECK(!read_strict(write({start("c1", "m1", 7), event(Kind::kText, "Hi"), end(FinishReason::kStop)}, true)).usage);
}

TEST_CASE("written stream: ids, models and times that the upstream did not give") {
  const std::string one = write({event(Kind::kText, "Hi"), end(FinishReason::kStop)}), two = write({event(Kind::kText, "Hi"), end(FinishReason::kStop)});
  const Answer a = read_strict(one), b = read_strict(two);
  CHECK(a.ids.size() == 1);
  CHECK(a.ids[0].substr(0, 9) == "chatcmpl-");
  CHECK(a.ids[0] != b.ids[0]);
  CHECK(a.models == std::vector<std::string>{"asked"});
  CHECK(one.find("\"created\":0") == std::string::npos);
}

TEST_CASE("written stream: reasoning, refusal and what has no kind of its own") {
  StreamEvent other = event(Kind::kOther);
  other.raw = R"({"annotations":[{"type":"url_citation"}]})";
  const std::string out = write({start("c1", "m1", 7), event(Kind::kReasoning, "hm"), event(Kind::kText, "a"), other, event(Kind::kRefusal, "no"), end(FinishReason::kContentFilter)});
  const Answer a = read_strict(out);
  CHECK(a.choices.at(0).reasoning == "hm");
  CHECK(a.choices.at(0).text == "a");
  CHECK(a.choices.at(0).refusal == "no");
  CHECK(a.choices.at(0).finish == "content_filter");
  CHECK(out.find(R"("delta":{"annotations":[{"type":"url_citation"}]})") != std::string::npos);
}

TEST_CASE("written stream: logprobs stand with the text they are of") {
  StreamEvent probs = event(Kind::kLogprobs);
  probs.raw = R"({"content":[{"token":"a"}],"refusal":null})";
  const std::string out = write({start("c1", "m1", 7), probs, event(Kind::kText, "a"), event(Kind::kText, "b"), end(FinishReason::kStop)});
  CHECK(out.find(R"("delta":{"content":"a"},"logprobs":{"content":[{"token":"a"}],"refusal":null})") != std::string::npos);
  CHECK(out.find(R"("delta":{"content":"b"},"logprobs":null)") != std::string::npos);
  CHECK(out.find(R"("content":""},"logprobs":null)") != std::string::npos);
}

TEST_CASE("written stream: calls begin with an empty text, follow one another, and end the choice once") {
  const std::string out = write({start("c1", "m1", 7), call_begin(0, "call_a", "f", R"({"x":)"), call_delta(0, "1}"), call_begin(1, "", "g", "{}"), end(FinishReason::kToolCalls), end(FinishReason::kStop)});
  const Answer a = read_strict(out);
  REQUIRE(a.choices.at(0).calls.size() == 2);
  CHECK(a.choices.at(0).calls[0] == Answer::Call{"call_a", "f", R"({"x":1})"});
  CHECK(a.choices.at(0).calls[1].id.substr(0, 5) == "call_");
  CHECK(a.choices.at(0).finish == "tool_calls");
  CHECK(a.choices.at(0).finishes == 1);
  CHECK(out.find(R"("delta":{"role":"assistant","content":null})") != std::string::npos);
}

TEST_CASE("written stream: calls that an upstream tells in turns are told one after the other") {
  const Answer a = read_strict(write({start("c1", "m1", 7), call_begin(0, "call_a", "f"), call_begin(1, "call_b", "g"), call_begin(2, "call_c", "h", "{}"), call_delta(1, R"({"b")"),
                                      call_delta(0, R"({"a":"}")"), call_delta(1, ":1}"), call_delta(0, "}"), end(FinishReason::kToolCalls)}));
  CHECK(a.choices.at(0).calls == std::vector<Answer::Call>{{"call_a", "f", R"({"a":"}"})"}, {"call_b", "g", R"({"b":1})"}, {"call_c", "h", "{}"}});
}

TEST_CASE("written stream: several choices, and one that nobody ended") {
  const Answer a = read_strict(write({start("c1", "m1", 7), event(Kind::kText, "a", 1), event(Kind::kText, "b", 0), end(FinishReason::kLength, 1)}));
  CHECK(a.choices.at(0).text == "b");
  CHECK(a.choices.at(0).finish == "stop");
  CHECK(a.choices.at(1).finish == "length");
}

TEST_CASE("written stream: an answer of nothing is still an answer") {
  const Answer a = read_strict(write({}));
  CHECK(a.done);
  CHECK(a.choices.at(0).finish == "stop");
}

TEST_CASE("written stream: text that is not UTF-8 is mended") {
  const std::string out = write({event(Kind::kText, "a\xff\xc3"), end(FinishReason::kStop)});
  CHECK(read_strict(out).choices.at(0).text == "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("errors in OpenAI's shape, as a body and as a frame") {
  auto client = dialect("openai")->new_client_codec();
  std::string out;
  client->encode_error(Error(ErrorCode::kInvalidRequest, "`n` must be from 1 to 128", "n"), out);
  CHECK(out == R"({"error":{"message":"`n` must be from 1 to 128","type":"invalid_request_error","param":"n","code":"invalid_request"}})");
  out.clear();
  Error rejected(ErrorCode::kUpstreamRejected, "Unsupported");
  rejected.upstream_code = "unsupported_parameter";
  client->encode_stream_error(rejected, out);
  CHECK(out == "data: {\"error\":{\"message\":\"Unsupported\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"unsupported_parameter\"}}\n\n");
  out.clear();
  client->encode_error(Error(ErrorCode::kUpstreamRateLimited, "slow"), out);
  CHECK(out == R"({"error":{"message":"slow","type":"rate_limit_error","param":null,"code":"upstream_rate_limited"}})");
  CHECK(client->content_type(true) == "text/event-stream");
  CHECK(client->content_type(false) == "application/json");
}

TEST_CASE("annotations of other kinds are told to chat clients as the one that strict readers know") {
  ChatResponse response;
  response.choices.emplace_back();
  response.choices[0].message.parts.push_back(Part::of_text("a"));
  response.choices[0].message.annotations =
      R"([{"type":"file_citation","file_citation":{"file_id":"file-1","filename":"a.pdf","index":5}},{"type":"url_citation","url_citation":{"url":"https://x"}}])";
  const std::string request = R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":true})";
  auto client = dialect("openai")->new_client_codec();
  REQUIRE(client->scan(request).ok());
  std::string whole;
  client->encode_response(response, whole);
  const JsonValue told = find(JsonValue(whole), "choices", 0, "message", "annotations");
  const std::string expected = canonical(R"({"type":"url_citation","url_citation":{"start_index":5,"end_index":5,"url":"","title":"a.pdf","file_id":"file-1","filename":"a.pdf","index":5}})");
  CHECK(canonical(find(told, 0)) == expected);
  CHECK(canonical(find(told, 1)) == canonical(R"({"type":"url_citation","url_citation":{"url":"https://x"}})"));
  StreamEvent event;
  event.kind = StreamEvent::Kind::kAnnotation;
  const std::string raw(find(JsonValue(response.choices[0].message.annotations), 0).raw());
  event.raw = raw;
  std::string stream;
  client->encode_event(event, stream);
  const size_t at = stream.find("{\"annotations\"");
  REQUIRE(at != std::string::npos);
  CHECK(canonical(find(JsonValue(std::string_view(stream).substr(at)), "annotations", 0)) == expected);
}

TEST_CASE("JSON is told on one line, whatever line ends stand between its tokens") {
  const std::pair<std::string, std::string> rows[] = {{"", ""}, {"{\"a\":1}", "{\"a\":1}"}, {"\n", " "}, {"\r", " "}, {"[1,\r\n2]", "[1,  2]"}, {"\r\r\n\n[\r]\n", "    [ ] "}};
  for (const auto& [text, expected] : rows) {
    std::string out = "x";
    dialects::append_one_line(out, text);
    CHECK(out == "x" + expected);
  }
}
