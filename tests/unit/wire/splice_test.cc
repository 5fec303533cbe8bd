#include "wire/splice.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "splice_support.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

using namespace llmrouter;
using namespace llmrouter::wire;
using namespace splice_test;

namespace {

using Kind = BodyEdit::Kind;
constexpr Kind kSet = Kind::kSet, kDefault = Kind::kDefault, kRemove = Kind::kRemove;

struct Spliced {
  std::string text;
  size_t original = 0;  // bytes of it that are views of the body
  size_t pieces = 0;
};

Spliced spliced(const std::string& body, const std::vector<SpliceEdit>& edits) {
  std::vector<MemberSpan> members;
  REQUIRE(scan_object(body, {}, members));
  std::list<std::string> owned;
  std::vector<std::string_view> pieces;
  splice(body, members, edits, owned, pieces);
  CHECK(owned.size() <= 1);
  Spliced r;
  r.pieces = pieces.size();
  for (const std::string_view p : pieces) {
    CHECK_FALSE(p.empty());
    r.text += p;
    if (p.data() >= body.data() && p.data() < body.data() + body.size()) r.original += p.size();
  }
  return r;
}

}  // namespace

TEST_CASE("single edits") {
  struct Case {
    std::string body;
    std::vector<SpliceEdit> edits;
    std::string result;
  };
  const std::vector<Case> cases = {
      // Nothing to do.
      {R"({"a":1})", {}, R"({"a":1})"},
      {R"({"a":1})", {{kRemove, "b", "", ""}}, R"({"a":1})"},
      {R"({"a":1})", {{kDefault, "a", "", "2"}}, R"({"a":1})"},
      {R"({})", {{kRemove, "b", "", ""}}, R"({})"},
      // Set: first, middle, last, only; new; into nothing.
      {R"({"a":1,"b":2,"c":3})", {{kSet, "a", "", "\"x\""}}, R"({"a":"x","b":2,"c":3})"},
      {R"({"a":1,"b":2,"c":3})", {{kSet, "b", "", "[]"}}, R"({"a":1,"b":[],"c":3})"},
      {R"({"a":1,"b":2,"c":3})", {{kSet, "c", "", "{}"}}, R"({"a":1,"b":2,"c":{}})"},
      {R"({"a":1})", {{kSet, "a", "", "2"}}, R"({"a":2})"},
      {R"({"a":1})", {{kSet, "b", "", "2"}}, R"({"a":1,"b":2})"},
      {R"({})", {{kSet, "b", "", "2"}}, R"({"b":2})"},
      {" \n{ \t}\n", {{kSet, "b", "", "2"}}, " \n{\"b\":2 \t}\n"},
      {R"({"a":null})", {{kSet, "a", "", "1"}}, R"({"a":1})"},
      // Default: absent and null are set, all else stays.
      {R"({"a":null,"b":2})", {{kDefault, "a", "", "1"}}, R"({"a":1,"b":2})"},
      {R"({"b":2})", {{kDefault, "a", "", "1"}}, R"({"b":2,"a":1})"},
      {R"({"a":false})", {{kDefault, "a", "", "1"}}, R"({"a":false})"},
      {R"({"a":""})", {{kDefault, "a", "", "1"}}, R"({"a":""})"},
      {R"({"a":"null"})", {{kDefault, "a", "", "1"}}, R"({"a":"null"})"},
      // Remove: first, middle, last, only.
      {R"({"a":1,"b":2,"c":3})", {{kRemove, "a", "", ""}}, R"({"b":2,"c":3})"},
      {R"({"a":1,"b":2,"c":3})", {{kRemove, "b", "", ""}}, R"({"a":1,"c":3})"},
      {R"({"a":1,"b":2,"c":3})", {{kRemove, "c", "", ""}}, R"({"a":1,"b":2})"},
      {R"({"a":1})", {{kRemove, "a", "", ""}}, R"({})"},
      {R"({"a":null})", {{kRemove, "a", "", ""}}, R"({})"},
      // Blanks that belong to no changed member stay.
      {"{ \"a\" : 1 , \"b\" : 2 }\n", {{kSet, "a", "", "9"}}, "{ \"a\" : 9 , \"b\" : 2 }\n"},
      {"{ \"a\" : 1 , \"b\" : 2 }\n", {{kRemove, "a", "", ""}}, "{ \"b\" : 2 }\n"},
      {"{ \"a\" : 1 , \"b\" : 2 }\n", {{kRemove, "b", "", ""}}, "{ \"a\" : 1 }\n"},
      {"{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}", {{kRemove, "b", "", ""}}, "{\n  \"a\": 1,\n  \"c\": 3\n}"},
      {"{\n  \"a\": 1\n}", {{kSet, "b", "", "2"}}, "{\n  \"a\": 1,\"b\":2\n}"},
      // Names are compared and written as what they mean.
      {R"({"mod\u0065l":"x"})", {{kSet, "model", "", "\"y\""}}, R"({"mod\u0065l":"y"})"},
      {R"({"a":1})", {{kSet, "q\"\n", "", "2"}}, R"({"a":1,"q\"\n":2})"},
      // Values with everything that could mislead.
      {R"({"a":"},{\"b\":1","b":[{"a":1}],"c":"\\"})", {{kSet, "b", "", "0"}}, R"({"a":"},{\"b\":1","b":0,"c":"\\"})"},
  };
  for (const Case& c : cases) {
    INFO(c.body);
    CHECK(spliced(c.body, c.edits).text == c.result);
  }
}

