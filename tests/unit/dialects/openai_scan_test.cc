// What the OpenAI client codec finds in a request, and how it says what is wrong with one.
#include "catch.h"
#include "support.h"

using namespace dialect_test;

namespace {

Result<RequestFacts> scan(std::string_view body) { return dialect("openai")->new_client_codec()->scan(body); }

RequestFacts facts_of(std::string_view body) {
  auto facts = scan(body);
  INFO(body);
  if (!facts) FAIL(facts.error().message);
  return *facts;
}

// A request with these members besides model and messages.
std::string with(std::string_view members) {
  return R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],)" + std::string(members) + "}";
}
std::string with_messages(std::string_view messages) { return R"({"model":"gpt-4o","messages":)" + std::string(messages) + "}"; }

struct Bad {
  std::string body, param, words;
};

}  // namespace

TEST_CASE("the facts of a plain request") {
  const std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]})";
  const RequestFacts f = facts_of(body);
  CHECK(f.model == "gpt-4o");
  CHECK(!f.stream);
  CHECK(!f.include_usage);
  CHECK(!f.has_tools);
  CHECK(!f.has_image);
  CHECK(!f.wants_schema);
  CHECK(f.n == 1);
  CHECK(!f.max_tokens);
  CHECK(!f.temperature);
  CHECK(f.members.size() == 2);
  CHECK(body.substr(f.members[0].value_begin, f.members[0].value_end - f.members[0].value_begin) == "\"gpt-4o\"");
  CHECK(f.input_tokens == 1 + 4 + 3);  // "hi", one message, the primer
}

TEST_CASE("everything that routing, limits and metering ask for is found") {
  const RequestFacts f = facts_of(with(R"("stream":true,"stream_options":{"include_usage":true},"n":3,"max_tokens":50,"temperature":0.25,
    "user":"u1","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","modalities":["text","audio"],
    "response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}},"invented":{"tomorrow":[1,2]})"));
  CHECK(f.stream);
  CHECK(f.include_usage);
  CHECK(f.n == 3);
  CHECK(f.max_tokens == 50);
  CHECK(f.temperature == 0.25);
  CHECK(f.user == "u1");
  CHECK(f.has_tools);
  CHECK(f.wants_audio);
  CHECK(f.wants_schema);
  CHECK(f.members.size() == 13);
}

TEST_CASE("max_completion_tokens is the limit when both are there") {
  CHECK(facts_of(with(R"("max_tokens":50,"max_completion_tokens":70)")).max_tokens == 70);
  CHECK(facts_of(with(R"("max_completion_tokens":70,"max_tokens":null)")).max_tokens == 70);
}

