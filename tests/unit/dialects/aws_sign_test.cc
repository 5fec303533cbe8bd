// Signatures compared with those that botocore 1.43 makes of the same requests at the same second.
#include "dialects/aws_sign.h"

#include "catch.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

namespace {

constexpr int64_t kNow = 1767323045;  // 2026-01-02T03:04:05Z
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

HttpRequest signed_request(std::string method, std::string url, std::vector<std::string_view> body, std::string_view region, std::string_view session = {},
                           bool typed = true) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.body = std::move(body);
  if (typed) request.headers.push_back({"content-type", "application/json"});
  request.headers.push_back({"accept", "application/json"});
  sign_aws({"AKIDEXAMPLE", kSecret, session}, {region, "bedrock", kNow}, request);
  return request;
}

std::string header(const HttpRequest& request, std::string_view name) {
  std::string out;
  for (const HttpHeader& h : request.headers) {
    if (h.name == name) out += h.value;
  }
  return out;
}

}  // namespace

TEST_CASE("sigv4: the path of a model with a colon is encoded twice") {
  const HttpRequest request = signed_request("POST", "https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                                             {"{\"mess", "ages\":[]}"}, "eu-west-1");
  CHECK(header(request, "x-amz-date") == "20260102T030405Z");
  CHECK(header(request, "x-amz-security-token").empty());
  CHECK(header(request, "authorization") ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
        "Signature=178fc9cdbc885c25b2f0908fbee66b35afd0428200a2ce0442c5924aa46936c1");
}

TEST_CASE("sigv4: an ARN, a session, letters beyond ASCII") {
  const HttpRequest request =
      signed_request("POST", "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream",
                     {"{\"a\":\"\xc3\xa9\"}"}, "us-east-1", "FQoG/token+x==");
  CHECK(header(request, "x-amz-security-token") == "FQoG/token+x==");
  CHECK(header(request, "authorization").find("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
                                              "Signature=745328e4eb57b2865f944542013c2241d364d5d326f4aa0dc0cca9fb692a4789") != std::string::npos);
}

TEST_CASE("sigv4: a query is sorted; without a body and its type") {
  const HttpRequest request =
      signed_request("GET", "https://bedrock.eu-west-1.amazonaws.com:443/foundation-models?byProvider=x&a=b", {}, "eu-west-1", {}, false);
  CHECK(header(request, "authorization").find("SignedHeaders=host;x-amz-date, Signature=d6cd0a2ceaaf32932f1017937bc60340e5ffe59b221d7169b48779335514f827") !=
        std::string::npos);
}

TEST_CASE("sigv4: a port that is not the scheme's own is part of the host") {
  const HttpRequest request = signed_request("POST", "http://127.0.0.1:8123/bedrock/model/text/converse", {}, "eu-west-1");
  CHECK(header(request, "authorization").find("Signature=ae74c14ddead07d8460100eef1096d4f2b1ea5c8d004ae42d31eaecd6e8e1f93") != std::string::npos);
}

TEST_CASE("sigv4: keys are told from bearer keys by their colons") {
  CHECK_FALSE(parse_aws_key("ABSKQmVkcm9jay1BUElLZXk="));
  CHECK_FALSE(parse_aws_key(""));
  CHECK_FALSE(parse_aws_key(":x"));
  CHECK_FALSE(parse_aws_key("x:"));
  auto two = parse_aws_key("AKIA1:se/cr+et");
  REQUIRE(two);
  CHECK(two->id == "AKIA1");
  CHECK(two->secret == "se/cr+et");
  CHECK(two->session.empty());
  auto three = parse_aws_key("ASIA1:secret:tok/en==");
  REQUIRE(three);
  CHECK(three->secret == "secret");
  CHECK(three->session == "tok/en==");
}

TEST_CASE("sigv4: model ids are percent-encoded in a path") {
  CHECK(percent_encode("anthropic.claude-v2:1") == "anthropic.claude-v2%3A1");
  CHECK(percent_encode("arn:aws:x/y z~_") == "arn%3Aaws%3Ax%2Fy%20z~_");
}
