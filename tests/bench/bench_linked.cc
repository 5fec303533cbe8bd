// What a call costs an application that links llmrouter, beside the same call by bare libcurl, and without any network.
//
//   bench_linked --kind curl|start|relay|null [--port N] [--body FILE] [--calls 20000] [--warm 2000] [--concurrency 16]
//
//   curl    easy handles on one multi, epoll and curl_multi_socket_action, the answer appended to a string
//   start   Router::start with a ChatRequest, everything on: key, limits, weighted targets, usage, price
//   relay   Router::relay with the body's bytes, the same on
//   null    relay over a transport that answers at once: the router's own part
//
// Prints one line of JSON: CPU of the calling thread and allocations for each call.
#include <curl/curl.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>

#include "alloc_count.h"
#include "llmrouter/llmrouter.h"
#include "net_util.h"

namespace {

constexpr const char* kKey = "sk-bench-0123456789abcdef0123456789abcdef";

int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

struct Plan {
  int port = 0;
  int64_t calls = 0, warm = 0;
  int concurrency = 1;
  std::string body;
};

// Starts calls until there were enough, and takes the costs between the first that counts and the last.
class Meter {
 public:
  explicit Meter(const Plan& plan) : plan_(plan) {}
  bool next() {  // may another call start?
    if (started_ == plan_.warm + plan_.calls) return false;
    ++started_;
    return true;
  }
  void ended(bool ok) {
    ++ended_;
    if (!ok) ++errors_;
    if (ended_ == plan_.warm) {
      cpu_ = cpu_ns();
      allocations_ = bench::allocations();
    }
  }
  bool finished() const { return ended_ == plan_.warm + plan_.calls; }
  void report(const std::string& kind) const {
    const bench::Allocations a = bench::allocations();
    const auto calls = static_cast<double>(plan_.calls);
    std::printf("{\"kind\":\"%s\",\"calls\":%ld,\"errors\":%ld,\"cpu_us\":%.3f,\"allocations\":%.2f,\"allocated_bytes\":%.0f}\n", kind.c_str(),
                plan_.calls, errors_, static_cast<double>(cpu_ns() - cpu_) / 1000 / calls,
                static_cast<double>(a.count - allocations_.count) / calls, static_cast<double>(a.bytes - allocations_.bytes) / calls);
  }

 private:
  const Plan& plan_;
  int64_t started_ = 0, ended_ = 0, errors_ = 0, cpu_ = 0;
  bench::Allocations allocations_;
};

// ---- bare libcurl

class CurlLoop {
 public:
  explicit CurlLoop(const Plan& plan) : plan_(plan), meter_(plan), multi_(curl_multi_init()), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 256L);
    headers_ = curl_slist_append(headers_, "content-type: application/json");
    headers_ = curl_slist_append(headers_, "authorization: Bearer sk-upstream");
    headers_ = curl_slist_append(headers_, "expect:");
    url_ = "http://127.0.0.1:" + std::to_string(plan.port) + "/v1/chat/completions";
  }
  ~CurlLoop() {
    for (auto& slot : slots_) curl_easy_cleanup(slot->easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }

  void run() {
    for (int i = 0; i < plan_.concurrency; ++i) {
      slots_.push_back(std::make_unique<Slot>());
      start(*slots_.back());
    }
    int running = 0;
    epoll_event events[64];
    while (!meter_.finished()) {
      const int64_t left = due_ < 0 ? -1 : std::max<int64_t>(0, due_ - bench::now_ns() / 1000000);
      const int count = left == 0 ? 0 : epoll_wait(epoll_, events, 64, static_cast<int>(left));
      if (count == 0) {
        due_ = -1;  // a timer fires once; libcurl sets the next
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      for (int i = 0; i < count; ++i) {
        const int bits = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) | ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
                         ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi_, events[i].data.fd, bits, &running);
      }
      reap();
    }
    meter_.report("curl");
  }

 private:
  struct Slot {
    CURL* easy = curl_easy_init();
    std::string answer;
  };

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
    auto* loop = static_cast<CurlLoop*>(self);
    epoll_event e{};
    e.data.fd = fd;
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    const int op = what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL : known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_ctl(loop->epoll_, op, fd, &e);
    curl_multi_assign(loop->multi_, fd, what == CURL_POLL_REMOVE ? nullptr : self);
    return 0;
  }
  static int on_timer(CURLM*, long ms, void* self) {
    static_cast<CurlLoop*>(self)->due_ = ms < 0 ? -1 : ms == 0 ? 0 : bench::now_ns() / 1000000 + ms;
    return 0;
  }
  static size_t on_bytes(char* bytes, size_t size, size_t items, void* slot) {
    static_cast<Slot*>(slot)->answer.append(bytes, size * items);
    return size * items;
  }

  void start(Slot& slot) {
    if (!meter_.next()) return;
    slot.answer.clear();
    curl_easy_setopt(slot.easy, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(slot.easy, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDS, plan_.body.data());
    curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(plan_.body.size()));
    curl_easy_setopt(slot.easy, CURLOPT_WRITEFUNCTION, &CurlLoop::on_bytes);
    curl_easy_setopt(slot.easy, CURLOPT_WRITEDATA, &slot);
    curl_easy_setopt(slot.easy, CURLOPT_PRIVATE, &slot);
    curl_easy_setopt(slot.easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(multi_, slot.easy);
  }

  void reap() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Slot* slot = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
      const bool ok = message->data.result == CURLE_OK && slot->answer.size() > 100;
      curl_multi_remove_handle(multi_, slot->easy);
      meter_.ended(ok);
      start(*slot);
    }
  }

  const Plan& plan_;
  Meter meter_;
  CURLM* multi_;
  const int epoll_;
  int64_t due_ = 0;  // steady milliseconds; -1: never
  curl_slist* headers_ = nullptr;
  std::string url_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

