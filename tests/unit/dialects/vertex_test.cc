// Vertex AI: where requests go, and what of a client's own request is changed for it.
#include "catch.h"
#include "support.h"
#include "task_support.h"

namespace {

using namespace dialect_test;
using wire::find;
using wire::JsonValue;

ProviderConfig vertex() {
  ProviderConfig config = provider({"publishers", "no_call_ids", "fetches_urls"});
  config.base_url = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5";
  config.auth = "bearer";
  return config;
}

struct Sent {
  EncodedRequest request;
  std::string body;
  std::string header(std::string_view name) const {
    for (const HttpHeader& h : request.http.headers) {
      if (h.name == name) return h.value;
    }
    return {};
  }
};

std::string joined(const EncodedRequest& request) {
  std::string out;
  for (std::string_view piece : request.http.body) out += piece;
  return out;
}

// A client's own bytes.
std::unique_ptr<Sent> relayed(const char* name, const std::string& body, std::string_view model, bool stream = false, std::string_view key = "ya29.t") {
  auto client = dialect(name)->new_client_codec();
  RequestPath path;
  path.model = "m";
  path.operation = stream ? "streamGenerateContent" : "generateContent";
  client->set_path(path);
  auto facts = client->scan(body);
  if (!facts) FAIL(facts.error().message);
  const ProviderConfig config = vertex();
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.provider = &config;
  input.key = key;
  input.upstream_model = model;
  input.stream = stream;
  auto sent = std::make_unique<Sent>();
  auto encoded = dialect(name)->new_upstream_codec()->encode(input, sent->request);
  if (!encoded) FAIL(encoded.error().message);
  sent->body = joined(sent->request);
  return sent;
}

// An OpenAI client's request, written anew.
Result<std::unique_ptr<Sent>> translated(const char* to, const std::string& body, std::string_view model) {
  auto client = dialect("openai")->new_client_codec();
  if (auto facts = client->scan(body); !facts) return std::move(facts).error();
  auto chat = client->decode();
  if (!chat) return std::move(chat).error();
  const ProviderConfig config = vertex();
  EncodeInput input;
  input.chat = &*chat;
  input.foreign = true;
  input.provider = &config;
  input.upstream_model = model;
  input.stream = chat->stream;
  auto sent = std::make_unique<Sent>();
  if (auto encoded = dialect(to)->new_upstream_codec()->encode(input, sent->request); !encoded) return std::move(encoded).error();
  sent->body = joined(sent->request);
  return sent;
}

constexpr const char* kBase = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5";

}  // namespace

TEST_CASE("quirk publishers: Gemini's own requests pass byte for byte") {
  const std::string body = "{ \"contents\" : [ {\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]} ],\"tomorrow\":{\"x\":[1]} }";
  auto sent = relayed("gemini", body, "gemini-2.5-pro", true);
  CHECK(sent->body == body);
  CHECK(sent->request.http.url == std::string(kBase) + "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
  CHECK(sent->header("authorization") == "Bearer ya29.t");
  CHECK(relayed("gemini", body, "google/gemini-2.5-pro")->request.http.url == std::string(kBase) + "/publishers/google/models/gemini-2.5-pro:generateContent");
  CHECK(relayed("gemini", body, "publishers/google/models/g")->request.http.url == std::string(kBase) + "/publishers/google/models/g:generateContent");
  CHECK(relayed("gemini", body, "endpoints/123")->request.http.url == std::string(kBase) + "/endpoints/123:generateContent");
}

TEST_CASE("quirk publishers: an API key goes as one") {
  const std::string body = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
  for (const char* key : {"AIzaSecret", "AQ.secret"}) {
    auto sent = relayed("gemini", body, "g", false, key);
    CHECK(sent->header("x-goog-api-key") == key);
    CHECK(sent->header("authorization").empty());
    CHECK(sent->request.http.url.find(key) == std::string::npos);
  }
}

TEST_CASE("quirk no_call_ids: ids of calls are spliced out of a client's own request, results put into the order of the calls, roles added") {
  const std::string body =
      R"({"model":"models/g", "contents":[{"parts":[{"text":"a \"id\":1"}]},)"
      R"({"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"id":7}}},{"functionCall":{"name":"g", "id":"2"}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"id":"2","name":"g","response":{"x":2}}},{"later":1},{"function_response":{"name":"f","response":{"x":1},"id":"1"}}]}],"k":1})";
  CHECK(relayed("gemini", body, "g")->body ==
        R"({ "contents":[{"role":"user","parts":[{"text":"a \"id\":1"}]},)"
        R"({"role":"model","parts":[{"functionCall":{"name":"f","args":{"id":7}}},{"functionCall":{"name":"g"}}]},)"
        R"({"role":"user","parts":[{"function_response":{"name":"f","response":{"x":1}}},{"later":1},{"functionResponse":{"name":"g","response":{"x":2}}}]}],"k":1})");
  // A result that names no call leaves all of them where they are.
  const std::string stray =
      R"({"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"g"}},{"functionResponse":{"name":"f","id":"1"}}]}]})";
  CHECK(relayed("gemini", stray, "g")->body ==
        R"({"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"g"}},{"functionResponse":{"name":"f"}}]}]})");
}

