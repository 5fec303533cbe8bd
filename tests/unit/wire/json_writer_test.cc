#include "wire/json_writer.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "catch.h"
#include "wire/json_scan.h"

using namespace llmrouter::wire;

namespace {

std::string json_string(std::string_view text) {
  std::string out = "before ";
  append_json_string(out, text);
  CHECK(out.substr(0, 7) == "before ");
  return out.substr(7);
}

std::string json_number(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

const std::string kBad = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

TEST_CASE("strings are escaped where JSON wants it and nowhere else") {
  CHECK(json_string("") == "\"\"");
  CHECK(json_string("plain") == "\"plain\"");
  CHECK(json_string("a\"b\\c/d") == R"("a\"b\\c/d")");
  CHECK(json_string("\n\r\t\b\f") == R"("\n\r\t\b\f")");
  CHECK(json_string(std::string_view("\0\x01\x1f\x7f", 4)) == "\"\\u0000\\u0001\\u001f\x7f\"");
  CHECK(json_string("\xc3\xa9 \xe4\xbd\xa0 \xf0\x9f\x98\x80") == "\"\xc3\xa9 \xe4\xbd\xa0 \xf0\x9f\x98\x80\"");
}

TEST_CASE("what is not UTF-8 becomes U+FFFD, once for each broken part") {
  CHECK(json_string("\x80") == '"' + kBad + '"');
  CHECK(json_string("\xff\xfe") == '"' + kBad + kBad + '"');
  CHECK(json_string("a\xc3") == "\"a" + kBad + '"');
  CHECK(json_string("\xc3\"") == '"' + kBad + "\\\"\"");
  CHECK(json_string("\xe4\xbd") == '"' + kBad + '"');             // one beginning of a character
  CHECK(json_string("\xe4\xbdz") == '"' + kBad + "z\"");
  CHECK(json_string("\xf0\x9f\x98z") == '"' + kBad + "z\"");
  CHECK(json_string("\xc0\xaf") == '"' + kBad + kBad + '"');      // overlong: no byte of it begins a character
  CHECK(json_string("\xe0\x80\x80") == '"' + kBad + kBad + kBad + '"');
  CHECK(json_string("\xed\xa0\x80") == '"' + kBad + kBad + kBad + '"');  // a surrogate
  CHECK(json_string("\xf4\x90\x80\x80") == '"' + kBad + kBad + kBad + kBad + '"');  // above U+10FFFF
  CHECK(json_string("\xf4\x8f\xbf\xbf") == "\"\xf4\x8f\xbf\xbf\"");
}

TEST_CASE("every byte at every place gives valid JSON, and valid text comes back as it was") {
  int wrong = 0;
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t length = 1; length < 40; ++length) {
      for (size_t at = 0; at < length; at += 3) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(byte);
        std::string out, back;
        append_json_string(out, text);
        wrong += !validate(out) || !JsonValue(out).string(back) || (byte < 0x80 && back != text);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("random bytes give valid JSON") {
  std::mt19937 random(3);
  int wrong = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = random() % 40; n > 0; --n) text += static_cast<char>(random() % 3 != 0 ? 0x80 + random() % 128 : random() % 128);
    std::string out;
    append_json_string(out, text);
    wrong += !validate(out);
  }
  CHECK(wrong == 0);
}

TEST_CASE("a string put together from pieces") {
  std::string out;
  append_json_escaped(out, "a\n");
  append_json_escaped(out, "b");
  CHECK(out == "a\\nb");
}

TEST_CASE("integers over the whole range") {
  std::string out;
  append_integer(out, std::numeric_limits<int64_t>::min());
  CHECK(out == "-9223372036854775808");
  out.clear();
  append_integer(out, std::numeric_limits<int64_t>::max());
  CHECK(out == "9223372036854775807");
}

TEST_CASE("doubles are short and read back the same") {
  CHECK(json_number(0) == "0");
  CHECK(json_number(0.1) == "0.1");
  CHECK(json_number(-2.5) == "-2.5");
  CHECK(json_number(1e300) == "1e+300");
  CHECK(json_number(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(json_number(-std::numeric_limits<double>::infinity()) == "null");
  std::mt19937_64 random(11);
  int wrong = 0;
  for (int round = 0; round < 20000; ++round) {
    const uint64_t bits = random();
    double value;
    static_assert(sizeof value == sizeof bits);
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const std::string text = json_number(value);
    wrong += !validate(text) || JsonValue(text).number() != value;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the writer puts commas and colons where they belong") {
  std::string out = "[";
  JsonWriter w(out);
  w.begin_object();
  w.member("s", "x");
  w.member("view", std::string_view("y\""));
  w.member("string", std::string("z"));
  w.member("i", 7);
  w.member("size", size_t{8});
  w.member("yes", true);
  w.member("d", 0.5);
  w.raw_member("raw", "{\"a\":[1,2]}");
  w.key("null");
  w.null();
  w.key("empty object");
  w.begin_object();
  w.end_object();
  w.key("array");
  w.begin_array();
  w.integer(1);
  w.boolean(false);
  w.begin_array();
  w.end_array();
  w.begin_object();
  w.raw_members("\"b\":1,\"c\":2");
  w.raw_members("");
  w.member("d", 3);
  w.end_object();
  w.string("last");
  w.end_array();
  w.end_object();
  CHECK(out ==
        "[{\"s\":\"x\",\"view\":\"y\\\"\",\"string\":\"z\",\"i\":7,\"size\":8,\"yes\":true,\"d\":0.5,\"raw\":{\"a\":[1,2]},\"null\":null,"
        "\"empty object\":{},\"array\":[1,false,[],{\"b\":1,\"c\":2,\"d\":3},\"last\"]}");
}
