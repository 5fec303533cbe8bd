// What is changed at run time and stands over a request's own wish: the routing switch, keys' overrides, stored rules.
#ifndef LLMROUTER_CORE_OVERLAY_H_
#define LLMROUTER_CORE_OVERLAY_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/published.h"
#include "core/rules.h"
#include "core/snapshot.h"
#include "llmrouter/state.h"

namespace llmrouter::core {

// On or off from a moment on, and the other before it: one number, so that a decision reads it without a lock.
class RoutingSwitch {
 public:
  // Always so.
  void fix(bool enabled) noexcept { state_.store(pack(WallTime{}, enabled), std::memory_order_relaxed); }
  void from(WallTime when, bool enabled) noexcept { state_.store(pack(when, enabled), std::memory_order_relaxed); }
  bool enabled(WallTime now) const noexcept {
    const int64_t state = state_.load(std::memory_order_relaxed);
    const bool then = (state & 1) != 0;
    return now.time_since_epoch().count() >= state >> 1 ? then : !then;
  }

 private:
  static int64_t pack(WallTime when, bool enabled) noexcept { return static_cast<int64_t>(when.time_since_epoch().count() * 2 + (enabled ? 1 : 0)); }
  std::atomic<int64_t> state_{1};
};

using Overrides = NameMap<std::string>;  // key's id -> model

// What a store holds of it.
struct Stored {
  std::vector<RuleConfig> rules;
  std::vector<SwitchChange> changes;  // oldest first
  std::shared_ptr<Overrides> overrides;
};
// Entries that cannot be read are left out; `broken` hears of each.
Stored read_stored(const StateStore& store, const std::function<void(const StateEntry& entry, const Error& why)>& broken);

struct Overlay {
  std::mutex writers;  // one change at a time, reloads of the configuration among them. Never held by a request
  std::shared_ptr<StateStore> store;
  std::vector<RuleConfig> rules;         // with `writers`
  std::vector<SwitchChange> changes;     // the same; oldest first
  RoutingSwitch gate;
  std::atomic<bool> any_override{false};
  Published<Overrides> overrides;
  std::atomic<uint64_t> requests_on{0}, requests_off{0}, refused{0};
};

// What stood over a request's wish.
struct Direction {
  std::string_view by;          // "switch", "session", "override", "rule"; empty: nothing
  const Rule* rule = nullptr;   // in the snapshot
};

// What a request asks for, changed in place by what stands over it.
struct Directed {
  std::string& model;          // the name that is asked for; `facts` keeps what the body says
  const RequestFacts& facts;
  RouteRequest& wishes;
  std::string& forced;
};

// kModelNotAllowed when a rule refuses it. Chats alone are directed.
Result<void> direct(const Overlay& overlay, const Snapshot& snapshot, const KeyRecord* key, const std::vector<HttpHeader>& headers, WallTime wall,
                    RuleContent& content, const Directed& request, Direction& direction);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_OVERLAY_H_
