// An upstream's answer as a client of another dialect gets it.
#ifndef LLMROUTER_TESTS_DIALECTS_ANSWERED_H_
#define LLMROUTER_TESTS_DIALECTS_ANSWERED_H_

#include <string>

#include "catch.h"
#include "support.h"

namespace dialect_test {

inline std::string request_of(std::string_view client) {
  const std::string hi = R"([{"role":"user","content":"hi"}])";
  if (client == "gemini") return R"({"contents":[{"parts":[{"text":"hi"}]}]})";
  if (client == "responses") return R"({"model":"asked","input":"hi"})";
  if (client == "completions") return R"({"model":"asked","prompt":"hi"})";
  if (client == "anthropic") return R"({"model":"asked","max_tokens":9,"messages":)" + hi + "}";
  return R"({"model":"asked","messages":)" + hi + "}";
}

// `answer`: a stream's bytes or a whole body.
inline std::string answered(std::string_view upstream, std::string_view client, std::string_view answer, bool stream) {
  const std::string request = request_of(client);
  auto face = dialect(client)->new_client_codec();
  RequestPath path;
  if (client == "gemini") {
    path.operation = stream ? "streamGenerateContent" : "generateContent";
    path.model = "asked";
    path.query = stream ? "alt=sse" : "";
  }
  face->set_path(path);
  REQUIRE(face->scan(request).ok());
  auto codec = dialect(upstream)->new_upstream_codec();
  const ProviderConfig config = provider();
  const ChatRequest chat = ChatRequest::of("asked", "hi");
  EncodeInput input;
  input.chat = &chat;
  input.foreign = upstream != client;
  input.provider = &config;
  input.upstream_model = upstream == "gemini" ? "gemini-2.5-flash" : "m";
  input.stream = stream;
  EncodedRequest encoded;
  REQUIRE(codec->encode(input, encoded).ok());
  std::string out;
  if (!stream) {
    auto response = codec->decode(answer);
    REQUIRE(response.ok());
    face->encode_response(*response, out);
    return out;
  }
  Recorder seen;
  codec->feed(answer, seen);
  codec->finish(seen);
  REQUIRE(seen.errors.empty());
  tell(seen.events, *face, out);
  face->encode_end(out);
  return out;
}

}  // namespace dialect_test

#endif  // LLMROUTER_TESTS_DIALECTS_ANSWERED_H_
