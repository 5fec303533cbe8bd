// Rules and the routing switch over the C ABI.
#include "call.h"
#include "json.h"

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::Result;
using llmrouter::Router;
using llmrouter::RuleState;
using llmrouter::c::append_member;
using llmrouter::c::append_name;
using llmrouter::c::give;
using llmrouter::c::guarded;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::view;

namespace {

// Runs `use(router)` after the checks that most of these begin with.
template <typename Use>
llmrouter_error* with_router(llmrouter_router* router, llmrouter_text** out, const char* out_name, Use&& use) noexcept {
  if (out == nullptr) return null_argument(out_name);
  *out = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* { return use(router->core->router()); });
}

template <typename List>
std::string data_json(const List& list) {
  std::string out = "{\"data\":[";
  for (const auto& entry : list) {
    if (out.back() != '[') out += ',';
    out += to_json(entry);
  }
  return out + "]}";
}

std::string status_json(const Router& router, const llmrouter::SwitchState& state) { return to_json(state, router.clock().wall()); }

std::string trial_json(const llmrouter::c::Trial& trial) {
  std::string out = "{";
  append_name(out, "rule");
  out += trial.rule ? to_json(*trial.rule) : "null";
  append_name(out, "plan");
  out += trial.plan ? trial.plan->to_json() : "null";
  append_name(out, "error");
  if (trial.plan) return out + "null}";
  out += '{';
  append_member(out, "code", llmrouter::code_name(trial.plan.error().code));
  append_member(out, "message", trial.plan.error().message);
  return out + "}}";
}

}  // namespace

llmrouter_error* llmrouter_rules_list(llmrouter_router* router, llmrouter_text** json) {
  return with_router(router, json, "json", [&](Router& routes) { return give(json, data_json(routes.rules())); });
}

llmrouter_error* llmrouter_rules_set(llmrouter_router* router, const char* json, size_t json_size, llmrouter_text** rule) {
  return with_router(router, rule, "rule", [&](Router& routes) {
    const auto wanted = llmrouter::rule_from_json(view(json, json_size));
    if (!wanted) return new_error(wanted.error());
    if (auto put = routes.put_rule(*wanted); !put) return new_error(std::move(put).error());
    for (const RuleState& state : routes.rules()) {
      if (state.rule.name == wanted->name) return give(rule, to_json(state));
    }
    return new_error(Error(ErrorCode::kConflict, "the rule was removed by somebody else at once"));
  });
}

llmrouter_error* llmrouter_rules_remove(llmrouter_router* router, const char* name, size_t name_size) {
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    auto removed = router->core->router().remove_rule(view(name, name_size));
    return removed ? nullptr : new_error(std::move(removed).error());
  });
}

llmrouter_error* llmrouter_rules_test(const llmrouter_call* call, const char* key, size_t key_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  *json = nullptr;
  if (call == nullptr) return null_argument("call");
  return guarded([&] {
    const auto trial = call->state->try_rules(view(key, key_size));
    return trial ? give(json, trial_json(*trial)) : new_error(trial.error());
  });
}

llmrouter_error* llmrouter_switch_status(llmrouter_router* router, llmrouter_text** json) {
  return with_router(router, json, "json", [&](Router& routes) { return give(json, status_json(routes, routes.switch_state())); });
}

llmrouter_error* llmrouter_switch_toggle(llmrouter_router* router, int to, const char* who, size_t who_size, const char* why, size_t why_size,
                                         llmrouter_text** json) {
  return with_router(router, json, "json", [&](Router& routes) {
    std::optional<bool> enabled;
    if (to == LLMROUTER_SWITCH_OFF || to == LLMROUTER_SWITCH_ON) {
      enabled = to == LLMROUTER_SWITCH_ON;
    } else if (to != LLMROUTER_SWITCH_OTHER) {
      return new_error(Error(ErrorCode::kInvalidRequest, "to: expected one of LLMROUTER_SWITCH_OFF, _ON and _OTHER", "to"));
    }
    const auto state = routes.toggle(enabled, llmrouter::c::copy(who, who_size), llmrouter::c::copy(why, why_size));
    return state ? give(json, status_json(routes, *state)) : new_error(state.error());
  });
}

llmrouter_error* llmrouter_switch_history(llmrouter_router* router, llmrouter_text** json) {
  return with_router(router, json, "json", [&](Router& routes) { return give(json, data_json(routes.switch_history())); });
}
