// Rules, the routing switch and overrides: what they decide, and when.
#include "call_fixture.h"
#include "core/overlay.h"
#include "core/rules.h"
#include "llmrouter/rules.h"
#include "llmrouter/values.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

RuleConfig rule(std::string name, int priority = 0) {
  RuleConfig r;
  r.name = std::move(name);
  r.priority = priority;
  r.use.model = "a";
  return r;
}

struct Content final : core::RuleContent {
  ChatRequest request;
  int asked = 0;
  bool readable = true;
  Result<bool> tell_texts(TextSink& sink) override {
    ++asked;
    if (!readable) return Error(ErrorCode::kInvalidRequest, "messages[0]: cannot be read", "messages[0]");
    return llmrouter::tell_texts(request, sink);
  }
  void say(Role role, std::string text) {
    Message m;
    m.role = role;
    m.parts.push_back(Part::of_text(std::move(text)));
    request.messages.push_back(std::move(m));
  }
};

struct Asking {
  RequestFacts facts;
  RouteRequest wishes;
  KeyRecord key;
  std::vector<HttpHeader> headers;
  WallTime wall{};
  Content content;
  bool with_key = true;

  std::string decided(const std::vector<RuleConfig>& rules, size_t text_limit = RoutingConfig().rule_text) {
    const auto found = asked(rules, text_limit).value();
    return found ? *found : "";
  }

  // The rule's name; nothing: none.
  Result<std::optional<std::string>> asked(const std::vector<RuleConfig>& rules, size_t text_limit) {
    core::RuleSet set(text_limit);
    for (const RuleConfig& r : rules) set.add(core::make_rule(r, false, std::make_shared<std::atomic<uint64_t>>(0)).value());
    set.ready().value();
    auto found = set.find({facts.model, &facts, &wishes, with_key ? &key : nullptr, &headers, wall}, content);
    if (!found) return std::move(found).error();
    return *found == nullptr ? std::optional<std::string>() : (*found)->config.name;
  }
};

// Three models, of which the key that comes back may use two. It is not yet one of the router's.
FileKey two_of_three(World& w) {
  w.config.providers = {provider("up")};
  w.config.models = {model("a", {{"up", "a"}}), model("b", {{"up", "b"}}), model("c", {{"up", "c"}})};
  FileKey file;
  file.key = Secret("sk-0123456789");
  file.spec.name = "k";
  file.spec.allow.models = {"a", "b"};
  return file;
}

WallTime at(std::string_view text) { return parse_time(text).value(); }

}  // namespace

TEST_CASE("rules: priority high first, equal ones in order; every condition must hold") {
  Asking ask;
  ask.facts.model = "gpt-4o";
  CHECK(ask.decided({}) == "");
  CHECK(ask.decided({rule("one"), rule("two", 5), rule("three", 5)}) == "two");
  RuleConfig r = rule("r");
  r.when.model = {"GPT-*", "!gpt-4o-mini"};
  CHECK(ask.decided({r}) == "r");
  ask.facts.model = "gpt-4o-mini";
  CHECK(ask.decided({r}) == "");

  RuleConfig k = rule("k");
  k.when.key = {"ci"};
  ask.key.id = "key_1";
  CHECK(ask.decided({k}) == "");
  ask.key.spec.name = "ci";
  CHECK(ask.decided({k}) == "k");
  ask.with_key = false;
  CHECK(ask.decided({k}) == "");
  ask.with_key = true;

  RuleConfig u = rule("u");
  u.when.user = {"build*"};
  ask.facts.user = "build-7";
  CHECK(ask.decided({u}) == "u");
  ask.key.spec.user = "somebody";  // what a key proves comes over what a body says
  CHECK(ask.decided({u}) == "");

  RuleConfig t = rule("t");
  t.when.tag = {"eu"};
  CHECK(ask.decided({t}) == "");
  ask.wishes.tags = {"fast", "eu"};
  CHECK(ask.decided({t}) == "t");

  RuleConfig h = rule("h");
  h.when.header = {{"x-team", "search*"}, {"x-stage", "prod"}};
  ask.headers = {{"x-team", "search-2"}};
  CHECK(ask.decided({h}) == "");
  ask.headers.push_back({"x-stage", "prod"});
  CHECK(ask.decided({h}) == "h");

  RuleConfig n = rule("n");
  n.when.tokens_over = 100;
  n.when.tokens_under = 200;
  for (auto [tokens, holds] : {std::pair<int64_t, bool>(100, false), {101, true}, {199, true}, {200, false}}) {
    ask.facts.input_tokens = tokens;
    CHECK((ask.decided({n}) == "n") == holds);
  }
  RuleConfig x = rule("x");
  x.when.has = {"tools", "stream"};
  ask.facts.has_tools = true;
  CHECK(ask.decided({x}) == "");
  ask.facts.stream = true;
  CHECK(ask.decided({x}) == "x");
}

