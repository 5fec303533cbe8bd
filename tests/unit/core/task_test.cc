// Operations other than chat: neutral calls, inputs in parts, bytes without a shape.
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

struct HeardTask final : StreamSink {
  std::vector<TaskResponse> responses;
  int ends = 0;
  CallResult result;
  Flow on_event(const StreamEvent&) override { return Flow::kContinue; }
  void on_task(TaskResponse&& r) override { responses.push_back(std::move(r)); }
  void on_end(const CallResult& r) override {
    ++ends;
    result = r;
  }
};

TaskRequest embed(std::string model, std::vector<std::string> texts) {
  TaskRequest task;
  task.model = std::move(model);
  for (std::string& text : texts) task.embed.inputs.push_back({std::move(text), {}});
  return task;
}

ScriptedReply vectors(int from, int count) {
  std::string body = R"({"data":[)";
  for (int i = 0; i < count; ++i) {
    body += (i ? "," : "") + std::string(R"({"index":)") + std::to_string(i) + R"(,"embedding":[)" + std::to_string(from + i) + "]}";
  }
  return ScriptedReply::json(body + R"(],"usage":{"prompt_tokens":)" + std::to_string(count) + "}}");
}

RawRequest raw(Operation operation, std::string body) {
  RawRequest request;
  request.operation = operation;
  request.body = std::move(body);
  return request;
}

}  // namespace

TEST_CASE("task: an application asks for vectors; inputs go in parts and come back in order") {
  World w;
  w.config.providers = {provider("a")};
  w.config.providers[0].quirks = {"embed_batch_2"};
  w.transport.push(vectors(0, 2));
  w.transport.push(vectors(2, 2));
  w.transport.push(vectors(4, 1));
  w.build();
  HeardTask heard;
  w.call = w.router->start(w.transport, embed("a/m", {"t0", "t1", "t2", "t3", "t4"}), {}, heard);
  CHECK(heard.ends == 0);  // nothing fires inside
  w.run();
  REQUIRE(heard.ends == 1);
  CHECK(heard.result.ok());
  REQUIRE(heard.responses.size() == 1);
  CHECK(heard.responses[0].vectors == std::vector<std::vector<float>>{{0}, {1}, {2}, {3}, {4}});
  REQUIRE(w.transport.seen().size() == 3);
  CHECK(w.transport.seen()[1].body == R"({"model":"m","input":["t2","t3"]})");
  REQUIRE(w.records().size() == 1);
  const UsageRecord record = w.records()[0];
  CHECK(record.endpoint == "embeddings");
  CHECK(record.dialect == "neutral");
  CHECK(record.usage.input == 5);
  CHECK(record.attempts.size() == 1);
}

TEST_CASE("task: where nobody counts, the answer says the estimate that is recorded") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.push(ScriptedReply::json(R"({"data":[{"index":0,"embedding":[1]}]})"));
  w.build();
  HeardTask heard;
  w.call = w.router->start(w.transport, embed("a/m", {"twelve bytes"}), {}, heard);
  w.run();
  REQUIRE(heard.responses.size() == 1);
  REQUIRE(w.records().size() == 1);
  CHECK(w.records()[0].usage.input > 0);
  CHECK(w.records()[0].usage.estimated);
  CHECK(heard.responses[0].usage.known);
  CHECK(heard.responses[0].usage.estimated);
  CHECK(heard.responses[0].usage.input == w.records()[0].usage.input);
}

TEST_CASE("task: what a target answered is kept when it is asked again, and not mixed with another's") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.providers[0].quirks = w.config.providers[1].quirks = {"embed_batch_1"};
  const bool other = GENERATE(false, true);
  if (other) w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  else w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.transport.push(vectors(0, 1));
  w.transport.push(ScriptedReply::json("{}", 500));
  if (other) w.transport.push(vectors(10, 1));
  w.transport.push(vectors(11, 1));
  w.build();
  HeardTask heard;
  w.call = w.router->start(w.transport, embed("m", {"t0", "t1"}), {}, heard);
  w.run();
  CAPTURE(other);
  REQUIRE(heard.responses.size() == 1);
  CHECK(heard.responses[0].vectors == std::vector<std::vector<float>>{{other ? 10.0f : 0.0f}, {11}});
  CHECK(w.records().at(0).attempts.size() == 2);
}

