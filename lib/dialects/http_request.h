// The HTTP side of an upstream request, the same for every dialect.
#ifndef LLMROUTER_DIALECTS_HTTP_REQUEST_H_
#define LLMROUTER_DIALECTS_HTTP_REQUEST_H_

#include <string_view>

#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"

namespace llmrouter::dialects {

// Sets method, URL (`path` goes before a query that the base URL has) and headers: content-type (not for GET), accept, the credential as
// provider.auth says, then the provider's own, which win over ours. kConfig when the credential cannot stand in a header.
Result<void> fill_request(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept,
                          std::string_view key, HttpRequest& out);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_HTTP_REQUEST_H_
