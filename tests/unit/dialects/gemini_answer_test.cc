// Gemini's answers: streams and whole ones, relayed, taken apart, and told to Gemini's own clients. Every stream is cut at every byte.
#include "catch.h"
#include "dialects/gemini.h"
#include "dialects/signature.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace gemini = dialects::gemini;

namespace {

std::string chunk(const std::string& json) { return "data: " + json + "\r\n\r\n"; }
std::string candidate(const std::string& parts, const std::string& more = {}, const std::string& top = {}) {
  return chunk(R"({"candidates":[{"content":{"parts":[)" + parts + R"(],"role":"model"})" + more + R"(,"index":0}])" + top + R"(,"modelVersion":"gemini-2.5-flash","responseId":"r1"})");
}
std::string text(const std::string& words) { return candidate(R"({"text":")" + words + "\"}"); }
const std::string kUsage = R"(,"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":22,"thoughtsTokenCount":7,"cachedContentTokenCount":4})";
const std::string kStop = candidate(R"({"text":""})", R"(,"finishReason":"STOP")", kUsage);

Both read(const std::string& stream) { return read_cut("gemini", stream); }

// For a client of another dialect.
std::unique_ptr<UpstreamCodec> foreign_reader() {
  auto codec = dialect("gemini")->new_upstream_codec();
  const ProviderConfig config = provider();
  const ChatRequest chat = ChatRequest::of("m", "hello");
  EncodeInput input;
  input.chat = &chat;
  input.foreign = true;
  input.provider = &config;
  input.upstream_model = "gemini-2.5-flash";
  input.stream = true;
  EncodedRequest out;
  REQUIRE(codec->encode(input, out).ok());
  return codec;
}
Recorder read_foreign(const std::string& stream) {
  Recorder seen;
  auto codec = foreign_reader();
  codec->feed(stream, seen);
  codec->finish(seen);
  return seen;
}

std::unique_ptr<ClientCodec> client(const std::string& operation = "streamGenerateContent", const std::string& query = "alt=sse") {
  auto codec = dialect("gemini")->new_client_codec();
  RequestPath path;
  path.operation = operation;
  path.model = "some-model";
  path.query = query;
  codec->set_path(path);
  static const std::string body = R"({"contents":[{"parts":[{"text":"x"}]}]})";
  REQUIRE(codec->scan(body).ok());
  return codec;
}

// What a client of Google's puts together from a stream; fails the test where it leaves the grammar.
struct Told {
  std::string text, thoughts, signatures;
  std::vector<std::string> calls, finishes;
  std::string usage, last;
  int chunks = 0, usages = 0;
};
Told read_sse(const std::string& sse) {
  Told told;
  size_t at = 0;
  while (at < sse.size()) {
    const size_t end = sse.find("\r\n\r\n", at);
    REQUIRE(end != std::string::npos);
    REQUIRE(sse.compare(at, 6, "data: ") == 0);
    const std::string json = sse.substr(at + 6, end - at - 6);
    at = end + 4;
    REQUIRE(wire::validate(json));
    CHECK(json.find('\n') == std::string::npos);
    const JsonValue root(json);
    CHECK(find_member(root, "modelVersion").nonempty_string());
    CHECK(find_member(root, "responseId").nonempty_string());
    CHECK(told.usages == 0);  // nothing comes behind the counts
    for (JsonValue c : JsonElements(find_member(root, "candidates"))) {
      for (JsonValue part : JsonElements(find(c, "content", "parts"))) {
        const JsonValue thought = find_member(part, "thought");
        (thought.boolean().value_or(false) ? told.thoughts : told.text) += find_member(part, "text").string_or();
        told.signatures += find_member(part, "thoughtSignature").string_or();
        if (JsonValue call = find_member(part, "functionCall"); call.exists()) {
          CHECK(find_member(call, "args").is_object());
          told.calls.push_back(find_member(call, "name").string_or() + std::string(find_member(call, "args").raw()));
        }
      }
      if (JsonValue finish = find_member(c, "finishReason"); finish.exists()) told.finishes.push_back(finish.string_or());
    }
    if (JsonValue usage = find_member(root, "usageMetadata"); usage.exists()) {
      ++told.usages;
      told.usage = canonical(usage);
    }
    ++told.chunks;
    told.last = json;
  }
  return told;
}

