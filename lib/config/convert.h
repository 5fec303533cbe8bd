// From what was written to typed values.
#ifndef LLMROUTER_CONFIG_CONVERT_H_
#define LLMROUTER_CONFIG_CONVERT_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/environment.h"
#include "config/table.h"
#include "config/tree.h"

namespace llmrouter::config {

// What one load carries along.
struct Context {
  Context(std::string file_, Lookup lookup) : file(std::move(file_)), faults(file), warnings(file), environment(std::move(lookup), file, faults) {}

  std::string file;
  std::shared_ptr<const Table> rows = table();
  Faults faults;
  Faults warnings;  // of what is legal and surely not meant
  Environment environment;
  std::map<std::string, NodePtr, std::less<>> seen;  // every value that was visited, by its path; for checks that come later
  // Paths that a short form stood for: "models.a.targets" to "models.a".
  std::map<std::string, std::string, std::less<>> short_forms;
  std::vector<std::string> files;  // that the configuration names, as opened

  // The value of a path, and the path as it was written: a short form may stand for it, or something further out. Null: nothing of it was.
  std::pair<std::string, NodePtr> written(std::string path) const;
};

// kPart: a list some of whose texts are faults; they are empty, so that the others keep their places.
enum class Got { kValue, kUnset, kFault, kPart };

// The value of a leaf row. kUnset: null, or a variable that is empty. A fault is added to the context.
Got convert(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out);
// The secret in the file that NAME_file names.
Got convert_secret_file(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out);

// A leaf's text, its variables filled in; kFault when it is no text.
Got scalar_text(Context& context, const NodePtr& node, const std::string& path, std::string_view expected, std::string* out);

// What a type's values look like: "a duration such as 5s".
std::string expectation(const Key& key);
// What stands there instead, for a fault: "`text`", "a list". Variables by name; never what they hold.
std::string shown(const Node& node);
// Why nothing came of a text, behind a fault's "found nothing": ": `${NAME}` is empty". Empty when no variable is the reason.
std::string why_nothing(const Node& node);
// A name that was read at a node, for a fault: "`name`", or what stands there when a variable made it.
std::string shown(const Node& node, std::string_view name);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_CONVERT_H_
