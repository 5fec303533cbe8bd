// Pictures and files behind URLs, fetched so that they can go inline.
#ifndef LLMROUTER_MEDIA_H_
#define LLMROUTER_MEDIA_H_

#include <functional>
#include <memory>
#include <string>

#include "llmrouter/chat.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"

namespace llmrouter {

struct FetchedMedia {
  std::string mime;
  std::string data;  // base64
  size_t bytes = 0;  // before that
};

struct MediaLimits {
  size_t max_bytes = 20 * 1024 * 1024;
  Duration timeout{std::chrono::seconds(10)};
  std::shared_ptr<const AddressPolicy> addresses;  // not null
};

// Thread-safe.
class LLMROUTER_EXPORT MediaFetcher {
 public:
  virtual ~MediaFetcher() = default;
  // One URL (http, https), for a part of this kind: an image has to be an image. `done` is called once, on the transport's thread, never from inside fetch(),
  // unless what is returned is destroyed first. Errors: kInvalidRequest in words for the caller.
  virtual std::unique_ptr<Transfer> fetch(Transport& transport, const std::string& url, Part::Kind kind, const MediaLimits& limits,
                                          std::function<void(Result<FetchedMedia>)> done) = 0;
};

// Follows up to three redirects, each judged like the first URL.
LLMROUTER_EXPORT std::shared_ptr<MediaFetcher> make_media_fetcher();

}  // namespace llmrouter

#endif  // LLMROUTER_MEDIA_H_
