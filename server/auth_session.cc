// Tokens for logins: a caller's own sessions.
#include "server/admin.h"
#include "server/admin_query.h"
#include "server/handlers.h"
#include "server/json.h"
#include "server/session.h"

namespace llmrouter::server {

namespace {

Reply start(Context& context, const KeyRecord& key, const SessionWish& wish) {
  auto made = context.router->start_session(key, wish);
  return made ? admin_reply(to_json(*made), 201) : failed_for_caller(context, made.error());
}

// A token's own, or all of the key's.
Reply describe(const Context& context, const KeyRecord& key) {
  if (key.session) return admin_reply(to_json(*key.session));
  std::string body = "{\"data\":[";
  for (const KeySession& session : context.router->keys()->sessions(key)) {
    if (body.back() == '}') body += ',';
    body += to_json(session);
  }
  return admin_reply(body + "]}");
}

Reply end(Context& context, const KeyRecord& key, const std::string& id) {
  auto ended = context.router->keys()->end_sessions(key, id);
  if (!ended) return failed_for_caller(context, ended.error());
  std::string body = "{";
  append_member(body, "ended", static_cast<int64_t>(*ended));
  return admin_reply(body + "}");
}

}  // namespace

void handle_auth_session(Session& session) {
  const Context& context = session.loop().context();
  const Request& request = session.request();
  auto caller = context.router->authenticate(Secret(request.key), {});
  if (!caller) return session.fail(caller.error());
  if (!*caller) return session.fail(Error(ErrorCode::kMissingKey, "a session belongs to a key: send one"));
  const std::shared_ptr<const KeyRecord> key = *caller;
  // `key` is what callers without a header say who they are with.
  if (auto known = refuse_parameters(request.query(), request.method == Method::kDelete ? "key id" : "key"); !known) return session.fail(known.error());
  if (request.method == Method::kPost) {
    auto wish = session_wish_from_json(request.body);
    if (!wish) return session.fail(wish.error());
    return on_worker(session, [key, wish = *wish](Context& c) { return start(c, *key, wish); });
  }
  if (request.method == Method::kDelete) {
    const auto named = query_value(request.query(), "id");
    if (named && named->empty()) return session.fail(Error(ErrorCode::kInvalidRequest, "id: expected a session's id; without `id` all of them end", "id"));
    std::string id = named.value_or("");
    // A token ends itself alone.
    if (key->session && !id.empty() && id != key->session->id) {
      return session.fail(Error(ErrorCode::kInvalidRequest, "id: a token ends its own session alone; present the key", "id"));
    }
    if (key->session) id = key->session->id;
    return on_worker(session, [key, id = std::move(id)](Context& c) { return end(c, *key, id); });
  }
  session.respond(describe(context, *key));
}

}  // namespace llmrouter::server
