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
  if (!key_) return {};
  static const std::vector<std::string> kNoFilters;
  const auto& own = c.route != nullptr ? c.route->config->filters : kNoFilters;
  const auto has = [](const std::vector<std::string>& list, std::string_view name) { return std::find(list.begin(), list.end(), name) != list.end(); };
  for (const std::string& name : key_->spec.filters) {
    if (has(own, name)) continue;
    auto found = filter_of_key(name);
    if (!found) return std::move(found).error();
    add(**found);
  }
  if (key_->spec.purpose == kCursor && !has(own, "think_tags") && !has(key_->spec.filters, "think_tags")) add(snap_->filters.find("think_tags")->second);
  return {};
}

// A key of the store may name what the configuration has no more: what it was to keep out must not pass.
Result<const FilterFactory*> Call::State::filter_of_key(const std::string& name) const {
  if (auto found = snap_->filters.find(name); found != snap_->filters.end()) return &found->second;
  return Error(ErrorCode::kNotSupported, "this key's filter \"" + name + "\" is not there any more");
}

// What is no chat has no form that filters see: only where none of them matters does it go on.
Result<void> Call::State::pass_unfiltered(const core::Candidate& c) const {
  const auto matters = [this](const FilterFactory& factory) {
    auto filter = factory ? factory() : nullptr;
    return filter && !filter->may_miss(operation_);
  };
  const std::string cannot = "\" cannot be applied to " + std::string(operation_name(operation_));
  for (size_t i = 0; c.route != nullptr && i < c.route->filters.size(); ++i) {
    if (!matters(c.route->filters[i])) continue;
    return Error(ErrorCode::kNotSupported, "model \"" + c.route->name + "\": its filter \"" + c.route->config->filters[i] + cannot, "model");
  }
  for (size_t i = 0; key_ && i < key_->spec.filters.size(); ++i) {
    auto found = filter_of_key(key_->spec.filters[i]);
    if (!found) return std::move(found).error();
    if (matters(**found)) return Error(ErrorCode::kNotSupported, "this key's filter \"" + key_->spec.filters[i] + cannot);
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
