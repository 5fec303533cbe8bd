// YAML values as JSON text, for members of requests that are set by configuration.
#ifndef LLMROUTER_CONFIG_JSON_VALUE_H_
#define LLMROUTER_CONFIG_JSON_VALUE_H_

#include <string>

#include "config/convert.h"

namespace llmrouter::config {

// Appends the value as JSON. False when something in it cannot be written so; each such place is a fault.
bool json_value(Context& context, const NodePtr& node, const std::string& path, std::string* out);

// The same for a template: `${NAME}` in its texts stays, and is checked (see check_template_text).
bool template_value(Context& context, const NodePtr& node, const std::string& path, std::string* out);

// Appends a scalar: plain true, false, null and numbers are what they are, everything else is a text. False for numbers that YAML knows and
// JSON cannot write (0x1F, +1, .5, 012, .inf).
bool append_scalar(std::string_view text, bool quoted, std::string* out);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_JSON_VALUE_H_
