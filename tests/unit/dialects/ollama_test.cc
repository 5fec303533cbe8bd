// Ollama's native dialect: alone, and paired with OpenAI's both ways round.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

std::string line(const std::string& message, const std::string& more = R"("done":false)") {
  return R"({"model":"llama3","created_at":"2024-05-24T20:26:46.294874Z","message":)" + message + "," + more + "}\n";
}
std::string text(const std::string& words) { return line(R"({"role":"assistant","content":")" + words + R"("})"); }
const std::string kLast = line(R"({"role":"assistant","content":""})", R"("done_reason":"stop","done":true,"total_duration":9,"prompt_eval_count":17,"eval_count":50)");

Both read(const std::string& stream) { return read_cut("ollama", stream); }

Result<RequestFacts> scan(std::string_view body) { return dialect("ollama")->new_client_codec()->scan(body); }

// From OpenAI's dialect to Ollama's.
std::string to_ollama(const std::string& members, std::vector<std::string>* dropped = nullptr,
                      const std::string& messages = R"([{"role":"user","content":"hi"}])") {
  auto out = translate_request("openai", "ollama", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}");
  if (!out) FAIL(out.error().message);
  if (dropped) *dropped = out->request.dropped;
  CHECK(wire::validate(out->body));
  return out->body;
}
std::string refused_param(const std::string& members, const std::string& messages = R"([{"role":"user","content":"hi"}])") {
  auto out = translate_request("openai", "ollama", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}");
  if (out.ok()) return "not refused";
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}

}  // namespace

TEST_CASE("ollama: the facts of a request; it streams unless told otherwise") {
  auto facts = scan(R"({"model":"llama3","messages":[{"role":"user","content":"hi","images":["iVBORw0KGgo="]}],"options":{"temperature":0.5,"num_predict":64},
    "tools":[{"type":"function","function":{"name":"f"}}],"format":{"type":"object"}})");
  REQUIRE(facts.ok());
  CHECK(facts->model == "llama3");
  CHECK(facts->stream);
  CHECK(facts->has_image);
  CHECK(facts->has_tools);
  CHECK(facts->wants_schema);
  CHECK(facts->max_tokens == 64);
  CHECK(facts->temperature == 0.5);
  CHECK(facts->include_usage);
  CHECK(facts->members.size() == 5);
  CHECK(!scan(R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":false})")->stream);
  CHECK(!scan(R"({"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":-1}})")->max_tokens);
}

TEST_CASE("ollama: a wrong request is refused by the name of its field") {
  struct Bad {
    std::string body, param;
  };
  const std::string m = R"("messages":[{"role":"user","content":"x"}])";
  for (const Bad& b : std::vector<Bad>{
           {"[]", ""},
           {"{" + m + "}", "model"},
           {R"({"model":"m"})", "messages"},
           {R"({"model":"m","messages":[]})", "messages"},
           {R"({"model":"m","messages":{}})", "messages"},
           {R"({"model":"m","messages":[{"role":"developer","content":"x"}]})", "messages[0].role"},
           {R"({"model":"m","messages":[{"role":"user","content":["x"]}]})", "messages[0].content"},
           {R"({"model":"m","messages":[{"role":"user","content":"x","images":"y"}]})", "messages[0].images"},
           {R"({"model":"m","messages":[{"role":"user","content":"x","images":[1]}]})", "messages[0].images[0]"},
           {R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"name":"f"}]}]})", "messages[0].tool_calls[0].function"},
           {R"({"model":"m",)" + m + R"(,"stream":"no"})", "stream"},
           {R"({"model":"m",)" + m + R"(,"options":[]})", "options"},
           {R"({"model":"m",)" + m + R"(,"options":{"temperature":"x"}})", "options.temperature"},
           {R"({"model":"m",)" + m + R"(,"options":{"num_predict":"x"}})", "options.num_predict"},
           {R"({"model":"m",)" + m + R"(,"tools":{}})", "tools"},
           {R"({"model":"m",)" + m + R"(,"format":5})", "format"},
           {R"({"model":"m",)" + m + R"(,"think":5})", "think"},
       }) {
    INFO(b.body);
    auto facts = scan(b.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().param == b.param);
  }
}

