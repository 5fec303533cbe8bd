// A string that is not printed by accident.
#ifndef LLMROUTER_SECRET_H_
#define LLMROUTER_SECRET_H_

#include <iosfwd>
#include <string>
#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

// Holds a key or a password. Streaming one does not compile; `reveal()` is the only way to the text, so a search for that
// word finds every use. The bytes are overwritten when the object goes. Not thread-safe to write, safe to read.
class LLMROUTER_EXPORT Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  bool empty() const noexcept { return text_.empty(); }
  const std::string& reveal() const noexcept { return text_; }
  // Compares in a time that depends on the lengths alone.
  bool equals(std::string_view other) const noexcept;
  // "sk-p...7Q2a": the first four and last four characters of a long secret, "..." of a short one.
  std::string hint() const;

 private:
  void wipe() noexcept;
  std::string text_;
};

std::ostream& operator<<(std::ostream&, const Secret&) = delete;

}  // namespace llmrouter

#endif  // LLMROUTER_SECRET_H_
