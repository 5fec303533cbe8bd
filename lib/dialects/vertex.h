// Google Cloud's Vertex AI (quirk `publishers`): models of several makers in one place, each under its publisher and in its maker's dialect.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
#ifndef LLMROUTER_DIALECTS_VERTEX_H_
#define LLMROUTER_DIALECTS_VERTEX_H_

#include <string>
#include <string_view>

#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"

namespace llmrouter::dialects::vertex {

constexpr std::string_view kGoogle = "google";
constexpr std::string_view kAnthropic = "anthropic";
constexpr std::string_view kAnthropicVersion = "vertex-2023-10-16";  // `anthropic_version` in a body

bool serves(const ProviderConfig& provider) noexcept;

// "/publishers/google/models/gemini-2.5-flash:generateContent". A model may be named with its publisher ("google/X", "publishers/google/models/X"), or be
// an endpoint of the project ("endpoints/123").
std::string path_of(std::string_view publisher, std::string_view model, std::string_view operation);

// fill_request() with the path of an operation on a model. A key that is one of Google's API keys (AIza..., AQ....) goes as such; others are access tokens.
Result<void> fill(const ProviderConfig& provider, std::string_view publisher, std::string_view model, std::string_view operation, std::string_view accept,
                  std::string_view key, HttpRequest& out);

// The publisher's list of models, which stands beside the project; `query` as it goes into the URL.
Result<void> fill_list(const ProviderConfig& provider, std::string_view publisher, std::string_view query, std::string_view key, HttpRequest& out);

}  // namespace llmrouter::dialects::vertex

#endif  // LLMROUTER_DIALECTS_VERTEX_H_
