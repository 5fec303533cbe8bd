#include "core/named_states.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace llmrouter::core {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int64_t kClaimed = INT64_MIN;  // in place of the time of use: another name is about to move in

size_t size_of(const PiecedName& name) noexcept { return name.head.size() + name.middle.size() + name.tail.size(); }

int64_t ticks(TimePoint t) noexcept { return t.time_since_epoch().count(); }

// A name that may be replaced while it is read: whole words, each of them atomic.
class Letters {
 public:
  void write(std::string_view text) noexcept {
    for (size_t w = 0; w * 8 < text.size(); ++w) {
      uint64_t word = 0;
      for (size_t i = 0; i < 8 && w * 8 + i < text.size(); ++i) word |= uint64_t{static_cast<unsigned char>(text[w * 8 + i])} << (8 * i);
      words_[w].store(word, std::memory_order_release);
    }
    size_.store(text.size(), std::memory_order_release);
  }
  bool is(const PiecedName& name) const noexcept {
    if (size_.load(std::memory_order_acquire) != size_of(name)) return false;
    size_t at = 0;
    uint64_t word = 0;
    for (const std::string_view piece : {name.head, name.middle, name.tail}) {
      for (const char c : piece) {
        if (at % 8 == 0) word = words_[at / 8].load(std::memory_order_acquire);
        if (static_cast<unsigned char>(c) != static_cast<unsigned char>(word >> (8 * (at % 8)))) return false;
        ++at;
      }
    }
    return true;
  }

 private:
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> words_[NamedStates::kLongest / 8] = {};
};

bool is(std::string_view known, const PiecedName& name) noexcept {
  return known.size() == size_of(name) && known.substr(0, name.head.size()) == name.head && known.substr(name.head.size(), name.middle.size()) == name.middle &&
         known.substr(name.head.size() + name.middle.size()) == name.tail;
}

}  // namespace

// Nodes come in front of those that are there, and none goes. The name of a kept one never changes; those of others do, and their version with it: odd while
// one is being written.
struct NamedStates::Node {
  TargetState state;
  std::atomic<uint64_t> hash{0};
  std::atomic<uint32_t> version{0};
  Node* next = nullptr;
  std::unique_ptr<const std::string> kept;  // its name; null: it is in `letters`
  std::atomic<bool> stays{false};           // a configuration names it, too
  Letters letters;

  // What is read while it is replaced is nobody's name.
  bool is(const PiecedName& name, uint64_t h) const noexcept {
    if (hash.load(std::memory_order_acquire) != h) return false;
    if (kept) return core::is(*kept, name);
    const uint32_t before = version.load(std::memory_order_acquire);
    return before % 2 == 0 && letters.is(name) && version.load(kRelaxed) == before && hash.load(kRelaxed) == h;
  }
  // By whoever holds the lock, and the claim if it was somebody's.
  void rename(std::string_view name, uint64_t h, TimePoint now) noexcept {
    version.store(version.load(kRelaxed) + 1, kRelaxed);
    hash.store(h, std::memory_order_release);
    letters.write(name);
    state.health.forget();
    state.stats.forget();
    state.unseen_input.forget();
    version.store(version.load(kRelaxed) + 1, std::memory_order_release);
    state.used.store(ticks(now), std::memory_order_release);
  }
};

