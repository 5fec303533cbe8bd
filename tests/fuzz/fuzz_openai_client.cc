// A client's body: scanned, relayed under every mix of quirks, decoded, and encoded for both dialects.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const ProviderConfig config = provider(in.byte());
  const unsigned mode = in.byte();
  const std::string body(in.rest());

  auto client = dialect("openai")->new_client_codec();
  auto facts = client->scan(body);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest && !facts.error().message.empty(), "a bad body is the client's fault");
    return 0;
  }
  fuzz::must(!facts->model.empty() && facts->n >= 1 && facts->n <= 128 && facts->input_tokens > 0, "facts make sense");

  const std::vector<BodyEdit> edits = {{BodyEdit::Kind::kSet, "temperature", "0.5"},
                                       {BodyEdit::Kind::kDefault, "max_tokens", "7"},
                                       {BodyEdit::Kind::kRemove, "logit_bias", ""}};
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  if (mode & 1) input.edits = &edits;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = mode & 2 ? std::string_view(facts->model) : std::string_view("upstream");
  input.stream = facts->stream;
  EncodedRequest out;
  if (auto ok = dialect("openai")->new_upstream_codec()->encode(input, out); ok) {
    const std::string sent = joined(out);
    std::vector<MemberSpan> members;
    fuzz::must(bool(wire::scan_object(sent, {}, members)), "a relayed body is JSON without doubled members");
    fuzz::must(wire::find_member(wire::JsonValue(sent), "model").equals(input.upstream_model), "the model is the upstream's");
    if (config.quirks.empty() && !(mode & 1) && (mode & 2) && (!facts->stream || facts->include_usage)) {
      fuzz::must(sent == body, "nothing to change: nothing changed");
    }
  } else {
    fuzz::must(ok.error().code == ErrorCode::kInvalidRequest && !ok.error().param.empty(), "what cannot be expressed is named");
  }

  hear_texts(*client, body);
  auto chat = client->decode();
  if (!chat) {
    fuzz::must(chat.error().code == ErrorCode::kInvalidRequest && !chat.error().param.empty(), "what cannot be decoded is named");
    return 0;
  }
  fuzz::must(chat->model == facts->model && chat->stream == facts->stream, "scan and decode agree");
  encode("openai", *chat, config, facts->stream, mode & 4);
  encode("ollama", *chat, config, facts->stream, mode & 8);

  // Decoding what was encoded gives the same again.
  const std::string once = encode("openai", *chat, provider(0), facts->stream, false);
  auto again = dialect("openai")->new_client_codec();
  fuzz::must(again->scan(once).ok(), "what was encoded is accepted");
  auto chat_again = again->decode();
  fuzz::must(chat_again.ok(), "what was encoded can be decoded");
  fuzz::must(encode("openai", *chat_again, provider(0), facts->stream, false) == once, "encoding twice is encoding once");
  return 0;
}
