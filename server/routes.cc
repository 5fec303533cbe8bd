#include "server/routes.h"

namespace llmrouter::server {

namespace {

constexpr unsigned bit(Method m) noexcept { return 1u << static_cast<unsigned>(m); }
constexpr unsigned kGet = bit(Method::kGet) | bit(Method::kHead) | bit(Method::kOptions);
constexpr unsigned kPost = bit(Method::kPost) | bit(Method::kOptions);
constexpr unsigned kPut = bit(Method::kPut) | bit(Method::kOptions);
constexpr unsigned kPatch = bit(Method::kPatch) | bit(Method::kOptions);
constexpr unsigned kDelete = bit(Method::kDelete) | bit(Method::kOptions);

struct Row {
  std::string_view path;
  Endpoint endpoint;
  unsigned methods;
  std::string_view dialect = "openai";
  bool takes_id = false;  // the path may be followed by `/` and an id, which may hold slashes
  std::string_view operation = {};
};

// OpenAI's paths: each also under /api and without /v1.
constexpr Row kPrefixed[] = {
    {"/chat/completions", Endpoint::kChat, kPost},
    {"/responses", Endpoint::kChat, kPost, "responses"},
    {"/completions", Endpoint::kChat, kPost, "completions"},
    {"/embeddings", Endpoint::kEmbeddings, kPost},
    {"/moderations", Endpoint::kModerations, kPost},
    {"/rerank", Endpoint::kRerank, kPost},
    {"/images/generations", Endpoint::kImages, kPost},
    {"/images/edits", Endpoint::kImageEdits, kPost},
    {"/audio/speech", Endpoint::kSpeech, kPost},
    {"/audio/transcriptions", Endpoint::kTranscriptions, kPost},
    {"/audio/translations", Endpoint::kTranslations, kPost},
    {"/models", Endpoint::kModels, kGet, "openai", true},
};

constexpr Row kPlain[] = {
    {"/", Endpoint::kRoot, kGet},
    {"/api/chat", Endpoint::kChat, kPost, "ollama"},
    {"/v1/messages", Endpoint::kChat, kPost, "anthropic"},
    {"/v1/messages/count_tokens", Endpoint::kCountTokens, kPost, "anthropic"},
    {"/v2/chat", Endpoint::kChat, kPost, "cohere"},
    {"/v2/embed", Endpoint::kEmbeddings, kPost, "cohere"},
    {"/v2/rerank", Endpoint::kRerank, kPost, "cohere"},
    {"/api/generate", Endpoint::kChat, kPost, "ollama", false, "generate"},
    {"/api/embed", Endpoint::kEmbeddings, kPost, "ollama", false, "embed"},
    {"/api/embeddings", Endpoint::kEmbeddings, kPost, "ollama", false, "embeddings"},
    {"/api/show", Endpoint::kShow, kPost, "ollama"},
    {"/api/tags", Endpoint::kTags, kGet, "ollama"},
    {"/api/version", Endpoint::kVersion, kGet, "ollama"},
    {"/health", Endpoint::kHealth, kGet},
    {"/health/live", Endpoint::kHealth, kGet},
    {"/health/liveliness", Endpoint::kHealth, kGet},
    {"/health/ready", Endpoint::kReady, kGet},
    {"/health/readiness", Endpoint::kReady, kGet},
    {"/v1/health/providers", Endpoint::kProviderHealth, kGet},
    {"/api/v1/providers/health", Endpoint::kProviderHealth, kGet},
    {"/v1/health/models", Endpoint::kModelHealth, kGet, "openai", true},
    {"/metrics", Endpoint::kMetrics, kGet},
    {"/v1/route/explain", Endpoint::kExplain, kPost},
    {"/route/invoke", Endpoint::kChat, kPost, "openai", false, "route"},
    {"/v1/me", Endpoint::kMe, kGet},
    {"/admin/v1/usage", Endpoint::kUsage, kGet},
    {"/admin/v1/keys", Endpoint::kKeys, kGet | kPost},
    {"/v1/me/override", Endpoint::kOverride, kGet | kPut | kDelete},
    {"/auth/session", Endpoint::kAuthSession, kGet | kPost | kDelete},
    {"/api/v1/routing/rules", Endpoint::kRules, kGet | kPost},
    {"/admin/v1/rules", Endpoint::kRules, kGet | kPost},
    {"/api/v1/routing/rules/test", Endpoint::kRulesTest, kPost},
    {"/admin/v1/rules/test", Endpoint::kRulesTest, kPost},
    {"/api/v1/router/toggle", Endpoint::kSwitch, kPost, "openai", false, "toggle"},
    {"/api/v1/router/status", Endpoint::kSwitch, kGet, "openai", false, "status"},
    {"/api/v1/router/history", Endpoint::kSwitch, kGet, "openai", false, "history"},
    {"/api/v1/router/metrics", Endpoint::kSwitch, kGet, "openai", false, "metrics"},
};

// Paths of the contract that are not served yet: beginnings.
constexpr std::string_view kLater[] = {
    "/v1/messages/",
    "/v1beta/", "/v2/", "/v1/health/", "/api/v1/providers/", "/openapi.json",
    "/docs", "/console", "/admin/v1/", "/monitor/", "/api/v1/router/", "/api/v1/routing/", "/api/v1/cost/", "/v1/db/", "/v1/stats",
    "/v1/providers/", "/v1/load-balancing/", "/internal/", "/v1/me/", "/api/v1/",
};

// The same of OpenAI's: each also under /api and without /v1.
constexpr std::string_view kLaterPrefixed[] = {"/responses/", "/realtime", "/files", "/batches", "/fine_tuning/", "/models/clear-cache"};

// Whose clients ask below these: they are told in the words of theirs.
struct Neighbourhood {
  std::string_view beginning, dialect;
};
constexpr Neighbourhood kNeighbourhoods[] = {{"/v1/messages/", "anthropic"}, {"/v1beta/", "gemini"}, {"/v2/", "cohere"}};

bool starts_with(std::string_view text, std::string_view prefix) noexcept { return text.substr(0, prefix.size()) == prefix; }

bool ends_with(std::string_view text, std::string_view suffix) noexcept {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

Route not_yet() noexcept {
  Route route;
  route.later = true;
  return route;
}

// Google's paths end with what is wanted of the model that they name: /v1beta/models/{model}:{operation}, the same under /v1, and tunedModels.
struct GoogleRow {
  std::string_view operation;
  Endpoint endpoint;
};
constexpr GoogleRow kGoogle[] = {
    {"generateContent", Endpoint::kChat},
    {"streamGenerateContent", Endpoint::kChat},
    {"countTokens", Endpoint::kCountTokens},
    {"embedContent", Endpoint::kEmbeddings},
    {"batchEmbedContents", Endpoint::kEmbeddings},
};

bool match_google(std::string_view path, Route& route) noexcept {
  const bool beta = starts_with(path, "/v1beta/");
  if (!beta && !starts_with(path, "/v1/")) return false;
  path.remove_prefix(beta ? 8 : 4);
  const bool tuned = starts_with(path, "tunedModels/");
  if (!tuned && !starts_with(path, "models/") && path != "models") return false;
  const std::string_view name = tuned ? path : path.substr(path == "models" ? 6 : 7);  // a tuned model is named with its collection
  route.dialect = "gemini";
  for (const GoogleRow& row : kGoogle) {
    if (!ends_with(name, row.operation)) continue;
    std::string_view model = name.substr(0, name.size() - row.operation.size());
    if (ends_with(model, ":")) model.remove_suffix(1);
    else if (ends_with(model, "%3A") || ends_with(model, "%3a")) model.remove_suffix(3);
    else continue;
    if (model.empty()) continue;
    route.endpoint = row.endpoint;
    route.methods = kPost;
    route.operation = row.operation;
    route.model = model;
    return true;
  }
  if (!beta) return false;  // the list under /v1 is OpenAI's
  route.endpoint = Endpoint::kModels;
  route.methods = kGet;
  route.takes_id = true;
  route.id = name;
  return true;
}

std::string_view spoken_around(std::string_view path) noexcept {
  for (const Neighbourhood& n : kNeighbourhoods)
    if (starts_with(path, n.beginning)) return n.dialect;
  return starts_with(path, "/api/") && !starts_with(path, "/api/v1/") ? "ollama" : "openai";
}

// A name may hold a colon itself: only who posts to it means an operation.
std::string_view unknown_operation(std::string_view path) noexcept {
  if (!starts_with(path, "/v1beta/models/") && !starts_with(path, "/v1beta/tunedModels/") && !starts_with(path, "/v1/models/")) return {};
  for (const std::string_view colon : {std::string_view(":"), std::string_view("%3A"), std::string_view("%3a")}) {
    if (const size_t at = path.rfind(colon); at != std::string_view::npos) return path.substr(at + colon.size());
  }
  return {};
}

// /models/{provider}/{model}/invoke: a chat with what the path names.
Route invoke(std::string_view id) noexcept {
  Route route;
  route.model = id.substr(0, id.size() - std::string_view("/invoke").size());
  if (route.model.find('/') == std::string_view::npos) return Route();
  route.endpoint = Endpoint::kChat;
  route.methods = kPost;
  route.operation = "invoke";
  return route;
}

bool match(const Row& row, std::string_view path, Route& route) noexcept {
  if (!starts_with(path, row.path)) return false;
  std::string_view rest = path.substr(row.path.size());
  if (rest == "/" && path.size() > 1) rest = {};
  if (!rest.empty() && !(row.takes_id && rest.front() == '/')) return false;
  route.endpoint = row.endpoint;
  route.dialect = row.dialect;
  route.methods = row.methods;
  route.takes_id = row.takes_id;
  route.operation = row.operation;
  route.id = rest.empty() ? rest : rest.substr(1);
  if (row.operation == "route") route.model = "auto";
  return true;
}

}  // namespace

Route find_route(std::string_view path) noexcept {
  Route route;
  if (match_google(path, route)) {
    if (route.endpoint == Endpoint::kModels) route.no_operation = unknown_operation(path);
    return route;
  }
  route = Route();
  std::string_view openai = path;
  if (starts_with(openai, "/api/v1/")) openai.remove_prefix(7);
  else if (starts_with(openai, "/v1/")) openai.remove_prefix(3);
  for (const std::string_view beginning : kLaterPrefixed)
    if (starts_with(openai, beginning)) return not_yet();
  for (const Row& row : kPrefixed)
    if (match(row, openai, route)) {
      if (route.endpoint != Endpoint::kModels) return route;
      if (ends_with(route.id, "/invoke")) return invoke(route.id);
      route.no_operation = unknown_operation(path);
      return route;
    }
  for (const Row& row : kPlain)
    if (match(row, path, route)) return route;
  for (const std::string_view rules : {"/api/v1/routing/rules", "/admin/v1/rules"})
    if (match({rules, Endpoint::kRules, kGet | kPut | kDelete, "openai", true}, path, route)) return route;
  // A key's own path.
  if (match({"/admin/v1/keys", Endpoint::kKeys, kGet | kPatch | kDelete, "openai", true}, path, route)) return route;
  for (const std::string_view beginning : kLater)
    if (starts_with(path, beginning)) route = not_yet();
  route.dialect = spoken_around(path);
  return route;
}

std::string google_operations() {
  std::string out;
  for (const GoogleRow& row : kGoogle) out.append(out.empty() ? "" : ", ").append(row.operation);
  return out;
}

std::string_view endpoint_name(Endpoint endpoint) noexcept {
  if (is_call(endpoint)) return operation_name(operation_of(endpoint));
  switch (endpoint) {
    case Endpoint::kNone: return "none";
    case Endpoint::kRoot: return "root";
    case Endpoint::kModels: return "models";
    case Endpoint::kTags: return "tags";
    case Endpoint::kShow: return "show";
    case Endpoint::kVersion: return "version";
    case Endpoint::kHealth: return "health";
    case Endpoint::kReady: return "ready";
    case Endpoint::kModelHealth: return "model_health";
    case Endpoint::kProviderHealth: return "provider_health";
    case Endpoint::kMetrics: return "metrics";
    case Endpoint::kExplain: return "explain";
    case Endpoint::kMe: return "me";
    case Endpoint::kKeys: return "keys";
    case Endpoint::kUsage: return "usage";
    case Endpoint::kRules:
    case Endpoint::kRulesTest: return "rules";
    case Endpoint::kSwitch: return "switch";
    case Endpoint::kOverride: return "override";
    case Endpoint::kAuthSession: return "session";
    default: break;
  }
  return "none";
}

}  // namespace llmrouter::server
