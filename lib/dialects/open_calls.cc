#include "dialects/open_calls.h"

namespace llmrouter::dialects {

void OpenCalls::clear() {
  calls_.clear();
  by_id_.clear();
  by_name_.clear();
  first_ = indexed_ = 0;
}

void OpenCalls::skip_taken() {
  while (first_ < calls_.size() && calls_[first_].taken) ++first_;
}

std::string OpenCalls::take_at(size_t at) {
  calls_[at].taken = true;
  return calls_[at].id;
}

std::string OpenCalls::take_first() {
  skip_taken();
  return first_ == calls_.size() ? std::string() : take_at(first_);
}

std::string OpenCalls::take(std::string_view word, std::string Call::*member, Index& index) {
  skip_taken();
  if (first_ == calls_.size()) return {};
  if (calls_[first_].*member == word) return take_at(first_);  // results come in the order of their calls, as a rule
  for (; indexed_ < calls_.size(); ++indexed_) {
    by_id_[calls_[indexed_].id].at.push_back(indexed_);
    by_name_[calls_[indexed_].name].at.push_back(indexed_);
  }
  const auto found = index.find(word);
  if (found == index.end()) return {};
  Places& places = found->second;
  while (places.next < places.at.size() && calls_[places.at[places.next]].taken) ++places.next;
  return places.next == places.at.size() ? std::string() : take_at(places.at[places.next++]);
}

}  // namespace llmrouter::dialects
