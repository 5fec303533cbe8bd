// What calls cost that nobody counted to the end: cut, cancelled, failed, or without usage.
#include <algorithm>

#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string kKey = "sk-k-0123456789abcdef";

struct Paid : World {
  Paid() {
    config.providers = {provider("a")};
    FileKey key;
    key.spec.name = "k";
    key.key = Secret(std::string(kKey));
    key.spec.limits.budget = Budget{1'000'000'000, BudgetPeriod::kTotal, 0, {}};
    key.spec.limits.tokens = Rate{1'000'000, std::chrono::hours(24), 0};
    config.keys = {key};
    parts.catalog = std::make_shared<OnePrice>();
  }
  UsageRecord ask(std::string body, Duration until = std::chrono::minutes(30)) {
    CallOptions options;
    options.key = Secret(std::string(kKey));
    relay(std::move(body), options);
    run(until);
    if (call.active()) call.cancel();
    return records().at(0);
  }
  LimitState limits() const { return router->limits_of(*router->authenticate(Secret(std::string(kKey)), "chat").value()); }
  int64_t tokens_taken() const { return 1'000'000 - limits().remaining_tokens; }
};

int64_t cost(const TokenUsage& usage) { return usage.input * 1000 + usage.output * 2000; }

ScriptedReply hanging(ScriptedReply reply) {
  reply.hang = true;
  return reply;
}

std::string sse_event(const std::string& type, const std::string& members) { return R"({"type":")" + type + "\"," + members + "}"; }

ScriptedReply claude(bool finished) {
  std::vector<std::string> datas = {
      sse_event("message_start", R"("message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":8,"output_tokens":1}})"),
      sse_event("content_block_start", R"("index":0,"content_block":{"type":"text","text":""})"),
      sse_event("content_block_delta", R"("index":0,"delta":{"type":"text_delta","text":")" + std::string(400, 'x') + "\"}")};
  if (finished) {
    datas.push_back(sse_event("message_delta", R"("delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":70})"));
    datas.push_back(R"({"type":"message_stop"})");
  }
  return ScriptedReply::sse(datas);
}

ScriptedReply google(bool finished) {
  std::vector<std::string> datas = {R"({"candidates":[{"content":{"role":"model","parts":[{"text":")" + std::string(400, 'x') +
                                    R"("}]},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}})"};
  if (finished) {
    datas.push_back(R"({"candidates":[{"content":{"role":"model","parts":[{"text":"."}]},"finishReason":"STOP","index":0}],)"
                    R"("usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":70,"totalTokenCount":78}})");
  }
  return ScriptedReply::sse(datas);
}

const std::string kText(400, 'x');  // 100 tokens by the rule of four bytes

}  // namespace

TEST_CASE("money: a budget that a model without a price escapes is told of once, and counted") {
  struct Log final : Logger {
    bool enabled(LogLevel level) const noexcept override { return level == LogLevel::kWarn; }
    void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override {
      if (level != LogLevel::kWarn || message.find("without a price") == std::string_view::npos) return;
      for (const LogField& field : fields) {
        if (field.name == "model") models.emplace_back(field.value);
      }
    }
    std::vector<std::string> models;
  };
  struct Some final : Catalog {
    std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view model, int64_t, WallTime) const override {
      if (model != "priced") return std::nullopt;
      PriceRow row;
      row.input = 1'000'000;
      return row;
    }
    ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
  };
  Paid w;
  auto log = std::make_shared<Log>();
  w.parts.logger = log;
  w.parts.catalog = std::make_shared<Some>();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  const auto counted = [&w] {
    const std::string text = w.router->metrics();
    const std::string name = "\nllmrouter_unpriced_total ";
    const size_t at = text.find(name);
    REQUIRE(at != std::string::npos);
    return std::stoi(text.substr(at + name.size()));
  };
  w.ask(World::body("a/priced"));
  CHECK(counted() == 0);
  for (const char* model : {"a/one", "a/one", "a/two"}) w.ask(World::body(model));
  CHECK(counted() == 3);
  CHECK(log->models == std::vector<std::string>{"a/one", "a/two"});
  CHECK(w.limits().spent_nano_usd > 0);  // of the priced one
}