TEST_CASE("several edits") {
  const std::string abc = R"({"a":1,"b":2,"c":3})";
  CHECK(spliced(abc, {{kRemove, "a", "", ""}, {kRemove, "b", "", ""}}).text == R"({"c":3})");
  CHECK(spliced(abc, {{kRemove, "b", "", ""}, {kRemove, "c", "", ""}}).text == R"({"a":1})");
  CHECK(spliced(abc, {{kRemove, "a", "", ""}, {kRemove, "c", "", ""}}).text == R"({"b":2})");
  CHECK(spliced(abc, {{kRemove, "c", "", ""}, {kRemove, "a", "", ""}, {kRemove, "b", "", ""}}).text == R"({})");
  CHECK(spliced(abc, {{kRemove, "c", "", ""}, {kRemove, "a", "", ""}, {kRemove, "b", "", ""}, {kSet, "d", "", "4"}}).text == R"({"d":4})");
  CHECK(spliced(abc, {{kRemove, "c", "", ""}, {kSet, "d", "", "4"}, {kSet, "a", "", "0"}, {kSet, "e", "", "5"}}).text == R"({"a":0,"b":2,"d":4,"e":5})");
  CHECK(spliced("{}", {{kSet, "d", "", "4"}, {kSet, "e", "", "5"}}).text == R"({"d":4,"e":5})");
}

TEST_CASE("a later edit sees what an earlier one left") {
  const std::string body = R"({"a":1,"n":null})";
  CHECK(spliced(body, {{kSet, "a", "", "2"}, {kSet, "a", "", "3"}}).text == R"({"a":3,"n":null})");
  CHECK(spliced(body, {{kSet, "a", "", "2"}, {kDefault, "a", "", "3"}}).text == R"({"a":2,"n":null})");
  CHECK(spliced(body, {{kSet, "a", "", "null"}, {kDefault, "a", "", "3"}}).text == R"({"a":3,"n":null})");
  CHECK(spliced(body, {{kRemove, "a", "", ""}, {kDefault, "a", "", "3"}}).text == R"({"a":3,"n":null})");
  CHECK(spliced(body, {{kSet, "b", "", "2"}, {kRemove, "b", "", ""}}).text == R"({"a":1,"n":null})");
  CHECK(spliced(body, {{kDefault, "n", "", "2"}, {kDefault, "n", "", "3"}}).text == R"({"a":1,"n":2})");
  CHECK(spliced(body, {{kSet, "a", "", "{\"x\":1}"}, {kSet, "a", "y", "2"}, {kSet, "a", "x", "0"}}).text == R"({"a":{"x":0,"y":2},"n":null})");
  CHECK(spliced(body, {{kSet, "a", "y", "2"}, {kSet, "a", "", "5"}}).text == R"({"a":5,"n":null})");
}

