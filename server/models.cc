// What a caller may ask for, where it would go, and how the caller stands.
#include <algorithm>
#include <cstdio>

#include "llmrouter/pattern.h"
#include "llmrouter/values.h"
#include "server/handlers.h"
#include "server/json.h"
#include "server/session.h"

namespace llmrouter::server {

namespace {

using Caller = std::shared_ptr<const KeyRecord>;

// Null: nobody, and that is allowed.
Result<Caller> caller_of(Session& session, std::string_view endpoint) {
  Router& router = *session.loop().context().router;
  const Secret key(session.request().key);
  if (session.trusted() && (key.empty() || router.keys() == nullptr || !router.keys()->find(key.reveal()))) return Caller();
  return router.authenticate(key, endpoint);
}

void append_model(std::string& out, const ModelEntry& model) {
  if (out.back() == '}') out += ',';
  out += '{';
  append_member(out, "id", model.id);
  append_member(out, "object", "model");
  append_member(out, "created", model.created);
  append_member(out, "owned_by", model.owned_by.empty() ? "llmrouter" : std::string_view(model.owned_by));
  out += '}';
}

Error unknown_model(const std::string& id, const std::vector<ModelEntry>& models) {
  std::vector<std::string> names;
  names.reserve(models.size());
  for (const ModelEntry& model : models) names.push_back(model.id);
  std::string message = "there is no model \"" + id.substr(0, 200) + "\"";
  const auto near = nearest_names(id, names);
  for (size_t i = 0; i < near.size(); ++i) message += (i == 0 ? "; did you mean " : ", ") + near[i];
  return Error(ErrorCode::kModelNotFound, std::move(message), "model");
}

// Ollama's clients take models without a digest, or with equal ones, for one and the same: 64 digits made from the name (FNV-1a, four times).
std::string digest_of(std::string_view name) {
  std::string out;
  for (uint64_t round = 0; round < 4; ++round) {
    uint64_t hash = 0xcbf29ce484222325u + round;
    for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
    out += hex;
  }
  return out;
}

Reply json_reply(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

}  // namespace

Reply models_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "openai", caller.error());
  const auto models = context.router->models(caller->get());
  if (session.route().id.empty()) {
    std::string body = "{\"object\":\"list\",\"data\":[";
    for (const ModelEntry& model : models) append_model(body, model);
    return json_reply(body + "]}\n");
  }
  const auto id = percent_decode(session.route().id, false);
  if (id) {
    for (const ModelEntry& model : models) {
      if (model.id != *id) continue;
      std::string body(" ");
      append_model(body, model);
      return json_reply(body.substr(1) + "\n");
    }
  }
  return error_reply(context, "openai", unknown_model(id.value_or(std::string(session.route().id)), models));
}

Reply tags_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "ollama", caller.error());
  std::string body = "{\"models\":[";
  for (const ModelEntry& model : context.router->models(caller->get())) {
    if (body.back() == '}') body += ',';
    body += '{';
    append_member(body, "name", model.id);
    append_member(body, "model", model.id);
    append_member(body, "modified_at", format_time_rfc3339(WallTime(std::chrono::seconds(std::max<int64_t>(model.created, 0)))));
    append_member(body, "size", int64_t{0});
    append_member(body, "digest", digest_of(model.id));
    append_name(body, "details");
    body += "{\"parent_model\":\"\",\"format\":\"\",\"family\":\"\",\"families\":[],\"parameter_size\":\"\",\"quantization_level\":\"\"}}";
  }
  return json_reply(body + "]}\n");
}

Reply explain_reply(Session& session) {
  const Context& context = session.loop().context();
  CallOptions options;
  options.trusted = session.trusted();
  options.key = Secret(session.request().key);
  if (auto proxy = query_value(session.request().query(), "proxy")) options.forced_provider = std::move(*proxy);
  else options.forced_provider = session.request().provider;
  if (options.trusted && (context.router->keys() == nullptr || !context.router->keys()->find(options.key.reveal()))) options.key = Secret();
  options.headers = session.request().forwarded;
  const auto model = query_value(session.request().query(), "model");
  auto plan = context.router->explain(model.value_or(std::string()), options, session.request().body);
  if (!plan) return error_reply(context, "openai", plan.error());
  return json_reply(plan->to_json() + "\n");
}

Reply me_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, {});  // everybody may see their own key
  if (!caller) return error_reply(context, "openai", caller.error());
  std::string body = "{";
  append_name(body, "key");
  body += *caller ? to_json(**caller) : "null";
  if (*caller) {
    append_name(body, "state");
    body += to_json(context.router->limits_of(**caller));
  }
  return json_reply(body + "}\n");
}

}  // namespace llmrouter::server
