// Filling in a template.
#include <algorithm>

#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/http_template.h"
#include "dialects/join_text.h"
#include "dialects/openai.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::http_template {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

constexpr std::string_view kTarget = "this provider's http template";
// Of an OpenAI-shaped request, what is no hint that could be lost.
constexpr std::string_view kNoHints[] = {"model", "messages", "stream", "stream_options"};
// What would make another answer of it when it was left out.
constexpr std::string_view kMeanings[] = {"tools", "response_format", "logprobs", "modalities"};

// One `${name}` or `${name:-default}` of a text, and where it stands.
struct Placeholder {
  size_t begin = 0, end = 0;  // of the text; end is one past the brace
  std::string_view name, fallback;
  bool has_fallback = false;
};

// The next one at or after `from`; false: there is none. `$${` is a literal `${`. Texts were checked when the configuration was loaded.
bool next_placeholder(std::string_view text, size_t from, Placeholder& out) {
  for (size_t at = text.find("${", from); at != std::string_view::npos; at = text.find("${", at + 2)) {
    if (at > from && text[at - 1] == '$') continue;
    const size_t close = text.find('}', at);
    if (close == std::string_view::npos) return false;
    const std::string_view inside = text.substr(at + 2, close - at - 2);
    const size_t mark = inside.find(":-");
    out.begin = at;
    out.end = close + 1;
    out.name = inside.substr(0, mark);
    out.has_fallback = mark != std::string_view::npos;
    out.fallback = out.has_fallback ? inside.substr(mark + 2) : std::string_view{};
    return true;
  }
  return false;
}

