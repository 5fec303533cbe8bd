// Thoughts with signatures, as `reasoning_details` has them: {"type":"reasoning.text|reasoning.encrypted","text"|"data","signature","format","index"}.
// OpenRouter made the member and wants its entries back unchanged; here it also carries other makers' signatures to OpenAI's clients.
#include "dialects/citation.h"
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "dialects/signature.h"

namespace llmrouter::dialects::openai {

std::string chat_annotation(wire::JsonValue annotation) {
  const wire::JsonValue type = wire::find_member(annotation, "type");
  if (!type.is_string() || type.equals("url_citation")) return std::string(annotation.raw());
  const wire::JsonValue said = wire::find_member(annotation, type.string_or());
  const auto text = [&](const char* one, const char* other) { return wire::find_member(said, one).string_or(wire::find_member(said, other).string_or()); };
  const auto place = [&](const char* one) { return wire::find_member(said, one).integer().value_or(wire::find_member(said, "index").integer().value_or(0)); };
  std::string out;
  wire::JsonWriter w(out);
  write_url_citation(place("start_index"), place("end_index"), text("url", "url"), text("title", "filename"), w, [&](wire::JsonWriter& inside) {
    for (const wire::JsonMember& m : wire::JsonMembers(said)) {
      if (m.key != "start_index" && m.key != "end_index" && m.key != "url" && m.key != "title") inside.raw(m.raw);
    }
  });
  return out;
}

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

std::string_view format_of(std::string_view maker) noexcept {
  if (maker == "anthropic") return "anthropic-claude-v1";
  if (maker == "gemini") return "google-gemini-v1";
  return maker == "responses" ? std::string_view("openai-responses-v1") : std::string_view("unknown");
}

}  // namespace

Part read_detail(JsonValue entry) {
  JsonValue type, text, summary, data, signature;
  wire::pick(entry, {{"type", &type}, {"text", &text}, {"summary", &summary}, {"data", &data}, {"signature", &signature}});
  Part part;
  part.kind = Part::Kind::kReasoning;
  part.text = text.nonempty_string() ? text.string_or() : summary.string_or();
  part.redacted = type.equals("reasoning.encrypted");
  const std::string opaque = part.redacted ? data.string_or() : signature.string_or();
  if (opaque.empty()) return part;
  Signed sign = open_signature(opaque, kMaker);
  part.maker = std::move(sign.maker);
  if (part.maker != kMaker) {
    part.signature = std::move(sign.signature);
    return part;
  }
  // The vendor's own: all of the entry but its text.
  JsonWriter w(part.signature);
  w.begin_object();
  for (const JsonMember& m : JsonMembers(entry)) {
    if (m.key != "text" && m.key != "summary") w.raw(m.raw);
  }
  w.end_object();
  return part;
}

std::string detail_of(const Part& part) {
  std::string out(part.signature);
  if (part.text.empty() || out.size() < 2 || out.back() != '}') return out;
  out.pop_back();
  if (out.size() > 1) out += ',';
  out += "\"text\":";
  wire::append_json_string(out, part.text);
  return out += '}';
}

std::string client_detail(std::string_view maker, std::string_view signature, std::string_view text, bool redacted, int64_t index) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("type", redacted ? std::string_view("reasoning.encrypted") : std::string_view("reasoning.text"));
  const std::string sealed = seal_signature(maker, kMaker, signature);
  if (redacted) {
    w.member("data", sealed);
  } else {
    w.member("text", text);
    w.member("signature", sealed);
  }
  w.member("format", format_of(maker));
  w.member("index", index);
  w.end_object();
  return out;
}

bool read_details(JsonValue details, std::string_view thought, std::vector<Part>& parts) {
  std::vector<Part> found;
  std::string told;
  bool ours = false;
  for (JsonValue entry : JsonElements(details)) {
    Part part = read_detail(entry);
    told += part.text;
    ours = ours || (!part.maker.empty() && part.maker != kMaker);
    found.push_back(std::move(part));
  }
  // The same thought under two names is told once; where they differ, the plain one is what was said.
  const bool same = thought.empty() || told == thought;
  if (!same) {
    Part plain;
    plain.kind = Part::Kind::kReasoning;
    plain.text = thought;
    parts.push_back(std::move(plain));
  }
  for (Part& part : found) {
    if (!same) part.text.clear();
    if (thought.empty()) part.name = "reasoning_details";
    if (!part.text.empty() || !part.signature.empty()) parts.push_back(std::move(part));
  }
  return ours;
}

}  // namespace llmrouter::dialects::openai
