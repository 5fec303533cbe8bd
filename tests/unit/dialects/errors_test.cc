// From an upstream's complaint to an Error: which code, how long to wait, and no secret in it.
#include "catch.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "support.h"

using namespace dialect_test;
using dialects::parse_wait;
using dialects::scrub;
using std::chrono::milliseconds;

namespace {

HttpHead head_of(int status, std::vector<HttpHeader> headers = {}) {
  HttpHead head;
  head.status = status;
  head.headers = std::move(headers);
  return head;
}

Error parse(int status, std::string_view body, std::vector<HttpHeader> headers = {}, std::string_view dialect_name = "openai") {
  return reading(dialect_name, true)->parse_error(head_of(status, std::move(headers)), body);
}

struct Row {
  int status;
  std::string body;
  ErrorCode code;
  std::string words, upstream_code;
};

constexpr auto kRejected = ErrorCode::kUpstreamRejected;
constexpr auto kBroken = ErrorCode::kUpstreamError;
constexpr auto kKey = ErrorCode::kUpstreamCredentialsRejected;
constexpr auto kLimited = ErrorCode::kUpstreamRateLimited;
constexpr auto kContext = ErrorCode::kContextLengthExceeded;
constexpr auto kPolicy = ErrorCode::kContentPolicy;

}  // namespace

TEST_CASE("chat client: a vendor's own words for too long a conversation do not pass as they are, other errors do") {
  const auto client = dialect("openai")->new_client_codec();
  for (const char* foreign : {R"({"error":{"code":"1261","message":"Prompt exceeds max length"}})",
                              R"({"error":{"code":400,"message":"request (13392 tokens) exceeds the available context size (8192 tokens).","type":"exceed_context_size_error","n_ctx":8192}})"}) {
    INFO(foreign);
    CHECK_FALSE(client->is_error_body(foreign));
    HttpHead head;
    head.status = 400;
    std::string written;
    client->encode_error(dialect("openai")->new_upstream_codec()->parse_error(head, foreign), written);
    CHECK(wire::find(wire::JsonValue(written), "error", "code").equals("context_length_exceeded"));
    CHECK(client->is_error_body(written));
  }
  CHECK(client->is_error_body(R"({"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})"));
  CHECK(client->is_error_body(R"({"error":{"code":"1214","message":"Bad parameter"}})"));
  CHECK_FALSE(client->is_error_body(R"({"error":"text"})"));
}

