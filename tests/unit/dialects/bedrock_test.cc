// Bedrock's Converse, asked by clients of OpenAI's dialect.
#include <iostream>

#include "catch.h"
#include "support.h"
#include "unit/event_stream_support.h"
#include "wire/base64.h"

using namespace dialect_test;
using event_stream_test::event;
using event_stream_test::exception;
using wire::find;
using wire::find_member;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

ProviderConfig aws(std::string base = "https://bedrock-runtime.eu-west-1.amazonaws.com") {
  ProviderConfig config = provider();
  config.base_url = std::move(base);
  config.dialect = "bedrock";
  return config;
}

const std::string kHi = R"([{"role":"user","content":"hi"}])";
std::string to_bedrock(const std::string& members, const std::string& messages = kHi, std::vector<std::string>* dropped = nullptr,
                       const std::string& model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0") {
  auto out = translate_request("openai", "bedrock", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}", aws(), model);
  if (!out) FAIL(out.error().message);
  if (dropped) *dropped = out->request.dropped;
  CHECK(wire::validate(out->body));
  return out->body;
}
std::string refused_param(const std::string& members, const std::string& messages = kHi) {
  auto out = translate_request("openai", "bedrock", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}", aws());
  if (out.ok()) return "not refused";
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}
Result<Encoded> encoded(std::string_view key, ProviderConfig config, bool stream, const std::string& model = "m") {
  ChatRequest chat = ChatRequest::of("m", "x");
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.key = key;
  input.upstream_model = model;
  input.stream = stream;
  Encoded out;
  if (auto ok = dialect("bedrock")->new_upstream_codec()->encode(input, out.request); !ok) return std::move(ok).error();
  for (std::string_view piece : out.request.http.body) out.body += piece;
  return out;
}
std::string encoded_chat(const ChatRequest& chat, const std::string& model) {
  const ProviderConfig config = aws();
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = model;
  EncodedRequest out;
  REQUIRE(dialect("bedrock")->new_upstream_codec()->encode(input, out).ok());
  return std::string(out.http.body.at(0));
}

Recorder read_stream(const std::vector<std::string_view>& pieces, const std::string& model) {
  ChatRequest chat = ChatRequest::of("m", "x");
  const ProviderConfig config = aws();
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = model;
  input.stream = true;
  EncodedRequest out;
  auto codec = dialect("bedrock")->new_upstream_codec();
  REQUIRE(codec->encode(input, out).ok());
  Recorder seen;
  for (std::string_view piece : pieces) codec->feed(piece, seen);
  codec->finish(seen);
  return seen;
}
// Cut at every byte: it must make no difference.
Recorder read(const std::string& stream, const std::string& model = "anthropic.claude-3") {
  const std::string_view s = stream;
  Recorder whole = read_stream({s}, model);
  const size_t step = s.size() > 6000 ? 41 : 1;
  for (size_t i = 0; i <= s.size(); i += step) {
    if (read_stream({s.substr(0, i), s.substr(i)}, model).summary() != whole.summary()) {
      CHECK(i == s.size() + 1);
      break;
    }
  }
  return whole;
}

const std::string kStart = event("messageStart", R"({"role":"assistant","p":"abc"})");
std::string text(const std::string& words) { return event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":")" + words + R"("},"p":"ab"})"); }
std::string delta(int index, const std::string& json) {
  return event("contentBlockDelta", "{\"contentBlockIndex\":" + std::to_string(index) + ",\"delta\":" + json + "}");
}
std::string call(int index, const std::string& id, const std::string& name) {
  return event("contentBlockStart", "{\"contentBlockIndex\":" + std::to_string(index) + R"(,"start":{"toolUse":{"toolUseId":")" + id + R"(","name":")" + name + "\"}}}");
}
std::string block_stop(int index) { return event("contentBlockStop", "{\"contentBlockIndex\":" + std::to_string(index) + "}"); }
std::string stop(const std::string& reason) { return event("messageStop", R"({"stopReason":")" + reason + R"("})"); }
const std::string kMetadata = event("metadata", R"({"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":65,"cacheReadInputTokens":40,"cacheWriteInputTokens":10},"metrics":{"latencyMs":1}})");

}  // namespace

