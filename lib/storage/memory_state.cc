// Run-time state in memory alone.
#include <map>
#include <mutex>
#include <utility>

#include "llmrouter/state.h"

namespace llmrouter {
namespace {

class MemoryStateStore final : public StateStore {
 public:
  std::vector<StateEntry> all() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<StateEntry> out;
    for (const auto& [at, value] : entries_) out.push_back({at.first, at.second, value});
    return out;
  }
  Result<void> put(const StateEntry& entry) override {
    std::lock_guard<std::mutex> lock(mutex_);
    entries_[{entry.kind, entry.name}] = entry.value;
    return {};
  }
  Result<bool> remove(std::string_view kind, std::string_view name) override {
    std::lock_guard<std::mutex> lock(mutex_);
    return entries_.erase({std::string(kind), std::string(name)}) > 0;
  }
  void watch(std::function<void()>) override {}  // there is no other process

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> entries_;
};

}  // namespace

std::shared_ptr<StateStore> make_memory_state_store() { return std::make_shared<MemoryStateStore>(); }

}  // namespace llmrouter
