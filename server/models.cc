// What a caller may ask for, where it would go, and how the caller stands.
#include <algorithm>
#include <cstdio>
#include <optional>

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

void append_anthropic_model(std::string& out, const ModelEntry& model) {
  if (out.back() == '}') out += ',';
  out += '{';
  append_member(out, "type", "model");
  append_member(out, "id", model.id);
  append_member(out, "display_name", model.id);
  append_member(out, "created_at", format_time_rfc3339(WallTime(std::chrono::seconds(std::max<int64_t>(model.created, 0)))));
  out += '}';
}

// What a model is for. Lists of providers do not say it, so it is told by the words that makers put into the names of such models.
enum class Use { kChat, kEmbed, kRerank };

Use use_of_name(std::string_view name) {
  std::string low(name.substr(name.rfind('/') + 1));  // npos + 1: all of it
  std::transform(low.begin(), low.end(), low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (low.find("rerank") != std::string::npos) return Use::kRerank;
  if (low.find("embed") != std::string::npos) return Use::kEmbed;
  for (std::string_view beginning : {"bge-", "gte-", "e5-", "voyage-", "all-minilm", "jina-clip"})
    if (low.compare(0, beginning.size(), beginning) == 0) return Use::kEmbed;
  return Use::kChat;
}

// A configured name is what its first target is.
Use use_of(const Context& context, const ModelEntry& model) {
  if (!model.provider.empty() && model.id.compare(0, model.provider.size() + 1, model.provider + '/') == 0) return use_of_name(model.id);
  CallOptions options;
  options.endpoint = "models";  // rules are for chats
  const auto plan = context.router->explain_for(nullptr, model.id, options);
  return use_of_name(plan && !plan->steps.empty() ? plan->steps.front().model : model.id);
}

std::string_view cohere_endpoint(Use use) { return use == Use::kEmbed ? "embed" : use == Use::kRerank ? "rerank" : "chat"; }

void append_cohere_model(std::string& out, const ModelEntry& model, Use use) {
  if (out.back() == '}') out += ',';
  out += '{';
  append_member(out, "name", model.id);
  append_name(out, "is_deprecated");
  out += "false";
  if (model.context_window > 0) append_member(out, "context_length", model.context_window);
  append_name(out, "endpoints");
  (out += '[') += json_string(cohere_endpoint(use)) + "]}";
}

// One page of the list, as Anthropic's clients turn them: `limit`, `after_id`, `before_id`. Without a limit all of it.
Result<std::string> anthropic_page(const std::vector<ModelEntry>& models, std::string_view query) {
  constexpr size_t kMostOfOnePage = 1000;
  size_t begin = 0, end = models.size();
  const auto position = [&](const std::string& id) {
    return static_cast<size_t>(std::find_if(models.begin(), models.end(), [&](const ModelEntry& m) { return m.id == id; }) - models.begin());
  };
  const auto after = query_value(query, "after_id"), before = query_value(query, "before_id"), limit = query_value(query, "limit");
  if (after) begin = std::min(position(*after) + 1, end);
  else if (before) end = position(*before);
  bool more = false;
  if (limit) {
    const auto most = parse_count(*limit);
    if (!most || *most < 1 || *most > static_cast<int64_t>(kMostOfOnePage)) return Error(ErrorCode::kInvalidRequest, "`limit` must be from 1 to 1000", "limit");
    const auto size = static_cast<size_t>(*most);
    more = end - begin > size;
    if (more && before && !after) begin = end - size;
    else if (more) end = begin + size;
  }
  std::string body = "{\"data\":[";
  for (size_t i = begin; i < end; ++i) append_anthropic_model(body, models[i]);
  body += more ? "],\"has_more\":true" : "],\"has_more\":false";
  for (const char* name : {"first_id", "last_id"}) {
    append_name(body, name);
    if (begin == end) body += "null";
    else append_json(body, name[0] == 'f' ? models[begin].id : models[end - 1].id);
  }
  return body + "}\n";
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

Error not_allowed(const std::string& model) { return Error(ErrorCode::kModelNotAllowed, "model: this key may not use \"" + model.substr(0, 200) + "\"", "model"); }

// Is there a target in it that the caller may use?
bool leads_somewhere(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [](const PlanStep& step) { return step.reason != StepReason::kNotAllowed; });
}

Reply json_reply(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

// --- Google's list ---

// Where the catalogue does not know: clients do sums with them. What most of Google's own models have.
constexpr int64_t kUsualInput = 1048576, kUsualOutput = 65536;
constexpr size_t kMaxPage = 1000;  // Google's own bound

void append_google_model(std::string& out, const ModelEntry& model, Use use) {
  if (out.back() == '}') out += ',';
  out += '{';
  append_member(out, "name", "models/" + model.id);
  append_member(out, "version", "001");
  append_member(out, "displayName", model.id);
  append_member(out, "description", "");
  append_member(out, "inputTokenLimit", model.context_window > 0 ? model.context_window : kUsualInput);
  append_member(out, "outputTokenLimit", model.max_output > 0 ? model.max_output : kUsualOutput);
  append_name(out, "supportedGenerationMethods");
  if (use == Use::kEmbed) out += R"(["embedContent","batchEmbedContents"]})";
  else out += use == Use::kRerank ? "[]}" : R"(["generateContent","streamGenerateContent","countTokens"]})";
}

// A number of the query; `otherwise` when it is none.
size_t query_number(const Request& request, std::string_view name, size_t otherwise) {
  const auto text = query_value(request.query(), name);
  if (!text || text->empty() || text->size() > 6 || text->find_first_not_of("0123456789") != std::string::npos) return otherwise;
  return static_cast<size_t>(std::stoul(*text));
}

// `page_size` and `page_token`, as Cohere's clients have them, and `endpoint`: models of that use alone. Tokens are places.
Reply cohere_list(const Context& context, const Request& request, std::vector<ModelEntry> models) {
  if (const auto endpoint = query_value(request.query(), "endpoint")) {
    models.erase(std::remove_if(models.begin(), models.end(), [&](const ModelEntry& m) { return cohere_endpoint(use_of(context, m)) != *endpoint; }), models.end());
  }
  const size_t begin = std::min(query_number(request, "page_token", 0), models.size());
  const size_t size = std::min(query_number(request, "page_size", kMaxPage), kMaxPage);
  const size_t end = std::min(begin + (size == 0 ? kMaxPage : size), models.size());
  std::string body = "{\"models\":[";
  for (size_t i = begin; i < end; ++i) append_cohere_model(body, models[i], use_of(context, models[i]));
  body += ']';
  if (end < models.size()) append_member(body, "next_page_token", std::to_string(end));
  return json_reply(body + "}\n");
}

// Pages are asked for by the place where they begin.
Reply google_list(const Context& context, const Request& request, const std::vector<ModelEntry>& models) {
  const size_t begin = std::min(query_number(request, "pageToken", 0), models.size());
  const size_t size = std::min(query_number(request, "pageSize", kMaxPage), kMaxPage);
  const size_t end = std::min(begin + (size == 0 ? kMaxPage : size), models.size());
  std::string body = "{\"models\":[";
  for (size_t i = begin; i < end; ++i) append_google_model(body, models[i], use_of(context, models[i]));
  body += ']';
  if (end < models.size()) append_member(body, "nextPageToken", std::to_string(end));
  return json_reply(body + "}\n");
}

// The one that the path names: a listed one, or a name of one (a short one, one that a wildcard matches). Google's clients ask for a model before
// their first call and will not go on without it: there, what leads somewhere is there, listed or not.
std::optional<ModelEntry> named_model(Session& session, const std::string& id, const std::vector<ModelEntry>& models) {
  const auto listed = [&models](const std::string& name) {
    return std::find_if(models.begin(), models.end(), [&name](const ModelEntry& model) { return model.id == name; });
  };
  if (const auto it = listed(id); it != models.end()) return *it;
  const Context& context = session.loop().context();
  CallOptions options;
  options.trusted = session.trusted();
  options.endpoint = "models";
  options.key = Secret(session.request().key);
  if (options.trusted && (context.router->keys() == nullptr || !context.router->keys()->find(options.key.reveal()))) options.key = Secret();
  const auto plan = context.router->explain(id, options);
  if (!plan || !leads_somewhere(*plan)) return std::nullopt;
  ModelEntry model;
  if (const auto it = listed(plan->steps.front().provider + '/' + plan->steps.front().model); it != models.end()) model = *it;
  else if (session.route().dialect != "gemini") return std::nullopt;
  model.id = id;
  return model;
}

}  // namespace

namespace {

// In the shape of the route's dialect: the list, or the one that the path names.
Reply list_reply(Session& session, const KeyRecord* caller) {
  const Context& context = session.loop().context();
  const std::string_view dialect = session.route().dialect;
  const bool anthropic = dialect == "anthropic";
  const auto models = context.router->models(caller);
  const bool cohere = dialect == "cohere", google = dialect == "gemini";
  if (session.route().id.empty() && google) return google_list(context, session.request(), models);
  if (session.route().id.empty() && cohere) return cohere_list(context, session.request(), models);
  if (session.route().id.empty() && anthropic) {
    auto page = anthropic_page(models, session.request().query());
    return page ? json_reply(std::move(*page)) : error_reply(context, dialect, page.error());
  }
  if (session.route().id.empty()) {
    std::string body = "{\"object\":\"list\",\"data\":[";
    for (const ModelEntry& model : models) append_model(body, model);
    return json_reply(body + "]}\n");
  }
  const std::string id = percent_decode(session.route().id, false).value_or(std::string(session.route().id));
  const auto model = named_model(session, id, models);
  if (!model) return error_reply(context, dialect, unknown_model(id, models));
  std::string body(" ");
  if (google) append_google_model(body, *model, use_of(context, *model));
  else if (cohere) append_cohere_model(body, *model, use_of(context, *model));
  else anthropic ? append_anthropic_model(body, *model) : append_model(body, *model);
  return json_reply(body.substr(1) + "\n");
}

// A list that is shorter than it should be says so: whose models are not in it, or are those of an earlier answer. No dialect has a place for that in the body.
// Looked at before the list is: a provider that answers in between is named in vain, and none is left out unnamed.
std::string unreachable(Session& session, const KeyRecord* caller) {
  std::string names;
  for (const ProviderState& provider : session.loop().context().router->providers(caller)) {
    if (!provider.list_error.empty()) names.append(names.empty() ? "" : ", ").append(provider.name);
  }
  return names;
}

void tell_unreachable(std::string names, Reply& reply) {
  if (!names.empty()) reply.headers.push_back({"x-llmrouter-unreachable", std::move(names)});
}

}  // namespace

Reply models_reply(Session& session) {
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(session.loop().context(), session.route().dialect, caller.error());
  std::string missing = session.route().id.empty() ? unreachable(session, caller->get()) : std::string();
  Reply reply = list_reply(session, caller->get());
  tell_unreachable(std::move(missing), reply);
  return reply;
}

Reply tags_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "ollama", caller.error());
  std::string missing = unreachable(session, caller->get());
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
  Reply reply = json_reply(body + "]}\n");
  tell_unreachable(std::move(missing), reply);
  return reply;
}

