// Streamed tool calls with other things between their pieces, and calls that a vendor tells apart badly: nobody gets cut arguments with a clean end.
#include "catch.h"
#include "support.h"
#include "wire/json_writer.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" + delta + ",\"finish_reason\":" + finish + "}]}\n\n";
}
std::string call(int index, const std::string& id, const std::string& name, const std::string& arguments) {
  std::string out = R"({"tool_calls":[{"index":)" + std::to_string(index);
  if (!id.empty()) out += R"(,"id":")" + id + R"(","type":"function")";
  out += ",\"function\":{";
  if (!name.empty()) out += R"("name":")" + name + "\",";
  out += "\"arguments\":";
  wire::append_json_string(out, arguments);
  return out + "}}]}";
}
const std::string kEnd = chunk("{}", R"("tool_calls")") + "data: [DONE]\n\n";

// What a client that expects one block at a time makes of a stream, in order: "text:words", "thinking:words", "name(arguments)"; closed blocks alone count.
// The dialects name their events differently.
std::vector<std::string> told(std::string_view client, std::string_view sse) {
  std::vector<std::string> out;
  std::string open;
  bool is_call = false;
  while (!sse.empty()) {
    const size_t end = sse.find("\n\n"), at = sse.find("data: ");
    REQUIRE(end != std::string_view::npos);
    const std::string_view data = sse.substr(at + 6, end - at - 6);
    sse.remove_prefix(end + 2);
    if (data == "[DONE]") continue;
    REQUIRE(wire::validate(data));
    const JsonValue root(data), type = find_member(root, "type");
    if (client == "anthropic") {
      if (type.equals("content_block_start")) {
        REQUIRE(open.empty());
        const JsonValue block = find_member(root, "content_block");
        is_call = find_member(block, "type").equals("tool_use");
        open = is_call ? find_member(block, "name").string_or() + "(" : find_member(block, "type").string_or() + ":";
      } else if (type.equals("content_block_delta")) {
        REQUIRE(!open.empty());
        for (const char* member : {"text", "thinking", "partial_json"}) open += find(root, "delta", member).string_or();
      } else if (type.equals("content_block_stop")) {
        out.push_back(open + (is_call ? ")" : ""));
        open.clear();
      }
      continue;
    }
    const JsonValue message = find(root, "delta", "message");
    if (type.equals("content-start") || type.equals("tool-call-start")) {
      REQUIRE(open.empty());
      is_call = type.equals("tool-call-start");
      open = is_call ? find(message, "tool_calls", "function", "name").string_or() + "(" : find(message, "content", "type").string_or() + ":";
    } else if (type.equals("content-delta")) {
      REQUIRE((!open.empty() && !is_call));
      for (const char* member : {"text", "thinking"}) open += find(message, "content", member).string_or();
    } else if (type.equals("tool-call-delta")) {
      REQUIRE((!open.empty() && is_call));
      open += find(message, "tool_calls", "function", "arguments").string_or();
    } else if (type.equals("content-end") || type.equals("tool-call-end")) {
      out.push_back(open + (is_call ? ")" : ""));
      open.clear();
    }
  }
  CHECK(open.empty());
  return out;
}

std::vector<std::string> translated(std::string_view client, const std::string& stream) {
  const Recorder seen = feed("openai", false, {stream});
  REQUIRE(seen.errors.empty());
  const std::string request = client == "anthropic" ? R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"q"}]})"
                                                    : R"({"model":"m","stream":true,"messages":[{"role":"user","content":"q"}]})";
  return told(client, write_again(client, request, seen));
}

}  // namespace

