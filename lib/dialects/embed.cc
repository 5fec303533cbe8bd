// Embeddings in what the vendors have in common: inputs, what they are for, vectors.
#include <charconv>
#include <cstring>

#include "dialects/task_codec.h"
#include "dialects/text_match.h"
#include "wire/base64.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects {

using wire::JsonElements;
using wire::JsonValue;

namespace {

int64_t text_tokens(JsonValue string) noexcept { return static_cast<int64_t>((string.raw().size() - 2 + 3) / 4); }

bool all_integers(JsonValue array, int64_t* count) noexcept {
  *count = 0;
  for (JsonValue token : JsonElements(array)) {
    if (!token.integer()) return false;
    ++*count;
  }
  return *count != 0;
}

}  // namespace

void scan_inputs(std::string_view name, JsonValue value, Fields& fields, RequestFacts& facts) {
  constexpr std::string_view kWanted = "a string, an array of tokens, or an array of strings or of arrays of tokens";
  facts.inputs = 0;
  if (value.is_unset()) return fields.fail(missing(std::string(name), kWanted));
  if (value.is_string()) {
    facts.inputs = 1;
    facts.input_tokens += text_tokens(value);
    return;
  }
  if (!value.is_array()) return fields.fail(wrong_type(std::string(name), kWanted, value));
  if (value.empty_container()) return fields.fail(wrong_value(std::string(name), "an array with at least one input"));
  int64_t tokens = 0;
  if (all_integers(value, &tokens)) {
    facts.inputs = 1;
    facts.input_tokens += tokens;
    return;
  }
  for (JsonValue entry : JsonElements(value)) {
    if (entry.is_string()) facts.input_tokens += text_tokens(entry);
    else if (entry.is_array() && all_integers(entry, &tokens)) facts.input_tokens += tokens;
    else if (entry.is_object()) facts.input_tokens += static_cast<int64_t>(entry.raw().size() / 4);  // a picture or the like: its own dialect's
    else return fields.fail(wrong_type(path(name, static_cast<size_t>(facts.inputs)), "a string or an array of tokens", entry));
    ++facts.inputs;
  }
}

void read_inputs(std::string_view name, JsonValue value, Fields& fields, std::vector<EmbedInput>& out) {
  auto add = [&](JsonValue entry, const std::string& where) {
    EmbedInput input;
    if (!entry.string(input.text)) {
      if (!entry.is_array()) return fields.fail(cannot_express(where, "an input that is no text", "another dialect"));
      for (JsonValue token : JsonElements(entry)) input.tokens.push_back(token.integer().value_or(0));
    }
    out.push_back(std::move(input));
  };
  int64_t tokens = 0;
  if (!value.is_array() || all_integers(value, &tokens)) return add(value, std::string(name));
  size_t i = 0;
  for (JsonValue entry : JsonElements(value)) {
    if (!fields.check_count(name, i + 1)) return;
    add(entry, path(name, i++));
    if (!fields.ok()) return;
  }
}

Result<void> write_texts(const std::vector<EmbedInput>& inputs, std::string_view target, std::string& out) {
  out += '[';
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].tokens.empty()) return cannot_express(path("input", i), "an input in tokens", target);
    if (i != 0) out += ',';
    wire::append_json_string(out, inputs[i].text);
  }
  out += ']';
  return {};
}

EmbedUse embed_use_of(std::string_view word) noexcept {
  struct Row {
    std::string_view word;
    EmbedUse use;
  };
  static constexpr Row kRows[] = {
      // Cohere; Voyage; Jina; Gemini; NVIDIA.
      {"search_query", EmbedUse::kQuery},
      {"query", EmbedUse::kQuery},
      {"retrieval.query", EmbedUse::kQuery},
      {"retrieval_query", EmbedUse::kQuery},
      {"search_document", EmbedUse::kDocument},
      {"document", EmbedUse::kDocument},
      {"passage", EmbedUse::kDocument},
      {"retrieval.passage", EmbedUse::kDocument},
      {"retrieval_document", EmbedUse::kDocument},
      {"classification", EmbedUse::kClassification},
      {"clustering", EmbedUse::kClustering},
      {"separation", EmbedUse::kClustering},
      {"semantic_similarity", EmbedUse::kSimilarity},
      {"text-matching", EmbedUse::kSimilarity},
  };
  for (const Row& row : kRows) {
    if (equals_ci(word, row.word)) return row.use;
  }
  return word.empty() || equals_ci(word, "task_type_unspecified") ? EmbedUse::kUnset : EmbedUse::kOther;
}

void read_use(std::string_view word, EmbedRequest& out) {
  out.use = embed_use_of(word);
  if (out.use == EmbedUse::kOther) out.use_raw = word;
}

bool read_vector(JsonValue value, std::vector<float>& out) {
  out.clear();
  if (value.is_string()) {
    std::string scratch;
    auto bytes = wire::decode_base64(value.string_view(scratch).value_or(std::string_view()));
    if (!bytes || bytes->size() % 4 != 0) return false;
    out.resize(bytes->size() / 4);
    for (size_t i = 0; i < out.size(); ++i) {
      uint32_t bits = 0;
      for (size_t b = 4; b-- > 0;) bits = bits << 8 | static_cast<unsigned char>((*bytes)[i * 4 + b]);
      std::memcpy(&out[i], &bits, sizeof bits);
    }
    return !out.empty();
  }
  if (!value.is_array()) return false;
  for (JsonValue number : JsonElements(value)) {
    const std::optional<double> n = number.number();
    if (!n) return false;
    out.push_back(static_cast<float>(*n));
  }
  return !out.empty();
}

void append_vector(const std::vector<float>& vector, std::string& out) {
  out += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i != 0) out += ',';
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, vector[i]).ptr;
    const std::string_view text(digits, static_cast<size_t>(end - digits));
    out += text.find_first_of("in") == std::string_view::npos ? text : std::string_view("null");  // inf and nan, which JSON cannot say
  }
  out += ']';
}

void append_vector_base64(const std::vector<float>& vector, std::string& out) {
  std::string bytes;
  bytes.reserve(vector.size() * 4);
  for (float value : vector) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int b = 0; b < 4; ++b) bytes += static_cast<char>(bits >> (8 * b) & 0xff);
  }
  out += '"';
  wire::append_base64(out, bytes);
  out += '"';
}

}  // namespace llmrouter::dialects
