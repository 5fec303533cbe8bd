#include "dialects/own_edits.h"

#include <algorithm>
#include <utility>

#include "dialects/fields.h"
#include "dialects/openai.h"
#include "llmrouter/dropped.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {
namespace {

using Kind = BodyEdit::Kind;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SpliceEdit;

template <typename List>
bool is_one_of(std::string_view name, const List& names) noexcept {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Members of OpenAI's that hang on a few others at most, and on no message and no tool.
constexpr std::string_view kAlone[] = {"max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "n",
                                       "logprobs", "top_logprobs", "logit_bias", "stop", "user", "service_tier", "metadata"};

// Members of OpenAI's that no other dialect has under this name, and that have no field of their own. Any other name is the dialect's own.
constexpr std::string_view kOpenAis[] = {"verbosity", "modalities", "audio", "prediction", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
                                         "web_search_options", "functions", "function_call", "max_tool_calls"};

class OwnEdits {
 public:
  OwnEdits(const EncodeInput& input, const OwnForm& form, EncodedRequest& out, std::vector<SpliceEdit>& edits)
      : input_(input), form_(form), out_(out), edits_(edits) {}

  Result<void> run() {
    std::vector<BodyEdit> neutral;
    bool alone = true;  // no edit hangs on the conversation
    for (const BodyEdit& edit : *input_.edits) {
      const bool known = openai::is_chat_member(edit.name);
      if (known) {
        neutral.push_back(edit);
        alone = alone && is_one_of(edit.name, kAlone);
      }
      const bool own = !known && !is_one_of(edit.name, kOpenAis);
      if (!known && !own && edit.kind != Kind::kRemove) add_dropped(out_.dropped, edit.name);
      // There is another `metadata` than OpenAI's; whoever drops it means what stands there.
      if (own || (edit.kind == Kind::kRemove && edit.name == "metadata")) edits_.push_back({edit.kind, clients_name(edit.name), {}, edit.json});
    }
    if (neutral.empty()) return {};
    return compare(alone || form_.always_without_bulk ? keep(without_bulk()) : input_.body, neutral);
  }

 private:
  std::string_view keep(std::string text) { return out_.owned.emplace_back(std::move(text)); }

  JsonValue value_of(const MemberSpan& m) const noexcept { return JsonValue(input_.body.substr(m.value_begin, m.value_end - m.value_begin)); }

  // The member as the client has it; null: it has none.
  const MemberSpan* clients(std::string_view name) const noexcept {
    for (const MemberSpan& m : input_.facts->members) {
      if (is_same_name(m.name, name, form_.spelling)) return &m;
    }
    return nullptr;
  }
  std::string_view clients_name(std::string_view name) const noexcept {
    const MemberSpan* const m = clients(name);
    return m != nullptr ? std::string_view(m->name) : name;
  }

  std::string without_bulk() const {
    std::string body = "{";
    for (const MemberSpan& m : input_.facts->members) {
      const auto is_this = [&m, this](std::string_view name) { return is_same_name(m.name, name, form_.spelling); };
      if (is_this(form_.conversation) || std::any_of(form_.bulk.begin(), form_.bulk.end(), is_this)) continue;
      body.append(input_.body.substr(m.key_begin, m.value_end - m.key_begin)).append(",");
    }
    return body.append("\"").append(form_.conversation).append("\":").append(form_.least).append("}");
  }

  Result<void> compare(std::string_view body, const std::vector<BodyEdit>& neutral) {
    auto request = form_.read(body);
    if (!request) return not_spliced();
    std::string before, after;
    std::vector<std::string> dropped_before, dropped;
    if (!form_.write(*request, before, dropped_before)) return not_spliced();
    if (!apply_edits(neutral, *request) || !form_.write(*request, after, dropped)) return not_spliced();
    for (const std::string& name : dropped) {
      if (!is_one_of(name, dropped_before)) add_dropped(out_.dropped, name);
    }
    if (before != after) add_difference(JsonValue(before), JsonValue(keep(std::move(after))));
    return {};
  }

  void add_difference(JsonValue before, JsonValue after) {
    for (const JsonMember& m : JsonMembers(after)) {
      const JsonValue old = wire::find_member(before, m.key);
      if (old.raw() == m.value.raw()) continue;
      const std::string_view name = keep(std::string(m.key));
      if (is_one_of(name, form_.holders) && m.value.is_object()) add_inner_difference(name, old, m.value);
      else change(name, {}, m.value);
    }
    for (const JsonMember& m : JsonMembers(before)) {
      if (!wire::find_member(after, m.key).exists()) remove(keep(std::string(m.key)), {});
    }
  }

  void add_inner_difference(std::string_view holder, JsonValue before, JsonValue after) {
    for (const JsonMember& m : JsonMembers(after)) {
      if (wire::find_member(before, m.key).raw() != m.value.raw()) change(holder, keep(std::string(m.key)), m.value);
    }
    for (const JsonMember& m : JsonMembers(before)) {
      if (!wire::find_member(after, m.key).exists()) remove(holder, keep(std::string(m.key)));
    }
  }

  void change(std::string_view name, std::string_view child, JsonValue value) {
    remove_other_formats(name, child);
    edits_.push_back({Kind::kSet, clients_name(name), clients_child(name, child), value.raw()});
  }
  void remove(std::string_view name, std::string_view child) {
    remove_other_formats(name, child);
    edits_.push_back({Kind::kRemove, clients_name(name), clients_child(name, child), {}});
  }

  // As the client wrote it inside of the object. Empty: none is meant.
  std::string_view clients_child(std::string_view holder, std::string_view child) {
    const MemberSpan* const m = clients(holder);
    if (child.empty() || m == nullptr || form_.spelling == Spelling::kExact) return child;
    for (const JsonMember& inner : JsonMembers(value_of(*m))) {
      if (inner.key != child && is_same_name(inner.key, child, form_.spelling)) return keep(std::string(inner.key));
    }
    return child;
  }

  // The answer's form is told in one place.
  void remove_other_formats(std::string_view name, std::string_view child) {
    std::string full(name);
    if (!child.empty()) full.append(".").append(child);
    if (!is_one_of(std::string_view(full), form_.formats)) return;
    for (std::string_view other : form_.formats) {
      if (other == full) continue;
      const size_t dot = std::min(other.find('.'), other.size());
      const std::string_view holder = other.substr(0, dot), member = other.substr(std::min(dot + 1, other.size()));
      edits_.push_back({Kind::kRemove, clients_name(holder), clients_child(holder, member), {}});
    }
  }

  const EncodeInput& input_;
  const OwnForm& form_;
  EncodedRequest& out_;
  std::vector<SpliceEdit>& edits_;
};

}  // namespace

Result<void> add_own_edits(const EncodeInput& input, const OwnForm& form, EncodedRequest& out, std::vector<SpliceEdit>& edits) {
  if (!has_edits(input)) return {};
  return OwnEdits(input, form, out, edits).run();
}

}  // namespace llmrouter::dialects
