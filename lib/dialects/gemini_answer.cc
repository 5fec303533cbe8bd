// What answers are made of: finish reasons, counts, logprobs, sources, errors.
#include <algorithm>

#include "dialects/citation.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/text_index.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::gemini {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// --- counts ---

namespace {

// Counts beyond this are lies; sums of a few of them still fit.
constexpr int64_t kMaxCount = int64_t{1} << 50;

bool take(JsonValue value, int64_t& into) {
  const auto n = value.integer();
  if (!n || *n < 0 || *n > kMaxCount) return false;
  into = *n;
  return true;
}

// [{"modality":"AUDIO","tokenCount":7}]; the numbers are those of enum-encoding=int.
int64_t of_modality(JsonValue details, std::string_view word, int64_t number) {
  int64_t sum = 0, count = 0;
  for (JsonValue entry : JsonElements(details)) {
    const JsonValue modality = find_member(entry, "modality");
    if ((modality.equals(word) || modality.integer() == number) && take(find_field(entry, "tokenCount"), count)) sum += count;
  }
  return std::min(sum, kMaxCount);
}

}  // namespace

// Google counts thoughts beside the answer, and what its own tools read beside the prompt.
bool read_usage(JsonValue usage, TokenUsage& out) {
  TokenUsage u;
  int64_t prompt = 0, tools = 0, answer = 0;
  bool counted = false, has_prompt = false;
  for (const JsonMember& m : JsonMembers(usage)) {
    if (is_field(m.key, "promptTokenCount")) has_prompt = take(m.value, prompt) || has_prompt;
    else if (is_field(m.key, "toolUsePromptTokenCount")) take(m.value, tools);
    else if (is_field(m.key, "candidatesTokenCount") || is_field(m.key, "responseTokenCount")) counted = take(m.value, answer) || counted;
    else if (is_field(m.key, "thoughtsTokenCount")) counted = take(m.value, u.reasoning) || counted;
    else if (is_field(m.key, "cachedContentTokenCount")) take(m.value, u.cached);
    else if (is_field(m.key, "promptTokensDetails") || is_field(m.key, "toolUsePromptTokensDetails")) {
      u.audio_input += of_modality(m.value, "AUDIO", 4);
      u.image += of_modality(m.value, "IMAGE", 2);
    } else if (is_field(m.key, "cacheTokensDetails")) {
      u.cached_audio = of_modality(m.value, "AUDIO", 4);
    } else if (is_field(m.key, "candidatesTokensDetails")) {
      u.audio_output += of_modality(m.value, "AUDIO", 4);
    }
  }
  if (!counted && !has_prompt) return false;
  u.input = prompt + tools;
  u.output = answer + u.reasoning;
  u.cached = std::min(u.cached, u.input);
  u.audio_input = std::min(u.audio_input, u.input);
  u.cached_audio = std::min({u.cached_audio, u.cached, u.audio_input});
  u.image = std::min(u.image, u.input);
  u.audio_output = std::min(u.audio_output, u.output);
  u.known = true;
  mark_missing(u, has_prompt, true);  // Google leaves a count of nothing out
  out = u;
  return true;
}

TokenUsage usage_of_answer(JsonValue answer) {
  TokenUsage usage;
  JsonValue candidates, counts;
  for (const JsonMember& m : JsonMembers(answer)) {
    if (m.key == "candidates") candidates = m.value;
    else if (is_field(m.key, "usageMetadata") && !m.value.is_null()) counts = m.value;
  }
  if (!read_usage(counts, usage)) return usage;
  const JsonValue parts = wire::find(candidates, 0, "content", "parts");
  if (usage.output == 0 && parts.is_array() && !parts.empty_container()) mark_missing(usage, usage.input != 0, false);
  return usage;
}

namespace {

void write_modalities(std::string_view name, int64_t all, int64_t audio, int64_t image, JsonWriter& w) {
  w.key(name);
  w.begin_array();
  const auto one = [&](std::string_view modality, int64_t count) {
    if (count <= 0) return;
    w.begin_object();
    w.member("modality", modality);
    w.member("tokenCount", count);
    w.end_object();
  };
  one("TEXT", all - audio - image);
  one("AUDIO", audio);
  one("IMAGE", image);
  w.end_array();
}

}  // namespace

