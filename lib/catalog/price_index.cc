#include "catalog/price_index.h"

#include <algorithm>
#include <charconv>

#include "llmrouter/values.h"

namespace llmrouter::catalog {
namespace {

#include "catalog/prices.inc"

// What stands before the next `separator`; `rest` goes on behind it.
std::string_view next_part(std::string_view& rest, std::string_view separator) {
  const size_t at = rest.find(separator);
  std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + separator.size());
  return part;
}

template <typename T>
bool number(std::string_view text, T* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

bool minute_of_day(std::string_view text, int16_t* out) {
  int hour = 0, minute = 0;
  if (text.size() != 5 || text[2] != ':' || !number(text.substr(0, 2), &hour) || !number(text.substr(3), &minute)) return false;
  *out = static_cast<int16_t>(hour * 60 + minute);
  return hour < 24 && minute < 60;
}

int64_t seconds_of(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count(); }

bool same_at(std::string_view pattern, std::string_view text) noexcept {
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool same = pattern[i] == '#' ? text[i] >= '0' && text[i] <= '9' : pattern[i] == text[i];
    if (!same) return false;
  }
  return true;
}

bool holds(const Tier& tier, int64_t input_tokens, int64_t day, int minute) noexcept {
  return tier.since_day <= day && tier.from_tokens <= input_tokens &&
         (tier.from_minute < 0 || (minute >= tier.from_minute && minute < tier.to_minute));
}

// Of two prices that hold, the later one decides, then the one for these hours, then the one for the larger prompts.
bool more_telling(const Tier& a, const Tier& b) noexcept {
  if (a.since_day != b.since_day) return a.since_day > b.since_day;
  if ((a.from_minute < 0) != (b.from_minute < 0)) return a.from_minute >= 0;
  return a.from_tokens > b.from_tokens;
}

}  // namespace

std::string_view built_in_prices() noexcept { return kPrices; }
std::string_view built_in_as_of() noexcept { return kAsOf; }

PriceIndex::PriceIndex(std::string_view text) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  models_.reserve(lines);
  tiers_.reserve(lines + lines / 16);
  exact_.reserve(lines + lines / 4);
  while (!text.empty()) {
    std::string_view line = next_part(text, "\n");
    if (line.empty()) continue;
    if (line[0] == '@') {
      finish_provider();
      Provider provider;
      provider.name = line.substr(1);
      provider.exact_begin = static_cast<uint32_t>(exact_.size());
      provider.rule_begin = static_cast<uint32_t>(rules_.size());
      providers_.push_back(provider);
    } else if (providers_.empty() || !add_model(line)) {
      ++bad_lines_;
    }
  }
  finish_provider();
  std::sort(providers_.begin(), providers_.end(), [](const Provider& a, const Provider& b) { return a.name < b.name; });
}

void PriceIndex::finish_provider() {
  if (providers_.empty()) return;
  Provider& provider = providers_.back();
  provider.exact_end = static_cast<uint32_t>(exact_.size());
  provider.rule_end = static_cast<uint32_t>(rules_.size());
  std::sort(exact_.begin() + provider.exact_begin, exact_.end(),
            [](const Exact& a, const Exact& b) { return a.text != b.text ? a.text < b.text : a.model < b.model; });
}

bool PriceIndex::add_model(std::string_view line) {
  Model model;
  model.name = next_part(line, "\t");
  std::string_view match = next_part(line, "\t");
  std::string_view context = next_part(line, "\t");
  if (model.name.empty() || match.empty() || line.empty() || (!context.empty() && !number(context, &model.context))) return false;
  model.first_tier = static_cast<uint32_t>(tiers_.size());
  while (true) {
    const bool last = line.find('\t') == std::string_view::npos;
    if (!add_tier(next_part(line, "\t"))) return false;
    if (last) break;
  }
  model.tiers = static_cast<uint32_t>(tiers_.size()) - model.first_tier;
  const auto index = static_cast<uint32_t>(models_.size());
  models_.push_back(model);
  if (match == ".") {
    exact_.push_back({model.name, index});
    return true;
  }
  return add_match(match, index);
}

