// The HTTP side of an upstream request, the same for every dialect.
#ifndef LLMROUTER_DIALECTS_HTTP_REQUEST_H_
#define LLMROUTER_DIALECTS_HTTP_REQUEST_H_

#include <string>
#include <string_view>

#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"

namespace llmrouter::dialects {

// Sets method, URL (`path` goes before a query that the base URL has) and headers: content-type (not for GET, nor when `out` has one), accept, the credential as
// provider.auth says, then the provider's own, which win over ours. A provider with an api_version gets it as a query. kConfig when the credential cannot stand in a header.
Result<void> fill_request(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept,
                          std::string_view key, HttpRequest& out);

// Appends a part of a URL's path: percent-encoded, but for slashes, `:` and `@`, which model names hold.
void append_path(std::string& out, std::string_view text);
// Appends a value of a URL's query: those three are encoded, too.
void append_query(std::string& out, std::string_view text);

// The path of an operation on a model. Azure's older face names the deployment there: `/deployments/NAME/chat/completions`; it is known by an
// api_version and a base URL that ends in `/openai`.
std::string model_path(const ProviderConfig& provider, std::string_view model, std::string_view path);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_HTTP_REQUEST_H_
