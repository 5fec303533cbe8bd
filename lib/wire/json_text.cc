#include "llmrouter/json_text.h"

#include <string>

#include "wire/json_scan.h"

namespace llmrouter {

bool is_json(std::string_view text) { return static_cast<bool>(wire::validate(text)); }

bool is_json_object(std::string_view text) { return is_json(text) && wire::JsonValue(text).is_object(); }

bool is_json_members(std::string_view text) {
  std::string object;
  object.reserve(text.size() + 2);
  return is_json_object(object.append("{").append(text).append("}"));
}

}  // namespace llmrouter
