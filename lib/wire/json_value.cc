#include <charconv>
#include <cstring>
#include <system_error>

#include "wire/bytes.h"
#include "wire/json_scan.h"

namespace llmrouter::wire {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_blanks(const char* p, const char* end) {
  while (p != end && is_blank(*p)) ++p;
  return p;
}

// Quote or backslash.
struct QuoteStop {
  static bool stops(char c) noexcept { return c == '"' || c == '\\'; }
#if defined(__SSE2__)
  static int mask(__m128i v) noexcept {
    return _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
  }
#endif
};

// `p` is behind the opening quote. The closing one; null when there is none. `escapes`: a backslash was met.
const char* find_close(const char* p, const char* end, bool* escapes) {
  *escapes = false;
  for (;;) {
    p = find_byte<QuoteStop>(p, end);
    if (p == end) return nullptr;
    if (*p == '"') return p;
    *escapes = true;
    if (end - p < 2) return nullptr;
    p += 2;
  }
}

#if defined(__SSE2__)

// Where in 64 bytes what stands, one bit each, the first byte lowest.
struct Marks {
  uint64_t quotes = 0, backslashes = 0, opens = 0, closes = 0;
};

Marks mark(const char* p) {
  Marks m;
  for (int i = 0; i < 4; ++i) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
    const __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));  // [ and { become {, ] and } become }
    const auto bits = [i](__m128i eq) { return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(eq))) << (16 * i); };
    m.quotes |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    m.backslashes |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    m.opens |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')));
    m.closes |= bits(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
  }
  return m;
}

// Has any of 64 bytes a quote or a backslash? Most of a prompt has none, and inside a string nothing else counts.
bool has_quote_stop(const char* p) {
  __m128i any = _mm_setzero_si128();
  for (int i = 0; i < 4; ++i) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
    any = _mm_or_si128(any, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
  }
  return _mm_movemask_epi8(any) != 0;
}

// Bit n of the result: is the number of bits set in 0..n odd?
uint64_t parity_up_to(uint64_t x) {
  for (int shift = 1; shift < 64; shift *= 2) x ^= x << shift;
  return x;
}

// The bytes that a backslash before them makes plain. `carry`: does the block's first byte, later the next block's, belong to them?
uint64_t escaped_bytes(uint64_t backslashes, uint64_t* carry) {
  uint64_t escaped = *carry;
  backslashes &= ~escaped;
  *carry = 0;
  while (backslashes != 0) {
    const int i = __builtin_ctzll(backslashes);
    if (i == 63) {
      *carry = 1;
    } else {
      escaped |= uint64_t{2} << i;
    }
    backslashes &= ~(uint64_t{3} << i);
  }
  return escaped;
}

// `p` is at an opening bracket. One past the one that closes it, strings minded, kinds of brackets not; null when it is not there.
const char* skip_container(const char* p, const char* end) {
  int64_t depth = 0;
  uint64_t in_string = 0;  // all bits set when the block begins inside a string
  uint64_t carry = 0;
  while (p != end) {
    const size_t size = end - p < 64 ? static_cast<size_t>(end - p) : 64;
    if (size == 64 && in_string != 0 && carry == 0 && !has_quote_stop(p)) {
      p += size;
      continue;
    }
    Marks m;
    if (size == 64) {
      m = mark(p);
    } else {
      char last[64];
      std::memset(last, ' ', sizeof last);
      std::memcpy(last, p, size);
      m = mark(last);
    }
    if ((m.backslashes | carry) != 0) m.quotes &= ~escaped_bytes(m.backslashes, &carry);
    const uint64_t inside = parity_up_to(m.quotes) ^ in_string;
    in_string = uint64_t{0} - (inside >> 63);
    uint64_t brackets = (m.opens | m.closes) & ~inside;
    while (brackets != 0) {
      const int i = __builtin_ctzll(brackets);
      depth += (m.opens >> i & 1) != 0 ? 1 : -1;
      if (depth == 0) return p + i + 1;
      brackets &= brackets - 1;
    }
    p += size;
  }
  return nullptr;
}

