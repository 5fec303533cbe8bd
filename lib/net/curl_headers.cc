#include "net/curl_headers.h"

#include "llmrouter/http_text.h"

namespace llmrouter::net {

namespace {

bool same_name(std::string_view name, std::string_view lower) noexcept {
  if (name.size() != lower.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) != lower[i]) return false;
  }
  return true;
}

}  // namespace

bool CurlHeaders::set(const std::vector<HttpHeader>& headers, std::string_view user_agent) {
  text_.clear();
  places_.clear();
  bool content_type = false, accept = false, accept_encoding = false, agent = user_agent.empty();
  for (const HttpHeader& header : headers) {
    const std::string_view name = header.name;
    if (!is_header_name(name) || !is_header_value(header.value)) {
      fault_ = is_header_name(name) ? "header " + header.name + ": a value with a line break or control character"
                              : "a header name that is not a token";
      return false;
    }
    if (same_name(name, "content-length") || same_name(name, "transfer-encoding") || same_name(name, "expect")) continue;
    content_type = content_type || same_name(name, "content-type");
    accept = accept || same_name(name, "accept");
    accept_encoding = accept_encoding || same_name(name, "accept-encoding");
    agent = agent || same_name(name, "user-agent");
    add(name, header.value);
  }
  // By CURLOPT_USERAGENT libcurl would put the line together for every transfer, and a second time into the request.
  if (!agent) add("User-Agent", user_agent);
  // "Name:" tells libcurl not to send a header of its own. Replies that are encoded unasked are decoded all the same.
  const auto leave_out = [this](std::string_view name) {
    places_.push_back(text_.size());
    text_.append(name).append(":").push_back('\0');
  };
  leave_out("Expect");
  if (!accept) leave_out("Accept");
  if (!accept_encoding) leave_out("Accept-Encoding");
  if (!content_type) leave_out("Content-Type");
  nodes_.resize(places_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i] = {text_.data() + places_[i], i + 1 < nodes_.size() ? &nodes_[i + 1] : nullptr};
  }
  return true;
}

void CurlHeaders::add(std::string_view name, std::string_view value) {
  places_.push_back(text_.size());
  text_.append(name);
  if (value.find_first_not_of(" \t") == std::string_view::npos) {
    text_ += ';';  // libcurl's way to say "sent, but empty"
  } else {
    text_.append(": ").append(value);
  }
  text_.push_back('\0');
}

}  // namespace llmrouter::net
