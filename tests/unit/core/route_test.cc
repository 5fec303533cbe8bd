// What a request asks of routing, and what a target can: who is asked, who is not, and what is said of it.
#include <set>

#include "core/random.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

class Prices final : public Catalog {
 public:
  std::optional<PriceRow> price(std::string_view provider, std::string_view, std::string_view, int64_t, WallTime) const override {
    PriceRow row;
    if (provider == "a") row.input = 10'000'000, row.output = 30'000'000;
    else if (provider == "b") row.input = 1'000'000, row.output = 2'000'000;
    else return std::nullopt;
    return row;
  }
  ModelFacts facts(std::string_view, std::string_view model) const override {
    ModelFacts f;
    if (model == "small") f.context_window = 4000, f.known = true;
    if (model == "large") f.context_window = 100000, f.known = true;
    return f;
  }
};

struct Routes : World {
  Routes() {
    config.providers = {provider("a"), provider("b"), provider("c")};
    config.providers[0].type = "openai";
    config.providers[1].type = "groq";
    config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}, {"c", "z", 1, 3}}, {"spare"}), model("spare", {{"b", "s", 1, 1}})};
    config.models[0].tags = {"chat"};
    config.models[0].targets[1].tags = {"eu"};
    config.models[1].tags = {"coding"};
    parts.catalog = std::make_shared<Prices>();
    transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  }
  void ask(const std::string& model, const std::string& more = {}, CallOptions options = {}) {
    relay(body(model, false, more), std::move(options));
    run();
  }
  std::string served() { return heard.header("x-llmrouter-provider"); }
  const std::string& sent() { return transport.seen().back().body; }
  Plan plan(const std::string& model, const std::string& more = {}) {
    if (!router) build();
    auto found = router->explain("", {}, body(model, false, more));
    REQUIRE(found.ok());
    return *found;
  }
};

StepReason reason(const Plan& plan, std::string_view provider) {
  for (const PlanStep& step : plan.steps) {
    if (step.provider == provider && step.route == "m") return step.reason;
  }
  return StepReason::kStrategy;
}

}  // namespace

TEST_CASE("routing members choose, and never go upstream") {
  Routes w;
  const char* head = R"({"model":"y","messages":[{"role":"user","content":"hi"}])";
  w.ask("m", R"(,"route":{"tags":["eu"]},"temperature":1)");
  CHECK(w.served() == "b");
  CHECK(w.sent() == std::string(head) + R"(,"temperature":1})");
  w.ask("m", R"(,"provider":{"only":["Groq"]})");
  CHECK(w.served() == "b");
  CHECK(w.sent() == std::string(head) + "}");
  w.ask("m", R"(,"provider":{"order":["c","b"]},"models":["spare"])");
  CHECK(w.served() == "c");
  CHECK(w.sent().find("provider") == std::string::npos);
  CHECK(w.sent().find("models") == std::string::npos);
  w.ask("m", R"(,"provider":{"ignore":["a"]})");
  CHECK(w.served() == "b");
  w.ask("m", R"(,"route":{"provider_types":["groq"]})");
  CHECK(w.served() == "b");
  w.ask("m", R"(,"route":{"providers":["c"]})");
  CHECK(w.served() == "c");
  w.ask("m", R"(,"provider":{"sort":"price"})");
  CHECK(w.served() == "b");
  w.ask("m", R"(,"route":{"max_price":{"input":2,"output":"2.50"}})");
  CHECK(w.served() == "b");
  w.ask("auto", R"(,"route":{"tags":["coding"]})");
  CHECK(w.served() == "b");
  CHECK(w.sent().find(R"("model":"s")") != std::string::npos);
  w.relay(R"({"route":{"tags":["eu"]},"model":"m","messages":[{"role":"user","content":"hi"}]})");
  w.run();
  CHECK(w.sent() == std::string(head) + "}");
  CHECK(w.records().at(0).decision.find("priority") != std::string::npos);
}

TEST_CASE("the body comes over the headers, each wish for itself") {
  Routes w;
  auto headers = [](std::vector<HttpHeader> list) {
    CallOptions options;
    options.headers = std::move(list);
    return options;
  };
  const auto c = headers({{"x-llmrouter-provider", "c"}});
  w.ask("m", {}, c);
  CHECK(w.served() == "c");
  for (const char* more : {R"(,"route":{"providers":["b"]})", R"(,"provider":{"only":["b"]})"}) {
    w.ask("m", more, c);
    CHECK(w.served() == "b");
    const auto plan = w.router->explain("", c, Routes::body("m", false, more));
    REQUIRE(plan.ok());
    CHECK(plan->steps.at(0).provider == "b");
  }
  w.ask("m", R"(,"route":{"strategy":"cost"})", c);  // another wish: both hold
  CHECK(w.served() == "c");
  w.ask("m", R"(,"route":{"tags":["eu"]})", headers({{"x-llmrouter-tags", "coding"}}));
  CHECK(w.served() == "b");
  CallOptions asked = c;  // `?proxy=` is neither
  asked.headers.clear();
  asked.forced_provider = "c";
  w.ask("m", R"(,"route":{"providers":["b"]})", asked);
  CHECK(w.heard.head.status == 400);
}

