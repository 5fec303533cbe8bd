// A filter of the application: its function, asked for each text.
#include <atomic>
#include <set>

#include "options.h"

namespace llmrouter::c {
namespace {

struct Callback {
  Callback(llmrouter_on_filter function, UserData data) : on_filter(function), user(std::move(data)) {}
  const llmrouter_on_filter on_filter;
  UserData user;
  std::atomic<uint64_t> attempts{0};
};

class CallbackFilter final : public Filter {
 public:
  explicit CallbackFilter(std::shared_ptr<Callback> callback) : callback_(std::move(callback)), attempt_(++callback_->attempts) {}

  Result<void> on_request(ChatRequest& request) override {
    for (Message& message : request.messages) replace(message, LLMROUTER_FILTER_REQUEST, 0);
    return {};
  }

  void on_response(ChatResponse& response) override {
    for (Choice& choice : response.choices) replace(choice.message, LLMROUTER_FILTER_RESPONSE, choice.index);
  }

  void on_event(const StreamEvent& event, FilterOutput& out) override {
    using Kind = StreamEvent::Kind;
    if (event.kind == Kind::kText) {
      spoke_.insert(event.choice);
      return tell(LLMROUTER_FILTER_STREAM, event.choice, event.text, out);
    }
    const bool after = event.kind == Kind::kRefusal || event.kind == Kind::kToolCallBegin || event.kind == Kind::kFinish || event.kind == Kind::kReasoning;
    if (after && spoke_.erase(event.choice) != 0) tell(LLMROUTER_FILTER_END, event.choice, {}, out);
    out.emit(event);
  }

 private:
  std::string ask(int place, int64_t choice, std::string_view text) const {
    llmrouter_text out;
    callback_->on_filter(callback_->user.get(), attempt_, place, choice, text.data(), text.size(), &out);
    return std::move(out.text);
  }

  void replace(Message& message, int place, int64_t choice) const {
    for (Part& part : message.parts) {
      if (part.kind == Part::Kind::kText) part.text = ask(place, choice, part.text);
    }
  }

  void tell(int place, int64_t choice, std::string_view text, FilterOutput& out) const {
    const std::string words = ask(place, choice, text);
    if (words.empty()) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kText;
    event.choice = choice;
    event.text = words;
    out.emit(event);
  }

  std::shared_ptr<Callback> callback_;
  const uint64_t attempt_;
  std::set<int64_t> spoke_;  // choices whose words are not over
};

}  // namespace

FilterFactory make_filter(llmrouter_on_filter on_filter, UserData user) {
  return [callback = std::make_shared<Callback>(on_filter, std::move(user))] { return std::make_unique<CallbackFilter>(callback); };
}

}  // namespace llmrouter::c

using llmrouter::c::guarded;
using llmrouter::c::null_argument;
using llmrouter::c::UserData;

llmrouter_error* llmrouter_text_append(llmrouter_text* text, const char* data, size_t size) {
  if (text == nullptr) return null_argument("text");
  if (data == nullptr && size != 0) return null_argument("data");
  return guarded([&]() -> llmrouter_error* {
    if (size != 0) text->text.append(data, size);
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_add_filter(llmrouter_options* options, const char* name, size_t name_size, llmrouter_on_filter on_filter, void* user_data,
                                              llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (options == nullptr) return null_argument("options");
  if (on_filter == nullptr) return null_argument("on_filter");
  return guarded([&]() -> llmrouter_error* {
    if (name_size == 0) return llmrouter::c::new_error(llmrouter::Error(llmrouter::ErrorCode::kInvalidRequest, "name must not be empty", "name"));
    options->filters[llmrouter::c::copy(name, name_size)] = llmrouter::c::make_filter(on_filter, std::move(user));
    return nullptr;
  });
}
