// The server's own counters: one set for each loop, written by its thread alone, read by any.
#ifndef LLMROUTER_SERVER_COUNTERS_H_
#define LLMROUTER_SERVER_COUNTERS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/usage.h"
#include "server/routes.h"

namespace llmrouter::server {

struct alignas(64) Counters {
  using Cell = std::atomic<uint64_t>;
  static constexpr int kClasses = 5;  // 1xx is never counted: index 0 is 2xx ... 3 is 5xx, 4 is a client that left

  Cell requests[kEndpointCount][kClasses]{};
  Cell accepted{0};
  Cell refused{0};     // over max_connections
  Cell broken{0};      // streams that did not end well
  Cell timeouts{0};    // clients that were too slow
  Cell malformed{0};   // not HTTP, or not acceptable HTTP

  // One writer: no read-modify-write instruction is needed.
  static void add(Cell& cell) noexcept { cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void count(Endpoint endpoint, int status) noexcept;
  uint64_t events() const noexcept;  // connections and requests so far: the same figure twice is a quiet time between
};

// In the Prometheus text format, the sum over all sets.
void append_metrics(const std::vector<const Counters*>& sets, int connections, std::string& out);
// The same of the stores, by name.
void append_store_metrics(const std::vector<std::pair<std::string_view, StoreHealth>>& stores, std::string& out);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_COUNTERS_H_
