// Rules, the routing switch, and a key's own override.
#include <optional>

#include "llmrouter/values.h"
#include "server/admin.h"
#include "server/admin_query.h"
#include "server/handlers.h"
#include "server/json.h"
#include "server/session.h"

namespace llmrouter::server {

namespace {

std::optional<RuleState> rule_named(const Router& router, const std::string& name) {
  for (RuleState& state : router.rules())
    if (state.rule.name == name) return std::move(state);
  return std::nullopt;
}

Error no_rule(const std::string& name) { return Error(ErrorCode::kNotFound, "there is no rule \"" + name.substr(0, 200) + "\""); }

constexpr const char* kWholeList = "],\"next\":null}";  // lists that have no pages end as those that have

Reply list_rules(Context& context) {
  std::string body = "{\"data\":[";
  for (const RuleState& state : context.router->rules()) {
    if (body.back() == '}') body += ',';
    body += to_json(state);
  }
  return admin_reply(body + kWholeList);
}

Reply show_rule(Context& context, const std::string& name, int status = 200) {
  auto state = rule_named(*context.router, name);
  return state ? admin_reply(to_json(*state), status) : failed(context, no_rule(name));
}

// POST makes one, PUT makes or replaces the one that its path names; a body's name is then that one or none.
Reply put_rule(Context& context, const std::string& json, const std::string& path_name) {
  auto rule = rule_from_json(json);
  if (!rule) return failed(context, rule.error());
  if (!path_name.empty() && rule->name.empty()) rule->name = path_name;
  if (!path_name.empty() && rule->name != path_name) {
    return failed(context, Error(ErrorCode::kInvalidRequest, "name: expected the name that the path says, or none", "name"));
  }
  const auto known = rule_named(*context.router, rule->name);
  const bool there = known.has_value();
  if (path_name.empty() && there && known->stored) {
    return failed(context, Error(ErrorCode::kConflict, "name: there is a rule \"" + rule->name + "\"; PUT replaces it", "name"));
  }
  if (auto put = context.router->put_rule(*rule); !put) return failed(context, put.error());
  context.rules_changed();
  return show_rule(context, rule->name, there ? 200 : 201);
}

Reply delete_rule(Context& context, const std::string& name) {
  if (auto removed = context.router->remove_rule(name); !removed) return failed(context, removed.error());
  context.rules_changed();
  std::string body = "{";
  append_member(body, "name", name);
  append_name(body, "deleted");
  return admin_reply(body + "true}");
}

// Which rule would decide this chat, and what would come of it; for the key that is named, or for nobody's.
Reply test_rules(Context& context, const std::string& body, const std::string& key_name, std::vector<HttpHeader> headers) {
  std::shared_ptr<const KeyRecord> key;
  if (!key_name.empty()) {
    auto found = context.router->keys() != nullptr ? context.router->keys()->get(key_name)
                                                   : Result<std::shared_ptr<const KeyRecord>>(Error(ErrorCode::kNotFound, "there is no key store"));
    if (!found) return failed(context, found.error());
    key = *found;
  }
  CallOptions options;
  options.headers = std::move(headers);
  auto rule = context.router->matching_rule({}, key.get(), options, body);
  if (!rule) return failed(context, rule.error());
  auto plan = context.router->explain_for(key.get(), {}, options, body);
  std::string out = "{";
  append_name(out, "rule");
  out += *rule ? to_json(**rule) : "null";
  append_name(out, "plan");
  out += plan ? plan->to_json() : "null";
  append_name(out, "error");
  if (plan) {
    out += "null";
  } else {
    out += '{';
    append_member(out, "code", code_name(plan.error().code));
    append_member(out, "message", plan.error().message);
    out += '}';
  }
  return admin_reply(out + "}");
}

Reply switch_reply(const Context& context, const SwitchState& state) { return admin_reply(to_json(state, context.router->clock().wall())); }

// Who turned it, for the record.
std::string who_asks(const Router& router, const std::string& presented) {
  KeyStore* keys = const_cast<Router&>(router).keys();
  const auto key = keys != nullptr ? keys->find(presented) : nullptr;
  if (!key) return "the admin key";
  return key->spec.name.empty() ? key->id : key->spec.name;
}

Reply switch_history(Context& context) {
  std::string body = "{\"data\":[";
  for (const SwitchChange& change : context.router->switch_history()) {
    if (body.back() == '}') body += ',';
    body += to_json(change);
  }
  return admin_reply(body + kWholeList);
}

Reply switch_metrics(Context& context) {
  const SwitchState state = context.router->switch_state();
  std::string body = "{";
  append_name(body, "enabled");
  body += state.enabled ? "true" : "false";
  append_member(body, "toggles", static_cast<int64_t>(context.router->switch_history().size()));
  append_member(body, "refused", static_cast<int64_t>(state.refused));
  append_name(body, "requests");
  body += '{';
  append_member(body, "on", static_cast<int64_t>(state.requests_on));
  append_member(body, "off", static_cast<int64_t>(state.requests_off));
  body += '}';
  append_name(body, "rules");
  body += '{';
  for (const RuleState& rule : context.router->rules()) append_member(body, rule.rule.name, static_cast<int64_t>(rule.hits));
  return admin_reply(body + "}}");
}

Reply override_reply(const Context& context, const KeyRecord& key) {
  const std::string model = context.router->override_of(key);
  std::string body = "{";
  append_name(body, "model");
  body += model.empty() ? "null" : json_string(model);
  return admin_reply(body + "}");
}

}  // namespace

void handle_rules(Session& session) {
  if (!authorized(session)) return;
  const Request& request = session.request();
  const auto name = percent_decode(session.route().id, false);
  if (!name) return session.fail(Error(ErrorCode::kInvalidRequest, "the rule's name is not well escaped"));
  if (auto known = refuse_parameters(request.query(), ""); !known) return session.fail(known.error());
  switch (request.method) {
    case Method::kPost:
    case Method::kPut: return on_worker(session, [body = request.body, name = *name](Context& c) { return put_rule(c, body, name); });
    case Method::kDelete: return on_worker(session, [name = *name](Context& c) { return delete_rule(c, name); });
    default: break;
  }
  if (name->empty()) return on_worker(session, list_rules);
  on_worker(session, [name = *name](Context& c) { return show_rule(c, name); });
}

void handle_rules_test(Session& session) {
  if (!authorized(session)) return;
  const Request& request = session.request();
  if (auto known = refuse_parameters(request.query(), "key"); !known) return session.fail(known.error());
  on_worker(session, [body = request.body, key = query_value(request.query(), "key").value_or(""), headers = request.forwarded](Context& c) {
    return test_rules(c, body, key, headers);
  });
}

void handle_switch(Session& session) {
  if (!authorized(session)) return;
  const Request& request = session.request();
  if (auto known = refuse_parameters(request.query(), ""); !known) return session.fail(known.error());
  const std::string_view what = session.route().operation;
  if (what == "history") return on_worker(session, switch_history);
  if (what == "metrics") return on_worker(session, switch_metrics);
  if (what == "status") return on_worker(session, [](Context& c) { return switch_reply(c, c.router->switch_state()); });
  auto wish = switch_wish_from_json(request.body);
  if (!wish) return session.fail(wish.error());
  on_worker(session, [wish = *wish, key = Secret(request.key)](Context& c) {
    auto turned = c.router->toggle(wish.enabled, who_asks(*c.router, key.reveal()), wish.why);
    return turned ? switch_reply(c, *turned) : failed(c, turned.error());
  });
}

void handle_override(Session& session) {
  const Context& context = session.loop().context();
  const Request& request = session.request();
  auto caller = context.router->authenticate(Secret(request.key), {});
  if (!caller) return session.fail(caller.error());
  if (!*caller) return session.fail(Error(ErrorCode::kMissingKey, "an override belongs to a key: send one"));
  const std::shared_ptr<const KeyRecord> key = *caller;
  if (request.method == Method::kPut) {
    auto model = override_from_json(request.body);
    if (!model) return session.fail(model.error());
    return on_worker(session, [key, model = *model](Context& c) {
      auto set = c.router->set_override(*key, model);
      return set ? override_reply(c, *key) : failed_for_caller(c, set.error());
    });
  }
  if (request.method == Method::kDelete) {
    return on_worker(session, [key](Context& c) {
      auto cleared = c.router->clear_override(*key);
      return cleared ? override_reply(c, *key) : failed_for_caller(c, cleared.error());
    });
  }
  session.respond(override_reply(context, *key));
}

}  // namespace llmrouter::server
