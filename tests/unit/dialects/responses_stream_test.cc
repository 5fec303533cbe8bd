// Streams of upstreams that speak Responses, relayed and translated; every one is cut at every byte.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

const std::string kUsage = R"("usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":29})";

// Events as OpenAI frames them.
class Script {
 public:
  explicit Script(std::string_view line_end = "\n") : end_(line_end) {}
  Script& event(const std::string& type, const std::string& members) {
    text_ += "event: " + type + end_ + "data: {\"type\":\"" + type + "\",\"sequence_number\":" + std::to_string(sequence_++) + (members.empty() ? "" : ",") + members + "}" + end_ + end_;
    return *this;
  }
  Script& begin() {
    event("response.created", R"("response":{"id":"resp_1","object":"response","created_at":1700000000,"status":"in_progress","model":"real","output":[],"error":null})");
    return event("response.in_progress", R"("response":{"id":"resp_1","object":"response","status":"in_progress","output":[],"error":null})");
  }
  Script& added(int index, const std::string& item) { return event("response.output_item.added", "\"output_index\":" + std::to_string(index) + ",\"item\":" + item); }
  Script& done(int index, const std::string& item) { return event("response.output_item.done", "\"output_index\":" + std::to_string(index) + ",\"item\":" + item); }
  Script& at(const std::string& type, int index, const std::string& members) {
    return event("response." + type, "\"item_id\":\"it_" + std::to_string(sequence_) + "\",\"output_index\":" + std::to_string(index) + "," + members);
  }
  Script& end(const std::string& output = "[]", const std::string& status = "completed", const std::string& more = "") {
    return event("response." + status, R"("response":{"id":"resp_1","object":"response","status":")" + status + R"(","model":"real","output":)" + output + ",\"error\":null," + kUsage + more + "}");
  }
  Script& raw(const std::string& bytes) {
    text_ += bytes;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string end_, text_;
  int sequence_ = 0;
};

Both read(const std::string& stream) { return read_cut("responses", stream); }

void check_good(const Both& both, const std::string& stream) {
  for (const Error& e : both.relay.errors) INFO(e.message);
  CHECK(both.relay.errors.empty());
  CHECK(both.translated.errors.empty());
  CHECK(both.relay.bytes() == stream);
  REQUIRE(both.answer.usage);
  CHECK((both.answer.usage->input == 20 && both.answer.usage->cached == 5 && both.answer.usage->output == 9 && both.answer.usage->reasoning == 4));
  REQUIRE(both.relay.last_usage());
  CHECK(both.relay.last_usage()->output == 9);
  REQUIRE(both.relay.finishes.size() == 1);
  CHECK(finish_reason_name(both.relay.finishes[0]) == both.answer.choices.at(0).finish);
  // A strict client is content with what another dialect's upstream would have been made into.
  const Answer strict = read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", both.translated));
  CHECK(strict.choices.at(0).text == both.answer.choices.at(0).text);
  CHECK(strict.choices.at(0).calls == both.answer.choices.at(0).calls);
  const Answer chunks = read_strict(write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,"stream_options":{"include_usage":true}})", both.translated));
  CHECK(chunks.choices.at(0).text == both.answer.choices.at(0).text);
  CHECK(chunks.choices.at(0).reasoning == both.answer.choices.at(0).reasoning);
  CHECK(chunks.choices.at(0).calls == both.answer.choices.at(0).calls);
  CHECK(chunks.choices.at(0).finish == both.answer.choices.at(0).finish);
}

const std::string kMessage = R"({"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]})";
const std::string kMessageDone =
    R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello, wörld"}]})";

Script& say_hello(Script& s, int index = 0) {
  s.added(index, kMessage).at("content_part.added", index, R"("content_index":0,"part":{"type":"output_text","text":""})");
  for (const char* piece : {"Hel", "lo, ", "w\xc3\xb6rld"}) {
    s.at("output_text.delta", index, std::string(R"("content_index":0,"logprobs":[],"obfuscation":"xyz","delta":")") + piece + "\"");
  }
  return s.at("output_text.done", index, R"("content_index":0,"logprobs":[],"text":"Hello, wörld")")
      .at("content_part.done", index, R"("content_index":0,"part":{"type":"output_text","text":"Hello, wörld"})")
      .done(index, kMessageDone);
}

