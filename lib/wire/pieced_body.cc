#include "wire/pieced_body.h"

#include <algorithm>
#include <utility>

namespace llmrouter::wire {

PiecedBody::PiecedBody(std::shared_ptr<const BodySource> whole, std::vector<FormPiece> pieces, std::list<std::string> owned)
    : whole_(std::move(whole)), pieces_(std::move(pieces)), owned_(std::move(owned)) {
  size_t end = 0;
  for (const FormPiece& piece : pieces_) ends_.push_back(end += piece.size());
}

Result<size_t> PiecedBody::read(size_t offset, char* to, size_t count) const {
  size_t done = 0;
  auto i = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
  while (done < count && i < pieces_.size()) {
    const FormPiece& piece = pieces_[i];
    const size_t within = offset + done - (ends_[i] - piece.size());
    const size_t want = std::min(count - done, piece.size() - within);
    size_t got = want;
    if (piece.end == piece.begin) {
      piece.text.copy(to + done, want, within);
    } else {
      auto read = whole_->read(piece.begin + within, to + done, want);
      if (!read) return read;
      got = *read;
      if (got == 0) break;  // shorter than it said
    }
    done += got;
    if (within + got == piece.size()) ++i;
  }
  return done;
}

}  // namespace llmrouter::wire
