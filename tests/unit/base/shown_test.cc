#include "llmrouter/shown.h"

#include "catch.h"

using namespace llmrouter;

TEST_CASE("what strangers wrote tells a terminal nothing") {
  CHECK(shown("gpt-4o") == "gpt-4o");
  CHECK(shown("") == "");
  CHECK(shown("a\x1b]0;x\x07\n\r\t\x7f") == "a?]0;x?????");
  CHECK(shown("\xc2\x80\xc2\x9f\xc2\xa0") == "??\xc2\xa0");
  CHECK(shown("\xc3\xa9 \xe4\xb8\xad") == "\xc3\xa9 \xe4\xb8\xad");
  CHECK(shown("\xc2") == "\xc2");
  CHECK(shown(std::string("\0\xc2", 2)) == "?\xc2");
}
