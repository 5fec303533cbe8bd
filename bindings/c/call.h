// One call: prepared by its handle, then on a loop, then ended.
#ifndef LLMROUTER_BINDINGS_C_CALL_H_
#define LLMROUTER_BINDINGS_C_CALL_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core.h"
#include "handles.h"
#include "sse_data.h"

namespace llmrouter::c {

// What a call tells its user. `on_end` is null for calls that are run.
struct Callbacks {
  llmrouter_on_data on_data = nullptr;
  llmrouter_on_end on_end = nullptr;
  UserData user;
};

// What the rules make of a call.
struct Trial {
  std::optional<RuleState> rule;
  Result<Plan> plan;
};

// Lives as long as its handle or its flight, whichever is longer. Everything without a note belongs to the thread that prepares it, then to its
// loop's.
class CallState final : public std::enable_shared_from_this<CallState>, private ReplySink, private StreamSink {
 public:
  CallState(std::shared_ptr<Core> core, std::string body) : core_(std::move(core)), body_(std::move(body)) {}

  // Before begin().
  CallOptions options;
  int mode = LLMROUTER_WHOLE;
  Result<Plan> explain() const;
  // For the key with this id or name; empty: for whose the call is.
  Result<Trial> try_rules(std::string_view key) const;

  // Whether its model's name is known; true where it names none, or is not to be read.
  bool leads_somewhere() const;

  // Takes the callbacks; kConflict when the call was begun before.
  Result<void> begin(Callbacks callbacks);
  // Undoes begin() for a call that came onto no loop: its user is let go.
  void abandon() noexcept { callbacks_ = {}; }
  Core& core() noexcept { return *core_; }
  bool begun() const noexcept { return begun_.load(); }
  bool cancel_wanted() const noexcept { return cancel_wanted_.load(); }

  // Any thread.
  // From here on the loop hears what is told. `started`: the first that it hears launches the call; else who runs it does.
  void board(Loop& loop, bool started) noexcept;
  void cancel() noexcept;
  void pause() noexcept { pause_wanted_.store(true); }
  void resume() noexcept;

  // The loop's thread.
  void launch() noexcept;
  void hear() noexcept;
  void fail(const Error* error) noexcept;  // null: out of memory
  bool ended() const noexcept { return ended_; }
  std::unique_ptr<llmrouter_result> take_result() noexcept { return std::move(result_); }

 private:
  friend class Loop;

  Result<std::shared_ptr<const KeyRecord>> key_named(std::string_view key) const;
  void dispatch();
  Flow give(std::string_view data) noexcept;
  Flow broke() noexcept;
  void end(const Error* error, const CallResult* result) noexcept;
  void write_result(const Error* error, const CallResult* result) noexcept;

  void on_head(const ReplyHead& head) override;
  Flow on_bytes(std::string_view bytes) override;
  Flow on_whole(std::string&& body) override;
  Flow on_event(const StreamEvent& event) override;
  void on_end(const CallResult& result) override;

  const std::shared_ptr<Core> core_;
  std::string body_;
  Callbacks callbacks_;
  std::unique_ptr<llmrouter_result> result_;
  SseData frames_;
  Call call_;
  bool streaming_ = false;   // what comes are chunks
  bool no_memory_ = false;   // a piece was lost; the call ends with that
  bool started_ = false;
  bool launched_ = false;
  bool ended_ = false;
  std::shared_ptr<CallState> flight_;  // itself, while it is active
  Loop* home_ = nullptr;

  std::atomic<bool> begun_{false};
  std::atomic<bool> pause_wanted_{false};
  std::atomic<bool> resume_wanted_{false};
  std::atomic<bool> cancel_wanted_{false};

  std::mutex mutex_;
  Loop* loop_ = nullptr;  // mutex_: where to tell; null before board() and after the end

  // Loop's: its stack of told calls, and its list of active ones.
  std::atomic<bool> told_{false};
  std::shared_ptr<CallState> told_self_;
  CallState* told_next_ = nullptr;
  CallState* active_prev_ = nullptr;
  CallState* active_next_ = nullptr;
};

}  // namespace llmrouter::c

struct llmrouter_call {
  std::shared_ptr<llmrouter::c::CallState> state;
};

#endif  // LLMROUTER_BINDINGS_C_CALL_H_
