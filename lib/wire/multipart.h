// multipart/form-data (RFC 7578, RFC 2046 section 5.1): which fields a form has, noted while it passes by, and fields changed without a copy of the rest.
#ifndef LLMROUTER_WIRE_MULTIPART_H_
#define LLMROUTER_WIRE_MULTIPART_H_

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/body.h"
#include "llmrouter/error.h"
#include "llmrouter/result.h"
#include "wire/splice.h"

namespace llmrouter::wire {

// The boundary of a content type; none when it is no multipart/form-data, or its boundary is missing or not a legal one (1 to 70 characters).
std::optional<std::string> form_boundary(std::string_view content_type);

struct FormLimits {
  size_t max_fields = 256;
  size_t max_head = 8 * 1024;  // the header lines of one field
  size_t max_name = 256;       // of one field
  size_t max_text = 4 * 1024;  // FormField::text
};

// Reads a form in pieces of any length; holds no more of it than the limits say.
class FormReader {
 public:
  explicit FormReader(std::string_view boundary, const FormLimits& limits = {});
  // False: it is no valid form, finish() says why, and nothing more has to be fed.
  bool feed(std::string_view bytes);
  // After the last byte: all fields. kInvalidRequest when it breaks off, has a field without a name, or goes over the limits.
  Result<Form> finish();

 private:
  enum class Step { kPreamble, kDelimiter, kHead, kValue, kOver, kFailed };

  size_t seek(std::string_view bytes, size_t at);
  void take_delimiter(char c);
  void take_head(char c, size_t next);
  void end_value();
  void fail(std::string words);

  const FormLimits limits_;
  const std::string mark_;     // a delimiter with the line feed before it
  Step step_ = Step::kPreamble;
  size_t base_ = 0;            // of the bytes that are fed now
  size_t matched_ = 1;         // bytes of `mark_` seen; where a body or a value begins, its line end
  bool behind_return_ = true;  // a carriage return stood before them
  char last_ = 0;              // byte that was fed
  size_t delimiter_ = 0;       // of the last one, the two dashes
  char behind_ = 0;            // what stood behind it: '-', '\r' or a blank
  std::string head_;
  FormField field_;            // at work
  Form form_;
  Error fault_;
};

// A piece of a changed form: a range of the body as it came, or, where that is empty, text.
struct FormPiece {
  size_t begin = 0, end = 0;
  std::string_view text;
  size_t size() const noexcept { return end > begin ? end - begin : text.size(); }
};

// The pieces of a form of `size` bytes with these edits made, one after the other; `child` of an edit is not read. Values are JSON: a string stands
// for its text, anything else for itself. kSet gives the first field of the name its value and takes the others out, or adds the field at the end.
// Texts point into `owned`.
std::vector<FormPiece> splice_form(const Form& form, size_t size, const std::vector<SpliceEdit>& edits, std::list<std::string>& owned);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_MULTIPART_H_
