// Keys from JSON: the reading side of to_json(KeyRecord), in the words of the configuration's `keys`.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/keys.h"
#include "llmrouter/values.h"
#include "wire/json_scan.h"

namespace llmrouter {

namespace {

using wire::JsonElements;
using wire::JsonKind;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

constexpr size_t kMaxJson = 64 * 1024;
constexpr size_t kMaxListEntries = 1000;

// Reads a merge patch onto a KeySpec. Each reader gets the path of its value for the fault, and leaves the field at its default for null. The
// first fault stays.
class KeyPatch {
 public:
  KeyPatch(KeySpec& spec, WallTime now) : spec_(spec), now_(now) {}

  Result<void> read(JsonValue root) {
    each(root, "", [this](const JsonMember& m, const std::string& path) { return top(m, path); });
    if (failed_) return std::move(fault_);
    return {};
  }

 private:
  void fail(const std::string& path, std::string words) {
    if (failed_) return;
    failed_ = true;
    std::string message = path.empty() ? std::string("the body") : path;
    message += ": ";
    message += words;
    fault_ = Error(ErrorCode::kInvalidRequest, std::move(message), path);
  }
  void wanted(const std::string& path, const char* what) { fail(path, std::string("expected ") + what); }

  // Members of an object; `take` answers false for a name it does not know.
  template <typename Take>
  void each(JsonValue object, const std::string& path, Take take) {
    if (!object.is_object()) return wanted(path, "an object");
    std::vector<std::string> seen;
    for (const JsonMember& m : JsonMembers(object)) {
      std::string name(m.key);
      const std::string at = path.empty() ? name : path + "." + name;
      for (const std::string& other : seen) {
        if (other == name) return fail(at, "given twice");
      }
      seen.push_back(std::move(name));
      if (!take(m, at)) fail(at, "no such member here");
      if (failed_) return;
    }
  }

  bool top(const JsonMember& m, const std::string& path) {
    const JsonValue v = m.value;
    if (m.key == "name") {
      text(v, path, spec_.name);
      if (v.is_string() && spec_.name.empty()) wanted(path, "a name that is not empty; leave it out for none");
      return true;
    }
    if (m.key == "user") return text(v, path, spec_.user);
    if (m.key == "purpose") {
      text(v, path, spec_.purpose);
      if (spec_.purpose.empty()) spec_.purpose = KeySpec().purpose;
      return true;
    }
    if (m.key == "role") return role(v, path);
    if (m.key == "allow") return allow(v, path);
    if (m.key == "params") return params(v, path);
    if (m.key == "limits") return limits(v, path);
    if (m.key == "budget") return budget(v, path);
    if (m.key == "expires") return expires(v, path);
    if (m.key == "filters") return list(v, path, spec_.filters);
    return false;
  }

  bool text(JsonValue v, const std::string& path, std::string& out) {
    out.clear();
    if (!v.is_null() && !v.string(out)) wanted(path, "a string");
    return true;
  }

  bool role(JsonValue v, const std::string& path) {
    if (v.is_null() || v.equals("user")) {
      spec_.role = KeyRole::kUser;
    } else if (v.equals("admin")) {
      spec_.role = KeyRole::kAdmin;
    } else {
      wanted(path, "user or admin");
    }
    return true;
  }

  bool expires(JsonValue v, const std::string& path) {
    spec_.expires.reset();
    if (v.is_null()) return true;
    const auto time = parse_time(v.string_or());
    if (!time) {
      wanted(path, "a time like \"2027-01-01T00:00:00Z\"");
    } else {
      spec_.expires = *time;
    }
    return true;
  }

  bool allow(JsonValue v, const std::string& path) {
    if (v.is_null()) spec_.allow = {};
    if (v.is_null()) return true;
    each(v, path, [this](const JsonMember& m, const std::string& at) {
      if (m.key == "models") return list(m.value, at, spec_.allow.models);
      if (m.key == "providers") return list(m.value, at, spec_.allow.providers);
      if (m.key == "endpoints") return list(m.value, at, spec_.allow.endpoints);
      return false;
    });
    return true;
  }

