// keys: works on the key store itself. A running server sees a change within a second.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>

#include "llmrouter/llmrouter.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"
#include "server/admin_query.h"
#include "server/cli.h"
#include "server/json.h"
#include "server/key_names.h"

namespace llmrouter::server {

namespace {

enum class Absent { kMake, kLeave };  // a store that is not there

Result<RouterParts> open_keys(const Config& given, Absent absent = Absent::kMake) {
  Config config = given;
  config.storage.usage = "off";
  StorageConfig looked_at = config.storage;
  const std::string absent_path = leave_absent(looked_at);
  const std::string missing = absent == Absent::kLeave ? absent_path : std::string();
  if (absent == Absent::kLeave) config.storage = looked_at;
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return std::move(parts).error();
  if (!missing.empty()) std::fprintf(stderr, "llmrouter-server: %s: there is no key store yet; only the configuration's own keys are known\n", missing.c_str());
  else if (!absent_path.empty())
    std::fprintf(stderr, "llmrouter-server: %s: there was no key store; it was made\n", std::filesystem::absolute(absent_path).c_str());
  else if (config.storage.keys == "memory:")
    std::fprintf(stderr, "llmrouter-server: storage.keys is memory: what is done here is gone when this command ends\n");
  if (auto set = parts->keys->set_file_keys(config.keys); !set) return std::move(set).error();
  return parts;
}

// Loads the configuration and opens its store; the exit code when that fails.
std::shared_ptr<KeyStore> store_of(const Args& args, int* code) {
  const auto loaded = load(args);
  if (!loaded) {
    *code = kUsage;
    return nullptr;
  }
  auto keys = open_keys(loaded->config, Absent::kLeave);
  if (!keys) {
    *code = complain(keys.error());
    return nullptr;
  }
  return std::move(keys->keys);
}

// A list that turned out empty would allow everything: a script whose variable is not set must not make such a key.
Result<void> apply_list(const Args& args, std::string_view option, std::vector<std::string>& list, std::string_view cleared = "any") {
  const auto text = args.maybe(option);
  if (!text) return {};
  list.clear();
  if (*text == cleared) return {};
  for (size_t begin = 0; begin <= text->size();) {
    const size_t comma = std::min(text->find(',', begin), text->size());
    std::string entry = text->substr(begin, comma - begin);
    entry.erase(0, entry.find_first_not_of(' '));
    entry.erase(entry.find_last_not_of(' ') + 1);
    if (entry.empty()) {
      return Error(ErrorCode::kInvalidRequest, std::string(option) + ": expected entries with commas between, none of them empty; or " + std::string(cleared));
    }
    list.push_back(std::move(entry));
    begin = comma + 1;
  }
  return {};
}

Error bad(std::string_view option, const Error& why) {
  return Error(ErrorCode::kInvalidRequest, std::string(option) + ": " + (why.param.empty() ? "" : why.param + ": ") + why.message);
}

// Only what is named changes, as with PATCH /admin/v1/keys/ID. The budget first, so that --limits soft=80% may stand beside it.
Result<void> apply_limits(const Args& args, Limits& limits) {
  if (const auto text = args.maybe("--budget")) {
    const std::string beside = args.value("--limits");
    const bool usd = ("," + beside).find(",usd=") != std::string::npos;
    if (usd || beside == "none") {
      return Error(ErrorCode::kInvalidRequest, std::string("--budget, --limits ") + (usd ? "usd" : "none") + ": both say what the budget is; expected one of them");
    }
    if (*text == "none") {
      limits.budget.reset();
    } else {
      auto parsed = parse_budget(*text, limits.budget.value_or(Budget()));
      if (!parsed) return bad("--budget", parsed.error());
      limits.budget = *parsed;
    }
  }
  if (const auto text = args.maybe("--limits")) {
    if (text->empty()) return Error(ErrorCode::kInvalidRequest, "--limits: expected NAME=VALUE,... or none");
    auto parsed = *text == "none" ? Result<Limits>(Limits()) : parse_limits(*text, limits);
    if (!parsed) return bad("--limits", parsed.error());
    limits = *parsed;
  }
  if (limits.budget && limits.budget->per == BudgetPeriod::k30d && limits.budget->anchor == WallTime{}) limits.budget->anchor = system_clock().wall();
  return {};
}

// A moment, a duration from now, or `none`.
Result<void> apply_expiry(const Args& args, std::optional<WallTime>& expires) {
  const auto text = args.maybe("--expires");
  if (!text) return {};
  expires.reset();
  if (*text == "none") return {};
  if (auto in = parse_duration(*text)) {
    expires = system_clock().wall() + std::chrono::duration_cast<std::chrono::microseconds>(*in);
    return {};
  }
  auto at = parse_time(*text);
  if (!at) return Error(ErrorCode::kInvalidRequest, "--expires: expected a date, a time such as 2027-01-01T00:00:00Z, a duration from now such as 90d (at most 36500d), or none");
  expires = *at;
  return {};
}

// What the options say, onto `spec`.
Result<void> apply(const Args& args, KeySpec& spec) {
  if (const auto v = args.maybe("--name")) {
    if (v->empty()) return Error(ErrorCode::kInvalidRequest, "--name: expected a name that is not empty; leave it out for none");
    spec.name = *v;
  }
  if (const auto v = args.maybe("--username")) spec.user = *v;
  if (const auto v = args.maybe("--purpose")) spec.purpose = *v;
  if (const auto v = args.maybe("--role")) {
    if (*v != "user" && *v != "admin") return Error(ErrorCode::kInvalidRequest, "--role: expected user or admin");
    spec.role = *v == "admin" ? KeyRole::kAdmin : KeyRole::kUser;
  }
  if (auto applied = apply_list(args, "--models", spec.allow.models); !applied) return applied;
  if (auto applied = apply_list(args, "--providers", spec.allow.providers); !applied) return applied;
  if (auto applied = apply_list(args, "--endpoints", spec.allow.endpoints); !applied) return applied;
  if (auto applied = apply_list(args, "--filters", spec.filters, "none"); !applied) return applied;
  if (const auto v = args.maybe("--max-tokens")) {
    spec.params.max_tokens.reset();
    if (*v != "none") {
      auto most = parse_count(*v);
      if (!most) return bad("--max-tokens", most.error());
      spec.params.max_tokens = *most;
    }
  }
  if (auto applied = apply_limits(args, spec.limits); !applied) return applied;
  return apply_expiry(args, spec.expires);
}

std::string joined(const std::vector<std::string>& list) {
  if (list.empty()) return "any";
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string limits_words(const Limits& limits) {
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : " ") + part; };
  if (limits.requests) add("requests=" + format_rate(*limits.requests));
  if (limits.requests && limits.requests->burst > 0) add("burst=" + format_count(limits.requests->burst));
  if (limits.tokens) add("tokens=" + format_rate(*limits.tokens));
  if (limits.tokens && limits.tokens->burst > 0) add("(burst " + format_count(limits.tokens->burst) + ")");
  if (limits.concurrent > 0) add("concurrent=" + std::to_string(limits.concurrent));
  if (limits.budget) add("usd=" + format_usd(limits.budget->nano_usd) + "/" + std::string(budget_period_name(limits.budget->per)));
  if (limits.budget && limits.budget->soft_percent > 0) add("soft=" + std::to_string(limits.budget->soft_percent) + "%");
  return out.empty() ? "none" : out;
}

std::string params_words(const ParamLimits& params) {
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : " ") + part; };
  if (params.max_tokens) add("max_tokens=" + format_count(*params.max_tokens));
  if (params.min_temperature || params.max_temperature) {
    char range[64];
    std::snprintf(range, sizeof range, "temperature=%g..%g", params.min_temperature.value_or(0), params.max_temperature.value_or(2));
    add(range);
  }
  if (params.tools) add(*params.tools ? "tools=true" : "tools=false");
  return out.empty() ? "any" : out;
}

