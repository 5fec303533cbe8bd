// The Responses dialect: requests both ways, and what a client gets.
#include "catch.h"
#include "dialects/responses.h"
#include "dialects/signature.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

namespace {

Error scan_error(const std::string& body) {
  auto facts = dialect("responses")->new_client_codec()->scan(body);
  REQUIRE(!facts.ok());
  CHECK(facts.error().code == ErrorCode::kInvalidRequest);
  return facts.error();
}

std::string to_chat(const std::string& members) {
  auto out = translate_request("responses", "openai", "{\"model\":\"m\"," + members + "}");
  INFO((out.ok() ? "" : out.error().message));
  REQUIRE(out.ok());
  return canonical(out->body);
}

std::string messages_of(const std::string& members) {
  auto out = translate_request("responses", "openai", "{\"model\":\"m\"," + members + "}");
  INFO((out.ok() ? "" : out.error().message));
  REQUIRE(out.ok());
  return canonical(find_member(JsonValue(out->body), "messages"));
}

Result<Encoded> from_chat(const std::string& members) {
  return translate_request("openai", "responses", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," + members + "}");
}

bool contains(const std::vector<std::string>& list, const std::string& word) { return std::find(list.begin(), list.end(), word) != list.end(); }

}  // namespace

TEST_CASE("responses: a request is checked, and an error names its field") {
  CHECK(scan_error("{}").param == "model");
  CHECK(scan_error(R"({"model":"m"})").param == "input");
  CHECK(scan_error(R"({"model":"m","input":[]})").param == "input");
  CHECK(scan_error(R"({"model":"m","input":7})").param == "input");
  CHECK(scan_error(R"({"model":"m","input":["x"]})").param == "input[0]");
  CHECK(scan_error(R"({"model":"m","input":[{"type":""}]})").param == "input[0].type");
  CHECK(scan_error(R"({"model":"m","input":[{"content":"x"}]})").param == "input[0].role");
  CHECK(scan_error(R"({"model":"m","input":[{"role":"tool","content":"x"}]})").param == "input[0].role");
  CHECK(scan_error(R"({"model":"m","input":[{"role":"user"}]})").param == "input[0].content");
  CHECK(scan_error(R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]})").param == "input[0].content[0].text");
  CHECK(scan_error(R"({"model":"m","input":[{"role":"user","content":[{"text":"x"}]}]})").param == "input[0].content[0].type");
  CHECK(scan_error(R"({"model":"m","input":"x","max_output_tokens":0})").param == "max_output_tokens");
  CHECK(scan_error(R"({"model":"m","input":"x","tools":{}})").param == "tools");
  CHECK(scan_error(R"({"model":"m","input":"x","text":"plain"})").param == "text");
  CHECK(scan_error(R"({"model":"m","input":"x","stream":"yes"})").param == "stream");
}

TEST_CASE("responses: what routing needs is found") {
  const std::string body = R"({"model":"m","stream":true,"max_output_tokens":9,"temperature":0.5,"user":"u","tools":[{"type":"web_search"}],)"
                           R"("text":{"format":{"type":"json_schema","name":"n","schema":{}}},"input":[{"role":"user","content":[)"
                           R"({"type":"input_image","image_url":"data:image/png;base64,AA"},{"type":"input_file","file_id":"f"},)"
                           R"({"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]})";
  auto facts = dialect("responses")->new_client_codec()->scan(body);
  REQUIRE(facts.ok());
  CHECK((facts->stream && facts->has_tools && facts->has_image && facts->has_file && facts->has_audio && facts->wants_schema && facts->include_usage));
  CHECK(facts->max_tokens == 9);
  CHECK(facts->user == "u");
  CHECK(facts->input_tokens > 800);
  // A stored conversation needs no input.
  CHECK(dialect("responses")->new_client_codec()->scan(R"({"model":"m","previous_response_id":"resp_1"})").ok());
}