TEST_CASE("money: a placeholder count of a stream that was left is no truth; its input is") {
  Paid w;
  const bool gemini = GENERATE(false, true), cut = GENERATE(false, true), relayed = GENERATE(false, true);
  CAPTURE(gemini, cut, relayed);
  w.config.providers[0].dialect = gemini ? "gemini" : "anthropic";
  ScriptedReply reply = gemini ? google(false) : claude(false);
  if (cut) reply.end = {TransferError::Kind::kTruncated, "cut"};
  w.transport.push(cut ? reply : hanging(reply));
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  const std::string body = relayed && gemini ? R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":4000}})"
                                             : World::body("a/m", true, R"(,"max_tokens":4000)");
  RawRequest request{relayed ? (gemini ? "gemini" : "anthropic") : "openai", body};
  if (relayed && gemini) request.path.model = "a/m", request.path.operation = "streamGenerateContent", request.path.query = "alt=sse";
  w.call = w.router->relay(w.transport, std::move(request), options, w.heard);
  w.run(seconds(1));
  if (w.call.active()) w.call.cancel();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == (cut ? CallStatus::kCut : CallStatus::kCancelled));
  CHECK(r.usage.input == 8);
  CHECK(r.usage.output == 100);
  CHECK(r.usage.estimated);
  CHECK(r.cost_nano_usd == cost(r.usage));
  CHECK(w.tokens_taken() >= 4000);  // nothing is given back
  CHECK(w.limits().spent_nano_usd >= 4000 * 2000);
  CHECK(r.decision.find("limits keep what was reserved") != std::string::npos);
}

TEST_CASE("money: a stream that counts to its end is the truth") {
  Paid w;
  const bool gemini = GENERATE(false, true);
  w.config.providers[0].dialect = gemini ? "gemini" : "anthropic";
  w.transport.push(gemini ? google(true) : claude(true));
  const UsageRecord r = w.ask(World::body("a/m", true, R"(,"max_tokens":4000)"));
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.input == 8);
  CHECK(r.usage.output == 70);
  CHECK_FALSE(r.usage.estimated);
  CHECK(w.tokens_taken() == 78);
  CHECK(w.limits().spent_nano_usd == r.cost_nano_usd);
  CHECK(r.decision.find("reserved") == std::string::npos);
}

TEST_CASE("money: counts beside the last word stand when the stream ends whole, and what was reserved is given back") {
  Paid w;
  const bool gemini = GENERATE(false, true), relayed = GENERATE(false, true), null = GENERATE(false, true);
  CAPTURE(gemini, relayed, null);
  std::vector<std::string> datas;
  if (gemini) {
    datas = {R"({"candidates":[{"content":{"role":"model","parts":[{"text":")" + kText + R"("}]},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3}})",
             R"({"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}])" +
                 std::string(null ? "" : R"(,"usageMetadata":{"trafficType":"ON_DEMAND"})") + "}"};
  } else {
    datas = {chunk(R"({"content":")" + kText + "\"}"), chunk("{}", "\"stop\""), "[DONE]"};
    datas[0].insert(datas[0].size() - 1, R"(,"usage":{"prompt_tokens":9,"completion_tokens":3})");
    if (null) datas[1].insert(datas[1].size() - 1, R"(,"usage":null)");
  }
  w.config.providers[0].dialect = gemini ? "gemini" : "openai";
  w.transport.push(ScriptedReply::sse(datas));
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  RawRequest request{"openai", World::body("a/m", true, R"(,"max_tokens":4000)")};
  if (relayed && gemini) {
    request = RawRequest{"gemini", R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":4000}})"};
    request.path.model = "a/m", request.path.operation = "streamGenerateContent", request.path.query = "alt=sse";
  } else if (!relayed && !gemini) {
    request = RawRequest{"anthropic", World::body("a/m", true, R"(,"max_tokens":4000)")};
  }
  w.call = w.router->relay(w.transport, std::move(request), options, w.heard);
  w.run(seconds(1));
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.input == 9);
  CHECK(r.usage.output == 3);
  CHECK_FALSE(r.usage.estimated);
  CHECK(w.tokens_taken() == 12);
  CHECK(w.limits().spent_nano_usd == r.cost_nano_usd);
  CHECK(r.decision.find("reserved") == std::string::npos);
}

