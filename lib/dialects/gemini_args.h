// Arguments of one call that come in pieces: {"jsonPath":"$.recipe.steps[0].text","stringValue":"Boil","willContinue":true}.
#ifndef LLMROUTER_DIALECTS_GEMINI_ARGS_H_
#define LLMROUTER_DIALECTS_GEMINI_ARGS_H_

#include <string>
#include <string_view>
#include <vector>

#include "wire/json_scan.h"

namespace llmrouter::dialects::gemini {

// Values by their paths, put together as one object. A string for the path before is its continuation when that one said so.
class PartialArgs {
 public:
  static constexpr size_t kMaxBytes = 16 * 1024 * 1024;
  static constexpr size_t kMaxValues = 8192;
  static constexpr size_t kMaxDepth = 64;

  // An element of partialArgs. False: a path that cannot be, or too much.
  bool add(wire::JsonValue entry);
  // All of them as JSON; "{}" when there were none.
  std::string json() const;

 private:
  // A tree in one vector; children in the order they came.
  struct Node {
    std::string key;              // of an object's member
    std::vector<size_t> children;
    std::string text;             // a leaf's JSON; a string's without quotes while it grows
    enum class Kind { kUnset, kObject, kArray, kString, kValue } kind = Kind::kUnset;
  };
  size_t walk(std::string_view path);
  size_t member(size_t node, std::string_view key);
  size_t element(size_t node, size_t index);
  size_t add_node(size_t parent, std::string_view key);
  void write(size_t node, std::string& out) const;

  std::vector<Node> nodes_;
  size_t bytes_ = 0;
};

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_ARGS_H_
