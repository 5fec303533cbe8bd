// An answer that breaks off at one target, and others that go on with it.
#ifndef LLMROUTER_TESTS_UNIT_CORE_GO_ON_FIXTURE_H_
#define LLMROUTER_TESTS_UNIT_CORE_GO_ON_FIXTURE_H_

#include <algorithm>
#include <string>
#include <vector>

#include "unit/core/call_fixture.h"
#include "wire/json_scan.h"

namespace llmrouter::test {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

inline const std::string kText = "Once there was a brave   little router. It went on.";

inline bool asked(const SeenRequest& r, const char* provider) { return r.url.find(std::string("//") + provider + ".") != std::string::npos; }

inline size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

inline std::string quoted(const std::string& text) { return "\"" + text + "\""; }

inline std::vector<std::string> in_pieces(const std::string& text, size_t size = 7) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

inline std::string openai_usage(int64_t in, int64_t out) {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2026","choices":[],"usage":{"prompt_tokens":)" + std::to_string(in) +
         R"(,"completion_tokens":)" + std::to_string(out) + R"(,"total_tokens":)" + std::to_string(in + out) + "}}";
}

inline std::vector<std::string> openai_datas(const std::string& text, int64_t in = 10, int64_t out = 5, const std::string& finish = "\"stop\"") {
  std::vector<std::string> datas = {chunk(R"({"role":"assistant","content":""})")};
  for (const std::string& piece : in_pieces(text)) datas.push_back(chunk(R"({"content":)" + quoted(piece) + "}"));
  datas.push_back(chunk("{}", finish));
  datas.push_back(openai_usage(in, out));
  datas.push_back("[DONE]");
  return datas;
}

// What a request hands over of the answer: its last message, when that is the assistant's.
inline std::string beginning(const SeenRequest& r) {
  std::string role, text;
  for (JsonValue message : JsonElements(find_member(JsonValue(r.body), "messages"))) {
    role = find_member(message, "role").string_or();
    const JsonValue content = find_member(message, "content");
    text = content.is_array() ? find(content, 0, "text").string_or() : content.string_or();
  }
  return role == "assistant" ? text : "";
}

// A model that always says kText, and goes on behind what it is given of it.
inline std::string rest_of(const SeenRequest& r) {
  const std::string begun = beginning(r);
  INFO(begun);
  CHECK(kText.substr(0, begun.size()) == begun);
  CHECK((begun.empty() || begun.back() != ' '));
  return kText.substr(begun.size());
}

// The data of each event.
inline std::vector<std::string> datas(const std::string& bytes) {
  std::vector<std::string> out;
  for (size_t at = bytes.find("data: "); at != std::string::npos; at = bytes.find("data: ", at + 1)) {
    if (at != 0 && bytes[at - 1] != '\n') continue;
    out.push_back(bytes.substr(at + 6, bytes.find('\n', at) - at - 6));
  }
  return out;
}

// The text of a chat stream, which has to be one stream.
inline std::string text_of_chunks(const std::string& bytes) {
  std::string text, ids;
  int roles = 0, finishes = 0, dones = 0;
  for (const std::string& data : datas(bytes)) {
    CHECK(dones == 0);
    if (data == "[DONE]") {
      ++dones;
      continue;
    }
    const JsonValue root(data);
    REQUIRE(wire::validate(data));
    CHECK_FALSE(find_member(root, "error").exists());
    CHECK(find_member(root, "id").string_or() == "c1");
    CHECK(find_member(root, "model").string_or() == "m-2026");
    const JsonValue choice = find(root, "choices", 0);
    if (find(choice, "delta", "role").is_string()) ++roles;
    const std::string piece = find(choice, "delta", "content").string_or();
    if (!piece.empty()) CHECK(finishes == 0);
    text += piece;
    if (find_member(choice, "finish_reason").is_string()) ++finishes;
  }
  CHECK(roles == 1);
  CHECK(finishes == 1);
  CHECK(dones == 1);
  return text;
}

inline ProviderConfig able(std::string name, std::vector<std::string> quirks = {"prefill_continue"}) {
  ProviderConfig p = provider(std::move(name));
  p.quirks = std::move(quirks);
  return p;
}

// a breaks off; b, whose server goes on, and c come after it.
struct Cut : World {
  Cut() {
    config.routing.continue_on_cut = true;
    config.routing.backoff.first = config.routing.backoff.max = std::chrono::milliseconds(10);
    config.providers = {provider("a"), able("b"), able("c")};
    config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}, {"c", "z", 1, 3}})};
    transport.fallback = [](const SeenRequest& r) { return ScriptedReply::sse(openai_datas(rest_of(r))); };
  }
  // The stream of a, up to this many pieces of its text.
  ScriptedReply broken(size_t pieces, const std::string& text = kText) {
    std::vector<std::string> all = openai_datas(text);
    all.resize(std::min(all.size() - 3, pieces + 1));
    ScriptedReply reply = ScriptedReply::sse(all);
    reply.end = {TransferError::Kind::kTruncated, "reset"};
    return reply;
  }
  void ask(const std::string& dialect, std::string body, CallOptions options = {}) {
    if (!router) build();
    heard = Heard();
    call = router->relay(transport, {dialect, std::move(body)}, std::move(options), heard);
  }
  std::string outcomes() {
    std::string words;
    for (const AttemptRecord& a : heard.result.record.attempts) words += (words.empty() ? "" : " ") + a.provider + ":" + a.outcome;
    return words;
  }
  // As the metrics have them.
  std::string continuations() {
    const std::string metrics = router->metrics();
    std::string words;
    for (const char* outcome : {"continued", "length", "failed"}) {
      const std::string line = std::string("\nllmrouter_continuations_total{outcome=\"") + outcome + "\"} ";
      const size_t at = metrics.find(line);
      if (at == std::string::npos) return "no metric of " + std::string(outcome);
      words += (words.empty() ? "" : ", ") + metrics.substr(at + line.size(), metrics.find('\n', at + 1) - at - line.size()) + ' ' + outcome;
    }
    return words;
  }
  void check_cut() {
    CHECK(heard.ends == 1);
    CHECK_FALSE(heard.result.complete);
    CHECK(heard.result.record.status == CallStatus::kCut);
    CHECK(count(heard.bytes, "\"error\":{") == 1);
    CHECK(heard.bytes.find("[DONE]") == std::string::npos);
    CHECK(transport.live() == 0);
  }
};

}  // namespace llmrouter::test

#endif  // LLMROUTER_TESTS_UNIT_CORE_GO_ON_FIXTURE_H_
