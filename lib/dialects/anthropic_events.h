// Writes a streamed answer in this dialect's grammar, whatever the upstream's was: message_start first, one content block open at a time and closed
// before the next, indexes without gaps, one message_delta with all counts, message_stop.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_EVENTS_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_EVENTS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "dialects/ids.h"
#include "dialects/text_index.h"
#include "dialects/tool_order.h"
#include "llmrouter/stream.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::anthropic {

class EventWriter final : private ToolOrder::Teller {
 public:
  // `model` is what is said when the upstream does not say; `estimate` the input tokens for message_start, unless the upstream counts them before.
  void start(std::string_view model, int64_t estimate) {
    model_ = model;
    estimate_ = estimate;
  }
  void event(const StreamEvent& event, std::string& out);
  void end(std::string& out);
  // What was told went out as another's events, of which this is one, in order: its block is the one that is open, or was.
  void passed(std::string_view event);

 private:
  enum class Block { kNone, kText, kThinking, kCall };
  static constexpr size_t kMaxSaid = 256 * 1024;

  void call_begin(const ToolCall& call) override;
  void call_arguments(std::string_view piece) override;
  void call_end() override { close(); }
  void say(const StreamEvent& held) override;
  void fail(std::string_view what);

  void open_message();
  void tell_tier(wire::JsonWriter& w);
  void open(Block kind, std::string_view content_block);
  void close();
  void begin_delta();
  void text(std::string_view text);
  void thought(const StreamEvent& event);
  void citation(std::string_view annotation);
  void keep(std::string_view text);
  void redacted(std::string_view data);

  std::string* out_ = nullptr;  // where the call that is going on writes
  std::string id_, model_, service_tier_;
  int64_t estimate_ = 0;
  bool tier_told_ = false;  // service_tier_ was in a frame
  bool started_ = false, finished_ = false, refused_ = false, dead_ = false;
  Block block_ = Block::kNone;
  std::string said_;        // the text's first kMaxSaid bytes: what citations are of
  TextIndex said_index_;    // of `said_`
  bool said_all_ = true;    // nothing is missing from it; else nothing is added any more
  int64_t index_ = -1;  // of the block that is open, or was last
  ToolOrder calls_;
  TokenUsage usage_;
  FinishReason finish_ = FinishReason::kNone;
  std::string finish_raw_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_EVENTS_H_
