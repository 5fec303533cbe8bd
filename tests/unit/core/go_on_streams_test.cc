// routing.continue_on: cut. What clients of each dialect see of an answer that broke off and went on: one stream in their own grammar.
#include "unit/core/go_on_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

std::string anthropic_frame(const std::string& type, const std::string& rest) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
}

std::vector<std::string> anthropic_frames(const std::string& text, const std::string& id = "msg_1", const std::string& before = {}) {
  const std::string index = before.empty() ? "0" : "1";
  std::vector<std::string> frames = {
      anthropic_frame("message_start", R"(,"message":{"id":")" + id + R"(","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],)"
                                       R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":1}})")};
  if (!before.empty()) {
    frames.push_back(anthropic_frame("content_block_start", R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})"));
    frames.push_back(anthropic_frame("content_block_delta", R"(,"index":0,"delta":{"type":"thinking_delta","thinking":)" + quoted(before) + "}"));
    frames.push_back(anthropic_frame("content_block_delta", R"(,"index":0,"delta":{"type":"signature_delta","signature":"c2ln"})"));
    frames.push_back(anthropic_frame("content_block_stop", R"(,"index":0)"));
  }
  frames.push_back(anthropic_frame("content_block_start", ",\"index\":" + index + R"(,"content_block":{"type":"text","text":""})"));
  for (const std::string& piece : in_pieces(text)) {
    frames.push_back(anthropic_frame("content_block_delta", ",\"index\":" + index + R"(,"delta":{"type":"text_delta","text":)" + quoted(piece) + "}"));
  }
  frames.push_back(anthropic_frame("content_block_stop", ",\"index\":" + index));
  frames.push_back(anthropic_frame("message_delta", R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":6})"));
  frames.push_back(anthropic_frame("message_stop", ""));
  return frames;
}

ScriptedReply frames_reply(std::vector<std::string> frames) {
  ScriptedReply reply;
  reply.headers = {{"content-type", "text/event-stream"}};
  reply.chunks = std::move(frames);
  return reply;
}

std::string text_of_messages(const std::string& bytes, const std::string& id, int64_t blocks) {
  std::string text;
  int64_t open = -1, last = -1;
  int starts = 0, deltas = 0, stops = 0;
  for (const std::string& data : datas(bytes)) {
    const JsonValue root(data);
    const std::string type = find_member(root, "type").string_or();
    const int64_t index = find_member(root, "index").integer().value_or(-1);
    INFO(data);
    CHECK(stops == 0);
    if (type == "message_start") {
      ++starts;
      CHECK(find(root, "message", "id").string_or() == id);
    } else if (type == "content_block_start") {
      CHECK(open == -1);
      CHECK(index == last + 1);
      open = last = index;
    } else if (type == "content_block_delta") {
      CHECK(open == index);
      text += find(root, "delta", "text").string_or();
    } else if (type == "content_block_stop") {
      CHECK(open == index);
      open = -1;
    } else if (type == "message_delta") {
      ++deltas;
    } else {
      CHECK(type == "message_stop");
      ++stops;
    }
  }
  CHECK(open == -1);
  CHECK(last + 1 == blocks);
  CHECK(starts == 1);
  CHECK(deltas == 1);
  CHECK(stops == 1);
  return text;
}

}  // namespace

