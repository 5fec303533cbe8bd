// A client's own body on its way to an upstream of the same dialect: what is changed in it, and nothing else.
#include <cstdlib>

#include "dialects/fields.h"
#include "dialects/openai.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"
#include "wire/splice.h"

namespace llmrouter::dialects::openai {
namespace {

using Kind = BodyEdit::Kind;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SpliceEdit;

// All that transformers' server takes; anything else is a 422.
constexpr std::string_view kTransformersTakes[] = {"model", "messages", "stream", "temperature", "top_p", "max_tokens",
                                                   "frequency_penalty", "seed", "logit_bias", "tools", "stop", "generation_config", "processor"};

bool transformers_takes(std::string_view name) noexcept {
  for (std::string_view known : kTransformersTakes) {
    if (name == known) return true;
  }
  return false;
}

// Would the answer be another one without this member?
bool means_something(std::string_view name, JsonValue value) {
  if (value.is_unset()) return false;
  if (name == "n") return value.integer().value_or(1) > 1;
  if (name == "tool_choice") return !value.equals("auto");
  if (name == "response_format") return !wire::find_member(value, "type").equals("text");
  if (name == "logprobs") return value.boolean().value_or(false);
  if (name == "top_logprobs") return value.integer().value_or(0) > 0;
  if (name == "modalities") return !value.empty_container() && value.raw().find("audio") != std::string_view::npos;
  return name == "functions" || name == "function_call";
}

class Relay {
 public:
  Relay(const EncodeInput& input, const Quirks& quirks, EncodedRequest& out) : input_(input), quirks_(quirks), out_(out) {}

  Result<void> run() {
    if (quirks_.inline_media && input_.facts->has_image) {
      if (auto held = check_inline(); !held) return held;
    }
    if (quirks_.max_tokens_only) rename("max_completion_tokens", "max_tokens");
    if (quirks_.max_completion_tokens_only) rename("max_tokens", "max_completion_tokens");
    if (quirks_.random_seed) rename("seed", "random_seed");
    if (quirks_.required_is_any && member("tool_choice").equals("required")) set("tool_choice", R"("any")");
    if (quirks_.short_tool_ids) shorten_ids();
    if (quirks_.no_top_k && member("top_k").exists()) drop("top_k");
    add_edits();
    if (quirks_.thoughts_beside_bound) bound_thoughts();
    if (quirks_.strip_unknown) {
      if (auto stripped = strip(); !stripped) return stripped;
    }
    add_stream_options();
    const auto& members = input_.facts->members;
    const auto named = [](const MemberSpan& m) { return m.name == "model"; };  // not in a body whose path or `models` names it
    if (input_.facts->model != input_.upstream_model || std::none_of(members.begin(), members.end(), named)) {
      std::string json;
      wire::append_json_string(json, input_.upstream_model);
      set("model", keep(std::move(json)));
    }
    if (edits_.empty()) out_.http.body.push_back(input_.body);
    else wire::splice(input_.body, input_.facts->members, edits_, out_.owned, out_.http.body);
    return {};
  }

 private:
  JsonValue member(std::string_view name) const {
    for (const MemberSpan& m : input_.facts->members) {
      if (m.name == name) return JsonValue(input_.body.substr(m.value_begin, m.value_end - m.value_begin));
    }
    return {};
  }

  // Text that edits view: it must not move while they are gathered.
  std::string_view keep(std::string text) { return out_.owned.emplace_back(std::move(text)); }
  void set(std::string_view name, std::string_view json) { edits_.push_back({Kind::kSet, name, {}, json}); }
  void remove(std::string_view name) { edits_.push_back({Kind::kRemove, name, {}, {}}); }
  void drop(std::string_view name) {
    remove(name);
    add_dropped(out_.dropped, name);
  }

  // A member under its other name. Where both are there, the one the upstream knows stays.
  void rename(std::string_view from, std::string_view to) {
    const JsonValue value = member(from);
    if (!value.exists()) return;
    remove(from);
    if (!value.is_null() && member(to).is_unset()) set(to, value.raw());
  }

  std::string_view renamed(std::string_view name) const noexcept {
    if ((quirks_.max_tokens_only || quirks_.text_completions) && name == "max_completion_tokens") return "max_tokens";
    if (quirks_.max_completion_tokens_only && name == "max_tokens") return "max_completion_tokens";
    if (quirks_.random_seed && name == "seed") return "random_seed";
    return name;
  }

