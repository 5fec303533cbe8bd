// The recorded exchanges of OpenAI-compatible vendors and of Ollama, through both ways. Not part of the project: without them this says so
// and passes.
#include <iostream>

#include "catch.h"
#include "dialects/fields.h"
#include "dialects/usage.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

namespace {

std::vector<std::string_view> pieces_of(const Recording& r) {
  std::vector<std::string_view> pieces;
  std::string_view rest = r.body;
  for (size_t size : r.chunk_sizes) {
    pieces.push_back(rest.substr(0, std::min(size, rest.size())));
    rest.remove_prefix(pieces.back().size());
  }
  if (!rest.empty()) pieces.push_back(rest);
  return pieces;
}

int64_t choices_of(const Recording& r) { return find_member(JsonValue(r.request), "n").integer().value_or(1); }

// Streams that end badly, by what the recording shows of them.
bool ends_badly(const Recording& r) {
  if (r.fidelity == "pasted") return true;  // fragments
  return r.body.find("data: {\"error\"") != std::string::npos || r.body.find("\"error\":{\"code\":400") != std::string::npos ||
         r.body.find("\nerror:") != std::string::npos;
}

}  // namespace

TEST_CASE("recorded streams are relayed byte for byte") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "chat/completions" || !r.is_stream()) continue;
    INFO(r.provider << "/" << r.name);
    ++count;
    const Recorder seen = feed("openai", true, pieces_of(r), choices_of(r));
    std::string sent = r.body;
    if (ends_badly(r)) {
      // Up to the frame that complains, or all of a fragment.
      CHECK(sent.substr(0, seen.bytes().size()) == seen.bytes());
      CHECK((r.fidelity == "pasted" || seen.errors.size() == 1));
      continue;
    }
    for (const Error& e : seen.errors) INFO(e.message);
    CHECK(seen.errors.empty());
    if (seen.bytes().size() > sent.size()) sent += sent.back() == '\n' ? "\n" : "\n\n";  // the last event lacked its blank line
    CHECK(seen.bytes() == sent);
    CHECK(!seen.finishes.empty() == (r.body.find("\"finish_reason\":\"") != std::string::npos || r.body.find("\"finish_reason\": \"") != std::string::npos));
    const Answer loose = read_loosely(r.body);
    const auto usage = seen.last_usage();
    CHECK(usage.has_value() == loose.usage.has_value());
    if (usage && loose.usage) CHECK(print(*usage) == print(*loose.usage));
  }
  if (count == 0) std::cerr << "no recorded streams\n";
  else CHECK(count > 150);
}

TEST_CASE("recorded streams say the same byte by byte") {
  for (const Recording& r : recordings()) {
    if (r.endpoint != "chat/completions" || !r.is_stream() || r.body.size() > 64 * 1024) continue;
    INFO(r.provider << "/" << r.name);
    const std::string_view body = r.body;
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < body.size(); ++i) bytes.push_back(body.substr(i, 1));
    for (bool relay : {true, false}) {
      const std::string whole = feed("openai", relay, {body}, choices_of(r)).summary(), cut = feed("openai", relay, bytes, choices_of(r)).summary();
      CHECK((whole == cut));
    }
  }
}

