// What all requests to Amazon Bedrock share: where they go, how they prove who asks.
#ifndef LLMROUTER_DIALECTS_BEDROCK_REQUEST_H_
#define LLMROUTER_DIALECTS_BEDROCK_REQUEST_H_

#include <string_view>

#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"

namespace llmrouter::dialects::bedrock {

constexpr std::string_view kRuntime = "bedrock-runtime.";

// Where the base URL says it: "https://bedrock-runtime.eu-west-1.amazonaws.com"; empty: it does not.
std::string_view region_of_url(std::string_view url) noexcept;

// URL and headers; access keys sign (the body has to stand already), anything else is a bearer key.
Result<void> fill(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept, std::string_view key,
                  HttpRequest& out);

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_REQUEST_H_
