// What a call costs that comes in one dialect and goes out in another, without any network: Router::relay over a transport that answers from
// memory.
//
//   bench_pairs --path /v1/messages --upstream openai|anthropic|gemini --body FILE [--chunks 0] [--calls 2000] [--warm 200]
//
// --path says the client's dialect, as it does to the server. --chunks 0: a whole answer; else a stream of so many, each delivered by itself.
// Prints one line of JSON: CPU of the calling thread and allocations for each call.
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "alloc_count.h"
#include "answers.h"
#include "llmrouter/llmrouter.h"
#include "net_util.h"

namespace {

using llmrouter::Flow;

int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

// Answers every request with the same bytes.
class MemoryTransport final : public llmrouter::Transport {
 public:
  MemoryTransport(llmrouter::Reactor& reactor, bench::Answer answer, int64_t chunks)
      : reactor_(reactor), answer_(std::move(answer)), chunks_(chunks) {
    head_.status = 200;
    head_.headers = {{"content-type", chunks > 0 ? "text/event-stream" : "application/json"}};
  }
  llmrouter::Reactor& reactor() noexcept override { return reactor_; }
  std::unique_ptr<llmrouter::Transfer> start(llmrouter::HttpRequest, llmrouter::TransferSink& sink) override {
    return std::make_unique<Reply>(*this, sink);
  }

 private:
  class Reply final : public llmrouter::Transfer {
   public:
    Reply(MemoryTransport& owner, llmrouter::TransferSink& sink) : owner_(owner), sink_(sink) {
      timer_ = owner_.reactor_.add_timer(owner_.reactor_.clock().now(), [this] { tell(sink_, owner_); });
    }
    ~Reply() override { owner_.reactor_.cancel_timer(timer_); }
    void resume() override {}

   private:
    // on_end destroys this object; nothing of it is used here.
    static void tell(llmrouter::TransferSink& sink, const MemoryTransport& owner) {
      sink.on_head(owner.head_);
      if (owner.chunks_ == 0) {
        sink.on_body(owner.answer_.whole);
      } else {
        if (!owner.answer_.begin.empty()) sink.on_body(owner.answer_.begin);
        for (int64_t i = 0; i < owner.chunks_; ++i) sink.on_body(owner.answer_.chunk);
        sink.on_body(owner.answer_.end);
      }
      sink.on_end({});
    }
    MemoryTransport& owner_;
    llmrouter::TransferSink& sink_;
    llmrouter::Reactor::TimerId timer_ = 0;
  };

  llmrouter::Reactor& reactor_;
  const bench::Answer answer_;
  const int64_t chunks_;
  llmrouter::HttpHead head_;
};

template <typename T>
T value_of(llmrouter::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench_pairs: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

std::string client_dialect(std::string_view path) {
  if (path == "/v1/messages") return "anthropic";
  if (path == "/v1/responses") return "responses";
  return path == "/api/chat" ? "ollama" : "openai";
}

bench::Answer answer_in(const std::string& dialect) {
  constexpr size_t kReplyBytes = 600;
  if (dialect == "anthropic") return bench::anthropic_answer(kReplyBytes);
  return dialect == "gemini" ? bench::gemini_answer(kReplyBytes) : bench::openai_answer(kReplyBytes);
}

// One call after the other; what they cost from the end of the warm-up on.
class Load final : public llmrouter::ReplySink {
 public:
  explicit Load(const bench::Arguments& arguments)
      : calls_(arguments.number("calls", 2000)), warm_(std::max<int64_t>(1, arguments.number("warm", 200))), chunks_(arguments.number("chunks", 0)) {
    const std::string upstream = arguments.word("upstream", "openai");
    llmrouter::ConfigInput input;
    input.text = "storage: {keys: \"memory:\", usage: \"memory:\"}\nproviders:\n  a: {dialect: " + upstream +
                 ", base_url: \"http://127.0.0.1:1\", api_key: sk-upstream, models: {override: [bench-1]}}\nmodels:\n  bench: a/bench-1\n"
                 "prices: {entries: [{model: \"*/bench-1\", input: 0.15, output: 0.60}]}\n";
    llmrouter::ConfigResult loaded = llmrouter::load_config(input);
    if (!loaded.ok()) {
      std::fprintf(stderr, "bench_pairs: %s\n", loaded.to_error().message.c_str());
      std::exit(1);
    }
    router_ = value_of(llmrouter::Router::create(loaded.config, value_of(llmrouter::build_parts(loaded.config))));
    reactor_ = value_of(llmrouter::make_reactor());
    transport_ = std::make_unique<MemoryTransport>(*reactor_, answer_in(upstream), chunks_);
    std::ifstream file(arguments.word("body", ""), std::ios::binary);
    std::stringstream body;
    body << file.rdbuf();
    if (!file) bench::die("--body is needed");
    body_ = body.str();
    dialect_ = client_dialect(arguments.word("path", "/v1/chat/completions"));
  }

  int run() {
    begin();
    reactor_->run_until([this] {
      if (!between_) return false;
      if (ended_ == warm_ + calls_) return true;
      begin();
      return false;
    });
    const bench::Allocations now = bench::allocations();
    const auto calls = static_cast<double>(calls_);
    std::printf("{\"calls\":%ld,\"errors\":%ld,\"cpu_us\":%.3f,\"allocations\":%.2f,\"allocated_bytes\":%.0f,\"bytes\":%zu}\n", calls_, errors_,
                static_cast<double>(cpu_ns() - cpu_) / 1000 / calls, static_cast<double>(now.count - allocations_.count) / calls,
                static_cast<double>(now.bytes - allocations_.bytes) / calls, bytes_);
    return errors_ == 0 ? 0 : 1;
  }

  void on_head(const llmrouter::ReplyHead&) override {}
  Flow on_bytes(std::string_view piece) override {
    bytes_ += piece.size();
    return Flow::kContinue;
  }
  void on_end(const llmrouter::CallResult& result) override {
    if (!result.ok() || bytes_ < 100) {
      if (errors_++ == 0) std::fprintf(stderr, "bench_pairs: %s\n", result.error.message.c_str());
    }
    between_ = true;
    if (++ended_ != warm_) return;
    cpu_ = cpu_ns();
    allocations_ = bench::allocations();
  }

 private:
  void begin() {
    between_ = false;
    bytes_ = 0;
    llmrouter::RawRequest request;
    request.dialect = dialect_;
    request.body = body_;
    call_ = router_->relay(*transport_, std::move(request), {}, *this);
  }

  const int64_t calls_, warm_, chunks_;
  std::string body_, dialect_;
  std::shared_ptr<llmrouter::Router> router_;
  std::unique_ptr<llmrouter::Reactor> reactor_;
  std::unique_ptr<MemoryTransport> transport_;
  llmrouter::Call call_;
  bool between_ = false;
  int64_t ended_ = 0, errors_ = 0, cpu_ = 0;
  size_t bytes_ = 0;
  bench::Allocations allocations_;
};

}  // namespace

int main(int argc, char** argv) { return Load(bench::Arguments(argc, argv)).run(); }
