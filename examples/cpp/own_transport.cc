// A transport of the application's own: here one that logs every request and hands it on, and answers one host itself. The same seam
// takes another HTTP client, a recording, or a tunnel.
//   own_transport [MODEL]
#include <iostream>
#include <llmrouter/llmrouter.h>

namespace {

using namespace llmrouter;

// Answers `https://canned.invalid/...` without a network. A transfer must not call its sink inside start(): it posts itself.
class CannedTransfer final : public Transfer {
 public:
  CannedTransfer(Reactor& reactor, TransferSink& sink) : alive_(std::make_shared<bool>(true)) {
    reactor.post([alive = alive_, &sink] {
      if (*alive) sink.on_head({200, {{"content-type", "application/json"}}});
      if (*alive) {
        sink.on_body(R"({"id":"1","object":"chat.completion","model":"canned","choices":[{"index":0,"finish_reason":"stop",)"
                     R"("message":{"role":"assistant","content":"This answer was in the can."}}],)"
                     R"("usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10}})");
      }
      if (*alive) sink.on_end({});
    });
  }
  ~CannedTransfer() override { *alive_ = false; }  // the sink hears nothing more
  void resume() override {}                        // one body in one piece: nothing waits

 private:
  std::shared_ptr<bool> alive_;
};

class LoggingTransport final : public Transport {
 public:
  explicit LoggingTransport(std::unique_ptr<Transport> next) : next_(std::move(next)) {}
  Reactor& reactor() noexcept override { return next_->reactor(); }
  std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) override {
    std::cerr << request.method << ' ' << request.url << '\n';
    if (request.url.rfind("https://canned.invalid/", 0) == 0) return std::make_unique<CannedTransfer>(reactor(), sink);
    return next_->start(std::move(request), sink);
  }

 private:
  std::unique_ptr<Transport> next_;
};

class Answer final : public StreamSink {
 public:
  Flow on_event(const StreamEvent&) override { return Flow::kContinue; }
  void on_response(ChatResponse&& response) override { text = response.text(); }
  void on_end(const CallResult& result) override {
    error = result.error.message;
    done = true;
  }
  std::string text, error;
  bool done = false;
};

}  // namespace

int main(int argc, char** argv) {
  auto llm = open_text(R"(
storage: {keys: "memory:", usage: "off"}
providers:
  canned: {base_url: "https://canned.invalid/v1"}
)").value();
  auto reactor = make_reactor().value();
  LoggingTransport transport(make_default_transport(*reactor).value());

  for (const std::string& model : {std::string("canned/any"), std::string(argc > 1 ? argv[1] : "demo/echo")}) {
    Answer answer;
    auto call = llm.router().start(transport, ChatRequest::of(model, "Who answers?"), false, {}, answer);
    reactor->run_until([&] { return answer.done; });
    if (!answer.error.empty()) {
      std::cerr << answer.error << '\n';
      return 1;
    }
    std::cout << answer.text << '\n';
  }
}
