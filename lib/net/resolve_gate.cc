#include "net/resolve_gate.h"

#include <algorithm>
#include <utility>

namespace llmrouter::net {

namespace {

// Hosts come from configurations, so there are few; this is against a host name in a template gone wild.
constexpr size_t kManyHosts = 256;

bool ends_with_localhost(std::string_view name) noexcept {
  constexpr std::string_view kName = "localhost";
  if (name.size() < kName.size()) return false;
  const std::string_view tail = name.substr(name.size() - kName.size());
  if (name.size() > kName.size() && name[name.size() - kName.size() - 1] != '.') return false;
  return std::equal(tail.begin(), tail.end(), kName.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

bool is_resolved_host(std::string_view host) noexcept {
  if (host.empty() || host.front() == '[') return true;
  host = host.substr(0, host.rfind(':'));
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  return ends_with_localhost(host);
}

std::string_view authority_of(std::string_view url) noexcept {
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t at = url.rfind('@');
  if (at != std::string_view::npos) url.remove_prefix(at + 1);
  return url;
}

ResolveGate::Entry ResolveGate::enter(Guest& guest, std::string_view name, TimePoint now) {
  if (is_resolved_host(name)) return Entry::kFree;
  Host& host = host_of(name, now);
  if (host.leader == nullptr) {
    if (host.resolved && now - *host.resolved < remembered_) return Entry::kFree;
    host.leader = &guest;
    guest.host_ = &host;
    return Entry::kLeads;
  }
  host.waiting.add_last(guest);
  guest.host_ = &host;
  return Entry::kWaits;
}

void ResolveGate::pass(Guest& guest, bool resolved, TimePoint now) noexcept {
  Host* host = guest.host_;
  if (host == nullptr || host->leader != &guest) return;
  // An answer from the cache does not make the cache's entry younger.
  if (resolved && (!host->resolved || now - *host->resolved >= remembered_)) host->resolved = now;
  guest.host_ = nullptr;
  host->leader = nullptr;
  release(host->waiting, released_);
}

void ResolveGate::fail(Guest& guest) noexcept {
  Host* host = guest.host_;
  if (host == nullptr || host->leader != &guest) return;
  guest.host_ = nullptr;
  host->leader = nullptr;
  release(host->waiting, failed_);
}

void ResolveGate::release(Line& waiting, Line& to) noexcept {
  while (Guest* guest = waiting.take_first()) {
    guest->host_ = nullptr;
    to.add_last(*guest);
  }
}

void ResolveGate::leave(Guest& guest) noexcept {
  guest.unlink();
  Host* host = std::exchange(guest.host_, nullptr);
  if (host == nullptr || host->leader != &guest) return;
  host->leader = host->waiting.take_first();
  if (host->leader != nullptr) released_.add_last(*host->leader);
}

ResolveGate::Host& ResolveGate::host_of(std::string_view name, TimePoint now) {
  const auto found = hosts_.find(name);
  if (found != hosts_.end()) return found->second;
  if (hosts_.size() >= kManyHosts) prune(now);
  return hosts_[std::string(name)];
}

void ResolveGate::prune(TimePoint now) {
  std::erase_if(hosts_, [&](const auto& entry) {
    const Host& host = entry.second;
    return host.leader == nullptr && (!host.resolved || now - *host.resolved >= remembered_);
  });
}

}  // namespace llmrouter::net