TEST_CASE("every shape that errors come in is understood") {
  const std::vector<Row> rows = {
      // {"error":{message,type,param,code}}
      {400, R"({"error":{"message":"Invalid 'max_tokens'","type":"invalid_request_error","param":"max_tokens","code":"integer_below_min_value"}})", kRejected, "Invalid 'max_tokens'", "integer_below_min_value"},
      {404, R"({"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}})", kRejected, "The model `x` does not exist", "model_not_found"},
      {401, R"({"error":{"code":"invalid_api_key","message":"Invalid API Key","type":"invalid_request_error"}})", kKey, "Invalid API Key", "invalid_api_key"},
      {403, R"({"error":{"code":null,"message":"You are not allowed to sample from this model","param":null,"type":"invalid_request_error"}})", kKey, "not allowed", "model_not_permitted"},
      {429, R"({"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}})", kLimited, "Rate limit reached", "rate_limit_exceeded"},
      {500, R"({"error":{"message":"The server had an error","type":"server_error"}})", kBroken, "The server had an error", "server_error"},
      {503, R"({"error":{"message":"Loading model","type":"unavailable_error","code":503}})", kBroken, "Loading model", "503"},
      {529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", kBroken, "Overloaded", "overloaded_error"},
      {408, R"({"error":{"message":"Timeout"}})", kBroken, "Timeout", ""},
      // {"error":{code: number, message, metadata}} (OpenRouter)
      {404, R"({"error":{"code":404,"message":"No endpoints found for qwen/qwq-32b:free."},"user_id":"u"})", kRejected, "No endpoints found", "404"},
      {403, R"({"error":{"code":403,"message":"Provider returned error","metadata":{"provider_name":"xAI","raw":"{\"error\":\"Content violates usage guidelines.\"}"}}})", kPolicy, "Provider returned error", "403"},
      // {"error":{code,message,status}} (Google), and in an array
      {400, R"([{"error":{"code":400,"message":"Function call is missing a thought_signature","status":"INVALID_ARGUMENT"}}])", kRejected, "thought_signature", "INVALID_ARGUMENT"},
      {429, R"({"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}})", kLimited, "quota", "RESOURCE_EXHAUSTED"},
      {400, R"({"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}})", kKey, "API key not valid", "INVALID_ARGUMENT"},
      // {"error":{code,details,message}} (Azure)
      {429, R"({"error":{"code":"RateLimitReached","message":"Your requests have exceeded rate limit.","details":"x"}})", kLimited, "exceeded rate limit", "RateLimitReached"},
      {401, R"({"error":{"code":"401","message":"Access denied due to invalid subscription key"}})", kKey, "Access denied", "401"},
      {404, R"({"error":{"type":"invalid_request_error","code":"DeploymentNotFound","message":"The API deployment does not exist."}})", kRejected, "deployment", "DeploymentNotFound"},
      // {"error":{code,failed_generation,message,type}} (Groq)
      {400, R"({"error":{"code":"tool_use_failed","failed_generation":"{}","message":"Tool call validation failed","type":"invalid_request_error"}})", kRejected, "Tool call validation failed", "tool_use_failed"},
      // {"error":"text"} (xAI, TGI, Ollama)
      {404, R"({"code":"Some requested entity was not found","error":"The model grok-beta was deprecated"})", kRejected, "grok-beta", "Some requested entity was not found"},
      {400, R"({"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***zz."})", kKey, "Incorrect API key provided", "Client specified an invalid argument"},
      {429, R"({"error":"Model is overloaded","error_type":"overloaded"})", kLimited, "Model is overloaded", "overloaded"},
      {422, R"({"error":"Input validation error: `temperature` must be strictly positive","error_type":"validation"})", kRejected, "temperature", "validation"},
      {424, R"({"error":"Request failed during generation","error_type":"generation"})", kBroken, "generation", "generation"},
      {404, R"({"error": "model 'llama3.2' not found"})", kRejected, "llama3.2", ""},
      // flat
      {400, R"({"object":"error","message":"Tool call id was x but must be a-z","type":"invalid_function_call","param":null,"code":"3280"})", kRejected, "Tool call id", "3280"},
      {429, R"({"message":"Request was rejected due to rate limiting. Details: TPM limit reached.","data":null})", kLimited, "TPM limit", ""},
      {400, R"({"code":"InvalidParameter","message":"bad","request_id":"r"})", kRejected, "bad", "InvalidParameter"},
      {401, R"({"detail":"Invalid API Key"})", kKey, "Invalid API Key", ""},
      {422, R"({"detail":[{"loc":["body","tools",0],"msg":"field required","type":"missing"}]})", kRejected, "body.tools.0: field required", ""},
      {422, R"({"detail":"Unexpected keys in the request: {'foo'}"})", kRejected, "Unexpected keys", ""},
      {400, R"({"errors":[{"message":"AiError: bad input","code":5006}],"success":false})", kRejected, "bad input", "5006"},
      {500, R"({"error":{"message":""},"detail":"it broke"})", kBroken, "it broke", ""},
      // no JSON
      {502, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body></html>", kBroken, "502 Bad Gateway", ""},
      {404, "404 page not found\n", kRejected, "404 page not found", ""},
      {500, "", kBroken, "an empty body", ""},
      {400, "{\"error\":{\"message\":\"cut", kRejected, "cut", ""},
      {400, "{}", kRejected, "the upstream answered 400", ""},
      {405, R"({"detail":"Method Not Allowed"})", kBroken, "Method Not Allowed", ""},
      {302, "", kBroken, "302", ""},
  };
  for (const Row& row : rows) {
    INFO(row.status << " " << row.body);
    const Error e = parse(row.status, row.body);
    CHECK(code_name(e.code) == code_name(row.code));
    CHECK(e.upstream_status == row.status);
    CHECK(e.message.find(row.words) != std::string::npos);
    CHECK(e.upstream_code == row.upstream_code);
    if (row.code == kRejected) CHECK(e.http_status() == row.status);
    else CHECK(e.http_status() == default_status(row.code));
  }
}

TEST_CASE("the request's own faults reach the caller in the provider's words; ours say where they come from") {
  CHECK(parse(400, R"({"error":{"message":"This is wrong","param":"messages[0]"}})").message == "This is wrong");
  CHECK(parse(400, R"({"error":{"message":"This is wrong","param":"messages[0]"}})").param == "messages[0]");
  CHECK(parse(500, R"({"error":{"message":"It broke"}})").message == "the upstream answered 500: It broke");
}

