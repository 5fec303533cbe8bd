#include "core/key_pool.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "llmrouter/pattern.h"

namespace llmrouter::core {
namespace {

int64_t weight_of(const CredentialRuntime& key) noexcept { return std::max(1, key.config->weight); }

}  // namespace

KeyWalk::KeyWalk(const ProviderRuntime& provider, std::string_view model, uint64_t without, TimePoint now) noexcept
    : provider_(provider), keys_(provider.credentials), model_(model), without_(without), now_(now) {}

bool KeyWalk::suits(size_t key) const noexcept {
  if (key < 64 && (without_ >> key & 1) != 0) return false;
  const auto& models = keys_[key].config->models;
  return models.empty() || pattern_list_match(models, model_);
}

size_t KeyWalk::next() noexcept {
  if (first_ != kNoKey) return last_ = next_lot();
  if (keys_.size() == 1) return first_ = last_ = usable(0) ? 0 : kNoKey;
  const uint64_t turn = provider_.shared->rotation.fetch_add(1, std::memory_order_relaxed);
  seed_ = Random(turn).next();
  return first_ = last_ = draw(turn);
}

// The multiples of the golden ratio fill the unit evenly (Weyl 1916), and so do every second, every third of them: models that are asked for by turns do not
// each get some of the keys alone, as they would with a plain counter.
size_t KeyWalk::draw(uint64_t turn) const noexcept {
  int64_t sum = 0;
  size_t last = kNoKey;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (!usable(i)) continue;
    sum += weight_of(keys_[i]);
    last = i;
  }
  if (last == kNoKey) return kNoKey;
  auto at = static_cast<int64_t>(static_cast<double>((turn * 0x9e3779b97f4a7c15ull) >> 11) * 0x1.0p-53 * static_cast<double>(sum));
  for (size_t i = 0; i < last; ++i) {  // the last it is when another call changed who rests meanwhile
    if (usable(i) && (at -= weight_of(keys_[i])) < 0) return i;
  }
  return last;
}

// Who has the smallest exponential variate of his rate comes with a chance as his weight, and the next smallest as if the first were not there (Efraimidis and
// Spirakis 2006): an order of all that needs no list.
double KeyWalk::lot_of(size_t key) const noexcept { return -std::log(Random(seed_ + key).unit()) / static_cast<double>(weight_of(keys_[key])); }

size_t KeyWalk::next_lot() const noexcept {
  const double drawn = last_ == first_ || last_ == kNoKey ? -1 : lot_of(last_);
  size_t best = kNoKey;
  double least = 0;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (i == first_ || !usable(i)) continue;
    const double lot = lot_of(i);
    if (lot > drawn && (best == kNoKey || lot < least)) {
      best = i;
      least = lot;
    }
  }
  return best;
}

size_t KeyWalk::least_refused() const noexcept {
  size_t best = kNoKey;
  TimePoint least{};
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (!suits(i)) continue;
    const KeyRest rest = rest_of(i);
    if (!rest.resting || rest.why == RestReason::kRateLimited) return kNoKey;
    if (best == kNoKey || rest.until < least) {
      best = i;
      least = rest.until;
    }
  }
  return best;
}

TimePoint KeyWalk::all_rest_until() const noexcept {
  TimePoint soonest = TimePoint::max();
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (suits(i)) soonest = std::min(soonest, rest_of(i).resting ? rest_of(i).until : now_);
  }
  return soonest == TimePoint::max() ? now_ : std::max(soonest, now_);
}

TimePoint KeyWalk::limited_until() const noexcept {
  TimePoint soonest = TimePoint::max();
  for (size_t i = 0; i < keys_.size(); ++i) {
    const KeyRest rest = suits(i) ? rest_of(i) : KeyRest();
    if (rest.resting && rest.why == RestReason::kRateLimited) soonest = std::min(soonest, rest.until);
  }
  return soonest == TimePoint::max() ? now_ : soonest;
}

}  // namespace llmrouter::core
