// The last records, in memory alone.
#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "llmrouter/usage.h"
#include "storage/usage_rules.h"

namespace llmrouter {
namespace storage {
namespace {

struct Kept {
  UsagePlace place;
  UsageRecord record;
};

bool before(const UsagePlace& a, const UsagePlace& b) noexcept { return a.time_us != b.time_us ? a.time_us < b.time_us : a.number < b.number; }

bool matches(const UsageFilter& f, const UsageRecord& r) {
  return (!f.since || r.time >= *f.since) && (!f.until || r.time < *f.until) && (f.key.empty() || f.key == r.key) &&
         (f.user.empty() || f.user == r.user) && (f.model.empty() || f.model == r.model || f.model == r.requested_model) &&
         (f.provider.empty() || f.provider == r.provider) && (f.status.empty() || f.status == call_status_name(r.status));
}

std::string day_of(WallTime time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
  const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return std::to_string(static_cast<int>(date.year())) + '-' + two(static_cast<unsigned>(date.month())) + '-' +
         two(static_cast<unsigned>(date.day()));
}

std::string group_of(UsageGroup group, const UsageRecord& r) {
  switch (group) {
    case UsageGroup::kAll: return {};
    case UsageGroup::kModel: return r.requested_model;
    case UsageGroup::kProvider: return r.provider;
    case UsageGroup::kKey: return r.key;
    case UsageGroup::kUser: return r.user;
    case UsageGroup::kDay: return day_of(r.time);
  }
  return {};
}

void add(UsageSum& sum, const UsageRecord& r) noexcept {
  ++sum.calls;
  if (counts_as_error(r.status)) ++sum.errors;
  if (r.status == CallStatus::kLimited) ++sum.limited;
  if (r.status == CallStatus::kCancelled) ++sum.cancelled;
  TokenUsage& u = sum.usage;
  const auto plus = [](int64_t& into, int64_t n) { into = saturating_sum(into, std::max<int64_t>(n, 0)); };
  plus(u.input, r.usage.input);
  plus(u.cached, r.usage.cached);
  plus(u.cache_write, r.usage.cache_write);
  plus(u.output, r.usage.output);
  plus(u.reasoning, r.usage.reasoning);
  plus(u.audio_input, r.usage.audio_input);
  plus(u.audio_output, r.usage.audio_output);
  plus(u.image, r.usage.image);
  u.known |= r.usage.known;
  u.estimated |= r.usage.estimated;
  plus(sum.cost_nano_usd, r.cost_nano_usd);
}

class MemoryUsageStore final : public UsageStore {
 public:
  explicit MemoryUsageStore(size_t capacity) : capacity_(std::max<size_t>(capacity, 1)) {}

  void record(UsageRecord record) noexcept override {
    std::lock_guard<std::mutex> lock(mutex_);
    try {
      bound(record);
      name(record);
      kept_.push_back({{record.time.time_since_epoch().count(), number_ + 1}, std::move(record)});
      ++number_;
      if (kept_.size() > capacity_) kept_.pop_front();
    } catch (...) {
      ++dropped_;  // no memory
    }
  }

  Result<UsagePage> query(const UsageFilter& filter) override {
    const auto checked = check_filter(filter);
    if (!checked) return checked.error();
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<const Kept*> found;
    for (const Kept& k : kept_) {
      if (matches(filter, k.record) && (!checked->after || before(k.place, *checked->after))) found.push_back(&k);
    }
    const size_t limit = static_cast<size_t>(filter.limit);
    const auto shown = found.begin() + static_cast<std::ptrdiff_t>(std::min(limit, found.size()));
    std::partial_sort(found.begin(), shown, found.end(), [](const Kept* a, const Kept* b) { return before(b->place, a->place); });
    UsagePage page;
    for (auto it = found.begin(); it != shown; ++it) page.data.push_back((*it)->record);
    if (found.size() > limit) page.next = cursor_of((*(shown - 1))->place);
    return page;
  }

  Result<std::vector<UsageSum>> sum(std::string_view by, const UsageFilter& filter) override {
    const auto group = usage_group(by);
    if (!group) return group.error();
    if (auto checked = check_filter(filter); !checked) return std::move(checked).error();
    std::map<std::string, UsageSum> sums;
    if (*group == UsageGroup::kAll) sums[""];
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (const Kept& k : kept_) {
        if (matches(filter, k.record)) add(sums[group_of(*group, k.record)], k.record);
      }
    }
    std::vector<UsageSum> out;
    for (auto& [name, sum] : sums) {
      sum.group = name;
      out.push_back(std::move(sum));
    }
    sort_sums(*group, out);
    return out;
  }

  Result<void> flush(Duration) override { return {}; }

  StoreHealth health() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    StoreHealth health;
    health.written = static_cast<uint64_t>(number_);
    health.dropped = dropped_;
    return health;
  }

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;
  int64_t number_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace
}  // namespace storage

std::shared_ptr<UsageStore> make_memory_usage_store(size_t capacity) { return std::make_shared<storage::MemoryUsageStore>(capacity); }

}  // namespace llmrouter
