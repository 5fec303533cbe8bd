// The client side of OpenAI's endpoints beside chat.
#include <algorithm>
#include <utility>

#include "dialects/openai.h"
#include "dialects/openai_tasks.h"
#include "dialects/text_match.h"
#include "wire/multipart.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonElements;
using wire::JsonValue;

// What OpenAI takes when a request names no model; its SDK lets one leave it out.
std::string_view default_model(Operation operation) noexcept {
  switch (operation) {
    case Operation::kModerate: return "omni-moderation-latest";
    case Operation::kImage:
    case Operation::kImageEdit: return "dall-e-2";
    default: return {};
  }
}

int64_t text_tokens(JsonValue value) noexcept { return static_cast<int64_t>((value.raw().size() + 3) / 4); }

class Scanner {
 public:
  Scanner(Operation operation, std::string_view body) : operation_(operation), body_(body) {}

  Result<RequestFacts> run() {
    auto scanned = scan_task(body_);
    if (!scanned) return scanned;
    facts_ = std::move(*scanned);
    if (facts_.model.empty()) facts_.model = default_model(operation_);
    if (facts_.model.empty()) return missing("model", "a string that is not empty");
    facts_.opaque = operation_ == Operation::kSpeech;
    if (operation_ == Operation::kRerank) {
      scan_rerank(body_, facts_, fields_);
    } else {
      for (const MemberSpan& m : facts_.members) take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      check_required();
    }
    if (!fields_.ok()) return fields_.take_error();
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "user") fields_.read(name, value, facts_.user);
    else if (name == "stream") take_stream(name, value);
    else if (name == "n") take_n(value);
    else if (operation_ == Operation::kEmbed && name == "input") scan_inputs(name, value, fields_, facts_);
    else if (name == "input" || name == "prompt" || name == "instructions") facts_.input_tokens += text_tokens(value);
    else if (operation_ == Operation::kEmbed && name == "encoding_format") take_format(value);
    else if (operation_ == Operation::kSpeech && name == "stream_format") facts_.stream = value.equals("sse");
    if (name == "input" && !value.is_unset()) input_seen_ = true;
    if (name == "prompt" && !value.is_unset()) prompt_seen_ = true;
  }

  void take_stream(std::string_view name, JsonValue value) {
    std::optional<bool> flag;
    fields_.read(name, value, flag);
    if (operation_ == Operation::kImage || operation_ == Operation::kImageEdit) facts_.stream = flag.value_or(false);
  }

  void take_n(JsonValue value) {
    std::optional<int64_t> n;
    fields_.read("n", value, n);
    if (n && (*n < 1 || *n > 128)) return fields_.fail(wrong_value("n", "from 1 to 128"));
    facts_.n = n.value_or(1);
  }

  void take_format(JsonValue value) {
    if (!value.is_unset() && !value.is_string()) fields_.fail(wrong_type("encoding_format", "\"float\" or \"base64\"", value));
  }

  void check_required() {
    switch (operation_) {
      case Operation::kEmbed:
      case Operation::kModerate:
      case Operation::kSpeech:
        if (!input_seen_) fields_.fail(missing("input", "what to work on"));
        return;
      case Operation::kImage:
      case Operation::kImageEdit:
        if (!prompt_seen_) fields_.fail(missing("prompt", "a string"));
        return;
      default: return;
    }
  }

  const Operation operation_;
  std::string_view body_;
  RequestFacts facts_;
  Fields fields_;
  bool input_seen_ = false, prompt_seen_ = false;
};

// The fields of a form that nobody has read yet.
Result<std::shared_ptr<const Form>> read_form(const BodySource& body, std::string_view boundary) {
  constexpr size_t kPiece = 64 * 1024;
  wire::FormReader reader(boundary);
  std::string piece(kPiece, '\0');
  for (size_t at = 0; at < body.size();) {
    auto read = body.read(at, piece.data(), std::min(kPiece, body.size() - at));
    if (!read) return std::move(read).error();
    if (*read == 0) return Error(ErrorCode::kIo, "the body has fewer bytes than its source said");
    if (!reader.feed(std::string_view(piece).substr(0, *read))) break;
    at += *read;
  }
  auto form = reader.finish();
  if (!form) return std::move(form).error();
  return std::shared_ptr<const Form>(std::make_shared<Form>(std::move(*form)));
}

// A form's fields: what the body's members are elsewhere.
class FormScanner {
 public:
  FormScanner(Operation operation, const std::string& content_type) : operation_(operation) { facts_.content_type = content_type; }