TEST_CASE("quirk publishers: splicing is linear in the number of results") {
  std::string calls, results;
  for (int i = 0; i < 20000; ++i) {
    const std::string id = std::to_string(i), other = std::to_string(19999 - i);
    calls += (i ? "," : "") + std::string(R"({"functionCall":{"name":"f","id":")") + id + "\"}}";
    results += (i ? "," : "") + std::string(R"({"functionResponse":{"name":"f","id":")") + other + "\",\"response\":{\"n\":" + other + "}}}";
  }
  auto sent = relayed("gemini", R"({"contents":[{"role":"model","parts":[)" + calls + R"(]},{"role":"user","parts":[)" + results + "]}]}", "g");
  CHECK(sent->body.find("\"id\"") == std::string::npos);
  CHECK(find(JsonValue(sent->body), "contents", 1, "parts", 0, "functionResponse", "response", "n").integer() == 0);
  CHECK(find(JsonValue(sent->body), "contents", 1, "parts", 19999, "functionResponse", "response", "n").integer() == 19999);
}

TEST_CASE("quirk publishers: Claude's own requests pass but for the model and the version") {
  const std::string body = R"({ "model" : "c", "max_tokens":5,"messages":[{"role":"user","content":"hi"}],"tomorrow":1})";
  auto sent = relayed("anthropic", body, "claude-sonnet-4-5@20250929", false, "");
  CHECK(sent->body == R"({ "max_tokens":5,"messages":[{"role":"user","content":"hi"}],"tomorrow":1,"anthropic_version":"vertex-2023-10-16"})");
  CHECK(sent->request.http.url == std::string(kBase) + "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict");
  CHECK(sent->header("x-api-key").empty());
  CHECK(sent->header("anthropic-version").empty());
  CHECK(sent->header("authorization").empty());
  const std::string own = R"({"anthropic_version":"vertex-later","model":"c","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}]})";
  sent = relayed("anthropic", own, "anthropic/claude-x", true);
  CHECK(sent->body == R"({"anthropic_version":"vertex-later","stream":true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}]})");
  CHECK(sent->request.http.url == std::string(kBase) + "/publishers/anthropic/models/claude-x:streamRawPredict");
}

TEST_CASE("quirk publishers: a request is written for Claude without its model; schemas become a tool, media have to be inline") {
  auto sent = translated("anthropic", R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true})", "claude-sonnet-4-5@20250929");
  REQUIRE(sent);
  const JsonValue root((*sent)->body);
  CHECK(find(root, "anthropic_version").equals("vertex-2023-10-16"));
  CHECK_FALSE(find(root, "model").exists());
  CHECK(find(root, "stream").raw() == "true");
  sent = translated("anthropic",
                    R"({"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{}}}}})",
                    "claude-sonnet-4-5@20250929");
  REQUIRE(sent);
  CHECK_FALSE(find(JsonValue((*sent)->body), "output_config").exists());
  CHECK(find(JsonValue((*sent)->body), "tool_choice", "name").equals("a"));
  sent = translated("anthropic", R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]})", "claude-x");
  REQUIRE_FALSE(sent);
  CHECK(sent.error().param == "messages[0].content[0]");
  Part part;
  part.kind = Part::Kind::kImage;
  part.url = "https://x.example/a.png";
  CHECK_FALSE(dialect("anthropic")->new_upstream_codec()->fetches(vertex(), part));
  CHECK(dialect("anthropic")->new_upstream_codec()->fetches(provider(), part));
  CHECK(dialect("gemini")->new_upstream_codec()->fetches(vertex(), part));
  CHECK_FALSE(dialect("gemini")->new_upstream_codec()->fetches(provider(), part));
}

