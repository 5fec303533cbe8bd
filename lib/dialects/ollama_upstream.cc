// The upstream side: an Ollama server.
#include <algorithm>

#include "dialects/estimate.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/http_request.h"
#include "dialects/ollama.h"
#include "dialects/own_edits.h"
#include "dialects/text_match.h"
#include "dialects/tool_assembler.h"
#include "llmrouter/secret.h"
#include "wire/json_writer.h"
#include "wire/ndjson.h"
#include "wire/splice.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using wire::NdjsonLine;
using wire::NdjsonParser;

int64_t estimate_of(const ChatRequest& request) noexcept {
  InputEstimate estimate;
  for (const Message& message : request.messages) {
    estimate.message();
    for (const Part& part : message.parts) {
      if (part.kind == Part::Kind::kImage) estimate.image(part.detail == "low");
      else estimate.text(part.text.size());
    }
    for (const ToolCall& call : message.tool_calls) estimate.text(call.name.size() + call.arguments.size());
  }
  for (const Tool& tool : request.tools) estimate.text(tool.name.size() + tool.description.size() + tool.parameters.size());
  return estimate.tokens();
}

// A relayed request of /api/generate has a prompt, if anything, and no messages.
bool is_chat(const std::vector<MemberSpan>& members) noexcept {
  return std::any_of(members.begin(), members.end(), [](const MemberSpan& m) { return m.name == "messages"; });
}

class OllamaUpstream final : public UpstreamCodec {
 public:
  bool fetches(const ProviderConfig&, const Part&) const override { return false; }

  // Its templates leave the last message open when it is the assistant's.
  Prefill prefill(const ProviderConfig&, std::string_view) const override { return Prefill::kGoesOn; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    relay_ = input.facts != nullptr;
    const bool chat = !relay_ || is_chat(input.facts->members);
    if (relay_) {
      estimate_ = input.facts->input_tokens;
      if (auto spliced = splice(input, chat, out); !spliced) return spliced;
    } else {
      if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      estimate_ = estimate_of(*input.chat);
      std::string body;
      auto written = write_request(*input.chat, input.upstream_model, input.stream, input.foreign, body, out.dropped);
      if (!written) return written;
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    return fill_request(*input.provider, "POST", chat ? "/api/chat" : "/api/generate", input.stream ? "application/x-ndjson" : "application/json", input.key, out.http);
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override {
    if (dead_) return;
    lines_.feed(bytes);
    drain(sink);
  }

  void finish(UpstreamSink& sink) override {
    if (dead_) return;
    lines_.finish();
    drain(sink);
    if (!dead_ && !done_) fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_.reveal()), sink);
  }

  Result<ReplyFacts> inspect(std::string_view body) override {
    auto line = read_whole(body);
    if (!line) return std::move(line).error();
    ReplyFacts facts;
    facts.usage = usage_of(*line, estimate_);
    const JsonValue calls = find_member(line->message, "tool_calls");
    facts.finish = calls.is_array() && !calls.empty_container() ? FinishReason::kToolCalls : line->finish;
    facts.model = line->model;
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    auto line = read_whole(body);
    if (!line) return std::move(line).error();
    if (!line->message.is_object()) return unreadable("the upstream answered without a message", body, key_.reveal());
    ChatResponse response;
    response.model = line->model;
    response.created = line->created;
    response.usage = usage_of(*line, estimate_);
    Choice choice;
    read_message(line->message, ids_, choice.message);
    choice.finish = line->finish;
    if (!choice.message.tool_calls.empty() && choice.finish == FinishReason::kStop) choice.finish = FinishReason::kToolCalls;
    choice.finish_raw = line->done_reason;
    if (line->logprobs.exists()) choice.logprobs = openai_logprobs(line->logprobs);
    response.choices.push_back(std::move(choice));
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    return fill_request(provider, "GET", "/api/tags", "application/json", key, out.http);
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    const std::string_view text = bare(body);
    const JsonValue root(text);
    if (wire::validate(text) && has_error_member(root)) return error_of_object(root, key_.reveal());
    const JsonValue list = find_member(root, "models");
    if (!wire::validate(text) || !list.is_array()) return unreadable("the upstream's list of models has no `models`", text, key_.reveal());
    std::vector<std::string> ids;
    for (JsonValue entry : JsonElements(list)) {
      std::string id = find_member(entry, "model").string_or();
      if (id.empty()) id = find_member(entry, "name").string_or();
      if (!id.empty()) ids.push_back(std::move(id));
    }
    return ids;
  }