TEST_CASE("bedrock: a request in Converse's words") {
  std::vector<std::string> dropped;
  const std::string body = to_bedrock(
      R"("max_tokens":9,"temperature":0.3,"top_k":5,"stop":["a"," "],"seed":1,"user":"u","service_tier":"priority","metadata":{"team":"a b"},
         "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],"tool_choice":"required")",
      R"([{"role":"system","content":"be"},{"role":"developer","content":"brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"text","text":" "},
          {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}},{"type":"file","file":{"filename":"My_report!.pdf","file_data":"data:application/pdf;base64,JVBE"}}]},
          {"role":"assistant","content":"ok","tool_calls":[{"id":"c.1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"c2","type":"function","function":{"name":"f","arguments":""}}]},
          {"role":"tool","tool_call_id":"c.1","content":"42"},{"role":"tool","tool_call_id":"c2","content":""},{"role":"user","content":"and?"}])",
      &dropped);
  const JsonValue root(body);
  const std::string id = find(root, "messages", 1, "content", 1, "toolUse", "toolUseId").string_or();
  CHECK(id.size() <= 64);
  CHECK(id.find('.') == std::string::npos);
  CHECK(canonical(body) == canonical(R"({"system":[{"text":"be"},{"text":"brief"}],"messages":[
    {"role":"user","content":[{"text":"see"},{"image":{"format":"png","source":{"bytes":"iVBORw0K"}}},{"document":{"format":"pdf","name":"My report pdf","source":{"bytes":"JVBE"}}}]},
    {"role":"assistant","content":[{"text":"ok"},{"toolUse":{"toolUseId":")" + id + R"(","name":"f","input":{"x":1}}},{"toolUse":{"toolUseId":"c2","name":"f","input":{}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":")" + id + R"(","content":[{"text":"42"}]}},{"toolResult":{"toolUseId":"c2","content":[{"json":{}}]}},{"text":"and?"}]}],
    "inferenceConfig":{"maxTokens":9,"temperature":0.3,"stopSequences":["a"]},
    "toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","additionalProperties":false}},"strict":true}}],"toolChoice":{"any":{}}},
    "serviceTier":{"type":"priority"},"requestMetadata":{"team":"a b"},"additionalModelRequestFields":{"top_k":5}})"));
  CHECK(dropped == std::vector<std::string>{"seed", "user", "stop"});
}

