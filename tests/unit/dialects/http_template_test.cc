// The template dialect: what is written, where answers are looked for, what is refused.
#include "catch.h"
#include "dialects/http_template.h"
#include "support.h"

using namespace dialect_test;
using dialects::http_template::at_pointer;
using wire::find;
using wire::find_member;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

ProviderConfig lab(std::string body, std::string format = "ndjson") {
  ProviderConfig config = provider();
  config.base_url = "http://127.0.0.1:9";
  config.dialect = "http";
  config.http.path = "/v1/{model}/generate";
  config.http.body = std::move(body);
  config.http.text = "/output/0/text";
  config.http.finish = "/output/0/stop";
  config.http.usage_input = "/usage/in";
  config.http.usage_output = "/usage/out";
  config.http.stream_format = std::move(format);
  config.http.stream_text = "/delta";
  config.http.stream_done = "/finished";
  return config;
}

const std::string kHi = R"([{"role":"user","content":"hi \"you\", ${model} \u0007\n"}])";
Result<Encoded> write(const std::string& body, const std::string& members = {}, const std::string& messages = kHi) {
  return translate_request("openai", "http", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}", lab(body), "up/1:x");
}
std::string written(const std::string& body, const std::string& members = {}, const std::string& messages = kHi, std::vector<std::string>* dropped = nullptr) {
  auto out = write(body, members, messages);
  if (!out) FAIL(out.error().message);
  if (dropped) *dropped = out->request.dropped;
  CHECK(wire::validate(out->body));
  return out->body;
}
std::string refused(const std::string& members, const std::string& messages = kHi) {
  auto out = write(R"({"p":"${prompt}"})", members, messages);
  if (out.ok()) return "not refused";
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}

std::unique_ptr<UpstreamCodec> ready(const ProviderConfig& config, bool stream) {
  const ChatRequest chat = ChatRequest::of("m", "x");
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "up";
  input.stream = stream;
  EncodedRequest out;
  auto codec = dialect("http")->new_upstream_codec();
  REQUIRE(codec->encode(input, out).ok());
  return codec;
}
Recorder streamed(const ProviderConfig& config, const std::vector<std::string_view>& pieces) {
  auto codec = ready(config, true);
  Recorder seen;
  for (std::string_view piece : pieces) codec->feed(piece, seen);
  codec->finish(seen);
  return seen;
}
Recorder read(const std::string& stream, const ProviderConfig& config) {
  const std::string_view s = stream;
  Recorder whole = streamed(config, {s});
  for (size_t i = 0; i <= s.size(); ++i) {
    if (streamed(config, {s.substr(0, i), s.substr(i)}).summary() != whole.summary()) {
      CHECK(i == s.size() + 1);
      break;
    }
  }
  return whole;
}

}  // namespace

TEST_CASE("http: placeholders become values of their kind, or text inside text, never anything else") {
  const std::string body = written(
      R"j({"p":"${prompt}","history":"${messages}","max":"${max_tokens:-512}","t":"${temperature}","deep":[{"q":"Q: ${prompt} (${seed:-none})"},"${stop}"],"lit":"$${prompt}","n":1.50,"s":"${stream}"})j",
      R"("max_tokens":7,"stop":["a"])");
  const JsonValue root(body);
  CHECK(find_member(root, "p").string_or() == "hi \"you\", ${model} \x07\n");  // what a user writes is never a placeholder
  CHECK(canonical(find_member(root, "history")) == canonical(kHi));
  CHECK(find_member(root, "max").integer() == 7);
  CHECK_FALSE(find_member(root, "t").exists());
  CHECK(find(root, "deep", 0, "q").string_or() == "Q: hi \"you\", ${model} \x07\n (none)");
  CHECK(canonical(find(root, "deep", 1)) == canonical(R"(["a"])"));
  CHECK(find_member(root, "lit").equals("${prompt}"));
  CHECK(find_member(root, "n").raw() == "1.50");
  CHECK(find_member(root, "s").raw() == "false");
  CHECK(find_member(JsonValue(written(R"({"max":"${max_tokens:-512}","x":"${nothing:-a b}"})")), "max").integer() == 512);
  CHECK(find_member(JsonValue(written(R"({"x":"${nothing:-a b}"})")), "x").equals("a b"));
  CHECK(written(R"({"a":"${nothing}","b":["${nothing}",1]})") == R"({"b":[1]})");
}

