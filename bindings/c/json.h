// The little JSON that the shim itself writes.
#ifndef LLMROUTER_BINDINGS_C_JSON_H_
#define LLMROUTER_BINDINGS_C_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::c {

// `text` as a JSON string, quotes included. Bytes above 0x7f pass as they are: who gives UTF-8 gets UTF-8.
void append_string(std::string& out, std::string_view text);

// `"name":` and the value, with a comma before it unless an object or an array was just opened.
void append_name(std::string& out, std::string_view name);
void append_member(std::string& out, std::string_view name, std::string_view text);
void append_number(std::string& out, std::string_view name, int64_t value);
void append_bool(std::string& out, std::string_view name, bool value);

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_JSON_H_