// An OpenAI stream as Gemini's client hears of it.
std::string from_openai(const std::string& stream, ClientCodec& codec) {
  Recorder seen = feed("openai", false, {stream});
  std::string out;
  for (const SeenEvent& e : seen.events) {
    StreamEvent event;
    event.kind = e.kind;
    event.choice = e.choice;
    event.tool_index = e.tool_index;
    event.text = e.text;
    event.signature = e.signature;
    event.maker = e.maker;
    event.redacted = e.redacted;
    event.id = e.id;
    event.name = e.name;
    event.arguments = e.arguments;
    event.model = e.model;
    event.raw = e.raw;
    event.created = e.created;
    event.finish = e.finish;
    event.usage = e.usage;
    codec.encode_event(event, out);
  }
  codec.encode_end(out);
  return out;
}

Result<ChatResponse> decode(const std::string& body, bool foreign = false) {
  return foreign ? foreign_reader()->decode(body) : reading("gemini", false)->decode(body);
}

}  // namespace

TEST_CASE("gemini stream: CRLF events, text in pieces, counts of the last chunk") {
  const std::string stream = text("Hel") + text("lo") + kStop;
  const Both got = read(stream);
  CHECK(got.relay.bytes() == stream);
  CHECK(got.relay.errors.empty());
  CHECK(got.relay.kinds() == std::vector<FrameKind>{FrameKind::kPayload, FrameKind::kPayload, FrameKind::kFinish});
  CHECK(got.relay.finishes == std::vector<FinishReason>{FinishReason::kStop});
  CHECK(got.answer.choices.at(0).text == "Hello");
  CHECK(got.answer.choices.at(0).finish == "stop");
  CHECK(got.answer.ids == std::vector<std::string>{"r1"});
  CHECK(got.answer.models == std::vector<std::string>{"gemini-2.5-flash"});
  for (const Recorder* r : {&got.relay, &got.translated}) {
    REQUIRE(r->last_usage());
    CHECK(r->last_usage()->input == 10);
    CHECK(r->last_usage()->output == 12);
    CHECK(r->last_usage()->reasoning == 7);
    CHECK(r->last_usage()->cached == 4);
  }
}

TEST_CASE("quirk usageMetadata on every chunk: the last one counts, one that holds only trafficType does not") {
  const std::string first = candidate(R"({"text":"a"})", "", R"(,"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":4})");
  const std::string interim = candidate(R"({"text":"b"})", "", R"(,"usageMetadata":{"trafficType":"ON_DEMAND"})");
  const Both got = read(first + kStop.substr(0, 0) + interim + kStop);
  CHECK(got.relay.usages.size() == 2);
  CHECK(got.relay.last_usage()->output == 12);
  CHECK(read(first + candidate(R"({"text":""})", R"(,"finishReason":"STOP")", R"(,"usageMetadata":{"trafficType":"ON_DEMAND"})")).translated.last_usage()->input == 3);
}

TEST_CASE("quirk STOP although functionCall present, without id, without args, with one") {
  const std::string stream = candidate(R"({"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"U0lH"},{"functionCall":{"name":"g"}},{"functionCall":{"name":"h","args":{},"id":"own"}})",
                                       R"(,"finishReason":"STOP")", kUsage);
  const Both got = read(stream);
  CHECK(got.relay.finishes == std::vector<FinishReason>{FinishReason::kToolCalls});
  const auto& choice = got.answer.choices.at(0);
  CHECK(choice.finish == "tool_calls");
  REQUIRE(choice.calls.size() == 3);
  CHECK(choice.calls[0].arguments == R"({"a":1})");
  CHECK(choice.calls[1].arguments == "{}");
  CHECK(!choice.calls[0].id.empty());
  CHECK(choice.calls[0].id != choice.calls[1].id);
  CHECK(choice.calls[2].id == "own");
  for (const SeenEvent& e : got.translated.events) {
    if (e.kind != Kind::kToolCallBegin) continue;
    CHECK(e.signature == (e.tool_index == 0 ? "U0lH" : ""));
    CHECK(e.maker == (e.tool_index == 0 ? "gemini" : ""));
  }
}

