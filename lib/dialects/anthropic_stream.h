// Reads a streamed answer: passes its frames and looks at them (relay), or takes it apart (translate).
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_STREAM_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_STREAM_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/ids.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

namespace llmrouter::dialects::anthropic {

class StreamReader {
 public:
  // Before the first feed(). `key`: what must not show in errors; must outlive the reader. `answer_tool` as in Written.
  void start(bool relay, std::string_view key, std::string answer_tool) {
    relay_ = relay;
    key_ = key;
    answer_tool_ = std::move(answer_tool);
  }
  void feed(std::string_view bytes, UpstreamSink& sink);
  void finish(UpstreamSink& sink);

 private:
  static constexpr size_t kMaxBlocks = 1024;             // open at once, and calls in one answer
  static constexpr size_t kMaxCitations = 1024 * 1024;   // bytes held of one block
  static constexpr size_t kMaxWhole = 16 * 1024 * 1024;

  // What the body turned out to be, by its first byte.
  enum class Shape { kUnknown, kEvents, kWhole };

  struct Block {
    enum class Kind { kText, kThinking, kCall, kAnswer, kOther } kind = Kind::kOther;
    bool is_call() const noexcept { return kind == Kind::kCall || kind == Kind::kAnswer; }
    int64_t index = 0;
    int64_t call = 0;              // kCall: which
    bool has_input = false;        // kCall, kAnswer: a piece of it was told
    std::string input;             // what stood in the block's start; counts when no piece came
    int64_t begin = 0;             // kText: characters before it
    std::vector<std::string> citations;
    size_t citation_bytes = 0;
  };

  void drain(UpstreamSink& sink);
  void frame(const wire::SseFrame& frame, UpstreamSink& sink);
  FrameKind look(wire::JsonValue root, wire::JsonValue type, UpstreamSink& sink);
  void translate(wire::JsonValue root, wire::JsonValue type, UpstreamSink& sink);
  void take_message(wire::JsonValue message, UpstreamSink& sink);
  void stop(UpstreamSink& sink);
  bool is_last() const noexcept;
  void note_caller(wire::JsonValue block) noexcept;
  void take_message_delta(wire::JsonValue root, UpstreamSink& sink);
  void begin_block(wire::JsonValue content, int64_t index, UpstreamSink& sink);
  void begin_call(Block& block, wire::JsonValue content, UpstreamSink& sink);
  void take_delta(wire::JsonValue delta, int64_t index, UpstreamSink& sink);
  void take_input(Block& block, std::string_view piece, UpstreamSink& sink);
  void end_block(int64_t index, UpstreamSink& sink);
  void end_block(Block& block, UpstreamSink& sink);
  void end_answer(UpstreamSink& sink);
  void whole(UpstreamSink& sink);
  Block* block_at(int64_t index) noexcept;
  void tell_start(std::string_view id, std::string_view model, UpstreamSink& sink);
  void tell(const StreamEvent& event, UpstreamSink& sink);
  void tell_text(std::string_view text, UpstreamSink& sink);
  void tell_thought(std::string_view text, std::string_view signature, bool redacted, UpstreamSink& sink);
  void tell_usage(wire::JsonValue usage, bool last, UpstreamSink& sink);
  void pass(const wire::SseFrame& frame, FrameKind kind, UpstreamSink& sink);
  void fail(Error error, UpstreamSink& sink);

  wire::SseParser parser_;
  std::string_view key_;
  std::string answer_tool_;
  bool relay_ = false;
  Shape shape_ = Shape::kUnknown;
  bool dead_ = false;       // an error was told, or nobody listens: nothing more is read
  bool started_ = false;
  bool stopped_ = false;    // message_stop came, and no other message began
  bool finish_told_ = false;
  bool code_calls_ = false;  // calls were made by code that the provider runs
  std::string stop_reason_, service_tier_;
  TokenUsage usage_;
  std::vector<Block> blocks_;  // open ones
  int64_t begun_ = 0;          // one more than the highest index that this message has spoken of
  int64_t calls_ = 0;
  int64_t characters_ = 0;  // of text so far
  std::string whole_;       // a body that is no event stream; the blanks before it is known what it is
  std::string scratch_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_STREAM_H_