TEST_CASE("quirk publishers: tokens are counted for both makers") {
  const auto kCount = Operation::kCountTokens;
  auto trip = task_request("anthropic", "anthropic", kCount, R"({"model":"c","messages":[{"role":"user","content":"hi"}]})", vertex());
  REQUIRE(trip);
  CHECK((*trip)->request.http.url == std::string(kBase) + "/publishers/anthropic/models/count-tokens:rawPredict");
  CHECK((*trip)->body == R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"})");
  RequestPath path;
  path.model = "g";
  path.operation = "countTokens";
  trip = task_request("gemini", "gemini", kCount, R"({"contents":[{"parts":[{"text":"hi"}]}]})", vertex(), path);
  REQUIRE(trip);
  CHECK((*trip)->request.http.url == std::string(kBase) + "/publishers/google/models/upstream-model:countTokens");
  CHECK((*trip)->body == R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})");
  trip = task_request("gemini", "gemini", kCount, R"({"generateContentRequest":{"model":"models/g","contents":[{"parts":[{"text":"hi"}]}]}})", vertex(), path);
  REQUIRE(trip);
  CHECK(find(JsonValue((*trip)->body), "contents", 0, "role").equals("user"));
  CHECK_FALSE(find(JsonValue((*trip)->body), "generateContentRequest").exists());
}

TEST_CASE("quirk publishers: embeddings are predicted, newer models asked one text at a time") {
  const std::string body = R"({"model":"m","input":["one","two"],"dimensions":2,"input_type":"passage"})";
  auto trip = task_request("openai", "gemini", Operation::kEmbed, body, vertex());
  REQUIRE(trip);
  CHECK((*trip)->request.http.url == std::string(kBase) + "/publishers/google/models/upstream-model:predict");
  CHECK((*trip)->body == R"({"instances":[{"content":"one","task_type":"RETRIEVAL_DOCUMENT"},{"content":"two","task_type":"RETRIEVAL_DOCUMENT"}],"parameters":{"outputDimensionality":2}})");
  auto told = task_answer(**trip, R"({"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":3.0}}},{"embeddings":{"values":[3,4],"statistics":{"token_count":2}}}]})");
  REQUIRE(told);
  CHECK(find(JsonValue(*told), "data", 1, "embedding").raw() == "[3,4]");
  CHECK(find(JsonValue(*told), "usage", "prompt_tokens").integer() == 5);
  CHECK_FALSE(task_answer(**trip, R"({"predictions":[{"embeddings":{}}]})").ok());
  CHECK_FALSE(task_answer(**trip, R"({})").ok());
  const auto codec = dialect("gemini")->new_task_upstream(Operation::kEmbed);
  CHECK(codec->max_inputs(vertex(), "text-embedding-005") == 250);
  CHECK(codec->max_inputs(vertex(), "gemini-embedding-001") == 1);
  CHECK(codec->max_inputs(vertex(), "gemini-embedding-2") == 1);
}

TEST_CASE("quirk publishers: both publishers' models are listed") {
  auto codec = dialect("gemini")->new_upstream_codec();
  EncodedRequest google, more, claude, end;
  REQUIRE(codec->encode_models(vertex(), "ya29.t", google).ok());
  CHECK(google.http.url == "https://us-east5-aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=1000");
  CHECK(*codec->parse_models(R"({"publisherModels":[{"name":"publishers/google/models/gemini-2.5-pro"}],"nextPageToken":"n"})") == std::vector<std::string>{"gemini-2.5-pro"});
  REQUIRE(codec->encode_more_models(vertex(), "ya29.t", more));
  CHECK(more.http.url == "https://us-east5-aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=1000&pageToken=n");
  REQUIRE(codec->parse_models(R"({"publisherModels":[]})").ok());
  REQUIRE(codec->encode_more_models(vertex(), "ya29.t", claude));
  CHECK(claude.http.url == "https://us-east5-aiplatform.googleapis.com/v1beta1/publishers/anthropic/models?pageSize=1000");
  CHECK(*codec->parse_models(R"({"publisherModels":[{"name":"publishers/anthropic/models/claude-opus-4-1"}]})") == std::vector<std::string>{"claude-opus-4-1"});
  CHECK_FALSE(codec->encode_more_models(vertex(), "ya29.t", end));
}