// ---- llmrouter

// Answers every request with the same chat completion, from memory.
class NullTransport final : public llmrouter::Transport {
 public:
  explicit NullTransport(llmrouter::Reactor& reactor) : reactor_(reactor) {
    head_.status = 200;
    head_.headers = {{"content-type", "application/json"}};
    body_ = R"({"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,"model":"bench-1","choices":[{"index":0,"message":)"
            R"({"role":"assistant","content":")" + std::string(600, 'x') + R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":25,)"
            R"("completion_tokens":150,"total_tokens":175}})";
  }
  llmrouter::Reactor& reactor() noexcept override { return reactor_; }
  std::unique_ptr<llmrouter::Transfer> start(llmrouter::HttpRequest, llmrouter::TransferSink& sink) override {
    return std::make_unique<Answer>(*this, sink);
  }

 private:
  class Answer final : public llmrouter::Transfer {
   public:
    Answer(NullTransport& owner, llmrouter::TransferSink& sink) : owner_(owner), sink_(&sink) {
      timer_ = owner_.reactor_.add_timer(owner_.reactor_.clock().now(), [this] { answer(); });
    }
    ~Answer() override { owner_.reactor_.cancel_timer(timer_); }
    void resume() override {}

   private:
    void answer() {
      // on_end destroys this object; before it nobody has a reason to.
      llmrouter::TransferSink& sink = *sink_;
      const NullTransport& owner = owner_;
      sink.on_head(owner.head_);
      sink.on_body(owner.body_);
      sink.on_end({});
    }
    NullTransport& owner_;
    llmrouter::TransferSink* sink_;
    llmrouter::Reactor::TimerId timer_ = 0;
  };

  llmrouter::Reactor& reactor_;
  llmrouter::HttpHead head_;
  std::string body_;
};

std::string config_text(int port) {
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/v1";
  return "storage: {keys: \"memory:\", usage: \"memory:\"}\n"
         "providers:\n  a: {base_url: \"" + url + "\", api_key: sk-upstream, models: {override: [bench-1]}}\n"
         "  b: {base_url: \"" + url + "\", api_key: sk-upstream, models: {override: [bench-1]}}\n"
         "models:\n  bench:\n    targets: [a/bench-1, {model: b/bench-1, weight: 3}]\n    limits: {requests: 100000000/min}\n"
         "keys:\n  - {name: bench, key: " + kKey + ", limits: {requests: 100000000/min, tokens: 900000000000/min, concurrent: 10000}}\n"
         "prices:\n  entries:\n    - {model: \"*/bench-1\", input: 0.15, output: 0.60}\n";
}