TEST_CASE("money: counts in each chunk are not the last word of a stream that was left") {
  Paid w;
  std::string counting = chunk(R"({"content":")" + kText + "\"}");
  counting.insert(counting.size() - 1, R"(,"usage":{"prompt_tokens":9,"completion_tokens":3})");
  w.transport.push(hanging(ScriptedReply::sse({counting})));
  const UsageRecord r = w.ask(World::body("a/m", true, R"(,"max_tokens":50)"), seconds(1));
  CHECK(r.usage.input == 9);
  CHECK(r.usage.output == 100);
  CHECK(r.usage.estimated);
}

TEST_CASE("money: what limits a provider's tokens is settled by an estimate when there is no usage") {
  Paid w;
  w.config.providers[0].limits.tokens = Rate{3000, std::chrono::hours(24), 0};
  const bool stream = GENERATE(false, true);
  w.transport.fallback = [&](const SeenRequest&) {
    if (stream) return ScriptedReply::sse({chunk(R"({"content":")" + std::string(2000, 'x') + "\"}"), chunk("{}", "\"stop\""), "[DONE]"});
    return ScriptedReply::json(R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + std::string(2000, 'x') + R"("},"finish_reason":"stop"}]})");
  };
  int granted = 0;
  const std::string body = R"({"model":"a/m","stream":)" + std::string(stream ? "true" : "false") +
                           R"(,"max_tokens":600,"messages":[{"role":"user","content":")" + std::string(3200, 'x') + R"("}]})";
  for (int i = 0; i < 10; ++i) granted += w.ask(body, seconds(1)).status == CallStatus::kOk;
  CHECK(granted == 2);  // about 800 in and 600 out each
}

TEST_CASE("money: who hangs up after the request was sent pays for its input") {
  Paid w;
  const bool stream = GENERATE(false, true), head = GENERATE(false, true);
  CAPTURE(stream, head);
  ScriptedReply reply = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})")});
  if (!head) reply.head_after = seconds(30);
  w.transport.push(hanging(reply));
  const UsageRecord r = w.ask(World::body("a/m", stream, R"(,"max_tokens":10)"), seconds(1));
  CHECK(r.status == CallStatus::kCancelled);
  CHECK(r.usage.input > 0);
  CHECK(r.usage.output == 0);
  CHECK(r.usage.estimated);
  CHECK(r.cost_nano_usd == cost(r.usage));
  CHECK(w.tokens_taken() == r.usage.input + 10);
  REQUIRE(r.attempts.size() == 1);
  CHECK(r.attempts[0].cost_nano_usd == r.cost_nano_usd);
}

TEST_CASE("money: an upstream that refuses or cannot be reached costs nothing") {
  Paid w;
  w.config.routing.attempts = 1;
  const int way = GENERATE(0, 1, 2, 3);
  CAPTURE(way);
  ScriptedReply bad;
  switch (way) {
    case 0: bad = ScriptedReply::json(R"({"error":{"message":"boom"}})", 500); break;
    case 1: bad.no_head = true; bad.end = {TransferError::Kind::kConnect, "refused"}; break;
    case 2: bad.no_head = true; bad.end = {TransferError::Kind::kConnectTimeout, "slow"}; break;
    case 3: bad = ScriptedReply::sse({R"({"error":{"message":"overloaded","code":503}})"}); break;
  }
  w.transport.push(bad);
  const UsageRecord r = w.ask(World::body("a/m", true, R"(,"max_tokens":10)"));
  CHECK(r.status == CallStatus::kError);
  CHECK(r.usage.input == 0);
  CHECK(r.cost_nano_usd == 0);
  CHECK(w.tokens_taken() == 0);
  CHECK(w.limits().spent_nano_usd == 0);
}

