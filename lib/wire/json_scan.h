// JSON read where it lies: no DOM, no copy, no padding asked of the text.
//
//   scan_object()   a whole body, once: is it valid, and where are its top-level members
//   validate()      is this text one valid JSON value
//   JsonValue       a value's text, with typed getters; JsonMembers and JsonElements walk objects and arrays, JsonCursor what is in one another;
//                   find() and pick() look up
//
// Written by hand with SSE2 (a portable path elsewhere): simdjson wants padded buffers, and its On-Demand front end does not check what it
// skips.
#ifndef LLMROUTER_WIRE_JSON_SCAN_H_
#define LLMROUTER_WIRE_JSON_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "llmrouter/codec.h"
#include "llmrouter/error.h"

namespace llmrouter::wire {

struct ScanLimits {
  int max_depth = 128;        // arrays and objects inside one another, the outermost counted; 1..kMaxDepth
  size_t max_members = 1024;  // of the top-level object
  size_t max_containers = 250000;  // arrays and objects in a scan_object(): messages, parts, tools. Each costs whoever reads on; a loop serves others, too
  static constexpr int kMaxDepth = 1024;
};

enum class ScanFault {
  kNone,
  kEmpty,           // nothing but blanks
  kNotAnObject,     // a value, but no object (scan_object)
  kSyntax,          // something else was expected here; `expected` says what
  kEnd,             // the text ends too early
  kControl,         // a control character inside a string
  kEscape,          // an unknown escape, or \u without four hex digits
  kUtf8,            // not UTF-8
  kNumber,          // 01, 1., .5, +1, 1e
  kTooDeep,
  kTooManyMembers,
  kTooManyContainers,
  kDuplicate,       // a top-level member comes twice; `member` names it
};

// What a scan found. Check it: `if (!r) return r.to_error(body);`
struct [[nodiscard]] ScanResult {
  ScanFault fault = ScanFault::kNone;
  size_t offset = 0;          // of the byte at fault, from 0
  const char* expected = "";  // kSyntax: "',' or '}'"
  std::string member;         // the top-level member at fault, where one is
  int64_t limit = 0;          // kTooDeep, kTooManyMembers, kTooManyContainers

  explicit operator bool() const noexcept { return fault == ScanFault::kNone; }
  // "line 3, column 7: expected ',' or '}'"; columns count bytes. `text` is what was scanned.
  std::string message(std::string_view text) const;
  // kInvalidRequest: "the body is not valid JSON: line 3, ..."; `param` is `member`.
  Error to_error(std::string_view text) const;
};

// One pass over a whole JSON object. Checks all of RFC 8259: grammar, escapes, UTF-8, numbers, nothing but blanks after it; besides that the
// limits, and that no top-level member comes twice ("model" and "mod\u0065l" are the same name): two readers could each believe
// another one. Names inside nested objects are not compared. A lone surrogate escape (\ud800) is valid grammar and is accepted.
// `members` is replaced; on a fault it holds the members read so far.
ScanResult scan_object(std::string_view body, const ScanLimits& limits, std::vector<MemberSpan>& members);

// The same checks for a text that is any JSON value; no names are compared.
ScanResult validate(std::string_view text, const ScanLimits& limits = {});

// kNone: absent, or text that is no JSON value at all.
enum class JsonKind { kNone, kNull, kBool, kNumber, kString, kArray, kObject };

// A view of one value's text; cheap to copy; valid as long as the text is. Default: absent. All getters may be asked of any value and say
// "no" where the kind is another, so a path through unknown JSON needs no checks in between:
//
//   if (auto n = find(root, "usage", "prompt_tokens").integer()) usage.input = *n;
//
// Never reads outside the text, whatever the bytes are, and never recurses. What the getters accept is not looser than JSON, but values are
// only checked as far as they are looked at: ask validate() where the whole must be right.
class JsonValue {
 public:
  JsonValue() noexcept = default;
  // Blanks around are dropped. The text should be one value; only its beginning and end are looked at.
  explicit JsonValue(std::string_view text) noexcept;

