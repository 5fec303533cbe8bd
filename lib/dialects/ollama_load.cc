// Requests of Ollama's clients that ask nothing: they want a model in memory, or out of it.
#include <algorithm>

#include "dialects/fields.h"
#include "dialects/ollama.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::JsonCursor;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

// Seconds, or a Go duration ("0", "0s", "0m").
bool is_zero(JsonValue keep_alive) {
  if (keep_alive.is_number()) return keep_alive.number() == 0.0;
  const std::string text = keep_alive.string_or();
  const auto is_nonzero = [](char c) { return c >= '1' && c <= '9'; };
  return text.find('0') != std::string::npos && std::none_of(text.begin(), text.end(), is_nonzero);
}

// Walks the body up to the first word of a conversation: a chat is told by its beginning, whatever its length.
bool asks_something(std::string_view body, bool generate) {
  JsonCursor at{JsonValue(body)};
  while (at.next_member()) {
    const std::string_view name = at.key();
    const bool list = generate ? name == "images" : name == "messages";
    if (list) {
      if (at.enter_array()) return true;  // that holds something
      if (const JsonValue value = at.take(); !value.is_null() && !value.is_array()) return true;
    } else if (generate && (name == "prompt" || name == "suffix")) {
      if (const JsonValue text = at.take(); !text.is_null() && !text.equals("")) return true;
    }
  }
  return false;
}

}  // namespace

Result<Load> read_load(std::string_view body, bool generate) {
  if (asks_something(body, generate)) return Error(ErrorCode::kInvalidRequest, "the request asks the model something");
  std::vector<MemberSpan> members;
  if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
  Load load;
  for (const MemberSpan& m : members) {
    const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
    if (std::any_of(m.name.begin(), m.name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) return wrong_value(m.name, "a name in lower case");
    if (m.name == "model" && !value.string(load.model)) return wrong_type("model", "a string", value);
    if (m.name == "keep_alive") load.unload = is_zero(value);
  }
  if (load.model.empty()) return missing("model", "a string that is not empty");
  return load;
}

}  // namespace llmrouter::dialects::ollama
