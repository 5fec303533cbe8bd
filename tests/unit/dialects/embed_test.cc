// Embeddings, every dialect to every other.
#include "catch.h"
#include "task_support.h"

using namespace dialect_test;
using wire::find;
using wire::JsonValue;

namespace {

constexpr Operation kEmbed = Operation::kEmbed;

std::string dropped_of(const TaskTrip& trip) {
  std::string all;
  for (const std::string& name : trip.request.dropped) all += (all.empty() ? "" : ",") + name;
  return all;
}

// A client's request for two texts.
std::string ask(const std::string& dialect) {
  if (dialect == "openai") return R"({"model":"m","input":["one","two \"2\""],"dimensions":2})";
  if (dialect == "ollama") return R"({"model":"m","input":["one","two \"2\""],"dimensions":2})";
  return R"({"model":"m","texts":["one","two \"2\""],"output_dimension":2,"input_type":"search_query"})";
}

// An upstream's answer with two vectors.
std::string answer(const std::string& dialect) {
  if (dialect == "openai") {
    return R"({"object":"list","data":[{"index":1,"embedding":[3,-4e-3]},{"index":0,"embedding":[0.5,2]}],"model":"real","usage":{"prompt_tokens":6,"total_tokens":6}})";
  }
  if (dialect == "ollama") return R"({"model":"real","embeddings":[[0.5,2],[3,-0.004]],"total_duration":1,"prompt_eval_count":6})";
  return R"({"id":"x","embeddings":{"float":[[0.5,2],[3,-0.004]]},"texts":["one","two"],"meta":{"billed_units":{"input_tokens":6}},"response_type":"embeddings_by_type"})";
}

// What goes out holds both texts and the dimensions.
void check_request(const std::string& dialect, const std::string& body) {
  const JsonValue root(body);
  CHECK(find(root, "model").equals("upstream-model"));
  const JsonValue texts = find(root, dialect == "cohere" ? "texts" : "input");
  CHECK(canonical(texts) == canonical(R"(["one","two \"2\""])"));
  CHECK(find(root, dialect == "cohere" ? "output_dimension" : "dimensions").integer() == 2);
}

void check_answer(const std::string& dialect, const std::string& body) {
  INFO(body);
  const JsonValue root(body);
  REQUIRE(wire::validate(body));
  if (dialect == "openai") {
    CHECK(canonical(find(root, "data", 0)) == canonical(R"({"object":"embedding","index":0,"embedding":[0.5,2]})"));
    CHECK(canonical(find(root, "data", 1, "embedding")) == canonical("[3,-0.004]"));
    CHECK(canonical(find(root, "usage")) == canonical(R"({"prompt_tokens":6,"total_tokens":6})"));
  } else if (dialect == "ollama") {
    CHECK(canonical(find(root, "embeddings")) == canonical("[[0.5,2],[3,-0.004]]"));
    CHECK(find(root, "prompt_eval_count").integer() == 6);
  } else {
    CHECK(canonical(find(root, "embeddings", "float")) == canonical("[[0.5,2],[3,-0.004]]"));
    CHECK(find(root, "meta", "billed_units", "input_tokens").integer() == 6);
    CHECK(find(root, "response_type").equals("embeddings_by_type"));
  }
}

}  // namespace

TEST_CASE("embeddings: every client reaches every upstream") {
  for (const std::string from : {"openai", "ollama", "cohere"}) {
    for (const std::string to : {"openai", "ollama", "cohere"}) {
      CAPTURE(from, to);
      auto trip = task_request(from, to, kEmbed, ask(from));
      REQUIRE(trip);
      check_request(to, (*trip)->body);
      auto told = task_answer(**trip, answer(to));
      REQUIRE(told);
      check_answer(from, *told);
    }
  }
}

TEST_CASE("embeddings: what an upstream answers is counted when it passes as bytes") {
  for (const std::string name : {"openai", "ollama", "cohere"}) {
    CAPTURE(name);
    auto trip = task_request(name, name, kEmbed, ask(name));
    REQUIRE(trip);
    auto facts = (*trip)->upstream->inspect(answer(name));
    REQUIRE(facts);
    CHECK(facts->usage.known);
    CHECK(facts->usage.input == 6);
    CHECK(facts->usage.output == 0);
  }
}

