// A sink that lets its call go from inside a callback, over a transport whose bytes are unmapped with their transfer: who reads on dies of it, in every build.
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "unit/core/call_fixture.h"
#include "unit/event_stream_support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

class Pages {
 public:
  explicit Pages(const std::string& bytes) : size_(bytes.size()), at_(static_cast<char*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(at_ != MAP_FAILED);
    std::memcpy(at_, bytes.data(), size_);
  }
  ~Pages() { ::munmap(at_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::string_view bytes() const { return {at_, size_}; }

 private:
  size_t size_;
  char* at_;
};

// All of the body in one piece: what comes behind the event that is heard is read after the sink was called.
class MappedTransport final : public Transport {
 public:
  explicit MappedTransport(Reactor& reactor) : reactor_(reactor) {}
  Reactor& reactor() noexcept override { return reactor_; }
  std::unique_ptr<Transfer> start(HttpRequest, TransferSink& sink) override { return std::make_unique<Mapped>(*this, sink); }

  std::string body, content_type;
  int live = 0, lived = 0;
  bool hangs = false;  // in place of the end

 private:
  class Mapped final : public Transfer {
   public:
    Mapped(MappedTransport& owner, TransferSink& sink) : owner_(owner), sink_(sink), pages_(owner.body) {
      ++owner_.live;
      ++owner_.lived;
      timer_ = owner_.reactor_.add_timer(owner_.reactor_.clock().now(), [this] { play(); });
    }
    ~Mapped() override {
      owner_.reactor_.cancel_timer(timer_);
      if (gone_ != nullptr) *gone_ = true;
      --owner_.live;
    }
    void resume() override {}

   private:
    void play() {
      timer_ = 0;
      bool gone = false;
      gone_ = &gone;
      HttpHead head;
      head.status = 200;
      head.headers = {{"content-type", owner_.content_type}};
      sink_.on_head(head);
      if (gone) return;
      const Flow flow = sink_.on_body(pages_.bytes());
      if (gone) return;
      gone_ = nullptr;
      if (flow == Flow::kContinue && !owner_.hangs) sink_.on_end({});
    }

    MappedTransport& owner_;
    TransferSink& sink_;
    Pages pages_;
    bool* gone_ = nullptr;
    Reactor::TimerId timer_ = 0;
  };
  Reactor& reactor_;
};

StreamEvent event_of(StreamEvent::Kind kind, std::string_view text = {}) {
  StreamEvent e;
  e.kind = kind;
  e.text = text;
  return e;
}

// An answer with all that answers have, as the dialect's own clients are told it.
std::string stream_of(const Dialect& dialect) {
  using Kind = StreamEvent::Kind;
  if (dialect.name() == "bedrock") {
    using event_stream_test::event;
    return event("messageStart", R"({"role":"assistant"})") + event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"one "}})") +
           event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"two"}})") + event("contentBlockStop", R"({"contentBlockIndex":0})") +
           event("messageStop", R"({"stopReason":"end_turn"})") + event("metadata", R"({"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}})");
  }
  std::vector<StreamEvent> events;
  StreamEvent e = event_of(Kind::kStart);
  e.id = "c1";
  e.model = "m-2026";
  e.created = 1;
  events.push_back(e);
  if (dialect.name() != "completions") events.push_back(event_of(Kind::kReasoning, "a thought"));
  events.push_back(event_of(Kind::kText, "one "));
  events.push_back(event_of(Kind::kText, "two"));
  if (dialect.name() != "completions") {
    e = event_of(Kind::kToolCallBegin);
    e.id = "call_1";
    e.name = "look";
    events.push_back(e);
    e = event_of(Kind::kToolCallDelta);
    e.arguments = R"({"at":"sky"})";
    events.push_back(e);
  }
  e = event_of(Kind::kFinish);
  e.finish = FinishReason::kStop;
  events.push_back(e);
  e = event_of(Kind::kUsage);
  e.usage.known = true;
  e.usage.input = 3;
  e.usage.output = 2;
  events.push_back(e);
  auto codec = dialect.new_client_codec();
  RequestPath path;
  path.operation = "streamGenerateContent";
  path.model = "m";
  path.query = "alt=sse";
  if (dialect.name() == "gemini") codec->set_path(path);
  const std::string body = dialect.name() == "gemini"
                               ? R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})"
                               : dialect.name() == "responses"     ? R"({"model":"m","input":"hi","stream":true})"
                                 : dialect.name() == "completions" ? R"({"model":"m","prompt":"hi","stream":true,"stream_options":{"include_usage":true}})"
                                 : R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}})";
  REQUIRE(codec->scan(body).ok());
  std::string out;
  for (const StreamEvent& event : events) codec->encode_event(event, out);
  codec->encode_end(out);
  return out;
}

