#include "wire/json_scan.h"

#include <algorithm>

#include "wire/bytes.h"

namespace llmrouter::wire {
namespace {

// Up to so many names are compared as they come; more are sorted at the end.
constexpr size_t kCompareAtOnce = 32;
constexpr size_t kNameInErrors = 100;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_short_escape(char c) {
  return c == 'n' || c == '"' || c == '\\' || c == 't' || c == '/' || c == 'r' || c == 'b' || c == 'f';
}
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A name as errors show it: not longer than a person wants to read.
std::string shown(std::string_view name) {
  if (name.size() <= kNameInErrors) return std::string(name);
  size_t cut = kNameInErrors;
  while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) --cut;
  return std::string(name.substr(0, cut)) + "...";
}

// kNotes: does anybody want to hear of values on the way?
template <bool kNotes>
class Scanner {
 public:
  Scanner(std::string_view text, const ScanLimits& limits, const Notes& notes)
      : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), max_depth_(std::clamp(limits.max_depth, 1, ScanLimits::kMaxDepth)), notes_(notes) {}

  bool object(size_t max_members, std::vector<MemberSpan>& members);
  bool any();
  ScanResult take_result() { return std::move(result_); }

 private:
  bool members_of_body(size_t max_members, std::vector<MemberSpan>& members);
  bool distinct(const std::vector<MemberSpan>& members);
  bool member_name(std::string& name);
  bool value(int row);
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

  // The row under `under` by that name.
  int row_of(int under, std::string_view name) const {
    for (size_t i = 0; i < notes_.count; ++i) {
      if (notes_.rows[i].under == under && notes_.rows[i].name == name) return static_cast<int>(i);
    }
    return kNobody;
  }
  // The row of the container that the scan is in.
  int row_here() const { return depth_ <= NoteRow::kDepth ? open_[depth_ - 1].row : kNobody; }
  int row_of_member(std::string_view inside) {
    const int here = row_here();
    if (here == kNobody) return kNobody;
    if (inside.find('\\') == std::string_view::npos) return inside.empty() ? kNobody : row_of(here, inside);
    name_.clear();
    append_unescaped(name_, inside);
    return row_of(here, name_);
  }
  int row_of_element() const {
    const int here = row_here();
    return here == kNobody ? kNobody : row_of(here, NoteRow::kEach);
  }
  void note_open(int row) {
    if (depth_ < NoteRow::kDepth) open_[depth_] = {row, p_};
  }
  void note_end(int row, const char* from) const {
    if (row >= 0) notes_.sink->on_note(static_cast<size_t>(row), JsonValue(std::string_view(from, static_cast<size_t>(p_ - from))));
  }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const int max_depth_;
  int depth_ = 0;
  uint64_t objects_[ScanLimits::kMaxDepth / 64] = {};
  static constexpr int kNobody = -2;
  struct Open {
    int row;
    const char* begin;
  };
  const Notes notes_;
  Open open_[kNotes ? NoteRow::kDepth : 1];
  std::string name_;  // one that had escapes
  ScanResult result_;
};

template <bool kNotes>
bool Scanner<kNotes>::object(size_t max_members, std::vector<MemberSpan>& members) {
  members.clear();
  blanks();
  if (p_ == end_) return fail(ScanFault::kEmpty, p_);
  if (*p_ != '{') return fail(ScanFault::kNotAnObject, p_);
  return members_of_body(max_members, members) && only_blanks_left() && distinct(members);
}

template <bool kNotes>
bool Scanner<kNotes>::any() {
  blanks();
  if (p_ == end_) return fail(ScanFault::kEmpty, p_);
  return value(NoteRow::kRoot) && only_blanks_left();
}

template <bool kNotes>
bool Scanner<kNotes>::only_blanks_left() {
  blanks();
  return p_ == end_ || fail(ScanFault::kSyntax, p_, "nothing more after the value");
}