TEST_CASE("OpenRouter's own route: fallback is what models are for, and passes to OpenRouter as it is") {
  Routes w;
  w.config.providers.push_back(provider("o"));
  w.config.providers[3].type = "openrouter";
  w.ask("o/m", R"(,"route":"fallback","models":["o/n"])");
  CHECK(w.heard.head.status == 200);
  CHECK(w.sent().find(R"("route":"fallback","models":["o/n"])") != std::string::npos);
  w.ask("m", R"(,"route":"fallback","models":["spare"])");
  CHECK(w.heard.head.status == 200);
  CHECK(w.sent().find("fallback") == std::string::npos);
  w.ask("m", R"(,"route":"best")");
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.result.error.param == "route");
  CHECK(w.heard.result.error.message.find("fallback") != std::string::npos);
}

TEST_CASE("OpenRouter's members pass to a model whose only target is OpenRouter") {
  Routes w;
  w.config.providers.push_back(provider("o"));
  w.config.providers[3].type = "openrouter";
  w.ask("o/m", R"(,"provider":{"only":["x"]})");
  CHECK(w.heard.head.status == 200);
  CHECK(w.sent().find(R"("provider":{"only":["x"]})") != std::string::npos);
}

namespace {

// The only key of a router, and the options that bring it.
CallOptions restrict(Routes& w, AllowList allow) {
  FileKey key;
  key.key = Secret(std::string("sk-ci-0000000000000000"));
  key.spec.allow = std::move(allow);
  w.config.keys = {key};
  w.config.server.auth = AuthMode::kKeys;
  w.call = Call();  // a router outlives its calls
  w.router.reset();
  CallOptions options;
  options.trusted = false;
  options.key = Secret(std::string("sk-ci-0000000000000000"));
  return options;
}

}  // namespace

TEST_CASE("models that OpenRouter is to choose among are the key's too") {
  Routes w;
  w.config.providers.push_back(provider("or"));
  w.config.providers[3].type = "openrouter";
  w.config.models.push_back(model("alias", {{"or", "cheap", 1, 1}}));
  AllowList allow;
  allow.models = {"or/cheap", "or/fine*", "alias", "!*opus*"};
  const CallOptions options = restrict(w, allow);
  struct Row {
    const char *model, *more, *refused;
  };
  const Row rows[] = {
      {"or/cheap", R"(,"models":["anthropic/claude-opus"])", "or/anthropic/claude-opus"},
      {"or/cheap", R"(,"models":"x")", "or/x"},
      {"or/cheap", R"(,"\u006dodels":["fine-1","fine-opus"])", "or/fine-opus"},
      {"alias", R"(,"models":["cheap","dear"])", "or/dear"},
      {"or/cheap", R"(,"models":["cheap","fine-1"])", nullptr},
      {"or/cheap", R"(,"models":null)", nullptr},
      {"or/cheap", R"(,"provider":{"only":["x"]})", nullptr},
  };
  for (const Row& row : rows) {
    INFO(row.more);
    const size_t before = w.transport.seen().size();
    w.ask(row.model, row.more, options);
    CHECK(w.transport.seen().size() - before == (row.refused == nullptr ? 1u : 0u));
    CHECK(w.heard.head.status == (row.refused == nullptr ? 200 : 403));
    if (row.refused == nullptr) continue;
    CHECK(w.heard.result.error.code == ErrorCode::kModelNotAllowed);
    CHECK(w.heard.result.error.message.find(row.refused) != std::string::npos);
  }
  const CallOptions free = restrict(w, {});
  w.ask("or/cheap", R"(,"models":["anthropic/claude-opus"])", free);
  CHECK(w.heard.head.status == 200);
  CHECK(w.sent().find(R"("models":["anthropic/claude-opus"])") != std::string::npos);
}

