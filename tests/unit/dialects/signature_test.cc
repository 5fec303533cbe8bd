#include "dialects/signature.h"

#include "catch.h"

using namespace llmrouter::dialects;

TEST_CASE("signature: the dialect's own goes as it is, and is taken for its own") {
  CHECK(seal_signature("anthropic", "anthropic", "EqQB+/=") == "EqQB+/=");
  CHECK(seal_signature("", "anthropic", "EqQB") == "EqQB");
  CHECK(open_signature("EqQB", "anthropic").maker == "anthropic");
  CHECK(open_signature("EqQB", "anthropic").signature == "EqQB");
  CHECK(open_signature("", "anthropic").maker.empty());
}

TEST_CASE("signature: another maker's comes back whole, for its maker") {
  const std::string raw("a\0b\xff\"c", 6);
  const std::string sealed = seal_signature("gemini", "anthropic", raw);
  CHECK(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == std::string::npos);
  CHECK(open_signature(sealed, "anthropic").maker == "gemini");
  CHECK(open_signature(sealed, "anthropic").signature == raw);
}

TEST_CASE("signature: what only begins like a sealed one is the dialect's own") {
  for (const char* text : {"bGxtcm91dGVy", "bGxtcm91dGVy*", "bGxtcm91dGVyZ2VtaW5p"}) CHECK(open_signature(text, "gemini").signature == text);
}
