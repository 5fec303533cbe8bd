// The upstream side: a server that has POST /responses.
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/openai.h"
#include "dialects/responses.h"
#include "dialects/responses_stream.h"
#include "dialects/tool_names.h"
#include "dialects/usage.h"
#include "llmrouter/secret.h"

namespace llmrouter::dialects::responses {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

class ResponsesUpstream final : public UpstreamCodec {
 public:
  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    const bool relay = input.facts != nullptr;
    stream_.start(relay, key_.reveal());
    if (auto body = relay ? splice_request(input, out) : write_body(input, out); !body) return body;
    return fill_request(*input.provider, "POST", "/responses", input.stream ? "text/event-stream" : "application/json", input.key, out.http);
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override { stream_.feed(bytes, names_.restoring(sink)); }
  void finish(UpstreamSink& sink) override { stream_.finish(names_.restoring(sink)); }

  Result<ReplyFacts> inspect(std::string_view body) override {
    auto root = read_root(body, key_.reveal());
    if (!root) return std::move(root).error();
    const JsonValue output = find_member(*root, "output"), status = find_member(*root, "status");
    // In the background, or compacted: no answer yet, but none that failed either.
    if (!output.is_array() && status.is_unset()) {
      if (auto answer = read_answer(*root, ids_, key_.reveal()); !answer) return std::move(answer).error();
    }
    if (auto error = failure_of(*root, key_.reveal())) return std::move(*error);
    ReplyFacts facts;
    read_usage(last_told(*root, "usage"), facts.usage);
    bool calls = false;
    for (JsonValue item : JsonElements(output)) {
      const JsonValue type = find_member(item, "type");
      calls = calls || type.equals("function_call") || type.equals("custom_tool_call");
    }
    facts.finish = finish_of(*root, calls);
    find_member(*root, "model").string(facts.model);
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    auto root = read_root(body, key_.reveal());
    if (!root) return std::move(root).error();
    auto answer = read_answer(*root, ids_, key_.reveal());
    if (answer) names_.restore(*answer);
    return answer;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    return fill_request(provider, "GET", "/models", "application/json", key, out.http);
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    auto root = read_json(body, key_.reveal());
    if (!root) return std::move(root).error();
    return openai::read_models(*root, key_.reveal());
  }

 private:
  Result<void> write_body(const EncodeInput& input, EncodedRequest& out) {
    if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
    std::string body;
    std::optional<ChatRequest> copy;
    if (auto written = write_request(names_.fit(*input.chat, kPlainNames, input.foreign, copy), input.upstream_model, input.stream, input.foreign, body, out.dropped); !written) return written;
    out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    return {};
  }

  Secret key_;
  ToolNames names_;
  StreamReader stream_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<ResponsesUpstream>(); }

}  // namespace llmrouter::dialects::responses
