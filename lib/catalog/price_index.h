// The built-in price catalogue, indexed for lookup.
#ifndef LLMROUTER_CATALOG_PRICE_INDEX_H_
#define LLMROUTER_CATALOG_PRICE_INDEX_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "llmrouter/clock.h"

namespace llmrouter::catalog {

// One price of a model, and when it holds.
struct Tier {
  int32_t since_day = 0;       // days since 1970-01-01; 0: always
  int16_t from_minute = -1;    // of the day in UTC, [from, to); -1: all day
  int16_t to_minute = -1;
  int64_t from_tokens = 0;     // size of the prompt
  int64_t figures[8] = {0, 0, -1, -1, -1, -1, 0, -1};  // in the order of prices.inc
};

struct Model {
  std::string_view name;
  int64_t context = 0;  // tokens; 0: not known
  uint32_t first_tier = 0, tiers = 0;
};

// Reads a text in the format of tools/catalog.py once; the text must outlive the index. Immutable afterwards, so that lookups from any
// number of threads need no lock.
class PriceIndex {
 public:
  // Lines that are not in the format are left out; `bad_lines` counts them. The built-in text has none (a test holds this).
  explicit PriceIndex(std::string_view text);

  // The model that a name stands for at a provider; null: not known. The first in the text that matches, as in the source of the facts.
  // `lower_name` in lower case. An exact name is found by binary search; expressions are tried one after the other.
  const Model* find(std::string_view provider, std::string_view lower_name) const noexcept;
  // The price of a model for a prompt of that size at that time; null: it has none then.
  const Tier* tier(const Model& model, int64_t input_tokens, WallTime when) const noexcept;

  // Where a model's `tiers` stand.
  const Tier* first_tier(const Model& model) const noexcept { return tiers_.data() + model.first_tier; }

  size_t models() const noexcept { return models_.size(); }
  size_t bad_lines() const noexcept { return bad_lines_; }

 private:
  enum class Match : uint8_t { kEquals, kBegins, kEnds, kContains };
  struct Rule {
    Match match;
    bool and_next;   // the next rule must match too
    bool has_digit;  // a `#` is in the text
    uint32_t model;
    std::string_view text;  // lower case; `#` stands for a digit
  };
  struct Exact {
    std::string_view text;
    uint32_t model;
  };
  struct Provider {
    std::string_view name;
    uint32_t exact_begin = 0, exact_end = 0, rule_begin = 0, rule_end = 0;
  };

  bool add_model(std::string_view line);
  bool add_match(std::string_view expression, uint32_t model);
  bool add_tier(std::string_view text);
  void finish_provider();
  static bool rule_matches(const Rule& rule, std::string_view name) noexcept;

  std::vector<Provider> providers_;  // by name
  std::vector<Model> models_;        // in the text's order
  std::vector<Tier> tiers_;
  std::vector<Exact> exact_;         // of each provider by name
  std::vector<Rule> rules_;
  size_t bad_lines_ = 0;
};

// The built-in text, and of which month its figures are.
std::string_view built_in_prices() noexcept;
std::string_view built_in_as_of() noexcept;

}  // namespace llmrouter::catalog

#endif  // LLMROUTER_CATALOG_PRICE_INDEX_H_
