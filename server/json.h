// JSON for what the server itself says: small things. Calls' bodies never come here.
#ifndef LLMROUTER_SERVER_JSON_H_
#define LLMROUTER_SERVER_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::server {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);
std::string json_string(std::string_view text);
// `"name":` with a comma before it unless an object or array has just been opened.
void append_name(std::string& out, std::string_view name);
void append_member(std::string& out, std::string_view name, std::string_view text);
void append_member(std::string& out, std::string_view name, int64_t number);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_JSON_H_