  // A list of strings; one string stands for a list of one.
  bool list(JsonValue v, const std::string& path, std::vector<std::string>& out) {
    out.clear();
    if (v.is_null()) return true;
    if (v.is_string()) {
      out.push_back(v.string_or());
      return true;
    }
    if (!v.is_array()) wanted(path, "a list of strings");
    for (const JsonValue& entry : JsonElements(v)) {
      if (!entry.is_string()) wanted(path + "[" + std::to_string(out.size()) + "]", "a string");
      if (out.size() == kMaxListEntries) fail(path, "more than " + std::to_string(kMaxListEntries) + " entries");
      if (failed_) break;
      out.push_back(entry.string_or());
    }
    return true;
  }

  bool params(JsonValue v, const std::string& path) {
    if (v.is_null()) spec_.params = {};
    if (v.is_null()) return true;
    each(v, path, [this](const JsonMember& m, const std::string& at) {
      if (m.key == "max_tokens") return max_tokens(m.value, at);
      if (m.key == "temperature") return temperature(m.value, at);
      if (m.key != "tools") return false;
      spec_.params.tools = m.value.boolean();
      if (!spec_.params.tools && !m.value.is_null()) wanted(at, "true or false");
      return true;
    });
    return true;
  }

  bool max_tokens(JsonValue v, const std::string& path) {
    spec_.params.max_tokens.reset();
    if (v.is_null()) return true;
    const auto count = number(v);
    if (!count || *count < 1) {
      wanted(path, "a whole number from 1 to 1000000000M");
    } else {
      spec_.params.max_tokens = *count;
    }
    return true;
  }

  bool temperature(JsonValue v, const std::string& path) {
    spec_.params.min_temperature.reset();
    spec_.params.max_temperature.reset();
    if (v.is_null()) return true;
    const bool alone = v.is_number();  // the upper end
    const auto low = alone ? std::optional<double>(0) : wire::find(v, 0).number();
    const auto high = alone ? v.number() : wire::find(v, 1).number();
    if (!low || !high || wire::find(v, 2).exists() || *low < 0 || *high > 2 || *low > *high) {
      wanted(path, "[low, high] or the upper end, within 0 and 2");
    } else {
      spec_.params.min_temperature = low;
      spec_.params.max_temperature = high;
    }
    return true;
  }

  bool limits(JsonValue v, const std::string& path) {
    Limits& limits = spec_.limits;
    if (v.is_null()) {
      limits.requests.reset();
      limits.tokens.reset();
      limits.concurrent = 0;
      return true;
    }
    std::optional<int64_t> burst;
    each(v, path, [&](const JsonMember& m, const std::string& at) {
      if (m.key == "requests") return rate(m.value, at, "requests", limits.requests);
      if (m.key == "tokens") return rate(m.value, at, "tokens", limits.tokens);
      if (m.key != "concurrent" && m.key != "burst") return false;
      const std::optional<int64_t> count = m.value.is_null() ? std::optional<int64_t>(0) : number(m.value);
      if (!count || *count < 0) wanted(at, "a whole number from 0 to 1000000000M");
      if (m.key == "burst") {
        burst = count;
      } else {
        limits.concurrent = count.value_or(0);
      }
      return true;
    });
    if (burst && !limits.requests) {
      fail(path + ".burst", "belongs to `requests`, which is not set");
    } else if (burst) {
      limits.requests->burst = *burst;
    }
    return true;
  }

  // "60/min", or {requests: 50, per: 60s, burst: 20}: the count is called what is counted, or `count`.
  bool rate(JsonValue v, const std::string& path, std::string_view unit, std::optional<Rate>& out) {
    out.reset();
    if (v.is_null()) return true;
    if (v.is_string()) {
      auto parsed = parse_rate(v.string_or());
      if (!parsed) {
        fail(path, parsed.error().message);
      } else {
        out = *parsed;
      }
      return true;
    }
    Rate read;
    bool counted = false;
    each(v, path, [&](const JsonMember& m, const std::string& at) {
      if (m.key == "per") {
        const auto per = parse_period(m.value.string_or());
        if (per) read.per = *per;
        if (!per) wanted(at, "a period like \"60s\" or \"min\", above 0 and at most 36500d");
        return true;
      }
      if (m.key != unit && m.key != "count" && m.key != "burst") return false;
      if (m.key != "burst" && std::exchange(counted, true)) fail(at, "the count is given twice");
      const auto count = number(m.value);
      if (!count || *count < 0) wanted(at, "a whole number from 0 to 1000000000M");
      (m.key == "burst" ? read.burst : read.count) = count.value_or(0);
      return true;
    });
    if (!failed_ && read.count < 1) wanted(path, "a rate like \"60/min\", of 1 to 1000000000M");
    if (!failed_) out = read;
    return true;
  }

