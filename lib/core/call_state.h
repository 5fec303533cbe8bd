// The life of one call: candidates, attempts, the commit point, settlement. Lives on one reactor's thread.
//
//   start -> admit (key, parameters, limits) -> candidates -> attempt -> reply
//                                                  ^            |
//                                                  +-- failure -+   (until the commit point, the last attempt or the deadline; behind the commit
//                                                                    point only where another target goes on from what was told)
//
// Files: call.cc (its start and its end), admit.cc (who may), turns.cc (who is asked next), attempt.cc (one upstream exchange), encode.cc (what it sends),
// receive.cc (what comes back), judge.cc (what it says of health), hedge.cc (two attempts at once), wait.cc (for a limit), go_on.cc (an answer that broke off),
// task.cc (operations other than chat), reply.cc (what the caller hears), settle.cc (money and records).
#ifndef LLMROUTER_CORE_CALL_STATE_H_
#define LLMROUTER_CORE_CALL_STATE_H_

#include <memory>
#include <string>
#include <vector>

#include "core/held_event.h"
#include "core/resolve.h"
#include "core/router_impl.h"
#include "core/second_value.h"
#include "core/steps.h"
#include "core/told.h"

namespace llmrouter {

// Is it unknown how long the answer was? What was reserved for it is kept then.
inline bool is_guess(const TokenUsage& usage) noexcept { return usage.estimated && !usage.output_counted; }

struct Call::State final {
  State(Router::Impl& router, Transport& transport, CallOptions options);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void begin_raw(RawRequest request, ReplySink& sink);
  void begin_neutral(ChatRequest request, bool stream, StreamSink& sink);
  void begin_task(TaskRequest request, StreamSink& sink);
  void resume();
  void cancel();
  void end(Error why);
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

  static constexpr size_t kNone = core::kNobody;

  // One upstream exchange, or several when its inputs go in parts.
  struct Attempt final : public TransferSink, public UpstreamSink {
    explicit Attempt(State& state) : call(state) {}
    void on_head(const HttpHead& h) override { entered().on_head(h); }
    Flow on_body(std::string_view bytes) override { return entered().on_body(bytes); }
    void on_end(const TransferError& error) override { entered().on_end(error); }
    Flow on_frame(std::string_view bytes, FrameKind kind) override { return call.on_frame(bytes, kind); }
    Flow on_event(const StreamEvent& event) override { return call.on_event(event); }
    void on_usage(const TokenUsage& u) override { usage = u; }
    void on_payload(size_t bytes) override { payload_bytes += static_cast<int64_t>(bytes); }
    void on_finish(FinishReason reason) override { filtered = filtered || reason == FinishReason::kContentFilter; }
    void on_error(Error error) override {
      if (!stream_error) stream_error = std::make_unique<Error>(std::move(error));
    }
    // What the codec reads may lie in the transfer: one that is let go from inside of feed() stands until that has returned.
    void feed(std::string_view bytes);
    void let_go() noexcept {
      if (feeding && transfer) leaving = std::move(transfer);
      transfer.reset();
    }
    State& entered() noexcept {
      call.at_ = this;
      return call;
    }

    State& call;
    size_t current = 0;                  // its candidate, or the one that is looked at
    size_t asked = 0;                    // the candidate that it was last sent to: what headers and records name
    int number = 0;                      // which attempt of the call it is
    std::unique_ptr<Transfer> transfer;
    std::unique_ptr<Transfer> leaving;   // let go while the codec is fed
    bool feeding = false;
    bool hedge = false;                  // sent beside another
    std::unique_ptr<UpstreamCodec> upstream;
    EncodedRequest encoded;
    std::vector<BodyEdit> edits;
    std::vector<std::unique_ptr<Filter>> filters;
    Reservation reservation;
    int64_t reserved_tokens = 0;
    const core::ProviderRuntime* provider = nullptr;
    int credential = -1;
    bool though_resting = false;         // the credential rests, and nobody else was left
    bool relay = false;
    bool collecting = false;             // a whole answer or an error body
    core::SecondValue second_value;      // of what is collected where a stream was asked for
    HttpHead head;                       // of an error reply
    std::string collected;
    TimePoint began{};
    TimePoint exchange_began{};
    int64_t exchanges = 0;               // requests of this attempt: inputs may go in several
    std::unique_ptr<TaskRequest> part;   // what the exchange in flight asks for, when that is not all
    TimePoint last_bytes{};
    bool in_flight = false;
    bool unreached = false;              // nothing came back and the connection is at fault
    bool probe = false, key_probe = false;  // it decides whether its target, its credential is back
    bool payload_seen = false;
    bool in_thought = false;               // what it said last, before the filters of the attempt had it, was a thought
    bool done_seen = false;              // its last word came, at done_at
    TimePoint done_at{};
    bool filtered = false;               // relay: a content filter ended it
    bool refused = false;                // a content filter ended it in silence, and somebody else may be asked
    bool watching_first = false;         // what the watch timer was set for
    bool paused = false;
    int status = 0;
    Reactor::TimerId watch_timer = 0;
    std::unique_ptr<Error> stream_error; // found while feeding; handled after
    std::string reply_type;              // the upstream's content type, where it is kept
    std::string held_bytes;              // relay: the prelude
    std::vector<HeldEvent> held_events;  // translate: the prelude
    TokenUsage usage;
    int64_t payload_frames = 0;
    int64_t payload_bytes = 0;
    size_t call_bytes = 0;               // of the arguments of its calls, streamed
    TimePoint first_token{};
  };