  // The bound of an answer has two names, and a policy that gives one means the bound: it goes where the client's stands (the newer name where it has set both),
  // and one of them is left. False: the client's own stands.
  bool place_bound(SpliceEdit& e) {
    constexpr std::string_view kOlder = "max_tokens", kNewer = "max_completion_tokens";
    if (e.kind == Kind::kRemove || (e.name != kOlder && e.name != kNewer)) return true;
    if (bound_.empty() && !quirks_.text_completions && !member(kNewer).is_unset()) bound_ = renamed(kNewer);
    if (bound_.empty() && !member(kOlder).is_unset()) bound_ = renamed(kOlder);
    if (e.kind == Kind::kDefault && !bound_.empty()) return false;
    if (bound_.empty()) bound_ = e.name;
    e.name = bound_;
    if (e.kind == Kind::kSet) remove(bound_ == kOlder ? kNewer : kOlder);
    return true;
  }

  void add_edits() {
    if (input_.edits == nullptr) return;
    for (const BodyEdit& edit : *input_.edits) {
      SpliceEdit e = wire::to_splice(edit);
      e.name = renamed(e.name);
      if (!place_bound(e)) continue;
      if (quirks_.required_is_any && e.name == "tool_choice" && edit.json == R"("required")") e.json = R"("any")";
      edits_.push_back(e);
    }
  }

  // Where thoughts are counted beside the answer, a bound that a policy puts on it is one for them, too.
  void bound_thoughts() {
    std::string_view bound;
    bool thinks = member("enable_thinking").boolean().value_or(false), told = !member("thinking_budget").is_unset();
    for (const SpliceEdit& e : edits_) {
      if (e.kind == Kind::kRemove) continue;
      if (e.name == bound_) bound = e.json;
      if (e.name == "thinking_budget") told = true;
      if (e.name == "enable_thinking" && (e.kind == Kind::kSet || member(e.name).is_unset())) thinks = e.json == "true";
    }
    if (thinks && !told && !bound.empty()) set("thinking_budget", bound);
  }

  Result<void> strip() {
    for (const MemberSpan& m : input_.facts->members) {
      if (transformers_takes(m.name) || (quirks_.max_tokens_only && m.name == "max_completion_tokens")) continue;
      if (means_something(m.name, member(m.name))) {
        return cannot_express(m.name, "it", "a server that refuses unknown members (quirk strip_unknown)");
      }
      drop(m.name);
    }
    // A policy's edits meet the same wall.
    const size_t count = edits_.size();
    for (size_t i = 0; i < count; ++i) {
      if (edits_[i].kind != Kind::kRemove && !transformers_takes(edits_[i].name)) drop(edits_[i].name);
    }
    return {};
  }

  void add_stream_options() {
    if (quirks_.no_stream_options) {
      if (member("stream_options").exists()) remove("stream_options");
      return;
    }
    if (asks_for_usage(input_, quirks_)) edits_.push_back({Kind::kSet, "stream_options", "include_usage", "true"});
  }

  // Pictures by URL are for other targets: this one would refuse them.
  Result<void> check_inline() const {
    size_t i = 0;
    for (JsonValue message : JsonElements(member("messages"))) {
      size_t j = 0;
      for (JsonValue part : JsonElements(wire::find_member(message, "content"))) {
        const std::string_view url = wire::find(part, "image_url", "url").raw();  // quoted, and not copied: most hold the picture
        if (url.substr(0, 7) == "\"https:" || url.substr(0, 6) == "\"http:") {
          return cannot_express(path(path("messages", i, "content"), j), "a picture that is not inline", "this vendor");
        }
        ++j;
      }
      ++i;
    }
    return {};
  }

  static bool is_short(JsonValue id, std::string& scratch) {
    auto text = id.string_view(scratch);
    return !text || *text == short_tool_id(*text);
  }

  // The messages with every tool id made short; only when one is not, since it copies them.
  void shorten_ids() {
    const JsonValue messages = member("messages");
    std::string scratch;
    std::vector<JsonValue> ids;
    for (JsonValue message : JsonElements(messages)) {
      for (const JsonMember& m : JsonMembers(message)) {
        if (m.key == "tool_call_id" && !is_short(m.value, scratch)) ids.push_back(m.value);
        if (m.key != "tool_calls") continue;
        for (JsonValue call : JsonElements(m.value)) {
          if (JsonValue id = wire::find_member(call, "id"); !is_short(id, scratch)) ids.push_back(id);
        }
      }
    }
    if (ids.empty()) return;
    const std::string_view text = messages.raw();
    std::string changed;
    changed.reserve(text.size());
    size_t at = 0;
    for (JsonValue id : ids) {
      const auto begin = static_cast<size_t>(id.raw().data() - text.data());
      changed.append(text.substr(at, begin - at));
      wire::append_json_string(changed, short_tool_id(id.string_or()));
      at = begin + id.raw().size();
    }
    changed.append(text.substr(at));
    set("messages", keep(std::move(changed)));
  }

