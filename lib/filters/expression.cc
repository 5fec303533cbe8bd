// The regular expression of a rule.
#include <re2/re2.h>

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

}  // namespace

Result<std::shared_ptr<const Expression>> make_expression(std::string_view pattern) {
  auto refuse = [](std::string words) { return Error(ErrorCode::kInvalidRequest, "expected a regular expression (RE2): " + std::move(words)); };
  if (pattern.empty()) return refuse("it is empty");
  if (pattern.size() > RuleLimits::kPattern) return refuse("longer than " + std::to_string(RuleLimits::kPattern) + " bytes");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(4 << 20);
  auto made = std::make_shared<const Re2Expression>(pattern, options);
  if (!made->re().ok()) return refuse(made->re().error());
  if (made->re().ProgramSize() > static_cast<int>(RuleLimits::kProgram)) {
    return refuse("it becomes more than " + std::to_string(RuleLimits::kProgram) + " instructions");
  }
  return std::shared_ptr<const Expression>(std::move(made));
}

}  // namespace llmrouter