bool PriceIndex::add_match(std::string_view expression, uint32_t model) {
  while (!expression.empty()) {
    std::string_view terms = next_part(expression, " | ");
    if (terms.size() > 1 && terms[0] == '=' && terms.find('#') == std::string_view::npos && terms.find(" & ") == std::string_view::npos) {
      exact_.push_back({terms.substr(1), model});
      continue;
    }
    while (!terms.empty()) {
      std::string_view term = next_part(terms, " & ");
      const size_t kind = term.empty() ? std::string_view::npos : std::string_view("=^$*").find(term[0]);
      if (kind == std::string_view::npos || term.size() < 2) return false;
      rules_.push_back({static_cast<Match>(kind), !terms.empty(), term.find('#') != std::string_view::npos, model, term.substr(1)});
    }
  }
  return true;
}

bool PriceIndex::add_tier(std::string_view text) {
  Tier tier;
  for (size_t at; (at = text.find(';')) != std::string_view::npos;) {
    std::string_view part = next_part(text, ";");
    std::string_view name = next_part(part, "=");
    if (name == "since") {
      auto time = parse_time(part);
      if (!time) return false;
      tier.since_day = static_cast<int32_t>(seconds_of(*time) / 86400);
    } else if (name == "utc") {
      if (!minute_of_day(next_part(part, "-"), &tier.from_minute) || !minute_of_day(part, &tier.to_minute)) return false;
    } else if (name != "from" || !number(part, &tier.from_tokens)) {
      return false;
    }
  }
  for (size_t i = 0; !text.empty(); ++i) {
    if (i == std::size(tier.figures)) return false;
    std::string_view figure = next_part(text, ",");
    if (!figure.empty() && !number(figure, &tier.figures[i])) return false;
  }
  tiers_.push_back(tier);
  return true;
}

bool PriceIndex::rule_matches(const Rule& rule, std::string_view name) noexcept {
  if (name.size() < rule.text.size()) return false;
  const size_t spare = name.size() - rule.text.size();
  switch (rule.match) {
    case Match::kEquals: return spare == 0 && same_at(rule.text, name);
    case Match::kBegins: return same_at(rule.text, name);
    case Match::kEnds: return same_at(rule.text, name.substr(spare));
    case Match::kContains:
      if (!rule.has_digit) return name.find(rule.text) != std::string_view::npos;
      for (size_t at = 0; at <= spare; ++at) {
        if (same_at(rule.text, name.substr(at))) return true;
      }
      return false;
  }
  return false;
}

const Model* PriceIndex::find(std::string_view provider_name, std::string_view name) const noexcept {
  auto provider = std::lower_bound(providers_.begin(), providers_.end(), provider_name,
                                   [](const Provider& p, std::string_view text) { return p.name < text; });
  if (provider == providers_.end() || provider->name != provider_name) return nullptr;

  uint32_t best = static_cast<uint32_t>(models_.size());
  auto exact_end = exact_.begin() + provider->exact_end;
  auto exact = std::lower_bound(exact_.begin() + provider->exact_begin, exact_end, name,
                                [](const Exact& e, std::string_view text) { return e.text < text; });
  if (exact != exact_end && exact->text == name) best = exact->model;

  // Rules stand in the models' order: the first that matches is the one to weigh against the exact name.
  bool so_far = true;
  for (uint32_t i = provider->rule_begin; i < provider->rule_end && rules_[i].model < best; ++i) {
    so_far = so_far && rule_matches(rules_[i], name);
    if (rules_[i].and_next) continue;
    if (so_far) {
      best = rules_[i].model;
      break;
    }
    so_far = true;
  }
  return best == models_.size() ? nullptr : &models_[best];
}

const Tier* PriceIndex::tier(const Model& model, int64_t input_tokens, WallTime when) const noexcept {
  const int64_t seconds = seconds_of(when);
  const int64_t day = seconds >= 0 ? seconds / 86400 : 0;
  const int minute = seconds >= 0 ? static_cast<int>(seconds % 86400 / 60) : 0;
  const Tier* best = nullptr;
  for (uint32_t i = model.first_tier; i < model.first_tier + model.tiers; ++i) {
    const Tier& tier = tiers_[i];
    if (holds(tier, std::max<int64_t>(input_tokens, 0), day, minute) && (!best || more_telling(tier, *best))) best = &tier;
  }
  return best;
}

}  // namespace llmrouter::catalog
