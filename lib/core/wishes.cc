#include "core/wishes.h"

#include <algorithm>

#include "core/random.h"
#include "llmrouter/dropped.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"

namespace llmrouter::core {
namespace {

constexpr size_t kShown = 100;  // of a stranger's text
constexpr size_t kNamed = 20;   // names in a message

template <typename Names>
std::string joined(const Names& names) {
  std::string out;
  size_t n = 0;
  for (const auto& name : names) {
    if (n++ == kNamed) return out + ", ...";
    if (n > 1) out += ", ";
    out += name;
  }
  return out.empty() ? "none" : out;
}

Error unknown(std::string field, std::string_view what, std::string_view name, const std::string& there) {
  std::string words = field + ": there is no " + std::string(what) + " \"" + std::string(name.substr(0, kShown)) + "\"; there are: " + there;
  return Error(ErrorCode::kInvalidRequest, std::move(words), std::move(field));
}

// The tags of targets that the key may use.
std::vector<std::string> tags_for(const Snapshot& snapshot, const KeyRecord* key) {
  if (key == nullptr) return snapshot.tags;
  std::vector<std::string> tags;
  for (const auto& route : snapshot.routes) {
    const Grant grant = grant_of(key, route->name, route.get(), false);
    for (const RouteTarget& t : route->targets) {
      if (grant.allows(*t.provider, t.model)) tags.insert(tags.end(), t.tags.begin(), t.tags.end());
    }
  }
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  return tags;
}

bool same_letters(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool routes_member(std::string_view name) { return name == "route" || name == "models" || name == "provider"; }

}  // namespace

Result<void> read_header_wishes(CallOptions& options, RouteRequest& wishes, std::vector<std::string>* unknown) {
  wishes = options.route;
  for (const HttpHeader& h : options.headers) {
    if (h.name.rfind("x-llmrouter-", 0) != 0) continue;
    if (h.name == "x-llmrouter-timeout") {
      const auto timeout = parse_duration(h.value);
      if (!timeout || *timeout <= Duration(0)) return Error(ErrorCode::kInvalidRequest, h.name + ": expected a duration above 0 such as 30s, at most 36500d", h.name);
      options.timeout = *timeout;
    } else if (h.name == "x-llmrouter-provider") {
      options.forced_provider = h.value;
    } else if (auto read = read_route_header(h.name, h.value, wishes); !read) {
      return std::move(read).error();
    } else if (!*read && unknown != nullptr) {
      add_dropped(*unknown, h.name);
    }
  }
  return {};
}

namespace {

bool is_openrouter(const ProviderConfig& config) { return config.type == "openrouter" || config.base_url.find("://openrouter.ai/") != std::string::npos; }

// The provider that a name leads to, when there is but one.
const ProviderRuntime* sole_provider(const Snapshot& snapshot, std::string_view name, std::string_view forced) {
  auto resolved = resolve(snapshot, name, forced, nullptr);
  if (!resolved) return nullptr;
  if (resolved->provider != nullptr) return resolved->provider;
  return resolved->route->targets.size() == 1 ? resolved->route->targets.front().provider : nullptr;
}

}  // namespace

bool has_route_members(const Snapshot& snapshot, const RequestFacts& facts, std::string_view forced, std::string_view body) {
  bool ours = false, openrouter = false;
  for (const MemberSpan& m : facts.members) {
    const bool route = m.name == "route";
    const bool text = route && m.value_begin < body.size() && body[m.value_begin] == '"';  // OpenRouter's member of this name: "fallback"
    ours |= route && !text;
    openrouter |= text || m.name == "models" || m.name == "provider";
  }
  if (ours || !openrouter) return ours;
  const ProviderRuntime* only = sole_provider(snapshot, facts.model, forced);
  return only == nullptr || !is_openrouter(only->config);
}

Result<void> check_passed_models(const Snapshot& snapshot, const RequestFacts& facts, std::string_view forced, std::string_view body, const KeyRecord* key) {
  if (key == nullptr || (key->spec.allow.models.empty() && key->spec.allow.providers.empty())) return {};
  for (const MemberSpan& m : facts.members) {
    if (m.name != "models") continue;
    const ProviderRuntime* provider = sole_provider(snapshot, facts.model, forced);
    if (provider == nullptr) return {};
    RouteRequest named;
    auto read = read_route_member(m.name, body.substr(m.value_begin, m.value_end - m.value_begin), {}, named);
    if (!read) return std::move(read).error();
    if (!named.fallbacks) continue;
    for (const std::string& name : *named.fallbacks) {
      if (may_use(key, *provider, name)) continue;
      const std::string whole = provider->config.name + '/' + name.substr(0, kShown);
      return Error(ErrorCode::kModelNotAllowed, "models: this key may not use \"" + whole + "\"", "models");
    }
  }
  return {};
}

Result<void> check_preset(const Snapshot& snapshot, const RequestFacts& facts, std::string_view body, const KeyRecord* key) {
  if (key == nullptr || key->spec.allow.models.empty()) return {};
  for (const MemberSpan& m : facts.members) {
    if (m.name != "preset") continue;
    std::string_view value = body.substr(m.value_begin, m.value_end - m.value_begin);
    if (value == "null") continue;
    // A name with an escape in it stays as it is: no entry means it but a pattern for all of them.
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    if (value.substr(0, kPreset.size()) == kPreset) value.remove_prefix(kPreset.size());
    for (const auto& provider : snapshot.providers) {
      if (!is_openrouter(provider->config) || !pattern_list_match(key->spec.allow.providers, provider->config.name)) continue;
      if (may_use_preset(key, *provider, value)) continue;
      std::string whole = (provider->config.name + '/').append(kPreset).append(value.substr(0, kShown));
      return Error(ErrorCode::kModelNotAllowed, "preset: this key may not use \"" + whole + "\"", "preset");
    }
  }
  return {};
}

void body_over_headers(const std::vector<std::string>& before, const RouteRequest& wishes, CallOptions& options) {
  if (wishes.providers.empty() || wishes.providers == before) return;
  const auto& headers = options.headers;
  if (std::any_of(headers.begin(), headers.end(), [](const HttpHeader& h) { return h.name == "x-llmrouter-provider"; })) options.forced_provider.clear();
}

Result<void> cut_route_members(const RequestFacts& facts, std::string& body, CallOptions& options, RouteRequest& wishes) {
  const std::vector<std::string> named = wishes.providers;
  std::vector<const MemberSpan*> members;
  for (const MemberSpan& m : facts.members) members.push_back(&m);
  std::sort(members.begin(), members.end(), [](const MemberSpan* a, const MemberSpan* b) { return a->key_begin < b->key_begin; });
  for (const MemberSpan* m : members) {
    auto read = read_route_member(m->name, std::string_view(body).substr(m->value_begin, m->value_end - m->value_begin), facts.model, wishes);
    if (!read) return std::move(read).error();
  }
  body_over_headers(named, wishes, options);
  // What stays is written anew: from each member's key to its value's end, and what stands around all of them.
  std::string kept = body.substr(0, members.front()->key_begin);
  bool first = true;
  for (const MemberSpan* m : members) {
    if (routes_member(m->name)) continue;
    if (!first) kept += ',';
    first = false;
    kept.append(body, m->key_begin, m->value_end - m->key_begin);
  }
  kept.append(body, members.back()->value_end, std::string::npos);
  body = std::move(kept);
  return {};
}

Result<void> check_wishes(const Snapshot& snapshot, const RouteRequest& wishes, const KeyRecord* key) {
  for (const std::string& tag : wishes.tags) {
    if (!std::binary_search(snapshot.tags.begin(), snapshot.tags.end(), tag)) return unknown("route.tags", "tag", tag, joined(tags_for(snapshot, key)));
  }
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"route.providers", &wishes.providers}, {"provider.ignore", &wishes.ignore}, {"provider.order", &wishes.order}};
  for (const auto& [field, list] : lists) {
    for (const std::string& name : *list) {
      const bool there = std::any_of(snapshot.providers.begin(), snapshot.providers.end(), [&](const auto& p) { return is_called(*p, name); });
      if (!there) return unknown(field, "provider", name, providers_for(snapshot, key));
    }
  }
  for (const std::string& type : wishes.provider_types) {
    std::vector<std::string> types;
    for (const auto& p : snapshot.providers) {
      if (p->config.type.empty() || std::find(types.begin(), types.end(), p->config.type) != types.end()) continue;
      if (p->config.type == type || may_use(key, snapshot, *p)) types.push_back(p->config.type);
    }
    if (std::find(types.begin(), types.end(), type) == types.end()) return unknown("route.provider_types", "provider of type", type, joined(types));
  }
  if (!wishes.strategy.empty() && snapshot.balancers.find(wishes.strategy) == snapshot.balancers.end()) {
    return unknown("route.strategy", "strategy", wishes.strategy, joined(balancer_names()));
  }
  if (wishes.fallbacks) {
    for (const std::string& name : *wishes.fallbacks) {
      auto found = resolve(snapshot, name, {}, key);
      if (found && may_use(key, *found, name)) continue;
      Error error = found ? Error(ErrorCode::kModelNotAllowed, "route.fallbacks: this key may not use model \"" + name.substr(0, kShown) + "\"") : std::move(found).error();
      error.param = "route.fallbacks";
      return error;
    }
  }
  return {};
}

