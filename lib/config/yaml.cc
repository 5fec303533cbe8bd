// YAML to a tree. The one file that includes yaml-cpp, by its events: its own nodes drop the first of two equal keys and write aliases out.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "config/tree.h"

namespace llmrouter::config {
namespace {

Place line_and_column(const YAML::Mark& mark) {
  if (mark.line < 0 || mark.column < 0) return {};
  return {mark.line + 1, mark.column + 1};
}

// Thrown through the parser to stop it, and caught in this file.
struct Stop {
  Place place;
  std::string message;
};

// Reads from memory without copying it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // a get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

class Builder : public YAML::EventHandler {
 public:
  Builder(Origin origin, Faults& faults) : origin_(origin), faults_(faults) {}

  NodePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Stop{place_of(mark), "a second document (---): one file is one configuration"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_name()) return bad_name(mark, "a key with no name");
    auto node = make(Node::Kind::kNull, mark);
    // Nothing has no place: its name has.
    if (!frames_.empty() && frames_.back().node->kind == Node::Kind::kMap) node->place = frames_.back().next.place;
    finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{place_of(mark), "an alias (*name) inside the value that it stands for"};
    if (expects_name()) {
      if (found->second->kind != Node::Kind::kScalar) return bad_name(mark, "a key must be a text");
      return take_name(found->second->text, true, place_of(mark));
    }
    place(found->second, place_of(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && tag != "?" && !tag.empty()) {
      throw Stop{place_of(mark), "tags (!name) mean nothing here; a text that begins with ! must be quoted"};
    }
    if (expects_name()) {
      if (anchor != 0) anchors_[anchor] = scalar(mark, quoted, value);
      return take_name(value, quoted, place_of(mark));
    }
    finish(scalar(mark, quoted, value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or map that is being read.
  struct Frame {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor = 0;
    bool has_name = false;  // of a map: its next value's name was read
    bool drop = false;      // the value of that name is not kept
    bool merging = false;   // the name is `<<`
    bool odd_name = false;  // a list or map is being read where a name belongs
    Member next;
    std::unordered_set<std::string> names;
    std::vector<NodePtr> merges;
  };

  // The line and column of a command line's value mean nothing to anybody.
  Place place_of(const YAML::Mark& mark) const { return origin_ == Origin::kFile ? line_and_column(mark) : Place(); }

  std::shared_ptr<Node> make(Node::Kind kind, const YAML::Mark& mark) const {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->origin = origin_;
    node->place = place_of(mark);
    return node;
  }

  std::shared_ptr<Node> scalar(const YAML::Mark& mark, bool quoted, const std::string& value) const {
    auto node = make(Node::Kind::kScalar, mark);
    node->quoted = quoted;
    node->text = value;
    return node;
  }

  bool expects_name() const { return !frames_.empty() && frames_.back().node->kind == Node::Kind::kMap && !frames_.back().has_name; }

  // The path of the map that is being read.
  std::string path() const {
    std::string out;
    for (const Frame& frame : frames_) {
      if (frame.node->kind == Node::Kind::kList) out = join(out, frame.node->items.size());
      else if (frame.has_name) out = join(out, frame.next.name);
    }
    return out;
  }

  void bad_name(const YAML::Mark& mark, const char* message) {
    faults_.add(place_of(mark), path(), message);
    Frame& frame = frames_.back();
    frame.has_name = frame.drop = true;
    frame.merging = false;
    frame.next = Member();
  }

  void take_name(const std::string& name, bool quoted, Place place) {
    Frame& frame = frames_.back();
    frame.merging = name == "<<" && !quoted;
    frame.drop = !frame.merging && !frame.names.insert(name).second;
    if (frame.drop) {
      const Member* first = frame.node->find(name);
      faults_.add(place, join(path(), name), "stands twice" + (first ? "; first in line " + std::to_string(first->place.line) : std::string()));
    }
    frame.has_name = true;
    frame.next = {name, place, nullptr};
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" && tag != "tag:yaml.org,2002:seq") {
      throw Stop{place_of(mark), "tags (!name) mean nothing here"};
    }
    if (frames_.size() >= static_cast<size_t>(TreeLimits::kDepth)) {
      throw Stop{place_of(mark), "more than " + std::to_string(TreeLimits::kDepth) + " values inside one another"};
    }
    if (expects_name()) {
      bad_name(mark, "a key must be a text");
      frames_.back().odd_name = true;
    }
    Frame frame;
    frame.node = make(kind, mark);
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (const NodePtr& merge : frame.merges) {
      for (const Member& member : merge->members) {
        if (frame.names.insert(member.name).second) add_member(*frame.node, member);
      }
    }
    finish(std::move(frame.node), frame.anchor);
  }

  void finish(std::shared_ptr<Node> node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    const Place at = node->place;
    place(std::move(node), at);
  }

  // Puts a finished value where the open list or map wants it.
  void place(NodePtr node, Place at) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (std::exchange(frame.odd_name, false)) return;  // that was the name; its value comes
    if (frame.node->kind == Node::Kind::kList) {
      grow(*frame.node, *node, at);
      frame.node->items.push_back(std::move(node));
      return;
    }
    frame.has_name = false;
    if (std::exchange(frame.drop, false)) return;
    if (std::exchange(frame.merging, false)) return merge(frame, node, at);
    frame.next.value = std::move(node);
    add_member(*frame.node, std::move(frame.next));
  }

  void merge(Frame& frame, const NodePtr& node, Place at) {
    std::vector<NodePtr> maps = node->kind == Node::Kind::kList ? node->items : std::vector<NodePtr>{node};
    for (const NodePtr& map : maps) {
      if (map->kind != Node::Kind::kMap) {
        faults_.add(at, join(path(), "<<"), "expected a map to merge, or a list of maps");
        return;
      }
    }
    frame.merges.insert(frame.merges.end(), maps.begin(), maps.end());
  }

  void add_member(Node& node, Member member) {
    grow(node, *member.value, member.place);
    node.members.push_back(std::move(member));
  }

  // Aliases make a small file large: the size of what they stand for counts each time.
  void grow(Node& node, const Node& part, Place at) {
    if (part.size > TreeLimits::kValues - std::min(node.size, TreeLimits::kValues)) {
      throw Stop{at, "more than " + std::to_string(TreeLimits::kValues) + " values, aliases written out"};
    }
    node.size += part.size;
    node.depth = std::max(node.depth, part.depth + 1);
    if (node.depth > TreeLimits::kDepth) throw Stop{at, "more than " + std::to_string(TreeLimits::kDepth) + " values inside one another"};
  }

  const Origin origin_;
  Faults& faults_;
  int documents_ = 0;
  NodePtr root_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, NodePtr> anchors_;  // of finished values
};

// yaml-cpp replaces what it cannot read; we say where it stands. 0: all is well, else the offset behind the fault.
size_t first_bad_byte(std::string_view text) {
  auto follows = [&](size_t i, unsigned char low, unsigned char high) {
    return i < text.size() && static_cast<unsigned char>(text[i]) >= low && static_cast<unsigned char>(text[i]) <= high;
  };
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t length = 1;
    if (c < 0x20 || c == 0x7F) {
      if (c != '\t' && c != '\n' && c != '\r') return i + 1;
    } else if (c >= 0x80) {
      unsigned char low = 0x80, high = 0xBF;
      if (c >= 0xC2 && c <= 0xDF) length = 2;
      else if (c >= 0xE0 && c <= 0xEF) length = 3;
      else if (c >= 0xF0 && c <= 0xF4) length = 4;
      else return i + 1;
      if (c == 0xE0) low = 0xA0;
      if (c == 0xED) high = 0x9F;
      if (c == 0xF0) low = 0x90;
      if (c == 0xF4) high = 0x8F;
      if (!follows(i + 1, low, high)) return i + 1;
      for (size_t k = 2; k < length; ++k) {
        if (!follows(i + k, 0x80, 0xBF)) return i + 1;
      }
    }
    i += length;
  }
  return 0;
}

Place place_at(std::string_view text, size_t offset) {
  Place place{1, 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 0;
    }
    ++place.column;
  }
  return place;
}

// The line that a fault stands in.
std::string_view line_of(std::string_view text, int line) {
  for (; line > 1 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find('\n'));
}

// What the parser says, and what is most often meant by it.
std::string explain(const std::string& message, std::string_view line) {
  std::string out = "not YAML: " + message;
  const size_t indent = line.find_first_not_of(" \t");
  if (line.substr(0, indent).find('\t') != std::string_view::npos) {
    out += " (indent with blanks, not with tabs)";
  } else if (message.find("anchor is not defined") != std::string::npos || message.find("alias") != std::string::npos) {
    out += " (a text that begins with * must be quoted)";
  } else if (message.find("map value") != std::string::npos) {
    out += " (a text with `: ` in it must be quoted)";
  }
  return out;
}

// One document; what stops the parser is thrown as Stop.
NodePtr parse(std::string_view text, Origin origin, Faults& faults) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  Builder builder(origin, faults);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const Place place = line_and_column(e.mark);
    throw Stop{place, explain(e.msg, line_of(text, place.line))};
  }
  return builder.root();
}

}  // namespace

