// Anthropic's Messages dialect: requests, read, relayed and written.
#include <algorithm>

#include "catch.h"
#include "dialects/anthropic.h"
#include "dialects/anthropic_model.h"
#include "dialects/anthropic_schema.h"
#include "dialects/signature.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

Result<RequestFacts> scan(std::string_view body) { return dialect("anthropic")->new_client_codec()->scan(body); }

ProviderConfig claude() {
  ProviderConfig config = provider();
  config.base_url = "http://127.0.0.1:9";
  config.auth = "x-api-key";
  return config;
}

const std::string kHi = R"([{"role":"user","content":"hi"}])";

struct Out {
  std::string body;
  std::vector<std::string> dropped;
  JsonValue operator[](std::string_view name) const { return find_member(JsonValue(body), name); }
};

// From OpenAI's dialect to this one.
Out to_claude(const std::string& members, const std::string& messages = kHi, const std::string& model = "claude-sonnet-4-5-20250929") {
  auto out = translate_request("openai", "anthropic", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}", claude(), model);
  if (!out) FAIL(out.error().message);
  CHECK(wire::validate(out->body));
  return {out->body, out->request.dropped};
}
std::string refused(const std::string& members, const std::string& messages = kHi, const std::string& model = "claude-sonnet-4-5") {
  auto out = translate_request("openai", "anthropic", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}", claude(), model);
  if (out.ok()) return "not refused";
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}
// Of this dialect's own clients, written for the same.
Out again(const std::string& body, const std::string& model = "claude-sonnet-4-5") {
  auto out = translate_request("anthropic", "anthropic", body, claude(), model);
  if (!out) FAIL(out.error().message);
  return {out->body, out->request.dropped};
}
std::string body_with(const std::string& members, const std::string& messages = kHi) {
  return R"({"model":"claude-sonnet-4-5","max_tokens":5000,"messages":)" + messages + (members.empty() ? "" : "," + members) + "}";
}
std::string same(JsonValue a, std::string_view b) { return canonical(a) == canonical(JsonValue(b)) ? "same" : std::string(a.raw()); }
bool names(const Out& out, std::string_view name) { return std::find(out.dropped.begin(), out.dropped.end(), name) != out.dropped.end(); }

}  // namespace

TEST_CASE("anthropic: the facts of a request") {
  auto facts = scan(R"({"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"temperature":0.5,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
    "metadata":{"user_id":"u1"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},
    "messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
    {"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}]},{"role":"system","content":"be brief"}]})");
  REQUIRE(facts.ok());
  CHECK(facts->model == "claude-sonnet-4-5");
  CHECK(facts->stream);
  CHECK(facts->max_tokens == 64);
  CHECK(facts->temperature == 0.5);
  CHECK(facts->has_image);
  CHECK(facts->has_file);
  CHECK(facts->has_tools);
  CHECK(facts->wants_schema);
  CHECK(facts->user == "u1");
  CHECK(facts->include_usage);
  CHECK(facts->relayable);
  CHECK(facts->input_tokens > 2000);
  CHECK(!scan(body_with(""))->stream);
}

TEST_CASE("anthropic: what nobody has heard of passes") {
  for (const char* member : {R"("context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]})", R"("thinking":{"type":"adaptive","display":"omitted"})",
                             R"("tools":[{"type":"web_search_20260209","name":"web_search","max_uses":3}])", R"("mcp_servers":[{"type":"url","url":"https://x"}])",
                             R"("from_the_future":{"a":[1]})", R"("container":"c","speed":"fast","inference_geo":"us")"}) {
    INFO(member);
    CHECK(scan(body_with(member)).ok());
  }
  CHECK(scan(body_with("", R"([{"role":"user","content":[{"type":"search_result","source":"x","title":"t","content":[]},{"type":"from_the_future"}]}])")).ok());
  CHECK(scan(R"({"model":"m","messages":[{"role":"user","content":"x"}]})").ok());  // count_tokens has no max_tokens
}