TEST_CASE("responses to chat: words, pictures, calls and results in their places") {
  CHECK(messages_of(R"("input":"hi")") == canonical(R"([{"role":"user","content":"hi"}])"));
  CHECK(messages_of(R"("instructions":"be brief","input":[{"role":"developer","content":"dev"},{"type":"message","role":"user","content":[)"
                    R"({"type":"input_text","text":"look"},{"type":"input_image","image_url":"https://x/y.png","detail":"low"}]}])") ==
        canonical(R"([{"role":"system","content":"be brief"},{"role":"developer","content":"dev"},{"role":"user","content":[{"type":"text","text":"look"},)"
                  R"({"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}}]}])"));
  // A turn of the assistant is one message: two calls, then both results.
  CHECK(messages_of(R"("input":[{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"AAAA"},)"
                    R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"let me see","annotations":[]}]},)"
                    R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},)"
                    R"({"type":"function_call","call_id":"call_2","name":"g","arguments":""},)"
                    R"({"type":"function_call_output","call_id":"call_1","output":"one"},)"
                    R"({"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"two"}]}])") ==
        canonical(R"([{"role":"user","content":"q"},{"role":"assistant","content":"let me see","tool_calls":[)"
                  R"({"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
                  R"({"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
                  R"({"role":"tool","tool_call_id":"call_1","content":"one"},{"role":"tool","tool_call_id":"call_2","content":"two"}])"));
  // Two messages of the assistant stay two.
  CHECK(messages_of(R"("input":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}])") ==
        canonical(R"([{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}])"));
}

TEST_CASE("responses to chat: members under their other names, none lost without a word") {
  const std::string chat = to_chat(
      R"("input":"hi","max_output_tokens":5,"temperature":0.5,"top_p":0.9,"reasoning":{"effort":"low"},"text":{"verbosity":"high","format":{"type":"json_schema",)"
      R"("name":"n","schema":{"type":"object"},"strict":true}},"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true}],)"
      R"("tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"prompt_cache_key":"k","service_tier":"flex","user":"u","top_logprobs":2,)"
      R"("safety_identifier":"s","store":true,"metadata":{"a":"b"})");
  const std::string expected = canonical(
      R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"temperature":0.5,"top_p":0.9,"reasoning_effort":"low","verbosity":"high",)"
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},"tools":[{"type":"function","function":)"
      R"({"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},)"
      R"("parallel_tool_calls":false,"prompt_cache_key":"k","service_tier":"flex","user":"u","logprobs":true,"top_logprobs":2,"safety_identifier":"s","store":true,"metadata":{"a":"b"}})");
  CHECK(chat == expected);
}

TEST_CASE("responses to chat: what only OpenAI's own servers can do is dropped by name") {
  auto out = translate_request("responses", "openai",
                               R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"web_search_call","id":"ws_1","status":"completed"},{"role":"user","content":"r"}],)"
                               R"("tools":[{"type":"web_search"},{"type":"namespace","name":"n","tools":[]},{"type":"function","name":"f","parameters":null}],)"
                               R"("include":["reasoning.encrypted_content"],"store":false,"client_metadata":{"x":"y"},"reasoning":{"context":"all"},"truncation":"auto"})");
  REQUIRE(out.ok());
  for (const char* name : {"tools.web_search", "tools.namespace", "input.web_search_call", "client_metadata", "reasoning.context", "truncation"}) {
    INFO(name);
    CHECK(contains(out->request.dropped, name));
  }
  CHECK(!contains(out->request.dropped, "include"));
  CHECK(!contains(out->request.dropped, "store"));
  const JsonValue tools = find_member(JsonValue(out->body), "tools");
  CHECK(wire::find_element(tools, 0).exists());
  CHECK(!wire::find_element(tools, 1).exists());
}

