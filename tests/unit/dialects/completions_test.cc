// Legacy text completions: passed as they came, or made a chat.
#include "catch.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

const std::string kRequest = R"({"model":"m","prompt":"Once","max_tokens":5,"temperature":0.5,"top_p":0.9,"n":2,"stop":["x"],"seed":3,"logit_bias":{"1":2},"user":"u","echo":false,)"
                             R"("suffix":null,"best_of":2,"logprobs":null,"stream":true,"stream_options":{"include_usage":true}})";

StreamEvent text(int64_t choice, const char* words) {
  StreamEvent e;
  e.kind = StreamEvent::Kind::kText;
  e.choice = choice;
  e.text = words;
  return e;
}

StreamEvent finish(int64_t choice, FinishReason reason) {
  StreamEvent e;
  e.kind = StreamEvent::Kind::kFinish;
  e.choice = choice;
  e.finish = reason;
  return e;
}

}  // namespace

TEST_CASE("completions: a request becomes a chat of one message") {
  auto out = translate_request("completions", "openai", kRequest);
  INFO((out.ok() ? "" : out.error().message));
  REQUIRE(out.ok());
  CHECK(out->request.dropped.empty());
  CHECK(canonical(out->body) == canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":"Once"}],"max_tokens":5,"temperature":0.5,"top_p":0.9,"n":2,)"
                                          R"("stop":["x"],"seed":3,"logit_bias":{"1":2},"user":"u","stream":true,"stream_options":{"include_usage":true}})"));
  CHECK(translate_request("completions", "openai", R"({"model":"m","prompt":["one"]})").ok());
  auto best = translate_request("completions", "openai", R"({"model":"m","prompt":"x","best_of":3})");
  REQUIRE(best.ok());
  CHECK(best->request.dropped == std::vector<std::string>{"best_of"});
  auto own = translate_request("completions", "openai", R"({"model":"m","prompt":"x","logprobs":0})");
  REQUIRE(own.ok());
  CHECK(own->request.dropped == std::vector<std::string>{"logprobs"});
  CHECK_FALSE(wire::find_member(wire::JsonValue(own->body), "logprobs").exists());
}

TEST_CASE("completions: what a chat cannot say is refused by name, and passes in a relay") {
  struct Row {
    const char *members, *param;
  };
  for (const Row& row : {Row{R"("prompt":["a","b"])", "prompt"}, Row{R"("prompt":[1,2,3])", "prompt"}, Row{R"("prompt":[[1],[2]])", "prompt"}, Row{R"("prompt":"x","echo":true)", "echo"},
                         Row{R"("prompt":"x","suffix":"y")", "suffix"}, Row{R"("prompt":"x","logprobs":2)", "logprobs"}}) {
    const std::string body = std::string("{\"model\":\"m\",") + row.members + "}";
    INFO(body);
    auto refused = translate_request("completions", "openai", body);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == row.param);
    auto relayed = relay_request("completions", body, provider({"max_completion_tokens_only"}), {}, "m");
    REQUIRE(relayed.ok());
    CHECK(relayed->body == body);
    CHECK(relayed->request.http.url == "http://127.0.0.1:9/v1/completions");
  }
  // The chat's own quirks mean nothing here.
  auto relayed = relay_request("completions", R"({"model":"m","prompt":"x","max_tokens":5})", provider({"max_completion_tokens_only"}));
  CHECK(relayed->body == R"({"model":"upstream-model","prompt":"x","max_tokens":5})");
}

TEST_CASE("completions: a bound under its newer name is one under the older, the only one that /completions has") {
  using Kind = BodyEdit::Kind;
  const auto relayed = [](const std::string& body, Kind kind, const char* name) {
    const auto out = relay_request("completions", body, provider(), {{kind, name, "7"}}, "m");
    REQUIRE(out.ok());
    return out->body;
  };
  const std::string plain = R"({"model":"m","prompt":"x"})", bounded = R"({"model":"m","prompt":"x","max_tokens":5})", newer = R"({"model":"m","prompt":"x","max_completion_tokens":5000})";
  for (const char* name : {"max_completion_tokens", "max_tokens"}) {
    INFO(name);
    CHECK(canonical(relayed(plain, Kind::kSet, name)) == canonical(R"({"model":"m","prompt":"x","max_tokens":7})"));
    CHECK(canonical(relayed(plain, Kind::kDefault, name)) == canonical(R"({"model":"m","prompt":"x","max_tokens":7})"));
    CHECK(canonical(relayed(bounded, Kind::kSet, name)) == canonical(R"({"model":"m","prompt":"x","max_tokens":7})"));
    CHECK(relayed(bounded, Kind::kDefault, name) == bounded);
    // What the endpoint does not know bounds nothing.
    CHECK(canonical(relayed(newer, Kind::kDefault, name)) == canonical(R"({"model":"m","prompt":"x","max_completion_tokens":5000,"max_tokens":7})"));
    CHECK(canonical(relayed(newer, Kind::kSet, name)) == canonical(R"({"model":"m","prompt":"x","max_tokens":7})"));
  }
}

