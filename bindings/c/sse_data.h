// The data of a text/event-stream that this library wrote or relayed, whole events at a time or cut anywhere.
#ifndef LLMROUTER_BINDINGS_C_SSE_DATA_H_
#define LLMROUTER_BINDINGS_C_SSE_DATA_H_

#include <string>
#include <string_view>

namespace llmrouter::c {

// Push parser. The router's own parser has checked and bounded what comes here; this one only takes the wrapping off.
class SseData {
 public:
  // Calls `take(std::string_view data) -> bool` for each event that has data; false: stop, the rest is dropped. False when stopped.
  template <typename Take>
  bool feed(std::string_view bytes, Take&& take) {
    while (!bytes.empty()) {
      std::string_view line;
      if (!next_line(bytes, line)) return true;
      if (!line.empty()) {
        field(line);
      } else if (has_data_) {
        const std::string data = std::move(data_);
        data_.clear();
        has_data_ = false;
        if (!take(std::string_view(data))) return false;
      }
      line_.clear();
    }
    return true;
  }

 private:
  // Takes one line, without its end, off `bytes`; false when it has not ended yet.
  bool next_line(std::string_view& bytes, std::string_view& line);
  void field(std::string_view line);

  std::string line_;  // a line whose beginning came before
  std::string data_;
  bool first_ = true;
  bool has_data_ = false;
  bool after_cr_ = false;  // an LF that comes next belongs to the line before
};

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_SSE_DATA_H_
