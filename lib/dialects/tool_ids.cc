#include "dialects/tool_ids.h"

#include <deque>
#include <map>
#include <unordered_set>
#include <utility>

#include "dialects/open_calls.h"

namespace llmrouter::dialects {
namespace {

// Ids that no other call of the conversation has. The same conversation gives the same ones, and so does one that goes on from it.
class DistinctIds {
 public:
  explicit DistinctIds(std::string (*shorten)(std::string_view)) : shorten_(shorten) {}

  // For the next call; `message` is where it stands.
  const std::string& add(const std::string& id, size_t message) {
    std::string written = spell(id);
    while (!used_.insert(written).second) written = spell(id + '_' + std::to_string(++again_));
    Same& same = by_id_[id];
    if (same.written.empty() || same.message != message) same = {message, {}};
    same.written.push_back(std::move(written));
    return same.written.back();
  }

  // For a result: of calls with this id those of the latest turn are meant, one after the other.
  std::string of_result(const std::string& id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return id.empty() ? id : spell(id);
    std::deque<std::string>& written = found->second.written;
    std::string out = written.front();
    if (written.size() > 1) written.pop_front();
    return out;
  }

 private:
  struct Same {
    size_t message = 0;
    std::deque<std::string> written;
  };
  std::string spell(const std::string& id) const { return shorten_ == nullptr ? id : shorten_(id); }

  std::string (*const shorten_)(std::string_view);
  std::unordered_set<std::string> used_;
  std::map<std::string, Same> by_id_;
  size_t again_ = 0;
};

}  // namespace

ToolIds::ToolIds(const std::vector<Message>& messages, std::string (*shorten)(std::string_view)) {
  OpenCalls open;
  DistinctIds distinct(shorten);
  size_t made = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    std::vector<std::string> ids;
    if (!message.tool_calls.empty()) open.clear();
    for (const ToolCall& call : message.tool_calls) {
      const std::string id = call.id.empty() ? "call_" + std::to_string(made++) : call.id;
      ids.push_back(distinct.add(id, i));
      open.add(call.name, id);
    }
    std::string result = message.tool_call_id;
    if (message.role == Role::kTool) {
      if (!result.empty()) open.take_id(result);
      else result = message.name.empty() ? open.take_first() : open.take_named(message.name);
    }
    calls_.push_back(std::move(ids));
    results_.push_back(distinct.of_result(result));
  }
}

}  // namespace llmrouter::dialects
