// What vendors were seen to do on the wire and what no file beside their codec tests under a name of its own: one small case each.
#include <functional>

#include "catch.h"
#include "support.h"
#include "unit/event_stream_support.h"

using namespace dialect_test;
using event_stream_test::event;
using wire::find_member;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

std::string chunk(const std::string& choices, const std::string& more = {}) {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":)" + choices + (more.empty() ? "" : "," + more) + "}\n\n";
}
std::string said(const std::string& delta, const std::string& word = {}) {
  return chunk(R"([{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + (word.empty() ? "null" : "\"" + word + "\"") + "}]");
}
const std::string kHello = said(R"({"role":"assistant","content":"Hello"})");
const std::string kUsage = R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7})";
const std::string kDone = "data: [DONE]\n\n";

// Converse's stream, read for a model.
Recorder converse(const std::string& stream) {
  const ChatRequest chat = ChatRequest::of("m", "x");
  ProviderConfig config = provider();
  config.base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com";
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "amazon.nova-pro-v1:0";
  input.stream = true;
  EncodedRequest out;
  auto codec = dialect("bedrock")->new_upstream_codec();
  REQUIRE(codec->encode(input, out).ok());
  Recorder seen;
  codec->feed(stream, seen);
  codec->finish(seen);
  CHECK(seen.errors.empty());
  return seen;
}

}  // namespace

TEST_CASE("quirk: chat stream: usage in extra chunk with choices=[]") {
  const std::string stream = kHello + said("{}", "stop") + chunk("[]", kUsage) + kDone;
  const Recorder relay = feed("openai", true, {stream}), translated = feed("openai", false, {stream});
  CHECK(relay.bytes() == stream);
  CHECK(relay.kinds()[2] == FrameKind::kUsageOnly);  // a client that did not ask for it is kept from it
  REQUIRE(relay.last_usage());
  CHECK((relay.last_usage()->input == 5 && relay.last_usage()->output == 2));
  CHECK(answer_of(translated).usage->input == 5);
}

TEST_CASE("quirk: usage on the last content chunk, choices non-empty") {
  const std::string stream = kHello + chunk(R"([{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}])", kUsage) + kDone;
  const Recorder relay = feed("openai", true, {stream}), translated = feed("openai", false, {stream});
  CHECK(relay.bytes() == stream);
  CHECK(relay.kinds()[1] != FrameKind::kUsageOnly);  // its text has to be seen
  CHECK(relay.last_usage()->output == 2);
  const Answer answer = answer_of(translated);
  CHECK(answer.choices.at(0).text == "Hello!");
  CHECK(answer.choices.at(0).finish == "stop");
  CHECK(answer.usage->output == 2);
}

TEST_CASE("quirk: usage repeated on every chunk (cumulative), each beside its text") {
  const auto step = [](const std::string& text, int count, const std::string& finish) {
    return chunk(R"([{"index":0,"delta":{"content":")" + text + R"("},"finish_reason":)" + finish + "}]",
                 R"("usage":{"prompt_tokens":5,"completion_tokens":)" + std::to_string(count) + "}");
  };
  const std::string stream = step("a", 1, "null") + step("b", 2, "null") + step("c", 3, "\"stop\"");
  CHECK(answer_of(feed("openai", false, {stream})).choices.at(0).text == "abc");
  CHECK(answer_of(feed("openai", false, {stream})).usage->output == 3);  // the last one, never the sum
  CHECK(feed("openai", true, {stream}).last_usage()->output == 3);
}

TEST_CASE("quirk: network chunk boundary inside an SSE line") {
  const std::string stream = kHello + said(R"({"content":" \u00e9é"})", "stop") + chunk("[]", kUsage) + kDone;
  const Recorder whole = feed("openai", true, {stream});
  CHECK(whole.errors.empty());
  for (size_t at : {size_t{2}, size_t{5}, size_t{7}, stream.find("é") + 1, stream.find("\"usage\"") + 3, stream.size() - 1}) {
    const std::string_view s = stream;
    CHECK(feed("openai", true, {s.substr(0, at), s.substr(at)}).bytes() == stream);
    CHECK(answer_of(feed("openai", false, {s.substr(0, at), s.substr(at)})).choices.at(0).text == "Hello éé");
  }
}

