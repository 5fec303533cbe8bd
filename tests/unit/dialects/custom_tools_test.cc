// Tools that take any text instead of JSON: what they are in each dialect, and how their calls come back.
#include "dialects/custom_tools.h"

#include <algorithm>
#include <utility>

#include "catch.h"
#include "support.h"
#include "wire/json_writer.h"
#include "wire/sse.h"

using namespace dialect_test;
using dialects::InputReader;
using dialects::InputWriter;
using wire::find;
using wire::find_member;
using wire::JsonValue;

namespace {

const std::string kInput = "*** Begin \"Patch\"\n\\ \xf0\x9f\x98\x80\t*** End";

std::string quoted(std::string_view text) {
  std::string out;
  wire::append_json_string(out, text);
  return out;
}

// A request of a client that has a tool `patch`, with one call of it in the history.
std::string chat_request(const std::string& format = "", const std::string& more = "") {
  return R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"custom","custom":{"name":"patch","input":)" +
         quoted(kInput) + R"(}}]},{"role":"tool","tool_call_id":"call_1","content":"done"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},)" +
         R"({"type":"custom","custom":{"name":"patch","description":"d")" + (format.empty() ? "" : ",\"format\":" + format) + "}}]" + more + "}";
}
std::string responses_request(const std::string& format = "", const std::string& more = "") {
  return R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"custom_tool_call","call_id":"call_1","name":"patch","input":)" + quoted(kInput) +
         R"(},{"type":"custom_tool_call_output","call_id":"call_1","output":"done"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}},)" +
         R"({"type":"custom","name":"patch","description":"d")" + (format.empty() ? "" : ",\"format\":" + format) + "}]" + more + "}";
}

Result<Encoded> ask(std::string_view client, std::string_view upstream, const std::string& body, std::vector<std::string> quirks = {}) {
  ProviderConfig config = provider(std::move(quirks));
  if (upstream == "bedrock") config.region = "eu-west-1";
  return translate_request(client, upstream, body, config);
}

// A call in pieces, with another beside it, told to a client of this dialect.
std::string told(std::string_view client_name, const std::string& request, const std::string& arguments, size_t step, bool function_first) {
  auto client = dialect(client_name)->new_client_codec();
  REQUIRE(client->scan(request).ok());
  REQUIRE(client->decode().ok());
  std::string out;
  StreamEvent event;
  const auto begin = [&](int64_t index, const char* id, const char* name) {
    event = StreamEvent();
    event.kind = StreamEvent::Kind::kToolCallBegin;
    event.tool_index = index;
    event.id = id;
    event.name = name;
    client->encode_event(event, out);
  };
  const auto pieces = [&](int64_t index, std::string_view text) {
    for (size_t at = 0; at < text.size(); at += step) {
      event = StreamEvent();
      event.kind = StreamEvent::Kind::kToolCallDelta;
      event.tool_index = index;
      event.arguments = text.substr(at, step);
      client->encode_event(event, out);
    }
  };
  const int64_t custom = function_first ? 1 : 0;
  if (function_first) begin(0, "call_f", "f"), pieces(0, R"({"x":1})");
  begin(custom, "call_2", "patch");
  pieces(custom, arguments);
  if (!function_first) begin(1, "call_f", "f"), pieces(1, R"({"x":1})");
  event = StreamEvent();
  event.kind = StreamEvent::Kind::kFinish;
  event.finish = FinishReason::kToolCalls;
  client->encode_event(event, out);
  client->encode_end(out);
  return out;
}

// The calls of a stream in chat's grammar: "custom patch TEXT", "function f JSON".
std::vector<std::string> chat_calls(const std::string& sse) {
  std::vector<std::string> calls;
  wire::SseParser parser;
  parser.feed(sse);
  wire::SseFrame frame;
  while (parser.next(frame) == wire::SseParser::Next::kFrame) {
    for (JsonValue entry : wire::JsonElements(find(JsonValue(frame.data), "choices", 0, "delta", "tool_calls"))) {
      const auto index = static_cast<size_t>(find_member(entry, "index").integer().value_or(-1));
      const JsonValue type = find_member(entry, "type"), custom = find_member(entry, "custom"), function = find_member(entry, "function");
      CHECK(custom.exists() != function.exists());
      if (type.exists()) {
        REQUIRE(index == calls.size());
        CHECK(find_member(entry, "id").nonempty_string());
        calls.push_back(type.string_or() + " " + find_member(custom.exists() ? custom : function, "name").string_or() + " ");
      }
      REQUIRE(index < calls.size());
      CHECK(calls[index].compare(0, 6, custom.exists() ? "custom" : "functi") == 0);
      calls[index] += find_member(custom, "input").string_or() + find_member(function, "arguments").string_or();
    }
  }
  return calls;
}

}  // namespace

