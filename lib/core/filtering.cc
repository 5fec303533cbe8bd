// The filters of an attempt.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {
namespace {

constexpr std::string_view kCursor = "cursor";  // a key's purpose: its client shows text alone

}  // namespace

Result<void> Call::State::make_filters(const core::Candidate& c) {
  at_->filters.clear();
  if (operation_ != Operation::kChat) return pass_unfiltered(c);
  auto add = [this](const FilterFactory& factory) {
    if (auto filter = factory ? factory() : nullptr) at_->filters.push_back(std::move(filter));
  };
  if (c.route != nullptr) {
    for (const FilterFactory& factory : c.route->filters) add(factory);
  }
  if (!key_ || key_->spec.purpose != kCursor) return {};
  const auto& own = c.route != nullptr ? c.route->config->filters : std::vector<std::string>();
  if (std::find(own.begin(), own.end(), "think_tags") == own.end()) add(snap_->filters.find("think_tags")->second);
  return {};
}

// What is no chat has no form that filters see: only where none of them matters does it go on.
Result<void> Call::State::pass_unfiltered(const core::Candidate& c) const {
  for (size_t i = 0; c.route != nullptr && i < c.route->filters.size(); ++i) {
    const FilterFactory& factory = c.route->filters[i];
    auto filter = factory ? factory() : nullptr;
    if (!filter || filter->may_miss(operation_)) continue;
    return Error(ErrorCode::kNotSupported,
                 "model \"" + c.route->name + "\": its filter \"" + c.route->config->filters[i] + "\" cannot be applied to " + std::string(operation_name(operation_)),
                 "model");
  }
  return {};
}

void Call::State::pass_event(const StreamEvent& event, size_t filter) {
  struct Next final : FilterOutput {
    Next(State& state, size_t index) : call(state), at(index) {}
    void emit(const StreamEvent& e) override { call.pass_event(e, at); }
    State& call;
    size_t at;
  };
  if (filter == at_->filters.size()) {
    take_event(event);
    return;
  }
  Next next(*this, filter + 1);
  at_->filters[filter]->on_event(event, next);
}

}  // namespace llmrouter