TEST_CASE("embeddings: relayed bytes change in the model's name alone") {
  const std::string body = "{ \"model\" : \"m\" ,\n\"input\":\"caf\\u00e9\", \"later\":[1.0] }";
  auto trip = task_request("openai", "openai", kEmbed, body);
  REQUIRE(trip);
  CHECK((*trip)->body == "{ \"model\" : \"upstream-model\" ,\n\"input\":\"caf\\u00e9\", \"later\":[1.0] }");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/embeddings");
  CHECK((*trip)->header("authorization") == "Bearer sk-test");
}

TEST_CASE("embeddings: base64 floats, both ways") {
  // 0.5 and -2 as little-endian floats.
  auto trip = task_request("openai", "ollama", kEmbed, R"({"model":"m","input":"x","encoding_format":"base64"})");
  REQUIRE(trip);
  auto told = task_answer(**trip, R"({"embeddings":[[0.5,-2]],"prompt_eval_count":1})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "data", 0, "embedding").equals("AAAAPwAAAMA="));
  trip = task_request("ollama", "openai", kEmbed, R"({"model":"m","input":"x"})");
  REQUIRE(trip);
  told = task_answer(**trip, R"({"data":[{"index":0,"embedding":"AAAAPwAAAMA="}],"usage":{"total_tokens":1}})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "embeddings").raw() == "[[0.5,-2]]");
}

TEST_CASE("embeddings: floats keep their digits") {
  auto trip = task_request("openai", "ollama", kEmbed, R"({"model":"m","input":"x"})");
  REQUIRE(trip);
  auto told = task_answer(**trip, R"({"embeddings":[[0.1,-0.0069292835,1e-30,16777216,3.4028235e38,1.17549435e-38]]})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "data", 0, "embedding").raw() == "[0.1,-0.0069292835,1e-30,16777216,3.4028235e+38,1.1754944e-38]");
}

TEST_CASE("embeddings: tokens go to who reads them, and are refused by name elsewhere") {
  const std::string body = R"({"model":"m","input":[[1,2,3],[4]]})";
  auto scanned = task_scan("openai", kEmbed, body);
  REQUIRE(scanned);
  CHECK((*scanned)->facts.inputs == 2);
  CHECK((*scanned)->facts.input_tokens == 4);
  auto trip = task_request("openai", "openai", kEmbed, body, provider({"embed_batch_1"}));
  REQUIRE(trip);
  CHECK(find(JsonValue((*trip)->body), "input").raw() == "[[1,2,3],[4]]");
  for (const std::string to : {"ollama", "cohere"}) {
    auto refused = task_request("openai", to, kEmbed, body);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == "input[0]");
  }
  scanned = task_scan("openai", kEmbed, R"({"model":"m","input":[7,8]})");
  REQUIRE(scanned);
  CHECK((*scanned)->facts.inputs == 1);
}

TEST_CASE("embeddings: as many inputs as vectors can be told of, and no more, are translated") {
  const auto texts = [](size_t count) {
    std::string list = "[";
    for (size_t i = 0; i < count; ++i) list += i == 0 ? "\"a\"" : ",\"a\"";
    return list + "]";
  };
  struct Row {
    const char* dialect;
    const char* name;
  };
  for (const Row& row : {Row{"openai", "input"}, Row{"ollama", "input"}, Row{"cohere", "texts"}}) {
    CAPTURE(row.dialect);
    const auto body = [&](size_t count) { return R"({"model":"m",")" + std::string(row.name) + "\":" + texts(count) + "}"; };
    CHECK(task_request(row.dialect, "gemini", kEmbed, body(10000)));
    auto refused = task_request(row.dialect, "gemini", kEmbed, body(10001));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == row.name);
    CHECK(refused.error().message == std::string(row.name) + ": at most 10000 of them");
  }
  // Bytes that pass are for the provider to judge.
  CHECK(task_request("openai", "openai", kEmbed, R"({"model":"m","input":)" + texts(10001) + "}"));
  const std::string chat = R"({"model":"m","messages":[{"role":"user","content":"q"}],"stop":)" + texts(10001) + "}";
  const auto refused = translate_request("openai", "cohere", chat);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "stop");
}

