// Embeddings through Bedrock: Titan's words, Cohere's, and what neither has.
#include "catch.h"
#include "task_support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

constexpr Operation kEmbed = Operation::kEmbed;
const std::string kTitan = "amazon.titan-embed-text-v2:0", kNova = "amazon.nova-2-multimodal-embeddings-v1:0", kCohere = "us.cohere.embed-v4:0";

struct Trip {
  std::unique_ptr<TaskTrip> trip;
  std::unique_ptr<UpstreamCodec> upstream;
  std::string asked, body, param;
  EncodedRequest request;
};

// A client's request, for this model; `param` when it is refused.
Trip ask(const std::string& model, const std::string& members, std::string_view key = "ABSKkey", std::string_view from = "openai") {
  Trip out;
  auto scanned = task_scan(from, kEmbed, R"({"model":"m",)" + members + "}");
  if (!scanned) FAIL(scanned.error().message);
  out.trip = std::move(*scanned);
  auto task = out.trip->client->decode_task();
  if (!task) FAIL(task.error().message);
  ProviderConfig config = provider();
  config.base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com";
  config.dialect = "bedrock";
  config.auth = "bearer";
  out.upstream = dialect("bedrock")->new_task_upstream(kEmbed);
  EncodeInput input;
  input.task = &*task;
  input.provider = &config;
  input.key = key;
  input.upstream_model = model;
  input.foreign = true;
  if (auto encoded = out.upstream->encode(input, out.request); !encoded) {
    CHECK(encoded.error().code == ErrorCode::kInvalidRequest);
    out.param = encoded.error().param;
    return out;
  }
  for (std::string_view piece : out.request.http.body) out.body += piece;
  CHECK(wire::validate(out.body));
  return out;
}

}  // namespace

TEST_CASE("bedrock: Titan is asked in its words, one text at once") {
  Trip out = ask(kTitan, R"("input":"a \"b\"","dimensions":256,"user":"u")");
  CHECK(canonical(out.body) == canonical(R"({"inputText":"a \"b\"","dimensions":256})"));
  CHECK(out.request.http.url == "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.titan-embed-text-v2%3A0/invoke");
  CHECK(out.request.dropped == std::vector<std::string>{"user"});
  CHECK(out.upstream->max_inputs(provider(), kTitan) == 1);
  auto answer = out.upstream->decode_task(R"({"embedding":[0.5,-1],"inputTextTokenCount":7,"embeddingsByType":{"float":[0.5,-1]}})");
  REQUIRE(answer.ok());
  CHECK(answer->vectors == std::vector<std::vector<float>>{{0.5f, -1.0f}});
  CHECK((answer->usage.known && answer->usage.input == 7));
  // By type alone.
  answer = out.upstream->decode_task(R"({"embeddingsByType":{"float":[2]}})");
  REQUIRE(answer.ok());
  CHECK(answer->vectors == std::vector<std::vector<float>>{{2.0f}});
  CHECK_FALSE(answer->usage.known);
}

TEST_CASE("bedrock: Nova is told what its vectors are for, one text at once") {
  Trip out = ask(kNova, R"("input":"a \"b\"","dimensions":384,"user":"u")");
  CHECK(canonical(out.body) == canonical(R"({"schemaVersion":"nova-multimodal-embed-v1","taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":)"
                                         R"({"embeddingPurpose":"GENERIC_INDEX","embeddingDimension":384,"text":{"truncationMode":"NONE","value":"a \"b\""}}})"));
  CHECK(out.request.dropped == std::vector<std::string>{"user"});
  CHECK(out.upstream->max_inputs(provider(), "us." + kNova) == 1);
  HttpHead head;
  head.status = 200;
  head.headers.push_back({"x-amzn-bedrock-input-token-count", "4"});
  out.upstream->set_head(head);
  auto answer = out.upstream->decode_task(R"({"embeddings":[{"embeddingType":"TEXT","embedding":[0.5,-1],"truncatedCharLength":3}]})");
  REQUIRE(answer.ok());
  CHECK(answer->vectors == std::vector<std::vector<float>>{{0.5f, -1.0f}});
  CHECK((answer->usage.known && answer->usage.input == 4));
  for (const char* body : {R"({"embeddings":[]})", R"({"embeddings":[{"embeddingType":"TEXT"}]})", R"({"embeddings":[{"embedding":["x"]}]})", R"({"embeddings":{}})"}) {
    CAPTURE(body);
    CHECK_FALSE(out.upstream->decode_task(body).ok());
  }
  const auto text = [](const Trip& trip, const char* member) {
    return find(JsonValue(trip.body), "singleEmbeddingParams", member).string_or() + find(JsonValue(trip.body), "singleEmbeddingParams", "text", member).string_or();
  };
  out = ask(kNova, R"("texts":["q"],"input_type":"search_query","truncate":"START")", "ABSKkey", "cohere");
  CHECK(text(out, "embeddingPurpose") == "TEXT_RETRIEVAL");
  CHECK(text(out, "truncationMode") == "START");
  CHECK(text(ask(kNova, R"("texts":["q"],"input_type":"clustering","truncate":"END")", "ABSKkey", "cohere"), "truncationMode") == "END");
  CHECK(text(ask(kNova, R"("texts":["q"],"input_type":"classification")", "ABSKkey", "cohere"), "embeddingPurpose") == "CLASSIFICATION");
}