TEST_CASE("a preset of OpenRouter's is a model that the key has to be allowed") {
  Routes w;
  w.config.providers = {provider("or"), provider("other")};
  w.config.providers[0].type = "openrouter";
  w.config.models = {model("cheap", {{"or", "cheap-1", 1, 1}}), model("mixed", {{"other", "x", 1, 1}, {"or", "y", 1, 1}}), model("set", {{"or", "@preset/ours", 1, 1}}),
                     model("or-*", {{"or", "*", 1, 1}})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  struct Row {
    std::vector<std::string> allow;
    const char *model, *more;
    bool passes;
  };
  const Row rows[] = {
      {{"cheap"}, "cheap", R"(,"preset":"boss")", false},
      {{"or/cheap*", "mixed"}, "mixed", R"(,"preset":"boss")", false},              // it may come to OpenRouter
      {{"or/cheap*"}, "or/cheap-1", R"(,"pre\u0073et":"boss")", false},
      {{"or/cheap*"}, "or/cheap-1", R"(,"preset":{"slug":"boss"})", false},
      {{"cheap"}, "cheap", R"(,"models":null,"route":{"tags":[]},"preset":"boss")", false},
      {{"cheap", "or/@preset/ours"}, "cheap", R"(,"preset":"boss")", false},
      {{"cheap", "or/@preset/ours"}, "cheap", R"(,"preset":"ours")", true},
      {{"cheap", "or/@preset/ours"}, "cheap", R"(,"preset":"@preset/ours")", true},
      {{"or/*", "!or/openai/*"}, "or/cheap-1", R"(,"preset":"boss")", false},        // it may stand for what is excluded
      {{"or/*"}, "or/cheap-1", R"(,"preset":"boss")", true},
      {{"cheap"}, "cheap", R"(,"preset":null)", true},
      {{}, "cheap", R"(,"preset":"boss")", true},
      {{"or/cheap-1*"}, "or/cheap-1@preset/boss", "", false},                        // in a model's name
      {{"or/cheap-1*", "or/@preset/boss"}, "or/cheap-1@preset/boss", "", true},
      {{"or/*", "!or/openai/*"}, "or/@preset/boss", "", false},
      {{"or/*"}, "or/@preset/boss", "", true},
      {{"or-*"}, "or-x@preset/boss", "", false},
      {{"cheap", "or/cheap*"}, "cheap", R"(,"models":["cheap-2@preset/boss"])", false},
      {{"set"}, "set", "", true},                                                    // what the file says is not the caller's
  };
  for (const Row& row : rows) {
    INFO(row.model << row.more << " with " << (row.allow.empty() ? "" : row.allow.back()));
    AllowList allow;
    allow.models = row.allow;
    const CallOptions options = restrict(w, allow);
    const size_t before = w.transport.seen().size();
    w.ask(row.model, row.more, options);
    CHECK(w.transport.seen().size() - before == (row.passes ? 1u : 0u));
    CHECK(w.heard.head.status == (row.passes ? 200 : 403));
    if (!row.passes) CHECK(w.heard.result.error.code == ErrorCode::kModelNotAllowed);
  }
}

TEST_CASE("a fallback that the caller names is a name of its own to the key") {
  Routes w;
  w.config.providers[1].models.override_ = {"offered"};
  w.config.models.push_back(model("dear-*", {{"b", "*", 1, 1}}));
  struct Row {
    std::vector<std::string> allow;
    const char* named;
    bool passes;
  };
  const Row rows[] = {
      {{"only"}, "spare", false},      {{"only"}, "b/s", false},    {{"only"}, "[b]s", false},     {{"only"}, "dear-1", false}, {{"only"}, "offered", false},
      {{"only", "!spare"}, "spare", false}, {{"*", "!b/*"}, "spare", false},
      {{"only", "spare"}, "spare", true},   {{"only", "b/*"}, "spare", true}, {{"only", "b/s"}, "b/s", true}, {{"only", "dear-*"}, "dear-1", true}, {{}, "spare", true},
  };
  w.config.models.push_back(model("only", {{"a", "x", 1, 1}}));
  w.transport.fallback = [](const SeenRequest& seen) { return seen.url.find("a.test") != std::string::npos ? ScriptedReply::json("{}", 500) : ScriptedReply::json(kWhole); };
  for (const Row& row : rows) {
    for (const std::string& more : {R"(,"route":{"fallbacks":[")" + std::string(row.named) + "\"]}", R"(,"models":["only",")" + std::string(row.named) + "\"]"}) {
      INFO(more << " with " << (row.allow.empty() ? "" : row.allow.back()));
      AllowList allow;
      allow.models = row.allow;
      const CallOptions options = restrict(w, allow);
      const size_t before = w.transport.seen().size();
      w.ask("only", more, options);
      CHECK(w.heard.head.status == (row.passes ? 200 : 403));
      if (row.passes) {
        CHECK(w.served() == "b");
      } else {
        CHECK(w.transport.seen().size() == before);  // refused as the wish it is, whether or not it would have come to that
        CHECK(w.heard.result.error.code == ErrorCode::kModelNotAllowed);
        CHECK(w.heard.result.error.param == (more.find("\"models\"") != std::string::npos ? "models" : "route.fallbacks"));
        CHECK(w.heard.result.error.message.find(row.named) != std::string::npos);
      }
      const auto plan = w.router->explain("", options, Routes::body("only", false, more));
      CHECK(plan.ok() == row.passes);
    }
  }
  // What the model itself falls back to is its owner's choice, and the key's with it.
  w.config.models.back().fallbacks = {"spare"};
  AllowList allow;
  allow.models = {"only"};
  w.ask("only", "", restrict(w, allow));
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("explain refuses what the chat refuses: models and presets that OpenRouter would choose") {
  Routes w;
  w.config.providers = {provider("or")};
  w.config.providers[0].type = "openrouter";
  w.config.models = {model("cheap", {{"or", "cheap-1", 1, 1}})};
  AllowList allow;
  allow.models = {"cheap", "or/allowed"};
  const CallOptions options = restrict(w, allow);
  w.build();
  for (const auto& [more, passes] : {std::pair(R"(,"models":["anthropic/claude-opus"])", false), std::pair(R"(,"preset":"boss")", false), std::pair(R"(,"models":["allowed"])", true)}) {
    INFO(more);
    const auto plan = w.router->explain("", options, Routes::body("cheap", false, more));
    CHECK(plan.ok() == passes);
    if (!passes) CHECK(plan.error().code == ErrorCode::kModelNotAllowed);
  }
}

