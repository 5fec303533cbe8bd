// Usage in streams: what the router asked for is not shown to a client who did not; counts that come before the end.
#include "catch.h"
#include "support.h"

using namespace dialect_test;

namespace {

// A stream relayed to a client of this body, cut after each `step` bytes.
Recorder relayed(const std::string& body, const std::string& stream, std::vector<std::string> quirks = {}, size_t step = 7, const char* name = "openai") {
  auto client = dialect(name)->new_client_codec();
  auto facts = client->scan(body);
  REQUIRE(facts.ok());
  const ProviderConfig config = provider(std::move(quirks));
  EncodeInput input;
  input.body = body;
  input.facts = &*facts;
  input.provider = &config;
  input.upstream_model = "m";
  input.stream = true;
  auto codec = dialect(name)->new_upstream_codec();
  EncodedRequest encoded;
  REQUIRE(codec->encode(input, encoded).ok());
  Recorder seen;
  for (size_t at = 0; at < stream.size(); at += step) codec->feed(std::string_view(stream).substr(at, step), seen);
  codec->finish(seen);
  for (const Error& e : seen.errors) FAIL(e.message);
  return seen;
}

std::string chat(const std::string& more) { return R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true)" + more + "}"; }

const std::string kAsked = chat(R"(,"stream_options":{"include_usage":true})");
const std::string kCount = R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})";

std::string chunk(const std::string& inside) { return "data: {" + inside + "}\n\n"; }

}  // namespace

TEST_CASE("usage that the client did not ask for is cut out of the chunks, and counted") {
  const std::string head = R"("id":"c","choices":[{"index":0,"delta":)", open = R"(,"finish_reason":null}])", done = R"(,"finish_reason":"stop"}])";
  struct {
    std::string upstream, client;
  } const cases[] = {
      // As OpenAI has it: null on every chunk.
      {chunk(head + R"({"role":"assistant","content":""})" + open + R"(,"usage":null)"), chunk(head + R"({"role":"assistant","content":""})" + open)},
      {chunk(head + R"({"content":"a \"usage\": null"})" + open + R"( , "usage" : null )"), chunk(head + R"({"content":"a \"usage\": null"})" + open + "  ")},
      {chunk(R"("usage":null,)" + head + R"({"content":"b"})" + open), chunk(head + R"({"content":"b"})" + open)},
      {chunk(head + R"({"content":"c"})" + open + R"(,"usage":null,"obfuscation":"x")"), chunk(head + R"({"content":"c"})" + open + R"(,"obfuscation":"x")")},
      // Counts on each chunk, and beside the finish.
      {chunk(head + R"({"content":"d"})" + open + ",\"usage\":" + kCount), chunk(head + R"({"content":"d"})" + open)},
      {chunk(R"("choices":[],"prompt_filter_results":[],"usage":null)"), chunk(R"("choices":[],"prompt_filter_results":[])")},
      // Inside of a choice it is the vendor's own.
      {chunk(R"("choices":[{"index":0,"delta":{"content":"e","usage":null},"usage":null}])"), chunk(R"("choices":[{"index":0,"delta":{"content":"e","usage":null},"usage":null}])")},
      {chunk(head + "{}" + done + ",\"usage\":" + kCount + R"(,"x":1)"), chunk(head + "{}" + done + R"(,"x":1)")},
  };
  std::string all, shown;
  for (const auto& c : cases) all += c.upstream, shown += c.client;
  all += "data: [DONE]\n\n", shown += "data: [DONE]\n\n";
  for (const size_t step : {size_t{1}, size_t{7}, all.size()}) {
    for (const std::string& body : {chat(""), chat(R"(,"stream_options":{"include_usage":false})")}) {
      const Recorder seen = relayed(body, all, {}, step);
      CHECK(seen.bytes() == shown);
      REQUIRE(seen.last_usage());
      CHECK(seen.last_usage()->output == 2);
      CHECK_FALSE(seen.last_usage()->estimated);
    }
    CHECK(relayed(kAsked, all, {}, step).bytes() == all);               // who asked gets the bytes
    CHECK(relayed(chat(""), all, {"no_stream_options"}, step).bytes() == all);  // and who is told by a vendor that nobody asked
  }
}

TEST_CASE("usage that the client did not ask for: text completions, several choices, a last chunk without its end") {
  const std::string text = R"(data: {"choices":[{"index":0,"text":"a","finish_reason":null}],"usage":null})" "\n\n" R"(data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}],"usage":null})" "\n\n";
  CHECK(relayed(R"({"model":"m","prompt":"q","stream":true})", text, {}, 5, "completions").bytes().find("usage") == std::string::npos);
  const std::string two = R"(data: {"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":"stop"},{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}],"usage":null})";
  CHECK(relayed(chat(R"(,"n":2)"), two).bytes() == two.substr(0, two.size() - 14) + "}\n\n");
}

TEST_CASE("counts beside the last words are exact where the end brings none, and an estimate where more was said") {
  const auto part = [](const std::string& delta, const std::string& finish, const std::string& usage) {
    return chunk(R"("id":"c","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + "}]" + (usage.empty() ? "" : ",\"usage\":" + usage));
  };
  const std::string a = R"({"content":"a"})", nulls = R"({"prompt_tokens":null,"completion_tokens":null})", done = "data: [DONE]\n\n";
  struct {
    std::string stream;
    bool exact;
  } const cases[] = {
      {part(a, "null", "null") + part(a, "null", kCount) + part("{}", "\"stop\"", "") + done, true},
      {part(a, "null", kCount) + part("{}", "\"stop\"", "null") + done, true},
      {part(a, "null", kCount) + part("{}", "\"stop\"", nulls) + done, true},
      {part(a, "null", kCount) + part(R"({"content":""})", "null", "null") + part("{}", "\"stop\"", "null"), true},
      {part(a, "null", kCount) + done, true},  // Snowflake says no more
      {chunk(R"("choices":[],"usage":)" + kCount) + part(a, "null", "") + part("{}", "\"stop\"", "") + done, true},  // a chunk of its own counts all, wherever it stands
      {part(a, "null", kCount) + part(a, "null", "null") + part("{}", "\"stop\"", "null") + done, false},
      {part(a, "null", kCount) + part(a, "\"stop\"", "null") + done, false},
  };
  for (const auto& c : cases) {
    INFO(c.stream);
    for (const bool relay : {true, false}) {
      const Recorder seen = feed("openai", relay, {c.stream});
      REQUIRE(seen.errors.empty());
      const auto usage = seen.last_usage();
      REQUIRE(usage);
      CHECK(usage->output == 2);
      CHECK(usage->estimated != c.exact);
    }
  }
}

TEST_CASE("counts beside Google's last words are exact where its end has only a kind of traffic") {
  const std::string words = R"(data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}})" "\n\n";
  const std::string end = R"("finishReason":"STOP"}],"usageMetadata":{"trafficType":"ON_DEMAND"}})" "\n\n";
  for (const bool relay : {true, false}) {
    CAPTURE(relay);
    const auto usage = feed("gemini", relay, {words + R"(data: {"candidates":[{)" + end}).last_usage();
    REQUIRE(usage);
    CHECK(usage->output == 2);
    CHECK_FALSE(usage->estimated);
    const auto more = feed("gemini", relay, {words + R"(data: {"candidates":[{"content":{"parts":[{"text":"b"}]},)" + end}).last_usage();
    REQUIRE(more);
    CHECK(more->estimated);
  }
}