std::vector<FrameKind> kinds_of(const Recorder& r) { return r.kinds(); }

}  // namespace

TEST_CASE("responses upstream: a text, its frames and its events") {
  Script s;
  s.begin();
  say_hello(s).end("[" + kMessageDone + "]");
  const Both both = read(s.text());
  check_good(both, s.text());
  CHECK(both.answer.choices.at(0).text == "Hello, wörld");
  CHECK(both.answer.choices.at(0).finish == "stop");
  CHECK(both.answer.ids == std::vector<std::string>{"resp_1"});
  CHECK(both.answer.models == std::vector<std::string>{"real"});
  const auto kinds = kinds_of(both.relay);
  CHECK(kinds[0] == FrameKind::kPrelude);
  CHECK(kinds[3] == FrameKind::kPrelude);
  CHECK(kinds[4] == FrameKind::kPayload);
  CHECK(kinds.back() == FrameKind::kFinish);
  CHECK(both.relay.frames.back().kind == FrameKind::kDone);
}

TEST_CASE("quirk: [DONE] on a Responses stream (OpenRouter), CRLF, comments, no event names") {
  Script s("\r\n");
  s.raw(": OPENROUTER PROCESSING\r\n\r\n").begin();
  say_hello(s).end().raw("data: [DONE]\r\n\r\n");
  const Both both = read(s.text());
  check_good(both, s.text());
  std::string bare;
  Script plain;
  plain.begin();
  say_hello(plain).end();
  bare = plain.text();
  for (size_t at; (at = bare.find("event: ")) != std::string::npos;) bare.erase(at, bare.find('\n', at) + 1 - at);
  check_good(read(bare), bare);
}

TEST_CASE("responses upstream: thoughts in short, in full, encrypted, and calls in parallel") {
  Script s;
  s.begin().added(0, R"({"id":"rs_1","type":"reasoning","summary":[]})");
  s.at("reasoning_summary_part.added", 0, R"("summary_index":0,"part":{"type":"summary_text","text":""})");
  s.at("reasoning_summary_text.delta", 0, R"("summary_index":0,"delta":"First.")").at("reasoning_summary_text.done", 0, R"("summary_index":0,"text":"First.")");
  s.at("reasoning_summary_text.delta", 0, R"("summary_index":1,"delta":"Second.")");
  s.done(0, R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"First."},{"type":"summary_text","text":"Second."}],"encrypted_content":"AAAA"})");
  s.added(1, R"({"id":"rs_2","type":"reasoning","summary":[],"encrypted_content":"gone"})").done(1, R"({"id":"rs_2","type":"reasoning","summary":[],"encrypted_content":"BBBB"})");
  s.added(2, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"","status":"in_progress"})");
  s.added(3, R"({"id":"fc_2","type":"function_call","call_id":"call_2","name":"g","arguments":"","status":"in_progress"})");
  s.at("function_call_arguments.delta", 2, R"("delta":"{\"a\"")").at("function_call_arguments.delta", 3, R"("delta":"{\"b\":")");
  s.at("function_call_arguments.delta", 2, R"("delta":":1}")").at("function_call_arguments.delta", 3, R"("delta":"2}")");
  s.at("function_call_arguments.done", 2, R"("arguments":"{\"a\":1}")").at("function_call_arguments.done", 3, R"("arguments":"{\"b\":2}")");
  s.done(2, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}","status":"completed"})");
  s.done(3, R"({"id":"fc_2","type":"function_call","call_id":"call_2","name":"g","arguments":"{\"b\":2}","status":"completed"})").end();
  const Both both = read(s.text());
  check_good(both, s.text());
  const auto& c = both.answer.choices.at(0);
  CHECK(c.reasoning == "First.\n\nSecond.");
  CHECK(c.calls == std::vector<Answer::Call>{{"call_1", "f", "{\"a\":1}"}, {"call_2", "g", "{\"b\":2}"}});
  CHECK(c.finish == "tool_calls");
  std::vector<std::string> signatures;
  for (const SeenEvent& e : both.translated.events) {
    if (e.signature.empty()) continue;
    CHECK(e.maker == "responses");
    signatures.push_back(e.signature + (e.redacted ? " hidden" : ""));
  }
  CHECK(signatures == std::vector<std::string>{"AAAA", "BBBB hidden"});
}

