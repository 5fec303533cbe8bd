#include "wire/json_scan.h"

#include <algorithm>

#include "wire/bytes.h"

namespace llmrouter::wire {
namespace {

// Up to so many names are compared as they come; more are sorted at the end.
constexpr size_t kCompareAtOnce = 32;
constexpr size_t kNameInErrors = 100;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A name as errors show it: not longer than a person wants to read.
std::string shown(std::string_view name) {
  if (name.size() <= kNameInErrors) return std::string(name);
  size_t cut = kNameInErrors;
  while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) --cut;
  return std::string(name.substr(0, cut)) + "...";
}

// Without regard to the case of ASCII letters: there are servers who read names so (Go's encoding/json), and take the last of two for the one that was checked here.
int order_of_names(std::string_view a, std::string_view b) noexcept {
  const auto folded = [](char c) { return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] != b[i] && folded(a[i]) != folded(b[i])) return folded(a[i]) < folded(b[i]) ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

class Scanner {
 public:
  Scanner(std::string_view text, const ScanLimits& limits)
      : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), max_depth_(std::clamp(limits.max_depth, 1, ScanLimits::kMaxDepth)) {}

  bool object(const ScanLimits& limits, std::vector<MemberSpan>& members);
  bool any();
  ScanResult take_result() { return std::move(result_); }

 private:
  bool members_of_body(size_t max_members, std::vector<MemberSpan>& members);
  bool distinct(const std::vector<MemberSpan>& members);
  bool member_name(std::string& name);
  bool value();
  bool string();
  bool escape();
  bool number();
  bool literal(std::string_view word);
  bool only_blanks_left();

  void blanks() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }
  bool fail(ScanFault fault, const char* at, const char* expected = "") {
    result_.fault = at == end_ && fault == ScanFault::kSyntax ? ScanFault::kEnd : fault;
    result_.offset = static_cast<size_t>(at - begin_);
    result_.expected = expected;
    return false;
  }
  bool fail_limit(ScanFault fault, int64_t limit) {
    result_.limit = limit;
    return fail(fault, p_);
  }
  bool duplicate(const MemberSpan& member) {
    result_.member = shown(member.name);
    return fail(ScanFault::kDuplicate, begin_ + member.key_begin);
  }
  // Which containers the scan is inside of, the outermost at 0: a set bit is an object.
  void push(bool is_object) {
    const uint64_t bit = uint64_t{1} << (depth_ % 64);
    uint64_t& word = objects_[depth_ / 64];
    word = is_object ? word | bit : word & ~bit;
    ++depth_;
  }
  bool in_object() const { return (objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1) != 0; }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const int max_depth_;
  size_t max_containers_ = SIZE_MAX, containers_ = 0;
  int depth_ = 0;
  uint64_t objects_[ScanLimits::kMaxDepth / 64] = {};
  ScanResult result_;
};

bool Scanner::object(const ScanLimits& limits, std::vector<MemberSpan>& members) {
  max_containers_ = limits.max_containers;
  members.clear();
  members.reserve(16);  // what most bodies have at most
  blanks();
  if (p_ == end_) return fail(ScanFault::kEmpty, p_);
  if (*p_ != '{') return fail(ScanFault::kNotAnObject, p_);
  return members_of_body(limits.max_members, members) && only_blanks_left() && distinct(members);
}

bool Scanner::any() {
  blanks();
  if (p_ == end_) return fail(ScanFault::kEmpty, p_);
  return value() && only_blanks_left();
}

bool Scanner::only_blanks_left() {
  blanks();
  return p_ == end_ || fail(ScanFault::kSyntax, p_, "nothing more after the value");
}

