// Which addresses a stranger's URL may lead to. Source: IANA's special-purpose address registries (RFC 6890 and later).
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "llmrouter/transport.h"

namespace llmrouter {
namespace {

struct Range {
  std::array<unsigned char, 16> bytes{};
  size_t size = 4;  // 4 or 16
  int bits = 0;
};

bool matches(const Range& range, std::string_view address) noexcept {
  if (range.size != address.size()) return false;
  int bits = range.bits;
  for (size_t i = 0; bits > 0; ++i, bits -= 8) {
    const int unused = bits >= 8 ? 0 : 8 - bits;
    if ((static_cast<unsigned char>(address[i]) >> unused) != (range.bytes[i] >> unused)) return false;
  }
  return true;
}

std::optional<Range> parse_range(std::string_view text) {
  Range range;
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (inet_pton(AF_INET, address.c_str(), range.bytes.data()) != 1) {
    range.size = 16;
    if (inet_pton(AF_INET6, address.c_str(), range.bytes.data()) != 1) return std::nullopt;
  }
  const int most = static_cast<int>(range.size) * 8;
  range.bits = most;
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  if (bits.empty() || bits.size() > 3 || !std::all_of(bits.begin(), bits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  range.bits = 0;
  for (char c : bits) range.bits = range.bits * 10 + (c - '0');
  if (range.bits > most) return std::nullopt;
  return range;
}

// Of IPv4: all but these are public. Of IPv6: 2000::/3 is, but for these.
constexpr Range kPrivate4[] = {
    {{0}, 4, 8},        {{10}, 4, 8},           {{100, 64}, 4, 10},     {{127}, 4, 8},          {{169, 254}, 4, 16},
    {{172, 16}, 4, 12}, {{192, 0, 0}, 4, 24},   {{192, 0, 2}, 4, 24},   {{192, 88, 99}, 4, 24}, {{192, 168}, 4, 16},
    {{198, 18}, 4, 15}, {{198, 51, 100}, 4, 24}, {{203, 0, 113}, 4, 24}, {{224}, 4, 4},          {{240}, 4, 4},
};
constexpr Range kGlobal6 = {{0x20}, 16, 3};
constexpr Range kPrivate6[] = {
    {{0x20, 0x01, 0x00}, 16, 23},
    {{0x20, 0x01, 0x0d, 0xb8}, 16, 32},
    {{0x20, 0x02}, 16, 16},
    {{0x3f, 0xff}, 16, 20},
};
constexpr Range kMapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 16, 96};  // IPv4 inside IPv6

bool is_public(std::string_view address) noexcept {
  const auto held = [&](const Range& range) { return matches(range, address); };
  if (address.size() == 4) return std::none_of(std::begin(kPrivate4), std::end(kPrivate4), held);
  return address.size() == 16 && matches(kGlobal6, address) && std::none_of(std::begin(kPrivate6), std::end(kPrivate6), held);
}

}  // namespace

bool is_address_range(std::string_view text) noexcept { return text.size() < 64 && parse_range(text).has_value(); }

bool AddressPolicy::allows(std::string_view address) const noexcept {
  if (matches(kMapped, address)) address.remove_prefix(12);
  if (is_public(address)) return true;
  return std::any_of(allow.begin(), allow.end(), [&](const std::string& text) {
    const auto range = parse_range(text);
    return range && matches(*range, address);
  });
}

}  // namespace llmrouter
