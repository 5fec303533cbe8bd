// How the server is: for people, probes and Prometheus. None of it asks for a key, none of it waits.
#include "server/handlers.h"
#include "server/json.h"
#include "server/session.h"

namespace llmrouter::server {

namespace {

Reply text_reply(std::string text, std::string type) {
  Reply reply;
  reply.content_type = std::move(type);
  reply.body = std::move(text);
  return reply;
}

// The system's own words, with paths in them, are for administrators and the log.
void append_store(std::string& out, std::string_view name, const StoreHealth& health, bool admin) {
  append_name(out, name);
  out += '{';
  append_member(out, "status", health.ok ? "ok" : "failing");
  const std::string_view outside = health.ok ? "a damaged database was moved aside, and a new one begun; the log says why" : "the store cannot be written; the log says why";
  if (!health.problem.empty()) append_member(out, "problem", admin ? std::string_view(health.problem) : outside);
  append_member(out, "written", static_cast<int64_t>(health.written));
  append_member(out, "queued", static_cast<int64_t>(health.queued));
  append_member(out, "dropped", static_cast<int64_t>(health.dropped));
  if (health.moved_aside != 0) append_member(out, "moved_aside", static_cast<int64_t>(health.moved_aside));
  out += '}';
}

}  // namespace

Reply root_reply(Session&) {
  return text_reply("llmrouter " + std::string(version()) + ": POST /v1/chat/completions, GET /v1/models, GET /health\n", "text/plain; charset=utf-8");
}

Reply version_reply(Session&) {
  std::string body = "{";
  append_member(body, "version", version());
  return text_reply(body + "}\n", "application/json");
}

Reply health_reply(Session&) {
  std::string body = "{";
  append_member(body, "status", "ok");
  append_member(body, "version", version());
  return text_reply(body + "}\n", "application/json");
}

// 503 while shutting down. A store in trouble does not stop the serving: `degraded`, still 200, so that nobody takes the server out for it.
Reply ready_reply(Session& session) {
  const Context& context = session.loop().context();
  const bool draining = context.draining.load(std::memory_order_relaxed);
  const bool admin = context.router->authorize_admin(Secret(session.request().key)).ok();
  bool degraded = false;
  std::string stores = "{";
  if (KeyStore* keys = context.router->keys()) {
    const StoreHealth health = keys->health();
    degraded |= !health.ok;
    append_store(stores, "keys", health, admin);
  }
  if (context.usage) {
    const StoreHealth health = context.usage->health();
    degraded |= !health.ok || health.dropped != 0 || health.moved_aside != 0;
    append_store(stores, "usage", health, admin);
  }
  stores += '}';
  // The built-in demo is always available: what is asked is whether anybody else is, where there is anybody else.
  int64_t providers = 0, available = 0, demos = 0;
  for (const ProviderState& provider : context.router->providers()) {
    ++providers;
    if (provider.type == "demo") ++demos;
    if (provider.available) ++available;
  }
  degraded |= available <= (providers > demos ? demos : 0);

  std::string body = "{";
  append_member(body, "status", draining ? "shutting_down" : degraded ? "degraded" : "ok");
  append_name(body, "stores");
  body += stores;
  append_name(body, "providers");
  body += '{';
  append_member(body, "configured", providers);
  append_member(body, "available", available);
  body += '}';
  append_name(body, "config");
  body += '{';
  append_member(body, "reloads", static_cast<int64_t>(context.reloads.load(std::memory_order_relaxed)));
  append_member(body, "refused", static_cast<int64_t>(context.refused_reloads.load(std::memory_order_relaxed)));
  body += "}}\n";
  Reply reply = text_reply(std::move(body), "application/json");
  if (draining) {
    reply.status = 503;
    reply.headers.push_back({"retry-after", "1"});
  }
  return reply;
}

Reply metrics_reply(Session& session) {
  const Context& context = session.loop().context();
  if (!session.loop().settings().metrics)
    return error_reply(context, "openai", Error(ErrorCode::kUnknownPath, "metrics are off (observe.metrics)"));
  std::string text = context.router->metrics();
  append_metrics(context.counters, context.connections.load(std::memory_order_relaxed), text);
  std::vector<std::pair<std::string_view, StoreHealth>> stores;
  if (KeyStore* keys = context.router->keys()) stores.emplace_back("keys", keys->health());
  if (context.usage) stores.emplace_back("usage", context.usage->health());
  append_store_metrics(stores, text);
  return text_reply(std::move(text), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace llmrouter::server
