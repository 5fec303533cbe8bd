#include "json.h"

#include <cstdio>

namespace llmrouter::c {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      char code[8];
      out.append(code, static_cast<size_t>(snprintf(code, sizeof code, "\\u%04x", u)));
    }
  }
  out += '"';
}

void append_name(std::string& out, std::string_view name) {
  if (!out.empty() && out.back() != '{' && out.back() != '[') out += ',';
  append_string(out, name);
  out += ':';
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_string(out, text);
}

void append_number(std::string& out, std::string_view name, int64_t value) {
  append_name(out, name);
  out += std::to_string(value);
}

void append_bool(std::string& out, std::string_view name, bool value) {
  append_name(out, name);
  out += value ? "true" : "false";
}

}  // namespace llmrouter::c