std::string details(const KeyRecord& key) {
  std::vector<std::vector<std::string>> rows{
      {"id", key.id},
      {"name", key.spec.name},
      {"key", key.hint},
      {"state", std::string(key_state(key))},
      {"username", key.spec.user},
      {"purpose", key.spec.purpose},
      {"role", key.spec.role == KeyRole::kAdmin ? "admin" : "user"},
      {"models", joined(key.spec.allow.models)},
      {"providers", joined(key.spec.allow.providers)},
      {"endpoints", joined(key.spec.allow.endpoints)},
      {"params", params_words(key.spec.params)},
      {"filters", key.spec.filters.empty() ? "none" : joined(key.spec.filters)},
      {"limits", limits_words(key.spec.limits)},
      {"expires", key.spec.expires ? format_time_rfc3339(*key.spec.expires) : "never"},
      {"created", key.from_file ? "in the configuration file" : format_time_rfc3339(key.created)},
  };
  return table(rows);
}

bool names_a_change(const Args& args) {
  static constexpr std::string_view kAboutTheCommand[] = {"--config", "--listen", "--set", "--json"};
  for (const auto& [name, value] : args.options())
    if (std::find(std::begin(kAboutTheCommand), std::end(kAboutTheCommand), name) == std::end(kAboutTheCommand)) return true;
  return false;
}