TEST_CASE("what is said between the pieces of a call waits until the call is whole") {
  using Told = std::vector<std::string>;
  const std::string begun = chunk(call(0, "call_1", "weather", "{\"city\":")), rest = chunk(call(0, "", "", "\"P\"}"));
  for (const std::string_view client : {"anthropic", "cohere"}) {
    INFO(client);
    CHECK(translated(client, begun + chunk(R"({"content":"zz"})") + rest + kEnd) == Told{"weather({\"city\":\"P\"})", "text:zz"});
    CHECK(translated(client, begun + chunk(R"({"reasoning_content":"hm"})") + chunk(R"({"content":"z"})") + chunk(R"({"content":"y"})") + rest + chunk(R"({"content":"x"})") + kEnd) ==
          Told{"weather({\"city\":\"P\"})", "thinking:hm", "text:zyx"});
    // Two calls that come in turns, with words between.
    CHECK(translated(client, begun + chunk(call(1, "call_2", "time", "{\"z\"")) + chunk(R"({"content":"zz"})") + rest + chunk(call(1, "", "", ":1}")) + kEnd) ==
          Told{"weather({\"city\":\"P\"})", "time({\"z\":1})", "text:zz"});
    // Words first, a whole call, words, another call.
    CHECK(translated(client, chunk(R"({"content":"a"})") + begun + rest + chunk(R"({"content":"b"})") + chunk(call(1, "call_2", "time", "{}")) + kEnd) ==
          Told{"text:a", "weather({\"city\":\"P\"})", "text:b", "time({})"});
    // A call without arguments is whole at the end.
    CHECK(translated(client, chunk(call(0, "call_1", "now", "")) + chunk(R"({"content":"b"})") + kEnd) == Told{"now({})", "text:b"});
  }
}

TEST_CASE("a call that never ends while the answer goes on is an error when too much waits for it, and not a clean end") {
  const std::string piece(1 << 20, 'x');
  for (const std::string name : {"anthropic", "cohere"}) {
    INFO(name);
    const std::unique_ptr<ClientCodec> client = dialect(name)->new_client_codec();
    const std::string request = R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"q"}]})";
    REQUIRE(client->scan(request).ok());
    StreamEvent event;
    event.kind = StreamEvent::Kind::kToolCallBegin;
    event.id = "call_1";
    event.name = "f";
    event.arguments = "{";
    std::string out;
    client->encode_event(event, out);
    event = StreamEvent();
    event.kind = StreamEvent::Kind::kText;
    event.text = piece;
    for (int i = 0; i < 70; ++i) client->encode_event(event, out);
    std::string after;
    client->encode_event(event, after);
    client->encode_end(after);
    CHECK(after.empty());
    CHECK(out.find("waits for a tool call that does not end") != std::string::npos);
    CHECK(out.find("message_stop") == std::string::npos);
    CHECK(out.find("TOOL_CALL\"") == std::string::npos);
  }
}

TEST_CASE("quirk: whole calls with the same index and the same id are different calls") {
  const auto calls = [](const std::string& stream) {
    const Both both = read_cut("openai", stream);
    REQUIRE(both.translated.errors.empty());
    std::string out;
    for (const Answer::Call& c : both.answer.choices.at(0).calls) out += c.name + c.arguments + " ";
    REQUIRE(!both.answer.choices.at(0).calls.empty());
    return out;
  };
  const std::string city = chunk(call(0, "0", "weather", "{\"city\":\"P\"}"));
  CHECK(calls(city + chunk(call(0, "0", "now", "{}")) + kEnd) == "weather{\"city\":\"P\"} now{} ");
  CHECK(calls(city + chunk(call(0, "0", "weather", "{\"city\":\"Q\"}")) + kEnd) == "weather{\"city\":\"P\"} weather{\"city\":\"Q\"} ");
  CHECK(calls(city + chunk(call(0, "0", "now", "{\"z\"")) + chunk(call(0, "0", "now", ":1}")) + kEnd) == "weather{\"city\":\"P\"} now{\"z\":1} ");
  // Id and name repeated on every piece, the last of them empty: one call.
  CHECK(calls(chunk(call(0, "a1", "f", "{\"a\":")) + chunk(call(0, "a1", "f", "{}")) + chunk(call(0, "a1", "f", "}")) + chunk(call(0, "a1", "f", "")) + kEnd) == "f{\"a\":{}} ");
}
