// What a codec answers that knows only chats, or only bytes.
#include "llmrouter/codec.h"

namespace llmrouter {

Result<RequestFacts> ClientCodec::scan_source(const BodySource&) {
  return Error(ErrorCode::kInvalidRequest, "this operation takes a body that is in memory, and no form");
}

Result<bool> ClientCodec::tell_texts(TextSink& sink) {
  auto chat = decode();
  if (!chat) return std::move(chat).error();
  return llmrouter::tell_texts(*chat, sink);
}

std::string ClientCodec::field(std::string_view neutral, const ChatRequest&) { return std::string(neutral); }

bool ClientCodec::take_over(const std::vector<StreamEvent>& told, std::string_view) {
  std::string said;
  for (const StreamEvent& event : told) encode_event(event, said);
  return true;
}

Result<TaskRequest> ClientCodec::decode_task() {
  return Error(ErrorCode::kNotSupported, "this request passes only to providers that speak its own dialect");
}
void ClientCodec::encode_task(const TaskResponse&, std::string&) {}

bool UpstreamCodec::relays(const ProviderConfig&, const RequestFacts& facts) const { return facts.relayable; }
int64_t UpstreamCodec::max_inputs(const ProviderConfig&, std::string_view) const { return 0; }
void UpstreamCodec::set_head(const HttpHead&) {}
Result<TaskResponse> UpstreamCodec::decode_task(std::string_view) {
  return Error(ErrorCode::kNotSupported, "answers of this operation pass only as bytes");
}

std::unique_ptr<ClientCodec> Dialect::new_task_client(Operation) const { return nullptr; }
std::unique_ptr<UpstreamCodec> Dialect::new_task_upstream(Operation) const { return nullptr; }

}  // namespace llmrouter