TEST_CASE("a custom tool is a function of one text for dialects without, history and choice alike") {
  for (const char* client : {"openai", "responses"}) {
    const bool chat = std::string_view(client) == "openai";
    const std::string choice = chat ? R"(,"tool_choice":{"type":"custom","custom":{"name":"patch"}})" : R"(,"tool_choice":{"type":"custom","name":"patch"})";
    for (const char* upstream : {"openai", "responses", "anthropic", "gemini", "ollama", "cohere", "bedrock"}) {
      if (std::string_view(upstream) == client || (chat && std::string_view(upstream) == "responses")) continue;
      INFO(client << " to " << upstream);
      const bool names = std::string_view(upstream) != "ollama";
      auto out = ask(client, upstream, chat ? chat_request("", names ? choice : "") : responses_request("", names ? choice : ""));
      if (!out) FAIL(out.error().message);
      CHECK(out->request.dropped.empty());
      CHECK(out->body.find("custom") == std::string::npos);
      CHECK(out->body.find("\"input\"") != std::string::npos);
      CHECK(out->body.find("done") != std::string::npos);
      const JsonValue root(out->body);
      const std::string_view name = upstream;
      if (name == "openai") {
        CHECK(canonical(find(root, "tools", 1, "function", "parameters")) == canonical(dialects::kCustomParameters));
        CHECK(find(root, "messages", 1, "tool_calls", 0, "function", "arguments").string_or() == dialects::arguments_of_input(kInput));
        CHECK(find(root, "tool_choice", "function", "name").equals("patch"));
      } else if (name == "anthropic") {
        CHECK(find(root, "tools", 1, "input_schema", "properties", "input", "type").equals("string"));
        CHECK(find(root, "messages", 1, "content", 0, "input", "input").string_or() == kInput);
        CHECK(find(root, "tool_choice", "name").equals("patch"));
      } else if (name == "gemini") {
        CHECK(find(root, "contents", 1, "parts", 0, "functionCall", "args", "input").string_or() == kInput);
      }
    }
  }
}

TEST_CASE("a custom tool goes from chat to Responses and back as what it is, grammar included") {
  const std::string nested = R"({"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"x\""}})", flat = R"({"type":"grammar","syntax":"lark","definition":"start: \"x\""})";
  auto out = ask("openai", "responses", chat_request(nested, R"(,"tool_choice":{"type":"custom","custom":{"name":"patch"}})"));
  if (!out) FAIL(out.error().message);
  JsonValue root(out->body);
  CHECK(canonical(find(root, "tools", 1)) == canonical(R"({"type":"custom","name":"patch","description":"d","format":)" + flat + "}"));
  CHECK(canonical(find(root, "input", 1)) == canonical(R"({"type":"custom_tool_call","call_id":"call_1","name":"patch","input":)" + quoted(kInput) + "}"));
  CHECK(find(root, "input", 2, "type").equals("custom_tool_call_output"));
  CHECK(canonical(find_member(root, "tool_choice")) == canonical(R"({"type":"custom","name":"patch"})"));

  out = ask("responses", "openai", responses_request(flat, R"(,"tool_choice":{"type":"custom","name":"patch"})"), {"custom_tools"});
  if (!out) FAIL(out.error().message);
  root = JsonValue(out->body);
  CHECK(canonical(find(root, "tools", 1)) == canonical(R"({"type":"custom","custom":{"name":"patch","description":"d","format":)" + nested + "}}"));
  CHECK(canonical(find(root, "messages", 1, "tool_calls", 0)) == canonical(R"({"id":"call_1","type":"custom","custom":{"name":"patch","input":)" + quoted(kInput) + "}}"));
  CHECK(canonical(find_member(root, "tool_choice")) == canonical(R"({"type":"custom","custom":{"name":"patch"}})"));

  // In its own dialect nothing changes.
  for (const auto& [client, body] : {std::pair<std::string, std::string>("openai", chat_request(nested)), {"responses", responses_request(flat)}}) {
    INFO(client);
    auto own = ask(client, client, body);
    REQUIRE(own.ok());
    for (const char* member : {"tools", "messages", "input"}) CHECK(canonical(find_member(JsonValue(own->body), member)) == canonical(find_member(JsonValue(body), member)));
  }
}