// FNV-1a, its high bits folded into those that choose a chain.
uint64_t NamedStates::hash(const PiecedName& name) noexcept {
  uint64_t h = 14695981039346656037u;
  for (const std::string_view piece : {name.head, name.middle, name.tail}) {
    for (const char c : piece) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return h ^ (h >> 32);
}

NamedStates::~NamedStates() {
  for (std::atomic<Node*>& chain : chains_) {
    for (Node* node = chain.load(kRelaxed); node != nullptr;) delete std::exchange(node, node->next);
  }
}

bool NamedStates::may_go(const Node& node, TimePoint now) noexcept {
  if (node.kept || node.stays.load(kRelaxed)) return false;
  const int64_t used = node.state.used.load(kRelaxed);
  return used != kClaimed && ticks(now) - used > kIdle.count() && node.state.stats.in_flight() == 0 && !node.state.health.resting(now);
}

NamedStates::Node* NamedStates::look(Node* chain, const PiecedName& name, uint64_t hash) noexcept {
  while (chain != nullptr && !chain->is(name, hash)) chain = chain->next;
  return chain;
}

NamedStates::Place NamedStates::place_in(Node* chain, TimePoint now) const noexcept {
  Place place;
  size_t depth = 0;
  for (Node* node = chain; node != nullptr; node = node->next) {
    depth += !node->kept;
    if (may_go(*node, now) && (place.oldest == nullptr || node->state.used.load(kRelaxed) < place.oldest->state.used.load(kRelaxed))) place.oldest = node;
  }
  place.fresh = depth < kDeepest && size() < kMost;
  return place;
}

TargetState* NamedStates::find(const PiecedName& name, TimePoint now) noexcept {
  const size_t length = size_of(name);
  if (length > longest_.load(kRelaxed)) return &shared_;
  const uint64_t h = hash(name);
  Node* const first = chain(h).load(std::memory_order_acquire);
  if (Node* node = look(first, name, h)) return &node->state;
  if (length > kLongest) return &shared_;
  const Place place = place_in(first, now);
  return place.fresh || place.oldest != nullptr ? nullptr : &shared_;
}

// Null: it is another's by now.
TargetState* NamedStates::use(Node& node, const PiecedName& name, uint64_t hash, TimePoint now) noexcept {
  if (node.kept) return &node.state;
  int64_t used = node.state.used.load(std::memory_order_acquire);
  do {
    // Who takes the place claims this word first: as long as it is what it was before the name was read, the name holds.
    if (used == kClaimed || !node.is(name, hash)) return nullptr;
  } while (!node.state.used.compare_exchange_weak(used, ticks(now), std::memory_order_acq_rel, std::memory_order_acquire));
  return &node.state;
}

TargetState& NamedStates::enter(std::string_view name, TimePoint now) {
  if (name.size() > longest_.load(kRelaxed)) return shared_;
  const uint64_t h = hash(name);
  Node* const first = chain(h).load(std::memory_order_acquire);
  if (Node* node = look(first, name, h)) {
    if (TargetState* state = use(*node, name, h, now)) return *state;
  }
  if (name.size() > kLongest) return shared_;
  const Place place = place_in(first, now);
  return place.fresh || place.oldest != nullptr ? bring_in(name, h, now) : shared_;
}

TargetState& NamedStates::bring_in(std::string_view name, uint64_t hash, TimePoint now) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::atomic<Node*>& first = chain(hash);
  if (Node* node = look(first.load(kRelaxed), name, hash)) {  // another thread was faster; no name changes beside this one
    TargetState* state = use(*node, name, hash, now);
    return state != nullptr ? *state : shared_;
  }
  const Place place = place_in(first.load(kRelaxed), now);
  if (place.fresh) {
    auto fresh = std::make_unique<Node>();
    fresh->rename(name, hash, now);
    fresh->next = first.load(kRelaxed);
    first.store(fresh.get(), std::memory_order_release);
    size_.fetch_add(1, kRelaxed);
    return fresh.release()->state;
  }
  if (place.oldest == nullptr) return shared_;
  Node& node = *place.oldest;
  int64_t used = node.state.used.load(kRelaxed);
  if (!may_go(node, now) || !node.state.used.compare_exchange_strong(used, kClaimed, std::memory_order_acq_rel)) return shared_;  // used just now
  node.rename(name, hash, now);
  return node.state;
}

TargetState& NamedStates::keep(std::string_view name) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t h = hash(name);
  std::atomic<Node*>& first = chain(h);
  if (Node* node = look(first.load(kRelaxed), name, h)) {
    node->stays.store(true, kRelaxed);
    return node->state;
  }
  auto fresh = std::make_unique<Node>();
  fresh->kept = std::make_unique<const std::string>(name);
  fresh->hash.store(h, kRelaxed);
  fresh->next = first.load(kRelaxed);
  first.store(fresh.get(), std::memory_order_release);
  size_t longest = longest_.load(kRelaxed);
  if (longest < name.size()) longest_.store(name.size(), kRelaxed);
  return fresh.release()->state;
}

}  // namespace llmrouter::core
