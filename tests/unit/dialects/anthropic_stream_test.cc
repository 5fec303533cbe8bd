// Anthropic's Messages dialect: answers, whole and streamed, from its upstreams and for its clients.
#include <algorithm>

#include "catch.h"
#include "dialects/anthropic.h"
#include "support.h"
#include "wire/json_writer.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using Kind = StreamEvent::Kind;
using F = FrameKind;

namespace {

std::string event(const std::string& type, const std::string& members) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + (members.empty() ? "" : "," + members) + "}\n\n";
}
std::string start(const std::string& usage = R"({"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":1})") {
  return event("message_start", R"("message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":)" + usage + "}");
}
std::string open(int index, const std::string& block) { return event("content_block_start", "\"index\":" + std::to_string(index) + ",\"content_block\":" + block); }
std::string delta(int index, const std::string& delta) { return event("content_block_delta", "\"index\":" + std::to_string(index) + ",\"delta\":" + delta); }
std::string stop(int index) { return event("content_block_stop", "\"index\":" + std::to_string(index)); }
std::string text_block(int index, const std::string& text) {
  return open(index, R"({"type":"text","text":""})") + delta(index, R"({"type":"text_delta","text":")" + text + "\"}") + stop(index);
}
std::string call_block(int index, const std::string& name, const std::vector<std::string>& pieces) {
  std::string out = open(index, R"({"type":"tool_use","id":"toolu_)" + name + R"(","name":")" + name + R"(","input":{}})");
  for (const std::string& piece : pieces) {
    std::string json;
    wire::append_json_string(json, piece);
    out += delta(index, R"({"type":"input_json_delta","partial_json":)" + json + "}");
  }
  return out + stop(index);
}
std::string end(const std::string& reason, const std::string& usage = R"({"output_tokens":20})") {
  return event("message_delta", R"("delta":{"stop_reason":")" + reason + R"(","stop_sequence":null},"usage":)" + usage) + event("message_stop", "");
}
const std::string kPing = event("ping", "");

Both read(const std::string& stream) { return read_cut("anthropic", stream); }

// What a strict reader of the dialect ends up with; fails the test where the grammar is left.
struct Block {
  std::string type, text, signature, id, name, input;
  int citations = 0;
};
struct Heard {
  std::vector<Block> blocks;
  std::string id, model, stop_reason, error;
  int64_t start_input = -1, start_output = -1;
  TokenUsage usage;
  bool ended = false;
  std::string text() const { return of("text"); }
  std::string of(std::string_view type) const {
    std::string out;
    for (const Block& b : blocks) out += b.type == type ? b.text : "";
    return out;
  }
};

// `whole_inputs`: no upstream said a piece of a call's input twice.
Heard read_strict_events(std::string_view sse, bool whole_inputs = true) {
  Heard heard;
  bool started = false, in_block = false, finished = false;
  while (!sse.empty()) {
    const size_t at = sse.find("\n\n");
    REQUIRE(at != std::string_view::npos);
    const std::string_view frame = sse.substr(0, at);
    sse.remove_prefix(at + 2);
    INFO(frame);
    REQUIRE(frame.substr(0, 7) == "event: ");
    const size_t line = frame.find('\n');
    const std::string_view name = frame.substr(7, line - 7), data = frame.substr(line + 7);
    REQUIRE(frame.substr(line + 1, 6) == "data: ");
    REQUIRE(wire::validate(data));
    const JsonValue root(data);
    const JsonValue index = find_member(root, "index");
    REQUIRE(find_member(root, "type").equals(name));
    REQUIRE(!heard.ended);
    REQUIRE(heard.error.empty());
    if (name == "error") {
      heard.error = find(root, "error", "message").string_or();
      CHECK(find(root, "error", "type").is_string());
    } else if (name == "message_start") {
      REQUIRE(!started);
      started = true;
      const JsonValue message = find_member(root, "message");
      CHECK(find_member(message, "type").equals("message"));
      CHECK(find_member(message, "role").equals("assistant"));
      CHECK(find_member(message, "content").empty_container());
      CHECK(find_member(message, "stop_reason").is_null());
      CHECK(find_member(message, "stop_sequence").is_null());
      heard.id = find_member(message, "id").string_or();
      heard.model = find_member(message, "model").string_or();
      CHECK(!heard.id.empty());
      heard.start_input = find(message, "usage", "input_tokens").integer().value_or(-1);
      heard.start_output = find(message, "usage", "output_tokens").integer().value_or(-1);
    } else if (name == "content_block_start") {
      REQUIRE((started && !in_block && !finished));
      REQUIRE(index.integer() == static_cast<int64_t>(heard.blocks.size()));
      in_block = true;
      const JsonValue block = find_member(root, "content_block");
      Block& b = heard.blocks.emplace_back();
      b.type = find_member(block, "type").string_or();
      b.id = find_member(block, "id").string_or();
      b.name = find_member(block, "name").string_or();
      if (b.type == "text") CHECK(find_member(block, "text").equals(""));
      else if (b.type == "thinking") CHECK((find_member(block, "thinking").equals("") && find_member(block, "signature").is_string()));
      else if (b.type == "redacted_thinking") b.signature = find_member(block, "data").string_or();
      else CHECK((b.type == "tool_use" && !b.id.empty() && find_member(block, "input").empty_container()));
    } else if (name == "content_block_delta") {
      REQUIRE(in_block);
      REQUIRE(index.integer() == static_cast<int64_t>(heard.blocks.size()) - 1);
      Block& b = heard.blocks.back();
      const JsonValue d = find_member(root, "delta"), type = find_member(d, "type");
      if (type.equals("text_delta")) CHECK((b.type == "text" && find_member(d, "text").append_string(b.text)));
      else if (type.equals("thinking_delta")) CHECK((b.type == "thinking" && find_member(d, "thinking").append_string(b.text)));
      else if (type.equals("signature_delta")) CHECK((b.type == "thinking" && find_member(d, "signature").append_string(b.signature)));
      else if (type.equals("input_json_delta")) CHECK((b.type == "tool_use" && find_member(d, "partial_json").append_string(b.input)));
      else if (type.equals("citations_delta")) CHECK((b.type == "text" && ++b.citations > 0));
      else FAIL("a delta nobody knows");
    } else if (name == "content_block_stop") {
      REQUIRE(in_block);
      REQUIRE(index.integer() == static_cast<int64_t>(heard.blocks.size()) - 1);
      in_block = false;
      Block& b = heard.blocks.back();
      if (whole_inputs && b.type == "tool_use" && !b.input.empty()) CHECK(wire::validate(b.input));
    } else if (name == "message_delta") {
      REQUIRE((started && !in_block && !finished));
      finished = true;
      heard.stop_reason = find(root, "delta", "stop_reason").string_or();
      CHECK(find(root, "delta", "stop_sequence").exists());
      CHECK(dialects::anthropic::read_usage(find_member(root, "usage"), heard.usage));
    } else {
      REQUIRE(name == "message_stop");
      REQUIRE(finished);
      heard.ended = true;
    }
  }
  if (heard.error.empty()) CHECK(heard.ended);
  return heard;
}