TEST_CASE("money: what failed attempts reported is paid, each of them") {
  Paid w;
  w.config.routing.attempts = 3;
  w.transport.fallback = [](const SeenRequest&) {
    return ScriptedReply::sse({R"({"choices":[],"usage":{"prompt_tokens":10000,"completion_tokens":900}})", R"({"error":{"message":"boom","code":500}})"});
  };
  const UsageRecord r = w.ask(World::body("a/m", true, R"(,"max_tokens":10)"));
  CHECK(r.status == CallStatus::kError);
  REQUIRE(r.attempts.size() == 3);
  for (const AttemptRecord& a : r.attempts) CHECK(a.cost_nano_usd == 10000 * 1000 + 900 * 2000);
  CHECK(r.cost_nano_usd == 3 * r.attempts[0].cost_nano_usd);
  CHECK(w.tokens_taken() > 2 * 10900);  // less what came back while it waited between attempts
  CHECK(w.limits().spent_nano_usd == r.cost_nano_usd);
}

TEST_CASE("money: an upstream that says nothing was sent its input, and the caller pays for no more than that") {
  Paid w;
  w.config.routing.attempts = 1;
  w.transport.push(hanging(ScriptedReply::sse({})));
  const UsageRecord r = w.ask(World::body("a/m", true, R"(,"max_tokens":4000)"));
  CHECK(r.status == CallStatus::kError);
  CHECK(r.usage.input > 0);
  CHECK(r.usage.estimated);
  CHECK(w.limits().spent_nano_usd == r.cost_nano_usd);
  CHECK(r.cost_nano_usd == r.usage.input * 1000);
}

TEST_CASE("money: a timeout that the caller set is as if it hung up") {
  Paid w;
  w.transport.push(hanging(ScriptedReply::sse({})));
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  options.timeout = seconds(1);
  w.call = w.router->relay(w.transport, {"openai", World::body("a/m", true, R"(,"max_tokens":4000)")}, options, w.heard);
  w.run();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kError);
  CHECK(r.usage.estimated);
  CHECK(r.usage.output == 0);
  CHECK(w.limits().spent_nano_usd == (r.usage.input + 4000 * 2) * 1000);
}

TEST_CASE("money: embeddings in several requests are paid once when a later one fails and is tried again") {
  Paid w;
  w.config.providers[0].dialect = "gemini";
  int asked = 0;
  w.transport.fallback = [&](const SeenRequest& r) {
    if (++asked == 2) return ScriptedReply::json(R"({"error":{"message":"boom"}})", 500);
    size_t inputs = 0;
    for (size_t at = 0; (at = r.body.find("\"content\"", at)) != std::string::npos; ++at) ++inputs;
    std::string body;
    for (size_t i = 0; i < inputs; ++i) body += std::string(i == 0 ? "" : ",") + R"({"values":[1,2]})";
    return ScriptedReply::json(R"({"embeddings":[)" + body + "]}");
  };
  std::string inputs;
  for (int i = 0; i < 150; ++i) inputs += std::string(i == 0 ? "" : ",") + R"("text of an input")";
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  RawRequest request{"openai", R"({"model":"a/e","input":[)" + inputs + "]}"};
  request.operation = Operation::kEmbed;
  w.call = w.router->relay(w.transport, std::move(request), options, w.heard);
  w.run();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kOk);
  CHECK(asked == 3);
  CHECK(r.usage.input > 0);
  CHECK(r.cost_nano_usd == r.usage.input * 1000);
}

