// Google's answers as events: each GenerateContentResponse is a step of one answer, and a whole answer is a single step.
#ifndef LLMROUTER_DIALECTS_GEMINI_EVENTS_H_
#define LLMROUTER_DIALECTS_GEMINI_EVENTS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/gemini_args.h"
#include "dialects/ids.h"
#include "dialects/usage.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::gemini {

// What a response says to a relay: enough for metering and for the point from which nobody else can take over.
struct Look {
  bool visible = false;
  bool calls = false;
  size_t said = 0;                            // bytes of texts, thoughts and calls
  uint64_t seen = 0, ended = 0;               // a bit for each candidate by its index; a blocked prompt ends the first
  FinishReason finish = FinishReason::kNone;  // of the first candidate that ended
  TokenUsage usage;                           // known: it counted; estimated: but not what is visible
  std::string model;
};
Look look_at(wire::JsonValue response);

// Not thread-safe. Memory is bounded: kMaxChoices choices, ToolAssembler::kMaxCalls calls, PartialArgs::kMaxBytes of a call, kMaxText of text.
//
// What no event stands for travels as kOther, in Google's words, and only when the reader of the events is not `foreign`: {"parts":[..]} for parts
// without a kind here, {"promptFeedback":..}, else the candidate's own members. Foreign readers get code as text, pictures as
// {"images":[{"type":"image_url",..}]} and a sentence for other media.
class EventReader {
 public:
  static constexpr int64_t kMaxChoices = 128;
  static constexpr size_t kMaxText = 256 * 1024;  // of an answer's text, kept to place citations in it

  void configure(bool foreign, std::string_view key) {
    foreign_ = foreign;
    key_ = key;
  }
  // One response. False: it was an error, which the sink has heard, or the sink has had enough.
  bool step(wire::JsonValue response, UpstreamSink& sink);
  // Did everything that began come to its end?
  bool finished() const noexcept;
  // Behind the last step, when finished(): tells the ends. Not before, since a finishReason may stand in more chunks than the last.
  void close(UpstreamSink& sink);

 private:
  struct ChoiceState {
    int64_t index = 0;
    bool finished = false, called = false, spoke = false;
    FinishReason reason = FinishReason::kNone;  // finished: the last that was said
    std::string word, message;                  // Google's
    int64_t next_call = 0;
    bool partial = false;       // a call whose arguments still come
    PartialArgs args;
    std::string whole_args;     // given at once all the same
    std::string text;           // as long as it is not longer than kMaxText
    std::string grounding;      // the last that held something
  };
  struct Candidate {
    wire::JsonValue index, content, finish, finish_message, logprobs, grounding;
    RawMembers others;
  };

  ChoiceState* choice_at(int64_t index, UpstreamSink& sink);
  Candidate read_candidate(wire::JsonValue value) const;
  void start(wire::JsonValue model, wire::JsonValue id, wire::JsonValue created, UpstreamSink& sink);
  void candidate(wire::JsonValue value, int64_t position, UpstreamSink& sink);
  void part(wire::JsonValue value, ChoiceState& choice, UpstreamSink& sink);
  void text_part(wire::JsonValue text, bool thought, std::string_view signature, ChoiceState& choice, UpstreamSink& sink);
  void code_part(std::string_view key, wire::JsonValue code, wire::JsonValue part, ChoiceState& choice, UpstreamSink& sink);
  void media_part(wire::JsonValue part, ChoiceState& choice, UpstreamSink& sink);
  void other_part(wire::JsonValue part, ChoiceState& choice, UpstreamSink& sink);
  void call_part(wire::JsonValue call, std::string_view signature, ChoiceState& choice, UpstreamSink& sink);
  void begin_call(std::string name, std::string id, std::string_view arguments, std::string_view signature, ChoiceState& choice, UpstreamSink& sink);
  void end_partial(ChoiceState& choice, UpstreamSink& sink);
  void end(ChoiceState& choice, wire::JsonValue finish, wire::JsonValue message, UpstreamSink& sink);
  void close(ChoiceState& choice, UpstreamSink& sink);
  void blocked(wire::JsonValue feedback, UpstreamSink& sink);
  void tell(const StreamEvent& event, UpstreamSink& sink);
  void tell_raw(StreamEvent::Kind kind, const ChoiceState& choice, std::string_view raw, UpstreamSink& sink);
  void tell_text(StreamEvent::Kind kind, const ChoiceState& choice, std::string_view text, UpstreamSink& sink);
  void fail(Error error, UpstreamSink& sink);

  bool foreign_ = false;
  std::string_view key_;  // the credential in use, to be kept out of errors
  bool started_ = false, dead_ = false;
  std::vector<ChoiceState> choices_;
  std::set<std::string> call_ids_;
  IdSource ids_;
  void spoke(ChoiceState& choice) noexcept {
    choice.spoke = true;
    counts_.spoke();
  }
  StreamCounts counts_;
};

// Gathers events into a whole answer.
class Collector final : public UpstreamSink {
 public:
  Flow on_frame(std::string_view, FrameKind) override { return Flow::kContinue; }
  Flow on_event(const StreamEvent& event) override;
  void on_usage(const TokenUsage&) override {}
  void on_finish(FinishReason) override {}
  void on_error(Error error) override { if (!error_) error_ = std::move(error); }

  // Once.
  Result<ChatResponse> take();

 private:
  Choice& choice_at(int64_t index);
  void other(const StreamEvent& event);
  void words(Part::Kind kind, const StreamEvent& event);

  ChatResponse response_;
  std::optional<Error> error_;
};

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_EVENTS_H_
