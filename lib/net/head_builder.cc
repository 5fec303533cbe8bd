#include "net/head_builder.h"

#include <utility>

namespace llmrouter::net {

namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

void assign_lower(std::string& to, std::string_view from) {
  to.assign(from);
  for (char& c : to) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
}

}  // namespace

void HeadBuilder::reset(size_t max_bytes) {
  clear();
  max_bytes_ = max_bytes;
  bytes_ = 0;
  complete_ = false;
}

void HeadBuilder::clear() {
  for (HttpHeader& header : head_.headers) spare_.push_back(std::move(header));
  head_.headers.clear();
  head_.status = 0;
  begun_ = false;
}

HeadBuilder::Step HeadBuilder::feed(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > max_bytes_) return Step::kTooLarge;
  if (complete_) return Step::kMore;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (!begun_) return begin(line);
  if (!line.empty()) return add(line);
  if (head_.status < 200) {
    clear();
    return Step::kMore;
  }
  drop_encoding();
  complete_ = true;
  return Step::kDone;
}

// "HTTP/1.1 200 OK", "HTTP/2 200"
HeadBuilder::Step HeadBuilder::begin(std::string_view line) {
  const size_t space = line.find(' ');
  if (line.substr(0, 5) != "HTTP/" || space == std::string_view::npos) return Step::kBad;
  const std::string_view code = trim(line.substr(space)).substr(0, 3);
  if (code.size() != 3) return Step::kBad;
  int status = 0;
  for (const char c : code) {
    if (c < '0' || c > '9') return Step::kBad;
    status = status * 10 + (c - '0');
  }
  if (status < 100) return Step::kBad;
  head_.status = status;
  begun_ = true;
  return Step::kMore;
}

HeadBuilder::Step HeadBuilder::add(std::string_view line) {
  if (is_space(line.front())) {  // a folded line goes on with the one before
    if (head_.headers.empty()) return Step::kBad;
    std::string& value = head_.headers.back().value;
    if (!value.empty()) value += ' ';
    value += trim(line);
    return Step::kMore;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return Step::kMore;  // harmless noise
  HttpHeader header;
  if (!spare_.empty()) {
    header = std::move(spare_.back());
    spare_.pop_back();
  }
  assign_lower(header.name, trim(line.substr(0, colon)));
  header.value.assign(trim(line.substr(colon + 1)));
  head_.headers.push_back(std::move(header));
  return Step::kMore;
}

// The body is handed on decoded: what describes the encoded one would be a lie.
void HeadBuilder::drop_encoding() {
  const std::string_view encoding = head_.header("content-encoding");
  if (encoding.empty() || encoding == "identity") return;
  auto& headers = head_.headers;
  for (size_t i = headers.size(); i-- > 0;) {
    if (headers[i].name != "content-encoding" && headers[i].name != "content-length") continue;
    spare_.push_back(std::move(headers[i]));
    headers.erase(headers.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace llmrouter::net