TEST_CASE("a member of a member is set without losing its siblings") {
  const std::string body = "{\"stream\":true,\"stream_options\":{ \"x\" : [1] , \"include_usage\":false },\"n\":1}";
  CHECK(spliced(body, {{kSet, "stream_options", "include_usage", "true"}}).text ==
        "{\"stream\":true,\"stream_options\":{ \"x\" : [1] , \"include_usage\":true },\"n\":1}");
  CHECK(spliced(body, {{kSet, "stream_options", "y", "2"}}).text ==
        "{\"stream\":true,\"stream_options\":{ \"x\" : [1] , \"include_usage\":false,\"y\":2 },\"n\":1}");
  CHECK(spliced(body, {{kRemove, "stream_options", "include_usage", ""}}).text == "{\"stream\":true,\"stream_options\":{ \"x\" : [1] },\"n\":1}");
  CHECK(spliced(body, {{kRemove, "stream_options", "x", ""}, {kRemove, "stream_options", "include_usage", ""}}).text ==
        "{\"stream\":true,\"stream_options\":{  },\"n\":1}");
  CHECK(spliced(body, {{kDefault, "stream_options", "include_usage", "true"}}).text == body);
  CHECK(spliced(body, {{kDefault, "stream_options", "z", "0"}}).text ==
        "{\"stream\":true,\"stream_options\":{ \"x\" : [1] , \"include_usage\":false,\"z\":0 },\"n\":1}");

  const SpliceEdit set{kSet, "o", "k", "true"}, otherwise{kDefault, "o", "k", "true"}, remove{kRemove, "o", "k", ""};
  CHECK(spliced("{}", {set}).text == R"({"o":{"k":true}})");
  CHECK(spliced("{}", {otherwise}).text == R"({"o":{"k":true}})");
  CHECK(spliced("{}", {remove}).text == "{}");
  CHECK(spliced(R"({"o":null})", {set}).text == R"({"o":{"k":true}})");
  CHECK(spliced(R"({"o":null})", {otherwise}).text == R"({"o":{"k":true}})");
  CHECK(spliced(R"({"o":null})", {remove}).text == R"({"o":null})");
  CHECK(spliced(R"({"o":5})", {set}).text == R"({"o":{"k":true}})");
  CHECK(spliced(R"({"o":5})", {otherwise}).text == R"({"o":5})");
  CHECK(spliced(R"({"o":{}})", {set}).text == R"({"o":{"k":true}})");
  CHECK(spliced(R"({"o":{"k":null}})", {otherwise}).text == R"({"o":{"k":true}})");
  CHECK(spliced(R"({"o":{"k":1}})", {remove}).text == R"({"o":{}})");
  CHECK(spliced(R"({"o":{"k":1,"j":2,"k":3}})", {set}).text == R"({"o":{"k":true,"j":2}})");  // none of that name is left with another value
  CHECK(spliced(R"({"o":{"k":1,"j":2,"k":3}})", {remove}).text == R"({"o":{"j":2}})");
}

TEST_CASE("the body is not copied") {
  const std::string messages = "[\"" + std::string(100000, 'm') + "\"]";
  const std::string body = "{\"model\":\"gpt\",\"messages\":" + messages + ",\"x\":1}";
  const Spliced r = spliced(body, {{kSet, "model", "", "\"other\""}, {kRemove, "x", "", ""}, {kSet, "stream", "", "true"}});
  CHECK(r.text == "{\"model\":\"other\",\"messages\":" + messages + ",\"stream\":true}");
  CHECK(r.original > messages.size() + 20);
  CHECK(r.pieces == 5);
  CHECK(spliced(body, {}).pieces == 1);
  CHECK(spliced(body, {}).original == body.size());
}

TEST_CASE("body edits become splice edits") {
  const BodyEdit edit{kDefault, "temperature", "0.2"};
  const SpliceEdit s = to_splice(edit);
  CHECK(s.kind == kDefault);
  CHECK(s.name == "temperature");
  CHECK(s.child.empty());
  CHECK(s.json == "0.2");
}

TEST_CASE("random edits of random bodies do what the plain model does") {
  std::mt19937 random(17);
  const std::vector<std::string> names = {"a", "b", "c", "d\"", "\xc3\xa9", "model"};
  const std::vector<std::string> values = {"1", "null", "\"x,}\\\"\"", "[1,{\"a\":2}]", "{}", "{\"a\":1}", "{\"b\":null,\"c\":[],\"a\":{\"a\":1}}", "true"};
  const std::vector<std::string> blanks = {"", "", "", " ", "\n  ", "\t"};
  const auto any = [&](const std::vector<std::string>& of) -> const std::string& { return of[random() % of.size()]; };
  int wrong = 0, changed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string body = any(blanks) + "{" + any(blanks);
    std::vector<std::string> left = names;
    std::shuffle(left.begin(), left.end(), random);
    const size_t count = random() % (left.size() + 1);
    for (size_t i = 0; i < count; ++i) {
      if (i != 0) body += "," + any(blanks);
      append_json_string(body, left[i]);
      body += any(blanks) + ":" + any(blanks) + any(values) + any(blanks);
    }
    body += "}" + any(blanks);
    std::vector<SpliceEdit> edits;
    Model expected = model_of(body);
    for (size_t n = random() % 6; n > 0; --n) {
      edits.push_back({static_cast<Kind>(random() % 3), any(names), random() % 3 == 0 ? any(names) : std::string_view(), any(values)});
      edit_model(expected, edits.back());
    }
    std::vector<MemberSpan> members;
    REQUIRE(scan_object(body, {}, members));
    std::list<std::string> owned;
    std::vector<std::string_view> pieces;
    splice(body, members, edits, owned, pieces);
    std::string result;
    for (const std::string_view p : pieces) result += p;
    const bool right = scan_object(result, {}, members) && same_members(result, text_of(expected));
    if (!right && ++wrong < 4) FAIL_CHECK(body << " became " << result << ", not " << text_of(expected));
    changed += result != body;
  }
  CHECK(wrong == 0);
  CHECK(changed > 5000);
}