TEST_CASE("quirk streamed partialArgs: pieces by their paths make one call") {
  const auto part = [](const std::string& call) { return candidate(R"({"functionCall":)" + call + "}"); };
  const std::string stream = part(R"({"name":"cook","willContinue":true})") +
                             part(R"({"partialArgs":[{"jsonPath":"$.dish.steps[0].text","stringValue":"Bo","willContinue":true}],"willContinue":true})") +
                             part(R"({"partialArgs":[{"jsonPath":"$.dish.steps[0].text","stringValue":"il"},{"jsonPath":"$.dish.steps[1].text","stringValue":"Eat\"\n"}],"willContinue":true})") +
                             part(R"({"partialArgs":[{"jsonPath":"$.n","numberValue":2.5},{"jsonPath":"$['odd key']","boolValue":true},{"jsonPath":"$.none","nullValue":"NULL_VALUE"}],"willContinue":true})") +
                             part("{}") + part(R"({"name":"rest","willContinue":true})") + part("{}") + kStop;
  const Both got = read(stream);
  CHECK(got.relay.bytes() == stream);
  const auto& calls = got.answer.choices.at(0).calls;
  REQUIRE(calls.size() == 2);
  CHECK(canonical(calls[0].arguments) == canonical(R"({"dish":{"steps":[{"text":"Boil"},{"text":"Eat\"\n"}]},"n":2.5,"odd key":true,"none":null})"));
  CHECK(calls[1].arguments == "{}");
  for (const char* bad : {R"({"jsonPath":"x","stringValue":"a"})", R"({"jsonPath":"$","stringValue":"a"})", R"({"jsonPath":"$.a[7]","stringValue":"a"})",
                          R"({"jsonPath":"$.a[","stringValue":"a"})", R"({"jsonPath":"$[0]","stringValue":"a"})"}) {
    INFO(bad);
    CHECK(feed("gemini", false, {part(R"({"name":"f","partialArgs":[)" + std::string(bad) + R"(],"willContinue":true})") + kStop}).errors.size() == 1);
  }
}

TEST_CASE("quirk thought:true parts and a signature on an empty text part") {
  const Both got = read(candidate(R"({"text":"hm","thought":true})") + text("yes") + candidate(R"({"text":"","thoughtSignature":"VEFJTA=="})", R"(,"finishReason":"STOP")", kUsage));
  CHECK(got.answer.choices.at(0).reasoning == "hm");
  CHECK(got.answer.choices.at(0).text == "yes");
  bool signed_text = false;
  for (const SeenEvent& e : got.translated.events) signed_text = signed_text || (e.kind == Kind::kText && e.text.empty() && e.signature == "VEFJTA==" && e.maker == "gemini");
  CHECK(signed_text);
}

TEST_CASE("quirk candidate without content.parts: an answer that was all thinking") {
  const Both got = read(chunk(R"({"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":15,"totalTokenCount":17,"thoughtsTokenCount":2}})"));
  CHECK(got.answer.choices.at(0).finish == "length");
  CHECK(got.relay.finishes == std::vector<FinishReason>{FinishReason::kLength});
  CHECK(got.relay.last_usage()->output == 2);
  CHECK(got.relay.last_usage()->reasoning == 2);
}

TEST_CASE("quirk finishReason as a number") {
  const Both got = read(chunk(R"({"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":2}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":9,"trafficType":1,"promptTokensDetails":[{"modality":1,"tokenCount":5}],"thoughtsTokenCount":4}})"));
  CHECK(got.answer.choices.at(0).finish == "length");
  CHECK(gemini::finish_text(JsonValue("15")) == "UNEXPECTED_TOOL_CALL");
  CHECK(gemini::finish_reason_of(JsonValue("10")) == FinishReason::kContentFilter);
  CHECK(gemini::finish_reason_of(JsonValue("0")) == FinishReason::kNone);
  CHECK(gemini::finish_reason_of(JsonValue("99")) == FinishReason::kOther);
}

TEST_CASE("quirk promptFeedback.blockReason: no candidates at all") {
  const std::string blocked = R"({"promptFeedback":{"blockReason":"MODEL_ARMOR","blockReasonMessage":"The prompt violated filters."},"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","responseId":"r"})";
  const Both got = read(chunk(blocked));
  CHECK(got.relay.bytes() == chunk(blocked));
  CHECK(got.relay.kinds() == std::vector<FrameKind>{FrameKind::kFinish});
  CHECK(got.relay.finishes == std::vector<FinishReason>{FinishReason::kContentFilter});
  CHECK(got.answer.choices.at(0).finish == "content_filter");
  CHECK(got.answer.choices.at(0).refusal == "The prompt violated filters.");
  auto whole = decode(blocked, true);
  REQUIRE(whole.ok());
  CHECK(whole->choices.at(0).finish == FinishReason::kContentFilter);
  CHECK(whole->choices.at(0).finish_raw == "MODEL_ARMOR");
  CHECK(reading("gemini", true)->inspect(blocked)->finish == FinishReason::kContentFilter);
  // To a client of Google's it is what it was.
  auto same = decode(blocked);
  std::string out;
  client("generateContent", "")->encode_response(*same, out);
  CHECK(find(JsonValue(out), "promptFeedback", "blockReason").equals("MODEL_ARMOR"));
  CHECK(!find_member(JsonValue(out), "candidates").exists());
}