TEST_CASE("anthropic: a wrong request is refused by the name of its field") {
  struct Bad {
    std::string body, param;
  };
  for (const Bad& b : std::vector<Bad>{
           {"[]", ""},
           {R"({"max_tokens":1,"messages":)" + kHi + "}", "model"},
           {R"({"model":"m"})", "messages"},
           {R"({"model":"m","messages":[]})", "messages"},
           {R"({"model":"m","messages":{}})", "messages"},
           {body_with("", R"([{"role":"tool","content":"x"}])"), "messages[0].role"},
           {body_with("", R"([{"role":"user"}])"), "messages[0].content"},
           {body_with("", R"([{"role":"user","content":5}])"), "messages[0].content"},
           {body_with("", R"([{"role":"user","content":["x"]}])"), "messages[0].content[0]"},
           {body_with("", R"([{"role":"user","content":[{"text":"x"}]}])"), "messages[0].content[0].type"},
           {body_with("", R"([{"role":"user","content":[{"type":"text","text":1}]}])"), "messages[0].content[0].text"},
           {body_with("", R"([{"role":"user","content":[{"type":"image","source":"x"}]}])"), "messages[0].content[0].source"},
           {body_with("", R"([{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"{}"}]}])"), "messages[0].content[0].input"},
           {body_with("", R"([{"role":"user","content":[{"type":"tool_result","content":"x"}]}])"), "messages[0].content[0].tool_use_id"},
           {body_with("", R"([{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text"}]}]}])"), "messages[0].content[0].content[0].text"},
           {body_with(R"("stream":"yes")"), "stream"},
           {body_with(R"("temperature":"hot")"), "temperature"},
           {body_with(R"("tools":{})"), "tools"},
           {body_with(R"("tools":["x"])"), "tools[0]"},
           {body_with(R"("tool_choice":"auto")"), "tool_choice"},
           {body_with(R"("system":5)"), "system"},
           {body_with(R"("metadata":{"user_id":5})"), "metadata.user_id"},
           {body_with(R"("thinking":true)"), "thinking"},
           {R"({"model":"m","max_tokens":"many","messages":)" + kHi + "}", "max_tokens"},
           {R"({"model":"m","max_tokens":-1,"messages":)" + kHi + "}", "max_tokens"},
       }) {
    INFO(b.body);
    auto facts = scan(b.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().param == b.param);
  }
}

TEST_CASE("anthropic: a relayed request is its own bytes but for the model; the URL, the key, the version") {
  const std::string body = R"({"model": "claude", "max_tokens":5,"messages":[{"role":"user","content":"hi"}], "betas_of_tomorrow":[1]})";
  auto out = relay_request("anthropic", body, claude(), {}, "claude-sonnet-4-5");
  REQUIRE(out.ok());
  CHECK(out->body == R"({"model": "claude-sonnet-4-5", "max_tokens":5,"messages":[{"role":"user","content":"hi"}], "betas_of_tomorrow":[1]})");
  CHECK(out->request.http.url == "http://127.0.0.1:9/v1/messages");
  CHECK(out->header("x-api-key") == "sk-test-0123456789abcdef");
  CHECK(out->header("authorization").empty());
  CHECK(out->header("anthropic-version") == "2023-06-01");
  CHECK(relay_request("anthropic", body, claude(), {}, "claude")->body == body);
  ProviderConfig own = claude();
  own.headers.push_back({"Anthropic-Version", "2026-10-21"});
  CHECK(relay_request("anthropic", body, own)->header("anthropic-version").empty());
  // A provider of another dialect that speaks this one, too, under the same base.
  CHECK(relay_request("anthropic", body, provider())->request.http.url == "http://127.0.0.1:9/v1/messages");
}

TEST_CASE("anthropic: a token of a person's account goes as a bearer") {
  const std::string body = body_with("");
  auto codec = dialect("anthropic")->new_upstream_codec();
  const auto facts = scan(body);
  const ProviderConfig config = claude();
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.provider = &config;
  input.key = "sk-ant-oat01-abcdef";
  input.upstream_model = "m";
  EncodedRequest out;
  REQUIRE(codec->encode(input, out).ok());
  std::string headers;
  for (const HttpHeader& h : out.http.headers) headers += h.name + "=" + h.value + ";";
  CHECK(headers.find("authorization=Bearer sk-ant-oat01-abcdef;") != std::string::npos);
  CHECK(headers.find("x-api-key") == std::string::npos);
  CHECK(headers.find("anthropic-beta=oauth-2025-04-20;") != std::string::npos);
}

TEST_CASE("anthropic: the list of models") {
  auto codec = dialect("anthropic")->new_upstream_codec();
  EncodedRequest out;
  const ProviderConfig config = claude();
  REQUIRE(codec->encode_models(config, "k", out).ok());
  CHECK(out.http.url == "http://127.0.0.1:9/v1/models?limit=1000");
  auto ids = codec->parse_models(R"({"data":[{"type":"model","id":"a","display_name":"A"},{"type":"model","id":"b"}],"has_more":false,"first_id":"a","last_id":"b"})");
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<std::string>{"a", "b"});
  EncodedRequest none;
  CHECK_FALSE(codec->encode_more_models(config, "k", none));
  CHECK(!codec->parse_models(R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})").ok());
  CHECK(!codec->parse_models("<html>").ok());
}