 private:
  // Relay: the model's name, and the edits of a policy. A prompt's members beside it are a chat's, as far as edits go.
  static Result<void> splice(const EncodeInput& input, bool chat, EncodedRequest& out) {
    std::vector<wire::SpliceEdit> edits;
    if (has_edits(input)) {
      OwnForm form;
      form.conversation = "messages";
      form.least = R"([{"role":"user","content":"."}])";
      if (chat) form.bulk = {"tools"};
      else form.bulk = {"prompt", "suffix", "images", "system", "template", "raw", "context"};
      form.always_without_bulk = !chat;
      form.holders = {"options"};
      form.read = [](std::string_view body) { return read_request(body, false); };
      form.write = [&](const ChatRequest& request, std::string& body, std::vector<std::string>& dropped) {
        return write_request(request, input.upstream_model, input.stream, false, body, dropped);
      };
      if (auto added = add_own_edits(input, form, out, edits); !added) return added;
    }
    std::string model;
    wire::append_json_string(model, input.upstream_model);
    if (input.facts->model != input.upstream_model) edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
    if (edits.empty()) out.http.body.push_back(input.body);
    else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
    return {};
  }

  Result<Line> read_whole(std::string_view body) const {
    const std::string_view text = bare(body);
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    const JsonValue root(text);
    if (has_error_member(root)) return error_of_object(root, key_.reveal());
    Line line = read_line(root);
    if (!line.message.is_object() && !line.response.is_string()) return unreadable("the upstream answered without a message", text, key_.reveal());
    return line;
  }

  void fail(Error error, UpstreamSink& sink) {
    if (dead_) return;
    dead_ = true;
    sink.on_error(std::move(error));
  }

  void drain(UpstreamSink& sink) {
    NdjsonLine line;
    while (!dead_) {
      switch (lines_.next(line)) {
        case NdjsonParser::Next::kLine: take(line, sink); break;
        case NdjsonParser::Next::kMore: return;
        case NdjsonParser::Next::kError:
          return fail(unreadable("the upstream's stream cannot be read: " + lines_.error(), {}, key_.reveal()), sink);
      }
    }
  }

  void take(const NdjsonLine& line, UpstreamSink& sink) {
    if (done_) {
      const bool more = !relay_ && wire::validate(line.text) && says_anything(JsonValue(line.text));
      if (more) fail(unreadable("the upstream's stream goes on behind its end", line.text, key_.reveal()), sink);
      return;
    }
    if (line.text.empty()) {
      if (relay_) pass(line, FrameKind::kPrelude, sink);
      return;
    }
    const JsonValue root(line.text);
    if (!root.is_object() || !wire::validate(line.text)) {
      const char* const what =
          line.terminated ? "a line of the upstream's stream is not JSON: " : "the upstream's stream ended in the middle of a line: ";
      return fail(unreadable(what + scrub(plain_words(line.text), key_.reveal()), line.text, key_.reveal()), sink);
    }
    if (has_error_member(root)) return fail(error_of_object(root, key_.reveal()), sink);
    const Line read = read_line(root);
    if (relay_) relay(line, read, sink);
    else translate(read, sink);
    if (done_ && !dead_) sink.on_frame({}, FrameKind::kDone);
  }