TEST_CASE("embeddings: faults name the field") {
  struct Row {
    const char* dialect;
    const char* body;
    const char* param;
  };
  for (const Row& row : {Row{"openai", R"({"input":"x"})", "model"}, Row{"openai", R"({"model":"m"})", "input"}, Row{"openai", R"({"model":5,"input":"x"})", "model"},
                         Row{"openai", R"({"model":"m","input":[[1],"x",[]]})", "input[2]"}, Row{"openai", R"({"model":"m","input":[]})", "input"},
                         Row{"openai", R"({"model":"m","input":7})", "input"}, Row{"openai", R"({"model":"m","input":"x","user":5})", "user"},
                         Row{"ollama", R"({"model":"m"})", "input"}, Row{"cohere", R"({"model":"m"})", "texts"},
                         Row{"cohere", R"({"model":"m","texts":"x"})", "texts"}, Row{"cohere", R"({"model":"m","texts":[null]})", "texts[0]"}}) {
    CAPTURE(row.body);
    auto scanned = task_scan(row.dialect, kEmbed, row.body);
    REQUIRE_FALSE(scanned);
    CHECK(scanned.error().code == ErrorCode::kInvalidRequest);
    CHECK(scanned.error().param == row.param);
  }
  auto refused = task_request("openai", "ollama", kEmbed, R"({"model":"m","input":"x","encoding_format":"int8"})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "encoding_format");
  refused = task_request("cohere", "openai", kEmbed, R"({"model":"m","texts":["x"],"embedding_types":["int8"]})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "embedding_types");
  refused = task_request("cohere", "openai", kEmbed, R"({"model":"m","images":["data:image/png;base64,AA"]})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "images[0]");
}

TEST_CASE("embeddings: hints that a target does not know are named") {
  auto trip = task_request("openai", "ollama", kEmbed, R"({"model":"m","input":"x","user":"u","input_type":"query","strange":1})");
  REQUIRE(trip);
  CHECK(dropped_of(**trip) == "input_type,user,strange");
  trip = task_request("cohere", "openai", kEmbed, R"({"model":"m","texts":["x"],"input_type":"search_query","truncate":"START"})");
  REQUIRE(trip);
  CHECK(dropped_of(**trip) == "input_type,truncate");
}

TEST_CASE("embeddings: Cohere hears what vectors are for, whatever the client calls it") {
  auto word = [](const std::string& body) {
    auto trip = task_request("openai", "cohere", kEmbed, body);
    REQUIRE(trip);
    return find(JsonValue((*trip)->body), "input_type").string_or();
  };
  CHECK(word(R"({"model":"m","input":"x"})") == "search_document");
  CHECK(word(R"({"model":"m","input":"x","input_type":"query"})") == "search_query");
  CHECK(word(R"({"model":"m","input":"x","task":"retrieval.passage"})") == "search_document");
  CHECK(word(R"({"model":"m","input":"x","task":"separation"})") == "clustering");
}

TEST_CASE("embeddings: Ollama's older way") {
  RequestPath path;
  path.operation = "embeddings";
  auto trip = task_request("ollama", "ollama", kEmbed, R"({"model":"m","prompt":"one"})", provider(), path);
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","prompt":"one"})");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/api/embeddings");
  trip = task_request("ollama", "openai", kEmbed, R"({"model":"m","prompt":"one"})", provider(), path);
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","input":["one"]})");
  auto told = task_answer(**trip, R"({"data":[{"index":0,"embedding":[1,2]}]})");
  REQUIRE(told);
  CHECK(*told == R"({"embedding":[1,2]})");
}

TEST_CASE("embeddings: a policy's edits reach both ways through") {
  const std::vector<BodyEdit> edits = {{BodyEdit::Kind::kSet, "dimensions", "3"}, {BodyEdit::Kind::kDefault, "user", "\"d\""}, {BodyEdit::Kind::kRemove, "later", {}}};
  for (const std::string to : {"openai", "ollama"}) {
    auto trip = task_request("openai", to, kEmbed, R"({"model":"m","input":"x","later":1,"dimensions":9})", provider(), {}, edits);
    REQUIRE(trip);
    CHECK(find(JsonValue((*trip)->body), "dimensions").integer() == 3);
    CHECK_FALSE(find(JsonValue((*trip)->body), "later").exists());
    CHECK(dropped_of(**trip) == (to == "ollama" ? "user" : ""));
  }
}

TEST_CASE("quirk output_dimension: dimensions under their other name") {
  for (const std::string from : {"openai", "ollama"}) {
    auto trip = task_request(from, "openai", kEmbed, R"({"model":"m","input":"x","dimensions":8})", provider({"output_dimension"}));
    REQUIRE(trip);
    CHECK(find(JsonValue((*trip)->body), "output_dimension").integer() == 8);
    CHECK_FALSE(find(JsonValue((*trip)->body), "dimensions").exists());
  }
}

TEST_CASE("quirk voyage_names: its words for use, truncation and formats") {
  auto trip = task_request("cohere", "openai", kEmbed, R"({"model":"m","texts":["x"],"input_type":"search_query","truncate":"NONE"})", provider({"voyage_names"}));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","input":["x"],"input_type":"query","truncation":false})");
  trip = task_request("openai", "openai", kEmbed, R"({"model":"m","input":"x","encoding_format":"float","dimensions":8})", provider({"voyage_names"}));
  REQUIRE(trip);
  CHECK(canonical((*trip)->body) == canonical(R"({"model":"upstream-model","input":"x","output_dimension":8})"));
  auto facts = (*trip)->upstream->inspect(R"({"data":[],"usage":{"total_tokens":9}})");
  REQUIRE(facts);
  CHECK(facts->usage.input == 9);
}

