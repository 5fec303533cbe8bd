#include "llmrouter/fake_transport.h"

#include <memory>
#include <utility>

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
  class Play;
  class Handle;
};

// One reply being played. Kept alive by its own steps, so that its sink may destroy the handle in any of them.
class FakeTransport::Impl::Play : public std::enable_shared_from_this<Play> {
 public:
  Play(Impl& impl, ScriptedReply reply, TransferSink& sink) : impl_(impl), reply_(std::move(reply)), sink_(&sink) {
    if (reply_.no_head && reply_.end.ok()) reply_.end = {TransferError::Kind::kReset, "scripted: no head"};
    ++impl_.live;
  }

  void next(Duration after) {
    timer_ = impl_.reactor.add_timer(impl_.reactor.clock().now() + after, [self = shared_from_this()] {
      self->timer_ = 0;
      self->step();
    });
  }

  void begin() { next(reply_.head_after); }

  void resume() {
    resumed_ = true;  // from inside on_body the pause it answers is still to come
    if (std::exchange(waiting_, false)) go_on(Duration::zero());
  }

  void cancel() {
    if (std::exchange(sink_, nullptr) == nullptr) return;
    impl_.reactor.cancel_timer(timer_);
    --impl_.live;
    ++impl_.cancelled;
  }

 private:
  void step() {
    if (!head_given_) {
      head();
    } else if (reply_.fail_before_chunk == static_cast<int>(next_chunk_) || next_chunk_ == reply_.chunks.size()) {
      end();
    } else {
      chunk();
    }
  }

  void head() {
    if (reply_.no_head) return end();
    head_given_ = true;
    HttpHead head;
    head.status = reply_.status;
    for (const HttpHeader& header : reply_.headers) head.headers.push_back({lower(header.name), header.value});
    sink_->on_head(head);
    if (sink_ != nullptr) go_on(reply_.chunk_every);
  }

  void chunk() {
    resumed_ = false;
    const std::string& bytes = reply_.chunks[next_chunk_++];
    const Flow flow = sink_->on_body(bytes);
    if (sink_ == nullptr) return;
    if (flow == Flow::kCancel) return cancel();
    if (flow == Flow::kPause) {
      if (!std::exchange(was_paused_, true)) ++impl_.paused;
      waiting_ = !resumed_;
    }
    if (!waiting_) go_on(reply_.chunk_every);
  }

  void go_on(Duration after) {
    const bool last = next_chunk_ == reply_.chunks.size();
    if (last && reply_.hang && reply_.fail_before_chunk != static_cast<int>(next_chunk_)) return;
    next(last ? Duration::zero() : after);
  }

  void end() {
    --impl_.live;
    std::exchange(sink_, nullptr)->on_end(reply_.end);
  }

  Impl& impl_;
  ScriptedReply reply_;
  TransferSink* sink_;  // null: ended or cancelled
  Reactor::TimerId timer_ = 0;
  size_t next_chunk_ = 0;
  bool head_given_ = false;
  bool waiting_ = false;
  bool was_paused_ = false;
  bool resumed_ = false;
};

class FakeTransport::Impl::Handle final : public Transfer {
 public:
  explicit Handle(std::shared_ptr<Play> play) : play_(std::move(play)) {}
  ~Handle() override { play_->cancel(); }
  void resume() override { play_->resume(); }

 private:
  std::shared_ptr<Play> play_;
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
  for (const std::string_view piece : request.body) seen.body.append(piece);
  impl_->seen.push_back(std::move(seen));

  ScriptedReply reply;
  if (!impl_->replies.empty()) {
    reply = std::move(impl_->replies.front());
    impl_->replies.pop_front();
  } else if (fallback) {
    reply = fallback(SeenRequest(impl_->seen.back()));  // a copy: it may start a transfer of its own
  } else {
    reply.no_head = true;
    reply.end = {TransferError::Kind::kConnect, "no reply is scripted"};
  }
  auto play = std::make_shared<Impl::Play>(*impl_, std::move(reply), sink);
  play->begin();
  return std::make_unique<Impl::Handle>(std::move(play));
}

}  // namespace llmrouter