TEST_CASE("ollama: a relayed request is its own bytes but for the model") {
  const std::string body = R"({"model": "llama3", "messages":[{"role":"user","content":"hi"}], "keep_alive":"5m","options":{"num_ctx":4096}})";
  ProviderConfig config = provider();
  config.base_url = "http://127.0.0.1:11434";
  auto out = relay_request("ollama", body, config, {}, "llama3.2");
  REQUIRE(out.ok());
  CHECK(out->body == R"({"model": "llama3.2", "messages":[{"role":"user","content":"hi"}], "keep_alive":"5m","options":{"num_ctx":4096}})");
  CHECK(out->request.http.url == "http://127.0.0.1:11434/api/chat");
  CHECK(out->header("accept") == "application/x-ndjson");
  auto same = relay_request("ollama", body, config, {}, "llama3");
  CHECK(same->body == body);
}

TEST_CASE("ollama: a request means the same after decode and encode") {
  const std::string body = R"({"model":"m","messages":[
    {"role":"system","content":"s"},{"role":"user","content":"u","images":["iVBORw0KGgo="]},
    {"role":"assistant","content":"a","thinking":"t","tool_calls":[{"id":"call_1","function":{"name":"f","arguments":{"x":1}}}]},
    {"role":"tool","content":"42","tool_name":"f"}],
    "stream":false,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
    "format":{"type":"object"},"think":"high","logprobs":true,"top_logprobs":2,
    "options":{"num_predict":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":3,"frequency_penalty":0.1,"presence_penalty":0.2,"stop":["x"],"num_ctx":4096,"min_p":0.05},
    "keep_alive":"5m"})";
  auto again = translate_request("ollama", "ollama", body, provider(), "m");
  REQUIRE(again.ok());
  CHECK(canonical(again->body) == canonical(body));
  CHECK(again->request.dropped.empty());
}

TEST_CASE("ollama: OpenAI's parameters by Ollama's names") {
  const std::string out = to_ollama(R"("max_tokens":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":3,"frequency_penalty":0.1,"presence_penalty":0.2,"stop":"x",
    "stream":true,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":"auto","logprobs":true,"top_logprobs":2,"n":1)");
  CHECK(canonical(out) == canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"stream":true,
    "tools":[{"type":"function","function":{"name":"f","description":"","parameters":{"type":"object"}}}],"logprobs":true,"top_logprobs":2,
    "options":{"num_predict":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":3,"frequency_penalty":0.1,"presence_penalty":0.2,"stop":["x"]}})"));
}

