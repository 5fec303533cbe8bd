// Reads a streamed answer of an upstream that speaks Responses: passes its frames and looks at them (relay), or takes it apart (translate).
#ifndef LLMROUTER_DIALECTS_RESPONSES_STREAM_H_
#define LLMROUTER_DIALECTS_RESPONSES_STREAM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "dialects/body_shape.h"
#include "dialects/custom_tools.h"
#include "dialects/ids.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

namespace llmrouter::dialects::responses {

// Items are known by their output_index: item_id changes within one item at Azure and Copilot.
class StreamReader {
 public:
  // Before the first feed(). `key`: what must not show in errors; must outlive the reader.
  void start(bool relay, std::string_view key) noexcept {
    relay_ = relay;
    key_ = key;
  }
  void feed(std::string_view bytes, UpstreamSink& sink);
  void finish(UpstreamSink& sink);

 private:
  static constexpr size_t kMaxItems = 4096;  // of an answer, and parts of an item

  struct Item {
    bool call = false, custom = false, begun = false;
    bool done = false;
    bool thought_text = false;   // reasoning_text came: the summary only repeats it
    int64_t tool_index = 0;
    size_t arguments = 0;        // bytes told
    bool whole_arguments = false;  // no piece of them may follow
    bool early = false;          // pieces came before it began: only all of them at once are believed
    InputWriter input;           // of a custom tool
    size_t annotations = 0;      // told
    struct Told {
      size_t bytes = 0;
      bool whole = false;        // no piece of it may follow
    };
    std::map<std::pair<char, int64_t>, Told> told;  // of each part, by what it is and its index
    bool thought = false;        // a text of it was told
    bool signature = false;      // told
  };

  struct Event {
    std::string_view type;  // without "response."; "error" has none
    wire::JsonValue root, output_index, content_index, summary_index, delta, item, text;
  };

  void drain(UpstreamSink& sink);
  void frame(const wire::SseFrame& frame, UpstreamSink& sink);
  void event(const wire::SseFrame& frame, wire::JsonValue root, UpstreamSink& sink);
  FrameKind kind_of(const Event& event) const;
  void translate(const Event& event, UpstreamSink& sink);
  void end(const Event& event, UpstreamSink& sink);
  void failed(const Event& event, UpstreamSink& sink);

  Item* item_at(wire::JsonValue index, UpstreamSink& sink);
  void begin_call(Item& item, wire::JsonValue value, UpstreamSink& sink);
  void arguments(Item& item, std::string_view text, bool whole, UpstreamSink& sink);
  void end_calls(wire::JsonValue output, UpstreamSink& sink);
  static bool says_more(wire::JsonValue event);
  void input(std::string_view text, bool end, Item& item, UpstreamSink& sink);
  void text(Item& item, char what, wire::JsonValue index, std::string_view text, bool whole, UpstreamSink& sink);
  void whole_item(Item& item, wire::JsonValue value, UpstreamSink& sink);
  void whole_message(Item& item, wire::JsonValue content, UpstreamSink& sink);
  void whole_thought(Item& item, wire::JsonValue value, UpstreamSink& sink);
  void annotation(Item& item, wire::JsonValue value, UpstreamSink& sink);
  void tell(StreamEvent& event, UpstreamSink& sink);
  void tell_start(wire::JsonValue response, UpstreamSink& sink);
  void whole(UpstreamSink& sink);
  void pass(const wire::SseFrame& frame, FrameKind kind, UpstreamSink& sink);
  void fail(Error error, UpstreamSink& sink);

  wire::SseParser parser_;
  std::string_view key_;
  bool relay_ = false;
  BodyShape shape_ = BodyShape::kUnknown;
  bool dead_ = false;      // an error was told, or nobody listens: nothing more is read
  bool finished_ = false;  // completed or incomplete came
  bool another_ = false;   // and then another answer began
  bool started_ = false;
  std::string whole_;      // a body that is no event stream; the blanks before it is known what it is
  std::map<int64_t, Item> items_;
  int64_t calls_ = 0;
  std::string scratch_, scratch2_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::responses

#endif  // LLMROUTER_DIALECTS_RESPONSES_STREAM_H_
