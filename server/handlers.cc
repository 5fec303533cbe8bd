#include "server/handlers.h"

#include "server/session.h"

namespace llmrouter::server {

Reply error_reply(const Context& context, std::string_view dialect, const Error& error, std::string_view request_id) {
  Reply reply;
  reply.status = error.http_status();
  if (auto codec = context.dialect(dialect).new_client_codec()) {
    RequestPath path;
    path.request_id = request_id;
    codec->set_path(path);
    reply.content_type.assign(codec->content_type(false));
    codec->encode_error(error, reply.body);
  }
  if (const int64_t seconds = error.retry_after_seconds(); seconds > 0) reply.headers.push_back({"retry-after", std::to_string(seconds)});
  if (reply.status == 401) reply.headers.push_back({"www-authenticate", "Bearer"});
  return reply;
}

void handle(Session& session) {
  switch (session.route().endpoint) {
    case Endpoint::kRoot: return session.respond(root_reply(session));
    case Endpoint::kModels: return session.respond(models_reply(session));
    case Endpoint::kTags: return session.respond(tags_reply(session));
    case Endpoint::kShow: return session.respond(show_reply(session));
    case Endpoint::kVersion: return session.respond(version_reply(session));
    case Endpoint::kHealth: return session.respond(health_reply(session));
    case Endpoint::kReady: return session.respond(ready_reply(session));
    case Endpoint::kModelHealth: return session.respond(model_health_reply(session));
    case Endpoint::kProviderHealth: return session.respond(provider_health_reply(session));
    case Endpoint::kMetrics: return session.respond(metrics_reply(session));
    case Endpoint::kExplain: return session.respond(explain_reply(session));
    case Endpoint::kMe: return session.respond(me_reply(session));
    case Endpoint::kKeys: return handle_keys(session);
    case Endpoint::kUsage: return handle_usage(session);
    case Endpoint::kRules: return handle_rules(session);
    case Endpoint::kRulesTest: return handle_rules_test(session);
    case Endpoint::kSwitch: return handle_switch(session);
    case Endpoint::kOverride: return handle_override(session);
    case Endpoint::kAuthSession: return handle_auth_session(session);
    default: break;
  }
  session.fail(Error(ErrorCode::kInternal, "this path has no handler"));
}

// Preflight, and plain questions what a path takes.
Reply options_reply(Session& session) {
  Reply reply;
  reply.status = 204;
  std::string allow;
  for (Method m : {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete, Method::kOptions}) {
    if (!session.route().allows(m)) continue;
    if (!allow.empty()) allow += ", ";
    allow += method_name(m);
  }
  reply.headers.push_back({"allow", allow});
  const Request& request = session.request();
  if (origin_allowed(session.loop().settings(), request.origin)) {
    reply.headers.push_back({"access-control-allow-methods", allow});
    reply.headers.push_back({"access-control-allow-headers", request.cors_headers.empty() ? "authorization, content-type" : request.cors_headers});
    reply.headers.push_back({"access-control-max-age", "600"});
  }
  return reply;
}

}  // namespace llmrouter::server
