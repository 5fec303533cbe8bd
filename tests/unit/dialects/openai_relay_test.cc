// What the OpenAI upstream codec sends: the client's own bytes, and what is changed in them.
#include "catch.h"
#include "dialects/openai.h"
#include "support.h"

using namespace dialect_test;

namespace {

const std::string kPlain = R"({"model": "gpt-4o", "messages":[{"role":"user","content":"hi"}] , "invented":{"a":[1, 2]}})";

std::string sent(const std::string& body, std::vector<std::string> quirks = {}, const std::vector<BodyEdit>& edits = {}) {
  auto out = relay_request("openai", body, provider(std::move(quirks)), edits);
  if (!out) FAIL(out.error().message);
  CHECK(wire::validate(out->body));
  return out->body;
}

std::string with(std::string_view members) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + std::string(members) + "}";
}

std::string member(const std::string& body, std::string_view name) {
  return std::string(wire::find_member(wire::JsonValue(body), name).raw());
}

}  // namespace

TEST_CASE("only the model's name is changed in a relayed body") {
  CHECK(sent(kPlain) == R"({"model": "upstream-model", "messages":[{"role":"user","content":"hi"}] , "invented":{"a":[1, 2]}})");
}

TEST_CASE("a body whose model is named the same upstream goes out untouched, as one piece of the client's own") {
  auto out = relay_request("openai", kPlain, provider(), {}, "gpt-4o");
  REQUIRE(out.ok());
  REQUIRE(out->request.http.body.size() == 1);
  CHECK(out->request.http.body[0].data() == kPlain.data());
  CHECK(out->body == kPlain);
}

TEST_CASE("the pieces of a spliced body are the client's own bytes but for what changed") {
  auto out = relay_request("openai", kPlain);
  REQUIRE(out.ok());
  size_t own = 0;
  for (std::string_view piece : out->request.http.body) {
    if (piece.data() >= kPlain.data() && piece.data() < kPlain.data() + kPlain.size()) own += piece.size();
  }
  CHECK(own == kPlain.size() - std::string("\"gpt-4o\"").size());
}

TEST_CASE("URL and headers are those of the provider") {
  ProviderConfig config = provider();
  auto out = relay_request("openai", kPlain, config);
  REQUIRE(out.ok());
  CHECK(out->request.http.method == "POST");
  CHECK(out->request.http.url == "http://127.0.0.1:9/v1/chat/completions");
  CHECK(out->header("content-type") == "application/json");
  CHECK(out->header("accept") == "application/json");
  CHECK(out->header("authorization") == "Bearer sk-test-0123456789abcdef");

  config.auth = "Api-Key";
  config.base_url = "https://r.example/openai/deployments/d/?api-version=2025-01-01";
  config.headers = {{"x-team", "search"}, {"Accept", "text/plain"}};
  out = relay_request("openai", with(R"("stream":true)"), config);
  REQUIRE(out.ok());
  CHECK(out->request.http.url == "https://r.example/openai/deployments/d/chat/completions?api-version=2025-01-01");
  CHECK(out->header("api-key") == "sk-test-0123456789abcdef");
  CHECK(out->header("authorization").empty());
  CHECK(out->header("x-team") == "search");
  CHECK(out->header("accept").empty());  // the provider's own wins
  CHECK(out->header("Accept") == "text/plain");

  config.auth = "";
  out = relay_request("openai", kPlain, config);
  REQUIRE(out.ok());
  CHECK(out->header("authorization").empty());
}

TEST_CASE("a stream is asked for as one") {
  auto out = relay_request("openai", with(R"("stream":true)"));
  REQUIRE(out.ok());
  CHECK(out->header("accept") == "text/event-stream");
}

TEST_CASE("a key that cannot stand in a header is refused, not sent") {
  const ProviderConfig config = provider();
  RequestFacts facts;
  facts.model = "m";
  EncodeInput input;
  input.body = "{}";
  input.facts = &facts;
  input.provider = &config;
  input.key = "sk-a\r\nx-evil: 1";
  input.upstream_model = "m";
  EncodedRequest out;
  auto encoded = dialect("openai")->new_upstream_codec()->encode(input, out);
  REQUIRE(!encoded.ok());
  CHECK(encoded.error().code == ErrorCode::kConfig);
  CHECK(encoded.error().message.find("evil") == std::string::npos);
}

