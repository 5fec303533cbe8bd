// make_catalog(): own prices first, then the built-in ones.
#include <algorithm>
#include <iterator>

#include "catalog/price_index.h"
#include "catalog/vendors.h"
#include "llmrouter/llmrouter.h"
#include "llmrouter/pattern.h"

namespace llmrouter {
namespace {

// Names longer than this are no model's: not worth the time of a stranger's request.
constexpr size_t kLongestName = 256;

// Texts in lower case, in room of its own: lookups are made for each target of a decision.
class Lower {
 public:
  explicit Lower(std::string_view text) { add(text); }
  // The two with a slash between them.
  Lower(std::string_view provider, std::string_view model) {
    add(provider);
    add("/");
    add(model);
  }
  std::string_view view() const noexcept { return spilled_ ? std::string_view(more_) : std::string_view(room_, size_); }

 private:
  void add(std::string_view text) {
    if (!spilled_ && size_ + text.size() > sizeof(room_)) {
      more_.assign(room_, size_);
      spilled_ = true;
    }
    if (!spilled_) {
      std::transform(text.begin(), text.end(), room_ + size_, small);
      size_ += text.size();
      return;
    }
    std::transform(text.begin(), text.end(), std::back_inserter(more_), small);
  }
  static char small(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
  char room_[512];
  size_t size_ = 0;
  bool spilled_ = false;
  std::string more_;  // all of it, where it does not fit
};

// The configuration's own entries. The first that matches counts, as they stand; those without a star are found by binary search, so that a
// long list from a file costs a lookup nothing.
class OwnPrices {
 public:
  explicit OwnPrices(const std::vector<PriceEntry>& entries) : entries_(entries) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      PriceEntry& entry = entries_[i];
      if (entry.row.match.empty()) entry.row.match = entry.match;
      if (entry.row.as_of.empty()) entry.row.as_of = "configured";
      if (entry.match.find('*') == std::string::npos) exact_.push_back({std::string(Lower(entry.match).view()), i});
      else patterns_.push_back(i);
    }
    std::sort(exact_.begin(), exact_.end());
  }

  const PriceRow* find(std::string_view provider, std::string_view model) const {
    if (entries_.empty()) return nullptr;
    const Lower lower(provider, model);
    const std::string_view name = lower.view();
    size_t best = entries_.size();
    auto exact = std::lower_bound(exact_.begin(), exact_.end(), std::make_pair(std::string_view(name), size_t{0}),
                                  [](const auto& a, const auto& b) { return std::string_view(a.first) < b.first; });
    if (exact != exact_.end() && exact->first == name) best = exact->second;
    for (size_t i : patterns_) {
      if (i > best) break;
      if (pattern_match(entries_[i].match, name)) {
        best = i;
        break;
      }
    }
    return best == entries_.size() ? nullptr : &entries_[best].row;
  }

 private:
  std::vector<PriceEntry> entries_;
  std::vector<std::pair<std::string, size_t>> exact_;  // in lower case, sorted
  std::vector<size_t> patterns_;
};

PriceRow row_of(std::string_view provider, const catalog::Model& model, const catalog::Tier& tier) {
  PriceRow row;
  row.match.append(provider).append(1, ' ').append(model.name);
  if (tier.from_tokens > 0) row.match.append(" from ").append(std::to_string(tier.from_tokens)).append(" tokens");
  row.as_of = catalog::built_in_as_of();
  row.input = tier.figures[0];
  row.output = tier.figures[1];
  row.cached = tier.figures[2];
  row.cache_write = tier.figures[3];
  row.audio_input = tier.figures[4];
  row.audio_output = tier.figures[5];
  row.nano_per_request = tier.figures[6];
  row.cached_audio = tier.figures[7];
  return row;
}

// An entry of the configuration's, or nothing.
class OwnModelPrices final : public ModelPrices {
 public:
  explicit OwnModelPrices(const PriceRow* row) : row_(row) {}
  const PriceRow* at(int64_t, WallTime) const noexcept override { return row_; }

 private:
  const PriceRow* row_;
};

class BuiltInModelPrices final : public ModelPrices {
 public:
  BuiltInModelPrices(const catalog::PriceIndex& index, const catalog::Model& model, std::string_view source) : index_(index), model_(model) {
    for (uint32_t i = 0; i < model.tiers; ++i) rows_.push_back(row_of(source, model, index.first_tier(model)[i]));
  }
  const PriceRow* at(int64_t input_tokens, WallTime when) const noexcept override {
    const catalog::Tier* tier = index_.tier(model_, input_tokens, when);
    return tier == nullptr ? nullptr : &rows_[static_cast<size_t>(tier - index_.first_tier(model_))];
  }

 private:
  const catalog::PriceIndex& index_;
  const catalog::Model& model_;
  std::vector<PriceRow> rows_;  // a tier each
};

class CatalogImpl : public Catalog {
 public:
  explicit CatalogImpl(const std::vector<PriceEntry>& entries) : own_(entries), index_(catalog::built_in_prices()) {}

  std::optional<PriceRow> price(std::string_view provider, std::string_view type, std::string_view model, int64_t input_tokens,
                                WallTime when) const override {
    if (model.size() > kLongestName) return std::nullopt;
    if (const PriceRow* row = own_.find(provider, model)) return *row;
    auto [source, found] = find(type, model);
    if (!found) return std::nullopt;
    const catalog::Tier* tier = index_.tier(*found, input_tokens, when);
    if (!tier) return std::nullopt;
    return row_of(source, *found, *tier);
  }

  std::shared_ptr<const ModelPrices> prices(std::string_view provider, std::string_view type, std::string_view model) const override {
    if (model.size() > kLongestName) return std::make_shared<OwnModelPrices>(nullptr);
    if (const PriceRow* row = own_.find(provider, model)) return std::make_shared<OwnModelPrices>(row);
    auto [source, found] = find(type, model);
    if (!found) return std::make_shared<OwnModelPrices>(nullptr);
    return std::make_shared<BuiltInModelPrices>(index_, *found, source);
  }

  ModelFacts facts(std::string_view type, std::string_view model) const override {
    ModelFacts facts;
    if (model.size() > kLongestName) return facts;
    if (const catalog::Model* found = find(type, model).second) {
      facts.context_window = found->context;
      facts.known = true;
    }
    return facts;
  }

 private:
  std::pair<std::string, const catalog::Model*> find(std::string_view type, std::string_view model) const {
    auto [source, name] = catalog::price_source(type, model);
    const catalog::Model* found = source.empty() ? nullptr : index_.find(source, Lower(name).view());
    return {std::move(source), found};
  }

  OwnPrices own_;
  catalog::PriceIndex index_;
};

}  // namespace

std::shared_ptr<const Catalog> make_catalog(const std::vector<PriceEntry>& entries) { return std::make_shared<CatalogImpl>(entries); }

}  // namespace llmrouter