void write_usage(const TokenUsage& usage, JsonWriter& w) {
  w.key("usageMetadata");
  w.begin_object();
  w.member("promptTokenCount", usage.input);
  w.member("candidatesTokenCount", usage.output - usage.reasoning);
  w.member("totalTokenCount", usage.input + usage.output);
  if (usage.cached != 0) w.member("cachedContentTokenCount", usage.cached);
  if (usage.reasoning != 0) w.member("thoughtsTokenCount", usage.reasoning);
  write_modalities("promptTokensDetails", usage.input, usage.audio_input, usage.image, w);
  if (usage.audio_output != 0) write_modalities("candidatesTokensDetails", usage.output - usage.reasoning, usage.audio_output, 0, w);
  w.end_object();
}

// --- how it ended ---

namespace {

struct FinishRow {
  std::string_view word;
  FinishReason reason;
};
// The first seventeen stand at their numbers (Vertex AI's v1 definition).
constexpr FinishRow kFinishes[] = {
    {"FINISH_REASON_UNSPECIFIED", FinishReason::kNone},
    {"STOP", FinishReason::kStop},
    {"MAX_TOKENS", FinishReason::kLength},
    {"SAFETY", FinishReason::kContentFilter},
    {"RECITATION", FinishReason::kContentFilter},
    {"OTHER", FinishReason::kOther},
    {"BLOCKLIST", FinishReason::kContentFilter},
    {"PROHIBITED_CONTENT", FinishReason::kContentFilter},
    {"SPII", FinishReason::kContentFilter},
    {"MALFORMED_FUNCTION_CALL", FinishReason::kError},
    {"MODEL_ARMOR", FinishReason::kContentFilter},
    {"IMAGE_SAFETY", FinishReason::kContentFilter},
    {"IMAGE_PROHIBITED_CONTENT", FinishReason::kContentFilter},
    {"IMAGE_RECITATION", FinishReason::kContentFilter},
    {"IMAGE_OTHER", FinishReason::kOther},
    {"UNEXPECTED_TOOL_CALL", FinishReason::kOther},
    {"NO_IMAGE", FinishReason::kOther},
    {"LANGUAGE", FinishReason::kContentFilter},
    {"TOO_MANY_TOOL_CALLS", FinishReason::kError},
    {"MISSING_THOUGHT_SIGNATURE", FinishReason::kError},
    {"MALFORMED_RESPONSE", FinishReason::kError},
};
constexpr int64_t kNumbered = 17;

const FinishRow* find_finish(JsonValue value) noexcept {
  if (auto number = value.integer(); number && *number >= 0 && *number < kNumbered) return &kFinishes[*number];
  for (const FinishRow& row : kFinishes) {
    if (value.equals(row.word)) return &row;
  }
  return nullptr;
}

}  // namespace

FinishReason finish_reason_of(JsonValue value) noexcept {
  if (const FinishRow* row = find_finish(value)) return row->reason;
  return value.nonempty_string() || value.is_number() ? FinishReason::kOther : FinishReason::kNone;
}

std::string finish_text(JsonValue value) {
  if (const FinishRow* row = find_finish(value)) return std::string(row->word);
  return text_of_value(value);
}

std::string_view finish_word(FinishReason reason, std::string_view raw) noexcept {
  for (const FinishRow& row : kFinishes) {
    if (row.word == raw && row.reason != FinishReason::kNone) return row.word;
  }
  switch (reason) {
    case FinishReason::kLength: return "MAX_TOKENS";
    case FinishReason::kContentFilter: return "SAFETY";
    case FinishReason::kError:
    case FinishReason::kOther: return "OTHER";
    default: return "STOP";  // calls, too
  }
}

// --- logprobs ---

namespace {

void write_token(JsonValue candidate, JsonWriter& w) {
  w.member("token", find_member(candidate, "token").string_or());
  const JsonValue logprob = find_field(candidate, "logProbability");
  w.raw_member("logprob", logprob.is_number() ? logprob.raw() : std::string_view("-9999.0"));  // OpenAI's word for very unlikely
  w.raw_member("bytes", "null");
}

void write_google_token(JsonValue entry, JsonWriter& w) {
  w.begin_object();
  w.member("token", find_member(entry, "token").string_or());
  if (JsonValue logprob = find_member(entry, "logprob"); logprob.is_number()) w.raw_member("logProbability", logprob.raw());
  w.end_object();
}

}  // namespace