StreamEvent view(const SeenEvent& e) {
  StreamEvent out;
  out.kind = e.kind;
  out.choice = e.choice;
  out.tool_index = e.tool_index;
  out.text = e.text;
  out.signature = e.signature;
  out.maker = e.maker;
  out.redacted = e.redacted;
  out.id = e.id;
  out.name = e.name;
  out.arguments = e.arguments;
  out.model = e.model;
  out.raw = e.raw;
  out.created = e.created;
  out.finish = e.finish;
  out.usage = e.usage;
  return out;
}

std::unique_ptr<ClientCodec> client() {
  static const std::string request = R"({"model":"asked","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hello"}]})";
  auto codec = dialect("anthropic")->new_client_codec();
  REQUIRE(codec->scan(request).ok());
  return codec;
}
std::string for_client(const Recorder& seen) {
  auto codec = client();
  std::string sse;
  for (const SeenEvent& e : seen.events) codec->encode_event(view(e), sse);
  codec->encode_end(sse);
  return sse;
}

StreamEvent make(Kind kind, std::string_view text = {}) {
  StreamEvent e;
  e.kind = kind;
  e.text = text;
  return e;
}
StreamEvent begin_call(int64_t index, std::string_view id, std::string_view name, std::string_view arguments = {}) {
  StreamEvent e = make(Kind::kToolCallBegin);
  e.tool_index = index;
  e.id = id;
  e.name = name;
  e.arguments = arguments;
  return e;
}
StreamEvent arguments(int64_t index, std::string_view piece) {
  StreamEvent e = make(Kind::kToolCallDelta);
  e.tool_index = index;
  e.arguments = piece;
  return e;
}
StreamEvent finish(FinishReason reason, std::string_view raw = {}) {
  StreamEvent e = make(Kind::kFinish);
  e.finish = reason;
  e.raw = raw;
  return e;
}
Heard hear(const std::vector<StreamEvent>& events) {
  auto codec = client();
  std::string sse;
  for (const StreamEvent& e : events) codec->encode_event(e, sse);
  codec->encode_end(sse);
  return read_strict_events(sse);
}

}  // namespace

// --- from an upstream ---

TEST_CASE("anthropic: a stream, relayed and translated") {
  const std::string stream = start() + open(0, R"({"type":"text","text":""})") + kPing + delta(0, R"({"type":"text_delta","text":"Hel"})") +
                             delta(0, R"({"type":"text_delta","text":"lo"})") + stop(0) + end("end_turn");
  const Both seen = read(stream);
  CHECK(seen.relay.errors.empty());
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.relay.kinds() == std::vector<F>{F::kPrelude, F::kPrelude, F::kPrelude, F::kPayload, F::kPayload, F::kPrelude, F::kFinish, F::kDone});
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kStop});
  CHECK(print(*seen.relay.last_usage()) == "18 5 3 20 0 0 0 0 known");
  CHECK(seen.translated.errors.empty());
  CHECK(seen.answer.choices.at(0).text == "Hello");
  CHECK(seen.answer.choices.at(0).finish == "stop");
  CHECK(seen.answer.choices.at(0).finishes == 1);
  CHECK(seen.answer.ids == std::vector<std::string>{"msg_1"});
  CHECK(seen.answer.models == std::vector<std::string>{"claude-x"});
  CHECK(print(*seen.answer.usage) == "18 5 3 20 0 0 0 0 known");
}

TEST_CASE("quirk anthropic: message_delta usage repeats input tokens") {
  const Both seen = read(start() + text_block(0, "a") + end("end_turn", R"({"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":7,"output_tokens":9,"output_tokens_details":{"thinking_tokens":4}})"));
  CHECK(print(*seen.relay.last_usage()) == "18 7 0 9 4 0 0 0 known");
  CHECK(print(*seen.answer.usage) == "18 7 0 9 4 0 0 0 known");
}

TEST_CASE("quirk anthropic: message_delta usage.output_tokens cumulative") {
  const Both seen = read(start() + text_block(0, "a") + event("message_delta", R"("delta":{"stop_reason":null},"usage":{"output_tokens":4})") + end("end_turn", R"({"output_tokens":9})"));
  CHECK(seen.relay.last_usage()->output == 9);
  CHECK(seen.answer.usage->output == 9);
  CHECK(seen.relay.finishes.size() == 1);
}

