#include "dialects/anthropic_thoughts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "dialects/anthropic_upstream.h"
#include "dialects/own_edits.h"
#include "dialects/signature.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::anthropic {
namespace {

using Kind = BodyEdit::Kind;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

bool is_thought(JsonValue block) {
  const JsonValue type = find_member(block, "type");
  return type.equals("thinking") || type.equals("redacted_thinking");
}

// The signature of a call, which stands in a thought's place, is no loss.
bool thinks(JsonValue block) {
  std::vector<Part> parts;
  ToolCall call;
  read_thought(block, parts, call);
  return !parts.empty();
}

class Cutter {
 public:
  explicit Cutter(EncodedRequest& out) : out_(out) {}

  // The messages without them; empty: no message is left.
  std::string run(JsonValue messages) {
    std::string text;
    for (JsonValue message : JsonElements(messages)) {
      const size_t before = text.size();
      if (before != 0) text += ',';
      if (!take(message, text)) text.resize(before);
    }
    return text.empty() ? text : "[" + text + "]";
  }

 private:
  // False: nothing is left of it.
  bool take(JsonValue message, std::string& text) {
    const JsonValue content = find_member(message, "content");
    std::string kept;
    bool cut = false;
    for (JsonValue block : JsonElements(content)) {
      if (is_thought(block) && is_refused_thought(block)) {
        cut = true;
        if (thinks(block)) add_dropped(out_.dropped, "reasoning");
      } else {
        kept.append(kept.empty() ? "" : ",").append(block.raw());
      }
    }
    const std::string_view raw = message.raw();
    if (!cut) return text.append(raw), true;
    const auto begin = static_cast<size_t>(content.raw().data() - raw.data());
    text.append(raw.substr(0, begin)).append("[").append(kept).append("]").append(raw.substr(begin + content.raw().size()));
    return !kept.empty();
  }

  EncodedRequest& out_;
};

// What the writer makes of members beside the conversation on account of it.
Result<void> add_what_hangs_on_them(const EncodeInput& input, const WriteOptions& options, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits) {
  auto request = read_request(input.body);
  if (!request) return not_spliced();
  ChatRequest alone = *request;
  alone.messages = ChatRequest::of("m", ".").messages;
  std::string with, without;
  std::vector<std::string> dropped_with, dropped_without;
  const std::string model(bare_name(input));
  const auto whole = write_request(*request, model, options, with, dropped_with);
  if (!whole || !whole->answer_tool.empty() || !write_request(alone, model, options, without, dropped_without)) return not_spliced();
  const std::string_view kept = out.owned.emplace_back(std::move(with));
  for (std::string_view name : {"thinking", "output_config", "max_tokens", "temperature", "top_p", "top_k"}) {
    const JsonValue now = find_member(JsonValue(kept), name);
    if (now.raw() == find_member(JsonValue(without), name).raw()) continue;
    edits.push_back({now.exists() ? Kind::kSet : Kind::kRemove, name, {}, now.raw()});
  }
  for (const std::string& name : dropped_with) {
    if (std::find(dropped_without.begin(), dropped_without.end(), name) == dropped_without.end()) add_dropped(out.dropped, name);
  }
  return {};
}

}  // namespace

bool is_refused_thought(JsonValue block) {
  const JsonValue signature = find_member(block, find_member(block, "type").equals("thinking") ? "signature" : "data");
  return !signature.nonempty_string() || is_sealed(signature.string_or());
}

Result<void> cut_thoughts(const EncodeInput& input, const WriteOptions& options, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits) {
  for (const MemberSpan& m : input.facts->members) {
    if (m.name != "messages") continue;
    std::string messages = Cutter(out).run(JsonValue(input.body.substr(m.value_begin, m.value_end - m.value_begin)));
    if (messages.empty()) return not_spliced();
    edits.push_back({Kind::kSet, "messages", {}, out.owned.emplace_back(std::move(messages))});
  }
  return add_what_hangs_on_them(input, options, out, edits);
}

}  // namespace llmrouter::dialects::anthropic
