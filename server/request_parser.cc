// The only file that sees Boost.Beast.
#include "server/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>

#include "llmrouter/dropped.h"
#include "llmrouter/http_text.h"

namespace llmrouter::server {

namespace {

namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view view(BeastView v) noexcept { return {v.data(), v.size()}; }

// A body's buffer is asked for in full only after this much of it has really come.
constexpr size_t kTrustedBody = 64 * 1024;

class Parser final : public http::basic_parser<true> {
 public:
  Parser(const ParserLimits& limits, Request& request) : limits_(limits), request_(request) {
    header_limit(static_cast<std::uint32_t>(std::min<size_t>(limits.max_header, UINT32_MAX)));
    body_limit(limits.max_body);
    eager(false);
  }

  Error fault;

  void input(std::string_view bytes) noexcept { input_ = bytes; }

  void fail(ErrorCode code, std::string message) {
    if (fault.code == ErrorCode::kNone) fault = Error(code, std::move(message));
  }

 private:
  void refuse(BeastError& ec, std::string message, ErrorCode code = ErrorCode::kInvalidRequest) {
    fail(code, std::move(message));
    ec = http::error::bad_value;
  }

  void on_request_impl(http::verb, BeastView method, BeastView target, int version, BeastError& ec) override {
    request_.method = method_of(view(method));
    request_.http11 = version == 11;
    std::string_view t = view(target);
    // Absolute form, as sent to proxies: its path counts, and its host has to be the one that the header names.
    for (std::string_view scheme : {"http://", "https://"}) {
      if (t.size() < scheme.size() || !iequals(t.substr(0, scheme.size()), scheme)) continue;
      const size_t slash = std::min(t.find('/', scheme.size()), t.find('?', scheme.size()));
      absolute_ = true;
      authority_.assign(t.substr(scheme.size(), slash == std::string_view::npos ? slash : slash - scheme.size()));
      usual_port_ = scheme.size() == 7 ? ":80" : ":443";
      if (slash != std::string_view::npos && t[slash] == '?') return refuse(ec, "the request target must have a path");
      t = slash == std::string_view::npos ? "/" : t.substr(slash);
      break;
    }
    if (t.front() != '/' && t != "*") return refuse(ec, "the request target must begin with /");
    request_.target.assign(t);
  }

  // A folded line's value is either not in the input (Beast joined it elsewhere) or stands after a line break.
  bool folded(std::string_view name, std::string_view value) const noexcept {
    const char* begin = name.data() + name.size();
    if (value.data() < begin || value.data() > input_.data() + input_.size()) return true;
    return std::find(begin, value.data(), '\r') != value.data();
  }

  void on_field_impl(http::field field, BeastView name_view, BeastView value_view, BeastError& ec) override {
    const std::string_view name = view(name_view), value = view(value_view);
    if (++fields_ > limits_.max_fields)
      return refuse(ec, "more than " + std::to_string(limits_.max_fields) + " header fields", ErrorCode::kHeadersTooLarge);
    if (folded(name, value)) return refuse(ec, "folded header lines are not accepted");
    if (header_seen_) return;  // trailers mean nothing here
    switch (field) {
      case http::field::host:
        if (++hosts_ > 1) return refuse(ec, "more than one host header");
        if (!well_formed_host(value)) return refuse(ec, "host must be a name or an address, and a port or none");
        request_.host.assign(value);
        return;
      case http::field::content_length:
        if (++lengths_ > 1) return refuse(ec, "more than one content-length header");
        if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos)
          return refuse(ec, "content-length must be a decimal number");
        return;
      case http::field::transfer_encoding:
        if (++codings_ > 1 || !iequals(value, "chunked") || !request_.http11)
          return refuse(ec, "transfer-encoding must be chunked, once, in HTTP/1.1");
        return;
      case http::field::authorization:
        return on_authorization(value);
      case http::field::content_type: return on_content_type(value);
      case http::field::content_encoding:
        request_.encoded = !value.empty() && !iequals(value, "identity");
        return;
      case http::field::expect:
        if (!iequals(value, "100-continue")) return refuse(ec, "expect must be 100-continue");
        request_.expect_continue = request_.http11;
        return;
      case http::field::origin:
        request_.browser = true;
        request_.origin.assign(value);
        return;
      case http::field::access_control_request_headers:
        request_.cors_headers.assign(value);
        return;
      case http::field::via:
      case http::field::forwarded:
        request_.proxied = true;
        return;
      default: break;
    }
    on_other(name, value);
  }

  // Twice the same is once; two readers of two could each take another.
  void on_authorization(std::string_view value) {
    std::string_view key;
    if (value.size() > 7 && iequals(value.substr(0, 7), "bearer ")) key = value.substr(std::min(value.size(), value.find_first_not_of(' ', 6)));
    if (++authorizations_ > 1 && (key.empty() || request_.key_rank != 1 || request_.key != key)) two_authorizations_ = true;
    take_key(key, 1);
  }

  std::string_view without_usual_port(std::string_view host) const noexcept {
    const bool usual = host.size() > usual_port_.size() && host.substr(host.size() - usual_port_.size()) == usual_port_;
    return usual ? host.substr(0, host.size() - usual_port_.size()) : host;
  }

