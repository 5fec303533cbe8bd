// What stands behind URLs in a request, for targets that do not fetch it themselves. Fetched before the attempt, once for a call: the next target that
// wants it inline has it.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {

namespace {

constexpr size_t kMostMedia = 32;  // of one request

// Who gets what stands anywhere gets what stands at this URL: for most targets there is nothing to decode.
Part anywhere() {
  Part part;
  part.kind = Part::Kind::kImage;
  part.url = "https://a.example/a.png";
  return part;
}

bool has_url(const Part& part) noexcept {
  const bool media = part.kind == Part::Kind::kImage || part.kind == Part::Kind::kAudio || part.kind == Part::Kind::kVideo || part.kind == Part::Kind::kFile;
  return media && (part.url.compare(0, 7, "http://") == 0 || part.url.compare(0, 8, "https://") == 0);
}

}  // namespace

// Parts that this target wants inline and that are not yet. Decodes the request, relayed or not: its own dialect may have another server behind it.
Result<std::vector<Call::State::RemotePart>> Call::State::remote_parts(const core::Candidate& c) {
  std::vector<RemotePart> found;
  const bool media = facts_.has_image || facts_.has_audio || facts_.has_video || facts_.has_file;
  if (!media || operation_ != Operation::kChat || !snap_->config.routing.remote_media.fetch || !router_.parts.media) return found;
  const auto codec = c.provider->dialect_of(c.model)->new_upstream_codec();
  if (!codec || codec->fetches(c.provider->config, anywhere())) return found;
  if (auto decoded = decode_chat(); !decoded) return std::move(decoded).error();
  for (size_t i = 0; i < chat_->messages.size(); ++i) {
    std::vector<Part>& parts = chat_->messages[i].parts;
    for (size_t j = 0; j < parts.size(); ++j) {
      if (has_url(parts[j]) && !codec->fetches(c.provider->config, parts[j])) {
        found.push_back({&parts[j], "messages[" + std::to_string(i) + "].content[" + std::to_string(j) + "]"});
      }
    }
  }
  return found;
}

// Is a client's own request no use for this target, since its media are inline in the neutral form alone?
bool Call::State::wants_inlined(const core::Candidate& c) const {
  if (inlined_.empty()) return false;
  const auto codec = c.provider->dialect_of(c.model)->new_upstream_codec();
  return codec && std::any_of(inlined_.begin(), inlined_.end(), [&](const Part& part) { return !codec->fetches(c.provider->config, part); });
}

// False: there is nothing to fetch. True: the candidate's turn comes when all is there, or it is skipped.
bool Call::State::fetch_media(size_t index) {
  if (other_in_flight() != nullptr) return false;  // a hedge waits for nothing
  core::Candidate& c = candidates_[index];
  auto parts = remote_parts(c);
  if (!parts || parts->empty()) return false;  // what cannot be decoded is told by the attempt
  at_->current = index;
  if (media_error_) {  // for another target: it would fail again
    later(Duration(0), &State::media_over);
    return true;
  }
  if (parts->size() > kMostMedia) {
    const std::string& where = (*parts)[kMostMedia].where;
    media_error_ = std::make_unique<Error>(in_clients_words(Error(ErrorCode::kInvalidRequest, where + ": more than " + std::to_string(kMostMedia) + " URLs in one request", where)));
    later(Duration(0), &State::media_over);
    return true;
  }
  const RemoteMediaConfig& config = snap_->config.routing.remote_media;
  MediaLimits limits;
  limits.max_bytes = config.max;
  limits.timeout = config.timeout;
  auto policy = std::make_shared<AddressPolicy>();
  policy->allow = config.allow;
  limits.addresses = std::move(policy);
  media_left_ = parts->size();
  for (RemotePart& part : *parts) {
    media_.push_back(router_.parts.media->fetch(transport_, part.part->url, part.part->kind, limits, [this, part](Result<FetchedMedia> media) {
      Guard guard(this);
      take_media(part, std::move(media));
    }));
  }
  return true;
}

void Call::State::take_media(const RemotePart& part, Result<FetchedMedia> media) {
  if (ended_) return;
  if (!media) {
    if (!media_error_) {
      media_error_ = std::make_unique<Error>(in_clients_words(Error(ErrorCode::kInvalidRequest, part.where + ": " + media.error().message, part.where)));
      media_error_->detail = media.error().detail;
    }
  } else if (media_bytes_ + media->bytes > snap_->config.routing.remote_media.max) {
    if (!media_error_) {
      const std::string most = std::to_string(snap_->config.routing.remote_media.max);
      media_error_ = std::make_unique<Error>(in_clients_words(Error(ErrorCode::kInvalidRequest, part.where + ": what the URLs of this request lead to is over " + most + " bytes (routing.remote_media.max)", part.where)));
    }
  } else {
    media_bytes_ += media->bytes;
    inlined_.push_back(*part.part);
    part.part->url.clear();
    part.part->mime = std::move(media->mime);
    part.part->data = std::move(media->data);
  }
  // The one that told is still on the stack.
  if (--media_left_ == 0 || media_error_) {
    if (step_timer_ == 0) later(Duration(0), &State::media_over);
  }
}

void Call::State::media_over() {
  media_.clear();
  if (media_error_) {
    core::Candidate& c = candidates_[at_->current];
    c.out = true;
    at_->provider = c.provider;
    skip(c, *media_error_);
    return next_attempt();
  }
  retry_current();
}

}  // namespace llmrouter