TEST_CASE("bedrock: what cannot be said is refused by name") {
  CHECK(refused_param(R"("n":2)") == "n");
  CHECK(refused_param(R"("response_format":{"type":"json_object"})") == "response_format");
  CHECK(refused_param(R"("modalities":["audio"])") == "modalities");
  const auto part = [](const std::string& p) { return R"([{"role":"user","content":[)" + p + "]}]"; };
  CHECK(refused_param("", part(R"({"type":"image_url","image_url":{"url":"https://e.x/a.png"}})")) == "messages[0].content[0]");
  CHECK(refused_param("", part(R"({"type":"image_url","image_url":{"url":"data:image/tiff;base64,AAAA"}})")) == "messages[0].content[0]");
  CHECK(refused_param("", part(R"({"type":"input_audio","input_audio":{"data":"AA==","format":"xyz"}})")) == "messages[0].content[0]");
  CHECK(refused_param("", part(R"({"type":"file","file":{"file_id":"f"}})")) == "messages[0].content[0]");
  CHECK(refused_param("", part(R"({"type":"file","file":{"filename":"a.zip","file_data":"data:application/zip;base64,AAAA"}})")) == "messages[0].content[0]");
}

TEST_CASE("bedrock: quirk toolConfig is required whenever the history holds calls") {
  const std::string history =
      R"([{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}])";
  CHECK(find(JsonValue(to_bedrock("", history)), "toolConfig", "tools", 0, "toolSpec", "name").equals("f"));
  std::vector<std::string> dropped;
  const std::string none = to_bedrock(R"("tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"none")", history, &dropped);
  CHECK(find(JsonValue(none), "toolConfig", "tools", 0, "toolSpec", "name").equals("g"));
  CHECK(dropped == std::vector<std::string>{"tool_choice"});
  CHECK_FALSE(find_member(JsonValue(to_bedrock(R"("tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"none")")), "toolConfig").exists());
}

TEST_CASE("bedrock: structured output, tool choices, extras by Bedrock's own names") {
  const std::string body = to_bedrock(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
    "tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}],"tool_choice":{"type":"function","function":{"name":"f"}},
    "guardrailConfig":{"guardrailIdentifier":"g"},"performanceConfig":{"latency":"optimized"},"additionalModelRequestFields":{"x":1},"strange":2)");
  const JsonValue root(body);
  CHECK(find(root, "outputConfig", "textFormat", "structure", "jsonSchema", "schema").equals(R"({"type":"object","additionalProperties":false})"));
  CHECK(find(root, "toolConfig", "toolChoice", "tool", "name").equals("f"));
  CHECK_FALSE(find(root, "toolConfig", "tools", 1).exists());
  CHECK(find(root, "guardrailConfig", "guardrailIdentifier").equals("g"));
  CHECK(find(root, "performanceConfig", "latency").equals("optimized"));
  CHECK(find(root, "additionalModelRequestFields", "x").integer() == 1);
  CHECK_FALSE(find_member(root, "strange").exists());
}

TEST_CASE("bedrock: thinking by family and generation") {
  const auto more = [](const std::string& model, const std::string& members, std::vector<std::string>* dropped = nullptr) {
    return canonical(find_member(JsonValue(to_bedrock(members, kHi, dropped, model)), "additionalModelRequestFields"));
  };
  const std::string high = R"("reasoning_effort":"high","max_tokens":9000,"temperature":0.5)";
  std::vector<std::string> dropped;
  CHECK(more("us.anthropic.claude-sonnet-4-5-20250929-v1:0", high, &dropped) == canonical(R"({"thinking":{"type":"enabled","budget_tokens":4096}})"));
  CHECK(dropped == std::vector<std::string>{"temperature"});
  CHECK(more("anthropic.claude-opus-4-7", high) == canonical(R"({"thinking":{"type":"adaptive"}})"));
  CHECK(find(JsonValue(to_bedrock(high, kHi, nullptr, "anthropic.claude-opus-4-7")), "outputConfig", "effort").equals("high"));
  CHECK(more("amazon.nova-2-lite-v1:0", high) == canonical(R"({"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}})"));
  CHECK(more("openai.gpt-oss-120b-1:0", high) == canonical(R"({"reasoning_effort":"high"})"));
  CHECK(more("meta.llama3-70b", high, &dropped) == canonical(JsonValue()));
  CHECK(dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(more("anthropic.claude-sonnet-4-5", R"("reasoning_effort":"high","max_tokens":500)", &dropped) == canonical(JsonValue()));
  CHECK(dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(more("anthropic.claude-sonnet-4-5", R"("reasoning_effort":"none")") == canonical(JsonValue()));
}

TEST_CASE("bedrock: thoughts go back only with their maker's signature, cache marks become cache points, failed tools say so") {
  ChatRequest chat;
  chat.messages.resize(3);
  chat.messages[0].parts.push_back(Part::of_text("x"));
  chat.messages[0].parts[0].cache = R"({"type":"ephemeral","ttl":"1h"})";
  chat.messages[1].role = Role::kAssistant;
  const auto thought = [](std::string signature, std::string maker, bool redacted) {
    Part part;
    part.kind = Part::Kind::kReasoning;
    part.text = redacted ? "" : "hm";
    part.signature = std::move(signature);
    part.maker = std::move(maker);
    part.redacted = redacted;
    return part;
  };
  chat.messages[1].parts = {thought("sig", "anthropic", false), thought("foreign", "gemini", false), thought("", "", false), thought("AAAA", "bedrock", true),
                            thought("BBBB", "anthropic", true)};
  chat.messages[1].tool_calls.resize(1);
  chat.messages[1].tool_calls[0].id = "call_1";
  chat.messages[1].tool_calls[0].name = "f";
  chat.messages[2].role = Role::kTool;
  chat.messages[2].tool_call_id = "call_1";
  chat.messages[2].tool_error = true;
  Part picture;
  picture.kind = Part::Kind::kImage;
  picture.data = "R0lGODlh";
  chat.messages[2].parts = {Part::of_text("bad"), picture};
  CHECK(canonical(find_member(JsonValue(encoded_chat(chat, "anthropic.claude-3-7-sonnet")), "messages")) == canonical(R"([
    {"role":"user","content":[{"text":"x"},{"cachePoint":{"type":"default","ttl":"1h"}}]},
    {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"reasoningContent":{"redactedContent":"AAAA"}},
      {"toolUse":{"toolUseId":"call_1","name":"f","input":{}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"bad"},{"image":{"format":"gif","source":{"bytes":"R0lGODlh"}}}],"status":"error"}}]}])"));
  const std::string mistral = encoded_chat(chat, "mistral.mistral-large-2407-v1:0");
  CHECK(find(JsonValue(mistral), "messages", 1, "content", 1, "toolUse", "toolUseId").string_or().size() == 9);  // quirk: Mistral wants nine
}

TEST_CASE("bedrock: the model stands in the path, encoded; keys sign or are bearer keys") {
  auto bearer = encoded("ABSKkey", aws(), true, "arn:aws:bedrock:eu-west-1:1:inference-profile/x");
  REQUIRE(bearer.ok());
  CHECK(bearer->request.http.url ==
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse-stream");
  CHECK(bearer->header("authorization") == "Bearer ABSKkey");
  CHECK(bearer->header("accept") == "application/vnd.amazon.eventstream");
  auto access = encoded("AKIA1:secret:token", aws(), false);
  REQUIRE(access.ok());
  CHECK(access->request.http.url == "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse");
  CHECK(access->header("authorization").find("AWS4-HMAC-SHA256 Credential=AKIA1/") == 0);
  CHECK(access->header("authorization").find("/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, ") != std::string::npos);
  CHECK(access->header("authorization").find("secret") == std::string::npos);
  CHECK(access->header("x-amz-security-token") == "token");
  auto nowhere = encoded("AKIA1:secret", aws("http://127.0.0.1:9"), false);
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().code == ErrorCode::kConfig);
  CHECK(nowhere.error().message.find("region") != std::string::npos);
  ProviderConfig placed = aws("http://127.0.0.1:9");
  placed.region = "us-west-2";
  CHECK(encoded("AKIA1:secret", placed, false)->header("authorization").find("/us-west-2/bedrock/") != std::string::npos);
}

TEST_CASE("bedrock: a stream of text, thoughts and calls; usage after the finish") {
  const Recorder seen = read(kStart + delta(0, R"({"text":""})") + delta(1, R"({"reasoningContent":{"text":"hm"}})") +
                             delta(1, R"({"reasoningContent":{"signature":"sig"}})") + block_stop(1) + delta(2, R"({"reasoningContent":{"redactedContent":"AAAA"}})") +
                             text("Hello") + text(" you") + block_stop(3) + call(4, "t1", "f") + delta(4, R"({"toolUse":{"input":"{\"a\":"}})") +
                             delta(4, R"({"toolUse":{"input":"1}"}})") + block_stop(4) + call(5, "t2", "g") + block_stop(5) + stop("tool_use") + kMetadata);
  REQUIRE(seen.errors.empty());
  const Answer answer = answer_of(seen);
  const Answer::Choice& c = answer.choices.at(0);
  CHECK(c.text == "Hello you");
  CHECK(c.reasoning == "hm");
  CHECK(c.finish == "tool_calls");
  CHECK(c.calls == std::vector<Answer::Call>{{"t1", "f", "{\"a\":1}"}, {"t2", "g", "{}"}});
  CHECK(answer.models == std::vector<std::string>{"anthropic.claude-3"});
  REQUIRE(answer.usage);
  CHECK(answer.usage->input == 60);
  CHECK(answer.usage->cached == 40);
  CHECK(answer.usage->cache_write == 10);
  CHECK(answer.usage->output == 5);
  std::vector<std::string> signatures;
  for (const SeenEvent& e : seen.events) {
    if (!e.signature.empty()) signatures.push_back(e.maker + ":" + e.signature + (e.redacted ? " hidden" : ""));
  }
  CHECK(signatures == std::vector<std::string>{"anthropic:sig", "bedrock:AAAA hidden"});
  for (const SeenEvent& e : read(kStart + delta(0, R"({"reasoningContent":{"text":"t","signature":"s"}})") + stop("end_turn"), "deepseek.r1").events) {
    if (!e.signature.empty()) CHECK(e.maker == "bedrock");
  }
}

TEST_CASE("bedrock: a stream that breaks is an error with its exception's meaning") {
  struct Bad {
    std::string stream, part;
    ErrorCode code;
  };
  const std::string begin = kStart + text("x");
  std::string torn = begin + text("y");
  torn[torn.size() - 6] = '#';
  for (const Bad& b : std::vector<Bad>{
           {begin, "before the answer was finished", ErrorCode::kUpstreamError},
           {begin + stop("malformed_tool_use"), "malformed_tool_use", ErrorCode::kUpstreamError},
           {begin + exception("throttlingException", R"({"message":"slow down"})"), "slow down", ErrorCode::kUpstreamRateLimited},
           {begin + exception("internalServerException", R"({"message":"oops"})"), "oops", ErrorCode::kUpstreamError},
           {begin + exception("modelStreamErrorException", R"({"message":"m","originalStatusCode":500})"), "m", ErrorCode::kUpstreamError},
           {begin + exception("validationException", R"({"message":"Input is too long for requested model."})"), "too long", ErrorCode::kContextLengthExceeded},
           {begin + event_stream_test::message(event_stream_test::string_header(":message-type", "error") + event_stream_test::string_header(":error-code", "500") +
                                                   event_stream_test::string_header(":error-message", "unhandled"), ""),
            "unhandled", ErrorCode::kUpstreamError},
           {begin + event("contentBlockDelta", "nonsense"), "not JSON", ErrorCode::kUpstreamError},
           {begin + delta(3, R"({"toolUse":{"input":"x"}})"), "never began", ErrorCode::kUpstreamError},
           {torn, "wrong checksum", ErrorCode::kUpstreamError},
           {begin + text("z").substr(0, 30), "middle of a message", ErrorCode::kUpstreamError},
           {"<html>not a stream at all</html>", "checksum", ErrorCode::kUpstreamError},
       }) {
    INFO(b.part);
    const Recorder seen = read(b.stream);
    REQUIRE(seen.errors.size() == 1);
    CHECK(seen.errors[0].code == b.code);
    CHECK(seen.errors[0].message.find(b.part) != std::string::npos);
  }
  const Recorder tiered = read(begin + text("x") + stop("end_turn") + event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":2},"serviceTier":{"type":"priority"}})"));
  REQUIRE(!tiered.events.empty());
  CHECK(tiered.events.back().service_tier == "priority");
  const Recorder unmetered = read(begin + stop("end_turn"));  // without metadata: no usage, but well
  CHECK(unmetered.errors.empty());
  CHECK_FALSE(unmetered.last_usage());
}