namespace {

// Is it the rule that asks for this?
bool rule_asks(const RuleConfig::Use& use, std::string_view param) {
  return (param == "route.tags" && !use.tags.empty()) || (param == "route.provider_types" && !use.provider_types.empty()) || (param == "route.strategy" && !use.strategy.empty());
}

}  // namespace

Error in_words_of(Error error, const CallOptions& options, const RouteRequest& wishes, const Rule* rule) {
  if (error.param.empty()) return error;
  if (rule != nullptr && rule_asks(rule->config.use, error.param)) {
    error.message.insert(0, "rule \"" + rule->config.name + "\": ");
    error.param = "model";
    return error;
  }
  RouteRequest said;
  const auto in_header = [&](std::string_view name) {
    const auto header = std::find_if(options.headers.begin(), options.headers.end(), [&](const HttpHeader& h) { return h.name == name; });
    return header != options.headers.end() && (name == "x-llmrouter-provider" || read_route_header(header->name, header->value, said));
  };
  std::string_view said_as;
  if (error.param == "route.providers" && wishes.openrouter.only) said_as = "provider.only";
  else if (error.param == "route.providers" && wishes.providers.empty() && !wishes.ignore.empty()) said_as = "provider.ignore";
  else if (error.param == "route.max_price" && wishes.openrouter.max_price) said_as = "provider.max_price";
  else if (error.param == "route.strategy" && wishes.openrouter.sort) said_as = "provider.sort";
  else if (error.param == "route.fallbacks" && wishes.openrouter.models) said_as = "models";
  else if (error.param == "proxy" && in_header("x-llmrouter-provider")) said_as = "x-llmrouter-provider";
  else if (error.param == "route.tags" && in_header("x-llmrouter-tags") && said.tags == wishes.tags) said_as = "x-llmrouter-tags";
  else if (error.param == "route.strategy" && in_header("x-llmrouter-strategy") && said.strategy == wishes.strategy) said_as = "x-llmrouter-strategy";
  if (said_as.empty()) return error;
  if (error.message.compare(0, error.param.size(), error.param) == 0) error.message.replace(0, error.param.size(), said_as);
  else error.message.insert(0, std::string(said_as) + ": ");
  error.param = said_as;
  return error;
}