TEST_CASE("a key is not told of what it may not use") {
  Routes w;
  w.config.providers[2].name = w.config.models[0].targets[2].provider = "hidden-provider";
  w.config.providers[2].models.override_ = {"hidden-model"};
  w.config.providers[2].type = "mistral";
  w.config.models.push_back(model("hidden-alias", {{"hidden-provider", "hidden-model", 1, 1}}));
  w.config.models[2].tags = {"hidden-tag"};
  w.config.models[2].modalities = std::vector<std::string>{"image"};
  w.config.models[1].modalities = std::vector<std::string>{};
  AllowList allow;
  allow.models = {"spare"};
  const CallOptions options = restrict(w, allow);
  const std::pair<const char*, const char*> rows[] = {
      {"hidden-mode", ""},
      {"d/x", ""},
      {"hidden-provide/x", ""},
      {"b/x", ""},
      {"spare", R"(,"route":{"tags":["x"]})"},
      {"spare", R"(,"route":{"providers":["d"]})"},
      {"spare", R"(,"route":{"provider_types":["d"]})"},
      {"spare", R"(,"route":{"fallbacks":["hidden-alia"]})"},
      {"spare", R"(,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aaaa"}}]}])"},
  };
  for (const auto& [name, more] : rows) {
    INFO(name << more);
    const std::string body = std::string(more).find("messages") == std::string::npos ? w.body(name, false, more)
                                                                                     : "{\"model\":\"spare\"" + std::string(more) + "}";
    auto ask = [&](const CallOptions& as) {
      w.relay(body, as);
      w.run();
      CHECK(w.heard.head.status >= 400);
      std::string said = w.heard.bytes;
      for (const char* own : {name, "hidden-provide\\", "hidden-alia\\"}) {
        for (size_t at; (at = said.find(own)) != std::string::npos;) said.erase(at, std::string_view(own).size());
      }
      return said;
    };
    const std::string said = ask(options);
    CHECK(said.find("hidden") == std::string::npos);
    CHECK(said.find("mistral") == std::string::npos);
  }
  const CallOptions free = restrict(w, {});
  w.relay(w.body("hidden-alia"), free);
  w.run();
  CHECK(w.heard.bytes.find("hidden-alias") != std::string::npos);
}