TEST_CASE("quirk anthropic: ping events, anywhere") {
  const std::string stream = kPing + start() + kPing + open(0, R"({"type":"text","text":""})") + kPing + delta(0, R"({"type":"text_delta","text":"a"})") + kPing + stop(0) + kPing + end("end_turn") + kPing;
  const Both seen = read(stream);
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("quirk anthropic: blanks behind the JSON, to hide lengths") {
  std::string stream;
  for (const std::string& e : {start(), text_block(0, "a"), end("end_turn")}) stream += e;
  for (size_t at = 0; (at = stream.find("}\n\n", at)) != std::string::npos; at += 9) stream.insert(at + 1, "      ");
  const Both seen = read(stream);
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("quirk anthropic: tool_use with no/empty input_json_delta (arguments must become {})") {
  const Both seen = read(start() + text_block(0, "t") + call_block(1, "a", {}) + call_block(2, "b", {""}) + call_block(3, "c", {"", "{\"x\"", ":1}"}) + end("tool_use"));
  const Answer::Choice& c = seen.answer.choices.at(0);
  REQUIRE(c.calls.size() == 3);
  CHECK(c.calls[0] == Answer::Call{"toolu_a", "a", "{}"});
  CHECK(c.calls[1].arguments == "{}");
  CHECK(c.calls[2].arguments == "{\"x\":1}");
  CHECK(c.finish == "tool_calls");
  CHECK(seen.relay.finishes == std::vector<FinishReason>{FinishReason::kToolCalls});
}

TEST_CASE("quirk anthropic: signature_delta, redacted_thinking block") {
  const Both seen = read(start() + open(0, R"({"type":"thinking","thinking":"","signature":""})") + delta(0, R"({"type":"thinking_delta","thinking":"hm"})") +
                         delta(0, R"({"type":"signature_delta","signature":"EqQB"})") + stop(0) + open(1, R"({"type":"redacted_thinking","data":"cmVk"})") + stop(1) + text_block(2, "a") + end("end_turn"));
  CHECK(seen.answer.choices.at(0).reasoning == "hm");
  std::vector<const SeenEvent*> thoughts;
  for (const SeenEvent& e : seen.translated.events) {
    if (e.kind == Kind::kReasoning) thoughts.push_back(&e);
  }
  REQUIRE(thoughts.size() == 3);
  CHECK((thoughts[1]->signature == "EqQB" && thoughts[1]->maker == "anthropic" && !thoughts[1]->redacted));
  CHECK((thoughts[2]->signature == "cmVk" && thoughts[2]->maker == "anthropic" && thoughts[2]->redacted));
  CHECK(seen.relay.kinds()[1] == F::kPrelude);   // an empty thought's start
  CHECK(seen.relay.kinds()[5] == F::kPayload);   // a redacted one
}

TEST_CASE("quirk anthropic: more than one message_start in a stream") {
  const std::string second = event("message_start", R"("message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-x","content":[{"type":"tool_use","id":"toolu_q","name":"roll","input":{"p":2}}],"stop_reason":"tool_use","usage":{"input_tokens":0,"output_tokens":0}})") + event("message_stop", "");
  const std::string stream = start() + text_block(0, "a") + open(1, R"({"type":"tool_use","id":"toolu_p","name":"roll","input":{"p":1}})") + stop(1) + end("tool_use") + second +
                             start(R"({"input_tokens":40,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1})") + text_block(0, "b") + end("end_turn", R"({"output_tokens":7})");
  const Both seen = read(stream);
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.relay.errors.empty());
  const Answer::Choice& c = seen.answer.choices.at(0);
  CHECK(c.text == "ab");
  REQUIRE(c.calls.size() == 2);
  CHECK(c.calls[0].arguments == R"({"p":1})");
  CHECK(c.calls[1].arguments == R"({"p":2})");
  CHECK(c.finishes == 1);
  CHECK(c.finish == "stop");
  CHECK(print(*seen.answer.usage) == "40 0 0 7 0 0 0 0 known");
  // Cut off in the last message, it is no answer.
  CHECK(read(start() + text_block(0, "a") + end("tool_use") + start() + text_block(0, "b")).translated.errors.size() == 1);
}

TEST_CASE("anthropic: what its own tools do is passed in relay and left out in translation") {
  const std::string stream = start() + open(0, R"({"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}})") + delta(0, R"({"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"})") + stop(0) +
                             open(1, R"({"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]})") + stop(1) + text_block(2, "a") + end("end_turn");
  const Both seen = read(stream);
  CHECK(seen.relay.bytes() == stream);
  CHECK(seen.relay.kinds()[1] == F::kPayload);
  CHECK(seen.answer.choices.at(0).calls.empty());
  CHECK(seen.answer.choices.at(0).text == "a");
}