TEST_CASE("responses: of a coding agent's turn nothing is named as dropped that was told in other words") {
  const std::string turn = R"({"model":"m","store":false,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"low"},"input":[{"role":"user","content":"q"},
    {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAAA"},{"type":"custom_tool_call","call_id":"c1","name":"patch","input":"x"},
    {"type":"custom_tool_call_output","call_id":"c1","output":[{"type":"input_text","text":"done"}]}],"tools":[{"type":"custom","name":"patch"},{"type":"web_search"}]})";
  const std::string rest = R"(,"include":["file_search_call.results"],"store":true)";
  for (const char* upstream : {"openai", "anthropic", "gemini", "bedrock", "ollama", "cohere"}) {
    INFO(upstream);
    ProviderConfig config = provider();
    if (std::string_view(upstream) == "bedrock") config.region = "eu-west-1";
    auto out = translate_request("responses", upstream, turn, config);
    REQUIRE(out.ok());
    for (const std::string& name : out->request.dropped) {
      INFO(name);
      CHECK((name == "tools.web_search" || name == "reasoning_effort" || name == "reasoning"));
    }
    CHECK(contains(out->request.dropped, "tools.web_search"));
    auto more = translate_request("responses", upstream, R"({"model":"m","input":"q")" + rest + "}", config);
    REQUIRE(more.ok());
    CHECK(contains(more->request.dropped, "include"));
    if (std::string_view(upstream) != "openai") CHECK(contains(more->request.dropped, "store"));
  }
}

TEST_CASE("responses: what needs a stored conversation is refused by name when translated, and passes when relayed") {
  struct Row {
    const char *members, *param;
  };
  for (const Row& row : {Row{R"("previous_response_id":"resp_1","input":"x")", "previous_response_id"}, Row{R"("conversation":"conv_1","input":"x")", "conversation"},
                         Row{R"("background":true,"input":"x")", "background"}, Row{R"("prompt":{"id":"p"},"input":"x")", "prompt"},
                         Row{R"("input":[{"role":"user","content":"x"},{"type":"item_reference","id":"msg_1"}])", "input[1]"},
                         Row{R"("instructions":"","input":[{"type":"web_search_call","id":"ws_1"}])", "input"}}) {
    INFO(row.members);
    const std::string body = std::string("{\"model\":\"m\",") + row.members + "}";
    auto translated = translate_request("responses", "openai", body);
    REQUIRE(!translated.ok());
    CHECK(translated.error().code == ErrorCode::kInvalidRequest);
    CHECK(translated.error().param == row.param);
    auto relayed = relay_request("responses", body, provider(), {}, "m");
    REQUIRE(relayed.ok());
    CHECK(relayed->body == body);
  }
  CHECK(translate_request("responses", "openai", R"({"model":"m","input":"x","background":false,"previous_response_id":null})").ok());
}

TEST_CASE("responses: allowed_tools leaves the others out") {
  const std::string chat = to_chat(R"("input":"x","tools":[{"type":"function","name":"f","parameters":{}},{"type":"function","name":"g","parameters":{}}],)"
                                   R"("tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"}]})");
  CHECK(find_member(JsonValue(chat), "tool_choice").exists());
  CHECK(chat.find("\"f\"") == std::string::npos);
  CHECK(chat.find("\"required\"") != std::string::npos);
  // In any order, more than there are.
  const std::string three = to_chat(R"("input":"x","tools":[{"type":"function","name":"a"},{"type":"function","name":"b"},{"type":"function","name":"c"}],)"
                                    R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"c"},{"type":"function","name":"z"},)"
                                    R"({"type":"function","name":"a"}]})");
  CHECK(three.find("\"a\"") < three.find("\"c\""));
  CHECK(three.find("\"c\"") != std::string::npos);
  CHECK(three.find("\"b\"") == std::string::npos);
}