TEST_CASE("task: vectors that are missing or of another length are errors") {
  World w;
  w.config.providers = {provider("a")};
  w.config.providers[0].quirks = {"embed_batch_1"};
  w.config.routing.attempts = 1;
  const bool length = GENERATE(false, true);
  w.transport.push(vectors(0, 1));
  w.transport.push(length ? ScriptedReply::json(R"({"data":[{"index":0,"embedding":[1,2]}]})") : vectors(0, 2));
  w.build();
  HeardTask heard;
  w.call = w.router->start(w.transport, embed("a/m", {"t0", "t1"}), {}, heard);
  w.run();
  REQUIRE(heard.ends == 1);
  CHECK(heard.result.error.code == ErrorCode::kUpstreamError);
  CHECK(heard.responses.empty());
}

TEST_CASE("task: what cannot be asked is said") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.providers[1].dialect = "ollama";
  w.build();
  HeardTask heard;
  w.call = w.router->start(w.transport, embed("a/m", {}), {}, heard);
  w.run();
  CHECK(heard.result.error.param == "inputs");
  TaskRequest speech;
  speech.operation = Operation::kSpeech;
  speech.model = "a/m";
  HeardTask second;
  w.call = w.router->start(w.transport, speech, {}, second);
  w.run();
  CHECK(second.result.error.code == ErrorCode::kNotSupported);
  TaskRequest ranking;
  ranking.operation = Operation::kRerank;
  ranking.model = "b/m";
  ranking.rerank.query = "q";
  ranking.rerank.documents.push_back({"d", {}});
  HeardTask third;
  w.call = w.router->start(w.transport, ranking, {}, third);
  w.run();
  CHECK(third.result.error.code == ErrorCode::kNotSupported);
  CHECK(third.result.error.message.find("ollama has no rerank") != std::string::npos);
  CHECK(w.transport.seen().empty());
}

TEST_CASE("task: sound passes in pieces under its own type, and a cut one gets no words mixed in") {
  World w;
  w.config.providers = {provider("a")};
  ScriptedReply reply;
  reply.headers = {{"content-type", "audio/mpeg"}};
  reply.chunks = {"ID3", std::string("\0\xff", 2), "end"};
  const bool cut = GENERATE(false, true);
  if (cut) reply.end = {TransferError::Kind::kTruncated, "cut"};
  w.transport.push(reply);
  w.build();
  w.call = w.router->relay(w.transport, raw(Operation::kSpeech, R"({"model":"a/m","input":"hi","voice":"v"})"), {}, w.heard);
  w.run();
  REQUIRE(w.heard.ends == 1);
  CHECK(w.heard.bytes == std::string("ID3\0\xff" "end", 8));
  CHECK(w.heard.content_type == "audio/mpeg");
  CHECK(w.heard.head.content_length == -1);
  CHECK(w.heard.result.complete == !cut);
  CHECK(w.records().at(0).usage.output == 0);
  CHECK(w.transport.seen().at(0).url == "http://a.test/v1/audio/speech");
}

TEST_CASE("task: a key's largest answer and a chat's estimate mean nothing to vectors") {
  World w;
  w.config.providers = {provider("a")};
  FileKey key;
  key.key = Secret("sk-limited-00000000001");
  key.spec.name = "k";
  key.spec.params.max_tokens = 5;
  key.spec.limits.tokens = Rate{100, std::chrono::minutes(1), 0};
  w.config.keys = {key};
  w.transport.push(vectors(0, 1));
  w.build();
  CallOptions options;
  options.key = key.key;
  w.call = w.router->relay(w.transport, raw(Operation::kEmbed, R"({"model":"a/m","input":"hi"})"), options, w.heard);
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.transport.seen().at(0).body == R"({"model":"m","input":"hi"})");
}