TEST_CASE("anthropic: the list of models comes in pages") {
  auto codec = dialect("anthropic")->new_upstream_codec();
  const ProviderConfig config = claude();
  EncodedRequest first, second, third;
  REQUIRE(codec->encode_models(config, "k", first).ok());
  REQUIRE(codec->parse_models(R"({"data":[{"id":"a"},{"id":"b/1"}],"has_more":true,"first_id":"a","last_id":"b/1"})").ok());
  REQUIRE(codec->encode_more_models(config, "k", second));
  CHECK(second.http.url == "http://127.0.0.1:9/v1/models?limit=1000&after_id=b%2F1");
  auto ids = codec->parse_models(R"({"data":[{"id":"c"}],"has_more":false,"first_id":"c","last_id":"c"})");
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<std::string>{"c"});
  CHECK_FALSE(codec->encode_more_models(config, "k", third));
}

TEST_CASE("anthropic: a request means the same after decode and encode") {
  const std::string body = R"({"model":"claude-sonnet-4-5","max_tokens":4096,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
    "messages":[{"role":"user","content":[{"type":"text","text":"u","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"url","url":"https://x/y.png"}},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"t","citations":{"enabled":true}},
      {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},{"type":"search_result","source":"x","title":"t","content":[]}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"cmVk"},{"type":"text","text":"a"},
      {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},
      {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1},"caller":{"type":"direct"}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"42"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}],
      "cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"toolu_2","content":"no","is_error":true},{"type":"text","text":"go on"}]},
    {"role":"system","content":"now be brief"}],
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"},"eager_input_streaming":true},{"name":"g","input_schema":{"type":"object"},"strict":true},
      {"type":"web_search_20250305","name":"web_search","max_uses":2}],
    "tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"},"stop_sequences":["x"],
    "metadata":{"user_id":"u","team":"t"},"service_tier":"standard_only","context_management":{"edits":[]},"mcp_servers":[]})";
  const Out out = again(body);
  CHECK(canonical(out.body) == canonical(body));
  CHECK(out.dropped.empty());
}

TEST_CASE("anthropic: sampling, effort and formats of its own clients come back as they were") {
  for (const char* members : {R"("temperature":0.3)", R"("top_p":0.9,"top_k":5)", R"("thinking":{"type":"disabled"})",
                              R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}},"task_budget":{"total":5}})",
                              R"("tool_choice":{"type":"any","disable_parallel_tool_use":false},"tools":[{"name":"f","input_schema":{"type":"object"}}])",
                              R"("tool_choice":{"type":"tool","name":"f"},"tools":[{"name":"f","input_schema":{"type":"object"}}])",
                              R"("tool_choice":{"type":"none"},"tools":[{"name":"f","input_schema":{"type":"object"}}])"}) {
    INFO(members);
    CHECK(canonical(again(body_with(members)).body) == canonical(body_with(members)));
  }
  // On a model that knows effort, effort alone asks for no thinking.
  const Out alone = again(body_with(R"("output_config":{"effort":"high"})"), "claude-opus-4-6");
  CHECK(same(alone["output_config"], R"({"effort":"high"})") == "same");
  CHECK(!alone["thinking"].exists());
  const Out both = again(body_with(R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})"), "claude-opus-4-6");
  CHECK(same(both["thinking"], R"({"type":"adaptive"})") == "same");
  CHECK(same(both["output_config"], R"({"effort":"max"})") == "same");
}

TEST_CASE("anthropic: thoughts of other makers, or of none, make a request unfit for relay as it is") {
  const auto with = [&](const std::string& block) { return scan(body_with("", R"([{"role":"user","content":"a"},{"role":"assistant","content":[)" + block + "]}]"))->relayable; };
  CHECK(with(R"({"type":"thinking","thinking":"t","signature":"EqQBCkYIARgC"})"));
  CHECK(with(R"({"type":"redacted_thinking","data":"EqQBCkYIARgC"})"));
  CHECK(!with(R"({"type":"thinking","thinking":"t","signature":""})"));
  CHECK(!with(R"({"type":"thinking","thinking":"t"})"));
  const std::string sealed = dialects::seal_signature("gemini", "anthropic", "abc");
  CHECK(!with(R"({"type":"thinking","thinking":"t","signature":")" + sealed + "\"}"));
  CHECK(!with(R"({"type":"redacted_thinking","data":")" + sealed + "\"}"));
  // Written anew they are gone, and said to be; Claude's own stay.
  const Out out = again(body_with("", R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":")" + sealed +
                                          R"("},{"type":"thinking","thinking":"own","signature":"EqQB"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}])"));
  CHECK(same(find(out["messages"], 1, "content"), R"([{"type":"thinking","thinking":"own","signature":"EqQB"},{"type":"text","text":"b"}])") == "same");
  CHECK(out.dropped == std::vector<std::string>{"reasoning"});
}

