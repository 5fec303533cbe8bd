// Any bytes: scan, validation and cursor agree with one another and with simdjson's DOM, and the cursor walks broken text unharmed.
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

#ifdef LLMROUTER_HAS_SIMDJSON
#include <simdjson.h>
#endif

using namespace llmrouter;
using namespace llmrouter::wire;

namespace {

// Asks everything of everything, to a depth at which broken text cannot make it long.
void walk(JsonValue v, int depth) {
  std::string out;
  v.kind();
  v.boolean();
  v.integer();
  v.number();
  v.empty_container();
  v.equals("ab");
  if (v.append_string(out)) fuzz::must(v.equals(out) && v.string_or("?") == out, "the ways to get a string agree");
  if (depth == 0) return;
  for (const JsonMember& m : JsonMembers(v)) {
    fuzz::must(m.raw.size() > m.value.raw().size(), "a member holds its value");
    walk(m.value, depth - 1);
  }
  for (const JsonValue& e : JsonElements(v)) walk(e, depth - 1);
}

// How many values there are, by jumping over each to its end and by going inside at once.
size_t count(JsonValue v) {
  size_t n = 0;
  for (const JsonMember& m : JsonMembers(v)) n += 1 + count(m.value);
  for (const JsonValue& e : JsonElements(v)) n += 1 + count(e);
  return n;
}

size_t count(JsonCursor& at, bool object, int depth) {
  size_t n = 0;
  for (bool inner; object ? at.next_member() : at.next_element(); ++n) {
    if (depth > 0 && ((inner = at.enter_object()) || at.enter_array())) n += count(at, inner, depth - 1);
  }
  return n;
}

// What scan_object() says of a valid object is what the cursor finds.
void check_members(std::string_view text, const ScanLimits& limits) {
  std::vector<MemberSpan> members;
  const ScanResult r = scan_object(text, limits, members);
  if (r.fault == ScanFault::kDuplicate || r.fault == ScanFault::kTooManyMembers || r.fault == ScanFault::kTooManyContainers) return;
  const JsonValue root(text);
  fuzz::must(static_cast<bool>(r) == root.is_object(), "a valid object is accepted, another value is not");
  if (!r) return;
  size_t i = 0;
  for (const JsonMember& m : JsonMembers(root)) {
    fuzz::must(i < members.size() && members[i].name == m.key, "scan and cursor find the same members");
    fuzz::must(text.data() + members[i].key_begin == m.raw.data(), "their keys stand in the same place");
    fuzz::must(text.substr(members[i].value_begin, members[i].value_end - members[i].value_begin) == m.value.raw(), "their values are the same");
    fuzz::must(find_member(root, members[i].name).exists(), "each is found by its name");
    ++i;
  }
  fuzz::must(i == members.size(), "scan and cursor find as many members");
}

#ifdef LLMROUTER_HAS_SIMDJSON

bool has_surrogate_escape(std::string_view text) {
  for (size_t at = text.find("\\u"); at != std::string_view::npos; at = text.find("\\u", at + 1)) {
    if (at + 3 < text.size() && (text[at + 2] == 'd' || text[at + 2] == 'D')) return true;
  }
  return false;
}

// Newer versions have an error of its own for integers beyond 64 bits.
bool has_large_integer(std::string_view text) {
  size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits >= 19) return true;
  }
  return false;
}

void same_string(JsonValue ours, std::string_view theirs) {
  std::string text;
  fuzz::must(ours.string(text) && text == theirs && ours.equals(theirs), "strings are the same");
  std::string written;
  append_json_string(written, text);
  fuzz::must(JsonValue(written).equals(theirs), "a string comes back as it was written");
}

void same(JsonValue ours, simdjson::dom::element theirs) {
  using simdjson::dom::element_type;
  switch (theirs.type()) {
    case element_type::OBJECT: {
      JsonMembers it(ours);
      for (const auto field : simdjson::dom::object(theirs)) {
        fuzz::must(it.next() && it->key == field.key, "members are the same");
        same(it->value, field.value);
      }
      fuzz::must(!it.next() && !it.malformed(), "no member is left over");
      return;
    }
    case element_type::ARRAY: {
      JsonElements it(ours);
      size_t index = 0;
      for (const auto element : simdjson::dom::array(theirs)) {
        fuzz::must(it.next(), "elements are as many");
        if (index < 4) fuzz::must(find_element(ours, index).raw().data() == it->raw().data(), "elements are found by index");
        ++index;
        same(*it, element);
      }
      fuzz::must(!it.next() && !it.malformed(), "no element is left over");
      return;
    }
    case element_type::STRING: return same_string(ours, theirs.get_string().value());
    case element_type::BOOL: return fuzz::must(ours.boolean() == theirs.get_bool().value(), "booleans are the same");
    case element_type::NULL_VALUE: return fuzz::must(ours.is_null(), "null is null");
    case element_type::INT64: return fuzz::must(ours.integer() == theirs.get_int64().value(), "integers are the same");
    case element_type::UINT64:  // above the range of int64
      return fuzz::must(!ours.integer() && ours.number() == static_cast<double>(theirs.get_uint64().value()), "large integers are no int64");
    case element_type::DOUBLE: {
      const double value = theirs.get_double().value();
      fuzz::must(ours.number() == value, "doubles are the same");
      if (ours.integer()) fuzz::must(static_cast<double>(*ours.integer()) == value, "an integral double is that integer");
      return;
    }
  }
}

void compare(std::string_view text, const ScanResult& ours) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") return;  // a BOM is for others to allow
  static simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::dom::element root;
  const auto error = parser.parse(padded).get(root);
  if (ours.fault == ScanFault::kTooDeep || error == simdjson::DEPTH_ERROR) return;
  if (!ours) return fuzz::must(error != simdjson::SUCCESS, "what is refused here is refused by simdjson");
  if (error == simdjson::SUCCESS) return same(JsonValue(text), root);
  // Valid JSON that simdjson does not represent: numbers beyond its types, lone surrogates.
  fuzz::must(error == simdjson::NUMBER_ERROR || has_large_integer(text) || (error == simdjson::STRING_ERROR && has_surrogate_escape(text)), "what is accepted here is accepted by simdjson");
}

#endif

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ScanLimits limits{ScanLimits::kMaxDepth, 1000};
  const ScanResult r = validate(text, limits);
  fuzz::must(r.offset <= size, "a fault lies in the text");
  const Error e = r.to_error(text);
  fuzz::must(!e.message.empty(), "a fault has words");
  const JsonValue root(text);
  walk(root, 6);
  JsonCursor at(root);
  const size_t seen = count(at, root.is_object(), ScanLimits::kMaxDepth);
  if (r) {
    fuzz::must(seen == count(root), "both ways to walk see as many values");
    check_members(text, limits);
    fuzz::must(static_cast<bool>(validate(text, {8})) || validate(text, {8}).fault == ScanFault::kTooDeep, "a smaller depth only refuses depth");
  } else {
    std::vector<MemberSpan> members;
    fuzz::must(!scan_object(text, limits, members), "what is no JSON is no object");
  }
#ifdef LLMROUTER_HAS_SIMDJSON
  compare(text, r);
#endif
  return 0;
}
