// Where requests go: models stand in the path.
#include <utility>

#include "dialects/gemini.h"
#include "dialects/http_request.h"
#include "dialects/own_edits.h"
#include "dialects/vertex.h"
#include "wire/splice.h"

namespace llmrouter::dialects::gemini {
namespace {

// A policy's edits in this dialect's members, as the client spells them.
Result<void> add_policy(const EncodeInput& input, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits) {
  Target target;
  target.model = input.upstream_model;
  target.stream = input.stream;
  OwnForm form;
  form.conversation = "contents";
  form.least = R"([{"role":"user","parts":[{"text":"."}]}])";
  form.bulk = {"systemInstruction", "tools"};
  form.holders = {"generationConfig", "toolConfig"};
  form.formats = {"generationConfig.responseJsonSchema", "generationConfig.responseSchema"};
  form.spelling = Spelling::kCamelOrSnake;
  form.read = [&](std::string_view body) { return read_request(body, target); };
  form.write = [&](const ChatRequest& request, std::string& body, std::vector<std::string>& dropped) {
    return write_request(request, input.upstream_model, write_options(*input.provider, false), body, dropped);
  };
  return add_own_edits(input, form, out, edits);
}

}  // namespace

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

Result<void> splice_request(const EncodeInput& input, EncodedRequest& out) {
  std::vector<wire::SpliceEdit> edits;
  if (has_edits(input)) {
    if (auto added = add_policy(input, out, edits); !added) return added;
  }
  if (vertex::serves(*input.provider)) {
    splice_for_vertex(input, std::move(edits), out);
    return {};
  }
  std::string model;
  wire::append_json_string(model, "models/" + std::string(bare_model(input.upstream_model)));
  for (const MemberSpan& member : input.facts->members) {
    if (member.name == "model") edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
    if (is_field(member.name, "generateContentRequest")) edits.push_back({BodyEdit::Kind::kSet, member.name, "model", model});
  }
  if (edits.empty()) out.http.body.push_back(input.body);
  else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
  return {};
}

}  // namespace llmrouter::dialects::gemini
