// routing.continue_on: cut. An answer that broke off goes on from another target, and its caller sees one stream.
#include <algorithm>

#include "unit/core/call_fixture.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::seconds;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

const std::string kText = "Once there was a brave   little router. It went on.";

bool asked(const SeenRequest& r, const char* provider) { return r.url.find(std::string("//") + provider + ".") != std::string::npos; }

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::vector<std::string> in_pieces(const std::string& text, size_t size = 7) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

std::string openai_usage(int64_t in, int64_t out) {
  return R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2026","choices":[],"usage":{"prompt_tokens":)" + std::to_string(in) +
         R"(,"completion_tokens":)" + std::to_string(out) + R"(,"total_tokens":)" + std::to_string(in + out) + "}}";
}

std::vector<std::string> openai_datas(const std::string& text, int64_t in = 10, int64_t out = 5, const std::string& finish = "\"stop\"") {
  std::vector<std::string> datas = {chunk(R"({"role":"assistant","content":""})")};
  for (const std::string& piece : in_pieces(text)) datas.push_back(chunk(R"({"content":)" + quoted(piece) + "}"));
  datas.push_back(chunk("{}", finish));
  datas.push_back(openai_usage(in, out));
  datas.push_back("[DONE]");
  return datas;
}

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

// What a request hands over of the answer: its last message, when that is the assistant's.
std::string beginning(const SeenRequest& r) {
  std::string role, text;
  for (JsonValue message : JsonElements(find_member(JsonValue(r.body), "messages"))) {
    role = find_member(message, "role").string_or();
    const JsonValue content = find_member(message, "content");
    text = content.is_array() ? find(content, 0, "text").string_or() : content.string_or();
  }
  return role == "assistant" ? text : "";
}

// A model that always says kText, and goes on behind what it is given of it.
std::string rest_of(const SeenRequest& r) {
  const std::string begun = beginning(r);
  INFO(begun);
  CHECK(kText.substr(0, begun.size()) == begun);
  CHECK((begun.empty() || begun.back() != ' '));
  return kText.substr(begun.size());
}

// The data of each event.
std::vector<std::string> datas(const std::string& bytes) {
  std::vector<std::string> out;
  for (size_t at = bytes.find("data: "); at != std::string::npos; at = bytes.find("data: ", at + 1)) {
    if (at != 0 && bytes[at - 1] != '\n') continue;
    out.push_back(bytes.substr(at + 6, bytes.find('\n', at) - at - 6));
  }
  return out;
}

// The text of a chat stream, which has to be one stream.
std::string text_of_chunks(const std::string& bytes) {
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

ProviderConfig able(std::string name, std::vector<std::string> quirks = {"prefill_continue"}) {
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
  void check_cut() {
    CHECK(heard.ends == 1);
    CHECK_FALSE(heard.result.complete);
    CHECK(heard.result.record.status == CallStatus::kCut);
    CHECK(count(heard.bytes, "\"error\":{") == 1);
    CHECK(heard.bytes.find("[DONE]") == std::string::npos);
    CHECK(transport.live() == 0);
  }
};

}  // namespace

