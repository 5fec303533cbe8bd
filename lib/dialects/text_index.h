// Places in a text, in bytes and in characters.
#ifndef LLMROUTER_DIALECTS_TEXT_INDEX_H_
#define LLMROUTER_DIALECTS_TEXT_INDEX_H_

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace llmrouter::dialects {

// Which character of a UTF-8 text stands at which byte: Google counts bytes, OpenAI and Cohere characters. One pass over the text; a question costs at most
// a block. The text must outlive it.
class TextIndex {
 public:
  TextIndex() = default;
  explicit TextIndex(std::string_view text) { grow(text); }
  // The same text, maybe elsewhere in memory, with more behind it.
  void grow(std::string_view text) {
    size_t i = text_.size();
    text_ = text;
    for (; i < text.size(); ++i) {
      if (i % kBlock == 0) before_.push_back(count_);
      count_ += begins_character(i) ? 1 : 0;
    }
  }
  // What stands from one character to another; empty when that is no place in the text.
  std::string_view between(int64_t begin, int64_t end) const noexcept {
    if (begin < 0 || end <= begin) return {};
    const size_t from = byte_at(begin);
    return text_.substr(from, std::max(from, byte_at(end)) - from);
  }
  int64_t character_at(int64_t byte) const noexcept {
    const size_t end = byte <= 0 ? 0 : std::min(static_cast<size_t>(byte), text_.size());
    if (end == 0) return 0;
    size_t i = (end - 1) / kBlock;
    int64_t count = before_[i];
    for (i *= kBlock; i < end; ++i) count += begins_character(i) ? 1 : 0;
    return count;
  }
  size_t byte_at(int64_t character) const noexcept {
    if (character <= 0 || before_.empty()) return 0;
    const auto block = std::upper_bound(before_.begin(), before_.end(), character) - before_.begin() - 1;
    int64_t count = before_[static_cast<size_t>(block)];
    size_t i = static_cast<size_t>(block) * kBlock;
    for (; i < text_.size(); ++i) {
      if (begins_character(i) && count++ == character) break;
    }
    return i;
  }

 private:
  static constexpr size_t kBlock = 4096;
  bool begins_character(size_t i) const noexcept { return (static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80; }
  std::string_view text_;
  int64_t count_ = 0;            // characters
  std::vector<int64_t> before_;  // characters before each block
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TEXT_INDEX_H_
