// One named test for each oddity of streams that OpenAI-compatible servers have been seen to send. Every stream here is also cut at every byte.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using Kind = StreamEvent::Kind;

namespace {

// Byte by byte as well.
Both read(const std::string& stream, int64_t n = 1) {
  Both out = read_cut("openai", stream, 1, n);
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < stream.size(); ++i) bytes.push_back(std::string_view(stream).substr(i, 1));
  CHECK(feed("openai", true, bytes, n).summary() == out.relay.summary());
  CHECK(feed("openai", false, bytes, n).summary() == out.translated.summary());
  return out;
}

// A stream of these chunks, each a JSON text, in the usual framing; with [DONE] at its end.
std::string sse(const std::vector<std::string>& chunks, bool done = true) {
  std::string out;
  for (const std::string& c : chunks) out += "data: " + c + "\n\n";
  if (done) out += "data: [DONE]\n\n";
  return out;
}

// A chunk whose one choice has this delta, and these members after it.
std::string delta(const std::string& json, const std::string& more = {}, int index = 0) {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m1","choices":[{"index":)" + std::to_string(index) +
         ",\"delta\":" + json + (more.empty() ? "" : "," + more) + "}]}";
}
const std::string kRole = delta(R"({"role":"assistant","content":""})", R"("finish_reason":null)");
std::string text(const std::string& words) { return delta(R"({"content":")" + words + R"("})", R"("finish_reason":null)"); }
std::string finish(const std::string& word) { return delta("{}", R"("finish_reason":")" + word + "\""); }
const std::string kUsage = R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7})";
const std::string kUsageChunk = R"({"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m1","choices":[],)" + kUsage + "}";
std::string call(const std::string& members) { return delta("{\"tool_calls\":[{" + members + "}]}", R"("finish_reason":null)"); }

void check_good(const Both& seen, const std::string& stream) {
  CHECK(seen.relay.errors.empty());
  CHECK(seen.translated.errors.empty());
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.answer.choices.at(0).finishes == 1);
}

std::string usage_of(const Recorder& r) { return r.last_usage() ? print(*r.last_usage()) : "none"; }
const std::string kFiveTwo = "5 0 0 2 0 0 0 0 known";

}  // namespace

TEST_CASE("stream: OpenAI's own grammar") {
  const std::string stream = sse({kRole, text("Hel"), text("lo"), finish("stop"), kUsageChunk});
  const Both seen = read(stream);
  check_good(seen, stream);
  using F = FrameKind;
  CHECK(seen.relay.kinds() == std::vector<F>{F::kPrelude, F::kPayload, F::kPayload, F::kFinish, F::kUsageOnly, F::kDone});
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kStop});
  CHECK(usage_of(seen.relay) == kFiveTwo);
  CHECK(usage_of(seen.translated) == kFiveTwo);
  CHECK(seen.answer.choices.at(0).text == "Hello");
  CHECK(seen.answer.choices.at(0).finish == "stop");
  const SeenEvent& start = seen.translated.events.front();
  CHECK(start.kind == Kind::kStart);
  CHECK(start.id == "c1");
  CHECK(start.model == "m1");
  CHECK(start.created == 1700000000);
}

TEST_CASE("stream: escapes and UTF-8 pass whole") {
  const std::string stream = sse({kRole, text(R"(\"\n\\ \u00e9 é 日本 \ud83d\ude00)"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "\"\n\\ é é 日本 😀");
}

TEST_CASE("stream: names of members inside a text are only text") {
  const std::string stream = sse({kRole, text(R"({\"error\":{\"message\":\"no\"},\"finish_reason\":\"stop\",\"usage\":{}})"), text(R"(\\)"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[1] == FrameKind::kPayload);
  CHECK(seen.relay.finishes.size() == 1);
  CHECK(seen.relay.usages.empty());
}

TEST_CASE("quirk: usage is null on intermediate chunks") {
  std::string chunk = text("a");
  chunk.insert(chunk.size() - 1, R"(,"usage":null)");
  const std::string stream = sse({chunk, finish("stop"), kUsageChunk});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.usages.size() == 1);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
}

TEST_CASE("quirk: data without a space after the colon") {
  const std::string stream = "data:" + text("a") + "\n\ndata:" + finish("length") + "\n\n";
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).finish == "length");
}

TEST_CASE("quirk: comment lines before, between and inside events") {
  const std::string stream = ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + sse({text("a")}, false) + ":\n\n: keep-alive\ndata: " +
                             finish("stop") + "\n\n: bye\n\ndata: [DONE]\n\n";
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.frames.front().kind == FrameKind::kPrelude);
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("one event of several data lines, cut between the tokens of its JSON") {
  const std::string stream = "data: {\"choices\"\ndata: :[{\"index\":0,\ndata: \"delta\":\ndata: {\"content\"\ndata: :\ndata: \"a\"},\"finish_reason\"\ndata: :\ndata: \"stop\"}]}\n\n";
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "a");
  CHECK(seen.relay.finishes.size() == 1);
}

