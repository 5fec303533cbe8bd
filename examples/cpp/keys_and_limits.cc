// The parts put together by hand: a key store, a limiter, a sink for usage and a clock that this program sets. A key with a limit of two
// requests a minute asks three times, sets the clock a minute on, and asks again.
//   keys_and_limits [MODEL]
#include <iostream>
#include <llmrouter/llmrouter.h>

namespace {

using namespace llmrouter;

// The machine's clock, and what it was moved on.
class MovedClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return system_clock().now() + moved_; }
  WallTime wall() const noexcept override { return system_clock().wall() + std::chrono::duration_cast<std::chrono::microseconds>(moved_); }
  void move(Duration by) noexcept { moved_ += by; }

 private:
  Duration moved_{0};
};

// Where usage goes: anything with record().
class PrintUsage final : public UsageSink {
 public:
  void record(UsageRecord record) noexcept override {
    std::cout << "  record: key " << record.key << ", " << call_status_name(record.status) << ", " << record.usage.input << " + "
              << record.usage.output << " tokens\n";
  }
};

class Answer final : public StreamSink {
 public:
  Flow on_event(const StreamEvent&) override { return Flow::kContinue; }
  void on_response(ChatResponse&& response) override { text = response.text(); }
  void on_end(const CallResult& result) override {
    error = result.error;
    done = true;
  }
  std::string text;
  Error error;
  bool done = false;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "demo/echo";

  MovedClock clock;
  RouterParts parts;
  parts.clock = &clock;
  parts.keys = make_memory_key_store(clock);
  parts.limiter = std::make_shared<RateLimiter>(clock);
  parts.usage = std::make_shared<PrintUsage>();
  parts.catalog = make_catalog();

  KeySpec spec;
  spec.name = "intern";
  spec.allow.models = {model};
  spec.limits.requests = Rate{2, std::chrono::minutes(1), 0};
  spec.limits.budget = Budget{5'000'000'000, BudgetPeriod::kMonth, 80, {}};  // 5 USD
  const CreatedKey key = parts.keys->create(spec).value();
  std::cout << "made key " << key.record.id << " (" << key.record.hint << ")\n";

  // The environment's providers and `demo`; what a configuration says of storage is not used here.
  const ConfigResult config = load_config({});
  if (!config.ok()) {
    std::cerr << config.to_error().message << '\n';
    return 1;
  }
  auto router = Router::create(config.config, std::move(parts)).value();
  auto reactor = make_reactor(clock).value();  // the router's clock: deadlines are told by it
  auto transport = make_default_transport(*reactor).value();

  int refused = 0;
  const auto ask = [&] {
    CallOptions options;
    options.key = key.key;
    options.trusted = false;  // a stranger's call: the key decides
    Answer answer;
    auto call = router->start(*transport, ChatRequest::of(model, "May I?"), false, options, answer);
    reactor->run_until([&] { return answer.done; });
    if (answer.error.code == ErrorCode::kRateLimited) {
      ++refused;
      std::cout << "  refused: " << answer.error.message << ", again in " << answer.error.retry_after.count() << " ms\n";
    } else {
      std::cout << "  " << (answer.error.code == ErrorCode::kNone ? answer.text : answer.error.message) << '\n';
    }
  };

  for (int i = 0; i < 3; ++i) ask();
  clock.move(std::chrono::minutes(1));
  std::cout << "a minute later\n";
  ask();
  return refused == 1 ? 0 : 1;
}