TEST_CASE("cut: an answer that breaks off goes on from the next target that can, however it broke") {
  Cut w;
  const size_t pieces = GENERATE(1, 2, 4, 5, 8);
  ScriptedReply bad = w.broken(pieces);
  const int way = GENERATE(0, 1, 2, 3);
  std::string outcome = "cut";
  if (way == 1) bad.end = {}, outcome = "error";  // ends as if all were said
  if (way == 2) bad.end = {}, bad.hang = true, outcome = "timeout";
  if (way == 3) bad.end = {}, bad.chunks.push_back("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"), outcome = "error";
  w.transport.push(bad);
  w.relay(World::body("m", true, R"(,"stream_options":{"include_usage":true},"max_tokens":100)"));
  w.run();
  CAPTURE(pieces, way, w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=a/x to=b/y\n\n") == 1);
  REQUIRE(w.transport.seen().size() == 2);
  const std::string& body = w.transport.seen()[1].body;
  CHECK(asked(w.transport.seen()[1], "b"));
  CHECK(find_member(JsonValue(body), "continue_final_message").raw() == "true");
  CHECK(find_member(JsonValue(body), "add_generation_prompt").raw() == "false");
  CHECK_FALSE(beginning(w.transport.seen()[1]).empty());
  const UsageRecord& record = w.heard.result.record;
  CHECK(w.heard.result.complete);
  CHECK(record.status == CallStatus::kOk);
  CHECK(w.outcomes() == "a:" + outcome + " b:ok");
  CHECK(record.provider == "b");
  CHECK(record.decision.find("continued from a/x") != std::string::npos);
  // What a has cost nobody said; b said 10 and 5.
  CHECK(record.usage.estimated);
  CHECK(record.usage.input > 10);
  CHECK(record.usage.output > 5);
  CHECK(find_member(JsonValue(body), "max_tokens").integer().value_or(0) == 100 - (record.usage.output - 5));
  const std::string last = datas(w.heard.bytes)[datas(w.heard.bytes).size() - 2];
  CHECK(find(JsonValue(last), "usage", "prompt_tokens").integer().value_or(0) == record.usage.input);
  CHECK(find(JsonValue(last), "usage", "completion_tokens").integer().value_or(0) == record.usage.output);
  CHECK(w.heard.heads == 1);
  CHECK(w.heard.ends == 1);
  CHECK(w.transport.live() == 0);
}

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

TEST_CASE("cut: a block that another vendor's server opened keeps its number") {
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
  CHECK(text_of_messages(w.heard.bytes, "msg_1", 2) == kText);
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

TEST_CASE("cut: blanks at the place of the break are neither lost nor told twice") {
  const auto [told, next, all] = GENERATE(table<std::string, std::string, std::string>({{"one ", " two", "one two"},
                                                                                        {"one ", "two", "one two"},
                                                                                        {"one", " two", "one two"},
                                                                                        {"one\\n\\n", "\\n\\ntwo", "one\n\ntwo"},
                                                                                        {"one\\n", "\\n\\ntwo", "one\n\ntwo"},
                                                                                        {"  ", " two", "   two"},
                                                                                        {"one   ", " two", "one   two"}}));
  Cut w;
  w.transport.push(w.broken(5, told));
  w.transport.push(ScriptedReply::sse(openai_datas(next)));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(told, next, w.heard.bytes);
  const std::string heard = text_of_chunks(w.heard.bytes);
  if (told == "  ") CHECK(heard.find_first_not_of(' ') == 2);  // nothing was said: a new answer
  else CHECK(heard == all);
}

TEST_CASE("cut: a target that repeats the beginning is heard from where it goes on, and one that does not is heard whole") {
  const bool repeats = GENERATE(true, false);
  Cut w;
  w.config.providers[1].quirks = {"prefill_prefix", "repeats_prefill"};
  const std::string second = repeats ? kText : "Once more: " + kText;  // begins like the beginning
  w.transport.push(w.broken(4));
  w.transport.push(ScriptedReply::sse(openai_datas(second)));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == (repeats ? kText : kText.substr(0, 28) + second));
  CHECK(w.transport.seen()[1].body.find("\"prefix\":true") != std::string::npos);
}

TEST_CASE("cut twice: a third goes on, and all of them are in the sum") {
  Cut w;
  w.transport.push(w.broken(3));
  ScriptedReply second = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":")" + kText.substr(21, 9) + "\"}"), openai_usage(40, 4)});
  second.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(second);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:cut c:ok");
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=a/x to=b/y") == 1);
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=b/y to=c/z") == 1);
  CHECK(w.heard.result.record.decision.find("continued from a/x, b/y") != std::string::npos);
  CHECK(w.heard.result.record.usage.input > 50);
  CHECK(beginning(w.transport.seen()[2]) == kText.substr(0, 30));
}

TEST_CASE("cut: who fails before he says anything, or refuses, leaves it to the next") {
  const int status = GENERATE(400, 401, 429, 500);
  Cut w;
  w.transport.push(w.broken(3));
  w.transport.push(ScriptedReply::json(R"({"error":{"message":"no"}})", status));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(status, w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:error c:ok");
  CHECK(count(w.heard.bytes, "continued from=a/x to=c/z") == 1);
}

TEST_CASE("cut: when nobody goes on the caller hears once why it broke off") {
  Cut w;
  SECTION("off, as it is unless somebody asks for it") { w.config.routing.continue_on_cut = false; }
  SECTION("targets that do not take up an answer") {
    w.config.providers[1].quirks = w.config.providers[2].quirks = {};
  }
  SECTION("no attempts left") { w.config.routing.attempts = 1; }
  SECTION("all that can fail, too") {
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(R"({"error":{"message":"no"}})", 500); };
  }
  ScriptedReply bad = w.broken(3);
  bad.end.message = "the line went dead";
  w.transport.push(bad);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  w.check_cut();
  CHECK(w.heard.bytes.find("the line went dead") != std::string::npos);
  CHECK(w.heard.bytes.find("continued") == std::string::npos);
}

TEST_CASE("cut: a target that was passed over for it is in the record, with the reason") {
  Cut w;
  w.config.providers[1].quirks = {};
  w.transport.push(w.broken(3));
  w.relay(World::body("m", true));
  w.run();
  CHECK(w.outcomes() == "a:cut b:skipped c:ok");
  CHECK(w.heard.result.record.attempts[1].reason.find("does not go on") != std::string::npos);
}

