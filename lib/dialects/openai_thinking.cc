#include "dialects/openai_thinking.h"

#include <string>

#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonMember;
using wire::JsonWriter;

class ThinkingWriter {
 public:
  ThinkingWriter(const Thinking& asked, JsonWriter& w, std::vector<std::string>& dropped) : asked_(asked), w_(w), dropped_(dropped) {}

  void run() {
    if (asked_.options.prefill) return write_no_thoughts();
    const std::string_view effort = effort_of(asked_.request);
    const bool said = !effort.empty() || asked_.request.reasoning;
    if (asked_.kimi != Kimi::kNone) return write_kimi_reasoning(effort, said);
    const bool off = effort == "none";
    if (not_taken(asked_.quirks.thinks_streamed && asked_.traits.thinks_streamed && !asked_.options.stream)) {
      if (said && !off) drop("reasoning");
      return w_.member("enable_thinking", false);
    }
    if (!said && asked_.traits.thinks_streamed && within_bound(0) > 0) return w_.member("thinking_budget", within_bound(0));  // it thinks unasked
    if (!said) return;
    auto own = [this](std::string_view name) { return !asked_.options.foreign && has_extra(name); };
    if (asked_.quirks.reasoning_object) {
      if (!own("reasoning")) write_reasoning_object(effort);
      return;
    }
    const bool either = asked_.quirks.effort_or_thinking && !effort.empty() && !off;  // the word alone says it
    if (asked_.quirks.thinking_type && !either && !own("thinking")) {
      w_.raw_member("thinking", off ? R"({"type":"disabled"})" : R"({"type":"enabled"})");
      if (off || asked_.quirks.kimi_models) return;  // who hears both of Moonshot refuses them
    }
    if (asked_.quirks.enable_thinking) {
      if (!own("enable_thinking")) w_.member("enable_thinking", !off);
      const int64_t budget = within_bound(asked_.request.reasoning_budget.value_or(effort.empty() ? 0 : budget_of_effort(effort)));
      if (!off && budget > 0 && !own("thinking_budget")) w_.member("thinking_budget", budget);
      return;
    }
    if (asked_.quirks.template_thinking && !own("chat_template_kwargs")) {
      w_.raw_member("chat_template_kwargs", off ? R"({"enable_thinking":false})" : R"({"enable_thinking":true})");
      if (off) return;
    }
    if (effort.empty()) {
      if (!asked_.quirks.thinking_type && !asked_.quirks.template_thinking && asked_.options.foreign) drop("reasoning");
      return;
    }
    if (asked_.quirks.no_reasoning_effort) {
      if (!asked_.quirks.thinking_type) drop("reasoning_effort");
      return;
    }
    if (asked_.options.foreign) return write_fitted(effort);
    if (!own("reasoning") && !own("thinking") && !own("enable_thinking") && !own("thinking_budget")) text("reasoning_effort", std::string(effort));
    else if (!lifted_effort(effort)) text("reasoning_effort", asked_.request.reasoning_effort);
  }

 private:
  // A budget where thoughts are counted beside `max_tokens`, and have no bound unless one is told. 0: none.
  int64_t within_bound(int64_t budget) const noexcept {
    const int64_t most = asked_.quirks.thoughts_beside_bound ? asked_.request.max_tokens.value_or(0) : 0;
    return most > 0 && (budget <= 0 || budget > most) ? most : budget;
  }

  void drop(std::string_view name) { add_dropped(dropped_, name); }
  void text(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (asked_.quirks.strip_unknown) drop(name);
    else w_.member(name, value);
  }
  // What a vendor does not take of other dialects' requests.
  bool not_taken(bool quirk) const noexcept { return asked_.options.foreign && quirk; }
  bool has_extra(std::string_view name) const {
    bool found = false;
    for_each_member(asked_.request.extras, [&](const JsonMember& m) { found = found || m.key == name; });
    return found;
  }

  void write_kimi_reasoning(std::string_view effort, bool said) {
    const bool off = effort == "none" || asked_.request.reasoning == false, asked = said && !off;
    if (!asked_.options.foreign && (has_extra("thinking") || has_extra("reasoning_effort"))) return;
    if (asked_.kimi == Kimi::kSwitch) {
      if (asked_.forced && asked) drop("reasoning_effort");
      if (asked_.forced || said) w_.raw_member("thinking", asked && !asked_.forced ? R"({"type":"enabled"})" : R"({"type":"disabled"})");
    } else if (off) {
      drop("reasoning_effort");
    } else if (asked_.kimi == Kimi::kEffort && !effort.empty()) {
      const bool low = effort == "minimal" || effort == "low";
      w_.member("reasoning_effort", low ? std::string_view("low") : effort == "xhigh" || effort == "max" ? std::string_view("max") : std::string_view("high"));
    }
  }

  // The word that comes next to another dialect's, of those that the vendor or the model takes.
  void write_fitted(std::string_view effort) {
    if (asked_.quirks.effort_of_mini && find_ci(asked_.model, "mini") == std::string_view::npos) return drop("reasoning_effort");
    const FittedEffort fit = fit_effort(effort, asked_.quirks.efforts != 0 ? asked_.quirks.efforts : asked_.traits.efforts);
    if (!fit.told) drop("reasoning_effort");
    text("reasoning_effort", std::string(fit.word));
  }

  // What was begun is the answer: no thought comes before the rest of it. Servers that think unasked are told so, and refuse the beginning otherwise.
  void write_no_thoughts() {
    if (asked_.quirks.thinking_type && asked_.kimi != Kimi::kAlways && asked_.kimi != Kimi::kEffort) w_.raw_member("thinking", R"({"type":"disabled"})");
    if (asked_.quirks.enable_thinking) w_.member("enable_thinking", false);
    if (asked_.quirks.template_thinking || asked_.quirks.prefill) w_.raw_member("chat_template_kwargs", R"({"enable_thinking":false})");
  }

  // Is the effort the one that the extras say already?
  bool lifted_effort(std::string_view effort) const {
    bool lifted = asked_.request.reasoning_effort.empty();
    for_each_member(asked_.request.extras, [&](const JsonMember& m) {
      lifted = lifted || (m.key == "reasoning" && wire::find_member(m.value, "effort").equals(effort));
    });
    return lifted;
  }

  void write_reasoning_object(std::string_view effort) {
    w_.key("reasoning");
    w_.begin_object();
    if (asked_.request.reasoning_budget && *asked_.request.reasoning_budget > 0 && asked_.request.reasoning_effort.empty()) w_.member("max_tokens", *asked_.request.reasoning_budget);
    else if (!effort.empty()) w_.member("effort", effort);
    else w_.member("enabled", true);
    w_.end_object();
  }

  const Thinking& asked_;
  JsonWriter& w_;
  std::vector<std::string>& dropped_;
};

}  // namespace

void write_thinking(const Thinking& asked, JsonWriter& w, std::vector<std::string>& dropped) { ThinkingWriter(asked, w, dropped).run(); }

}  // namespace llmrouter::dialects::openai