TEST_CASE("quirk jina_names: tasks and the type of embeddings") {
  auto trip = task_request("cohere", "openai", kEmbed, R"({"model":"m","texts":["x"],"input_type":"search_document"})", provider({"jina_names"}));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","input":["x"],"task":"retrieval.passage"})");
  trip = task_request("openai", "openai", kEmbed, R"({"model":"m","input":"x","encoding_format":"base64"})", provider({"jina_names"}));
  REQUIRE(trip);
  CHECK(canonical((*trip)->body) == canonical(R"({"model":"upstream-model","input":"x","embedding_type":"base64"})"));
}

TEST_CASE("quirk nvidia_names: passages") {
  auto trip = task_request("cohere", "openai", kEmbed, R"({"model":"m","texts":["x"],"input_type":"search_document","truncate":"END"})", provider({"nvidia_names"}));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"model":"upstream-model","input":["x"],"input_type":"passage","truncate":"END"})");
}

TEST_CASE("quirk embed_batch_N: more inputs are not relayed") {
  auto codec = dialect("openai")->new_task_upstream(kEmbed);
  RequestFacts facts;
  facts.inputs = 3;
  CHECK(codec->relays(provider({"embed_batch_3"}), facts));
  CHECK_FALSE(codec->relays(provider({"embed_batch_2"}), facts));
  CHECK(codec->relays(provider(), facts));
  CHECK(codec->max_inputs(provider({"embed_batch_2"}), "m") == 2);
  facts.inputs = 97;
  CHECK_FALSE(dialect("cohere")->new_task_upstream(kEmbed)->relays(provider(), facts));
}

TEST_CASE("embeddings: answers that are none are errors") {
  for (const char* body : {"", "nothing", "{}", "[]", R"({"data":[{"index":0}]})", R"({"data":[{"index":0,"embedding":["x"]}]})", R"({"data":[{"index":0,"embedding":"!"}]})",
                           R"({"error":{"message":"no","code":"x"}})", R"({"data":[{"embedding":[]}]})"}) {
    CAPTURE(body);
    auto trip = task_request("ollama", "openai", kEmbed, R"({"model":"m","input":"x"})");
    REQUIRE(trip);
    CHECK_FALSE(task_answer(**trip, body));
  }
  for (const std::string to : {"ollama", "cohere"}) {
    auto trip = task_request("openai", to, kEmbed, R"({"model":"m","input":"x"})");
    REQUIRE(trip);
    CHECK_FALSE(task_answer(**trip, "{}"));
    CHECK_FALSE(task_answer(**trip, R"({"embeddings":[["x"]]})"));
    auto broken = task_answer(**trip, R"({"error":"model not found"})");
    REQUIRE_FALSE(broken);
    CHECK(broken.error().message.find("model not found") != std::string::npos);
  }
}

TEST_CASE("embeddings: errors in the client's own shape") {
  const Error error(ErrorCode::kInvalidRequest, "wrong", "input");
  for (const auto& [name, member] : {std::pair<std::string, std::string>{"ollama", "error"}, {"cohere", "message"}}) {
    auto codec = dialect(name)->new_task_client(kEmbed);
    std::string out;
    codec->encode_error(error, out);
    CHECK(find(JsonValue(out), member).equals("wrong"));
  }
}