TEST_CASE("quirk: tool call with empty arguments string") {
  const std::string stream = said(R"({"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"now","arguments":""}}]})") +
                             said(R"({"tool_calls":[{"index":0,"function":{"arguments":""}}]})") + said("{}", "tool_calls") + kDone;
  const Answer answer = answer_of(feed("openai", false, {stream}));
  REQUIRE(answer.choices.at(0).calls.size() == 1);
  CHECK(answer.choices.at(0).calls[0].arguments == "{}");
}

TEST_CASE("quirk: tool calls present but finish_reason is an empty string") {
  const std::string stream = said(R"({"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{}"}}]})") +
                             chunk(R"([{"index":0,"delta":{},"finish_reason":""}])", kUsage) + kDone;
  const Answer answer = answer_of(feed("openai", false, {stream}));
  CHECK_FALSE(answer.failed);
  CHECK(answer.choices.at(0).finish == "tool_calls");
  CHECK(answer.choices.at(0).calls.size() == 1);
}

TEST_CASE("quirk: delta.reasoning beside delta.reasoning_content and reasoning_details is one thought, told once") {
  const std::string stream = said(R"({"reasoning":"hm","reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]})") + kHello +
                             said("{}", "stop") + kDone;
  CHECK(answer_of(feed("openai", false, {stream})).choices.at(0).reasoning == "hm");
}

TEST_CASE("quirk: choice.error inside 200 (non-stream)") {
  auto codec = reading("openai", false);
  auto answer = codec->decode(R"({"id":"g","choices":[{"index":0,"message":{"role":"assistant","content":""},"error":{"code":502,"message":"Provider gave up"}}]})");
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().message.find("Provider gave up") != std::string::npos);
}

TEST_CASE("quirk: non-stream response without usage is told without, and nothing is made up") {
  auto codec = reading("openai", false);
  auto answer = codec->decode(R"({"id":"g","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]})");
  REQUIRE(answer.ok());
  CHECK_FALSE(answer->usage.known);
}

TEST_CASE("quirk: SSE uses CRLF line endings, in Google's dialect and in the Responses dialect") {
  std::string google = R"(data: {"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"finishReason":"STOP"}],"responseId":"r"})"
                       "\r\n\r\n";
  CHECK(feed("gemini", true, {google}).bytes() == google);
  CHECK(answer_of(feed("gemini", false, {google})).choices.at(0).text == "Hello");
  const std::string_view s = google;
  for (size_t at = s.size() - 4; at < s.size(); ++at) CHECK(answer_of(feed("gemini", false, {s.substr(0, at), s.substr(at)})).choices.at(0).finish == "stop");
}

TEST_CASE("quirk: gemini: thoughtSignature on functionCall part comes back beside the call, and the first of parallel calls only has it") {
  const std::string stream =
      R"(data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"U0lH"},{"functionCall":{"name":"g","args":{}}}]},"finishReason":"STOP"}]})"
      "\n\n";
  const Recorder seen = feed("gemini", false, {stream});
  std::vector<std::string> signatures;
  for (const SeenEvent& e : seen.events) {
    if (e.kind == Kind::kToolCallBegin) signatures.push_back(e.signature);
  }
  CHECK(signatures == std::vector<std::string>{"U0lH", ""});
}

TEST_CASE("quirk: bedrock: random padding field p in every event") {
  const std::string stream = event("messageStart", R"({"role":"assistant","p":"abcdefgh"})") +
                             event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"abcdefghijklmnopqrstuv"})") +
                             event("contentBlockStop", R"({"contentBlockIndex":0,"p":"a"})") + event("messageStop", R"({"stopReason":"end_turn","p":"abc"})") +
                             event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":1},"p":"ab"})");
  const Recorder seen = converse(stream);
  CHECK(answer_of(seen).choices.at(0).text == "Hi");
  for (const SeenEvent& e : seen.events) CHECK(e.kind != Kind::kOther);  // filler is told to nobody
}

TEST_CASE("quirk: converse-stream: no contentBlockStart for text blocks") {
  const std::string stream = event("messageStart", R"({"role":"assistant"})") + event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"a"}})") +
                             event("contentBlockStop", R"({"contentBlockIndex":0})") + event("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"b"}})") +
                             event("contentBlockStop", R"({"contentBlockIndex":1})") + event("messageStop", R"({"stopReason":"end_turn"})");
  CHECK(answer_of(converse(stream)).choices.at(0).text == "ab");
}

