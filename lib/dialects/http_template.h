// The dialect of no vendor: a provider's own template says how a request is written and where in an answer the text stands. Upstream only, text
// only. See HttpTemplate in llmrouter/provider.h.
#ifndef LLMROUTER_DIALECTS_HTTP_TEMPLATE_H_
#define LLMROUTER_DIALECTS_HTTP_TEMPLATE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::http_template {

std::unique_ptr<UpstreamCodec> new_upstream_codec();

// The value at a JSON pointer (RFC 6901); absent when there is none.
wire::JsonValue at_pointer(wire::JsonValue root, std::string_view pointer);

// Appends the template's body with its placeholders filled in. kInvalidRequest names what the template has no place for; hints without a place are named in
// `dropped`.
Result<void> write_request(const HttpTemplate& form, const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped);

}  // namespace llmrouter::dialects::http_template

#endif  // LLMROUTER_DIALECTS_HTTP_TEMPLATE_H_
