#include "net/request_body.h"

#include <algorithm>
#include <cstring>

namespace llmrouter::net {

void RequestBody::set(const HttpRequest* request) noexcept {
  request_ = request;
  size_ = at_ = piece_ = within_ = 0;
  if (request == nullptr) return;
  if (request->source) size_ = request->source->size();
  else for (const std::string_view piece : request->body) size_ += piece.size();
}

Result<size_t> RequestBody::read(char* to, size_t room) {
  size_t copied = 0;
  room = std::min(room, size_ - at_);
  while (copied < room) {
    size_t n = 0;
    if (request_->source) {
      auto read = request_->source->read(at_ + copied, to + copied, room - copied);
      if (!read) return Error(ErrorCode::kIo, "the request's body could not be read: " + read.error().message);
      n = *read;
      if (n == 0 || n > room - copied) return Error(ErrorCode::kIo, "the request's body is not of the length that its source said");
    } else {
      const std::string_view rest = request_->body[piece_].substr(within_);
      n = std::min(rest.size(), room - copied);
      if (n > 0) std::memcpy(to + copied, rest.data(), n);
      within_ += n;
      if (n == rest.size()) {
        ++piece_;
        within_ = 0;
      }
    }
    copied += n;
  }
  at_ += copied;
  return copied;
}

bool RequestBody::seek(size_t offset) noexcept {
  if (offset > size_) return false;
  at_ = within_ = offset;
  piece_ = 0;
  if (request_ == nullptr || request_->source) return true;
  while (piece_ < request_->body.size() && within_ >= request_->body[piece_].size()) within_ -= request_->body[piece_++].size();
  return true;
}

Result<void> append_body(const HttpRequest& request, std::string& out) {
  if (!request.source) {
    for (const std::string_view piece : request.body) out.append(piece);
    return {};
  }
  RequestBody body;
  body.set(&request);
  const size_t before = out.size();
  out.resize(before + body.size());
  auto read = body.read(out.data() + before, body.size());
  if (!read) return std::move(read).error();
  return {};
}

}  // namespace llmrouter::net