TEST_CASE("quirk: responses.reasoning_text and reasoning_part events, with the summary only repeating (DeepSeek, LM Studio, Bedrock)") {
  Script s;
  s.begin().added(0, R"({"id":"rs_1","type":"reasoning","summary":[],"content":[]})");
  s.at("reasoning_part.added", 0, R"("content_index":0,"part":{"type":"reasoning_text","text":""})");
  s.at("reasoning_text.delta", 0, R"("content_index":0,"delta":"We ")").at("reasoning_text.delta", 0, R"("content_index":0,"delta":"count")");
  s.at("reasoning_text.done", 0, R"("content_index":0,"text":"We count")");
  s.at("reasoning_part.done", 0, R"("content_index":0,"part":{"type":"reasoning_text","text":"We count"})");
  s.at("reasoning_summary_text.delta", 0, R"("summary_index":0,"delta":"We count")");
  s.done(0, R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"We count"}],"content":[{"type":"reasoning_text","text":"We count"}]})");
  say_hello(s, 1).end();
  const Both both = read(s.text());
  check_good(both, s.text());
  CHECK(both.answer.choices.at(0).reasoning == "We count");
}

TEST_CASE("quirk: item_id changes within one output_index (Azure, Copilot)") {
  // Script::at() gives each event another item_id.
  Script s;
  s.begin().added(0, R"({"id":"fc_x","type":"function_call","call_id":"call_1","name":"f","arguments":""})");
  s.at("function_call_arguments.delta", 0, R"("delta":"{\"a\":")").at("function_call_arguments.delta", 0, R"("delta":"1}")");
  s.done(0, R"({"id":"fc_other","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"})").end();
  const Both both = read(s.text());
  check_good(both, s.text());
  CHECK(both.answer.choices.at(0).calls == std::vector<Answer::Call>{{"call_1", "f", "{\"a\":1}"}});
}

TEST_CASE("responses upstream: done without deltas, or with fewer: the difference is told") {
  Script whole;
  whole.begin().done(0, kMessageDone).done(1, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{}"})");
  whole.done(2, R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}]})").end();
  Script partly;
  partly.begin().added(0, kMessage).at("output_text.delta", 0, R"("content_index":0,"delta":"Hel")").at("output_text.done", 0, R"("content_index":0,"text":"Hello, w")");
  partly.done(0, kMessageDone).added(1, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""})");
  partly.at("function_call_arguments.done", 1, R"("arguments":"{}")").done(1, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{}"})");
  partly.added(2, R"({"id":"rs_1","type":"reasoning","summary":[]})").at("reasoning_summary_text.delta", 2, R"("summary_index":0,"delta":"a")");
  partly.at("reasoning_summary_text.done", 2, R"("summary_index":1,"text":"b")").end();
  for (const Script* s : {&whole, &partly}) {
    const Both both = read(s->text());
    check_good(both, s->text());
    CHECK(both.answer.choices.at(0).text == "Hello, wörld");
    CHECK(both.answer.choices.at(0).reasoning == "a\n\nb");
    CHECK(both.answer.choices.at(0).calls == std::vector<Answer::Call>{{"call_1", "f", "{}"}});
  }
  // Nothing but the last event.
  Script last;
  last.begin().end("[" + kMessageDone + "]");
  const Both both = read(last.text());
  check_good(both, last.text());
  CHECK(both.answer.choices.at(0).text == "Hello, wörld");
}

TEST_CASE("quirk: responses.incomplete, by its reason") {
  for (auto [reason, word] : {std::make_pair("max_output_tokens", "length"), std::make_pair("content_filter", "content_filter")}) {
    Script s;
    s.begin();
    say_hello(s).end("[]", "incomplete", std::string(R"(,"incomplete_details":{"reason":")") + reason + "\"}");
    const Both both = read(s.text());
    check_good(both, s.text());
    CHECK(both.answer.choices.at(0).finish == word);
  }
}

