// Reads requests off a byte stream, strictly. Boost.Beast does the grammar, behind this type: its headers are heavy.
#ifndef LLMROUTER_SERVER_REQUEST_PARSER_H_
#define LLMROUTER_SERVER_REQUEST_PARSER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/error.h"
#include "server/http.h"

namespace llmrouter::server {

struct ParserLimits {
  size_t max_header = 64 * 1024;
  size_t max_fields = 200;
  size_t max_body = 32 * 1024 * 1024;
  const std::vector<std::string>* forward = nullptr;  // lower-case names of headers to keep; must outlive the request
};

// One request after the other: feed until kDone, take the request, reset. What two readers could understand differently is refused:
// content-length beside transfer-encoding or twice, transfer codings other than chunked, folded lines, blanks before the colon, bare line
// feeds, a missing, malformed or second host, a target that names another, two authorizations that differ.
class RequestParser {
 public:
  enum class State {
    kHead,        // nothing or some of the header
    kHeadDone,    // the header is there, a body follows; go on feeding when it is wanted
    kBody,
    kDone,
    kFailed,      // see fault(); the connection cannot be read on
  };

  RequestParser();
  ~RequestParser();

  void reset(const ParserLimits& limits);
  // Takes what it can and says how many bytes that were. Returns early, once, at kHeadDone, when the request's `upload` may be set. What was not
  // taken is to be fed again with more behind it.
  size_t feed(std::string_view bytes);
  State state() const noexcept;
  bool started() const noexcept;  // a byte of the request was seen
  const Error& fault() const noexcept;
  Request& request() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_REQUEST_PARSER_H_
