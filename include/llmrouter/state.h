// What is changed at run time and outlives the process: stored rules, keys' overrides, the routing switch.
#ifndef LLMROUTER_STATE_H_
#define LLMROUTER_STATE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/clock.h"
#include "llmrouter/export.h"
#include "llmrouter/result.h"
#include "llmrouter/rules.h"

namespace llmrouter {

struct StateEntry {
  std::string kind;   // "rule", "override", "switch"
  std::string name;   // within the kind
  std::string value;  // JSON, or a name
};

// Small entries by kind and name. Thread-safe. `all` reads memory; `put` and `remove` may block on the disk and return when the change is durable.
class LLMROUTER_EXPORT StateStore {
 public:
  virtual ~StateStore() = default;
  virtual std::vector<StateEntry> all() const = 0;  // by kind, then name
  virtual Result<void> put(const StateEntry& entry) = 0;
  virtual Result<bool> remove(std::string_view kind, std::string_view name) = 0;  // false: there was none
  // `changed` is called, on a thread of the store's, after another process changed something. It must not call into the store but for `all`.
  virtual void watch(std::function<void()> changed) = 0;
};

// Gone with the process.
LLMROUTER_EXPORT std::shared_ptr<StateStore> make_memory_state_store();

// One change of the routing switch.
struct SwitchChange {
  WallTime time{};       // when it was asked for
  WallTime effective{};  // when it took or takes effect
  bool enabled = true;   // to what
  std::string who, why;
};
LLMROUTER_EXPORT std::string to_json(const SwitchChange& change);
LLMROUTER_EXPORT Result<SwitchChange> switch_change_from_json(std::string_view json);

// What a request to turn the switch says: {"enabled": false, "reason": "..."}, all of it optional; empty text too. Strict.
struct SwitchWish {
  std::optional<bool> enabled;  // unset: the other way
  std::string why;
};
LLMROUTER_EXPORT Result<SwitchWish> switch_wish_from_json(std::string_view json);
// {"model": "gpt-4o"}: the model of a key's override. Strict.
LLMROUTER_EXPORT Result<std::string> override_from_json(std::string_view json);

// The routing switch now.
struct SwitchState {
  bool enabled = true;                 // false: everything goes to the default model
  std::optional<SwitchChange> last;    // the last change; one with `effective` ahead is pending. Unset: nobody ever toggled it
  WallTime next{};                     // before this another change is refused; in the past: none is
  uint64_t requests_on = 0, requests_off = 0;  // chats, by what the switch was, since the process began
  uint64_t refused = 0;                // changes refused since then
};
// `now` says whether the last change is pending.
LLMROUTER_EXPORT std::string to_json(const SwitchState& state, WallTime now);

// A rule as the router has it.
struct RuleState {
  RuleConfig rule;
  bool stored = false;    // at run time; false: of the configuration
  std::string problem;    // why it is left out: a name that it uses is gone; empty: it is in force
  uint64_t hits = 0;      // requests that it decided, since the process began
};
LLMROUTER_EXPORT std::string to_json(const RuleState& state);

}  // namespace llmrouter

#endif  // LLMROUTER_STATE_H_
