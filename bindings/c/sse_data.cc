#include "sse_data.h"

namespace llmrouter::c {

bool SseData::next_line(std::string_view& bytes, std::string_view& line) {
  if (after_cr_) {
    after_cr_ = false;
    if (bytes.front() == '\n') bytes.remove_prefix(1);
  }
  const size_t end = bytes.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    line_ += bytes;
    bytes = {};
    return false;
  }
  line = bytes.substr(0, end);
  if (!line_.empty()) {
    line_ += line;
    line = line_;
  }
  after_cr_ = bytes[end] == '\r';
  bytes.remove_prefix(end + 1);
  return true;
}

void SseData::field(std::string_view line) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";  // may stand before the first line
  constexpr std::string_view kData = "data";
  if (first_ && line.substr(0, kMark.size()) == kMark) line.remove_prefix(kMark.size());
  first_ = false;
  if (line.substr(0, kData.size()) != kData) return;
  line.remove_prefix(kData.size());
  if (!line.empty() && line.front() != ':') return;
  if (!line.empty()) line.remove_prefix(1);
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
}

}  // namespace llmrouter::c