TEST_CASE("money: the estimate of a relayed stream is by the bytes of what was said, wherever it stands") {
  Paid w;
  const std::string arguments = R"({"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":")" + kText + "\"}}]}";
  const std::string said = GENERATE_COPY(R"({"content":")" + kText + "\"}", R"({"reasoning_content":")" + kText + "\"}", arguments, R"({"refusal":")" + kText + "\"}");
  const bool last = GENERATE(false, true);  // in the chunk that finishes
  CAPTURE(said, last);
  w.transport.push(last ? ScriptedReply::sse({chunk(said, "\"stop\""), "[DONE]"}) : ScriptedReply::sse({chunk(said), chunk("{}", "\"stop\""), "[DONE]"}));
  const UsageRecord r = w.ask(World::body("a/m", true));
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.output == 100);
  CHECK(r.usage.estimated);
}

TEST_CASE("money: the estimate of a relayed whole answer is by the bytes of what it says, not by all of them") {
  Paid w;
  const auto [message, tokens] = GENERATE_COPY(table<std::string, int64_t>(
      {{R"("content":")" + kText + "\"", 100},
       {R"("content":null,"reasoning_content":")" + kText + "\"", 100},
       {R"("content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":")" + kText + R"("}}])", 101}}));
  CAPTURE(message);
  w.transport.push(ScriptedReply::json(R"({"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",)" + message +
                                       R"(},"finish_reason":"stop"}],"system_fingerprint":"fp_0123456789","service_tier":"default"})"));
  const UsageRecord r = w.ask(World::body("a/m"));
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.output == tokens);
  CHECK(r.usage.estimated);
}

TEST_CASE("money: the estimate of a translated answer counts calls and thoughts, told whole or as a stream") {
  Paid w;
  const bool stream = GENERATE(false, true);
  w.transport.push(ScriptedReply::json(R"({"choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":")" + kText +
                                       R"(","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\")" + kText +
                                       R"(\"}"}}]},"finish_reason":"tool_calls"}]})"));
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  w.call = w.router->relay(w.transport, {"anthropic", World::body("a/m", stream, R"(,"max_tokens":50)")}, options, w.heard);
  w.run();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.output == 203);  // 400 + 1 + 408 bytes
  CHECK(r.usage.estimated);
  CHECK(w.heard.bytes.find("\"output_tokens\":203") != std::string::npos);
}

TEST_CASE("money: who counts one side alone is taken at its word for that, and the other is estimated") {
  Paid w;
  struct Row {
    std::string usage;
    int64_t input, output;  // 0: estimated by what was sent, which is more than nothing
    bool estimated;
  };
  const Row row = GENERATE(Row{R"({"prompt_tokens":10})", 10, 100, true}, Row{R"({"completion_tokens":7})", 0, 7, true}, Row{R"({"prompt_tokens":10,"total_tokens":17})", 10, 7, false},
                           Row{R"({"prompt_tokens":10,"completion_tokens":7})", 10, 7, false});
  const bool stream = GENERATE(false, true);
  const bool translated = GENERATE(false, true);
  CAPTURE(row.usage, stream, translated);
  const std::string said = R"({"content":")" + kText + "\"}";
  if (stream) {
    w.transport.push(ScriptedReply::sse({chunk(said), chunk("{}", "\"stop\""), R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":)" + row.usage + "}", "[DONE]"}));
  } else {
    w.transport.push(ScriptedReply::json(R"({"choices":[{"index":0,"message":{"role":"assistant","content":")" + kText + R"("},"finish_reason":"stop"}],"usage":)" + row.usage + "}"));
  }
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  w.call = w.router->relay(w.transport, {translated ? "anthropic" : "openai", World::body("a/m", stream, R"(,"max_tokens":500)")}, options, w.heard);
  w.run();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kOk);
  CHECK((row.input != 0 ? r.usage.input == row.input : r.usage.input > 0));
  CHECK(r.usage.output == row.output);
  CHECK(r.usage.estimated == row.estimated);
  CHECK(r.cost_nano_usd == r.usage.input * 1000 + r.usage.output * 2000);
  // What is told is what is booked.
  if (translated) CHECK(w.heard.bytes.find("\"output_tokens\":" + std::to_string(row.output) + "}") != std::string::npos);
  if (translated) CHECK(w.heard.bytes.find("\"input_tokens\":" + std::to_string(r.usage.input) + ",") != std::string::npos);
}

