// Follows a JSON object that comes in pieces, to know when it is whole. For tool arguments; says nothing of whether they are valid.
#ifndef LLMROUTER_DIALECTS_JSON_DEPTH_H_
#define LLMROUTER_DIALECTS_JSON_DEPTH_H_

#include <cstdint>
#include <string_view>

namespace llmrouter::dialects {

class JsonDepth {
 public:
  void feed(std::string_view text) noexcept {
    for (char c : text) {
      if (in_string_) {
        if (escaped_) escaped_ = false;
        else if (c == '\\') escaped_ = true;
        else if (c == '"') in_string_ = false;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
        opened_ = true;
      } else if ((c == '}' || c == ']') && depth_ > 0) {
        --depth_;
      }
    }
  }
  bool complete() const noexcept { return opened_ && depth_ == 0 && !in_string_; }

 private:
  int64_t depth_ = 0;
  bool opened_ = false, in_string_ = false, escaped_ = false;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_JSON_DEPTH_H_
