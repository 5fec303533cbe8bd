// What a Router holds. Shared by every call it started.
#ifndef LLMROUTER_CORE_ROUTER_IMPL_H_
#define LLMROUTER_CORE_ROUTER_IMPL_H_

#include <atomic>
#include <memory>
#include <string>

#include "core/published.h"
#include "core/random.h"
#include "core/retry_budget.h"
#include "core/snapshot.h"
#include "core/stats.h"
#include "core/waiting_room.h"
#include "llmrouter/router.h"

namespace llmrouter {

struct Router::Impl {
  RouterParts parts;
  uint64_t seed = 0;
  std::atomic<uint64_t> draws{0};
  std::atomic<uint64_t> last_id{0};
  core::Registry registry;
  core::CallCounters counters;
  core::RetryBudget retries;
  core::HedgeShare hedges;
  core::WaitingRoom room;
  core::Published<core::Snapshot> snapshot;
  TimePoint started{};

  const Clock& clock() const noexcept { return *parts.clock; }
  Logger& logger() const noexcept { return *parts.logger; }
  // A fresh number for each draw; the same sequence for the same seed.
  uint64_t draw() noexcept { return core::Random(seed + draws.fetch_add(1, std::memory_order_relaxed) * 0x632be59bd9b4e019ull).next(); }
  // "req_" or "call_" and 26 characters: unique, and each sorts after those made before it.
  std::string new_id(std::string_view prefix);

  // Who is calling; null: nobody, and that is allowed.
  Result<std::shared_ptr<const KeyRecord>> authenticate(const core::Snapshot& snap, const Secret& presented, std::string_view endpoint,
                                                        bool trusted) const;
  bool keys_required(const core::Snapshot& snap) const noexcept;
  LimitBucket* bucket_of(const KeyRecord& key);
};

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_ROUTER_IMPL_H_
