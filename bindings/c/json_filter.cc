// A filter of the application that sees all of a call: requests and whole answers as JSON, a stream event by event.
#include <atomic>
#include <map>
#include <set>

#include "json.h"
#include "json_chat.h"
#include "options.h"

namespace llmrouter::c {
namespace {

struct Callback {
  Callback(std::string filter, llmrouter_on_json_filter function, UserData data) : name(std::move(filter)), on_filter(function), user(std::move(data)) {}
  const std::string name;
  const llmrouter_on_json_filter on_filter;
  UserData user;
  const JsonChat chat;
  std::atomic<uint64_t> attempts{0};
};

std::string_view kind_name(StreamEvent::Kind kind) {
  using Kind = StreamEvent::Kind;
  switch (kind) {
    case Kind::kStart: return "start";
    case Kind::kText: return "text";
    case Kind::kReasoning: return "reasoning";
    case Kind::kRefusal: return "refusal";
    case Kind::kToolCallBegin: return "tool_call";
    case Kind::kToolCallDelta: return "arguments";
    case Kind::kLogprobs: return "logprobs";
    case Kind::kAnnotation: return "annotation";
    case Kind::kFinish: return "finish";
    case Kind::kUsage: return "usage";
    case Kind::kOther: break;
  }
  return "other";
}

void append_raw(std::string& out, std::string_view name, std::string_view json) {
  if (json.empty()) return;
  append_name(out, name);
  out += json;
}

std::string event_json(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  std::string out = "{";
  append_member(out, "kind", kind_name(event.kind));
  append_number(out, "choice", event.choice);
  switch (event.kind) {
    case Kind::kStart:
      append_member(out, "id", event.id);
      append_member(out, "model", event.model);
      append_number(out, "created", event.created);
      break;
    case Kind::kText:
    case Kind::kReasoning:
    case Kind::kRefusal:
      append_member(out, "text", event.text);
      break;
    case Kind::kToolCallBegin:
      append_number(out, "tool", event.tool_index);
      append_member(out, "id", event.id);
      append_member(out, "name", event.name);
      append_member(out, "arguments", event.arguments);
      break;
    case Kind::kToolCallDelta:
      append_number(out, "tool", event.tool_index);
      append_member(out, "arguments", event.arguments);
      break;
    case Kind::kFinish:
      append_member(out, "finish", finish_reason_name(event.finish));
      break;
    case Kind::kUsage:
      append_number(out, "input", event.usage.input);
      append_number(out, "cached", event.usage.cached);
      append_number(out, "output", event.usage.output);
      append_number(out, "reasoning", event.usage.reasoning);
      break;
    case Kind::kLogprobs:
    case Kind::kAnnotation:
    case Kind::kOther:
      append_raw(out, "value", event.raw);
      break;
  }
  return out + "}";
}

class JsonFilter final : public Filter {
 public:
  explicit JsonFilter(std::shared_ptr<Callback> callback) : callback_(std::move(callback)), attempt_(++callback_->attempts) {}

  Result<void> on_request(ChatRequest& request) override {
    const auto told = callback_->chat.write(request);
    if (!told) return told.error();
    llmrouter_text out;
    switch (ask(LLMROUTER_FILTER_REQUEST, *told, out)) {
      case LLMROUTER_VERDICT_PASS:
        return {};
      case LLMROUTER_VERDICT_REPLACE:
        return callback_->chat.change(request, *told, out.text);
      default:
        return Error(ErrorCode::kInvalidRequest, out.text.empty() ? "the filter \"" + callback_->name + "\" refused the request" : std::move(out.text));
    }
  }

  void on_response(ChatResponse& response) override {
    const std::string told = callback_->chat.write(response);
    llmrouter_text out;
    const int verdict = ask(LLMROUTER_FILTER_RESPONSE, told, out);
    if (verdict == LLMROUTER_VERDICT_PASS) return;
    if (verdict == LLMROUTER_VERDICT_REPLACE && callback_->chat.change(response, told, out.text)) return;
    for (Choice& choice : response.choices) choice = withheld(choice.index);
  }

