#include "dialects/aws_sign.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/http_template.h"
#include "dialects/openai.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"
#include "llmrouter/secret.h"
#include "wire/ndjson.h"
#include "wire/sse.h"

namespace llmrouter::dialects::http_template {
namespace {

using wire::JsonValue;
using wire::NdjsonLine;
using wire::NdjsonParser;
using wire::SseFrame;
using wire::SseParser;

constexpr size_t kWholeCap = 16 * 1024 * 1024;  // of an answer that comes whole although a stream was asked for

// What stands there as text: a string's, or a number's and a boolean's as JSON writes them.
std::string text_at(JsonValue root, std::string_view pointer) {
  const JsonValue value = at_pointer(root, pointer);
  if (value.is_string()) return value.string_or();
  return value.is_number() || value.boolean() ? std::string(value.raw()) : std::string();
}

// Is there something that says yes: true, a number but 0, a text that is not empty.
bool says_yes(JsonValue value) {
  if (auto flag = value.boolean()) return *flag;
  if (value.is_number()) return value.number().value_or(0) != 0;
  return value.nonempty_string() || value.is_object() || value.is_array();
}

class TemplateUpstream final : public UpstreamCodec {
 public:
  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    form_ = input.provider->http;
    key_ = Secret(std::string(input.key));
    model_ = input.upstream_model;
    const bool stream = input.stream && !form_.stream_format.empty();
    std::string body;
    auto written = write_request(form_, *input.chat, model_, stream, input.foreign, body, out.dropped);
    if (!written) return written;
    out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    std::string path = form_.path;
    constexpr std::string_view kModel = "{model}";
    if (const size_t at = path.find(kModel); at != std::string::npos) path.replace(at, kModel.size(), percent_encode(model_));
    const std::string_view accept = !stream ? "application/json" : form_.stream_format == "sse" ? "text/event-stream" : "application/x-ndjson";
    return fill_request(*input.provider, form_.method, path, accept, input.key, out.http);
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override {
    if (dead_) return;
    if (form_.stream_format == "sse") {
      sse_.feed(bytes);
      drain_sse(sink);
    } else if (form_.stream_format == "ndjson") {
      lines_.feed(bytes);
      drain_lines(sink);
    } else if (whole_.size() + bytes.size() > kWholeCap) {
      fail(unreadable("the upstream's answer is larger than " + std::to_string(kWholeCap) + " bytes", {}, key_.reveal()), sink);
    } else {
      whole_.append(bytes);
    }
  }

  void finish(UpstreamSink& sink) override {
    if (dead_) return;
    if (form_.stream_format == "sse") {
      sse_.finish();
      drain_sse(sink);
    } else if (form_.stream_format == "ndjson") {
      lines_.finish();
      drain_lines(sink);
    } else {
      return tell_whole(sink);
    }
    if (dead_) return;
    if (!form_.stream_done.empty() && !done_) return fail(unreadable("the upstream's stream ended, and nothing in it said so at " + form_.stream_done, {}, key_.reveal()), sink);
    if (!spoken_ && !done_) return fail(unreadable("nothing in the upstream's stream stands at " + form_.stream_text, {}, key_.reveal()), sink);
    end(sink);
  }

  // Nobody speaks this dialect to us.
  Result<ReplyFacts> inspect(std::string_view) override { return Error(ErrorCode::kInternal, "answers of a template are not relayed"); }

  Result<ChatResponse> decode(std::string_view body) override {
    const std::string_view text = bare(body);
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    const JsonValue root(text);
    const std::string* place = &form_.text;
    // A stream of one line under the name of JSON.
    if (form_.stream_format == "ndjson" && !at_pointer(root, *place).exists() && at_pointer(root, form_.stream_text).exists()) place = &form_.stream_text;
    const JsonValue found = at_pointer(root, *place);
    if (!found.exists() || found.is_object() || found.is_array()) {
      if (has_error_member(root)) return error_of_object(root, key_.reveal());
      return unreadable("the upstream's answer has no text at " + form_.text, text, key_.reveal());
    }
    take_facts(root);
    ChatResponse response;
    response.model = model_;
    response.created = now_seconds();
    response.usage = usage_;
    Choice choice;
    choice.message.role = Role::kAssistant;
    choice.message.parts.push_back(Part::of_text(text_at(root, *place)));
    choice.finish_raw = finish_word_;
    choice.finish = finish_reason();
    response.choices.push_back(std::move(choice));
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view, EncodedRequest&) override {
    return Error(ErrorCode::kNotSupported, "provider " + provider.name + ": a template has no list of models; name them under models.override");
  }
  Result<std::vector<std::string>> parse_models(std::string_view) override { return Error(ErrorCode::kInternal, "a template has no list of models"); }