TEST_CASE("JSON with blanks everywhere") {
  const std::string stream = sse({R"({ "choices" : [ { "index" : 0 , "delta" : { "content" : "a" } , "finish_reason" : null } ] , "usage" : null })",
                                  R"({ "choices" : [ { "index" : 0 , "delta" : { } , "finish_reason" : "stop" } ] , "usage" : { "prompt_tokens" : 5 , "completion_tokens" : 2 } })"});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
  CHECK(usage_of(seen.relay) == kFiveTwo);
}

TEST_CASE("quirk: id, retry and event fields beside data") {
  const std::string stream = "id:1\nevent:result\n:HTTP_STATUS/200\nretry:10\ndata:" + text("a") + "\n\nid:2\ndata:" + finish("stop") + "\n\n";
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("quirk: CRLF line ends, and CR alone") {
  for (const char* eol : {"\r\n", "\r"}) {
    std::string stream;
    for (const std::string& c : {kRole, text("a"), finish("stop"), std::string("[DONE]")}) stream += "data: " + c + eol + eol;
    const Both seen = read(stream);
    check_good(seen, stream);
    CHECK(seen.answer.choices.at(0).text == "a");
  }
}

TEST_CASE("quirk: Azure's first chunk has no choices, no id and no model") {
  const std::string stream = sse({R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]})", kRole,
                                  text("a"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPrelude);
  CHECK(seen.translated.events.front().id == "c1");
  CHECK(seen.translated.events.front().model == "m1");
}

