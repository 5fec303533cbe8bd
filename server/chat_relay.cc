#include "server/chat_relay.h"

#include <utility>

#include "llmrouter/values.h"
#include "server/session.h"

namespace llmrouter::server {

namespace {

// What the request says about how it is to be handled, beside its body.
Result<CallOptions> options_of(Session& session, Request& request) {
  CallOptions options;
  options.trusted = session.trusted();
  if (!request.timeout.empty()) {
    auto timeout = parse_duration(request.timeout);
    if (!timeout || timeout->count() <= 0)
      return Error(ErrorCode::kInvalidRequest, "x-llmrouter-timeout: expected a duration above 0 such as 30s, at most 36500d", "x-llmrouter-timeout");
    options.timeout = *timeout;
  }
  options.key = Secret(std::move(request.key));
  // SDKs always send some key: one that nobody knows is as good as none from a trusted caller.
  KeyStore* keys = session.loop().context().router->keys();
  if (options.trusted && !options.key.empty() && (keys == nullptr || !keys->find(options.key.reveal()))) options.key = Secret();
  options.request_id = request.request_id;
  options.headers = std::move(request.forwarded);
  // Said in a header it is one: the body may say otherwise.
  if (auto proxy = query_value(request.query(), "proxy")) options.forced_provider = std::move(*proxy);
  else if (!request.provider.empty()) options.headers.push_back({"x-llmrouter-provider", std::move(request.provider)});
  return options;
}

}  // namespace

void ChatRelay::start(Request& request) {
  auto options = options_of(session_, request);
  if (!options) return session_.fail(options.error());
  RawRequest raw;
  const Route& route = session_.route();
  raw.dialect.assign(route.dialect);
  raw.operation = operation_of(route.endpoint);
  raw.path.operation.assign(route.operation);
  raw.path.model = percent_decode(route.model, false).value_or(std::string(route.model));
  raw.path.query.assign(request.query());
  raw.path.content_type = std::move(request.content_type);
  raw.body = std::move(request.body);
  if (request.upload) raw.source = std::exchange(request.upload, nullptr)->finish();
  Context& context = session_.loop().context();
  call_ = context.router->relay(session_.loop().transport(), std::move(raw), std::move(*options), *this);
}

void ChatRelay::on_head(const ReplyHead& head) {
  begun_ = true;
  // Only a stream of events has a place for an error.
  stream_ = head.stream && (session_.route().endpoint == Endpoint::kChat || head.content_type.substr(0, 17) == "text/event-stream");
  session_.begin(head.status, head.content_type, head.content_length, head.headers);
}

Flow ChatRelay::on_bytes(std::string_view bytes) { return session_.write(bytes); }

Flow ChatRelay::on_whole(std::string&& body) {
  session_.write_whole(std::move(body));
  return Flow::kContinue;
}

void ChatRelay::on_end(const CallResult& result) {
  session_.note(result.record.key);
  if (!begun_) return session_.fail(result.error.code == ErrorCode::kNone ? Error(ErrorCode::kInternal, "there was no answer") : result.error);
  session_.finish(result.complete);
}

void ChatRelay::shut_down() { call_.end(Error(ErrorCode::kShuttingDown, "the server is shutting down")); }

}  // namespace llmrouter::server