TEST_CASE("bedrock: events in any wrong order never crash, nothing but usage or an error follows the finish") {
  const std::vector<std::string> events = {kStart, text("x"), block_stop(0), call(1, "t", "f"), delta(1, R"({"toolUse":{"input":"{}"}})"), block_stop(1), stop("tool_use"), kMetadata};
  for (size_t i = 0; i < events.size(); ++i) {
    for (size_t k = 0; k < events.size(); ++k) {
      std::string stream;
      for (size_t n = 0; n < events.size(); ++n) stream += n == i ? events[k] : n == k ? events[i] : events[n];
      const Recorder seen = read_stream({stream}, "m");
      int finishes = 0;
      for (const SeenEvent& e : seen.events) {
        if (finishes > 0) CHECK(e.kind == Kind::kUsage);
        finishes += e.kind == Kind::kFinish;
      }
      CHECK(finishes <= 1);
      CHECK(seen.errors.size() <= 1);
      CHECK(finishes + seen.errors.size() >= 1);
    }
  }
}

TEST_CASE("grammar: bedrock: a call begun twice, ended without a beginning, or gone on with behind the end") {
  const std::string args = delta(1, R"({"toolUse":{"input":"{}"}})"), f = call(1, "t", "f"), hello = kStart + text("x") + block_stop(0), end = stop("tool_use");
  const auto check_broken = [](const std::string& stream, std::string_view words) {
    const Recorder seen = read(stream);
    REQUIRE(seen.errors.size() == 1);
    CHECK(seen.errors[0].code == ErrorCode::kUpstreamError);
    CHECK(seen.errors[0].message.find(words) != std::string::npos);
  };
  check_broken(hello + f + f + args + block_stop(1) + end + kMetadata, "anew");
  check_broken(hello + f + args + block_stop(1) + block_stop(2) + end + kMetadata, "never began");
  check_broken(hello + f + block_stop(1) + args + end + kMetadata, "never began");
  check_broken(hello + end + f, "behind its end");
  check_broken(hello + end + text("y"), "behind its end");
  // Ends that are missing or late, and counts that are early, change nothing.
  for (const std::string& body : {f + args + call(2, "u", "g") + block_stop(2) + end + kMetadata, f + args + end + block_stop(1) + kMetadata, f + args + block_stop(1) + kMetadata + end}) {
    const Recorder seen = read(hello + body);
    REQUIRE(seen.errors.empty());
    CHECK(answer_of(seen).choices.at(0).calls.at(0) == Answer::Call{"t", "f", "{}"});
    CHECK(seen.last_usage()->input == 60);
  }
}