TEST_CASE("quirks finishReason SAFETY, MODEL_ARMOR and their kin: filtered") {
  for (const char* word : {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"}) {
    INFO(word);
    const Both got = read(chunk(R"({"candidates":[{"content":{},"finishReason":")" + std::string(word) + R"(","finishMessage":"because","safetyRatings":[{"blocked":true}]}],"usageMetadata":{"promptTokenCount":1}})"));
    CHECK(got.answer.choices.at(0).finish == "content_filter");
    CHECK(got.answer.choices.at(0).refusal == "because");
    CHECK(got.relay.finishes == std::vector<FinishReason>{FinishReason::kContentFilter});
  }
}

TEST_CASE("quirk UNEXPECTED_TOOL_CALL: a call is a call; nothing at all is an error, as is a malformed call") {
  const auto ends = [](const std::string& parts, const std::string& word) {
    return read_foreign(candidate(parts, R"(,"finishReason":")" + word + R"(","finishMessage":"Model tried")", kUsage));
  };
  CHECK(answer_of(ends(R"({"functionCall":{"name":"f"}})", "UNEXPECTED_TOOL_CALL")).choices.at(0).finish == "tool_calls");
  CHECK(answer_of(ends(R"({"text":"so"})", "OTHER")).choices.at(0).finish == "stop");
  for (const char* word : {"UNEXPECTED_TOOL_CALL", "OTHER", "MALFORMED_FUNCTION_CALL", "WORD_OF_TOMORROW"}) {
    const Recorder seen = ends("", word);
    REQUIRE(seen.errors.size() == 1);
    CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
    CHECK(seen.errors[0].message == std::string("the upstream broke the answer off: finishReason ") + word + ": Model tried");
  }
  CHECK(ends(R"({"text":"so"})", "MALFORMED_FUNCTION_CALL").errors.size() == 1);
  // A client of Google's own knows these words.
  CHECK(feed("gemini", true, {candidate("", R"(,"finishReason":"MALFORMED_FUNCTION_CALL")")}).errors.empty());
}

TEST_CASE("gemini stream: an end too early is an error, one in the middle of a chunk, too") {
  for (const std::string& stream : {text("a"), text("a") + kStop.substr(0, 40), std::string(), std::string(": ping\r\n\r\n")}) {
    for (bool relay : {true, false}) {
      const Recorder seen = feed("gemini", relay, {stream});
      REQUIRE(seen.errors.size() == 1);
      CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
    }
  }
  for (bool relay : {true, false}) {
    CHECK(feed("gemini", relay, {text("a") + kStop + "data: {\"cand"}).errors.empty());
    CHECK(feed("gemini", relay, {text("a") + kStop.substr(0, kStop.size() - 4)}).errors.empty());
    CHECK(feed("gemini", relay, {"data: nonsense\n\n" + kStop}).errors.size() == 1);
    CHECK(feed("gemini", relay, {"data: 5\n\n" + kStop}).errors.size() == 1);
  }
}

TEST_CASE("gemini stream: the last event without its blank line gets it") {
  const std::string stream = text("a") + kStop;
  const Recorder seen = feed("gemini", true, {std::string_view(stream).substr(0, stream.size() - 4)});
  CHECK(seen.errors.empty());
  CHECK(seen.bytes() == stream);
}

TEST_CASE("gemini stream: errors inside it, as an object and as an array, before and behind the first word") {
  const std::string error = R"({"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}})";
  for (const std::string& e : {error, "[" + error + "]"}) {
    for (bool relay : {true, false}) {
      for (const std::string& before : {std::string(), text("a")}) {
        const Recorder seen = feed("gemini", relay, {before + chunk(e)});
        REQUIRE(seen.errors.size() == 1);
        CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
        CHECK(seen.errors[0].upstream_status == 503);
      }
    }
  }
  const Recorder limited = feed("gemini", false, {chunk(R"({"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}]}})")});
  CHECK(limited.errors.at(0).code == ErrorCode::kUpstreamRateLimited);
  CHECK(limited.errors.at(0).retry_after == std::chrono::seconds(48));
}

TEST_CASE("gemini stream: a JSON array, or one object, where events were asked for") {
  const std::string a = R"({"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"}}],"modelVersion":"v","responseId":"r"})";
  const std::string b = R"({"candidates":[{"content":{"parts":[{"text":"b"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}})";
  const Both got = read("[" + a + "\n,\r\n" + b + "\n]");
  CHECK(got.relay.bytes() == chunk(a) + chunk(b));
  CHECK(got.answer.choices.at(0).text == "ab");
  CHECK(got.translated.last_usage()->output == 2);
  auto whole = decode("[" + a + "," + b + "]");
  REQUIRE(whole.ok());
  CHECK(whole->text() == "ab");
  CHECK(feed("gemini", false, {R"([{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}])"}).errors.at(0).code == ErrorCode::kUpstreamRejected);
}