TEST_CASE("bedrock: Cohere's models take many texts and are counted by a header") {
  Trip out = ask(kCohere, R"("input":["a","b"],"dimensions":512)");
  CHECK(canonical(out.body) == canonical(R"({"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"output_dimension":512})"));
  CHECK(out.upstream->max_inputs(provider(), kCohere) == 96);
  HttpHead head;
  head.status = 200;
  head.headers.push_back({"x-amzn-bedrock-input-token-count", "9"});
  out.upstream->set_head(head);
  for (const char* body : {R"({"id":"i","embeddings":{"float":[[1,2],[3,4]]},"response_type":"embeddings_by_type"})", R"({"embeddings":[[1,2],[3,4]]})"}) {
    auto answer = out.upstream->decode_task(body);
    REQUIRE(answer.ok());
    CHECK(answer->vectors == std::vector<std::vector<float>>{{1, 2}, {3, 4}});
    CHECK((answer->usage.known && answer->usage.input == 9));
  }
  out = ask(kCohere, R"("texts":["q"],"input_type":"search_query","truncate":"START")", "ABSKkey", "cohere");
  CHECK(canonical(out.body) == canonical(R"({"texts":["q"],"input_type":"search_query","embedding_types":["float"],"truncate":"START"})"));
}

TEST_CASE("bedrock: embeddings that cannot be said are refused by name") {
  CHECK(ask("amazon.titan-embed-text-v1", R"("input":"a","dimensions":256)").param == "dimensions");
  CHECK(ask("cohere.embed-english-v3", R"("input":"a","dimensions":256)").param == "dimensions");
  CHECK(ask(kTitan, R"("input":[1,2,3])").param == "input");
  CHECK(ask(kCohere, R"("input":[[1,2,3]])").param == "input[0]");
  CHECK(ask(kNova, R"("input":[1,2,3])").param == "input");
  CHECK(ask("amazon.nova-pro-v1:0", R"("input":"a")").param == "model");
  CHECK(ask("anthropic.claude-3-haiku", R"("input":"a")").param == "model");
  Trip hints = ask(kTitan, R"("texts":["q"],"input_type":"search_query","truncate":"END")", "ABSKkey", "cohere");
  CHECK(hints.request.dropped == std::vector<std::string>{"input_type", "truncate"});
}

TEST_CASE("bedrock: embeddings are signed with access keys") {
  const Trip out = ask(kTitan, R"("input":"a")", "AKIDEXAMPLE:secret");
  std::string authorization;
  for (const HttpHeader& h : out.request.http.headers) {
    if (h.name == "authorization") authorization = h.value;
  }
  CHECK(authorization.find("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") == 0);
  CHECK(authorization.find("/eu-west-1/bedrock/aws4_request") != std::string::npos);
}

TEST_CASE("bedrock: answers without a vector and exceptions are errors") {
  Trip out = ask(kTitan, R"("input":"a")");
  for (const char* body : {"", "{", "[]", "{}", R"({"embedding":[]})", R"({"embedding":["a"]})", R"({"embeddings":[[1]]})"}) {
    CAPTURE(body);
    CHECK_FALSE(out.upstream->decode_task(body).ok());
  }
  auto said = out.upstream->decode_task(R"({"message":"Too many requests, please wait"})");
  REQUIRE_FALSE(said.ok());
  CHECK(said.error().message.find("Too many requests") != std::string::npos);
  HttpHead head;
  head.status = 400;
  head.headers.push_back({"x-amzn-errortype", "ValidationException:http://x"});
  const Error error = out.upstream->parse_error(head, R"({"message":"Malformed input request"})");
  CHECK(error.http_status() == 400);
  CHECK(error.message.find("Malformed input request") != std::string::npos);
}
