// Many words looked for at once: Aho and Corasick, "Efficient string matching" (1975), as one table over the letters that the words have. Takes a step for each
// byte of a text, whatever the words and the text are.
#ifndef LLMROUTER_FILTERS_WORD_FINDER_H_
#define LLMROUTER_FILTERS_WORD_FINDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmrouter::filters {

// Immutable. Words are of ASCII and of signs from U+3000 on. ASCII letters match in either case, and so do the two signs beyond ASCII that Unicode folds to one: U+212A (k) and U+017F (s).
class WordFinder {
 public:
  // `words` in lower case, none of them empty. The table is bounded: what finds no place there counts as found everywhere.
  explicit WordFinder(const std::vector<std::string>& words);
  size_t words() const noexcept { return next_word_.size(); }

  // What was found in some texts, each by itself.
  class Search {
   public:
    explicit Search(const WordFinder& finder);
    void read(std::string_view text);
    bool found(size_t word) const { return found_[word]; }

   private:
    void note(uint32_t state);
    const WordFinder& finder_;
    std::vector<bool> told_;  // states whose words are known to be found
    std::vector<bool> found_;
  };

 private:
  static constexpr size_t kMostCells = size_t{1} << 20;  // of the table: 4 MiB
  static constexpr uint32_t kHit = 0x80000000;           // of a cell: some word ends there
  static constexpr uint32_t kNone = 0xffffffff;
  static constexpr uint8_t kSign = 255;                  // a byte that one of the two signs begins with

  void number_letters(const std::vector<std::string>& words);
  bool insert(std::string_view word, uint32_t number);
  void link();

  std::array<uint8_t, 256> letter_{};  // 0: no word has it
  uint32_t letters_ = 1;
  std::vector<uint32_t> table_;        // of each state a row: where each letter leads, as that row's begin
  std::vector<uint32_t> first_word_;   // of each state: that ends there
  std::vector<uint32_t> next_word_;    // of each word: another one that ends where it does
  std::vector<uint32_t> shorter_;      // of each state: where the longest shorter word ends that ends here too; 0: none does
  std::vector<uint32_t> everywhere_;   // words without a place in the table
};

}  // namespace llmrouter::filters

#endif  // LLMROUTER_FILTERS_WORD_FINDER_H_
