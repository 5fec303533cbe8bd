// What a server of access tokens answers, and keys that are JSON.
#include <deque>
#include <string>

#include "fuzz/fuzz.h"
#include "llmrouter/token.h"

using namespace llmrouter;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  static constexpr int kStatus[] = {200, 201, 302, 400, 401, 403, 404, 429, 500, 503};
  const int status = kStatus[in.byte() % 10];
  const std::string text(in.rest());
  // A secret is hidden where it stands whole.
  static const auto exchange = make_google_exchange(Secret(R"({"type":"authorized_user","client_id":"c","client_secret":"very-secret-1","refresh_token":"very-secret-2"})"));
  fuzz::must(exchange.ok(), "a good key is taken");
  if (auto token = (*exchange)->read(status, text)) {
    fuzz::must(status / 100 == 2 && !token->value.empty(), "a token comes with a good answer");
    for (char c : token->value.reveal()) fuzz::must(static_cast<unsigned char>(c) > 32 && c != 127, "a token can stand in a header");
  } else {
    const Error& error = token.error();
    fuzz::must((error.code == ErrorCode::kUpstreamCredentialsRejected || error.code == ErrorCode::kUpstreamError) && !error.message.empty(), "why there is none is said");
    fuzz::must(error.message.find("very-secret-1") == std::string::npos && error.message.find("very-secret-2") == std::string::npos, "no secret is told");
  }
  if (auto made = make_google_exchange(Secret(text))) {
    std::deque<std::string> owned;
    if (auto request = (*made)->request(WallTime{}, owned); request.ok()) fuzz::must(!request->url.empty(), "a token is asked for somewhere");
    fuzz::must(is_google_credential(text), "what can be exchanged is known as such");
  } else {
    fuzz::must(made.error().code == ErrorCode::kConfig, "a bad key is the configuration's fault");
  }
  return 0;
}
