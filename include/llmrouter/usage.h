// What a call used, what it cost, and where that is kept.
#ifndef LLMROUTER_USAGE_H_
#define LLMROUTER_USAGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/clock.h"
#include "llmrouter/result.h"

namespace llmrouter {

enum class CallStatus { kOk, kError, kCancelled, kCut, kLimited };
LLMROUTER_EXPORT std::string_view call_status_name(CallStatus status) noexcept;  // ok error cancelled cut limited

// One upstream attempt inside a call.
struct AttemptRecord {
  std::string provider;
  std::string model;       // the upstream's name for it
  std::string credential;  // the credential's name in the pool, never the secret
  int64_t started_ms = 0;  // since the call began
  int64_t duration_ms = 0;
  std::string outcome;     // ok | error | timeout | cut | cancelled | skipped
  int http_status = 0;     // 0: no answer
  std::string reason;      // why it was chosen, and why it ended
  int64_t cost_nano_usd = 0;
  std::string detail{};    // Error::detail: addresses, for administrators and the application alone
};

// One call. The names are those of CONFIG.md's usage record, the same in the store, the API, the CLI and the C ABI.
struct UsageRecord {
  std::string id;          // unique, sorts by time
  WallTime time{};         // when the call began
  std::string request_id;
  std::string key;         // the key's id; empty: none was needed
  std::string user;        // the key's; where it has none, the one that the request names
  std::string endpoint;    // "chat"
  std::string dialect;     // the client's
  std::string requested_model;
  std::string provider;    // of the attempt that answered
  std::string model;       // the upstream's name
  bool stream = false;
  CallStatus status = CallStatus::kOk;
  int http_status = 200;
  std::string error_code;
  TokenUsage usage;
  int64_t cost_nano_usd = 0;
  std::string price;       // the price row it was computed with, as JSON; empty: no price known
  int64_t latency_ms = 0;
  int64_t first_token_ms = 0;  // 0: no token came
  int64_t overhead_us = 0;     // time spent here before the upstream was asked
  std::vector<std::string> dropped;
  std::string decision;        // the plan, one line
  std::vector<AttemptRecord> attempts;
};

// The record as one JSON object, the field names of CONFIG.md.
LLMROUTER_EXPORT std::string to_json(const UsageRecord& record);

struct UsageFilter {
  std::optional<WallTime> since, until;  // [since, until)
  std::string key, user, model, provider, status;  // empty: any; `model` matches requested or upstream name
  int limit = 100;      // 1..1000
  std::string cursor;   // as returned; empty: from the newest
};

struct UsagePage {
  std::vector<UsageRecord> data;  // newest first
  std::string next;               // empty: no more
};

// A sum over records.
struct UsageSum {
  std::string group;  // empty: of calls that had none (no key asked for, no provider asked, no model named)
  int64_t calls = 0;  // all: those that ended well are what the others leave
  int64_t errors = 0;     // status error or cut
  int64_t limited = 0;    // refused by a limit or a budget of ours
  int64_t cancelled = 0;  // the caller went away
  TokenUsage usage;
  int64_t cost_nano_usd = 0;
};

// A sum as one JSON object; `group` is null for calls that had none. `name`: what a group by key is called; null: left out.
LLMROUTER_EXPORT std::string to_json(const UsageSum& sum, const std::string* name = nullptr);

// Takes one record for each call. Thread-safe; must not block: a sink with a full queue drops the record and counts it.
class LLMROUTER_EXPORT UsageSink {
 public:
  virtual ~UsageSink() = default;
  virtual void record(UsageRecord record) noexcept = 0;
};

// How a store is doing; what /health/ready and /metrics show.
struct StoreHealth {
  bool ok = true;
  std::string problem;       // the last failure, in words
  uint64_t written = 0;
  uint64_t dropped = 0;      // lost to a full queue or a failing disk
  uint64_t queued = 0;
  uint64_t moved_aside = 0;  // databases that were found damaged: each is kept beside the new one, and what it held is in no answer. `problem` says where
};

// A sink that can be asked. Queries read the disk and may block: not for a reactor's thread.
class LLMROUTER_EXPORT UsageStore : public UsageSink {
 public:
  virtual Result<UsagePage> query(const UsageFilter& filter) = 0;
  // Sums by model (as it was asked for) | provider (which answered, or failed last) | key | user | day (UTC); empty: one sum over all.
  virtual Result<std::vector<UsageSum>> sum(std::string_view by, const UsageFilter& filter) = 0;
  virtual Result<void> flush(Duration timeout) = 0;  // waits until all that was recorded before is on disk
  virtual StoreHealth health() const = 0;
};

// Keeps the last `capacity` records in memory. Thread-safe.
LLMROUTER_EXPORT std::shared_ptr<UsageStore> make_memory_usage_store(size_t capacity = 10000);

struct SqliteUsageOptions {
  std::string path;
  size_t queue = 65536;                                       // records waiting for the writer; more are dropped and counted
  std::chrono::milliseconds flush_every{500};                 // kill -9 loses at most what is younger than this
  std::chrono::seconds retention{std::chrono::hours(24 * 90)};  // 0: for ever
  bool read_only = false;  // only looks: makes, repairs and deletes nothing, takes no records, fails where there is no database or a damaged one
};
// One writer thread, its own database file (WAL). The destructor writes what is queued.
LLMROUTER_EXPORT Result<std::shared_ptr<UsageStore>> open_sqlite_usage_store(const SqliteUsageOptions& options, const Clock& clock,
                                                                            class Logger& logger);

// Prices. Integers: micro-USD for one million tokens; -1: not priced apart (the class it belongs to pays: cached, cache_write,
// audio_input as input; cached_audio as cached; reasoning, audio_output as output).
struct PriceRow {
  std::string match;  // which row it is, for a person: "openai gpt-4o-2024-08-06"
  std::string as_of;  // "2026-08": of which day the figures are
  int64_t input = 0;
  int64_t output = 0;
  int64_t cached = -1;
  int64_t cache_write = -1;
  int64_t reasoning = -1;
  int64_t audio_input = -1;
  int64_t audio_output = -1;
  int64_t nano_per_request = 0;
  int64_t cached_audio = -1;
};

// Cost of a usage at a price, rounded half up once, at the end. Never negative; saturates.
LLMROUTER_EXPORT int64_t cost_nano_usd(const TokenUsage& usage, const PriceRow& price) noexcept;
LLMROUTER_EXPORT std::string to_json(const PriceRow& price);

// What is known of a model. 0: not known.
struct ModelFacts {
  int64_t context_window = 0;
  int64_t max_output = 0;
  bool image = false, audio = false, video = false, file = false;  // accepted beside text
  bool known = false;
  bool modalities_known = false;  // false: the four above say nothing
};

// The prices of one model at one provider, for whoever asks for each request. Thread-safe, immutable.
class LLMROUTER_EXPORT ModelPrices {
 public:
  virtual ~ModelPrices() = default;
  // As Catalog::price. Null: not known; else as old as this object.
  virtual const PriceRow* at(int64_t input_tokens, WallTime when) const noexcept = 0;
};

// Prices and facts by provider type and model name. Thread-safe, immutable.
class LLMROUTER_EXPORT Catalog {
 public:
  virtual ~Catalog() = default;
  // The row for a prompt of `input_tokens` at `when`; nullopt: not known. `provider` is the configured name, `type` its vendor preset.
  virtual std::optional<PriceRow> price(std::string_view provider, std::string_view type, std::string_view model, int64_t input_tokens,
                                        WallTime when) const = 0;
  virtual ModelFacts facts(std::string_view type, std::string_view model) const = 0;
  // What price() looks up, looked up beforehand; it must not outlive the catalogue. Null, the default: price() has to be asked each time.
  virtual std::shared_ptr<const ModelPrices> prices(std::string_view provider, std::string_view type, std::string_view model) const {
    (void)provider, (void)type, (void)model;
    return nullptr;
  }
};

}  // namespace llmrouter

#endif  // LLMROUTER_USAGE_H_
