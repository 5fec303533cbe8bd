#include "filters/word_finder.h"

namespace llmrouter::filters {
namespace {

constexpr std::string_view kKelvin = "\xe2\x84\xaa", kLongS = "\xc5\xbf";

bool begins_with(std::string_view text, size_t at, std::string_view sign) noexcept { return text.substr(at, sign.size()) == sign; }

}  // namespace

WordFinder::WordFinder(const std::vector<std::string>& words) : next_word_(words.size(), kNone) {
  number_letters(words);
  table_.assign(letters_, 0);
  first_word_.push_back(kNone);
  for (uint32_t i = 0; i < words.size(); ++i) {
    if (!insert(words[i], i)) everywhere_.push_back(i);
  }
  link();
}

void WordFinder::number_letters(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    for (const char c : word) {
      uint8_t& number = letter_[static_cast<unsigned char>(c)];
      if (number == 0) number = static_cast<uint8_t>(letters_++);
    }
  }
  for (int c = 'a'; c <= 'z'; ++c) letter_[static_cast<size_t>(c) - 'a' + 'A'] = letter_[static_cast<size_t>(c)];
}

// False: there is no room.
bool WordFinder::insert(std::string_view word, uint32_t number) {
  if (table_.size() + word.size() * letters_ > kMostCells) return false;
  uint32_t row = 0;
  for (const char c : word) {
    const size_t cell = row + letter_[static_cast<unsigned char>(c)];
    if (table_[cell] == 0) {
      table_[cell] = static_cast<uint32_t>(table_.size());
      table_.resize(table_.size() + letters_, 0);
      first_word_.push_back(kNone);
    }
    row = table_[cell];
  }
  uint32_t& first = first_word_[row / letters_];
  next_word_[number] = first;
  first = number;
  return true;
}

// Breadth first: where a letter leads nowhere, it leads where it would from the longest end of what was read that a word begins with.
void WordFinder::link() {
  const size_t states = first_word_.size();
  std::vector<uint32_t> end(states, 0), queue{0};  // rows
  shorter_.assign(states, 0);
  for (size_t at = 0; at < queue.size(); ++at) {
    const uint32_t row = queue[at], back = end[row / letters_];
    for (uint32_t letter = 0; letter < letters_; ++letter) {
      uint32_t& cell = table_[row + letter];
      const uint32_t from_end = row == 0 ? 0 : table_[back + letter];
      if (cell == 0) {
        cell = from_end;
        continue;
      }
      end[cell / letters_] = from_end;
      shorter_[cell / letters_] = first_word_[from_end / letters_] != kNone ? from_end : shorter_[from_end / letters_];
      queue.push_back(cell);
    }
  }
  for (uint32_t& cell : table_) {
    if (first_word_[cell / letters_] != kNone || shorter_[cell / letters_] != 0) cell |= kHit;
  }
  for (const std::string_view sign : {kKelvin, kLongS}) {
    uint8_t& number = letter_[static_cast<unsigned char>(sign[0])];
    if (number == 0) number = kSign;
  }
}

WordFinder::Search::Search(const WordFinder& finder) : finder_(finder), told_(finder.first_word_.size()), found_(finder.words()) {
  for (const uint32_t word : finder.everywhere_) found_[word] = true;
}

void WordFinder::Search::read(std::string_view text) {
  const uint32_t* const table = finder_.table_.data();
  uint32_t row = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t letter = finder_.letter_[static_cast<unsigned char>(text[i])];
    if (letter == kSign) {
      letter = 0;
      if (begins_with(text, i, kKelvin)) letter = finder_.letter_['k'], i += kKelvin.size() - 1;
      else if (begins_with(text, i, kLongS)) letter = finder_.letter_['s'], i += kLongS.size() - 1;
    }
    const uint32_t cell = table[row + letter];
    row = cell & ~kHit;
    if (cell != row) note(row / finder_.letters_);
  }
}

// Each state once in a search, so that a text of many words is no dearer.
void WordFinder::Search::note(uint32_t state) {
  while (state != 0 && !told_[state]) {
    told_[state] = true;
    for (uint32_t word = finder_.first_word_[state]; word != kNone; word = finder_.next_word_[word]) found_[word] = true;
    state = finder_.shorter_[state] / finder_.letters_;
  }
}

}  // namespace llmrouter::filters
