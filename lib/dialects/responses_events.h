// Writes an answer in the Responses dialect, event by event, whatever the upstream's grammar was: created and in_progress first; each item added, told
// and done before the next one is added; completed, incomplete or failed last, with all of the answer in it. Sequence numbers have no gap.
#ifndef LLMROUTER_DIALECTS_RESPONSES_EVENTS_H_
#define LLMROUTER_DIALECTS_RESPONSES_EVENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/custom_tools.h"
#include "dialects/held_events.h"
#include "dialects/ids.h"
#include "dialects/json_depth.h"
#include "llmrouter/codec.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::responses {

class EventWriter {
 public:
  // The answer is held until its end, since the last event repeats it; a longer one ends with an error.
  static constexpr size_t kMaxAnswer = 64 * 1024 * 1024;

  // The request, whose members an answer echoes; without it they have their defaults. `body` must outlive the writer.
  void start(std::string_view body, std::vector<MemberSpan> members);
  void event(const StreamEvent& event, std::string& out);
  void end(std::string& out);
  void passed(std::string_view frames);
  // After passed(): what those frames said, and the frames as ClientCodec::take_over() has them. The item and the part of the last text are those that are
  // open; false: they are not any more, or another message stands before them.
  bool go_on(const std::vector<StreamEvent>& told, std::string_view frames);
  void error(const Error& error, std::string& out);
  // A whole answer as one object: what the last event of its stream would hold. On a fresh writer.
  void response(const ChatResponse& response, std::string& out);

 private:
  enum class Open { kNone, kMessage, kThought, kCall };
  struct Call {
    int64_t index = 0;
    std::string id, name, arguments, signature, maker;
  };

  void tell(const StreamEvent& event, std::string& out);
  void frame(std::string_view type, std::string_view members, std::string& out);
  void state_frame(std::string_view type, std::string_view status, const Error* error, std::string& out);
  void write_response(std::string_view status, const Error* error, std::string& out);
  void begin(std::string& out);
  bool is_cut() const noexcept;
  void finish(std::string& out);
  void close(std::string& out);
  void item_done(const std::string& item, std::string& out);
  void append_at(std::string& out) const;  // "output_index":N,"item_id":"..."
  // A frame for each piece of an answer: where it stands, these members, and the piece as `delta`, without an allocation once the buffer has its size.
  void delta_frame(std::string_view type, std::string_view members, std::string_view delta, std::string_view after, std::string& out);
  std::string at() const;       // as append_at
  std::string at_part() const;  // the same and "content_index":N

  void open_message(bool refusal, std::string& out);
  void close_part(std::string& out);
  void close_message(std::string& out);
  void text(bool refusal, std::string_view text, std::string& out);
  void annotation(std::string_view chat, std::string& out);
  void picture(const std::string& url, std::string& out);
  std::string part_json() const;

  void thought(const StreamEvent& event, std::string& out);
  void open_thought(std::string& out);
  void close_thought(std::string& out);

  void begin_call(const StreamEvent& event, std::string& out);
  void call_arguments(int64_t index, std::string_view arguments, std::string& out);
  void tell_call(Call&& call, std::string& out);
  void tell_waiting(bool all, std::string& out);
  void close_call(std::string& out);
  void input_delta(std::string_view input, std::string& out);
  std::string call_json(std::string_view status, bool begun) const;
  bool busy() const noexcept { return open_ == Open::kCall && (!depth_.complete() || !waiting_.empty()); }

  std::string_view echo(std::string_view name, std::string_view otherwise) const;

  std::string_view body_;
  std::vector<MemberSpan> members_;
  std::vector<std::string> custom_;  // names of custom tools

  std::string id_, model_, upstream_id_;
  int64_t created_ = 0;
  int64_t sequence_ = 0;
  bool begun_ = false, dead_ = false, quiet_ = false;
  FinishReason finish_ = FinishReason::kNone;
  std::string finish_raw_;           // the upstream's own word
  bool called_ = false;
  TokenUsage usage_;
  std::string service_tier_;

  std::string delta_;       // the buffer of delta_frame()
  std::string output_;      // items that are done
  size_t held_ = 0;         // bytes of the answer so far
  int64_t output_index_ = 0;
  Open open_ = Open::kNone;
  std::string item_id_;

  // The open message and its open part.
  bool part_open_ = false, refusal_ = false;
  int64_t content_index_ = 0, annotation_index_ = 0;
  std::string parts_, text_, annotations_, logprobs_, next_logprobs_;

  std::string thought_, signature_;  // the open thought; its signature sealed
  bool redacted_ = false;

  Call call_;                        // the open call
  bool custom_call_ = false;         // is it one of a custom tool?
  InputReader input_;                // of its arguments
  JsonDepth depth_;                  // of its arguments
  std::vector<Call> waiting_;        // begun while another was open
  HeldEvents held_events_;           // what was said while a call was open
  IdSource ids_;
};

}  // namespace llmrouter::dialects::responses

#endif  // LLMROUTER_DIALECTS_RESPONSES_EVENTS_H_
