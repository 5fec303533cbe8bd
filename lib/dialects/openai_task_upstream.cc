// The upstream side of OpenAI's endpoints beside chat: bodies passed with the model's name spliced, answers passed as JSON, as events or as
// whatever they are.
#include <charconv>

#include "dialects/dashscope_tasks.h"
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/openai_tasks.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"
#include "dialects/vertex.h"
#include "wire/json_writer.h"
#include "wire/multipart.h"
#include "wire/pieced_body.h"
#include "wire/splice.h"
#include "wire/sse.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::find_member;
using wire::JsonValue;
using wire::SpliceEdit;
using wire::SseFrame;
using wire::SseParser;

// A picture comes in one event.
constexpr wire::SseLimits kEvents{64 * 1024 * 1024};

std::string_view path_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::kEmbed: return "/embeddings";
    case Operation::kRerank: return "/rerank";
    case Operation::kModerate: return "/moderations";
    case Operation::kImage: return "/images/generations";
    case Operation::kImageEdit: return "/images/edits";
    case Operation::kSpeech: return "/audio/speech";
    case Operation::kTranscribe: return "/audio/transcriptions";
    case Operation::kTranslateAudio: return "/audio/translations";
    default: return {};
  }
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// A client's body with what this provider calls otherwise under its own names.
class TaskRelay {
 public:
  TaskRelay(const EncodeInput& input, const TaskQuirks& quirks, EncodedRequest& out) : input_(input), quirks_(quirks), out_(out) {}

  void run(Operation operation) {
    if (operation == Operation::kEmbed) rename_members();
    if (input_.edits != nullptr) {
      for (const BodyEdit& edit : *input_.edits) {
        edits_.push_back(wire::to_splice(edit));
        edits_.back().name = renamed(edits_.back().name);
      }
    }
    std::string model;
    wire::append_json_string(model, input_.upstream_model);
    if (input_.facts->model != input_.upstream_model) edits_.push_back({BodyEdit::Kind::kSet, "model", {}, model});
    if (edits_.empty()) pass();
    else if (input_.facts->form != nullptr) splice_form(*input_.facts->form);
    else wire::splice(input_.body, input_.facts->members, edits_, out_.owned, out_.http.body);
  }

 private:
  std::string_view renamed(std::string_view name) const noexcept {
    if (name == "dimensions" && quirks_.output_dimension) return "output_dimension";
    if (name == "encoding_format" && quirks_.jina_names) return "embedding_type";
    return name;
  }

  void pass() {
    out_.http.source = input_.source;
    if (input_.source == nullptr) out_.http.body.push_back(input_.body);
  }

  void splice_form(const Form& form) {
    std::list<std::string> texts;
    const bool held = input_.source == nullptr;
    auto pieces = wire::splice_form(form, held ? input_.body.size() : input_.source->size(), edits_, held ? out_.owned : texts);
    if (!held) {
      out_.http.source = std::make_shared<wire::PiecedBody>(input_.source, std::move(pieces), std::move(texts));
      return;
    }
    for (const wire::FormPiece& piece : pieces) {
      out_.http.body.push_back(piece.end > piece.begin ? input_.body.substr(piece.begin, piece.size()) : piece.text);
    }
  }

  void rename_members() {
    for (const MemberSpan& m : input_.facts->members) {
      const std::string_view value = input_.body.substr(m.value_begin, m.value_end - m.value_begin);
      const std::string_view name = renamed(m.name);
      const bool plain_floats = quirks_.voyage_names && name == "encoding_format" && JsonValue(value).equals("float");
      if (name == m.name && !plain_floats) continue;
      edits_.push_back({BodyEdit::Kind::kRemove, m.name, {}, {}});
      if (!plain_floats) edits_.push_back({BodyEdit::Kind::kSet, name, {}, value});
    }
  }

  const EncodeInput& input_;
  const TaskQuirks& quirks_;
  EncodedRequest& out_;
  std::vector<SpliceEdit> edits_;
};

class OpenAiTaskUpstream final : public TaskUpstream {
 public:
  explicit OpenAiTaskUpstream(Operation operation) : operation_(operation) {}

  bool relays(const ProviderConfig& provider, const RequestFacts& facts) const override {
    const TaskQuirks quirks = TaskQuirks::of(provider);
    if (operation_ == Operation::kEmbed) return quirks.embed_batch == 0 || facts.inputs <= quirks.embed_batch;
    if (operation_ == Operation::kRerank) return !quirks.tei_rerank && quirks.voyage_names == asks_like_voyage(facts.members);
    return true;
  }

  int64_t max_inputs(const ProviderConfig& provider, std::string_view) const override { return TaskQuirks::of(provider).embed_batch; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    if (vertex::serves(*input.provider)) {
      return Error(ErrorCode::kNotSupported, std::string(operation_name(operation_)) + ": Vertex AI has this of its own models alone", "model");
    }
    key_ = Secret(std::string(input.key));
    const TaskQuirks quirks = TaskQuirks::of(*input.provider);
    const bool native = quirks.native_uses && operation_ == Operation::kEmbed && input.facts == nullptr && input.task != nullptr;
    if (native && dashscope::says_use(*input.provider, input.task->embed.use)) {
      native_ = dashscope::new_text_embed_upstream();
      return native_->encode(input, out);
    }
    if (input.facts != nullptr) {
      opaque_ = input.facts->opaque;
      TaskRelay(input, quirks, out).run(operation_);
    } else if (auto written = write_body(input, quirks, out); !written) {
      return written;
    }
    const std::string_view accept = input.stream ? "text/event-stream" : opaque_ ? "*/*" : "application/json";
    if (input.facts != nullptr && !input.facts->content_type.empty()) out.http.headers.push_back({"content-type", input.facts->content_type});
    auto filled = fill_request(*input.provider, "POST", model_path(*input.provider, input.upstream_model, path_of(operation_)), accept, input.key, out.http);
    // TEI's ranking is not among its OpenAI paths.
    constexpr std::string_view kVersioned = "/v1/rerank";
    if (quirks.tei_rerank && ends_with(out.http.url, kVersioned)) out.http.url.replace(out.http.url.size() - kVersioned.size(), kVersioned.size(), "/rerank");
    return filled;
  }

