// Requests that go on from what a provider keeps, where it is kept for one key or at one target: whoever has it is found.
#include <algorithm>

#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

const std::string kNotFound =
    R"({"error":{"message":"Previous response with id 'resp_1' not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}})";

std::string key_of(const SeenRequest& r) { return std::string(r.header("authorization")); }

size_t times(const World& w, const std::string& key) {
  const auto& seen = w.transport.seen();
  return static_cast<size_t>(std::count_if(seen.begin(), seen.end(), [&](const SeenRequest& r) { return key_of(r) == "Bearer " + key; }));
}

std::vector<std::string> keys(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back("k-" + std::to_string(i));
  return out;
}

}  // namespace

TEST_CASE("what one key of a pool keeps is found, whoever has the turn, and costs neither a try nor the retry budget") {
  World w;
  w.config.providers = {provider("a", keys(5))};
  w.config.routing.attempts = 1;
  w.config.routing.retry_budget = 0;
  const std::string code = GENERATE("previous_response_not_found", "thread_not_found", "conversation_not_found");
  const int status = GENERATE(400, 404);
  std::string body = kNotFound;
  body.replace(body.find("previous_response_not_found"), 27, code);
  w.transport.fallback = [&](const SeenRequest& r) { return key_of(r) == "Bearer k-3" ? ScriptedReply::json(kWhole) : ScriptedReply::json(body, status); };
  for (int i = 0; i < 10; ++i) {
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 200);
  }
  CHECK(times(w, "k-3") == 10);
  const auto states = w.router->providers();
  for (const auto& key : states.at(0).credentials) CHECK_FALSE(key.resting);
}

TEST_CASE("no key is asked twice, and the provider's own words reach the caller when none of them knows") {
  World w;
  w.config.providers = {provider("a", keys(2)), provider("b", {"k-9"})};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"a", "y", 1, 2}, {"b", "z", 1, 3}})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kNotFound, 400); };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.bytes == kNotFound);
  CHECK(times(w, "k-0") == 1);
  CHECK(times(w, "k-1") == 1);
  CHECK(times(w, "k-9") == 1);
  for (int i = 0; i < 50; ++i) {  // nobody rests for it
    w.relay(World::body("m"));
    w.run();
  }
  CHECK(times(w, "k-9") == 51);
}

TEST_CASE("a name that somebody made up is not asked for at every key of a large pool") {
  World w;
  w.config.providers = {provider("a", keys(40))};
  w.config.routing.attempts = 3;
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kNotFound, 400); };
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.transport.seen().size() == 11);
}

TEST_CASE("while one that may know cannot say, the caller hears of that and may come again") {
  World w;
  w.config.providers = {provider("a", keys(2))};
  w.config.routing.attempts = 2;
  w.transport.fallback = [](const SeenRequest& r) {
    return key_of(r) == "Bearer k-0" ? ScriptedReply::json(R"({"error":{"message":"slow down"}})", 429) : ScriptedReply::json(kNotFound, 400);
  };
  while (times(w, "k-0") == 0) {
    w.relay(World::body("a/m"));
    w.run();
  }
  CHECK(w.heard.head.status == 429);
}
