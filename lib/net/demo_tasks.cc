#include "net/demo_tasks.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "wire/base64.h"
#include "wire/json_writer.h"

namespace llmrouter::net {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

constexpr int64_t kDimensions = 64;
constexpr int64_t kMostDimensions = 4096;

// Words in lower case; what is neither letter nor digit parts them.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool part = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if (part) words.back() += upper ? static_cast<char>(c | 0x20) : c;
    else if (!words.back().empty()) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

uint64_t hash_of(std::string_view text) noexcept {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// Each word adds a pseudo-random direction of its own.
std::vector<float> vector_of(const std::vector<std::string>& words, int64_t dimensions) {
  std::vector<double> sum(static_cast<size_t>(dimensions));
  auto add = [&](std::string_view word) {
    uint64_t state = hash_of(word);
    for (double& value : sum) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      value += static_cast<double>(static_cast<int64_t>(state) >> 11) / 4503599627370496.0;
    }
  };
  add("");
  for (const std::string& word : words) add(word);
  double length = 0;
  for (double value : sum) length += value * value;
  length = std::sqrt(length);
  std::vector<float> out;
  out.reserve(sum.size());
  for (double value : sum) out.push_back(static_cast<float>(value / length));
  return out;
}

void append_base64(const std::vector<float>& vector, std::string& out) {
  std::string bytes;
  for (float value : vector) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int b = 0; b < 4; ++b) bytes += static_cast<char>(bits >> (8 * b) & 0xff);
  }
  wire::append_base64(out, bytes);
}

// A text, an array of tokens (each a word), or an array of these.
bool read_inputs(JsonValue input, std::vector<std::vector<std::string>>& out) {
  auto tokens = [](JsonValue array) {
    std::vector<std::string> words;
    for (JsonValue token : JsonElements(array)) words.emplace_back(token.raw());
    return words;
  };
  if (input.is_string()) {
    out.push_back(words_of(input.string_or()));
    return true;
  }
  if (!input.is_array() || input.empty_container()) return false;
  if (wire::find_element(input, 0).is_number()) {
    out.push_back(tokens(input));
    return true;
  }
  for (JsonValue entry : JsonElements(input)) {
    if (!entry.is_string() && !entry.is_array()) return false;
    out.push_back(entry.is_string() ? words_of(entry.string_or()) : tokens(entry));
  }
  return true;
}

void write_usage(int64_t tokens, JsonWriter& w) {
  w.key("usage");
  w.begin_object();
  w.member("prompt_tokens", tokens);
  w.member("total_tokens", tokens);
  w.end_object();
}

}  // namespace

std::optional<DemoRequest::Fault> embed(JsonValue request, std::string_view model, std::string& out) {
  JsonValue input, format, dimensions_value;
  wire::pick(request, {{"input", &input}, {"encoding_format", &format}, {"dimensions", &dimensions_value}});
  std::vector<std::vector<std::string>> inputs;
  if (!read_inputs(input, inputs)) return DemoRequest::Fault{"'input' must be a string, an array of tokens, or an array of either", "input"};
  const int64_t dimensions = dimensions_value.integer().value_or(kDimensions);
  if (dimensions < 1 || dimensions > kMostDimensions) return DemoRequest::Fault{"'dimensions' must be between 1 and 4096", "dimensions"};
  const bool base64 = format.equals("base64");
  int64_t tokens = 0;
  JsonWriter w(out);
  w.begin_object();
  w.member("object", "list");
  w.key("data");
  w.begin_array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    tokens += static_cast<int64_t>(inputs[i].size());
    const std::vector<float> vector = vector_of(inputs[i], dimensions);
    w.begin_object();
    w.member("object", "embedding");
    w.member("index", i);
    w.key("embedding");
    if (base64) {
      std::string text;
      append_base64(vector, text);
      w.string(text);
    } else {
      w.begin_array();
      for (float value : vector) {
        char digits[32];
        w.raw({digits, static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
      }
      w.end_array();
    }
    w.end_object();
  }
  w.end_array();
  w.member("model", model);
  write_usage(tokens, w);
  w.end_object();
  return std::nullopt;
}

std::optional<DemoRequest::Fault> moderate(JsonValue request, std::string_view model, std::string_view id, std::string& out) {
  const JsonValue input = find_member(request, "input");
  std::vector<JsonValue> inputs;
  if (input.is_string()) inputs.push_back(input);
  for (JsonValue entry : JsonElements(input)) inputs.push_back(entry.is_object() ? find_member(entry, "text") : entry);
  if (inputs.empty()) return DemoRequest::Fault{"'input' must be a string or an array", "input"};
  JsonWriter w(out);
  w.begin_object();
  w.member("id", id);
  w.member("model", model);
  w.key("results");
  w.begin_array();
  for (JsonValue entry : inputs) {
    const std::vector<std::string> words = words_of(entry.string_or());
    const bool flagged = std::find(words.begin(), words.end(), "forbidden") != words.end();
    constexpr std::string_view kCategories[] = {"harassment", "hate", "illicit", "self-harm", "sexual", "violence"};
    w.begin_object();
    w.member("flagged", flagged);
    w.key("categories");
    w.begin_object();
    for (std::string_view category : kCategories) w.member(category, flagged && category == "illicit");
    w.end_object();
    w.key("category_scores");
    w.begin_object();
    for (std::string_view category : kCategories) w.member(category, flagged && category == "illicit" ? 0.99 : 0.01);
    w.end_object();
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return std::nullopt;
}

std::optional<DemoRequest::Fault> rerank(JsonValue request, std::string_view model, std::string_view id, std::string& out) {
  JsonValue query, documents, top;
  wire::pick(request, {{"query", &query}, {"documents", &documents}, {"top_n", &top}});
  if (!query.is_string()) return DemoRequest::Fault{"'query' must be a string", "query"};
  if (!documents.is_array() || documents.empty_container()) return DemoRequest::Fault{"'documents' must be an array of strings", "documents"};
  const std::vector<std::string> asked = words_of(query.string_or());
  int64_t tokens = static_cast<int64_t>(asked.size());
  std::vector<std::pair<double, size_t>> ranked;
  for (JsonValue document : JsonElements(documents)) {
    const std::vector<std::string> words = words_of((document.is_object() ? find_member(document, "text") : document).string_or());
    tokens += static_cast<int64_t>(words.size());
    const std::set<std::string_view> held(words.begin(), words.end());
    const auto found = std::count_if(asked.begin(), asked.end(), [&](const std::string& word) { return held.count(word) != 0; });
    ranked.emplace_back(static_cast<double>(found) / static_cast<double>(std::max<size_t>(1, asked.size())), ranked.size());
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const int64_t most = top.integer().value_or(static_cast<int64_t>(ranked.size()));
  ranked.resize(std::min(ranked.size(), static_cast<size_t>(std::max<int64_t>(0, most))));
  JsonWriter w(out);
  w.begin_object();
  w.member("id", id);
  w.member("model", model);
  w.key("results");
  w.begin_array();
  for (const auto& [score, index] : ranked) {
    w.begin_object();
    w.member("index", index);
    w.member("relevance_score", score);
    w.end_object();
  }
  w.end_array();
  write_usage(tokens, w);
  w.end_object();
  return std::nullopt;
}

}  // namespace llmrouter::net