TEST_CASE("ollama: messages, inline images, calls and their results") {
  const std::string out = to_ollama("", nullptr, R"([{"role":"developer","content":"s"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"b"}]},
    {"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
    {"role":"tool","tool_call_id":"call_1","content":"42"}])");
  CHECK(canonical(find_member(JsonValue(out), "messages")) == canonical(JsonValue(R"([{"role":"system","content":"s"},{"role":"user","content":"a\n\nb","images":["AAAA"]},
    {"role":"assistant","content":"","thinking":"t","tool_calls":[{"id":"call_1","function":{"name":"f","arguments":{"x":1}}}]},
    {"role":"tool","content":"42","tool_name":"f","tool_call_id":"call_1"}])")));
}

TEST_CASE("ollama: formats and thinking") {
  CHECK(find_member(JsonValue(to_ollama(R"("response_format":{"type":"json_object"})")), "format").equals("json"));
  CHECK(find_member(JsonValue(to_ollama(R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}})")), "format").raw() == R"({"type":"object"})");
  CHECK(find_member(JsonValue(to_ollama(R"("response_format":{"type":"json_object","schema":{"type":"array"}})")), "format").raw() == R"({"type":"array"})");
  CHECK(!find_member(JsonValue(to_ollama(R"("response_format":{"type":"text"})")), "format").exists());
  CHECK(refused_param(R"("response_format":{"type":"grammar","grammar":"x"})") == "response_format");
  CHECK(find_member(JsonValue(to_ollama(R"("reasoning_effort":"none")")), "think").raw() == "false");
  CHECK(find_member(JsonValue(to_ollama(R"("reasoning_effort":"minimal")")), "think").equals("low"));
  CHECK(find_member(JsonValue(to_ollama(R"("reasoning_effort":"high")")), "think").equals("high"));
  CHECK(!find_member(JsonValue(to_ollama("")), "think").exists());
  auto off = translate_request("anthropic", "ollama", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"thinking":{"type":"disabled"}})");
  REQUIRE(off.ok());
  CHECK(find_member(JsonValue(off->body), "think").raw() == "false");
}

TEST_CASE("ollama: what it cannot express is refused by name") {
  CHECK(refused_param(R"("n":2)") == "n");
  CHECK(refused_param(R"("tool_choice":"required")") == "tool_choice");
  CHECK(refused_param(R"("tool_choice":{"type":"function","function":{"name":"f"}})") == "tool_choice");
  CHECK(refused_param(R"("modalities":["text","audio"],"audio":{"voice":"x"})") == "modalities");
  const auto part = [](const std::string& json) { return refused_param("", R"([{"role":"user","content":[{"type":"text","text":"a"},)" + json + "]}]"); };
  CHECK(part(R"({"type":"image_url","image_url":{"url":"https://x/y.png"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"input_audio","input_audio":{"data":"A","format":"wav"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"file","file":{"file_id":"f"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"video_url","video_url":{"url":"https://x"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"hologram"})") == "messages[0].content[1]");
}

TEST_CASE("ollama: hints it has no word for are dropped by name; tool_choice none sends no tools") {
  std::vector<std::string> dropped;
  const std::string out = to_ollama(R"("logit_bias":{"5":1},"user":"u","service_tier":"flex","metadata":{"a":"b"},"parallel_tool_calls":false,"store":true,
    "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")", &dropped);
  CHECK(dropped == std::vector<std::string>{"logit_bias", "user", "service_tier", "metadata", "parallel_tool_calls", "store"});
  CHECK(canonical(out) == canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"stream":false})"));
}

TEST_CASE("ollama: a native request for an OpenAI-compatible server") {
  auto out = translate_request("ollama", "openai", R"({"model":"m","messages":[{"role":"user","content":"u","images":["/9j/AAAA"]},
    {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]},{"role":"tool","content":"42","tool_name":"f"}],
    "options":{"num_predict":5,"num_ctx":4096},"format":"json","keep_alive":"5m","think":false})");
  REQUIRE(out.ok());
  CHECK(canonical(out->body) == canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":[{"type":"text","text":"u"},
    {"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/AAAA"}}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
    {"role":"tool","name":"f","tool_call_id":"call_0","content":"42"}],"response_format":{"type":"json_object"},"max_tokens":5,
    "reasoning_effort":"none","stream":true,"stream_options":{"include_usage":true}})"));
  CHECK(out->request.dropped == std::vector<std::string>{"options.num_ctx", "keep_alive"});
}

TEST_CASE("ollama: a stream, relayed and translated") {
  const std::string stream = text("") + text("Hel") + text("lo") + kLast;
  const Both seen = read(stream);
  using F = FrameKind;
  CHECK(seen.relay.errors.empty());
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.relay.kinds() == std::vector<F>{F::kPrelude, F::kPayload, F::kPayload, F::kFinish});
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kStop});
  CHECK(print(*seen.relay.last_usage()) == "17 0 0 50 0 0 0 0 known");
  CHECK(seen.translated.errors.empty());
  CHECK(seen.answer.choices.at(0).text == "Hello");
  CHECK(seen.answer.choices.at(0).finish == "stop");
  CHECK(print(*seen.answer.usage) == "17 0 0 50 0 0 0 0 known");
  CHECK(seen.translated.events.front().model == "llama3");
  CHECK(seen.translated.events.front().created == 1716582406);
}