#else

const char* skip_container(const char* p, const char* end) {
  int64_t depth = 0;
  while (p != end) {
    const char c = *p++;
    if (c == '"') {
      bool escapes;
      p = find_close(p, end, &escapes);
      if (p == nullptr) return nullptr;
      ++p;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return p;
    }
  }
  return nullptr;
}

#endif

// One past the value at `p`; null when there is none.
const char* skip_value(const char* p, const char* end) {
  if (p == end) return nullptr;
  if (*p == '"') {
    bool escapes;
    const char* const close = find_close(p + 1, end, &escapes);
    return close == nullptr ? nullptr : close + 1;
  }
  if (*p == '{' || *p == '[') return skip_container(p, end);
  const char* const first = p;
  while (p != end && !is_blank(*p) && *p != ',' && *p != '}' && *p != ']' && *p != ':' && *p != '"') ++p;
  return p == first ? nullptr : p;
}

// A number's parts. Its value is (-1)^negative * D * 10^exponent, where D are the digits `first`..`last` (a dot between them left out)
// without zeros around; `digits` is how many they are, 0 for zero.
struct Decimal {
  bool negative = false;
  const char* first = nullptr;
  const char* last = nullptr;
  int64_t digits = 0;
  int64_t exponent = 0;
};

constexpr int64_t kHugeExponent = 1'000'000'000'000;  // larger ones are all the same: infinite or zero

// Checks the grammar of RFC 8259, section 6.
bool parse_decimal(std::string_view text, Decimal& d) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (p != end && *p == '-') {
    d.negative = true;
    ++p;
  }
  const char* const mantissa = p;
  int64_t seen = 0, point = -1, first = -1, last = -1;  // counted in digits
  for (; p != end && (is_digit(*p) || *p == '.'); ++p) {
    if (*p == '.') {
      if (point >= 0 || seen == 0) return false;
      point = seen;
      continue;
    }
    if (*p != '0') {
      if (first < 0) {
        first = seen;
        d.first = p;
      }
      last = seen;
      d.last = p;
    }
    ++seen;
  }
  if (seen == 0 || seen == point) return false;                    // no digit, or none after the dot
  if (*mantissa == '0' && seen > 1 && point != 1) return false;    // 01
  if (point < 0) point = seen;

  int64_t exponent = 0;
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    const bool minus = p != end && *p == '-';
    if (p != end && (*p == '-' || *p == '+')) ++p;
    if (p == end) return false;
    for (; p != end && is_digit(*p); ++p) {
      if (exponent < kHugeExponent) exponent = exponent * 10 + (*p - '0');
    }
    if (!is_digit(p[-1])) return false;
    if (minus) exponent = -exponent;
  }
  if (p != end) return false;
  if (first >= 0) {
    d.digits = last - first + 1;
    d.exponent = point - 1 - last + exponent;
  }
  return true;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four hex digits at `p`; -1 when they are not there.
int hex4(const char* p, const char* end) {
  if (end - p < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

int encode_utf8(uint32_t c, char* out) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xc0 | c >> 6);
    out[1] = tail(0);
    return 2;
  }
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xe0 | c >> 12);
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xf0 | c >> 18);
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

// Yields what a string's inside stands for, piece by piece: runs without escapes as they lie, each escape as its character.
class Unescaper {
 public:
  explicit Unescaper(std::string_view inside) : p_(inside.data()), end_(p_ + inside.size()) {}

  // False at the end and at a fault.
  bool next(std::string_view& piece) {
    if (p_ == end_) return false;
    const char* const stop = find_byte<QuoteStop>(p_, end_);
    if (stop != p_) {
      piece = {p_, static_cast<size_t>(stop - p_)};
      p_ = stop;
      return true;
    }
    const int length = *p_ == '\\' && end_ - p_ > 1 ? escape() : 0;
    piece = {character_, static_cast<size_t>(length)};
    failed_ = length == 0;
    return !failed_;
  }
  bool failed() const { return failed_; }