TEST_CASE("quirk custom_tools: a grammar goes to who holds a model to it; others hear of it in words, and it is named") {
  const std::string nested = R"({"type":"grammar","grammar":{"syntax":"regex","definition":"a+"}})", flat = R"({"type":"grammar","syntax":"regex","definition":"a+"})";
  for (const char* upstream : {"openai", "anthropic", "gemini", "ollama", "cohere", "bedrock"}) {
    INFO(upstream);
    for (const bool chat : {true, false}) {
      if (chat && std::string_view(upstream) == "openai") continue;
      auto asked = chat ? ask("openai", upstream, chat_request(nested)) : ask("responses", upstream, responses_request(flat));
      REQUIRE(asked.ok());
      CHECK(asked->body.find(R"(d\n\nThe input is plain text that follows this regex grammar:\na+")") != std::string::npos);
      CHECK(asked->request.dropped == std::vector<std::string>{"tools.format"});
    }
    if (std::string_view(upstream) != "openai") CHECK(ask("openai", upstream, chat_request(R"({"type":"text"})"))->request.dropped.empty());
  }
  // A format of tomorrow is refused as a tool that is no function is.
  auto tomorrow = ask("openai", "anthropic", chat_request(R"({"type":"hologram"})"));
  REQUIRE(!tomorrow.ok());
  CHECK(tomorrow.error().message.find("custom") != std::string::npos);
}

TEST_CASE("a call of a custom tool is told to its client as one, in any pieces") {
  const std::string arguments = dialects::arguments_of_input(kInput);
  std::string spaced = " {\n \"input\" : ";
  for (char c : arguments.substr(9)) spaced += c;
  for (const std::string& form : {arguments, spaced, std::string(R"({"input":"*** Begin \u0022Patch\u0022\n\\ \ud83d\ude00\t*** \u0045nd"})")}) {
    for (size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{7}, form.size()}) {
      for (bool function_first : {true, false}) {
        INFO(form << " by " << step);
        const std::string chat = told("openai", chat_request(), form, step, function_first);
        const std::vector<std::string> expected = function_first ? std::vector<std::string>{R"(function f {"x":1})", "custom patch " + kInput}
                                                                 : std::vector<std::string>{"custom patch " + kInput, R"(function f {"x":1})"};
        CHECK(chat_calls(chat) == expected);
        const Answer answer = read_strict_responses(told("responses", responses_request(), form, step, function_first));
        REQUIRE(answer.choices.at(0).calls.size() == 2);
        CHECK(answer.choices.at(0).calls[function_first ? 1 : 0] == Answer::Call{"call_2", "patch", kInput});
      }
    }
  }
  // A model that does not keep to the function's shape: what it said is the text; nothing said is an empty one.
  for (const auto& [said, input] : {std::pair<std::string, std::string>(R"({"patch": "x"})", R"({"patch": "x"})"), {R"({"input": 5})", R"({"input":5})"}, {"plain", "plain"}, {"{}", ""}, {"{ }", ""}, {R"({"input":""})", ""}}) {
    INFO(said);
    const std::vector<std::string> calls = chat_calls(told("openai", chat_request(), said, 1, false));
    REQUIRE(calls.size() == 2);
    std::string compact = calls[0];
    if (said == R"({"input": 5})") compact.erase(std::remove(compact.begin() + 13, compact.end(), ' '), compact.end());
    CHECK(compact == "custom patch " + input);
  }
}