  bool exists() const noexcept { return !text_.empty(); }
  explicit operator bool() const noexcept { return exists(); }
  JsonKind kind() const noexcept;
  bool is_null() const noexcept { return text_ == "null"; }
  bool is_string() const noexcept { return kind() == JsonKind::kString; }
  bool is_number() const noexcept { return kind() == JsonKind::kNumber; }
  bool is_array() const noexcept { return kind() == JsonKind::kArray; }
  bool is_object() const noexcept { return kind() == JsonKind::kObject; }
  // Absent or null: what most wire formats mean by "not set".
  bool is_unset() const noexcept { return !exists() || is_null(); }

  // The text as it stands, without blanks around; empty when absent.
  std::string_view raw() const noexcept { return text_; }

  std::optional<bool> boolean() const noexcept;
  // Exact, over the whole range of int64_t. 1e3 and 5.0 are integers; 0.5, 1e30 and "5" are none.
  std::optional<int64_t> integer() const noexcept;
  // Correctly rounded. None when it is no number or its magnitude is beyond double (1e999).
  std::optional<double> number() const noexcept;

  // Replaces `out` with the string, unescaped; false (and `out` empty) when this is no string. A lone surrogate becomes U+FFFD.
  bool string(std::string& out) const;
  // Appends instead; on false `out` is as it was.
  bool append_string(std::string& out) const;
  // The string without a copy when it has no escapes, else unescaped in `scratch`. None when this is no string.
  std::optional<std::string_view> string_view(std::string& scratch) const;
  // The string, or `otherwise` when this is none.
  std::string string_or(std::string_view otherwise = {}) const;
  // Is it a string that reads so? No allocation.
  bool equals(std::string_view text) const noexcept;
  // Is it a string with at least one character?
  bool nonempty_string() const noexcept { return is_string() && text_.size() > 2; }
  // Of a string, escapes as they stand; 0: it is none.
  size_t string_bytes() const noexcept { return nonempty_string() ? text_.size() - 2 : 0; }
  // Is it an array or object with nothing in it?
  bool empty_container() const noexcept;

 private:
  friend class JsonMembers;
  friend class JsonElements;
  friend class JsonCursor;
  struct Exact {};
  JsonValue(Exact, std::string_view text) noexcept : text_(text) {}
  std::string_view text_;
};

// A member as JsonMembers yields it.
struct JsonMember {
  std::string_view key;  // unescaped; valid until the next one when it had escapes
  JsonValue value;
  std::string_view raw;  // the whole member, from the key's quote to the value's end: `"key": value`
};

// Walks the members of an object, in order, duplicates too. Of anything else: no members.
//
//   for (const JsonMember& m : JsonMembers(value)) { if (m.key == "role") ... }
//
// or, where broken text must be told from the end: `JsonMembers it(value); while (it.next()) { it->key ... } if (it.malformed()) ...`.
class JsonMembers {
 public:
  explicit JsonMembers(JsonValue object) noexcept;
  JsonMembers(const JsonMembers&) = delete;
  JsonMembers& operator=(const JsonMembers&) = delete;
  bool next();
  const JsonMember& operator*() const noexcept { return current_; }
  const JsonMember* operator->() const noexcept { return &current_; }
  bool malformed() const noexcept { return malformed_; }  // broken text was met; not an object counts as broken

  struct Sentinel {};
  class Iterator {
   public:
    explicit Iterator(JsonMembers* it) noexcept : it_(it->next() ? it : nullptr) {}
    const JsonMember& operator*() const noexcept { return it_->current_; }
    Iterator& operator++() {
      if (!it_->next()) it_ = nullptr;
      return *this;
    }
    bool operator!=(Sentinel) const noexcept { return it_ != nullptr; }

   private:
    JsonMembers* it_;
  };
  Iterator begin() { return Iterator(this); }
  Sentinel end() const noexcept { return {}; }