TEST_CASE("ollama: thinking, whole calls without ids, length, logprobs") {
  const std::string stream = line(R"({"role":"assistant","content":"","thinking":"hm"})") +
                             line(R"({"role":"assistant","content":"a"})", R"("logprobs":[{"token":"a","logprob":-0.5}],"done":false)") +
                             line(R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"g","arguments":{}}}]})") + kLast;
  const Both seen = read(stream);
  const Answer::Choice& c = seen.answer.choices.at(0);
  CHECK(c.reasoning == "hm");
  REQUIRE(c.calls.size() == 2);
  CHECK(c.calls[0].arguments == R"({"x":1})");
  CHECK(c.calls[0].id != c.calls[1].id);
  CHECK(c.finish == "tool_calls");
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kToolCalls});
  bool probs = false;
  for (const SeenEvent& e : seen.translated.events) probs = probs || e.raw == R"({"content":[{"token":"a","logprob":-0.5}],"refusal":null})";
  CHECK(probs);
  CHECK(read(text("a") + line(R"({"content":""})", R"("done":true,"done_reason":"length")")).answer.choices.at(0).finish == "length");
}

TEST_CASE("ollama: the last line may come without a line end, and the prompt's count be missing") {
  std::string last = line(R"({"content":""})", R"("done":true,"done_reason":"stop","eval_count":5)");
  last.pop_back();
  const Both seen = read(text("a") + last);
  CHECK(seen.relay.errors.empty());
  CHECK(seen.relay.bytes() == text("a") + last + "\n");
  CHECK(print(*seen.relay.last_usage()) == "7 0 0 5 0 0 0 0 known estimated");
}

TEST_CASE("ollama: streams that break") {
  for (const std::string& stream : {text("a"), std::string(), text("a") + "{\"error\":\"model crashed\"}\n", text("a") + "not json\n", text("a") + kLast.substr(0, 40),
                                    std::string("<html><title>502</title></html>")}) {
    INFO(stream);
    const Both seen = read(stream);
    REQUIRE(seen.relay.errors.size() == 1);
    CHECK(seen.translated.errors.size() == 1);
    CHECK(seen.relay.errors[0].code == ErrorCode::kUpstreamError);
  }
  CHECK(read("{\"error\":\"model crashed\"}\n").relay.errors[0].message.find("model crashed") != std::string::npos);
}

TEST_CASE("ollama: whole answers and errors in a 200") {
  auto codec = reading("ollama", false);
  std::string body = line(R"({"role":"assistant","content":"Hi","thinking":"hm","tool_calls":[{"id":"call_x","function":{"name":"f","arguments":{}}}]})",
                          R"("done":true,"done_reason":"stop","prompt_eval_count":17,"eval_count":50)");
  auto response = codec->decode(body);
  REQUIRE(response.ok());
  CHECK(response->text() == "Hi");
  CHECK(response->choices[0].finish == FinishReason::kToolCalls);
  CHECK(response->choices[0].message.tool_calls[0].id == "call_x");
  auto facts = codec->inspect(body);
  REQUIRE(facts.ok());
  CHECK(facts->finish == FinishReason::kToolCalls);
  CHECK(print(facts->usage) == "17 0 0 50 0 0 0 0 known");
  CHECK(codec->decode(R"({"error":"model 'x' not found"})").error().message.find("model 'x' not found") != std::string::npos);
  CHECK(!codec->inspect("{}").ok());
  CHECK(!codec->inspect("<html>").ok());
}

