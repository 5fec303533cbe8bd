// Request headers as libcurl wants them, without an allocation for each.
#ifndef LLMROUTER_NET_CURL_HEADERS_H_
#define LLMROUTER_NET_CURL_HEADERS_H_

#include <curl/curl.h>

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/transport.h"

namespace llmrouter::net {

// Owns what it lists; good until the next set(). Memory is kept from request to request.
class CurlHeaders {
 public:
  // False: a name or a value that cannot be sent, and fault() names it (never the value). Content-length, transfer-encoding and
  // expect are the transport's and left out; what libcurl would add on its own and was not asked for is switched off. `user_agent`: where the
  // request names none; may be empty.
  bool set(const std::vector<HttpHeader>& headers, std::string_view user_agent);
  curl_slist* list() noexcept { return nodes_.empty() ? nullptr : nodes_.data(); }
  const std::string& fault() const noexcept { return fault_; }

 private:
  void add(std::string_view name, std::string_view value);

  std::string text_;              // "name: value\0" after another
  std::vector<size_t> places_;    // where each begins
  std::vector<curl_slist> nodes_;
  std::string fault_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_HEADERS_H_