TEST_CASE("anthropic: citations become annotations with their place in the text") {
  const Both seen = read(start() + text_block(0, "\xc3\xbc: ") + open(1, R"({"type":"text","text":"","citations":[]})") +
                         delta(1, R"({"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"c","url":"https://x","title":"T","encrypted_index":"e"}})") +
                         delta(1, R"({"type":"text_delta","text":"fact"})") + stop(1) +
                         open(2, R"({"type":"text","text":""})") + delta(2, R"({"type":"citations_delta","citation":{"type":"char_location","cited_text":"d","document_index":0,"document_title":"D","start_char_index":1,"end_char_index":2}})") + stop(2) + end("end_turn"));
  std::vector<std::string> raws;
  for (const SeenEvent& e : seen.translated.events) {
    if (e.kind == Kind::kAnnotation) raws.push_back(e.raw);
  }
  REQUIRE(raws.size() == 2);
  CHECK(canonical(raws[0]) == canonical(R"({"type":"url_citation","url_citation":{"start_index":3,"end_index":7,"url":"https://x","title":"T"}})"));
  CHECK(canonical(raws[1]) == canonical(R"({"type":"url_citation","url_citation":{"start_index":7,"end_index":7,"url":"","title":"D","cited_text":"d","document_index":0,"document_title":"D","start_char_index":1,"end_char_index":2}})"));
}

TEST_CASE("anthropic: stop reasons") {
  struct Row {
    const char *word, *ours;
  };
  for (const Row& row : std::vector<Row>{{"end_turn", "stop"}, {"stop_sequence", "stop"}, {"max_tokens", "length"}, {"model_context_window_exceeded", "length"}, {"refusal", "content_filter"}}) {
    INFO(row.word);
    const Both seen = read(start() + text_block(0, "a") + end(row.word));
    CHECK(seen.answer.choices.at(0).finish == row.ours);
    CHECK(read_strict_events(for_client(seen.translated)).stop_reason == row.word);
  }
  CHECK(read(start() + end("refusal")).answer.choices.at(0).finish == "content_filter");
  CHECK(read(start() + text_block(0, "a") + end("pause_turn")).answer.choices.at(0).finishes == 1);
}

TEST_CASE("anthropic: a last event without its blank line, no message_stop, a terminator of others") {
  std::string stream = start() + text_block(0, "a") + end("end_turn");
  stream.resize(stream.size() - 2);
  const Both bare = read(stream);
  CHECK(bare.relay.errors.empty());
  CHECK(bare.relay.bytes() == stream + "\n\n");
  const std::string without = start() + text_block(0, "a") + event("message_delta", R"("delta":{"stop_reason":"max_tokens"},"usage":{"input_tokens":73,"output_tokens":64})");
  const Both no_stop = read(without);
  CHECK(no_stop.relay.errors.empty());
  CHECK(no_stop.answer.choices.at(0).finish == "length");
  CHECK(read(start() + text_block(0, "a") + end("end_turn") + "data: [DONE]\n\n").relay.errors.empty());
  // Names of events may be missing, and a block's end.
  std::string nameless = start() + open(0, R"({"type":"text","text":"x"})") + delta(0, R"({"type":"text_delta","text":"a"})") + end("end_turn");
  for (size_t at; (at = nameless.find("event: ")) != std::string::npos;) nameless.erase(at, nameless.find('\n', at) + 1 - at);
  CHECK(read(nameless).answer.choices.at(0).text == "xa");
}

TEST_CASE("anthropic: streams that break") {
  const std::string overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
  for (const std::string& stream : {start(), std::string(), start() + text_block(0, "a"), start() + kPing + overloaded, overloaded, start() + "data: nonsense\n\n",
                                    start() + text_block(0, "a") + end("end_turn").substr(0, 40), std::string("<html><title>502</title></html>"), start() + open(0, R"({"type":"text","text":""})") + overloaded,
                                    std::string(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})")}) {
    INFO(stream);
    const Both seen = read(stream);
    REQUIRE(seen.relay.errors.size() == 1);
    REQUIRE(seen.translated.errors.size() == 1);
    CHECK(seen.relay.errors[0].code == ErrorCode::kUpstreamError);
    CHECK((seen.answer.choices.empty() || seen.answer.choices.begin()->second.finishes == 0));
    if (stream.find("verloaded") != std::string::npos) CHECK(seen.relay.errors[0].upstream_code == "overloaded_error");
  }
  // Arguments of a call that never began.
  CHECK(feed("anthropic", false, {start() + delta(0, R"({"type":"input_json_delta","partial_json":"{}"})") + end("tool_use")}).errors.size() == 1);
  CHECK(read(start() + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}\n\n").relay.errors[0].code == ErrorCode::kUpstreamRateLimited);
}

TEST_CASE("anthropic: every event missing once, doubled once, and in the wrong order, is no crash and never two ends") {
  const std::vector<std::string> events = {start(), open(0, R"({"type":"text","text":""})"), delta(0, R"({"type":"text_delta","text":"a"})"), stop(0),
                                           open(1, R"({"type":"tool_use","id":"t","name":"f","input":{}})"), delta(1, R"({"type":"input_json_delta","partial_json":"{}"})"), stop(1),
                                           event("message_delta", R"("delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2})"), event("message_stop", "")};
  const auto check = [](const std::string& stream) {
    INFO(stream);
    const Recorder seen = feed("anthropic", false, {stream});
    int finishes = 0;
    for (const SeenEvent& e : seen.events) finishes += e.kind == Kind::kFinish;
    CHECK(finishes + static_cast<int>(seen.errors.size()) == 1);
    if (seen.errors.empty()) read_strict_events(for_client(seen), false);
  };
  for (size_t skip = 0; skip < events.size(); ++skip) {
    std::string without, doubled;
    for (size_t i = 0; i < events.size(); ++i) {
      if (i != skip) without += events[i];
      doubled += events[i] + (i == skip ? events[i] : "");
    }
    check(without);
    check(doubled);
    for (size_t other = skip + 1; other < events.size(); ++other) {
      std::vector<std::string> swapped = events;
      std::swap(swapped[skip], swapped[other]);
      std::string all;
      for (const std::string& e : swapped) all += e;
      check(all);
    }
  }
}

TEST_CASE("anthropic: a whole answer to a request for a stream is told as one") {
  const std::string whole = R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"text","text":"a"},
    {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}})";
  const Both seen = read("  \n" + whole);
  CHECK(seen.relay.errors.empty());
  const Heard heard = read_strict_events(seen.relay.bytes());
  CHECK(heard.text() == "a");
  CHECK(heard.blocks.back().input == R"({"x":1})");
  CHECK(heard.stop_reason == "tool_use");
  CHECK(seen.relay.frames.back().kind == F::kDone);
  CHECK(seen.answer.choices.at(0).calls.size() == 1);
  CHECK(seen.answer.choices.at(0).finish == "tool_calls");
}