TEST_CASE("http: two parts of a prompt do not become one word, which no rule would have heard") {
  const std::string parts = R"([{"role":"user","content":[{"type":"text","text":"sec"},{"type":"text","text":"ret"}]}])";
  const std::string prompt = find_member(JsonValue(written(R"({"p":"${prompt}"})", {}, parts)), "p").string_or();
  CHECK(prompt.find("secret") == std::string::npos);
  CHECK(prompt.find("sec") == 0);
  CHECK(prompt.find("ret") != std::string::npos);
}

TEST_CASE("http: method, path, key") {
  auto out = write(R"({"p":"${prompt}"})");
  REQUIRE(out.ok());
  CHECK(out->request.http.method == "POST");
  CHECK(out->request.http.url == "http://127.0.0.1:9/v1/up%2F1%3Ax/generate");
  CHECK(out->header("authorization").find("Bearer ") == 0);
}

TEST_CASE("http: what the template has no place for is refused, or named when it is a hint") {
  CHECK(refused(R"("tools":[{"type":"function","function":{"name":"f"}}])") == "tools");
  CHECK(refused(R"("response_format":{"type":"json_object"})") == "response_format");
  CHECK(refused(R"("n":2)") == "n");
  CHECK(refused("", R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}])") == "messages[0].content[0]");
  CHECK(refused("", R"([{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}])") == "tools");
  std::vector<std::string> dropped;
  written(R"({"p":"${prompt}"})", R"("temperature":0.5,"response_format":{"type":"text"},"n":1)", R"([{"role":"system","content":""},{"role":"user","content":"x"}])", &dropped);
  CHECK(dropped == std::vector<std::string>{"temperature"});
  // Instructions and what was said before decide the answer as much as the last words.
  for (const char* more : {R"({"role":"system","content":"s"})", R"({"role":"user","content":"a"},{"role":"assistant","content":"b"})", R"({"role":"user","content":"a"})"}) {
    const std::string messages = "[" + std::string(more) + R"(,{"role":"user","content":"x"}])";
    CHECK(refused({}, messages) == "messages");
    written(R"({"p":"${prompt}","m":"${messages}"})", {}, messages, &dropped);
    CHECK(dropped.empty());
  }
  CHECK(find(JsonValue(written(R"({"t":"${tools}","m":"${messages}"})", R"("tools":[{"type":"function","function":{"name":"f"}}])")), "t", 0, "function", "name").equals("f"));
}

TEST_CASE("http: a whole answer by its pointers") {
  auto codec = ready(lab("{}"), false);
  auto answer = codec->decode(R"({"output":[{"text":"Hi","stop":"length"}],"usage":{"in":3,"out":4}})");
  REQUIRE(answer.ok());
  CHECK(answer->text() == "Hi");
  CHECK(answer->choices[0].finish == FinishReason::kLength);
  CHECK(answer->usage.input == 3);
  CHECK(answer->usage.output == 4);
  CHECK(codec->decode(R"({"output":[{"text":5}]})")->text() == "5");
  CHECK(codec->decode(R"({"outputs":"x"})").error().message.find("no text at /output/0/text") != std::string::npos);
  CHECK(codec->decode(R"({"error":"it is late"})").error().message.find("it is late") != std::string::npos);
  CHECK(codec->decode("oops").error().message.find("not JSON") != std::string::npos);
}

TEST_CASE("http: streams of lines and of events") {
  const std::string lines = "{\"delta\":\"He\"}\n\n{\"delta\":\"llo\",\"usage\":{\"in\":1}}\n{\"finished\":true,\"usage\":{\"in\":2,\"out\":3},\"output\":[{\"stop\":\"max_tokens\"}]}\n{\"delta\":\"late\"}\n";
  for (const std::string& format : {std::string("ndjson"), std::string("sse")}) {
    std::string stream = lines;
    if (format == "sse") {
      stream = "event: x\n";
      for (size_t at = 0, end; (end = lines.find('\n', at)) != std::string::npos; at = end + 1) {
        if (end > at) stream += "data: " + lines.substr(at, end - at) + "\n\n";
      }
    }
    const Recorder seen = read(stream, lab("{}", format));
    REQUIRE(seen.errors.empty());
    const Answer answer = answer_of(seen);
    CHECK(answer.choices.at(0).text == "Hello");
    CHECK(answer.choices.at(0).finish == "length");
    CHECK(answer.usage->input == 2);
    CHECK(answer.usage->output == 3);
  }
}