TEST_CASE("context overflow by all vendors' words and codes") {
  for (const char* body : {
           R"({"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}})",
           R"({"error":{"message":"This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens","type":"invalid_request_error","code":"invalid_request_error"}})",
           R"({"object":"error","message":"This model's maximum context length is 131072 tokens.","type":"BadRequestError","param":null,"code":400})",
           R"({"error":{"code":400,"message":"request (13392 tokens) exceeds the available context size (8192 tokens).","type":"exceed_context_size_error","n_ctx":8192}})",
           R"({"error":{"message":"Invalid request: Your request exceeded model token limit: 262144","type":"invalid_request_error"}})",
           R"({"error":{"message":"prompt too long; exceeded max context length by 1119046 tokens","type":"invalid_request_error"}})",
           R"({"error":{"message":"The total length of all messages is too long.","type":"too_many_prompt_tokens","code":400}})",
           R"({"code":20015,"message":"length of prompt_tokens (68957) must be less than max_seq_len (65536).","data":null})",
           R"({"error":{"code":"1261","message":"Prompt exceeds max length"}})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}})",
           R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193.","error_type":"validation"})",
           R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error"}})",
           R"({"code":"InvalidParameter","message":"Range of input length should be [1, 30720]"})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 197202 + 21333 > 200000, decrease input length or `max_tokens` and try again"}})",
           R"({"id":"x","message":"too many tokens: total number of tokens in the prompt exceeds the limit of 128000."})",
           R"({"error":"input length exceeds the context length"})",
       }) {
    INFO(body);
    for (int status : {400, 413, 422, 500}) CHECK(parse(status, body).code == kContext);
    CHECK(parse(400, body).message.find("answered") == std::string::npos);
  }
  // A limit on tokens per minute is no context.
  CHECK(parse(413, R"({"error":{"message":"Request too large for model on tokens per minute (TPM).","type":"tokens","code":"rate_limit_exceeded"}})").code == kLimited);
}

TEST_CASE("content filters of all vendors") {
  for (const char* body : {
           R"({"error":{"message":"The response was filtered due to the prompt triggering Azure Content management policy.","code":"content_filter","status":400}})",
           R"({"error":{"message":"x","code":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}})",
           R"({"error":{"type":"content_filter","message":"The request was rejected because it was considered high risk"}})",
           R"({"error":{"code":"1301","message":"unsafe"}})",
           R"({"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}})",
           R"({"code":"DataInspectionFailed","message":"Input data may contain inappropriate content."})",
           R"({"error":{"code":"InputTextSensitiveContentDetected","message":"The request failed: SensitiveContentDetected"}})",
           R"({"error":{"message":"Your request was rejected by our safety system","code":"content_policy_violation"}})",
           R"({"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}})",
       }) {
    INFO(body);
    CHECK(parse(400, body).code == kPolicy);
  }
  CHECK(parse(451, "{}").code == kPolicy);
}

TEST_CASE("an empty purse is told from a bad key by upstream_code") {
  const std::vector<std::pair<int, std::string>> rows = {
      {402, R"({"error":{"message":"Insufficient Balance"}})"},
      {402, "pay up"},
      {429, R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}})"},
      {429, R"({"error":{"message":"no money","type":"exceeded_current_quota_error"}})"},
      {429, R"({"error":{"code":"1113","message":"arrears"}})"},
      {403, R"({"error":{"code":"AccountOverdueError","message":"overdue"}})"},
      {400, R"({"code":"Arrearage","message":"Access denied, please make sure your account is in good standing."})"},
      {403, R"({"code":30001,"message":"Sorry, your account balance is insufficient"})"},
  };
  for (const auto& [status, body] : rows) {
    INFO(body);
    const Error e = parse(status, body);
    CHECK(e.code == kKey);
    CHECK(e.upstream_code == "insufficient_quota");
    CHECK(e.upstream_status == status);
  }
  CHECK(parse(401, R"({"error":{"message":"bad key","code":"invalid_api_key"}})").upstream_code == "invalid_api_key");
}