TEST_CASE("cut: only text goes on") {
  Cut w;
  std::string more;
  std::vector<std::string> said = {chunk(R"({"role":"assistant","content":"so far"})")};
  SECTION("a call was begun") { said.push_back(chunk(R"({"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{\"a"}}]})")); }
  SECTION("thoughts alone") { said = {chunk(R"({"role":"assistant","reasoning_content":"hm"})")}; }
  SECTION("a refusal") { said.push_back(chunk(R"({"refusal":"I"})")); }
  SECTION("it had finished") { said.push_back(chunk("{}", "\"stop\"")); }
  SECTION("two answers") { more = R"(,"n":2)"; }
  SECTION("a schema") { more = R"(,"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}})"; }
  SECTION("JSON") { more = R"(,"response_format":{"type":"json_object"})"; }
  SECTION("logprobs") { more = R"(,"logprobs":true)"; }
  SECTION("a forced call") { more = R"(,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")"; }
  SECTION("longer than is kept") {
    for (int i = 0; i < 5; ++i) said.push_back(chunk(R"({"content":")" + std::string(60000, 'x') + "\"}"));
  }
  ScriptedReply bad = ScriptedReply::sse(said);
  bad.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(bad);
  w.relay(World::body("m", true, more));
  w.run();
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("cut: a conversation that ends with an answer already is not gone on with") {
  Cut w;
  w.transport.push(w.broken(3));
  w.relay(R"({"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Well"}],"stream":true})");
  w.run();
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("cut: thoughts before the text are not asked for again") {
  Cut w;
  w.config.providers[1].quirks = {"prefill_continue", "template_thinking"};
  ScriptedReply bad = w.broken(3);
  bad.chunks.insert(bad.chunks.begin() + 1, "data: " + chunk(R"({"reasoning_content":"hm"})") + "\n\n");
  w.transport.push(bad);
  w.relay(World::body("m", true, R"(,"reasoning_effort":"high","chat_template_kwargs":{"enable_thinking":true})"));
  w.run();
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  const std::string& body = w.transport.seen()[1].body;
  CHECK(find(JsonValue(body), "chat_template_kwargs", "enable_thinking").raw() == "false");
  CHECK(count(body, "chat_template_kwargs") == 1);
  CHECK_FALSE(find_member(JsonValue(body), "reasoning_effort").exists());
}

TEST_CASE("cut: an answer that has all its tokens ends as it would have, and nobody is asked for more") {
  Cut w;
  w.transport.push(w.broken(4));
  w.relay(World::body("m", true, R"(,"max_tokens":7,"stream_options":{"include_usage":true})"));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText.substr(0, 28));
  CHECK(w.heard.bytes.find("\"finish_reason\":\"length\"") != std::string::npos);
  CHECK(w.heard.bytes.find("continued") == std::string::npos);
  CHECK(w.transport.seen().size() == 1);
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(count(w.heard.bytes, "\"completion_tokens\":7") == 1);
}

TEST_CASE("cut: the caller may leave and the deadline may come while another is asked") {
  Cut w;
  w.transport.push(w.broken(3));
  w.transport.fallback = [](const SeenRequest&) {
    ScriptedReply slow;
    slow.hang = true;
    slow.head_after = std::chrono::hours(1);
    return slow;
  };
  const bool leaves = GENERATE(true, false);
  CallOptions options;
  if (!leaves) options.timeout = seconds(3);
  w.relay(World::body("m", true), std::move(options));
  w.run(seconds(1));
  REQUIRE(w.transport.seen().size() == 2);
  CHECK(w.heard.ends == 0);
  if (leaves) {
    w.call.cancel();
    CHECK(w.heard.result.record.status == CallStatus::kCancelled);
    CHECK(w.outcomes() == "a:cut b:cancelled");
  } else {
    w.run();
    w.check_cut();
    CHECK(w.heard.bytes.find("timeout: total") != std::string::npos);
    CHECK(w.outcomes() == "a:cut b:timeout");
  }
  CHECK(w.heard.ends == 1);
  CHECK_FALSE(w.heard.result.complete);
  CHECK(w.transport.live() == 0);
}

TEST_CASE("cut: what the retry budget does not allow ends with the error, and says so") {
  Cut w;
  w.config.routing.retry_budget = 0;
  int whole = 0, cut = 0;
  for (int i = 0; i < 120; ++i) {
    w.transport.push(w.broken(3));
    w.relay(World::body("a/x", true));  // a alone: another attempt needs a server that goes on
    w.run();
    w.transport.push(w.broken(3));
    w.relay(World::body("m", true));
    w.run();
    (w.heard.result.complete ? whole : cut) += 1;
    if (!w.heard.result.complete) CHECK(w.heard.bytes.find("routing.retry_budget") != std::string::npos);
    w.clock.advance(std::chrono::milliseconds(1));
  }
  CHECK(whole == 100);
  CHECK(cut == 20);
}

TEST_CASE("cut: a hedge that lost has nothing to do with it") {
  Cut w;
  w.config.routing.hedge.after = std::chrono::milliseconds(100);
  w.config.routing.hedge.max_extra = 100;
  ScriptedReply slow = w.broken(3);
  slow.head_after = seconds(1);
  w.transport.push(slow);
  ScriptedReply quick = w.broken(3);
  quick.chunk_every = std::chrono::milliseconds(200);
  w.transport.push(quick);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes, w.outcomes());
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(w.transport.seen().size() == 3);
  CHECK(w.transport.live() == 0);
}
