// The life of one call: candidates, attempts, the commit point, settlement. Lives on one reactor's thread.
//
//   start -> admit (key, parameters, limits) -> candidates -> attempt -> reply
//                                                  ^            |
//                                                  +-- failure -+   (until the commit point, the last attempt or the deadline)
//
// Files: call.cc (from start to end), attempt.cc (one upstream exchange), task.cc (operations other than chat), reply.cc (what the caller hears),
// settle.cc (money and records).
#ifndef LLMROUTER_CORE_CALL_STATE_H_
#define LLMROUTER_CORE_CALL_STATE_H_

#include <memory>
#include <string>
#include <vector>

#include "core/resolve.h"
#include "core/router_impl.h"

namespace llmrouter {

// A stream event that owns its text: kept while the answer is not committed.
struct HeldEvent {
  StreamEvent event;
  std::string text, signature, maker, id, name, arguments, model, raw;
  explicit HeldEvent(const StreamEvent& e);
  StreamEvent view() const noexcept;
};

struct Call::State final : public TransferSink, public UpstreamSink {
  State(Router::Impl& router, Transport& transport, CallOptions options);
  ~State() override;
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void begin_raw(RawRequest request, ReplySink& sink);
  void begin_neutral(ChatRequest request, bool stream, StreamSink& sink);
  void begin_task(TaskRequest request, StreamSink& sink);
  void resume();
  void cancel();
  void abandon() noexcept;  // the handle is gone: as cancel, and nobody is told
  bool ended() const noexcept { return ended_; }

  // Every entry from outside holds one. A state whose handle went away meanwhile is deleted by the last.
  class Guard {
   public:
    explicit Guard(State* state) : state_(state) { ++state_->depth_; }
    ~Guard() {
      if (--state_->depth_ == 0 && state_->orphan_) delete state_;
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    State* state_;
  };

  // TransferSink
  void on_head(const HttpHead& head) override;
  Flow on_body(std::string_view bytes) override;
  void on_end(const TransferError& error) override;
  // UpstreamSink
  Flow on_frame(std::string_view bytes, FrameKind kind) override;
  Flow on_event(const StreamEvent& event) override;
  void on_usage(const TokenUsage& usage) override;
  void on_finish(FinishReason reason) override;
  void on_error(Error error) override;

  // call.cc
  void begin();
  Result<void> admit();
  Result<void> read_members();
  Result<void> direct();
  const ChatRequest* decoded();          // the request in its neutral form; null: it cannot be read
  Result<void> place();
  Result<void> check_params();
  Result<void> reserve();
  int64_t expected_output() const noexcept;
  core::Ask asking() const;
  core::Ask ask();                       // the same with a fresh seed
  static Error refusal(const Denial& denial);
  void later(Duration delay, void (State::*step)());  // one pending step at a time
  void fail(Error error);                // now, or later while still inside start()
  void fail_pending();
  void next_attempt();
  void retry_current();
  size_t choose();                       // the next candidate that was not tried; kNone: no more
  size_t again(Duration* wait) const;    // the candidate to try once more; kNone: none is worth it
  bool expand_fallbacks();
  void handle_failure(Error error);
  Error final_error() const;
  void arm_total();
  void on_total_timeout();

  // attempt.cc
  bool start_attempt(size_t index);      // false: not possible, the candidate is out or limited
  void send_exchange();
  bool pick_credential(core::Candidate& candidate);  // and reserves; false: none may be used now
  bool reserve_attempt(const core::CredentialRuntime* credential, Denial* denial);
  Result<void> encode_attempt(const core::Candidate& candidate);
  void add_forwarded_headers();
  void skip(core::Candidate& candidate, Error error);
  bool awaits_first() const noexcept;    // the first-token limit is the one that runs, not the idle one
  void arm_watch();
  void on_watch();
  void after_feed();
  void end_attempt(std::string_view outcome, std::string_view reason, bool learn = true);  // learn: it says something of the target
  void attempt_failed(Error error, std::string_view outcome);
  void rest_credential(const Error& error);
  void stall(std::string_view which, Duration limit);
  void finish_whole();
  void finish_error_reply();
  void finish_stream();
  bool in_pieces() const noexcept { return facts_.stream || facts_.opaque; }  // a good answer passes as it comes

  // task.cc
  Result<RequestFacts> task_facts() const;
  int64_t charged_input() const noexcept;
  std::unique_ptr<UpstreamCodec> task_upstream(const Dialect** spoken);
  Result<void> prepare_task(EncodeInput& input);
  void finish_task();
  Result<void> join(TaskResponse&& response);
  void send_next_part();
  bool nobody_counts() const noexcept;
  void deliver_estimate();
  void deliver_task();

  // filtering.cc
  void make_filters(const core::Candidate& candidate);
  void pass_event(const StreamEvent& event, size_t filter);  // through the filters from this one on
  Flow take_event(const StreamEvent& event);                 // what came through all of them