TEST_CASE("ollama: error replies") {
  const auto parse = [](int status, std::string_view body) {
    HttpHead head;
    head.status = status;
    return reading("ollama", true)->parse_error(head, body);
  };
  CHECK(parse(404, R"({"error": "model 'llama3.2' not found"})").code == ErrorCode::kUpstreamRejected);
  CHECK(parse(404, R"({"error": "model 'llama3.2' not found"})").http_status() == 404);
  CHECK(parse(401, R"({"error":"unauthorized","signin_url":"https://x"})").code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(parse(500, R"({"error":"llama runner process has terminated"})").code == ErrorCode::kUpstreamError);
}

TEST_CASE("ollama: the list of models") {
  auto codec = dialect("ollama")->new_upstream_codec();
  EncodedRequest out;
  ProviderConfig config = provider();
  config.base_url = "http://127.0.0.1:11434";
  REQUIRE(codec->encode_models(config, "", out).ok());
  CHECK(out.http.url == "http://127.0.0.1:11434/api/tags");
  CHECK(out.http.headers.size() == 1);  // accept; no key, no authorization
  CHECK(*codec->parse_models(R"({"models":[{"model":"a:latest","name":"a"},{"name":"b"}]})") == std::vector<std::string>{"a:latest", "b"});
  CHECK(!codec->parse_models("{}").ok());
  CHECK(!codec->parse_models("x").ok());
}

// --- the pair ---

namespace {

// What an Ollama client hears of an OpenAI-compatible upstream's stream.
std::string ollama_hears(const std::string& sse, const std::string& body = R"({"model":"asked","messages":[{"role":"user","content":"x"}]})") {
  auto client = dialect("ollama")->new_client_codec();
  REQUIRE(client->scan(body).ok());
  std::string out;
  class Sink : public Recorder {
   public:
    Sink(ClientCodec& client, std::string& out) : client_(client), out_(out) {}
    Flow on_event(const StreamEvent& e) override {
      client_.encode_event(e, out_);
      return Flow::kContinue;
    }
   private:
    ClientCodec& client_;
    std::string& out_;
  } sink(*client, out);
  auto upstream = reading("openai", false);
  upstream->feed(sse, sink);
  upstream->finish(sink);
  CHECK(sink.errors.empty());
  client->encode_end(out);
  return out;
}

}  // namespace

TEST_CASE("an Ollama client of an OpenAI-compatible upstream") {
  const std::string chunk = R"(data: {"id":"c","created":1716580891,"model":"m1","choices":[{"index":0,"delta":)";
  const std::string out = ollama_hears(chunk + R"({"role":"assistant","content":""}}]})" + "\n\n" + chunk + R"({"reasoning_content":"hm"}}]})" + "\n\n" + chunk +
                                       R"({"content":"Hi"}}]})" + "\n\n" + chunk + R"({"tool_calls":[{"index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\""}}]}}]})" + "\n\n" + chunk +
                                       R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]})" + "\n\n" + chunk + R"({},"finish_reason":"tool_calls"}]})" + "\n\n" +
                                       R"(data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})" + "\n\ndata: [DONE]\n\n");
  const std::string head = R"({"model":"m1","created_at":"2024-05-24T20:01:31Z","message":{"role":"assistant","content":)";
  CHECK(out == head + R"("","thinking":"hm"},"done":false})" + "\n" + head + R"("Hi"},"done":false})" + "\n" + head +
                   R"("","tool_calls":[{"id":"call_a","function":{"name":"f","arguments":{"x":1}}}]},"done":false})" + "\n" + head +
                   R"(""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2})" + "\n");
  // And an Ollama upstream reads it as what it was.
  const Answer back = answer_of(feed("ollama", false, {out}));
  CHECK(back.choices.at(0).text == "Hi");
  CHECK(back.choices.at(0).reasoning == "hm");
  CHECK(back.choices.at(0).calls == std::vector<Answer::Call>{{"call_a", "f", R"({"x":1})"}});
  CHECK(back.choices.at(0).finish == "tool_calls");
}