namespace {

RequestPath google_path(std::string operation, std::string model = "gemini-embedding-001") {
  RequestPath path;
  path.operation = std::move(operation);
  path.model = std::move(model);
  return path;
}

}  // namespace

TEST_CASE("embeddings: Google's one text and its batches reach other dialects") {
  auto trip = task_request("gemini", "openai", kEmbed, R"({"content":{"parts":[{"text":"one"}]},"output_dimensionality":2})", provider(), google_path("embedContent"));
  REQUIRE(trip);
  CHECK((*trip)->facts.model == "gemini-embedding-001");
  CHECK((*trip)->body == R"({"model":"upstream-model","input":["one"],"dimensions":2})");
  auto told = task_answer(**trip, R"({"data":[{"index":0,"embedding":[1,2]}]})");
  REQUIRE(told);
  CHECK(*told == R"({"embedding":{"values":[1,2]}})");

  trip = task_request("gemini", "cohere", kEmbed,
                      R"({"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY"},)"
                      R"({"model":"models/gemini-embedding-001","content":{"parts":{"text":"two"}},"taskType":"RETRIEVAL_QUERY"}]})",
                      provider(), google_path("batchEmbedContents"));
  REQUIRE(trip);
  CHECK(find(JsonValue((*trip)->body), "texts").raw() == R"(["one","two"])");
  CHECK(find(JsonValue((*trip)->body), "input_type").equals("search_query"));
  told = task_answer(**trip, R"({"embeddings":{"float":[[1,2],[3,4]]}})");
  REQUIRE(told);
  CHECK(*told == R"({"embeddings":[{"values":[1,2]},{"values":[3,4]}]})");
}

TEST_CASE("embeddings: other clients reach Google, in one batch") {
  auto trip = task_request("openai", "gemini", kEmbed, R"({"model":"m","input":["one","two"],"dimensions":2,"input_type":"passage"})");
  REQUIRE(trip);
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/models/upstream-model:batchEmbedContents");
  const JsonValue requests = find(JsonValue((*trip)->body), "requests");
  CHECK(canonical(find(requests, 1)) ==
        canonical(R"({"model":"models/upstream-model","content":{"parts":[{"text":"two"}]},"taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":2})"));
  auto told = task_answer(**trip, R"({"embeddings":[{"values":[1,2]},{"values":[3,4]}]})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "data", 1, "embedding").raw() == "[3,4]");
  CHECK((*trip)->upstream->max_inputs(provider(), "m") == 100);
}

TEST_CASE("embeddings: a relayed batch names the upstream's model in each of its requests") {
  const std::string body = R"({"requests":[{"model":"models/gemini-embedding-001", "content":{"parts":[{"text":"models/gemini-embedding-001"}]},"later":1},{"content":{"parts":[]}}]})";
  auto broken = task_scan("gemini", kEmbed, body, google_path("batchEmbedContents"));
  REQUIRE_FALSE(broken);
  CHECK(broken.error().param == "requests[1].content.parts");
  auto trip = task_request("gemini", "gemini", kEmbed, R"({"requests":[{"model":"models/gemini-embedding-001", "content":{"parts":[{"text":"models/gemini-embedding-001"}]},"later":1}]})",
                           provider(), google_path("batchEmbedContents"));
  REQUIRE(trip);
  CHECK((*trip)->body == R"({"requests":[{"model":"models/upstream-model", "content":{"parts":[{"text":"models/gemini-embedding-001"}]},"later":1}]})");
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/models/upstream-model:batchEmbedContents");
  trip = task_request("gemini", "gemini", kEmbed, R"({"content":{"parts":[{"text":"x"}]}})", provider(), google_path("embedContent"));
  REQUIRE(trip);
  CHECK((*trip)->request.http.url == "http://127.0.0.1:9/v1/models/upstream-model:embedContent");
  CHECK((*trip)->body == R"({"content":{"parts":[{"text":"x"}]}})");
}

TEST_CASE("embeddings: batches whose requests differ cannot leave Google's dialect") {
  auto refused = task_request("gemini", "openai", kEmbed,
                              R"({"requests":[{"content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY"},{"content":{"parts":[{"text":"two"}]}}]})", provider(),
                              google_path("batchEmbedContents"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "requests[1].taskType");
  refused = task_request("gemini", "openai", kEmbed, R"({"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}})", provider(), google_path("embedContent"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "content");
}