// As POST /admin/v1/keys does it, by the configuration that this command reads.
Result<void> check_names(const Config& config, const KeySpec& spec, const KeySpec& before) {
  std::vector<std::string> providers, filters{"think_tags"};
  for (const ProviderConfig& provider : config.providers) providers.push_back(provider.name);
  for (const TextFilterConfig& filter : config.filters) filters.push_back(filter.name);
  if (auto known = check_providers("--providers", providers, spec.allow.providers, before.allow.providers); !known) return known;
  return check_filters("--filters", filters, spec.filters, before.filters);
}

// What was typed was wrong, or it could not be done.
int refused(const Error& error) { return complain(error, error.code == ErrorCode::kInvalidRequest ? kUsage : kFailed); }

}  // namespace

Result<std::shared_ptr<const KeyRecord>> key_named(const KeyStore& keys, const std::string& id_or_name) {
  auto found = keys.get(id_or_name);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  if (const auto itself = keys.find(id_or_name)) return Error(ErrorCode::kInvalidRequest, "this is a key itself: say its id, " + itself->id + ", or its name");
  std::vector<std::string> names;
  for (const auto& key : keys.list())
    if (!key->spec.name.empty()) names.push_back(key->spec.name);
  const auto near = nearest_names(id_or_name, names, 1);
  Error error = std::move(found).error();
  error.message += near.empty() ? "; `llmrouter-server keys list` lists them" : "; did you mean \"" + near.front() + "\"?";
  return error;
}

int run_keys_create(const Args& args) {
  KeySpec spec;
  if (auto applied = apply(args, spec); !applied) return complain(applied.error(), kUsage);
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  if (auto known = check_names(loaded->config, spec, KeySpec()); !known) return complain(known.error(), kUsage);
  auto parts = open_keys(loaded->config, Absent::kMake);
  if (!parts) return complain(parts.error());
  auto created = parts->keys->create(spec, args.value("--prefix"));
  if (!created) return refused(created.error());
  if (args.has("--json")) {
    std::string out = to_json(created->record);
    out.replace(0, 1, "{\"key\":" + json_string(created->key.reveal()) + ",");
    print(out + "\n");
    return kDone;
  }
  std::fprintf(stderr, "%s\nThe key, shown this once:\n", details(created->record).c_str());
  print(created->key.reveal() + "\n");
  return kDone;
}

int run_keys_list(const Args& args) {
  int code = kDone;
  const auto keys = store_of(args, &code);
  if (!keys) return code;
  if (args.has("--json")) {
    std::string out = "{\"data\":[";
    for (const auto& key : keys->list()) {
      if (out.back() == '}') out += ',';
      out += to_json(*key);
    }
    print(out + "]}\n");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"ID", "NAME", "USER", "KEY", "STATE", "MODELS", "LIMITS", "EXPIRES"}};
  for (const auto& key : keys->list())
    rows.push_back({key->id, key->spec.name, key->spec.user, key->hint, std::string(key_state(*key)), joined(key->spec.allow.models), limits_words(key->spec.limits),
                    key->spec.expires ? format_time_rfc3339(*key->spec.expires) : "never"});
  print(table(rows));
  return kDone;
}

int run_keys_show(const Args& args) {
  int code = kDone;
  const auto keys = store_of(args, &code);
  if (!keys) return code;
  const auto key = key_named(*keys, args.arguments().front());
  if (!key) return refused(key.error());
  print(args.has("--json") ? to_json(**key) + "\n" : details(**key));
  return kDone;
}

int run_keys_modify(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  auto parts = open_keys(loaded->config, Absent::kLeave);
  if (!parts) return complain(parts.error());
  KeyStore& keys = *parts->keys;
  const auto current = key_named(keys, args.arguments().front());
  if (!current) return refused(current.error());
  if (!names_a_change(args)) return complain(Error(ErrorCode::kInvalidRequest, "keys modify: nothing to change was named; `llmrouter-server keys modify --help` lists what can be"), kUsage);
  KeySpec spec = (*current)->spec;
  if (auto applied = apply(args, spec); !applied) return complain(applied.error(), kUsage);
  if (auto known = check_names(loaded->config, spec, (*current)->spec); !known) return complain(known.error(), kUsage);
  KeyChange change;
  change.name = spec.name;
  change.user = spec.user;
  change.purpose = spec.purpose;
  change.role = spec.role;
  change.allow = spec.allow;
  change.params = spec.params;
  change.limits = spec.limits;
  change.filters = spec.filters;
  change.expires = spec.expires;
  auto changed = keys.modify((*current)->id, change);
  if (!changed) return refused(changed.error());
  print(args.has("--json") ? to_json(*changed) + "\n" : details(*changed));
  return kDone;
}