TEST_CASE("an Ollama client and whole answers, errors, arguments that are no object") {
  auto client = dialect("ollama")->new_client_codec();
  REQUIRE(client->scan(R"({"model":"asked","messages":[{"role":"user","content":"x"}],"stream":false})").ok());
  ChatResponse response;
  response.created = 1716580891;
  response.usage.known = true;
  response.usage.input = 5;
  response.usage.output = 2;
  Choice choice;
  choice.finish = FinishReason::kToolCalls;
  choice.message.parts.push_back(Part::of_text("Hi"));
  choice.message.tool_calls.push_back({"", "f", "not json", "", ""});
  choice.logprobs = R"({"content":[{"token":"Hi"}],"refusal":null})";
  response.choices.push_back(choice);
  std::string out;
  client->encode_response(response, out);
  CHECK(out == R"({"model":"asked","created_at":"2024-05-24T20:01:31Z","message":{"role":"assistant","content":"Hi","tool_calls":[{"function":{"name":"f","arguments":{"input":"not json"}}}]},)"
               R"("logprobs":[{"token":"Hi"}],"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":2})");
  out.clear();
  client->encode_error(Error(ErrorCode::kModelNotFound, "model \"x\" not found"), out);
  CHECK(out == R"({"error":"model \"x\" not found"})");
  out.clear();
  client->encode_stream_error(Error(ErrorCode::kUpstreamError, "cut"), out);
  CHECK(out == "{\"error\":\"cut\"}\n");
  CHECK(client->content_type(true) == "application/x-ndjson");
  CHECK(client->content_type(false) == "application/json");
}

TEST_CASE("an OpenAI client of an Ollama upstream") {
  auto client = dialect("openai")->new_client_codec();
  REQUIRE(client->scan(R"({"model":"asked","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}})").ok());
  std::string sse;
  class Sink : public Recorder {
   public:
    Sink(ClientCodec& client, std::string& out) : client_(client), out_(out) {}
    Flow on_event(const StreamEvent& e) override {
      client_.encode_event(e, out_);
      return Flow::kContinue;
    }
   private:
    ClientCodec& client_;
    std::string& out_;
  } sink(*client, sse);
  auto upstream = reading("ollama", false);
  upstream->feed(line(R"({"content":"","thinking":"hm"})") + text("Hi") + line(R"({"content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"g"}}]})") + kLast, sink);
  upstream->finish(sink);
  client->encode_end(sse);
  const Answer a = read_strict(sse);
  CHECK(a.choices.at(0).text == "Hi");
  CHECK(a.choices.at(0).reasoning == "hm");
  REQUIRE(a.choices.at(0).calls.size() == 2);
  CHECK(a.choices.at(0).calls[0].arguments == R"({"x":1})");
  CHECK(a.choices.at(0).calls[1].arguments == "{}");
  CHECK(a.choices.at(0).finish == "tool_calls");
  REQUIRE(a.usage);
  CHECK(a.usage->input == 17);
  CHECK(a.models == std::vector<std::string>{"llama3"});
}

TEST_CASE("ollama: recorded exchanges") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "api/chat" || r.status != 200) continue;
    INFO(r.name);
    ++count;
    const bool stream = r.body.find("\"done\":false") != std::string::npos;
    auto relayed = relay_request("ollama", r.request);
    REQUIRE(relayed.ok());
    auto again = translate_request("ollama", "openai", r.request);
    CHECK(again.ok());
    if (!stream) {
      auto response = reading("ollama", false)->decode(r.body);
      REQUIRE(response.ok());
      CHECK(response->text() == find(JsonValue(r.body), "message", "content").string_or());
      CHECK(response->usage.input == find(JsonValue(r.body), "prompt_eval_count").integer());
      continue;
    }
    const Both seen = read(r.body);
    CHECK(seen.relay.errors.empty());
    CHECK(seen.relay.bytes() == r.body);
    CHECK(seen.answer.choices.at(0).text.size() > 20);
    CHECK(seen.answer.usage->known);
  }
  if (!recordings().empty()) CHECK(count >= 4);
}