  // call.cc
  void begin();
  void later(Duration delay, void (State::*step)());  // one pending step at a time
  void later_at(TimePoint when, void (State::*step)());
  void fail(Error error);                // now, or later while still inside start()
  void fail_pending();
  void arm_total();
  void on_total_timeout();

  // admit.cc
  Result<void> admit();
  Result<RequestFacts> scan() { return source_ ? client_->scan_source(*source_) : client_->scan(body_); }
  Result<void> read_members();
  Result<void> check_params();
  Error refuse_param(std::string_view neutral, std::string_view words);
  Result<void> direct();
  const ChatRequest* decoded();          // the request in its neutral form; null: it cannot be read
  Result<void> reserve();
  Result<void> reserve_elsewhere(core::CallBuckets buckets, const Denial& denial);
  void come_back();
  bool reserve_again();
  int64_t expected_output() const noexcept;
  Error refusal(const Denial& denial) const;

  // turns.cc
  Result<void> place();
  core::Ask asking() const;
  core::Ask ask();                       // the same with a fresh seed
  core::Ask ask_later();                 // for fallbacks, one of which may hash what the model itself had no need of
  void next_attempt();
  void retry_current();
  size_t choose();                       // the next candidate that was not tried; kNone: no more
  size_t again(Duration* wait) const;    // the candidate to try once more; kNone: none is worth it
  bool fall_back_for(ErrorCode fault);   // to the model's own list for this kind of refusal
  bool content_goes_on() const;          // would it, now, for what a content filter refuses?
  void handle_failure(Error error);
  void limited(size_t candidate, int credential, Duration wait);  // a limit stands in the way for so long; 0: nobody knows
  int most_attempts() const noexcept;
  void ask_who_kept_it(Error error);
  Error final_error() const;
  Error main_error() const;
  Error joined_refusals() const;

  // attempt.cc
  bool start_attempt(size_t index);      // false: not possible, the candidate is out or limited
  void send_exchange();
  bool pick_credential(core::Candidate& candidate);  // and reserves; false: none may be used now
  Error resting_key(size_t key, const core::KeyRest& rest);
  bool knows_nothing(const core::CredentialRuntime& credential) const noexcept;
  uint64_t without(const core::Candidate& candidate) const noexcept;  // bits of keys that this call does not use
  bool reserve_attempt(const core::CredentialRuntime* credential, Denial* denial);
  void skip(core::Candidate& candidate, Error error);
  bool awaits_first() const noexcept;    // the first-token limit is the one that runs, not the idle one
  void arm_watch();
  void on_watch();
  TimePoint attempt_ends() const noexcept;
  void stall(std::string_view which, Duration limit);
  // learn: it says something of the target; detail: Error::detail.
  void end_attempt(std::string_view outcome, std::string_view reason, bool learn = true, std::string_view detail = {});
  void attempt_failed(Error error, std::string_view outcome);
  static bool is_targets_fault(ErrorCode code) noexcept;

  // encode.cc
  Result<void> decode_chat();            // once
  Result<void> encode_attempt(const core::Candidate& candidate);
  Result<void> encode_either_way(const core::Candidate& candidate);
  bool passes(const core::ProviderRuntime& provider) const;
  Error in_clients_words(Error error);
  void name_dropped();
  void add_forwarded_headers();

  // receive.cc
  void on_head(const HttpHead& head);
  Flow on_body(std::string_view bytes);
  void on_end(const TransferError& error);
  bool is_misnamed(std::string_view bytes);  // a stream under the name of a whole answer
  void after_feed();
  void finish_whole();
  void finish_error_reply();
  void finish_pieces();
  void finish_early();
  void finish_stream();
  void end_stream(bool told);            // told: the caller knows the counts
  bool in_pieces() const noexcept { return facts_.stream || facts_.opaque; }  // a good answer passes as it comes

  // judge.cc
  bool passed_over(core::Candidate& candidate);
  void let_probes_go();
  bool may_retry();
  void judge(const Error& error);

