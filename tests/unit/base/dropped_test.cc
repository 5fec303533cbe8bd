#include "llmrouter/dropped.h"

#include "catch.h"

using namespace llmrouter;

namespace {

std::vector<std::string> added(const std::vector<std::string>& names) {
  std::vector<std::string> dropped;
  for (const std::string& name : names) add_dropped(dropped, name);
  return dropped;
}

std::vector<std::string> many(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back("x" + std::to_string(i));
  return names;
}

}  // namespace

TEST_CASE("dropped: each name once, in the order they came") {
  CHECK(added({"seed", "content.x", "seed", "tools.strict", "content.x"}) == std::vector<std::string>{"seed", "content.x", "tools.strict"});
}

TEST_CASE("dropped: a full list is whole, and one with more ends in dots") {
  CHECK(added(many(kMaxDropped)) == many(kMaxDropped));
  auto expected = many(kMaxDropped);
  expected.back() = "...";
  CHECK(added(many(kMaxDropped + 1)) == expected);
  CHECK(added(many(100000)) == expected);
  // Of one list into another.
  std::vector<std::string> joined{"seed"};
  for (const std::string& name : expected) add_dropped(joined, name);
  REQUIRE(joined.size() == kMaxDropped);
  CHECK(joined[1] == "x0");
  CHECK(joined[kMaxDropped - 2] == "x61");
  CHECK(joined.back() == "...");
}

TEST_CASE("dropped: no name is longer or says more than a header takes") {
  CHECK(added({std::string(kMaxDroppedName, 'a')}) == std::vector<std::string>{std::string(kMaxDroppedName, 'a')});
  CHECK(added({std::string(100000, 'a'), std::string(kMaxDroppedName, 'a')}) == std::vector<std::string>{std::string(kMaxDroppedName, 'a')});
  CHECK(added({"q, tools.web_search"}) == std::vector<std::string>{"q??tools.web_search"});
  CHECK(added({"q\r\nx: y", std::string("\0\t\x1b\x7f", 4), "\xc3\xa9~!", ""}) == std::vector<std::string>{"q??x:?y", "????", "??~!", "?"});
}
