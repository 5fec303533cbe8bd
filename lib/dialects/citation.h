// Where a text of an answer is from, in neutral form: chat's annotation, {"type":"url_citation","url_citation":{...}}.
#ifndef LLMROUTER_DIALECTS_CITATION_H_
#define LLMROUTER_DIALECTS_CITATION_H_

#include <cstdint>
#include <string_view>

#include "wire/json_writer.h"

namespace llmrouter::dialects {

// `begin` and `end` count characters of the whole text, both 0: nobody said. `url` is empty for a place in a document of the prompt: then what is known of it
// stands beside (`cited_text`, `document_index`, ...), which `more(w)` writes.
template <typename More>
void write_url_citation(int64_t begin, int64_t end, std::string_view url, std::string_view title, wire::JsonWriter& w, More&& more) {
  w.begin_object();
  w.member("type", "url_citation");
  w.key("url_citation");
  w.begin_object();
  w.member("start_index", begin);
  w.member("end_index", end);
  w.member("url", url);
  w.member("title", title);
  more(w);
  w.end_object();
  w.end_object();
}
inline void write_url_citation(int64_t begin, int64_t end, std::string_view url, std::string_view title, wire::JsonWriter& w) {
  write_url_citation(begin, end, url, title, w, [](wire::JsonWriter&) {});
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_CITATION_H_