void name_provider(const Snapshot& snapshot, std::string& forced) {
  if (forced.empty() || snapshot.provider(forced) != nullptr) return;
  const ProviderRuntime* only = nullptr;
  for (const auto& p : snapshot.providers) {
    if (!same_letters(p->config.name, forced)) continue;
    if (only != nullptr) return;
    only = p.get();
  }
  if (only != nullptr) forced = only->config.name;
}

Result<void> check_rule_names(const Snapshot& snapshot, const RuleConfig& rule, bool model) {
  RouteRequest uses;
  uses.tags = rule.use.tags;
  uses.provider_types = rule.use.provider_types;
  uses.strategy = rule.use.strategy;
  if (auto there = check_wishes(snapshot, uses, nullptr); !there) {
    Error error = std::move(there).error();
    constexpr std::string_view kRoute = "route.";
    if (error.message.rfind(kRoute, 0) == 0) error.message.replace(0, kRoute.size(), "use.");
    if (error.param.rfind(kRoute, 0) == 0) error.param.replace(0, kRoute.size(), "use.");
    return error;
  }
  if (!model || rule.use.model.empty()) return {};
  auto found = resolve(snapshot, rule.use.model, {}, nullptr);
  if (found) return {};
  return Error(ErrorCode::kInvalidRequest, "use.model: " + found.error().message, "use.model");
}

