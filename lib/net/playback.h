// Transfers without a network: a script says what comes and when, a playback does it on the reactor's clock.
#ifndef LLMROUTER_NET_PLAYBACK_H_
#define LLMROUTER_NET_PLAYBACK_H_

#include <memory>
#include <string_view>

#include "llmrouter/transport.h"

namespace llmrouter::net {

// Asked from the reactor's thread, one step after the other.
class Script {
 public:
  enum class Act {
    kHead,
    kBody,
    kEnd,   // the last one
    kHang,  // nothing more, ever
  };
  virtual ~Script() = default;
  // What comes next, and how long after the step before (or the start). Asked once for each step.
  virtual Act next(Duration& wait) = 0;
  virtual const HttpHead& head() = 0;
  virtual std::string_view body() = 0;  // valid until the next call of next()
  virtual TransferError end() = 0;
  // For who keeps count.
  virtual void paused() {}
  virtual void over(bool cancelled) { static_cast<void>(cancelled); }  // once, before on_end or at kCancel; never when it is destroyed before
};

// One step for each drive() at most; pauses are kept. The first comes in a later drive().
std::unique_ptr<Transfer> play(Reactor& reactor, std::unique_ptr<Script> script, TransferSink& sink);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_PLAYBACK_H_
