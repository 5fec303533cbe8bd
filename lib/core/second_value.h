// Whether a body that is named JSON holds one value or a stream of them.
#ifndef LLMROUTER_CORE_SECOND_VALUE_H_
#define LLMROUTER_CORE_SECOND_VALUE_H_

#include <string_view>

namespace llmrouter::core {

// Fed with all bytes of a body in order; each is looked at once. Judges by brackets alone: whoever reads the body checks it.
class SecondValue {
 public:
  // True: the object or array that stood first has ended, and another one begins in these bytes.
  bool begins(std::string_view bytes) noexcept {
    for (const char c : bytes) {
      if (in_string_) {
        if (escaped_) escaped_ = false;
        else if (c == '\\') escaped_ = true;
        else if (c == '"') in_string_ = false;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        if (ended_) return true;
        ++depth_;
      } else if (c == '}' || c == ']') {
        ended_ = --depth_ <= 0;
      }
    }
    return false;
  }

 private:
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false, ended_ = false;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_SECOND_VALUE_H_