TEST_CASE("filters: what they cannot be applied to does not pass without them") {
  Routes w;
  TextFilterConfig mask;
  mask.name = "mask";
  mask.pattern = "secret";
  mask.replace = "x";
  mask.request = true;
  w.config.filters = {mask};
  w.config.models[1].filters = {"mask"};
  w.config.models.push_back(model("tags", {{"b", "s", 1, 1}}));
  w.config.models[2].filters = {"think_tags"};
  w.build();
  auto embed = [&](const char* name) {
    w.heard = Heard();
    RawRequest request{"openai", std::string(R"({"model":")") + name + R"(","input":"a secret"})"};
    request.operation = Operation::kEmbed;
    w.call = w.router->relay(w.transport, std::move(request), {}, w.heard);
    w.run();
  };
  embed("spare");
  CHECK(w.transport.seen().empty());
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.bytes.find("not_supported") != std::string::npos);
  CHECK(w.heard.bytes.find("mask") != std::string::npos);
  CHECK(w.heard.bytes.find("embeddings") != std::string::npos);
  embed("tags");
  CHECK(w.transport.seen().size() == 1);
  w.ask("spare");
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("what a request asks for and is not there is an error that says what is") {
  Routes w;
  struct Row {
    const char* more;
    const char* param;
    const char* says;
  };
  const Row rows[] = {
      {R"(,"route":{"tags":["us"]})", "route.tags", "there are: chat, coding, eu"},
      {R"(,"route":{"providers":["d"]})", "route.providers", "a, b, c"},
      {R"(,"provider":{"ignore":["d"]})", "provider.ignore", "a, b, c"},
      {R"(,"provider":{"order":["d"]})", "provider.order", "a, b, c"},
      {R"(,"route":{"provider_types":["xai"]})", "route.provider_types", "openai, groq"},
      {R"(,"route":{"strategy":"best"})", "route.strategy", "least_busy"},
      {R"(,"route":{"fallbacks":["spar"]})", "route.fallbacks", "spare"},
      {R"(,"models":["nowhere"])", "models", "not found"},
      {R"(,"provider":{"only":["d"]})", "provider.only", "a, b, c"},
      {R"(,"provider":{"max_price":{"prompt":0.1}})", "provider.max_price", "no target of model"},
      {R"(,"provider":{"ignore":["a","b","c"]})", "provider.ignore", "no target of model"},
      {R"(,"provider":{"only":["a"],"ignore":["a"]})", "provider.only", "no target of model"},
      {R"(,"models":{})", "models", "a list of names"},
      {R"(,"route":{"tag":["eu"]})", "route.tag", "tags, providers"},
      {R"(,"route":{"tags":[1]})", "route.tags[0]", "a name"},
      {R"(,"route":{"tags":["eu"],"tags":["eu"]})", "route.tags", "twice"},
      {R"(,"route":{"max_price":"much"})", "route.max_price", "USD"},
      {R"(,"route":7)", "route", "an object"},
      {R"(,"provider":{"sort":"luck"})", "provider.sort", "throughput"},
      {R"(,"provider":{"zdr":true})", "provider.zdr", "require_parameters"},
      {R"(,"route":{"tags":["eu","coding"]})", "route.tags", "no target of model"},
      {R"(,"route":{"max_price":0.1})", "route.max_price", "no target of model"},
  };
  for (const Row& row : rows) {
    INFO(row.more);
    w.ask("m", row.more);
    CHECK((w.heard.head.status == 400 || w.heard.head.status == 404));
    CHECK(w.heard.result.error.param == row.param);
    CHECK(w.heard.bytes.find(row.says) != std::string::npos);
  }
  CHECK(w.transport.seen().empty());
}

TEST_CASE("the same by headers and by the call's options, neutral calls too") {
  Routes w;
  CallOptions options;
  options.headers = {{"x-llmrouter-tags", "chat, eu"}};
  w.ask("m", {}, options);
  CHECK(w.served() == "b");
  options.headers = {{"x-llmrouter-strategy", "cost"}};
  w.ask("m", {}, options);
  CHECK(w.served() == "b");
  options.headers = {{"x-llmrouter-provider", "c"}};
  w.ask("m", {}, options);
  CHECK(w.served() == "c");
  for (const auto& [name, value] : std::map<std::string, std::string>{{"x-llmrouter-tags", "eu,"}, {"x-llmrouter-cache", "yes"}, {"x-llmrouter-timeout", "soon"}}) {
    options.headers = {{name, value}};
    w.ask("m", {}, options);
    CHECK(w.heard.head.status == 400);
    CHECK(w.heard.bytes.find(name) != std::string::npos);
  }
  CallOptions direct;
  direct.route.tags = {"eu"};
  w.ask("m", {}, direct);
  CHECK(w.served() == "b");
  ChatRequest chat = ChatRequest::of("m", "hi");
  chat.extras = R"("route":{"tags":["eu"]},"kept":1)";
  w.call = w.router->start(w.transport, chat, false, {}, w.events);
  w.run();
  CHECK(w.events.result.record.provider == "b");
  CHECK(w.sent().find("route") == std::string::npos);
  CHECK(w.sent().find(R"("kept":1)") != std::string::npos);
}

TEST_CASE("fallbacks: a request's own in place of the model's, or none") {
  Routes w;
  w.transport.fallback = [](const SeenRequest& seen) {
    return seen.body.find("\"s\"") == std::string::npos ? ScriptedReply::json("{}", 500) : ScriptedReply::json(kWhole);
  };
  w.config.routing.attempts = 10;
  w.ask("m");
  CHECK(w.heard.head.status == 200);
  w.ask("m", R"(,"provider":{"allow_fallbacks":false})");
  CHECK(w.heard.head.status == 502);
  const UsageRecord record = w.records().at(0);  // it must outlive the loop
  for (const AttemptRecord& a : record.attempts) CHECK(a.provider == record.attempts[0].provider);
  w.ask("a/x", R"(,"models":["a/x","spare"])");
  CHECK(w.heard.head.status == 200);
  w.ask("m", R"(,"route":{"fallbacks":[]})");
  CHECK(w.heard.head.status == 502);
}

TEST_CASE("targets that cannot take what is in a request are not asked; nobody can: 400 with the field and who could") {
  Routes w;
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}}), model("seeing", {{"c", "v", 1, 1}}), model("deaf", {{"c", "d", 1, 1}})};
  for (ModelConfig& m : w.config.models) m.modalities = std::vector<std::string>{};
  w.config.models[1].modalities = {"image", "audio"};
  w.config.models[0].capabilities = std::vector<std::string>{"tools"};
  w.config.models[2].capabilities = std::vector<std::string>{"json_schema"};
  w.build();
  auto content = [](const std::string& part) {
    return R"({"model":"m","messages":[{"role":"user","content":[)" + part + "]}]}";
  };
  w.relay(content(R"({"type":"image_url","image_url":{"url":"https://x.test/i.png"}})"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.result.error.param == "messages");
  CHECK(w.heard.bytes.find("images; models that do: seeing") != std::string::npos);
  w.relay(content(R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}})"));
  w.run();
  CHECK(w.heard.bytes.find("audio; models that do: seeing") != std::string::npos);
  w.ask("m", R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}})");
  CHECK(w.heard.result.error.param == "response_format");
  CHECK(w.heard.bytes.find("seeing, deaf") != std::string::npos);
  w.ask("deaf", R"(,"tools":[{"type":"function","function":{"name":"f"}}])");
  CHECK(w.heard.result.error.param == "tools");
  w.ask("m", R"(,"tools":[{"type":"function","function":{"name":"f"}}])");
  CHECK(w.heard.head.status == 200);
  // `auto` leads to m, which cannot: another one that can.
  std::string image = content(R"({"type":"image_url","image_url":{"url":"https://x.test/i.png"}})");
  image.replace(image.find("\"m\""), 3, "\"auto\"");
  w.relay(image);
  w.run();
  CHECK(w.served() == "c");
}

