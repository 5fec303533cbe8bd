#include "storage/key_rules.h"

#include <cmath>

namespace llmrouter::storage {
namespace {

constexpr size_t kMaxPrefix = 16;
constexpr size_t kMaxText = 256;
constexpr size_t kMaxEntries = 1000;

Error invalid(std::string param, const std::string& words) { return Error(ErrorCode::kInvalidRequest, param + ' ' + words, param); }

bool letter_or_digit(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Texts that go into logs, tables and terminals.
Result<void> check_text(const std::string& text, const std::string& param) {
  if (text.size() > kMaxText) return invalid(param, "is longer than " + std::to_string(kMaxText) + " bytes");
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return invalid(param, "holds a control character");
  }
  return {};
}

Result<void> check_list(const std::vector<std::string>& list, const std::string& param) {
  if (list.size() > kMaxEntries) return invalid(param, "has more than " + std::to_string(kMaxEntries) + " entries");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string entry = param + '[' + std::to_string(i) + ']';
    if (list[i].empty()) return invalid(entry, "is empty");
    if (auto ok = check_text(list[i], entry); !ok) return ok;
  }
  return {};
}

Result<void> check_rate(const std::optional<Rate>& rate, const std::string& param) {
  if (!rate) return {};
  if (rate->count < 0 || rate->burst < 0) return invalid(param, "is negative");
  if (rate->per <= Duration(0)) return invalid(param, "has no period");
  return {};
}

Result<void> check_limits(const Limits& limits) {
  if (auto ok = check_rate(limits.requests, "limits.requests"); !ok) return ok;
  if (auto ok = check_rate(limits.tokens, "limits.tokens"); !ok) return ok;
  if (limits.concurrent < 0) return invalid("limits.concurrent", "is negative");
  if (!limits.budget) return {};
  if (limits.budget->nano_usd < 0) return invalid("budget.usd", "is negative");
  if (limits.budget->soft_percent < 0 || limits.budget->soft_percent > 100) return invalid("budget.soft", "is not within 0% and 100%");
  return {};
}

Result<void> check_params(const ParamLimits& params) {
  if (params.max_tokens && *params.max_tokens < 1) return invalid("params.max_tokens", "is below 1");
  const bool finite = (!params.min_temperature || std::isfinite(*params.min_temperature)) &&
                      (!params.max_temperature || std::isfinite(*params.max_temperature));
  if (!finite) return invalid("params.temperature", "is not a number");
  if (params.min_temperature && params.max_temperature && *params.min_temperature > *params.max_temperature) {
    return invalid("params.temperature", "begins above its end");
  }
  return {};
}

Result<void> check_endpoints(const std::vector<std::string>& list) {
  if (auto ok = check_list(list, "allow.endpoints"); !ok) return ok;
  for (size_t i = 0; i < list.size(); ++i) {
    if (is_endpoint_pattern(list[i])) continue;
    std::string words = "is no endpoint; there are";
    for (const std::string& name : endpoint_names()) words += (name == endpoint_names().front() ? " " : ", ") + name;
    return invalid("allow.endpoints[" + std::to_string(i) + ']', "\"" + list[i] + "\" " + words);
  }
  return {};
}

}  // namespace

Result<void> check_prefix(std::string_view prefix) {
  if (prefix.size() > kMaxPrefix) return invalid("prefix", "is longer than " + std::to_string(kMaxPrefix) + " characters");
  for (char c : prefix) {
    if (!letter_or_digit(c) && c != '-' && c != '_') return invalid("prefix", "may hold letters, digits, - and _");
  }
  return {};
}

Result<void> check_spec(const KeySpec& spec) {
  if (auto ok = check_text(spec.name, "name"); !ok) return ok;
  if (!spec.name.empty() && (spec.name.front() == ' ' || spec.name.back() == ' ')) return invalid("name", "begins or ends with a blank");
  if (auto ok = check_text(spec.user, "user"); !ok) return ok;
  if (auto ok = check_text(spec.purpose, "purpose"); !ok) return ok;
  if (spec.purpose != "default" && spec.purpose != "cursor") return invalid("purpose", "is not one there is: expected default or cursor");
  if (auto ok = check_list(spec.allow.models, "allow.models"); !ok) return ok;
  if (auto ok = check_list(spec.allow.providers, "allow.providers"); !ok) return ok;
  if (auto ok = check_endpoints(spec.allow.endpoints); !ok) return ok;
  if (auto ok = check_params(spec.params); !ok) return ok;
  if (auto ok = check_list(spec.filters, "filters"); !ok) return ok;
  return check_limits(spec.limits);
}

Result<void> check_expiry(const std::optional<WallTime>& expires, WallTime now) {
  if (expires && *expires <= now) return invalid("expires", "is in the past: expected a time to come");
  return {};
}

void anchor_budget(KeySpec& spec, WallTime created) noexcept {
  std::optional<Budget>& budget = spec.limits.budget;
  if (budget && budget->per == BudgetPeriod::k30d && budget->anchor == WallTime{}) budget->anchor = created;
}

Result<KeyRecord> changed(const KeyRecord& record, const KeyChange& change, WallTime now) {
  if (record.revoked) return Error(ErrorCode::kConflict, "key \"" + record.id + "\" is revoked");
  KeyRecord next = record;
  KeySpec& spec = next.spec;
  if (change.name) spec.name = *change.name;
  if (change.user) spec.user = *change.user;
  if (change.purpose) spec.purpose = *change.purpose;
  if (change.role) spec.role = *change.role;
  if (change.allow) spec.allow = *change.allow;
  if (change.params) spec.params = *change.params;
  if (change.limits) spec.limits = *change.limits;
  if (change.expires) spec.expires = *change.expires;
  if (change.filters) spec.filters = *change.filters;
  if (spec.expires != record.spec.expires) {
    if (auto ok = check_expiry(spec.expires, now); !ok) return std::move(ok).error();
  }
  if (auto ok = check_spec(spec); !ok) return std::move(ok).error();
  anchor_budget(spec, next.created);
  return next;
}

Error no_such_key(std::string_view id_or_name) { return Error(ErrorCode::kNotFound, "there is no key \"" + std::string(id_or_name) + "\""); }

Error key_of_the_file(std::string_view name) {
  return Error(ErrorCode::kConflict, "key \"" + std::string(name) + "\" stands in the configuration: change it there");
}

}  // namespace llmrouter::storage
