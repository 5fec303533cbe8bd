#include "core/named_states.h"

#include <memory>
#include <utility>

namespace llmrouter::core {
namespace {

size_t size_of(const PiecedName& name) noexcept { return name.head.size() + name.middle.size() + name.tail.size(); }

bool is(std::string_view known, const PiecedName& name) noexcept {
  return known.size() == size_of(name) && known.substr(0, name.head.size()) == name.head && known.substr(name.head.size(), name.middle.size()) == name.middle &&
         known.substr(name.head.size() + name.middle.size()) == name.tail;
}

}  // namespace

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
    for (Node* node = chain.load(std::memory_order_relaxed); node != nullptr;) delete std::exchange(node, node->next);
  }
}

NamedStates::Found NamedStates::look(Node* chain, const PiecedName& name, uint64_t hash) noexcept {
  size_t depth = 0;
  for (Node* node = chain; node != nullptr; node = node->next) {
    if (node->hash == hash && is(node->name, name)) return {&node->state, true};
    depth += !node->kept;
  }
  return {nullptr, depth < kDeepest};
}

TargetState* NamedStates::find(const PiecedName& name) noexcept {
  const size_t length = size_of(name);
  if (length > longest_.load(std::memory_order_relaxed)) return &shared_;
  const uint64_t h = hash(name);
  const Found found = look(chain(h).load(std::memory_order_acquire), name, h);
  if (found.state != nullptr) return found.state;
  return found.room && length <= kLongest && size() < kMost ? nullptr : &shared_;
}

TargetState& NamedStates::enter(std::string_view name) {
  if (TargetState* known = find(name)) return *known;
  const uint64_t h = hash(name);
  auto fresh = std::make_unique<Node>();
  fresh->name = name;
  fresh->hash = h;
  // The place is taken before the node is seen, so that there are never more.
  if (size_.fetch_add(1, std::memory_order_relaxed) >= kMost) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return shared_;
  }
  std::atomic<Node*>& first = chain(h);
  fresh->next = first.load(std::memory_order_acquire);
  do {
    const Found found = look(fresh->next, name, h);
    if (found.state == nullptr && found.room) continue;
    size_.fetch_sub(1, std::memory_order_relaxed);
    return found.state != nullptr ? *found.state : shared_;  // another thread was faster
  } while (!first.compare_exchange_weak(fresh->next, fresh.get(), std::memory_order_release, std::memory_order_acquire));
  return fresh.release()->state;
}

TargetState& NamedStates::keep(std::string_view name) {
  const uint64_t h = hash(name);
  auto fresh = std::make_unique<Node>();
  fresh->name = name;
  fresh->hash = h;
  fresh->kept = true;
  std::atomic<Node*>& first = chain(h);
  fresh->next = first.load(std::memory_order_acquire);
  do {
    if (const Found found = look(fresh->next, name, h); found.state != nullptr) return *found.state;
  } while (!first.compare_exchange_weak(fresh->next, fresh.get(), std::memory_order_release, std::memory_order_acquire));
  size_t longest = longest_.load(std::memory_order_relaxed);
  while (longest < name.size() && !longest_.compare_exchange_weak(longest, name.size(), std::memory_order_relaxed)) {
  }
  return fresh.release()->state;
}

}  // namespace llmrouter::core