TEST_CASE("money: usage that is told twice: the last counts, and what it lacks is what was told before") {
  Paid w;
  const bool translated = GENERATE(false, true);
  const auto usage = [](const std::string& counts) { return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":)" + counts + "}"; };
  const auto [last, input, output] = GENERATE_COPY(table<std::string, int64_t, int64_t>(
      {{R"({"prompt_tokens":11,"completion_tokens":8})", 11, 8}, {R"({"prompt_tokens":11,"completion_tokens":null})", 11, 7}, {R"({"completion_tokens":8})", 10, 8}, {"null", 10, 7}}));
  CAPTURE(last, translated);
  std::string finish = chunk("{}", "\"stop\"");
  finish.insert(finish.size() - 1, R"(,"usage":{"prompt_tokens":10,"completion_tokens":7})");
  w.transport.push(ScriptedReply::sse({chunk(R"({"content":"hello"})"), finish, usage(last), "[DONE]"}));
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  w.call = w.router->relay(w.transport, {translated ? "anthropic" : "openai", World::body("a/m", true, R"(,"max_tokens":500)")}, options, w.heard);
  w.run();
  const UsageRecord r = w.records().at(0);
  CHECK(r.status == CallStatus::kOk);
  CHECK(r.usage.input == input);
  CHECK(r.usage.output == output);
  CHECK(!r.usage.estimated);
  if (translated) CHECK(w.heard.bytes.find("\"output_tokens\":" + std::to_string(output) + "}") != std::string::npos);
}

// Calls that are all in flight before the first is answered; how many were.
size_t at_once(Paid& w, size_t calls, const std::string& body) {
  std::vector<std::unique_ptr<Heard>> heard;
  std::vector<Call> open;
  CallOptions options;
  options.key = Secret(std::string(kKey));
  for (size_t i = 0; i < calls; ++i) {
    heard.push_back(std::make_unique<Heard>());
    open.push_back(w.router->relay(w.transport, {"openai", body}, options, *heard.back()));
  }
  for (int i = 0; i < 100; ++i) w.reactor->drive();
  return static_cast<size_t>(std::count_if(heard.begin(), heard.end(), [](const auto& h) { return h->head.status == 200; }));
}

TEST_CASE("money: a budget is not passed by calls at once whose input is counted far above the estimate") {
  Paid w;
  // A token for a byte, or more than there are bytes: what a provider puts before each prompt.
  const int64_t counted = GENERATE(900, 3000, 9000);
  const bool bounded = GENERATE(false, true);
  CAPTURE(counted, bounded);
  w.config.keys[0].spec.limits.budget->nano_usd = 20 * counted * 1000;
  const std::string usage = R"("usage":{"prompt_tokens":)" + std::to_string(counted) + R"(,"completion_tokens":0,"total_tokens":)" + std::to_string(counted) + "}";
  std::string whole = kWhole;
  whole.replace(whole.find(R"("usage")"), std::string::npos, usage + "}");
  w.transport.fallback = [whole](const SeenRequest&) { return ScriptedReply::json(whole); };
  w.build();
  const std::string body = R"({"model":"a/m",)" + std::string(bounded ? R"("max_tokens":1,)" : "") + R"("messages":[{"role":"user","content":")" +
                           std::string(900, 'x') + R"("}]})";
  const int64_t budget = 20 * counted * 1000;
  // Nobody knows before the first answer what is not in the bytes.
  if (counted > 4096 + 900) CHECK(at_once(w, 1, body) == 1);
  size_t answered = counted > 4096 + 900 ? 1 : 0;
  for (int round = 0; round < 40; ++round) {
    answered += at_once(w, 19, body);
    CHECK(w.limits().spent_nano_usd <= budget);
    CHECK(w.limits().reserved_nano_usd == 0);
  }
  CHECK(answered >= 19);  // and it is not out of reach
}

