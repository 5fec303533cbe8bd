// What a Router holds. Shared by every call it started.
#ifndef LLMROUTER_CORE_ROUTER_IMPL_H_
#define LLMROUTER_CORE_ROUTER_IMPL_H_

#include <atomic>
#include <memory>
#include <string>

#include "core/overlay.h"
#include "core/published.h"
#include "core/random.h"
#include "core/retry_budget.h"
#include "core/snapshot.h"
#include "core/stats.h"
#include "core/waiting_room.h"
#include "llmrouter/router.h"

namespace llmrouter {

struct Router::Impl {
  // What the store's callback holds, which may come after the router went.
  struct Watch {
    std::mutex mutex;
    Impl* impl = nullptr;  // null: gone
    void forget() {
      std::lock_guard<std::mutex> lock(mutex);
      impl = nullptr;
    }
  };

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
  core::Overlay overlay;
  std::shared_ptr<Watch> overlay_watch = std::make_shared<Watch>();
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
  // kExpiredKey when the key, or the session that it was found by, has ended.
  Result<void> still_valid(const KeyRecord& key) const;
  // That a key may use a model; of the one that a chat with it would go to.
  Result<void> may_use(const core::Snapshot& snap, const KeyRecord& key, std::string_view model) const;
  // With overlay.writers held: a new snapshot of this configuration and the overlay's rules; kept ones where null.
  Result<void> publish(const Config& config, std::shared_ptr<const Catalog> catalog);
  // What the store holds, at the beginning and after another process changed it.
  void load_overlay();
  void watch_overlay();
  // The plan that a seed makes of a request.
  Result<Plan> plan(const core::Snapshot& snap, const KeyRecord* key, CallOptions options, std::string_view model, std::string_view body, uint64_t seed) const;
  bool keys_required(const core::Snapshot& snap) const noexcept;
  LimitBucket* bucket_of(const KeyRecord& key);
};

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_ROUTER_IMPL_H_
