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
// `at` is only looked back at. A match that ends where the text does may go on in what comes next: with `more`, it waits. `hit`: there was a match.
size_t replace(const Rule& rule, std::string_view text, size_t at, size_t safe, bool more, std::string& out, bool& hit) {
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
    if (!groups[0].empty() || from != last) {
      rule.expression.Rewrite(&out, rule.settings.replace, groups, count);
      hit = true;
    }
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

bool is_inside(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// A text that comes in pieces.
class Words {
 public:
  // What comes next is added to it.
  std::string& text() noexcept {
    open_ = true;
    return text_;
  }
  bool hit() const noexcept { return hit_; }
  void forget() noexcept { hit_ = false; }

  // What may go out; with `more` to come, the end waits for it.
  std::string take(const Rule& rule, bool more) {
    if (!open_) return {};
    open_ = more;
    size_t safe = text_.size();
    if (more) {
      if (text_.size() <= told_ + kTextFilterHold) return {};
      safe = text_.size() - kTextFilterHold;
      while (safe > told_ && is_inside(text_[safe])) --safe;  // characters stay whole
    }
    std::string out;
    const size_t end = replace(rule, text_, told_, safe, more, out, hit_);
    size_t keep = end;
    if (keep > 0) --keep;
    while (keep > 0 && is_inside(text_[keep])) --keep;
    text_.erase(0, keep);
    told_ = end - keep;
    return out;
  }

 private:
  std::string text_;
  size_t told_ = 0;  // of it: the last character, which an expression may look back at
  bool open_ = false;  // something came since all of it was taken
  bool hit_ = false;
};

// The strings of a JSON text that comes in pieces. Everything else passes as it is.
class JsonStrings {
 public:
  void add(const Rule& rule, std::string_view json, std::string& out) {
    for (char c : json) {
      if (!inside_) {
        out += c;
        inside_ = c == '"';
      } else if (!escape_.empty()) {
        escape_ += c;
        if (escape_[1] != 'u' || escape_.size() == 6) unescape();
      } else if (c == '\\') {
        escape_ += c;
      } else if (c == '"') {
        append_escaped(words_.take(rule, false), out);
        words_ = Words();
        out += c;
        inside_ = false;
      } else {
        words_.text() += c;
      }
    }
    if (inside_) append_escaped(words_.take(rule, true), out);
  }

  // Of a text that broke off.
  void flush(const Rule& rule, std::string& out) {
    if (inside_) append_escaped(words_.take(rule, false), out);
  }

 private:
  // Halves of a surrogate pair are three bytes each until they meet; one alone stays so and becomes its escape again.
  void unescape() {
    std::string& text = words_.text();
    constexpr std::string_view kLetters = "bfnrt", kMeant = "\b\f\n\r\t";
    if (escape_[1] != 'u') {
      const size_t at = kLetters.find(escape_[1]);
      text += at == std::string_view::npos ? escape_[1] : kMeant[at];
    } else {
      unsigned code = 0;
      for (char c : std::string_view(escape_).substr(2)) {
        code = code * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
      }
      code &= 0xffff;
      const size_t n = text.size();
      const bool low = code >= 0xdc00 && code < 0xe000;
      if (low && n >= 3 && text[n - 3] == '\xed' && (static_cast<unsigned char>(text[n - 2]) & 0xf0) == 0xa0) {
        const unsigned high = (static_cast<unsigned>(text[n - 2]) & 0x0f) << 6 | (static_cast<unsigned>(text[n - 1]) & 0x3f);
        text.resize(n - 3);
        append_utf8(0x10000 + (high << 10) + (code - 0xdc00), text);
      } else {
        append_utf8(code, text);
      }
    }
    escape_.clear();
  }

  static void append_utf8(unsigned code, std::string& out) {
    auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | code >> 6);
      tail(0);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xe0 | code >> 12);
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xf0 | code >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  static void append_escaped(std::string_view text, std::string& out) {
    auto hex = [&out](unsigned code) {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[code >> shift & 15];
    };
    for (size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c == '"' || c == '\\') {
        out += '\\';
        out += text[i];
      } else if (c < 0x20) {
        hex(c);
      } else if (c == 0xed && i + 2 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0xa0) {
        hex(0xd000u | (static_cast<unsigned>(text[i + 1]) & 0x3f) << 6 | (static_cast<unsigned>(text[i + 2]) & 0x3f));
        i += 2;
      } else {
        out += text[i];
      }
    }
  }

  bool inside_ = false;
  std::string escape_;  // one that is not complete
  Words words_;
};

