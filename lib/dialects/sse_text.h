// Small things about the text of server-sent events that several dialects need.
#ifndef LLMROUTER_DIALECTS_SSE_TEXT_H_
#define LLMROUTER_DIALECTS_SSE_TEXT_H_

#include <string>
#include <string_view>

namespace llmrouter::dialects {

// A comment: every reader of event streams skips it. `words` is one line.
inline void write_comment(std::string_view words, std::string& out) { out.append(": ").append(words).append("\n\n"); }

// The first data line of a frame; empty: it has none.
inline std::string_view data_line(std::string_view frame) noexcept {
  const size_t begin = frame.find("data:");
  if (begin == std::string_view::npos) return {};
  const size_t end = frame.find_first_of("\r\n", begin);
  return frame.substr(begin + 5, end == std::string_view::npos ? end : end - begin - 5);
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_SSE_TEXT_H_