Result<Resolved> resolve_wish(const Snapshot& snapshot, std::string_view name, std::string_view forced, const RouteRequest& wishes, const KeyRecord* key) {
  const bool chooses = !wishes.tags.empty() || !wishes.provider_types.empty() || !wishes.providers.empty();
  if (chooses && snapshot.pool && (name == "auto" || name == "default") && snapshot.route_by_name.find(name) == snapshot.route_by_name.end()) {
    Resolved out;
    out.route = snapshot.pool.get();
    out.how = "selector";
    return out;
  }
  return resolve(snapshot, name, forced, key);
}

namespace {

struct Lack {
  StepReason reason;
  const char* what;
  const char* field;
};
constexpr Lack kLacks[] = {
    {StepReason::kNoImage, "images", "messages"},   {StepReason::kNoAudio, "audio", "messages"}, {StepReason::kNoVideo, "video", "messages"},
    {StepReason::kNoFile, "files", "messages"},     {StepReason::kNoTools, "tools", "tools"},    {StepReason::kNoSchema, "a JSON schema", "response_format"},
};

// Configured models with a target that takes the request.
std::string able_models(const Snapshot& snapshot, const Ask& ask) {
  std::vector<std::string> names;
  for (const auto& route : snapshot.routes) {
    const Grant grant = grant_of(ask.key, route->name, route.get(), false);
    const bool able = std::any_of(route->targets.begin(), route->targets.end(), [&](const RouteTarget& t) {
      return grant.allows(*t.provider, t.model) && missing_ability(t.able, *ask.facts) == StepReason::kStrategy;
    });
    if (able) names.push_back(route->name);
  }
  return joined(names);
}

}  // namespace

Error nobody(const Snapshot& snapshot, const std::vector<Candidate>& candidates, std::string_view model, const Ask& ask) {
  const std::string name = "model \"" + std::string(model.substr(0, 200)) + "\"";
  auto any = [&](StepReason reason) {
    return std::any_of(candidates.begin(), candidates.end(), [reason](const Candidate& c) { return c.reason == reason; });
  };
  for (const Lack& lack : kLacks) {
    if (!any(lack.reason)) continue;
    return Error(ErrorCode::kInvalidRequest,
                 std::string(lack.field) + ": no target of " + name + " takes " + lack.what + "; models that do: " + able_models(snapshot, ask), lack.field);
  }
  if (any(StepReason::kTooLong)) {
    return Error(ErrorCode::kContextLengthExceeded,
                 "messages: about " + std::to_string(ask.input_tokens) + " tokens are more than the context window of any target of " + name +
                     " holds; models that hold them: " + able_models(snapshot, ask),
                 "messages");
  }
  const std::pair<StepReason, const char*> wishes[] = {
      {StepReason::kNoTag, "route.tags"},           {StepReason::kOtherProvider, "route.providers"}, {StepReason::kOtherType, "route.provider_types"},
      {StepReason::kTooDear, "route.max_price"},    {StepReason::kNoPrice, "route.max_price"},       {StepReason::kCannotExpress, "provider.require_parameters"},
      {StepReason::kNoFallbacks, "provider.allow_fallbacks"},
  };
  for (const auto& [reason, field] : wishes) {
    if (any(reason)) return Error(ErrorCode::kInvalidRequest, std::string(field) + ": no target of " + name + " is what the request asks for", field);
  }
  return Error(ErrorCode::kModelNotAllowed, "this key may not use " + name, "model");
}