// From the opening brace to the closing one.
bool Scanner::members_of_body(size_t max_members, std::vector<MemberSpan>& members) {
  push(true);
  ++p_;
  blanks();
  if (p_ != end_ && *p_ == '}') {
    ++p_;
    return true;
  }
  for (;;) {
    if (members.size() >= max_members) return fail_limit(ScanFault::kTooManyMembers, static_cast<int64_t>(max_members));
    MemberSpan member;
    member.key_begin = static_cast<size_t>(p_ - begin_);
    if (!member_name(member.name)) return false;
    if (members.size() < kCompareAtOnce) {
      for (const MemberSpan& m : members) {
        if (order_of_names(m.name, member.name) == 0) return duplicate(member);
      }
    }
    blanks();
    if (p_ == end_ || *p_ != ':') return fail(ScanFault::kSyntax, p_, "':'");
    ++p_;
    blanks();
    member.value_begin = static_cast<size_t>(p_ - begin_);
    if (!value()) {
      result_.member = shown(member.name);
      return false;
    }
    member.value_end = static_cast<size_t>(p_ - begin_);
    members.push_back(std::move(member));
    blanks();
    if (p_ == end_ || (*p_ != ',' && *p_ != '}')) return fail(ScanFault::kSyntax, p_, "',' or '}'");
    if (*p_++ == '}') return true;
    blanks();
  }
}

bool Scanner::member_name(std::string& name) {
  if (p_ == end_ || *p_ != '"') return fail(ScanFault::kSyntax, p_, "a member name in quotes");
  const char* const inside = p_ + 1;
  if (!string()) return false;
  const std::string_view text(inside, static_cast<size_t>(p_ - 1 - inside));
  if (text.find('\\') == std::string_view::npos) {
    name = text;
  } else {
    append_unescaped(name, text);
  }
  return true;
}

// What members_of_body() did not compare: with many members, all pairs would take too long.
bool Scanner::distinct(const std::vector<MemberSpan>& members) {
  if (members.size() <= kCompareAtOnce) return true;
  std::vector<uint32_t> order(members.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::sort(order.begin(), order.end(), [&members](uint32_t a, uint32_t b) {
    const int by_name = order_of_names(members[a].name, members[b].name);
    return by_name != 0 ? by_name < 0 : a < b;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order_of_names(members[order[i]].name, members[order[i - 1]].name) == 0) return duplicate(members[order[i]]);
  }
  return true;
}

// One value, whatever is inside it; not recursive. p_ is at its first byte, blanks are behind.
bool Scanner::value() {
  const int base = depth_;
  for (;;) {
    if (p_ == end_) return fail(ScanFault::kEnd, p_);
    bool opened = false;
    switch (*p_) {
      case '"':
        if (!string()) return false;
        break;
      case '{':
      case '[':
        if (depth_ >= max_depth_) return fail_limit(ScanFault::kTooDeep, max_depth_);
        if (++containers_ > max_containers_) return fail_limit(ScanFault::kTooManyContainers, static_cast<int64_t>(max_containers_));
        push(*p_++ == '{');
        opened = true;
        break;
      case 't':
        if (!literal("true")) return false;
        break;
      case 'f':
        if (!literal("false")) return false;
        break;
      case 'n':
        if (!literal("null")) return false;
        break;
      default:
        if (!number()) return false;
        break;
    }
    // After a value: close what ends here, then go to where the next value begins.
    for (;;) {
      if (depth_ == base) return true;
      blanks();
      const bool object = in_object();
      const char close = object ? '}' : ']';
      if (p_ != end_ && *p_ == close) {
        ++p_;
        --depth_;
        opened = false;
        continue;
      }
      if (!opened) {
        if (p_ == end_ || *p_ != ',') return fail(ScanFault::kSyntax, p_, object ? "',' or '}'" : "',' or ']'");
        ++p_;
        blanks();
      }
      if (!object) break;
      if (p_ == end_ || *p_ != '"') return fail(ScanFault::kSyntax, p_, opened ? "a member name in quotes, or '}'" : "a member name in quotes");
      if (!string()) return false;
      blanks();
      if (p_ == end_ || *p_ != ':') return fail(ScanFault::kSyntax, p_, "':'");
      ++p_;
      blanks();
      break;
    }
  }
}

// p_ is at the opening quote.
bool Scanner::string() {
  const char* const quote = p_++;
  for (;;) {
    p_ = find_byte<PlainAsciiStop>(p_, end_);
    if (p_ == end_) return fail(ScanFault::kEnd, quote);
    if (*p_ == '"') {
      ++p_;
      return true;
    }
    if (*p_ == '\\') {
      if (!escape()) return false;
    } else if (static_cast<unsigned char>(*p_) < 0x20) {
      return fail(ScanFault::kControl, p_);
    } else {
      p_ = skip_beyond_ascii(p_, end_);
      if (p_ != end_ && static_cast<unsigned char>(*p_) >= 0x80) return fail(ScanFault::kUtf8, p_);
    }
  }
}

bool Scanner::escape() {
  const char* const backslash = p_++;
  if (p_ == end_) return fail(ScanFault::kEnd, p_);
  switch (*p_++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return true;
    case 'u':
      for (int i = 0; i < 4; ++i, ++p_) {
        if (p_ == end_) return fail(ScanFault::kEnd, p_);
        if (!is_hex(*p_)) return fail(ScanFault::kEscape, backslash);
      }
      return true;
    default:
      return fail(ScanFault::kEscape, backslash);
  }
}

bool Scanner::number() {
  const char* const first = p_;
  const auto digits = [this] {
    const char* const from = p_;
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return p_ != from;
  };
  if (*p_ == '-') ++p_;
  const char* const integer = p_;
  if (!digits()) {
    if (p_ == first) return fail(ScanFault::kSyntax, p_, "a value");
    return fail(ScanFault::kNumber, first);
  }
  if (*integer == '0' && p_ - integer > 1) return fail(ScanFault::kNumber, first);
  if (p_ != end_ && *p_ == '.') {
    ++p_;
    if (!digits()) return fail(ScanFault::kNumber, first);
  }
  if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
    ++p_;
    if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
    if (!digits()) return fail(ScanFault::kNumber, first);
  }
  return true;
}