std::string openai_logprobs(JsonValue result) {
  const JsonValue chosen = find_field(result, "chosenCandidates");
  if (!chosen.is_array() || chosen.empty_container()) return {};
  JsonElements top(find_field(result, "topCandidates"));
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.key("content");
  w.begin_array();
  for (JsonValue candidate : JsonElements(chosen)) {
    w.begin_object();
    write_token(candidate, w);
    w.key("top_logprobs");
    w.begin_array();
    if (top.next()) {
      for (JsonValue other : JsonElements(find_member(*top, "candidates"))) {
        w.begin_object();
        write_token(other, w);
        w.end_object();
      }
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
  w.raw_member("refusal", "null");
  w.end_object();
  return out;
}

std::string google_logprobs(std::string_view openai) {
  const JsonValue content = find_member(JsonValue(openai), "content");
  if (!content.is_array() || content.empty_container()) return {};
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.key("chosenCandidates");
  w.begin_array();
  for (JsonValue entry : JsonElements(content)) write_google_token(entry, w);
  w.end_array();
  w.key("topCandidates");
  w.begin_array();
  for (JsonValue entry : JsonElements(content)) {
    w.begin_object();
    w.key("candidates");
    w.begin_array();
    for (JsonValue other : JsonElements(find_member(entry, "top_logprobs"))) write_google_token(other, w);
    w.end_array();
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

void join_logprobs(std::string& all, std::string_view more) {
  if (all.empty()) {
    all = more;
    return;
  }
  const JsonValue before = find_member(JsonValue(all), "content"), after = find_member(JsonValue(more), "content");
  if (!after.is_array() || after.empty_container()) return;
  if (!before.is_array() || before.empty_container()) {
    all = more;
    return;
  }
  const size_t end = static_cast<size_t>(before.raw().data() + before.raw().size() - 1 - all.data());
  const std::string_view inside = after.raw().substr(1, after.raw().size() - 2);
  all.insert(end, std::string(",").append(inside));
}

// --- sources ---

namespace {

// A page; or a document of the caller's own (`retrievedContext`), which may have no URL but a title and words.
bool is_source(JsonValue source) {
  return find_member(source, "uri").nonempty_string() || find_member(source, "title").nonempty_string() || find_member(source, "text").nonempty_string();
}

std::string citation(JsonValue source, int64_t begin, int64_t end) {
  std::string out;
  JsonWriter w(out);
  const std::string url = find_member(source, "uri").string_or(), title = find_member(source, "title").string_or(), words = find_member(source, "text").string_or();
  write_url_citation(begin, end, url, title, w, [&](JsonWriter& inside) {
    if (!url.empty()) return;
    inside.member("document_title", title);
    if (!words.empty()) inside.member("cited_text", words);
  });
  return out;
}

constexpr size_t kMaxAnnotations = 1000;

}  // namespace

std::vector<std::string> annotations_of(JsonValue grounding, std::string_view text) {
  std::vector<JsonValue> sources;
  for (JsonValue chunk : JsonElements(find_field(grounding, "groundingChunks"))) {
    JsonValue web = find_member(chunk, "web");
    if (!web.is_object()) web = find_field(chunk, "retrievedContext");
    if (!web.is_object()) web = find_member(chunk, "maps");
    sources.push_back(web);
  }
  std::vector<std::string> out;
  const TextIndex index(text);
  for (JsonValue support : JsonElements(find_field(grounding, "groundingSupports"))) {
    const JsonValue segment = find_member(support, "segment");
    const int64_t begin = index.character_at(find_field(segment, "startIndex").integer().value_or(0));
    const int64_t end = index.character_at(find_field(segment, "endIndex").integer().value_or(0));
    for (JsonValue number : JsonElements(find_field(support, "groundingChunkIndices"))) {
      const auto at = number.integer();
      if (!at || *at < 0 || static_cast<size_t>(*at) >= sources.size() || out.size() >= kMaxAnnotations) continue;
      const JsonValue source = sources[static_cast<size_t>(*at)];
      if (is_source(source)) out.push_back(citation(source, begin, end));
    }
  }
  if (!out.empty()) return out;
  for (JsonValue source : sources) {  // said without a place
    if (is_source(source) && out.size() < kMaxAnnotations) out.push_back(citation(source, 0, 0));
  }
  return out;
}

// A page, or a place without a URL: a document of the prompt. False: it says neither.
static bool write_grounding_chunk(JsonValue cited, JsonWriter& w) {
  const std::string url = find_member(cited, "url").string_or(), words = find_member(cited, "cited_text").string_or();
  std::string title = find_member(cited, "title").string_or();
  if (title.empty()) title = find_member(cited, "document_title").string_or();
  if (url.empty() && title.empty() && words.empty()) return false;
  w.begin_object();
  w.key(url.empty() ? "retrievedContext" : "web");
  w.begin_object();
  if (!url.empty()) w.member("uri", url);
  w.member("title", title);
  if (url.empty() && !words.empty()) w.member("text", words);
  w.end_object();
  w.end_object();
  return true;
}

std::string grounding_of(const std::vector<std::string>& annotations, std::string_view text) {
  std::string chunks, supports;
  JsonWriter c(chunks), s(supports);
  int64_t count = 0;
  const TextIndex index(text);
  for (const std::string& annotation : annotations) {
    if (count >= static_cast<int64_t>(kMaxAnnotations)) break;
    const JsonValue cited = find_member(JsonValue(annotation), "url_citation");
    if (!write_grounding_chunk(cited, c)) continue;
    const auto begin = find_member(cited, "start_index").integer(), end = find_member(cited, "end_index").integer();
    if (begin && end && *begin >= 0 && *end > *begin) {
      const size_t from = index.byte_at(*begin);
      const std::string_view words = index.between(*begin, *end);
      s.begin_object();
      s.key("segment");
      s.begin_object();
      s.member("startIndex", static_cast<int64_t>(from));
      s.member("endIndex", static_cast<int64_t>(from + words.size()));
      s.member("text", words);
      s.end_object();
      s.key("groundingChunkIndices");
      s.begin_array();
      s.integer(count);
      s.end_array();
      s.end_object();
    }
    ++count;
  }
  if (count == 0) return {};
  std::string out = R"({"groundingChunks":[)" + chunks + "]";
  if (!supports.empty()) out += R"(,"groundingSupports":[)" + supports + "]";
  return out + "}";
}

// --- errors ---

namespace {

// google.rpc.Code by HTTP status.
std::string_view status_word(int status) noexcept {
  switch (status) {
    case 400: case 405: case 411: case 413: case 415: case 422: case 431: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 402: return "FAILED_PRECONDITION";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 408: case 504: return "DEADLINE_EXCEEDED";
    case 409: return "ABORTED";
    case 429: return "RESOURCE_EXHAUSTED";
    case 499: return "CANCELLED";
    case 501: return "UNIMPLEMENTED";
    case 502: case 503: case 529: return "UNAVAILABLE";
    default: return status >= 400 && status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}

}  // namespace

void write_error(const Error& error, std::string& out) {
  const int status = error.http_status();
  std::string reason(code_name(error.code));
  for (char& c : reason) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  JsonWriter w(out);
  w.begin_object();
  w.key("error");
  w.begin_object();
  w.member("code", status);
  w.member("message", error.message);
  w.member("status", status_word(status));
  w.key("details");
  w.begin_array();
  w.begin_object();
  w.member("@type", "type.googleapis.com/google.rpc.ErrorInfo");
  w.member("reason", reason);
  w.member("domain", "llmrouter");
  if (!error.param.empty() || !error.upstream_code.empty()) {
    w.key("metadata");
    w.begin_object();
    if (!error.param.empty()) w.member("field", error.param);
    if (!error.upstream_code.empty()) w.member("upstreamCode", error.upstream_code);
    w.end_object();
  }
  w.end_object();
  if (error.retry_after.count() > 0) {
    w.begin_object();
    w.member("@type", "type.googleapis.com/google.rpc.RetryInfo");
    w.member("retryDelay", std::to_string((error.retry_after.count() + 999) / 1000) + "s");
    w.end_object();
  }
  w.end_array();
  w.end_object();
  w.end_object();
}

}  // namespace llmrouter::dialects::gemini
