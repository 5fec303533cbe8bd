// The table of keys. It alone says what may stand in a configuration: the loader, the JSON Schema and docs/configuration.md are all made from
// it.
#ifndef LLMROUTER_CONFIG_TABLE_H_
#define LLMROUTER_CONFIG_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/config.h"

namespace llmrouter::config {

enum class Type : uint8_t {
  kMap,       // members that the table names
  kNamed,     // members of any name, each as the row PATH.* says
  kList,      // items, each as the row PATH[] says; one item may stand alone
  kText,
  kTexts,     // a list of texts; one may stand alone
  kHeaders,   // HTTP headers: texts by name
  kJsonMap,   // any values by name, kept as JSON
  kTemplate,  // the same as one JSON object, whose `${NAME}` are a template's and not variables
  kWord,      // one of `bounds`, separated by |
  kBool,
  kInt,
  kCount,     // 200k
  kPercent,   // 80%
  kDuration,  // 5s
  kSize,      // 32MiB
  kRate,      // 60/min, or {requests|tokens, per, burst}
  kUsd,       // decimal, to nano-USD
  kPrice,     // decimal USD per million tokens, to micro-USD
  kRange,     // [low, high], or the upper end alone
  kTime,      // RFC 3339
  kSecret,    // a text that is never shown; NAME_file: PATH stands for it too
};

// What a value became. Which member is set depends on the type.
struct Value {
  std::string text;
  int64_t number = 0;  // kInt, kCount, kPercent, kSize; kDuration in ns; kUsd in nano-, kPrice in micro-USD; kTime in us since 1970
  bool flag = false;
  double low = 0, high = 0;
  Rate rate;
  std::vector<std::string> texts;
  std::vector<std::pair<std::string, std::string>> pairs;

  Duration duration() const { return Duration(number); }
  WallTime time() const { return WallTime(std::chrono::microseconds(number)); }
  int integer() const { return static_cast<int>(number); }
};

// What the setters of a branch write to. Copied on the way down, so that each branch has its own.
struct Scope {
  Config* config = nullptr;
  ProviderConfig* provider = nullptr;
  Credential* credential = nullptr;
  ModelConfig* model = nullptr;
  TargetConfig* target = nullptr;
  FileKey* key = nullptr;
  UserConfig* user = nullptr;
  TextFilterConfig* filter = nullptr;
  PriceEntry* price = nullptr;
  RuleConfig* rule = nullptr;
  Limits* limits = nullptr;
  Timeouts* timeouts = nullptr;
  std::string name;  // of the innermost member of a kNamed
};

struct Key {
  // `path` of members with dots; `*` for any name, `[]` for an item: providers.*.api_keys[].key
  Key(std::string path_, Type type_, std::string fallback_, std::string doc_)
      : path(std::move(path_)), type(type_), fallback(std::move(fallback_)), doc(std::move(doc_)) {}

  std::string path;
  Type type;
  std::string fallback;  // the default as it would be typed; empty: none, or nothing
  std::string doc;       // one or two sentences
  // Takes the value over. Of a collection it is called before its members are read, to lead the scope to what they fill in.
  void (*set)(Scope&, const Value&) = nullptr;
  std::string bounds;       // "1..64", "1ms..7d" in the type's own writing; the words of a kWord
  bool later = false;       // nothing but the default may stand here yet
  bool required = false;
  std::string stands_for;   // of a kMap: a text alone stands for this member
  std::string needs;        // a member that must stand beside this one
  // What else a text must be; empty when it is well, else what was expected.
  std::string (*check)(const std::string& text) = nullptr;
  std::string variable;     // the environment variable that comes before the file
  bool hide = false;        // faults do not show what was found; a kSecret is never shown

  Key& to(void (*setter)(Scope&, const Value&)) { set = setter; return *this; }
  Key& within(std::string text) { bounds = std::move(text); return *this; }
  Key& not_yet() { later = true; return *this; }
  Key& must() { required = true; return *this; }
  Key& short_for(std::string member) { stands_for = std::move(member); return *this; }
  Key& beside(std::string member) { needs = std::move(member); return *this; }
  Key& checked(std::string (*checker)(const std::string&)) { check = checker; return *this; }
  Key& hidden() { hide = true; return *this; }
  Key& from(std::string name) { variable = std::move(name); return *this; }
};

// The rows as a tree.
struct Branch {
  std::string name;  // as in the path: a member's name, "*" or "[]"
  const Key* key = nullptr;
  std::vector<std::unique_ptr<Branch>> members;  // of a kMap, in the table's order
  std::unique_ptr<Branch> each;                  // of a kNamed or kList

  const Branch* member(std::string_view member_name) const noexcept;
};

class Table {
 public:
  Table();
  const std::vector<Key>& keys() const noexcept { return keys_; }
  const Branch& root() const noexcept { return root_; }

 private:
  std::vector<Key> keys_;
  Branch root_;
  Key root_key_;
};

// Immutable, made when asked for and there as long as somebody holds it: what reads a file now and then leaves no memory behind. Any thread.
std::shared_ptr<const Table> table();

// The words of a kWord ("a|b|c").
std::vector<std::string> words(std::string_view bounds);

// The sections, each in a file of its own.
void add_server_keys(std::vector<Key>& keys);
void add_provider_keys(std::vector<Key>& keys);
void add_model_keys(std::vector<Key>& keys);
void add_routing_keys(std::vector<Key>& keys);
void add_rule_keys(std::vector<Key>& keys);
void add_key_keys(std::vector<Key>& keys);
void add_price_and_observe_keys(std::vector<Key>& keys);
// `PATH.requests`, `PATH.tokens` and so on; a row before them must have led the scope to the limits.
void add_limits(std::vector<Key>& keys, const std::string& path);
// The same for timeouts; `connect` and the others are the defaults.
void add_timeouts(std::vector<Key>& keys, const std::string& path, const char* connect, const char* idle, const char* total, const char* total_doc);

// The figures of one price.
void add_price_figures(std::vector<Key>& keys, const std::string& path);

// The strategies; docs/routing.md says what they do.
constexpr const char* kStrategies = "weighted|round_robin|random|priority|least_busy|latency|performance|cost|pareto|hash";

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_TABLE_H_
