#include "llmrouter/values.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace llmrouter {
namespace {

__extension__ typedef unsigned __int128 Wide;  // room for the product of a number and its unit

constexpr int64_t kNano = 1000000000;
constexpr int64_t kMinute = 60 * kNano, kHour = 60 * kMinute, kDay = 24 * kHour, kWeek = 7 * kDay;
constexpr int64_t kMaxDuration = 36500 * kDay;
constexpr int64_t kMaxSize = int64_t{1} << 53;
constexpr int64_t kMaxCount = 1000000000000000;  // 10^15
constexpr int64_t kMaxUsd = 1000000000;

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr Unit kDurationUnits[] = {{"ns", 1},       {"us", 1000},   {"ms", 1000000}, {"s", kNano},
                                   {"m", kMinute}, {"h", kHour}, {"d", kDay},     {"w", kWeek}};
constexpr Unit kSizeUnits[] = {{"", 1},
                               {"B", 1},
                               {"KiB", 1024},
                               {"MiB", 1024 * 1024},
                               {"GiB", 1024 * 1024 * 1024},
                               {"TiB", int64_t{1} << 40},
                               {"kB", 1000},
                               {"MB", 1000000},
                               {"GB", 1000000000},
                               {"TB", 1000000000000}};
constexpr Unit kCountUnits[] = {{"", 1}, {"k", 1000}, {"M", 1000000}};
constexpr Unit kPeriods[] = {{"s", kNano},       {"sec", kNano},  {"second", kNano}, {"m", kMinute},  {"min", kMinute}, {"minute", kMinute},
                             {"h", kHour}, {"hour", kHour}, {"d", kDay},       {"day", kDay}, {"w", kWeek},      {"week", kWeek}};

Error expected(const char* what, std::string param = {}) {
  return Error(ErrorCode::kInvalidRequest, std::string("expected ") + what, std::move(param));
}

bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

// DIGITS or DIGITS.DIGITS times 10^`places`. Nothing when it is not that, when digits that count stand further right than `places`, or
// when it is longer than any value here could be.
std::optional<Wide> decimal(std::string_view text, int places) {
  constexpr int kMaxDigits = 20;  // before the point; with nine places that is far below 2^127
  Wide value = 0;
  size_t i = 0;
  while (i < text.size() && digit(text[i])) {
    if (i == kMaxDigits) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[i++] - '0');
  }
  if (i == 0) return std::nullopt;
  int seen = 0;
  if (i < text.size()) {
    if (text[i] != '.' || ++i == text.size()) return std::nullopt;
    for (; i < text.size(); ++i) {
      if (!digit(text[i])) return std::nullopt;
      if (seen == places) {
        if (text[i] != '0') return std::nullopt;
        continue;
      }
      value = value * 10 + static_cast<unsigned>(text[i] - '0');
      ++seen;
    }
  }
  for (; seen < places; ++seen) value *= 10;
  return value;
}

// The number in front of a unit, and the unit.
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  size_t i = 0;
  while (i < text.size() && (digit(text[i]) || text[i] == '.')) ++i;
  return {text.substr(0, i), text.substr(i)};
}

template <size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// NUMBER UNIT as a whole number of the smallest unit, at most `max`.
template <size_t N>
std::optional<int64_t> with_unit(std::string_view text, const Unit (&units)[N], int64_t max) {
  constexpr Wide kScale = kNano;
  auto [number, name] = split_unit(text);
  const Unit* unit = find_unit(units, name);
  if (!unit) return std::nullopt;
  std::optional<Wide> scaled = decimal(number, 9);
  if (!scaled || *scaled > static_cast<Wide>(max) * kScale / static_cast<Wide>(unit->factor)) return std::nullopt;
  Wide product = *scaled * static_cast<Wide>(unit->factor);
  if (product % kScale != 0) return std::nullopt;
  return static_cast<int64_t>(product / kScale);
}