 private:
  void fail(Error error, UpstreamSink& sink) {
    if (dead_) return;
    dead_ = true;
    sink.on_error(std::move(error));
  }
  void tell(const StreamEvent& event, UpstreamSink& sink) {
    if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
  }

  void drain_sse(UpstreamSink& sink) {
    SseFrame frame;
    while (!dead_) {
      switch (sse_.next(frame)) {
        case SseParser::Next::kFrame:
          if (frame.kind == SseFrame::Kind::kEvent) take(trim(frame.data), sink);
          break;
        case SseParser::Next::kMore: return;
        case SseParser::Next::kError: return fail(unreadable("the upstream's stream cannot be read: " + sse_.error(), {}, key_.reveal()), sink);
      }
    }
  }
  void drain_lines(UpstreamSink& sink) {
    NdjsonLine line;
    while (!dead_) {
      switch (lines_.next(line)) {
        case NdjsonParser::Next::kLine:
          if (!line.text.empty()) take(line.text, sink);
          break;
        case NdjsonParser::Next::kMore: return;
        case NdjsonParser::Next::kError: return fail(unreadable("the upstream's stream cannot be read: " + lines_.error(), {}, key_.reveal()), sink);
      }
    }
  }

  void take(std::string_view data, UpstreamSink& sink) {
    if (done_) return;
    if (data == "[DONE]") {
      done_ = true;
      sink.on_frame({}, FrameKind::kDone);
      return;
    }
    if (!wire::validate(data)) {
      return fail(unreadable("a piece of the upstream's stream is not JSON: " + scrub(plain_words(data), key_.reveal()), data, key_.reveal()), sink);
    }
    const JsonValue root(data);
    if (has_error_member(root)) return fail(error_of_object(root, key_.reveal()), sink);
    take_facts(root);
    if (at_pointer(root, form_.stream_text).exists()) spoken_ = true;
    if (const std::string text = text_at(root, form_.stream_text); !text.empty()) {
      start(sink);
      StreamEvent event;
      event.kind = StreamEvent::Kind::kText;
      event.text = text;
      tell(event, sink);
    }
    if (!form_.stream_done.empty() && says_yes(at_pointer(root, form_.stream_done))) {
      done_ = true;
      if (!dead_) sink.on_frame({}, FrameKind::kDone);
    }
  }

  // Whatever of it stands there; the last one counts.
  void take_facts(JsonValue root) {
    if (!form_.finish.empty()) {
      if (std::string word = text_at(root, form_.finish); !word.empty()) finish_word_ = std::move(word);
    }
    const auto count = [&](const std::string& pointer) { return pointer.empty() ? std::nullopt : at_pointer(root, pointer).integer(); };
    if (auto input = count(form_.usage_input); input && *input >= 0) {
      usage_.input = *input;
      has_input_ = true;
    }
    if (auto output = count(form_.usage_output); output && *output >= 0) {
      usage_.output = *output;
      has_output_ = true;
    }
    usage_.known = has_input_ || has_output_;
    if (usage_.known) mark_missing(usage_, has_input_, has_output_);
  }

  FinishReason finish_reason() const noexcept {
    if (finish_word_ == "true" || finish_word_ == "false") return FinishReason::kStop;
    return openai::settle_finish(finish_word_, false);
  }

  void start(UpstreamSink& sink) {
    if (started_) return;
    started_ = true;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kStart;
    event.model = model_;
    event.created = now_seconds();
    tell(event, sink);
  }

  void end(UpstreamSink& sink) {
    start(sink);
    StreamEvent event;
    event.kind = StreamEvent::Kind::kFinish;
    event.finish = finish_reason();
    event.raw = finish_word_;
    if (event.finish == FinishReason::kError) return fail(openai::finish_error(finish_word_), sink);
    tell(event, sink);
    event = StreamEvent();
    event.kind = StreamEvent::Kind::kUsage;
    event.usage = usage_;
    if (usage_.known) tell(event, sink);
  }

  // The provider does not stream: all of it is told at once.
  void tell_whole(UpstreamSink& sink) {
    auto response = decode(whole_);
    if (!response) return fail(std::move(response).error(), sink);
    start(sink);
    StreamEvent event;
    const std::string text = response->text();
    event.text = text;
    if (!text.empty()) tell(event, sink);
    end(sink);
  }

  HttpTemplate form_;
  Secret key_;
  std::string model_, whole_, finish_word_;
  TokenUsage usage_;
  bool has_input_ = false, has_output_ = false;  // of the counts
  SseParser sse_;
  NdjsonParser lines_;
  bool started_ = false, spoken_ = false, done_ = false, dead_ = false;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<TemplateUpstream>(); }

}  // namespace llmrouter::dialects::http_template