class TextFilter final : public Filter {
 public:
  explicit TextFilter(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  // Answers with words in them are transcripts and translations.
  bool may_miss(Operation operation) const noexcept override {
    const bool answers = operation == Operation::kTranscribe || operation == Operation::kTranslateAudio;
    const TextFilterConfig& on = rule_->settings;
    return !on.request && !(answers && (on.response || on.stream));
  }

  Result<void> on_request(ChatRequest& request) override {
    if (!rule_->settings.request) return {};
    for (Message& message : request.messages) rewrite(message);
    return {};
  }

  void on_response(ChatResponse& response) override {
    if (!rule_->settings.response) return;
    for (Choice& choice : response.choices) {
      rewrite(choice.message);
      choice.logprobs.clear();  // they spell the words out
    }
  }

  void on_event(const StreamEvent& event, FilterOutput& out) override {
    if (!rule_->settings.stream) return out.emit(event);
    switch (event.kind) {
      case Kind::kText:
      case Kind::kReasoning:
      case Kind::kRefusal: return on_words(event, out);
      case Kind::kToolCallBegin:
      case Kind::kToolCallDelta: return on_call(event, out);
      case Kind::kLogprobs: return;
      case Kind::kFinish: release(event.choice, Kind::kFinish, out); break;
      default: break;
    }
    out.emit(event);
  }

 private:
  using Kind = StreamEvent::Kind;
  struct Held {
    Words said, thought, refused;
    std::map<int64_t, JsonStrings> calls;
    Words& words(Kind kind) { return kind == Kind::kText ? said : kind == Kind::kReasoning ? thought : refused; }
  };

  void on_words(const StreamEvent& event, FilterOutput& out) {
    release(event.choice, event.kind, out);
    Words& words = held_[event.choice].words(event.kind);
    words.text().append(event.text);
    const bool sealed = !event.signature.empty() || event.redacted;
    tell(event.choice, event.kind, words.take(*rule_, !sealed), out);
    if (!sealed) return;
    StreamEvent seal = event;
    seal.text = {};
    // It stands for the words as they were.
    if (!words.hit() || event.redacted || event.kind != Kind::kReasoning) out.emit(seal);
    words.forget();
  }

  void on_call(const StreamEvent& event, FilterOutput& out) {
    Held& held = held_[event.choice];
    if (event.kind == Kind::kToolCallBegin) release(event.choice, event.kind, out);
    std::string arguments;
    held.calls[event.tool_index].add(*rule_, event.arguments, arguments);
    if (event.kind == Kind::kToolCallDelta && arguments.empty() && event.signature.empty()) return;
    StreamEvent changed = event;
    changed.arguments = arguments;
    out.emit(changed);
  }

  // Whatever comes after words comes after all of them: what is held of another kind than this.
  void release(int64_t choice, Kind kind, FilterOutput& out) {
    auto found = held_.find(choice);
    if (found == held_.end()) return;
    Held& held = found->second;
    for (Kind other : {Kind::kReasoning, Kind::kText, Kind::kRefusal}) {
      if (other != kind) tell(choice, other, held.words(other).take(*rule_, false), out);
    }
    for (auto& [index, strings] : held.calls) {
      StreamEvent event;
      std::string arguments;
      strings.flush(*rule_, arguments);
      if (arguments.empty()) continue;
      event.kind = Kind::kToolCallDelta;
      event.choice = choice;
      event.tool_index = index;
      event.arguments = arguments;
      out.emit(event);
    }
  }

  static void tell(int64_t choice, Kind kind, const std::string& text, FilterOutput& out) {
    if (text.empty()) return;
    StreamEvent event;
    event.kind = kind;
    event.choice = choice;
    event.text = text;
    out.emit(event);
  }

  bool rewrite(std::string& text) const {
    std::string out;
    bool hit = false;
    replace(*rule_, text, 0, text.size(), false, out, hit);
    text = std::move(out);
    return hit;
  }

  void rewrite(Message& message) const {
    for (Part& part : message.parts) {
      const bool thought = part.kind == Part::Kind::kReasoning;
      if (part.kind != Part::Kind::kText && part.kind != Part::Kind::kRefusal && !thought) continue;
      if (thought && part.text.empty()) continue;
      if (rewrite(part.text) && thought) part.signature.clear();
    }
    for (ToolCall& call : message.tool_calls) {
      JsonStrings strings;
      std::string out;
      strings.add(*rule_, call.arguments, out);
      strings.flush(*rule_, out);
      call.arguments = std::move(out);
    }
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
