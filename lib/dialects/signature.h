// Signatures of one maker on their way through another maker's dialect and back.
//
// A dialect has one place for an opaque signature (Anthropic `signature`, Responses `encrypted_content`, Gemini `thoughtSignature`) and its
// clients give back what stood there, byte for byte. What another maker signed goes there sealed: base64 of "llmrouter", the maker's name, a zero
// byte and the signature; so it is still base64, as Google's SDKs want it, and its maker gets its own bytes back.
#ifndef LLMROUTER_DIALECTS_SIGNATURE_H_
#define LLMROUTER_DIALECTS_SIGNATURE_H_

#include <string>
#include <string_view>

namespace llmrouter::dialects {

// What stands in the place of dialect `own` for a signature of `maker`: the signature itself when they are the same or the maker is not known.
std::string seal_signature(std::string_view maker, std::string_view own, std::string_view signature);

struct Signed {
  std::string maker;
  std::string signature;
};
// Does it look like one that seal_signature() closed?
bool is_sealed(std::string_view text) noexcept;
// The other way: what was sealed is opened, anything else is `own`'s.
Signed open_signature(std::string_view text, std::string_view own);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_SIGNATURE_H_
