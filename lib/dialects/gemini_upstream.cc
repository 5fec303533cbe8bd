// The upstream side: the Gemini API, Vertex AI, and whoever speaks like them.
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/gemini_events.h"
#include "dialects/http_request.h"
#include "dialects/text_match.h"
#include "dialects/tool_names.h"
#include "dialects/vertex.h"
#include "llmrouter/secret.h"
#include "wire/sse.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SseFrame;
using wire::SseParser;

constexpr size_t kMaxWhole = 64 * 1024 * 1024;  // of an answer that is no event stream

class GeminiUpstream final : public UpstreamCodec {
 public:
  bool fetches(const ProviderConfig& provider, const Part& part) const override { return provider.has_quirk("fetches_urls") || is_googles(part.url); }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    relay_ = input.facts != nullptr;
    events_.configure(input.foreign, key_.reveal());
    if (relay_) {
      if (auto spliced = splice_request(input, out); !spliced) return spliced;
    } else {
      if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string body;
      std::optional<ChatRequest> copy;
      auto written = write_request(names_.fit(*input.chat, kGoogleNames, input.foreign, copy), input.upstream_model, write_options(*input.provider, input.foreign), body, out.dropped);
      if (!written) return written;
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    return fill_google(*input.provider, input.upstream_model, input.stream ? "streamGenerateContent?alt=sse" : "generateContent",
                       input.stream ? "text/event-stream" : "application/json", input.key, out.http);
  }

  void feed(std::string_view bytes, UpstreamSink& client) override {
    if (dead_) return;
    UpstreamSink& sink = names_.restoring(client);
    if (shape_ == Shape::kUnknown) {
      // The content type says nothing; the first letter does.
      const size_t at = bytes.find_first_not_of(" \t\r\n");
      if (at != std::string_view::npos) shape_ = bytes[at] == '{' || bytes[at] == '[' ? Shape::kWhole : Shape::kEvents;
    }
    if (shape_ == Shape::kWhole) {
      if (whole_.size() + bytes.size() > kMaxWhole) return fail(unreadable("the upstream's answer is too large", {}, key_.reveal()), sink);
      whole_.append(bytes);
      return;
    }
    parser_.feed(bytes);
    drain(sink);
  }

