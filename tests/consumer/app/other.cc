#include "other.h"

#include <llmrouter/fake_transport.h>
#include <llmrouter/pattern.h>
#include <llmrouter/values.h>

#include <cstdio>

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "consumer: %s\n", what);
}

// The public classes of an application: derived from, so that their vtables and type information must be there too.
class OwnSink final : public llmrouter::StreamSink {
 public:
  llmrouter::Flow on_event(const llmrouter::StreamEvent&) override { return llmrouter::Flow::kContinue; }
  void on_response(llmrouter::ChatResponse&& response) override { text = response.text(); }
  void on_end(const llmrouter::CallResult& ended) override {
    result = ended;
    done = true;
  }
  std::string text;
  llmrouter::CallResult result;
  bool done = false;
};

class OwnLogger final : public llmrouter::Logger {
 public:
  bool enabled(llmrouter::LogLevel) const noexcept override { return true; }
  void log(llmrouter::LogLevel, std::string_view, std::initializer_list<llmrouter::LogField>) override {}
};

// A router put together by hand, over a transport that plays a script.
void scripted() {
  llmrouter::ConfigInput input;
  input.text = "storage: {keys: 'memory:', usage: 'off'}\nproviders: {lab: {base_url: 'http://lab.invalid/v1'}}\n";
  auto config = llmrouter::load_config(input);
  check(config.ok(), "a configuration loads");
  auto parts = llmrouter::build_parts(config.config, std::make_shared<OwnLogger>());
  check(parts.ok(), "its parts are built");
  auto router = llmrouter::Router::create(config.config, std::move(*parts));
  check(router.ok(), "a router is made");
  auto reactor = llmrouter::make_reactor();
  check(reactor.ok(), "a reactor is made");
  llmrouter::FakeTransport transport(**reactor);
  transport.push(llmrouter::ScriptedReply::json(
      R"({"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"scripted"},)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})"));
  OwnSink sink;
  auto call = (*router)->start(transport, llmrouter::ChatRequest::of("lab/m", "hi"), false, {}, sink);
  check((*reactor)->run_until([&] { return sink.done; }, (*reactor)->clock().now() + std::chrono::seconds(10)), "the call ends");
  check(sink.text == "scripted", "with the scripted answer");
  check(transport.seen().size() == 1 && transport.seen()[0].url == "http://lab.invalid/v1/chat/completions", "one request was made");
}

void values() {
  check(llmrouter::parse_duration("250ms").ok() && llmrouter::format_size(32 << 20) == "32MiB", "values");
  check(llmrouter::pattern_match("gpt-*", "GPT-4o"), "patterns");
  check(llmrouter::Secret("sk-1234567890abcdef").hint().find("567890") == std::string::npos, "secrets");
  check(llmrouter::code_name(llmrouter::ErrorCode::kNoTarget) == "no_target", "codes");
  check(llmrouter::balancer_names().size() >= 3, "strategies");
  check(!llmrouter::provider_presets().empty() && llmrouter::make_catalog() != nullptr, "the catalogue");
  check(!llmrouter::builtin_dialects().empty(), "dialects");
  check(!llmrouter::config_json_schema().empty() && !llmrouter::config_reference_markdown().empty(), "the reference");
  check(llmrouter::make_stderr_logger(llmrouter::LogLevel::kOff, true)->enabled(llmrouter::LogLevel::kError) == false, "the logger");
  llmrouter::ManualClock clock;
  const auto store = llmrouter::make_memory_key_store(clock);
  auto made = store->create(*llmrouter::key_spec_from_json(R"({"name":"ci"})", clock.wall()));
  check(made.ok() && store->find(made->key.reveal()) != nullptr && to_json(made->record).find("ci") != std::string::npos, "keys");
  llmrouter::RateLimiter limiter(clock);
  llmrouter::Limits limits;
  limits.requests = llmrouter::Rate{1, std::chrono::seconds(1), 0};
  llmrouter::LimitBucket* bucket = limiter.bucket("x", "x", limits);
  llmrouter::Denial denial;
  auto first = limiter.reserve(&bucket, 1, {}, &denial);
  auto second = limiter.reserve(&bucket, 1, {}, &denial);
  check(first.active() && !second.active() && denial.to_error().code == llmrouter::ErrorCode::kRateLimited, "limits");
}

}  // namespace

int use_the_parts() {
  scripted();
  values();
  return failures;
}