TEST_CASE("a key that may not use one model, and a request that is too dear, are told from a bad key and an empty purse by upstream_code") {
  const std::vector<std::tuple<int, std::string, std::string>> rows = {
      {403, R"({"error":{"message":"Project `proj_x` does not have access to model `gpt-9`","type":"invalid_request_error","code":"model_not_found"}})", "model_not_permitted"},
      {403, R"({"message":"You don't have access to the model with the specified model ID."})", "model_not_permitted"},
      {403, R"({"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}})", "model_not_permitted"},
      {403, R"({"error":{"code":"AccessDenied","message":"The request failed because you do not have access to the requested resource.","type":"Forbidden"}})", "model_not_permitted"},
      {403, R"({"error":{"code":"suspended","message":"Your account was suspended"}})", "suspended"},
      {401, R"({"error":{"code":"no","message":"this key is of no model"}})", "no"},
      {402, R"({"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 1333.","code":402}})", "request_too_dear"},
      {402, R"({"error":{"message":"Insufficient credits. Add more at the settings.","code":402}})", "insufficient_quota"},
  };
  for (const auto& [status, body, word] : rows) {
    INFO(body);
    const Error e = parse(status, body);
    CHECK(e.code == kKey);
    CHECK(e.upstream_code == word);
    CHECK(e.upstream_status == status);
  }
}

TEST_CASE("how long to wait, from whatever says it") {
  const auto wait = [](std::vector<HttpHeader> headers, int status = 429, std::string_view body = "{}") { return parse(status, body, std::move(headers)).retry_after.count(); };
  CHECK(wait({}) == 0);
  CHECK(wait({{"retry-after", "7"}}) == 7000);
  CHECK(wait({{"retry-after", "0.5"}}) == 500);
  CHECK(wait({{"retry-after", " 3 "}}) == 3000);
  CHECK(wait({{"retry-after", "soon"}}) == 0);
  CHECK(wait({{"retry-after", "-5"}}) == 0);
  CHECK(wait({{"retry-after-ms", "250"}, {"retry-after", "1"}}) == 250);
  CHECK(wait({{"retry-after", "1"}, {"retry-after-ms", "0"}}) == 1000);  // Azure
  CHECK(wait({{"date", "Sat, 21 Nov 2026 07:00:00 GMT"}, {"retry-after", "Sat, 21 Nov 2026 07:00:30 GMT"}}) == 30000);
  CHECK(wait({{"date", "Sat, 21 Nov 2026 07:00:00 GMT"}, {"retry-after", "Sat, 21 Nov 2026 06:00:00 GMT"}}) == 0);
  CHECK(wait({{"date", "Sat, 21 Nov 2026 07:00:00 GMT"}, {"retry-after", "Sat, 21 Nov 2099 06:00:00 GMT"}}) == 86400000);
  CHECK(wait({{"x-ratelimit-reset-requests", "6m0s"}}) == 360000);
  // The window that is used up counts.
  CHECK(wait({{"x-ratelimit-reset-requests", "20ms"}, {"x-ratelimit-remaining-requests", "10"}, {"x-ratelimit-reset-tokens", "17.39s"},
              {"x-ratelimit-remaining-tokens", "0"}}) == 17390);
  // Where nobody says which, the shortest.
  CHECK(wait({{"x-ratelimit-reset-requests", "1s"}, {"x-ratelimit-reset-tokens", "6m0s"}}) == 1000);
  CHECK(wait({{"x-ratelimit-reset-tokens-minute", "12.5"}}) == 12500);                                                                        // Cerebras
  CHECK(wait({{"date", "Tue, 07 Oct 2025 13:56:00 GMT"}, {"x-ratelimit-reset", "1759845420000"}, {"x-ratelimit-remaining", "0"}}) == 60000);  // OpenRouter
  CHECK(wait({{"date", "Tue, 07 Oct 2025 13:56:00 GMT"}, {"x-ratelimit-reset", "1759845390"}}) == 30000);
  // Words in the message, Google's RetryInfo.
  CHECK(wait({}, 429, R"({"error":{"message":"Limit 30000. Please try again in 1.78s. Visit https://x"}})") == 1780);
  CHECK(wait({}, 429, R"({"error":{"message":"Please try again in 6m0s."}})") == 360000);
  CHECK(wait({}, 429, R"({"error":{"message":"Please try again in 20ms."}})") == 20);
  CHECK(wait({}, 429, R"({"error":{"message":"try again in 5 minutes"}})") == 0);
  CHECK(wait({}, 429, R"({"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"48s"}]}})") == 48000);
  CHECK(wait({{"x-ratelimit-reset-tokens", "6m0s"}}, 429, R"({"error":{"message":"Please try again in 1.5s."}})") == 1500);
  CHECK(wait({{"retry-after", "2"}}, 503) == 2000);
  CHECK(wait({{"retry-after", "2"}}, 400) == 0);  // the request will not get better
}