  // hedge.cc
  Attempt* other_in_flight() noexcept;   // beside at_; null: none
  void arm_hedge();
  void on_hedge();
  void lead_is(Attempt* attempt);
  void win();
  void drop_other(std::string_view why);
  void account_hedge(bool answered, int64_t cost);
  int64_t cost_at(const core::Candidate& c, const TokenUsage& usage) const;

  // wait.cc
  void blocked_by(std::string_view id, TimePoint until);
  void blocked_by(const Denial& denial);
  std::string limit_of_attempt() const;
  bool must_queue(std::string_view id) const;
  bool wait_for_limit();
  void waited_enough();
  void have_turn();
  void leave_room();
  void pass_turn_on(const std::vector<uint64_t>* but = nullptr);
  void wake_waiting(const core::Candidate& candidate, int credential);

  // go_on.cc
  void remember();                       // at the commit point: what is told from here on
  bool is_beginning(const Error& error); // may what was told go on, after this failure?
  Prefill prefill_of(const core::Candidate& candidate) const;
  bool spent_all_tokens();
  TokenUsage usage_of_all() const noexcept;  // of the attempts whose words make up the answer
  Result<void> add_beginning(ChatRequest& request);
  void begin_joint();
  void join(const StreamEvent& event);
  void flush_joint();
  bool hand_over();
  void take_up();
  void end_by_length();
  void break_off(Error error);

  // task.cc
  Result<RequestFacts> task_facts() const;
  int64_t charged_input() const noexcept;
  std::unique_ptr<UpstreamCodec> task_upstream(std::string_view model, const Dialect** spoken);
  Result<void> prepare_task(EncodeInput& input);
  void finish_task();
  Result<void> join(TaskResponse&& response);
  void send_next_part();
  bool nobody_counts() const noexcept;
  void deliver_estimate();
  void deliver_task();

  // remote_media.cc
  struct RemotePart {
    Part* part;
    std::string where;
  };
  Result<std::vector<RemotePart>> remote_parts(const core::Candidate& candidate);
  bool fetch_media(size_t index);
  void take_media(const RemotePart& part, Result<FetchedMedia> media);
  void media_over();
  bool wants_inlined(const core::Candidate& candidate) const;

  // filtering.cc
  Result<void> make_filters(const core::Candidate& candidate);
  Result<const FilterFactory*> filter_of_key(const std::string& name) const;
  Result<void> pass_unfiltered(const core::Candidate& candidate) const;
  void pass_event(const StreamEvent& event, size_t filter);  // through the filters from this one on
  Flow take_event(const StreamEvent& event);                 // what came through all of them
  Flow refused_by_filter();
  static Error filtered();               // what that is called

  // reply.cc
  Flow on_frame(std::string_view bytes, FrameKind kind);
  Flow on_event(const StreamEvent& event);
  void commit();
  void deliver_event(const StreamEvent& event);
  void deliver_frames(std::string_view frames, bool visible);
  void deliver_bytes(std::string_view bytes);
  void deliver_whole(std::string&& body);
  void deliver_response(ChatResponse&& response);
  void response_as_stream(const ChatResponse& response);
  void deliver_error(const Error& error);
  ReplyHead make_head(int status, bool stream, int64_t length);
  void add_limit_headers(std::vector<ReplyHeader>& headers);
  void cancel_timers();
  void end_call(Error error, CallStatus status, bool complete);

  // settle.cc
  void settle(CallStatus status, const Error& error);
  bool is_billed(std::string_view outcome) const noexcept;
  void complete_usage();
  int64_t price_usage();
  int64_t charge_attempt(std::string_view outcome);
  void warn_of_budgets(int64_t spent_now);
  void warn_of_no_price(const core::Candidate& c);
  void fill_record(CallStatus status, const Error& error);

  TimePoint now() const noexcept { return router_.clock().now(); }
  // The deadline is what the caller asked for, and not the configuration's.
  bool callers_deadline() const noexcept { return options_.timeout > Duration(0) && deadline_ - began_ == options_.timeout; }

  Router::Impl& router_;
  Transport& transport_;
  Reactor& reactor_;
  CallOptions options_;
  std::shared_ptr<const core::Snapshot> snap_;
  std::shared_ptr<const KeyRecord> key_;
  const core::UserRuntime* user_ = nullptr;  // whose key it is, if he has limits

  bool admitted_ = false;                // the caller is known, or may be unknown: strangers do not fill the usage store