TEST_CASE("anthropic: whole answers") {
  auto codec = reading("anthropic", false);
  const std::string whole = R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"redacted_thinking","data":"cmVk"},
    {"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"ab"},{"type":"text","text":"cd","citations":[{"type":"web_search_result_location","url":"https://x","title":"T","cited_text":"q","encrypted_index":"e"}]},
    {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":4,"service_tier":"standard","server_tool_use":{"web_search_requests":1}}})";
  auto facts = codec->inspect(whole);
  REQUIRE(facts.ok());
  CHECK(print(facts->usage) == "5 2 0 4 0 0 0 0 known");
  CHECK(facts->model == "claude-x");
  CHECK(facts->finish == FinishReason::kStop);
  auto response = codec->decode(whole);
  REQUIRE(response.ok());
  const Message& message = response->choices[0].message;
  CHECK(response->text() == "abcd");
  CHECK((message.parts[0].text == "hm" && message.parts[0].signature == "EqQB" && message.parts[0].maker == "anthropic"));
  CHECK((message.parts[1].redacted && message.parts[1].signature == "cmVk"));
  CHECK(message.tool_calls[0].arguments == R"({"x":1})");
  CHECK(canonical(message.annotations) == canonical(R"([{"type":"url_citation","url_citation":{"start_index":2,"end_index":4,"url":"https://x","title":"T"}}])"));
  // For a client of the same dialect.
  std::string out;
  client()->encode_response(*response, out);
  REQUIRE(wire::validate(out));
  const JsonValue root(out);
  CHECK(find_member(root, "stop_sequence").equals("END"));
  CHECK(find(root, "usage", "input_tokens").integer() == 3);
  CHECK(find(root, "usage", "cache_read_input_tokens").integer() == 2);
  CHECK(find(root, "usage", "server_tool_use", "web_search_requests").integer() == 1);
  CHECK(find(root, "usage", "service_tier").equals("standard"));
  CHECK(find(root, "content", 0, "signature").equals("EqQB"));
  CHECK(find(root, "content", 1, "data").equals("cmVk"));
}

TEST_CASE("anthropic: errors inside a 200, and answers that are none") {
  auto codec = reading("anthropic", false);
  for (const char* body : {R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", R"({"error":"model crashed"})", "<html>no</html>", "{}", R"({"type":"message"})", "[]", ""}) {
    INFO(body);
    CHECK(!codec->inspect(body).ok());
    CHECK(!codec->decode(body).ok());
  }
}

TEST_CASE("anthropic: an upstream's errors by status") {
  auto codec = reading("anthropic", false);
  const auto parse = [&](int status, const std::string& type, const std::string& message, std::vector<HttpHeader> headers = {}) {
    HttpHead head;
    head.status = status;
    head.headers = std::move(headers);
    return codec->parse_error(head, R"({"type":"error","error":{"type":")" + type + R"(","message":")" + message + R"("},"request_id":"req_1"})");
  };
  CHECK(parse(529, "overloaded_error", "Overloaded").code == ErrorCode::kUpstreamError);
  CHECK(parse(500, "api_error", "Internal server error").code == ErrorCode::kUpstreamError);
  const Error limited = parse(429, "rate_limit_error", "This request would exceed your organization's rate limit", {{"retry-after", "23"}});
  CHECK(limited.code == ErrorCode::kUpstreamRateLimited);
  CHECK(limited.retry_after == std::chrono::seconds(23));
  CHECK(parse(429, "rate_limit_error", "x", {{"date", "Mon, 18 May 2026 11:42:00 GMT"}, {"anthropic-ratelimit-requests-remaining", "9"}, {"anthropic-ratelimit-requests-reset", "2026-05-18T11:42:10Z"},
                                             {"anthropic-ratelimit-input-tokens-remaining", "0"}, {"anthropic-ratelimit-input-tokens-reset", "2026-05-18T11:42:18Z"}})
            .retry_after == std::chrono::seconds(18));
  CHECK(parse(401, "authentication_error", "invalid x-api-key").code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(parse(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.").upstream_code == "insufficient_quota");
  CHECK(parse(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum").code == ErrorCode::kContextLengthExceeded);
  CHECK(parse(404, "not_found_error", "model: claude-sonet-4-5").code == ErrorCode::kUpstreamRejected);
  CHECK(parse(413, "request_too_large", "Request exceeds the maximum size").status == 413);
  CHECK(parse(400, "invalid_request_error", "messages.3.content.0: Invalid signature in thinking block").code == ErrorCode::kUpstreamRejected);
}

TEST_CASE("anthropic: structured output by a tool comes back as text") {
  auto codec = dialect("anthropic")->new_upstream_codec();
  ChatRequest chat = ChatRequest::of("m", "hello");
  chat.response_format.kind = ResponseFormat::Kind::kJsonSchema;
  chat.response_format.name = "out";
  chat.response_format.schema = R"({"type":"object"})";
  const ProviderConfig config = provider();
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.upstream_model = "claude-3-haiku-20240307";
  input.stream = true;
  EncodedRequest encoded;
  REQUIRE(codec->encode(input, encoded).ok());
  Recorder seen;
  codec->feed(start() + call_block(0, "out", {"{\"a\"", ":1}"}) + end("tool_use"), seen);
  codec->finish(seen);
  CHECK(seen.errors.empty());
  const Answer answer = answer_of(seen);
  CHECK(answer.choices.at(0).text == "{\"a\":1}");
  CHECK(answer.choices.at(0).calls.empty());
  CHECK(answer.choices.at(0).finish == "stop");
  auto whole = codec->decode(R"({"type":"message","content":[{"type":"text","text":"Here:"},{"type":"tool_use","id":"t","name":"out","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}})");
  REQUIRE(whole.ok());
  CHECK(whole->text() == "{\"a\":1}");
  CHECK(whole->choices[0].finish == FinishReason::kStop);
}

// --- for a client ---

TEST_CASE("anthropic client: one block after the other, closed before the next; calls that are interleaved wait") {
  StreamEvent begun = make(Kind::kStart);
  begun.id = "chatcmpl-1";
  begun.model = "gpt-x";
  StreamEvent usage = make(Kind::kUsage);
  usage.usage.input = 30;
  usage.usage.cached = 10;
  usage.usage.cache_write = 5;
  usage.usage.output = 7;
  usage.usage.reasoning = 2;
  usage.usage.known = true;
  const Heard heard = hear({begun, make(Kind::kReasoning, "hm"), make(Kind::kReasoning, "."), make(Kind::kText, "a"), make(Kind::kText, ""), make(Kind::kText, "b"), begin_call(0, "call_1", "f", "{\"x\""),
                            begin_call(1, "call_2", "g"), arguments(1, "{\"y\":"), arguments(0, ":1}"), arguments(1, "2}"), begin_call(2, "call_3", "h"), finish(FinishReason::kStop, "stop"), usage});
  REQUIRE(heard.blocks.size() == 5);
  CHECK(heard.id == "chatcmpl-1");
  CHECK(heard.model == "gpt-x");
  CHECK((heard.blocks[0].type == "thinking" && heard.blocks[0].text == "hm." && heard.blocks[0].signature.empty()));
  CHECK((heard.blocks[1].type == "text" && heard.blocks[1].text == "ab"));
  CHECK((heard.blocks[2].id == "call_1" && heard.blocks[2].input == "{\"x\":1}"));
  CHECK((heard.blocks[3].id == "call_2" && heard.blocks[3].input == "{\"y\":2}"));
  CHECK((heard.blocks[4].name == "h" && heard.blocks[4].input.empty()));
  CHECK(heard.stop_reason == "tool_use");  // although the upstream said stop
  CHECK(heard.start_input > 0);            // an estimate
  CHECK(heard.start_output == 0);
  CHECK(print(heard.usage) == "30 10 5 7 2 0 0 0 known");
}

TEST_CASE("anthropic client: input tokens that are known before the answer stand in message_start") {
  StreamEvent usage = make(Kind::kUsage);
  usage.usage.input = 30;
  usage.usage.known = true;
  CHECK(hear({make(Kind::kStart), usage, make(Kind::kText, "a"), finish(FinishReason::kStop)}).start_input == 30);
}

TEST_CASE("anthropic client: stop reasons, refusals, an answer of nothing, other choices") {
  CHECK(hear({make(Kind::kStart), make(Kind::kText, "a"), finish(FinishReason::kLength, "length")}).stop_reason == "max_tokens");
  CHECK(hear({make(Kind::kStart), finish(FinishReason::kContentFilter, "content_filter")}).stop_reason == "refusal");
  const Heard refusal = hear({make(Kind::kStart), make(Kind::kRefusal, "no"), finish(FinishReason::kStop, "stop")});
  CHECK(refusal.stop_reason == "refusal");
  CHECK(refusal.text() == "no");
  const Heard nothing = hear({});
  CHECK(nothing.stop_reason == "end_turn");
  CHECK(nothing.model == "asked");
  CHECK(nothing.blocks.empty());
  StreamEvent other = make(Kind::kText, "other");
  other.choice = 1;
  CHECK(hear({make(Kind::kText, "a"), other, finish(FinishReason::kStop), make(Kind::kText, "late")}).text() == "a");
}

TEST_CASE("anthropic client: signatures of any maker come back to it, thoughts and calls alike") {
  StreamEvent thought = make(Kind::kReasoning, "t");
  thought.signature = "enc\xff";
  thought.maker = "responses";
  StreamEvent hidden = make(Kind::kReasoning);
  hidden.signature = "hid";
  hidden.maker = "responses";
  hidden.redacted = true;
  StreamEvent call = begin_call(0, "call_1", "f", "{}");
  call.signature = "sig";
  call.maker = "gemini";
  const Heard heard = hear({make(Kind::kStart), thought, hidden, make(Kind::kReasoning, "u"), make(Kind::kText, "a"), call, finish(FinishReason::kToolCalls)});
  REQUIRE(heard.blocks.size() == 6);
  CHECK(heard.blocks[1].type == "redacted_thinking");
  CHECK((heard.blocks[2].type == "thinking" && heard.blocks[2].text == "u"));  // a thought of its own
  CHECK(heard.blocks[4].type == "redacted_thinking");
  std::string content;
  for (const Block& b : heard.blocks) {
    std::string json = "{\"type\":\"" + b.type + "\"";
    if (b.type == "thinking") json += ",\"thinking\":\"" + b.text + "\",\"signature\":\"" + b.signature + "\"";
    else if (b.type == "redacted_thinking") json += ",\"data\":\"" + b.signature + "\"";
    else if (b.type == "text") json += ",\"text\":\"" + b.text + "\"";
    else json += R"(,"id":")" + b.id + R"(","name":")" + b.name + "\",\"input\":" + b.input;
    content += (content.empty() ? "" : ",") + json + "}";
  }
  const std::string body = R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[)" + content + "]}]}";
  auto codec = dialect("anthropic")->new_client_codec();
  auto facts = codec->scan(body);
  REQUIRE(facts.ok());
  CHECK(!facts->relayable);
  auto chat = codec->decode();
  REQUIRE(chat.ok());
  const Message& m = chat->messages[1];
  REQUIRE(m.parts.size() == 4);
  CHECK((m.parts[0].signature == "enc\xff" && m.parts[0].maker == "responses" && m.parts[0].text == "t"));
  CHECK((m.parts[1].signature == "hid" && m.parts[1].maker == "responses" && m.parts[1].redacted));
  CHECK((m.parts[2].text == "u" && m.parts[2].signature.empty() && m.parts[2].maker.empty()));
  REQUIRE(m.tool_calls.size() == 1);
  CHECK((m.tool_calls[0].signature == "sig" && m.tool_calls[0].maker == "gemini"));
}

TEST_CASE("anthropic client: annotations become citations") {
  StreamEvent note = make(Kind::kAnnotation);
  note.raw = R"({"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"https://x","title":"T"}})";
  const Heard heard = hear({make(Kind::kText, "a"), note, finish(FinishReason::kStop)});
  REQUIRE(heard.blocks.size() == 1);
  CHECK(heard.blocks[0].citations == 1);
  // A place in a document comes back as it was.
  for (const char* place : {R"("type":"char_location","cited_text":"d","document_index":0,"document_title":"D","start_char_index":1,"end_char_index":2)",
                            R"("type":"page_location","cited_text":"d","document_index":1,"document_title":"D","start_page_number":1,"end_page_number":2)",
                            R"("type":"content_block_location","cited_text":"d","document_index":2,"start_block_index":0,"end_block_index":1)"}) {
    const std::string citation = "{" + std::string(place) + "}";
    const std::string neutral = dialects::anthropic::annotation_of(JsonValue(citation), 3, 7);
    CHECK(find(JsonValue(neutral), "url_citation", "url").equals(""));
    CHECK(canonical(dialects::anthropic::citation_of(JsonValue(neutral), dialects::TextIndex())) == canonical(citation));
  }
  ChatResponse response;
  response.choices.emplace_back();
  response.choices[0].message.parts.push_back(Part::of_text("\xc3\xbc says so"));
  response.choices[0].message.annotations = R"([{"type":"url_citation","url_citation":{"start_index":2,"end_index":6,"url":"https://x","title":"T"}}])";
  std::string out;
  client()->encode_response(response, out);
  CHECK(canonical(find(JsonValue(out), "content", 0, "citations")) ==
        canonical(R"([{"type":"web_search_result_location","cited_text":"says","url":"https://x","title":"T","encrypted_index":""}])"));
}

TEST_CASE("anthropic client: errors in its own shape") {
  const auto encode = [](const Error& error) {
    auto codec = dialect("anthropic")->new_client_codec();
    RequestPath path;
    path.request_id = "req_7";
    codec->set_path(path);
    std::string out;
    codec->encode_error(error, out);
    return out;
  };
  CHECK(encode(Error(ErrorCode::kInvalidRequest, "bad", "max_tokens")) == R"({"type":"error","error":{"type":"invalid_request_error","message":"bad"},"request_id":"req_7"})");
  struct Row {
    ErrorCode code;
    const char* type;
  };
  for (const Row& row : std::vector<Row>{{ErrorCode::kMissingKey, "authentication_error"}, {ErrorCode::kInvalidKey, "authentication_error"}, {ErrorCode::kBudgetExceeded, "billing_error"},
                                         {ErrorCode::kModelNotAllowed, "permission_error"}, {ErrorCode::kModelNotFound, "not_found_error"}, {ErrorCode::kUnknownPath, "not_found_error"},
                                         {ErrorCode::kBodyTooLarge, "request_too_large"}, {ErrorCode::kRateLimited, "rate_limit_error"}, {ErrorCode::kUpstreamRateLimited, "rate_limit_error"},
                                         {ErrorCode::kUpstreamError, "api_error"}, {ErrorCode::kNoTarget, "overloaded_error"}, {ErrorCode::kUpstreamTimeout, "timeout_error"},
                                         {ErrorCode::kMethodNotAllowed, "invalid_request_error"}, {ErrorCode::kInternal, "api_error"}}) {
    INFO(row.type);
    CHECK(find(JsonValue(encode(Error(row.code, "m"))), "error", "type").equals(row.type));
  }
  Error overloaded(ErrorCode::kUpstreamError, "the upstream answered 529: Overloaded");
  overloaded.upstream_status = 529;
  CHECK(find(JsonValue(encode(overloaded)), "error", "type").equals("overloaded_error"));
  CHECK(find(JsonValue(encode(Error(ErrorCode::kContextLengthExceeded, "maximum context length is 8192"))), "error", "message").equals("prompt is too long: maximum context length is 8192"));
  auto codec = client();
  std::string sse;
  codec->encode_event(make(Kind::kText, "a"), sse);
  codec->encode_stream_error(Error(ErrorCode::kUpstreamError, "cut"), sse);
  const Heard heard = read_strict_events(sse);
  CHECK(heard.error == "cut");
  CHECK(!heard.ended);
}

TEST_CASE("anthropic: an answer of OpenAI's for a client of Anthropic's, and the other way round") {
  auto codec = reading("openai", false);
  auto response = codec->decode(R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"hm",
    "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"call_2","type":"function","function":{"name":"g","arguments":"oops"}}]},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}})");
  REQUIRE(response.ok());
  std::string out;
  client()->encode_response(*response, out);
  CHECK(canonical(out) == canonical(R"({"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt-x","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"hi"},
    {"type":"tool_use","id":"call_1","name":"f","input":{"x":1}},{"type":"tool_use","id":"call_2","name":"g","input":{"input":"oops"}}],"stop_reason":"tool_use","stop_sequence":null,
    "usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}})"));
}

