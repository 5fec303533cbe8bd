// The endpoints that are answered here, without an upstream.
#ifndef LLMROUTER_SERVER_HANDLERS_H_
#define LLMROUTER_SERVER_HANDLERS_H_

#include <optional>

#include "server/http.h"

namespace llmrouter::server {

class Session;

// Answers the session's request, at once or (administration) later.
void handle(Session& session);
Reply options_reply(Session& session);

// models.cc
Reply models_reply(Session& session);  // in the shape of the route's dialect
Reply tags_reply(Session& session);
Reply show_reply(Session& session);
// The answer to a chat that asks nothing (Ollama's way to have a model loaded or unloaded); nothing: it has to be relayed.
std::optional<Reply> load_reply(Session& session);
Reply explain_reply(Session& session);
Reply model_health_reply(Session& session);
Reply provider_health_reply(Session& session);
Reply me_reply(Session& session);
// health.cc
Reply root_reply(Session& session);
Reply version_reply(Session& session);
Reply health_reply(Session& session);
Reply ready_reply(Session& session);
Reply metrics_reply(Session& session);
// admin.cc
void handle_keys(Session& session);
void handle_usage(Session& session);
// admin_routing.cc
void handle_rules(Session& session);
void handle_rules_test(Session& session);
void handle_switch(Session& session);
void handle_override(Session& session);  // the caller's own
// auth_session.cc
void handle_auth_session(Session& session);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_HANDLERS_H_
