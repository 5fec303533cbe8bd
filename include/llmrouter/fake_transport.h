// A transport without a network, that plays scripted replies. For your tests and ours.
#ifndef LLMROUTER_FAKE_TRANSPORT_H_
#define LLMROUTER_FAKE_TRANSPORT_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "llmrouter/transport.h"

namespace llmrouter {

// What happens to one request. The default: 200, no headers, empty body.
struct ScriptedReply {
  int status = 200;
  std::vector<HttpHeader> headers{{"content-type", "application/json"}};
  std::vector<std::string> chunks;         // delivered one for each drive()
  Duration head_after{0};                  // before the head
  Duration chunk_every{0};                 // before each chunk
  TransferError end;                       // how it ends; kNone: well
  int fail_before_chunk = -1;              // >= 0: `end` comes in place of that chunk (0: right after the head)
  bool no_head = false;                    // `end` comes in place of the head
  bool hang = false;                       // after the last chunk nothing more comes

  LLMROUTER_EXPORT static ScriptedReply json(std::string body, int status = 200);
  LLMROUTER_EXPORT static ScriptedReply sse(std::vector<std::string> datas);  // each becomes `data: ...\n\n`
};

// What was asked, copied; a source that fails ends its request with TransferError::kRequestBody.
struct SeenRequest {
  std::string method, url, body;
  std::vector<HttpHeader> headers;
  LLMROUTER_EXPORT std::string header(std::string_view lower_case_name) const;  // empty: none
};

// Single-threaded like every transport. Replies are taken in order; when none is left `fallback` answers, and without one
// the request fails to connect.
class LLMROUTER_EXPORT FakeTransport : public Transport {
 public:
  explicit FakeTransport(Reactor& reactor);
  ~FakeTransport() override;
  void push(ScriptedReply reply);
  std::function<ScriptedReply(const SeenRequest&)> fallback;
  const std::vector<SeenRequest>& seen() const noexcept;
  int live() const noexcept;      // transfers started and neither ended nor destroyed
  int cancelled() const noexcept; // transfers destroyed before their end
  int paused() const noexcept;    // transfers that were paused at least once

  Reactor& reactor() noexcept override;
  std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_FAKE_TRANSPORT_H_
