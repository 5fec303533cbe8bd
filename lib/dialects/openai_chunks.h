// Writes a streamed answer in OpenAI's grammar, whatever the upstream's was: the role once for each choice, one finish for each, tool calls
// one after the other (some clients lose track when two are told in turns), the usage chunk only for those who asked.
#ifndef LLMROUTER_DIALECTS_OPENAI_CHUNKS_H_
#define LLMROUTER_DIALECTS_OPENAI_CHUNKS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dialects/custom_tools.h"
#include "dialects/ids.h"
#include "dialects/json_depth.h"
#include "llmrouter/stream.h"

namespace llmrouter::dialects::openai {

class ChunkWriter {
 public:
  // `model` is what is said when the upstream does not say.
  void start(std::string_view model, bool include_usage) {
    model_ = model;
    include_usage_ = include_usage;
  }
  // The client's custom tools, by name.
  void set_custom(std::vector<std::string> names) { custom_ = std::move(names); }
  void event(const StreamEvent& event, std::string& out);
  void end(std::string& out);

 private:
  struct Call {
    int64_t index = 0;
    std::string id, name, arguments, signature;  // the signature as it stands in the chunk
  };
  struct ChoiceState {
    int64_t index = 0;
    bool role_sent = false, finished = false, called = false;
    int64_t open_call = -1;      // the call that is being told
    JsonDepth depth;             // of its arguments
    bool custom = false;         // it is one of a custom tool
    InputReader input;           // of its arguments
    std::vector<Call> waiting;   // begun while another was open
    std::string logprobs;        // for the next chunk
    std::string thought;         // since the last signature
    int64_t details = 0;         // entries of reasoning_details told
  };

  ChoiceState& choice(int64_t index);
  void open(ChoiceState& c, bool call_first, std::string& out);
  void begin_chunk(const ChoiceState& c, std::string& out);
  void end_chunk(ChoiceState& c, std::string_view finish, std::string& out);
  void text(ChoiceState& c, std::string_view member, std::string_view text, std::string& out);
  void thought(ChoiceState& c, const StreamEvent& event, std::string& out);
  void begin_call(ChoiceState& c, const StreamEvent& event, std::string& out);
  void call_arguments(ChoiceState& c, int64_t index, std::string_view arguments, std::string& out);
  void tell_call(ChoiceState& c, const Call& call, std::string& out);
  void tell_arguments(ChoiceState& c, int64_t index, std::string_view arguments, std::string& out);
  void tell_input(ChoiceState& c, std::string_view input, std::string& out);
  void close_call(ChoiceState& c, std::string& out);
  void tell_waiting(ChoiceState& c, bool all, std::string& out);
  void finish(ChoiceState& c, FinishReason reason, std::string& out);
  void make_head();
  void take_tier(std::string_view tier);

  std::string id_, model_, service_tier_;
  int64_t created_ = 0;
  bool include_usage_ = false;
  std::vector<std::string> custom_;
  std::string head_;  // of every chunk, up to the bracket of choices
  std::vector<ChoiceState> choices_;
  TokenUsage usage_;
  IdSource ids_;
};

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_CHUNKS_H_
