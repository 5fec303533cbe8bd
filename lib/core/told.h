// What a caller has heard of an answer, kept while another target could go on from it (routing.continue_on: cut).
#ifndef LLMROUTER_CORE_TOLD_H_
#define LLMROUTER_CORE_TOLD_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/held_event.h"
#include "llmrouter/codec.h"

namespace llmrouter::core {

// Of one stream, on its thread. An answer is text, and thoughts before it or between; with anything else in it, with more than kMost bytes, or once it
// has finished, nobody goes on from it and nothing is kept.
class Told final : private UpstreamSink {
 public:
  static constexpr size_t kMost = 256 * 1024;

  // The answer is relayed: `ear` reads its frames, which are of the ear's dialect. Null: it comes as events.
  void listen(std::unique_ptr<UpstreamCodec> ear) { ear_ = std::move(ear); }
  // `visible`: they show the caller something. What the ear cannot say (a tool that the provider runs itself, what is invented tomorrow) closes it.
  void frames(std::string_view bytes, bool visible);
  void event(const StreamEvent& event);
  void close();  // nobody goes on

  // Something was said that an answer can go on from.
  bool is_beginning() const noexcept { return open_ && said_text_ && !in_thought_; }
  std::string text() const;
  // All of it, in order, texts that follow each other joined. Views of this object.
  std::vector<StreamEvent> events() const;
  // The relayed frames that had neither text nor thoughts, and the last that had text, in order.
  std::string frame() const;

 private:
  Flow on_frame(std::string_view, FrameKind) override { return Flow::kContinue; }
  Flow on_event(const StreamEvent& e) override {
    event(e);
    return Flow::kContinue;
  }
  void on_usage(const TokenUsage&) override {}
  void on_finish(FinishReason) override {}
  void on_error(Error) override { close(); }
  void keep(const StreamEvent& event);

  std::unique_ptr<UpstreamCodec> ear_;
  std::vector<HeldEvent> events_;
  std::string frame_;        // what stands around texts and thoughts
  std::string last_text_;    // the last frame with text
  size_t text_at_ = 0;       // where it stood in frame_
  size_t bytes_ = 0;
  bool open_ = true, said_text_ = false, in_thought_ = false;
  bool heard_text_ = false, heard_thought_ = false, heard_any_ = false;  // in the frames that are read
};

// How the words of the target that goes on follow those that were told.
class Joint {
 public:
  // `told`: not empty. What is sent of it is beginning(): no blank stands at its end, since models go on badly behind one, and some vendors refuse it.
  explicit Joint(std::string told, bool repeats);
  const std::string& beginning() const noexcept { return beginning_; }
  // The next words of the new answer, without those the caller has heard: the beginning, where the target repeats it, and the blanks that stood behind
  // it, as far as the new words begin with them. Valid until the next call.
  std::string_view next(std::string_view words);
  // At the end of the new words: what was held since it looked like the beginning.
  std::string_view rest();

 private:
  std::string beginning_, blanks_, mended_;
  bool repeats_;
  size_t repeated_ = 0, eaten_ = 0;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_TOLD_H_
