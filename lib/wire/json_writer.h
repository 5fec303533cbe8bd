// Writes JSON text by appending to a string. No DOM, no exceptions of its own (std::bad_alloc aside), no state outside the object.
#ifndef LLMROUTER_WIRE_JSON_WRITER_H_
#define LLMROUTER_WIRE_JSON_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace llmrouter::wire {

// Appends `text` as a JSON string, quotes included. Correct for any bytes: what is not UTF-8 becomes U+FFFD, once for each
// maximal part of a broken sequence, so the output is always valid UTF-8 and valid JSON. `/` and non-ASCII letters are not escaped.
void append_json_string(std::string& out, std::string_view text);

// The same without the quotes: for strings that are put together from pieces. A character cut by two pieces becomes U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

// Decimal digits of `value`.
void append_integer(std::string& out, int64_t value);

// The shortest text that reads back as the same double; `null` for NaN and the infinities, which JSON cannot say.
void append_number(std::string& out, double value);

// Puts commas and colons where they belong. The caller opens and closes in the right order and writes a key before each value in
// an object: that is not checked. The string must outlive the writer; text that is already in it stays.
//
//   JsonWriter w(out);
//   w.begin_object();
//   w.member("id", id);                 // "id":"..."
//   w.key("choices"); w.begin_array();  // "choices":[
//   w.raw(choice_json);                 // a value that is JSON already
//   w.end_array();
//   w.end_object();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void key(std::string_view name) {
    comma();
    append_json_string(out_, name);
    out_ += ':';
    comma_ = false;
  }
  void string(std::string_view text) {
    comma();
    append_json_string(out_, text);
    comma_ = true;
  }
  void integer(int64_t value) {
    comma();
    append_integer(out_, value);
    comma_ = true;
  }
  void number(double value) {
    comma();
    append_number(out_, value);
    comma_ = true;
  }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void null() { raw("null"); }
  // One value that is JSON text already, as it is. Must not be empty.
  void raw(std::string_view json) {
    comma();
    out_ += json;
    comma_ = true;
  }
  // Members that are JSON text already (`"a":1,"b":2`), as RawMembers holds them; nothing when empty.
  void raw_members(std::string_view members) {
    if (!members.empty()) raw(members);
  }

  // key() and the value, by the value's type: bool, integers, double, anything that converts to std::string_view.
  template <typename T>
  void member(std::string_view name, const T& value) {
    key(name);
    if constexpr (std::is_same_v<T, bool>) {
      boolean(value);
    } else if constexpr (std::is_integral_v<T>) {
      integer(static_cast<int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      number(value);
    } else {
      string(value);
    }
  }
  // A member whose value is JSON text already.
  void raw_member(std::string_view name, std::string_view json) {
    key(name);
    raw(json);
  }

 private:
  void comma() {
    if (comma_) out_ += ',';
  }
  void open(char c) {
    comma();
    out_ += c;
    comma_ = false;
  }
  void close(char c) {
    out_ += c;
    comma_ = true;
  }

  std::string& out_;
  bool comma_ = false;  // something stands before the next key or value on this level
};

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_JSON_WRITER_H_