TEST_CASE("cut at every byte, the answer is whole, and is told once") {
  const std::string other = GENERATE("openai", "anthropic");
  std::string stream;
  for (const std::string& data : openai_datas(kText)) stream += "data: " + data + "\n\n";
  const size_t finished = stream.find("\"stop\"");
  for (size_t at = 0; at <= stream.size(); ++at) {
    Cut w;
    if (other == "anthropic") {
      w.config.providers[1] = provider("b");
      w.config.providers[1].dialect = other;
      w.config.models[0].targets[1].model = "claude-sonnet-4-5";
      w.transport.fallback = [](const SeenRequest& r) { return frames_reply(anthropic_frames(rest_of(r))); };
    }
    w.transport.push(frames_reply({stream.substr(0, at)}));
    w.relay(World::body("m", true));
    w.run();
    INFO(other << " cut at " << at << "\n" << w.heard.bytes);
    std::string text;
    for (const std::string& data : datas(w.heard.bytes)) text += find(JsonValue(data), "choices", 0, "delta", "content").string_or();
    REQUIRE(text == kText);
    REQUIRE(w.heard.result.complete);
    REQUIRE(w.heard.result.record.status == CallStatus::kOk);
    REQUIRE(count(w.heard.bytes, "\"finish_reason\":\"stop\"") == 1);
    REQUIRE(count(w.heard.bytes, "\"role\":") == 1);
    if (at > finished + 30) REQUIRE(w.transport.seen().size() == 1);
  }
}

TEST_CASE("cut: a client of Anthropic's dialect whose frames passed sees one message go on") {
  const std::string thought = GENERATE("", "Let me think.");
  const std::vector<std::string> whole = anthropic_frames(kText, "msg_1", thought);
  const size_t first = thought.empty() ? 3 : 7;  // with the first text
  for (size_t at = first; at < whole.size() - 3; ++at) {
    Cut w;
    w.config.providers[0].dialect = "anthropic";
    w.config.models[0].targets[0].model = "claude-sonnet-4-5";
    ScriptedReply bad = frames_reply({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at)});
    bad.end = {TransferError::Kind::kTruncated, "reset"};
    w.transport.push(bad);
    w.ask("anthropic", R"({"model":"m","max_tokens":200,"messages":[{"role":"user","content":"hi"}],"stream":true})");
    w.run();
    INFO("after " << at << " frames\n" << w.heard.bytes);
    CHECK(text_of_messages(w.heard.bytes, "msg_1", thought.empty() ? 1 : 2) == kText);
    CHECK(count(w.heard.bytes, ": llmrouter: continued") == 1);
    CHECK(w.heard.result.complete);
    // Both inputs, and both outputs.
    const std::string last = datas(w.heard.bytes)[datas(w.heard.bytes).size() - 2];
    CHECK(find(JsonValue(last), "usage", "input_tokens").integer().value_or(0) == 30);
    CHECK(w.heard.result.record.usage.input == 30);
    CHECK(find(JsonValue(last), "usage", "output_tokens").integer().value_or(0) == w.heard.result.record.usage.output);
  }
}

TEST_CASE("cut: nobody goes on from an answer with a tool that the provider ran") {
  Cut w;
  w.config.providers[0].dialect = "anthropic";
  std::vector<std::string> frames = anthropic_frames(kText);
  frames.resize(4);
  const std::string search = anthropic_frame("content_block_start", R"(,"index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}})") +
                             anthropic_frame("content_block_stop", R"(,"index":0)");
  for (size_t i = 1; i < frames.size(); ++i) {
    const size_t at = frames[i].find("\"index\":0");
    if (at != std::string::npos) frames[i].replace(at, 9, "\"index\":1");
  }
  frames.insert(frames.begin() + 1, search);
  ScriptedReply bad = frames_reply(frames);
  bad.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(bad);
  w.ask("anthropic", R"({"model":"m","max_tokens":200,"messages":[{"role":"user","content":"hi"}],"stream":true})");
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK_FALSE(w.heard.result.complete);
  CHECK(count(w.heard.bytes, "event: error") == 1);
  CHECK(count(w.heard.bytes, "message_stop") == 0);
}

