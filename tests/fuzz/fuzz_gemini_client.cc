// A body for Google's generateContent, streamGenerateContent or countTokens: scanned, decoded, and encoded for both dialects.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

namespace {

RequestPath path_of(unsigned kind) {
  RequestPath path;
  path.model = "m";
  path.operation = kind % 2 ? "streamGenerateContent" : "generateContent";
  return path;
}

// Encoded for Google: the model stands in the path. Empty: refused.
std::string encode_google(const ChatRequest& chat, std::string_view model, bool foreign) {
  const ProviderConfig config = provider(0);
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = model;
  input.stream = chat.stream;
  input.foreign = foreign;
  EncodedRequest out;
  if (auto ok = dialect("gemini")->new_upstream_codec()->encode(input, out); !ok) {
    fuzz::must(ok.error().code == ErrorCode::kInvalidRequest && !ok.error().param.empty(), "what cannot be expressed is named");
    return {};
  }
  const std::string body = joined(out);
  fuzz::must(bool(wire::validate(body)), "an encoded request is JSON");
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned kind = in.byte();
  const std::string_view model = kind & 2 ? "gemini-3-pro" : kind & 4 ? "gemini-1.5-flash" : "gemini-2.5-flash";
  const std::string body(in.rest());
  auto client = dialect("gemini")->new_client_codec();
  client->set_path(path_of(kind));
  auto facts = client->scan(body);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest && !facts.error().message.empty(), "a bad body is the client's fault");
    return 0;
  }
  hear_texts(*client, body);
  auto chat = client->decode();
  if (!chat) {
    fuzz::must(chat.error().code == ErrorCode::kInvalidRequest && !chat.error().param.empty(), "what cannot be decoded is named");
    return 0;
  }
  fuzz::must(chat->model == facts->model && facts->stream == bool(kind % 2), "scan, decode and the path agree");
  encode("openai", *chat, provider(0), facts->stream, true);
  encode_google(*chat, model, true);
  const std::string once = encode_google(*chat, model, false);
  if (once.empty()) return 0;
  auto again = dialect("gemini")->new_client_codec();
  again->set_path(path_of(kind));
  fuzz::must(again->scan(once).ok(), "what was encoded is accepted");
  auto chat_again = again->decode();
  fuzz::must(chat_again.ok(), "what was encoded can be decoded");
  fuzz::must(encode_google(*chat_again, model, false) == once, "encoding twice is encoding once");
  return 0;
}