TEST_CASE("chat to responses: the whole request in its items") {
  auto out = translate_request("openai", "responses",
                               R"({"model":"m","messages":[{"role":"system","content":"sys"},{"role":"user","content":[{"type":"text","text":"look"},)"
                               R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA","detail":"high"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}},)"
                               R"({"type":"input_audio","input_audio":{"data":"AA","format":"mp3"}}]},{"role":"assistant","content":"calling","tool_calls":[)"
                               R"({"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"ok"},)"
                               R"({"role":"system","content":"later"}],"max_completion_tokens":7,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],)"
                               R"("tool_choice":"required","parallel_tool_calls":true,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},)"
                               R"("reasoning_effort":"high","verbosity":"low","stream":true,"stream_options":{"include_usage":true},"user":"u","prompt_cache_key":"k","safety_identifier":"s",)"
                               R"("service_tier":"auto","logprobs":true,"top_logprobs":3})");
  INFO((out.ok() ? "" : out.error().message));
  REQUIRE(out.ok());
  CHECK(out->request.dropped.empty());
  CHECK(out->request.http.url == "http://127.0.0.1:9/v1/responses");
  CHECK(out->header("accept") == "text/event-stream");
  CHECK(canonical(out->body) ==
        canonical(R"({"model":"upstream-model","instructions":"sys","input":[{"role":"user","content":[{"type":"input_text","text":"look"},)"
                  R"({"type":"input_image","image_url":"data:image/png;base64,AA","detail":"high"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"},)"
                  R"({"type":"input_audio","input_audio":{"data":"AA","format":"mp3"}}]},{"role":"assistant","content":"calling"},{"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"},)"
                  R"({"type":"function_call_output","call_id":"call_1","output":"ok"},{"role":"system","content":"later"}],"max_output_tokens":7,)"
                  R"("tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],"tool_choice":"required","parallel_tool_calls":true,)"
                  R"("text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},"reasoning":{"effort":"high"},)"
                  R"("include":["reasoning.encrypted_content","message.output_text.logprobs"],"top_logprobs":3,"stream":true,"user":"u","prompt_cache_key":"k","safety_identifier":"s",)"
                  R"("service_tier":"auto","store":false})"));
}

TEST_CASE("chat to responses: hints without a word are dropped by name, what means something is refused by name") {
  auto out = from_chat(R"("seed":1,"stop":["x"],"frequency_penalty":1,"presence_penalty":1,"logit_bias":{"1":2},"top_k":3,"n":1,"novel":1)");
  REQUIRE(out.ok());
  for (const char* name : {"seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias", "top_k", "novel"}) {
    INFO(name);
    CHECK(contains(out->request.dropped, name));
  }
  struct Row {
    const char *members, *param;
  };
  for (const Row& row : {Row{R"("n":2)", "n"}, Row{R"("modalities":["text","audio"],"audio":{"voice":"v","format":"wav"})", "modalities"}}) {
    auto refused = from_chat(row.members);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == row.param);
  }
}

TEST_CASE("responses: a thought goes back to its maker alone") {
  const std::string foreign = dialects::seal_signature("anthropic", "responses", "c2ln");
  const std::string body = R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"AAAA"},)"
                           R"({"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"BBBB"},)"
                           R"({"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},{"type":"reasoning","summary":[],"encrypted_content":")" + foreign + R"("},)"
                           R"({"type":"function_call_output","call_id":"c1","output":"1"},{"type":"function_call_output","call_id":"c2","output":"2"}]})";
  auto own = translate_request("responses", "responses", body);
  REQUIRE(own.ok());
  // Each before the call that it was before; the other maker's is not sent.
  CHECK(canonical(find_member(JsonValue(own->body), "input")) ==
        canonical(R"([{"role":"user","content":"q"},{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"AAAA"},)"
                  R"({"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"reasoning","summary":[],"encrypted_content":"BBBB"},)"
                  R"({"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},)"
                  R"({"type":"function_call_output","call_id":"c1","output":"1"},{"type":"function_call_output","call_id":"c2","output":"2"}])"));
  auto chat = dialect("responses")->new_client_codec();
  REQUIRE(chat->scan(body).ok());
  auto decoded = chat->decode();
  REQUIRE(decoded.ok());
  const auto& parts = decoded->messages[1].parts;
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].maker == "responses");
  CHECK(!parts[0].redacted);
  CHECK(parts[1].redacted);
  CHECK(parts[2].maker == "anthropic");
  CHECK(parts[2].signature == "c2ln");
}

