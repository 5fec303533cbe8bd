// A body for /responses: scanned, relayed, decoded, and encoded for three dialects.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const ProviderConfig config = provider(in.byte());
  const unsigned mode = in.byte();
  const std::string body(in.rest());
  auto client = dialect("responses")->new_client_codec();
  auto facts = client->scan(body);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest && !facts.error().message.empty(), "a bad body is the client's fault");
    return 0;
  }
  const std::vector<BodyEdit> edits = {{BodyEdit::Kind::kSet, "reasoning_effort", "\"low\""},
                                       {BodyEdit::Kind::kDefault, "max_tokens", "7"},
                                       {BodyEdit::Kind::kSet, "response_format", R"({"type":"json_object"})"},
                                       {BodyEdit::Kind::kRemove, "tool_choice", ""}};
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  if (mode & 1) input.edits = &edits;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = mode & 2 ? std::string_view(facts->model) : std::string_view("upstream");
  input.stream = facts->stream;
  EncodedRequest out;
  fuzz::must(dialect("responses")->new_upstream_codec()->encode(input, out).ok(), "a relayed body is encoded");
  const std::string sent = joined(out);
  std::vector<MemberSpan> members;
  fuzz::must(bool(wire::scan_object(sent, {}, members)), "a relayed body is JSON without doubled members");
  if (!(mode & 1) && (mode & 2)) fuzz::must(sent == body, "nothing to change: nothing changed");

  hear_texts(*client, body);
  auto chat = client->decode();
  if (!chat) {
    fuzz::must(chat.error().code == ErrorCode::kInvalidRequest && !chat.error().param.empty(), "what cannot be decoded is named");
    return 0;
  }
  fuzz::must(chat->model == facts->model && chat->stream == facts->stream, "scan and decode agree");
  encode("openai", *chat, config, facts->stream, true);
  encode("ollama", *chat, config, facts->stream, true);
  const std::string once = encode("responses", *chat, config, facts->stream, false);
  if (once.empty()) return 0;
  auto again = dialect("responses")->new_client_codec();
  if (!again->scan(once).ok()) {
    fuzz::must(chat->messages.empty(), "what was encoded is accepted");
    return 0;
  }
  auto chat_again = again->decode();
  fuzz::must(chat_again.ok(), "what was encoded can be decoded");
  // The answer echoes the request.
  std::string sse;
  client->encode_event(StreamEvent(), sse);
  client->encode_end(sse);
  fuzz::must(sse.find("response.completed") != std::string::npos, "an answer ends");
  return 0;
}
