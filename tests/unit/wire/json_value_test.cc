// The cursor: values, members, elements, paths.
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

using namespace llmrouter::wire;

namespace {

std::string text_of(std::string_view json) {
  std::string out = "left over";
  return JsonValue(json).string(out) ? out : "<none>" + out;
}

// All that the cursor can be asked, over whatever bytes; returns how many values it saw.
int walk(JsonValue v, int depth) {
  std::string out = "kept";
  int seen = 1;
  v.kind();
  v.boolean();
  v.integer();
  v.number();
  v.empty_container();
  v.equals("a");
  v.string_view(out);
  v.string(out);
  if (depth == 0) return seen;
  for (const JsonMember& m : JsonMembers(v)) seen += walk(m.value, depth - 1);
  for (const JsonValue& e : JsonElements(v)) seen += walk(e, depth - 1);
  return seen;
}

}  // namespace

TEST_CASE("kinds") {
  const std::vector<std::pair<std::string, JsonKind>> cases = {
      {"", JsonKind::kNone},       {"  ", JsonKind::kNone},      {"null", JsonKind::kNull},   {" true ", JsonKind::kBool}, {"false", JsonKind::kBool},
      {"nul", JsonKind::kNone},    {"nullx", JsonKind::kNone},   {"0", JsonKind::kNumber},    {"-1.5", JsonKind::kNumber}, {"\"a\"", JsonKind::kString},
      {"\"", JsonKind::kNone},     {"\"a", JsonKind::kNone},     {"{}", JsonKind::kObject},   {"\n[1] ", JsonKind::kArray}, {"{", JsonKind::kNone},
      {"[1}", JsonKind::kNone},    {"+1", JsonKind::kNone},      {"\xff", JsonKind::kNone},   {"tru", JsonKind::kNone},    {"fals", JsonKind::kNone},
  };
  for (const auto& [text, kind] : cases) {
    INFO(text);
    CHECK(JsonValue(text).kind() == kind);
  }
  CHECK_FALSE(JsonValue().exists());
  CHECK(JsonValue().is_unset());
  CHECK(JsonValue("null").is_unset());
  CHECK(JsonValue("null").exists());
  CHECK_FALSE(JsonValue("0").is_unset());
}

TEST_CASE("integers are exact") {
  const std::vector<std::pair<std::string, std::optional<int64_t>>> cases = {
      {"0", 0}, {"-0", 0}, {"7", 7}, {"-7", -7}, {" 42 ", 42},
      {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN},
      {"9223372036854775808", {}}, {"-9223372036854775809", {}}, {"18446744073709551616", {}}, {"99999999999999999999999", {}},
      {"1e3", 1000}, {"1E+3", 1000}, {"5.0", 5}, {"5.000000000000000000000000000", 5}, {"1.5e1", 15}, {"1.5e3", 1500}, {"1500e-2", 15}, {"-2.50e1", -25},
      {"0e999999999999999999999", 0}, {"0.000e-5", 0}, {"1e18", 1000000000000000000}, {"9.223372036854775807e18", INT64_MAX}, {"9.223372036854775808e18", {}},
      {"9007199254740993", 9007199254740993}, {"9007199254740993.0", 9007199254740993}, {"0.000001e6", 1}, {"100000000000000000000000000e-26", 1},
      {"0.5", {}}, {"1e-1", {}}, {"1.5", {}}, {"1e19", {}}, {"1e30", {}}, {"1e999999999999999999999", {}}, {"1e-999999999999999999999", {}},
      {"", {}}, {"-", {}}, {"01", {}}, {"1.", {}}, {".5", {}}, {"1e", {}}, {"+1", {}}, {"1x", {}}, {"1 2", {}}, {"0x1", {}}, {"1..0", {}}, {"1.0.0", {}}, {"00", {}}, {"-01", {}}, {"1e+", {}}, {"1e5x", {}},
      {"\"5\"", {}}, {"true", {}}, {"null", {}}, {"[1]", {}},
  };
  for (const auto& [text, value] : cases) {
    INFO(text);
    CHECK(JsonValue(text).integer() == value);
  }
}