TEST_CASE("responses: signatures of other makers go out sealed and come back whole") {
  Recorder seen;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kReasoning;
  event.text = "thinking";
  seen.on_event(event);
  event.text = {};
  event.signature = "c2lnbmVk";
  event.maker = "anthropic";
  seen.on_event(event);
  event.signature = "aGlkZGVu";
  event.redacted = true;
  seen.on_event(event);
  event = StreamEvent();
  event.kind = StreamEvent::Kind::kReasoning;  // nothing said, but signed
  event.signature = "ZW1wdHk=";
  event.maker = "anthropic";
  seen.on_event(event);
  event = StreamEvent();
  event.kind = StreamEvent::Kind::kToolCallBegin;
  event.id = "c1";
  event.name = "f";
  event.arguments = "{}";
  event.signature = "dGhvdWdodA==";
  event.maker = "gemini";
  seen.on_event(event);
  const std::string sse = write_again("responses", R"({"model":"m","input":"q"})", seen);
  const Answer answer = read_strict_responses(sse);
  CHECK(answer.choices.at(0).signatures.size() == 4);
  // The client gives the items back as they are.
  const JsonValue last(std::string_view(sse).substr(sse.rfind("data: ") + 6));
  std::string items;
  for (JsonValue item : JsonElements(find(last, "response", "output"))) items += std::string(items.empty() ? "" : ",") + std::string(item.raw());
  auto codec = dialect("responses")->new_client_codec();
  const std::string next = R"({"model":"m","input":[{"role":"user","content":"q"},)" + items + R"(,{"type":"function_call_output","call_id":"c1","output":"r"}]})";
  REQUIRE(codec->scan(next).ok());
  auto chat = codec->decode();
  REQUIRE(chat.ok());
  REQUIRE(chat->messages.size() == 3);
  const Message& message = chat->messages[1];
  REQUIRE(message.parts.size() == 3);
  CHECK((message.parts[0].text == "thinking" && message.parts[0].signature == "c2lnbmVk" && message.parts[0].maker == "anthropic" && !message.parts[0].redacted));
  CHECK((message.parts[1].text.empty() && message.parts[1].signature == "aGlkZGVu" && message.parts[1].redacted));
  CHECK((message.parts[2].text.empty() && message.parts[2].signature == "ZW1wdHk=" && !message.parts[2].redacted));
  REQUIRE(message.tool_calls.size() == 1);
  CHECK((message.tool_calls[0].signature == "dGhvdWdodA==" && message.tool_calls[0].maker == "gemini"));
}

TEST_CASE("responses: a relayed body has its model and the policy's edits spliced in, under this dialect's names") {
  const std::string body = R"({"model":"m","input":"x", "novel":{"a":1},"reasoning":{"summary":"auto"}})";
  CHECK(relay_request("responses", body, provider(), {}, "m")->body == body);
  CHECK(relay_request("responses", body)->body == R"({"model":"upstream-model","input":"x", "novel":{"a":1},"reasoning":{"summary":"auto"}})");
  using Kind = BodyEdit::Kind;
  auto edited = relay_request("responses", body, provider(),
                              {{Kind::kDefault, "max_tokens", "5"}, {Kind::kSet, "reasoning_effort", "\"low\""}, {Kind::kSet, "seed", "1"}, {Kind::kRemove, "novel", {}},
                               {Kind::kSet, "response_format", R"({"type":"json_schema","json_schema":{"name":"n","schema":{}}})"},
                               {Kind::kSet, "tool_choice", R"({"type":"function","function":{"name":"f"}})"}});
  REQUIRE(edited.ok());
  CHECK(canonical(edited->body) ==
        canonical(R"({"model":"upstream-model","input":"x","reasoning":{"summary":"auto","effort":"low"},"max_output_tokens":5,)"
                  R"("text":{"format":{"type":"json_schema","name":"n","schema":{}}},"tool_choice":{"type":"function","name":"f"}})"));
  CHECK(edited->request.dropped == std::vector<std::string>{"seed"});
}

// --- what a client gets ---

