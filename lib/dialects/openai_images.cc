// Pictures made from words, for providers of other dialects: POST /images/generations.
// https://platform.openai.com/docs/api-reference/images/create
#include "dialects/dates.h"
#include "dialects/openai_tasks.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::find_member;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

bool wants_url(std::string_view body) { return find_member(JsonValue(body), "response_format").equals("url"); }

}  // namespace

Result<TaskRequest> read_image(std::string_view body) {
  TaskRequest out;
  out.operation = Operation::kImage;
  ImageRequest& image = out.image;
  Fields fields;
  std::string form, background;
  std::optional<bool> stream;
  for (const JsonMember& m : JsonMembers(JsonValue(body))) {
    if (m.key == "model") fields.read(m.key, m.value, out.model);
    else if (m.key == "prompt") fields.read(m.key, m.value, image.prompt);
    else if (m.key == "n") fields.read(m.key, m.value, image.n);
    else if (m.key == "size") fields.read(m.key, m.value, image.size);
    else if (m.key == "output_format") fields.read(m.key, m.value, image.format);
    else if (m.key == "user") fields.read(m.key, m.value, image.user);
    else if (m.key == "response_format") fields.read(m.key, m.value, form);
    else if (m.key == "background") fields.read(m.key, m.value, background);
    else if (m.key == "stream") fields.read(m.key, m.value, stream);
    else if (!m.value.is_null()) add_member(out.extras, m.raw);
  }
  if (image.size == "auto") image.size.clear();
  image.inline_only = form == "b64_json";
  if (fields.ok() && !form.empty() && form != "url" && form != "b64_json") fields.fail(wrong_value("response_format", "url or b64_json"));
  if (fields.ok() && stream.value_or(false)) fields.fail(cannot_express("stream", "a picture in pieces", "another dialect"));
  if (fields.ok() && background == "transparent") fields.fail(cannot_express("background", "\"transparent\"", "another dialect"));
  if (!fields.ok()) return fields.take_error();
  return out;
}

void write_image_answer(const TaskResponse& response, std::string_view body, std::string& out) {
  const bool url = wants_url(body);
  JsonWriter w(out);
  w.begin_object();
  w.member("created", now_seconds());
  w.key("data");
  w.begin_array();
  for (const MadeImage& image : response.images) {
    w.begin_object();
    if (!image.url.empty()) w.member("url", image.url);
    else if (url) w.member("url", "data:" + image.mime + ";base64," + image.data);
    else w.member("b64_json", image.data);
    if (!image.revised_prompt.empty()) w.member("revised_prompt", image.revised_prompt);
    w.end_object();
  }
  w.end_array();
  if (!response.images.empty() && starts_with_ci(response.images.front().mime, "image/")) w.member("output_format", std::string_view(response.images.front().mime).substr(6));
  if (response.usage.known) {
    w.key("usage");
    w.begin_object();
    w.member("input_tokens", response.usage.input);
    w.member("output_tokens", response.usage.output);
    w.member("total_tokens", response.usage.input + response.usage.output);
    w.end_object();
  }
  w.end_object();
}

}  // namespace llmrouter::dialects::openai