bool Scanner::literal(std::string_view word) {
  if (std::string_view(p_, static_cast<size_t>(end_ - p_)).substr(0, word.size()) != word) return fail(ScanFault::kSyntax, p_, "a value");
  p_ += word.size();
  return true;
}

std::string describe(const ScanResult& r) {
  switch (r.fault) {
    case ScanFault::kNone: return "no fault";
    case ScanFault::kEmpty: return "nothing but blanks, a value was expected";
    case ScanFault::kNotAnObject: return "expected an object";
    case ScanFault::kSyntax: return std::string("expected ") + r.expected;
    case ScanFault::kEnd: return "the text ends before the value does";
    case ScanFault::kControl: return "a control character in a string, which has to be written as an escape";
    case ScanFault::kEscape: return "an escape that JSON does not have";
    case ScanFault::kUtf8: return "a byte that is not UTF-8";
    case ScanFault::kNumber: return "not a number as JSON writes it";
    case ScanFault::kTooDeep: return "nested deeper than " + std::to_string(r.limit) + " levels";
    case ScanFault::kTooManyContainers: return "more than " + std::to_string(r.limit) + " arrays and objects";
    case ScanFault::kTooManyMembers: return "more than " + std::to_string(r.limit) + " members";
    case ScanFault::kDuplicate: return "the member '" + r.member + "' comes twice";
  }
  return {};
}

}  // namespace

std::string ScanResult::message(std::string_view text) const {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_begin + 1) + ": " + describe(*this);
}

Error ScanResult::to_error(std::string_view text) const {
  if (fault == ScanFault::kNotAnObject) return Error(ErrorCode::kInvalidRequest, "the body must be a JSON object");
  if (fault == ScanFault::kEmpty) return Error(ErrorCode::kInvalidRequest, "the body is empty: a JSON object was expected");
  const bool ours = fault == ScanFault::kTooDeep || fault == ScanFault::kTooManyMembers || fault == ScanFault::kTooManyContainers || fault == ScanFault::kDuplicate;
  return Error(ErrorCode::kInvalidRequest, (ours ? "the body is refused: " : "the body is not valid JSON: ") + message(text), member);
}

ScanResult scan_object(std::string_view body, const ScanLimits& limits, std::vector<MemberSpan>& members) {
  Scanner scanner(body, limits);
  scanner.object(limits, members);
  return scanner.take_result();
}

ScanResult validate(std::string_view text, const ScanLimits& limits) {
  Scanner scanner(text, limits);
  scanner.any();
  return scanner.take_result();
}

}  // namespace llmrouter::wire
