// What the tests of the codecs share: a sink that remembers, answers put together from events, JSON compared by meaning, recordings.
#ifndef LLMROUTER_TESTS_DIALECTS_SUPPORT_H_
#define LLMROUTER_TESTS_DIALECTS_SUPPORT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace dialect_test {

using namespace llmrouter;

// A StreamEvent that owns its texts.
struct SeenEvent {
  StreamEvent::Kind kind;
  int64_t choice, tool_index, created;
  std::string text, signature, id, name, arguments, model, raw;
  FinishReason finish;
  TokenUsage usage;
  std::string maker;
  bool redacted = false;
  std::string service_tier;
};

struct Frame {
  std::string bytes;
  FrameKind kind;
};

class Recorder : public UpstreamSink {
 public:
  Flow on_frame(std::string_view bytes, FrameKind kind) override;
  Flow on_event(const StreamEvent& event) override;
  void on_usage(const TokenUsage& usage) override { usages.push_back(usage); }
  void on_finish(FinishReason reason) override { finishes.push_back(reason); }
  void on_error(Error error) override { errors.push_back(std::move(error)); }

  std::string bytes() const;                     // of all frames
  std::vector<FrameKind> kinds() const;          // of frames that hold data
  std::string summary() const;                   // everything but where comments were cut and what ids were made up; for comparing
  std::optional<TokenUsage> last_usage() const;  // of either way

  std::vector<Frame> frames;
  std::vector<SeenEvent> events;
  std::vector<TokenUsage> usages;
  std::vector<FinishReason> finishes;
  std::vector<Error> errors;
};

std::string print(const TokenUsage& usage);
std::string print(const SeenEvent& event);

// A streamed answer as its reader ends up with it.
struct Answer {
  struct Call {
    std::string id, name, arguments;
    bool operator==(const Call& o) const { return id == o.id && name == o.name && arguments == o.arguments; }
  };
  struct Choice {
    std::string text, reasoning, refusal, finish;
    std::vector<std::string> signatures;  // of thoughts, as they stand on the wire
    std::vector<Call> calls;
    std::vector<std::string> pictures;    // base64
    int finishes = 0, roles = 0;
  };
  std::map<int64_t, Choice> choices;
  std::optional<TokenUsage> usage;
  std::vector<std::string> ids, models;  // distinct
  std::vector<std::string> annotations;
  bool done = false;
  bool failed = false;
};

// From events.
Answer answer_of(const Recorder& seen);
// From chunks in OpenAI's grammar; fails the test where they leave it.
Answer read_strict(std::string_view sse);
// From events in the grammar of the Responses dialect; fails the test where they leave it. Calls of custom tools have their input as arguments.
Answer read_strict_responses(std::string_view sse, bool valid_arguments = true);
// A response object, as the last event of a stream or a whole answer holds it.
Answer read_response_object(wire::JsonValue response, bool valid_arguments = true);
// From chunks as vendors send them: texts, reasoning, last usage, call names and arguments joined; says nothing of ids.
Answer read_loosely(std::string_view sse);

// Events told to a client codec.
void tell(const std::vector<SeenEvent>& events, ClientCodec& client, std::string& out);
// Events told again to a client codec of this dialect, whose request is `request`: all of what it writes.
std::string write_again(std::string_view dialect_name, const std::string& request, const Recorder& seen);

std::shared_ptr<const Dialect> dialect(std::string_view name);
ProviderConfig provider(std::vector<std::string> quirks = {});

// An upstream codec ready to read a stream: relay or translate, `n` choices asked for.
std::unique_ptr<UpstreamCodec> reading(std::string_view dialect_name, bool relay, int64_t n = 1);
// The stream fed in these pieces, and finished.
Recorder feed(std::string_view dialect_name, bool relay, const std::vector<std::string_view>& pieces, int64_t n = 1);

// A stream read both ways.
struct Both {
  Recorder relay, translated;
  Answer answer;  // of the translated one
};
// Whole, and cut in two after each `step` bytes: it must make no difference.
Both read_cut(std::string_view dialect_name, const std::string& stream, size_t step = 1, int64_t n = 1);

// The request an upstream codec makes of a client's body, same dialect; `edits` and `quirks` as given.
struct Encoded {
  EncodedRequest request;
  RequestFacts facts;
  std::string body;
  std::string header(std::string_view name) const;
};
Result<Encoded> relay_request(std::string_view dialect_name, const std::string& body, ProviderConfig config = provider(),
                              const std::vector<BodyEdit>& edits = {}, std::string model = "upstream-model");
// Decoded by one dialect, encoded by another (or the same).
Result<Encoded> translate_request(std::string_view from, std::string_view to, const std::string& body, ProviderConfig config = provider(),
                                  std::string model = "upstream-model");

// The same meaning gives the same text: members sorted, nulls left out, numbers by value.
std::string canonical(std::string_view json);
std::string canonical(wire::JsonValue value);

struct Recording {
  std::string name, provider, endpoint, fidelity, request, body;
  int status = 0;
  std::vector<HttpHeader> headers;
  std::vector<size_t> chunk_sizes;
  bool is_stream() const;
};
// Those of these endpoints; empty (and said on stderr) when the recordings are not there.
const std::vector<Recording>& recordings();

}  // namespace dialect_test

#endif  // LLMROUTER_TESTS_DIALECTS_SUPPORT_H_