namespace {

StreamEvent begin(int64_t index, const char* id, const char* name, const char* arguments = "") {
  StreamEvent e;
  e.kind = StreamEvent::Kind::kToolCallBegin;
  e.tool_index = index;
  e.id = id;
  e.name = name;
  e.arguments = arguments;
  return e;
}
StreamEvent more(int64_t index, const char* arguments) {
  StreamEvent e;
  e.kind = StreamEvent::Kind::kToolCallDelta;
  e.tool_index = index;
  e.arguments = arguments;
  return e;
}
StreamEvent said(StreamEvent::Kind kind, const char* text) {
  StreamEvent e;
  e.kind = kind;
  e.text = text;
  return e;
}

}  // namespace

TEST_CASE("responses client: parallel calls that interleave come one after the other, with what was said between them") {
  using Kind = StreamEvent::Kind;
  Recorder seen;
  seen.on_event(said(Kind::kReasoning, "think"));
  seen.on_event(said(Kind::kText, "I call "));
  seen.on_event(begin(0, "a", "f"));
  seen.on_event(begin(1, "b", "g", "{\"y\""));
  seen.on_event(more(0, "{\"x\":"));
  seen.on_event(said(Kind::kText, "both"));
  seen.on_event(more(1, ":2}"));
  seen.on_event(more(0, "1}"));
  seen.on_event(begin(2, "c", "h"));
  StreamEvent finish;
  finish.kind = Kind::kFinish;
  finish.finish = FinishReason::kToolCalls;
  seen.on_event(finish);
  StreamEvent usage;
  usage.kind = Kind::kUsage;
  usage.usage.input = 10;
  usage.usage.cached = 4;
  usage.usage.output = 6;
  usage.usage.reasoning = 2;
  usage.usage.known = true;
  seen.on_event(usage);
  const Answer answer = read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", seen));
  const auto& c = answer.choices.at(0);
  CHECK(c.reasoning == "think");
  CHECK(c.text == "I call both");
  CHECK(c.calls == std::vector<Answer::Call>{{"a", "f", "{\"x\":1}"}, {"b", "g", "{\"y\":2}"}, {"c", "h", "{}"}});
  CHECK(c.finish == "tool_calls");
  REQUIRE(answer.usage);
  CHECK((answer.usage->input == 10 && answer.usage->cached == 4 && answer.usage->output == 6 && answer.usage->reasoning == 2));
  CHECK(answer.models == std::vector<std::string>{"m"});
}

