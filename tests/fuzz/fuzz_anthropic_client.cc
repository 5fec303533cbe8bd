// A body for /v1/messages: scanned, decoded, and encoded for three dialects, and for Claudes of every generation.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const ProviderConfig config = provider(in.byte());
  const std::string body(in.rest());
  auto client = dialect("anthropic")->new_client_codec();
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
  fuzz::must(chat->model == facts->model && chat->stream == facts->stream, "scan and decode agree");
  encode("openai", *chat, config, facts->stream, true);
  encode("ollama", *chat, config, facts->stream, true);
  for (const char* model : {"claude-3-haiku-20240307", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-7"}) {
    EncodeInput input;
    input.chat = &*chat;
    input.provider = &config;
    input.key = kKey;
    input.upstream_model = model;
    input.foreign = size % 2 == 0;
    EncodedRequest out;
    if (auto ok = dialect("anthropic")->new_upstream_codec()->encode(input, out); !ok) continue;
    const std::string written = joined(out);
    fuzz::must(bool(wire::validate(written)), "an encoded request is JSON");
    fuzz::must(dialect("anthropic")->new_client_codec()->scan(written).ok(), "what was encoded is accepted");
  }
  const std::string once = encode("anthropic", *chat, config, facts->stream, false);
  if (once.empty()) return 0;
  auto again = dialect("anthropic")->new_client_codec();
  fuzz::must(again->scan(once).ok(), "what was encoded is accepted");
  auto chat_again = again->decode();
  fuzz::must(chat_again.ok(), "what was encoded can be decoded");
  fuzz::must(encode("anthropic", *chat_again, config, facts->stream, false) == once, "encoding twice is encoding once");
  return 0;
}
