// A streamed answer of Cohere's, passed on or taken apart.
#ifndef LLMROUTER_DIALECTS_COHERE_STREAM_H_
#define LLMROUTER_DIALECTS_COHERE_STREAM_H_

#include <string>
#include <string_view>
#include <vector>

#include "dialects/ids.h"
#include "dialects/json_depth.h"
#include "llmrouter/codec.h"
#include "llmrouter/secret.h"
#include "wire/json_scan.h"
#include "wire/sse.h"

namespace llmrouter::dialects::cohere {

class StreamReader {
 public:
  // `model`: Cohere's answers do not name it.
  void start(bool relay, std::string_view model, std::string_view key) {
    relay_ = relay;
    model_ = model;
    key_ = Secret(std::string(key));
  }
  void feed(std::string_view bytes, UpstreamSink& sink);
  void finish(UpstreamSink& sink);

 private:
  struct Call {
    int64_t index;         // Cohere's
    bool has_arguments = false;
    bool ended = false;
    JsonDepth depth;
  };
  void drain(UpstreamSink& sink);
  void take(const wire::SseFrame& frame, UpstreamSink& sink);
  void pass(const wire::SseFrame& frame, FrameKind kind, UpstreamSink& sink);
  void fail(Error error, UpstreamSink& sink);
  void tell(const StreamEvent& event, UpstreamSink& sink);
  void begin(const std::string& id, UpstreamSink& sink);
  void tell_text(StreamEvent::Kind kind, wire::JsonValue text, std::string_view name, UpstreamSink& sink);
  bool end(wire::JsonValue delta, UpstreamSink& sink);
  static size_t said_in(wire::JsonValue message);
  FrameKind kind_of(wire::JsonValue type, wire::JsonValue message) const;
  void translate(wire::JsonValue root, wire::JsonValue type, wire::JsonValue message, UpstreamSink& sink);
  void begin_call(wire::JsonValue root, wire::JsonValue calls, UpstreamSink& sink);
  void call_arguments(wire::JsonValue root, wire::JsonValue calls, UpstreamSink& sink);
  void end_call(wire::JsonValue root, UpstreamSink& sink);
  void cite(wire::JsonValue citation, UpstreamSink& sink);
  bool calls_whole() const noexcept;
  size_t call_at(wire::JsonValue root) const noexcept;

  bool relay_ = false, started_ = false, ended_ = false, dead_ = false;
  std::string model_, scratch_;
  Secret key_;
  wire::SseParser sse_;
  std::vector<Call> calls_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::cohere

#endif  // LLMROUTER_DIALECTS_COHERE_STREAM_H_
