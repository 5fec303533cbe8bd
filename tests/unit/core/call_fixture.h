// A router over a scripted transport and a clock that moves when told to: a call's whole life without a network.
#ifndef LLMROUTER_TESTS_UNIT_CORE_CALL_FIXTURE_H_
#define LLMROUTER_TESTS_UNIT_CORE_CALL_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "llmrouter/fake_transport.h"
#include "llmrouter/router.h"

namespace llmrouter::test {

// One USD for a million input tokens, two for output.
struct OnePrice final : Catalog {
  std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view, int64_t, WallTime) const override {
    PriceRow row;
    row.input = 1'000'000;
    row.output = 2'000'000;
    return row;
  }
  ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
};

struct Heard final : ReplySink {
  int heads = 0, ends = 0;
  ReplyHead head;
  std::string content_type;
  std::string bytes;
  CallResult result;
  Flow answer = Flow::kContinue;
  std::function<void()> on_each;

  void on_head(const ReplyHead& h) override {
    ++heads;
    head = h;
    content_type = h.content_type;
    if (on_each) on_each();
  }
  Flow on_bytes(std::string_view b) override {
    bytes += b;
    if (on_each) on_each();
    return answer;
  }
  void on_end(const CallResult& r) override {
    ++ends;
    result = r;
    if (on_each) on_each();
  }
  std::string header(std::string_view name) const {
    for (const ReplyHeader& h : head.headers) {
      if (h.name == name) return h.value;
    }
    return {};
  }
};

struct HeardEvents final : StreamSink {
  std::string text;
  int ends = 0;
  std::vector<ChatResponse> responses;
  std::vector<StreamEvent::Kind> kinds;
  CallResult result;
  Flow on_event(const StreamEvent& e) override {
    kinds.push_back(e.kind);
    if (e.kind == StreamEvent::Kind::kText) text += e.text;
    return Flow::kContinue;
  }
  void on_response(ChatResponse&& r) override { responses.push_back(std::move(r)); }
  void on_end(const CallResult& r) override {
    ++ends;
    result = r;
  }
};

inline ProviderConfig provider(std::string name, std::vector<std::string> keys = {}) {
  ProviderConfig p;
  p.name = name;
  p.base_url = "http://" + name + ".test/v1";
  for (size_t i = 0; i < keys.size(); ++i) {
    Credential c;
    c.name = std::to_string(i + 1);
    c.key = Secret(keys[i]);
    p.credentials.push_back(std::move(c));
  }
  return p;
}

inline ModelConfig model(std::string name, std::vector<TargetConfig> targets, std::vector<std::string> fallbacks = {}) {
  ModelConfig m;
  m.name = std::move(name);
  m.targets = std::move(targets);
  m.fallbacks = std::move(fallbacks);
  return m;
}

inline const std::string kWhole =
    R"({"id":"c1","object":"chat.completion","created":1,"model":"m-2026","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}})";

inline std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2026","choices":[{"index":0,"delta":)" + delta +
         R"(,"finish_reason":)" + finish + "}]}";
}

inline std::vector<std::string> stream_datas() {
  return {chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":"hel"})"), chunk(R"({"content":"lo"})"), chunk("{}", "\"stop\""),
          R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2026","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}})",
          "[DONE]"};
}

struct World {
  ManualClock clock;
  std::unique_ptr<Reactor> reactor = make_reactor(clock).value();
  FakeTransport transport{*reactor};
  std::shared_ptr<UsageStore> usage = make_memory_usage_store();
  Config config;
  RouterParts parts;
  std::shared_ptr<Router> router;
  Heard heard;
  HeardEvents events;
  Call call;

  World() {
    config.routing.strategy = "priority";
    parts.clock = &clock;
    parts.usage = usage;
    parts.seed = 7;
  }
  ~World() { call = Call(); }
  void build() { router = Router::create(config, parts).value(); }
  static std::string body(std::string model, bool stream = false, std::string more = {}) {
    return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hi"}])" + (stream ? R"(,"stream":true)" : "") + more + "}";
  }
  void relay(std::string body, CallOptions options = {}) {
    if (!router) build();
    heard = Heard();
    call = router->relay(transport, {"openai", std::move(body)}, std::move(options), heard);
    CHECK(heard.heads == 0);  // nothing fires inside
  }
  // Drives, moving the clock to each next deadline, until nothing is left to do or `until` has passed.
  void run(Duration until = std::chrono::minutes(30)) {
    const TimePoint stop = clock.now() + until;
    for (int i = 0; i < 100000; ++i) {
      for (int posted = 0; posted < 3; ++posted) reactor->drive();  // what is posted runs in a later one, and has no deadline
      if (!call.active()) return;
      auto due = reactor->deadline();
      if (!due) continue;
      if (*due > stop) return;
      if (*due > clock.now()) clock.advance(*due - clock.now());
    }
  }
  std::vector<UsageRecord> records() { return usage->query({}).value().data; }
};

}  // namespace llmrouter::test

#endif  // LLMROUTER_TESTS_UNIT_CORE_CALL_FIXTURE_H_