namespace {

// Does this name lead somewhere for whoever asks?
Result<void> check_name(Session& session, const Caller& caller, const std::string& model, std::string_view endpoint) {
  const Router& router = *session.loop().context().router;
  CallOptions options;
  options.trusted = session.trusted();
  options.endpoint = endpoint;
  options.forced_provider = session.request().provider;
  if (caller) options.key = Secret(session.request().key);
  auto plan = router.explain(model, options);
  if (!plan) return std::move(plan).error();
  if (!leads_somewhere(*plan)) return unknown_model(model, router.models(caller.get()));
  return {};
}

}  // namespace

// What Ollama's clients ask before they use a model: any name that leads somewhere has an answer.
Reply show_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "ollama", caller.error());
  auto codec = context.dialect("ollama").new_client_codec();
  RequestPath path;
  path.operation = "show";
  codec->set_path(path);
  auto facts = codec->scan(session.request().body);
  if (!facts) return error_reply(context, "ollama", facts.error());
  if (auto known = check_name(session, *caller, facts->model, "models"); !known) return error_reply(context, "ollama", known.error());
  std::string body = "{";
  for (const char* name : {"license", "modelfile", "parameters", "template"}) append_member(body, name, "");
  append_member(body, "modified_at", format_time_rfc3339(WallTime(std::chrono::seconds(0))));
  append_name(body, "details");
  body += R"({"parent_model":"","format":"","family":"","families":[],"parameter_size":"","quantization_level":""})";
  append_name(body, "model_info");
  body += '{';
  append_member(body, "general.architecture", "");
  append_member(body, "general.basename", facts->model);
  body += '}';
  append_name(body, "capabilities");
  return json_reply(body + "[\"completion\",\"tools\"]}\n");
}