Result<int64_t> usd(std::string_view text, int places, const char* words) {
  std::optional<Wide> value = decimal(text, places);
  Wide most = kMaxUsd;
  for (int i = 0; i < places; ++i) most *= 10;
  if (!value || *value > most) return expected(words);
  return static_cast<int64_t>(*value);
}

// Days since 1970-01-01 of a date in the Gregorian calendar (Howard Hinnant's algorithms, public domain).
int64_t days_of(int64_t year, int month, int day) noexcept {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct Date {
  int64_t year;
  int month, day;
};

Date date_of(int64_t days) noexcept {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t of_era = days - era * 146097;
  const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  const int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  return {year + era * 400 + (month <= 2), month, static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1)};
}

int days_in_month(int64_t year, int month) noexcept {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leap);
}

// Reads fixed-width numbers and separators from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool number(size_t width, int* out) {
    if (text_.size() < width) return false;
    int value = 0;
    for (size_t i = 0; i < width; ++i) {
      if (!digit(text_[i])) return false;
      value = value * 10 + (text_[i] - '0');
    }
    *out = value;
    text_.remove_prefix(width);
    return true;
  }
  bool take(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_[0]) == std::string_view::npos) return false;
    last_ = text_[0];
    text_.remove_prefix(1);
    return true;
  }
  // Digits after a point as microseconds; finer ones are cut off.
  bool fraction(int* micros) {
    int value = 0, digits = 0;
    while (!text_.empty() && digit(text_[0])) {
      if (++digits > 18) return false;
      if (digits <= 6) value = value * 10 + (text_[0] - '0');
      text_.remove_prefix(1);
    }
    for (int i = digits; i < 6; ++i) value *= 10;
    *micros = value;
    return digits > 0;
  }
  bool end() const noexcept { return text_.empty(); }
  char last() const noexcept { return last_; }

 private:
  std::string_view text_;
  char last_ = 0;
};

// The seconds east of UTC at the end of a time: "Z", "+01:00".
bool zone(Cursor& in, int* seconds) {
  if (in.take("Zz")) {
    *seconds = 0;
    return true;
  }
  if (!in.take("+-")) return false;
  const bool west = in.last() == '-';
  int hour = 0, minute = 0;
  if (!in.number(2, &hour) || !in.take(":") || !in.number(2, &minute) || hour > 23 || minute > 59) return false;
  *seconds = (hour * 60 + minute) * (west ? -60 : 60);
  return true;
}

template <size_t N>
std::string largest_unit(int64_t value, const Unit (&units)[N]) {
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor).append(best->name);
}

void append_padded(std::string& out, int64_t value, size_t width) {
  std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration{0};
  if (auto value = with_unit(text, kDurationUnits, kMaxDuration)) return Duration{*value};
  return expected("a duration such as 250ms, 5s, 2m, 1h or 30d (at most 36500d)");
}

Result<int64_t> parse_size(std::string_view text) {
  if (auto value = with_unit(text, kSizeUnits, kMaxSize)) return *value;
  return expected("a size such as 65536, 64KiB or 32MiB (at most 8192TiB)");
}

Result<int64_t> parse_count(std::string_view text) {
  if (auto value = with_unit(text, kCountUnits, kMaxCount)) return *value;
  return expected("a whole number, perhaps with k or M (200k), at most 1000000000M");
}

Result<Duration> parse_period(std::string_view text) {
  if (const Unit* unit = find_unit(kPeriods, text)) return Duration{unit->factor};
  auto value = parse_duration(text);
  if (value.ok() && value->count() > 0) return value;
  return expected("a period such as s, min, h, day or 30s (above 0, at most 36500d)");
}

Result<Rate> parse_rate(std::string_view text) {
  constexpr const char* kWords = "a rate such as 60/min, 200k/min, 10/s or 1000/day (a count from 1 to 1000000000M, a period up to 36500d)";
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return expected(kWords);
  auto count = parse_count(text.substr(0, slash));
  auto per = parse_period(text.substr(slash + 1));
  if (!count || !per || *count == 0) return expected(kWords);
  Rate rate;
  rate.count = *count;
  rate.per = *per;
  return rate;
}

