// The regular expressions of rules, one by one and all at once.
#include <re2/re2.h>
#include <re2/set.h>

#include <new>

#include "llmrouter/rules.h"

namespace llmrouter {
namespace {

class Re2Expression final : public Expression {
 public:
  Re2Expression(std::string_view pattern, const RE2::Options& options) : re_(re2::StringPiece(pattern.data(), pattern.size()), options) {}
  bool found_in(std::string_view text) const noexcept override { return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), re_); }
  const RE2& re() const noexcept { return re_; }

 private:
  RE2 re_;
};

// One automaton for all. Most texts hold nothing of what is looked for: a first pass, which stops at whatever is found and allocates nothing, says so.
class Re2Set final : public ExpressionSet {
 public:
  explicit Re2Set(const RE2::Options& options) : set_(options, RE2::UNANCHORED) {}
  bool add(std::string_view pattern) { return set_.Add(re2::StringPiece(pattern.data(), pattern.size()), nullptr) >= 0; }
  bool compile() { return set_.Compile(); }
  bool find_in(std::string_view text, Flags& found) const noexcept override {
    const re2::StringPiece piece(text.data(), text.size());
    RE2::Set::ErrorInfo error{};
    try {
      if (!set_.Match(piece, nullptr, &error)) return error.kind == RE2::Set::kNoError;
      std::vector<int> places;
      if (!set_.Match(piece, &places, &error)) return false;
      for (const int place : places) found.set(static_cast<size_t>(place));
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

 private:
  RE2::Set set_;
};

// Of an expression by itself, and of all together.
RE2::Options the_options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(4 << 20);
  return options;
}

}  // namespace

std::shared_ptr<const ExpressionSet> make_expression_set(const std::vector<std::string_view>& patterns) {
  if (patterns.empty() || patterns.size() > RuleLimits::kExpressions) return nullptr;
  auto set = std::make_shared<Re2Set>(the_options());
  for (const std::string_view pattern : patterns) {
    if (!set->add(pattern)) return nullptr;
  }
  return set->compile() ? set : nullptr;
}

Result<std::shared_ptr<const Expression>> make_expression(std::string_view pattern) {
  auto refuse = [](std::string words) { return Error(ErrorCode::kInvalidRequest, "expected a regular expression (RE2): " + std::move(words)); };
  if (pattern.empty()) return refuse("it is empty");
  if (pattern.size() > RuleLimits::kPattern) return refuse("longer than " + std::to_string(RuleLimits::kPattern) + " bytes");
  auto made = std::make_shared<const Re2Expression>(pattern, the_options());
  if (!made->re().ok()) return refuse(made->re().error());
  if (made->re().ProgramSize() > static_cast<int>(RuleLimits::kProgram)) {
    return refuse("it becomes more than " + std::to_string(RuleLimits::kProgram) + " instructions");
  }
  return std::shared_ptr<const Expression>(std::move(made));
}

}  // namespace llmrouter