  // reply.cc
  void commit();
  void deliver_event(const StreamEvent& event);
  void deliver_frames(std::string_view frames);
  void deliver_bytes(std::string_view bytes);
  void deliver_whole(std::string&& body);
  void deliver_response(ChatResponse&& response);
  void response_as_stream(const ChatResponse& response);
  void deliver_error(const Error& error);
  ReplyHead make_head(int status, bool stream, int64_t length);
  void add_limit_headers(std::vector<HttpHeader>& headers);
  void end_call(Error error, CallStatus status, bool complete);

  // settle.cc
  void settle(CallStatus status, const Error& error);
  void estimate_usage();
  int64_t price_usage();
  void warn_of_budget(int64_t spent_now);
  void fill_record(CallStatus status, const Error& error);

  static constexpr size_t kNone = static_cast<size_t>(-1);
  TimePoint now() const noexcept { return router_.clock().now(); }

  Router::Impl& router_;
  Transport& transport_;
  Reactor& reactor_;
  CallOptions options_;
  std::shared_ptr<const core::Snapshot> snap_;
  std::shared_ptr<const KeyRecord> key_;
  bool admitted_ = false;                // the caller is known, or may be unknown: strangers do not fill the usage store

  // The caller's side.
  ReplySink* raw_sink_ = nullptr;        // one of the two
  StreamSink* neutral_sink_ = nullptr;
  std::string body_;
  RequestPath path_;
  const Dialect* client_dialect_ = nullptr;
  std::unique_ptr<ClientCodec> client_;
  RequestFacts facts_;
  std::unique_ptr<ChatRequest> chat_;    // decoded once, when first needed
  Operation operation_ = Operation::kChat;
  std::unique_ptr<TaskRequest> task_;    // as chat_, of other operations
  std::vector<BodyEdit> param_edits_;    // what the key's limits set

  // Routing.
  core::Resolved resolved_;
  std::string asked_;                    // the name that is looked up: the request's, or what stands over it
  core::Direction direction_;            // what stood over what the program asked for
  std::vector<core::Candidate> candidates_;
  RouteRequest wishes_;
  core::Fallbacks fallbacks_;
  uint64_t affinity_ = 0;                // a hash of what belongs together; 0: nothing does
  uint64_t session_ = 0;                 // the same with the route, in the affinity table; 0: not kept there
  uint64_t home_ = 0;                    // the target that served it before, if that may be asked now
  size_t next_ = 0;                      // the first candidate that was not tried
  size_t current_ = 0;
  int attempts_ = 0;
  Error last_error_;
  Error skip_error_;                     // why a candidate was not asked at all; the answer when none was
  TimePoint deadline_{};

  // The attempt in flight.
  std::unique_ptr<Transfer> transfer_;
  std::unique_ptr<UpstreamCodec> upstream_;
  EncodedRequest encoded_;
  std::vector<BodyEdit> edits_;
  std::vector<std::unique_ptr<Filter>> filters_;
  Reservation attempt_reservation_;
  const core::ProviderRuntime* provider_ = nullptr;
  int credential_ = -1;
  bool relay_ = false;
  bool collecting_ = false;              // a whole answer or an error body
  HttpHead head_;                        // of an error reply
  std::string collected_;
  TimePoint attempt_began_{};
  TimePoint exchange_began_{};
  int64_t exchanges_ = 0;                // requests of this attempt: inputs may go in several
  std::unique_ptr<TaskRequest> part_;    // what the exchange in flight asks for, when that is not all
  TimePoint last_bytes_{};
  bool in_attempt_ = false;
  bool payload_seen_ = false;
  bool done_seen_ = false;
  bool watching_first_ = false;          // what the watch timer was set for
  int status_ = 0;
  std::unique_ptr<Error> stream_error_;  // found while feeding; handled after

  // The answer.
  std::string reply_type_;               // the upstream's content type, where it is kept
  TaskResponse joined_;                  // of the exchanges so far
  size_t joined_for_ = kNone;            // the candidate that gave them
  std::string held_bytes_;               // relay: the prelude
  std::vector<HeldEvent> held_events_;   // translate: the prelude
  std::string out_;                      // translate: encoded bytes on their way
  bool committed_ = false;
  TokenUsage usage_;
  int64_t payload_frames_ = 0;
  int64_t payload_bytes_ = 0;
  Flow flow_ = Flow::kContinue;
  bool paused_ = false;

  // Settlement.
  Reservation reservation_;
  Demand reserved_;
  bool settled_ = false;
  UsageRecord record_;
  TimePoint began_{};
  TimePoint sent_{};                     // when the first attempt went out
  TimePoint first_token_{};
  std::optional<PriceRow> price_;

  Reactor::TimerId step_timer_ = 0;
  Reactor::TimerId watch_timer_ = 0;
  Reactor::TimerId total_timer_ = 0;
  std::unique_ptr<Error> pending_failure_;
  void (State::*step_)() = nullptr;
  bool starting_ = true;                 // inside start() or relay(): nothing may fire
  int depth_ = 0;
  bool ended_ = false;
  bool orphan_ = false;
};

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_CALL_STATE_H_