 private:
  int escape() {
    const char c = p_[1];
    p_ += 2;
    switch (c) {
      case '"':
      case '\\':
      case '/': character_[0] = c; return 1;
      case 'b': character_[0] = '\b'; return 1;
      case 'f': character_[0] = '\f'; return 1;
      case 'n': character_[0] = '\n'; return 1;
      case 'r': character_[0] = '\r'; return 1;
      case 't': character_[0] = '\t'; return 1;
      case 'u': return unicode();
      default: return 0;
    }
  }
  int unicode() {
    const int unit = hex4(p_, end_);
    if (unit < 0) return 0;
    p_ += 4;
    auto code = static_cast<uint32_t>(unit);
    if (code >= 0xd800 && code <= 0xdfff) {
      const int low = code < 0xdc00 && end_ - p_ >= 6 && p_[0] == '\\' && p_[1] == 'u' ? hex4(p_ + 2, end_) : -1;
      if (low >= 0xdc00 && low <= 0xdfff) {
        p_ += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (static_cast<uint32_t>(low) - 0xdc00);
      } else {
        code = 0xfffd;
      }
    }
    return encode_utf8(code, character_);
  }

  const char* p_;
  const char* end_;
  char character_[4];
  bool failed_ = false;
};

// What stands between a string's quotes; false when `text` is no string and nothing else.
bool string_inside(std::string_view text, std::string_view& inside, bool* escapes) {
  if (text.size() < 2 || text.front() != '"') return false;
  const char* const end = text.data() + text.size();
  if (find_close(text.data() + 1, end, escapes) != end - 1) return false;
  inside = text.substr(1, text.size() - 2);
  return true;
}

}  // namespace

bool append_unescaped(std::string& out, std::string_view inside) {
  const size_t before = out.size();
  Unescaper pieces(inside);
  std::string_view piece;
  while (pieces.next(piece)) out += piece;
  if (pieces.failed()) out.resize(before);
  return !pieces.failed();
}

JsonValue::JsonValue(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  text_ = text;
}

JsonKind JsonValue::kind() const noexcept {
  if (text_.empty()) return JsonKind::kNone;
  const bool pair = text_.size() > 1;
  switch (text_.front()) {
    case '"': return pair && text_.back() == '"' ? JsonKind::kString : JsonKind::kNone;
    case '{': return pair && text_.back() == '}' ? JsonKind::kObject : JsonKind::kNone;
    case '[': return pair && text_.back() == ']' ? JsonKind::kArray : JsonKind::kNone;
    case 't': return text_ == "true" ? JsonKind::kBool : JsonKind::kNone;
    case 'f': return text_ == "false" ? JsonKind::kBool : JsonKind::kNone;
    case 'n': return text_ == "null" ? JsonKind::kNull : JsonKind::kNone;
    default: return text_.front() == '-' || is_digit(text_.front()) ? JsonKind::kNumber : JsonKind::kNone;
  }
}

std::optional<bool> JsonValue::boolean() const noexcept {
  if (text_ == "true") return true;
  if (text_ == "false") return false;
  return std::nullopt;
}

std::optional<int64_t> JsonValue::integer() const noexcept {
  Decimal d;
  if (!parse_decimal(text_, d)) return std::nullopt;
  if (d.digits == 0) return 0;
  if (d.exponent < 0 || d.digits + d.exponent > 19) return std::nullopt;
  uint64_t magnitude = 0;  // 19 digits fit
  for (const char* p = d.first; p <= d.last; ++p) {
    if (*p != '.') magnitude = magnitude * 10 + static_cast<uint64_t>(*p - '0');
  }
  for (int64_t i = 0; i < d.exponent; ++i) magnitude *= 10;
  const uint64_t most = (uint64_t{1} << 63) - (d.negative ? 0 : 1);
  if (magnitude > most) return std::nullopt;
  return static_cast<int64_t>(d.negative ? uint64_t{0} - magnitude : magnitude);
}