// --- recordings ---

namespace {

bool speaks(const Recording& r) { return r.endpoint.find("messages") != std::string::npos || r.provider == "anthropic" || r.provider == "vertex-anthropic"; }
bool is_answer(const Recording& r) { return speaks(r) && r.status == 200 && r.body.find("\"role\"") != std::string::npos; }

struct Said {
  std::string text, thought, stop;
  std::vector<std::string> calls;  // name and canonical input
  TokenUsage usage;
};

// What a recorded stream says, read loosely and on its own.
Said said_by(std::string_view body) {
  Said said;
  std::map<int64_t, std::pair<std::string, std::string>> open;
  const auto close = [&](int64_t index) {
    if (auto it = open.find(index); it != open.end()) {
      said.calls.push_back(it->second.first + canonical(it->second.second.empty() ? "{}" : it->second.second));
      open.erase(it);
    }
  };
  const auto block = [&](JsonValue b, int64_t index) {
    if (!find_member(b, "type").equals("tool_use")) return;
    const JsonValue input = find_member(b, "input");
    open[index] = {find_member(b, "name").string_or(), input.empty_container() ? "" : std::string(input.raw())};
  };
  while (!body.empty()) {
    const size_t end = body.find('\n');
    std::string_view line = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (line.substr(0, 5) != "data:") continue;
    const JsonValue root(line.substr(5));
    const int64_t index = find_member(root, "index").integer().value_or(0);
    dialects::anthropic::read_usage(find(root, "message", "usage"), said.usage);
    dialects::anthropic::read_usage(find_member(root, "usage"), said.usage);
    for (JsonValue b : JsonElements(find(root, "message", "content"))) {
      block(b, 0);
      close(0);
    }
    block(find_member(root, "content_block"), index);
    const JsonValue d = find_member(root, "delta");
    said.text += find_member(d, "text").string_or();
    said.thought += find_member(d, "thinking").string_or();
    if (open.count(index)) open[index].second += find_member(d, "partial_json").string_or();
    if (find_member(root, "type").equals("content_block_stop")) close(index);
    if (std::string stop = find_member(d, "stop_reason").string_or(); !stop.empty()) said.stop = stop;
  }
  return said;
}

}  // namespace