TEST_CASE("a prompt longer than a window goes where there is room") {
  Routes w;
  w.config.models = {model("m", {{"a", "small", 1, 1}, {"b", "large", 1, 2}}), model("s", {{"a", "small", 1, 1}})};
  w.build();
  auto sized = [](const std::string& name, size_t bytes) {
    return R"({"model":")" + name + R"(","messages":[{"role":"user","content":")" + std::string(bytes, 'x') + "\"}]}";
  };
  w.relay(sized("m", 4000));
  w.run();
  CHECK(w.served() == "a");
  w.relay(sized("m", 40000));
  w.run();
  CHECK(w.served() == "b");
  for (const char* name : {"s", "a/small"}) {
    w.relay(sized(name, 40000));
    w.run();
    CHECK(w.heard.head.status == 400);
    CHECK(w.heard.result.error.code == ErrorCode::kContextLengthExceeded);
    CHECK(w.heard.bytes.find("models that hold them: m") != std::string::npos);
  }
}

TEST_CASE("a header that names a provider which is not there hears of those that are") {
  Routes w;
  CallOptions options;
  options.headers = {{"x-llmrouter-provider", "zz"}};
  options.forced_provider = "zz";
  w.ask("m", {}, options);
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.bytes.find("there are: a, b, c") != std::string::npos);
  CHECK(w.heard.result.error.param == "x-llmrouter-provider");
}

TEST_CASE("auto within a price: where the default model is above it, another model's targets") {
  Routes w;
  w.config.routing.default_model = "dear";
  w.config.models.push_back(model("dear", {{"a", "x", 1, 1}}));
  w.ask("auto", R"(,"route":{"max_price":5})");
  CHECK(w.heard.head.status == 200);
  CHECK(w.served() == "b");
  w.ask("auto");
  CHECK(w.served() == "a");
}

TEST_CASE("fallbacks that the request names hold for long prompts and refused content, too") {
  Routes w;
  const bool content = GENERATE(false, true);
  const bool openrouter = GENERATE(false, true);
  w.config.models[0].targets.resize(1);
  w.config.models[0].content_fallbacks = w.config.models[0].context_fallbacks = {"spare"};
  w.config.models.push_back(model("mine", {{"c", "mine", 1, 1}}));
  w.transport.fallback = [&](const SeenRequest& r) {
    if (r.url.find("a.test") == std::string::npos) return ScriptedReply::json(kWhole);
    return ScriptedReply::json(content ? R"({"error":{"message":"no","code":"content_filter"}})" : R"({"error":{"message":"no","code":"context_length_exceeded"}})", 400);
  };
  w.ask("m", openrouter ? R"(,"models":["m","mine"])" : R"(,"route":{"fallbacks":["mine"]})");
  CHECK(w.heard.head.status == 200);
  CHECK(w.served() == "c");
  w.ask("m", R"(,"route":{"fallbacks":[]})");
  CHECK(w.heard.head.status == 400);
  w.ask("m");
  CHECK(w.served() == "b");
}

