// Whose turn it is in a provider's pool of keys. Calls and their rehearsal choose by it alike.
#ifndef LLMROUTER_CORE_KEY_POOL_H_
#define LLMROUTER_CORE_KEY_POOL_H_

#include <cstdint>
#include <string_view>

#include "core/snapshot.h"

namespace llmrouter::core {

// The keys that may serve a model now, in the order they are to be tried for one attempt. The first is drawn by the weights of those alone, so that who rests or
// is for other models leaves his share to the others as they share among themselves; each further one by the weights of those that are left. Nothing is allocated.
class KeyWalk {
 public:
  // `without`: bits of keys that are not to be tried, of the first 64. What it is given outlives it.
  KeyWalk(const ProviderRuntime& provider, std::string_view model, uint64_t without, TimePoint now) noexcept;
  // A place in the pool; kNoKey: no more. A walk takes its turn with the first.
  size_t next() noexcept;

  // May it be used for the model at all? It may rest.
  bool suits(size_t key) const noexcept;
  // Why and until when it is not used; `until` not after `now`: it is, or its one probe is under way.
  KeyRest rest_of(size_t key) const noexcept { return keys_[key].health->rest_for(model_, hash_, now_); }
  // Where each that suits was refused or is out of quota: the one that rests least, for who would be asked for want of another. kNoKey: there is none such, or
  // somebody's time is known.
  size_t least_refused() const noexcept;
  // Where all that suit rest, when the first of them does no more; now: somebody does not rest, or there is nobody.
  TimePoint all_rest_until() const noexcept;
  // When the first of those that were told to come back later may be used again; now: there is none.
  TimePoint limited_until() const noexcept;

  static constexpr size_t kNoKey = static_cast<size_t>(-1);

 private:
  bool usable(size_t key) const noexcept { return suits(key) && !rest_of(key).resting; }
  size_t draw(uint64_t turn) const noexcept;
  double lot_of(size_t key) const noexcept;
  size_t next_lot() const noexcept;

  const ProviderRuntime& provider_;
  const std::vector<CredentialRuntime>& keys_;
  const std::string_view model_;
  mutable uint64_t hash_ = 0;  // of the model, once it is needed
  const uint64_t without_;
  const TimePoint now_;
  size_t first_ = kNoKey, last_ = kNoKey;
  uint64_t seed_ = 0;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_KEY_POOL_H_
