// Objects inside of a request in which no name may come twice. The top level is watched by wire::scan_object(); this is for what limits and rules
// read further inside (options, messages, their parts): the router would believe one of the two, and the upstream the other.
#ifndef LLMROUTER_DIALECTS_DISTINCT_H_
#define LLMROUTER_DIALECTS_DISTINCT_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/fields.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

enum class Spelling {
  kExact,
  kCamelOrSnake,  // "topP" and "top_p" are one name, as Google reads them
};

bool is_same_name(std::string_view a, std::string_view b, Spelling spelling) noexcept;

struct NameFault {
  std::string name;       // which comes twice; long ones are cut
  bool too_many = false;  // more than wire::ScanLimits::max_members instead
};

// As wire::pick(), but walks all of the object to see whether a name comes twice. Of something else than an object: nothing. Allocates only where
// names have escapes or are more than a few.
std::optional<NameFault> pick_distinct(wire::JsonValue object, std::initializer_list<wire::Pick> wanted, Spelling spelling = Spelling::kExact);

// The same for the object that a cursor was put inside of; it is behind it afterwards. `text`: what the cursor walks. For what lies in long texts: nobody has to find the end of the object before.
std::optional<NameFault> pick_distinct(wire::JsonCursor& at, std::string_view text, std::initializer_list<wire::Pick> wanted, Spelling spelling = Spelling::kExact);

// kInvalidRequest when a member of a body has the name of one that limits, keys or rules look at, in another case. There are servers that read names in any case
// (Go's encoding/json): they would obey what nobody here has seen.
Result<void> check_case(const std::vector<MemberSpan>& members);

// kInvalidRequest: "`options.num_predict` comes twice".
Error not_distinct(std::string where, const NameFault& fault);

// The same for `fields`; `where()` is the object's path and only asked for where there is a fault. False: there is one.
template <typename Where>
bool pick_distinct(Fields& fields, wire::JsonValue object, std::initializer_list<wire::Pick> wanted, Where&& where, Spelling spelling = Spelling::kExact) {
  const std::optional<NameFault> fault = pick_distinct(object, wanted, spelling);
  if (fault) fields.fail(not_distinct(where(), *fault));
  return !fault;
}

// Does a name come twice in a value, or in an object inside of it that is read by name? Down to `levels` of objects one in another, arrays in between not counted;
// what lies deeper (schemas, arguments) is not looked at. One pass over the text. `path`: of the object at fault, from the value on (".function", "[1].function").
std::optional<NameFault> fault_inside(wire::JsonValue value, int levels, std::string& path, Spelling spelling = Spelling::kExact);

// The same for `fields`. False: there is a fault.
template <typename Where>
bool distinct_inside(Fields& fields, wire::JsonValue value, int levels, Where&& where, Spelling spelling = Spelling::kExact) {
  if (!value.is_object() && !value.is_array()) return true;
  std::string path;
  const std::optional<NameFault> fault = fault_inside(value, levels, path, spelling);
  if (fault) fields.fail(not_distinct(where() + path, *fault));
  return !fault;
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_DISTINCT_H_