TEST_CASE("doubles are rounded right, and none where there is none") {
  CHECK(JsonValue("0.1").number() == 0.1);
  CHECK(JsonValue("-2.5e3").number() == -2500);
  CHECK(JsonValue("9007199254740993").number() == 9007199254740992.0);
  CHECK(JsonValue("2.2250738585072014e-308").number() == std::numeric_limits<double>::min());
  CHECK(JsonValue("5e-324").number() == std::numeric_limits<double>::denorm_min());
  CHECK(JsonValue("1e-999").number() == 0.0);
  CHECK(std::signbit(*JsonValue("-1e-999").number()));
  CHECK(JsonValue("0." + std::string(400, '0') + "1").number() == 0.0);
  CHECK(JsonValue("0e999").number() == 0.0);
  CHECK(JsonValue("1e308").number() == 1e308);
  CHECK_FALSE(JsonValue("1e999").number());
  CHECK_FALSE(JsonValue("-1e999").number());
  CHECK_FALSE(JsonValue("1" + std::string(400, '0')).number());
  for (const char* text : {"", "01", "1.", "inf", "nan", "-", "0x1p3", "\"1\"", "1e", "1 ,"}) CHECK_FALSE(JsonValue(text).number());
}

TEST_CASE("booleans") {
  CHECK(JsonValue("true").boolean() == true);
  CHECK(JsonValue("false").boolean() == false);
  for (const char* text : {"", "1", "\"true\"", "True", "truetrue", "null"}) CHECK_FALSE(JsonValue(text).boolean());
}

