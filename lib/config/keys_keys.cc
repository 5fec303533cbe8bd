// The sections about callers: keys, users, and the filters that belong to them.
#include "config/address.h"
#include "config/table.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"

namespace llmrouter::config {
namespace {

using S = Scope&;
using V = const Value&;

// Of whom the limits in the scope are.
Budget& budget(S s) {
  if (!s.limits->budget) s.limits->budget.emplace();
  return *s.limits->budget;
}

std::string endpoints_doc() {
  std::string doc = "Endpoints, of";
  for (const std::string& name : endpoint_names()) doc += (name == endpoint_names().front() ? " `" : ", `") + name + "`";
  return doc + ".";
}

std::string check_endpoint(const std::string& entry) {
  if (is_endpoint_pattern(entry)) return {};
  std::string words = "expected an endpoint:";
  for (const std::string& name : endpoint_names()) words += (name == endpoint_names().front() ? " `" : ", `") + name + "`";
  const auto near = nearest_names(entry, endpoint_names(), 1);
  return near.empty() ? words : words + "; did you mean `" + near.front() + "`?";
}

void may_do(std::vector<Key>& keys) {
  keys.emplace_back("keys[].allow", Type::kMap, "", "What it may be used for. Lists are of patterns; an empty one allows everything.");
  keys.emplace_back("keys[].allow.models", Type::kTexts, "", "Names of models, as they are asked for or as `provider/model`; `!` excludes, by whatever name. See server.md.").to([](S s, V v) {
    s.key->spec.allow.models = v.texts;
  });
  keys.emplace_back("keys[].allow.providers", Type::kTexts, "", "Providers.").to([](S s, V v) { s.key->spec.allow.providers = v.texts; });
  keys.emplace_back("keys[].allow.endpoints", Type::kTexts, "", endpoints_doc()).checked(check_endpoint).to([](S s, V v) {
    s.key->spec.allow.endpoints = v.texts;
  });
  keys.emplace_back("keys[].params", Type::kMap, "", "The most a request may ask for.");
  keys.emplace_back("keys[].params.max_tokens", Type::kCount, "", "Of what a request may be answered: of `max_tokens`, times `n` where it asks for several answers, and of a budget for thinking. A request that names no `max_tokens` gets this, divided by `n`.")
      .within("1..1M")
      .to([](S s, V v) { s.key->spec.params.max_tokens = v.number; });
  keys.emplace_back("keys[].params.temperature", Type::kRange, "", "Of `temperature`: `[low, high]`, or the upper end alone.")
      .within("0..2")
      .to([](S s, V v) {
        s.key->spec.params.min_temperature = v.low;
        s.key->spec.params.max_temperature = v.high;
      });
  keys.emplace_back("keys[].params.tools", Type::kBool, "true", "Off refuses requests with tools.").to([](S s, V v) {
    s.key->spec.params.tools = v.flag;
  });
}

// `of`: the item whose limits are in the scope.
void may_spend(std::vector<Key>& keys, const std::string& of) {
  keys.emplace_back(of + ".limits", Type::kMap, "", "Its limits.");
  add_limits(keys, of + ".limits");
  keys.emplace_back(of + ".budget", Type::kMap, "", "The most it may spend.");
  keys.emplace_back(of + ".budget.usd", Type::kUsd, "", "USD.").must().to([](S s, V v) { budget(s).nano_usd = v.number; });
  keys.emplace_back(of + ".budget.per", Type::kWord, "month",
                    "In which time: a calendar day, ISO week or month in UTC, 30 days (counted from 1970-01-01), or ever.")
      .within("day|week|month|30d|total")
      .to([](S s, V v) { budget(s).per = *parse_budget_period(v.text); });
  keys.emplace_back(of + ".budget.soft", Type::kPercent, "", "A warning is logged and shown from here on.").within("1%..100%").to([](S s, V v) {
    budget(s).soft_percent = v.integer();
  });
}

void text_filters(std::vector<Key>& keys) {
  keys.emplace_back("filters", Type::kNamed, "",
                    "Text filters of your own, switched on by `models.*.filters` and `keys[].filters`. What is filtered: the texts of messages, reasoning, refusals, and the strings inside tool calls' "
                    "arguments (names of members too), which stay valid JSON. Thoughts that were changed lose their signature, and log probabilities are left out of answers. Not "
                    "filtered: descriptions of tools, schemas, metadata and `user`, annotations (cited addresses and titles), names of files, and what stands in pictures, sound and files. "
                    "A stream is filtered across its pieces. Legacy completions and Ollama's `/api/generate` are chats, too.");
  keys.emplace_back("filters.*", Type::kMap, "", "One filter.").to([](S s, V) {
    s.filter = &s.config->filters.emplace_back();
    s.filter->name = s.name;
  });
  keys.emplace_back("filters.*.pattern", Type::kText, "", "A regular expression (RE2); each match in a text is replaced.").must().checked(check_expression).to([](S s, V v) {
    s.filter->pattern = v.text;
  });
  keys.emplace_back("filters.*.replace", Type::kText, "", "What stands there instead; `\\1` to `\\9` are groups.").to([](S s, V v) { s.filter->replace = v.text; });
  keys.emplace_back("filters.*.on", Type::kTexts, "[response, stream]", "What is filtered: `request`, `response` (whole answers), `stream`.").checked(check_filter_place).to([](S s, V v) {
    s.filter->request = s.filter->response = s.filter->stream = false;
    for (const std::string& place : v.texts) (place == "request" ? s.filter->request : place == "stream" ? s.filter->stream : s.filter->response) = true;
  });
}

}  // namespace

void add_key_keys(std::vector<Key>& keys) {
  keys.emplace_back("keys", Type::kList, "", "Keys of callers that are kept in this file; others live in the key store.");
  keys.emplace_back("keys[]", Type::kMap, "", "One key.").to([](S s, V) {
    s.key = &s.config->keys.emplace_back();
    s.limits = &s.key->spec.limits;
  });
  keys.emplace_back("keys[].name", Type::kText, "", "What logs and usage records call it.").must().checked(check_label).to([](S s, V v) {
    s.key->spec.name = v.text;
  });
  keys.emplace_back("keys[].key", Type::kSecret, "", "The key itself.").must().checked(check_key_text).to([](S s, V v) {
    s.key->key = Secret(v.text);
  });
  keys.emplace_back("keys[].user", Type::kText, "", "Users group keys.").checked(check_label).to([](S s, V v) { s.key->spec.user = v.text; });
  keys.emplace_back("keys[].role", Type::kWord, "user", "`admin` opens `/admin/v1` too.").within("user|admin").to([](S s, V v) {
    s.key->spec.role = v.text == "admin" ? KeyRole::kAdmin : KeyRole::kUser;
  });
  keys.emplace_back("keys[].purpose", Type::kWord, "default", "`cursor` adds the think_tags filter.")
      .within("default|cursor")
      .to([](S s, V v) { s.key->spec.purpose = v.text; });
  keys.emplace_back("keys[].filters", Type::kTexts, "", "Filters of its chats, whatever the model, behind those of `models.*.filters`: names as there. One that the model has already is not applied twice.")
      .to([](S s, V v) { s.key->spec.filters = v.texts; });
  may_do(keys);
  may_spend(keys, "keys[]");
  keys.emplace_back("keys[].expires", Type::kTime, "", "When it stops working.").to([](S s, V v) { s.key->spec.expires = v.time(); });
  keys.emplace_back("users", Type::kList, "", "People, who group keys: what all keys of one may use together, beside what each of them may.");
  keys.emplace_back("users[]", Type::kMap, "", "One of them.").to([](S s, V) {
    s.user = &s.config->users.emplace_back();
    s.limits = &s.user->limits;
  });
  keys.emplace_back("users[].name", Type::kText, "", "As `keys[].user`, and the key store, have it.").must().checked(check_label).to([](S s, V v) { s.user->name = v.text; });
  keys.emplace_back("users[].email", Type::kText, "", "Where to reach them.").not_yet();
  keys.emplace_back("users[].permissions", Type::kTexts, "", "Providers.").not_yet();
  may_spend(keys, "users[]");
  text_filters(keys);
}

}  // namespace llmrouter::config
