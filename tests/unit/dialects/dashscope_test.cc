// DashScope's native API: what its OpenAI face does not have.
#include "catch.h"
#include "task_support.h"

using namespace dialect_test;

namespace {

struct Trip {
  std::unique_ptr<TaskTrip> trip;
  std::unique_ptr<UpstreamCodec> upstream;
  std::string body, param;
  EncodedRequest request;
};

ProviderConfig qwen(const std::string& base) {
  ProviderConfig config = provider();
  config.base_url = base;
  config.auth = "bearer";
  return config;
}

// A client's request, for this model; `param` when it is refused.
Trip ask(Operation operation, const std::string& model, const std::string& members, std::string_view from = "openai",
         const std::string& base = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1") {
  Trip out;
  auto scanned = task_scan(from, operation, R"({"model":"m",)" + members + "}");
  if (!scanned) FAIL(scanned.error().message);
  out.trip = std::move(*scanned);
  auto task = out.trip->client->decode_task();
  if (!task) FAIL(task.error().message);
  const ProviderConfig config = qwen(base);
  out.upstream = dialect("dashscope")->new_task_upstream(operation);
  EncodeInput input;
  input.task = &*task;
  input.provider = &config;
  input.key = "sk-dash";
  input.upstream_model = model;
  input.foreign = true;
  if (auto encoded = out.upstream->encode(input, out.request); !encoded) {
    out.param = encoded.error().code == ErrorCode::kConfig ? "base_url" : encoded.error().param;
    return out;
  }
  for (std::string_view piece : out.request.http.body) out.body += piece;
  CHECK(wire::validate(out.body));
  return out;
}

std::string header(const EncodedRequest& request, std::string_view name) {
  for (const HttpHeader& h : request.http.headers) if (h.name == name) return h.value;
  return {};
}

}  // namespace

TEST_CASE("dashscope: a ranking is asked beside the OpenAI face") {
  Trip out = ask(Operation::kRerank, "gte-rerank-v2", R"("query":"a \"b\"","documents":["x",{"text":"y","id":7}],"top_n":1,"instruct":"find","max_tokens_per_doc":9,"more":1)");
  CHECK(out.request.http.method == "POST");
  CHECK(out.request.http.url == "https://dashscope-intl.aliyuncs.com/api/v1/services/rerank/text-rerank/text-rerank");
  CHECK(header(out.request, "authorization") == "Bearer sk-dash");
  CHECK(canonical(out.body) == canonical(R"({"model":"gte-rerank-v2","input":{"query":"a \"b\"","documents":["x","y"]},
                                            "parameters":{"return_documents":false,"top_n":1,"instruct":"find"}})"));
  CHECK(out.request.dropped == std::vector<std::string>{"max_tokens_per_doc", "more"});
  auto answer = out.upstream->decode_task(R"({"output":{"results":[{"index":0,"relevance_score":0.25},{"index":1,"relevance_score":0.5}]},"usage":{"total_tokens":79},"request_id":"r"})");
  REQUIRE(answer.ok());
  CHECK(answer->id == "r");
  CHECK((answer->usage.known && answer->usage.input == 79));
  REQUIRE(answer->ranked.size() == 2);
  CHECK((answer->ranked[0].index == 1 && answer->ranked[0].score == 0.5 && answer->ranked[1].index == 0));
  for (const char* body : {R"({"output":{"results":{}}})", R"({"output":{"results":[{"index":0}]}})", R"({"output":{"results":[{"relevance_score":1}]}})", "{}", "[]", "<html>"}) {
    CAPTURE(body);
    CHECK_FALSE(out.upstream->decode_task(body).ok());
  }
}

