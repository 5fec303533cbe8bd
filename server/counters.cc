#include "server/counters.h"

namespace llmrouter::server {

void Counters::count(Endpoint endpoint, int status) noexcept {
  int index = status / 100 - 2;
  if (status == 499) index = 4;
  if (index < 0 || index >= kClasses) index = 3;
  add(requests[static_cast<int>(endpoint)][index]);
}

uint64_t Counters::events() const noexcept {
  uint64_t sum = accepted.load(std::memory_order_relaxed);
  for (const auto& classes : requests) {
    for (const Cell& cell : classes) sum += cell.load(std::memory_order_relaxed);
  }
  return sum;
}

namespace {

void append_head(std::string_view name, std::string_view help, std::string_view type, std::string& out) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void append_sum(const std::vector<const Counters*>& sets, Counters::Cell Counters::*cell, std::string_view name, std::string_view help,
                std::string& out) {
  uint64_t sum = 0;
  for (const Counters* set : sets) sum += (set->*cell).load(std::memory_order_relaxed);
  append_head(name, help, "counter", out);
  out.append(name).append(" ").append(std::to_string(sum)).append("\n");
}

}  // namespace

void append_metrics(const std::vector<const Counters*>& sets, int connections, std::string& out) {
  static constexpr std::string_view kClassNames[Counters::kClasses] = {"2xx", "3xx", "4xx", "5xx", "gone"};
  constexpr std::string_view requests = "llmrouter_http_requests_total";
  append_head(requests, "HTTP requests answered, by endpoint and class of status; gone: the client left first.", "counter", out);
  const auto name_of = [](int endpoint) { return endpoint_name(static_cast<Endpoint>(endpoint)); };
  for (int endpoint = 0; endpoint < kEndpointCount; ++endpoint) {
    if (endpoint > 0 && name_of(endpoint) == name_of(endpoint - 1)) continue;  // those of one name stand together and are summed
    for (int c = 0; c < Counters::kClasses; ++c) {
      uint64_t sum = 0;
      for (int e = endpoint; e < kEndpointCount && name_of(e) == name_of(endpoint); ++e) {
        for (const Counters* set : sets) sum += set->requests[e][c].load(std::memory_order_relaxed);
      }
      if (sum == 0) continue;
      out.append(requests).append("{endpoint=\"").append(endpoint_name(static_cast<Endpoint>(endpoint))).append("\",status=\"");
      out.append(kClassNames[c]).append("\"} ").append(std::to_string(sum)).append("\n");
    }
  }
  append_head("llmrouter_http_connections", "Open client connections.", "gauge", out);
  out.append("llmrouter_http_connections ").append(std::to_string(connections)).append("\n");
  append_sum(sets, &Counters::accepted, "llmrouter_http_connections_accepted_total", "Client connections accepted.", out);
  append_sum(sets, &Counters::refused, "llmrouter_http_connections_refused_total", "Client connections refused at max_connections.", out);
  append_sum(sets, &Counters::broken, "llmrouter_http_broken_streams_total", "Replies that broke off after their first byte.", out);
  append_sum(sets, &Counters::timeouts, "llmrouter_http_slow_clients_total", "Clients that sent or read too slowly.", out);
  append_sum(sets, &Counters::malformed, "llmrouter_http_malformed_total", "Requests refused as malformed HTTP.", out);
}

void append_store_metrics(const std::vector<std::pair<std::string_view, StoreHealth>>& stores, std::string& out) {
  const auto each = [&](std::string_view name, std::string_view help, std::string_view type, auto figure) {
    append_head(name, help, type, out);
    for (const auto& [store, health] : stores) out.append(name).append("{store=\"").append(store).append("\"} ").append(std::to_string(figure(health))).append("\n");
  };
  each("llmrouter_store_ok", "Does the store work? What it could not write waits meanwhile.", "gauge", [](const StoreHealth& h) { return h.ok ? 1 : 0; });
  each("llmrouter_store_queued", "Rows that wait to be written.", "gauge", [](const StoreHealth& h) { return h.queued; });
  each("llmrouter_store_written_total", "Rows written: usage records, keys, what was spent of budgets.", "counter", [](const StoreHealth& h) { return h.written; });
  each("llmrouter_store_dropped_total", "Rows lost to a full queue or a failing disk.", "counter", [](const StoreHealth& h) { return h.dropped; });
  each("llmrouter_store_moved_aside_total", "Databases found damaged and kept beside a new one: what they held is in no answer.", "counter",
       [](const StoreHealth& h) { return h.moved_aside; });
}

}  // namespace llmrouter::server