  void on_content_type(std::string_view value) {
    const std::string_view type = value.substr(0, value.find_first_of("; \t"));
    if (iequals(type, "application/json") || (type.size() > 5 && iequals(type.substr(type.size() - 5), "+json")))
      request_.body_type = Request::BodyType::kJson;
    else if (iequals(type, "application/x-www-form-urlencoded"))
      request_.body_type = Request::BodyType::kForm;
    else if (!type.empty())
      request_.body_type = iequals(type, "multipart/form-data") ? Request::BodyType::kMultipart : Request::BodyType::kOther;
    if (request_.body_type == Request::BodyType::kMultipart) request_.content_type.assign(value);
  }

  // Who sets one of these speaks for somebody else (RFC 7239 has `forwarded`; these are what proxies set in practice).
  static bool is_a_proxys(std::string_view name) noexcept {
    return (name.size() > 12 && iequals(name.substr(0, 12), "x-forwarded-")) || iequals(name, "x-real-ip") || iequals(name, "x-client-ip") ||
           iequals(name, "x-cluster-client-ip") || iequals(name, "x-original-forwarded-for") || iequals(name, "x-envoy-external-address");
  }

  void on_other(std::string_view name, std::string_view value) {
    const char first = static_cast<char>(name.front() | 0x20);
    if (first == 'x') {
      if (iequals(name, "x-api-key")) return take_key(value, 2);
      if (iequals(name, "x-goog-api-key")) return take_key(value, 3);
      if (is_a_proxys(name)) request_.proxied = true;
      if (iequals(name, "x-session-id")) request_.forwarded.push_back({"x-session-id", std::string(value)});  // for affinity
      if (iequals(name, "x-fern-sdk-name")) request_.cohere_sdk = iequals(value.substr(0, 6), "cohere");
      if (iequals(name, "x-request-id")) {
        if (is_request_id(value)) request_.request_id.assign(value);
        return;
      }
      if (name.size() > 12 && iequals(name.substr(0, 12), "x-llmrouter-")) return on_own(name.substr(12), value);
    } else if (first == 'a') {
      if (iequals(name, "api-key")) return take_key(value, 4);
    } else if (iequals(name, "cf-connecting-ip") || iequals(name, "true-client-ip") || iequals(name, "fastly-client-ip")) {
      request_.proxied = true;
    } else if (first == 's') {
      if (iequals(name, "sec-fetch-site")) request_.browser = true;
    }
    if (limits_.forward == nullptr) return;
    for (const std::string& wanted : *limits_.forward)
      if (iequals(wanted, name)) request_.forwarded.push_back({wanted, std::string(value)});
  }

  void on_own(std::string_view name, std::string_view value) {
    if (iequals(name, "timeout")) return void(request_.timeout.assign(value));
    if (iequals(name, "provider")) return void(request_.provider.assign(value));
    for (const char* routing : {"x-llmrouter-tags", "x-llmrouter-strategy", "x-llmrouter-cache"})
      if (iequals(name, std::string_view(routing).substr(12))) return request_.forwarded.push_back({routing, std::string(value)});
    // Kept by name alone, so that the answer can say that it meant nothing.
    if (unknown_own_ == kMaxDropped + 1) return;
    ++unknown_own_;
    std::string lower = "x-llmrouter-" + std::string(name.substr(0, kMaxDroppedName));
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    request_.forwarded.push_back({std::move(lower), {}});
  }

  void take_key(std::string_view value, int rank) {
    if (value.empty() || (request_.key_rank != 0 && request_.key_rank <= rank)) return;
    request_.key.assign(value);
    request_.key_rank = rank;
  }

  void on_header_impl(BeastError& ec) override {
    header_seen_ = true;
    request_.keep_alive = keep_alive();
    request_.chunked = chunked();
    if (const auto length = content_length()) request_.content_length = *length;
    if (request_.http11 && hosts_ == 0) return refuse(ec, "the host header is missing");
    if (two_authorizations_) return refuse(ec, "two authorization headers that differ");
    if (absolute_ && hosts_ > 0 && !iequals(without_usual_port(authority_), without_usual_port(request_.host)))
      return refuse(ec, "the request target names another host than the host header");
  }

