#include "dialects/request_texts.h"

#include <algorithm>
#include <string>
#include <vector>

#include "wire/json_scan.h"

namespace llmrouter::dialects {
namespace {

using wire::find_member;
using wire::JsonCursor;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

constexpr size_t kMostTurns = 16384;  // the newest ones; nobody looks at the texts of more

// Names in any dialect whose strings are no words.
bool is_no_text(std::string_view name) noexcept {
  constexpr std::string_view kNames[] = {
      "type", "role", "id", "name", "detail", "status", "format", "media_type", "mime_type", "mimeType", "call_id", "tool_call_id", "tool_use_id", "file_id",
      "url", "uri", "image_url", "video_url", "audio_url", "file_url", "fileUri", "file_uri", "file_data", "images", "cache_control",
      "signature", "thoughtSignature", "thought_signature", "encrypted_content"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// What is inside is JSON of the caller's own, whose names mean nothing here: a tool's result (Gemini), a document (Cohere), a prompt's variables (Responses).
bool is_own_json(std::string_view name) noexcept { return name == "response" || name == "data" || name == "document" || name == "variables"; }

// Items of the Responses dialect that are the model's: what it thought or called. One of a kind that is not known here is the caller's.
bool is_models_item(std::string_view type) noexcept {
  constexpr std::string_view kTypes[] = {"reasoning", "function_call", "custom_tool_call", "web_search_call", "file_search_call", "computer_call",
                                         "code_interpreter_call", "image_generation_call", "mcp_call", "local_shell_call", "shell_call", "apply_patch_call",
                                         "tool_search_call"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Said by the model: a message of its role, an item of what it thought or called. One that says several roles is the caller's.
bool is_answer(JsonValue turn, bool items) {
  bool answer = false;
  std::string kind;
  for (const JsonMember& m : JsonMembers(turn)) {
    if (m.key == "role") {
      if (!m.value.equals("assistant") && !m.value.equals("model")) return false;
      answer = true;
    } else if (m.key == "type") {
      m.value.string(kind);
    }
  }
  return answer || (items && is_models_item(kind));
}

class Teller {
 public:
  explicit Teller(TextSink& sink) : sink_(sink) {}

  bool tell(JsonValue value, bool own) {
    if (!value.is_object() && !value.is_array()) return tell_string(value);
    JsonCursor at(value);
    frames_.assign(1, Frame{value.is_object(), own, false, JsonValue()});
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.object ? at.next_member() : at.next_element()) {
        if (!tell_next(at, frame)) return false;
        continue;
      }
      const JsonValue data = frame.plain ? frame.data : JsonValue();
      frames_.pop_back();
      if (!tell_string(data)) return false;
    }
    return true;
  }

 private:
  struct Frame {
    bool object;
    bool own;         // JSON of the caller's own
    bool plain;       // `type` says that `data` is text: Anthropic's documents
    JsonValue data;
  };

  bool tell_next(JsonCursor& at, Frame& frame) {
    bool own = frame.own;
    if (frame.object && !frame.own) {
      const std::string_view name = at.key();
      if (name == "type") {
        frame.plain = at.take().equals("text");
        return true;
      }
      if (is_no_text(name)) return true;
      own = is_own_json(name);
      if (name == "data") return tell_data(at, frame);
    }
    if (frame.object && frame.own && !at.key().empty() && !sink_.on_text(at.key())) return false;
    if (go_in(at, own)) return true;
    const JsonValue value = at.take();
    return own && value.is_number() ? sink_.on_text(value.raw()) : tell_string(value);
  }

  bool tell_data(JsonCursor& at, Frame& frame) {
    if (!go_in(at, true)) frame.data = at.take();
    return true;
  }

  bool go_in(JsonCursor& at, bool own) {
    const bool object = at.enter_object();
    if (!object && !at.enter_array()) return false;
    frames_.push_back({object, own, false, JsonValue()});
    return true;
  }

  bool tell_string(JsonValue value) {
    if (!value.nonempty_string()) return true;
    const auto text = value.string_view(scratch_);
    return !text || sink_.on_text(*text);
  }

  TextSink& sink_;
  std::vector<Frame> frames_;
  std::string scratch_;
};

// What a speaker is called reaches the model. Of a tool or a function it is what the model called.
JsonValue name_of_speaker(JsonValue turn) {
  JsonValue role, name;
  wire::pick(turn, {{"role", &role}, {"name", &name}});
  return role.is_string() && !role.equals("tool") && !role.equals("function") ? name : JsonValue();
}

bool tell_list(JsonValue list, const TextMember& member, Teller& teller) {
  std::vector<JsonValue> kept;  // a ring: the newest
  size_t count = 0;
  for (JsonValue entry : JsonElements(list)) {
    if (member.turns && is_answer(entry, member.items)) continue;
    if (kept.size() < kMostTurns) kept.push_back(entry);
    else kept[count % kMostTurns] = entry;
    ++count;
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    const JsonValue entry = kept[(count - 1 - i) % kMostTurns];
    if (!teller.tell(entry, member.own) || (member.turns && !teller.tell(name_of_speaker(entry), false))) return false;
  }
  return count == kept.size();
}

}  // namespace

bool tell_texts(std::string_view body, std::initializer_list<TextMember> members, TextSink& sink) {
  Teller teller(sink);
  const JsonValue root(body);
  for (const TextMember& member : members) {
    const JsonValue value = find_member(root, member.name);
    if (value.is_array()) {
      if (!tell_list(value, member, teller)) return false;
    } else if (!(member.turns && is_answer(value, member.items)) && !teller.tell(value, member.own)) {
      return false;
    }
  }
  return true;
}

}  // namespace llmrouter::dialects