std::optional<double> JsonValue::number() const noexcept {
  Decimal d;
  if (!parse_decimal(text_, d)) return std::nullopt;
  double value = 0;
  const auto r = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (r.ec == std::errc()) return value;
  if (r.ec == std::errc::result_out_of_range && d.digits + d.exponent < 0) return d.negative ? -0.0 : 0.0;
  return std::nullopt;
}

bool JsonValue::append_string(std::string& out) const {
  std::string_view inside;
  bool escapes;
  if (!string_inside(text_, inside, &escapes)) return false;
  if (escapes) return append_unescaped(out, inside);
  out += inside;
  return true;
}

bool JsonValue::string(std::string& out) const {
  out.clear();
  return append_string(out);
}

std::optional<std::string_view> JsonValue::string_view(std::string& scratch) const {
  std::string_view inside;
  bool escapes;
  if (!string_inside(text_, inside, &escapes)) return std::nullopt;
  if (!escapes) return inside;
  scratch.clear();
  if (!append_unescaped(scratch, inside)) return std::nullopt;
  return scratch;
}

std::string JsonValue::string_or(std::string_view otherwise) const {
  std::string out;
  if (!append_string(out)) out = otherwise;
  return out;
}

bool JsonValue::equals(std::string_view text) const noexcept {
  std::string_view inside;
  bool escapes;
  if (!string_inside(text_, inside, &escapes)) return false;
  if (!escapes) return inside == text;
  Unescaper pieces(inside);
  std::string_view piece;
  while (pieces.next(piece)) {
    if (text.substr(0, piece.size()) != piece) return false;
    text.remove_prefix(piece.size());
  }
  return !pieces.failed() && text.empty();
}

bool JsonValue::empty_container() const noexcept {
  if (!is_object() && !is_array()) return false;
  const char* const end = text_.data() + text_.size();
  return skip_blanks(text_.data() + 1, end) == end - 1;
}

JsonMembers::JsonMembers(JsonValue object) noexcept {
  if (!object.is_object()) {
    malformed_ = true;
    return;
  }
  p_ = object.text_.data() + 1;
  end_ = object.text_.data() + object.text_.size();
}

bool JsonMembers::stop(bool malformed) noexcept {
  malformed_ |= malformed;
  p_ = end_;
  return false;
}

bool JsonMembers::next() {
  if (p_ == end_) return false;
  p_ = skip_blanks(p_, end_);
  if (p_ == end_) return stop(true);
  if (*p_ == '}') return stop(p_ + 1 != end_);
  if (!first_) {
    if (*p_ != ',') return stop(true);
    p_ = skip_blanks(p_ + 1, end_);
  }
  first_ = false;
  if (p_ == end_ || *p_ != '"') return stop(true);

  const char* const quote = p_;
  bool escapes;
  const char* const close = find_close(quote + 1, end_, &escapes);
  if (close == nullptr) return stop(true);
  current_.key = {quote + 1, static_cast<size_t>(close - quote - 1)};
  if (escapes) {
    key_.clear();
    if (!append_unescaped(key_, current_.key)) return stop(true);
    current_.key = key_;
  }
  p_ = skip_blanks(close + 1, end_);
  if (p_ == end_ || *p_ != ':') return stop(true);
  p_ = skip_blanks(p_ + 1, end_);
  const char* const value_end = skip_value(p_, end_);
  if (value_end == nullptr || value_end == end_) return stop(true);  // the closing brace is still to come
  current_.value = JsonValue(JsonValue::Exact{}, {p_, static_cast<size_t>(value_end - p_)});
  current_.raw = {quote, static_cast<size_t>(value_end - quote)};
  p_ = value_end;
  return true;
}

JsonElements::JsonElements(JsonValue array) noexcept {
  if (!array.is_array()) {
    malformed_ = true;
    return;
  }
  p_ = array.text_.data() + 1;
  end_ = array.text_.data() + array.text_.size();
}

bool JsonElements::stop(bool malformed) noexcept {
  malformed_ |= malformed;
  p_ = end_;
  return false;
}