TEST_CASE("anthropic: thoughts that Claude would refuse are cut out of a relayed body, and nothing else but what hangs on them") {
  const std::string sealed = dialects::seal_signature("gemini", "anthropic", "abc"), call = dialects::anthropic::seal_call_signature("gemini", "abc");
  const auto relayed = [](const std::string& messages, const std::string& members, std::vector<std::string>* dropped = nullptr, std::string model = "claude-sonnet-4-5") {
    auto out = relay_request("anthropic", R"({"model":")" + model + R"(","max_tokens":9000,"messages":)" + messages + members + "}", provider(), {}, model);
    if (!out) FAIL(out.error().message);
    if (dropped != nullptr) *dropped = out->request.dropped;
    return out->body.substr(out->body.find("\"messages\":") + 11);
  };
  const std::string odd = R"({"type":"server_tool_use", "id":"s","input":{ }})", own = R"({"type":"thinking","thinking":"own", "signature":"EqQB"})";
  std::vector<std::string> dropped;
  CHECK(relayed(R"([ {"role":"user","content":"a"},{"role":"assistant", "content":[{"type":"thinking","thinking":"t"},)" + own + "," + odd + R"(], "odd":1}, {"role":"user","content":"c"}])",
                R"(, "container":{"id":"c"})", &dropped) ==
        R"([{"role":"user","content":"a"},{"role":"assistant", "content":[)" + own + "," + odd + R"(], "odd":1},{"role":"user","content":"c"}], "container":{"id":"c"}})");
  CHECK(dropped == std::vector<std::string>{"reasoning"});
  // A turn of which nothing is left goes.
  CHECK(relayed(R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"redacted_thinking","data":")" + sealed + R"("}]},{"role":"user","content":"c"}])", "") ==
        R"([{"role":"user","content":"a"},{"role":"user","content":"c"}]})");
  // A call's signature of another maker is no thought.
  CHECK(relayed(R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"redacted_thinking","data":")" + call +
                    R"("},{"type":"tool_use","id":"t","name":"f","input":{ }}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}])", "", &dropped) ==
        R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{ }}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]})");
  CHECK(dropped.empty());
  // Thinking with a budget wants the thought before the call, adaptive thinking does not.
  const std::string call_head = R"([{"role":"user","content":"a"},{"role":"assistant","content":[)", call_tail =
      R"({"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}])";
  const std::string unsigned_call = call_head + R"({"type":"thinking","thinking":"t","signature":""},)" + call_tail;
  CHECK(relayed(unsigned_call, R"(,"thinking":{"type":"enabled","budget_tokens":2048},"top_p":0.5)", &dropped) == call_head + call_tail + R"(,"top_p":0.5})");
  CHECK(dropped.size() == 2);
  CHECK(relayed(unsigned_call, R"(,"thinking":{"type":"adaptive"})", &dropped, "claude-opus-4-7") == call_head + call_tail + R"(,"thinking":{"type":"adaptive"}})");
  CHECK(dropped == std::vector<std::string>{"reasoning"});
  // Nothing is left at all: it has to be told by whoever writes it anew.
  auto none = relay_request("anthropic", R"({"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t"}]}]})");
  REQUIRE(!none.ok());
  CHECK(none.error().code == ErrorCode::kNotSupported);
}

TEST_CASE("anthropic: what a model takes, by its name") {
  using dialects::anthropic::ModelTraits;
  using dialects::anthropic::traits_of;
  using Thinking = ModelTraits::Thinking;
  struct Row {
    const char* name;
    Thinking thinking;
    bool effort, schema, samplers;
    int64_t max_tokens;
  };
  for (const Row& row : std::vector<Row>{{"claude-3-haiku-20240307", Thinking::kNone, false, false, true, 4096},
                                         {"claude-3-opus-20240229", Thinking::kNone, false, false, true, 4096},
                                         {"claude-2.1", Thinking::kNone, false, false, true, 4096},
                                         {"claude-3-5-sonnet-20241022", Thinking::kNone, false, false, true, 8192},
                                         {"claude-3-7-sonnet@20250219", Thinking::kBudget, false, false, true, 32000},
                                         {"claude-sonnet-4-20250514", Thinking::kBudget, false, false, true, 32000},
                                         {"claude-opus-4-1-20250805", Thinking::kBudget, false, true, true, 32000},
                                         {"eu.anthropic.claude-haiku-4-5-20251001-v1:0", Thinking::kBudget, false, true, true, 32000},
                                         {"claude-opus-4-5-20251101", Thinking::kBudget, true, true, true, 32000},
                                         {"claude-opus-4-6", Thinking::kBoth, true, true, true, 32000},
                                         {"claude-opus-4-7-v1", Thinking::kAdaptive, true, true, false, 32000},
                                         {"claude-fable-5", Thinking::kAdaptive, true, true, false, 32000},
                                         {"claude-mythos-preview", Thinking::kAdaptive, true, true, false, 32000},
                                         {"kimi-k2", Thinking::kBudget, false, false, true, 8192}}) {
    INFO(row.name);
    const ModelTraits t = traits_of(row.name);
    CHECK(t.thinking == row.thinking);
    CHECK(t.effort == row.effort);
    CHECK(t.schema == row.schema);
    CHECK(t.no_samplers == !row.samplers);
    CHECK(t.max_tokens == row.max_tokens);
  }
}