TEST_CASE("strings are unescaped") {
  CHECK(text_of("\"\"").empty());
  CHECK(text_of("\"plain\"") == "plain");
  CHECK(text_of(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(text_of(R"("a\u0041\u00e9\u4f60b")") == "aA\xc3\xa9\xe4\xbd\xa0" "b");
  CHECK(text_of(R"("\ud83d\ude00!")") == "\xf0\x9f\x98\x80!");
  CHECK(text_of(R"("\uD83D\uDE00")") == "\xf0\x9f\x98\x80");
  CHECK(text_of(R"("\ud83d")") == "\xef\xbf\xbd");
  CHECK(text_of(R"("\ud83dx")") == "\xef\xbf\xbdx");
  CHECK(text_of(R"("\ud83d\ud83d\ude00")") == "\xef\xbf\xbd\xf0\x9f\x98\x80");
  CHECK(text_of(R"("\ude00\ud83d")") == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(text_of(R"("\ud83d\n")") == "\xef\xbf\xbd\n");
  CHECK(text_of(R"("\udbff\udfff")") == "\xf4\x8f\xbf\xbf");
  CHECK(text_of(R"("\u0000")") == std::string(1, '\0'));
  CHECK(text_of(R"("\u07ff\u0800\uffff")") == "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
  for (const char* text : {"", "\"", "\"a", "a\"", "1", "null", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"a\"b\"", "\"\\u00g0\"", "[\"a\"]", "\"\\ud83d\\u12\""}) {
    INFO(text);
    CHECK(text_of(text) == "<none>");
  }
}

TEST_CASE("the ways to get a string agree") {
  const std::string plain = "\"no escapes\"", escaped = "\"with \\\"escapes\\\"\"", broken = "\"bad \\q\"";
  std::string scratch = "x";
  const auto view = JsonValue(plain).string_view(scratch);
  REQUIRE(view);
  CHECK(view->data() == plain.data() + 1);
  CHECK(JsonValue(escaped).string_view(scratch) == "with \"escapes\"");
  CHECK_FALSE(JsonValue(broken).string_view(scratch));
  std::string out = "a ";
  CHECK(JsonValue(escaped).append_string(out));
  CHECK(out == "a with \"escapes\"");
  CHECK_FALSE(JsonValue(broken).append_string(out));
  CHECK_FALSE(JsonValue("5").append_string(out));
  CHECK(out == "a with \"escapes\"");
  CHECK(JsonValue(plain).string_or("y") == "no escapes");
  CHECK(JsonValue(broken).string_or("y") == "y");
  CHECK(JsonValue().string_or().empty());
  CHECK(JsonValue(plain).equals("no escapes"));
  CHECK_FALSE(JsonValue(plain).equals("no escape"));
  CHECK_FALSE(JsonValue(plain).equals("no escapes!"));
  CHECK(JsonValue(escaped).equals("with \"escapes\""));
  CHECK_FALSE(JsonValue(escaped).equals("with \"escapes\"!"));
  CHECK_FALSE(JsonValue(escaped).equals("with \"escape"));
  CHECK_FALSE(JsonValue(broken).equals("bad q"));
  CHECK_FALSE(JsonValue("5").equals("5"));
  CHECK(JsonValue("\"\"").equals(""));
  CHECK_FALSE(JsonValue("\"\"").nonempty_string());
  CHECK(JsonValue("\"a\"").nonempty_string());
  CHECK_FALSE(JsonValue("[1]").nonempty_string());
}

TEST_CASE("what the writer wrote comes back") {
  std::mt19937 random(5);
  int wrong = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = random() % 60; n > 0; --n) {
      switch (random() % 6) {
        case 0: text += "\xe4\xbd\xa0"; break;
        case 1: text += static_cast<char>(random() % 32); break;
        case 2: text += random() % 2 != 0 ? '"' : '\\'; break;
        case 3: text += "\xf0\x9f\x98\x80"; break;
        default: text += static_cast<char>(' ' + random() % 95); break;
      }
    }
    std::string json, back;
    append_json_string(json, text);
    wrong += !JsonValue(json).string(back) || back != text || !JsonValue(json).equals(text) || !validate(json);
  }
  CHECK(wrong == 0);
}

TEST_CASE("members and elements are walked in order") {
  const std::string text = " { \"a\" : 1 ,\"b\\n\":[1, 2],\"a\":{\"x\":\"}\"} , \"\":\"\\\"\" } ";
  std::vector<std::pair<std::string, std::string>> seen;
  std::string raw;
  for (const JsonMember& m : JsonMembers(JsonValue(text))) {
    seen.emplace_back(m.key, m.value.raw());
    raw = m.raw;
    CHECK(text.find(m.raw) != std::string::npos);
  }
  CHECK(seen == std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b\n", "[1, 2]"}, {"a", "{\"x\":\"}\"}"}, {"", "\"\\\"\""}});
  CHECK(raw == "\"\":\"\\\"\"");

  std::vector<std::string> elements;
  for (const JsonValue& v : JsonElements(JsonValue("[ 1,\"a,]\" ,[],{\"k\":[2]}, null]"))) elements.emplace_back(v.raw());
  CHECK(elements == std::vector<std::string>{"1", "\"a,]\"", "[]", "{\"k\":[2]}", "null"});

  for (const char* none : {"{}", " { } ", "1", "", "\"{}\"", "null"}) {
    for (const JsonMember& m : JsonMembers(JsonValue(none))) FAIL(m.key);
    for (const JsonValue& v : JsonElements(JsonValue(none))) FAIL(v.raw());
  }
  JsonMembers empty(JsonValue("{}"));
  CHECK_FALSE(empty.next());
  CHECK_FALSE(empty.malformed());
  JsonMembers wrong(JsonValue("[]"));
  CHECK_FALSE(wrong.next());
  CHECK(wrong.malformed());
}

namespace {

// What a walk sees, one word for each value: by JsonMembers and JsonElements, and by JsonCursor, which goes inside every other time and takes or
// jumps over the rest.
void tell(JsonValue v, std::string& seen) {
  for (const JsonMember& m : JsonMembers(v)) {
    seen.append(m.key).append("=").append(m.value.raw()).append(";");
    tell(m.value, seen);
  }
  for (const JsonValue& e : JsonElements(v)) {
    seen.append(e.raw()).append(";");
    tell(e, seen);
  }
}

void tell(JsonCursor& at, bool object, std::string& seen) {
  while (object ? at.next_member() : at.next_element()) {
    const char* const begin = at.here();
    const std::string key = object ? std::string(at.key()) + "=" : "";
    const size_t place = seen.size();
    bool inner_object = false;
    if ((inner_object = at.enter_object()) || at.enter_array()) tell(at, inner_object, seen);
    else at.take();
    seen.insert(place, key + std::string(at.since(begin).raw()) + ";");
  }
}

std::string told_by_cursor(const std::string& text) {
  std::string seen;
  const JsonValue root(text);
  JsonCursor at(root);
  tell(at, root.is_object(), seen);
  return seen;
}

}  // namespace

TEST_CASE("a cursor sees what members and elements are, each once") {
  for (const std::string text : {R"({})", R"([])", R"( { } )", R"({"a":1})", R"({"a":{},"b":[],"c":[{}],"d":{"e":[]}})", R"([[[1]],[2,[3]],[]])",
                                 R"( { "a" : { "x" : [ 1 , 2 , { "y" : "}]" } ] } , "b\n" : "\"" , "a" : [ ] , "" : null } )",
                                 R"({"choices":[{"index":0,"message":{"role":"a","content":"[{\"x"},"finish_reason":"stop"}],"usage":{"n":1}})"}) {
    INFO(text);
    REQUIRE(validate(text));
    std::string expected;
    tell(JsonValue(text), expected);
    CHECK(told_by_cursor(text) == expected);
  }
  for (const char* none : {"1", "", "\"{}\"", "null"}) CHECK(told_by_cursor(none).empty());

  const std::string text = R"({"skipped":{"a":[1]},"entered":{"b":2,"c":{"d":3},"e":4},"taken":[5],"last":6})";
  const JsonValue root(text);
  JsonCursor at(root);
  REQUIRE(at.next_member());
  CHECK(at.key() == "skipped");
  CHECK_FALSE(at.enter_array());
  REQUIRE(at.next_member());
  CHECK(at.key() == "entered");
  REQUIRE(at.enter_object());
  REQUIRE(at.next_member());
  CHECK(at.key() == "b");
  REQUIRE(at.next_member());
  CHECK(at.key() == "c");
  REQUIRE(at.next_member());
  CHECK(at.key() == "e");
  CHECK_FALSE(at.next_member());
  REQUIRE(at.next_member());
  CHECK(at.key() == "taken");
  CHECK(at.take().raw() == "[5]");
  CHECK(at.take().raw().empty());
  REQUIRE(at.next_member());
  CHECK(at.take().integer() == 6);
  CHECK_FALSE(at.next_member());
  CHECK_FALSE(at.next_member());
}

