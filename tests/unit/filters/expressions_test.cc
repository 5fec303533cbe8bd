// Regular expressions that are looked for together: the words that are looked for first must never hide what an expression by itself would find.
#include <re2/re2.h>

#include <random>

#include "catch.h"
#include "filters/word_finder.h"
#include "llmrouter/rules.h"

using namespace llmrouter;
using filters::WordFinder;

namespace {

std::vector<bool> narrowed(const Expressions& expressions, const std::vector<std::string>& texts) {
  std::vector<bool> possible;
  expressions.narrow(std::vector<std::string_view>(texts.begin(), texts.end()), possible);
  return possible;
}

bool possible(const std::string& pattern, const std::string& text) { return narrowed(*make_expressions({pattern}).value(), {text}).at(0); }

std::string found_words(const std::vector<std::string>& words, std::string_view text) {
  const WordFinder finder(words);
  WordFinder::Search search(finder);
  search.read(text);
  std::string found;
  for (size_t i = 0; i < words.size(); ++i) {
    if (search.found(i)) found += words[i] + ' ';
  }
  return found;
}

}  // namespace

TEST_CASE("words are found in either case, inside of one another and over one another") {
  CHECK(found_words({"he", "she", "his", "hers"}, "uSHERs") == "he she hers ");
  CHECK(found_words({"a", "aa", "aaa"}, "aa") == "a aa ");
  CHECK(found_words({"abc", "abc", "bc"}, "xABCx") == "abc abc bc ");
  CHECK(found_words({"stack", "sas"}, "\xc5\xbftac\xe2\x84\xaa \xc5\xbf"  "a\xc5\xbf") == "stack sas ");
  CHECK(found_words({"stack"}, "\xc5tac\xe2\x84") == "");
  CHECK(found_words({"\xe6\xbc\xa2\xe5\xad\x97"}, "\xe6\xbc\xa2\xe5\xad\x97!") == "\xe6\xbc\xa2\xe5\xad\x97 ");
  CHECK(found_words({}, "text") == "");
  CHECK(found_words({"ab", "bc"}, "") == "");
}

TEST_CASE("words of different texts do not run together") {
  const WordFinder finder({"stack trace"});
  WordFinder::Search search(finder);
  search.read("stack ");
  search.read("trace");
  CHECK_FALSE(search.found(0));
}

TEST_CASE("words beyond the table's room count as found") {
  std::vector<std::string> words;
  std::mt19937 random(1);
  for (int i = 0; i < 4000; ++i) {
    words.emplace_back();
    for (int k = 0; k < 60; ++k) words.back() += static_cast<char>('!' + random() % 30);
  }
  const WordFinder finder(words);
  WordFinder::Search nothing(finder);
  CHECK_FALSE(nothing.found(0));
  CHECK(nothing.found(words.size() - 1));
  WordFinder::Search first(finder);
  first.read(words[0]);
  CHECK(first.found(0));
}

TEST_CASE("expressions whose words are not there are not looked for, all others are") {
  CHECK_FALSE(possible("(?i)\\b(stack trace|refactor)\\b", "please migrate it"));
  CHECK(possible("(?i)\\b(stack trace|refactor)\\b", "a Stack TRACE"));
  CHECK(possible("(?i)stack", "\xc5\xbftac\xe2\x84\xaa"));
  CHECK(possible("\\d{16}", "no words at all"));
  CHECK(possible("ab", "shorter words are not looked for"));
  CHECK(possible("(?i)\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd0\x9f\xd0\xa0\xd0\x98\xd0\x92\xd0\x95\xd0\xa2"));  // Cyrillic has cases
  CHECK_FALSE(possible("\xe6\xbc\xa2\xe5\xad\x97", "kanji"));
  CHECK(possible("\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x97"));
  const auto set = make_expressions({"alpha", "b+", "gamma.*delta"}).value();
  CHECK(narrowed(*set, {}) == std::vector<bool>{false, true, false});
  CHECK(narrowed(*set, {"the gamma", "of delta"}) == std::vector<bool>{false, true, true});
  CHECK_FALSE(set->found_in(2, "the gamma"));
  CHECK(set->found_in(2, "gamma to delta"));
  CHECK(narrowed(*make_expressions({}).value(), {"text"}).empty());
}

TEST_CASE("expressions that cannot be used are refused, the first of them by its fault") {
  CHECK(check_expression("a|b").ok());
  for (const std::string& bad : {std::string(), std::string("(a"), std::string("(?=a)"), std::string(RuleLimits::kPattern + 1, 'a'), std::string("(a{1,900}){9}")}) {
    INFO(bad);
    const auto refused = make_expressions({"good", bad});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
  }
}

// What is found with the words first is what is found without them, for expressions and texts of the same few pieces, so that many nearly match.
TEST_CASE("expressions: the words first change no answer") {
  std::mt19937 random(20261122);
  auto pick = [&random](const std::vector<std::string>& from) { return from[random() % from.size()]; };
  const std::vector<std::string> letters = {"k", "K", "s", "S", "ta", "Ck", "tra", "ce", " ", "\xe2\x84\xaa", "\xc5\xbf", "\xd0\xb6", "\xd0\x96", "\xe6\xbc\xa2", "1"};
  const std::vector<std::string> joints = {"", "", "", ".", "\\b", "\\s", ".*", "[ks]", "(?:sta|tac)", "k?", "(?:trace|stack|k)", "^", "$", "\\d", "\\pL", "[^k]", "s+", "(?:kk){2}"};
  size_t found = 0, hidden = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> patterns;
    while (patterns.size() < 8) {
      std::string pattern = random() % 2 == 0 ? "(?i)" : "";
      for (size_t n = 1 + random() % 4; n > 0; --n) {
        for (size_t k = random() % 4; k > 0; --k) pattern += pick(letters);
        pattern += pick(joints);
      }
      if (check_expression(pattern).ok()) patterns.push_back(pattern);
    }
    const auto set = make_expressions(patterns).value();
    for (int n = 0; n < 30; ++n) {
      std::string text;
      for (size_t k = random() % 12; k > 0; --k) text += pick(letters);
      if (random() % 8 == 0) text += "\xe2\x84";  // no UTF-8
      const auto maybe = narrowed(*set, {text});
      for (size_t i = 0; i < patterns.size(); ++i) {
        RE2::Options options;
        options.set_log_errors(false);
        const bool truly = RE2::PartialMatch(text, RE2(patterns[i], options));
        found += truly;
        hidden += !maybe[i];
        if (truly && !maybe[i]) {
          INFO(patterns[i] << " in " << text);
          CHECK(maybe[i]);
        }
      }
    }
  }
  CHECK(found > 1000);
  CHECK(hidden > 1000);  // else nothing was tried
}