TEST_CASE("anthropic: OpenAI's roles, and what becomes of them") {
  const Out out = to_claude("", R"([{"role":"system","content":"one"},{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},
    {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},
    {"role":"assistant","content":"c","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},
      {"id":"functions.g:0","type":"function","function":{"name":"g","arguments":""}},{"id":"call_3","type":"function","function":{"name":"h","arguments":"[1]"}}]},
    {"role":"tool","tool_call_id":"call_1","content":"42"},{"role":"tool","tool_call_id":"functions.g:0","content":""},{"role":"tool","tool_call_id":"call_3","content":[{"type":"text","text":"z"}]},
    {"role":"developer","content":"two"},{"role":"user","content":"d"}])");
  CHECK(same(out["system"], R"([{"type":"text","text":"one"},{"type":"text","text":"two"}])") == "same");
  CHECK(same(out["messages"], R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
      {"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},
    {"role":"assistant","content":[{"type":"text","text":"c"},{"type":"tool_use","id":"call_1","name":"f","input":{"x":1}},{"type":"tool_use","id":"functions_2eg_3a0","name":"g","input":{}},
      {"type":"tool_use","id":"call_3","name":"h","input":{"input":"[1]"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"42"},{"type":"tool_result","tool_use_id":"functions_2eg_3a0"},
      {"type":"tool_result","tool_use_id":"call_3","content":"z"},{"type":"text","text":"d"}]}])") == "same");
  CHECK(out["max_tokens"].raw() == "32000");
  CHECK(out.dropped == std::vector<std::string>{"detail"});
}

TEST_CASE("anthropic: blank texts, a last answer to go on from, instructions alone") {
  const Out out = to_claude("", R"([{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":[{"type":"text","text":" "},{"type":"text","text":"b"}]},{"role":"assistant","content":"It is \n"}])");
  CHECK(same(out["messages"], R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"It is"}]}])") == "same");
  const Out alone = to_claude("", R"([{"role":"system","content":"Say hello."}])");
  CHECK(same(alone["messages"], R"([{"role":"user","content":"Say hello."}])") == "same");
  CHECK(!alone["system"].exists());
  CHECK(refused("", R"([{"role":"user","content":" "}])") == "messages");
}