TEST_CASE("rules: content is read only when a rule gets as far, and once") {
  Asking ask;
  ask.facts.model = "auto";
  RuleConfig c = rule("c");
  c.when.model = {"other"};
  c.when.content = "secret";
  CHECK(ask.decided({c}) == "");
  CHECK(ask.content.asked == 0);
  c.when.model.clear();
  ask.content.say(Role::kSystem, "a secret system");
  RuleConfig other = c;
  other.name = "other";
  other.when.content = "elsewhere";
  CHECK(ask.decided({other, c}) == "c");
  CHECK(ask.content.asked == 1);
  ask.content.request.messages.clear();
  ask.content.say(Role::kAssistant, "what the model said: secret");
  CHECK(ask.decided({c}) == "");
}

TEST_CASE("rules: the texts of tools, documents and files count, thoughts and answers do not") {
  Asking ask;
  RuleConfig c = rule("c");
  c.when.content = "secret";
  ask.content.say(Role::kTool, "the tool's secret");
  CHECK(ask.decided({c}) == "c");
  ask.content.request.messages.clear();
  ask.content.say(Role::kDeveloper, "a secret");
  CHECK(ask.decided({c}) == "c");
  Part& part = ask.content.request.messages[0].parts[0];
  part.kind = Part::Kind::kReasoning;
  CHECK(ask.decided({c}) == "");
  part.kind = Part::Kind::kFile;
  part.text.clear();
  part.data = "secret";
  part.url = "https://secret";
  CHECK(ask.decided({c}) == "");
  part.name = "secret.pdf";
  CHECK(ask.decided({c}) == "c");
  part = Part();
  part.kind = Part::Kind::kOther;
  part.text = "secret";
  CHECK(ask.decided({c}) == "c");
  part.text.clear();
  CHECK(ask.decided({c}) == "");
  Message& message = ask.content.request.messages[0];
  message.name = "secret";  // of who speaks; a tool's is the model's word
  CHECK(ask.decided({c}) == "c");
  message.role = Role::kTool;
  CHECK(ask.decided({c}) == "");
}

TEST_CASE("rules: a request costs no more than its limit of text; what is longer is not let through by who rejects") {
  constexpr size_t kLimit = 4096;
  Asking ask;
  RuleConfig sends = rule("sends");
  sends.when.content = "secret";
  RuleConfig guards = sends;
  guards.name = "guards";
  guards.use = {};
  guards.use.reject = "no";
  // Newer text up to the limit hides what is older from a rule that sends somewhere.
  ask.content.say(Role::kUser, "secret");
  ask.content.say(Role::kUser, std::string(kLimit - 6, 'x'));
  CHECK(ask.decided({sends}, kLimit) == "sends");
  CHECK(ask.decided({guards}, kLimit) == "guards");
  ask.content.say(Role::kUser, "y");
  CHECK(ask.decided({sends}, kLimit) == "");
  auto refused = ask.asked({guards}, kLimit);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kBodyTooLarge);
  CHECK(refused.error().message.find("\"guards\"") != std::string::npos);
  CHECK(refused.error().message.find("4 KiB") != std::string::npos);
  CHECK(refused.error().message.find("routing.rule_text") != std::string::npos);
  CHECK(ask.decided({guards}, 2 * kLimit) == "guards");
  // One long text, too, and what is found in time is found.
  ask.content.request.messages.clear();
  ask.content.say(Role::kUser, std::string(kLimit + 1, 'x'));
  CHECK_FALSE(ask.asked({guards}, kLimit).ok());
  CHECK(ask.decided({guards}, kLimit + 1) == "");
  ask.content.say(Role::kUser, "secret");
  CHECK(ask.decided({guards}, kLimit) == "guards");
  // Very many short ones count for more than they have.
  ask.content.request.messages.clear();
  for (size_t i = 0; i < kLimit / RuleLimits::kLeastText; ++i) ask.content.say(Role::kUser, "x");
  CHECK(ask.decided({guards}, kLimit) == "");
  ask.content.say(Role::kUser, "x");
  CHECK_FALSE(ask.asked({guards}, kLimit).ok());
  // Empty ones for nothing.
  ask.content.request.messages.erase(ask.content.request.messages.begin());
  ask.content.say(Role::kUser, "");
  CHECK(ask.decided({guards}, kLimit) == "");
}