TEST_CASE("gemini stream: several candidates, each with its own end") {
  const auto two = [](const std::string& more) {
    return chunk(R"({"candidates":[{"content":{"parts":[{"text":"a"}]})" + more + R"(,"index":0},{"content":{"parts":[{"text":"b"}]})" + more + R"(,"index":1}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}})");
  };
  const Both got = read(two("") + two(R"(,"finishReason":"STOP")"));
  CHECK(got.answer.choices.at(0).text == "aa");
  CHECK(got.answer.choices.at(1).text == "bb");
  CHECK(got.relay.finishes.size() == 2);
  const std::string half = two("") + candidate("", R"(,"finishReason":"STOP")");
  CHECK(feed("gemini", true, {half}).errors.size() == 1);
  CHECK(feed("gemini", false, {half}).errors.size() == 1);
  CHECK(feed("gemini", false, {chunk(R"({"candidates":[{"index":500,"finishReason":"STOP"}]})")}).errors.size() == 1);
}

TEST_CASE("gemini: a whole answer, taken apart") {
  const std::string body = R"({
    "candidates": [{"content": {"parts": [{"text": "hm", "thought": true}, {"text": "So "}, {"text": "it is."},
      {"functionCall": {"name": "f", "args": {"a": [1, 2]}}, "thoughtSignature": "U0lH"}], "role": "model"}, "finishReason": "STOP", "index": 0,
      "avgLogprobs": -0.5, "logprobsResult": {"chosenCandidates": [{"token": "So", "tokenId": 5, "logProbability": -0.25}],
        "topCandidates": [{"candidates": [{"token": "So", "logProbability": -0.25}, {"token": "Oh", "logProbability": -2}]}]}}],
    "usageMetadata": {"promptTokenCount": 25, "candidatesTokenCount": 26, "totalTokenCount": 1219, "toolUsePromptTokenCount": 1130, "thoughtsTokenCount": 38,
      "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}, {"modality": "IMAGE", "tokenCount": 15}, {"modality": "AUDIO", "tokenCount": 5}]},
    "modelVersion": "gemini-2.5-flash", "createTime": "2026-08-19T14:38:19.481330Z", "responseId": "r1"})";
  auto answer = decode(body);
  REQUIRE(answer.ok());
  CHECK(answer->id == "r1");
  CHECK(answer->model == "gemini-2.5-flash");
  CHECK(answer->created == 1787150299);
  REQUIRE(answer->choices.size() == 1);
  const Choice& choice = answer->choices[0];
  REQUIRE(choice.message.parts.size() == 2);
  CHECK(choice.message.parts[0].kind == Part::Kind::kReasoning);
  CHECK(choice.message.parts[1].text == "So it is.");
  REQUIRE(choice.message.tool_calls.size() == 1);
  CHECK(choice.message.tool_calls[0].arguments == R"({"a":[1,2]})");
  CHECK(choice.message.tool_calls[0].signature == "U0lH");
  CHECK(choice.message.tool_calls[0].maker == "gemini");
  CHECK(choice.finish == FinishReason::kToolCalls);
  CHECK(canonical(choice.logprobs) == canonical(R"({"content":[{"token":"So","logprob":-0.25,"top_logprobs":[{"token":"So","logprob":-0.25},{"token":"Oh","logprob":-2}]}]})"));
  CHECK(answer->usage.input == 1155);
  CHECK(answer->usage.output == 64);
  CHECK(answer->usage.reasoning == 38);
  CHECK(answer->usage.image == 15);
  CHECK(answer->usage.audio_input == 5);
  auto facts = reading("gemini", true)->inspect(body);
  REQUIRE(facts.ok());
  CHECK(facts->finish == FinishReason::kToolCalls);
  CHECK(facts->usage.output == 64);
  CHECK(facts->model == "gemini-2.5-flash");
}

TEST_CASE("gemini: whole answers that are none") {
  for (const char* body : {"", "<html>", "{}", "[]", R"({"candidates":[]})", R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})"}) {
    INFO(body);
    CHECK(!decode(body).ok());
  }
  CHECK(decode(R"({"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})").error().code ==
        ErrorCode::kUpstreamCredentialsRejected);
  CHECK(!reading("gemini", true)->inspect("{}").ok());
  CHECK(!reading("gemini", true)->inspect(R"([{"error":{"code":500,"message":"x"}}])").ok());
}