TEST_CASE("anthropic: OpenAI's parameters") {
  const Out out = to_claude(R"("max_completion_tokens":50,"temperature":1.5,"stop":["a"," ","b"],"user":"u","stream":true,"service_tier":"default",
    "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"properties":{}}}},{"type":"function","function":{"name":"g"}}],
    "tool_choice":"required","parallel_tool_calls":false)");
  CHECK(canonical(out.body) == canonical(R"({"model":"claude-sonnet-4-5-20250929","max_tokens":50,"messages":[{"role":"user","content":"hi"}],
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}}},{"name":"g","input_schema":{"type":"object","properties":{}}}],
    "tool_choice":{"type":"any","disable_parallel_tool_use":true},"temperature":1,"stop_sequences":["a","b"],"metadata":{"user_id":"u"},"service_tier":"standard_only","stream":true})"));
  CHECK(out.dropped == std::vector<std::string>{"temperature", "stop"});
  CHECK(same(to_claude(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}})")["tool_choice"], R"({"type":"tool","name":"f"})") == "same");
  CHECK(same(to_claude(R"("tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false)")["tool_choice"], R"({"type":"auto","disable_parallel_tool_use":true})") == "same");
  CHECK(!to_claude(R"("tool_choice":"auto")")["tool_choice"].exists());
}

TEST_CASE("anthropic: hints it has no word for are dropped by name") {
  const Out out = to_claude(R"("frequency_penalty":0.5,"presence_penalty":0.5,"seed":1,"logprobs":true,"top_logprobs":2,"logit_bias":{"5":1},"metadata":{"a":"b"},"service_tier":"flex","store":true,
    "tools":[{"type":"web_search"},{"type":"function","function":{"name":"f"}}],"temperature":0.5,"top_p":0.9)");
  for (const char* name : {"frequency_penalty", "presence_penalty", "seed", "logprobs", "top_logprobs", "logit_bias", "metadata", "service_tier", "store", "tools.web_search", "top_p"}) {
    INFO(name);
    CHECK(names(out, name));
  }
  CHECK(out.dropped.size() == 11);
  CHECK(same(out["tools"], R"([{"name":"f","input_schema":{"type":"object","properties":{}}}])") == "same");
  // The latest take no sampling at all.
  const Out latest = to_claude(R"("temperature":0.5,"top_p":0.9,"top_k":5)", kHi, "claude-opus-4-7");
  CHECK(latest.dropped == std::vector<std::string>{"temperature", "top_p", "top_k"});
  CHECK(!latest["temperature"].exists());
}

TEST_CASE("anthropic: what it cannot express is refused by name") {
  CHECK(refused(R"("n":2)") == "n");
  CHECK(refused(R"("modalities":["text","audio"],"audio":{"voice":"x"})") == "modalities");
  CHECK(refused(R"("response_format":{"type":"grammar","grammar":"x"})") == "response_format");
  CHECK(refused(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})") == "tool_choice");
  const auto part = [](const std::string& json) { return refused("", R"([{"role":"user","content":[{"type":"text","text":"a"},)" + json + "]}]"); };
  CHECK(part(R"({"type":"input_audio","input_audio":{"data":"A","format":"wav"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"video_url","video_url":{"url":"https://x"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"file","file":{"filename":"a.docx","file_data":"data:application/msword;base64,AAAA"}})") == "messages[0].content[1]");
  CHECK(part(R"({"type":"hologram"})") == "messages[0].content[1]");
  CHECK(refused("", R"([{"role":"user","content":"a"},{"role":"tool","content":"x"}])") == "messages[1].tool_call_id");
}

TEST_CASE("anthropic: files") {
  const auto block = [](const std::string& file) { return std::string(find(to_claude("", R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","file":)" + file + "}]}]")["messages"], 0, "content", 1).raw()); };
  CHECK(canonical(block(R"({"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="})")) ==
        canonical(R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"})"));
  CHECK(canonical(block(R"({"filename":"a.csv","file_data":"data:text/csv;base64,YSxi"})")) ==
        canonical(R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"},"title":"a.csv"})"));
  CHECK(canonical(block(R"({"file_id":"file_1"})")) == canonical(R"({"type":"document","source":{"type":"file","file_id":"file_1"}})"));
  CHECK(canonical(block(R"({"file_data":"https://x/y.pdf"})")) == canonical(R"({"type":"document","source":{"type":"url","url":"https://x/y.pdf"}})"));
  auto out = translate_request("openai", "anthropic", R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file_1"}}]}]})", claude());
  REQUIRE(out.ok());
  CHECK(out->header("anthropic-beta") == "files-api-2025-04-14");
}

TEST_CASE("anthropic: thinking by generation") {
  const auto think = [](const std::string& members, const std::string& model) { return to_claude(members, kHi, model); };
  const Out budget = think(R"("reasoning_effort":"high")", "claude-sonnet-4-5");
  CHECK(same(budget["thinking"], R"({"type":"enabled","budget_tokens":4096})") == "same");
  CHECK(!budget["output_config"].exists());
  CHECK(budget.dropped.empty());
  const Out both = think(R"("reasoning_effort":"xhigh")", "claude-opus-4-6");
  CHECK(same(both["thinking"], R"({"type":"adaptive"})") == "same");
  CHECK(same(both["output_config"], R"({"effort":"high"})") == "same");
  const Out latest = think(R"("reasoning_effort":"xhigh")", "claude-opus-4-7");
  CHECK(same(latest["thinking"], R"({"type":"adaptive","display":"summarized"})") == "same");
  CHECK(same(latest["output_config"], R"({"effort":"xhigh"})") == "same");
  CHECK(same(think(R"("reasoning_effort":"minimal")", "claude-opus-4-7")["output_config"], R"({"effort":"low"})") == "same");
  for (const char* model : {"claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-7", "claude-3-haiku-20240307"}) {
    CHECK(!think(R"("reasoning_effort":"none")", model)["thinking"].exists());
    CHECK(!think("", model)["thinking"].exists());
  }
  const Out none = think(R"("reasoning_effort":"high")", "claude-3-5-sonnet-20241022");
  CHECK(!none["thinking"].exists());
  CHECK(none.dropped == std::vector<std::string>{"reasoning_effort"});
  // A budget asked of a model that has none becomes adaptive; adaptive on one that does not know it becomes a budget.
  CHECK(same(again(body_with(R"("thinking":{"type":"enabled","budget_tokens":2000})"), "claude-opus-4-7")["thinking"], R"({"type":"adaptive"})") == "same");
  CHECK(same(again(body_with(R"("thinking":{"type":"adaptive"})"), "claude-sonnet-4-5")["thinking"], R"({"type":"enabled","budget_tokens":4096})") == "same");
  CHECK(!again(body_with(R"("thinking":{"type":"disabled"})"), "claude-fable-5")["thinking"].exists());
}

TEST_CASE("anthropic: thinking has room below max_tokens, and its rules for what stands beside it") {
  CHECK(same(to_claude(R"("reasoning_effort":"high","max_tokens":3000)")["thinking"], R"({"type":"enabled","budget_tokens":1500})") == "same");
  CHECK(same(to_claude(R"("reasoning_effort":"high","max_tokens":1100)")["thinking"], R"({"type":"enabled","budget_tokens":1024})") == "same");
  const Out small = to_claude(R"("reasoning_effort":"high","max_tokens":1024)");
  CHECK(!small["thinking"].exists());
  CHECK(names(small, "reasoning_effort"));
  const Out sampled = to_claude(R"("reasoning_effort":"low","temperature":0.2,"top_p":0.5,"top_k":3)");
  CHECK(sampled["thinking"].exists());
  CHECK(!sampled["temperature"].exists());
  CHECK(sampled.dropped == std::vector<std::string>{"temperature", "top_p", "top_k"});
  const Out forced = to_claude(R"("reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")");
  CHECK(!forced["thinking"].exists());
  CHECK(forced.dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(to_claude(R"("reasoning_effort":"xhigh")", kHi, "kimi-k2")["max_tokens"].raw() == "12288");
}

TEST_CASE("anthropic: thinking is off when a call of the turn stands without its thought") {
  const std::string call = R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"})";
  const std::string effort = R"("reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f"}}])";
  const Out off = to_claude(effort, R"([{"role":"user","content":"a"},)" + call + "]");
  CHECK(!off["thinking"].exists());
  CHECK(names(off, "reasoning_effort"));
  // Adaptive thinking bears it, and so does a turn that came after an answer.
  CHECK(to_claude(effort, R"([{"role":"user","content":"a"},)" + call + "]", "claude-opus-4-6")["thinking"].exists());
  CHECK(to_claude(effort, R"([{"role":"user","content":"a"},)" + call + R"(,{"role":"assistant","content":"b"},{"role":"user","content":"c"}])")["thinking"].exists());
  const std::string with = R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"EqQB"},{"type":"tool_use","id":"c1","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"}]}])";
  CHECK(again(body_with(R"("thinking":{"type":"enabled","budget_tokens":2000})", with))["thinking"].exists());
}

TEST_CASE("anthropic: structured output, native and as a tool") {
  const std::string format = R"("response_format":{"type":"json_schema","json_schema":{"name":"my answer","description":"d","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1,"description":"count"}},"required":["n"]}}})";
  const Out native = to_claude(format);
  CHECK(same(native["output_config"], R"({"format":{"type":"json_schema","schema":{"type":"object","properties":{"n":{"type":"integer","description":"count\n{minimum: 1}"}},"required":["n"],"additionalProperties":false}}})") == "same");
  CHECK(!native["tools"].exists());
  const Out tool = to_claude(format, kHi, "claude-3-7-sonnet-20250219");
  CHECK(same(tool["tools"], R"([{"name":"my_answer","description":"d","input_schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1,"description":"count"}},"required":["n"]}}])") == "same");
  CHECK(same(tool["tool_choice"], R"({"type":"tool","name":"my_answer","disable_parallel_tool_use":true})") == "same");
  // Free member names have no grammar: the tool takes them.
  const Out free = to_claude(R"("response_format":{"type":"json_schema","json_schema":{"name":"m","schema":{"type":"object","additionalProperties":{"type":"string"}}}})");
  CHECK(find(free["tools"], 0, "name").equals("m"));
  const Out object = to_claude(R"("response_format":{"type":"json_object"})");
  CHECK(find(object["tool_choice"], "name").equals("answer"));
  // Beside tools of its own: one of them, or the answer.
  const Out beside = to_claude(format + R"(,"tools":[{"type":"function","function":{"name":"f"}}])", kHi, "claude-3-haiku-20240307");
  CHECK(same(beside["tool_choice"], R"({"type":"any"})") == "same");
  CHECK(find(beside["tools"], 1, "name").equals("my_answer"));
  CHECK(refused(R"("response_format":{"type":"json_schema","json_schema":{"name":"m","schema":{"type":"array","items":{"type":"string"}}}})", kHi, "claude-3-haiku-20240307") == "response_format");
}

