#include "dialects/tool_ids.h"

#include <map>
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
    Entry& own = entries_[id];
    std::string written = spell(id);
    for (;;) {
      Entry& entry = written == id ? own : entries_[written];
      if (!std::exchange(entry.used, true)) break;
      written = spell(id + '_' + std::to_string(++again_));
    }
    if (own.message != message) {
      own.written.clear();
      own.next = 0;
    }
    own.message = message;
    own.written.push_back(std::move(written));
    return own.written.back();
  }

  // For a result: of calls with this id those of the latest turn are meant, one after the other.
  std::string of_result(const std::string& id) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.written.empty()) return id.empty() ? id : spell(id);
    Entry& entry = found->second;
    const std::string& out = entry.written[entry.next];
    if (entry.next + 1 < entry.written.size()) ++entry.next;
    return out;
  }

 private:
  struct Entry {
    bool used = false;                 // a call has it, as it is written
    size_t message = 0, next = 0;      // of the calls that came with it: where the latest of them stand, whose result is next
    std::vector<std::string> written;  // what those have
  };
  std::string spell(const std::string& id) const { return shorten_ == nullptr ? id : shorten_(id); }

  std::string (*const shorten_)(std::string_view);
  std::map<std::string, Entry> entries_;  // ordered, since strangers choose the ids
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
