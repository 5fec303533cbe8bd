#include "wire/base64.h"

#include "catch.h"

using namespace llmrouter;

namespace {

std::string encoded(std::string_view bytes) {
  std::string out;
  wire::append_base64(out, bytes);
  return out;
}

}  // namespace

// RFC 4648, section 10.
TEST_CASE("base64: the RFC's vectors, both ways") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    CHECK(encoded(plain) == text);
    CHECK(wire::decode_base64(text) == std::string(plain));
  }
}

TEST_CASE("base64: all bytes, the other alphabet, no padding") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(wire::decode_base64(encoded(all)) == all);
  CHECK(wire::decode_base64("-_-_") == wire::decode_base64("+/+/"));
  CHECK(wire::decode_base64("Zg") == std::string("f"));
}

TEST_CASE("base64: what is none is refused") {
  for (const char* text : {"Z", "Zg=", "Zg==Zg==", "Zm9v\n", "Zm 9v", "====", "Zm9v=", "*"}) {
    INFO(text);
    CHECK_FALSE(wire::decode_base64(text));
  }
}
