// Items: what a conversation is made of, in requests and answers alike.
#include "dialects/custom_tools.h"
#include "dialects/fields.h"
#include "dialects/responses.h"
#include "dialects/signature.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::responses {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

Part part_of(Part::Kind kind) {
  Part part;
  part.kind = kind;
  return part;
}

Part read_file(JsonValue value) {
  Part part = part_of(Part::Kind::kFile);
  part.file_id = find_member(value, "file_id").string_or();
  part.name = find_member(value, "filename").string_or();
  part.url = find_member(value, "file_url").string_or();
  std::string data = find_member(value, "file_data").string_or();
  (data.compare(0, 5, "data:") == 0 ? part.url : part.data) = std::move(data);
  return part;
}

Part read_image(JsonValue value) {
  Part part = part_of(Part::Kind::kImage);
  const JsonValue image = find_member(value, "image_url");
  // The chat dialect's shape is met as well.
  part.url = image.is_object() ? find_member(image, "url").string_or() : image.string_or();
  part.file_id = find_member(value, "file_id").string_or();
  part.detail = find_member(value, "detail").string_or();
  return part;
}

Part read_audio(JsonValue value) {
  Part part = part_of(Part::Kind::kAudio);
  JsonValue audio = find_member(value, "input_audio");
  if (!audio.is_object()) audio = value;
  part.data = find_member(audio, "data").string_or();
  if (std::string format = find_member(audio, "format").string_or(); !format.empty()) part.mime = "audio/" + format;
  return part;
}

Part read_part(JsonValue value) {
  const JsonValue type = find_member(value, "type");
  if (type.equals("input_text") || type.equals("output_text") || type.equals("text") || type.equals("summary_text")) {
    return Part::of_text(find_member(value, "text").string_or());
  }
  if (type.equals("input_image")) return read_image(value);
  if (type.equals("input_file")) return read_file(value);
  if (type.equals("input_audio")) return read_audio(value);
  if (type.equals("refusal")) {
    Part part = part_of(Part::Kind::kRefusal);
    part.text = find_member(value, "refusal").string_or();
    return part;
  }
  Part part = part_of(Part::Kind::kOther);
  part.raw = value.raw();
  return part;
}

// The texts of a list of parts, a blank line between two.
std::string joined(JsonValue list) {
  std::string out;
  for (JsonValue entry : JsonElements(list)) {
    const std::string text = find_member(entry, "text").string_or();
    if (!out.empty() && !text.empty()) out += "\n\n";
    out += text;
  }
  return out;
}

}  // namespace

void read_content(JsonValue content, std::vector<Part>& parts) {
  if (content.is_unset()) return;
  if (content.is_array()) {
    for (JsonValue part : JsonElements(content)) parts.push_back(read_part(part));
    return;
  }
  parts.push_back(Part::of_text(text_of_value(content)));
}

Part read_reasoning(JsonValue item) {
  JsonValue summary, content, encrypted;
  wire::pick(item, {{"summary", &summary}, {"content", &content}, {"encrypted_content", &encrypted}});
  Part part = part_of(Part::Kind::kReasoning);
  part.text = joined(summary);
  if (part.text.empty()) {
    part.text = joined(content);
    if (!part.text.empty()) part.name = "reasoning_text";
  }
  Signed sign = open_signature(encrypted.string_or(), kMaker);
  part.maker = std::move(sign.maker);
  part.signature = std::move(sign.signature);
  // One that has a summary which says nothing is no hidden one.
  part.redacted = !part.signature.empty() && part.text.empty() && (!summary.is_array() || summary.empty_container());
  return part;
}

ToolCall read_call(JsonValue item) {
  JsonValue type, id, call_id, name, arguments, input;
  wire::pick(item, {{"type", &type}, {"id", &id}, {"call_id", &call_id}, {"name", &name}, {"arguments", &arguments}, {"input", &input}});
  ToolCall call;
  call.id = call_id.string_or(id.string_or());
  call.name = name.string_or();
  if (type.equals("custom_tool_call")) {
    call.arguments = arguments_of_input(input.string_or());
    call.custom = true;
  } else {
    call.arguments = text_of_value(arguments);
    if (call.arguments.empty()) call.arguments = "{}";
  }
  return call;
}

std::string chat_annotation(JsonValue flat) {
  const std::string type = find_member(flat, "type").string_or("annotation");
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("type", type);
  w.key(type);
  w.begin_object();
  for (const JsonMember& m : JsonMembers(flat)) {
    if (m.key != "type") w.raw(m.raw);
  }
  w.end_object();
  w.end_object();
  return out;
}

std::string flat_annotation(JsonValue chat) {
  const JsonValue type = find_member(chat, "type");
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("type", type.string_or("url_citation"));
  for (const JsonMember& m : JsonMembers(chat)) {
    if (m.key == "type") continue;
    if (!m.value.is_object() || m.key != type.string_or("url_citation")) {
      w.raw(m.raw);
      continue;
    }
    for (const JsonMember& inner : JsonMembers(m.value)) w.raw(inner.raw);
  }
  w.end_object();
  std::string line;
  append_one_line(line, out);
  return line;
}

}  // namespace llmrouter::dialects::responses
