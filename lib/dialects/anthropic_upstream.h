// What the upstream codecs of this dialect share.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_UPSTREAM_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_UPSTREAM_H_

#include <string_view>

#include "dialects/anthropic.h"
#include "llmrouter/codec.h"

namespace llmrouter::dialects::anthropic {

// A client's own body: the model's name and edits spliced in, and what Vertex AI wants (`anthropic_version`, no model but where tokens are counted).
// kNotSupported as add_own_edits().
Result<void> splice_request(const EncodeInput& input, bool counting, EncodedRequest& out);

// How a request is written for this provider.
WriteOptions write_options(const EncodeInput& input, bool counting);

// The model as a body names it.
std::string_view bare_name(const EncodeInput& input) noexcept;

// URL and headers: `path` stands behind /v1; `anthropic-version`, and `beta` when it is not empty.
Result<void> fill_anthropic(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept, std::string_view key,
                            std::string_view beta, HttpRequest& out);

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_UPSTREAM_H_