TEST_CASE("quirk: Azure's asynchronous filter sends a choice without a delta") {
  const std::string filter =
      R"({"id":"","choices":[{"finish_reason":null,"index":0,"content_filter_offsets":{"check_offset":44},"content_filter_results":{}}],"created":0,"model":"","object":""})";
  const std::string stream = sse({kRole, text("a"), filter, finish("stop"), filter});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[2] == FrameKind::kPrelude);
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("quirk: a chunk with no choices and no usage") {
  const std::string stream = sse({kRole, text("a"), R"({"id":"c1","choices":[],"moderation":{"flagged":false}})", finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[2] == FrameKind::kPrelude);
}

TEST_CASE("quirk: a chunk without the member choices, and one without object") {
  const std::string stream = sse({R"({"id":"c1","x_groq":{"id":"req_1"}})", R"({"id":"c1","choices":[{"index":0,"delta":{"content":"a"}}]})", finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPrelude);
  CHECK(seen.relay.kinds()[1] == FrameKind::kPayload);
}

TEST_CASE("quirk: no [DONE] at the end") {
  const std::string stream = sse({kRole, text("a"), finish("stop"), kUsageChunk}, false);
  check_good(read(stream), stream);
}

TEST_CASE("quirk: the last event lacks its blank line") {
  for (const char* end : {"", "\n"}) {
    const std::string stream = sse({text("a")}, false) + "data: " + finish("stop") + end;
    const Both seen = read(stream);
    CHECK(seen.relay.errors.empty());
    CHECK(seen.translated.errors.empty());
    CHECK(seen.relay.bytes() == sse({text("a"), finish("stop")}, false));  // mended: else no client would hear of it
    CHECK(seen.answer.choices.at(0).finish == "stop");
  }
}

TEST_CASE("quirk: a choice carries the full message beside its delta") {
  const std::string stream = sse({delta(R"({"content":"a"})", R"("message":{"role":"assistant","content":"a"})"),
                                  delta(R"({"content":"b"})", R"("message":{"role":"assistant","content":"ab"})"),
                                  delta(R"({"content":""})", R"("message":{"role":"assistant","content":"ab"},"finish_reason":"stop")")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "ab");
}

TEST_CASE("quirk: a message where a delta should be") {
  const std::string stream = sse({R"({"choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]})"});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "whole");
}

TEST_CASE("quirk: usage inside choices[0] (Moonshot)") {
  const std::string stream = sse({text("a"), delta("{}", R"("finish_reason":"stop",)" + kUsage)});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(usage_of(seen.relay) == kFiveTwo);
  CHECK(usage_of(seen.translated) == kFiveTwo);
}

TEST_CASE("quirk: usage in x_groq, and on the finish chunk") {
  std::string chunk = finish("stop");
  chunk.insert(chunk.size() - 1, R"(,"x_groq":{"id":"r",)" + kUsage + "}");
  const std::string stream = sse({text("a"), chunk});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(usage_of(seen.relay) == kFiveTwo);
  CHECK(usage_of(seen.translated) == kFiveTwo);
}

TEST_CASE("quirk: usage is cumulative on every chunk; the last one counts") {
  const auto counted = [](std::string chunk, int n) {
    chunk.insert(chunk.size() - 1, R"(,"usage":{"prompt_tokens":5,"completion_tokens":)" + std::to_string(n) + "}");
    return chunk;
  };
  const std::string stream = sse({counted(text("a"), 1), counted(text("b"), 2), counted(finish("stop"), 2)});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(usage_of(seen.relay) == kFiveTwo);
  CHECK(usage_of(seen.translated) == kFiveTwo);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
}

TEST_CASE("quirk: usage whose counts are all null is none") {
  std::string chunk = text("a");
  chunk.insert(chunk.size() - 1, R"(,"usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null})");
  const std::string stream = sse({chunk, finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(usage_of(seen.relay) == "none");
}

TEST_CASE("quirk: a stream without usage") {
  const std::string stream = sse({text("a"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(usage_of(seen.relay) == "none");
  CHECK(usage_of(seen.translated) == "none");
}

TEST_CASE("quirk: the role on every delta") {
  const std::string stream = sse({delta(R"({"role":"assistant","content":"a"})"), delta(R"({"role":"assistant","content":"b"})"),
                                  delta(R"({"role":"assistant","content":""})", R"("finish_reason":"stop")")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "ab");
}

TEST_CASE("quirk: padding fields (obfuscation, p)") {
  std::string padded = text("a");
  padded.insert(padded.size() - 1, R"(,"obfuscation":"xyz","p":"abcd")");
  const std::string stream = sse({padded, finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  for (const SeenEvent& e : seen.translated.events) CHECK(e.kind != Kind::kOther);
}

TEST_CASE("quirk: padding blanks after the JSON") {
  const std::string stream = "data: " + text("a") + "     \n\ndata: " + finish("stop") + "  \n\ndata: [DONE]  \n\n";
  check_good(read(stream), stream);
}

TEST_CASE("quirk: reasoning, reasoning_content, and both at once") {
  for (const char* d : {R"({"reasoning":"hm"})", R"({"reasoning_content":"hm"})", R"({"reasoning":"hm","reasoning_content":"hm"})",
                        R"({"content":"","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]})"}) {
    INFO(d);
    const std::string stream = sse({delta(d, R"("finish_reason":null)"), text("a"), finish("stop")});
    const Both seen = read(stream);
    check_good(seen, stream);
    CHECK(seen.answer.choices.at(0).reasoning == "hm");
    CHECK(seen.answer.choices.at(0).text == "a");
    CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
  }
}

TEST_CASE("quirk: reasoning_details alone: its text is reasoning, its signature is kept, the member goes on verbatim") {
  const std::string details = R"([{"type":"reasoning.text","text":"15","signature":"c2ln","format":"anthropic-claude-v1","index":0}])";
  const std::string stream = sse({delta(R"({"content":"","reasoning_details":)" + details + "}"), text("a"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
  CHECK(seen.answer.choices.at(0).reasoning == "15");
  bool signature = false, verbatim = false;
  for (const SeenEvent& e : seen.translated.events) {
    // All of the entry but its text: its vendor wants it back as it was.
    signature = signature || (e.maker == "openai" && e.signature == R"({"type":"reasoning.text","signature":"c2ln","format":"anthropic-claude-v1","index":0})");
    verbatim = verbatim || e.raw == "{\"reasoning_details\":" + details + "}";
  }
  CHECK(signature);
  CHECK(verbatim);
}

TEST_CASE("quirk: delta.content is an array that turns into a string (Mistral)") {
  const std::string stream = sse({delta(R"({"role":"assistant","content":""})"),
                                  delta(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"Ok"}]}]})"),
                                  delta(R"({"content":[{"type":"text","text":"a"}]})"), text("b"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).reasoning == "Ok");
  CHECK(seen.answer.choices.at(0).text == "ab");
  CHECK(seen.relay.kinds()[1] == FrameKind::kPayload);
}

TEST_CASE("quirk: refusals stream as their own member") {
  const std::string stream = sse({kRole, delta(R"({"refusal":"I can"})"), delta(R"({"refusal":"not"})"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).refusal == "I cannot");
  CHECK(seen.relay.kinds()[1] == FrameKind::kPayload);
}

TEST_CASE("logprobs come before the text they are of, and empty ones are none") {
  const std::string stream = sse({delta(R"({"content":"a"})", R"("logprobs":{"content":[{"token":"a","logprob":-0.5}],"refusal":null},"finish_reason":null)"),
                                  delta(R"({"content":"b"})", R"("logprobs":{"content":null,"refusal":null})"), finish("stop")});
  const Both seen = read(stream);
  check_good(seen, stream);
  REQUIRE(seen.translated.events.size() >= 3);
  CHECK(seen.translated.events[1].kind == Kind::kLogprobs);
  CHECK(seen.translated.events[2].text == "a");
  int count = 0;
  for (const SeenEvent& e : seen.translated.events) count += e.kind == Kind::kLogprobs ? 1 : 0;
  CHECK(count == 1);
}

TEST_CASE("several choices interleave and each ends once") {
  const std::string stream = sse({delta(R"({"role":"assistant","content":""})", "", 0), delta(R"({"role":"assistant","content":""})", "", 1),
                                  delta(R"({"content":"a"})", "", 1), delta(R"({"content":"b"})", "", 0), delta("{}", R"("finish_reason":"stop")", 1),
                                  delta("{}", R"("finish_reason":"length")", 0), kUsageChunk});
  const Both seen = read(stream, 2);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).text == "b");
  CHECK(seen.answer.choices.at(1).text == "a");
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kStop, FinishReason::kLength});
}

TEST_CASE("of several choices one that does not finish makes the stream a broken one") {
  const std::string stream = sse({delta(R"({"content":"a"})", "", 0), delta(R"({"content":"b"})", "", 1), delta("{}", R"("finish_reason":"stop")", 0)}, false);
  const Both seen = read(stream, 2);
  CHECK(seen.relay.errors.size() == 1);
  CHECK(seen.translated.errors.size() == 1);
}

TEST_CASE("quirk: finish_reason sent more than once") {
  const std::string stream = sse({text("a"), finish("stop"), delta(R"({"content":""})", R"("finish_reason":"stop")"), kUsageChunk});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.finishes.size() == 1);
}

TEST_CASE("quirk: finish_reason is an empty string, or the word null, until the end") {
  for (const char* none : {"", "null"}) {
    const std::string stream = sse({delta(R"({"content":"a"})", R"("finish_reason":")" + std::string(none) + "\""), finish("stop")});
    const Both seen = read(stream);
    check_good(seen, stream);
    CHECK(seen.relay.kinds()[0] == FrameKind::kPayload);
    CHECK(seen.relay.finishes.size() == 1);
  }
}

TEST_CASE("quirk: [DONE] without any finish_reason is a good end (Snowflake)") {
  const std::string stream = sse({delta(R"({"content":"a"})"), kUsageChunk});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.answer.choices.at(0).finish == "stop");
}

