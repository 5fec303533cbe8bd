// One name look-up at a time for each host.
//
// libcurl's resolver starts a thread for every transfer to a host whose address it does not know. When many start at once the
// first leads, and the others wait until it has the address (or has none).
#ifndef LLMROUTER_NET_RESOLVE_GATE_H_
#define LLMROUTER_NET_RESOLVE_GATE_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "llmrouter/clock.h"
#include "net/linked_list.h"

namespace llmrouter::net {

// Whether this host needs no look-up: an IP address or localhost. `host` may have a port and, for IPv6, brackets.
bool is_resolved_host(std::string_view host) noexcept;
// "host:port" of a URL, without user and password; a view into it. Empty: there is none.
std::string_view authority_of(std::string_view url) noexcept;

// Not thread-safe. Whoever has entered passes, fails or leaves before it goes.
class ResolveGate {
 public:
  struct Host;
  // Base of what goes through.
  class Guest : public Hook<ResolveGate> {
   private:
    friend class ResolveGate;
    Host* host_ = nullptr;  // led, or waited for
  };
  using Line = List<Guest, ResolveGate>;
  enum class Entry { kFree, kLeads, kWaits };

  // `remembered`: how long the resolver's own cache is good for.
  explicit ResolveGate(Duration remembered) : remembered_(remembered) {}
  ResolveGate(const ResolveGate&) = delete;
  ResolveGate& operator=(const ResolveGate&) = delete;

  // kFree and kLeads: go. kWaits: not before take_released() or take_failed() gives it.
  Entry enter(Guest& guest, std::string_view host, TimePoint now);
  // The leader has got past the look-up: who waited is released. `resolved`: the address is in the resolver's cache now (not
  // when an open connection was used again). Ignored for others.
  void pass(Guest& guest, bool resolved, TimePoint now) noexcept;
  // The leader's look-up failed: who waited fails alike. Ignored for others.
  void fail(Guest& guest) noexcept;
  // Ends for another reason, wherever it stands. After a leader the next one is released, to lead.
  void leave(Guest& guest) noexcept;

  // In the order they came.
  Guest* take_released() noexcept { return released_.take_first(); }
  Guest* take_failed() noexcept { return failed_.take_first(); }
  bool idle() const noexcept { return released_.empty() && failed_.empty(); }

  struct Host {
    Guest* leader = nullptr;
    Line waiting;
    std::optional<TimePoint> resolved;
  };

 private:
  Host& host_of(std::string_view host, TimePoint now);
  void prune(TimePoint now);
  static void release(Line& waiting, Line& to) noexcept;

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  const Duration remembered_;
  std::unordered_map<std::string, Host, Hash, std::equal_to<>> hosts_;
  Line released_;
  Line failed_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_RESOLVE_GATE_H_