int run_keys_revoke(const Args& args) {
  int code = kDone;
  const auto keys = store_of(args, &code);
  if (!keys) return code;
  const auto key = key_named(*keys, args.arguments().front());
  if (!key) return refused(key.error());
  const KeyRecord& was = **key;
  if (auto revoked = keys->revoke(was.id); !revoked) return complain(revoked.error());
  const auto now = keys->get(was.id);
  if (!now) return complain(now.error());
  if (args.has("--json")) print(to_json(**now) + "\n");
  else std::fprintf(stderr, "%s %s\n", was.revoked ? "was revoked before:" : "revoked", (was.spec.name.empty() ? was.id : was.spec.name + " (" + was.id + ")").c_str());
  return kDone;
}

namespace {

// A router over the configuration's keys, and the key that is named first.
struct OneKey {
  std::shared_ptr<Router> router;
  std::shared_ptr<const KeyRecord> key;
};

Result<OneKey> one_key(const Config& config, const Args& args) {
  auto parts = open_keys(config);
  if (!parts) return std::move(parts).error();
  parts->models_hint = kModelsHint;
  auto router = Router::create(config, std::move(*parts));
  if (!router) return std::move(router).error();
  auto key = key_named(*(*router)->keys(), args.arguments().front());
  if (!key) return std::move(key).error();
  return OneKey{std::move(*router), std::move(*key)};
}

std::string sessions_text(const std::vector<KeySession>& sessions, bool json) {
  if (!json) {
    std::vector<std::vector<std::string>> rows{{"ID", "MODEL", "HINT", "CREATED", "EXPIRES"}};
    for (const KeySession& s : sessions) rows.push_back({s.id, s.model, s.hint, format_time_rfc3339(s.created), format_time_rfc3339(s.expires)});
    return table(rows);
  }
  std::string text = "{\"data\":[";
  for (const KeySession& s : sessions) text += (text.back() == '[' ? "" : ",") + to_json(s);
  return text + "]}\n";
}

}  // namespace

int run_keys_session(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  const bool makes = args.arguments().size() == 2;
  if (makes && args.has("--end")) return complain(Error(ErrorCode::kInvalidRequest, "a model, or --end: one of the two"), kUsage);
  if (!makes && args.has("--ttl")) return complain(Error(ErrorCode::kInvalidRequest, "--ttl: is for a new session: name its model"), kUsage);
  SessionWish wish;
  if (makes) wish.model = args.arguments()[1];
  if (const auto ttl = args.maybe("--ttl")) {
    auto duration = parse_duration(*ttl);
    if (!duration) return complain(Error(ErrorCode::kInvalidRequest, "--ttl: expected a duration above 0 and of at most 30d: 30m, 8h, 7d"), kUsage);
    wish.ttl = *duration;
  }
  auto one = one_key(loaded->config, args);
  if (!one) return refused(one.error());
  KeyStore& keys = *one->router->keys();
  if (makes) {
    auto made = one->router->start_session(*one->key, wish);
    if (!made) return refused(made.error().param == "ttl" ? Error(made.error().code, "--" + made.error().message) : made.error());
    print(args.has("--json") ? to_json(*made) + "\n" : std::string(made->token.reveal()) + "\n");
    return kDone;
  }
  if (const auto id = args.maybe("--end")) {
    if (id->empty()) return complain(Error(ErrorCode::kInvalidRequest, "--end: expected a session's id, or all"), kUsage);
    auto ended = keys.end_sessions(*one->key, *id == "all" ? std::string_view() : std::string_view(*id));
    if (!ended) return complain(ended.error());
    if (args.has("--json")) print("{\"ended\":" + std::to_string(*ended) + "}\n");
    else std::fprintf(stderr, "ended %zu\n", *ended);
    return kDone;
  }
  print(sessions_text(keys.sessions(*one->key), args.has("--json")));
  return kDone;
}

int run_keys_override(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  const bool sets = args.arguments().size() == 2;
  if (sets && args.has("--clear")) return complain(Error(ErrorCode::kInvalidRequest, "a model, or --clear: one of the two"), kUsage);
  auto one = one_key(loaded->config, args);
  if (!one) return refused(one.error());
  if (sets) {
    if (auto set = one->router->set_override(*one->key, args.arguments()[1]); !set) return complain(set.error());
  } else if (args.has("--clear")) {
    if (auto cleared = one->router->clear_override(*one->key); !cleared) return complain(cleared.error());
  }
  const std::string model = one->router->override_of(*one->key);
  if (args.has("--json")) print("{\"model\":" + (model.empty() ? "null" : json_string(model)) + "}\n");
  else print(model.empty() ? "as the program asks\n" : model + "\n");
  return kDone;
}

}  // namespace llmrouter::server
