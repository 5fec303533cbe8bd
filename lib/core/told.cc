#include "core/told.h"

#include <utility>

namespace llmrouter::core {
namespace {

constexpr size_t kEventCost = 64;           // of one that is kept, beside its text
constexpr size_t kMostFrame = 1024 * 1024;  // of frames without text: some dialects repeat the whole request there

}  // namespace

void Told::frames(std::string_view bytes, bool visible) {
  if (!open_ || !ear_) return;
  heard_text_ = heard_thought_ = heard_any_ = false;
  ear_->feed(bytes, *this);
  if (!open_) return;
  if (visible && !heard_any_) return close();
  if (heard_text_) {
    last_text_ = bytes;
    text_at_ = frame_.size();
  } else if (!heard_thought_) {
    frame_ += bytes;
  }
  if (frame_.size() > kMostFrame) close();
}

void Told::event(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  if (!open_) return;
  switch (event.kind) {
    case Kind::kUsage:
    case Kind::kOther: return;  // beside the answer
    case Kind::kStart:
    case Kind::kAnnotation:
      heard_any_ = true;
      break;
    case Kind::kReasoning:
      heard_any_ = true;
      if (!event.visible()) return;
      in_thought_ = true;
      heard_thought_ = event.signature.empty();  // one ends a thought, and may stand in a frame that ends more
      break;
    case Kind::kText:
      if (event.text.empty()) return;
      said_text_ = heard_text_ = heard_any_ = true;
      in_thought_ = false;
      break;
    case Kind::kRefusal:
      if (event.text.empty()) return;
      return close();
    default: return close();
  }
  if (event.choice != 0) return close();
  keep(event);
}

void Told::keep(const StreamEvent& event) {
  bytes_ += event.text.size() + event.signature.size() + event.raw.size();
  HeldEvent* last = events_.empty() ? nullptr : &events_.back();
  const bool joins = last != nullptr && last->event.kind == event.kind && last->signature.empty() && last->maker == event.maker && !event.redacted &&
                     (event.kind == StreamEvent::Kind::kText || event.kind == StreamEvent::Kind::kReasoning);
  if (joins) {
    last->text += event.text;
    last->signature = event.signature;
  } else {
    bytes_ += kEventCost;
    events_.emplace_back(event);
  }
  if (bytes_ > kMost) close();
}

void Told::close() {
  open_ = false;
  events_ = {};
  frame_ = {};
  last_text_ = {};
  // The ear may be what speaks: it goes with this object.
}

std::string Told::text() const {
  std::string text;
  for (const HeldEvent& e : events_) {
    if (e.event.kind == StreamEvent::Kind::kText) text += e.text;
  }
  return text;
}

std::string Told::frame() const { return frame_.substr(0, text_at_) + last_text_ + frame_.substr(text_at_); }

std::vector<StreamEvent> Told::events() const {
  std::vector<StreamEvent> events;
  events.reserve(events_.size());
  for (const HeldEvent& e : events_) events.push_back(e.view());
  return events;
}

Joint::Joint(std::string told, bool repeats) : beginning_(std::move(told)), repeats_(repeats) {
  const size_t end = beginning_.find_last_not_of(" \t\r\n") + 1;  // npos + 1 is 0: blanks alone
  blanks_ = beginning_.substr(end);
  beginning_.resize(end);
}

std::string_view Joint::next(std::string_view words) {
  if (repeats_) {
    size_t same = 0;
    while (same < words.size() && repeated_ + same < beginning_.size() && words[same] == beginning_[repeated_ + same]) ++same;
    if (same == words.size() || repeated_ + same == beginning_.size()) {
      repeated_ += same;
      words.remove_prefix(same);
      repeats_ = repeated_ < beginning_.size();
    } else {  // it was no repetition
      mended_.assign(rest()).append(words);
      words = mended_;
    }
  }
  while (eaten_ < blanks_.size() && !words.empty()) {
    if (words.front() != blanks_[eaten_]) {
      eaten_ = blanks_.size();
      break;
    }
    ++eaten_;
    words.remove_prefix(1);
  }
  return words;
}

std::string_view Joint::rest() {
  if (!repeats_) return {};
  repeats_ = false;
  return std::string_view(beginning_).substr(0, repeated_);
}

}  // namespace llmrouter::core