namespace {

// Of the beginning of the prompt: about what providers look at to find a cached one. Shorter prompts are not worth a cache.
constexpr size_t kPrefixBytes = 1024;

uint64_t prefix_hash(const RequestFacts& facts, std::string_view body, const ChatRequest* chat) {
  std::string head;
  if (chat != nullptr) {
    for (const Message& m : chat->messages) {
      if (head.size() >= kPrefixBytes) break;
      head.append(1, static_cast<char>('0' + static_cast<int>(m.role)));
      for (const Part& part : m.parts) head.append(part.text, 0, kPrefixBytes);
    }
  }
  for (std::string_view name : {"system", "instructions", "systemInstruction", "messages", "contents", "input", "prompt"}) {
    for (const MemberSpan& m : facts.members) {
      if (m.name == name && head.size() < kPrefixBytes) head.append(body.substr(m.value_begin, std::min(kPrefixBytes, m.value_end - m.value_begin)));
    }
  }
  return head.size() < kPrefixBytes ? 0 : stable_hash(std::string_view(head).substr(0, kPrefixBytes), 4);
}

// What the caller calls its conversation: a header, or a member of the body.
uint64_t session_hash(const RequestFacts& facts, std::string_view body, const ChatRequest* chat, const std::vector<HttpHeader>& headers) {
  for (const HttpHeader& h : headers) {
    if ((h.name == "x-session-id" || h.name == "session_id" || h.name == "session-id") && !h.value.empty()) return stable_hash(h.value, 3);
  }
  for (const MemberSpan& m : facts.members) {
    const std::string_view value = body.substr(m.value_begin, m.value_end - m.value_begin);
    if ((m.name == "session_id" || m.name == "prompt_cache_key") && value.size() > 2 && value.front() == '"') {
      return stable_hash(value.substr(1, value.size() - 2), 3);
    }
  }
  return chat != nullptr && !chat->prompt_cache_key.empty() ? stable_hash(chat->prompt_cache_key, 3) : 0;
}

// One of what `routing.affinity.by` names; 0: the request has nothing of it.
uint64_t part_of(std::string_view what, const KeyRecord* key, const RequestFacts& facts, std::string_view body, const ChatRequest* chat,
                 const std::vector<HttpHeader>& headers) {
  if (what == "key") return key == nullptr ? 0 : stable_hash(key->id, 1);
  if (what == "user") return !facts.user.empty() ? stable_hash(facts.user, 2) : key != nullptr && !key->spec.user.empty() ? stable_hash(key->spec.user, 2) : 0;
  if (what == "session") return session_hash(facts, body, chat, headers);
  return prefix_hash(facts, body, chat);
}

}  // namespace

uint64_t affinity_of(const std::vector<std::string>& by, const KeyRecord* key, const RequestFacts& facts, std::string_view body,
                     const ChatRequest* chat, const std::vector<HttpHeader>& headers) {
  uint64_t hash = 0;
  for (const std::string& what : by) {
    if (uint64_t found = part_of(what, key, facts, body, chat, headers)) hash = Random(hash ^ found).next() | 1;
  }
  return hash;
}

uint64_t identity_of(const std::vector<std::string>& by, const KeyRecord* key, const RequestFacts& facts, std::string_view body, const ChatRequest* chat,
                     const std::vector<HttpHeader>& headers) {
  if (uint64_t found = affinity_of(by, key, facts, body, chat, headers)) return found;
  for (std::string_view what : {"session", "user", "key", "prefix"}) {  // the narrowest that is known
    if (uint64_t found = part_of(what, key, facts, body, chat, headers)) return found;
  }
  return 0;
}

}  // namespace llmrouter::core
