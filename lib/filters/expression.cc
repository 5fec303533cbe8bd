// The regular expressions of rules.
#include <re2/filtered_re2.h>
#include <re2/re2.h>

#include <algorithm>

#include "filters/word_finder.h"
#include "llmrouter/rules.h"

namespace llmrouter {
namespace {

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(4 << 20);
  return options;
}

Error refuse(std::string words) { return Error(ErrorCode::kInvalidRequest, "expected a regular expression (RE2): " + std::move(words)); }

constexpr int kShortestWord = 3;  // bytes; shorter ones are everywhere

// How long the sign at `at` is when no case has to be folded in it: ASCII is folded by WordFinder, and from U+3000 on the scripts of East Asia have none.
// 0: it may have one.
size_t plain_sign(std::string_view word, size_t at) noexcept {
  const auto lead = static_cast<unsigned char>(word[at]);
  if (lead < 0x80) return 1;
  const bool plain = (lead >= 0xe3 && lead <= 0xe9) || lead == 0xeb || lead == 0xec;  // U+3000 to U+9FFF; U+B000 to U+CFFF
  return plain && at + 3 <= word.size() ? 3 : 0;
}

// The longest part of a word that WordFinder can look for.
std::string plain_part(std::string_view word) {
  std::string_view best;
  for (size_t begin = 0, at = 0; at < word.size();) {
    const size_t sign = plain_sign(word, at);
    at += std::max<size_t>(1, sign);
    if (sign == 0) begin = at;
    else if (at - begin > best.size()) best = word.substr(begin, at - begin);
  }
  return std::string(best);
}

class Re2Expressions final : public Expressions {
 public:
  Re2Expressions() : set_(kShortestWord) {}

  Result<void> add(const std::string& pattern) {
    if (auto good = check_expression(pattern); !good) return good;
    int number = 0;
    if (set_.Add(re2::StringPiece(pattern.data(), pattern.size()), options(), &number) != RE2::NoError) return refuse("it cannot be used");
    return {};
  }

  void ready() {
    std::vector<std::string> atoms, words;
    if (set_.NumRegexps() > 0) set_.Compile(&atoms);
    for (const std::string& atom : atoms) {
      std::string word = plain_part(atom);
      const bool usable = word.size() >= static_cast<size_t>(kShortestWord);
      word_of_atom_.push_back(usable ? static_cast<int>(words.size()) : kAlways);
      if (usable) words.push_back(std::move(word));
    }
    finder_ = std::make_unique<const filters::WordFinder>(words);
  }

  void narrow(const std::vector<std::string_view>& texts, std::vector<bool>& possible) const override {
    possible.assign(static_cast<size_t>(set_.NumRegexps()), false);
    if (possible.empty()) return;
    filters::WordFinder::Search search(*finder_);
    for (const std::string_view text : texts) search.read(text);
    std::vector<int> there, left;
    for (size_t i = 0; i < word_of_atom_.size(); ++i) {
      if (word_of_atom_[i] == kAlways || search.found(static_cast<size_t>(word_of_atom_[i]))) there.push_back(static_cast<int>(i));
    }
    set_.AllPotentials(there, &left);
    for (const int i : left) possible[static_cast<size_t>(i)] = true;
  }

  bool found_in(size_t which, std::string_view text) const noexcept override {
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), set_.GetRE2(static_cast<int>(which)));
  }

 private:
  static constexpr int kAlways = -1;  // cannot be looked for
  re2::FilteredRE2 set_;
  std::vector<int> word_of_atom_;
  std::unique_ptr<const filters::WordFinder> finder_;
};

}  // namespace

Result<void> check_expression(std::string_view pattern) {
  if (pattern.empty()) return refuse("it is empty");
  if (pattern.size() > RuleLimits::kPattern) return refuse("longer than " + std::to_string(RuleLimits::kPattern) + " bytes");
  const RE2 re(re2::StringPiece(pattern.data(), pattern.size()), options());
  if (!re.ok()) return refuse(re.error());
  if (re.ProgramSize() > static_cast<int>(RuleLimits::kProgram)) return refuse("it becomes more than " + std::to_string(RuleLimits::kProgram) + " instructions");
  return {};
}

Result<std::shared_ptr<const Expressions>> make_expressions(const std::vector<std::string>& patterns) {
  auto made = std::make_shared<Re2Expressions>();
  for (const std::string& pattern : patterns) {
    if (auto added = made->add(pattern); !added) return std::move(added).error();
  }
  made->ready();
  return std::shared_ptr<const Expressions>(std::move(made));
}

}  // namespace llmrouter
