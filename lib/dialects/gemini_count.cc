// POST /v1beta/models/{model}:countTokens, both sides.
#include <algorithm>

#include "dialects/fault.h"
#include "dialects/gemini.h"
#include "dialects/gemini_images.h"
#include "dialects/own_edits.h"
#include "dialects/task_codec.h"
#include "dialects/tool_names.h"
#include "dialects/vertex.h"
#include "wire/splice.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::JsonValue;
using wire::JsonWriter;

class CountClient final : public TaskClient {
 public:
  void set_path(const RequestPath& path) override {
    target_ = target_of(path);
    target_.stream = false;
  }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    return scan_request(body, target_);
  }

  Result<TaskRequest> decode_task() override {
    auto chat = read_request(body_, target_);
    if (!chat) return std::move(chat).error();
    TaskRequest task;
    task.operation = Operation::kCountTokens;
    task.model = chat->model;
    task.chat = std::move(*chat);
    return task;
  }

  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    return client_field(origins_of(body_, target_, decoded), neutral, decoded);
  }
  void encode_task(const TaskResponse& response, std::string& out) override {
    JsonWriter w(out);
    w.begin_object();
    w.member("totalTokens", response.count);
    w.end_object();
  }

  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override { write_error(error, out); }

 private:
  Target target_;
  std::string_view body_;
};

class CountUpstream final : public TaskUpstream {
 public:
  // Vertex AI does not know a whole request inside a request.
  bool relays(const ProviderConfig& provider, const RequestFacts& facts) const override {
    return !vertex::serves(provider) || std::none_of(facts.members.begin(), facts.members.end(),
                                                     [](const MemberSpan& m) { return is_field(m.name, "generateContentRequest"); });
  }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    if (input.facts != nullptr) {
      if (has_edits(input)) return not_spliced();
      if (auto spliced = splice_request(input, out); !spliced) return spliced;
    } else {
      if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string body;
      if (auto written = write(input, body, out.dropped); !written) return written;
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    return fill_google(*input.provider, input.upstream_model, "countTokens", "application/json", input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    const auto count = find_field(*root, "totalTokens").integer();
    if (!count || *count < 0) return unreadable("the upstream counted no `totalTokens`", body, key_.reveal());
    TaskResponse response;
    response.count = *count;
    return response;
  }

 protected:
  TokenUsage usage_of(JsonValue) const override { return {}; }

 private:
  // The Gemini API counts a whole request; Vertex AI has the same members at the top, and refuses those that do not count.
  static Result<void> write(const EncodeInput& input, std::string& out, std::vector<std::string>& dropped) {
    const WriteOptions options = write_options(*input.provider, input.foreign);
    std::string request;
    std::optional<ChatRequest> copy;
    auto written = write_request(ToolNames().fit(input.task->chat, kGoogleNames, input.foreign, copy), input.upstream_model, options, request, dropped);
    if (!written) return written;
    JsonWriter w(out);
    w.begin_object();
    if (vertex::serves(*input.provider)) {
      for (std::string_view name : {"contents", "systemInstruction", "tools", "generationConfig"}) {
        if (JsonValue value = wire::find_member(JsonValue(request), name); value.exists()) w.raw_member(name, value.raw());
      }
    } else {
      w.key("generateContentRequest");
      w.begin_object();
      w.member("model", "models/" + std::string(bare_model(input.upstream_model)));
      w.raw(std::string_view(request).substr(1, request.size() - 2));
      w.end_object();
    }
    w.end_object();
    return {};
  }
};

}  // namespace

std::unique_ptr<ClientCodec> new_task_client(Operation operation) {
  return operation == Operation::kCountTokens ? std::make_unique<CountClient>() : nullptr;
}
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) {
  if (operation == Operation::kImage) return new_image_upstream();
  return operation == Operation::kCountTokens ? std::make_unique<CountUpstream>() : nullptr;
}

}  // namespace llmrouter::dialects::gemini