RawRequest request_of(const std::string& dialect) {
  if (dialect == "gemini") {
    RawRequest request{dialect, R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})"};
    request.path.operation = "streamGenerateContent";
    request.path.model = "m";
    request.path.query = "alt=sse";
    return request;
  }
  if (dialect == "responses") return {dialect, R"({"model":"m","input":"hi","stream":true})"};
  if (dialect == "completions") return {dialect, R"({"model":"m","prompt":"hi","stream":true})"};
  return {dialect, World::body("m", true, R"(,"max_tokens":9)")};
}

enum class Way { kDestroy, kCancel, kAnswer, kNot };

// Acts in its nth callback.
struct Acting final : StreamSink, ReplySink {
  Call* call = nullptr;
  Way way = Way::kNot;
  int at = 0, heard = 0, ends = 0;
  Flow act() {
    if (++heard != at) return Flow::kContinue;
    if (way == Way::kDestroy) *call = Call();
    if (way == Way::kCancel) call->cancel();
    return way == Way::kAnswer ? Flow::kCancel : Flow::kContinue;
  }
  Flow on_event(const StreamEvent&) override { return act(); }
  void on_head(const ReplyHead&) override { act(); }
  Flow on_bytes(std::string_view) override { return act(); }
  void on_end(const CallResult&) override { ++ends; }
};

struct Scene : World {
  MappedTransport mapped{*reactor};
  std::vector<std::shared_ptr<const Dialect>> dialects = builtin_dialects();
  void set_up(const Dialect& upstream) {
    config.routing.attempts = 1;
    ProviderConfig p = provider("a", {"k"});
    p.dialect = upstream.name();
    if (upstream.name() == "bedrock") p.base_url = "https://bedrock-runtime.us-east-1.amazonaws.com";
    config.providers = {p};
    config.models = {model("m", {{"a", "x"}})};
    mapped.body = stream_of(upstream);
    mapped.content_type = upstream.name() == "ollama" ? "application/x-ndjson" : upstream.name() == "bedrock" ? "application/vnd.amazon.eventstream" : "text/event-stream";
    build();
  }
  // How many callbacks there were before the end.
  int play(const std::string& client, Way way, int at) {
    Acting sink;
    sink.call = &call;
    sink.way = way;
    sink.at = at;
    const int lived = mapped.lived;
    if (client == "neutral") call = router->start(mapped, ChatRequest::of("m", "hi"), true, {}, sink);
    else call = router->relay(mapped, request_of(client), {}, sink);
    run();
    INFO("callback " << at << " of " << sink.heard);
    CHECK(mapped.lived == lived + 1);
    CHECK(mapped.live == 0);
    CHECK(sink.ends == (way == Way::kDestroy ? 0 : 1));
    if (way != Way::kNot) {
      CHECK(sink.heard == at);  // nothing after it
      REQUIRE_FALSE(records().empty());
      CHECK(records().front().status == CallStatus::kCancelled);
    }
    return sink.heard;
  }
};

}  // namespace

