// A client's own request as Vertex AI takes it: the same dialect but for three things, which are spliced; all else goes as it came.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

// Bytes [begin, end) of the body become `text`.
struct Cut {
  size_t begin, end;
  std::string text;
};

bool blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// A member with one of the commas beside it.
Cut without_member(std::string_view text, size_t begin, size_t end) {
  size_t next = end;
  while (next < text.size() && blank(text[next])) ++next;
  if (next < text.size() && text[next] == ',') return {begin, next + 1, {}};
  size_t before = begin;
  while (before > 0 && blank(text[before - 1])) --before;
  if (before > 0 && text[before - 1] == ',') begin = before - 1;
  return {begin, end, {}};
}

class Splicer {
 public:
  explicit Splicer(std::string_view body) : body_(body) {}

  void take_contents(JsonValue contents) {
    for_each_entry(contents, [&](JsonValue content) { take_content(content); });
  }
  void remove(size_t begin, size_t end) { cuts_.push_back(without_member(body_, begin, end)); }

  bool changes() const noexcept { return !cuts_.empty(); }
  void write(EncodedRequest& out) {
    if (cuts_.empty()) return out.http.body.push_back(body_);
    std::stable_sort(cuts_.begin(), cuts_.end(), [](const Cut& a, const Cut& b) { return a.begin < b.begin; });
    size_t at = 0;
    for (Cut& cut : cuts_) {
      if (cut.begin > at) out.http.body.push_back(body_.substr(at, cut.begin - at));
      if (!cut.text.empty()) out.http.body.push_back(out.owned.emplace_back(std::move(cut.text)));
      at = std::max(at, cut.end);
    }
    out.http.body.push_back(body_.substr(at));
  }

 private:
  struct ToolResult {
    std::string id;
    std::string_view part;       // all of it
    std::vector<Cut> cuts;       // inside of it
  };

  size_t offset(std::string_view text) const noexcept { return static_cast<size_t>(text.data() - body_.data()); }

  void take_content(JsonValue content) {
    if (!content.is_object()) return;
    bool role = false;
    std::vector<std::string> calls;
    std::vector<ToolResult> results;
    for (const JsonMember& m : JsonMembers(content)) {
      role = role || m.key == "role";
      if (m.key != "parts") continue;
      for_each_entry(m.value, [&](JsonValue part) { take_part(part, calls, results); });
    }
    if (!role && !content.empty_container()) cuts_.push_back({offset(content.raw()) + 1, offset(content.raw()) + 1, "\"role\":\"user\","});
    if (!calls.empty()) {
      calls_.clear();
      for (size_t i = 0; i < calls.size(); ++i) calls_.emplace(std::move(calls[i]), i);
    }
    place(results);
  }

  // A call's id is remembered, and that of a result; neither is sent.
  void take_part(JsonValue part, std::vector<std::string>& calls, std::vector<ToolResult>& results) {
    for (const JsonMember& m : JsonMembers(part)) {
      const bool call = is_field(m.key, "functionCall");
      if ((!call && !is_field(m.key, "functionResponse")) || !m.value.is_object()) continue;
      std::string id;
      std::vector<Cut> cuts = without_ids(m.value, id);
      if (!call) {
        results.push_back({std::move(id), part.raw(), std::move(cuts)});
        continue;
      }
      calls.push_back(std::move(id));
      cuts_.insert(cuts_.end(), std::make_move_iterator(cuts.begin()), std::make_move_iterator(cuts.end()));
    }
  }

  // Members that stand side by side go together, since each takes a comma with it.
  std::vector<Cut> without_ids(JsonValue object, std::string& id) const {
    std::vector<std::pair<size_t, size_t>> runs;
    bool inside = false;
    for (const JsonMember& m : JsonMembers(object)) {
      const bool again = inside;
      inside = m.key == "id";
      if (!inside) continue;
      id = m.value.string_or();
      if (!again) runs.emplace_back(offset(m.raw), 0);
      runs.back().second = offset(m.raw) + m.raw.size();
    }
    std::vector<Cut> cuts;
    for (const auto& [begin, end] : runs) cuts.push_back(without_member(body_, begin, end));
    return cuts;
  }

  // Without ids the first result is the first call's: where every result names its call they are put into the order of the calls.
  void place(std::vector<ToolResult>& results) {
    std::vector<std::pair<size_t, size_t>> order;  // the call's place and the result's
    for (size_t i = 0; i < results.size(); ++i) {
      const auto call = calls_.find(results[i].id);
      if (!results[i].id.empty() && call != calls_.end()) order.emplace_back(call->second, i);
    }
    if (order.size() < results.size() || std::is_sorted(order.begin(), order.end())) {
      for (ToolResult& result : results) cuts_.insert(cuts_.end(), std::make_move_iterator(result.cuts.begin()), std::make_move_iterator(result.cuts.end()));
      return;
    }
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < order.size(); ++i) {
      const size_t seat = offset(results[i].part);
      cuts_.push_back({seat, seat + results[i].part.size(), text_of(results[order[i].second])});
    }
  }

  std::string text_of(const ToolResult& result) const {
    std::string out;
    size_t at = offset(result.part);
    const size_t end = at + result.part.size();
    for (const Cut& cut : result.cuts) {
      if (cut.begin > at) out.append(body_.substr(at, cut.begin - at));
      at = std::max(at, cut.end);
    }
    return out.append(body_.substr(at, end - at));
  }

  const std::string_view body_;
  std::vector<Cut> cuts_;
  std::unordered_map<std::string, size_t> calls_;  // of the last turn that called: each id's place
};

// A policy's edits are of other members: what becomes of the contents is one more.
void splice_with_edits(const EncodeInput& input, std::vector<wire::SpliceEdit> edits, EncodedRequest& out) {
  for (const MemberSpan& member : input.facts->members) {
    if (member.name == "model") edits.push_back({BodyEdit::Kind::kRemove, "model", {}, {}});
    if (member.name != "contents") continue;
    const JsonValue contents(input.body.substr(member.value_begin, member.value_end - member.value_begin));
    Splicer splicer(contents.raw());
    splicer.take_contents(contents);
    if (!splicer.changes()) continue;
    EncodedRequest parts;
    splicer.write(parts);
    std::string text;
    for (std::string_view piece : parts.http.body) text.append(piece);
    edits.push_back({BodyEdit::Kind::kSet, "contents", {}, out.owned.emplace_back(std::move(text))});
  }
  wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
}

}  // namespace

void splice_for_vertex(const EncodeInput& input, std::vector<wire::SpliceEdit> edits, EncodedRequest& out) {
  if (!edits.empty()) return splice_with_edits(input, std::move(edits), out);
  Splicer splicer(input.body);
  for (const MemberSpan& member : input.facts->members) {
    if (member.name == "model") splicer.remove(member.key_begin, member.value_end);
    else if (member.name == "contents") splicer.take_contents(JsonValue(input.body.substr(member.value_begin, member.value_end - member.value_begin)));
  }
  splicer.write(out);
}

}  // namespace llmrouter::dialects::gemini