TEST_CASE("responses upstream: refusals, annotations, logprobs, custom tools") {
  Script s;
  s.begin().added(0, kMessage);
  s.at("output_text.delta", 0, R"("content_index":0,"delta":"see","logprobs":[{"token":"see","logprob":-0.5,"bytes":[1],"top_logprobs":[]}])");
  s.at("output_text.annotation.added", 0, R"("content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"https://x","title":"t","start_index":0,"end_index":3})");
  s.at("refusal.delta", 0, R"("content_index":1,"delta":"I can")").at("refusal.done", 0, R"("content_index":1,"refusal":"I cannot")");
  s.done(0, R"({"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"see","annotations":[)"
            R"({"type":"url_citation","url":"https://x","title":"t","start_index":0,"end_index":3},{"type":"file_citation","file_id":"f"}]},{"type":"refusal","refusal":"I cannot"}]})");
  s.added(1, R"({"id":"ctc_1","type":"custom_tool_call","call_id":"call_1","name":"patch","input":""})").at("custom_tool_call_input.delta", 1, R"("delta":"a\"b")");
  s.done(1, R"({"id":"ctc_1","type":"custom_tool_call","call_id":"call_1","name":"patch","input":"a\"b"})").end();
  const Both both = read(s.text());
  check_good(both, s.text());
  const auto& c = both.answer.choices.at(0);
  CHECK(c.text == "see");
  CHECK(c.refusal == "I cannot");
  CHECK(c.calls == std::vector<Answer::Call>{{"call_1", "patch", R"({"input":"a\"b"})"}});
  std::vector<std::string> annotations;
  std::string logprobs;
  for (const SeenEvent& e : both.translated.events) {
    if (e.kind == StreamEvent::Kind::kAnnotation) annotations.push_back(e.raw);
    if (e.kind == StreamEvent::Kind::kLogprobs) logprobs += e.raw;
  }
  CHECK(annotations == std::vector<std::string>{R"({"type":"url_citation","url_citation":{"url":"https://x","title":"t","start_index":0,"end_index":3}})",
                                                R"({"type":"file_citation","file_citation":{"file_id":"f"}})"});
  CHECK(logprobs.find("\"content\":[{\"token\":\"see\"") != std::string::npos);
}

TEST_CASE("responses upstream: unknown events pass in a relay and are passed over in translation") {
  Script s;
  s.begin().added(0, R"({"id":"ws_1","type":"web_search_call","status":"in_progress"})").at("web_search_call.searching", 0, R"("x":1)");
  s.done(0, R"({"id":"ws_1","type":"web_search_call","status":"completed"})").event("response.invented", "\"x\":1");
  say_hello(s, 1).end();
  const Both both = read(s.text());
  check_good(both, s.text());
  CHECK(both.answer.choices.at(0).text == "Hello, wörld");
}

// --- bad ends ---

namespace {

void check_fails(const std::string& stream, ErrorCode code, const std::string& words) {
  for (bool relay : {true, false}) {
    const Recorder seen = feed("responses", relay, {stream});
    INFO(stream);
    REQUIRE(seen.errors.size() == 1);
    INFO(seen.errors[0].message);
    CHECK(seen.errors[0].code == code);
    CHECK(seen.errors[0].message.find(words) != std::string::npos);
    CHECK(seen.finishes.empty());
  }
}

}  // namespace

TEST_CASE("quirk: responses.failed event, after an error event: one error, in the provider's words, no clean end") {
  Script s;
  s.begin().event("error", R"("error":{"type":"insufficient_quota","code":"insufficient_quota","message":"You exceeded your quota","param":null})");
  s.event("response.failed", R"("response":{"id":"resp_1","status":"failed","error":{"code":"insufficient_quota","message":"You exceeded your quota"},"output":[]})");
  check_fails(s.text(), ErrorCode::kUpstreamCredentialsRejected, "exceeded your quota");
  Script alone;
  alone.begin().event("response.failed", R"("response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached"},"output":[]})");
  check_fails(alone.text(), ErrorCode::kUpstreamRateLimited, "Rate limit");
  Script flat;
  flat.begin().event("error", R"("code":"server_error","message":"It broke","param":null)");
  check_fails(flat.text(), ErrorCode::kUpstreamError, "It broke");
  Script wordless;
  wordless.begin().event("response.failed", R"("response":{"id":"resp_1","status":"failed","error":null})");
  check_fails(wordless.text(), ErrorCode::kUpstreamError, "broke the answer off");
  check_fails("data: {\"error\":{\"message\":\"Overloaded\",\"code\":503}}\n\n", ErrorCode::kUpstreamError, "Overloaded");
}