TEST_CASE("completions: a request is checked, and an error names its field") {
  struct Row {
    const char *body, *param;
  };
  for (const Row& row : {Row{"{}", "model"}, Row{R"({"model":"m"})", "prompt"}, Row{R"({"model":"m","prompt":7})", "prompt"}, Row{R"({"model":"m","prompt":"x","n":0})", "n"},
                         Row{R"({"model":"m","prompt":"x","stream":1})", "stream"}, Row{R"({"model":"m","prompt":"x","max_tokens":-1})", "max_tokens"}}) {
    auto facts = dialect("completions")->new_client_codec()->scan(row.body);
    INFO(row.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().param == row.param);
  }
}

TEST_CASE("completions: answers are text_completion objects, whole and streamed") {
  auto codec = dialect("completions")->new_client_codec();
  REQUIRE(codec->scan(kRequest).ok());
  std::string sse;
  StreamEvent thought;
  thought.kind = StreamEvent::Kind::kReasoning;
  thought.text = "hm";
  for (const StreamEvent& e : {thought, text(0, "upon "), text(1, "more"), text(0, "a time"), finish(1, FinishReason::kLength), finish(0, FinishReason::kToolCalls)}) codec->encode_event(e, sse);
  StreamEvent usage;
  usage.kind = StreamEvent::Kind::kUsage;
  usage.usage.input = 2;
  usage.usage.output = 3;
  usage.usage.known = true;
  codec->encode_event(usage, sse);
  codec->encode_end(sse);
  std::string texts[2], finishes[2];
  std::string id;
  bool counted = false, done = false;
  for (size_t at = 0; (at = sse.find("data: ", at)) != std::string::npos;) {
    const size_t end = sse.find("\n\n", at);
    const std::string_view data = std::string_view(sse).substr(at + 6, end - at - 6);
    at = end;
    REQUIRE(!done);
    if (data == "[DONE]") {
      done = true;
      continue;
    }
    REQUIRE(wire::validate(data));
    const JsonValue root(data);
    CHECK(find_member(root, "object").equals("text_completion"));
    if (id.empty()) id = find_member(root, "id").string_or();
    CHECK(find_member(root, "id").string_or() == id);
    const JsonValue choice = find(root, "choices", 0);
    if (!choice.exists()) {
      CHECK(find(root, "usage", "total_tokens").integer() == 5);
      counted = true;
      continue;
    }
    const auto index = static_cast<size_t>(*find_member(choice, "index").integer());
    CHECK(finishes[index].empty());
    texts[index] += find_member(choice, "text").string_or();
    finishes[index] += find_member(choice, "finish_reason").string_or();
  }
  CHECK((counted && done));
  CHECK(texts[0] == "upon a time");
  CHECK(texts[1] == "more");
  CHECK(finishes[0] == "stop");
  CHECK(finishes[1] == "length");
  CHECK(id.substr(0, 5) == "cmpl-");

  ChatResponse response;
  response.model = "real";
  response.choices.resize(1);
  response.choices[0].message.parts.push_back(Part::of_text("whole"));
  std::string out;
  codec->encode_response(response, out);
  REQUIRE(wire::validate(out));
  CHECK(find(JsonValue(out), "choices", 0, "text").equals("whole"));
  CHECK(find(JsonValue(out), "choices", 0, "finish_reason").equals("stop"));
}

TEST_CASE("completions: an upstream's own stream and answer are passed and metered") {
  const std::string stream =
      "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"text\":\"up\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n"
      "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1,\"total_tokens\":3}}\n\n"
      "data: [DONE]\n\n";
  for (size_t i = 0; i <= stream.size(); ++i) {
    const Recorder seen = feed("completions", true, {std::string_view(stream).substr(0, i), std::string_view(stream).substr(i)});
    REQUIRE(seen.errors.empty());
    REQUIRE(seen.bytes() == stream);
    REQUIRE(seen.kinds() == std::vector<FrameKind>{FrameKind::kPayload, FrameKind::kFinish, FrameKind::kUsageOnly, FrameKind::kDone});
    REQUIRE(seen.last_usage()->output == 1);
  }
  auto codec = reading("completions", true);
  auto facts = codec->inspect(R"({"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"text":"up","index":0,"finish_reason":"length"}],"usage":{"prompt_tokens":2,"completion_tokens":1}})");
  REQUIRE(facts.ok());
  CHECK(facts->finish == FinishReason::kLength);
  CHECK(facts->usage.input == 2);
  // Nobody is translated for.
  EncodeInput input;
  const ProviderConfig config = provider();
  const ChatRequest chat = ChatRequest::of("m", "x");
  input.provider = &config;
  input.chat = &chat;
  EncodedRequest encoded;
  CHECK(!codec->encode(input, encoded).ok());
}

TEST_CASE("completions: each prompt is answered, and the best of several are all paid for") {
  const auto answers = [](const std::string& members) { return dialect("completions")->new_client_codec()->scan(R"({"model":"m",)" + members + "}")->n; };
  CHECK(answers(R"("prompt":"a")") == 1);
  CHECK(answers(R"("prompt":["a","b"],"n":3)") == 6);
  CHECK(answers(R"("prompt":[1,2,3],"best_of":4,"n":2)") == 4);
  CHECK(answers(R"("prompt":[[1,2],[3]])") == 2);
  CHECK(answers(R"("prompt":[],"best_of":"x")") == 1);
}
