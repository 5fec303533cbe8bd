// Which addresses a stranger's URL may lead to.
#include <arpa/inet.h>

#include <string>

#include "catch.h"
#include "llmrouter/transport.h"

using llmrouter::AddressPolicy;
using llmrouter::is_address_range;

namespace {

std::string bytes_of(const char* text) {
  char bytes[16];
  if (inet_pton(AF_INET, text, bytes) == 1) return std::string(bytes, 4);
  if (inet_pton(AF_INET6, text, bytes) != 1) FAIL(text);
  return std::string(bytes, 16);
}

}  // namespace

TEST_CASE("a stranger's URL leads to public addresses alone") {
  const AddressPolicy policy;
  for (const char* text : {"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.0.1", "172.15.0.1",
                           "172.32.0.1", "192.167.255.255", "192.169.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"}) {
    CAPTURE(text);
    CHECK(policy.allows(bytes_of(text)));
  }
  for (const char* text : {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "172.31.255.255",
                           "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
                           "::1", "fe80::1", "fc00::1", "fdff::1", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "64:ff9b::7f00:1", "3fff::1", "::ffff:127.0.0.1",
                           "::ffff:169.254.169.254", "::127.0.0.1"}) {
    CAPTURE(text);
    CHECK_FALSE(policy.allows(bytes_of(text)));
  }
  CHECK_FALSE(policy.allows(""));
  CHECK_FALSE(policy.allows("abc"));
}

TEST_CASE("private addresses that are allowed may be asked") {
  AddressPolicy policy;
  policy.allow = {"10.1.0.0/16", "127.0.0.1", "fd00::/9"};
  for (const char* text : {"10.1.0.1", "10.1.255.255", "127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "fd7f::1", "8.8.8.8"}) {
    CAPTURE(text);
    CHECK(policy.allows(bytes_of(text)));
  }
  for (const char* text : {"10.2.0.1", "127.0.0.2", "fd80::1", "::1"}) {
    CAPTURE(text);
    CHECK_FALSE(policy.allows(bytes_of(text)));
  }
}

TEST_CASE("what a range is") {
  for (const char* good : {"10.0.0.0/8", "0.0.0.0/0", "1.2.3.4", "1.2.3.4/32", "::1", "fd00::/8", "::/0", "::1/128"}) {
    CAPTURE(good);
    CHECK(is_address_range(good));
  }
  for (const char* bad : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0", "::1/129", "localhost", "10.0.0.0/ 8", "1.2.3.4:80", "10.0.0.0/0008"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_address_range(bad));
  }
}