TEST_CASE("anthropic: schemas for structured output") {
  using dialects::anthropic::append_output_schema;
  const auto fit = [](std::string_view schema) {
    std::string out;
    return append_output_schema(schema, out) ? canonical(out) : std::string("does not fit");
  };
  CHECK(fit(R"({"type":"array","items":{"type":"object","properties":{"a":{"type":"string","pattern":"^x","maxLength":5,"format":"email"}}},"minItems":1,"maxItems":3})") ==
        canonical(R"({"type":"array","items":{"type":"object","properties":{"a":{"type":"string","format":"email","description":"{pattern: \"^x\", maxLength: 5}"}},"additionalProperties":false},"minItems":1,"description":"{maxItems: 3}"})"));
  CHECK(fit(R"({"$schema":"x","oneOf":[{"type":"null"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":["object","null"]}}})") ==
        canonical(R"({"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":["object","null"],"additionalProperties":false}}})"));
  CHECK(fit(R"({"type":"object","properties":{"minimum":{"type":"integer"}},"additionalProperties":false})") ==
        canonical(R"({"type":"object","properties":{"minimum":{"type":"integer"}},"additionalProperties":false})"));
  for (const char* schema : {R"({"type":"object","additionalProperties":true})", R"({"type":"array","items":[{"type":"string"}]})", R"({"not":{"type":"string"}})",
                             R"({"type":"object","properties":{"a":{"$ref":"#"}}})", R"({"type":"object","patternProperties":{"^a":{}}})"}) {
    INFO(schema);
    CHECK(fit(schema) == "does not fit");
  }
}

