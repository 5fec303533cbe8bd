// Long streams from every upstream dialect to every client's: what is held and what is asked of the allocator is counted. A stream three times as
// long holds no more (but where a dialect says a text again at its end, or has to give it whole) and costs three times as much, not nine.
#include "counted_new.h"

#include <cstdlib>
#include <cstring>

#include "unit/core/call_fixture.h"
#include "unit/event_stream_support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

constexpr int kShort = 10000, kLong = 30000;  // chunks
constexpr int64_t kPiece = 32;               // bytes of text in each; more than 256 KiB in all, which is what is kept to place Google's citations in
constexpr int64_t kSlack = 64 * 1024;        // of what is held, for buffers that have grown to their size
constexpr int64_t kOnce = 3;                 // what is kept once, in a buffer that doubles
constexpr int64_t kGiven = 8;                // what is given whole, written into another
constexpr int64_t kAgain = 24;               // what the Responses dialect says again in four closing events
constexpr int64_t kMostAllocations = 40;     // for each chunk
constexpr int64_t kMostAsked = 8 * 1024;     // bytes, for each chunk

// An upstream's stream: what comes once, and what comes for each chunk.
struct Script {
  std::string dialect, kind;  // kind: text | thoughts | arguments
  std::string begin, chunk, end;
};

std::string sse(const std::string& data, const std::string& name = {}) { return (name.empty() ? "" : "event: " + name + "\n") + "data: " + data + "\n\n"; }

Script openai(const std::string& kind) {
  const auto frame = [](const std::string& delta, const std::string& finish, const std::string& more = {}) {
    return sse(R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + "}]" + more + "}");
  };
  Script s{"openai", kind, frame(R"({"role":"assistant","content":""})", "null"), {}, {}};
  if (kind == "arguments") {
    s.begin += frame(R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":\""}}]})", "null");
    s.chunk = frame(R"({"tool_calls":[{"index":0,"function":{"arguments":"0123456789abcdef0123456789abcdef"}}]})", "null");
    s.end = frame(R"({"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]})", "null");
  } else {
    s.chunk = frame(kind == "text" ? R"({"content":"0123456789abcdef0123456789abcdef"})" : R"({"reasoning_content":"0123456789abcdef0123456789abcdef"})", "null");
    s.end = frame(R"({"content":"."})", "null");
  }
  s.end += frame("{}", kind == "arguments" ? "\"tool_calls\"" : "\"stop\"", R"(,"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12})") + sse("[DONE]");
  return s;
}

Script anthropic(const std::string& kind) {
  const auto frame = [](const std::string& type, const std::string& members) { return sse(R"({"type":")" + type + "\"," + members + "}", type); };
  const std::string block = kind == "text"       ? R"({"type":"text","text":""})"
                            : kind == "thoughts" ? R"({"type":"thinking","thinking":"","signature":""})"
                                                 : R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}})";
  const auto delta = [&](const std::string& text) {
    return frame("content_block_delta", R"("index":0,"delta":)" + (kind == "text"       ? R"({"type":"text_delta","text":")" + text + "\"}"
                                                                   : kind == "thoughts" ? R"({"type":"thinking_delta","thinking":")" + text + "\"}"
                                                                                        : R"({"type":"input_json_delta","partial_json":")" + text + "\"}"));
  };
  Script s{"anthropic", kind, {}, delta("0123456789abcdef0123456789abcdef"), {}};
  s.begin = frame("message_start", R"("message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}})") +
            frame("content_block_start", R"("index":0,"content_block":)" + block);
  if (kind == "arguments") s.begin += delta(R"({\"a\":\")"), s.end = delta(R"(\"})");
  s.end += sse(R"({"type":"content_block_stop","index":0})", "content_block_stop");
  if (kind == "thoughts") {
    s.end += frame("content_block_start", R"("index":1,"content_block":{"type":"text","text":"."})") + sse(R"({"type":"content_block_stop","index":1})", "content_block_stop");
  }
  s.end += frame("message_delta", R"("delta":{"stop_reason":")" + std::string(kind == "arguments" ? "tool_use" : "end_turn") + R"("},"usage":{"output_tokens":7})") +
           sse(R"({"type":"message_stop"})", "message_stop");
  return s;
}

