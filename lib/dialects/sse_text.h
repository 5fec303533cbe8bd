// Small things about the text of server-sent events that several dialects need.
#ifndef LLMROUTER_DIALECTS_SSE_TEXT_H_
#define LLMROUTER_DIALECTS_SSE_TEXT_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace llmrouter::dialects {

// A comment: every reader of event streams skips it. `words` is one line.
inline void write_comment(std::string_view words, std::string& out) { out.append(": ").append(words).append("\n\n"); }

// Calls `each(data)` for the data lines of frames.
template <typename Each>
void for_each_data_line(std::string_view frames, Each&& each) {
  while (!frames.empty()) {
    const size_t end = std::min(frames.find_first_of("\r\n"), frames.size());
    if (frames.substr(0, 5) == "data:") each(frames.substr(5, end - 5));
    frames.remove_prefix(std::min(end + 1, frames.size()));
  }
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_SSE_TEXT_H_