  void finish(UpstreamSink& client) override {
    if (dead_) return;
    UpstreamSink& sink = names_.restoring(client);
    if (shape_ == Shape::kWhole) {
      tell_whole(sink);
    } else {
      parser_.finish();
      drain(sink);
    }
    if (dead_) return;
    if (finished()) return relay_ ? void() : events_.close(sink);
    fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_.reveal()), sink);
  }

  Result<ReplyFacts> inspect(std::string_view body) override {
    const std::string_view text = bare(body);
    if (auto error = fault_of(text)) return std::move(*error);
    const Look look = look_at(JsonValue(text));
    if (look.ended == 0 && !look.visible) return unreadable("the upstream answered without any candidate", text, key_.reveal());
    ReplyFacts facts;
    facts.usage = look.usage;
    facts.finish = look.finish;
    facts.model = look.model;
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    const std::string_view text = bare(body);
    if (auto error = fault_of(text)) return std::move(*error);
    Collector collector;
    // A stream asked for without alt=sse: an array of steps.
    if (const JsonValue root(text); root.is_array()) {
      for (JsonValue step : JsonElements(root)) {
        if (!events_.step(step, collector)) break;
      }
    } else {
      events_.step(root, collector);
    }
    events_.close(collector);
    Result<ChatResponse> response = collector.take();
    if (response) names_.restore(*response);
    if (response && !events_.finished()) {
      return unreadable(response->choices.empty() ? "the upstream answered without any candidate" : "the upstream's answer does not say how it ended", text,
                        key_.reveal());
    }
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    return ask_models(provider, out);
  }

  bool encode_more_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    if (page_token_.empty()) {
      // Vertex AI: the list of the other publisher whose models are served.
      if (claude_ || !vertex::serves(provider)) return false;
      claude_ = true;
    }
    key_ = Secret(std::string(key));
    return ask_models(provider, out).ok();
  }

  // {"models":[{"name":"models/X"}]}, at Vertex {"publisherModels":[{"name":"publishers/google/models/X"}]}.
  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    const std::string_view text = bare(body);
    if (auto error = fault_of(text)) return std::move(*error);
    JsonValue list, token;
    for (const JsonMember& m : JsonMembers(JsonValue(text))) {
      if (m.key == "models" || is_field(m.key, "publisherModels")) list = m.value;
      else if (is_field(m.key, "nextPageToken")) token = m.value;
    }
    page_token_ = token.string_or();
    if (!list.is_array() && !JsonValue(text).empty_container()) {
      return unreadable("the upstream's list of models has no `models`", text, key_.reveal());
    }
    std::vector<std::string> ids;
    for (JsonValue entry : JsonElements(list)) {
      const std::string name = find_member(entry, "name").string_or();
      const size_t at = name.rfind("/models/");
      const std::string_view id = at == std::string::npos ? bare_model(name) : std::string_view(name).substr(at + 8);
      if (!id.empty()) ids.emplace_back(id);
    }
    return ids;
  }

 private:
  enum class Shape { kUnknown, kEvents, kWhole };

  Result<void> ask_models(const ProviderConfig& provider, EncodedRequest& out) const {
    std::string query = "?pageSize=1000";
    if (!page_token_.empty()) {
      query += "&pageToken=";
      append_query(query, page_token_);
    }
    if (vertex::serves(provider)) return vertex::fill_list(provider, claude_ ? vertex::kAnthropic : vertex::kGoogle, query, key_.reveal(), out.http);
    return fill_request(provider, "GET", "/models" + query, "application/json", key_.reveal(), out.http);
  }

  // An error, or no JSON at all.
  std::optional<Error> fault_of(std::string_view text) const {
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    const JsonValue root(text);
    if (has_error_member(root.is_array() ? wire::find_element(root, 0) : root)) return error_of_object(root, key_.reveal());
    return std::nullopt;
  }

  // Did everything that began come to its end?
  bool finished() const noexcept { return relay_ ? ended_ != 0 && (seen_ & ~ended_) == 0 : events_.finished(); }

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
        case SseParser::Next::kError:
          return fail(unreadable("the upstream's stream cannot be read: " + parser_.error(), {}, key_.reveal()), sink);
      }
    }
  }

  void take(const SseFrame& frame, UpstreamSink& sink) {
    const std::string_view data = trim(frame.data);
    if (frame.kind == SseFrame::Kind::kComment || data.empty() || data == "[DONE]") {
      const bool broken = frame.kind == SseFrame::Kind::kEvent && data.empty() && !frame.terminated;  // cut before its data
      if (relay_ && !broken) pass(frame, data == "[DONE]" ? FrameKind::kDone : FrameKind::kPrelude, sink);
      return;
    }
    if (!wire::validate(data)) {
      if (!frame.terminated && finished()) return;  // nobody misses it
      const char* const what =
          frame.terminated ? "a chunk of the upstream's stream is not JSON: " : "the upstream's stream ended in the middle of a chunk: ";
      return fail(unreadable(what + scrub(plain_words(data), key_.reveal()), data, key_.reveal()), sink);
    }
    const JsonValue root(data);
    if (auto error = fault_of_step(root)) return fail(std::move(*error), sink);
    if (relay_) pass(frame, judge(root, sink), sink);
    else if (!events_.step(root, sink)) dead_ = true;
  }

  // Errors come as an object or as an array of one.
  std::optional<Error> fault_of_step(JsonValue root) const {
    if (has_error_member(root.is_array() ? wire::find_element(root, 0) : root)) return error_of_object(root, key_.reveal());
    if (!root.is_object()) return unreadable("a chunk of the upstream's stream is no object", root.raw(), key_.reveal());
    return std::nullopt;
  }

  void pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink) {
    std::string mended;
    std::string_view raw = frame.raw;
    if (!frame.terminated && frame.kind == SseFrame::Kind::kEvent) {
      // The last event lacks its blank line: without it no client would hear of it.
      const bool line = !raw.empty() && raw.back() == '\n';
      raw = mended.append(raw).append(line ? "\r\n" : "\r\n\r\n");
    }
    if (!dead_ && sink.on_frame(raw, kind) == Flow::kCancel) dead_ = true;
  }

  // Relay: what a chunk is, and what the meter has to know of it.
  FrameKind judge(JsonValue root, UpstreamSink& sink) {
    Look look = look_at(root);
    if (look.said != 0) sink.on_payload(look.said);
    spoke_ = spoke_ || look.visible;
    if (look.visible) counts_.spoke();
    called_ = called_ || look.calls;
    for (uint64_t fresh = look.ended & ~ended_; fresh != 0; fresh &= fresh - 1) {
      sink.on_finish(called_ && look.finish == FinishReason::kStop ? FinishReason::kToolCalls : look.finish);
    }
    seen_ |= look.seen;
    ended_ |= look.ended;
    // Counts are of what came so far.
    if (look.usage.known) sink.on_usage(counts_.take(look.usage, finished() && !(spoke_ && look.usage.output == 0)));
    else if (const auto usage = finished() ? counts_.settle() : std::nullopt) sink.on_usage(*usage);
    if (look.ended != 0) return FrameKind::kFinish;
    return look.visible ? FrameKind::kPayload : FrameKind::kPrelude;
  }

  // A body that is no event stream although one was asked for: its steps, told as a stream.
  void tell_whole(UpstreamSink& sink) {
    const std::string_view text = bare(whole_);
    if (auto error = fault_of(text)) return fail(std::move(*error), sink);
    const JsonValue root(text);
    if (root.is_object()) return tell_step(root, sink);
    for (JsonValue step : JsonElements(root)) {
      if (!dead_) tell_step(step, sink);
    }
  }
  void tell_step(JsonValue step, UpstreamSink& sink) {
    if (auto error = fault_of_step(step)) return fail(std::move(*error), sink);
    if (!relay_) {
      if (!events_.step(step, sink)) dead_ = true;
      return;
    }
    const FrameKind kind = judge(step, sink);
    if (sink.on_frame("data: " + compact(step.raw()) + "\r\n\r\n", kind) == Flow::kCancel) dead_ = true;
  }

  Secret key_;
  bool relay_ = false, dead_ = false, called_ = false, spoke_ = false;
  bool claude_ = false;            // Vertex AI's list of models: that of Anthropic's is read
  uint64_t seen_ = 0, ended_ = 0;  // relay: candidates that began and those that ended, as in Look
  Shape shape_ = Shape::kUnknown;
  std::string whole_, page_token_;
  SseParser parser_;
  ToolNames names_;
  EventReader events_;
  StreamCounts counts_;            // relay
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<GeminiUpstream>(); }

}  // namespace llmrouter::dialects::gemini
