// A body that is not in memory, for fuzz targets: read by as many bytes as it is cut to.
#ifndef LLMROUTER_TESTS_FUZZ_TEXT_SOURCE_H_
#define LLMROUTER_TESTS_FUZZ_TEXT_SOURCE_H_

#include <algorithm>
#include <string_view>

#include "fuzz/fuzz.h"
#include "llmrouter/body.h"

namespace fuzz {

class TextSource final : public llmrouter::BodySource {
 public:
  TextSource(std::string_view text, unsigned seed) : text_(text), cuts_(seed) {}
  size_t size() const noexcept override { return text_.size(); }
  llmrouter::Result<size_t> read(size_t offset, char* to, size_t count) const override { return text_.copy(to, std::min(count, cuts_.next()), offset); }

 private:
  std::string_view text_;
  mutable Cuts cuts_;
};

}  // namespace fuzz

#endif  // LLMROUTER_TESTS_FUZZ_TEXT_SOURCE_H_
