// POST /v1/messages/count_tokens, both sides.
#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/anthropic_upstream.h"
#include "dialects/fault.h"
#include "dialects/task_codec.h"
#include "dialects/tool_names.h"
#include "dialects/vertex.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonValue;

class CountClient final : public TaskClient {
 public:
  void set_path(const RequestPath& path) override { request_id_ = path.request_id; }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    auto facts = scan_request(body);
    if (facts) facts->stream = false;
    return facts;
  }

  Result<TaskRequest> decode_task() override {
    auto chat = read_request(body_);
    if (!chat) return std::move(chat).error();
    TaskRequest task;
    task.operation = Operation::kCountTokens;
    task.model = chat->model;
    task.chat = std::move(*chat);
    return task;
  }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override { return client_field(origins_of(body_), neutral, decoded); }
  void encode_task(const TaskResponse& response, std::string& out) override {
    wire::JsonWriter w(out);
    w.begin_object();
    w.member("input_tokens", response.count);
    w.end_object();
  }

  bool is_error_body(std::string_view body) const override { return is_error(body); }
  void encode_error(const Error& error, std::string& out) const override { write_error(error, request_id_, out); }
  void encode_stream_error(const Error& error, std::string& out) override { write_error(error, request_id_, out); }

 private:
  std::string_view body_;
  std::string request_id_;
};

class CountUpstream final : public TaskUpstream {
 public:
  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    if (input.facts != nullptr) {
      if (auto spliced = splice_request(input, true, out); !spliced) return spliced;
    } else {
      if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string body;
      std::optional<ChatRequest> copy;
      auto written = write_request(ToolNames().fit(input.task->chat, kPlainNames, input.foreign, copy), bare_name(input), write_options(input, true), body, out.dropped);
      if (!written) return std::move(written).error();
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    if (vertex::serves(*input.provider)) {
      return vertex::fill(*input.provider, vertex::kAnthropic, "count-tokens", "rawPredict", "application/json", input.key, out.http);
    }
    return fill_anthropic(*input.provider, "POST", "/messages/count_tokens", "application/json", input.key, {}, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    auto count = find_member(*root, "input_tokens").integer();
    if (!count || *count < 0) return unreadable("the upstream counted no `input_tokens`", body, key_.reveal());
    TaskResponse response;
    response.count = *count;
    return response;
  }

 protected:
  TokenUsage usage_of(JsonValue) const override { return {}; }
};

}  // namespace

std::unique_ptr<ClientCodec> new_task_client(Operation operation) {
  return operation == Operation::kCountTokens ? std::make_unique<CountClient>() : nullptr;
}
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) {
  return operation == Operation::kCountTokens ? std::make_unique<CountUpstream>() : nullptr;
}

}  // namespace llmrouter::dialects::anthropic
