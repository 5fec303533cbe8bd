// Reads a streamed answer of an OpenAI-compatible upstream: passes its frames and looks at them (relay), or takes it apart (translate).
#ifndef LLMROUTER_DIALECTS_OPENAI_STREAM_H_
#define LLMROUTER_DIALECTS_OPENAI_STREAM_H_

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/body_shape.h"
#include "dialects/ids.h"
#include "dialects/tool_assembler.h"
#include "dialects/usage.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

namespace llmrouter::dialects::openai {

class StreamReader {
 public:
  // Before the first feed(). `choices`: how many were asked for. `key`: what must not show in errors; must outlive the reader. `foreign`: the
  // events are for another dialect, so that what stands beside the choices has to be told by them.
  void start(bool relay, int64_t choices, std::string_view key, bool foreign = false) noexcept {
    foreign_ = foreign;
    relay_ = relay;
    single_ = choices <= 1;
    key_ = key;
  }
  // Relay: the upstream was asked to count, and not by the client, so that `usage` is not shown to it. Before the first feed().
  void hide_usage(bool hides) noexcept { hides_usage_ = hides; }
  void feed(std::string_view bytes, UpstreamSink& sink);
  void finish(UpstreamSink& sink);

 private:
  static constexpr int64_t kMaxChoices = 128;
  static constexpr size_t kMaxSources = 1024 * 1024;
  struct ChoiceState {
    int64_t index = 0;
    bool finished = false;
    ToolAssembler tools;
  };

  // The members of a chunk that count; `usage` wherever it was found.
  struct ChunkTop {
    wire::JsonValue error, choices, usage, x_groq, id, model, created, service_tier, citations, search_results;
    std::string_view usage_member;  // the chunk's own, as it stands
  };

  void drain(UpstreamSink& sink);
  void frame(const wire::SseFrame& frame, UpstreamSink& sink);
  void chunk(const wire::SseFrame& frame, std::string_view json, UpstreamSink& sink);
  void relay_chunk(const wire::SseFrame& frame, const ChunkTop& top, UpstreamSink& sink);
  void translate_chunk(const ChunkTop& top, UpstreamSink& sink);
  void translate_delta(wire::JsonValue delta, ChoiceState& choice, UpstreamSink& sink);
  void translate_details(wire::JsonValue details, bool text_too, const ChoiceState& choice, UpstreamSink& sink);
  void translate_content(wire::JsonValue content, ChoiceState& choice, UpstreamSink& sink);
  void end_choice(ChoiceState& choice, std::string_view word, UpstreamSink& sink);
  void terminator(const wire::SseFrame& frame, UpstreamSink& sink);
  void whole(UpstreamSink& sink);
  void tell_start(UpstreamSink& sink);
  bool is_of_answer(wire::JsonValue id);
  void keep_sources(const ChunkTop& top);
  void tell_annotations(wire::JsonValue list, const ChoiceState& choice, UpstreamSink& sink);
  void tell_sources(UpstreamSink& sink);
  void tell_usage(wire::JsonValue usage, UpstreamSink& sink, bool running = false);
  void settle_usage(UpstreamSink& sink);
  void tell_counts(const TokenUsage& usage, UpstreamSink& sink);
  bool goes_on(const ChunkTop& top) const noexcept;
  void tell(StreamEvent::Kind kind, const ChoiceState& choice, std::string_view text, UpstreamSink& sink);
  void pass(const wire::SseFrame& frame, FrameKind kind, UpstreamSink& sink, std::string_view usage = {});
  std::string_view without(std::string_view raw, std::string_view member);
  void fail(Error error, UpstreamSink& sink);
  ChoiceState* choice_at(int64_t index, UpstreamSink& sink);
  bool all_finished() const noexcept;

  wire::SseParser parser_;
  std::string_view key_;
  bool relay_ = false;
  bool single_ = true;
  bool foreign_ = false;
  bool hides_usage_ = false;
  bool annotated_ = false;  // something was cited
  std::string citations_, search_results_;  // the last that were said, up to kMaxSources bytes
  BodyShape shape_ = BodyShape::kUnknown;
  bool done_ = false;    // [DONE] came
  bool dead_ = false;    // an error was told, or nobody listens: nothing more is read
  bool started_ = false;
  bool spoke_ = false;   // relay: the quick look saw a choice
  std::string whole_;    // a body that is no event stream; the blanks before it is known what it is
  std::string id_, model_, service_tier_;
  int64_t created_ = 0;
  StreamCounts counts_;
  std::list<ChoiceState> choices_;  // which do not move, and cost nothing while there are none
  std::string shown_;    // a frame without its usage
  std::string scratch_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_STREAM_H_
