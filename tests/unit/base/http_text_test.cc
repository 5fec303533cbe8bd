// What may stand in headers, URLs and request ids.
#include "llmrouter/http_text.h"

#include <string>

#include "catch.h"

using namespace llmrouter;

TEST_CASE("http text: a header's name is a token, its value has no control characters") {
  for (const char* name : {"x", "X-Trace", "a!#$%&'*+-.^_`|~9"}) CHECK(is_header_name(name));
  for (const char* name : {"", "x y", "x:", "x\r\n", "ä", "(x)"}) CHECK_FALSE(is_header_name(name));
  for (const char* value : {"", "plain", "with\ttab", "Füße", "a\"b;c"}) CHECK(is_header_value(value));
  for (const std::string& value : {std::string("a\nb"), std::string("a\rb"), std::string(1, '\0'), std::string("\x7f"), std::string("\x1b[m")}) CHECK_FALSE(is_header_value(value));
}

TEST_CASE("http text: a URL has one of the two schemes and a host") {
  for (const char* url : {"http://a", "https://api.example.com/v1", "HTTPS://A", "http://[::1]:80/", "http://a/ü"}) CHECK(is_http_url(url));
  for (const char* url : {"", "http://", "https:///v1", "http://?x", "http://#x", "http://:80", "api.example.com/v1", "ftp://a", "http:/a", "//a", " http://a"}) {
    CHECK_FALSE(is_http_url(url));
  }
}

TEST_CASE("http text: a request id is short and stands anywhere as it is") {
  CHECK(is_request_id("req_01:a/b=c+d@e.f-g"));
  CHECK(is_request_id(std::string(128, 'x')));
  CHECK_FALSE(is_request_id(std::string(129, 'x')));
  for (const char* id : {"", "a b", "a\nb", "a\"b", "a,b", "é"}) CHECK_FALSE(is_request_id(id));
}