TEST_CASE("anthropic: recorded streams are relayed byte for byte, and say the same to a client of either dialect") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (!is_answer(r) || !r.is_stream() || r.body.find("event: error") != std::string::npos) continue;
    INFO(r.provider << "/" << r.name);
    ++count;
    const Said said = said_by(r.body);
    const Recorder relayed = feed("anthropic", true, {r.body});
    CHECK(relayed.errors.empty());
    CHECK(relayed.bytes() == r.body);
    CHECK(print(*relayed.last_usage()) == print(said.usage));
    const Recorder seen = feed("anthropic", false, {r.body});
    CHECK(seen.errors.empty());
    const Heard heard = read_strict_events(for_client(seen));
    CHECK(heard.text() == said.text);
    CHECK(heard.of("thinking") == said.thought);
    CHECK(heard.stop_reason == (said.calls.empty() || said.stop == "max_tokens" || said.stop == "end_turn" ? said.stop : "tool_use"));
    CHECK(print(heard.usage) == print(said.usage));
    std::vector<std::string> calls;
    for (const Block& b : heard.blocks) {
      if (b.type == "tool_use") calls.push_back(b.name + canonical(b.input.empty() ? "{}" : b.input));
    }
    CHECK(calls == said.calls);
    // Byte by byte.
    if (r.body.size() > 16 * 1024) continue;
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < r.body.size(); ++i) bytes.push_back(std::string_view(r.body).substr(i, 1));
    for (bool relay : {true, false}) CHECK((feed("anthropic", relay, bytes).summary() == (relay ? relayed : seen).summary()));
    // For OpenAI's clients.
    auto openai = dialect("openai")->new_client_codec();
    const std::string request = R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}})";
    REQUIRE(openai->scan(request).ok());
    std::string sse;
    for (const SeenEvent& e : seen.events) openai->encode_event(view(e), sse);
    openai->encode_end(sse);
    const Answer answer = read_strict(sse);
    CHECK(answer.choices.at(0).text == said.text);
    CHECK(answer.choices.at(0).calls.size() == said.calls.size());
    CHECK(print(*answer.usage) == print(said.usage));
  }
  if (!recordings().empty()) CHECK(count >= 12);
}