TEST_CASE("responses upstream: a stream that ends early is an error wherever it ends") {
  Script s;
  s.begin();
  say_hello(s).end("[" + kMessageDone + "]");
  const std::string stream = s.text();
  const size_t last = stream.rfind("event: ");
  for (size_t i = 0; i < last; i += 7) {
    for (bool relay : {true, false}) {
      const Recorder seen = feed("responses", relay, {std::string_view(stream).substr(0, i)});
      INFO(i);
      CHECK(seen.errors.size() == 1);
      CHECK(seen.finishes.empty());
    }
  }
  // The last event without its blank line is delivered.
  const std::string whole = stream.substr(0, stream.size() - 1);
  for (bool relay : {true, false}) CHECK(feed("responses", relay, {whole}).errors.empty());
  check_fails("data: [DONE]\n\n", ErrorCode::kUpstreamError, "before the answer was finished");
  check_fails("data: {nonsense\n\n", ErrorCode::kUpstreamError, "not JSON");
}

TEST_CASE("responses upstream: events in wrong order, twice, or with parts missing never break the reader") {
  Script s;
  s.begin();
  say_hello(s);
  s.added(1, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""})").at("function_call_arguments.delta", 1, R"("delta":"{}")");
  s.done(1, R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{}"})").end("[" + kMessageDone + "]");
  std::vector<std::string> frames;
  std::string rest = s.text();
  while (!rest.empty()) {
    const size_t end = rest.find("\n\n") + 2;
    frames.push_back(rest.substr(0, end));
    rest.erase(0, end);
  }
  const auto check = [](const std::string& stream) {
    const Recorder seen = feed("responses", false, {stream});
    REQUIRE(seen.errors.size() <= 1);
    // Whatever came, what a client gets is in its grammar.
    read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", seen), false);
    if (seen.errors.empty()) read_strict(write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})", seen));
  };
  for (size_t i = 0; i < frames.size(); ++i) {
    std::string without, twice, swapped;
    for (size_t k = 0; k < frames.size(); ++k) {
      if (k != i) without += frames[k];
      twice += frames[k] + (k == i ? frames[k] : "");
      swapped += frames[k == i && k + 1 < frames.size() ? k + 1 : k == i + 1 ? i : k];
    }
    check(without);
    check(twice);
    check(swapped);
  }
}

TEST_CASE("responses upstream: a whole body where a stream was asked for") {
  const std::string body = "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"real\",\"error\":null,\"output\":[" + kMessageDone + "]," + kUsage + "}";
  const Recorder translated = feed("responses", false, {body}), relayed = feed("responses", true, {body});
  CHECK(translated.errors.empty());
  CHECK(answer_of(translated).choices.at(0).text == "Hello, wörld");
  CHECK(read_strict_responses(relayed.bytes()).choices.at(0).text == "Hello, wörld");
  check_fails("{\"error\":{\"message\":\"nope\",\"code\":\"server_error\"}}", ErrorCode::kUpstreamError, "nope");
  check_fails("<html><title>Bad gateway</title></html>", ErrorCode::kUpstreamError, "Bad gateway");
}

// --- whole answers ---