TEST_CASE("usage is asked for in streams when the client did not") {
  CHECK(member(sent(with(R"("stream":true)")), "stream_options") == R"({"include_usage":true})");
  CHECK(member(sent(with(R"("stream":true,"stream_options":null)")), "stream_options") == R"({"include_usage":true})");
  CHECK(member(sent(with(R"("stream":true,"stream_options":{"include_usage":false,"x":1})")), "stream_options") == R"({"include_usage":true,"x":1})");
  CHECK(member(sent(with(R"("stream":true,"stream_options":{"include_obfuscation":false})")), "stream_options") ==
        R"({"include_obfuscation":false,"include_usage":true})");
  CHECK(member(sent(with(R"("stream":true,"stream_options":{ "include_usage": true })")), "stream_options") == R"({ "include_usage": true })");
  CHECK(member(sent(with(R"("stream":false)")), "stream_options").empty());
}

TEST_CASE("edits of a policy are spliced in by their names") {
  const std::vector<BodyEdit> edits = {{BodyEdit::Kind::kSet, "temperature", "0.5"},
                                       {BodyEdit::Kind::kDefault, "top_p", "0.9"},
                                       {BodyEdit::Kind::kDefault, "seed", "1"},
                                       {BodyEdit::Kind::kRemove, "logit_bias", ""}};
  const std::string out = sent(with(R"("temperature":1,"logit_bias":{"5":1},"seed":9)"), {}, edits);
  CHECK(member(out, "temperature") == "0.5");
  CHECK(member(out, "top_p") == "0.9");
  CHECK(member(out, "seed") == "9");
  CHECK(member(out, "logit_bias").empty());
}

TEST_CASE("the bound of an answer has two names, and a policy's edit of either means the one that holds") {
  const auto bounds = [](const std::string& members, const std::vector<BodyEdit>& edits, std::vector<std::string> quirks = {}) {
    const std::string out = sent(with(members), std::move(quirks), edits);
    return member(out, "max_tokens") + "/" + member(out, "max_completion_tokens");
  };
  using Kind = BodyEdit::Kind;
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    INFO(name);
    const std::vector<BodyEdit> always = {{Kind::kSet, name, "55"}}, silent = {{Kind::kDefault, name, "55"}};
    CHECK(bounds(R"("max_completion_tokens":8000)", always) == "/55");
    CHECK(bounds(R"("max_tokens":8000)", always) == "55/");
    CHECK(bounds(R"("max_tokens":8000,"max_completion_tokens":9000)", always) == "/55");
    CHECK(bounds(R"("max_completion_tokens":8000)", silent) == "/8000");
    CHECK(bounds(R"("max_tokens":8000)", silent) == "8000/");
    CHECK(bounds(R"("max_tokens":null,"max_completion_tokens":7)", always) == "/55");
    CHECK(bounds(R"("max_completion_tokens":8000)", always, {"max_tokens_only"}) == "55/");
    CHECK(bounds(R"("max_completion_tokens":8000)", silent, {"max_tokens_only"}) == "8000/");
    CHECK(bounds(R"("max_tokens":8000)", always, {"max_completion_tokens_only"}) == "/55");
  }
  CHECK(bounds(R"("x":1)", {{Kind::kDefault, "max_tokens", "9"}, {Kind::kSet, "max_completion_tokens", "5"}}) == "5/");
  CHECK(bounds(R"("x":1)", {{Kind::kDefault, "max_completion_tokens", "9"}, {Kind::kDefault, "max_tokens", "5"}}) == "/9");
  CHECK(bounds(R"("max_completion_tokens":7)", {{Kind::kRemove, "max_completion_tokens", ""}}) == "/");
}

TEST_CASE("quirk no_stream_options: never sent, not even the client's own") {
  CHECK(member(sent(with(R"("stream":true)"), {"no_stream_options"}), "stream_options").empty());
  CHECK(member(sent(with(R"("stream":true,"stream_options":{"include_usage":true})"), {"no_stream_options"}), "stream_options").empty());
}

