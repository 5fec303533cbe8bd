#include "llmrouter/dropped.h"

#include <algorithm>

namespace llmrouter {
namespace {

constexpr std::string_view kMore = "...";

bool is_fit(char c) noexcept { return c > ' ' && c < 0x7f && c != ','; }

}  // namespace

void add_dropped(std::vector<std::string>& dropped, std::string_view name) {
  if (dropped.size() >= kMaxDropped && dropped.back() == kMore) return;
  std::string fit(name.empty() ? std::string_view("?") : name.substr(0, kMaxDroppedName));
  std::replace_if(fit.begin(), fit.end(), [](char c) { return !is_fit(c); }, '?');
  if (std::find(dropped.begin(), dropped.end(), fit) != dropped.end()) return;
  if (dropped.size() < kMaxDropped) dropped.push_back(std::move(fit));
  else dropped.back() = kMore;
}

}  // namespace llmrouter