TEST_CASE("responses upstream: a whole answer, inspected and decoded") {
  const std::string body =
      R"({"id":"resp_1","object":"response","created_at":1700000000.0,"status":"completed","model":"real","error":null,"service_tier":"flex","output":[)"
      R"({"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},)"
      R"({"id":"rs_2","type":"reasoning","summary":[],"encrypted_content":"AAAA"},)" + kMessageDone + R"(,{"type":"web_search_call","id":"ws_1"},)"
      R"({"type":"function_call","item_id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"}],)" + kUsage + "}";
  auto codec = reading("responses", false);
  auto facts = codec->inspect(body);
  REQUIRE(facts.ok());
  CHECK(facts->finish == FinishReason::kToolCalls);
  CHECK(facts->model == "real");
  CHECK(facts->usage.cached == 5);
  auto response = codec->decode(body);
  REQUIRE(response.ok());
  CHECK(response->created == 1700000000);
  CHECK(response->service_tier == "flex");
  const Choice& choice = response->choices.at(0);
  REQUIRE(choice.message.parts.size() == 3);
  CHECK(choice.message.parts[0].text == "hm");
  CHECK((choice.message.parts[1].redacted && choice.message.parts[1].signature == "AAAA" && choice.message.parts[1].maker == "responses"));
  CHECK(choice.message.parts[2].text == "Hello, wörld");
  REQUIRE(choice.message.tool_calls.size() == 1);
  CHECK(choice.message.tool_calls[0].id == "call_1");
  CHECK(choice.finish == FinishReason::kToolCalls);
}

TEST_CASE("responses upstream: whole answers that are none") {
  auto codec = reading("responses", false);
  struct Row {
    const char* body;
    ErrorCode code;
    const char* words;
  };
  for (const Row& row : {Row{R"({"error":{"message":"You exceeded your quota","code":"insufficient_quota"}})", ErrorCode::kUpstreamCredentialsRejected, "quota"},
                         Row{R"({"id":"r","status":"failed","error":{"code":"server_error","message":"It broke"},"output":[]})", ErrorCode::kUpstreamError, "It broke"},
                         Row{R"({"id":"r","status":"failed","output":[]})", ErrorCode::kUpstreamError, "failed"}, Row{R"({"object":"x"})", ErrorCode::kUpstreamError, "without any output"},
                         Row{"not json", ErrorCode::kUpstreamError, "not JSON"}, Row{"7", ErrorCode::kUpstreamError, "no JSON object"}}) {
    INFO(row.body);
    auto facts = codec->inspect(row.body);
    auto response = codec->decode(row.body);
    REQUIRE(!facts.ok());
    REQUIRE(!response.ok());
    CHECK(facts.error().code == row.code);
    CHECK(facts.error().message.find(row.words) != std::string::npos);
    CHECK(response.error().code == row.code);
  }
  // One that is still being made is passed as it is.
  CHECK(codec->inspect(R"({"id":"r","object":"response","status":"queued","output":[],"error":null})").ok());
}

// --- recordings ---