TEST_CASE("quirk: a stream without finish_reason and without [DONE] is a broken one") {
  for (const std::string& stream : {sse({kRole, text("a")}, false), sse({kRole, text("a")}, false) + "data: {\"choices\":[{\"del", std::string(": hi\n\n"), std::string()}) {
    const Both seen = read(stream);
    REQUIRE(seen.relay.errors.size() == 1);
    CHECK(seen.relay.errors[0].code == ErrorCode::kUpstreamError);
    REQUIRE(seen.translated.errors.size() == 1);
    CHECK(seen.translated.errors[0].message.find("ended") != std::string::npos);
  }
}

TEST_CASE("a stream cut anywhere before its finish is broken, anywhere after it is whole") {
  const std::string stream = sse({kRole, text("a"), finish("stop"), kUsageChunk});
  const size_t finished = stream.find("\"stop\"}]}") + 9;  // the finish chunk's JSON is complete
  for (size_t i = 0; i < stream.size(); ++i) {
    INFO(i);
    const std::string cut = stream.substr(0, i);
    const Recorder relay = feed("openai", true, {cut}), translated = feed("openai", false, {cut});
    CHECK(relay.errors.empty() == (i >= finished));
    CHECK(translated.errors.empty() == (i >= finished));
  }
}

TEST_CASE("a terminator without an answer is no good end") {
  const Both seen = read("data: [DONE]\n\n");
  CHECK(seen.relay.errors.size() == 1);
  CHECK(seen.relay.frames.empty());
  CHECK(seen.translated.errors.size() == 1);
}

