// What all loops share.
#ifndef LLMROUTER_SERVER_CONTEXT_H_
#define LLMROUTER_SERVER_CONTEXT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "llmrouter/llmrouter.h"
#include "server/counters.h"
#include "server/worker.h"

namespace llmrouter::server {

// Made before the loops, gone after them. Thread-safe as marked.
struct Context {
  std::shared_ptr<Router> router;
  std::shared_ptr<UsageStore> usage;  // null: none is kept
  std::shared_ptr<Logger> logger;
  std::vector<std::shared_ptr<const Dialect>> dialects;
  std::vector<const Counters*> counters;  // one for each loop; fixed before the first request
  Worker worker;
  std::function<void()> rules_changed;    // stored rules may ask for other headers; thread-safe, set before the loops
  std::atomic<bool> draining{false};
  std::atomic<int> connections{0};
  std::atomic<uint64_t> reloads{0}, refused_reloads{0};

  const Dialect& dialect(std::string_view name) const noexcept {
    for (const auto& d : dialects)
      if (d->name() == name) return *d;
    return *dialects.front();
  }
};

// An error as a reply in a dialect's shape, retry-after included; `request_id` for those that say it in the body.
Reply error_reply(const Context& context, std::string_view dialect, const Error& error, std::string_view request_id = {});

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_CONTEXT_H_
