// A request's body as one run of bytes, wherever it lies.
#ifndef LLMROUTER_NET_REQUEST_BODY_H_
#define LLMROUTER_NET_REQUEST_BODY_H_

#include <cstddef>
#include <string>

#include "llmrouter/body.h"
#include "llmrouter/transport.h"

namespace llmrouter::net {

// Reads it from the front to the back. Views must live until then; a source is the request's.
class RequestBody {
 public:
  // Null: nothing.
  void set(const HttpRequest* request) noexcept;
  size_t size() const noexcept { return size_; }
  // The next bytes: as many as there is room for, until the end, where it is none. An error: the source failed or is shorter than it said.
  Result<size_t> read(char* to, size_t room);
  bool seek(size_t offset) noexcept;  // false: there is no such place

 private:
  const HttpRequest* request_ = nullptr;
  size_t size_ = 0;
  size_t at_ = 0;      // of the whole body
  size_t piece_ = 0;   // of the views, and where in it
  size_t within_ = 0;
};

// All of it, appended to `out`.
Result<void> append_body(const HttpRequest& request, std::string& out);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_REQUEST_BODY_H_
