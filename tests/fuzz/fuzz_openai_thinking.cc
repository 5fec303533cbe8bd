// How much to think, in every vendor's words.
#include <string>
#include <vector>

#include "dialects/openai_thinking.h"
#include "fuzz/fuzz.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const kNames[] = {"thinking_type",      "enable_thinking",  "reasoning_object", "template_thinking", "no_reasoning_effort", "effort_or_thinking",
                                       "effort_of_mini",     "kimi_models",      "thinks_streamed",  "thoughts_beside_bound", "prefill",         "strip_unknown",
                                       "efforts_low_high",   "efforts_none_low_medium_high_max"};
  static const char* const kEfforts[] = {"", "none", "minimal", "low", "medium", "high", "xhigh", "max"};
  fuzz::Input in(data, size);
  unsigned bits = in.byte() | in.byte() << 8;
  std::vector<std::string> names;
  for (const char* name : kNames) {
    if (bits & 1) names.emplace_back(name);
    bits >>= 1;
  }
  const unsigned how = in.byte(), amounts = in.byte();
  ChatRequest request = ChatRequest::of("m", "q");
  request.reasoning_effort = kEfforts[how % 8];
  if (how & 8) request.reasoning = (how & 16) != 0;
  if (amounts & 1) request.reasoning_budget = amounts * 64;
  if (amounts & 2) request.max_tokens = amounts / 4 * 100;
  openai::WriteOptions options;
  options.stream = (how & 32) != 0;
  options.foreign = (how & 64) != 0;
  options.prefill = (how & 128) != 0;
  // The rest: the model's name, and members of a client's own.
  const std::string_view rest = in.rest();
  const std::string model(rest.substr(0, rest.find('\n')));
  const std::string_view members = rest.substr(std::min(rest.size(), model.size() + 1));
  std::vector<MemberSpan> spans;
  if (wire::scan_object("{" + std::string(members) + "}", {}, spans)) request.extras = members;
  const openai::Quirks quirks = openai::Quirks::of(names);
  const bool moonshot = quirks.kimi_models;
  const openai::Thinking asked{request, quirks, options, model, openai::traits_of(model), moonshot ? openai::kimi_of(model) : openai::Kimi::kNone, (amounts & 128) != 0};

  std::string body;
  wire::JsonWriter w(body);
  std::vector<std::string> dropped;
  w.begin_object();
  openai::write_thinking(asked, w, dropped);
  w.end_object();
  fuzz::must(bool(wire::scan_object(body, {}, spans)), "what is written is JSON, no member twice");
  const wire::JsonValue root(body);
  if (const auto budget = wire::find_member(root, "thinking_budget").integer()) {
    fuzz::must(*budget > 0, "a budget is a number of tokens");
    const bool bounded = quirks.thoughts_beside_bound && request.max_tokens.value_or(0) > 0;
    fuzz::must(!bounded || *budget <= *request.max_tokens, "no budget is above the bound");
    fuzz::must(wire::find_member(root, "enable_thinking").raw() != "false", "who does not think has no budget");
  }
  if (request.reasoning_effort == "none" || options.prefill) {
    fuzz::must(!wire::find_member(wire::find_member(root, "thinking"), "type").equals("enabled"), "who is not to think is not told to");
    fuzz::must(wire::find_member(root, "enable_thinking").raw() != "true", "nor by the switch");
  }
  return 0;
}