TEST_CASE("rules: what cannot be read is not let through by who rejects") {
  Asking ask;
  RuleConfig c = rule("c");
  c.when.content = "secret";
  ask.content.readable = false;
  CHECK(ask.decided({c}) == "");
  c.use = {};
  c.use.reject = "no";
  auto refused = ask.asked({c}, 4096);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().param == "messages[0]");
}

TEST_CASE("rules: hours in UTC, over midnight, by the day of the beginning") {
  struct Row {
    const char* hours;
    const char* when;
    bool holds;
  };
  for (const Row& row : {Row{"08:00-18:00", "2026-11-21T08:00:00Z", true}, Row{"08:00-18:00", "2026-11-21T18:00:00Z", false},
                         Row{"22:00-06:00", "2026-11-21T23:30:00Z", true}, Row{"22:00-06:00", "2026-11-21T05:59:59Z", true},
                         Row{"22:00-06:00", "2026-11-21T06:00:00Z", false}, Row{"sat,sun", "2026-11-21T00:00:00Z", true},
                         Row{"mon-fri", "2026-11-21T12:00:00Z", false}, Row{"mon-fri 22:00-06:00", "2026-11-21T05:00:00Z", true},
                         Row{"mon-fri 22:00-06:00", "2026-11-21T23:00:00Z", false}, Row{"fri-mon", "2026-11-24T00:00:00Z", false},
                         Row{"SAT 00:00-24:00", "2026-11-21T23:59:00Z", true}}) {
    INFO(row.hours << " at " << row.when);
    CHECK(parse_rule_hours(row.hours).value().holds(at(row.when)) == row.holds);
  }
  for (const char* bad : {"", "8:00-9:00", "08:00", "08:00-08:00", "24:00-25:00", "mon-", "mon tue", "mon 08:00-09:00 x", "08:00-09:60"}) {
    INFO(bad);
    CHECK_FALSE(parse_rule_hours(bad).ok());
  }
}

TEST_CASE("rules: what cannot be is refused by its member's name") {
  auto param = [](RuleConfig r) {
    auto good = check_rule(r);
    return good ? std::string() : good.error().param;
  };
  CHECK(param(rule("ok")) == "");
  CHECK(param(rule("")) == "name");
  CHECK(param(rule("a b")) == "name");
  for (const char* path : {"test", ".", ".."}) CHECK(param(rule(path)) == "name");
  CHECK(param(rule("test2")) == "");
  RuleConfig r = rule("r");
  r.when.content = "(a";
  CHECK(param(r) == "when.content");
  r.when.content = std::string(RuleLimits::kPattern + 1, 'a');
  CHECK(param(r) == "when.content");
  r.when.content = "(a{1,900}){9}";
  CHECK(param(r) == "when.content");
  r = rule("r");
  r.when.tokens_over = 10;
  r.when.tokens_under = 11;
  CHECK(param(r) == "when.tokens_under");
  r = rule("r");
  r.use.reject = "no";
  CHECK(param(r) == "use.reject");
  r.use = {};
  CHECK(param(r) == "use");
}

