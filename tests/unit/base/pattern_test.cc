#include "llmrouter/pattern.h"

#include "catch.h"

using namespace llmrouter;

TEST_CASE("a pattern matches the whole string in either case") {
  CHECK(pattern_match("gpt-4o*", "GPT-4o-mini"));
  CHECK(pattern_match("*", ""));
  CHECK(pattern_match("a*b*c", "aXXbYYbc"));
  CHECK_FALSE(pattern_match("gpt-4o", "gpt-4o-mini"));
  CHECK_FALSE(pattern_match("a*b*c", "aXXbYYb"));
  CHECK_FALSE(pattern_match("", "x"));
}

TEST_CASE("many stars do not take exponential time") {
  std::string pattern, text(2000, 'a');
  for (int i = 0; i < 50; ++i) pattern += "a*";
  CHECK_FALSE(pattern_match(pattern + "b", text));
}

TEST_CASE("a list is any of, an exclusion wins wherever it stands") {
  CHECK(pattern_list_match({}, "x"));
  CHECK(pattern_list_match({"a*", "b*"}, "bcd"));
  CHECK_FALSE(pattern_list_match({"a*", "b*"}, "cd"));
  CHECK_FALSE(pattern_list_match({"!gpt-4*", "gpt-*"}, "gpt-4o"));
  CHECK_FALSE(pattern_list_match({"gpt-*", "!gpt-4*"}, "gpt-4o"));
  CHECK(pattern_list_match({"!gpt-4*"}, "claude"));
}

TEST_CASE("the star carries over") {
  CHECK(pattern_capture("gpt-*", "gpt-4o") == "4o");
  CHECK(pattern_capture("*-mini", "gpt-4o-mini") == "gpt-4o");
  CHECK(pattern_capture("gpt-*", "claude") == "");
  CHECK(pattern_capture("lab/*", "lab/a/b") == "a/b");
}

TEST_CASE("nearest names") {
  std::vector<std::string> names{"gpt-4o", "gpt-4o-mini", "claude-sonnet", "timeouts"};
  CHECK(nearest_names("gpt4o", names).at(0) == "gpt-4o");
  CHECK(nearest_names("timeout", names).at(0) == "timeouts");
  CHECK(nearest_names("zzzzzzzz", names).empty());
  CHECK(nearest_names(std::string(100000, 'x'), names).empty());
}
