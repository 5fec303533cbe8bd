// Request bodies that are not held in memory: read in pieces from wherever they lie, and forms that are put aside as they come.
#ifndef LLMROUTER_BODY_H_
#define LLMROUTER_BODY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/export.h"
#include "llmrouter/result.h"

namespace llmrouter {

// A field of a form. Offsets are into its body.
struct FormField {
  std::string name;
  bool file = false;       // it has a file's name
  size_t begin = 0;        // of its delimiter, the two dashes
  size_t value_begin = 0;
  size_t value_end = 0;    // where the line end before the next delimiter begins
  std::string text;        // the value's first 4 KiB; of a file nothing
  size_t size() const noexcept { return value_end - value_begin; }
  bool whole_text() const noexcept { return !file && text.size() == size(); }
};

// Where everything lies in a form (multipart/form-data).
struct Form {
  std::string boundary;
  std::vector<FormField> fields;  // in order
  size_t end = 0;                 // of the last delimiter, the two dashes before it
};

// A body that is read where it lies: a file, a spool, something larger than one wants to hold. It is immutable, and one that is sent to several
// upstreams, or again after a failure, is read again from its start. Calls come on the thread of the reactor that sends it and hold that thread up,
// so a read must not wait for anything slower than a disk. Who uses one holds it by a shared_ptr.
class LLMROUTER_EXPORT BodySource {
 public:
  virtual ~BodySource() = default;
  virtual size_t size() const noexcept = 0;
  // Puts up to `count` bytes from `offset` on to `to` and says how many: at least one unless `count` is 0 or `offset` is the end. Fewer bytes than
  // size() promised, and an error, end the transfer that asked (TransferError::Kind::kRequestBody).
  virtual Result<size_t> read(size_t offset, char* to, size_t count) const = 0;
  // The fields, where whoever made this knows them; null: not known, and read when a call begins. An error is the body's fault, and the call's end.
  virtual Result<std::shared_ptr<const Form>> form() const { return std::shared_ptr<const Form>(); }
};

struct UploadOptions {
  std::string directory = "/tmp";  // of the temporary file: without a name, mode 0600, gone with the last who reads it
  size_t memory = 256 * 1024;      // bytes that are held before there is a file
};

// Takes a form as it comes, in pieces of any length: notes where its fields lie, and puts the bytes into memory or, when they get more, into a
// temporary file. Limits: 256 fields, 8 KiB of header lines and 256 bytes of name for each; of all bytes together, whoever feeds it. Not
// thread-safe; what finish() gives may be read on another thread.
class LLMROUTER_EXPORT FormUpload {
 public:
  // kUnsupportedMediaType unless `content_type` is multipart/form-data with a boundary of 1 to 70 characters.
  static Result<std::unique_ptr<FormUpload>> begin(std::string_view content_type, UploadOptions options = {});
  ~FormUpload();
  FormUpload(const FormUpload&) = delete;
  FormUpload& operator=(const FormUpload&) = delete;

  // What goes wrong (a malformed form: kInvalidRequest; a full disk: kIo with status 507) is told by the source's form(). From there on nothing is
  // kept, and what still comes is dropped.
  void feed(std::string_view bytes);
  // The whole body, once; nothing may be fed after. Its read() does not depend on a position, so several may read it.
  std::shared_ptr<const BodySource> finish();

 private:
  struct Impl;
  explicit FormUpload(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_BODY_H_
