#include "llmrouter/secret.h"

#include <cstring>

namespace llmrouter {

Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) {
  other.wipe();  // a short string was copied, not moved
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    std::string copy = other.text_;
    wipe();
    text_ = std::move(copy);
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    text_ = std::move(other.text_);
    other.wipe();
  }
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() noexcept {
  text_.resize(text_.capacity());  // the bytes beyond the size, too: a moved-from short string leaves its text there
  std::memset(text_.data(), 0, text_.size());
  // Keeps the store above: the compiler must assume that somebody reads it.
  __asm__ __volatile__("" : : "r"(text_.data()) : "memory");
  text_.clear();
}

bool Secret::equals(std::string_view other) const noexcept {
  if (text_.size() != other.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < other.size(); ++i) {
    difference |= static_cast<unsigned char>(text_[i]) ^ static_cast<unsigned char>(other[i]);
  }
  return difference == 0;
}

std::string Secret::hint() const {
  constexpr size_t kLong = 16;  // below it eight characters would be too much to tell
  if (text_.size() < kLong) return "...";
  return text_.substr(0, 4) + "..." + text_.substr(text_.size() - 4);
}

}  // namespace llmrouter