  Result<RequestFacts> run(std::shared_ptr<const Form> form) {
    facts_.form = std::move(form);
    facts_.opaque = operation_ != Operation::kImageEdit;  // transcripts may be plain text
    for (const FormField& field : facts_.form->fields) take(field);
    if (!fields_.ok()) return fields_.take_error();
    if (facts_.model.empty()) facts_.model = default_model(operation_);
    if (facts_.model.empty()) return missing("model", "a field of the form");
    if (operation_ == Operation::kImageEdit && !prompt_) return missing("prompt", "a field of the form");
    if (!file_) return missing(operation_ == Operation::kImageEdit ? "image" : "file", "a field of the form with a file");
    // A picture as elsewhere; of sound a token for each 1500 bytes, as in estimate.h.
    if (operation_ == Operation::kImageEdit) facts_.input_tokens += 800;
    else facts_.input_tokens += static_cast<int64_t>(file_bytes_ / 1500) + 1;
    return std::move(facts_);
  }

 private:
  void take(const FormField& field) {
    if (field.file) {
      file_ = true;
      file_bytes_ += field.size();
    } else if (field.name == "model") {
      if (std::exchange(model_, true)) return fields_.fail(Error(ErrorCode::kInvalidRequest, "`model` comes twice", "model"));
      facts_.model = text_of(field);
    } else if (field.name == "prompt") {
      prompt_ = field.size() != 0;
      facts_.input_tokens += static_cast<int64_t>((field.size() + 3) / 4);
    } else if (field.name == "stream") {
      const std::string value = text_of(field);
      facts_.stream = equals_ci(value, "true") || value == "1";
    } else if (field.name == "user") {
      facts_.user = text_of(field);
    }
  }

  std::string text_of(const FormField& field) {
    if (!field.whole_text()) fields_.fail(Error(ErrorCode::kInvalidRequest, field.name + ": it is over " + std::to_string(field.text.size()) + " bytes", field.name));
    return field.text;
  }

  const Operation operation_;
  RequestFacts facts_;
  Fields fields_;
  bool model_ = false, file_ = false, prompt_ = false;
  size_t file_bytes_ = 0;
};

class OpenAiTaskClient final : public TaskClient {
 public:
  explicit OpenAiTaskClient(Operation operation) : operation_(operation) {}

  void set_path(const RequestPath& path) override { content_type_ = path.content_type; }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    if (takes_form_only() || !content_type_.empty()) return scan_form(nullptr);
    auto facts = Scanner(operation_, body).run();
    if (facts) model_ = facts->model;
    return facts;
  }

  Result<RequestFacts> scan_source(const BodySource& body) override {
    if (takes_form_only() || operation_ == Operation::kImageEdit) return scan_form(&body);
    return TaskClient::scan_source(body);
  }

  Result<TaskRequest> decode_task() override {
    if (operation_ == Operation::kEmbed) return read_embed(body_);
    if (operation_ == Operation::kRerank) return read_rerank(body_);
    if (operation_ == Operation::kImage) return read_image(body_);
    return TaskClient::decode_task();
  }

  void encode_task(const TaskResponse& response, std::string& out) override {
    if (operation_ == Operation::kEmbed) write_embed_answer(response, model_, wants_base64(body_), out);
    else if (operation_ == Operation::kImage) write_image_answer(response, body_, out);
    else write_rerank_answer(response, model_, body_, out);
  }

  bool is_error_body(std::string_view body) const override {
    return wire::validate(body) && wire::find(wire::JsonValue(body), "error", "message").is_string();
  }
  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override {
    out += "event: error\ndata: ";
    write_error(error, out);
    out += "\n\n";
  }

 private:
  bool takes_form_only() const noexcept { return operation_ == Operation::kTranscribe || operation_ == Operation::kTranslateAudio; }

  // `source` null: the body is in memory.
  Result<RequestFacts> scan_form(const BodySource* source) {
    const auto boundary = wire::form_boundary(content_type_);
    if (!boundary) return Error(ErrorCode::kUnsupportedMediaType, "content-type: expected multipart/form-data with a boundary");
    std::shared_ptr<const Form> form;
    if (source != nullptr) {
      auto known = source->form();
      if (known && !*known) known = read_form(*source, *boundary);
      if (!known) return std::move(known).error();
      form = std::move(*known);
      if (form->boundary != *boundary) return Error(ErrorCode::kInvalidRequest, "content-type: its boundary is not the body's");
    } else {
      wire::FormReader reader(*boundary);
      reader.feed(body_);
      auto read = reader.finish();
      if (!read) return std::move(read).error();
      form = std::make_shared<Form>(std::move(*read));
    }
    return FormScanner(operation_, content_type_).run(std::move(form));
  }

  const Operation operation_;
  std::string_view body_;
  std::string model_;
  std::string content_type_;  // of a form; empty: JSON
};

}  // namespace

std::unique_ptr<ClientCodec> new_task_client(Operation operation) {
  switch (operation) {
    case Operation::kEmbed:
    case Operation::kRerank:
    case Operation::kModerate:
    case Operation::kImage:
    case Operation::kImageEdit:
    case Operation::kSpeech:
    case Operation::kTranscribe:
    case Operation::kTranslateAudio: return std::make_unique<OpenAiTaskClient>(operation);
    default: return nullptr;
  }
}

}  // namespace llmrouter::dialects::openai