TEST_CASE("rules: JSON there and back") {
  RuleConfig r = rule("r", 7);
  r.when.model = {"auto", "\"quoted\""};
  r.when.header = {{"x-team", "a*"}};
  r.when.content = "(?i)\\bx\\b";
  r.when.tokens_over = 5;
  r.when.hours = "mon";
  r.use = {};
  r.use.tags = {"eu"};
  r.use.strategy = "cost";
  const std::string json = to_json(r);
  CHECK(to_json(rule_from_json(json).value()) == json);
  CHECK(rule_from_json(R"({"name":"x","use":"a"})").value().use.model == "a");
  CHECK(rule_from_json(R"({"name":"x","when":{"tag":1}})").error().param == "when.tag");
  CHECK(rule_from_json(R"({"name":"x","name":"y"})").error().param == "name");
}

TEST_CASE("rules: a stored one whose names are gone is left out and told of, and comes back with them") {
  World w;
  w.config.providers = {provider("up")};
  w.config.models = {model("a", {{"up", "a"}}), model("b", {{"up", "b", 1, 1, 0, {"eu"}}})};
  w.build();
  RuleConfig r = rule("r");
  r.use = {};
  r.use.tags = {"eu"};
  REQUIRE(w.router->put_rule(r).ok());
  CHECK(w.router->explain("a").value().rule == "r");
  CHECK(w.router->explain("a").value().steps.front().model == "b");
  Config without = w.config;
  without.models.pop_back();
  REQUIRE(w.router->reload(without).ok());
  CHECK(w.router->explain("a").value().rule == "");
  REQUIRE(w.router->rules().size() == 1);
  CHECK(w.router->rules().front().problem != "");
  REQUIRE(w.router->reload(w.config).ok());
  CHECK(w.router->explain("a").value().rule == "r");
  CHECK(w.router->put_rule(rule("z")).ok());
  CHECK(w.router->remove_rule("z").ok());
  CHECK(w.router->remove_rule("z").error().code == ErrorCode::kNotFound);
  RuleConfig nowhere = rule("n");
  nowhere.use.model = "nowhere";
  CHECK(w.router->put_rule(nowhere).error().param == "use.model");
}

TEST_CASE("who is sent to another model is not held there by what was asked of the first") {
  const std::string by = GENERATE(as<std::string>(), "rule", "override");
  const std::string more = GENERATE(as<std::string>(), R"("route":{"tags":["eu"]})", R"("route":{"tags":["premium"]})", R"("provider":{"only":["up"]})", R"("route":{"max_price":0.01})",
                                    R"("provider":{"ignore":["other"]})", R"("route":{"fallbacks":["a"]})");
  CAPTURE(by, more);
  World w;
  w.config.providers = {provider("up"), provider("other")};
  w.config.models = {model("a", {{"up", "a", 1, 1, 0, {"eu"}}}), model("b", {{"other", "b"}})};
  FileKey mine;
  mine.key = Secret("sk-0123456789");
  mine.spec.name = "k";
  w.config.keys = {mine};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  if (by == "rule") {
    RuleConfig r = rule("to-b");
    r.use.model = "b";
    w.config.routing.rules = {r};
  }
  w.build();
  if (by == "override") {
    REQUIRE(w.router->set_override(*w.router->authenticate(Secret("sk-0123456789"), {}).value(), "b").ok());
  }
  CallOptions options;
  options.key = Secret("sk-0123456789");
  w.relay(R"({"model":"a",)" + more + R"(,"messages":[{"role":"user","content":"hi"}]})", options);
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.header("x-llmrouter-provider") == "other");
}