TEST_CASE("nothing is read after the terminator") {
  const std::string stream = sse({text("a"), finish("stop")});
  const Both seen = read(stream + "data: " + text("b") + "\n\n");
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.answer.choices.at(0).text == "a");
}

// --- tool calls ---

TEST_CASE("tool calls in OpenAI's own grammar, two in parallel") {
  const std::string stream = sse({delta(R"({"role":"assistant","content":null})"), call(R"("index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""})"),
                                  call(R"("index":0,"function":{"arguments":"{\"x\""})"), call(R"("index":0,"function":{"arguments":":1}"})"),
                                  call(R"("index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""})"),
                                  call(R"("index":1,"function":{"arguments":"{}"})"), finish("tool_calls")});
  const Both seen = read(stream);
  check_good(seen, stream);
  CHECK(seen.relay.kinds()[0] == FrameKind::kPrelude);
  CHECK(seen.relay.kinds()[1] == FrameKind::kPayload);
  CHECK(seen.answer.choices.at(0).calls == std::vector<Answer::Call>{{"call_a", "f", R"({"x":1})"}, {"call_b", "g", "{}"}});
  CHECK(seen.answer.choices.at(0).finish == "tool_calls");
}

namespace {

// The calls that a stream of these tool deltas ends with.
std::vector<Answer::Call> calls_of(const std::vector<std::string>& deltas, const std::string& word = "tool_calls") {
  std::vector<std::string> chunks{kRole};
  for (const std::string& d : deltas) chunks.push_back(call(d));
  chunks.push_back(finish(word));
  const std::string stream = sse(chunks);
  const Both seen = read(stream);
  check_good(seen, stream);
  return seen.answer.choices.at(0).calls;
}
using Calls = std::vector<Answer::Call>;

}  // namespace

TEST_CASE("quirk: a whole tool call in one delta") {
  CHECK(calls_of({R"("index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"})"}) == Calls{{"call_a", "f", R"({"x":1})"}});
}

TEST_CASE("quirk: the first tool call's index is not 0") {
  const std::string stream = sse({call(R"("index":1,"id":"call_a","function":{"name":"f","arguments":""})"), call(R"("index":1,"function":{"arguments":"{}"})"), finish("tool_calls")});
  const Both seen = read(stream);
  CHECK(seen.answer.choices.at(0).calls == Calls{{"call_a", "f", "{}"}});
  for (const SeenEvent& e : seen.translated.events) CHECK(e.tool_index == 0);
}

TEST_CASE("quirk: tool deltas without index") {
  CHECK(calls_of({R"("id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"})"}) == Calls{{"call_a", "f", R"({"x":1})"}});
  // Continued by id, or by being the last.
  CHECK(calls_of({R"("id":"call_a","function":{"name":"f","arguments":""})", R"("id":"call_b","function":{"name":"g","arguments":""})",
                  R"("id":"call_a","function":{"arguments":"{}"})", R"("id":"call_b","function":{"arguments":"{}"})"}) ==
        Calls{{"call_a", "f", "{}"}, {"call_b", "g", "{}"}});
  CHECK(calls_of({R"("function":{"name":"f","arguments":"{"})", R"("function":{"arguments":"}"})"})[0].arguments == "{}");
}

TEST_CASE("quirk: tool deltas without type") {
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":"{}"})"}) == Calls{{"call_a", "f", "{}"}});
}

TEST_CASE("quirk: tool id empty, null or repeated on continuation") {
  for (const char* id : {R"("")", "null", R"("call_a")"}) {
    CHECK(calls_of({R"("index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""})",
                    R"("index":0,"id":)" + std::string(id) + R"(,"type":"function","function":{"arguments":"{\"x\":1}"})"}) ==
          Calls{{"call_a", "f", R"({"x":1})"}});
  }
}

TEST_CASE("quirk: tool name empty or repeated on continuation") {
  for (const char* name : {R"("")", R"("f")", "null"}) {
    CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":""})",
                    R"("index":0,"id":"","function":{"name":)" + std::string(name) + R"(,"arguments":"{\"x\":1}"})"}) == Calls{{"call_a", "f", R"({"x":1})"}});
  }
}