TEST_CASE("money: what is reserved to be sure is not what an answer without counts costs") {
  Paid w;
  std::string whole = kWhole;
  whole.replace(whole.find(R"(,"usage")"), std::string::npos, "}");
  w.transport.fallback = [whole](const SeenRequest&) { return ScriptedReply::json(whole); };
  const UsageRecord r = w.ask(R"({"model":"a/m","max_tokens":10,"messages":[{"role":"user","content":")" + std::string(4000, 'x') + R"("}]})");
  CHECK(r.usage.estimated);
  CHECK(w.limits().spent_nano_usd == (r.usage.input * 1000) + 10 * 2000);
}

TEST_CASE("money: what calls in flight reserve to be sure does not last: whoever is refused for it hears to come back") {
  Paid w;
  w.config.keys[0].spec.limits.budget->nano_usd = 2'000'000;
  w.transport.fallback = [](const SeenRequest&) { return hanging(ScriptedReply::json("")); };
  w.build();
  CallOptions options;
  options.key = Secret(std::string(kKey));
  Heard first, second;
  const std::string body = World::body("a/m", false, R"(,"max_tokens":5)");
  Call one = w.router->relay(w.transport, {"openai", body}, options, first);
  Call two = w.router->relay(w.transport, {"openai", body}, options, second);
  for (int i = 0; i < 10; ++i) w.reactor->drive();
  CHECK(first.heads == 0);
  CHECK(second.head.status == 402);
  CHECK(second.header("retry-after") == "1");
  CHECK(second.bytes.find("calls in flight") != std::string::npos);
}

TEST_CASE("a user's limits hold for all keys of the user together, and for nobody else") {
  const std::string what = GENERATE(as<std::string>(), "requests", "tokens", "concurrent", "budget");
  CAPTURE(what);
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.parts.catalog = std::make_shared<OnePrice>();
  for (const char* name : {"one", "two", "other"}) {
    FileKey key;
    key.key = Secret(std::string("sk-0123456789-") + name);
    key.spec.name = name;
    key.spec.user = name == std::string("other") ? "bob" : "ann";
    w.config.keys.push_back(key);
  }
  UserConfig ann;
  ann.name = "ann";
  if (what == "requests") ann.limits.requests = Rate{2, std::chrono::minutes(1)};
  if (what == "tokens") ann.limits.tokens = Rate{30, std::chrono::minutes(1)};
  if (what == "concurrent") ann.limits.concurrent = 2;
  if (what == "budget") ann.limits.budget = Budget{1, BudgetPeriod::kDay, 0, {}};
  w.config.users = {ann};
  w.transport.fallback = [&](const SeenRequest&) {
    ScriptedReply reply = ScriptedReply::json(kWhole);
    if (what == "concurrent") reply.head_after = std::chrono::seconds(100);
    return reply;
  };
  w.build();
  std::vector<std::unique_ptr<Heard>> heard;
  std::vector<Call> calls;
  const auto ask = [&](const char* name) -> Heard& {
    CallOptions options;
    options.key = Secret(std::string("sk-0123456789-") + name);
    heard.push_back(std::make_unique<Heard>());
    calls.push_back(w.router->relay(w.transport, {"openai", World::body("m", false, R"(,"max_tokens":20)")}, std::move(options), *heard.back()));
    for (int i = 0; i < 20; ++i) w.reactor->drive();
    return *heard.back();
  };
  const int fit = what == "budget" ? 0 : what == "tokens" ? 1 : 2;
  for (int i = 0; i < fit; ++i) CHECK(ask(i == 0 ? "one" : "two").bytes.empty() == (what == "concurrent"));
  Heard& third = ask("two");
  CHECK(third.head.status == (what == "budget" ? 402 : 429));
  CHECK(third.bytes.find("user ann") != std::string::npos);
  Heard& other = ask("other");
  if (what == "concurrent") CHECK(other.bytes.empty());
  else CHECK(other.head.status == 200);
  calls.clear();
}