  void on_body_init_impl(boost::optional<std::uint64_t> const& length, BeastError&) override {
    if (!request_.upload) request_.body.reserve(std::min<size_t>(length ? static_cast<size_t>(*length) : 0, kTrustedBody));
  }
  std::size_t on_body_impl(BeastView bytes, BeastError&) override {
    if (request_.upload) return put_aside(bytes);
    if (request_.body.size() + bytes.size() > request_.body.capacity())
      request_.body.reserve(std::max<size_t>(static_cast<size_t>(*request_.content_length), request_.body.size() + bytes.size()));
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView bytes, BeastError&) override {
    if (request_.upload) return put_aside(bytes);
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  std::size_t put_aside(BeastView bytes) {
    request_.upload->feed(view(bytes));
    return bytes.size();
  }
  void on_finish_impl(BeastError&) override {}
  void on_response_impl(int, BeastView, int, BeastError&) override {}

  const ParserLimits& limits_;
  Request& request_;
  std::string_view input_;
  size_t fields_ = 0;
  int hosts_ = 0, lengths_ = 0, codings_ = 0, authorizations_ = 0;
  size_t unknown_own_ = 0;  // x-llmrouter-* headers
  bool two_authorizations_ = false;
  bool absolute_ = false;
  std::string authority_;         // of an absolute target
  std::string_view usual_port_;   // of its scheme
  bool header_seen_ = false;
};

bool has_bare_line_feed(std::string_view text) noexcept {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string_view::npos; ++at) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

std::string size_words(size_t bytes) {
  if (bytes != 0 && bytes % (1024 * 1024) == 0) return std::to_string(bytes / (1024 * 1024)) + "MiB";
  if (bytes != 0 && bytes % 1024 == 0) return std::to_string(bytes / 1024) + "KiB";
  return std::to_string(bytes) + " bytes";
}

Error translate(const BeastError& ec, const ParserLimits& limits) {
  if (ec == http::error::body_limit)
    return Error(ErrorCode::kBodyTooLarge, "the body is larger than server.max_body (" + size_words(limits.max_body) + ")");
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
    return Error(ErrorCode::kHeadersTooLarge, "the header is larger than server.max_header (" + size_words(limits.max_header) + ")");
  return Error(ErrorCode::kInvalidRequest, "not a well-formed HTTP/1.1 request: " + ec.message());
}

}  // namespace

struct RequestParser::Impl {
  ParserLimits limits;
  Request request;
  std::unique_ptr<Parser> parser;  // from a request's first byte to its last: while it is answered, and between two, nobody needs it
  State state = State::kHead;
  size_t head_bytes = 0;   // taken of the header
  size_t chunk_bytes = 0;  // taken of a chunked body, framing included
  bool started = false;
  Error fault;

  void fail(Error error) {
    fault = std::move(error);
    state = State::kFailed;
  }
};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) { reset({}); }
RequestParser::~RequestParser() = default;

void RequestParser::reset(const ParserLimits& limits) {
  impl_->limits = limits;
  impl_->request = Request();
  impl_->parser.reset();
  impl_->state = State::kHead;
  impl_->head_bytes = impl_->chunk_bytes = 0;
  impl_->started = false;
  impl_->fault = Error();
}

size_t RequestParser::feed(std::string_view bytes) {
  Impl& s = *impl_;
  if (s.state == State::kHeadDone) s.state = State::kBody;
  size_t taken = 0;
  // Blank lines before a request line are skipped (RFC 9112, 2.2).
  while (!s.started && taken < bytes.size() && (bytes[taken] == '\r' || bytes[taken] == '\n')) ++taken;
  while (taken < bytes.size() && (s.state == State::kHead || s.state == State::kBody)) {
    s.started = true;
    if (!s.parser) s.parser = std::make_unique<Parser>(s.limits, s.request);
    const std::string_view rest = bytes.substr(taken);
    s.parser->input(rest);
    BeastError ec;
    const size_t n = s.parser->put({rest.data(), rest.size()}, ec);
    taken += n;
    const size_t waiting = bytes.size() - taken;
    if (s.state == State::kHead) {
      s.head_bytes += n;
      const bool over = s.head_bytes > s.limits.max_header || (ec == http::error::need_more && s.head_bytes + waiting > s.limits.max_header);
      if (over && s.parser->fault.code == ErrorCode::kNone) ec = http::error::header_limit;
    } else if (s.request.chunked) {
      // Chunk framing and trailers are bounded too: at most half as much again as the largest body, and one header's worth.
      s.chunk_bytes += n;
      if (s.chunk_bytes > s.limits.max_body + s.limits.max_body / 2 + s.limits.max_header || (ec == http::error::need_more && waiting > s.limits.max_header))
        ec = http::error::body_limit;
      // What the parser leaves is framing that goes on; it would wait for a line's end that has come already.
      if (ec == http::error::need_more && has_bare_line_feed(bytes.substr(taken))) {
        s.parser->fail(ErrorCode::kInvalidRequest, "a bare line feed between chunks");
        ec = http::error::bad_chunk;
      }
    }
    if (ec && ec != http::error::need_more) {
      s.fail(s.parser->fault.code != ErrorCode::kNone ? s.parser->fault : translate(ec, s.limits));
      break;
    }
    if (s.parser->is_done()) {
      s.state = State::kDone;
      s.parser.reset();
    } else if (s.state == State::kHead && s.parser->is_header_done()) {
      s.state = State::kHeadDone;
    } else if (ec == http::error::need_more || n == 0) {
      break;
    }
  }
  return taken;
}

RequestParser::State RequestParser::state() const noexcept { return impl_->state; }
bool RequestParser::started() const noexcept { return impl_->started; }
const Error& RequestParser::fault() const noexcept { return impl_->fault; }
Request& RequestParser::request() noexcept { return impl_->request; }

}  // namespace llmrouter::server