TEST_CASE("http: wrong pointers and broken streams say what is wrong") {
  ProviderConfig config = lab("{}");
  const auto error = [&](const std::string& stream) {
    const Recorder seen = read(stream, config);
    return seen.errors.size() == 1 ? seen.errors[0].message : std::to_string(seen.errors.size()) + " errors";
  };
  CHECK(error("{\"delta\":\"x\"}\n").find("nothing in it said so at /finished") != std::string::npos);
  CHECK(error("{\"error\":{\"message\":\"boom\"}}\n").find("boom") != std::string::npos);
  CHECK(error("{\"delta\":\n").find("not JSON") != std::string::npos);
  CHECK(error("{\"delta\":\"x\"}\n{\"del").find("not JSON") != std::string::npos);
  config.http.stream_done.clear();
  CHECK(error("{\"token\":\"x\"}\n").find("stands at /delta") != std::string::npos);
  CHECK(error("").find("stands at /delta") != std::string::npos);
  CHECK(read("{\"delta\":\"x\"}\n", config).errors.empty());
  CHECK(read("{\"delta\":\"\"}\n[DONE]\n", config).errors.empty());
}

TEST_CASE("http: an answer that comes whole is told as a stream") {
  const Recorder seen = read(R"({"output":[{"text":"Hi"}]})", lab("{}", ""));
  REQUIRE(seen.errors.empty());
  CHECK(answer_of(seen).choices.at(0).text == "Hi");
  CHECK(answer_of(seen).choices.at(0).finishes == 1);
  CHECK(read("{}", lab("{}", "")).errors.size() == 1);
}

TEST_CASE("http: JSON pointers") {
  const JsonValue root(R"({"a/b":{"m~n":[10,{"":7}]},"":1})");
  CHECK(at_pointer(root, "/a~1b/m~0n/0").integer() == 10);
  CHECK(at_pointer(root, "/a~1b/m~0n/1/").integer() == 7);
  CHECK(at_pointer(root, "/").integer() == 1);
  CHECK_FALSE(at_pointer(root, "/a~1b/m~0n/2").exists());
  CHECK_FALSE(at_pointer(root, "/a~1b/m~0n/-").exists());
  CHECK_FALSE(at_pointer(root, "/a~1b/m~0n/0/x").exists());
  CHECK_FALSE(at_pointer(root, "/nowhere/at/all").exists());
}

TEST_CASE("http: there is no list of models to ask for") {
  EncodedRequest out;
  CHECK(dialect("http")->new_upstream_codec()->encode_models(lab("{}"), "k", out).error().code == ErrorCode::kNotSupported);
}

TEST_CASE("http template: thoughts of the history stay out and are named, in whatever form a client brought them") {
  for (const char* thought : {R"("content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"b"}])",
                              R"("reasoning_content":"hm","content":"b")"}) {
    std::vector<std::string> dropped;
    const std::string messages = std::string(R"([{"role":"user","content":"a"},{"role":"assistant",)") + thought + R"(},{"role":"user","content":"c"}])";
    const std::string body = written(R"({"h":"${messages}"})", {}, messages, &dropped);
    CHECK(find(JsonValue(body), "h", 1, "content").equals("b"));
    CHECK(body.find("hm") == std::string::npos);
    CHECK(body.find("thinking") == std::string::npos);
    CHECK(dropped == std::vector<std::string>{"reasoning"});
  }
}

TEST_CASE("http template: a talk in which no user speaks is not sent as an empty prompt") {
  const std::string messages = R"([{"role":"developer","content":"be kind"}])";
  CHECK(refused({}, messages) == "messages");
  CHECK(find(JsonValue(written(R"({"p":"${prompt}","h":"${messages}"})", {}, messages)), "h", 0, "content").equals("be kind"));
}
