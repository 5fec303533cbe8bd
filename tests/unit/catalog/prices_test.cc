// The built-in text against its own format, and against the table of facts it was written from.
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "catalog/price_index.h"
#include "catch.h"
#include "llmrouter/llmrouter.h"
#include "llmrouter/values.h"

using namespace llmrouter;

namespace {

using Row = std::map<std::string, std::string>;

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  size_t from = 0;
  for (size_t at; (at = text.find(by, from)) != std::string::npos; from = at + by.size()) parts.push_back(text.substr(from, at - from));
  parts.push_back(text.substr(from));
  return parts;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::vector<Row> read_facts(const std::string& path) {
  std::vector<Row> rows;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return rows;
  const std::vector<std::string> names = split(line, "\t");
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = split(line, "\t");
    Row row;
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = i < fields.size() ? fields[i] : "";
    rows.push_back(row);
  }
  return rows;
}

// The expressions of the facts, read by other means than the product's. They hold no & and no inner parentheses; a test says so.
std::vector<std::string> terms(std::string match) {
  if (match.front() == '(' && match.back() == ')') match = match.substr(1, match.size() - 2);
  return split(match, " | ");
}

bool term_matches(const std::string& term, const std::string& name) {
  const std::string text = lower(term.substr(1));
  switch (term[0]) {
    case '=': return name == text;
    case '^': return name.rfind(text, 0) == 0;
    case '$': return name.size() >= text.size() && name.compare(name.size() - text.size(), text.size(), text) == 0;
    case '*': return name.find(text) != std::string::npos;
    case '~': return std::regex_search(name, std::regex(term.substr(1)));
  }
  return false;
}

bool row_matches(const Row& row, const std::string& name) {
  for (const std::string& term : terms(row.at("match"))) {
    if (term_matches(term, lower(name))) return true;
  }
  return false;
}

int64_t number(const std::string& text, int64_t otherwise) { return text.empty() ? otherwise : std::stoll(text); }

// A moment at which this row and none of its model's other rows with the same tier holds.
WallTime moment(const Row& row, bool others_are_later, bool others_are_timed) {
  if (!row.at("note").empty()) return parse_time("2026-08-15T12:00:00Z").value();
  if (others_are_timed) return parse_time("2026-08-15T20:00:00Z").value();
  if (!row.at("valid_from").empty()) return parse_time(row.at("valid_from")).value();
  return parse_time(others_are_later ? "2024-01-01" : "2026-08-15").value();
}

}  // namespace

TEST_CASE("the built-in text keeps to its format") {
  catalog::PriceIndex index(catalog::built_in_prices());
  CHECK(index.bad_lines() == 0);
  CHECK(index.models() > 1600);
  CHECK(catalog::built_in_as_of() == "2026-08");
}

TEST_CASE("a line that is not in the format is left out and counted") {
  const char* bad[] = {"m\t.\t",
                       "m\t.\tx\t1",
                       "m\t\t\t1",
                       "\t.\t\t1",
                       "m\t=\t\t1",
                       "m\t?m\t\t1",
                       "m\t=a & \t\t1,2,x",
                       "m\t.\t\t1,2,3,4,5,6,7,8,9",
                       "m\t.\t\tsince=never;1",
                       "m\t.\t\tutc=25:00-26:00;1",
                       "m\t.\t\tfrom=;1",
                       "m\t.\t\tuntil=3;1",
                       "m"};
  for (const char* line : bad) {
    CAPTURE(line);
    const std::string text = std::string("@p\n") + line + "\ngood\t.\t5\t1,2\n";
    catalog::PriceIndex index(text);
    CHECK(index.bad_lines() == 1);
    REQUIRE(index.find("p", "good"));
    CHECK(index.find("p", "good")->context == 5);
  }
  CHECK(catalog::PriceIndex("m\t.\t\t1\n").bad_lines() == 1);  // before any provider
  CHECK(catalog::PriceIndex("").models() == 0);
}

TEST_CASE("expressions: alternatives, conjunctions, order") {
  catalog::PriceIndex index(
      "@p\n"
      "a\t^x- & $-y & *mid\t\t1\n"
      "b\t=exact | ^x-\t\t2\n"
      "c\t$-y\t\t3\n"
      "d\t=x-late\t\t4\n"
      "@o\n"
      "a\t*\t\t1\n"
      "e\t*a#b\t\t5\n");
  auto name = [&](const char* text) { return std::string(index.find("p", text) ? index.find("p", text)->name : "none"); };
  CHECK(name("x-mid-y") == "a");
  CHECK(name("x-other-y") == "b");
  CHECK(name("z-mid-y") == "c");
  CHECK(name("exact") == "b");
  CHECK(name("x-late") == "b");  // the first that matches, though the last is exact
  CHECK(name("nothing") == "none");
  CHECK(name("") == "none");
  CHECK(index.bad_lines() == 1);  // a `*` with nothing to contain
  CHECK(index.find("o", "xxa7byy"));
  CHECK_FALSE(index.find("o", "xxacbyy"));
  CHECK_FALSE(index.find("q", "exact"));
}

TEST_CASE("every row of the facts is in the catalogue") {
  const std::string path = std::string(LLMROUTER_SOURCE_DIR) + "/../shared/facts/model_prices.tsv";
  const std::vector<Row> rows = read_facts(path);
  if (rows.empty()) {
    WARN("skipped: no table of facts at " << path);
    return;
  }
  REQUIRE(rows.size() > 1600);
  auto catalog = make_catalog();
  size_t checked = 0;
  for (const Row& row : rows) {
    CAPTURE(row.at("provider"), row.at("model"), row.at("match"), row.at("tier_from"), row.at("valid_from"));
    REQUIRE(row.at("match").find('&') == std::string::npos);

    // A name of its own: the model's, or one that its expression spells out.
    std::vector<std::string> names = {row.at("model")};
    for (const std::string& term : terms(row.at("match"))) {
      if (term[0] != '~') names.push_back(term.substr(1));
    }
    bool later = false, timed = false;
    for (const Row& other : rows) {
      if (other.at("provider") != row.at("provider") || other.at("model") != row.at("model")) continue;
      later = later || !other.at("valid_from").empty();
      timed = timed || !other.at("note").empty();
    }
    size_t own = 0;
    for (const std::string& name : names) {
      const Row* first = nullptr;
      for (const Row& other : rows) {
        if (!first && other.at("provider") == row.at("provider") && row_matches(other, name)) first = &other;
      }
      if (!first || first->at("model") != row.at("model")) continue;
      ++own;
      auto price = catalog->price("any", row.at("provider"), name, number(row.at("tier_from"), 0), moment(row, later, timed));
      REQUIRE(price);
      CHECK(price->input == number(row.at("input"), 0));
      CHECK(price->output == number(row.at("output"), 0));
      CHECK(price->cached == number(row.at("cache_read"), -1));
      CHECK(price->cache_write == number(row.at("cache_write"), -1));
      CHECK(price->audio_input == number(row.at("input_audio"), -1));
      CHECK(price->audio_output == number(row.at("output_audio"), -1));
      CHECK(price->cached_audio == number(row.at("cache_audio_read"), -1));
      CHECK(price->reasoning == -1);
      CHECK(price->nano_per_request == number(row.at("per_1k_requests"), 0));
      CHECK(price->match.find(row.at("provider") + " " + row.at("model")) == 0);
      CHECK(catalog->facts(row.at("provider"), name).context_window == number(row.at("context"), 0));
      ++checked;
    }
    CHECK(own > 0);
  }
  CHECK(checked > rows.size());
}