TEST_CASE("anthropic: strict tools") {
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"],"additionalProperties":false}}}])";
  const Out native = to_claude(tools);
  CHECK(find(native["tools"], 0, "strict").boolean() == true);
  CHECK(!find(native["tools"], 0, "input_schema", "properties", "a", "minimum").exists());
  const Out older = to_claude(tools, kHi, "claude-3-haiku-20240307");
  CHECK(!find(older["tools"], 0, "strict").exists());
  CHECK(older.dropped == std::vector<std::string>{"tools.strict"});
}

TEST_CASE("anthropic: a client's conversation for an OpenAI-compatible server") {
  auto out = translate_request("anthropic", "openai", R"({"model":"m","max_tokens":50,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"redacted_thinking","data":"cmVk"},{"type":"server_tool_use","id":"s","name":"web_search","input":{}},
      {"type":"text","text":"b"},{"type":"tool_use","id":"t1","name":"f","input":{"x":1},"caller":{"type":"direct"}},{"type":"tool_use","id":"t2","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},
      {"type":"tool_result","tool_use_id":"t2","content":"bad","is_error":true},{"type":"text","text":"go on"}]},
    {"role":"system","content":"be brief"}],
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"eager_input_streaming":true},{"type":"tool_search_tool_regex_20251119","name":"tool_search"}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
    "thinking":{"type":"enabled","budget_tokens":1024},"metadata":{"user_id":"u"},"stop_sequences":["x"],"top_k":5,"context_management":{}})", provider());
  if (!out) FAIL(out.error().message);
  const JsonValue messages = find_member(JsonValue(out->body), "messages");
  CHECK(same(messages, R"j([{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
    {"role":"assistant","reasoning_content":"hm","content":"b","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"t2","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"t1","content":"see"},{"role":"tool","tool_call_id":"t2","content":"Error: bad"},
    {"role":"user","content":[{"type":"text","text":"(given by the tool, call t1)"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},{"role":"user","content":"go on"},
    {"role":"system","content":"be brief"}])j") == "same");
  CHECK(same(find_member(JsonValue(out->body), "tools"), R"([{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}])") == "same");
  CHECK(find_member(JsonValue(out->body), "parallel_tool_calls").raw() == "false");
  for (const char* name : {"cache_control", "messages.server_tool_use", "tools.tool_search_tool_regex_20251119", "context_management"}) {
    INFO(name);
    CHECK(std::count(out->request.dropped.begin(), out->request.dropped.end(), name) == 1);
  }
  auto refused_part = translate_request("anthropic", "openai", body_with("", R"([{"role":"user","content":[{"type":"search_result","source":"x","title":"t","content":[]}]}])"), provider());
  REQUIRE(!refused_part.ok());
  CHECK(refused_part.error().param == "messages[0].content[0]");
}

TEST_CASE("anthropic: recorded requests are understood, spliced in the model alone, and mean the same when written again") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.provider != "anthropic" || r.request.empty() || r.request[0] != '{' || r.endpoint == "models" || r.status != 200) continue;
    INFO(r.name);
    auto facts = scan(r.request);
    REQUIRE(facts.ok());
    ++count;
    auto relayed = relay_request("anthropic", r.request, claude(), {}, facts->model);
    REQUIRE(relayed.ok());
    CHECK(relayed->body == r.request);
    const Out out = again(r.request, facts->model);
    CHECK(find_member(JsonValue(out.body), "model").equals(facts->model));
    for (const char* member : {"tools", "tool_choice", "thinking", "stop_sequences", "temperature", "metadata", "stream"}) {
      INFO(member);
      const JsonValue was = find_member(JsonValue(r.request), member);
      if (was.raw() == "false" || was.empty_container()) continue;
      CHECK(canonical(out[member]) == canonical(was));
    }
  }
  if (!recordings().empty()) CHECK(count >= 10);
}