TEST_CASE("fallbacks for long prompts are no tries: they are asked with attempts 1, too") {
  Routes w;
  w.config.routing.attempts = 1;
  w.config.models[0].targets.resize(1);
  w.config.models[0].context_fallbacks = {"spare"};
  w.transport.fallback = [&](const SeenRequest& r) {
    if (r.url.find("a.test") == std::string::npos) return ScriptedReply::json(kWhole);
    return ScriptedReply::json(R"({"error":{"message":"no","code":"context_length_exceeded"}})", 400);
  };
  w.ask("m");
  CHECK(w.heard.head.status == 200);
  CHECK(w.served() == "b");
  w.config.models[1].context_fallbacks = {"m"};  // around in a ring: once each
  w.transport.fallback = [&](const SeenRequest&) { return ScriptedReply::json(R"({"error":{"message":"no","code":"context_length_exceeded"}})", 400); };
  w.call = Call();
  w.build();
  const size_t before = w.transport.seen().size();
  w.ask("m");
  CHECK(w.heard.head.status == 400);
  CHECK(w.transport.seen().size() == before + 2);
}

TEST_CASE("explain: a target whose dialect has no words for the request is out, as the chat passes it over") {
  Routes w;
  w.config.providers[0].dialect = "anthropic";
  const std::string audio = R"({"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}]})";
  w.build();
  const auto plan = w.router->explain("", {}, audio);
  REQUIRE(plan.ok());
  CHECK(reason(*plan, "a") == StepReason::kCannotExpress);
  CHECK(plan->steps.front().provider == "b");
  CHECK(w.plan("m").steps.front().provider == "a");
  w.relay(audio);
  w.run();
  CHECK(w.served() == "b");
}

TEST_CASE("explain keeps every target with its reason") {
  Routes w;
  Plan plan = w.plan("m", R"(,"route":{"tags":["eu"],"max_price":5})");
  REQUIRE(plan.steps.size() == 4);
  CHECK(plan.steps[0].provider == "b");
  CHECK(plan.steps[0].eligible);
  CHECK(reason(plan, "a") == StepReason::kNoTag);
  CHECK(reason(plan, "c") == StepReason::kNoTag);
  plan = w.plan("m", R"(,"route":{"max_price":5,"strategy":"cost"})");
  CHECK(plan.strategy == "cost");
  CHECK(reason(plan, "a") == StepReason::kTooDear);
  CHECK(reason(plan, "c") == StepReason::kNoPrice);
  CHECK(plan.to_text().find("max_price") != std::string::npos);
  plan = w.plan("auto", R"(,"route":{"provider_types":["groq"]})");
  CHECK(plan.how == "selector");
  CHECK(plan.steps[0].provider == "b");
}

TEST_CASE("affinity keeps a session at its target for its time, and moves it when the target rests") {
  Routes w;
  w.config.routing.affinity.by = {"session"};
  w.config.routing.strategy = "random";
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 1}, {"c", "z", 1, 1}})};
  w.build();
  CallOptions session;
  session.headers = {{"x-session-id", "s-1"}};
  w.ask("m", {}, session);
  const std::string home = w.served();
  for (int i = 0; i < 30; ++i) {
    w.ask("m", {}, session);
    CHECK(w.served() == home);
    w.clock.advance(minutes(4));  // each request makes it last
  }
  std::set<std::string> others;
  for (int i = 0; i < 40; ++i) {
    CallOptions other;
    other.headers = {{"x-session-id", "s-" + std::to_string(100 + i)}};
    w.ask("m", {}, other);
    others.insert(w.served());
  }
  CHECK(others.size() == 3);
  std::set<std::string> after;
  for (int i = 0; i < 40; ++i) {
    w.clock.advance(minutes(6));
    w.ask("m", {}, session);
    after.insert(w.served());
  }
  CHECK(after.size() == 3);  // forgotten each time
  // A reload keeps it, a body member names it, a failure moves it.
  w.ask("m", R"(,"prompt_cache_key":"k")");
  const std::string first = w.served();
  REQUIRE(w.router->reload(w.config).ok());
  w.ask("m", R"(,"prompt_cache_key":"k")");
  CHECK(w.served() == first);
  w.transport.push(ScriptedReply::json("{}", 500));
  w.ask("m", R"(,"prompt_cache_key":"k")");
  const std::string second = w.served();
  CHECK(second != first);
  w.ask("m", R"(,"prompt_cache_key":"k")");
  CHECK(w.served() == second);
}

