// A body for :generateContent: scanned, decoded, encoded for both dialects; and spliced for Vertex AI, which changes nothing but what it refuses.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

namespace {

RequestPath path() {
  RequestPath path;
  path.model = "m";
  path.operation = "generateContent";
  return path;
}

std::string for_vertex(std::string_view body) {
  auto client = dialect("gemini")->new_client_codec();
  client->set_path(path());
  auto facts = client->scan(body);
  fuzz::must(facts.ok(), "what was relayed is accepted again");
  ProviderConfig config;
  config.name = "v";
  config.base_url = "https://h/v1/projects/p/locations/l";
  config.quirks = {"publishers", "no_call_ids"};
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.provider = &config;
  input.upstream_model = "m";
  EncodedRequest out;
  fuzz::must(dialect("gemini")->new_upstream_codec()->encode(input, out).ok(), "a good body is relayed");
  return joined(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const ProviderConfig config = provider(in.byte());
  const std::string body(in.rest());
  auto client = dialect("gemini")->new_client_codec();
  client->set_path(path());
  auto facts = client->scan(body);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest && !facts.error().message.empty(), "a bad body is the client's fault");
    return 0;
  }
  const std::string once = for_vertex(body);
  fuzz::must(once.size() <= body.size() + 16 * body.size(), "little is added");
  fuzz::must(for_vertex(once) == once, "splicing twice is splicing once");
  auto chat = client->decode();
  if (!chat) {
    fuzz::must(chat.error().code == ErrorCode::kInvalidRequest && !chat.error().param.empty(), "what cannot be decoded is named");
    return 0;
  }
  encode("openai", *chat, config, facts->stream, true);
  EncodeInput input;
  input.chat = &*chat;
  input.provider = &config;
  input.upstream_model = "m";
  EncodedRequest out;
  if (auto written = dialect("gemini")->new_upstream_codec()->encode(input, out); written.ok()) {
    fuzz::must(bool(wire::validate(joined(out))), "an encoded request is JSON");
  } else {
    fuzz::must(written.error().code == ErrorCode::kInvalidRequest && !written.error().param.empty(), "what cannot be expressed is named");
  }
  return 0;
}