NodePtr parse_yaml(std::string_view text, Node::Kind kind, Faults& faults) {
  if (text.size() > TreeLimits::kBytes) {
    faults.add(Place(), "", "larger than " + std::to_string(TreeLimits::kBytes / 1024 / 1024) + " MiB");
    return nullptr;
  }
  if (const size_t bad = first_bad_byte(text)) {
    faults.add(place_at(text, bad - 1), "", "expected UTF-8 text, found a byte that is none");
    return nullptr;
  }
  try {
    NodePtr root = parse(text, Origin::kFile, faults);
    if (!root || root->is_null()) {
      auto empty = std::make_shared<Node>();
      empty->kind = kind;
      empty->place = {1, 1};
      return empty;
    }
    if (root->kind == kind) return root;
    faults.add(*root, "", kind == Node::Kind::kMap ? "expected a map" : "expected a list");
  } catch (const Stop& stop) {
    faults.add(stop.place, "", stop.message);
  } catch (const std::exception&) {
    faults.add(Place(), "", "not YAML, or too much of it");
  }
  return nullptr;
}

NodePtr parse_value(std::string_view text, std::string* error) {
  Faults faults{std::string()};
  try {
    if (text.size() <= TreeLimits::kBytes && first_bad_byte(text) == 0) {
      NodePtr root = parse(text, Origin::kCommandLine, faults);
      if (!root) root = std::make_shared<Node>();
      if (faults.empty()) return root;
    }
    *error = "not a YAML value";
  } catch (const Stop&) {
    *error = "not a YAML value";
  } catch (const std::exception&) {
    *error = "not a YAML value, or too much of it";
  }
  return nullptr;
}

}  // namespace llmrouter::config
