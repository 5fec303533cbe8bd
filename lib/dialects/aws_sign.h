// Amazon's request signatures, version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#ifndef LLMROUTER_DIALECTS_AWS_SIGN_H_
#define LLMROUTER_DIALECTS_AWS_SIGN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "llmrouter/transport.h"

namespace llmrouter::dialects {

struct AwsKey {
  std::string_view id, secret, session;  // views of the text
};
// "ID:SECRET" or "ID:SECRET:SESSION". None of the three holds a colon, and neither does a bearer key: nullopt is one of these.
std::optional<AwsKey> parse_aws_key(std::string_view text) noexcept;

struct AwsScope {
  std::string_view region, service;
  int64_t now = 0;  // Unix seconds; Amazon takes a quarter of an hour to either side
};

// Signs the request as it stands: adds x-amz-date, x-amz-security-token where there is a session, and authorization. Signed are these, host and
// content-type; so headers may still be added, but URL and body are final. The path is signed as services other than S3 want it: encoded once more.
void sign_aws(const AwsKey& key, const AwsScope& scope, HttpRequest& request);

// A segment of a path, percent-encoded: all but letters, digits and "-._~".
std::string percent_encode(std::string_view text);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_AWS_SIGN_H_