TEST_CASE("quirk: tool id is a number, or trivial, or missing: a unique one is made") {
  const Calls calls = calls_of({R"("index":0,"id":0,"function":{"name":"f","arguments":"{}"})", R"("index":1,"id":"","function":{"name":"g","arguments":"{}"})",
                                R"("index":2,"function":{"name":"h","arguments":"{}"})"});
  REQUIRE(calls.size() == 3);
  CHECK(calls[0].id.size() > 8);
  CHECK(calls[0].id != calls[1].id);
  CHECK(calls[1].id != calls[2].id);
  const Calls numbered = calls_of({R"("index":0,"id":4711,"function":{"name":"f","arguments":"{}"})"});
  CHECK(numbered[0].id == "4711");
}

TEST_CASE("quirk: two tool ids share one index: two calls") {
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"})", R"("index":0,"id":"call_b","function":{"name":"f","arguments":"{\"x\":2}"})"}) ==
        Calls{{"call_a", "f", R"({"x":1})"}, {"call_b", "f", R"({"x":2})"}});
}

TEST_CASE("quirk: every call has index 0 and no id: a name after whole arguments begins another") {
  const Calls calls = calls_of({R"("index":0,"function":{"name":"f","arguments":"{\"x\":1}"})", R"("index":0,"function":{"name":"f","arguments":"{\"x\":2}"})"});
  REQUIRE(calls.size() == 2);
  CHECK(calls[1].arguments == R"({"x":2})");
  CHECK(calls[0].id != calls[1].id);
}

TEST_CASE("quirk: two calls with the same id get different ones") {
  const Calls calls = calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":"{}"})", R"("index":1,"id":"call_a","function":{"name":"g","arguments":"{}"})"});
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].id == "call_a");
  CHECK(calls[1].id != "call_a");
}

TEST_CASE("quirk: tool arguments are an object, null, or never come") {
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":{"x":1}})"}) == Calls{{"call_a", "f", R"({"x":1})"}});
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":null})"}) == Calls{{"call_a", "f", "{}"}});
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":""})"}) == Calls{{"call_a", "f", "{}"}});
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f"})"}) == Calls{{"call_a", "f", "{}"}});
}

TEST_CASE("quirk: tool arguments that are not JSON in the end pass as they are") {
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\": "})"}) == Calls{{"call_a", "f", R"({"x": )"}});
}

TEST_CASE("quirk: the name of a call comes later than its id") {
  CHECK(calls_of({R"("index":0,"id":"call_a","function":{"arguments":"{"})", R"("index":0,"function":{"name":"f","arguments":"}"})"}) == Calls{{"call_a", "f", "{}"}});
}

TEST_CASE("quirk: tool calls present but the finish reason is another") {
  const auto word_of = [](const std::string& word) {
    const std::string stream = sse({kRole, call(R"("index":0,"id":"call_a","function":{"name":"f","arguments":"{}"})"), finish(word)});
    return answer_of(feed("openai", false, {stream})).choices.at(0).finish;
  };
  CHECK(word_of("stop") == "stop");  // OpenAI means it: a forced call
  CHECK(word_of("eos_token") == "tool_calls");
  CHECK(word_of("") == "tool_calls");
  CHECK(word_of("function_call") == "tool_calls");
  CHECK(word_of("length") == "length");
}

TEST_CASE("other vendors' finish words") {
  const auto word_of = [](const std::string& word) { return answer_of(feed("openai", false, {sse({text("a"), finish(word)})})).choices.at(0).finish; };
  CHECK(word_of("eos") == "stop");
  CHECK(word_of("eos_token") == "stop");
  CHECK(word_of("model_length") == "length");
  CHECK(word_of("sensitive") == "content_filter");
  CHECK(word_of("something_new") == "stop");
}

TEST_CASE("more tool calls than anybody makes end the stream with an error") {
  std::string stream;
  for (int i = 0; i < 1100; ++i) stream += sse({call(R"("index":)" + std::to_string(i) + R"(,"id":"call_)" + std::to_string(i) + R"(","function":{"name":"f","arguments":"{}"})")}, false);
  const Recorder seen = feed("openai", false, {stream});
  REQUIRE(seen.errors.size() == 1);
  CHECK(seen.errors[0].message.find("1024") != std::string::npos);
}