  // The caller's side.
  ReplySink* raw_sink_ = nullptr;        // one of the two
  StreamSink* neutral_sink_ = nullptr;
  std::string body_;
  std::shared_ptr<const BodySource> source_;  // not null: the body, in place of `body_`
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
  std::vector<std::string> ignored_;  // x-llmrouter-* headers that nobody knows: dropped, whoever answers
  core::TurnOrder order_;
  uint64_t affinity_ = 0;                // a hash of what belongs together; 0: nothing does
  uint64_t session_ = 0;                 // the same with the route, in the affinity table; 0: not kept there
  uint64_t home_ = 0;                    // the target that served it before, if that may be asked now
  bool free_retry_ = false;              // the next attempt is another question, not the same one again
  bool out_of_retries_ = false;          // by the process's budget
  std::vector<const core::CredentialRuntime*> know_nothing_;  // of what the request goes on from: they said so
  int unserved_ = 0;                     // attempts that ended so, and are not counted as tries
  // Null, as most of them stay: a call of which nothing goes wrong, as streams live for minutes, has no room for errors.
  std::unique_ptr<Error> last_error_;
  std::unique_ptr<Error> skip_error_;    // why a candidate was not asked at all; the answer when none was
  // The limits that stood in the way, and until when.
  static constexpr int kNotAsked = -2;   // in place of a credential: for none of the candidate's there was room
  struct Limited {
    size_t candidate;
    int credential;
    TimePoint until;
  };
  std::vector<Limited> limited_;
  struct Refusal {
    std::string model;
    Error error;
  };
  std::vector<Refusal> refusals_;        // candidates that have no word for what the request means
  TimePoint deadline_{};

  // Waiting for a limit.
  std::shared_ptr<core::WaitingRoom::Ticket> ticket_;  // null: it does not wait
  std::vector<uint64_t> blocked_by_;     // limits that stood in the way since it last tried
  TimePoint blocked_until_ = TimePoint::max();
  TimePoint wait_until_{};               // zero: it has not waited yet
  std::vector<uint64_t> turn_limits_;
  bool has_turn_ = false;                // it was woken, and goes before those that wait
  bool owes_reservation_ = false;        // the model's limit refused it so far
  std::unique_ptr<Denial> full_;         // not null: the model's limit had no room, and its fallbacks are asked

  // The attempts. One at a time, or two while nothing has been passed on yet (hedge.cc). What is said of an attempt below and in the functions is said
  // of the one that `at_` points to: every entry from outside sets it.
  Attempt first_{*this};
  std::unique_ptr<Attempt> second_;      // made when it is first needed
  Attempt* at_ = &first_;
  int attempts_ = 0;
  core::HedgeAccount hedging_;
  size_t hedge_beside_ = 0;  // the candidate that the hedge stands beside
  bool hedged_ = false;
  Demand spent_;                         // by all attempts that have ended

  // What was behind URLs in the request.
  std::vector<std::unique_ptr<Transfer>> media_;  // on their way
  size_t media_left_ = 0, media_bytes_ = 0;
  std::unique_ptr<Error> media_error_;   // the first
  std::vector<Part> inlined_;            // as they were before

  // The answer.
  std::unique_ptr<TaskResponse> joined_; // of the exchanges so far
  size_t joined_for_ = kNone;            // the candidate that gave them
  std::string out_;                      // translate: encoded bytes on their way
  bool committed_ = false;
  Flow flow_ = Flow::kContinue;

  // An answer that broke off. The parts of it that the caller has heard are of all attempts since the commit point.
  std::unique_ptr<core::Told> told_;     // null: nobody goes on from it
  std::unique_ptr<core::Joint> joint_;   // of the attempt that goes on; null: there is none
  bool taken_up_ = false;                // and the caller has heard of it
  bool in_frames_ = false;               // what was told since the client's codec last spoke went as it came
  std::unique_ptr<Error> cut_error_;     // why it broke off
  size_t cut_at_ = kNone;                // the candidate that spoke last
  std::optional<int64_t> most_tokens_;   // of all of it
  bool at_cap_ = false;                  // somebody was passed over who allows no more than was told
  std::string gone_on_from_;             // all of those, for the record
  TokenUsage before_;                    // of the attempts since the commit point, but for the last
  TimePoint heard_{};                    // when the first of them said something

  // Settlement.
  Reservation reservation_;
  Demand reserved_;
  Demand charged_;                       // what the reservation was settled with
  bool kept_ = false;                    // that is more than was spent
  bool gave_up_ = false;                 // the caller, by the time it set
  bool settled_ = false;
  UsageRecord record_;
  TimePoint began_{};
  TimePoint sent_{};                     // when the first attempt went out
  std::optional<PriceRow> price_;

  Reactor::TimerId step_timer_ = 0;
  Reactor::TimerId total_timer_ = 0;
  Reactor::TimerId hedge_timer_ = 0;
  std::unique_ptr<Error> pending_failure_;
  void (State::*step_)() = nullptr;
  bool starting_ = true;                 // inside start() or relay(): nothing may fire
  int depth_ = 0;
  bool ended_ = false;
  bool orphan_ = false;
};

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_CALL_STATE_H_
