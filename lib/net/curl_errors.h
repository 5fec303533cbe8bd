// What libcurl's results mean to a transfer.
#ifndef LLMROUTER_NET_CURL_ERRORS_H_
#define LLMROUTER_NET_CURL_ERRORS_H_

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "llmrouter/transport.h"

namespace llmrouter::net {

// How far a transfer had got.
enum class Progress {
  kNothingSent,  // no connection was ready: nothing of the request has left
  kSent,         // some of it may have
  kHead,         // and the reply's head is complete
};

// `detail` is libcurl's own text and may be empty; `where` is host and port. Both become the error's detail: its message names no address.
TransferError transfer_error(CURLcode code, Progress progress, std::string_view where, std::string_view detail);

// Without user:password@ and without what follows a question mark.
std::string scrub(std::string_view text);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_ERRORS_H_
