// A configuration as it was written: values with their places. Nothing here knows what a key means.
#ifndef LLMROUTER_CONFIG_TREE_H_
#define LLMROUTER_CONFIG_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/config.h"

namespace llmrouter::config {

// Where a value stands. Line and column count from 1 (columns in bytes); 0: it has no place in the file.
struct Place {
  int line = 0;
  int column = 0;
};

// Where a value comes from, for faults: the file, a setting of ConfigInput::set, or the name of an environment variable.
enum class Origin : uint8_t { kFile, kCommandLine, kEnvironment };

// What faults name as the file of what is in ConfigInput::set. A command line names its own option instead.
constexpr const char* kSettings = "settings";

struct Node;
using NodePtr = std::shared_ptr<const Node>;  // shared, since an alias is the very value that it stands for

struct Member {
  std::string name;
  Place place;
  NodePtr value;  // never null
};

struct Node {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;   // a scalar in quotes: text, whatever it looks like
  bool literal = false;  // ${...} in it means nothing
  Origin origin = Origin::kFile;
  Place place;
  std::string source;           // kEnvironment: the variable
  std::string text;             // kScalar
  std::vector<Member> members;  // kMap, in the order written; no two of one name
  std::vector<NodePtr> items;   // kList
  size_t size = 1;              // values in it, itself counted, every alias written out; saturates
  int depth = 1;

  const Member* find(std::string_view name) const noexcept;
  bool is_null() const noexcept { return kind == Kind::kNull; }
};

// The most that is read. A file beyond one of these is a fault, not a wait.
struct TreeLimits {
  static constexpr size_t kBytes = 4 * 1024 * 1024;
  static constexpr size_t kValues = 200000;  // aliases written out
  static constexpr int kDepth = 64;
};

// Collects faults, at most kMost of them.
class Faults {
 public:
  static constexpr size_t kMost = 1000;
  explicit Faults(std::string file) : file_(std::move(file)) {}
  void add(const Node& at, std::string path, std::string message);
  // At the name of a member rather than at its value.
  void add(const Member& at, std::string path, std::string message);
  void add(Place place, std::string path, std::string message);
  // In another file, or in none.
  void add_in(std::string file, Place place, std::string path, std::string message);
  bool empty() const noexcept { return faults_.empty(); }
  // Whether something under a path (`providers.lab.api_key` is under `providers.lab.api`) was found fault with.
  bool any_under(std::string_view path) const noexcept;
  // In the order of the file; then what has no place there.
  std::vector<ConfigFault> take();

 private:
  std::string file_;
  std::vector<ConfigFault> faults_;
  bool overflow_ = false;
};

// Reads YAML: one document of `kind` (kMap, kList), or nothing, which is an empty one. Faults of the writing (broken YAML, names that stand twice,
// aliases that grow without bound) go to `faults`; null when there is nothing to go on with. A merge (`<<: *base`) is done here.
NodePtr parse_yaml(std::string_view text, Node::Kind kind, Faults& faults);
// The same for one value of a command line. Errors have no place, and the text is not in them.
NodePtr parse_value(std::string_view text, std::string* error);

// `path.name`, `path[3]`; a name with a dot, a bracket, a quote or a blank in it is quoted: models."gpt-4.1".
std::string join(std::string_view path, std::string_view name);
std::string join(std::string_view path, size_t index);

// One step of a path.
struct Step {
  std::string name;  // of a map; empty with `is_index`
  size_t index = 0;
  bool is_index = false;
};
// Reads what join() writes. False when it is no path.
bool parse_path(std::string_view path, std::vector<Step>* steps);

// A tree with `value` at the end of the path, maps made on the way; everything else is shared with `root`. An index may be one behind the
// last. Null and `error` when a step does not lead on.
NodePtr with_value(const NodePtr& root, const std::vector<Step>& steps, NodePtr value, std::string* error);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_TREE_H_