TEST_CASE("a cursor ends where the text is broken, wherever it is cut") {
  const std::string text = R"({"a":{"x":[1,2,{"y":"}]"}]},"b\u006e":"\"","c":[[],{}],"d":-1.5e3})";
  for (size_t n = 0; n <= text.size(); ++n) {
    const auto cut = std::make_unique<char[]>(n + 1);  // for the sanitizer: nothing behind is read
    std::copy_n(text.data(), n, cut.get());
    const JsonValue root(std::string_view(cut.get(), n));
    JsonCursor at(root);
    std::string seen;
    tell(at, root.is_object(), seen);
    CHECK(at.next_member() == false);
  }
  for (const char* broken : {"{\"a\"}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{a:1}", "{,}", "[,]", "[1 2]", "{\"a\":[1}", "{\"a\":1}}", "{:}", "{\"a\\q\":1}"}) {
    INFO(broken);
    CHECK(told_by_cursor(broken).size() < 20);
  }
}

TEST_CASE("broken objects and arrays end the walk and say so") {
  for (const char* text : {"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{a:1}", "{,}", "{\"a\":1,,}", "{\"a\":[1}", "{\"a\":\"x}", "{\"a\\q\":1}", "{\"a\":1}}", "{:}",
                           "{\"a:1}", "{\"a\":{}", "{\"a\":1]}"}) {
    INFO(text);
    JsonMembers it{JsonValue(text)};
    int count = 0;
    while (it.next()) ++count;
    CHECK(it.malformed());
    CHECK(count <= 2);
    CHECK_FALSE(it.next());
  }
  for (const char* text : {"[1,]", "[,]", "[,1]", "[1 2]", "[1,,2]", "[\"a]", "[[1]", "[{]", "[1]]", "[1,2}]"}) {
    INFO(text);
    JsonElements it{JsonValue(text)};
    int count = 0;
    while (it.next()) ++count;
    CHECK(it.malformed());
    CHECK(count <= 2);
  }
}

TEST_CASE("find follows a path, and ends absent where it does not lead on") {
  const JsonValue root(R"({"choices":[{"index":0,"delta":{"content":"hi"}},{"index":1,"delta":{}}],"usage":null,"esc\u0061ped":1})");
  CHECK(find(root, "choices", 0, "delta", "content").equals("hi"));
  CHECK(find(root, "choices", 1, "index").integer() == 1);
  CHECK(find(root, "choices", size_t{1}, std::string("delta")).empty_container());
  CHECK_FALSE(find(root, "choices", 2).exists());
  CHECK_FALSE(find(root, "choices", "delta").exists());
  CHECK_FALSE(find(root, 0).exists());
  CHECK(find(root, "usage").is_null());
  CHECK_FALSE(find(root, "usage", "total").exists());
  CHECK(find(root, "escaped").integer() == 1);
  CHECK(find(JsonValue(R"({"a":1,"a":2})"), "a").integer() == 1);
  CHECK(find(root).raw() == root.raw());
}

