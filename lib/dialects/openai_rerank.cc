// Ranking as Jina, Voyage, vLLM and TEI have it, both ways.
#include <algorithm>

#include "dialects/fault.h"
#include "dialects/openai_tasks.h"
#include "dialects/usage.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

bool asks_like_voyage(const std::vector<MemberSpan>& members) noexcept {
  return std::any_of(members.begin(), members.end(), [](const MemberSpan& m) { return m.name == "top_k" || m.name == "truncation"; });
}

void scan_rerank(std::string_view body, RequestFacts& facts, Fields& fields) {
  bool query = false, documents = false;
  size_t bytes = 0;
  for (const MemberSpan& m : facts.members) {
    const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
    if (m.name == "query") {
      query = true;
      bytes += value.raw().size();
      if (!value.is_string() && !value.is_object()) return fields.fail(wrong_type("query", "a string", value));
    } else if (m.name == "documents") {
      documents = true;
      bytes += value.raw().size();
      if (!value.is_array()) return fields.fail(wrong_type("documents", "an array of strings", value));
      if (value.empty_container()) return fields.fail(wrong_value("documents", "an array with at least one document"));
      size_t i = 0;
      for (JsonValue document : JsonElements(value)) {
        if (!document.is_string() && !document.is_object()) return fields.fail(wrong_type(path("documents", i), "a string or an object", document));
        ++i;
      }
    } else if (m.name == "top_n" || m.name == "top_k") {
      std::optional<int64_t> top;
      fields.read(m.name, value, top);
      if (top && *top < 1) return fields.fail(wrong_value(m.name, "a positive integer"));
    } else if (m.name == "user") {
      fields.read(m.name, value, facts.user);
    }
  }
  if (!query) return fields.fail(missing("query", "a string"));
  if (!documents) return fields.fail(missing("documents", "an array of strings"));
  facts.input_tokens = static_cast<int64_t>((bytes + 3) / 4);
}

Result<TaskRequest> read_rerank(std::string_view body) {
  TaskRequest out;
  out.operation = Operation::kRerank;
  Fields fields;
  for (const JsonMember& m : JsonMembers(JsonValue(body))) {
    if (m.key == "model") {
      fields.read(m.key, m.value, out.model);
    } else if (m.key == "query") {
      if (!m.value.string(out.rerank.query)) fields.fail(cannot_express("query", "a query that is no text", "another dialect"));
    } else if (m.key == "documents") {
      for (JsonValue document : JsonElements(m.value)) {
        RerankDocument d;
        if (!document.string(d.text)) {
          d.raw = document.raw();
          find_member(document, "text").string(d.text);
        }
        out.rerank.documents.push_back(std::move(d));
      }
    } else if (m.key == "top_n" || m.key == "top_k") {
      if (!m.value.is_unset()) fields.read(m.key, m.value, out.rerank.top_n);
    } else if (m.key == "max_tokens_per_doc") {
      fields.read(m.key, m.value, out.rerank.max_tokens_per_doc);
    } else if (m.key != "return_documents" && !m.value.is_null()) {  // what comes back is put in here
      add_member(out.extras, m.raw);
    }
  }
  if (!fields.ok()) return fields.take_error();
  return out;
}

Result<void> write_rerank(const TaskRequest& request, std::string_view model, const TaskQuirks& quirks, bool foreign, std::string& out,
                          std::vector<std::string>& dropped) {
  const RerankRequest& rerank = request.rerank;
  JsonWriter w(out);
  w.begin_object();
  if (!quirks.tei_rerank) w.member("model", model);
  w.member("query", rerank.query);
  w.key(quirks.tei_rerank ? "texts" : "documents");
  w.begin_array();
  for (size_t i = 0; i < rerank.documents.size(); ++i) {
    const RerankDocument& document = rerank.documents[i];
    const bool text_alone = quirks.tei_rerank || quirks.voyage_names;
    if (text_alone && !document.raw.empty() && document.text.empty()) return cannot_express(path("documents", i), "a document that is no text", "this provider");
    if (!document.raw.empty() && !text_alone) w.raw(document.raw);
    else w.string(document.text);
  }
  w.end_array();
  if (rerank.top_n && !quirks.tei_rerank) w.member(quirks.voyage_names ? "top_k" : "top_n", *rerank.top_n);  // TEI ranks all; cut later
  if (rerank.max_tokens_per_doc) add_dropped(dropped, "max_tokens_per_doc");
  if (foreign || quirks.voyage_names || quirks.tei_rerank) {
    for_each_member(request.extras, [&](const JsonMember& m) { add_dropped(dropped, m.key); });
  } else {
    w.raw_members(request.extras);
  }
  w.end_object();
  return {};
}