TEST_CASE("a whole answer calls a custom tool as one") {
  const std::string arguments = dialects::arguments_of_input(kInput);
  ChatResponse response;
  Choice& choice = response.choices.emplace_back();
  choice.finish = FinishReason::kToolCalls;
  for (const char* name : {"patch", "f"}) {
    ToolCall& call = choice.message.tool_calls.emplace_back();
    call.id = std::string("call_") + name;
    call.name = name;
    call.arguments = arguments;
  }
  for (const char* dialect_name : {"openai", "responses"}) {
    INFO(dialect_name);
    const bool chat = std::string_view(dialect_name) == "openai";
    const std::string request = chat ? chat_request() : responses_request();
    auto client = dialect(dialect_name)->new_client_codec();
    REQUIRE(client->scan(request).ok());
    REQUIRE(client->decode().ok());
    std::string out;
    client->encode_response(response, out);
    const JsonValue root(out);
    const JsonValue call = chat ? find(root, "choices", 0, "message", "tool_calls", 0) : find(root, "output", 0);
    CHECK(find_member(call, "type").equals(chat ? "custom" : "custom_tool_call"));
    CHECK((chat ? find(call, "custom", "input") : find_member(call, "input")).string_or() == kInput);
    const JsonValue function = chat ? find(root, "choices", 0, "message", "tool_calls", 1) : find(root, "output", 1);
    CHECK((chat ? find(function, "function", "arguments") : find_member(function, "arguments")).string_or() == arguments);
  }
}

TEST_CASE("an upstream's own custom calls, streamed and whole, become calls with one text") {
  const auto chunk = [](const std::string& delta, const char* finish = "null") {
    return R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" + delta + ",\"finish_reason\":" + finish + "}]}\n\n";
  };
  const std::string stream = chunk(R"({"role":"assistant","content":null})") +
                             chunk(R"({"tool_calls":[{"index":0,"id":"call_1","type":"custom","custom":{"name":"patch","input":""}}]})") +
                             chunk(R"({"tool_calls":[{"index":0,"custom":{"input":"*** \"a"}}]})") + chunk(R"({"tool_calls":[{"index":0,"custom":{"input":"\nb"}}]})") +
                             chunk(R"({"tool_calls":[{"index":1,"id":"call_2","type":"custom","custom":{"name":"empty","input":""}}]})") + chunk("{}", "\"tool_calls\"") +
                             "data: [DONE]\n\n";
  const Both both = read_cut("openai", stream, 7);
  CHECK(both.relay.bytes() == stream);
  CHECK(both.answer.choices.at(0).calls == std::vector<Answer::Call>{{"call_1", "patch", R"({"input":"*** \"a\nb"})"}, {"call_2", "empty", R"({"input":""})"}});
  CHECK(both.answer.choices.at(0).finish == "tool_calls");

  auto codec = reading("openai", false);
  const auto whole = codec->decode(R"({"id":"c","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[)"
                                   R"({"id":"call_1","type":"custom","custom":{"name":"patch","input":"a\"b"}}]}}]})");
  REQUIRE(whole.ok());
  const ToolCall& call = whole->choices.at(0).message.tool_calls.at(0);
  CHECK((call.custom && call.name == "patch" && call.arguments == R"({"input":"a\"b"})"));
}

TEST_CASE("the input of a call in pieces holds no more than an escape that is not whole") {
  InputWriter writer;
  std::string arguments;
  writer.piece("a\"", arguments);
  writer.piece("", arguments);
  writer.piece("\n", arguments);
  writer.finish(arguments);
  writer.finish(arguments);
  writer.piece("late", arguments);
  CHECK(arguments == R"({"input":"a\"\n"})");
  // Each piece but the tail of an escape is told at once.
  InputReader reader;
  std::string input;
  reader.feed(R"({"input":"abc\)", input);
  CHECK(input == "abc");
  reader.feed("u00", input);
  CHECK(input == "abc");
  reader.feed("41\\ud83d", input);
  CHECK(input == "abcA");
  reader.feed("\\ude00z", input);
  CHECK(input == "abcA\xf0\x9f\x98\x80z");
  reader.feed("\", \"more\": 1}", input);
  reader.finish(input);
  CHECK(input == "abcA\xf0\x9f\x98\x80z");
  // Cut in the middle: what there was.
  CHECK(dialects::input_of_arguments(R"({"input":"ab\u00)") == "ab\\u00");
  CHECK(dialects::input_of_arguments(R"({"inp)") == R"({"inp)");
  CHECK(dialects::input_of_arguments("") == "");
}