  // Words, thoughts or a call.
  static bool says_anything(JsonValue root) {
    const JsonValue message = find_member(root, "message"), calls = find_member(message, "tool_calls");
    return find_member(message, "content").nonempty_string() || find_member(message, "thinking").nonempty_string() ||
           (calls.is_array() && !calls.empty_container());
  }

  void pass(const NdjsonLine& line, FrameKind kind, UpstreamSink& sink) {
    std::string mended;
    std::string_view raw = line.raw;
    if (!line.terminated) raw = mended.append(raw).append("\n");
    if (sink.on_frame(raw, kind) == Flow::kCancel) dead_ = true;
  }

  void relay(const NdjsonLine& line, const Line& read, UpstreamSink& sink) {
    const JsonValue calls = find_member(read.message, "tool_calls");
    const bool called = calls.is_array() && !calls.empty_container();
    const bool visible =
        called || find_member(read.message, "content").nonempty_string() || find_member(read.message, "thinking").nonempty_string() ||
        read.response.nonempty_string() || read.thinking.nonempty_string();
    called_ = called_ || called;
    sink.on_payload(find_member(read.message, "content").string_bytes() + find_member(read.message, "thinking").string_bytes() +
                    read.response.string_bytes() + read.thinking.string_bytes() + (called ? calls.raw().size() : 0));
    if (read.done) {
      done_ = true;
      if (TokenUsage usage = usage_of(read, estimate_); usage.known) sink.on_usage(usage);
      sink.on_finish(called_ && read.finish == FinishReason::kStop ? FinishReason::kToolCalls : read.finish);
    }
    pass(line, read.done ? FrameKind::kFinish : visible ? FrameKind::kPayload : FrameKind::kPrelude, sink);
  }

  void tell(const StreamEvent& event, UpstreamSink& sink) {
    if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
  }

  void translate(const Line& line, UpstreamSink& sink) {
    using Kind = StreamEvent::Kind;
    StreamEvent event;
    if (!started_) {
      started_ = true;
      event.kind = Kind::kStart;
      event.model = line.model;
      event.created = line.created;
      tell(event, sink);
    }
    Message message;
    read_message(line.message, ids_, message);
    if (line.logprobs.exists()) {
      const std::string logprobs = openai_logprobs(line.logprobs);
      event = StreamEvent();
      event.kind = Kind::kLogprobs;
      event.raw = logprobs;
      tell(event, sink);
    }
    for (const Part& part : message.parts) {
      event = StreamEvent();
      event.kind = part.kind == Part::Kind::kReasoning ? Kind::kReasoning : Kind::kText;
      event.text = part.text;
      tell(event, sink);
    }
    if (static_cast<size_t>(next_call_) + message.tool_calls.size() > ToolAssembler::kMaxCalls) {
      return fail(unreadable("the upstream's stream has more tool calls than " + std::to_string(ToolAssembler::kMaxCalls), {}, key_.reveal()), sink);
    }
    for (const ToolCall& call : message.tool_calls) {
      event = StreamEvent();
      event.kind = Kind::kToolCallBegin;
      event.tool_index = next_call_++;
      event.id = call.id;
      event.name = call.name;
      event.arguments = call.arguments;
      tell(event, sink);
    }
    if (line.done) end(line, sink);
  }

  void end(const Line& line, UpstreamSink& sink) {
    done_ = true;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kFinish;
    event.finish = next_call_ != 0 && line.finish == FinishReason::kStop ? FinishReason::kToolCalls : line.finish;
    event.raw = line.done_reason;
    tell(event, sink);
    event = StreamEvent();
    event.kind = StreamEvent::Kind::kUsage;
    event.usage = usage_of(line, estimate_);
    if (event.usage.known) tell(event, sink);
  }

  Secret key_;
  bool relay_ = false;
  int64_t estimate_ = 0;
  NdjsonParser lines_;
  bool started_ = false, done_ = false, dead_ = false, called_ = false;
  int64_t next_call_ = 0;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<OllamaUpstream>(); }

}  // namespace llmrouter::dialects::ollama
