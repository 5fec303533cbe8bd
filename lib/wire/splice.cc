#include "wire/splice.h"

#include <cstddef>
#include <utility>

#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::wire {
namespace {

using Kind = BodyEdit::Kind;

// What becomes of one member after all edits of it.
struct Change {
  enum class State {
    kKept,     // as it is, but for `children`
    kText,     // `text` instead
    kRemoved,  // not there, or taken out
  };
  std::string_view name;
  State state = State::kRemoved;
  std::string text;
  std::vector<SpliceEdit> children;  // edits of members of the original value, their `child` moved to `name`
  std::string_view original;         // kKept
  bool written = false;              // its member has been met in the body
};

// New text is written to one string first and turned into views at the end, when it no longer moves.
struct Output {
  struct Piece {
    bool original;
    size_t begin, end;  // in the body, or in `text`
  };
  std::vector<Piece> pieces;  // neighbours that continue one another are one piece
  std::string text;

  void keep(size_t begin, size_t end) {
    if (begin == end) return;
    if (!pieces.empty() && pieces.back().original && pieces.back().end == begin) {
      pieces.back().end = end;
    } else {
      pieces.push_back({true, begin, end});
    }
  }
  void add(std::string_view more) {
    if (more.empty()) return;
    const size_t from = text.size();
    text += more;
    if (!pieces.empty() && !pieces.back().original) {
      pieces.back().end = text.size();
    } else {
      pieces.push_back({false, from, text.size()});
    }
  }
};

void splice_object(std::string_view body, size_t begin, size_t end, const std::vector<MemberSpan>& members,
                   const std::vector<SpliceEdit>& edits, Output& out);

std::vector<MemberSpan> members_of(std::string_view body, JsonValue object) {
  std::vector<MemberSpan> members;
  for (const JsonMember& m : JsonMembers(object)) {
    MemberSpan span;
    span.name = m.key;
    span.key_begin = static_cast<size_t>(m.raw.data() - body.data());
    span.value_begin = static_cast<size_t>(m.value.raw().data() - body.data());
    span.value_end = span.value_begin + m.value.raw().size();
    members.push_back(std::move(span));
  }
  return members;
}

// `text` with the edits made, as a new string.
std::string spliced(std::string_view text, const std::vector<SpliceEdit>& edits) {
  Output out;
  splice_object(text, 0, text.size(), members_of(text, JsonValue(text)), edits, out);
  std::string result;
  for (const Output::Piece& p : out.pieces) result += (p.original ? text : std::string_view(out.text)).substr(p.begin, p.end - p.begin);
  return result;
}

void set_text(Change& change, std::string_view json) {
  change.state = Change::State::kText;
  change.text = json;
  change.children.clear();
}

// `{"child":json}`
std::string object_of(const SpliceEdit& edit) {
  std::string text = "{";
  append_json_string(text, edit.child);
  text += ':';
  text += edit.json;
  text += '}';
  return text;
}

void apply_to_child(Change& change, const SpliceEdit& edit) {
  const JsonValue now(change.state == Change::State::kKept ? change.original
                      : change.state == Change::State::kText ? std::string_view(change.text)
                                                             : std::string_view());
  if (!now.is_object()) {
    if (edit.kind == Kind::kSet || (edit.kind == Kind::kDefault && now.is_unset())) set_text(change, object_of(edit));
    return;
  }
  SpliceEdit inner = edit;
  inner.name = edit.child;
  inner.child = {};
  if (change.state == Change::State::kKept) {
    change.children.push_back(inner);
  } else {
    change.text = spliced(change.text, {inner});
  }
}

void apply(Change& change, const SpliceEdit& edit) {
  if (!edit.child.empty()) return apply_to_child(change, edit);
  switch (edit.kind) {
    case Kind::kRemove:
      change.state = Change::State::kRemoved;
      change.text.clear();
      change.children.clear();
      return;
    case Kind::kDefault: {
      const bool is_set = change.state == Change::State::kKept ? change.original != "null"
                                                               : change.state == Change::State::kText && change.text != "null";
      if (!is_set) set_text(change, edit.json);
      return;
    }
    case Kind::kSet:
      set_text(change, edit.json);
      return;
  }
}

Change* find_change(std::vector<Change>& changes, std::string_view name) {
  for (Change& c : changes) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

// One Change for each name that is edited, in the order in which they are first named.
std::vector<Change> resolve(std::string_view body, const std::vector<MemberSpan>& members, const std::vector<SpliceEdit>& edits) {
  std::vector<Change> changes;
  changes.reserve(edits.size());
  for (const SpliceEdit& edit : edits) {
    Change* change = find_change(changes, edit.name);
    if (change == nullptr) {
      change = &changes.emplace_back();
      change->name = edit.name;
      for (const MemberSpan& m : members) {
        if (m.name != edit.name) continue;
        change->state = Change::State::kKept;
        change->original = body.substr(m.value_begin, m.value_end - m.value_begin);
        break;
      }
    }
    apply(*change, edit);
  }
  return changes;
}

// The value of a member that was met and is changed.
void write_value(std::string_view body, const MemberSpan& m, Change& change, Output& out) {
  change.written = true;
  if (change.state == Change::State::kText) {
    out.add(change.text);
    return;
  }
  const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
  splice_object(body, m.value_begin, m.value_end, members_of(body, value), change.children, out);
}

// Writes the object body[begin, end). The separator before a member that stays goes with it; the first one that stays needs none.
void splice_object(std::string_view body, size_t begin, size_t end, const std::vector<MemberSpan>& members,
                   const std::vector<SpliceEdit>& edits, Output& out) {
  std::vector<Change> changes = resolve(body, members, edits);
  const size_t open = body.find('{', begin) + 1;
  const size_t inside_begin = members.empty() ? open : members.front().key_begin;
  const size_t inside_end = members.empty() ? open : members.back().value_end;
  bool first = true;

  out.keep(begin, inside_begin);
  size_t before = inside_begin;  // where the separator before the next member begins
  for (const MemberSpan& m : members) {
    Change* const change = find_change(changes, m.name);
    const bool touched = change != nullptr && (change->state != Change::State::kKept || !change->children.empty());
    const bool stays = !touched || (change->state != Change::State::kRemoved && !change->written);
    if (stays) {
      out.keep(first ? m.key_begin : before, m.value_begin);
      if (touched) {
        write_value(body, m, *change, out);
      } else {
        out.keep(m.value_begin, m.value_end);
      }
      first = false;
    }
    before = m.value_end;
  }
  for (const Change& change : changes) {
    if (change.state != Change::State::kText || change.written) continue;
    if (!first) out.add(",");
    std::string key;
    append_json_string(key, change.name);
    out.add(key);
    out.add(":");
    out.add(change.text);
    first = false;
  }
  out.keep(inside_end, end);
}

// What almost every request needs and nothing more, another model's name: the member's value is set, the rest stays. Null: it is something else.
const MemberSpan* only_set(const std::vector<MemberSpan>& members, const std::vector<SpliceEdit>& edits) {
  if (edits.size() != 1 || edits[0].kind != Kind::kSet || !edits[0].child.empty()) return nullptr;
  const MemberSpan* found = nullptr;
  for (const MemberSpan& m : members) {
    if (m.name != edits[0].name) continue;
    if (found != nullptr) return nullptr;
    found = &m;
  }
  return found;
}

}  // namespace

void splice(std::string_view body, const std::vector<MemberSpan>& members, const std::vector<SpliceEdit>& edits,
            std::list<std::string>& owned, std::vector<std::string_view>& pieces) {
  if (const MemberSpan* m = only_set(members, edits)) {
    pieces.reserve(pieces.size() + 3);
    pieces.push_back(body.substr(0, m->value_begin));
    pieces.push_back(owned.emplace_back(edits[0].json));
    pieces.push_back(body.substr(m->value_end));
    return;
  }
  Output out;
  out.pieces.reserve(2 * edits.size() + 1);
  splice_object(body, 0, body.size(), members, edits, out);
  std::string_view text;
  if (!out.text.empty()) text = owned.emplace_back(std::move(out.text));
  pieces.reserve(pieces.size() + out.pieces.size());
  for (const Output::Piece& p : out.pieces) pieces.push_back((p.original ? body : text).substr(p.begin, p.end - p.begin));
}

}  // namespace llmrouter::wire
