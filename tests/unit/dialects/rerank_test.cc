// Ranking: the shapes of Cohere, Jina, vLLM, Voyage and TEI.
#include "catch.h"
#include "task_support.h"

using namespace dialect_test;
using wire::find;
using wire::JsonValue;

namespace {

constexpr Operation kRerank = Operation::kRerank;

}  // namespace

TEST_CASE("rerank: bytes pass where the shape is the same") {
  const std::string body = R"({"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1,"later":true})";
  auto trip = task_request("openai", "openai", kRerank, body);
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","query":"q","documents":["a",{"text":"b"}],"top_n":1,"later":true})");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/rerank");
  auto facts = (*trip)->upstream->inspect(R"({"results":[{"index":0,"relevance_score":1}],"usage":{"total_tokens":12}})");
  REQUIRE(facts);
  CHECK(facts->usage.input == 12);
  trip = task_request("cohere", "cohere", kRerank, R"({"model":"m","query":"q","documents":["a"]})");
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","query":"q","documents":["a"]})");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/rerank");
}

TEST_CASE("rerank: a client of Cohere's reaches Jina's and Voyage's shape") {
  const std::string body = R"({"model":"m","query":"q","documents":["a","b"],"top_n":1,"max_tokens_per_doc":9})";
  auto trip = task_request("cohere", "openai", kRerank, body);
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","query":"q","documents":["a","b"],"top_n":1})");
  CHECK((*trip)->request.dropped == std::vector<std::string>{"max_tokens_per_doc"});
  auto told = task_answer(**trip, R"({"id":"i","results":[{"index":1,"relevance_score":0.75,"document":{"text":"b"}}],"usage":{"total_tokens":12}})");
  REQUIRE(told);
  CHECK(*told == R"({"id":"i","results":[{"index":1,"relevance_score":0.75}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}})");
  trip = task_request("cohere", "openai", kRerank, body, provider({"voyage_names"}));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","query":"q","documents":["a","b"],"top_k":1})");
  told = task_answer(**trip, R"({"object":"list","data":[{"index":1,"relevance_score":0.75}],"model":"rerank-2","usage":{"total_tokens":12}})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "results", 0, "index").integer() == 1);
}

TEST_CASE("rerank: a client of Jina's or vLLM's reaches Cohere, and gets its documents back") {
  auto trip = task_request("openai", "cohere", kRerank, R"({"model":"m","query":"q","documents":["a",{"text":"b","title":"t"}],"top_n":2})");
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","query":"q","documents":["a","b"],"top_n":2})");
  auto told = task_answer(**trip, R"({"id":"i","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"billed_units":{"search_units":2}}})");
  REQUIRE(told);
  const JsonValue root(*told);
  CHECK(find(root, "results", 0, "document").raw() == R"({"text":"b","title":"t"})");
  CHECK(find(root, "results", 1, "document").raw() == R"({"text":"a"})");
  CHECK(find(root, "meta", "billed_units", "search_units").integer() == 2);
  CHECK(find(root, "model").equals("m"));
}

TEST_CASE("rerank: a client of Voyage's is answered in its shape, whoever answers") {
  const std::string body = R"({"model":"m","query":"q","documents":["a","b"],"top_k":1,"return_documents":true})";
  for (const std::string to : {"openai", "cohere"}) {
    auto trip = task_request("openai", to, kRerank, body);
    REQUIRE(trip);
    CHECK(find(JsonValue((*trip)->body), "top_n").integer() == 1);
    auto told = task_answer(**trip, R"({"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"usage":{"total_tokens":3}})");
    REQUIRE(told);
    const JsonValue root(*told);
    CHECK(find(root, "data", 0, "document").equals("b"));
    CHECK_FALSE(find(root, "data", 1).exists());
    CHECK_FALSE(find(root, "results").exists());
  }
  auto codec = dialect("openai")->new_task_upstream(kRerank);
  auto voyage = task_scan("openai", kRerank, body);
  auto jina = task_scan("openai", kRerank, R"({"model":"m","query":"q","documents":["a"]})");
  REQUIRE(voyage);
  REQUIRE(jina);
  CHECK(codec->relays(provider({"voyage_names"}), (*voyage)->facts));
  CHECK_FALSE(codec->relays(provider({"voyage_names"}), (*jina)->facts));
  CHECK_FALSE(codec->relays(provider(), (*voyage)->facts));
  CHECK(codec->relays(provider(), (*jina)->facts));
}

TEST_CASE("quirk tei_rerank: texts, a bare array, and a path outside of /v1") {
  auto trip = task_request("openai", "openai", kRerank, R"({"model":"m","query":"q","documents":["a","b","c"],"top_n":2})", provider({"tei_rerank"}));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"query":"q","texts":["a","b","c"]})");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/rerank");
  auto told = task_answer(**trip, R"([{"index":2,"score":0.2},{"index":0,"score":0.9},{"index":1,"score":0.1}])");
  REQUIRE(told);
  const JsonValue root(*told);
  CHECK(find(root, "results", 0, "index").integer() == 0);
  CHECK(find(root, "results", 1, "index").integer() == 2);
  CHECK_FALSE(find(root, "results", 2).exists());
}

TEST_CASE("rerank: what is wrong with an answer or a request is said") {
  for (const char* body : {"", "{}", R"({"results":[{"index":0}]})", R"({"results":[{"relevance_score":1}]})", R"({"results":{}})", R"({"error":{"message":"x"}})"}) {
    CAPTURE(body);
    for (const std::string to : {"openai", "cohere"}) {
      auto trip = task_request("openai", to, kRerank, R"({"model":"m","query":"q","documents":["a"],"top_k":1})");
      REQUIRE(trip);
      CHECK_FALSE(task_answer(**trip, body));
    }
  }
  for (const auto& [body, param] : {std::pair<const char*, const char*>{R"({"model":"m","query":"q","documents":["a"],"top_n":0})", "top_n"},
                                    {R"({"model":"m","query":5,"documents":["a"]})", "query"}, {R"({"model":"m","query":"q","documents":[]})", "documents"},
                                    {R"({"model":"m","query":"q","documents":[["x"]]})", "documents[0]"}, {R"({"query":"q","documents":["a"]})", "model"}}) {
    auto scanned = task_scan("openai", kRerank, body);
    REQUIRE_FALSE(scanned);
    CHECK(scanned.error().param == param);
  }
  auto refused = task_request("openai", "cohere", kRerank, R"({"model":"m","query":"q","documents":[{"image":"x"}]})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "documents[0]");
}
