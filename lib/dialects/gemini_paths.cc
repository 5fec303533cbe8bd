// Where requests go: models stand in the path.
#include "dialects/gemini.h"
#include "dialects/http_request.h"
#include "dialects/vertex.h"
#include "wire/splice.h"

namespace llmrouter::dialects::gemini {

std::string path_of(std::string_view model, std::string_view operation) {
  model = bare_model(model);
  std::string path = model.substr(0, 12) == "tunedModels/" ? "/" : "/models/";
  append_path(path, model);
  return path.append(":").append(operation);
}

Result<void> fill_google(const ProviderConfig& provider, std::string_view model, std::string_view operation, std::string_view accept, std::string_view key,
                         HttpRequest& out) {
  if (vertex::serves(provider)) return vertex::fill(provider, vertex::kGoogle, bare_model(model), operation, accept, key, out);
  return fill_request(provider, "POST", path_of(model, operation), accept, key, out);
}

WriteOptions write_options(const ProviderConfig& provider, bool foreign) {
  WriteOptions options;
  options.foreign = foreign;
  options.call_ids = !provider.has_quirk("no_call_ids");
  options.fetches_urls = provider.has_quirk("fetches_urls");
  return options;
}

void splice_model(const EncodeInput& input, EncodedRequest& out) {
  if (vertex::serves(*input.provider)) return splice_for_vertex(input, out);
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