std::optional<Reply> load_reply(Session& session) {
  const Route& route = session.route();
  if (route.endpoint != Endpoint::kChat || route.dialect != "ollama") return std::nullopt;
  const Context& context = session.loop().context();
  auto codec = context.dialect("ollama").new_client_codec();
  RequestPath path;
  path.operation = route.operation == "generate" ? "load_generate" : "load";
  codec->set_path(path);
  const auto facts = codec->scan(session.request().body);
  if (!facts) return std::nullopt;
  const std::string_view endpoint = operation_name(Operation::kChat);
  auto caller = caller_of(session, endpoint);
  if (!caller) return error_reply(context, "ollama", caller.error());
  if (auto known = check_name(session, *caller, facts->model, endpoint); !known) return error_reply(context, "ollama", known.error());
  std::string body;
  codec->encode_response(ChatResponse(), body);
  return json_reply(body + '\n');
}

Reply explain_reply(Session& session) {
  const Context& context = session.loop().context();
  CallOptions options;
  options.trusted = session.trusted();
  options.key = Secret(session.request().key);
  if (options.trusted && (context.router->keys() == nullptr || !context.router->keys()->find(options.key.reveal()))) options.key = Secret();
  options.headers = session.request().forwarded;
  if (auto proxy = query_value(session.request().query(), "proxy")) options.forced_provider = std::move(*proxy);
  else if (!session.request().provider.empty()) options.headers.push_back({"x-llmrouter-provider", session.request().provider});
  const auto format = query_value(session.request().query(), "format");
  if (format && *format != "json" && *format != "text") return error_reply(context, "openai", Error(ErrorCode::kInvalidRequest, "format: expected json or text", "format"));
  const auto model = query_value(session.request().query(), "model");
  auto plan = context.router->explain(model.value_or(std::string()), options, session.request().body);
  if (!plan) return error_reply(context, "openai", plan.error());
  // What a key may not use is for administrators alone.
  if (!context.router->authorize_admin(Secret(session.request().key))) {
    if (!plan->steps.empty() && !leads_somewhere(*plan)) return error_reply(context, "openai", not_allowed(plan->requested));
    plan->steps.erase(std::remove_if(plan->steps.begin(), plan->steps.end(), [](const PlanStep& step) { return step.reason == StepReason::kNotAllowed; }),
                      plan->steps.end());
  }
  if (format && *format == "text") {
    Reply reply = json_reply(plan->to_text());
    reply.content_type = "text/plain; charset=utf-8";
    return reply;
  }
  return json_reply(plan->to_json() + "\n");
}