Script responses(const std::string& kind) {
  const auto frame = [](const std::string& type, const std::string& members) { return sse(R"({"type":"response.)" + type + R"(","sequence_number":1,)" + members + "}", "response." + type); };
  const std::string item = kind == "text"       ? R"({"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]})"
                           : kind == "thoughts" ? R"({"id":"rs_1","type":"reasoning","summary":[]})"
                                                : R"({"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""})";
  const auto delta = [&](const std::string& text) {
    const std::string at = R"("item_id":"x","output_index":0,)";
    return kind == "text"       ? frame("output_text.delta", at + R"("content_index":0,"delta":")" + text + "\"")
           : kind == "thoughts" ? frame("reasoning_summary_text.delta", at + R"("summary_index":0,"delta":")" + text + "\"")
                                : frame("function_call_arguments.delta", at + R"("delta":")" + text + "\"");
  };
  Script s{"responses", kind, {}, delta("0123456789abcdef0123456789abcdef"), {}};
  s.begin = frame("created", R"("response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]})") +
            frame("output_item.added", R"("output_index":0,"item":)" + item);
  if (kind == "arguments") s.begin += delta(R"({\"a\":\")"), s.end = delta(R"(\"})");
  if (kind == "thoughts") {
    s.end += frame("output_item.added", R"("output_index":1,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]})") +
             frame("output_text.delta", R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":".")");
  }
  s.end += frame("completed", R"("response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}})");
  return s;
}

Script gemini(const std::string& kind) {
  const auto frame = [](const std::string& part, const std::string& more) {
    return sse(R"({"candidates":[{"content":{"parts":[)" + part + R"(],"role":"model"},"index":0)" + more + R"(}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12},"modelVersion":"m"})");
  };
  return {"gemini", kind, {}, frame(kind == "text" ? R"({"text":"0123456789abcdef0123456789abcdef"})" : R"({"text":"0123456789abcdef0123456789abcdef","thought":true})", ""), frame(R"({"text":"."})", R"(,"finishReason":"STOP")")};
}

Script ollama(const std::string& kind) {
  const auto line = [](const std::string& message, const std::string& more) { return R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":)" + message + "," + more + "}\n"; };
  return {"ollama", kind, {},
          line(kind == "text" ? R"({"role":"assistant","content":"0123456789abcdef0123456789abcdef"})" : R"({"role":"assistant","content":"","thinking":"0123456789abcdef0123456789abcdef"})", R"("done":false)"),
          line(R"({"role":"assistant","content":"."})", R"("done":false)") +
              line(R"({"role":"assistant","content":""})", R"("done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":7)")};
}

Script cohere(const std::string& kind) {
  const auto frame = [](const std::string& type, const std::string& members) { return sse(R"({"type":")" + type + "\"," + members + "}", type); };
  const std::string part = kind == "thoughts" ? "thinking" : "text";
  const auto content = [&](const std::string& type, int index, const std::string& name, const std::string& text) {
    return frame(type, "\"index\":" + std::to_string(index) + R"(,"delta":{"message":{"content":{)" + (type == "content-start" ? R"("type":")" + name + "\"," : "") + "\"" + name + "\":\"" + text + "\"}}}");
  };
  const auto call = [&](const std::string& text) { return frame("tool-call-delta", R"("index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":")" + text + R"("}}}})"); };
  Script s{"cohere", kind, frame("message-start", R"("id":"co-1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}})"), {}, {}};
  if (kind == "arguments") {
    s.begin += frame("tool-call-start", R"("index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}})") + call(R"({\"a\":\")");
    s.chunk = call("0123456789abcdef0123456789abcdef");
    s.end = call(R"(\"})") + sse(R"({"type":"tool-call-end","index":0})", "tool-call-end");
  } else {
    s.begin += content("content-start", 0, part, "");
    s.chunk = content("content-delta", 0, part, "0123456789abcdef0123456789abcdef");
    s.end = sse(R"({"type":"content-end","index":0})", "content-end") + content("content-start", 1, "text", "") + content("content-delta", 1, "text", ".") +
            sse(R"({"type":"content-end","index":1})", "content-end");
  }
  s.end += frame("message-end", R"("delta":{"finish_reason":")" + std::string(kind == "arguments" ? "TOOL_CALL" : "COMPLETE") +
                                    R"(","usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":5,"output_tokens":7}}})");
  return s;
}

