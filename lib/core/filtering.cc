// The filters of an attempt.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {
namespace {

constexpr std::string_view kCursor = "cursor";  // a key's purpose: its client shows text alone

}  // namespace

void Call::State::make_filters(const core::Candidate& c) {
  at_->filters.clear();
  if (operation_ != Operation::kChat) return;
  auto add = [this](const FilterFactory& factory) {
    if (auto filter = factory ? factory() : nullptr) at_->filters.push_back(std::move(filter));
  };
  if (c.route != nullptr) {
    for (const FilterFactory& factory : c.route->filters) add(factory);
  }
  if (!key_ || key_->spec.purpose != kCursor) return;
  const auto& own = c.route != nullptr ? c.route->config->filters : std::vector<std::string>();
  if (std::find(own.begin(), own.end(), "think_tags") == own.end()) add(snap_->filters.find("think_tags")->second);
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
