// A regular expression over the texts of a call.
#include <re2/re2.h>

#include <map>
#include <memory>

#include "llmrouter/filter.h"

namespace llmrouter {
namespace {

// A match may reach further than what is held; beyond this it is taken as it stands.
constexpr size_t kMaxHeld = 64 * 1024;

struct Rule {
  Rule(const TextFilterConfig& config, const RE2::Options& options) : settings(config), expression(config.pattern, options) {}
  TextFilterConfig settings;
  RE2 expression;
};

// Replaces in `text`, from `at` on, what begins before `safe`; appends the outcome to `out` and says up to where it stands for the text. What is before
// `at` is only looked back at. A match that ends where the text does may go on in what comes next: with `more`, it waits.
size_t replace(const Rule& rule, std::string_view text, size_t at, size_t safe, bool more, std::string& out) {
  const re2::StringPiece whole(text.data(), text.size());
  re2::StringPiece groups[10];
  const int count = std::min(10, rule.expression.NumberOfCapturingGroups() + 1);
  size_t last = std::string_view::npos;  // where the match before ended
  while (at < safe || (at == safe && !more && at == text.size())) {
    if (!rule.expression.Match(whole, at, text.size(), RE2::UNANCHORED, groups, count)) break;
    const auto from = static_cast<size_t>(groups[0].data() - text.data());
    if (from >= safe && !(from == text.size() && !more)) break;
    if (more && from + groups[0].size() == text.size() && text.size() - from < kMaxHeld) {
      out.append(text.substr(at, from - at));
      return from;
    }
    out.append(text.substr(at, from - at));
    // Nothing right behind a match is no match of its own.
    if (!groups[0].empty() || from != last) rule.expression.Rewrite(&out, rule.settings.replace, groups, count);
    at = last = from + groups[0].size();
    if (!groups[0].empty()) continue;
    // Nothing was matched: one character goes on as it is.
    if (at >= text.size()) return text.size();
    size_t next = at + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    out.append(text.substr(at, next - at));
    at = next;
  }
  if (at < safe) {
    out.append(text.substr(at, safe - at));
    at = safe;
  }
  return at;
}

std::string replace_all(const Rule& rule, const std::string& text) {
  std::string out;
  replace(rule, text, 0, text.size(), false, out);
  return out;
}

class TextFilter final : public Filter {
 public:
  explicit TextFilter(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  Result<void> on_request(ChatRequest& request) override {
    if (!rule_->settings.request) return {};
    for (Message& message : request.messages) replace_texts(message);
    return {};
  }

  void on_response(ChatResponse& response) override {
    if (!rule_->settings.response) return;
    for (Choice& choice : response.choices) replace_texts(choice.message);
  }

  void on_event(const StreamEvent& event, FilterOutput& out) override {
    using Kind = StreamEvent::Kind;
    if (!rule_->settings.stream) return out.emit(event);
    if (event.kind == Kind::kText) {
      Held& held = held_[event.choice];
      held.text.append(event.text);
      return release(event.choice, held, true, out);
    }
    // Whatever comes after the words comes after all of them.
    const bool after = event.kind == Kind::kRefusal || event.kind == Kind::kToolCallBegin || event.kind == Kind::kFinish || event.kind == Kind::kReasoning;
    if (auto held = held_.find(event.choice); after && held != held_.end()) {
      release(event.choice, held->second, false, out);
    }
    out.emit(event);
  }

 private:
  struct Held {
    std::string text;
    size_t told = 0;  // of it: the last character, which an expression may look back at
  };

  static bool is_inside(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

  void replace_texts(Message& message) const {
    for (Part& part : message.parts) {
      if (part.kind == Part::Kind::kText) part.text = replace_all(*rule_, part.text);
    }
  }

  void release(int64_t choice, Held& held, bool more, FilterOutput& out) const {
    size_t safe = held.text.size();
    if (more) {
      if (held.text.size() <= held.told + kTextFilterHold) return;
      safe = held.text.size() - kTextFilterHold;
      while (safe > held.told && is_inside(held.text[safe])) --safe;  // characters stay whole
    }
    std::string text;
    const size_t end = replace(*rule_, held.text, held.told, safe, more, text);
    size_t keep = end;
    if (keep > 0) --keep;
    while (keep > 0 && is_inside(held.text[keep])) --keep;
    held.text.erase(0, keep);
    held.told = end - keep;
    if (text.empty()) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kText;
    event.choice = choice;
    event.text = text;
    out.emit(event);
  }

  std::shared_ptr<const Rule> rule_;
  std::map<int64_t, Held> held_;  // of each choice
};

}  // namespace

Result<FilterFactory> make_text_filter(const TextFilterConfig& config) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(8 << 20);
  auto rule = std::make_shared<Rule>(config, options);
  const std::string path = "filters." + config.name;
  if (!rule->expression.ok()) return Error(ErrorCode::kConfig, path + ".pattern: " + rule->expression.error(), path + ".pattern");
  std::string why;
  if (!rule->expression.CheckRewriteString(config.replace, &why)) return Error(ErrorCode::kConfig, path + ".replace: " + why, path + ".replace");
  return FilterFactory([rule = std::shared_ptr<const Rule>(std::move(rule))] { return std::make_unique<TextFilter>(rule); });
}

}  // namespace llmrouter