TEST_CASE("cut: a Responses client whose frames passed sees one response go on") {
  Cut w;
  w.config.providers[0].dialect = "responses";
  int n = 0;
  auto frame = [&](const std::string& type, const std::string& rest) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\",\"sequence_number\":" + std::to_string(n++) + rest + "}\n\n";
  };
  const std::string response = R"(,"response":{"id":"resp_7","object":"response","created_at":5,"status":"in_progress","model":"m-2026","output":[]})";
  const std::string at = R"(,"item_id":"msg_7","output_index":0,"content_index":0)";
  std::vector<std::string> frames = {
      frame("response.created", response), frame("response.in_progress", response),
      frame("response.output_item.added", R"(,"output_index":0,"item":{"id":"msg_7","type":"message","status":"in_progress","role":"assistant","content":[]})"),
      frame("response.content_part.added", at + R"(,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""})")};
  for (const std::string& piece : in_pieces(kText.substr(0, 21))) frames.push_back(frame("response.output_text.delta", at + R"(,"logprobs":[],"delta":)" + quoted(piece)));
  ScriptedReply bad = frames_reply(frames);
  bad.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(bad);
  w.ask("responses", R"({"model":"m","input":"hi","stream":true})");
  w.run();
  CAPTURE(w.heard.bytes);
  std::string text, last;
  int64_t sequence = 0;
  for (const std::string& data : datas(w.heard.bytes)) {
    const JsonValue root(data);
    const std::string type = find_member(root, "type").string_or();
    CHECK(find_member(root, "sequence_number").integer().value_or(-1) == sequence++);
    if (type == "response.output_text.delta") text += find_member(root, "delta").string_or();
    if (find_member(root, "item_id").exists()) CHECK(find_member(root, "item_id").string_or() == "msg_7");
    last = data;
  }
  CHECK(text == kText);
  CHECK(count(w.heard.bytes, "\"type\":\"response.created\"") == 1);
  CHECK(count(w.heard.bytes, "\"type\":\"response.output_item.added\"") == 1);
  CHECK(count(w.heard.bytes, "\"type\":\"response.output_item.done\"") == 1);
  const JsonValue answer = find_member(JsonValue(last), "response");
  CHECK(find_member(JsonValue(last), "type").string_or() == "response.completed");
  CHECK(find_member(answer, "id").string_or() == "resp_7");
  CHECK(find(answer, "output", 0, "id").string_or() == "msg_7");
  CHECK(find(answer, "output", 0, "content", 0, "text").string_or() == kText);
}

TEST_CASE("cut: other clients see one stream go on, too") {
  const std::string dialect = GENERATE("gemini", "ollama", "cohere");
  Cut w;
  w.transport.push(w.broken(4));
  w.build();
  RawRequest raw{dialect, R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true})"};
  if (dialect == "gemini") {
    raw.body = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
    raw.path.operation = "streamGenerateContent";
    raw.path.model = "m";
    raw.path.query = "alt=sse";
  }
  w.heard = Heard();
  w.call = w.router->relay(w.transport, std::move(raw), {}, w.heard);
  w.run();
  CAPTURE(dialect, w.heard.bytes);
  std::string text;
  const std::string mark = dialect == "ollama" ? "\"content\":\"" : "\"text\":\"";
  for (size_t at = w.heard.bytes.find(mark); at != std::string::npos; at = w.heard.bytes.find(mark, at + 1)) {
    text += w.heard.bytes.substr(at + mark.size(), w.heard.bytes.find('"', at + mark.size()) - at - mark.size());
  }
  CHECK(text == kText);
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(count(w.heard.bytes, ": llmrouter: continued") == (dialect == "cohere" ? 1u : 0u));
}

TEST_CASE("cut: the events of an application's stream go on with one start and the sum of what was used") {
  Cut w;
  w.build();
  w.transport.push(w.broken(3));
  w.call = w.router->start(w.transport, ChatRequest::of("m", "hi"), true, {}, w.events);
  w.run();
  CHECK(w.events.text == kText);
  CHECK(std::count(w.events.kinds.begin(), w.events.kinds.end(), StreamEvent::Kind::kStart) == 1);
  CHECK(std::count(w.events.kinds.begin(), w.events.kinds.end(), StreamEvent::Kind::kFinish) == 1);
  CHECK(w.events.result.record.status == CallStatus::kOk);
  CHECK(w.events.result.complete);
}