template <typename T>
T value_of(llmrouter::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "bench_linked: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

class RouterLoop {
 public:
  RouterLoop(const Plan& plan, std::string kind) : plan_(plan), kind_(std::move(kind)), meter_(plan) {
    llmrouter::ConfigInput input;
    input.text = config_text(plan.port);
    llmrouter::ConfigResult loaded = llmrouter::load_config(input);
    if (!loaded.ok()) {
      std::fprintf(stderr, "bench_linked: %s\n", loaded.to_error().message.c_str());
      std::exit(1);
    }
    router_ = value_of(llmrouter::Router::create(loaded.config, value_of(llmrouter::build_parts(loaded.config))));
    reactor_ = value_of(llmrouter::make_reactor());
    if (kind_ == "null") {
      transport_ = std::make_unique<NullTransport>(*reactor_);
    } else {
      transport_ = value_of(llmrouter::make_default_transport(*reactor_));
    }
  }

  void run() {
    for (int i = 0; i < plan_.concurrency; ++i) {
      slots_.push_back(std::make_unique<Slot>(*this));
      ready_.push_back(slots_.back().get());
    }
    const std::function<bool()> pump = [this] {
      for (size_t i = 0; i < ready_.size(); ++i) start(*ready_[i]);
      ready_.clear();
      return meter_.finished();
    };
    if (!pump()) reactor_->run_until(pump);
    meter_.report(kind_);
    slots_.clear();
  }

 private:
  struct Slot final : llmrouter::StreamSink, llmrouter::ReplySink {
    explicit Slot(RouterLoop& l) : loop(l) {}
    llmrouter::Flow on_event(const llmrouter::StreamEvent&) override { return llmrouter::Flow::kContinue; }
    void on_response(llmrouter::ChatResponse&& response) override { bytes = response.text().size(); }
    void on_head(const llmrouter::ReplyHead&) override {}
    llmrouter::Flow on_bytes(std::string_view piece) override {
      bytes += piece.size();
      return llmrouter::Flow::kContinue;
    }
    void on_end(const llmrouter::CallResult& result) override {
      const bool ok = result.ok() && bytes > 100;
      if (!ok && !loop.told_) {
        std::fprintf(stderr, "bench_linked: %s\n", result.error.message.c_str());
        loop.told_ = true;
      }
      loop.meter_.ended(ok);
      loop.ready_.push_back(this);
    }
    RouterLoop& loop;
    size_t bytes = 0;
    llmrouter::Call call;
  };

  void start(Slot& slot) {
    if (!meter_.next()) return;
    slot.bytes = 0;
    llmrouter::CallOptions options;
    options.key = llmrouter::Secret(kKey);
    options.trusted = false;
    if (kind_ == "start") {
      auto request = llmrouter::ChatRequest::of("bench", "Why is the sky blue? Answer in one paragraph, please.");
      request.temperature = 0.7;
      request.max_tokens = 200;
      slot.call = router_->start(*transport_, std::move(request), false, std::move(options), slot);
    } else {
      llmrouter::RawRequest request;
      request.body = plan_.body;
      slot.call = router_->relay(*transport_, std::move(request), std::move(options), slot);
    }
  }

  const Plan& plan_;
  const std::string kind_;
  Meter meter_;
  std::shared_ptr<llmrouter::Router> router_;
  std::unique_ptr<llmrouter::Reactor> reactor_;
  std::unique_ptr<llmrouter::Transport> transport_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> ready_;
  bool told_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  Plan plan;
  plan.port = static_cast<int>(arguments.number("port", 0));
  plan.calls = arguments.number("calls", 20000);
  plan.warm = std::max<int64_t>(1, arguments.number("warm", 2000));
  plan.concurrency = static_cast<int>(arguments.number("concurrency", 16));
  std::ifstream file(arguments.word("body", ""), std::ios::binary);
  std::stringstream body;
  body << file.rdbuf();
  plan.body = body.str();
  const std::string kind = arguments.word("kind", "null");
  if (kind != "start" && plan.body.empty()) {
    std::fprintf(stderr, "bench_linked: --body FILE is needed\n");
    return 2;
  }
  if (kind == "curl") {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CurlLoop(plan).run();
  } else {
    RouterLoop(plan, kind).run();
  }
  return 0;
}