TEST_CASE("choices numbered beyond reason end the stream with an error") {
  for (int index : {-1, 128, 1000000}) {
    const Both seen = read(sse({delta(R"({"content":"a"})", R"("finish_reason":"stop")", index)}), 3);
    CHECK(seen.relay.errors.size() == 1);
    CHECK(seen.translated.errors.size() == 1);
  }
}

// --- errors inside a 200 ---

namespace {

Error error_in(const std::string& stream) {
  const Both seen = read(stream);
  REQUIRE(seen.relay.errors.size() == 1);
  REQUIRE(seen.translated.errors.size() == 1);
  CHECK(seen.relay.errors[0].code == seen.translated.errors[0].code);
  CHECK(seen.relay.errors[0].message == seen.translated.errors[0].message);
  CHECK(stream.substr(0, seen.relay.bytes().size()) == seen.relay.bytes());
  return seen.relay.errors[0];
}

}  // namespace

TEST_CASE("quirk: Groq's event named error") {
  const Error e = error_in(sse({kRole, text("a")}, false) +
                           "event: error\ndata: {\"error\":{\"message\":\"Tool call validation failed\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\","
                           "\"failed_generation\":\"{}\",\"status_code\":400}}\n\n");
  CHECK(e.code == ErrorCode::kUpstreamRejected);
  CHECK(e.http_status() == 400);
  CHECK(e.upstream_status == 400);
  CHECK(e.upstream_code == "tool_use_failed");
  CHECK(e.message == "Tool call validation failed");
}

TEST_CASE("an event named error whose data is no JSON") {
  const Error e = error_in("event: error\ndata: the engine fell over\n\n");
  CHECK(e.code == ErrorCode::kUpstreamError);
  CHECK(e.message.find("the engine fell over") != std::string::npos);
}

TEST_CASE("quirk: a chunk with a top-level error beside choices, after the finish (OpenRouter)") {
  std::string chunk = delta(R"({"role":"assistant","content":""})", R"("finish_reason":null)");
  chunk.insert(chunk.size() - 1, R"(,"error":{"code":502,"message":"Upstream broke"},)" + kUsage);
  const std::string stream = sse({text("a"), finish("length"), chunk});
  const Error e = error_in(stream);
  CHECK(e.code == ErrorCode::kUpstreamError);
  CHECK(e.upstream_status == 502);
  CHECK(usage_of(feed("openai", true, {stream})) == kFiveTwo);
}

TEST_CASE("quirk: an error object instead of a chunk, its code a number") {
  CHECK(error_in(": OPENROUTER PROCESSING\n\ndata: {\"error\":{\"message\":\"Rate limited\",\"code\":429}}\n\n").code == ErrorCode::kUpstreamRateLimited);
  CHECK(error_in(sse({R"({"error":{"message":"Overloaded","type":"overloaded_error"}})"})).code == ErrorCode::kUpstreamError);
  CHECK(error_in(sse({R"({"error":{"message":"too long","code":"context_length_exceeded","type":"invalid_request_error"}})"})).code ==
        ErrorCode::kContextLengthExceeded);
  CHECK(error_in(sse({R"({"error":{"message":"no","code":"content_filter"}})"})).code == ErrorCode::kContentPolicy);
}

TEST_CASE("quirk: an error inside a choice") {
  const Error e = error_in(sse({text("secret words"), delta("{}", R"("error":{"code":502,"message":"Provider died"},"finish_reason":null)")}));
  CHECK(e.code == ErrorCode::kUpstreamError);
  CHECK(e.message.find("Provider died") != std::string::npos);
  CHECK(e.upstream_body.find("secret words") == std::string::npos);
}

TEST_CASE("quirk: transformers serve puts a bare text into error, sometimes unescaped") {
  CHECK(error_in(sse({kRole, R"({"error": "CUDA out of memory"})"}, false)).message.find("CUDA out of memory") != std::string::npos);
  CHECK(error_in(sse({kRole, R"({"error":"it said "no" to me"})"}, false)).message.find("reported an error") != std::string::npos);
}

TEST_CASE("quirk: a field named error (older llama.cpp)") {
  const Error e = error_in(sse({text("a")}, false) + "error: {\"code\":500,\"message\":\"failed to decode\",\"type\":\"server_error\"}\n\n");
  CHECK(e.code == ErrorCode::kUpstreamError);
  CHECK(e.message.find("failed to decode") != std::string::npos);
}

TEST_CASE("quirk: finish reasons that say the upstream broke down") {
  for (const char* word : {"error", "network_error", "insufficient_system_resource"}) {
    const Error e = error_in(sse({text("a"), finish(word)}));
    CHECK(e.code == ErrorCode::kUpstreamError);
    CHECK(e.message.find(word) != std::string::npos);
  }
}