TEST_CASE("recorded Responses streams: relayed byte for byte, the same however cut, and meaning the same in both grammars of OpenAI") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "responses" || !r.is_stream()) continue;
    INFO(r.provider << "/" << r.name);
    const size_t first = r.body.find("\"type\":\"response.created\"");
    if (first != std::string::npos && r.body.find("\"type\":\"response.created\"", first + 1) != std::string::npos) continue;  // several answers in one file
    ++count;
    const Recorder relay = feed("responses", true, {r.body}), seen = feed("responses", false, {r.body});
    if (r.body.find("event: error") != std::string::npos) {
      CHECK(relay.errors.size() == 1);
      CHECK(seen.errors.size() == 1);
      read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", seen));
      continue;
    }
    for (const Error& e : seen.errors) INFO(e.message);
    REQUIRE(seen.errors.empty());
    REQUIRE(relay.errors.empty());
    CHECK((relay.bytes() == r.body + (r.body.size() > 1 && r.body.substr(r.body.size() - 2) == "\n\n" ? "" : relay.bytes().substr(r.body.size()))));
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < r.body.size() && r.body.size() < 64 * 1024; ++i) bytes.push_back(std::string_view(r.body).substr(i, 1));
    if (!bytes.empty()) {
      CHECK((feed("responses", true, bytes).summary() == relay.summary()));
      CHECK((feed("responses", false, bytes).summary() == seen.summary()));
    }
    // What the last event says of it all.
    std::string text, refusal, names, arguments;
    size_t line = r.body.rfind("data:");
    if (r.body.compare(line, 12, "data: [DONE]") == 0) line = r.body.rfind("data:", line - 1);
    line += 5;
    const JsonValue response = find_member(JsonValue(std::string_view(r.body).substr(line, r.body.find('\n', line) - line)), "response");
    for (JsonValue item : JsonElements(find_member(response, "output"))) {
      for (JsonValue part : JsonElements(find_member(item, "content"))) {
        if (find_member(part, "type").equals("output_text")) text += find_member(part, "text").string_or();
      }
      if (!find_member(item, "type").equals("function_call")) continue;
      names += find_member(item, "name").string_or();
      arguments += find_member(item, "arguments").string_or();
    }
    const Answer strict = read_strict_responses(write_again("responses", R"({"model":"m","input":"q"})", seen));
    const Answer chunks = read_strict(write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,"stream_options":{"include_usage":true}})", seen));
    for (const Answer* a : {&strict, &chunks}) {
      const auto& c = a->choices.at(0);
      CHECK(c.text == text);
      std::string n, g;
      for (const auto& call : c.calls) {
        n += call.name;
        g += call.arguments;
      }
      CHECK(n == names);
      CHECK(g == arguments);
      REQUIRE(a->usage);
      TokenUsage u = *relay.last_usage();
      CHECK(a->usage->input == u.input);
      CHECK(a->usage->output == u.output);
      CHECK(a->usage->cached == u.cached);
      CHECK(a->usage->reasoning == u.reasoning);
    }
    CHECK(strict.choices.at(0).finish == chunks.choices.at(0).finish);
  }
  if (!recordings().empty()) CHECK(count > 35);
}

TEST_CASE("recorded Responses answers and requests") {
  int answers = 0, requests = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "responses") continue;
    INFO(r.provider << "/" << r.name);
    if (!r.request.empty() && r.request[0] == '{' && r.status == 200) {
      auto relayed = relay_request("responses", r.request, provider(), {}, find_member(JsonValue(r.request), "model").string_or());
      REQUIRE(relayed.ok());
      CHECK(relayed->body == r.request);
      auto chat = translate_request("responses", "openai", r.request);
      const JsonValue asked(r.request);
      const bool stored = find_member(asked, "previous_response_id").is_string();
      const JsonValue type = find_member(wire::find_element(find_member(asked, "tools"), 0), "type");
      const bool hosted = type.is_string() && !type.equals("function") && !type.equals("custom");
      CHECK(chat.ok() != (stored || hosted));
      if (chat.ok()) CHECK(dialect("openai")->new_client_codec()->scan(chat->body).ok());
      ++requests;
    }
    if (r.is_stream() || r.status != 200) continue;
    auto codec = reading("responses", false);
    auto response = codec->decode(r.body);
    const JsonValue root(r.body);
    if (!find_member(root, "output").is_array()) {
      CHECK(!response.ok());
      continue;
    }
    REQUIRE(response.ok());
    ++answers;
    auto client = dialect("responses")->new_client_codec();
    REQUIRE(client->scan(R"({"model":"m","input":"q"})").ok());
    std::string out;
    client->encode_response(*response, out);
    const Answer again = read_response_object(JsonValue(out));
    std::string text, ids;
    for (JsonValue item : JsonElements(find_member(root, "output"))) {
      for (JsonValue part : JsonElements(find_member(item, "content"))) {
        if (find_member(part, "type").equals("output_text")) text += find_member(part, "text").string_or();
      }
      if (find_member(item, "type").equals("function_call")) ids += find_member(item, "call_id").string_or();
    }
    CHECK(again.choices.at(0).text == text);
    std::string got;
    for (const auto& call : again.choices.at(0).calls) got += call.id;
    CHECK(got == ids);
    REQUIRE(again.usage);
    CHECK(again.usage->input == find(root, "usage", "input_tokens").integer());
    CHECK(again.usage->output == find(root, "usage", "output_tokens").integer());
  }
  if (!recordings().empty()) {
    CHECK(answers > 12);
    CHECK(requests > 30);
  }
}
