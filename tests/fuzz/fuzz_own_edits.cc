// A policy's edits, by OpenAI's names, in a relayed body of another dialect.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

namespace {

std::vector<BodyEdit> edits_of(unsigned bits) {
  using Kind = BodyEdit::Kind;
  static const std::vector<BodyEdit> kAll = {{Kind::kSet, "max_tokens", "7"},
                                             {Kind::kDefault, "max_completion_tokens", "9"},
                                             {Kind::kSet, "temperature", "0.5"},
                                             {Kind::kSet, "stop", R"(["x","y"])"},
                                             {Kind::kSet, "user", R"("u")"},
                                             {Kind::kSet, "reasoning_effort", R"("low")"},
                                             {Kind::kRemove, "tools", ""},
                                             {Kind::kSet, "tool_choice", R"("none")"},
                                             {Kind::kSet, "response_format", R"({"type":"json_object"})"},
                                             {Kind::kDefault, "metadata", R"({"a":"b"})"},
                                             {Kind::kSet, "verbosity", R"("low")"},
                                             {Kind::kSet, "vendor_member", R"({"x":1})"}};
  std::vector<BodyEdit> edits;
  for (const BodyEdit& edit : kAll) {
    if (bits & 1) edits.push_back(edit);
    bits >>= 1;
  }
  return edits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr std::string_view kDialects[] = {"anthropic", "gemini", "cohere", "ollama"};
  static constexpr std::string_view kModels[] = {"m", "claude-sonnet-4-5", "gemini-2.5-flash", "claude-opus-4-7"};
  fuzz::Input in(data, size);
  const unsigned which = in.byte();
  const std::vector<BodyEdit> edits = edits_of(in.byte() | in.byte() << 8);
  const std::string_view name = kDialects[which % 4];
  const std::string body(in.rest());
  auto client = dialect(name)->new_client_codec();
  RequestPath path;
  if (name == "gemini") {
    path.model = "m";
    path.operation = "generateContent";
  }
  client->set_path(path);
  const auto facts = client->scan(body);
  if (!facts) return 0;

  const ProviderConfig config = provider(0);
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.edits = &edits;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = kModels[which / 4 % 4];
  input.stream = facts->stream;
  EncodedRequest out;
  if (auto ok = dialect(name)->new_upstream_codec()->encode(input, out); !ok) {
    fuzz::must(ok.error().code == ErrorCode::kNotSupported || ok.error().code == ErrorCode::kInvalidRequest, "it is translated, or refused");
    return 0;
  }
  const std::string sent = joined(out);
  std::vector<MemberSpan> members;
  fuzz::must(bool(wire::scan_object(sent, {}, members)), "an edited body is JSON without doubled members");
  // What was set is there: a bound is what limits and prices go by.
  auto again = dialect(name)->new_client_codec();
  again->set_path(path);
  const auto read = again->scan(sent);
  fuzz::must(read.ok(), "an edited body is accepted");
  const bool bounded = !edits.empty() && edits.front().name == "max_tokens";
  fuzz::must(!bounded || (read->max_tokens && *read->max_tokens == 7), "a bound that a policy sets is the bound");
  if (edits.empty() && facts->model == input.upstream_model) fuzz::must(sent == body, "without edits nothing changes");
  return 0;
}
