#include "dialects/bedrock_request.h"

#include "dialects/aws_sign.h"
#include "dialects/dates.h"
#include "dialects/http_request.h"

namespace llmrouter::dialects::bedrock {

std::string_view region_of_url(std::string_view url) noexcept {
  const size_t at = url.find(kRuntime);
  if (at == std::string_view::npos) return {};
  url.remove_prefix(at + kRuntime.size());
  return url.substr(0, url.find('.'));
}

Result<void> fill(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept, std::string_view key,
                  HttpRequest& out) {
  const auto signing = parse_aws_key(key);
  if (!signing) return fill_request(provider, method, path, accept, key, out);
  const std::string_view region = provider.region.empty() ? region_of_url(provider.base_url) : std::string_view(provider.region);
  if (region.empty()) {
    return Error(ErrorCode::kConfig, "provider " + provider.name + ": requests with access keys are signed for a region, and none is configured");
  }
  if (auto filled = fill_request(provider, method, path, accept, {}, out); !filled) return filled;
  sign_aws(*signing, {region, "bedrock", now_seconds()}, out);
  return {};
}

}  // namespace llmrouter::dialects::bedrock