TEST_CASE("dashscope: pictures are ranked by models that see, and refused for others") {
  const std::string documents = R"("query":"q","documents":[{"image":"https://x/y.png"},{"text":"t"},"u"])";
  Trip seen = ask(Operation::kRerank, "qwen3-vl-rerank", documents);
  CHECK(wire::find(wire::JsonValue(seen.body), "input", "documents").raw() == R"([{"image":"https://x/y.png"},{"text":"t"},"u"])");
  CHECK(ask(Operation::kRerank, "qwen3-rerank", documents).param == "documents[0]");
}

TEST_CASE("dashscope: vectors of models that see, of texts") {
  Trip out = ask(Operation::kEmbed, "qwen3-vl-embedding", R"("input":["a","b"],"dimensions":1024,"user":"u","encoding_format":"base64")");
  CHECK(out.request.http.url == "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding");
  CHECK(canonical(out.body) == canonical(R"({"model":"qwen3-vl-embedding","input":{"contents":[{"text":"a"},{"text":"b"}]},"parameters":{"dimension":1024}})"));
  CHECK(out.request.dropped == std::vector<std::string>{"user"});
  auto answer = out.upstream->decode_task(R"({"output":{"embeddings":[{"index":1,"embedding":[2],"type":"text"},{"index":0,"embedding":[0.5],"type":"text"}]},
    "usage":{"input_tokens":10,"image_tokens":0,"image_count":0,"duration":0},"request_id":"r"})");
  REQUIRE(answer.ok());
  CHECK(answer->vectors == std::vector<std::vector<float>>{{0.5f}, {2.0f}});
  CHECK((answer->usage.known && answer->usage.input == 10 && answer->usage.output == 0));
  for (const char* body : {R"({"output":{"embeddings":[{"embedding":"x y"}]}})", R"({"output":{}})", R"({"output":{"embeddings":[{"index":0}]}})"}) {
    CAPTURE(body);
    CHECK_FALSE(out.upstream->decode_task(body).ok());
  }
  CHECK(out.upstream->max_inputs(provider(), "qwen3-vl-embedding") == 20);
  CHECK(out.upstream->max_inputs(provider(), "qwen2.5-vl-embedding") == 1);  // melts all of them into one
  CHECK(ask(Operation::kEmbed, "qwen3-vl-embedding", R"("input":[[1,2]])").param == "input[0]");
  const Trip cohere = ask(Operation::kEmbed, "multimodal-embedding-v1", R"("texts":["a"],"input_type":"search_query","truncate":"END")", "cohere");
  CHECK(cohere.request.dropped == std::vector<std::string>{"input_type", "truncate"});
}