TEST_CASE("pick finds several members at once") {
  JsonValue a("\"old\""), b, c("1");
  CHECK(pick(JsonValue(R"({"x":0,"b":[1],"a":"A","b":2})"), {{"a", &a}, {"b", &b}, {"c", &c}}));
  CHECK(a.equals("A"));
  CHECK(b.raw() == "[1]");
  CHECK_FALSE(c.exists());
  CHECK_FALSE(pick(JsonValue("[]"), {{"a", &a}}));
  CHECK_FALSE(a.exists());
  CHECK_FALSE(pick(JsonValue(R"({"b":1,)"), {{"a", &a}}));
  CHECK_FALSE(pick(JsonValue(R"({"b":1,})"), {{"a", &a}, {"b", &b}}));
  CHECK(b.integer() == 1);
}

TEST_CASE("empty containers") {
  for (const char* text : {"{}", "[]", "[ \n]", "{\t}"}) CHECK(JsonValue(text).empty_container());
  for (const char* text : {"[1]", "{\"a\":1}", "", "\"\"", "0", "[", "{]"}) CHECK_FALSE(JsonValue(text).empty_container());
}

TEST_CASE("strings with brackets, quotes and backslashes are skipped whole, at every place") {
  int wrong = 0;
  const std::vector<std::string> insides = {"}", "]", "{", "[", "\\\"", "\\\\", "\\\\\\\"", "\\\"}", ",", ":", "\\u005c", "}]\\\\"};
  for (const std::string& inside : insides) {
    for (size_t pad = 0; pad < 140; ++pad) {
      const std::string value = "{\"k\":[\"" + std::string(pad, 'x') + inside + "\",{}],\"" + inside + "\":{\"z\":\"" + inside + "\"}}";
      const std::string text = "[" + value + ",7]";
      // The text lies in a buffer that ends where it ends.
      std::unique_ptr<char[]> copy(new char[text.size()]);
      const JsonValue root(std::string_view(copy.get(), text.copy(copy.get(), text.size())));
      wrong += find(root, 0).raw() != value || find(root, 1).integer() != 7 || find(root, 0, "k", 1).raw() != "{}";
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("no bytes lead the cursor astray: valid text cut, and changed at every byte") {
  const std::string text = R"({"a":[1,-2.5e3,"x\"y\\",{"b":null,"c":[[],{}]}],"d\u0041":"\ud83d\ude00","e":true,"f":{"g":"h"}})";
  REQUIRE(validate(text));
  const int all = walk(JsonValue(text), 10);
  CHECK(all == 14);
  int most = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    std::unique_ptr<char[]> cut(new char[i]);
    most = std::max(most, walk(JsonValue(std::string_view(cut.get(), text.copy(cut.get(), i))), 10));
    for (const char c : {'"', '\\', '{', '}', '[', ']', ',', ':', '0', '\0', '\xff'}) {
      std::unique_ptr<char[]> changed(new char[text.size()]);
      text.copy(changed.get(), text.size());
      changed[i] = c;
      most = std::max(most, walk(JsonValue(std::string_view(changed.get(), text.size())), 10));
    }
  }
  CHECK(most <= all + 4);
}

TEST_CASE("deep nesting is walked without recursion") {
  const std::string deep = "[" + std::string(2'000'000, '[') + std::string(2'000'000, ']') + ",1]";
  CHECK(find(JsonValue(deep), 1).integer() == 1);
  const std::string open = std::string(2'000'000, '{');
  CHECK_FALSE(find(JsonValue("[" + open + "]"), 0).exists());
}

TEST_CASE("append_unescaped takes back what it wrote when it fails") {
  std::string out = "kept";
  CHECK_FALSE(append_unescaped(out, "abc\\q"));
  CHECK(out == "kept");
  CHECK_FALSE(append_unescaped(out, "abc\"d"));
  CHECK(out == "kept");
  CHECK_FALSE(append_unescaped(out, "abc\\"));
  CHECK(out == "kept");
  CHECK(append_unescaped(out, ""));
  CHECK(append_unescaped(out, "\\n"));
  CHECK(out == "kept\n");
}