  bool budget(JsonValue v, const std::string& path) {
    std::optional<Budget>& out = spec_.limits.budget;
    if (v.is_null()) out.reset();
    if (v.is_null()) return true;
    Budget read = out.value_or(Budget());
    each(v, path, [&](const JsonMember& m, const std::string& at) {
      if (m.key == "usd") return usd(m.value, at, read);
      if (m.key == "per") return period(m.value, at, read);
      if (m.key == "soft") return soft(m.value, at, read);
      return false;
    });
    if (!failed_ && read.nano_usd <= 0) wanted(path + ".usd", "an amount above 0, at most 1000000000");
    if (read.per == BudgetPeriod::k30d && read.anchor == WallTime{}) read.anchor = now_;
    if (!failed_) out = read;
    return true;
  }

  // Digits as they were written: money never passes a double.
  bool usd(JsonValue v, const std::string& path, Budget& out) {
    const auto amount = parse_usd_nano(v.is_number() ? std::string(v.raw()) : v.string_or());
    if (amount) out.nano_usd = *amount;
    if (!amount) wanted(path, "decimal USD from 0 to 1000000000, at most nine digits after the point");
    return true;
  }
  bool period(JsonValue v, const std::string& path, Budget& out) {
    const auto per = parse_budget_period(v.string_or());
    if (per) out.per = *per;
    if (!per) wanted(path, "day, week, month, 30d or total");
    return true;
  }
  bool soft(JsonValue v, const std::string& path, Budget& out) {
    const auto percent = v.is_null() ? Result<int>(0) : parse_percent(v.string_or());
    if (percent) out.soft_percent = *percent;
    if (!percent) wanted(path, "a percentage from \"0%\" to \"100%\"");
    return true;
  }

  // An integer, or a string like "200k".
  static std::optional<int64_t> number(JsonValue v) {
    if (!v.is_string()) return v.integer();
    const auto count = parse_count(v.string_or());
    return count ? std::optional<int64_t>(*count) : std::nullopt;
  }

  KeySpec& spec_;
  const WallTime now_;
  bool failed_ = false;
  Error fault_;
};

// The object, checked whole before anything of it is looked at.
Result<std::vector<MemberSpan>> check(std::string_view json) {
  if (json.size() > kMaxJson) return Error(ErrorCode::kBodyTooLarge, "a key takes at most 64 KiB of JSON");
  std::vector<MemberSpan> members;
  wire::ScanLimits limits;
  limits.max_depth = 8;
  if (const auto scanned = wire::scan_object(json, limits, members); !scanned) return scanned.to_error(json);
  return members;
}

}  // namespace

Result<KeySpec> key_spec_from_json(std::string_view json, WallTime now) {
  if (auto members = check(json); !members) return std::move(members).error();
  KeySpec spec;
  if (auto read = KeyPatch(spec, now).read(JsonValue(json)); !read) return std::move(read).error();
  return spec;
}

Result<KeyChange> key_change_from_json(std::string_view json, const KeySpec& current, WallTime now) {
  const auto members = check(json);
  if (!members) return members.error();
  KeySpec spec = current;
  if (auto read = KeyPatch(spec, now).read(JsonValue(json)); !read) return std::move(read).error();
  KeyChange change;
  for (const MemberSpan& member : *members) {
    if (member.name == "name") change.name = spec.name;
    if (member.name == "user") change.user = spec.user;
    if (member.name == "purpose") change.purpose = spec.purpose;
    if (member.name == "role") change.role = spec.role;
    if (member.name == "allow") change.allow = spec.allow;
    if (member.name == "params") change.params = spec.params;
    if (member.name == "limits" || member.name == "budget") change.limits = spec.limits;
    if (member.name == "expires") change.expires = spec.expires;
    if (member.name == "filters") change.filters = spec.filters;
  }
  return change;
}

}  // namespace llmrouter
