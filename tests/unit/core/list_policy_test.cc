// What of a provider's list is shown and resolved by name: `providers.*.models`.
#include <algorithm>

#include "core/snapshot.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using Names = std::vector<std::string>;

TEST_CASE("a list's policy: what is appended stands beside the list, whoever wrote that, and each name once") {
  ModelListPolicy policy;
  policy.append = {"mine", "gpt-4o"};
  CHECK(core::apply_list_policy(policy, {"gpt-4o", "o3"}) == Names{"gpt-4o", "o3", "mine"});
  policy.filter = "gpt 4*";
  CHECK(core::apply_list_policy(policy, {"gpt-4o", "o3"}) == Names{"gpt-4o", "mine"});
  policy.override_ = {"o1", "gpt-4o"};
  CHECK(core::apply_list_policy(policy, {"o3"}) == Names{"o1", "gpt-4o", "mine"});
}

TEST_CASE("a name appended to a list of the configuration's own is listed, and found without its provider") {
  World w;
  w.config.providers = {provider("a")};
  w.config.providers[0].models.override_ = {"x"};
  w.config.providers[0].models.append = {"y"};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.relay(World::body("y"));
  w.run();
  CHECK(w.heard.head.status == 200);
  const auto models = w.router->models(nullptr);
  CHECK(std::any_of(models.begin(), models.end(), [](const ModelEntry& m) { return m.id == "a/y"; }));
}