  void on_event(const StreamEvent& event, FilterOutput& out) override {
    using Kind = StreamEvent::Kind;
    const bool frame = event.kind == Kind::kStart || event.kind == Kind::kFinish || event.kind == Kind::kUsage;  // without these it is no answer
    if (refused_ && !frame) return;
    if (event.kind == Kind::kToolCallDelta && calls_[event.choice].dropped.count(event.tool_index) != 0) return;
    llmrouter_text words;
    int verdict = refused_ ? LLMROUTER_VERDICT_PASS : ask(LLMROUTER_FILTER_STREAM, event_json(event), words);
    if (verdict < LLMROUTER_VERDICT_PASS || verdict >= LLMROUTER_VERDICT_REFUSE) refused_ = true;
    const bool out_of_it = refused_ || verdict == LLMROUTER_VERDICT_DROP;
    if (out_of_it && !frame) {
      if (event.kind == Kind::kToolCallBegin) calls_[event.choice].dropped.insert(event.tool_index);
      return;
    }
    StreamEvent told = event;
    if (verdict == LLMROUTER_VERDICT_REPLACE && !refused_) replace(told, words.text, out);
    number(told);
    out.emit(told);
  }

 private:
  struct Calls {
    int64_t passed = 0;
    std::set<int64_t> dropped;
  };

  // What a callback in C++ throws must not travel further: whatever it was asked for does not pass.
  int ask(int place, std::string_view json, llmrouter_text& out) const noexcept {
    try {
      return callback_->on_filter(callback_->user.get(), attempt_, place, json.data(), json.size(), &out);
    } catch (...) {
      return LLMROUTER_VERDICT_REFUSE;
    }
  }

  static Choice withheld(int64_t index) {
    Choice choice;
    choice.index = index;
    choice.message.role = Role::kAssistant;
    choice.finish = FinishReason::kContentFilter;
    return choice;
  }

  static void replace(StreamEvent& event, std::string_view words, FilterOutput& out) {
    using Kind = StreamEvent::Kind;
    switch (event.kind) {
      case Kind::kReasoning:  // its maker would not know the thoughts again
        event.signature = event.maker = {};
        event.text = words;
        return;
      case Kind::kText:
      case Kind::kRefusal:
        event.text = words;
        return;
      case Kind::kToolCallBegin:
      case Kind::kToolCallDelta:
        event.arguments = words;
        return;
      case Kind::kFinish:
        if (!words.empty()) {
          StreamEvent last;
          last.choice = event.choice;
          last.text = words;
          out.emit(last);
        }
        return;
      default:
        return;
    }
  }

  // Calls are counted without those that were dropped; an answer that has lost all of them has not ended to make some.
  void number(StreamEvent& event) {
    using Kind = StreamEvent::Kind;
    if (event.kind == Kind::kFinish && refused_) {
      event.finish = FinishReason::kContentFilter;
      event.raw = {};
      return;
    }
    if (event.kind != Kind::kFinish && event.kind != Kind::kToolCallBegin && event.kind != Kind::kToolCallDelta) return;
    Calls& calls = calls_[event.choice];
    if (event.kind == Kind::kFinish) {
      if (event.finish == FinishReason::kToolCalls && calls.passed == 0 && !calls.dropped.empty()) event.finish = FinishReason::kStop, event.raw = {};
      return;
    }
    if (event.kind == Kind::kToolCallBegin) ++calls.passed;
    event.tool_index -= std::distance(calls.dropped.begin(), calls.dropped.lower_bound(event.tool_index));
  }

  std::shared_ptr<Callback> callback_;
  const uint64_t attempt_;
  bool refused_ = false;  // the rest of the stream does not pass
  std::map<int64_t, Calls> calls_;
};

}  // namespace
}  // namespace llmrouter::c

using llmrouter::c::Callback;
using llmrouter::c::guarded;
using llmrouter::c::null_argument;
using llmrouter::c::UserData;

llmrouter_error* llmrouter_options_add_json_filter(llmrouter_options* options, const char* name, size_t name_size, llmrouter_on_json_filter on_filter,
                                                   void* user_data, llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (options == nullptr) return null_argument("options");
  if (on_filter == nullptr) return null_argument("on_filter");
  return guarded([&]() -> llmrouter_error* {
    if (name_size == 0) return llmrouter::c::new_error(llmrouter::Error(llmrouter::ErrorCode::kInvalidRequest, "name must not be empty", "name"));
    std::string known = llmrouter::c::copy(name, name_size);
    auto callback = std::make_shared<Callback>(known, on_filter, std::move(user));
    options->filters[std::move(known)] = [callback] { return std::make_unique<llmrouter::c::JsonFilter>(callback); };
    return nullptr;
  });
}
