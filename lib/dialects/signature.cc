#include "dialects/signature.h"

#include "wire/base64.h"

namespace llmrouter::dialects {
namespace {

constexpr std::string_view kMark = "llmrouter";             // nine bytes, so that its base64 ends on a group
constexpr std::string_view kMarkEncoded = "bGxtcm91dGVy";
constexpr char kEnd = '\0';                                 // of the maker's name

}  // namespace

std::string seal_signature(std::string_view maker, std::string_view own, std::string_view signature) {
  if (signature.empty() || maker.empty() || maker == own) return std::string(signature);
  std::string plain(kMark);
  plain.append(maker);
  plain += kEnd;
  plain.append(signature);
  std::string sealed;
  wire::append_base64(sealed, plain);
  return sealed;
}

bool is_sealed(std::string_view text) noexcept { return text.substr(0, kMarkEncoded.size()) == kMarkEncoded; }

Signed open_signature(std::string_view text, std::string_view own) {
  if (is_sealed(text)) {
    if (auto plain = wire::decode_base64(text)) {
      const size_t end = plain->find(kEnd);
      if (end != std::string::npos) return {plain->substr(kMark.size(), end - kMark.size()), plain->substr(end + 1)};
    }
  }
  return {text.empty() ? std::string() : std::string(own), std::string(text)};
}

}  // namespace llmrouter::dialects