  void set_head(const HttpHead& head) override { events_ = starts_with_ci(head.header("content-type"), "text/event-stream"); }

  void feed(std::string_view bytes, UpstreamSink& sink) override {
    if (dead_) return;
    if (!events_) {
      if (!opaque_) return fail(unreadable("the upstream's answer is neither JSON nor events: " + scrub(plain_words(bytes), key_.reveal()), bytes, key_.reveal()), sink);
      if (sink.on_frame(bytes, FrameKind::kPayload) == Flow::kCancel) dead_ = true;
      return;
    }
    parser_.feed(bytes);
    drain(sink);
  }

  void finish(UpstreamSink& sink) override {
    if (dead_ || !events_) return;
    parser_.finish();
    drain(sink);
    if (!dead_ && !done_) fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_.reveal()), sink);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    if (native_) return native_->decode_task(body);
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    return operation_ == Operation::kEmbed ? read_embed_answer(*root, key_.reveal()) : read_rerank_answer(*root, key_.reveal());
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override { return read_task_usage(last_told(root, "usage")); }

 private:
  Result<void> write_body(const EncodeInput& input, const TaskQuirks& quirks, EncodedRequest& out) {
    if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
    std::string body;
    auto written = operation_ == Operation::kEmbed
                       ? write_embed(*input.task, input.upstream_model, quirks, input.foreign, body, out.dropped)
                   : operation_ == Operation::kRerank
                       ? write_rerank(*input.task, input.upstream_model, quirks, input.foreign, body, out.dropped)
                       : Error(ErrorCode::kNotSupported, std::string(operation_name(operation_)) + " passes only as bytes, from a client of the same dialect");
    if (!written) return written;
    out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    return {};
  }

  void fail(Error error, UpstreamSink& sink) {
    if (dead_) return;
    dead_ = true;
    sink.on_error(std::move(error));
  }

  void drain(UpstreamSink& sink) {
    SseFrame frame;
    while (!dead_) {
      switch (parser_.next(frame)) {
        case SseParser::Next::kFrame: take(frame, sink); break;
        case SseParser::Next::kMore: return;
        case SseParser::Next::kError: return fail(unreadable("the upstream's stream cannot be read: " + parser_.error(), {}, key_.reveal()), sink);
      }
    }
  }

  void pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink) {
    std::string mended;
    std::string_view raw = frame.raw;
    if (frame.kind == SseFrame::Kind::kEvent && !frame.terminated) raw = mended.append(raw).append("\n\n");
    if (sink.on_frame(raw, kind) == Flow::kCancel) dead_ = true;
  }

  void take(const SseFrame& frame, UpstreamSink& sink) {
    if (frame.kind == SseFrame::Kind::kComment) return pass(frame, FrameKind::kPrelude, sink);
    if (trim(frame.data) == "[DONE]") {
      done_ = true;
      return pass(frame, FrameKind::kDone, sink);
    }
    const JsonValue root(frame.data);
    if (!root.is_object() || !wire::validate(frame.data)) {
      return fail(unreadable("an event of the upstream's stream is not JSON: " + scrub(plain_words(frame.data), key_.reveal()), frame.data, key_.reveal()), sink);
    }
    JsonValue type, error;
    wire::pick(root, {{"type", &type}, {"error", &error}});
    if (frame.event == "error" || type.equals("error") || has_error_member(root)) return fail(error_of_object(root, key_.reveal()), sink);
    if (const TokenUsage used = read_task_usage(last_told(root, "usage")); used.known) sink.on_usage(used);
    std::string name = type.string_or();
    if (name.empty()) name = frame.event;
    // image_generation.completed, speech.audio.done, transcript.text.done; a segment's own end is not the end.
    const bool last = ends_with(name, ".completed") || (ends_with(name, ".done") && name.find("segment") == std::string::npos);
    if (last) {
      done_ = true;
      sink.on_finish(FinishReason::kStop);
    }
    pass(frame, last ? FrameKind::kFinish : FrameKind::kPayload, sink);
  }

  const Operation operation_;
  std::unique_ptr<UpstreamCodec> native_;  // the vendor's own API is asked in place of this one
  bool opaque_ = false, events_ = false, done_ = false, dead_ = false;
  SseParser parser_{kEvents};
};

}  // namespace

TaskQuirks TaskQuirks::of(const ProviderConfig& provider) {
  constexpr std::string_view kBatch = "embed_batch_";
  TaskQuirks q;
  for (const std::string& name : provider.quirks) {
    if (name == "output_dimension") q.output_dimension = true;
    else if (name == "voyage_names") q.voyage_names = q.output_dimension = true;
    else if (name == "jina_names") q.jina_names = true;
    else if (name == "nvidia_names") q.nvidia_names = true;
    else if (name == "tei_rerank") q.tei_rerank = true;
    else if (name == "native_uses") q.native_uses = true;
    else if (name.compare(0, kBatch.size(), kBatch) == 0) std::from_chars(name.data() + kBatch.size(), name.data() + name.size(), q.embed_batch);
  }
  return q;
}

std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) {
  if (path_of(operation).empty()) return nullptr;
  return std::make_unique<OpenAiTaskUpstream>(operation);
}

}  // namespace llmrouter::dialects::openai
