// What stands beside an answer reaches clients of other dialects: sources, places that were cited, the model's name.
#include "answered.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

const std::string kCitations = R"("citations":["https://a.example/1","https://b.example/2"])";
const std::string kResults = R"("search_results":[{"title":"First","url":"https://a.example/1","snippet":"s"},{"title":"Second","url":"https://b.example/2"}])";

std::string whole(const std::string& beside, const std::string& message = {}) {
  return R"({"id":"c","object":"chat.completion","created":1,"model":"sonar","choices":[{"index":0,"message":{"role":"assistant","content":"It is so [1][2].")" + message +
         R"(},"finish_reason":"stop"}])" + (beside.empty() ? "" : "," + beside) + "}";
}
std::string chunk(const std::string& choices, const std::string& beside) {
  return R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"sonar","choices":[)" + choices + "]" + (beside.empty() ? "" : "," + beside) + "}\n\n";
}
std::string choice(const std::string& delta, const std::string& finish = "null") { return R"({"index":0,"delta":)" + delta + ",\"finish_reason\":" + finish + "}"; }
const std::string kText = choice(R"({"content":"It is so [1][2]."})"), kStop = choice("{}", R"("stop")");

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("sources that search vendors name beside the answer are cited for clients of other dialects, each once") {
  const std::string both = kCitations + "," + kResults;
  const std::vector<std::pair<bool, std::string>> answers = {
      {false, whole(both)},
      {false, whole(kResults)},
      {true, chunk(kText, both) + chunk(kText, both) + chunk(kStop, both) + "data: [DONE]\n\n"},                    // Perplexity
      {true, chunk(kText, "") + chunk(kStop, kResults) + "data: [DONE]\n\n"},
      {true, chunk(kText, "") + chunk(kStop, "") + chunk("", kResults + R"(,"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3})") + "data: [DONE]\n\n"},  // behind the finish
      {true, whole(both)},
  };
  for (const auto& [stream, answer] : answers) {
    for (const std::string client : {"anthropic", "responses", "gemini", "cohere"}) {
      INFO(client << ": " << answer);
      const std::string out = answered("openai", client, answer, stream);
      const char* const url = client == "gemini" ? R"("uri":"https://a.example/1")" : R"("url":"https://a.example/1")";
      const size_t times = client == "responses" && stream ? 4 : 1;  // a Responses stream says all of it again, and again at the end
      CHECK(count(out, url) == times);
      CHECK(count(out, R"("title":"First")") == times);
      CHECK(count(out, R"("title":"Second")") == times);
      if (client == "responses") CHECK((stream ? read_strict_responses(out) : read_response_object(JsonValue(out))).annotations.size() == 2);
    }
    // Who speaks chat gets them as they are.
    if (!stream) CHECK(count(answered("openai", "openai", answer, stream), "annotations") == 0);
  }
  const std::string plain = answered("openai", "responses", whole(kCitations), false);
  CHECK(find(JsonValue(plain), "output", 0, "content", 0, "annotations").raw() ==
        R"([{"type":"url_citation","start_index":0,"end_index":0,"url":"https://a.example/1","title":""},{"type":"url_citation","start_index":0,"end_index":0,"url":"https://b.example/2","title":""}])");
}

TEST_CASE("annotations of a message or of its deltas are told, and go before sources beside the answer") {
  const std::string annotation = R"("annotations":[{"type":"url_citation","url_citation":{"start_index":6,"end_index":8,"url":"https://own.example/","title":"Own"}}])";
  for (const std::string client : {"anthropic", "responses", "gemini", "cohere"}) {
    for (const bool stream : {false, true}) {
      INFO(client << stream);
      const std::string answer = stream ? chunk(kText, kCitations) + chunk(choice("{" + annotation + "}"), kCitations) + chunk(kStop, kCitations) + "data: [DONE]\n\n"
                                        : whole(kCitations, "," + annotation);
      const std::string out = answered("openai", client, answer, stream);
      CHECK(count(out, "https://own.example/") >= 1);
      CHECK(count(out, "https://a.example/1") == 0);
    }
  }
}

TEST_CASE("a client of Cohere's hears what the words were that a source stands for") {
  const std::string text = "\u00c4pfel sind rot, und Birnen gr\u00fcn.";
  const std::string annotation = R"("annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":14,"url":"https://a.example/","title":"A"}},)"
                                 R"({"type":"url_citation","url_citation":{"start_index":20,"end_index":31,"url":"https://b.example/","title":"B"}},)"
                                 R"({"type":"url_citation","url_citation":{"start_index":30,"end_index":900,"url":"https://c.example/","title":"C"}},)"
                                 R"({"type":"url_citation","url_citation":{"start_index":5,"end_index":2,"url":"https://d.example/","title":"D"}}])";
  const std::string message = R"({"role":"assistant","content":")" + text + "\"," + annotation + "}";
  const std::string whole_answer = R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)" + message + R"(,"finish_reason":"stop"}]})";
  const std::string out = answered("openai", "cohere", whole_answer, false);
  const auto at = [&](int i) { return find(JsonValue(out), "message", "citations", i, "text").string_or("none"); };
  CHECK(at(0) == "\u00c4pfel sind rot");
  CHECK(at(1) == "Birnen gr\u00fcn");
  CHECK(at(2) == "n.");
  CHECK(at(3).empty());
  const std::string stream = chunk(choice("{\"content\":\"\u00c4pfel sind\"}"), "") + chunk(choice("{\"content\":\" rot, und Birnen gr\u00fcn.\"}"), "") +
                             chunk(choice("{" + annotation + "}"), "") + chunk(kStop, "") + "data: [DONE]\n\n";
  const std::string told = answered("openai", "cohere", stream, true);
  CHECK(count(told, "\"start\":0,\"end\":14,\"text\":\"\u00c4pfel sind rot\"") == 1);
  CHECK(count(told, "\"start\":20,\"end\":31,\"text\":\"Birnen gr\u00fcn\"") == 1);
}