bool JsonElements::next() noexcept {
  if (p_ == end_) return false;
  p_ = skip_blanks(p_, end_);
  if (p_ == end_) return stop(true);
  if (*p_ == ']') return stop(p_ + 1 != end_);
  if (!first_) {
    if (*p_ != ',') return stop(true);
    p_ = skip_blanks(p_ + 1, end_);
  }
  first_ = false;
  const char* const value_end = skip_value(p_, end_);
  if (value_end == nullptr || value_end == end_) return stop(true);
  current_ = JsonValue(JsonValue::Exact{}, {p_, static_cast<size_t>(value_end - p_)});
  p_ = value_end;
  return true;
}

JsonCursor::JsonCursor(JsonValue container) noexcept {
  if (!container.is_object() && !container.is_array()) return;
  p_ = container.text_.data() + 1;
  end_ = container.text_.data() + container.text_.size();
}

bool JsonCursor::stop() noexcept {
  p_ = end_;
  at_value_ = false;
  return false;
}

// To where the next key or element begins.
bool JsonCursor::next() noexcept {
  if (at_value_) take();
  p_ = skip_blanks(p_, end_);
  if (p_ == end_) return false;
  if (*p_ == '}' || *p_ == ']') {
    ++p_;
    first_ = false;
    return false;
  }
  if (first_) {
    first_ = false;
    return true;
  }
  if (*p_ != ',') return stop();
  p_ = skip_blanks(p_ + 1, end_);
  return p_ != end_;
}

bool JsonCursor::next_member() {
  if (!next()) return false;
  if (*p_ != '"') return stop();
  bool escapes;
  const char* const close = find_close(p_ + 1, end_, &escapes);
  if (close == nullptr) return stop();
  key_ = {p_ + 1, static_cast<size_t>(close - p_ - 1)};
  if (escapes) {
    unescaped_.clear();
    if (!append_unescaped(unescaped_, key_)) return stop();
    key_ = unescaped_;
  }
  p_ = skip_blanks(close + 1, end_);
  if (p_ == end_ || *p_ != ':') return stop();
  p_ = skip_blanks(p_ + 1, end_);
  at_value_ = p_ != end_;
  return at_value_;
}

bool JsonCursor::next_element() noexcept { return at_value_ = next(); }

bool JsonCursor::enter(char open) noexcept {
  if (!at_value_ || *p_ != open) return false;
  const char* const inside = skip_blanks(p_ + 1, end_);
  if (inside == end_ || *inside == '}' || *inside == ']') return false;
  p_ = inside;
  at_value_ = false;
  first_ = true;
  return true;
}

JsonValue JsonCursor::take() noexcept {
  if (!at_value_) return {};
  at_value_ = false;
  const char* const begin = p_;
  const char* const value_end = skip_value(p_, end_);
  if (value_end == nullptr) {
    p_ = end_;
    return {};
  }
  p_ = value_end;
  return since(begin);
}

JsonValue JsonCursor::since(const char* begin) const noexcept {
  return JsonValue(JsonValue::Exact{}, {begin, static_cast<size_t>(p_ - begin)});
}

JsonValue find_member(JsonValue object, std::string_view name) {
  for (const JsonMember& m : JsonMembers(object)) {
    if (m.key == name) return m.value;
  }
  return {};
}

JsonValue find_element(JsonValue array, size_t index) noexcept {
  for (const JsonValue& v : JsonElements(array)) {
    if (index-- == 0) return v;
  }
  return {};
}

bool pick(JsonValue object, std::initializer_list<Pick> wanted) {
  for (const Pick& w : wanted) *w.value = {};
  size_t left = wanted.size();
  JsonMembers it(object);
  while (left > 0 && it.next()) {
    for (const Pick& w : wanted) {
      if (w.value->exists() || w.name != it->key) continue;
      *w.value = it->value;
      --left;
      break;
    }
  }
  return !it.malformed();
}

}  // namespace llmrouter::wire
