#include "wire/json_writer.h"

#include <charconv>
#include <cmath>

#include "wire/bytes.h"

namespace llmrouter::wire {
namespace {

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: break;
  }
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u00";
  out += kHex[static_cast<unsigned char>(c) >> 4];
  out += kHex[static_cast<unsigned char>(c) & 15];
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* plain = p;  // what stands from here to `p` is copied as it is
  while ((p = find_byte<PlainAsciiStop>(p, end)) != end) {
    if (static_cast<unsigned char>(*p) >= 0x80) {
      p = skip_beyond_ascii(p, end);
      if (p == end || static_cast<unsigned char>(*p) < 0x80) continue;
      out.append(plain, p);
      out += "\xef\xbf\xbd";
      int bad = 0;
      utf8_length(p, end, &bad);
      p += bad;
    } else {
      out.append(plain, p);
      append_escape(out, *p++);
    }
    plain = p;
  }
  out.append(plain, end);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void append_integer(std::string& out, int64_t value) {
  char digits[24];
  const auto r = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, r.ptr);
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];  // the longest shortest form, "-2.2250738585072014e-308", has 24 characters
  const auto r = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, r.ptr);
}

}  // namespace llmrouter::wire