TEST_CASE("durations") {
  CHECK(parse_wait("6m0s") == milliseconds(360000));
  CHECK(parse_wait("17.39s") == milliseconds(17390));
  CHECK(parse_wait("4ms") == milliseconds(4));
  CHECK(parse_wait("1h2m3s") == milliseconds(3723000));
  CHECK(parse_wait("12") == milliseconds(12000));
  CHECK(parse_wait("0s") == milliseconds(0));
  CHECK(parse_wait("500us") == milliseconds(1));
  CHECK(parse_wait("2d") == milliseconds(86400000));
  CHECK(parse_wait("99999999999999999999h") == milliseconds(86400000));
  for (const char* bad : {"", "s", "m5", "5x", "1e5", "--1", "5s5", "nan", "inf"}) {
    INFO(bad);
    CHECK(parse_wait(bad) == milliseconds(0));
  }
}

TEST_CASE("dates") {
  using namespace llmrouter::dialects;
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(!parse_http_date("Sun, 06 Nox 1994 08:49:37 GMT"));
  CHECK(!parse_http_date("Sun, 06 Nov 1994 08:49:37 CET"));
  CHECK(!parse_http_date("06 Nov 1994 08:49:37 GMT"));
  CHECK(parse_rfc3339("2024-05-24T20:01:31.01558Z") == 1716580891);
  CHECK(parse_rfc3339("2024-05-24T22:01:31+02:00") == 1716580891);
  CHECK(parse_rfc3339("2024-05-24T13:01:31.5-07:00") == 1716580891);
  CHECK(!parse_rfc3339("2024-05-24 20:01:31"));
  CHECK(!parse_rfc3339("2024-13-24T20:01:31Z"));
  CHECK(!parse_rfc3339("2024-05-24T20:01:31"));
  for (int64_t t : {int64_t{0}, int64_t{784111777}, int64_t{1716580891}, int64_t{951827696}, int64_t{-1}, int64_t{253402300799}}) {
    CHECK(parse_rfc3339(format_rfc3339(t)) == t);
  }
  CHECK(format_rfc3339(1716580891) == "2024-05-24T20:01:31Z");
}

TEST_CASE("no key gets into an error, however it is echoed") {
  const std::string key = "my-house-key-77";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"Incorrect API key provided: sk-abcd1234efgh.", "Incorrect API key provided: ***."},
      {"Incorrect API key provided: sk-ab*****wxyz. You can find", "Incorrect API key provided: ***. You can find"},
      {"Your api key: ****-key is invalid", "Your api key: *** is invalid"},
      {"key provided: fake", "key provided: ***"},
      {"Authorization: Bearer abcDEF123456", "Authorization: Bearer ***"},
      {"using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). ", "using Bearer auth (i.e. Authorization: Bearer ***). "},
      {"bad gsk_abcdefgh12345", "bad ***"},
      {"AIzaSyA1234567890 is bad", "*** is bad"},
      {"xai-abcdefghijk", "***"},
      {"hf_abcDEF123456", "***"},
      {"https://x/y?key=abcdef123456&z=1", "https://x/y?key=***&z=1"},
      {R"({"api_key":"abcdef123456"})", R"({"api_key":"***"})"},
      {"with my-house-key-77 in it, and xmy-house-key-77x", "with *** in it, and ***"},
      {"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", "token ***"},
      // What is no key stays.
      {"max_tokens: 12345678 is too large", "max_tokens: 12345678 is too large"},
      {"The model `gpt-4o-2024-08-06` does not exist", "The model `gpt-4o-2024-08-06` does not exist"},
      {"see https://platform.openai.com/account/api-keys.", "see https://platform.openai.com/account/api-keys."},
      {"request req_abc123 of org-xyz failed", "request req_abc123 of org-xyz failed"},
      {"messages[0].content: a **bold** word", "messages[0].content: a **bold** word"},
      {"tool hf_inference failed", "tool hf_inference failed"},
  };
  for (const auto& [raw, clean] : rows) CHECK(scrub(raw, key) == clean);
  const Error e = parse(401, R"({"error":{"message":"Incorrect API key provided: sk-test-0123456789abcdef","code":"sk-test-0123456789abcdef"}})");
  CHECK(e.message.find("0123456789") == std::string::npos);
  CHECK(e.upstream_body.find("0123456789") == std::string::npos);
  CHECK(e.upstream_code.find("0123456789") == std::string::npos);
  CHECK(wire::validate(e.upstream_body));
}

