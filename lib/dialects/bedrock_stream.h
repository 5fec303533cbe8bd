// A streamed answer of Bedrock's, taken apart.
#ifndef LLMROUTER_DIALECTS_BEDROCK_STREAM_H_
#define LLMROUTER_DIALECTS_BEDROCK_STREAM_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "llmrouter/codec.h"
#include "llmrouter/secret.h"
#include "wire/event_stream.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::bedrock {

class StreamReader {
 public:
  // `model`: the answers do not name it. `answer_tool`: the tool whose call is the answer; empty: none.
  void start(std::string_view model, std::string_view key, std::string answer_tool);
  void feed(std::string_view bytes, UpstreamSink& sink);
  void finish(UpstreamSink& sink);

 private:
  void drain(UpstreamSink& sink);
  void take(const wire::EventStreamMessage& message, UpstreamSink& sink);
  void fail(Error error, UpstreamSink& sink);
  void tell(const StreamEvent& event, UpstreamSink& sink);
  void begin(UpstreamSink& sink);
  void begin_block(wire::JsonValue start, int64_t index, UpstreamSink& sink);
  void count(wire::JsonValue usage, const std::string& tier, UpstreamSink& sink);
  void delta(wire::JsonValue delta, UpstreamSink& sink);
  void think(wire::JsonValue thought, UpstreamSink& sink);
  void tell_input(std::string_view piece, UpstreamSink& sink);
  void end_block(UpstreamSink& sink);
  void stop(wire::JsonValue reason, UpstreamSink& sink);

  std::string model_, maker_, answer_tool_, scratch_;
  Secret key_;
  wire::EventStreamParser parser_;
  bool started_ = false, stopped_ = false, dead_ = false;
  int64_t calls_ = 0;
  int64_t begun_ = 0;  // one more than the highest index that was spoken of
  bool in_block_ = false;  // something was said of one since the last end
  bool in_answer_ = false;
  bool in_call_ = false, has_input_ = false;  // of the block that is open; blocks come one after the other
};

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_STREAM_H_
