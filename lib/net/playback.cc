#include "net/playback.h"

#include <utility>

namespace llmrouter::net {

namespace {

class Playback final : public Transfer {
 public:
  Playback(Reactor& reactor, std::unique_ptr<Script> script, TransferSink& sink)
      : reactor_(reactor), script_(std::move(script)), sink_(&sink) {
    schedule();
  }

  ~Playback() override {
    reactor_.cancel_timer(timer_);
    if (gone_ != nullptr) *gone_ = true;
  }

  void resume() override {
    resumed_ = true;  // from inside on_body the pause it answers is still to come
    if (std::exchange(waiting_, false)) schedule();
  }

 private:
  void schedule() {
    Duration wait{0};
    act_ = script_->next(wait);
    if (act_ == Script::Act::kHang) return;
    timer_ = reactor_.add_timer(reactor_.clock().now() + wait, [this] {
      timer_ = 0;
      step();
    });
  }

  void step() {
    if (act_ == Script::Act::kEnd) return end(script_->end());
    bool gone = false;
    gone_ = &gone;
    try {
      const Flow flow = give();
      if (gone) return;
      go_on(flow);
      gone_ = nullptr;
    } catch (...) {  // no memory, or a sink's own: as with any transfer, that is its end
      if (gone) return;
      gone_ = nullptr;
      TransferError error;
      error.kind = TransferError::Kind::kInternal;
      end(error);
    }
  }

  void go_on(Flow flow) {
    if (flow == Flow::kCancel) {
      sink_ = nullptr;
      return script_->over(true);
    }
    if (flow == Flow::kPause) {
      script_->paused();
      waiting_ = !resumed_;
    }
    if (!waiting_) schedule();
  }

  void end(const TransferError& error) {
    script_->over(false);
    std::exchange(sink_, nullptr)->on_end(error);  // the last thing: it may destroy this
  }

  Flow give() {
    if (act_ == Script::Act::kBody) {
      resumed_ = false;
      return sink_->on_body(script_->body());
    }
    sink_->on_head(script_->head());
    return Flow::kContinue;
  }

  Reactor& reactor_;
  std::unique_ptr<Script> script_;
  TransferSink* sink_;  // null: it is over
  Script::Act act_ = Script::Act::kHang;
  Reactor::TimerId timer_ = 0;
  bool* gone_ = nullptr;  // set while the sink is called
  bool waiting_ = false;
  bool resumed_ = false;
};

}  // namespace

std::unique_ptr<Transfer> play(Reactor& reactor, std::unique_ptr<Script> script, TransferSink& sink) {
  return std::make_unique<Playback>(reactor, std::move(script), sink);
}

}  // namespace llmrouter::net