TEST_CASE("quirk max_tokens_only: max_completion_tokens goes by its older name") {
  const std::string out = sent(with(R"("max_completion_tokens":50)"), {"max_tokens_only"});
  CHECK(member(out, "max_tokens") == "50");
  CHECK(member(out, "max_completion_tokens").empty());
  const std::string both = sent(with(R"("max_completion_tokens":50,"max_tokens":40)"), {"max_tokens_only"});
  CHECK(member(both, "max_tokens") == "40");
  CHECK(member(both, "max_completion_tokens").empty());
  const std::string edited = sent(with(R"("x":1)"), {"max_tokens_only"}, {{BodyEdit::Kind::kDefault, "max_completion_tokens", "9"}});
  CHECK(member(edited, "max_tokens") == "9");
}

TEST_CASE("quirk max_completion_tokens_only: max_tokens goes by its newer name") {
  const std::string out = sent(with(R"("max_tokens":50)"), {"max_completion_tokens_only"});
  CHECK(member(out, "max_completion_tokens") == "50");
  CHECK(member(out, "max_tokens").empty());
  CHECK(member(sent(with(R"("max_tokens":null)"), {"max_completion_tokens_only"}), "max_completion_tokens").empty());
  const std::string edited = sent(with(R"("max_tokens":50)"), {"max_completion_tokens_only"}, {{BodyEdit::Kind::kSet, "max_tokens", "9"}});
  CHECK(member(edited, "max_completion_tokens") == "9");
  CHECK(member(edited, "max_tokens").empty());
}

TEST_CASE("quirk random_seed: Mistral's name for seed") {
  const std::string out = sent(with(R"("seed":5)"), {"random_seed"});
  CHECK(member(out, "random_seed") == "5");
  CHECK(member(out, "seed").empty());
}

TEST_CASE("quirk required_is_any: Mistral's word for required") {
  CHECK(member(sent(with(R"("tool_choice":"required")"), {"required_is_any"}), "tool_choice") == R"("any")");
  CHECK(member(sent(with(R"("tool_choice":"none")"), {"required_is_any"}), "tool_choice") == R"("none")");
  const std::string named = R"({"type":"function","function":{"name":"f"}})";
  CHECK(member(sent(with("\"tool_choice\":" + named), {"required_is_any"}), "tool_choice") == named);
  CHECK(member(sent(with(R"("x":1)"), {"required_is_any"}, {{BodyEdit::Kind::kSet, "tool_choice", R"("required")"}}), "tool_choice") == R"("any")");
}