TEST_CASE("gemini: code and pictures for clients of other dialects, and as they were for its own") {
  const std::string stream = candidate(R"j({"executableCode":{"language":"PYTHON","code":"print(1)"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\n"}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}})j",
                                       R"(,"finishReason":"STOP")", kUsage);
  const Answer foreign = answer_of(read_foreign(stream));
  CHECK(foreign.choices.at(0).text == "```python\nprint(1)\n```\n```\n1\n```\n");
  bool picture = false;
  for (const SeenEvent& e : read_foreign(stream).events) picture = picture || (e.kind == Kind::kOther && e.raw.find("data:image/png;base64,AAAA") != std::string::npos);
  CHECK(picture);
  const std::string body = stream.substr(6, stream.size() - 10);
  std::string out;
  auto own = decode(body);
  REQUIRE(own.ok());
  client("generateContent", "")->encode_response(*own, out);
  CHECK(canonical(find(JsonValue(out), "candidates", 0, "content", "parts")) == canonical(find(JsonValue(body), "candidates", 0, "content", "parts")));
  auto theirs = decode(body, true);
  CHECK(find(JsonValue("{" + theirs->choices[0].message.extras + "}"), "images", 0, "image_url", "url").equals("data:image/png;base64,AAAA"));
}

TEST_CASE("gemini: sources as annotations, bytes as characters, and back") {
  const std::string grounding = R"({"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}},{"web":{"uri":"https://b.example","title":"B"}}],
    "groundingSupports":[{"segment":{"startIndex":6,"endIndex":9,"text":"abc"},"groundingChunkIndices":[1]}]})";
  const std::string body = R"({"candidates":[{"content":{"parts":[{"text":"\u00e4\u00f6\u00fcabc"}]},"finishReason":"STOP","groundingMetadata":)" + grounding + R"(}],"usageMetadata":{"promptTokenCount":1}})";
  auto answer = decode(body, true);
  REQUIRE(answer.ok());
  const std::string& annotations = answer->choices[0].message.annotations;
  CHECK(canonical(annotations) == canonical(R"([{"type":"url_citation","url_citation":{"start_index":3,"end_index":6,"title":"B","url":"https://b.example"}}])"));
  CHECK(answer->choices[0].extras.empty());
  std::string out;
  client("generateContent", "")->encode_response(*answer, out);
  CHECK(canonical(find(JsonValue(out), "candidates", 0, "groundingMetadata")) ==
        canonical(R"({"groundingChunks":[{"web":{"uri":"https://b.example","title":"B"}}],"groundingSupports":[{"segment":{"startIndex":6,"endIndex":9,"text":"abc"},"groundingChunkIndices":[0]}]})"));
  // Its own clients get Google's object, once.
  auto own = decode(body);
  out.clear();
  client("generateContent", "")->encode_response(*own, out);
  CHECK(canonical(find(JsonValue(out), "candidates", 0, "groundingMetadata")) == canonical(grounding));
}

TEST_CASE("gemini client: an OpenAI stream in Google's grammar, whole calls, counts in the last chunk") {
  const std::string stream =
      "data: {\"id\":\"c1\",\"model\":\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"hm\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"y\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\"\"}}]}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9,\"total_tokens\":12,\"completion_tokens_details\":{\"reasoning_tokens\":4}}}\n\n"
      "data: [DONE]\n\n";
  auto codec = client();
  CHECK(codec->content_type(true) == "text/event-stream");
  const Told told = read_sse(from_openai(stream, *codec));
  CHECK(told.thoughts == "hm");
  CHECK(told.text == "Hey");
  CHECK(told.calls == std::vector<std::string>{R"(f{"x":1})", "g{}"});
  CHECK(told.finishes == std::vector<std::string>{"STOP"});
  CHECK(told.usage == canonical(R"({"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":12,"thoughtsTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":3}]})"));
  CHECK(find(JsonValue(told.last), "usageMetadata").exists());
  CHECK(find(JsonValue(told.last), "responseId").equals("c1"));
}

TEST_CASE("gemini client: without alt=sse the stream is one JSON array") {
  const std::string stream =
      "data: {\"id\":\"c1\",\"model\":\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"y\"},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";
  auto codec = client("streamGenerateContent", "");
  CHECK(codec->content_type(true) == "application/json");
  const std::string out = from_openai(stream, *codec);
  REQUIRE(wire::validate(out));
  std::string words, finish;
  for (JsonValue step : JsonElements(JsonValue(out))) {
    words += find(step, "candidates", 0, "content", "parts", 0, "text").string_or();
    finish += find(step, "candidates", 0, "finishReason").string_or();
  }
  CHECK(words == "Hey");
  CHECK(finish == "MAX_TOKENS");
  // An error leaves the array open: no clean end.
  auto broken = client("streamGenerateContent", "");
  std::string bytes;
  StreamEvent event;
  event.text = "a";
  broken->encode_event(event, bytes);
  broken->encode_stream_error(Error(ErrorCode::kUpstreamError, "cut"), bytes);
  CHECK(bytes.find(R"(,)" "\r\n" R"({"error":{"code":502)") != std::string::npos);
  CHECK(bytes.back() != ']');
}

TEST_CASE("gemini client: signatures of other makers travel sealed, its own as they are") {
  auto codec = client();
  std::string out;
  StreamEvent event;
  event.kind = Kind::kReasoning;
  event.signature = "c2ln";
  event.maker = "anthropic";
  codec->encode_event(event, out);
  event.redacted = true;
  codec->encode_event(event, out);
  event.redacted = false;
  event.maker = "gemini";
  event.kind = Kind::kText;
  codec->encode_event(event, out);
  codec->encode_end(out);
  CHECK(read_sse(out).signatures == dialects::seal_signature("anthropic", "gemini", "c2ln") + dialects::seal_signature("anthropic+redacted", "gemini", "c2ln") + "c2ln");
}

TEST_CASE("gemini client: a whole answer of another dialect") {
  ChatResponse response;
  response.model = "gpt";
  Choice& choice = response.choices.emplace_back();
  choice.message.role = Role::kAssistant;
  choice.message.parts.push_back(Part::of_text("hello"));
  choice.message.tool_calls.push_back({"c", "f", "not json", "", ""});
  choice.finish = FinishReason::kToolCalls;
  choice.logprobs = R"({"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-1,"bytes":null}]}],"refusal":null})";
  response.usage.input = 3;
  response.usage.output = 4;
  response.usage.cached = 2;
  response.usage.known = true;
  std::string out;
  client("generateContent", "")->encode_response(response, out);
  REQUIRE(wire::validate(out));
  const JsonValue root(out);
  CHECK(canonical(find(root, "candidates", 0, "content")) ==
        canonical(R"({"parts":[{"text":"hello"},{"functionCall":{"id":"c","name":"f","args":{"input":"not json"}}}],"role":"model"})"));
  CHECK(find(root, "candidates", 0, "finishReason").equals("STOP"));
  CHECK(find(root, "candidates", 0, "logprobsResult", "chosenCandidates", 0, "token").equals("a"));
  CHECK(find(root, "usageMetadata", "cachedContentTokenCount").integer() == 2);
  CHECK(find_member(root, "modelVersion").equals("gpt"));
  CHECK(find_member(root, "responseId").nonempty_string());
  std::string second;
  client("generateContent", "")->encode_response(response, second);
  CHECK(find_member(JsonValue(second), "responseId").string_or() != find_member(root, "responseId").string_or());
}