TEST_CASE("a rule that narrows speaks of itself where nobody is left") {
  World w;
  w.config.providers = {provider("up")};
  w.config.models = {model("a", {{"up", "a", 1, 1, 0, {"eu"}}}), model("b", {{"up", "b"}})};
  w.config.routing.rules = {rule("eu-only")};
  w.config.routing.rules.front().use = {};
  w.config.routing.rules.front().use.tags = {"eu", "us"};
  w.config.models[1].targets[0].tags = {"us"};
  w.relay(World::body("b"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.result.error.message.find("rule \"eu-only\": ") == 0);
  CHECK(w.heard.result.error.param == "model");
}

TEST_CASE("the switch: after the delay, then it rests; both outlive the router") {
  World w;
  w.config.providers = {provider("up")};
  w.config.models = {model("a", {{"up", "a"}}), model("b", {{"up", "b"}})};
  w.config.routing.rules = {rule("to-b")};
  w.config.routing.rules.front().use.model = "b";
  w.parts.state = make_memory_state_store();
  w.build();
  auto goes_to = [&] { return w.router->explain("a").value().steps.front().model; };
  CHECK(goes_to() == "b");
  CHECK(w.router->toggle(true, "me", "").ok());
  CHECK(w.router->switch_history().empty());  // as it was
  for (const auto& [who, why] : {std::pair(std::string(1025, 'w'), std::string()), std::pair(std::string("me"), std::string(1025, 'w')),
                                 std::pair(std::string("me\xc3"), std::string()), std::pair(std::string("me"), std::string("\xff"))}) {
    auto bad = w.router->toggle(false, who, why);
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.error().code == ErrorCode::kInvalidRequest);
  }
  CHECK_FALSE(w.router->switch_state().last.has_value());
  REQUIRE(w.router->toggle(false, "me", "why").ok());
  CHECK(w.router->switch_state().enabled);
  w.clock.advance(seconds(9));
  CHECK(goes_to() == "b");
  auto refused = w.router->toggle({}, "me", "");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kRateLimited);
  CHECK(refused.error().retry_after == std::chrono::milliseconds(301000));
  w.clock.advance(seconds(1));
  CHECK(goes_to() == "a");
  CHECK(w.router->explain("b").value().by == "switch");
  w.clock.advance(minutes(5) - seconds(1));
  CHECK_FALSE(w.router->toggle({}, "me", "").ok());
  w.build();  // the same store
  CHECK(goes_to() == "a");
  CHECK(w.router->switch_history().size() == 1);
  w.clock.advance(seconds(1));
  REQUIRE(w.router->toggle({}, "you", "").ok());
  CHECK(goes_to() == "a");
  w.clock.advance(seconds(10));
  CHECK(goes_to() == "b");
  CHECK(w.router->switch_history().front().who == "you");
}

TEST_CASE("an override: within what the key may use, under the rules, over restarts") {
  World w;
  w.config.keys = {two_of_three(w)};
  w.parts.state = make_memory_state_store();
  w.build();
  auto key = w.router->authenticate(Secret("sk-0123456789"), {}).value();
  CallOptions options;
  options.key = Secret("sk-0123456789");
  CHECK(w.router->set_override(*key, "c").error().code == ErrorCode::kModelNotAllowed);
  CHECK(w.router->set_override(*key, "nowhere").error().code == ErrorCode::kModelNotFound);
  REQUIRE(w.router->set_override(*key, "b").ok());
  CHECK(w.router->explain("a", options).value().model == "b");
  CHECK(w.router->explain("a").value().model == "a");  // nobody's
  w.build();
  CHECK(w.router->override_of(*key) == "b");
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a"), options);
  w.run();
  REQUIRE(w.transport.seen().size() == 1);
  CHECK(w.transport.seen().front().body.find(R"("model":"b")") != std::string::npos);
  w.call = Call();
  RuleConfig closed = rule("closed");
  closed.when.model = {"b"};
  closed.use = {};
  closed.use.reject = "no";
  REQUIRE(w.router->put_rule(closed).ok());
  CHECK(w.router->explain("a", options).error().code == ErrorCode::kModelNotAllowed);
  CHECK(w.router->clear_override(*key).value());
  CHECK_FALSE(w.router->clear_override(*key).value());
  CHECK(w.router->explain("a", options).value().model == "a");
}

