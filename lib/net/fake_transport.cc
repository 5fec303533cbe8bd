#include "llmrouter/fake_transport.h"

#include <memory>
#include <utility>

#include "net/playback.h"
#include "net/request_body.h"

namespace llmrouter {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

}  // namespace

ScriptedReply ScriptedReply::json(std::string body, int status) {
  ScriptedReply reply;
  reply.status = status;
  reply.chunks.push_back(std::move(body));
  return reply;
}

ScriptedReply ScriptedReply::sse(std::vector<std::string> datas) {
  ScriptedReply reply;
  reply.headers = {{"content-type", "text/event-stream"}};
  for (const std::string& data : datas) reply.chunks.push_back("data: " + data + "\n\n");
  return reply;
}

std::string SeenRequest::header(std::string_view lower_case_name) const {
  for (const HttpHeader& header : headers) {
    if (lower(header.name) == lower_case_name) return header.value;
  }
  return {};
}

struct FakeTransport::Impl {
  explicit Impl(Reactor& r) : reactor(r) {}
  Reactor& reactor;
  std::deque<ScriptedReply> replies;
  std::vector<SeenRequest> seen;
  int live = 0;
  int cancelled = 0;
  int paused = 0;
  class Reply;
};

class FakeTransport::Impl::Reply final : public net::Script {
 public:
  Reply(Impl& impl, ScriptedReply reply) : impl_(impl), reply_(std::move(reply)) {
    if (reply_.no_head && reply_.end.ok()) reply_.end = {TransferError::Kind::kReset, "scripted: no head"};
    head_.status = reply_.status;
    for (const HttpHeader& header : reply_.headers) head_.headers.push_back({lower(header.name), header.value});
    ++impl_.live;
  }
  ~Reply() override {
    if (!over_) over(true);
  }

  Act next(Duration& wait) override {
    if (!begun_) {
      begun_ = true;
      wait = reply_.head_after;
      return reply_.no_head ? Act::kEnd : Act::kHead;
    }
    const bool fails = reply_.fail_before_chunk == static_cast<int>(chunk_);
    const bool last = chunk_ == reply_.chunks.size();
    if (!last) wait = reply_.chunk_every;
    if (fails) return Act::kEnd;
    if (last) return reply_.hang ? Act::kHang : Act::kEnd;
    return Act::kBody;
  }
  const HttpHead& head() override { return head_; }
  std::string_view body() override { return reply_.chunks[chunk_++]; }
  TransferError end() override { return reply_.end; }
  void paused() override {
    if (!std::exchange(was_paused_, true)) ++impl_.paused;
  }
  void over(bool cancelled) override {
    over_ = true;
    --impl_.live;
    if (cancelled) ++impl_.cancelled;
  }

 private:
  Impl& impl_;
  ScriptedReply reply_;
  HttpHead head_;
  size_t chunk_ = 0;  // the next one
  bool begun_ = false;
  bool was_paused_ = false;
  bool over_ = false;
};

FakeTransport::FakeTransport(Reactor& reactor) : impl_(std::make_unique<Impl>(reactor)) {}
FakeTransport::~FakeTransport() = default;

void FakeTransport::push(ScriptedReply reply) { impl_->replies.push_back(std::move(reply)); }
const std::vector<SeenRequest>& FakeTransport::seen() const noexcept { return impl_->seen; }
int FakeTransport::live() const noexcept { return impl_->live; }
int FakeTransport::cancelled() const noexcept { return impl_->cancelled; }
int FakeTransport::paused() const noexcept { return impl_->paused; }
Reactor& FakeTransport::reactor() noexcept { return impl_->reactor; }

std::unique_ptr<Transfer> FakeTransport::start(HttpRequest request, TransferSink& sink) {
  SeenRequest seen;
  seen.method = std::move(request.method);
  seen.url = std::move(request.url);
  seen.headers = std::move(request.headers);
  const auto read = net::append_body(request, seen.body);
  impl_->seen.push_back(std::move(seen));

  ScriptedReply reply;
  if (!read) {
    reply.no_head = true;
    reply.end = {TransferError::Kind::kRequestBody, read.error().message};
  } else if (!impl_->replies.empty()) {
    reply = std::move(impl_->replies.front());
    impl_->replies.pop_front();
  } else if (fallback) {
    reply = fallback(SeenRequest(impl_->seen.back()));  // a copy: it may start a transfer of its own
  } else {
    reply.no_head = true;
    reply.end = {TransferError::Kind::kConnect, "no reply is scripted"};
  }
  return net::play(impl_->reactor, std::make_unique<Impl::Reply>(*impl_, std::move(reply)), sink);
}

}  // namespace llmrouter