TEST_CASE("anthropic: recorded whole answers mean the same when written again") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (!is_answer(r) || r.is_stream() || r.body[0] != '{' || r.provider == "ollama") continue;
    INFO(r.provider << "/" << r.name);
    ++count;
    auto codec = reading("anthropic", false);
    auto facts = codec->inspect(r.body);
    auto response = codec->decode(r.body);
    REQUIRE(facts.ok());
    REQUIRE(response.ok());
    CHECK(print(facts->usage) == print(response->usage));
    std::string out;
    client()->encode_response(*response, out);
    const JsonValue was(r.body), is(out);
    for (const char* member : {"id", "model", "stop_reason", "stop_sequence", "role", "type"}) CHECK(canonical(find_member(was, member)) == canonical(find_member(is, member)));
    std::string content = canonical(find_member(was, "content"));
    constexpr std::string_view kCaller = R"("caller":{"type":"direct",},)";  // is not carried over
    if (const size_t at = content.find(kCaller); at != std::string::npos) content.erase(at, kCaller.size());
    CHECK(content == canonical(find_member(is, "content")));
    for (const char* member : {"input_tokens", "output_tokens", "service_tier"}) {
      INFO(member);
      CHECK(canonical(find(was, "usage", member)) == canonical(find(is, "usage", member)));
    }
  }
  if (!recordings().empty()) CHECK(count >= 8);
}
