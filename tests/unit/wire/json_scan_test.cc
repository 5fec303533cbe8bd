// The scan: what is JSON, what is not, and what is said of it.
#include "wire/json_scan.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"

using namespace llmrouter;
using namespace llmrouter::wire;
using namespace std::string_literals;

namespace {

// The scan sees a copy that is exactly as large as the text, so that a sanitizer sees a step outside.
ScanResult check(std::string_view text, ScanLimits limits = {}) {
  std::unique_ptr<char[]> copy(new char[text.size()]);
  return validate({copy.get(), text.copy(copy.get(), text.size())}, limits);
}

ScanResult scan(std::string_view body, std::vector<MemberSpan>& members, ScanLimits limits = {}) {
  return scan_object(body, limits, members);
}

const std::vector<std::string>& valid_texts() {
  static const std::vector<std::string> all = {
      "{}", "[]", "null", "true", "false", "0", "-0", "\"\"", " \t\r\n{ \t\r\n} \t\r\n", "[ ]", "[[]]", "[{}]", "{\"\":0}", "{\"a\":{}}",
      "1", "-1", "10", "1234567890123456789012345678901234567890", "0.0", "-0.5", "1.25", "1e5", "1E5", "1e+5", "1e-5", "0e0", "0E+00", "1.5e300",
      "-1.5E-300", "1e999999", "[1,2,3]", "[1 , 2\n,\t3]", "[null,true,false]", "{\"a\":1,\"b\":2}", "{ \"a\" : 1 , \"b\" : [ ] }",
      "{\"a\":1,\"a\":2}", "[\"a\",\"b\"]", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u00e9\\u4F60\"", "\"\\ud83d\\ude00\"",
      "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\uD83Dx\"", "\"\x7f\"", "\"/\"", "\"'\"", "\"\xc3\xa9\"", "\"\xe4\xbd\xa0\xe5\xa5\xbd\"",
      "\"\xf0\x9f\x98\x80\"", "\"\xef\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\"",
      "\"\xe2\x80\xa8\xe2\x80\xa9\"", "{\"a\":[{\"b\":[{\"c\":[[[]]]}]}]}", "[[],[[]],{},[{}]]", "\"0123456789abcdef0123456789abcdef\"",
      "{\"key with \\\"quotes\\\" and \\\\\":\"value with { [ ] } , :\"}", "[0.1,-1,2e2,\"x\",[],{},true]",
  };
  return all;
}

const std::vector<std::string>& invalid_texts() {
  static const std::vector<std::string> all = {
      "", " ", "\n", "{", "}", "[", "]", ",", ":", "\"", "\"a", "'a'", "a", "nul", "nulll", "Null", "TRUE", "tru", "truee", "fals", "NaN", "Infinity",
      "-Infinity", "undefined", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1", "[1,", "[\"a\"", "[\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
      "{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\",1}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{\"a\":}", "{\"a\"::1}", "{[]:1}",
      "[1}", "{\"a\":1]", "[[1]", "[]]", "{}}", "{}{}", "{} x", "1 2", "\"a\" \"b\"", "[]//", "/*c*/[]", "[]#", "\xef\xbb\xbf{}",
      "01", "-01", "00", "-", "+1", ".5", "-.5", "1.", "-1.", "1.e5", "1e", "1E", "1e+", "1e-", "1e1.5", "0x10", "1_000", "1,000", "--1", "1-", "1a", "0a", "٣",
      "\"\\x\"", "\"\\'\"", "\"\\a\"", "\"\\\"", "\"\\", "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\U0041\"", "\"\\u 041\"", "\"\\u-041\"",
      "\"a\nb\"", "\"a\tb\"", "\"a\rb\"", "\"a\0b\""s, "\"\x01\"", "\"\x1f\"", "{\"a\nb\":1}", "[\"a\n\"]", "\0"s, "{}\0"s, "[1\0]"s,
      "\"\x80\"", "\"\xbf\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xc3\"", "\"\xc3(\"", "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"", "\"\xe4\xbd\"", "\"\xe4\"", "\"\xe4z\xa0\"",
      "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xf0\x9f\x98\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xff\"",
      "\"\xfe\"", "{\"\xff\":1}", "\xff", "[\xc3\xa9]", "\xa0[]", "[\v]", "[\f]", "{\"a\":tru}", "{\"a\":1.}", "{\"a\":[}", "{\"a\":{]}", "[\"\\uD83D\\u\"]", "\"\\ud83d\\",
  };
  return all;
}

ScanFault fault_of(std::string_view text) { return check(text).fault; }

}  // namespace

TEST_CASE("valid JSON is accepted") {
  for (const std::string& text : valid_texts()) {
    INFO(text);
    const ScanResult r = check(text);
    CHECK(r);
    CHECK(check(" \n" + text + "\t "));
    CHECK(check("[" + text + "]"));
    CHECK(check("{\"k\":" + text + ",\"l\":" + text + "}"));
  }
}

TEST_CASE("what is not JSON is refused") {
  for (const std::string& text : invalid_texts()) {
    INFO(text);
    CHECK_FALSE(check(text));
    CHECK(check(text).offset <= text.size());
    if (text.find_first_not_of(" \n\t\r") == std::string::npos) continue;
    CHECK_FALSE(check("{\"k\":" + text + "}"));
    CHECK_FALSE(check("[0," + text + "]"));
  }
}

TEST_CASE("a text that breaks off anywhere is refused") {
  const std::string text = R"({"model":"gpt-4o","n":1,"x":[1.5e3,true,null,{"t":"\u00e9\n)" "\xe4\xbd\xa0\xf0\x9f\x98\x80" R"("}],"stream":false})";
  REQUIRE(check(text));
  for (size_t i = 0; i < text.size(); ++i) {
    INFO(i);
    const ScanResult r = check(std::string_view(text).substr(0, i));
    CHECK_FALSE(r);
  }
}

TEST_CASE("a fault in a long string is found at every place") {
  int wrong = 0;
  for (size_t length = 1; length < 70; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (const char* bad : {"\x01", "\x80", "\xe4", "\\x"}) {
        std::string text = '"' + std::string(length, 'x') + '"';
        text.replace(at + 1, std::min(strlen(bad), length - at), bad, std::min(strlen(bad), length - at));
        const ScanResult r = check(text);
        const bool half = bad[0] == '\\' && at + 1 == length;  // the backslash takes the closing quote: the text ends in the string
        wrong += r.fault == ScanFault::kNone || (!half && r.offset != at + 1);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("each fault by its name, its place and its words") {
  struct Case {
    std::string text;
    ScanFault fault;
    size_t offset;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"", ScanFault::kEmpty, 0, "line 1, column 1: nothing but blanks, a value was expected"},
      {" \n", ScanFault::kEmpty, 2, "line 2, column 1: nothing but blanks, a value was expected"},
      {"{\"a\" 1}", ScanFault::kSyntax, 5, "line 1, column 6: expected ':'"},
      {"{\n \"a\": 1\n \"b\": 2}", ScanFault::kSyntax, 11, "line 3, column 2: expected ',' or '}'"},
      {"[1 2]", ScanFault::kSyntax, 3, "line 1, column 4: expected ',' or ']'"},
      {"[1,]", ScanFault::kSyntax, 3, "line 1, column 4: expected a value"},
      {"{\"a\":1,}", ScanFault::kSyntax, 7, "line 1, column 8: expected a member name in quotes"},
      {"{a:1}", ScanFault::kSyntax, 1, "line 1, column 2: expected a member name in quotes, or '}'"},
      {"{} x", ScanFault::kSyntax, 3, "line 1, column 4: expected nothing more after the value"},
      {"[\"abc", ScanFault::kEnd, 1, "line 1, column 2: the text ends before the value does"},
      {"[1,", ScanFault::kEnd, 3, "line 1, column 4: the text ends before the value does"},
      {"{\"a\"", ScanFault::kEnd, 4, "line 1, column 5: the text ends before the value does"},
      {"\"a\nb\"", ScanFault::kControl, 2, "line 1, column 3: a control character in a string, which has to be written as an escape"},
      {"\"a\\qb\"", ScanFault::kEscape, 2, "line 1, column 3: an escape that JSON does not have"},
      {"\"a\\u12z4\"", ScanFault::kEscape, 2, "line 1, column 3: an escape that JSON does not have"},
      {"\"a\xff\"", ScanFault::kUtf8, 2, "line 1, column 3: a byte that is not UTF-8"},
      {"[01]", ScanFault::kNumber, 1, "line 1, column 2: not a number as JSON writes it"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const ScanResult r = check(c.text);
    CHECK(r.fault == c.fault);
    CHECK(r.offset == c.offset);
    CHECK(r.message(c.text) == c.message);
  }
}

TEST_CASE("depth is limited, to the level") {
  const auto nested = [](int depth, char open, char close) { return std::string(static_cast<size_t>(depth), open) + std::string(static_cast<size_t>(depth), close); };
  CHECK(check(nested(128, '[', ']')));
  CHECK(fault_of(nested(129, '[', ']')) == ScanFault::kTooDeep);
  CHECK(check(nested(1024, '[', ']'), {1024}));
  CHECK(fault_of(nested(1024, '[', ']')) == ScanFault::kTooDeep);
  CHECK(check(nested(1025, '[', ']'), {1024}).fault == ScanFault::kTooDeep);
  CHECK(check(nested(1025, '[', ']'), {100000}).fault == ScanFault::kTooDeep);  // 1024 is the most there is
  CHECK(check("[]", {1}));
  CHECK(check("[[]]", {1}).fault == ScanFault::kTooDeep);
  CHECK(check("[]", {-5}));
  CHECK(check("[[]]", {1}).message("[[]]") == "line 1, column 2: nested deeper than 1 levels");

  std::string objects;
  for (int i = 0; i < 127; ++i) objects += "{\"a\":";
  objects += "{}" + std::string(127, '}');
  CHECK(check(objects));
  CHECK(fault_of("[" + objects + "]") == ScanFault::kTooDeep);
  std::vector<MemberSpan> members;
  CHECK(scan(objects, members));
  CHECK(scan("{\"a\":" + objects + "}", members).fault == ScanFault::kTooDeep);

  // Far too deep is found early, not at the end, and takes no more memory.
  const ScanResult far = check(std::string(30'000'000, '['));
  CHECK(far.fault == ScanFault::kTooDeep);
  CHECK(far.offset == 128);
}

TEST_CASE("levels close in the kind they were opened in, at every depth") {
  for (int depth = 1; depth < 130; ++depth) {
    std::string open, close;
    for (int i = 0; i < depth; ++i) {
      const bool object = (i * 7 / 3) % 2 == 0;
      open += object ? "{\"k\":" : "[";
      close.insert(0, 1, object ? '}' : ']');
    }
    CHECK(check(open + "0" + close, {200}));
    close.back() = close.back() == '}' ? ']' : '}';
    CHECK_FALSE(check(open + "0" + close, {200}));
  }
}

TEST_CASE("the members of a body are found, with their places") {
  const std::string body = " {\"model\" : \"gpt-4o\",\n\"messages\":[{\"role\":\"user\"}], \"mod\\u0065l2\":1e3,\"\":null }\n";
  std::vector<MemberSpan> members(3);
  REQUIRE(scan(body, members));
  REQUIRE(members.size() == 4);
  const auto value = [&](size_t i) { return body.substr(members[i].value_begin, members[i].value_end - members[i].value_begin); };
  CHECK(members[0].name == "model");
  CHECK(value(0) == "\"gpt-4o\"");
  CHECK(body[members[0].key_begin] == '"');
  CHECK(members[0].key_begin == 2);
  CHECK(members[1].name == "messages");
  CHECK(value(1) == "[{\"role\":\"user\"}]");
  CHECK(members[2].name == "model2");
  CHECK(value(2) == "1e3");
  CHECK(members[3].name.empty());
  CHECK(value(3) == "null");
  CHECK(scan("{ }", members));
  CHECK(members.empty());
}

TEST_CASE("valid and invalid values as members of a body") {
  std::vector<MemberSpan> members;
  for (const std::string& text : valid_texts()) {
    INFO(text);
    const std::string body = "{\"a\":" + text + " , \"b\":1}";
    REQUIRE(scan(body, members));
    REQUIRE(members.size() == 2);
    const std::string_view value = JsonValue(text).raw();
    CHECK(std::string_view(body).substr(members[0].value_begin, value.size()) == value);
    CHECK(members[0].value_end == members[0].value_begin + value.size());
  }
  for (const std::string& text : invalid_texts()) {
    INFO(text);
    CHECK_FALSE(scan("{\"a\":" + text + "}", members));
  }
}

TEST_CASE("a body must be an object") {
  std::vector<MemberSpan> members;
  for (const char* text : {"[]", "1", "\"{}\"", "null", "x"}) {
    const ScanResult r = scan(text, members);
    CHECK(r.fault == ScanFault::kNotAnObject);
    CHECK(r.to_error(text).message == "the body must be a JSON object");
  }
  CHECK(scan("", members).fault == ScanFault::kEmpty);
  CHECK(scan("{}{}", members).fault == ScanFault::kSyntax);
}

TEST_CASE("a member that comes twice is refused by name, however it is spelled") {
  std::vector<MemberSpan> members;
  for (const char* body : {R"({"model":"a","n":1,"model":"b"})", R"({"model":"a","n":1,"mod\u0065l":"b"})", R"({"\u006dodel":"a","n":1,"model":"a"})"}) {
    const ScanResult r = scan(body, members);
    CHECK(r.fault == ScanFault::kDuplicate);
    CHECK(r.member == "model");
    const Error e = r.to_error(body);
    CHECK(e.code == ErrorCode::kInvalidRequest);
    CHECK(e.param == "model");
    CHECK(e.message.find("the member 'model' comes twice") != std::string::npos);
  }
  CHECK(scan(R"({"a":1,"a ":3,"\u00e4":4,"\u00c4":5})", members));
  for (const char* body : {R"({"model":"a","Model":"b"})", R"({"MODEL":"a","n":1,"mod\u0065l":"b"})"}) CHECK(scan(body, members).fault == ScanFault::kDuplicate);
  CHECK(scan(R"({"a":{"b":1,"b":2}})", members));
}

TEST_CASE("a body holds so many arrays and objects and no more") {
  std::vector<MemberSpan> members;
  ScanLimits limits;
  limits.max_containers = 4;
  CHECK(scan(R"({"a":[{},{}],"b":[1,2,3]})", members, limits));
  const ScanResult r = scan(R"({"a":[{},{}],"b":[[]]})", members, limits);
  CHECK(r.fault == ScanFault::kTooManyContainers);
  CHECK(r.to_error("").message.find("more than 4 arrays and objects") != std::string::npos);
}

TEST_CASE("duplicates are found among many members too, at every place") {
  for (const int count : {2, 31, 32, 33, 34, 64, 200}) {
    for (int first = 0; first < count; first += 1 + count / 9) {
      for (int second = first + 1; second < count; second += 1 + count / 9) {
        std::string body = "{";
        for (int i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + ("\"m" + std::to_string(i == second ? first : i)) + "\":0";
        body += '}';
        std::vector<MemberSpan> members;
        const ScanResult r = scan(body, members);
        REQUIRE(r.fault == ScanFault::kDuplicate);
        CHECK(r.member == "m" + std::to_string(first));
        CHECK(body.compare(r.offset, r.member.size() + 2, '"' + r.member + '"') == 0);
        CHECK(r.offset > body.find("\"m" + std::to_string(first) + '"'));
      }
    }
  }
}

TEST_CASE("the number of members is limited") {
  const auto body_of = [](int count) {
    std::string body = "{";
    for (int i = 0; i < count; ++i) body += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
    return body + "}";
  };
  std::vector<MemberSpan> members;
  CHECK(scan(body_of(1024), members));
  CHECK(members.size() == 1024);
  const ScanResult r = scan(body_of(1025), members);
  CHECK(r.fault == ScanFault::kTooManyMembers);
  CHECK(r.to_error(body_of(1025)).message.find("more than 1024 members") != std::string::npos);
  CHECK(scan(body_of(3), members, {128, 2}).fault == ScanFault::kTooManyMembers);
  CHECK(scan("{}", members, {128, 0}));
}

TEST_CASE("errors name the member they are in and cut what is too long") {
  std::vector<MemberSpan> members;
  const std::string body = "{\"model\":\"x\",\n\"messages\":[{\"role\":}]}";
  const Error e = scan(body, members).to_error(body);
  CHECK(e.param == "messages");
  CHECK(e.message == "the body is not valid JSON: line 2, column 21: expected a value");
  CHECK(members.size() == 1);

  const std::string name(5000, 'n');
  const std::string twice = "{\"" + name + "\":1,\"" + name + "\":1}";
  CHECK(scan(twice, members).member == std::string(100, 'n') + "...");
  std::string wide;
  for (int i = 0; i < 200; ++i) wide += "\xe4\xbd\xa0";
  const ScanResult r = scan("{\"" + wide + "\":}", members);
  CHECK(r.member.size() == 102);  // 33 whole characters
}

TEST_CASE("large bodies with little of everything") {
  std::string body = "{\"messages\":[";
  for (int i = 0; i < 3000; ++i) {
    if (i != 0) body += ',';
    body += "{\"role\":\"user\",\"content\":\"line one\\nline two \\\"quoted\\\" \xe4\xbd\xa0\xe5\xa5\xbd " + std::string(static_cast<size_t>(i % 100), 'x') + "\"}";
  }
  body += "],\"stream\":true}";
  std::vector<MemberSpan> members;
  REQUIRE(scan(body, members));
  REQUIRE(members.size() == 2);
  CHECK(body.substr(members[1].value_begin, 4) == "true");
}