TEST_CASE("an override's model: some UTF-8, and not more than a name") {
  World w;
  w.config.providers = {provider("up")};
  w.config.models = {model("a", {{"up", "a"}})};
  w.build();
  KeyRecord key;
  key.id = "key_1";
  for (const std::string& bad : {std::string(), std::string(1025, 'm'), std::string("up/\xff"), std::string("up/\xc3")}) {
    const auto refused = w.router->set_override(key, bad);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == "model");
  }
  CHECK(w.router->override_of(key).empty());
  CHECK(w.router->set_override(key, "up/h\xc3\xa9").ok());
}

TEST_CASE("a session: another way to be the key, whose chats go to one model") {
  World w;
  FileKey file = two_of_three(w);
  file.spec.limits.requests = Rate{2, minutes(1), 0};
  file.spec.expires = w.clock.wall() + minutes(60);
  w.config.keys = {file};
  w.parts.keys = make_memory_key_store(w.clock);
  w.build();
  const auto key = w.router->authenticate(file.key, {}).value();
  CHECK(w.router->start_session(*key, {"c"}).error().code == ErrorCode::kModelNotAllowed);
  CHECK(w.router->start_session(*key, {"nowhere"}).error().code == ErrorCode::kModelNotFound);
  CHECK(w.router->start_session(*key, {"b\xff"}).error().param == "model");
  const CreatedSession made = w.router->start_session(*key, {"b", minutes(10)}).value();
  CHECK(w.router->keys()->sessions(*key).size() == 1);
  CallOptions options;
  options.key = made.token;
  options.trusted = false;
  CHECK(w.router->explain("a", options).value().by == "session");
  CHECK(w.router->explain("a", options).value().model == "b");
  const auto by_token = w.router->authenticate(made.token, {}).value();
  CHECK(w.router->set_override(*by_token, "a").error().code == ErrorCode::kConflict);
  CHECK(w.router->clear_override(*by_token).error().code == ErrorCode::kConflict);
  // Over the key's override, under the rules.
  REQUIRE(w.router->set_override(*key, "a").ok());
  CHECK(w.router->explain("a", options).value().model == "b");
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a"), options);
  w.run();
  REQUIRE(w.transport.seen().size() == 1);
  CHECK(w.transport.seen().front().body.find(R"("model":"b")") != std::string::npos);
  CHECK(w.records().front().key == key->id);
  CHECK(w.records().front().decision.compare(0, 9, "session; ") == 0);
  CHECK(w.router->limits_of(*key).remaining_requests == 1);  // one bucket for both
  w.call = Call();
  w.transport.push(ScriptedReply::json(kWhole));
  CallOptions by_key;
  by_key.key = file.key;
  by_key.trusted = false;
  w.relay(World::body("a"), by_key);
  w.run();
  w.call = Call();
  w.relay(World::body("a"), options);
  w.run();
  CHECK(w.heard.result.error.code == ErrorCode::kRateLimited);
  w.call = Call();
  RuleConfig closed = rule("closed");
  closed.when.model = {"b"};
  closed.use = {};
  closed.use.reject = "no";
  REQUIRE(w.router->put_rule(closed).ok());
  CHECK(w.router->explain("a", options).error().code == ErrorCode::kModelNotAllowed);
  REQUIRE(w.router->remove_rule("closed").ok());
  // The key is taken a model away: it is asked at each request.
  w.config.keys.front().spec.allow.models = {"a"};
  REQUIRE(w.router->reload(w.config).ok());
  w.relay(World::body("a"), options);
  w.run();
  CHECK(w.heard.result.error.code == ErrorCode::kModelNotAllowed);
  w.call = Call();
  CHECK(w.router->authenticate(made.token, {}).ok());
  w.clock.advance(minutes(10));
  const auto ended = w.router->authenticate(made.token, {});
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().code == ErrorCode::kExpiredKey);
  CHECK(ended.error().message.find(made.session.id) != std::string::npos);
  CHECK(w.router->authenticate(file.key, {}).ok());
  const CreatedSession last = w.router->start_session(*key, {"a"}).value();
  CHECK(last.session.expires == *file.spec.expires);  // not beyond the key's own
  w.clock.advance(minutes(50));
  CHECK(w.router->authenticate(last.token, {}).error().code == ErrorCode::kExpiredKey);
}
