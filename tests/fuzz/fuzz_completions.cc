// A body for the older /v1/completions: scanned, decoded, and encoded for a chat; and a chat's stream told to its client.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned cut = in.byte();
  const std::string text(in.rest());
  auto client = dialect("completions")->new_client_codec();
  auto facts = client->scan(text);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest && !facts.error().message.empty(), "a bad body is the client's fault");
  } else if (hear_texts(*client, text); auto chat = client->decode()) {
    fuzz::must(chat->model == facts->model && chat->stream == facts->stream, "scan and decode agree");
    fuzz::must(!encode("openai", *chat, provider(0), facts->stream, false).empty(), "a prompt is a chat");
  } else {
    fuzz::must(chat.error().code == ErrorCode::kInvalidRequest && !chat.error().param.empty(), "what cannot be decoded is named");
  }
  const ProviderConfig config = provider(0);
  auto teller = dialect("completions")->new_client_codec();
  static const std::string asked = R"({"model":"m","prompt":"x","stream":true,"stream_options":{"include_usage":true}})";
  fuzz::must(teller->scan(asked).ok(), "a plain request is read");
  Sink sink({teller.get()});
  auto upstream = reading("openai", false, 1, config);
  fuzz::Cuts cuts(cut);
  for (size_t at = 0; at < text.size();) {
    const std::string piece(text.substr(at, cuts.next()));
    upstream->feed(piece, sink);
    at += piece.size();
  }
  upstream->finish(sink);
  if (!sink.errors) sink.end_clients();
  // The same, relayed as it is.
  Sink relayed;
  auto legacy = reading("completions", true, 1, config);
  legacy->feed(text, relayed);
  legacy->finish(relayed);
  if (auto whole = legacy->inspect(text); !whole) check_error(whole.error());
  return 0;
}