TEST_CASE("quirk publishers: models of other makers are asked in OpenAI's words, each where it is served") {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}],"tomorrow":1})";
  struct Row {
    const char *model, *path, *named;
  };
  const Row rows[] = {
      {"meta/llama-3.3-70b-instruct-maas", "/endpoints/openapi/chat/completions", "meta/llama-3.3-70b-instruct-maas"},
      {"publishers/meta/models/llama-4-scout", "/endpoints/openapi/chat/completions", "meta/llama-4-scout"},
      {"llama-3.3-70b-instruct-maas", "/endpoints/openapi/chat/completions", "meta/llama-3.3-70b-instruct-maas"},
      {"qwen3-coder-480b-a35b-instruct-maas", "/endpoints/openapi/chat/completions", "qwen/qwen3-coder-480b-a35b-instruct-maas"},
      {"gpt-oss-120b-maas", "/endpoints/openapi/chat/completions", "openai/gpt-oss-120b-maas"},
      {"unheard-of-maas", "/endpoints/openapi/chat/completions", "unheard-of-maas"},
      {"mistral-small-2503", "/publishers/mistralai/models/mistral-small-2503:rawPredict", "mistral-small-2503"},
      {"mistralai/codestral-2", "/publishers/mistralai/models/codestral-2:rawPredict", "codestral-2"},
      {"publishers/mistralai/models/x", "/publishers/mistralai/models/x:rawPredict", "x"},
      {"publishers/mistralai", "/publishers/mistralai/models/:rawPredict", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.model);
    auto sent = relayed("openai", body, row.model);
    CHECK(sent->request.http.url == std::string(kBase) + row.path);
    CHECK(sent->body == R"({"model":")" + std::string(row.named) + R"(","messages":[{"role":"user","content":"hi"}],"tomorrow":1})");
    CHECK(sent->header("authorization") == "Bearer ya29.t");
    auto written = translated("openai", body, row.model);
    REQUIRE(written.ok());
    CHECK((*written)->request.http.url == std::string(kBase) + row.path);
    CHECK(find(JsonValue((*written)->body), "model").string_or() == row.named);
  }
  CHECK(relayed("openai", body, "mistral-small-2503", true)->request.http.url == std::string(kBase) + "/publishers/mistralai/models/mistral-small-2503:streamRawPredict");
  CHECK(relayed("openai", body, "meta/x-maas", false, "AIzaSecret")->header("x-goog-api-key") == "AIzaSecret");
}

TEST_CASE("quirk publishers: Mistral's models at Vertex have Mistral's own ways") {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}],"seed":7,"max_completion_tokens":9,"tool_choice":"required",)"
                           R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}]})";
  for (const bool mistral : {true, false}) {
    auto written = translated("openai", body, mistral ? "mistral-medium-3" : "meta/llama-4-maas");
    REQUIRE(written.ok());
    const JsonValue root((*written)->body);
    CHECK(find(root, "random_seed").integer().value_or(0) == (mistral ? 7 : 0));
    CHECK(find(root, "seed").integer().value_or(0) == (mistral ? 0 : 7));
    CHECK(find(root, "tool_choice").string_or() == (mistral ? "any" : "required"));
    auto sent = relayed("openai", body, mistral ? "mistral-medium-3" : "meta/llama-4-maas");
    CHECK((sent->body.find("\"random_seed\":7") != std::string::npos) == mistral);
    CHECK((sent->body.find("\"max_completion_tokens\":9") == std::string::npos) == mistral);
  }
}

TEST_CASE("quirk publishers: vectors and pictures of other makers are refused, not asked where nobody is") {
  const std::string body = R"({"model":"m","input":"a"})";
  auto scanned = task_scan("openai", Operation::kEmbed, body);
  REQUIRE(scanned.ok());
  const ProviderConfig config = vertex();
  EncodeInput input;
  input.body = body;
  input.facts = &(*scanned)->facts;
  input.provider = &config;
  input.upstream_model = "meta/x-maas";
  EncodedRequest out;
  auto encoded = dialect("openai")->new_task_upstream(Operation::kEmbed)->encode(input, out);
  REQUIRE_FALSE(encoded.ok());
  CHECK(encoded.error().code == ErrorCode::kNotSupported);
}