TEST_CASE("a strategy that hashes goes by what is known where affinity names what the request has nothing of") {
  for (const char* what : {"session", "prefix"}) {
    INFO(what);
    Routes w;
    w.config.routing.affinity.by = {what};
    w.config.models[0].strategy = "hash";
    w.config.models[0].fallbacks.clear();
    w.config.models.push_back(model("down", {{"a", "gone", 1, 1}}, {"m"}));
    w.transport.fallback = [](const SeenRequest& seen) { return seen.body.find("gone") == std::string::npos ? ScriptedReply::json(kWhole) : ScriptedReply::json("{}", 500); };
    w.config.routing.cooldown.failures = 100000;
    std::set<std::string> used;
    for (int user = 0; user < 16; ++user) {
      const std::string more = R"(,"user":"u)" + std::to_string(user) + "\"";
      w.ask("m", more);
      const std::string home = w.served();
      used.insert(home);
      for (int i = 0; i < 5; ++i) {
        w.ask("m", more);
        CHECK(w.served() == home);
      }
      CHECK(w.plan("m", more).steps.at(0).provider == home);
      w.ask("down", more);  // as a fallback it is the same model
      CHECK(w.served() == home);
    }
    CHECK(used.size() == 3);
  }
}

TEST_CASE("affinity does not overload one target: what is beyond its share goes elsewhere") {
  Routes w;
  w.config.routing.affinity.by = {"session"};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 1}})};
  w.build();
  w.transport.fallback = [](const SeenRequest&) {
    ScriptedReply r = ScriptedReply::json(kWhole);
    r.head_after = seconds(60);
    return r;
  };
  CallOptions session;
  session.headers = {{"x-session-id", "one"}};
  std::vector<Heard> sinks(20);
  std::vector<Call> calls;
  for (Heard& sink : sinks) calls.push_back(w.router->relay(w.transport, {"openai", World::body("m")}, session, sink));
  int a = 0;
  for (const SeenRequest& seen : w.transport.seen()) a += seen.url.find("a.test") != std::string::npos;
  CHECK(a >= 10);
  CHECK(a <= 14);  // 5/4 of half of twenty
}

TEST_CASE("statistics of targets survive a reload and lead the next choice") {
  Routes w;
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 1}})};
  w.config.routing.strategy = "latency";
  w.build();
  w.transport.fallback = [](const SeenRequest& seen) {
    ScriptedReply r = ScriptedReply::json(kWhole);
    r.head_after = seen.url.find("a.test") != std::string::npos ? seconds(4) : seconds(1);
    return r;
  };
  w.ask("m");
  w.ask("m");  // the other one, never measured
  REQUIRE(w.router->reload(w.config).ok());
  for (int i = 0; i < 10; ++i) {
    w.ask("m");
    CHECK(w.served() == "b");
  }
}

TEST_CASE("property: over random snapshots a plan holds no ineligible target, no target twice, and hangs on the seed alone") {
  core::Random random(99);
  auto below = [&](int n) { return static_cast<int>(random.unit() * n); };
  for (int round = 0; round < 60; ++round) {
    Config config;
    const int count = 1 + below(6);
    for (int i = 0; i < count; ++i) {
      config.providers.push_back(provider("p" + std::to_string(i)));
      config.providers.back().type = i % 2 == 0 ? "even" : "odd";
    }
    for (int m = 0; m < 3; ++m) {
      std::vector<TargetConfig> targets;
      for (int i = 0; i < count; ++i) {
        TargetConfig t{"p" + std::to_string(i), "m" + std::to_string(m), below(4), 1 + below(3)};
        if (below(2) == 0) t.tags = {"t"};
        if (below(3) > 0 || targets.empty()) targets.push_back(t);
      }
      ModelConfig made = model("model-" + std::to_string(m), targets, {"model-" + std::to_string((m + 1) % 3)});
      if (below(2) == 0) made.modalities = std::vector<std::string>{};
      made.tags = {"all"};
      made.strategy = std::string(balancer_names()[static_cast<size_t>(below(static_cast<int>(balancer_names().size())))]);
      config.models.push_back(made);
    }
    const uint64_t seed = random.next() | 1;
    auto plan_of = [&](const Config& c) {
      ManualClock clock;
      RouterParts parts;
      parts.clock = &clock;
      parts.seed = seed;
      auto router = Router::create(c, parts).value();
      CallOptions options;
      options.route.tags = {"all"};
      options.route.provider_types = {"even"};
      auto plan = router->explain(
          "", options, R"({"model":"model-0","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.test/a"}}]}]})");
      REQUIRE(plan.ok());
      return *plan;
    };
    const Plan plan = plan_of(config);
    std::set<std::string> seen;
    for (const PlanStep& step : plan.steps) {
      const ModelConfig& m = config.models[static_cast<size_t>(step.route.back() - '0')];
      const bool can = !m.modalities && (step.provider.back() - '0') % 2 == 0;
      CHECK(step.eligible == can);
      CHECK(seen.insert(step.route + "|" + step.provider).second);
    }
    CHECK(plan_of(config).to_json() == plan.to_json());
    // In which order other models and providers stand does not matter.
    Config turned = config;
    std::reverse(turned.providers.begin(), turned.providers.end());
    std::reverse(turned.models.begin(), turned.models.end());
    CHECK(plan_of(turned).to_json() == plan.to_json());
  }
}