Result<int> parse_percent(std::string_view text) {
  if (text.size() >= 2 && text.back() == '%') {
    auto value = decimal(text.substr(0, text.size() - 1), 0);
    if (value && *value <= 100) return static_cast<int>(*value);
  }
  return expected("a percentage from 0% to 100%");
}

Result<int64_t> parse_usd_nano(std::string_view text) {
  return usd(text, 9, "an amount of USD such as 50 or 0.25, from 0 to 1000000000, with at most 9 digits after the point");
}

Result<int64_t> parse_usd_micro(std::string_view text) {
  return usd(text, 6, "an amount of USD such as 2.50, with at most 6 digits after the point");
}

Result<BudgetPeriod> parse_budget_period(std::string_view text) {
  if (text == "day") return BudgetPeriod::kDay;
  if (text == "week") return BudgetPeriod::kWeek;
  if (text == "month") return BudgetPeriod::kMonth;
  if (text == "30d") return BudgetPeriod::k30d;
  if (text == "total") return BudgetPeriod::kTotal;
  return expected("day, week, month, 30d or total");
}

Result<WallTime> parse_time(std::string_view text) {
  constexpr const char* kWords = "a time such as 2027-01-01T00:00:00Z, or a date";
  Cursor in(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0, east = 0;
  if (!in.number(4, &year) || !in.take("-") || !in.number(2, &month) || !in.take("-") || !in.number(2, &day)) return expected(kWords);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return expected(kWords);
  if (!in.end()) {
    if (!in.take("Tt ") || !in.number(2, &hour) || !in.take(":") || !in.number(2, &minute) || !in.take(":") || !in.number(2, &second)) {
      return expected(kWords);
    }
    if (in.take(".") && !in.fraction(&micros)) return expected(kWords);
    if (!zone(in, &east) || !in.end() || hour > 23 || minute > 59 || second > 59) return expected(kWords);
  }
  const int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
  if (seconds < 0) return expected(kWords);
  return WallTime(std::chrono::microseconds(seconds * 1000000 + micros));
}

Result<Budget> parse_budget(std::string_view text, const Budget& current) {
  const size_t slash = text.find('/');
  auto amount = parse_usd_nano(text.substr(0, slash));
  if (!amount) return std::move(amount).error();
  if (*amount == 0) return expected("an amount of USD above 0, at most 1000000000");
  Budget budget = current;
  budget.nano_usd = *amount;
  if (slash != std::string_view::npos) {
    auto per = parse_budget_period(text.substr(slash + 1));
    if (!per) return std::move(per).error();
    budget.per = *per;
  }
  return budget;
}

namespace {

// What a line of limits says, before the parts that belong to others are put where they belong.
struct LimitLine {
  Limits limits;
  std::optional<int64_t> burst;  // 0: taken away
  std::optional<int> soft;       // 0: taken away
};

Result<void> set_rate(std::string_view value, std::optional<Rate>& rate) {
  if (value == "none") {
    rate.reset();
    return {};
  }
  auto parsed = parse_rate(value);
  if (!parsed) return std::move(parsed).error();
  if (rate) parsed->burst = rate->burst;
  rate = *parsed;
  return {};
}

Result<void> set_limit(std::string_view name, std::string_view value, LimitLine& line) {
  Limits& limits = line.limits;
  if (name == "requests") return set_rate(value, limits.requests);
  if (name == "tokens") return set_rate(value, limits.tokens);
  if (name == "concurrent" || name == "burst") {
    auto count = value == "none" ? Result<int64_t>(0) : parse_count(value);
    if (!count || (*count == 0 && value != "none")) return expected("a whole number from 1 to 1000000000M, or none");
    if (name == "burst") line.burst = *count;
    else limits.concurrent = *count;
    return {};
  }
  if (name == "usd") {
    if (value == "none") {
      limits.budget.reset();
      return {};
    }
    auto budget = parse_budget(value, limits.budget.value_or(Budget()));
    if (!budget) return std::move(budget).error();
    limits.budget = *budget;
    return {};
  }
  if (name == "soft") {
    auto percent = value == "none" ? Result<int>(0) : parse_percent(value);
    if (!percent) return std::move(percent).error();
    line.soft = *percent;
    return {};
  }
  return expected("one of requests, tokens, concurrent, burst, usd and soft");
}

}  // namespace

Result<Limits> parse_limits(std::string_view text, const Limits& current) {
  LimitLine line;
  line.limits = current;
  std::vector<std::string_view> seen;
  auto failed = [](Error error, std::string_view part) {
    error.param = std::string(part);
    return error;
  };
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    if (comma != std::string_view::npos && comma + 1 == text.size()) return expected("NAME=VALUE after the comma");
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) return expected("NAME=VALUE,... of requests, tokens, concurrent, burst, usd and soft");
    const std::string_view name = part.substr(0, equals);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) return failed(expected("each name once"), name);
    seen.push_back(name);
    if (auto set = set_limit(name, part.substr(equals + 1), line); !set) return failed(std::move(set).error(), name);
  }
  Limits& limits = line.limits;
  if (line.burst) {
    if (!limits.requests) return expected("requests beside burst", "burst");
    limits.requests->burst = *line.burst;
  }
  if (line.soft) {
    if (!limits.budget) return expected("usd beside soft", "soft");
    limits.budget->soft_percent = *line.soft;
  }
  return limits;
}

