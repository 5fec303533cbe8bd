// Changes named members of a JSON object's text and nothing else: the result is a list of pieces, most of them views of the original.
#ifndef LLMROUTER_WIRE_SPLICE_H_
#define LLMROUTER_WIRE_SPLICE_H_

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"

namespace llmrouter::wire {

// One change. Views must live until splice() returns.
//   kSet      the member has this value afterwards
//   kDefault  the same, but only when it is absent or null
//   kRemove   there is no such member afterwards
// With `child` the change is made to that member of the object `name`, whose other members stay as they are. An object that is not there,
// or a `name` that is no object, becomes `{"child":json}` (kRemove: stays as it is; kDefault: only when absent or null).
struct SpliceEdit {
  BodyEdit::Kind kind = BodyEdit::Kind::kSet;
  std::string_view name;   // unescaped
  std::string_view child;  // unescaped; empty: the top-level member itself
  std::string_view json;   // one valid JSON value (that is not checked); not read by kRemove
};

// A BodyEdit as a SpliceEdit; `edit` must live until splice() returns.
inline SpliceEdit to_splice(const BodyEdit& edit) noexcept { return {edit.kind, edit.name, {}, edit.json}; }

// `body` is a valid JSON object and `members` its members, as scan_object() found both. Edits take effect one after the other: a later
// one sees what an earlier one left. Members that are set keep their place; new ones go to the end, in the order of the edits. Bytes that
// belong to no changed member stay, blanks included; a removed member takes one comma with it.
//
// The pieces are appended to `pieces`; joined they are the new body. They point into `body` and into one string that is appended to
// `owned` (when there is new text at all), so both must outlive them.
void splice(std::string_view body, const std::vector<MemberSpan>& members, const std::vector<SpliceEdit>& edits,
            std::list<std::string>& owned, std::vector<std::string_view>& pieces);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_SPLICE_H_
