// A client's request: what routing needs of it, and as a chat.
#include <algorithm>

#include "dialects/completions.h"
#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"

namespace llmrouter::dialects::completions {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

constexpr std::string_view kTarget = "a chat, which this request has to become for its target";

class Scanner {
 public:
  Result<RequestFacts> run(std::string_view body) {
    if (wire::ScanResult scanned = wire::scan_object(body, {}, facts_.members); !scanned) return scanned.to_error(body);
    if (auto named = check_case(facts_.members); !named) return std::move(named).error();
    for (const MemberSpan& m : facts_.members) {
      take(m.name, JsonValue(body.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (facts_.model.empty()) return model_seen_ ? wrong_value("model", "a string that is not empty") : missing("model", "a string");
    if (!prompt_seen_) return missing("prompt", "a string or an array of strings");
    facts_.input_tokens = estimate_.tokens();
    facts_.n = std::max(facts_.n, best_of_) * static_cast<int64_t>(prompts_);
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "model") {
      model_seen_ = true;
      if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
    } else if (name == "prompt") {
      take_prompt(value);
    } else if (name == "stream") {
      std::optional<bool> flag;
      fields_.read(name, value, flag);
      facts_.stream = flag.value_or(false);
    } else if (name == "stream_options") {
      if (!value.is_unset() && !value.is_object()) return fields_.fail(wrong_type("stream_options", "an object", value));
      JsonValue include_usage;
      if (!pick_distinct(fields_, value, {{"include_usage", &include_usage}}, [] { return "stream_options"; })) return;
      facts_.include_usage = include_usage.boolean().value_or(false);
    } else if (name == "n") {
      std::optional<int64_t> n;
      fields_.read(name, value, n);
      if (n && (*n < 1 || *n > 128)) return fields_.fail(wrong_value("n", "from 1 to 128"));
      facts_.n = n.value_or(1);
    } else if (name == "best_of") {
      best_of_ = std::clamp<int64_t>(value.integer().value_or(1), 1, 128);
    } else if (name == "max_tokens") {
      fields_.read(name, value, facts_.max_tokens);
      if (facts_.max_tokens && *facts_.max_tokens < 0) fields_.fail(wrong_value("max_tokens", "no negative integer"));
    } else if (name == "temperature") {
      fields_.read(name, value, facts_.temperature);
    } else if (name == "user") {
      fields_.read(name, value, facts_.user);
    }
  }

  void take_prompt(JsonValue value) {
    prompt_seen_ = !value.is_null();
    if (value.is_null()) return;
    if (!value.is_string() && !value.is_array()) return fields_.fail(wrong_type("prompt", "a string or an array of strings", value));
    estimate_.message();
    estimate_.text(value.raw().size());
    size_t texts = 0;
    for (JsonValue entry : JsonElements(value)) texts += entry.is_number() ? 0 : 1;  // numbers: the tokens of one
    prompts_ = std::max<size_t>(1, texts);
  }

  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  int64_t best_of_ = 1;
  size_t prompts_ = 1;
  bool model_seen_ = false, prompt_seen_ = false;
};

class Reader {
 public:
  Result<ChatRequest> run(std::string_view body) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
      if (!fields_.ok()) return fields_.take_error();
    }
    return std::move(request_);
  }

 private:
  void refuse(std::string_view name, bool asked, std::string_view what = "it") {
    if (asked) fields_.fail(cannot_express(std::string(name), what, kTarget));
  }

  // False: no field stands for it.
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "prompt") take_prompt(value);
    else if (name == "stream") request_.stream = value.boolean().value_or(false);
    else if (name == "stream_options") request_.include_usage = find_member(value, "include_usage").boolean().value_or(false);
    else if (name == "max_tokens") fields_.read(name, value, request_.max_tokens);
    else if (name == "temperature") fields_.read(name, value, request_.temperature);
    else if (name == "top_p") fields_.read(name, value, request_.top_p);
    else if (name == "frequency_penalty") fields_.read(name, value, request_.frequency_penalty);
    else if (name == "presence_penalty") fields_.read(name, value, request_.presence_penalty);
    else if (name == "seed") fields_.read(name, value, request_.seed);
    else if (name == "n") fields_.read(name, value, request_.n);
    else if (name == "stop") fields_.read_strings(name, value, request_.stop);
    else if (name == "logit_bias") fields_.read_object(name, value, request_.logit_bias);
    else if (name == "user") fields_.read(name, value, request_.user);
    else if (name == "echo") refuse(name, value.boolean().value_or(false));
    else if (name == "suffix") refuse(name, value.nonempty_string());
    else if (name == "logprobs") return take_logprobs(value);
    else if (name == "best_of") return value.integer().value_or(0) <= request_.n.value_or(1);
    else return false;
    return true;
  }

  // 0 asks for the words' own alone: less than what is refused, and named where it is not told.
  bool take_logprobs(JsonValue value) {
    const bool none = value.integer() == 0;
    refuse("logprobs", !none && !value.is_unset() && value.raw() != "false");
    return !none;
  }

  void take_prompt(JsonValue value) {
    JsonValue text = value;
    if (value.is_array()) {
      text = wire::find_element(value, 0);
      if (wire::find_element(value, 1).exists() && text.is_string()) return refuse("prompt", true, "more than one prompt");
    }
    if (!text.is_string()) return refuse("prompt", true, "a prompt that is no text");
    Message message;
    message.parts.push_back(Part::of_text(text.string_or()));
    request_.messages.push_back(std::move(message));
  }

  ChatRequest request_;
  Fields fields_;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body) { return Scanner().run(body); }
Result<ChatRequest> read_request(std::string_view body) { return Reader().run(body); }

}  // namespace llmrouter::dialects::completions