TEST_CASE("gemini client: errors in Google's shape, with the provider's words") {
  const auto tell = [](const Error& error) {
    std::string out;
    client()->encode_error(error, out);
    CHECK(wire::validate(out));
    return out;
  };
  const std::string unknown = tell(Error(ErrorCode::kModelNotFound, "there is no model \"x\"", "model"));
  CHECK(canonical(unknown) == canonical(R"({"error":{"code":404,"message":"there is no model \"x\"","status":"NOT_FOUND",
    "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MODEL_NOT_FOUND","domain":"llmrouter","metadata":{"field":"model"}}]}})"));
  Error limited(ErrorCode::kUpstreamRateLimited, "slow down");
  limited.retry_after = std::chrono::milliseconds(1500);
  const std::string told = tell(limited);
  CHECK(find(JsonValue(told), "error", "status").equals("RESOURCE_EXHAUSTED"));
  CHECK(find(JsonValue(told), "error", "details", 1, "retryDelay").equals("2s"));
  CHECK(find(JsonValue(tell(Error(ErrorCode::kInvalidKey, "no"))), "error", "status").equals("UNAUTHENTICATED"));
  CHECK(find(JsonValue(tell(Error(ErrorCode::kUpstreamTimeout, "no"))), "error", "status").equals("DEADLINE_EXCEEDED"));
}