// From the opening brace to the closing one.
template <bool kNotes>
bool Scanner<kNotes>::members_of_body(size_t max_members, std::vector<MemberSpan>& members) {
  if constexpr (kNotes) note_open(NoteRow::kRoot);
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
        if (m.name == member.name) return duplicate(member);
      }
    }
    blanks();
    if (p_ == end_ || *p_ != ':') return fail(ScanFault::kSyntax, p_, "':'");
    ++p_;
    blanks();
    member.value_begin = static_cast<size_t>(p_ - begin_);
    int row = kNobody;
    if constexpr (kNotes) row = member.name.empty() ? kNobody : row_of(NoteRow::kRoot, member.name);
    if (!value(row)) {
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

template <bool kNotes>
bool Scanner<kNotes>::member_name(std::string& name) {
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
template <bool kNotes>
bool Scanner<kNotes>::distinct(const std::vector<MemberSpan>& members) {
  if (members.size() <= kCompareAtOnce) return true;
  std::vector<uint32_t> order(members.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::sort(order.begin(), order.end(), [&members](uint32_t a, uint32_t b) {
    const int by_name = members[a].name.compare(members[b].name);
    return by_name != 0 ? by_name < 0 : a < b;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (members[order[i]].name == members[order[i - 1]].name) return duplicate(members[order[i]]);
  }
  return true;
}

// One value, whatever is inside it; not recursive. p_ is at its first byte, blanks are behind. `row`: whose value it is.
template <bool kNotes>
bool Scanner<kNotes>::value([[maybe_unused]] int row) {
  const int base = depth_;
  for (;;) {
    if (p_ == end_) return fail(ScanFault::kEnd, p_);
    [[maybe_unused]] const char* const begin = p_;
    bool opened = false;
    switch (*p_) {
      case '"':
        if (!string()) return false;
        break;
      case '{':
      case '[':
        if (depth_ >= max_depth_) return fail_limit(ScanFault::kTooDeep, max_depth_);
        if constexpr (kNotes) note_open(row);
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
    if constexpr (kNotes) {
      if (!opened) note_end(row, begin);
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
        if constexpr (kNotes) {
          if (depth_ < NoteRow::kDepth) note_end(open_[depth_].row, open_[depth_].begin);
        }
        continue;
      }
      if (!opened) {
        if (p_ == end_ || *p_ != ',') return fail(ScanFault::kSyntax, p_, object ? "',' or '}'" : "',' or ']'");
        ++p_;
        blanks();
      }
      if (!object) {
        if constexpr (kNotes) row = row_of_element();
        break;
      }
      if (p_ == end_ || *p_ != '"') return fail(ScanFault::kSyntax, p_, opened ? "a member name in quotes, or '}'" : "a member name in quotes");
      [[maybe_unused]] const char* const name = p_ + 1;
      if (!string()) return false;
      if constexpr (kNotes) row = row_of_member({name, static_cast<size_t>(p_ - 1 - name)});
      blanks();
      if (p_ == end_ || *p_ != ':') return fail(ScanFault::kSyntax, p_, "':'");
      ++p_;
      blanks();
      break;
    }
  }
}

// p_ is at the opening quote.
template <bool kNotes>
bool Scanner<kNotes>::string() {
  const char* const quote = p_++;
  for (;;) {
    p_ = find_byte<PlainAsciiStop>(p_, end_);
    if (p_ == end_) return fail(ScanFault::kEnd, quote);
    if (*p_ == '"') {
      ++p_;
      return true;
    }
    if (*p_ == '\\') {
      if (end_ - p_ > 1 && is_short_escape(p_[1])) p_ += 2;
      else if (!escape()) return false;
    } else if (static_cast<unsigned char>(*p_) < 0x20) {
      return fail(ScanFault::kControl, p_);
    } else {
      p_ = skip_beyond_ascii(p_, end_);
      if (p_ != end_ && static_cast<unsigned char>(*p_) >= 0x80) return fail(ScanFault::kUtf8, p_);
    }
  }
}

template <bool kNotes>
bool Scanner<kNotes>::escape() {
  const char* const backslash = p_++;
  if (p_ == end_) return fail(ScanFault::kEnd, p_);
  const char kind = *p_++;
  if (is_short_escape(kind)) return true;
  if (kind != 'u') return fail(ScanFault::kEscape, backslash);
  for (int i = 0; i < 4; ++i, ++p_) {
    if (p_ == end_) return fail(ScanFault::kEnd, p_);
    if (!is_hex(*p_)) return fail(ScanFault::kEscape, backslash);
  }
  return true;
}

template <bool kNotes>
bool Scanner<kNotes>::number() {
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

template <bool kNotes>
bool Scanner<kNotes>::literal(std::string_view word) {
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
  const bool ours = fault == ScanFault::kTooDeep || fault == ScanFault::kTooManyMembers || fault == ScanFault::kDuplicate;
  return Error(ErrorCode::kInvalidRequest, (ours ? "the body is refused: " : "the body is not valid JSON: ") + message(text), member);
}

ScanResult scan_object(std::string_view body, const ScanLimits& limits, std::vector<MemberSpan>& members) {
  Scanner<false> scanner(body, limits, {});
  scanner.object(limits.max_members, members);
  return scanner.take_result();
}

ScanResult scan_object(std::string_view body, const ScanLimits& limits, std::vector<MemberSpan>& members, const Notes& notes) {
  Scanner<true> scanner(body, limits, notes);
  scanner.object(limits.max_members, members);
  return scanner.take_result();
}

ScanResult validate(std::string_view text, const ScanLimits& limits) {
  Scanner<false> scanner(text, limits, {});
  scanner.any();
  return scanner.take_result();
}

ScanResult validate(std::string_view text, const Notes& notes, const ScanLimits& limits) {
  Scanner<true> scanner(text, limits, notes);
  scanner.any();
  return scanner.take_result();
}

}  // namespace llmrouter::wire