TEST_CASE("recorded streams, translated and written again, say the same in OpenAI's own grammar") {
  for (const Recording& r : recordings()) {
    if (r.endpoint != "chat/completions" || !r.is_stream()) continue;
    INFO(r.provider << "/" << r.name);
    const Recorder seen = feed("openai", false, pieces_of(r), choices_of(r));
    if (ends_badly(r)) continue;
    if (r.name.find("f112a6-0") != std::string::npos) continue;  // two answers in one file
    for (const Error& e : seen.errors) INFO(e.message);
    REQUIRE(seen.errors.empty());
    const Answer events = answer_of(seen);
    const Answer loose = read_loosely(r.body);

    auto client = dialect("openai")->new_client_codec();
    const std::string request = R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}})";
    REQUIRE(client->scan(request).ok());
    std::string sse;
    tell(seen.events, *client, sse);
    client->encode_end(sse);
    const Answer again = read_strict(sse);
    CHECK(again.done);
    CHECK(again.ids.size() == 1);
    CHECK(again.models.size() == 1);
    CHECK(again.usage.has_value() == loose.usage.has_value());
    if (again.usage && loose.usage) CHECK(print(*again.usage) == print(*loose.usage));
    for (const auto& [index, expected] : loose.choices) {
      REQUIRE(again.choices.count(index) == 1);
      const Answer::Choice& got = again.choices.at(index);
      CHECK(got.text == expected.text);
      CHECK(got.reasoning == expected.reasoning);
      CHECK(got.refusal == expected.refusal);
      CHECK(got.finishes == 1);
      CHECK(got.calls == events.choices.at(index).calls);
      std::string names, arguments;
      for (const Answer::Call& call : got.calls) {
        names += call.name;
        arguments += call.arguments;
        CHECK(wire::validate(call.arguments));
      }
      if (expected.calls.empty()) {
        CHECK(got.calls.empty());
        continue;
      }
      CHECK(names == expected.calls[0].name);
      if (expected.calls[0].arguments.empty()) CHECK(arguments == "{}");
      else CHECK(arguments == expected.calls[0].arguments);
    }
  }
}

namespace {

// A message's content as one thing: a lone text part and a string mean the same.
std::string normal_content(JsonValue content) {
  std::string text;
  bool only_text = content.is_array();
  for (JsonValue part : JsonElements(content)) {
    int members = 0;
    for (const JsonMember& m : JsonMembers(part)) members += m.value.is_null() ? 0 : 1;
    only_text = only_text && find_member(part, "type").equals("text") && members == 2;
  }
  int count = 0;
  for (JsonValue part : JsonElements(content)) {
    ++count;
    text = find_member(part, "text").string_or();
  }
  if (only_text && count == 1) {
    std::string out = "\"" + text + "\"";
    return out;
  }
  if (content.is_string()) return "\"" + content.string_or() + "\"";
  std::string out;
  for (JsonValue part : JsonElements(content)) {
    const JsonValue url = find_member(part, "image_url");
    if (url.is_string()) out += canonical(R"({"type":"image_url","image_url":{"url":)" + std::string(url.raw()) + "}}");
    else out += canonical(part);
  }
  return out;
}

std::string normal_message(JsonValue message) {
  std::string out;
  std::map<std::string, std::string> members;
  for (const JsonMember& m : JsonMembers(message)) {
    if (m.value.is_null() || (m.key == "content" && m.value.equals(""))) continue;
    if (m.value.empty_container()) continue;
    std::string text = m.key == "content" ? normal_content(m.value) : canonical(m.value);
    // The position of a call is its index.
    if (const size_t at = text.find("\"index\":0,"); m.key == "tool_calls" && at != std::string::npos) text.erase(at, 10);
    members[std::string(m.key)] = text;
  }
  for (auto& [key, text] : members) out += key + "=" + text + ";";
  return out;
}

std::map<std::string, std::string> normal_request(std::string_view body) {
  std::map<std::string, std::string> members;
  for (const JsonMember& m : JsonMembers(JsonValue(body))) {
    if (m.value.is_null()) continue;
    std::string key(m.key), text = canonical(m.value);
    if (key == "messages") {
      text.clear();
      for (JsonValue message : JsonElements(m.value)) text += normal_message(message) + "\n";
    } else if (key == "max_completion_tokens") {
      key = "max_tokens";
    } else if (key == "response_format" && !find(m.value, "json_schema", "name").exists() && find(m.value, "json_schema").exists()) {
      text.insert(text.find("{\"schema\""), "{\"name\":\"answer\",");  // it has to have one
      text.erase(text.find(",{\"schema\"") + 1, 1);
    } else if (key == "stop" && m.value.is_string()) {
      text = "[" + text + ",]";
    } else if (key == "stream_options" || (key == "stream" && m.value.raw() == "false")) {
      continue;
    }
    if (text != "[]") members[key] = text;
  }
  return members;
}

}  // namespace

