#include "llmrouter/media.h"

#include <algorithm>

#include "wire/base64.h"

namespace llmrouter {
namespace {

constexpr int kMostRedirects = 3;

bool starts_with(std::string_view text, std::string_view head) noexcept { return text.substr(0, head.size()) == head; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_http(std::string_view url) { return starts_with(lower(url.substr(0, 8)), "http://") || starts_with(lower(url.substr(0, 8)), "https://"); }

// Without what may be secret in it: a password, a signed query.
std::string shown(std::string_view url) {
  std::string out(url.substr(0, url.find_first_of("?#")));
  const size_t host = out.find("://"), end = host == std::string::npos ? host : out.find('/', host + 3);
  const size_t user = out.rfind('@', end);
  if (host != std::string::npos && user != std::string::npos && user > host) out.erase(host + 3, user - host - 2);
  out.resize(std::min(out.size(), size_t{200}));
  for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

bool has_user(std::string_view url) noexcept {
  const size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin).find('@') != std::string_view::npos;
}

// The Location of a redirect, whole: absolute, beginning with `//`, or a path of the same host. Empty: of another form.
std::string target_of(std::string_view from, std::string_view location) {
  if (is_http(location)) return std::string(location);
  const size_t host = from.find("://") + 3;
  if (starts_with(location, "//")) return std::string(from.substr(0, host - 2)).append(location);
  if (starts_with(location, "/")) return std::string(from.substr(0, from.find_first_of("/?#", host))).append(location);
  return {};
}

std::string_view mime_of_bytes(std::string_view bytes) noexcept {
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return "image/png";
  if (starts_with(bytes, "\xff\xd8\xff")) return "image/jpeg";
  if (starts_with(bytes, "GIF8")) return "image/gif";
  if (starts_with(bytes, "RIFF") && bytes.substr(8, 4) == "WEBP") return "image/webp";
  if (starts_with(bytes, "RIFF") && bytes.substr(8, 4) == "WAVE") return "audio/wav";
  if (starts_with(bytes, "%PDF-")) return "application/pdf";
  return {};
}

bool fits(Part::Kind kind, std::string_view mime) noexcept {
  switch (kind) {
    case Part::Kind::kImage: return starts_with(mime, "image/");
    case Part::Kind::kAudio: return starts_with(mime, "audio/");
    case Part::Kind::kVideo: return starts_with(mime, "video/");
    case Part::Kind::kFile: return mime == "application/pdf" || mime == "application/json" || (starts_with(mime, "text/") && mime != "text/html");
    default: return false;
  }
}

const char* word_of(Part::Kind kind) noexcept {
  switch (kind) {
    case Part::Kind::kImage: return "an image";
    case Part::Kind::kAudio: return "a sound";
    case Part::Kind::kVideo: return "a film";
    default: return "a document";
  }
}

class MediaTransfer final : public Transfer, public TransferSink {
 public:
  MediaTransfer(Transport& transport, std::string url, Part::Kind kind, const MediaLimits& limits, std::function<void(Result<FetchedMedia>)> done)
      : transport_(transport), url_(std::move(url)), kind_(kind), limits_(limits), done_(std::move(done)) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->max_body_bytes = limits.max_bytes;
    endpoint_ = std::move(endpoint);
  }
  ~MediaTransfer() override { transport_.reactor().cancel_timer(timer_); }
  void resume() override {}

  void begin() {
    deadline_ = transport_.reactor().clock().now() + limits_.timeout;
    if (is_http(url_) && !has_user(url_) && url_.size() <= 8192) send();
    else at(transport_.reactor().clock().now(), [this] { fail("it is no URL that is fetched"); });
  }

  void on_head(const HttpHead& head) override {
    head_ = head;
    if (head.status == 200) mime_ = lower(head.header("content-type"));
    mime_.resize(std::min(mime_.size(), mime_.find_first_of("; \t")));
  }
  Flow on_body(std::string_view bytes) override {
    if (head_.status == 200) body_.append(bytes);
    return Flow::kContinue;
  }
  void on_end(const TransferError& error) override {
    if (!error.ok()) {
      if (error.kind == TransferError::Kind::kTooLarge) return fail("it is over " + std::to_string(limits_.max_bytes) + " bytes");
      return fail(error.message, error.detail);
    }
    if (head_.status >= 300 && head_.status < 400) return follow();
    if (head_.status != 200) return fail("status " + std::to_string(head_.status));
    if (const std::string_view seen = mime_of_bytes(body_); !seen.empty()) mime_ = seen;  // names are often wrong, first bytes are not
    if (!fits(kind_, mime_)) return fail("it is not " + std::string(word_of(kind_)) + " but " + (mime_.empty() ? "of no type" : shown(mime_)));
    FetchedMedia media;
    media.mime = mime_;
    media.bytes = body_.size();
    wire::append_base64(media.data, body_);
    finish(std::move(media));
  }

 private:
  void at(TimePoint when, std::function<void()> what) {
    transport_.reactor().cancel_timer(timer_);
    timer_ = transport_.reactor().add_timer(when, [this, what = std::move(what)] {
      timer_ = 0;
      what();
    });
  }

  void send() {
    at(deadline_, [this] { fail("it did not come in time"); });
    HttpRequest request;
    request.method = "GET";
    request.url = url_;
    request.headers.push_back({"accept", "*/*"});
    request.endpoint = endpoint_;
    request.addresses = limits_.addresses;
    head_ = HttpHead();
    body_.clear();
    transfer_ = transport_.start(std::move(request), *this);
  }

  // The transfer that is just over is still on the stack.
  void follow() {
    std::string to = target_of(url_, head_.header("location"));
    if (to.empty() || has_user(to) || to.size() > 8192) return fail("it redirects to what is no URL");
    if (starts_with(lower(url_.substr(0, 6)), "https:") && !starts_with(lower(to.substr(0, 6)), "https:")) return fail("it redirects to a URL without TLS");
    if (++redirects_ > kMostRedirects) return fail("it redirects too often");
    url_ = std::move(to);
    at(transport_.reactor().clock().now(), [this] {
      transfer_.reset();
      send();
    });
  }

  void fail(const std::string& why, std::string detail = {}) {
    Error error(ErrorCode::kInvalidRequest, shown(url_) + " cannot be fetched: " + why);
    error.detail = std::move(detail);
    finish(std::move(error));
  }

  void finish(Result<FetchedMedia> result) {
    transport_.reactor().cancel_timer(timer_);
    timer_ = 0;
    const auto done = std::move(done_);
    done(std::move(result));
  }

  Transport& transport_;
  std::string url_;
  const Part::Kind kind_;
  const MediaLimits limits_;
  std::function<void(Result<FetchedMedia>)> done_;
  std::shared_ptr<const Endpoint> endpoint_;
  std::unique_ptr<Transfer> transfer_;
  Reactor::TimerId timer_ = 0;
  TimePoint deadline_{};
  HttpHead head_;
  std::string mime_, body_;
  int redirects_ = 0;
};

class HttpMediaFetcher final : public MediaFetcher {
 public:
  std::unique_ptr<Transfer> fetch(Transport& transport, const std::string& url, Part::Kind kind, const MediaLimits& limits,
                                  std::function<void(Result<FetchedMedia>)> done) override {
    auto transfer = std::make_unique<MediaTransfer>(transport, url, kind, limits, std::move(done));
    transfer->begin();
    return transfer;
  }
};

}  // namespace

std::shared_ptr<MediaFetcher> make_media_fetcher() { return std::make_shared<HttpMediaFetcher>(); }

}  // namespace llmrouter