TEST_CASE("null means not set") {
  const RequestFacts f = facts_of(with(R"("stream":null,"stream_options":null,"n":null,"max_tokens":null,"temperature":null,"tools":null,
    "tool_choice":null,"response_format":null,"user":null,"modalities":null,"audio":null)"));
  CHECK(!f.stream);
  CHECK(f.n == 1);
  CHECK(!f.has_tools);
}

TEST_CASE("parts tell what a model must be able to read") {
  const auto parts = [](std::string_view part) { return facts_of(with_messages(R"([{"role":"user","content":[)" + std::string(part) + "]}]")); };
  CHECK(parts(R"({"type":"image_url","image_url":{"url":"https://x/y.png"}})").has_image);
  CHECK(parts(R"({"type":"image_url","image_url":"https://x/y.png"})").has_image);
  CHECK(parts(R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}})").has_audio);
  CHECK(parts(R"({"type":"file","file":{"file_id":"f-1"}})").has_file);
  CHECK(parts(R"({"type":"video_url","video_url":{"url":"https://x/y.mp4"}})").has_video);
  const RequestFacts unknown = parts(R"({"type":"hologram","hologram":{"url":"https://x"}})");
  CHECK(!unknown.has_image);
  CHECK(!unknown.has_file);
}

TEST_CASE("the estimate follows its formula") {
  // 8 bytes of text, 2 messages.
  CHECK(facts_of(with_messages(R"([{"role":"system","content":"abcd"},{"role":"user","content":[{"type":"text","text":"efgh"}]}])")).input_tokens == 2 + 8 + 3);
  // An image of high and one of low detail.
  CHECK(facts_of(with_messages(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/"}},
    {"type":"image_url","image_url":{"url":"https://x/","detail":"low"}}]}])")).input_tokens == 4 + 800 + 85 + 3);
  // Tools count as they stand.
  const std::string tools = R"([{"type":"function","function":{"name":"f"}}])";
  CHECK(facts_of(with("\"tools\":" + tools)).input_tokens == static_cast<int64_t>((2 + tools.size() + 3) / 4) + 4 + 3);
}

TEST_CASE("roles that exist are accepted, and who may be silent") {
  for (const char* role : {"system", "developer", "user"}) {
    CHECK(scan(with_messages(R"([{"role":")" + std::string(role) + R"(","content":"x"}])")).ok());
    CHECK(!scan(with_messages(R"([{"role":")" + std::string(role) + R"("}])")).ok());
  }
  for (const char* role : {"assistant", "tool", "function"}) {
    CHECK(scan(with_messages(R"([{"role":")" + std::string(role) + R"(","content":null}])")).ok());
    CHECK(scan(with_messages(R"([{"role":")" + std::string(role) + R"("}])")).ok());
  }
}

TEST_CASE("a wrong request is refused by the name of its field") {
  const std::vector<Bad> bad = {
      {"", "", "empty"},
      {"[]", "", "object"},
      {"{\"model\":", "model", "JSON"},
      {R"({"model":"a","messages":[{"role":"user","content":"x"}],})", "", "JSON"},
      {R"({"model":"a","model":"b","messages":[{"role":"user","content":"x"}]})", "model", "twice"},
      {R"({"mod\u0065l":"a","model":"b","messages":[{"role":"user","content":"x"}]})", "model", "twice"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "model", "required"},
      {R"({"model":"","messages":[{"role":"user","content":"x"}]})", "model", "not empty"},
      {R"({"model":7,"messages":[{"role":"user","content":"x"}]})", "model", "a string, not a number"},
      {R"({"model":null,"messages":[{"role":"user","content":"x"}]})", "model", "a string, not null"},
      {R"({"model":"a"})", "messages", "required"},
      {R"({"model":"a","messages":null})", "messages", "required"},
      {with_messages("[]"), "messages", "at least one"},
      {with_messages("\"hello\""), "messages", "an array of messages, not a string"},
      {with_messages("[7]"), "messages[0]", "an object, not a number"},
      {with_messages(R"([{"content":"x"}])"), "messages[0].role", "required"},
      {with_messages(R"([{"role":"user","content":"x"},{"role":5,"content":"x"}])"), "messages[1].role", "a string, not a number"},
      {with_messages(R"([{"role":"robot","content":"x"}])"), "messages[0].role", "one of system"},
      {with_messages(R"([{"role":"user","content":"x"},{"role":"user","content":"x"},{"role":"user","content":7}])"), "messages[2].content",
       "a string or an array of parts, not a number"},
      {with_messages(R"([{"role":"user","content":["x"]}])"), "messages[0].content[0]", "an object, not a string"},
      {with_messages(R"([{"role":"user","content":[{"text":"x"}]}])"), "messages[0].content[0].type", "a string, not nothing"},
      {with_messages(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":1}]}])"), "messages[0].content[1].text", "a string"},
      {with_messages(R"([{"role":"user","content":[{"type":"image_url","image_url":1}]}])"), "messages[0].content[0].image_url", "an object"},
      {with_messages(R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])"), "messages[0].content[0].image_url.url", "a string"},
      {with_messages(R"([{"role":"assistant","tool_calls":{}}])"), "messages[0].tool_calls", "an array, not an object"},
      {with_messages(R"([{"role":"assistant","tool_calls":[1]}])"), "messages[0].tool_calls[0]", "an object"},
      {with_messages(R"([{"role":"tool","content":"x","tool_call_id":5}])"), "messages[0].tool_call_id", "a string"},
      {with(R"("stream":"yes")"), "stream", "a boolean, not a string"},
      {with(R"("stream":1)"), "stream", "a boolean"},
      {with(R"("stream_options":true)"), "stream_options", "an object"},
      {with(R"("stream_options":{"include_usage":"y"})"), "stream_options.include_usage", "a boolean"},
      {with(R"("n":0)"), "n", "from 1 to 128"},
      {with(R"("n":129)"), "n", "from 1 to 128"},
      {with(R"("n":1.5)"), "n", "an integer"},
      {with(R"("n":"1")"), "n", "an integer, not a string"},
      {with(R"("max_tokens":0)"), "max_tokens", "a positive integer"},
      {with(R"("max_tokens":-5)"), "max_tokens", "a positive integer"},
      {with(R"("max_tokens":"5")"), "max_tokens", "an integer, not a string"},
      {with(R"("max_completion_tokens":1e30)"), "max_completion_tokens", "an integer"},
      {with(R"("temperature":"hot")"), "temperature", "a number, not a string"},
      {with(R"("tools":{})"), "tools", "an array, not an object"},
      {with(R"("tools":["f"])"), "tools[0]", "an object, not a string"},
      {with(R"("tool_choice":5)"), "tool_choice", "a string or an object"},
      {with(R"("response_format":"json")"), "response_format", "an object, not a string"},
      {with(R"("response_format":{})"), "response_format.type", "a string"},
      {with(R"("user":5)"), "user", "a string"},
      {with(R"("modalities":"audio")"), "modalities", "an array"},
  };
  for (const Bad& b : bad) {
    INFO(b.body);
    auto facts = scan(b.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().http_status() == 400);
    CHECK(facts.error().param == b.param);
    CHECK(facts.error().message.find(b.words) != std::string::npos);
  }
}

TEST_CASE("a request cut at any byte is refused, never misread") {
  const std::string body = with(R"("stream":true,"tools":[{"type":"function","function":{"name":"f"}}],"user":"\u00e9\n")");
  REQUIRE(scan(body).ok());
  for (size_t i = 0; i < body.size(); ++i) {
    const std::string cut = body.substr(0, i);
    CHECK(!scan(cut).ok());
  }
}

TEST_CASE("decoding refuses what only a translation must understand") {
  const std::vector<Bad> bad = {
      {with(R"("tools":[{"type":"function","function":{}}])"), "tools[0].function.name", "required"},
      {with(R"("tools":[{"type":"function","function":{"name":"f","parameters":[]}}])"), "tools[0].function.parameters", "an object"},
      {with(R"("stop":[1])"), "stop[0]", "a string"},
      {with(R"("stop":1)"), "stop", "a string or an array"},
      {with(R"("seed":"x")"), "seed", "an integer"},
      {with(R"("top_p":"x")"), "top_p", "a number"},
      {with(R"("logit_bias":[])"), "logit_bias", "an object"},
      {with(R"("logprobs":1)"), "logprobs", "a boolean"},
  };
  for (const Bad& b : bad) {
    INFO(b.body);
    auto client = dialect("openai")->new_client_codec();
    REQUIRE(client->scan(b.body).ok());
    auto chat = client->decode();
    REQUIRE(!chat.ok());
    CHECK(chat.error().param == b.param);
    CHECK(chat.error().message.find(b.words) != std::string::npos);
  }
}