Script bedrock(const std::string& kind) {
  using event_stream_test::event;
  const auto delta = [&](const std::string& text) {
    return event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":)" + (kind == "text"       ? R"({"text":")" + text + "\"}}"
                                                                            : kind == "thoughts" ? R"({"reasoningContent":{"text":")" + text + "\"}}}"
                                                                                                 : R"({"toolUse":{"input":")" + text + "\"}}}"));
  };
  Script s{"bedrock", kind, event("messageStart", R"({"role":"assistant"})"), delta("0123456789abcdef0123456789abcdef"), {}};
  if (kind == "arguments") {
    s.begin += event("contentBlockStart", R"({"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}})") + delta(R"({\"a\":\")");
    s.end = delta(R"(\"})");
  }
  s.end += event("contentBlockStop", R"({"contentBlockIndex":0})");
  if (kind == "thoughts") s.end += event("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"."}})") + event("contentBlockStop", R"({"contentBlockIndex":1})");
  s.end += event("messageStop", R"({"stopReason":")" + std::string(kind == "arguments" ? "tool_use" : "end_turn") + "\"}") +
           event("metadata", R"({"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12},"metrics":{"latencyMs":1}})");
  return s;
}

Script lab(const std::string& kind) {
  return {"http", kind, {}, "{\"delta\":\"0123456789abcdef0123456789abcdef\"}\n", "{\"delta\":\".\"}\n{\"finished\":true,\"stop\":\"stop\",\"usage\":{\"in\":5,\"out\":7}}\n"};
}

// Plays a script with so many chunks, each delivered by itself.
class Player final : public Transport {
 public:
  explicit Player(Reactor& reactor) : reactor_(reactor) {}
  Reactor& reactor() noexcept override { return reactor_; }
  std::unique_ptr<Transfer> start(HttpRequest, TransferSink& sink) override { return std::make_unique<Reply>(*this, sink); }
  const Script* script = nullptr;
  int chunks = 0;
  int64_t held = 0;  // bytes, before the stream's end

 private:
  class Reply final : public Transfer {
   public:
    Reply(Player& owner, TransferSink& sink) : reactor_(owner.reactor_) {
      timer_ = reactor_.add_timer(reactor_.clock().now(), [&owner, &sink] { owner.tell(sink); });
    }
    ~Reply() override { reactor_.cancel_timer(timer_); }
    void resume() override {}

   private:
    Reactor& reactor_;
    Reactor::TimerId timer_;
  };

  void tell(TransferSink& sink) {
    HttpHead head;
    head.status = 200;
    head.headers = {{"content-type", script->dialect == "bedrock"                              ? "application/vnd.amazon.eventstream"
                                     : script->dialect == "ollama" || script->dialect == "http" ? "application/x-ndjson"
                                                                                                : "text/event-stream"}};
    sink.on_head(head);
    if (!script->begin.empty()) sink.on_body(script->begin);
    for (int i = 0; i < chunks; ++i) sink.on_body(script->chunk);
    held = counted::held.bytes;
    sink.on_body(script->end);
    sink.on_end({});
  }

  Reactor& reactor_;
};

// Hears the answer and keeps none of it but its last bytes.
struct Listener final : ReplySink {
  int64_t bytes = 0;
  bool ok = false;
  char tail[4096];
  size_t tail_size = 0;
  Error error;
  void on_head(const ReplyHead&) override {}
  Flow on_bytes(std::string_view b) override {
    bytes += static_cast<int64_t>(b.size());
    tail_size = std::min(b.size(), sizeof tail);
    std::memcpy(tail, b.data() + b.size() - tail_size, tail_size);
    return Flow::kContinue;
  }
  void on_end(const CallResult& r) override {
    ok = r.ok();
    error = r.error;
  }
};

struct Client {
  const char *dialect, *operation, *body;
};

constexpr Client kClients[] = {
    {"openai", "", R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}])"},
    {"completions", "", R"({"model":"m","stream":true,"prompt":"hi")"},
    {"responses", "", R"({"model":"m","stream":true,"input":"hi")"},
    {"anthropic", "", R"({"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}])"},
    {"gemini", "streamGenerateContent", R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}])"},
    {"ollama", "", R"({"model":"m","messages":[{"role":"user","content":"hi"}])"},
    {"cohere", "", R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}])"},
};

std::vector<Script> scripts() {
  std::vector<Script> all;
  for (const char* kind : {"text", "thoughts", "arguments"}) {
    for (Script (*make)(const std::string&) : {openai, anthropic, responses, cohere, bedrock}) all.push_back(make(kind));
    if (std::strcmp(kind, "arguments") == 0) break;  // Google's and Ollama's calls come whole
    all.push_back(gemini(kind));
    all.push_back(ollama(kind));
  }
  all.push_back(lab("text"));
  return all;
}

