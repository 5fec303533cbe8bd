// Google Cloud's Vertex AI (quirk `publishers`): models of several makers in one place, each under its publisher and in its maker's dialect.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
#ifndef LLMROUTER_DIALECTS_VERTEX_H_
#define LLMROUTER_DIALECTS_VERTEX_H_

#include <string>
#include <string_view>
#include <vector>

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

// Where a model of another maker than those two is asked, and how it is called there. Most have one place for all of them, of OpenAI's chat completions, where
// a model is named "meta/llama-3.3-70b-instruct-maas"; Mistral's and AI21's are asked each in its own, with the maker's own body.
// https://cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis
// https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral
struct OpenModel {
  std::string path;   // after the base URL
  std::string name;   // for `model` in the body
  std::vector<std::string> quirks;  // the maker's own, beside the provider's
};
// `model` as a user has it: "meta/X", "publishers/meta/models/X", or "X" where its family says who made it.
OpenModel open_model(std::string_view model, bool stream);
// fill_request() of it.
Result<void> fill_open(const ProviderConfig& provider, const OpenModel& model, std::string_view accept, std::string_view key, HttpRequest& out);

// The publisher's list of models, which stands beside the project; `query` as it goes into the URL.
Result<void> fill_list(const ProviderConfig& provider, std::string_view publisher, std::string_view query, std::string_view key, HttpRequest& out);

}  // namespace llmrouter::dialects::vertex

#endif  // LLMROUTER_DIALECTS_VERTEX_H_
