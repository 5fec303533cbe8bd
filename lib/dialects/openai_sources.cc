// What an answer was found in, as search vendors of this dialect say it: beside the choices, `citations` (URLs; Perplexity, xAI) and `search_results` (Perplexity),
// in streams in every chunk or in the last. For other dialects they become annotations, which have no place in the text: nobody says where they belong.
#include <map>

#include "dialects/citation.h"
#include "dialects/fields.h"
#include "dialects/openai.h"

namespace llmrouter::dialects::openai {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

constexpr int kMaxSources = 1000;

void add_source(std::string_view url, std::string_view title, RawMembers& list) {
  std::string out;
  JsonWriter w(out);
  write_url_citation(0, 0, url, title, w);
  add_member(list, out);
}

}  // namespace

std::string annotations_of_sources(JsonValue citations, JsonValue search_results) {
  std::vector<std::string> urls;
  std::map<std::string, std::string> titles;
  for (JsonValue result : JsonElements(search_results)) {
    std::string url = find_member(result, "url").string_or();
    if (url.empty() || titles.size() >= kMaxSources) continue;
    if (titles.emplace(url, find_member(result, "title").string_or()).second) urls.push_back(std::move(url));
  }
  // The numbers in the text are those of the citations.
  if (citations.is_array() && !citations.empty_container()) urls.clear();
  for (JsonValue citation : JsonElements(citations)) {
    std::string url = citation.is_object() ? find_member(citation, "url").string_or() : citation.string_or();
    if (!url.empty() && urls.size() < kMaxSources) urls.push_back(std::move(url));
  }
  RawMembers list;
  for (const std::string& url : urls) {
    const auto title = titles.find(url);
    add_source(url, title == titles.end() ? std::string_view() : std::string_view(title->second), list);
  }
  return list;
}

void cite_sources(ChatResponse& response) {
  if (response.choices.empty() || !response.choices.front().message.annotations.empty()) return;
  std::string citations, results;
  for_each_member(response.extras, [&](const JsonMember& m) {
    if (m.key == "citations") citations = m.value.raw();
    else if (m.key == "search_results") results = m.value.raw();
  });
  const std::string list = annotations_of_sources(JsonValue(citations), JsonValue(results));
  if (!list.empty()) response.choices.front().message.annotations = "[" + list + "]";
}

}  // namespace llmrouter::dialects::openai