TEST_CASE("quirk short_tool_ids: foreign ids become nine characters, the same in call and result") {
  const std::string body = R"({"model":"m","messages":[ {"role":"assistant","content":null,"tool_calls":[
    {"id":"call_abc/1","type":"function","function":{"name":"f","arguments":"{\"id\":\"call_abc/1\"}"}},
    {"id":"aB3dE6gH9","type":"function","function":{"name":"g","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"call_abc/1","content":"x"},{"role":"tool","tool_call_id":"aB3dE6gH9","content":"y"}]})";
  const std::string out = sent(body, {"short_tool_ids"});
  const wire::JsonValue root(out);
  const std::string first = wire::find(root, "messages", 0, "tool_calls", 0, "id").string_or();
  CHECK(first.size() == 9);
  CHECK(first == dialects::openai::short_tool_id("call_abc/1"));
  CHECK(dialects::openai::short_tool_id("call_abc/2") != first);
  CHECK(wire::find(root, "messages", 1, "tool_call_id").equals(first));
  CHECK(wire::find(root, "messages", 0, "tool_calls", 1, "id").equals("aB3dE6gH9"));
  CHECK(wire::find(root, "messages", 2, "tool_call_id").equals("aB3dE6gH9"));
  CHECK(wire::find(root, "messages", 0, "tool_calls", 0, "function", "arguments").equals(R"({"id":"call_abc/1"})"));
  // Nothing foreign: nothing changes.
  const std::string own = R"({"model":"m","messages":[{"role":"tool","tool_call_id":"aB3dE6gH9","content":"y"}]})";
  auto same = relay_request("openai", own, provider({"short_tool_ids"}), {}, "m");
  REQUIRE(same.ok());
  CHECK(same->body == own);
  CHECK(same->request.http.body.size() == 1);
}

TEST_CASE("quirk strip_unknown: only what transformers serve takes is sent, and what is left out is named") {
  auto out = relay_request("openai", with(R"("stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":9,"user":"u","n":1,
    "temperature":0.5,"store":true,"tool_choice":"auto","parallel_tool_calls":true)"), provider({"strip_unknown"}));
  REQUIRE(out.ok());
  CHECK(canonical(out->body) ==
        canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":9,"temperature":0.5})"));
  CHECK(out->request.dropped == std::vector<std::string>{"stream_options", "user", "n", "store", "tool_choice", "parallel_tool_calls"});
}

TEST_CASE("quirk strip_unknown: what changes the answer is refused by name, not left out") {
  for (const char* members : {R"("n":2)", R"("tool_choice":"required")", R"("response_format":{"type":"json_object"})", R"("logprobs":true)"}) {
    INFO(members);
    auto relayed = relay_request("openai", with(members), provider({"strip_unknown"}));
    REQUIRE(!relayed.ok());
    CHECK(relayed.error().code == ErrorCode::kInvalidRequest);
    const std::string name = std::string(members).substr(1, std::string(members).find('"', 1) - 1);
    CHECK(relayed.error().param == name);
    auto translated = translate_request("openai", "openai", with(members), provider({"strip_unknown"}));
    REQUIRE(!translated.ok());
    CHECK(translated.error().param == name);
  }
}

TEST_CASE("quirk no_top_k: top_k is dropped by name") {
  auto out = relay_request("openai", with(R"("top_k":5)"), provider({"no_top_k"}));
  REQUIRE(out.ok());
  CHECK(member(out->body, "top_k").empty());
  CHECK(out->request.dropped == std::vector<std::string>{"top_k"});
}

TEST_CASE("quirks hold for translated requests too") {
  const auto translated = [](std::string_view members, std::vector<std::string> quirks) {
    auto out = translate_request("openai", "openai", with(members), provider(std::move(quirks)));
    if (!out) FAIL(out.error().message);
    return out->body;
  };
  CHECK(member(translated(R"("stream":true)", {"no_stream_options"}), "stream_options").empty());
  CHECK(member(translated(R"("stream":true)", {}), "stream_options") == R"({"include_usage":true})");
  CHECK(member(translated(R"("max_completion_tokens":5)", {}), "max_tokens") == "5");
  CHECK(member(translated(R"("max_tokens":5)", {"max_completion_tokens_only"}), "max_completion_tokens") == "5");
  CHECK(member(translated(R"("seed":5)", {"random_seed"}), "random_seed") == "5");
  CHECK(member(translated(R"("tool_choice":"required")", {"required_is_any"}), "tool_choice") == R"("any")");
  CHECK(member(translated(R"("top_k":5)", {"no_top_k"}), "top_k").empty());
  CHECK(member(translated(R"("top_k":5)", {}), "top_k") == "5");
}

TEST_CASE("the list of models is asked for and read in all its shapes") {
  auto codec = dialect("openai")->new_upstream_codec();
  EncodedRequest out;
  REQUIRE(codec->encode_models(provider(), "sk-1", out).ok());
  CHECK(out.http.method == "GET");
  CHECK(out.http.url == "http://127.0.0.1:9/v1/models");
  CHECK(out.http.body.empty());
  using List = std::vector<std::string>;
  const auto read = [&](std::string_view body) { return codec->parse_models(body); };
  CHECK(*read(R"({"object":"list","data":[{"id":"a","object":"model"},{"id":"b"}]})") == List{"a", "b"});
  CHECK(*read(R"([{"id":"a"},{"id":"b"},{}])") == List{"a", "b"});  // Together
  CHECK(*read(R"({"models":[{"name":"a"}]})") == List{"a"});
  CHECK(read(R"({"data":[]})")->empty());
  CHECK(read("{}").error().code == ErrorCode::kUpstreamError);
  CHECK(read("<html>").error().code == ErrorCode::kUpstreamError);
  CHECK(read(R"({"error":{"message":"no","code":"invalid_api_key"}})").error().code == ErrorCode::kUpstreamCredentialsRejected);
}