TEST_CASE("a key behind JSON's escapes: the body is not passed on, the words are clean") {
  const std::string key = "up-AAAA/BBBB-CCCC==";
  const std::string shown[] = {
      R"(up-AAAA\/BBBB-CCCC==)",
      R"(up\u002dAAAA/BBBB-CCCC==)",
      R"(\u0075p\u002DAAAA\u002fBBBB-CCCC\u003d=)",
      R"(said \"up-AAAA\\\/BBBB-CCCC==\" here)",
      R"({\"key\":\"\\u0075p-AAAA/BBBB-CCCC==\"})",
  };
  for (const std::string& words : shown) {
    const std::string body = R"({"error":{"message":"bad key )" + words + R"( used","type":"invalid_request_error","param":"up-AAAA\/BBBB-CCCC=="}})";
    INFO(body);
    HttpHead head;
    head.status = 400;
    const Error error = dialects::error_of_reply(head, body, key);
    CHECK(error.upstream_body.empty());
    CHECK(error.message.find("***") != std::string::npos);
    CHECK(error.message.find("bad key") == 0);
    CHECK(error.param == "***");
    for (const std::string& text : {error.message, error.param, error.upstream_code}) {
      CHECK(text.find("AAAA") == std::string::npos);
      CHECK(text.find("BBBB") == std::string::npos);
    }
  }
  // Escapes alone are no reason to write anything anew.
  HttpHead head;
  head.status = 400;
  const std::string harmless = R"({"error":{"message":"a\/b \u002d \"c\" \u12","type":"invalid_request_error"}})";
  CHECK(dialects::error_of_reply(head, harmless, key).upstream_body == harmless);
}

TEST_CASE("an error body is kept as it came, but never more than 8 KiB of it") {
  const std::string body = R"({"error":{"message":"This is wrong","type":"invalid_request_error","extra":[1, 2]}})";
  CHECK(parse(400, body).upstream_body == body);
  CHECK(parse(400, "\n\n" + body).upstream_body == body);
  const std::string big = R"({"error":{"message":")" + std::string(100000, 'x') + "\"}}";
  CHECK(parse(400, big).upstream_body.size() == 8192);
  CHECK(parse(400, big).message.size() == 2048);
  const std::string wide = "{\"error\":{\"message\":\"" + std::string(2047, 'x') + "\xc3\xa9\"}}";
  CHECK(parse(400, wide).message == std::string(2047, 'x'));  // not in the middle of a letter
}

TEST_CASE("content types lie: JSON is known by its first byte") {
  const Error e = parse(400, R"({"error":{"message":"The reasoning_content must be passed back","code":"invalid_request_error"}})", {{"content-type", "application/octet-stream"}});
  CHECK(e.code == kRejected);
  CHECK(e.message == "The reasoning_content must be passed back");
}

TEST_CASE("recorded error replies become what they are") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if ((r.endpoint != "chat/completions" && r.endpoint != "api/chat") || r.status < 400) continue;
    INFO(r.provider << "/" << r.name << " " << r.status << " " << r.body.substr(0, 300));
    ++count;
    HttpHead head = head_of(r.status, r.headers);
    const Error e = reading("openai", true)->parse_error(head, r.body);
    CHECK(e.upstream_status == r.status);
    CHECK(!e.message.empty());
    CHECK(wire::validate(e.upstream_body));
    const auto says = [&](std::string_view words) { return r.body.find(words) != std::string::npos; };
    ErrorCode expected = kRejected;
    if (says("insufficient_quota")) expected = kKey;
    else if (says("violates usage guidelines") || says("content_filter")) expected = kPolicy;
    else if (r.status == 401 || r.status == 403) expected = kKey;
    else if (r.status == 429) expected = kLimited;
    else if (says("maximum context length") || says("max context length") || says("context size") || says("max_seq_len") || says("token limit: ") ||
             says("too_many_prompt_tokens")) {
      expected = kContext;
    }
    CHECK(code_name(e.code) == code_name(expected));
    if (r.name == "pasted-openai-429-tpm") CHECK(e.retry_after == milliseconds(1780));
  }
  if (!recordings().empty()) CHECK(count > 35);
}