TEST_CASE("bedrock: a whole answer") {
  auto codec = reading("bedrock", false);
  auto answer = codec->decode(R"({"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"text":"Hi"},
    {"citationsContent":{"content":[{"text":" there"}],"citations":[{"title":"T","location":{"web":{"url":"https://e.x/"}}},
      {"title":"D","sourceContent":[{"text":"so"}],"location":{"documentPage":{"documentIndex":1,"start":2,"end":3}}},{"title":"X","location":{"tomorrow":{}}}]}},
    {"toolUse":{"toolUseId":"t1","name":"f","input":{"a":[1]}}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":2,"cacheReadInputTokens":7},"serviceTier":{"type":"flex"}})");
  REQUIRE(answer.ok());
  const Message& message = answer->choices.at(0).message;
  CHECK(message.text() == "Hi there");
  CHECK(message.parts.at(0).text == "hm");
  CHECK(message.tool_calls.at(0).arguments == R"({"a":[1]})");
  CHECK(find(JsonValue(message.annotations), 0, "url_citation", "url").equals("https://e.x/"));
  CHECK(canonical(find(JsonValue(message.annotations), 1)) ==
        canonical(R"({"type":"url_citation","url_citation":{"start_index":0,"end_index":0,"url":"","title":"D","cited_text":"so","document_index":1,"document_title":"D","start_page_number":2,"end_page_number":3}})"));
  CHECK(answer->usage.input == 10);
  CHECK(answer->usage.cached == 7);
  CHECK(answer->service_tier == "flex");
  CHECK(answer->choices[0].finish == FinishReason::kToolCalls);
  CHECK_FALSE(codec->decode(R"({"output":{"message":{"content":[]}},"stopReason":"malformed_model_output"})").ok());
  // Quirk: an error inside a 200 has no `output`.
  CHECK(codec->decode(R"({"__type":"com.amazon.coral.service#ThrottlingException","message":"slow"})").error().code == ErrorCode::kUpstreamRateLimited);
  CHECK_FALSE(codec->decode("{}").ok());
  CHECK_FALSE(codec->decode("<html>").ok());
}

TEST_CASE("bedrock: errors by status, header and either spelling of message") {
  auto codec = reading("bedrock", false);
  const auto error = [&](int status, const std::string& type, const std::string& body) {
    HttpHead head;
    head.status = status;
    head.headers.push_back({"x-amzn-errortype", type});
    return codec->parse_error(head, body);
  };
  const Error bad = error(400, "ValidationException:http://internal.amazon.com/", R"({"message":"The model id is wrong"})");
  CHECK(bad.code == ErrorCode::kUpstreamRejected);
  CHECK(bad.upstream_code == "ValidationException");
  CHECK(bad.message == "The model id is wrong");
  CHECK(error(403, "InvalidSignatureException", R"({"Message":"nope"})").code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(error(403, "AccessDeniedException", R"({"Message":"nope"})").message.find("nope") != std::string::npos);
  CHECK(error(429, "ThrottlingException", R"({"message":"Too many tokens per minute"})").code == ErrorCode::kUpstreamRateLimited);
  CHECK(error(424, "ModelErrorException", "{}").code == ErrorCode::kUpstreamError);
  CHECK(error(503, "ServiceUnavailableException", "").message.find("ServiceUnavailable") != std::string::npos);
  CHECK(error(400, "ValidationException", R"({"message":"Input is too long for requested model."})").code == ErrorCode::kContextLengthExceeded);
}

TEST_CASE("bedrock: the list of models stands in the control plane") {
  auto codec = dialect("bedrock")->new_upstream_codec();
  EncodedRequest out;
  REQUIRE(codec->encode_models(aws(), "AKIA:secret", out).ok());
  CHECK(out.http.url == "https://bedrock.eu-west-1.amazonaws.com/foundation-models");
  CHECK(out.http.method == "GET");
  auto ids = codec->parse_models(R"({"modelSummaries":[{"modelId":"a","outputModalities":["TEXT"]},{"modelId":"b","outputModalities":["IMAGE"]},{"modelId":"c"}]})");
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<std::string>{"a", "c"});
  CHECK_FALSE(codec->parse_models(R"({"message":"no"})").ok());
}

namespace {

const std::string kSchemaFormat = R"("response_format":{"type":"json_schema","json_schema":{"name":"city","schema":
  {"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9},"s":{"type":"string","pattern":"^a","maxLength":3}},"required":["n"]}}})";

std::string refused_by(const std::string& members, const std::string& model) {
  auto out = translate_request("openai", "bedrock", R"({"model":"m","messages":)" + kHi + "," + members + "}", aws(), model);
  return out.ok() ? "not refused" : out.error().param;
}

}  // namespace

TEST_CASE("bedrock: a schema is structured output where the model has it, a tool that has to be called where not, and else refused") {
  for (const char* model : {"anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-opus-4-6-v1", "qwen.qwen3-32b-v1:0", "openai.gpt-oss-120b-1:0",
                            "mistral.mistral-large-3-675b-instruct", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x"}) {
    CAPTURE(model);
    const std::string body = to_bedrock(kSchemaFormat, kHi, nullptr, model);
    const std::string schema = find(JsonValue(body), "outputConfig", "textFormat", "structure", "jsonSchema", "schema").string_or();
    CHECK(canonical(schema) == canonical(R"({"type":"object","properties":{"n":{"type":"integer","description":"{minimum: 1, maximum: 9}"},
      "s":{"type":"string","description":"{pattern: \"^a\", maxLength: 3}"}},"required":["n"],"additionalProperties":false})"));
    CHECK_FALSE(find_member(JsonValue(body), "toolConfig").exists());
  }
  for (const char* model : {"anthropic.claude-3-5-sonnet-20241022-v2:0", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "anthropic.claude-opus-4-1-20250805-v1:0",
                            "amazon.nova-pro-v1:0", "mistral.mistral-large-2407-v1:0"}) {
    CAPTURE(model);
    const std::string body = to_bedrock(kSchemaFormat, kHi, nullptr, model);
    CHECK_FALSE(find_member(JsonValue(body), "outputConfig").exists());
    const JsonValue config = find_member(JsonValue(body), "toolConfig");
    CHECK(find(config, "tools", 0, "toolSpec", "name").equals("city"));
    CHECK(find(config, "tools", 0, "toolSpec", "inputSchema", "json", "properties", "n", "maximum").integer() == 9);
    const bool mistral = std::string_view(model).substr(0, 7) == "mistral";
    if (mistral) CHECK(find(config, "toolChoice", "any").is_object());
    else CHECK(find(config, "toolChoice", "tool", "name").equals("city"));
  }
  CHECK(refused_by(kSchemaFormat, "meta.llama3-1-70b-instruct-v1:0") == "response_format");
  CHECK(refused_by(kSchemaFormat, "cohere.command-r-v1:0") == "response_format");
}

TEST_CASE("bedrock: JSON without a schema is a tool of any object; beside other tools one of them has to be called; thinking is off then") {
  std::vector<std::string> dropped;
  const std::string body = to_bedrock(R"("response_format":{"type":"json_object"},"reasoning_effort":"high","max_tokens":9000,
    "tools":[{"type":"function","function":{"name":"answer","parameters":{"type":"object"}}}])", kHi, &dropped);
  const JsonValue config = find_member(JsonValue(body), "toolConfig");
  CHECK(find(config, "tools", 0, "toolSpec", "name").equals("answer"));
  CHECK(find(config, "tools", 1, "toolSpec", "name").equals("answer_"));
  CHECK(find(config, "toolChoice", "any").is_object());
  CHECK(body.find("thinking") == std::string::npos);
  CHECK(dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(refused_by(R"("response_format":{"type":"json_object"})", "qwen.qwen3-32b-v1:0") == "response_format");
}

TEST_CASE("bedrock: the input of the tool that is the answer is the answer's text, whole and streamed") {
  ChatRequest chat = ChatRequest::of("m", "x");
  chat.response_format.kind = ResponseFormat::Kind::kJsonObject;
  const ProviderConfig config = aws();
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "anthropic.claude-3-5-sonnet-20241022-v2:0";
  EncodedRequest out;
  auto codec = dialect("bedrock")->new_upstream_codec();
  REQUIRE(codec->encode(input, out).ok());
  auto answer = codec->decode(R"({"output":{"message":{"role":"assistant","content":[{"text":"Here:"},{"toolUse":{"toolUseId":"t","name":"answer","input":{"a":1}}}]}},"stopReason":"tool_use"})");
  REQUIRE(answer.ok());
  CHECK(answer->text() == R"({"a":1})");
  CHECK(answer->choices.at(0).message.tool_calls.empty());
  CHECK(answer->choices[0].finish == FinishReason::kStop);
  const std::string stream = kStart + call(0, "t", "answer") + delta(0, R"({"toolUse":{"input":"{\"a\""}})") + delta(0, R"({"toolUse":{"input":":1}"}})") +
                             block_stop(0) + stop("tool_use") + kMetadata;
  EncodedRequest again;
  input.stream = true;
  REQUIRE(codec->encode(input, again).ok());
  Recorder seen;
  codec->feed(stream, seen);
  codec->finish(seen);
  CHECK(seen.errors.empty());
  const Answer told = answer_of(seen);
  CHECK(told.choices.at(0).text == R"({"a":1})");
  CHECK(told.choices.at(0).calls.empty());
  CHECK(told.choices.at(0).finish == "stop");
}

TEST_CASE("bedrock: strict tools are closed and without measures, where the model has them") {
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}}}])";
  std::vector<std::string> dropped;
  const std::string body = to_bedrock(tools, kHi, &dropped);
  const JsonValue spec = find(JsonValue(body), "toolConfig", "tools", 0, "toolSpec");
  CHECK(find_member(spec, "strict").boolean() == true);
  CHECK(find(spec, "inputSchema", "json", "additionalProperties").boolean() == false);
  CHECK_FALSE(find(spec, "inputSchema", "json", "properties", "n", "minimum").exists());
  CHECK(dropped.empty());
  const std::string older = to_bedrock(tools, kHi, &dropped, "anthropic.claude-3-5-sonnet-20241022-v2:0");
  CHECK_FALSE(find(JsonValue(older), "toolConfig", "tools", 0, "toolSpec", "strict").exists());
  CHECK(find(JsonValue(older), "toolConfig", "tools", 0, "toolSpec", "inputSchema", "json", "properties", "n", "minimum").integer() == 1);
  CHECK(dropped == std::vector<std::string>{"strict"});
}

TEST_CASE("bedrock: an answer that was begun ends without blanks and excludes thinking at Claude's; instructions alone are the user's; nothing said is refused") {
  const std::string begun = R"([{"role":"user","content":"hi"},{"role":"assistant","content":"pre \n"}])";
  std::vector<std::string> dropped;
  const std::string body = to_bedrock(R"("reasoning_effort":"high","max_tokens":9000)", begun, &dropped);
  CHECK(find(JsonValue(body), "messages", 1, "content", 0, "text").equals("pre"));
  CHECK(body.find("thinking") == std::string::npos);
  CHECK(dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(find(JsonValue(to_bedrock("", begun, nullptr, "amazon.nova-pro-v1:0")), "messages", 1, "content", 0, "text").equals("pre \n"));
  const std::string alone = to_bedrock("", R"([{"role":"system","content":"Be."},{"role":"user","content":"  "}])");
  CHECK(find(JsonValue(alone), "messages", 0, "role").equals("user"));
  CHECK(find(JsonValue(alone), "messages", 0, "content", 0, "text").equals("Be."));
  CHECK_FALSE(find_member(JsonValue(alone), "system").exists());
  CHECK(refused_param("", R"([{"role":"user","content":" "}])") == "messages");
}