TEST_CASE("dashscope: pictures are told by where they lie") {
  Trip out = ask(Operation::kImage, "qwen-image-2.0", R"("prompt":"a \"b\"","n":2,"size":"1664x928","negative_prompt":"c","output_format":"png","user":"u","quality":"hd")");
  CHECK(out.request.http.url == "https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/multimodal-generation/generation");
  CHECK(canonical(out.body) == canonical(R"({"model":"qwen-image-2.0","input":{"messages":[{"role":"user","content":[{"text":"a \"b\""}]}]},
                                            "parameters":{"n":2,"size":"1664*928","negative_prompt":"c"}})"));
  CHECK(out.request.dropped == std::vector<std::string>{"quality", "output_format", "user"});
  auto answer = out.upstream->decode_task(R"({"output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"image":"https://x/1.png?a=1"},{"image":"https://x/2.png"}]}}]},
    "usage":{"height":928,"image_count":2,"width":1664},"request_id":"r"})");
  REQUIRE(answer.ok());
  REQUIRE(answer->images.size() == 2);
  CHECK((answer->images[1].url == "https://x/2.png" && answer->images[1].data.empty() && !answer->usage.known));
  std::string told;
  out.trip->client->encode_task(*answer, told);
  CHECK(wire::find_member(wire::JsonValue(told), "data").raw() == R"([{"url":"https://x/1.png?a=1"},{"url":"https://x/2.png"}])");
  for (const char* body : {R"({"output":{"choices":[]}})", R"({"output":{"choices":[{"message":{"content":[{"text":"no"}]}}]}})"}) {
    CAPTURE(body);
    CHECK_FALSE(out.upstream->decode_task(body).ok());
  }
  CHECK(ask(Operation::kImage, "qwen-image", R"("prompt":"a","response_format":"b64_json")").param == "response_format");
  for (const char* size : {"big", "10", "x10", "10x", "1*2", "1x2x3"}) {
    CAPTURE(size);
    CHECK(ask(Operation::kImage, "qwen-image", R"("prompt":"a","size":")" + std::string(size) + '"').param == "size");
  }
}

TEST_CASE("quirk native_uses: what texts are for is said at the native API, where there is one") {
  auto scanned = task_scan("cohere", Operation::kEmbed, R"({"model":"m","texts":["a","b"],"input_type":"search_document"})");
  REQUIRE(scanned.ok());
  auto task = (*scanned)->client->decode_task();
  REQUIRE(task.ok());
  const auto encode = [&](const std::string& base, EncodedRequest& out) {
    ProviderConfig config = qwen(base);
    config.quirks = {"native_uses"};
    auto upstream = dialect("openai")->new_task_upstream(Operation::kEmbed);
    EncodeInput input;
    input.task = &*task;
    input.provider = &config;
    input.upstream_model = "text-embedding-v4";
    input.foreign = true;
    REQUIRE(upstream->encode(input, out).ok());
    return upstream;
  };
  EncodedRequest native, other;
  auto upstream = encode("https://dashscope.aliyuncs.com/compatible-mode/v1", native);
  CHECK(native.http.url == "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding");
  std::string body;
  for (std::string_view piece : native.http.body) body += piece;
  CHECK(canonical(body) == canonical(R"({"model":"text-embedding-v4","input":{"texts":["a","b"]},"parameters":{"text_type":"document"}})"));
  CHECK(native.dropped.empty());
  auto answer = upstream->decode_task(R"({"output":{"embeddings":[{"text_index":1,"embedding":[2]},{"text_index":0,"embedding":[1]}]},"usage":{"total_tokens":26},"request_id":"r"})");
  REQUIRE(answer.ok());
  CHECK(answer->vectors == std::vector<std::vector<float>>{{1.0f}, {2.0f}});
  CHECK(answer->usage.input == 26);
  encode("https://proxy.example/v1", other);
  CHECK(other.http.url == "https://proxy.example/v1/embeddings");
  CHECK(other.dropped == std::vector<std::string>{"input_type"});
}

TEST_CASE("dashscope: errors are flat, whatever their status") {
  auto codec = dialect("dashscope")->new_task_upstream(Operation::kRerank);
  const auto told = [&](int status, const char* body) {
    HttpHead head;
    head.status = status;
    return codec->parse_error(head, body);
  };
  const Error key = told(401, R"({"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"})");
  CHECK((key.code == ErrorCode::kUpstreamCredentialsRejected && key.upstream_code == "InvalidApiKey" && key.upstream_status == 401));
  CHECK(told(429, R"({"code":"Throttling.RateQuota","message":"Requests rate limit exceeded, please try again later.","request_id":"x"})").code == ErrorCode::kUpstreamRateLimited);
  CHECK(told(400, R"({"code":"DataInspectionFailed","message":"Input data may contain inappropriate content.","request_id":"x"})").code == ErrorCode::kContentPolicy);
  CHECK(told(400, R"({"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","request_id":"x"})").upstream_code == "insufficient_quota");
  const Error rejected = told(400, R"({"code":"InvalidParameter","message":"documents is too long","request_id":"x"})");
  CHECK((rejected.code == ErrorCode::kUpstreamRejected && rejected.message == "documents is too long"));
  const auto inside = codec->decode_task(R"({"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"x"})");
  REQUIRE_FALSE(inside.ok());
  CHECK(inside.error().code == ErrorCode::kUpstreamCredentialsRejected);
}

TEST_CASE("dashscope: what else it has is not spoken, nor anywhere else") {
  CHECK(dialect("dashscope")->new_client_codec() == nullptr);
  CHECK(dialect("dashscope")->new_upstream_codec() == nullptr);
  CHECK(dialect("dashscope")->new_task_upstream(Operation::kSpeech) == nullptr);
  CHECK(ask(Operation::kRerank, "gte-rerank-v2", R"("query":"q","documents":["x"])", "openai", "https://proxy.example/v1").param == "base_url");
}
