// Ids for what came without one.
#ifndef LLMROUTER_DIALECTS_IDS_H_
#define LLMROUTER_DIALECTS_IDS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::dialects {

// One for each codec; seeded from the system when first asked. Not thread-safe, not for secrets.
class IdSource {
 public:
  // `prefix` and 24 random letters and digits: "call_8fK2...".
  std::string next(std::string_view prefix);

 private:
  uint64_t random();
  uint64_t state_ = 0;
  bool seeded_ = false;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_IDS_H_
