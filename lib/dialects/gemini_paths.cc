// Where requests go: models stand in the path.
#include "dialects/gemini.h"
#include "dialects/text_match.h"
#include "wire/splice.h"

namespace llmrouter::dialects::gemini {

void append_path(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    if (is_alnum(c) || std::string_view("-._~/@:").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
}

std::string path_of(std::string_view model, std::string_view operation) {
  model = bare_model(model);
  std::string path = model.substr(0, 12) == "tunedModels/" ? "/" : "/models/";
  append_path(path, model);
  return path.append(":").append(operation);
}

bool is_vertex(const ProviderConfig& provider) noexcept { return provider.base_url.find("/publishers/") != std::string::npos; }

WriteOptions write_options(const ProviderConfig& provider, bool foreign) {
  WriteOptions options;
  options.foreign = foreign;
  options.call_ids = !provider.has_quirk("no_call_ids");
  options.fetches_urls = provider.has_quirk("fetches_urls");
  return options;
}

void splice_model(const EncodeInput& input, EncodedRequest& out) {
  std::vector<wire::SpliceEdit> edits;
  if (input.edits != nullptr) {
    for (const BodyEdit& edit : *input.edits) edits.push_back(wire::to_splice(edit));
  }
  std::string model;
  wire::append_json_string(model, "models/" + std::string(bare_model(input.upstream_model)));
  for (const MemberSpan& member : input.facts->members) {
    if (member.name == "model") edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
    if (is_field(member.name, "generateContentRequest")) edits.push_back({BodyEdit::Kind::kSet, member.name, "model", model});
  }
  if (edits.empty()) out.http.body.push_back(input.body);
  else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
}

}  // namespace llmrouter::dialects::gemini
