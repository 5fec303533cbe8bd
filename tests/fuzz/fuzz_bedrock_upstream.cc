// A stream of Converse's events, put together from the input's lines (event type, blank, payload), cut anywhere, and told again to an OpenAI client.
#include "fuzz/fuzz_openai_support.h"
#include "unit/event_stream_support.h"

using namespace codec_fuzz;

namespace {

class Seen final : public UpstreamSink {
 public:
  Flow on_frame(std::string_view bytes, FrameKind) override { fuzz::must(bytes.empty(), "nothing is relayed"); return Flow::kContinue; }
  Flow on_event(const StreamEvent& e) override {
    fuzz::must(!failed, "nothing is told after an error");
    fuzz::must(finishes == 0 || e.kind == StreamEvent::Kind::kUsage, "nothing but usage follows the finish");
    finishes += e.kind == StreamEvent::Kind::kFinish;
    if (e.kind == StreamEvent::Kind::kToolCallBegin) fuzz::must(e.tool_index == calls++, "calls are numbered in order");
    if (e.kind == StreamEvent::Kind::kToolCallDelta) fuzz::must(e.tool_index < calls, "arguments belong to a call");
    text += std::to_string(static_cast<int>(e.kind)) + ":" + std::string(e.text) + "|" + std::string(e.arguments) + "|" + std::string(e.signature) + ";";
    return Flow::kContinue;
  }
  void on_usage(const TokenUsage&) override { fuzz::must(false, "nothing is relayed"); }
  void on_finish(FinishReason) override { fuzz::must(false, "nothing is relayed"); }
  void on_error(Error error) override {
    fuzz::must(!failed, "one error is enough");
    check_error(error);
    failed = true;
    text += "error:" + error.message;
  }
  std::string text;
  int64_t calls = 0;
  int finishes = 0;
  bool failed = false;
};

std::string run(std::string_view stream, size_t step) {
  ProviderConfig config = provider(0);
  auto codec = reading("bedrock", false, 1, config);
  Seen seen;
  for (size_t at = 0; at < stream.size(); at += step) codec->feed(stream.substr(at, step), seen);
  codec->finish(seen);
  fuzz::must(seen.failed || seen.finishes == 1, "a stream ends well or with an error");
  return seen.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const size_t step = in.byte() % 64 + 1;
  std::string stream;
  std::string_view rest = in.rest();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
      stream += line;  // no frame at all
    } else if (!line.empty() && line[0] == '!') {
      stream += event_stream_test::exception(line.substr(1, blank - 1).substr(0, 200), line.substr(blank + 1));
    } else {
      stream += event_stream_test::event(line.substr(0, std::min<size_t>(blank, 200)), line.substr(blank + 1));
    }
  }
  fuzz::must(run(stream, stream.size() + 1) == run(stream, step), "the cuts make no difference");
  return 0;
}
