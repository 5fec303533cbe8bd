#include "catch.h"
#include "llmrouter/llmrouter.h"
#include "llmrouter/values.h"

using namespace llmrouter;

namespace {

WallTime at(const char* text) { return parse_time(text).value(); }

PriceEntry entry(const char* match, int64_t input) {
  PriceEntry e;
  e.match = match;
  e.row.input = input;
  return e;
}

}  // namespace

TEST_CASE("a vendor's models have prices under the preset's name") {
  auto catalog = make_catalog();
  const WallTime now = at("2026-11-21");
  auto row = catalog->price("main", "openai", "gpt-4o", 100, now);
  REQUIRE(row);
  CHECK(row->input == 2500000);
  CHECK(row->output == 10000000);
  CHECK(row->cached == 1250000);
  CHECK(row->cache_write == -1);
  CHECK(row->reasoning == -1);
  CHECK(row->match == "openai gpt-4o");
  CHECK(row->as_of == "2026-08");

  // The preset's name is not always the one the facts use.
  CHECK(catalog->price("a", "xai", "grok-4.5", 1, now)->input == 2000000);
  CHECK(catalog->price("a", "bedrock", "us.amazon.nova-lite-v1:0", 1, now)->input == 60000);
  CHECK(catalog->price("a", "gemini", "gemini-2.5-pro", 1, now)->input == 1250000);
  CHECK(catalog->price("a", "vertex", "gemini-2.5-pro", 1, now)->input == 1250000);
  CHECK(catalog->price("a", "anthropic", "claude-haiku-4-5-20251001", 1, now)->output == 5000000);
  CHECK(catalog->price("a", "moonshot", "kimi-k2-0905-preview", 1, now).has_value());
  CHECK(catalog->price("a", "zai", "glm-4.7", 1, now).has_value());
  CHECK(catalog->price("a", "qwen", "qwen-max", 1, now).has_value());
  CHECK(catalog->price("a", "openrouter", "anthropic/claude-sonnet-4.5", 1, now)->input == 3000000);
}

TEST_CASE("names match in either case, and nothing else matches") {
  auto catalog = make_catalog();
  const WallTime now = at("2026-11-21");
  CHECK(catalog->price("a", "openai", "GPT-4o", 1, now).has_value());
  CHECK(catalog->price("a", "avian", "meta-llama-3.1-8b-instruct", 1, now)->match == "avian Meta-Llama-3.1-8B-Instruct");
  CHECK_FALSE(catalog->price("a", "openai", "gpt-4o-nonesuch", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "openai", "", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "", "gpt-4o", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "nobody", "gpt-4o", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "demo", "echo", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "zai-coding", "glm-4.7", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "anthropic", "claude-3-opus" + std::string(600, 'x'), 1, now).has_value());
}

TEST_CASE("a digit in an expression is a digit") {
  auto catalog = make_catalog();
  const WallTime now = at("2026-11-21");
  CHECK(catalog->price("a", "xai", "grok-4.5-20260801", 1, now)->match == "x-ai grok-4.5");
  CHECK_FALSE(catalog->price("a", "xai", "grok-4.5-2026080", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "xai", "grok-4.5-202608011", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "xai", "grok-4.5-2026080x", 1, now).has_value());
  CHECK(catalog->price("a", "gemini", "gemini-3.5-flash-001", 1, now).has_value());
  CHECK_FALSE(catalog->price("a", "gemini", "gemini-3.5-flash-exp", 1, now).has_value());
}

TEST_CASE("a large prompt is priced whole at the larger tier") {
  auto catalog = make_catalog();
  const WallTime now = at("2026-11-21");
  CHECK(catalog->price("a", "openai", "gpt-5.4", 271999, now)->input == 2500000);
  auto large = catalog->price("a", "openai", "gpt-5.4", 272000, now);
  REQUIRE(large);
  CHECK(large->input == 5000000);
  CHECK(large->match == "openai gpt-5.4 from 272000 tokens");
  CHECK(catalog->price("a", "openai", "gpt-5.4", -1, now)->input == 2500000);
}

TEST_CASE("a price holds from its day on, and replaces the tiers before it") {
  auto catalog = make_catalog();
  CHECK(catalog->price("a", "anthropic", "claude-sonnet-5", 1, at("2026-08-31T23:59:59.999999Z"))->input == 2000000);
  CHECK(catalog->price("a", "anthropic", "claude-sonnet-5", 1, at("2026-09-01T00:00:00Z"))->input == 3000000);
  CHECK(catalog->price("a", "anthropic", "claude-sonnet-4-6", 300000, at("2026-03-12"))->input == 6000000);
  CHECK(catalog->price("a", "anthropic", "claude-sonnet-4-6", 300000, at("2026-03-13"))->input == 3000000);
  CHECK(catalog->price("a", "anthropic", "claude-sonnet-5", 1, WallTime{})->input == 2000000);
}

TEST_CASE("a price may hold for some hours of the day") {
  auto catalog = make_catalog();
  CHECK(catalog->price("a", "deepseek", "deepseek-chat", 1, at("2026-11-21T00:29:59Z"))->input == 135000);
  CHECK(catalog->price("a", "deepseek", "deepseek-chat", 1, at("2026-11-21T00:30:00Z"))->input == 270000);
  CHECK(catalog->price("a", "deepseek", "deepseek-chat", 1, at("2026-11-21T16:29:59Z"))->input == 270000);
  CHECK(catalog->price("a", "deepseek", "deepseek-chat", 1, at("2026-11-21T16:30:00Z"))->input == 135000);
}

