#include "core/past.h"

#include <algorithm>
#include <charconv>

namespace llmrouter::core {
namespace {

// The upstream's verdict on the request itself: another would have found the same.
bool is_own_fault(int status) noexcept { return status == 400 || status == 404 || status == 413 || status == 415 || status == 422; }

bool is_keys_fault(ErrorCode code) noexcept { return code == ErrorCode::kUpstreamRateLimited || code == ErrorCode::kUpstreamCredentialsRejected; }

std::string with_key(std::string_view whose, std::string_view credential) { return std::string(whose).append("\n").append(credential); }

bool begins(std::string_view text, std::string_view with) noexcept { return text.substr(0, with.size()) == with; }

// How long an attempt that was given up for its silence had said nothing, as Call::State::stall() words it; 0: it was given up for something else.
Duration silence_of(std::string_view reason) noexcept {
  constexpr std::string_view kBegin = "timeout: idle: nothing came within ";
  if (!begins(reason, kBegin)) return Duration(0);
  reason.remove_prefix(kBegin.size());
  int64_t n = 0;
  const auto [end, error] = std::from_chars(reason.data(), reason.data() + reason.size(), n);
  if (error != std::errc() || n <= 0 || n > 100'000'000) return Duration(0);
  reason.remove_prefix(static_cast<size_t>(end - reason.data()));
  if (begins(reason, " s")) return std::chrono::seconds(n);
  return begins(reason, " ms") ? std::chrono::milliseconds(n) : Duration(0);
}

Acting acting_of(const UsageRecord& r, const AttemptRecord& a) {
  Acting acting;
  acting.total = std::chrono::milliseconds(std::max<int64_t>(0, a.duration_ms));
  if (a.outcome == "ok") {
    if (r.stream && r.first_token_ms > a.started_ms) acting.first_token = std::min<Duration>(acting.total, std::chrono::milliseconds(r.first_token_ms - a.started_ms));
    return acting;
  }
  acting.connecting = begins(a.reason, "timeout: connect:");
  acting.silence = silence_of(a.reason);
  acting.code = ErrorCode::kUpstreamError;
  acting.final = r.status == CallStatus::kCut && &a == &r.attempts.back();
  if (a.outcome == "timeout") acting.code = ErrorCode::kUpstreamTimeout;
  else if (a.http_status == 429) acting.code = ErrorCode::kUpstreamRateLimited;
  else if (a.http_status >= 401 && a.http_status <= 403) acting.code = ErrorCode::kUpstreamCredentialsRejected;
  acting.out_of_quota = a.http_status == 402;
  acting.unreached = a.outcome == "error" && a.http_status == 0;
  return acting;
}

}  // namespace

ErrorCode refusal_of(const UsageRecord& r, const AttemptRecord& a) {
  if (a.outcome == "ok" || a.outcome == "cancelled" || a.outcome == "skipped") return ErrorCode::kNone;
  const bool last = &a == &r.attempts.back();
  for (const ErrorCode code : {ErrorCode::kContextLengthExceeded, ErrorCode::kContentPolicy}) {
    const std::string_view name = code_name(code);
    if (a.reason.compare(0, name.size(), name) == 0 || (last && r.error_code == name)) return code;
  }
  if (!is_own_fault(a.http_status)) return ErrorCode::kNone;
  // Somebody else was asked after it, in a record that does not say why: that is for one of the two, and long prompts are the commoner.
  return last ? ErrorCode::kUpstreamRejected : ErrorCode::kContextLengthExceeded;
}

void Past::Line::order() {
  std::stable_sort(attempts_.begin(), attempts_.end(), [](const Attempt& a, const Attempt& b) { return a.at < b.at; });
}

const Acting& Past::Line::draw(WallTime at, double chance) const {
  constexpr auto kNear = std::chrono::minutes(1);
  constexpr std::ptrdiff_t kEnough = 4;
  auto begin = std::lower_bound(attempts_.begin(), attempts_.end(), at - kNear, [](const Attempt& a, WallTime t) { return a.at < t; });
  auto end = std::upper_bound(begin, attempts_.end(), at + kNear, [](WallTime t, const Attempt& a) { return t < a.at; });
  if (end - begin < kEnough) begin = attempts_.begin(), end = attempts_.end();
  return begin[static_cast<std::ptrdiff_t>(chance * static_cast<double>(end - begin))].acting;
}

void Past::learn(const UsageRecord& r) {
  for (const AttemptRecord& a : r.attempts) {
    if (a.outcome == "skipped" || a.outcome == "cancelled" || refusal_of(r, a) != ErrorCode::kNone) continue;
    const Acting acting = acting_of(r, a);
    const WallTime at = r.time + std::chrono::milliseconds(std::max<int64_t>(0, a.started_ms));
    const std::string target = target_name(a.provider, a.model);
    if (!is_keys_fault(acting.code)) targets_[target].add(at, acting);
    if (acting.code != ErrorCode::kUpstreamCredentialsRejected) limited_[target].add(at, acting);
    credentials_[with_key(target, a.credential)].add(at, acting);
    credentials_[with_key(a.provider, a.credential)].add(at, acting);
    reach_[a.provider].add(at, acting);
    if (acting.code != ErrorCode::kNone) continue;
    ++answers_, answer_time_ += acting.total;
    if (acting.first_token == Duration(0)) continue;
    Duration& longest = longest_[a.provider];
    longest = std::max(longest, acting.total - acting.first_token);
  }
}

void Past::order() {
  for (Lines* lines : {&targets_, &limited_, &credentials_, &reach_}) {
    for (auto& [name, line] : *lines) line.order();
  }
}

const Past::Line* Past::find(const Lines& lines, const std::string& name) {
  const auto found = lines.find(name);
  return found == lines.end() ? nullptr : &found->second;
}

Acting Past::verdict(std::string_view provider, const std::string& target, std::string_view credential, WallTime at, double chance) const {
  const Line* line = find(credentials_, with_key(target, credential));
  if (line == nullptr) line = find(credentials_, with_key(provider, credential));
  if (line == nullptr) line = find(limited_, target);
  if (line == nullptr) return {};
  const Acting& acting = line->draw(at, chance);
  return is_keys_fault(acting.code) ? acting : Acting();
}

Acting Past::draw(std::string_view provider, std::string_view model, std::string_view credential, WallTime at, Random& random) const {
  const double of_key = random.unit(), of_target = random.unit();
  const std::string target = target_name(provider, model);
  const Acting refused = verdict(provider, target, credential, at, of_key);
  if (refused.code != ErrorCode::kNone) return refused;
  if (const Line* line = find(targets_, target)) return line->draw(at, of_target);
  Acting average;
  average.total = answers_ == 0 ? Duration(0) : answer_time_ / answers_;
  return average;
}

Acting Past::draw_reach(std::string_view provider, WallTime at, Random& random) const {
  const double chance = random.unit();
  const Line* line = find(reach_, std::string(provider));
  if (line == nullptr) return {};
  const Acting& drawn = line->draw(at, chance);
  if (!drawn.unreached) return {};
  return drawn;
}

bool Past::may_hold_silence(std::string_view provider, Duration idle) const {
  const auto found = longest_.find(provider);
  return found != longest_.end() && found->second > idle;
}

}  // namespace llmrouter::core