// With the errors of providers and the ends of their keys for administrators alone.
Reply provider_health_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "openai", caller.error());
  const bool admin = context.router->authorize_admin(Secret(session.request().key)).ok();
  auto providers = context.router->providers(admin ? nullptr : caller->get());
  const auto available = std::count_if(providers.begin(), providers.end(), [](const ProviderState& p) { return p.available; });
  const bool known = std::any_of(providers.begin(), providers.end(), [](const ProviderState& p) { return p.known; });
  std::string body = "{";
  append_member(body, "status", available < static_cast<int64_t>(providers.size()) ? available > 0 ? "degraded" : "down" : known ? "ok" : "unknown");
  append_name(body, "data");
  body += '[';
  for (ProviderState& provider : providers) {
    if (!admin) {
      provider.last_error.clear();
      if (!provider.list_error.empty()) provider.list_error = "its list could not be fetched";
      for (auto& credential : provider.credentials) credential.hint.clear();
    }
    if (body.back() == '}') body += ',';
    body += to_json(provider);
  }
  return json_reply(body + "]}\n");
}

// Without a name: of every configured one.
Reply model_health_reply(Session& session) {
  const Context& context = session.loop().context();
  auto caller = caller_of(session, "models");
  if (!caller) return error_reply(context, "openai", caller.error());
  const std::string asked = percent_decode(session.route().id, false).value_or(std::string(session.route().id));
  if (!asked.empty()) {
    CallOptions options;
    if (*caller) options.key = Secret(session.request().key);
    const auto plan = context.router->explain(asked, options);
    if (!plan) return error_reply(context, "openai", plan.error());
    if (!leads_somewhere(*plan)) return error_reply(context, "openai", not_allowed(asked));
    auto health = context.router->model_health(asked, caller->get());
    return health ? json_reply(to_json(*health) + "\n") : error_reply(context, "openai", health.error());
  }
  std::string body = "{\"data\":[";
  for (const ModelEntry& model : context.router->models(caller->get())) {
    auto health = context.router->model_health(model.id, caller->get());
    if (!health) continue;
    if (body.back() == '}') body += ',';
    body += to_json(*health);
  }
  return json_reply(body + "]}\n");
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
    const std::string model = context.router->override_of(**caller);
    append_name(body, "override");
    body += model.empty() ? "null" : json_string(model);
    append_name(body, "session");
    body += (*caller)->session ? to_json(*(*caller)->session) : "null";
  }
  return json_reply(body + "}\n");
}

}  // namespace llmrouter::server