TEST_CASE("a call may go in each of its callbacks, whichever dialects it is between") {
  for (const auto& upstream : builtin_dialects()) {
    const std::string name(upstream->name());
    if (!upstream->new_upstream_codec() || (!upstream->new_client_codec() && name != "bedrock")) continue;
    Scene scene;
    scene.set_up(*upstream);
    std::vector<std::string> clients = {name == "completions" ? name : "neutral"};
    for (const auto& client : scene.dialects) {
      if (name != "completions" && client->new_client_codec()) clients.emplace_back(client->name());
    }
    for (const std::string& client : clients) {
      INFO(name << " for " << client);
      const int callbacks = scene.play(client, Way::kNot, 0);
      REQUIRE(callbacks >= 2);
      for (int at = 1; at <= callbacks; ++at) {
        for (const Way way : {Way::kDestroy, Way::kCancel, Way::kAnswer}) {
          // A head has no answer, and the last there is to hear is heard.
          if (way == Way::kAnswer && ((client != "neutral" && at == 1) || at == callbacks)) continue;
          scene.play(client, way, at);
        }
      }
    }
  }
}

TEST_CASE("an answer is over with its last word, be the connection ended or not") {
  for (const auto& upstream : builtin_dialects()) {
    const std::string name(upstream->name());
    if (!upstream->new_upstream_codec() || (!upstream->new_client_codec() && name != "bedrock") || name == "gemini") continue;  // gemini has no last word
    for (const char* client : {"neutral", "openai", "anthropic", "responses", "cohere", "ollama", "completions"}) {
      if (name == "completions" && client != name) continue;
      INFO(name << " for " << client);
      Scene scene;
      scene.set_up(*upstream);
      scene.mapped.hangs = true;
      Acting sink;
      sink.call = &scene.call;
      if (std::string(client) == "neutral") scene.call = scene.router->start(scene.mapped, ChatRequest::of("m", "hi"), true, {}, sink);
      else scene.call = scene.router->relay(scene.mapped, request_of(client), {}, sink);
      const TimePoint began = scene.clock.now();
      scene.run();
      CHECK(sink.ends == 1);
      CHECK(scene.clock.now() - began <= std::chrono::milliseconds(250));
      CHECK(scene.mapped.live == 0);
      REQUIRE(scene.records().size() == 1);
      const UsageRecord record = scene.records().front();
      CHECK(record.status == CallStatus::kOk);
      CHECK(record.usage.input == 3);
      CHECK(record.usage.output == 2);
      CHECK_FALSE(record.usage.estimated);
    }
  }
}

TEST_CASE("the end of a body whose last word came is waited for a moment, not longer, and not while nobody reads") {
  World w;
  w.config.providers = {provider("a", {"k"})};
  w.config.models = {model("m", {{"a", "x"}})};
  ScriptedReply reply = ScriptedReply::sse(stream_datas());
  for (int i = 0; i < 20; ++i) reply.chunks.push_back(": still here\n\n");
  reply.chunk_every = std::chrono::milliseconds(100);
  w.transport.push(reply);
  w.relay(World::body("m", true));
  const TimePoint began = w.clock.now();
  w.run();
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(w.transport.live() == 0);
  CHECK(w.clock.now() - began >= std::chrono::milliseconds(600 + 240));
  CHECK(w.clock.now() - began <= std::chrono::milliseconds(600 + 260));

  // Ended in time: nothing was let go, so the connection is kept.
  World quick;
  quick.config = w.config;
  quick.transport.push(ScriptedReply::sse(stream_datas()));
  quick.relay(World::body("m", true));
  quick.run();
  CHECK(quick.heard.result.record.status == CallStatus::kOk);
  CHECK(quick.transport.cancelled() == 0);

  World paused;
  paused.config = w.config;
  ScriptedReply hangs = ScriptedReply::sse(stream_datas());
  hangs.hang = true;
  paused.transport.push(hangs);
  paused.heard.answer = Flow::kContinue;
  paused.relay(World::body("m", true));
  paused.heard.answer = Flow::kPause;
  for (int i = 0; i < 20; ++i) {
    paused.run(std::chrono::seconds(1));
    if (paused.heard.bytes.find("[DONE]") != std::string::npos) break;
    paused.call.resume();
  }
  REQUIRE(paused.heard.bytes.find("[DONE]") != std::string::npos);
  CHECK(paused.heard.ends == 0);
  paused.clock.advance(std::chrono::seconds(5));
  paused.reactor->drive();
  CHECK(paused.heard.ends == 0);
  paused.call.resume();
  paused.run();
  CHECK(paused.heard.ends == 1);
  CHECK(paused.heard.result.record.status == CallStatus::kOk);
}
