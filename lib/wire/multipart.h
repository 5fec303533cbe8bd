// multipart/form-data (RFC 7578, RFC 2046 section 5.1), read where it lies: which fields a form has, and fields changed without a copy of the rest.
#ifndef LLMROUTER_WIRE_MULTIPART_H_
#define LLMROUTER_WIRE_MULTIPART_H_

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/error.h"
#include "llmrouter/result.h"
#include "wire/splice.h"

namespace llmrouter::wire {

// The boundary of a content type; none when it is no multipart/form-data, or its boundary is missing or not a legal one (1 to 70 characters).
std::optional<std::string> form_boundary(std::string_view content_type);

// Offsets into the body.
struct FormField {
  std::string name;
  bool file = false;      // it has a file's name
  size_t begin = 0;       // of its delimiter, the two dashes
  size_t value_begin = 0;
  size_t value_end = 0;   // where the line end before the next delimiter begins
};

struct FormLimits {
  size_t max_fields = 256;
  size_t max_head = 8 * 1024;  // the header lines of one field
};

// All fields of a whole form, in order. kInvalidRequest when it breaks off, has a field without a name, or goes over the limits.
struct Form {
  std::string boundary;
  std::vector<FormField> fields;
  size_t end = 0;  // of the last delimiter, the two dashes before it
};
Result<Form> scan_form(std::string_view body, std::string_view boundary, const FormLimits& limits = {});

// The pieces of the form with these edits made, one after the other; `child` of an edit is not read. Values are JSON: a string stands for its
// text, anything else for itself. kSet gives the first field of the name its value and takes the others out, or adds the field at the end. Pieces
// point into `body` and into `owned`.
void splice_form(std::string_view body, const Form& form, const std::vector<SpliceEdit>& edits, std::list<std::string>& owned,
                 std::vector<std::string_view>& pieces);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_MULTIPART_H_