TEST_CASE("places in documents of the prompt, which have no URL, are told to clients of Gemini's and Cohere's") {
  const std::string citation = R"({"type":"char_location","cited_text":"Grass is green.","document_index":0,"document_title":"Colours","start_char_index":0,"end_char_index":15})";
  const std::string answer = R"({"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"Green.","citations":[)" + citation +
                             R"(]}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}})";
  const std::string gemini = answered("anthropic", "gemini", answer, false);
  const JsonValue grounding = find(JsonValue(gemini), "candidates", 0, "groundingMetadata");
  CHECK(find(grounding, "groundingChunks", 0, "retrievedContext", "title").equals("Colours"));
  CHECK(find(grounding, "groundingChunks", 0, "retrievedContext", "text").equals("Grass is green."));
  CHECK(find(grounding, "groundingSupports", 0, "segment", "text").equals("Green."));
  CHECK(!find(grounding, "groundingChunks", 0, "retrievedContext", "uri").exists());
  const std::string cohere = answered("anthropic", "cohere", answer, false);
  const JsonValue source = find(JsonValue(cohere), "message", "citations", 0, "sources", 0);
  CHECK(find_member(source, "id").equals("Colours"));
  CHECK(find(source, "document", "text").equals("Grass is green."));
  CHECK(find(JsonValue(cohere), "message", "citations", 0, "text").equals("Green."));
}

TEST_CASE("a streamed citation says to clients of Anthropic's what of the answer it is of, as a whole one does") {
  const std::string said = "{\"content\":\"\u00c4pfel sind\"}", more = "{\"content\":\" rot.\"}";
  const auto note = [](int begin, int end) {
    return R"({"annotations":[{"type":"url_citation","url_citation":{"start_index":)" + std::to_string(begin) + ",\"end_index\":" + std::to_string(end) +
           R"(,"url":"https://x.example","title":"T"}}]})";
  };
  const auto told = [&](const std::string& middle, int begin, int end) {
    return answered("openai", "anthropic", chunk(choice(said), "") + middle + chunk(choice(more), "") + chunk(choice(note(begin, end)), "") + chunk(kStop, "") + "data: [DONE]\n\n", true);
  };
  CHECK(count(told("", 0, 10), "\"cited_text\":\"\u00c4pfel sind\"") == 1);
  CHECK(count(told("", 6, 15), "\"cited_text\":\"sind rot.\"") == 1);
  CHECK(count(told("", 0, 0), "\"cited_text\":\"\"") == 1);
  // Of an answer that is too long to be kept nothing is said rather than something else.
  const std::string large = chunk(choice("{\"content\":\"" + std::string(300 * 1024, 'x') + "\"}"), "");
  CHECK(count(told(large, 0, 10), "\"cited_text\":\"\u00c4pfel sind\"") == 1);
  CHECK(count(told(large, 10 + 300 * 1024, 15 + 300 * 1024), "\"cited_text\":\"\"") == 1);
}

TEST_CASE("Gemini's sources without a URL, the caller's own documents, are told by their title and words") {
  const std::string answer = R"({"candidates":[{"content":{"role":"model","parts":[{"text":"Green."}]},"finishReason":"STOP","groundingMetadata":{)"
                             R"("groundingChunks":[{"retrievedContext":{"title":"Colours","text":"Grass is green."}},{"retrievedContext":{}},{"web":{"uri":"https://x.example","title":"X"}}],)"
                             R"("groundingSupports":[{"segment":{"startIndex":0,"endIndex":6},"groundingChunkIndices":[0,1,2]}]}}],"responseId":"r"})";
  const std::string chat = answered("gemini", "openai", answer, false);
  const JsonValue notes = find(JsonValue(chat), "choices", 0, "message", "annotations");
  CHECK(canonical(find(notes, 0)) == canonical(R"({"type":"url_citation","url_citation":{"start_index":0,"end_index":6,"url":"","title":"Colours","document_title":"Colours","cited_text":"Grass is green."}})"));
  CHECK(canonical(find(notes, 1)) == canonical(R"({"type":"url_citation","url_citation":{"start_index":0,"end_index":6,"url":"https://x.example","title":"X"}})"));
  CHECK(!find(notes, 2).exists());
  CHECK(answered("gemini", "anthropic", answer, false).find(R"("cited_text":"Grass is green.")") != std::string::npos);
  CHECK(answered("gemini", "cohere", answer, false).find(R"("text":"Grass is green.")") != std::string::npos);
}

TEST_CASE("an upstream that names no model answers under the name that was asked for") {
  const std::string silent = R"({"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP","index":0}],"responseId":"r"})";
  for (const std::string client : {"openai", "anthropic", "responses", "ollama"}) {
    INFO(client);
    CHECK(find_member(JsonValue(answered("gemini", client, silent, false)), "model").equals("asked"));
    CHECK(answered("gemini", client, "data: " + silent + "\r\n\r\n", true).find(R"("model":"asked")") != std::string::npos);
  }
}
