// The calls of a turn that have no result yet: which of them a result answers, where a dialect has no ids or a client leaves them out. As many as the
// body holds; each is looked at a few times at most.
#ifndef LLMROUTER_DIALECTS_OPEN_CALLS_H_
#define LLMROUTER_DIALECTS_OPEN_CALLS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmrouter::dialects {

class OpenCalls {
 public:
  void clear();
  void add(std::string name, std::string id) { calls_.push_back({std::move(name), std::move(id), false}); }
  // The id of the first call with this id, of this name, or at all; empty: there is none. It is answered then.
  std::string take_id(std::string_view id) { return take(id, &Call::id, by_id_); }
  std::string take_named(std::string_view name) { return take(name, &Call::name, by_name_); }
  std::string take_first();

 private:
  struct Call {
    std::string name, id;
    bool taken;
  };
  struct Places {
    std::vector<size_t> at;  // in calls_
    size_t next = 0;         // those before it are taken
  };
  using Index = std::map<std::string, Places, std::less<>>;

  std::string take(std::string_view word, std::string Call::*member, Index& index);
  std::string take_at(size_t at);
  void skip_taken();

  std::vector<Call> calls_;
  size_t first_ = 0;        // those before it are taken
  Index by_id_, by_name_;   // made when results come out of order
  size_t indexed_ = 0;      // calls in them
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_OPEN_CALLS_H_
