// Searches through text, 16 bytes at a time where the processor can. None reads outside [p, end).
#ifndef LLMROUTER_WIRE_BYTES_H_
#define LLMROUTER_WIRE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace llmrouter::wire {

// Each matcher says of a byte whether the search stops there, and of 16 bytes at which (one bit each, lowest first).

// LF or CR.
struct LineEnd {
  static bool stops(char c) noexcept { return c == '\n' || c == '\r'; }
#if defined(__SSE2__)
  static int mask(__m128i v) noexcept {
    return _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r'))));
  }
#endif
};

// What a JSON string cannot hold as it is: quote, backslash, control characters.
struct StringStop {
  static bool stops(char c) noexcept { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }
#if defined(__SSE2__)
  static int mask(__m128i v) noexcept {
    const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    return _mm_movemask_epi8(_mm_or_si128(special, control));
  }
#endif
};

// The same, and every byte that is not ASCII.
struct PlainAsciiStop {
  static bool stops(char c) noexcept { return StringStop::stops(c) || static_cast<unsigned char>(c) >= 0x80; }
#if defined(__SSE2__)
  static int mask(__m128i v) noexcept { return StringStop::mask(v) | _mm_movemask_epi8(v); }
#endif
};

// The first byte where `Matcher` stops; `end` when there is none.
template <typename Matcher>
inline const char* find_byte(const char* p, const char* end) noexcept {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const int m = Matcher::mask(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    if (m != 0) return p + __builtin_ctz(static_cast<unsigned>(m));
    p += 16;
  }
#endif
  while (p != end && !Matcher::stops(*p)) ++p;
  return p;
}

// Length of the well-formed UTF-8 sequence at `p`, 0 when there is none. `p` must not be `end`. `bad` gets the length of the broken part:
// the longest beginning of a sequence, at least 1 (what becomes one U+FFFD).
inline int utf8_length(const char* p, const char* end, int* bad) noexcept {
  const auto at = [p](int i) { return static_cast<unsigned char>(p[i]); };
  const unsigned char lead = at(0);
  *bad = 1;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF (Unicode 15, table 3-7).
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  const int need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (end - p < 2 || at(1) < low || at(1) > high) return 0;
  for (int i = 2; i < need; ++i) {
    *bad = i;
    if (end - p <= i || (at(i) & 0xc0) != 0x80) return 0;
  }
  return need;
}

// Past the characters beyond ASCII that follow one another from `p` on: the first ASCII byte, the first broken sequence, or `end`.
inline const char* skip_beyond_ascii(const char* p, const char* end) noexcept {
  while (p != end && static_cast<unsigned char>(*p) >= 0x80) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // Three bytes, the form of most of the world's scripts: 1110xxxx 10xxxxxx 10xxxxxx, neither overlong (E0 80..9F) nor a surrogate (ED A0..BF).
    if (end - p >= 4) {
      uint32_t word;
      std::memcpy(&word, p, 4);
      const uint32_t edge = word & 0x200f;
      if ((word & 0xc0c0f0) == 0x8080e0 && edge != 0 && edge != 0x200d) {
        p += 3;
        continue;
      }
    }
#endif
    int bad = 0;
    const int length = utf8_length(p, end, &bad);
    if (length == 0) return p;
    p += length;
  }
  return p;
}

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_BYTES_H_