TEST_CASE("a market place names the seller in the model's name") {
  auto catalog = make_catalog();
  const WallTime now = at("2026-11-21");
  CHECK(catalog->price("hf", "huggingface", "openai/gpt-oss-120b:novita", 1, now)->match == "huggingface_novita openai/gpt-oss-120b");
  CHECK_FALSE(catalog->price("hf", "huggingface", "openai/gpt-oss-120b", 1, now).has_value());
  CHECK_FALSE(catalog->price("hf", "huggingface", "openai/gpt-oss-120b:nobody", 1, now).has_value());
}

TEST_CASE("a charge for each request is in the row") {
  auto row = make_catalog()->price("a", "perplexity", "sonar", 1, at("2026-11-21"));
  REQUIRE(row);
  CHECK(row->nano_per_request == 12000000);  // 12 USD for a thousand
}

TEST_CASE("what was looked up beforehand says the same as each lookup") {
  auto catalog = make_catalog({entry("mine/gpt-4o", 7)});
  struct Name {
    const char *provider, *type, *model;
  };
  int priced = 0, tiers = 0;
  for (const Name& n : {Name{"main", "openai", "gpt-4o"}, Name{"mine", "openai", "GPT-4o"}, Name{"main", "gemini", "gemini-2.5-pro"},
                        Name{"main", "deepseek", "deepseek-chat"}, Name{"main", "anthropic", "claude-sonnet-4-5"}, Name{"main", "openai", "of nobody"},
                        Name{"main", "", "gpt-4o"}}) {
    CAPTURE(n.provider, n.type, n.model);
    const auto prices = catalog->prices(n.provider, n.type, n.model);
    REQUIRE(prices);
    int64_t before = -1;
    for (const char* time : {"2024-03-01", "2025-09-05T03:00:00Z", "2026-11-21T17:00:00Z"}) {
      for (int64_t tokens : {0, 1000, 200001, 10000000}) {
        const auto row = catalog->price(n.provider, n.type, n.model, tokens, at(time));
        const PriceRow* const same = prices->at(tokens, at(time));
        REQUIRE((same != nullptr) == row.has_value());
        if (!row) continue;
        ++priced;
        tiers += before >= 0 && before != row->input;
        before = row->input;
        CHECK(same->match == row->match);
        CHECK(same->as_of == row->as_of);
        TokenUsage usage;
        usage.input = 1000001, usage.output = 2003, usage.cached = 301, usage.cache_write = 5005, usage.audio_input = 77, usage.audio_output = 99;
        CHECK(cost_nano_usd(usage, *same) == cost_nano_usd(usage, *row));
      }
    }
  }
  CHECK(priced > 30);
  CHECK(tiers > 0);
}

TEST_CASE("own entries come first, in their order") {
  PriceEntry priced = entry("lab/big", 5);
  priced.row.cached = 1;
  auto catalog = make_catalog({entry("lab/special-*", 1), priced, entry("lab/*", 7), entry("*/gpt-4o", 9), entry("LAB/small", 11)});
  const WallTime now = at("2026-11-21");
  auto big = catalog->price("lab", "", "big", 1, now);
  REQUIRE(big);
  CHECK(big->input == 5);
  CHECK(big->cached == 1);
  CHECK(big->match == "lab/big");
  CHECK(big->as_of == "configured");
  CHECK(catalog->price("lab", "", "special-1", 1, now)->input == 1);
  CHECK(catalog->price("Lab", "", "BIG", 1, now)->input == 5);
  CHECK(catalog->price("lab", "", "small", 1, now)->input == 7);  // `lab/*` stands before it
  CHECK(catalog->price("openai", "openai", "gpt-4o", 1, now)->input == 9);
  CHECK(catalog->price("openai", "openai", "gpt-4o-mini", 1, now)->input == 150000);
  CHECK_FALSE(catalog->price("labs", "", "big", 1, now).has_value());
}

TEST_CASE("a long own list keeps its order and finds its last line") {
  std::vector<PriceEntry> entries;
  for (int i = 0; i < 5000; ++i) {
    PriceEntry e;
    e.match = "lab/m" + std::to_string(i);
    e.row.input = i + 1;
    entries.push_back(e);
  }
  entries.push_back(entry("lab/m17", 99999));  // too late: the first counts
  auto catalog = make_catalog(entries);
  CHECK(catalog->price("lab", "", "m17", 1, WallTime{})->input == 18);
  CHECK(catalog->price("lab", "", "m4999", 1, WallTime{})->input == 5000);
  CHECK_FALSE(catalog->price("lab", "", "m5000", 1, WallTime{}).has_value());
}

TEST_CASE("facts hold the context window") {
  auto catalog = make_catalog();
  ModelFacts known = catalog->facts("anthropic", "claude-sonnet-4-5");
  CHECK(known.known);
  CHECK(known.context_window == 1000000);
  CHECK_FALSE(catalog->facts("anthropic", "nonesuch").known);
  CHECK_FALSE(catalog->facts("", "gpt-4o").known);
}