struct Cost {
  int64_t held = 0, peak = 0, count = 0, asked = 0, sent = 0;
  Listener heard;
};

// Where the client's dialect makes it necessary to keep what was said.
bool keeps(const Client& client, const Script& script) {
  const std::string_view c = client.dialect;
  if (c == script.dialect) return false;
  if (c == "responses") return true;                                                      // all of it comes again at the end
  if (script.kind == "arguments") return c == "gemini" || c == "ollama";                  // calls are given whole
  return script.kind == "thoughts" && c == "openai";                                      // a thought's signature comes with all of it
}

class Line {
 public:
  Line(const Client& client, const Script& script) : client_(client) {
    ProviderConfig up = provider("up", {"key"});
    up.dialect = script.dialect;
    if (script.dialect == "bedrock") up.base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com";
    up.http.path = "/x";
    up.http.body = R"({"p":"${prompt}"})";
    up.http.text = "/text";
    up.http.finish = "/stop";
    up.http.usage_input = "/usage/in";
    up.http.usage_output = "/usage/out";
    up.http.stream_format = "ndjson";
    up.http.stream_text = "/delta";
    up.http.stream_done = "/finished";
    w_.config.providers = {up};
    w_.config.models = {model("m", {{"up", "m", 1, 1}})};
    w_.build();
    player_.script = &script;
  }

  Cost run(int chunks) {
    player_.chunks = chunks;
    RawRequest request;
    request.dialect = client_.dialect;
    request.body = std::string(client_.body) + "}";
    request.path.operation = client_.operation;
    if (*client_.operation != 0) request.path.model = "m", request.path.query = "alt=sse";
    Cost cost;
    const counted::Held before = counted::begin();
    w_.call = w_.router->relay(player_, std::move(request), {}, cost.heard);
    w_.run();
    w_.call = Call();
    cost.held = player_.held - before.bytes;
    cost.peak = counted::held.peak - before.bytes;
    cost.count = counted::held.count - before.count;
    cost.asked = counted::held.asked - before.asked;
    cost.sent = cost.heard.bytes;
    return cost;
  }

 private:
  const Client& client_;
  World w_;
  Player player_{*w_.reactor};
};

}  // namespace

TEST_CASE("a long stream holds no more than a short one, and costs as much for each chunk, in every pair of dialects") {
  for (const Script& script : scripts()) {
    for (const Client& client : kClients) {
      if (std::strcmp(client.dialect, "completions") == 0 && script.kind != "text") continue;
      INFO(script.dialect << " " << script.kind << " to " << client.dialect);
      Line line(client, script);
      line.run(100);  // what is made once is made
      const Cost shorter = line.run(kShort), longer = line.run(kLong);
      INFO(longer.heard.error.message);
      CHECK(shorter.heard.ok);
      CHECK(longer.heard.ok);
      // All of it arrived: thoughts only where the client's dialect has them.
      if (script.kind != "thoughts" || longer.sent > shorter.sent * 2) CHECK(longer.sent - shorter.sent >= (kLong - kShort) * kPiece);
      const int64_t more = keeps(client, script) ? (kLong - kShort) * kPiece : 0;
      const bool repeats = std::strcmp(client.dialect, "responses") == 0;
      CHECK(longer.held - shorter.held <= kSlack + kOnce * more);
      CHECK(longer.peak - shorter.peak <= kSlack + (repeats ? kAgain : kGiven) * more);
      CHECK(longer.count - shorter.count <= (kLong - kShort) * kMostAllocations);
      CHECK(longer.asked - shorter.asked <= (kLong - kShort) * kMostAsked);
    }
  }
}

// For tests/unit/streams/linear.py, which counts the instructions of it: LLMROUTER_STREAM="upstream kind client chunks".
TEST_CASE("one stream", "[.one]") {
  const char* asked = std::getenv("LLMROUTER_STREAM");
  REQUIRE(asked != nullptr);
  bool found = false;
  for (const Script& script : scripts()) {
    for (const Client& client : kClients) {
      const std::string name = script.dialect + " " + script.kind + " " + client.dialect + " ";
      if (std::strncmp(asked, name.c_str(), name.size()) != 0) continue;
      found = true;
      Line line(client, script);
      CHECK(line.run(std::atoi(asked + name.size())).heard.ok);
    }
  }
  CHECK(found);
}