TEST_CASE("recorded requests are understood, spliced in the model alone, and mean the same when written again") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "chat/completions" || r.request.empty() || r.request[0] != '{') continue;
    INFO(r.provider << "/" << r.name);
    auto client = dialect("openai")->new_client_codec();
    auto facts = client->scan(r.request);
    if (r.status == 400 || r.status == 422) continue;  // some of those were wrong on purpose
    if (!facts) {
      // One that no server took, sent to see it refused; two that leave `messages` out, for an endpoint that was not this one.
      INFO(facts.error().message);
      CHECK(r.status != 200);
      continue;
    }
    ++count;
    CHECK(facts->input_tokens > 0);
    // Relay: nothing but the model's name, when nothing else has to be asked for.
    auto relayed = relay_request("openai", r.request, provider({"no_stream_options"}), {}, facts->model);
    REQUIRE(relayed.ok());
    if (!find_member(JsonValue(r.request), "stream_options").exists()) CHECK(relayed->body == r.request);
    auto spliced = relay_request("openai", r.request);
    REQUIRE(spliced.ok());
    CHECK(find_member(JsonValue(spliced->body), "model").equals("upstream-model"));
    // Translate.
    auto again = translate_request("openai", "openai", r.request, provider(), facts->model);
    REQUIRE(again.ok());
    const auto was = normal_request(r.request), is = normal_request(again->body);
    CHECK(was.size() == is.size());
    for (const auto& [key, text] : was) {
      INFO(key);
      CHECK((is.count(key) == 1 ? is.at(key) : "") == text);
    }
  }
  if (!recordings().empty()) CHECK(count > 250);
}

TEST_CASE("recorded whole answers mean the same when written again") {
  int count = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "chat/completions" || r.status != 200 || r.is_stream()) continue;
    INFO(r.provider << "/" << r.name);
    auto codec = reading("openai", false);
    auto facts = codec->inspect(r.body);
    auto response = codec->decode(r.body);
    const JsonValue root(r.body);
    if (find_member(root, "error").exists() || find(root, "choices", 0, "error").exists()) {
      CHECK(!facts.ok());
      CHECK(!response.ok());
      continue;
    }
    REQUIRE(facts.ok());
    REQUIRE(response.ok());
    ++count;
    CHECK(print(facts->usage) == print(response->usage));
    CHECK(facts->finish == response->choices.front().finish);
    auto client = dialect("openai")->new_client_codec();
    std::string out;
    client->encode_response(*response, out);
    REQUIRE(wire::validate(out));
    const JsonValue again(out);
    size_t i = 0;
    for (JsonValue choice : JsonElements(find_member(root, "choices"))) {
      const JsonValue was = find_member(choice, "message"), is = find(again, "choices", i, "message");
      ++i;
      if (!find_member(was, "content").is_array()) CHECK(dialects::text_of_value(find_member(is, "content")) == dialects::text_of_value(find_member(was, "content")));
      const std::string reasoning = find_member(was, "reasoning_content").nonempty_string() ? find_member(was, "reasoning_content").string_or()
                                                                                         : find_member(was, "reasoning").string_or();
      if (!reasoning.empty()) CHECK(find_member(is, "reasoning_content").string_or() == reasoning);
      size_t calls = 0;
      for (JsonValue call : JsonElements(find_member(was, "tool_calls"))) {
        const JsonValue written = find(is, "tool_calls", calls++);
        CHECK(find(written, "function", "name").string_or() == find(call, "function", "name").string_or());
        CHECK(canonical(find(written, "function", "arguments").string_or()) == canonical(dialects::text_of_value(find(call, "function", "arguments"))));
        CHECK(find_member(written, "id").string_or().size() > 1);
      }
    }
    TokenUsage before, after;
    const bool had = dialects::read_usage(dialects::find_usage(root), before);
    CHECK(dialects::read_usage(find_member(again, "usage"), after) == had);
    CHECK(print(after) == print(before));
    // Nothing a vendor said is lost.
    for (const JsonMember& m : JsonMembers(root)) {
      if (!m.value.is_null() && !(m.key == "service_tier" && m.value.equals("")) && !(m.key == "system_fingerprint" && m.value.equals(""))) {
        INFO(m.key);
        CHECK(find_member(again, m.key).exists());
      }
    }
  }
  if (!recordings().empty()) CHECK(count > 80);
}