TEST_CASE("gemini: the list of models comes in pages") {
  auto codec = dialect("gemini")->new_upstream_codec();
  ProviderConfig config = provider();
  config.base_url = "https://generativelanguage.googleapis.com/v1beta";
  config.auth = "x-goog-api-key";
  EncodedRequest first, second, third;
  REQUIRE(codec->encode_models(config, "k", first).ok());
  CHECK(first.http.url == "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000");
  CHECK(first.http.method == "GET");
  auto ids = codec->parse_models(R"({"models":[{"name":"models/gemini-2.5-flash"},{"name":"tunedModels/mine"},{"displayName":"x"}],"nextPageToken":"a/b+c"})");
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<std::string>{"gemini-2.5-flash", "tunedModels/mine"});
  REQUIRE(codec->encode_more_models(config, "k", second));
  CHECK(second.http.url == "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000&pageToken=a%2Fb%2Bc");
  REQUIRE(codec->parse_models(R"({"models":[]})").ok());
  CHECK(!codec->encode_more_models(config, "k", third));
  CHECK(!codec->parse_models(R"({"data":[]})").ok());
}

TEST_CASE("gemini: a call's signature goes to OpenAI's clients and back as Google's own OpenAI face has it") {
  const std::string stream = candidate(R"({"functionCall":{"name":"f","args":{}},"thoughtSignature":"U0lH"})", R"(,"finishReason":"STOP")", kUsage);
  auto codec = dialect("openai")->new_client_codec();
  const std::string ask = R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":true})";
  REQUIRE(codec->scan(ask).ok());
  std::string out;
  class Teller final : public UpstreamSink {
   public:
    Teller(ClientCodec& codec, std::string& out) : codec_(codec), out_(out) {}
    Flow on_frame(std::string_view, FrameKind) override { return Flow::kContinue; }
    Flow on_event(const StreamEvent& event) override {
      codec_.encode_event(event, out_);
      return Flow::kContinue;
    }
    void on_usage(const TokenUsage&) override {}
    void on_finish(FinishReason) override {}
    void on_error(Error error) override { FAIL(error.message); }

   private:
    ClientCodec& codec_;
    std::string& out_;
  } teller(*codec, out);
  auto reader = foreign_reader();
  reader->feed(stream, teller);
  reader->finish(teller);
  CHECK(out.find(R"("extra_content":{"google":{"thought_signature":"U0lH"}})") != std::string::npos);
  std::string whole;
  auto answer = decode(stream.substr(6, stream.size() - 10), true);
  codec->encode_response(*answer, whole);
  const JsonValue call = find(JsonValue(whole), "choices", 0, "message", "tool_calls", 0);
  CHECK(find(call, "extra_content", "google", "thought_signature").equals("U0lH"));
  auto again = translate_request("openai", "gemini", R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[)" + std::string(call.raw()) +
                                 R"(]},{"role":"tool","tool_call_id":)" + std::string(find_member(call, "id").raw()) + R"(,"content":"1"}]})", provider(), "gemini-3-pro-preview");
  REQUIRE(again.ok());
  CHECK(find(JsonValue(again->body), "contents", 1, "parts", 0, "thoughtSignature").equals("U0lH"));
  // An upstream of OpenAI's dialect never gets it.
  CHECK(gemini::compact(" {\"a b\" : [ 1 ] } ") == "{\"a b\":[1]}");
}

TEST_CASE("gemini: what has no word in OpenAI's chat is refused or dropped by name") {
  const auto to_openai = [](const std::string& parts, const std::string& members, std::vector<std::string>* dropped = nullptr) {
    auto out = translate_request("gemini", "openai", R"({"model":"m","contents":[{"role":"user","parts":[)" + parts + "]}]" + (members.empty() ? "" : "," + members) + "}");
    if (dropped && out) *dropped = out->request.dropped;
    return out ? out->body : "refused: " + out.error().param;
  };
  const std::string hi = R"({"text":"hi"})";
  CHECK(to_openai(R"({"hologram":{}})", "") == "refused: messages[0].content[0]");
  CHECK(to_openai(R"({"fileData":{"mimeType":"audio/wav","fileUri":"gs://x"}})", "") == "refused: messages[0].content[0]");
  CHECK(to_openai(hi, R"("generationConfig":{"responseModalities":["AUDIO"]})") == "refused: modalities");
  CHECK(to_openai(hi, R"("generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}})") == "refused: response_format");
  std::vector<std::string> dropped;
  const std::string body = to_openai(R"({"text":"hi","videoMetadata":{"fps":1}},{"executableCode":{"language":"PYTHON","code":"1"}})",
                                     R"("toolConfig":{"functionCallingConfig":{"mode":"AUTO"}})", &dropped);
  CHECK(find(JsonValue(body), "messages", 0, "content", 1, "text").equals("```python\n1\n```\n"));
  CHECK(body.find("videoMetadata") == std::string::npos);
  CHECK(body.find("tool_choice") == std::string::npos);
  CHECK(dropped == std::vector<std::string>{"content.videoMetadata"});
}