Result<TaskResponse> read_rerank_answer(JsonValue root, std::string_view key) {
  TaskResponse out;
  JsonValue list = root;  // TEI answers the bare array
  if (root.is_object()) {
    JsonValue results, data, id, model;
    wire::pick(root, {{"results", &results}, {"data", &data}, {"id", &id}, {"model", &model}});
    list = results.is_array() ? results : data;
    id.string(out.id);
    model.string(out.model);
    out.usage = read_task_usage(last_told(root, "usage"));
    out.search_units = wire::find(root, "meta", "billed_units", "search_units").integer().value_or(0);
  }
  if (!list.is_array()) return unreadable("the upstream's answer has no `results`", root.raw(), key);
  for (JsonValue entry : JsonElements(list)) {
    JsonValue index, relevance, score;
    wire::pick(entry, {{"index", &index}, {"relevance_score", &relevance}, {"score", &score}});
    const std::optional<double> value = relevance.is_number() ? relevance.number() : score.number();
    if (!index.integer() || !value) return unreadable("the upstream's answer has a result without index or score", root.raw(), key);
    out.ranked.push_back({*index.integer(), *value});
  }
  std::stable_sort(out.ranked.begin(), out.ranked.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  return out;
}

void write_rerank_answer(const TaskResponse& response, std::string_view model, std::string_view body, std::string& out) {
  std::vector<JsonValue> documents;
  bool voyage = false;
  std::optional<bool> wanted;
  std::optional<int64_t> top;
  for (const JsonMember& m : JsonMembers(JsonValue(body))) {
    voyage = voyage || m.key == "top_k" || m.key == "truncation";
    if (m.key == "return_documents") wanted = m.value.boolean();
    if (m.key == "top_n" || m.key == "top_k") top = m.value.integer();
    if (m.key == "documents") for (JsonValue document : JsonElements(m.value)) documents.push_back(document);
  }
  const size_t count = std::min(response.ranked.size(), static_cast<size_t>(top.value_or(INT64_MAX)));
  JsonWriter w(out);
  w.begin_object();
  if (!response.id.empty()) w.member("id", response.id);
  w.member("object", "list");
  w.member("model", response.model.empty() ? model : std::string_view(response.model));
  w.key(voyage ? "data" : "results");
  w.begin_array();
  for (size_t i = 0; i < count; ++i) {
    const Ranked& ranked = response.ranked[i];
    w.begin_object();
    w.member("index", ranked.index);
    w.member("relevance_score", ranked.score);
    const auto at = static_cast<size_t>(ranked.index);
    if (wanted.value_or(!voyage) && ranked.index >= 0 && at < documents.size()) {
      w.key("document");
      if (voyage || documents[at].is_object()) {
        w.raw(documents[at].raw());
      } else {
        w.begin_object();
        w.raw_member("text", documents[at].raw());
        w.end_object();
      }
    }
    w.end_object();
  }
  w.end_array();
  w.key("usage");
  w.begin_object();
  w.member("total_tokens", response.usage.input + response.usage.output);
  w.end_object();
  if (response.search_units > 0) w.raw_member("meta", "{\"billed_units\":{\"search_units\":" + std::to_string(response.search_units) + "}}");
  w.end_object();
}

}  // namespace llmrouter::dialects::openai