class Filler {
 public:
  Filler(const HttpTemplate& form, const ChatRequest& request, std::string& out, std::vector<std::string>& dropped)
      : form_(form), request_(request), out_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model, bool stream, bool foreign) {
    if (auto texts = check_texts(); !texts) return texts;
    if (auto checked = check_foreign_tools(request_, kTarget, dropped_); !checked) return checked;
    std::vector<std::string> ignored;
    const bool thoughts = has_thoughts();
    const ChatRequest spoken = thoughts ? without_thoughts() : ChatRequest();
    // The request in OpenAI's shape is what placeholders are looked up in.
    if (auto written = openai::write_request(thoughts ? spoken : request_, model, {}, {stream, false, foreign}, shaped_, ignored); !written) return written;
    for (std::string& name : ignored) drop(name);
    prompt_ = last_prompt();
    fill(JsonValue(form_.body));
    return check_unused();
  }

 private:
  void drop(std::string_view name) {
    add_dropped(dropped_, name);
  }

  Result<void> check_texts() const {
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const Message& message = request_.messages[i];
      if (!message.tool_calls.empty() || message.role == Role::kTool) return cannot_express("tools", "calls of tools", kTarget);
      for (size_t k = 0; k < message.parts.size(); ++k) {
        const std::string at = path(path("messages", i, "content"), k);
        switch (message.parts[k].kind) {
          case Part::Kind::kText:
          case Part::Kind::kRefusal:
          case Part::Kind::kReasoning: break;
          case Part::Kind::kImage: return cannot_express(at, "an image", kTarget);
          case Part::Kind::kAudio: return cannot_express(at, "audio", kTarget);
          case Part::Kind::kVideo: return cannot_express(at, "video", kTarget);
          case Part::Kind::kFile: return cannot_express(at, "a file", kTarget);
          case Part::Kind::kOther: return cannot_express(at, "a part of this type", kTarget);
        }
      }
    }
    return {};
  }

  static bool is_thought(const Part& part) noexcept { return part.kind == Part::Kind::kReasoning; }
  bool has_thoughts() const {
    return std::any_of(request_.messages.begin(), request_.messages.end(),
                       [](const Message& m) { return std::any_of(m.parts.begin(), m.parts.end(), is_thought); });
  }
  // OpenAI's messages have no place for thoughts; that vendors made some says nothing of this server.
  ChatRequest without_thoughts() {
    drop("reasoning");
    ChatRequest out = request_;
    for (Message& m : out.messages) m.parts.erase(std::remove_if(m.parts.begin(), m.parts.end(), is_thought), m.parts.end());
    return out;
  }

  std::string last_prompt() {
    for (size_t i = request_.messages.size(); i-- > 0;) {
      if (request_.messages[i].role != Role::kUser) continue;
      std::string prompt;
      for (const Part& part : request_.messages[i].parts) {
        if (part.kind == Part::Kind::kText) append_apart(prompt, part.text);  // two parts are two words, as rules have heard them
      }
      return prompt;
    }
    no_user_ = true;
    return {};
  }

  // Does the conversation say anything beside its prompt?
  bool said_before() const {
    return std::count_if(request_.messages.begin(), request_.messages.end(), [](const Message& m) { return m.role == Role::kUser || !m.text().empty(); }) > 1;
  }

  // A placeholder's value as JSON; empty: unset. The name is used from then on.
  std::string value_of(const Placeholder& p) {
    used_.emplace_back(p.name);
    std::string json;
    if (p.name == "prompt") {
      wire::append_json_string(json, prompt_);
    } else if (p.name == "stream") {
      const JsonValue stream = find_member(JsonValue(shaped_), "stream");
      json = stream.exists() ? stream.raw() : std::string_view("false");
    } else if (const JsonValue member = find_member(JsonValue(shaped_), p.name); !member.is_unset()) {
      json = member.raw();
    }
    if (!json.empty() || !p.has_fallback) return json;
    if (!p.fallback.empty() && wire::validate(p.fallback)) json = p.fallback;
    else wire::append_json_string(json, p.fallback);
    return json;
  }

  // A text that is one placeholder alone becomes its value, of whatever kind; false: the value is unset.
  bool fill_text(JsonValue value) {
    const std::string text = value.string_or();
    Placeholder p;
    if (next_placeholder(text, 0, p) && p.begin == 0 && p.end == text.size()) {
      const std::string json = value_of(p);
      out_ += json;
      return !json.empty();
    }
    std::string filled;
    size_t from = 0;
    while (next_placeholder(text, from, p)) {
      append_literal(filled, std::string_view(text).substr(from, p.begin - from));
      const std::string json = value_of(p);
      const JsonValue found(json);
      if (found.is_string()) found.append_string(filled);
      else filled += json;
      from = p.end;
    }
    append_literal(filled, std::string_view(text).substr(from));
    wire::append_json_string(out_, filled);
    return true;
  }

  static void append_literal(std::string& out, std::string_view text) {
    for (size_t at = text.find("$${"); at != std::string_view::npos; at = text.find("$${")) {
      out.append(text.substr(0, at)).append("${");
      text.remove_prefix(at + 3);
    }
    out += text;
  }

  // False: nothing was written, since the value is unset; its member is then left out.
  bool fill(JsonValue value) {
    if (value.is_string()) return fill_text(value);
    const bool object = value.is_object();
    if (!object && !value.is_array()) {
      out_ += value.raw();
      return true;
    }
    out_ += object ? '{' : '[';
    bool any = false;
    const auto add = [&](std::string_view key, JsonValue inner) {
      const size_t before = out_.size();
      if (any) out_ += ',';
      if (object) {
        wire::append_json_string(out_, key);
        out_ += ':';
      }
      if (fill(inner)) any = true;
      else out_.resize(before);
    };
    if (object) for (const JsonMember& m : JsonMembers(value)) add(m.key, m.value);
    else for (JsonValue element : JsonElements(value)) add({}, element);
    out_ += object ? '}' : ']';
    return true;
  }

  bool is_used(std::string_view name) const { return std::find(used_.begin(), used_.end(), name) != used_.end(); }

  Result<void> check_unused() {
    for (const JsonMember& m : JsonMembers(JsonValue(shaped_))) {
      if (is_used(m.key) || std::find(std::begin(kNoHints), std::end(kNoHints), m.key) != std::end(kNoHints)) continue;
      const bool means = std::find(std::begin(kMeanings), std::end(kMeanings), m.key) != std::end(kMeanings);
      const bool trivial = (m.key == "response_format" && find_member(m.value, "type").equals("text")) || m.value.raw() == "false" || m.value.empty_container();
      if ((means && !trivial) || (m.key == "n" && m.value.integer().value_or(1) > 1)) {
        return cannot_express(std::string(m.key), "it", kTarget);
      }
      if (!trivial && m.key != "n" && m.key != "tool_choice") drop(m.key);
    }
    if (no_user_ && !is_used("messages")) return cannot_express("messages", "a conversation in which no user speaks", kTarget);
    // A prompt alone is the last words of a longer talk: the answer would be to another one.
    if (!is_used("messages") && said_before()) {
      return cannot_express("messages", "more than the last words of the user", kTarget);
    }
    return {};
  }

  const HttpTemplate& form_;
  const ChatRequest& request_;
  std::string& out_;
  std::vector<std::string>& dropped_;
  std::vector<std::string> used_;
  std::string shaped_, prompt_;
  bool no_user_ = false;
};

}  // namespace

Result<void> write_request(const HttpTemplate& form, const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped) {
  const ForeignParts parts(request, foreign, dropped, true);
  return Filler(form, parts.request(), out, dropped).run(model, stream, foreign);
}

JsonValue at_pointer(JsonValue root, std::string_view pointer) {
  while (!pointer.empty() && root.exists()) {
    pointer.remove_prefix(1);  // the slash
    const size_t end = std::min(pointer.find('/'), pointer.size());
    std::string step;
    for (size_t i = 0; i < end; ++i) {
      if (pointer[i] == '~' && i + 1 < end) step += pointer[++i] == '1' ? '/' : '~';
      else step += pointer[i];
    }
    pointer.remove_prefix(end);
    if (!root.is_array()) {
      root = find_member(root, step);
      continue;
    }
    const bool number = !step.empty() && step.size() < 10 && std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; });
    root = number ? wire::find_element(root, static_cast<size_t>(std::stoul(step))) : JsonValue();
  }
  return root;
}

}  // namespace llmrouter::dialects::http_template
