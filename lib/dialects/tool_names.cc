#include "dialects/tool_names.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

bool is_plain(char c, const ToolNameRule& rule) noexcept { return is_alnum(c) || c == '_' || c == '-' || rule.more.find(c) != std::string_view::npos; }

bool may_begin(char c, const ToolNameRule& rule) noexcept { return !rule.letter_first || c == '_' || (is_alnum(c) && !is_digit(c)); }

// Who has no name is told so elsewhere.
bool fits(std::string_view name, const ToolNameRule& rule) noexcept {
  return name.empty() ||
         (name.size() <= rule.most && may_begin(name.front(), rule) && std::all_of(name.begin(), name.end(), [&](char c) { return is_plain(c, rule); }));
}

// Calls of all kinds of places where a name stands; `take` may change it.
template <typename Request, typename Take>
void for_each_name(Request& request, Take&& take) {
  for (auto& tool : request.tools) {
    if (tool.raw.empty()) take(tool.name);
  }
  if (request.tool_choice.kind == ToolChoice::Kind::kNamed) take(request.tool_choice.name);
  for (auto& message : request.messages) {
    for (auto& call : message.tool_calls) take(call.name);
    if (message.role == Role::kTool) take(message.name);
  }
}

// What is left of the name and ten characters that depend on all of it.
std::string fitted(std::string_view name, uint64_t salt, const ToolNameRule& rule) {
  constexpr size_t kDigits = 10;
  std::string out;
  if (!may_begin(name.front(), rule) && is_plain(name.front(), rule)) out += '_';
  for (char c : name.substr(0, rule.most - kDigits - 1 - out.size())) out += is_plain(c, rule) ? c : '_';
  uint64_t hash = 0xcbf29ce484222325u ^ (salt * 0x9e3779b97f4a7c15u);  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  out += '_';
  for (size_t i = 0; i < kDigits; ++i, hash >>= 5) out += "0123456789abcdefghijklmnopqrstuv"[hash & 31];
  return out;
}

}  // namespace

class ToolNames::Fitter {
 public:
  Fitter(const ChatRequest& request, const ToolNameRule& rule, ToolNames& names) : rule_(rule), names_(names) {
    for_each_name(request, [&](const std::string& name) { taken_.insert(name); });
  }

  void fit(std::string& name) {
    if (fits(name, rule_)) return;
    std::string& form = forms_[name];
    if (form.empty()) {
      form = fitted(name, 0, rule_);
      while (!taken_.insert(form).second) form = fitted(name, ++salt_, rule_);
      names_.callers_.emplace(form, name);
    }
    name = form;
  }

 private:
  const ToolNameRule rule_;
  ToolNames& names_;
  std::unordered_set<std::string> taken_;
  std::map<std::string, std::string> forms_;
  uint64_t salt_ = 0;
};

// Passes everything on, the beginnings of calls with the callers' names.
class ToolNames::Sink final : public UpstreamSink {
 public:
  explicit Sink(const ToolNames& names) : names_(names) {}
  void set(UpstreamSink& sink) { sink_ = &sink; }

  Flow on_frame(std::string_view bytes, FrameKind kind) override { return sink_->on_frame(bytes, kind); }
  Flow on_event(const StreamEvent& event) override {
    if (event.kind != StreamEvent::Kind::kToolCallBegin) return sink_->on_event(event);
    const auto found = names_.callers_.find(event.name);
    if (found == names_.callers_.end()) return sink_->on_event(event);
    StreamEvent restored = event;
    restored.name = found->second;
    return sink_->on_event(restored);
  }
  void on_usage(const TokenUsage& usage) override { sink_->on_usage(usage); }
  void on_finish(FinishReason reason) override { sink_->on_finish(reason); }
  void on_error(Error error) override { sink_->on_error(std::move(error)); }
  void on_payload(size_t bytes) override { sink_->on_payload(bytes); }

 private:
  const ToolNames& names_;
  UpstreamSink* sink_ = nullptr;
};

ToolNames::ToolNames() = default;
ToolNames::~ToolNames() = default;

const ChatRequest& ToolNames::fit(const ChatRequest& request, const ToolNameRule& rule, bool foreign, std::optional<ChatRequest>& copy) {
  callers_.clear();
  bool all = true;
  if (foreign) for_each_name(request, [&](const std::string& name) { all = all && fits(name, rule); });
  if (all) return request;
  copy = request;
  Fitter fitter(request, rule, *this);
  for_each_name(*copy, [&](std::string& name) { fitter.fit(name); });
  return *copy;
}

void ToolNames::restore(ChatResponse& response) const {
  if (callers_.empty()) return;
  for (Choice& choice : response.choices) {
    for (ToolCall& call : choice.message.tool_calls) {
      if (const auto found = callers_.find(call.name); found != callers_.end()) call.name = found->second;
    }
  }
}

UpstreamSink& ToolNames::restoring(UpstreamSink& sink) {
  if (callers_.empty()) return sink;
  if (!sink_) sink_ = std::make_unique<Sink>(*this);
  sink_->set(sink);
  return *sink_;
}

}  // namespace llmrouter::dialects