 private:
  bool stop(bool malformed) noexcept;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  bool first_ = true;
  bool malformed_ = false;
  JsonMember current_;
  std::string key_;  // a key that had escapes
};

// Walks the elements of an array. Of anything else: no elements. Used like JsonMembers.
class JsonElements {
 public:
  explicit JsonElements(JsonValue array) noexcept;
  bool next() noexcept;
  const JsonValue& operator*() const noexcept { return current_; }
  const JsonValue* operator->() const noexcept { return &current_; }
  bool malformed() const noexcept { return malformed_; }

  struct Sentinel {};
  class Iterator {
   public:
    explicit Iterator(JsonElements* it) noexcept : it_(it->next() ? it : nullptr) {}
    const JsonValue& operator*() const noexcept { return it_->current_; }
    Iterator& operator++() noexcept {
      if (!it_->next()) it_ = nullptr;
      return *this;
    }
    bool operator!=(Sentinel) const noexcept { return it_ != nullptr; }

   private:
    JsonElements* it_;
  };
  Iterator begin() noexcept { return Iterator(this); }
  Sentinel end() const noexcept { return {}; }

 private:
  bool stop(bool malformed) noexcept;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  bool first_ = true;
  bool malformed_ = false;
  JsonValue current_;
};

// Walks one container and what is inside of it from front to back, each byte once: for what is deep inside a long text. JsonMembers jumps over a
// value to find its end, and whoever goes inside then reads it again.
//
//   JsonCursor at(root);
//   while (at.next_member()) {
//     if (at.key() != "choices" || !at.enter_array()) continue;   // a value that nobody entered is jumped over
//     while (at.next_element()) ...
//   }
//
// Broken text ends every loop.
class JsonCursor {
 public:
  explicit JsonCursor(JsonValue container) noexcept;
  JsonCursor(const JsonCursor&) = delete;
  JsonCursor& operator=(const JsonCursor&) = delete;

  // To the next value of the container it is in. False at its end: the cursor is then behind it, in the container around.
  bool next_member();
  bool next_element() noexcept;
  std::string_view key() const noexcept { return key_; }  // of the member, unescaped; until the next one
  // Into the value, if it is an object or array that holds something.
  bool enter_object() noexcept { return enter('{'); }
  bool enter_array() noexcept { return enter('['); }
  // The value; the cursor is then behind it.
  JsonValue take() noexcept;
  // Where the value begins, and what stands from there up to where the cursor is now.
  const char* here() const noexcept { return p_; }
  JsonValue since(const char* begin) const noexcept;

 private:
  bool next() noexcept;
  bool enter(char open) noexcept;
  bool stop() noexcept;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  bool at_value_ = false;  // p_ is at a value that was neither taken nor entered
  bool first_ = true;      // nothing of the container was read yet
  std::string_view key_;
  std::string unescaped_;
};

// The first member of that name; absent when there is none or `object` is no object.
JsonValue find_member(JsonValue object, std::string_view name);
// The element at `index`, from 0; absent when there is none.
JsonValue find_element(JsonValue array, size_t index) noexcept;

// A path of member names and array indexes: find(root, "choices", 0, "delta", "content").
inline JsonValue find(JsonValue value) noexcept { return value; }
template <typename Step, typename... Rest>
JsonValue find(JsonValue value, const Step& step, const Rest&... rest) {
  if constexpr (std::is_integral_v<Step>) {
    return find(find_element(value, static_cast<size_t>(step)), rest...);
  } else {
    return find(find_member(value, step), rest...);
  }
}

// Looks up several members in one pass; the first of each name counts, those not there become absent. Stops when all were found.
// False when `object` is no object or broken text was met on the way.
//
//   JsonValue choices, usage, error;
//   pick(root, {{"choices", &choices}, {"usage", &usage}, {"error", &error}});
struct Pick {
  std::string_view name;
  JsonValue* value;
};
bool pick(JsonValue object, std::initializer_list<Pick> wanted);

// Appends what a JSON string's inside (without its quotes) stands for. False at an escape that JSON does not have, or a quote; `out` is then
// as it was. Bytes that are not UTF-8 are passed as they are.
bool append_unescaped(std::string& out, std::string_view inside);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_JSON_SCAN_H_