TEST_CASE("error members that say nothing are no errors") {
  for (const char* nothing : {"null", "{}", "\"\"", "false"}) {
    std::string chunk = text("a");
    chunk.insert(chunk.size() - 1, ",\"error\":" + std::string(nothing));
    const std::string stream = sse({chunk, finish("stop")});
    check_good(read(stream), stream);
  }
}

TEST_CASE("bad JSON in a chunk ends the stream with an error") {
  for (const char* bad : {"{\"choices\":[{\"delta\":{\"content\":\"x\"}]}", "hello", "{]", "42", "{\"choices\":[}"}) {
    INFO(bad);
    const Both seen = read("data: " + std::string(bad) + "\n\n");
    CHECK(seen.relay.errors.size() == 1);
    REQUIRE(seen.translated.errors.size() == 1);
    CHECK(seen.translated.errors[0].code == ErrorCode::kUpstreamError);
  }
}

TEST_CASE("no key shows in an error from inside a stream") {
  const Error e = error_in(sse({R"({"error":{"message":"Incorrect API key provided: sk-test-0123456789abcdef.","code":"invalid_api_key"}})"}));
  CHECK(e.code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(e.message.find("sk-test") == std::string::npos);
  CHECK(e.upstream_body.find("sk-test") == std::string::npos);
}

// --- bodies that are no event stream ---

TEST_CASE("a whole JSON answer where a stream was asked for is told as one") {
  const std::string body = R"({"id":"c9","object":"chat.completion","created":1700000000,"model":"m9","choices":[{"index":0,"message":{"role":"assistant","content":"hi",
    "tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],)" + kUsage + "}";
  const Both seen = read(body);
  CHECK(seen.translated.errors.empty());
  CHECK(seen.answer.choices.at(0).text == "hi");
  CHECK(seen.answer.choices.at(0).calls == Calls{{"call_a", "f", "{}"}});
  CHECK(usage_of(seen.translated) == kFiveTwo);
  CHECK(seen.relay.errors.empty());
  const Answer again = read_strict(seen.relay.bytes());
  CHECK(again.done);
  CHECK(again.ids == std::vector<std::string>{"c9"});
  CHECK(again.choices.at(0).text == "hi");
  CHECK(again.choices.at(0).finish == "tool_calls");
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kToolCalls});
  CHECK(usage_of(seen.relay) == kFiveTwo);
}

TEST_CASE("an error as a plain JSON body inside a 200 stream") {
  const Error e = error_in(R"({"error":{"message":"Slow down","type":"requests","code":"rate_limit_exceeded"}})");
  CHECK(e.code == ErrorCode::kUpstreamRateLimited);
}

TEST_CASE("an HTML page inside a 200 stream") {
  const Error e = error_in("<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>");
  CHECK(e.code == ErrorCode::kUpstreamError);
  CHECK(e.message.find("502 Bad Gateway") != std::string::npos);
}

// --- flow ---

namespace {

// Cancels at the given callback.
class Canceller : public Recorder {
 public:
  explicit Canceller(int at) : left_(at) {}
  Flow on_frame(std::string_view bytes, FrameKind kind) override {
    Recorder::on_frame(bytes, kind);
    return --left_ <= 0 ? Flow::kCancel : Flow::kContinue;
  }
  Flow on_event(const StreamEvent& event) override {
    Recorder::on_event(event);
    return --left_ <= 0 ? Flow::kCancel : Flow::kContinue;
  }

 private:
  int left_;
};

}  // namespace

TEST_CASE("after a frame is answered with kCancel nothing more is relayed, at whichever frame") {
  const std::string stream = sse({kRole, text("a"), text("b"), finish("stop"), kUsageChunk});
  for (int at = 1; at <= 6; ++at) {
    Canceller sink(at);
    auto codec = reading("openai", true);
    codec->feed(stream, sink);
    codec->finish(sink);
    CHECK(sink.frames.size() == static_cast<size_t>(at));
    CHECK(sink.errors.empty());
  }
}

TEST_CASE("after a text is answered with kCancel no more text is told") {
  Canceller sink(2);  // the start and one text
  auto codec = reading("openai", false);
  codec->feed(sse({text("a"), text("b"), finish("stop")}), sink);
  codec->finish(sink);
  CHECK(sink.events.size() == 2);
  CHECK(sink.errors.empty());
}
