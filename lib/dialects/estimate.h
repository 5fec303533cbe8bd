// A guess at how many input tokens a request has, for limits that must be reserved before the upstream counts.
//
//   tokens = ceil(text bytes / 4) + 4 a message + 3
//          + 85 an image of low detail, 800 any other + 1 per 2000 base64 characters of audio + 5000 a video + 1500 a file
//
// Text bytes are those of contents, tool calls and tool definitions, as they stand in the JSON. English has about four bytes a
// token, Chinese about three and a half. Real counts settle the difference later.
#ifndef LLMROUTER_DIALECTS_ESTIMATE_H_
#define LLMROUTER_DIALECTS_ESTIMATE_H_

#include <cstddef>
#include <cstdint>

namespace llmrouter::dialects {

class InputEstimate {
 public:
  void message() noexcept { flat_ += 4; }
  void text(size_t bytes) noexcept { bytes_ += static_cast<int64_t>(bytes); }
  void image(bool low_detail) noexcept { flat_ += low_detail ? 85 : 800; }
  void audio(size_t base64_bytes) noexcept { flat_ += static_cast<int64_t>(base64_bytes) / 2000 + 1; }
  void video() noexcept { flat_ += 5000; }
  void file() noexcept { flat_ += 1500; }
  int64_t tokens() const noexcept { return (bytes_ + 3) / 4 + flat_ + 3; }

 private:
  int64_t bytes_ = 0;
  int64_t flat_ = 0;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_ESTIMATE_H_
