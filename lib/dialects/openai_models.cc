// The list of models, as every server with OpenAI's faces has it.
#include "dialects/fault.h"
#include "dialects/openai.h"

namespace llmrouter::dialects::openai {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

// {"data":[{"id":..}]}; a bare array (Together); {"models":[{"name":..}]}.
Result<std::vector<std::string>> read_models(JsonValue root, std::string_view key) {
  if (has_error_member(root)) return error_of_object(root, key);
  JsonValue list = root;
  if (list.is_object()) list = find_member(root, "data").is_array() ? find_member(root, "data") : find_member(root, "models");
  if (!list.is_array()) return unreadable("the upstream's list of models has no `data`", root.raw(), key);
  std::vector<std::string> ids;
  for (JsonValue entry : JsonElements(list)) {
    std::string id = entry.is_string() ? entry.string_or() : find_member(entry, "id").string_or();
    if (id.empty()) id = find_member(entry, "name").string_or();
    if (!id.empty()) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace llmrouter::dialects::openai