std::string format_duration(Duration value) {
  constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", kNano}, {"m", kMinute}, {"h", kHour}, {"d", kDay}};
  if (value.count() == 0) return "0s";
  return largest_unit(value.count(), kUnits);
}

std::string format_size(int64_t bytes) {
  constexpr Unit kUnits[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {"TiB", int64_t{1} << 40}};
  if (bytes == 0) return "0";
  return largest_unit(bytes, kUnits);
}

std::string format_count(int64_t value) {
  if (value < 10000) return std::to_string(value);
  return largest_unit(value, kCountUnits);
}

std::string format_rate(const Rate& rate) {
  constexpr Unit kNames[] = {{"s", kNano}, {"min", kMinute}, {"h", kHour}, {"day", kDay}, {"week", kWeek}};
  std::string out = format_count(rate.count) + '/';
  for (const Unit& unit : kNames) {
    if (unit.factor == rate.per.count()) return out.append(unit.name);
  }
  return out + format_duration(rate.per);
}

std::string format_usd(int64_t nano_usd) {
  const bool negative = nano_usd < 0;
  uint64_t value = negative ? 0 - static_cast<uint64_t>(nano_usd) : static_cast<uint64_t>(nano_usd);
  char text[24];  // "-9223372036.854775808"
  char* const end = text + sizeof text;
  char* p = end;
  const char* last = end;  // zeros behind it are left out, two places stay
  for (int place = 9; place > 0; --place, value /= 10) {
    const auto digit = static_cast<char>('0' + value % 10);
    if (p == last && digit == '0' && place > 2) --last;
    *--p = digit;
  }
  *--p = '.';
  do *--p = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  if (negative) *--p = '-';
  return std::string(p, static_cast<size_t>(last - p));
}

std::string format_time_rfc3339(WallTime time) {
  int64_t micros = time.time_since_epoch().count();
  int64_t seconds = micros / 1000000 - (micros % 1000000 < 0);
  micros -= seconds * 1000000;
  int64_t days = seconds / 86400 - (seconds % 86400 < 0);
  seconds -= days * 86400;
  const Date date = date_of(days);
  std::string out;
  append_padded(out, date.year, 4);
  append_padded(out.append(1, '-'), date.month, 2);
  append_padded(out.append(1, '-'), date.day, 2);
  append_padded(out.append(1, 'T'), seconds / 3600, 2);
  append_padded(out.append(1, ':'), seconds / 60 % 60, 2);
  append_padded(out.append(1, ':'), seconds % 60, 2);
  if (micros != 0) {
    append_padded(out.append(1, '.'), micros, 6);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out += 'Z';
}

}  // namespace llmrouter