TEST_CASE("quirk: converse-stream: usage arrives in metadata AFTER messageStop") {
  const std::string stream = event("messageStart", R"({"role":"assistant"})") + event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"a"}})") +
                             event("contentBlockStop", R"({"contentBlockIndex":0})") + event("messageStop", R"({"stopReason":"max_tokens"})") +
                             event("metadata", R"({"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":55,"cacheReadInputTokens":40}})");
  const Recorder seen = converse(stream);
  REQUIRE(seen.last_usage());
  CHECK((seen.last_usage()->input == 50 && seen.last_usage()->cached == 40));
  CHECK(answer_of(seen).choices.at(0).finish == "length");
}

TEST_CASE("quirk: error JSON served as application/octet-stream, as an event stream, or as nothing") {
  for (const char* type : {"application/octet-stream", "text/event-stream", "text/html", ""}) {
    HttpHead head;
    head.status = 400;
    if (*type) head.headers.push_back({"content-type", type});
    const Error error = reading("openai", true)->parse_error(head, R"({"error":{"message":"thinking must be given back","type":"invalid_request_error"}})");
    CHECK(error.message.find("thinking must be given back") != std::string::npos);
    CHECK(error.http_status() == 400);
  }
}

TEST_CASE("quirk: the shapes of errors, by the names of their members") {
  const std::pair<const char*, const char*> rows[] = {
      {"error:string", R"({"error":"W"})"},
      {"error:{code,details,message,status}", R"({"error":{"code":400,"details":[{"@type":"t"}],"message":"W","status":"INVALID_ARGUMENT"}})"},
      {"error:{code,details,message}", R"({"error":{"code":"c","details":"d","message":"W"}})"},
      {"error:{code,failed_generation,message,type}", R"({"error":{"code":"tool_use_failed","failed_generation":"x","message":"W","type":"t"}})"},
      {"error:{code,message,metadata}", R"({"error":{"code":400,"message":"W","metadata":{"provider_name":"p"}}})"},
      {"error:{code,message,n_ctx,n_prompt_tokens,type}", R"({"error":{"code":400,"message":"W","n_ctx":8,"n_prompt_tokens":9,"type":"t"}})"},
      {"error:{code,message,param,type}", R"({"error":{"code":null,"message":"W","param":null,"type":"t"}})"},
      {"error:{code,message,status}", R"({"error":{"code":400,"message":"W","status":"INVALID_ARGUMENT"}})"},
      {"error:{code,message,type}", R"({"error":{"code":400,"message":"W","type":"t"}})"},
      {"error:{code,message}", R"({"error":{"code":400,"message":"W"}})"},
      {"error:{message,type}", R"({"type":"error","error":{"type":"invalid_request_error","message":"W"}})"},
      {"keys:{code,data,message}", R"({"code":20015,"message":"W","data":null})"},
      {"keys:{code,message,object,param,type}", R"({"object":"error","message":"W","type":"t","param":null,"code":400})"},
      {"keys:{code,message,request_id}", R"({"code":"InvalidParameter","message":"W","request_id":"r"})"},
      {"keys:{data,message}", R"({"message":"W","data":null})"},
      {"keys:{detail}", R"({"detail":"W"})"},
      {"keys:{error_type,id,message}", R"({"error_type":"bad_request","id":"i","message":"W"})"},
      {"keys:{id,message}", R"({"id":"i","message":"W"})"},
      {"keys:{message}", R"({"message":"W"})"},
      {"a JSON array", R"([{"error":{"code":400,"message":"W","status":"INVALID_ARGUMENT"}}])"},
  };
  HttpHead head;
  head.status = 400;
  for (const auto& [shape, body] : rows) {
    for (std::string_view reader : {"openai", "anthropic", "gemini", "cohere", "responses", "ollama"}) {
      CAPTURE(shape);
      const Error error = reading(reader, false)->parse_error(head, body);
      CHECK(error.message.find('W') != std::string::npos);
      CHECK(error.message.find('{') == std::string::npos);  // its words, not its JSON
      CHECK(error.http_status() == 400);
    }
  }
}
