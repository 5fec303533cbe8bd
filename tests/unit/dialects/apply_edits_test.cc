// A model's defaults, overrides and drops on neutral requests.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using Edit = BodyEdit::Kind;

TEST_CASE("edits of a neutral request do what splicing does to a body") {
  ChatRequest r = ChatRequest::of("m", "x");
  r.temperature = 1.0;
  r.logit_bias = R"({"5":1})";
  r.stop = {"a"};
  r.extras = R"("store":true,"vendor":{"a":1})";
  REQUIRE(apply_edits({{Edit::kSet, "temperature", "0.5"},
                       {Edit::kDefault, "temperature", "0.9"},
                       {Edit::kDefault, "max_completion_tokens", "64"},
                       {Edit::kDefault, "max_tokens", "128"},
                       {Edit::kRemove, "logit_bias", ""},
                       {Edit::kSet, "stop", R"(["b","c"])"},
                       {Edit::kDefault, "store", "false"},
                       {Edit::kSet, "vendor", "2"},
                       {Edit::kSet, "brand_new", "[1]"},
                       {Edit::kSet, "tool_choice", R"("none")"},
                       {Edit::kSet, "response_format", R"({"type":"json_object"})"}},
                      r)
              .ok());
  CHECK(r.temperature == 0.5);
  CHECK(r.max_tokens == 64);
  CHECK(r.logit_bias.empty());
  CHECK(r.stop == std::vector<std::string>{"b", "c"});
  CHECK(r.extras == R"("store":true,"vendor":2,"brand_new":[1])");
  CHECK(r.tool_choice.kind == ToolChoice::Kind::kNone);
  CHECK(r.response_format.kind == ResponseFormat::Kind::kJsonObject);
  REQUIRE(apply_edits({{Edit::kRemove, "vendor", ""}, {Edit::kRemove, "store", ""}, {Edit::kRemove, "brand_new", ""}, {Edit::kRemove, "stop", ""}}, r).ok());
  CHECK(r.extras.empty());
  CHECK(r.stop.empty());
}

TEST_CASE("an edit of the wrong type is refused by name") {
  ChatRequest r = ChatRequest::of("m", "x");
  auto wrong = apply_edits({{Edit::kSet, "temperature", R"("hot")"}}, r);
  REQUIRE(!wrong.ok());
  CHECK(wrong.error().param == "temperature");
  CHECK(apply_edits({{Edit::kSet, "tools", "[]"}}, r).error().param == "tools");
}

TEST_CASE("more results than there are calls are still written") {
  ChatRequest chat;
  Message call, result;
  call.role = Role::kAssistant;
  result.role = Role::kTool;
  for (int i = 0; i < 1100; ++i) call.tool_calls.push_back({"", "f", "{}", "", ""});
  chat.messages.push_back(call);
  for (int i = 0; i < 1101; ++i) chat.messages.push_back(result);
  const ProviderConfig config = provider();
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "m";
  EncodedRequest out;
  REQUIRE(dialect("openai")->new_upstream_codec()->encode(input, out).ok());
  const wire::JsonValue root(out.http.body[0]);
  CHECK(wire::find(root, "messages", 1100, "tool_call_id").equals("call_1099"));
  CHECK(wire::find(root, "messages", 1101, "role").equals("function"));
}