TEST_CASE("responses client: length, filter, refusal, annotations, logprobs, and nothing at all") {
  using Kind = StreamEvent::Kind;
  for (auto [reason, word] : {std::make_pair(FinishReason::kLength, "length"), std::make_pair(FinishReason::kContentFilter, "content_filter")}) {
    Recorder seen;
    seen.on_event(said(Kind::kText, "half"));
    StreamEvent finish;
    finish.kind = Kind::kFinish;
    finish.finish = reason;
    seen.on_event(finish);
    const Answer answer = read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", seen));
    CHECK(answer.choices.at(0).finish == word);
    CHECK(answer.choices.at(0).text == "half");
  }
  Recorder seen;
  StreamEvent logprobs;
  logprobs.kind = Kind::kLogprobs;
  logprobs.raw = R"({"content":[{"token":"x","logprob":-1,"bytes":[1],"top_logprobs":[]}]})";
  seen.on_event(logprobs);
  seen.on_event(said(Kind::kText, "x"));
  StreamEvent annotation;
  annotation.kind = Kind::kAnnotation;
  annotation.raw = "{\"type\":\"url_citation\",\n\"url_citation\":{\"url\":\"https://x\",\"title\":\"t\",\"start_index\":0,\"end_index\":1}}";
  seen.on_event(annotation);
  seen.on_event(said(Kind::kRefusal, "no"));
  const std::string sse = write_again("responses", R"({"model":"m","input":"q"})", seen);
  const Answer answer = read_strict_responses(sse);
  CHECK(answer.choices.at(0).refusal == "no");
  CHECK(answer.annotations == std::vector<std::string>{R"({"type":"url_citation","url":"https://x","title":"t","start_index":0,"end_index":1})"});
  CHECK(sse.find(R"("logprobs":[{"token":"x")") != std::string::npos);
  const Answer nothing = read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", Recorder()));
  CHECK(nothing.done);
}

TEST_CASE("responses client: an error has its event and a response that failed, and no clean end") {
  Recorder seen;
  seen.on_event(said(StreamEvent::Kind::kText, "half"));
  seen.on_error(Error(ErrorCode::kUpstreamError, "it broke"));
  const std::string sse = write_again("responses", R"({"model":"m","input":"q"})", seen);
  const Answer answer = read_strict_responses(sse);
  CHECK(answer.failed);
  CHECK(sse.find("response.completed") == std::string::npos);
  CHECK(sse.find("it broke") != std::string::npos);
}

TEST_CASE("responses client: an answer echoes its request, on one line, and its ids are its own") {
  const std::string request = "{\"model\":\"m\",\"input\":\"q\",\"instructions\":\"be\\nbrief\",\"temperature\":0.25,\"metadata\":{\n\"a\":\"b\"},\"tools\":[{\"type\":\"function\",\n"
                              "\"name\":\"f\",\"parameters\":{}}],\"text\":{\"verbosity\":\"low\"},\"store\":true}";
  Recorder seen;
  StreamEvent start;
  start.kind = StreamEvent::Kind::kStart;
  start.id = "chatcmpl-1";
  start.model = "real-model";
  start.created = 1700000000;
  seen.on_event(start);
  seen.on_event(said(StreamEvent::Kind::kText, "x"));
  const std::string one = write_again("responses", request, seen), two = write_again("responses", request, seen);
  const Answer a = read_strict_responses(one), b = read_strict_responses(two);
  CHECK(a.ids != b.ids);
  CHECK(a.ids[0].substr(0, 5) == "resp_");
  CHECK(a.models == std::vector<std::string>{"real-model"});
  const JsonValue last(std::string_view(one).substr(one.rfind("data: ") + 6));
  CHECK(find(last, "response", "instructions").string_or() == "be\nbrief");
  CHECK(find(last, "response", "temperature").raw() == "0.25");
  CHECK(find(last, "response", "metadata", "a").equals("b"));
  CHECK(find(last, "response", "text", "verbosity").equals("low"));
  CHECK(find(last, "response", "store").raw() == "false");  // nothing is
  CHECK(find(last, "response", "created_at").integer() == 1700000000);
}

TEST_CASE("responses client: a whole answer has every member that strict clients want") {
  ChatResponse response;
  response.id = "resp_upstream";
  response.model = "real";
  response.service_tier = "flex";
  response.usage.input = 3;
  response.usage.output = 2;
  response.usage.known = true;
  Choice& choice = response.choices.emplace_back();
  Part thought;
  thought.kind = Part::Kind::kReasoning;
  thought.text = "hm";
  thought.signature = "AAAA";
  thought.maker = "responses";
  choice.message.parts = {thought, Part::of_text("hello")};
  choice.message.annotations = R"([{"type":"url_citation","url_citation":{"url":"https://x"}}])";
  choice.message.tool_calls.push_back({"c1", "f", "{}", "", ""});
  choice.finish = FinishReason::kToolCalls;
  auto codec = dialect("responses")->new_client_codec();
  REQUIRE(codec->scan(R"({"model":"m","input":"q"})").ok());
  std::string out;
  codec->encode_response(response, out);
  REQUIRE(wire::validate(out));
  const Answer answer = read_response_object(JsonValue(out));
  CHECK(answer.ids[0] == "resp_upstream");
  CHECK(answer.choices.at(0).text == "hello");
  CHECK(answer.choices.at(0).reasoning == "hm");
  CHECK(answer.choices.at(0).signatures == std::vector<std::string>{"AAAA"});
  CHECK(answer.choices.at(0).calls == std::vector<Answer::Call>{{"c1", "f", "{}"}});
  CHECK(answer.annotations.size() == 1);
  CHECK(find_member(JsonValue(out), "service_tier").equals("flex"));
  CHECK(answer.usage->input == 3);
}
