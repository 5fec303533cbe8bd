// A reply's head from its lines, one at a time.
#ifndef LLMROUTER_NET_HEAD_BUILDER_H_
#define LLMROUTER_NET_HEAD_BUILDER_H_

#include <string_view>
#include <vector>

#include "llmrouter/transport.h"

namespace llmrouter::net {

// Swallows interim (1xx) heads and whatever comes after the final one (trailers). Memory is kept from reply to reply.
class HeadBuilder {
 public:
  enum class Step {
    kMore,      // go on
    kDone,      // the final head is complete, with this line
    kTooLarge,  // all lines so far, interim heads and trailers included, are over the cap
    kBad,       // not a head
  };

  void reset(size_t max_bytes);
  // One line with its line end. Views are not kept.
  Step feed(std::string_view line);
  bool complete() const noexcept { return complete_; }
  const HttpHead& head() const noexcept { return head_; }

 private:
  Step begin(std::string_view line);
  Step add(std::string_view line);
  void clear();
  void drop_encoding();

  HttpHead head_;
  std::vector<HttpHeader> spare_;  // strings with their capacity, to be used again
  size_t max_bytes_ = 0;
  size_t bytes_ = 0;
  bool begun_ = false;
  bool complete_ = false;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_HEAD_BUILDER_H_
