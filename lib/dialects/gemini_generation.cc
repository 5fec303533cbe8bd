// How a ChatRequest wants its answer, as generationConfig.
#include <algorithm>
#include <limits>

#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Gemini's API";
constexpr size_t kMaxStops = 5;
constexpr int64_t kMaxCandidates = 8;
// Budgets that the 2.5 models take (flash from 0, pro from 128).
constexpr int64_t kLeastOfPro = 128, kMostOfPro = 32768, kMostOfFlash = 24576;

class GenerationWriter {
 public:
  GenerationWriter(const ChatRequest& request, const ModelTraits& model, bool foreign, std::string& out, std::vector<std::string>& dropped)
      : request_(request), model_(model), foreign_(foreign), w_(out), dropped_(dropped) {}

  Result<void> run() {
    write_sampling();
    write_format();
    write_thinking();
    write_modalities();
    if (!foreign_) write_own("generationConfig.", "generationConfig.thinkingConfig.");
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  void fail(Error error) {
    if (error_.code == ErrorCode::kNone) error_ = std::move(error);
  }
  template <typename T>
  void optional(std::string_view name, const std::optional<T>& value) {
    if (value) w_.member(name, *value);
  }

  void write_sampling() {
    optional("temperature", request_.temperature);
    optional("topP", request_.top_p);
    optional("topK", request_.top_k);
    optional("maxOutputTokens", request_.max_tokens);
    optional("presencePenalty", request_.presence_penalty);
    optional("frequencyPenalty", request_.frequency_penalty);
    optional("responseLogprobs", request_.logprobs);
    optional("logprobs", request_.top_logprobs);
    if (request_.n.value_or(1) > kMaxCandidates) fail(cannot_express("n", "more than 8 choices", kTarget));
    optional("candidateCount", request_.n);
    if (request_.seed) {
      const bool fits = *request_.seed >= std::numeric_limits<int32_t>::min() && *request_.seed <= std::numeric_limits<int32_t>::max();
      if (fits) w_.member("seed", *request_.seed);
      else add_dropped(dropped_, "seed");
    }
    if (request_.stop.empty()) return;
    if (request_.stop.size() > kMaxStops) fail(cannot_express("stop", "more than 5 stop sequences", kTarget));
    w_.key("stopSequences");
    w_.begin_array();
    for (const std::string& word : request_.stop) w_.string(word);
    w_.end_array();
  }

  void write_format() {
    const ResponseFormat& format = request_.response_format;
    JsonValue schema;
    switch (format.kind) {
      case ResponseFormat::Kind::kUnset: return;
      case ResponseFormat::Kind::kText: return w_.member("responseMimeType", "text/plain");
      case ResponseFormat::Kind::kJsonObject: return w_.member("responseMimeType", "application/json");
      case ResponseFormat::Kind::kJsonSchema: schema = JsonValue(format.schema); break;
      case ResponseFormat::Kind::kRaw: {
        const JsonValue raw(format.raw);
        if (wire::find_member(raw, "type").equals("text/x.enum")) return write_enum(wire::find_member(raw, "schema"));
        schema = wire::find_member(raw, "schema");  // llama.cpp's way
        if (!schema.is_object()) schema = wire::find(raw, "json_schema", "schema");
        if (!schema.is_object()) return fail(cannot_express("response_format", "this format", kTarget));
      }
    }
    w_.member("responseMimeType", "application/json");
    if (model_.takes_json_schema) return w_.raw_member("responseJsonSchema", schema.raw());
    if (const std::string google = google_schema_of(schema, "response_format.", dropped_); !google.empty()) w_.raw_member("responseSchema", google);
  }

  void write_enum(JsonValue schema) {
    w_.member("responseMimeType", "text/x.enum");
    w_.raw_member("responseSchema", schema.raw());
  }

  // --- thinking: a level for 3 and later, a budget before; never both ---

  bool asked_to_think() const {
    return request_.reasoning.value_or(false) || request_.reasoning_budget.value_or(0) > 0 || !request_.reasoning_summary.empty() ||
           (!request_.reasoning_effort.empty() && request_.reasoning_effort != "none");
  }

  void write_thinking() {
    std::string inner;
    JsonWriter t(inner);
    t.begin_object();
    const bool off = request_.reasoning_effort == "none" || request_.reasoning_budget == 0 || request_.reasoning == false;
    if (!model_.thinks) {
      if (!request_.reasoning_effort.empty() && !off) add_dropped(dropped_, "reasoning_effort");
      else if (request_.reasoning_budget.value_or(0) > 0) add_dropped(dropped_, "reasoning_budget");
    } else {
      // In other dialects who asks for thoughts gets to see them; here that is a wish of its own.
      if (foreign_ ? asked_to_think() : !request_.reasoning_summary.empty()) t.member("includeThoughts", true);
      if (model_.has_levels && !(request_.reasoning_budget && !foreign_)) write_level(off, t);
      else write_budget(off, t);
    }
    if (!foreign_) copy_own("generationConfig.thinkingConfig.", t);
    t.end_object();
    if (inner.size() > 2) w_.raw_member("thinkingConfig", inner);
  }

  void write_level(bool off, JsonWriter& t) {
    std::string level = request_.reasoning_effort;
    if (level.empty() && request_.reasoning_budget) {
      level = effort_of_budget(*request_.reasoning_budget);
    }
    if (off) level = "minimal";
    if (level.empty()) return;
    if (!foreign_ && !off) return t.member("thinkingLevel", level);
    if (level == "xhigh" || level == "max") level = "high";
    if (level != "minimal" && level != "low" && level != "medium" && level != "high") {
      add_dropped(dropped_, "reasoning_effort");
      return;
    }
    // The pro models have no least level; the first of them none in the middle either.
    if (model_.pro && level == "minimal") level = "low";
    if (model_.pro && level == "medium" && model_.major == 3 && model_.minor == 0) level = "high";
    if (off) add_dropped(dropped_, "reasoning_effort");  // these models always think, if only a little
    t.member("thinkingLevel", level);
  }

  void write_budget(bool off, JsonWriter& t) {
    std::optional<int64_t> budget = request_.reasoning_budget;
    const std::string& effort = request_.reasoning_effort;
    if (off) budget = 0;
    else if (budget) budget = foreign_ ? std::min(*budget, model_.pro ? kMostOfPro : kMostOfFlash) : *budget;
    else if (!effort.empty()) budget = budget_of_effort(effort);
    else if (request_.reasoning.value_or(false)) budget = -1;  // as much as it likes
    if (!budget) return;
    if (model_.pro && foreign_ && *budget >= 0 && *budget < kLeastOfPro) {
      if (off) add_dropped(dropped_, "reasoning_effort");
      budget = kLeastOfPro;
    }
    t.member("thinkingBudget", *budget);
  }

  // `modalities` of OpenAI's clients and of our own reader.
  void write_modalities() {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key != "modalities") return;
      if (foreign_) {
        if (m.value.raw().find("\"audio\"") != std::string_view::npos) return fail(cannot_express("modalities", "an answer in audio", kTarget));
        if (m.value.raw().find("\"image\"") == std::string_view::npos) return;  // text is what comes anyway
      }
      w_.key("responseModalities");
      w_.begin_array();
      for (JsonValue kind : wire::JsonElements(m.value)) {
        std::string word = kind.string_or();
        for (char& c : word) {
          if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
        }
        w_.string(word);
      }
      w_.end_array();
    });
  }

  // Extras that our reader kept under their path.
  void copy_own(std::string_view prefix, JsonWriter& w) {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key.substr(0, prefix.size()) == prefix) w.raw_member(m.key.substr(prefix.size()), m.value.raw());
    });
  }
  void write_own(std::string_view prefix, std::string_view but) {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      const bool mine = m.key.substr(0, prefix.size()) == prefix && m.key.substr(0, but.size()) != but;
      if (mine) w_.raw_member(m.key.substr(prefix.size()), m.value.raw());
    });
  }

  const ChatRequest& request_;
  const ModelTraits& model_;
  const bool foreign_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  Error error_;
};

}  // namespace

Result<void> write_generation(const ChatRequest& request, const ModelTraits& model, bool foreign, std::string& out,
                              std::vector<std::string>& dropped) {
  return GenerationWriter(request, model, foreign, out, dropped).run();
}

}  // namespace llmrouter::dialects::gemini