  const EncodeInput& input_;
  const Quirks& quirks_;
  EncodedRequest& out_;
  std::vector<SpliceEdit> edits_;
  std::string_view bound_;  // the name of the answer's bound, once a policy gives one
};

}  // namespace

bool asks_for_usage(const EncodeInput& input, const Quirks& quirks) noexcept {
  return input.stream && input.want_usage && !input.facts->include_usage && !quirks.no_stream_options && !quirks.strip_unknown;
}

Quirks Quirks::of(const std::vector<std::string>& names) {
  struct Row {
    std::string_view name;
    bool Quirks::*flag;
  };
  static constexpr Row kRows[] = {
      {"no_stream_options", &Quirks::no_stream_options},
      {"max_tokens_only", &Quirks::max_tokens_only},
      {"max_completion_tokens_only", &Quirks::max_completion_tokens_only},
      {"strip_unknown", &Quirks::strip_unknown},
      {"strip_unknown", &Quirks::max_tokens_only},
      {"required_is_any", &Quirks::required_is_any},
      {"random_seed", &Quirks::random_seed},
      {"short_tool_ids", &Quirks::short_tool_ids},
      {"no_top_k", &Quirks::no_top_k},
      {"takes_cache_control", &Quirks::takes_cache_control},
      {"strict_members", &Quirks::strict_members},
      {"metadata_needs_store", &Quirks::metadata_needs_store},
      {"takes_developer", &Quirks::takes_developer},
      {"no_logprobs", &Quirks::no_logprobs},
      {"no_logit_bias", &Quirks::no_logit_bias},
      {"no_user", &Quirks::no_user},
      {"no_service_tier", &Quirks::no_service_tier},
      {"no_names", &Quirks::no_names},
      {"temperature_to_1", &Quirks::temperature_to_1},
      {"fixed_samplers", &Quirks::fixed_samplers},
      {"thinks_without_samplers", &Quirks::thinks_without_samplers},
      {"thinks_streamed", &Quirks::thinks_streamed},
      {"thoughts_beside_bound", &Quirks::thoughts_beside_bound},
      {"thoughts_with_calls", &Quirks::thoughts_with_calls},
      {"inline_media", &Quirks::inline_media},
      {"document_url", &Quirks::document_url},
      {"strict_parts", &Quirks::strict_parts},
      {"thinking_type", &Quirks::thinking_type},
      {"enable_thinking", &Quirks::enable_thinking},
      {"reasoning_object", &Quirks::reasoning_object},
      {"template_thinking", &Quirks::template_thinking},
      {"no_reasoning_effort", &Quirks::no_reasoning_effort},
      {"effort_or_thinking", &Quirks::effort_or_thinking},
      {"effort_of_mini", &Quirks::effort_of_mini},
      {"no_reasoning_back", &Quirks::no_reasoning_back},
      {"custom_tools", &Quirks::custom_tools},
      {"kimi_models", &Quirks::kimi_models},
      {"prefill", &Quirks::prefill},
      {"prefill_prefix", &Quirks::prefill_prefix},
      {"prefill_partial", &Quirks::prefill_partial},
      {"prefill_continue", &Quirks::prefill_continue},
  };
  constexpr std::string_view kEffortsOf = "efforts_", kStopsOf = "stops_";
  Quirks q;
  for (const std::string& name : names) {
    if (name.compare(0, kEffortsOf.size(), kEffortsOf) == 0) q.efforts = efforts_named(std::string_view(name).substr(kEffortsOf.size()));
    if (name.compare(0, kStopsOf.size(), kStopsOf) == 0) q.most_stops = std::strtoul(name.c_str() + kStopsOf.size(), nullptr, 10);
    for (const Row& row : kRows) {
      if (row.name == name) q.*row.flag = true;
    }
  }
  return q;
}

std::string short_tool_id(std::string_view id) {
  static constexpr char kAlphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  bool fits = id.size() == 9;
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : id) {
    fits = fits && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  if (fits) return std::string(id);
  std::string out;
  for (int i = 0; i < 9; ++i) {
    out += kAlphabet[hash % 62];
    hash /= 62;
  }
  return out;
}

Result<void> splice_request(const EncodeInput& input, const Quirks& quirks, EncodedRequest& out) { return Relay(input, quirks, out).run(); }

}  // namespace llmrouter::dialects::openai
