// What single vendors of the chat dialect want otherwise in translated requests, Azure's addresses, and signatures for OpenAI's clients.
#include <algorithm>

#include "catch.h"
#include "dialects/signature.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

// A request of a Responses client, for a server with these quirks.
Encoded to_vendor(std::vector<std::string> quirks, const std::string& members) {
  auto out = translate_request("responses", "openai", "{\"model\":\"m\",\"input\":\"q\"," + members + "}", provider(std::move(quirks)));
  INFO((out.ok() ? "" : out.error().message));
  REQUIRE(out.ok());
  return std::move(*out);
}

std::string member_of(const Encoded& e, const char* name) { return std::string(find_member(JsonValue(e.body), name).raw()); }
bool dropped(const Encoded& e, const std::string& name) { return std::find(e.request.dropped.begin(), e.request.dropped.end(), name) != e.request.dropped.end(); }

const char* const kLow = R"("reasoning":{"effort":"low"})";
const char* const kNone = R"("reasoning":{"effort":"none"})";

// An answer that was begun, for a server with these quirks.
Encoded begun(std::vector<std::string> quirks, bool foreign = true, const RawMembers& extras = {}) {
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.messages.emplace_back().role = Role::kAssistant;
  chat.messages.back().parts.push_back(Part::of_text("So far"));
  chat.reasoning_effort = "none";
  chat.extras = extras;
  ProviderConfig config = provider(std::move(quirks));
  config.base_url = "https://api.vendor.test/v1";
  EncodeInput input;
  input.chat = &chat;
  input.foreign = foreign;
  input.prefill = true;
  input.stream = true;
  input.provider = &config;
  input.upstream_model = "m";
  Encoded out;
  REQUIRE(dialect("openai")->new_upstream_codec()->encode(input, out.request).ok());
  for (std::string_view piece : out.request.http.body) out.body += piece;
  return out;
}
std::string last_message(const Encoded& e) { return std::string(find(JsonValue(e.body), "messages", 1).raw()); }

// A neutral request, written.
Encoded write(const ChatRequest& chat, std::vector<std::string> quirks, bool foreign = true) {
  Encoded out;
  const ProviderConfig config = provider(std::move(quirks));
  EncodeInput input;
  input.chat = &chat;
  input.foreign = foreign;
  input.provider = &config;
  input.upstream_model = "m";
  REQUIRE(dialect("openai")->new_upstream_codec()->encode(input, out.request).ok());
  for (std::string_view piece : out.request.http.body) out.body += piece;
  return out;
}

}  // namespace

TEST_CASE("quirk thinking_type: on and off, and the effort beside it") {
  const Encoded low = to_vendor({"thinking_type"}, kLow), none = to_vendor({"thinking_type"}, kNone);
  CHECK(member_of(low, "thinking") == R"({"type":"enabled"})");
  CHECK(member_of(low, "reasoning_effort") == "\"low\"");
  CHECK(member_of(none, "thinking") == R"({"type":"disabled"})");
  CHECK(member_of(none, "reasoning_effort").empty());
  CHECK(member_of(to_vendor({"thinking_type"}, R"("user":"u")"), "thinking").empty());
}

TEST_CASE("quirks prefill, prefill_prefix, prefill_partial, prefill_continue, prefill_at_beta: each vendor's way to go on") {
  const std::string plain = R"({"role":"assistant","content":"So far"})";
  CHECK(last_message(begun({"prefill"})) == plain);
  CHECK(last_message(begun({"prefill_prefix"})) == R"({"role":"assistant","content":"So far","prefix":true})");
  CHECK(last_message(begun({"prefill_partial"})) == R"({"role":"assistant","content":"So far","partial":true})");
  const Encoded vllm = begun({"prefill_continue"});
  CHECK(last_message(vllm) == plain);
  CHECK(member_of(vllm, "continue_final_message") == "true");
  CHECK(member_of(vllm, "add_generation_prompt") == "false");
  CHECK(vllm.request.http.url == "https://api.vendor.test/v1/chat/completions");
  CHECK(begun({"prefill_prefix", "prefill_at_beta"}).request.http.url == "https://api.vendor.test/beta/chat/completions");
}

TEST_CASE("an answer that goes on is not thought about, whatever the client's own members say") {
  CHECK(member_of(begun({"prefill_partial", "thinking_type"}), "thinking") == R"({"type":"disabled"})");
  CHECK(member_of(begun({"prefill_partial", "enable_thinking"}), "enable_thinking") == "false");
  CHECK(member_of(begun({"prefill_continue", "template_thinking"}), "chat_template_kwargs") == R"({"enable_thinking":false})");
  CHECK(member_of(begun({"prefill"}), "chat_template_kwargs") == R"({"enable_thinking":false})");
  CHECK(member_of(begun({"prefill_prefix"}), "reasoning_effort").empty());
  const Encoded own = begun({"prefill_partial", "enable_thinking"}, false, R"("enable_thinking":true,"thinking_budget":5,"top_a":1)");
  CHECK(member_of(own, "enable_thinking") == "false");
  CHECK(member_of(own, "thinking_budget").empty());
  CHECK(member_of(own, "top_a") == "1");
}

TEST_CASE("who goes on from an answer that was begun") {
  struct Row {
    const char *dialect, *model, *quirk;
    Prefill prefill;
  };
  static constexpr Row kRows[] = {
      {"openai", "m", "", Prefill::kNone},
      {"openai", "m", "prefill", Prefill::kGoesOn},
      {"openai", "m", "prefill_continue", Prefill::kGoesOn},
      {"openai", "m", "prefill_partial", Prefill::kGoesOn},
      {"openai", "m", "repeats_prefill", Prefill::kNone},
      {"completions", "m", "prefill_continue", Prefill::kNone},
      {"responses", "m", "prefill_continue", Prefill::kNone},
      {"anthropic", "claude-sonnet-4-5-20250929", "", Prefill::kGoesOn},
      {"anthropic", "claude-3-5-haiku-20241022", "", Prefill::kGoesOn},
      {"anthropic", "claude-opus-4-6", "", Prefill::kNone},
      {"anthropic", "claude-sonnet-5", "", Prefill::kNone},
      {"anthropic", "claude-mythos-preview", "", Prefill::kNone},
      {"anthropic", "minimax-m2", "", Prefill::kNone},
      {"anthropic", "minimax-m2", "prefill", Prefill::kGoesOn},
      {"bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "", Prefill::kGoesOn},
      {"bedrock", "anthropic.claude-opus-4-6-v1:0", "", Prefill::kNone},
      {"bedrock", "meta.llama3-3-70b-instruct-v1:0", "", Prefill::kNone},
      {"ollama", "llama3.1", "", Prefill::kGoesOn},
      {"gemini", "gemini-3-pro", "", Prefill::kNone},
      {"cohere", "command-a", "", Prefill::kNone},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.dialect, row.model, row.quirk);
    CHECK(dialect(row.dialect)->new_upstream_codec()->prefill(provider({row.quirk}), row.model) == row.prefill);
  }
  CHECK(dialect("openai")->new_upstream_codec()->prefill(provider({"prefill_prefix", "repeats_prefill"}), "m") == Prefill::kRepeats);
}

TEST_CASE("quirk no_reasoning_effort: the word is not sent") {
  const Encoded zai = to_vendor({"thinking_type", "no_reasoning_effort"}, kLow), other = to_vendor({"no_reasoning_effort"}, kLow);
  CHECK(member_of(zai, "thinking") == R"({"type":"enabled"})");
  CHECK(member_of(zai, "reasoning_effort").empty());
  CHECK(!dropped(zai, "reasoning_effort"));
  CHECK(member_of(other, "reasoning_effort").empty());
  CHECK(dropped(other, "reasoning_effort"));
}

TEST_CASE("quirk efforts_WORDS: another dialect's word becomes one that is taken, the next one up or the strongest") {
  const auto effort = [](const char* quirk, const std::string& word) {
    return member_of(to_vendor({quirk}, R"("reasoning":{"effort":")" + word + "\"}"), "reasoning_effort");
  };
  const char* const moonshot = "efforts_low_high_max";
  CHECK(effort(moonshot, "minimal") == "\"low\"");
  CHECK(effort(moonshot, "low") == "\"low\"");
  CHECK(effort(moonshot, "medium") == "\"high\"");
  CHECK(effort(moonshot, "xhigh") == "\"max\"");
  CHECK(effort("efforts_low_high", "max") == "\"high\"");
  CHECK(effort("efforts_none_low_medium_high", "none") == "\"none\"");
  CHECK(effort("efforts_low_high", "default") == "\"default\"");  // a vendor's own word
  const Encoded none = to_vendor({"efforts_low_high"}, kNone), low = to_vendor({"efforts_low_high"}, kLow);
  CHECK(member_of(none, "reasoning_effort") == "\"low\"");
  CHECK(none.request.dropped == std::vector<std::string>{"reasoning_effort"});
  CHECK(low.request.dropped.empty());
  // A chat client's own word stays.
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.reasoning_effort = "max";
  CHECK(member_of(write(chat, {"efforts_low_high"}, false), "reasoning_effort") == "\"max\"");
  CHECK(member_of(write(chat, {}), "reasoning_effort") == "\"high\"");  // of whom nothing is known
}

TEST_CASE("quirks effort_or_thinking and effort_of_mini: a word that is taken beside nothing, or by some models alone") {
  const Encoded kimi = to_vendor({"thinking_type", "effort_or_thinking"}, kLow);
  CHECK(member_of(kimi, "reasoning_effort") == "\"low\"");
  CHECK(member_of(kimi, "thinking").empty());
  CHECK(member_of(to_vendor({"thinking_type", "effort_or_thinking"}, kNone), "thinking") == R"({"type":"disabled"})");
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.reasoning = true;
  CHECK(member_of(write(chat, {"thinking_type", "effort_or_thinking"}), "thinking") == R"({"type":"enabled"})");
  const std::string body = R"({"model":"m","input":"q","reasoning":{"effort":"high"}})";
  const auto xai = [&](const char* model) { return translate_request("responses", "openai", body, provider({"effort_of_mini"}), model); };
  CHECK(member_of(*xai("grok-3-mini"), "reasoning_effort") == "\"high\"");
  CHECK(member_of(*xai("grok-4"), "reasoning_effort").empty());
  CHECK(xai("grok-4")->request.dropped == std::vector<std::string>{"reasoning_effort"});
}

TEST_CASE("an Anthropic client's effort in the words of OpenAI's models, in both of their dialects") {
  struct Row {
    const char *model, *wanted, *sent;
    bool named = false;
  };
  static constexpr Row kRows[] = {
      {"gpt-5", "max", "high"},          {"gpt-5", "xhigh", "high"},         {"gpt-5-2025-08-07", "minimal", "minimal"}, {"gpt-5-prod", "low", "low"},
      {"gpt-5-pro", "low", "high"},      {"gpt-5.1", "max", "high"},         {"gpt-5.1-codex-max", "max", "xhigh"},      {"gpt-5.2", "max", "xhigh"},
      {"openai/gpt-oss-20b", "max", "high"}, {"o3-mini", "minimal", "low"},  {"deployment", "max", "high"},              {"deployment", "xhigh", "xhigh"},
      {"gpt-5", "none", "minimal", true}, {"gpt-5.2", "none", "none"},       {"gpt-4.1", "max", "high"},                 {"gpt-35-turbo", "max", "high"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.model, row.wanted);
    const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"output_config":{"effort":")" + std::string(row.wanted) + R"("}})";
    auto chat = translate_request("anthropic", "openai", body, provider(), row.model), responses = translate_request("anthropic", "responses", body, provider(), row.model);
    REQUIRE((chat.ok() && responses.ok()));
    CHECK(find_member(JsonValue(chat->body), "reasoning_effort").string_or() == row.sent);
    CHECK(find(JsonValue(responses->body), "reasoning", "effort").string_or() == row.sent);
    const std::vector<std::string> names = row.named ? std::vector<std::string>{"reasoning_effort"} : std::vector<std::string>();
    CHECK(chat->request.dropped == names);  // output_config said no more than its effort
    CHECK(responses->request.dropped == names);
  }
}

TEST_CASE("quirk enable_thinking: a switch and a budget") {
  const Encoded low = to_vendor({"enable_thinking"}, kLow), none = to_vendor({"enable_thinking"}, kNone);
  CHECK(member_of(low, "enable_thinking") == "true");
  CHECK(member_of(low, "thinking_budget") == "1024");
  CHECK(member_of(none, "enable_thinking") == "false");
  CHECK(member_of(none, "thinking_budget").empty());
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.reasoning_budget = 3000;
  CHECK(member_of(write(chat, {"enable_thinking"}), "thinking_budget") == "3000");
}

TEST_CASE("quirk thoughts_beside_bound: a bound of the answer is one for the thoughts, too") {
  ChatRequest chat = ChatRequest::of("m", "q");
  const auto budget = [&chat](std::vector<std::string> quirks) { return member_of(write(chat, std::move(quirks)), "thinking_budget"); };
  chat.reasoning = true;
  CHECK(budget({"enable_thinking", "thoughts_beside_bound"}).empty());
  chat.max_tokens = 700;
  CHECK(budget({"enable_thinking", "thoughts_beside_bound"}) == "700");
  CHECK(budget({"enable_thinking"}).empty());
  chat.reasoning_effort = "high";
  CHECK(budget({"enable_thinking", "thoughts_beside_bound"}) == "700");
  CHECK(budget({"enable_thinking"}) == "4096");
  chat.reasoning_budget = 300;
  CHECK(budget({"enable_thinking", "thoughts_beside_bound"}) == "300");
  chat.reasoning_effort = "none";
  CHECK(budget({"enable_thinking", "thoughts_beside_bound"}).empty());
  // A client's own bytes: where a policy sets the bound.
  const auto relayed = [](const std::string& members, std::vector<BodyEdit> edits) {
    auto out = relay_request("openai", R"({"model":"m",)" + members + R"("messages":[{"role":"user","content":"q"}]})", provider({"enable_thinking", "thoughts_beside_bound"}), edits);
    REQUIRE(out.ok());
    return member_of(*out, "thinking_budget");
  };
  const BodyEdit bound{BodyEdit::Kind::kDefault, "max_tokens", "64"};
  CHECK(relayed(R"("enable_thinking":true,)", {bound}) == "64");
  CHECK(relayed(R"("enable_thinking":true,"thinking_budget":9,)", {bound}) == "9");
  CHECK(relayed(R"("enable_thinking":false,)", {bound}).empty());
  CHECK(relayed("", {bound}).empty());
  CHECK(relayed("", {bound, {BodyEdit::Kind::kSet, "enable_thinking", "true"}}) == "64");
  CHECK(relayed(R"("enable_thinking":true,"max_tokens":5000,)", {bound}).empty());
  CHECK(relayed(R"("enable_thinking":true,)", {}).empty());
}

TEST_CASE("quirk strict_parts: other sounds, and what others than the user show, are not for this server") {
  const auto sent = [](const char* format, std::vector<std::string> quirks) {
    auto out = translate_request("responses", "openai",
                                 R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_audio","input_audio":{"data":"AAAA","format":")" +
                                     std::string(format) + R"("}}]}]})",
                                 provider(std::move(quirks)));
    return out.ok() ? find(JsonValue(out->body), "messages", 0, "content", 1, "input_audio", "format").string_or() : out.error().param;
  };
  CHECK(sent("wav", {"strict_parts"}) == "wav");
  CHECK(sent("x-wav", {"strict_parts"}) == "wav");
  CHECK(sent("MPEG", {"strict_parts"}) == "mp3");
  CHECK(sent("ogg", {"strict_parts"}) == "messages[0].content[1]");
  CHECK(sent("ogg;codecs=opus", {"strict_parts"}) == "messages[0].content[1]");
  CHECK(sent("ogg", {}) == "ogg");
}

TEST_CASE("pictures of an answer in the history are refused by the part's name where no vendor takes them; a tool's keep the call they belong to") {
  const auto to = [](const char* upstream, const char* role, std::vector<std::string> quirks = {}) {
    auto out = translate_request("ollama", upstream,
                                 R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},{"role":")" +
                                     std::string(role) + R"(","tool_name":"f","content":"here","images":["iVBORw0KGgo="]},{"role":"user","content":"and?"}]})",
                                 provider(std::move(quirks)), "claude-sonnet-4-5");
    return out.ok() ? out->body : out.error().param;
  };
  for (const char* upstream : {"anthropic", "bedrock", "cohere", "responses"}) {
    INFO(upstream);
    CHECK(to(upstream, "assistant") == "messages[2].content[1]");
    CHECK(to(upstream, "tool").find("iVBORw0KGgo=") != std::string::npos);
  }
  CHECK(to("openai", "assistant", {"strict_parts"}) == "messages[2].content[1]");
  CHECK(to("openai", "system", {"strict_parts"}) == "messages[2].content[1]");
  CHECK(to("openai", "assistant").find("iVBORw0KGgo=") != std::string::npos);
  CHECK(to("gemini", "assistant").find("iVBORw0KGgo=") != std::string::npos);  // its models answer with them
  const std::string tools = to("openai", "tool", {"strict_parts"}), call = find(JsonValue(tools), "messages", 1, "tool_calls", 0, "id").string_or();
  CHECK(!call.empty());
  CHECK(find(JsonValue(tools), "messages", 3, "content", 0, "text").string_or() == "(given by the tool, call " + call + ")");
}

TEST_CASE("quirk reasoning_object: OpenRouter's one member for all of it") {
  CHECK(member_of(to_vendor({"reasoning_object"}, kLow), "reasoning") == R"({"effort":"low"})");
  CHECK(member_of(to_vendor({"reasoning_object"}, kNone), "reasoning") == R"({"effort":"none"})");
  CHECK(member_of(to_vendor({"reasoning_object"}, kLow), "reasoning_effort").empty());
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.reasoning = true;
  CHECK(member_of(write(chat, {"reasoning_object"}), "reasoning") == R"({"enabled":true})");
  chat.reasoning_budget = 3000;
  CHECK(member_of(write(chat, {"reasoning_object"}), "reasoning") == R"({"max_tokens":3000})");
}

TEST_CASE("quirk template_thinking: the switch of the chat template") {
  CHECK(member_of(to_vendor({"template_thinking"}, kLow), "chat_template_kwargs") == R"({"enable_thinking":true})");
  CHECK(member_of(to_vendor({"template_thinking"}, kNone), "chat_template_kwargs") == R"({"enable_thinking":false})");
}

TEST_CASE("vendors' own members for thinking are understood of a chat client, and go to its own dialect as they came") {
  const std::string head = R"({"model":"m","messages":[{"role":"user","content":"q"}],)";
  struct Row {
    const char* members;
    const char* effort;  // as the Responses dialect says it
  };
  for (const Row& row : {Row{R"("reasoning":{"effort":"high","exclude":true}})", "high"}, Row{R"("reasoning":{"max_tokens":1000}})", "low"}, Row{R"("thinking":{"type":"disabled"}})", "none"},
                         Row{R"("thinking":{"type":"enabled","budget_tokens":9000}})", "high"}, Row{R"("enable_thinking":false})", "none"}, Row{R"("thinking_budget":2000})", "medium"}}) {
    INFO(row.members);
    auto responses = translate_request("openai", "responses", head + row.members);
    REQUIRE(responses.ok());
    CHECK(find(JsonValue(responses->body), "reasoning", "effort").equals(row.effort));
    CHECK(responses->request.dropped.empty());
    auto own = translate_request("openai", "openai", head + row.members, provider(), "m");
    REQUIRE(own.ok());
    CHECK(canonical(own->body) == canonical(head + row.members));
  }
}

TEST_CASE("quirk strict_members: hints of OpenAI's own are dropped by name") {
  const char* const members = R"("text":{"verbosity":"low"},"prompt_cache_key":"k","safety_identifier":"s","store":true,"metadata":{"a":"b"})";
  const Encoded strict = to_vendor({"strict_members"}, members), lax = to_vendor({}, members);
  for (const char* name : {"verbosity", "prompt_cache_key", "safety_identifier", "store", "metadata"}) {
    INFO(name);
    CHECK(member_of(strict, name).empty());
    CHECK(dropped(strict, name));
    CHECK(!member_of(lax, name).empty());
    CHECK(!dropped(lax, name));
  }
}

TEST_CASE("quirk metadata_needs_store: metadata goes only where it is stored") {
  CHECK(dropped(to_vendor({"metadata_needs_store"}, R"("metadata":{"a":"b"})"), "metadata"));
  CHECK(member_of(to_vendor({"metadata_needs_store"}, R"("metadata":{"a":"b"},"store":true)"), "metadata") == R"({"a":"b"})");
}

TEST_CASE("quirk takes_developer: elsewhere a developer speaks as the system") {
  const char* const body = R"({"model":"m","instructions":"I","input":[{"role":"developer","content":"D"},{"role":"user","content":"q"}]})";
  const auto role = [&](std::vector<std::string> quirks) {
    auto out = translate_request("responses", "openai", body, provider(std::move(quirks)));
    REQUIRE(out.ok());
    CHECK(out->request.dropped.empty());
    CHECK(find(JsonValue(out->body), "messages", 1, "content").equals("D"));
    return std::string(find(JsonValue(out->body), "messages", 1, "role").string_or());
  };
  CHECK(role({}) == "system");
  CHECK(role({"takes_developer"}) == "developer");
  // A chat client's own word stays, to any server of its dialect.
  const char* const chat = R"({"model":"m","messages":[{"role":"developer","content":"D"},{"role":"user","content":"q"}]})";
  CHECK(find(JsonValue(translate_request("openai", "openai", chat)->body), "messages", 0, "role").equals("developer"));
}

TEST_CASE("quirk takes_cache_control: marks go where they are taken, and are named where not") {
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.messages[0].parts[0].cache = R"({"type":"ephemeral"})";
  Tool tool;
  tool.name = "f";
  tool.cache = R"({"type":"ephemeral","ttl":"1h"})";
  chat.tools.push_back(tool);
  const Encoded takes = write(chat, {"takes_cache_control"}), not_taken = write(chat, {});
  CHECK(find(JsonValue(takes.body), "messages", 0, "content", 0, "cache_control", "type").equals("ephemeral"));
  CHECK(find(JsonValue(takes.body), "tools", 0, "cache_control", "ttl").equals("1h"));
  CHECK(takes.request.dropped.empty());
  CHECK(find(JsonValue(not_taken.body), "messages", 0, "content").equals("q"));
  CHECK(not_taken.body.find("cache_control") == std::string::npos);
  CHECK(not_taken.request.dropped == std::vector<std::string>{"cache_control"});
}

TEST_CASE("quirk no_reasoning_back: thoughts of the history stay here") {
  ChatRequest chat = ChatRequest::of("m", "q");
  Message said;
  said.role = Role::kAssistant;
  Part thought;
  thought.kind = Part::Kind::kReasoning;
  thought.text = "hm";
  said.parts = {thought, Part::of_text("a")};
  chat.messages.push_back(said);
  CHECK(find(JsonValue(write(chat, {}).body), "messages", 1, "reasoning_content").equals("hm"));
  CHECK(!find(JsonValue(write(chat, {"no_reasoning_back"}).body), "messages", 1, "reasoning_content").exists());
}

TEST_CASE("quirks no_logprobs, no_logit_bias, no_user, no_service_tier, no_names: other dialects' hints are dropped by name") {
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.messages[0].name = "ann";
  chat.logprobs = true;
  chat.top_logprobs = 3;
  chat.logit_bias = R"({"5":1})";
  chat.user = "u";
  chat.service_tier = "auto";
  const std::vector<std::string> quirks = {"no_logprobs", "no_logit_bias", "no_user", "no_service_tier", "no_names"};
  const Encoded without = write(chat, quirks), lax = write(chat, {}), own = write(chat, quirks, false);
  for (const char* name : {"logprobs", "top_logprobs", "logit_bias", "user", "service_tier"}) {
    INFO(name);
    CHECK(member_of(without, name).empty());
    CHECK(dropped(without, name));
    CHECK(!member_of(lax, name).empty());
    CHECK(member_of(own, name) == member_of(lax, name));  // the chat dialect's own words stay
  }
  CHECK(!find(JsonValue(without.body), "messages", 0, "name").exists());
  CHECK(dropped(without, "messages.name"));
  CHECK(find(JsonValue(own.body), "messages", 0, "name").equals("ann"));
  CHECK((lax.request.dropped.empty() && own.request.dropped.empty()));
  chat = ChatRequest::of("m", "q");
  chat.logprobs = false;
  CHECK(write(chat, quirks).request.dropped.empty());  // nothing was asked for
}

TEST_CASE("quirks temperature_to_1, stops_N and fixed_samplers") {
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.temperature = 1.7;
  chat.top_p = 0.5;
  const Encoded lower = write(chat, {"temperature_to_1"});
  CHECK(member_of(lower, "temperature") == "1");
  CHECK(lower.request.dropped == std::vector<std::string>{"temperature"});
  CHECK(member_of(write(chat, {"temperature_to_1"}, false), "temperature") == "1.7");
  chat.temperature = 0.7;
  CHECK(member_of(write(chat, {"temperature_to_1"}), "temperature") == "0.7");
  const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"temperature":0.7,"top_p":1,"stop_sequences":["a","b"]})";
  const auto kimi = [&](const char* model) { return translate_request("anthropic", "openai", body, provider({"fixed_samplers"}), model); };
  CHECK(member_of(*kimi("kimi-k2.6"), "temperature").empty());
  CHECK(member_of(*kimi("kimi-k2.6"), "top_p").empty());
  CHECK(kimi("kimi-k2.6")->request.dropped == std::vector<std::string>{"temperature"});  // top_p says nothing
  CHECK(member_of(*kimi("kimi-k2-turbo-preview"), "temperature") == "0.7");
  CHECK(translate_request("anthropic", "openai", body, provider({"stops_2"})).ok());
  auto refused = translate_request("anthropic", "openai", body, provider({"stops_1"}));
  REQUIRE(!refused.ok());
  CHECK(refused.error().param == "stop");
}

TEST_CASE("OpenAI's models are not told how to sample while they think (quirk thinks_without_samplers, and the Responses dialect)") {
  struct Row {
    const char *model, *effort;
    bool sampled;
  };
  for (const Row& row : {Row{"gpt-5", "high", false}, Row{"gpt-5", "", false}, Row{"o3-mini", "", false}, Row{"gpt-5.1", "", true}, Row{"gpt-5.2", "low", false},
                         Row{"gpt-5.2", "none", true}, Row{"gpt-5", "none", false}, Row{"gpt-4.1", "", true}, Row{"openai/gpt-oss-20b", "low", true}, Row{"gpt-5-chat-latest", "", true}}) {
    CAPTURE(row.model, row.effort);
    const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"temperature":0.5,"top_p":0.9)" +
                             (*row.effort ? R"(,"output_config":{"effort":")" + std::string(row.effort) + "\"}" : std::string()) + "}";
    auto chat = translate_request("anthropic", "openai", body, provider({"thinks_without_samplers"}), row.model);
    auto responses = translate_request("anthropic", "responses", body, provider(), row.model);
    REQUIRE((chat.ok() && responses.ok()));
    for (const Encoded* sent : {&*chat, &*responses}) {
      CHECK(member_of(*sent, "temperature").empty() != row.sampled);
      CHECK(member_of(*sent, "top_p").empty() != row.sampled);
      CHECK(dropped(*sent, "temperature") != row.sampled);
      CHECK(dropped(*sent, "top_p") != row.sampled);
    }
    CHECK(member_of(*translate_request("anthropic", "openai", body, provider(), row.model), "temperature") == "0.5");
  }
}

TEST_CASE("quirk thoughts_with_calls: a turn with calls shows a thought, if an empty one, where thinking is not off") {
  const auto turn = [](const char* thinking, std::vector<std::string> quirks) {
    const std::string body = R"({"model":"m","max_tokens":2000,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},)"
                             R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}])" + std::string(thinking) + "}";
    auto out = translate_request("anthropic", "openai", body, provider(std::move(quirks)));
    REQUIRE(out.ok());
    return std::string(find(JsonValue(out->body), "messages", 1, "reasoning_content").raw());
  };
  const char* const on = R"(,"thinking":{"type":"enabled","budget_tokens":1024})";
  CHECK(turn(on, {"thinking_type", "thoughts_with_calls"}) == "\"\"");
  CHECK(turn("", {"thinking_type", "thoughts_with_calls"}) == "\"\"");  // some think unasked
  CHECK(turn(R"(,"thinking":{"type":"disabled"})", {"thinking_type", "thoughts_with_calls"}).empty());
  CHECK(turn(on, {"thinking_type"}).empty());
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.messages.emplace_back().role = Role::kAssistant;
  chat.messages.back().parts.push_back(Part::of_text("a"));
  CHECK(!find(JsonValue(write(chat, {"thoughts_with_calls"}).body), "messages", 1, "reasoning_content").exists());  // no call, no debt
}

TEST_CASE("quirk thinks_streamed: Qwen3 of the open weights does not think for a whole answer") {
  const auto ask = [](const char* model, const char* members) {
    return translate_request("anthropic", "openai", R"({"model":"m","max_tokens":2000,"messages":[{"role":"user","content":"q"}])" + std::string(members) + "}",
                             provider({"enable_thinking", "thinks_streamed"}), model);
  };
  const char* const on = R"(,"thinking":{"type":"enabled","budget_tokens":1024})";
  auto whole = ask("qwen3-8b", on), silent = ask("qwen3-235b-a22b", "");
  CHECK(member_of(*whole, "enable_thinking") == "false");
  CHECK(member_of(*whole, "thinking_budget").empty());
  CHECK(whole->request.dropped == std::vector<std::string>{"reasoning"});
  CHECK(member_of(*silent, "enable_thinking") == "false");
  CHECK(silent->request.dropped.empty());
  for (const char* other : {"qwen3-max", "qwen-plus", "qwen3-30b-a3b-thinking-2507", "qwen3-coder-30b-a3b-instruct"}) {
    CAPTURE(other);
    CHECK(member_of(*ask(other, on), "enable_thinking") == "true");
    CHECK(member_of(*ask(other, ""), "enable_thinking").empty());
  }
  ChatRequest chat = ChatRequest::of("m", "q");
  chat.reasoning = true;
  EncodeInput input;
  const ProviderConfig config = provider({"enable_thinking", "thinks_streamed"});
  input.chat = &chat;
  input.foreign = input.stream = true;
  input.provider = &config;
  input.upstream_model = "Qwen/Qwen3-8B";
  EncodedRequest out;
  REQUIRE(dialect("openai")->new_upstream_codec()->encode(input, out).ok());
  CHECK(find_member(JsonValue(out.http.body.at(0)), "enable_thinking").raw() == "true");
}

TEST_CASE("quirk inline_media: a picture by URL is not for this server, until it was fetched") {
  const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}]}]})";
  auto refused = translate_request("anthropic", "openai", body, provider({"inline_media"}));
  REQUIRE(!refused.ok());
  CHECK(refused.error().param == "messages[0].content[0]");
  CHECK(translate_request("anthropic", "openai", body).ok());
  const auto own = [](const char* url) {
    auto out = relay_request("openai", R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":")" + std::string(url) + R"("}}]}]})",
                             provider({"inline_media"}));
    return out.ok() ? std::string("passes") : out.error().param;
  };
  CHECK(own("https://x.example/a.png") == "messages[1].content[1]");
  CHECK(own("data:image/png;base64,AAAA") == "passes");
  CHECK(own("ms://file-1") == "passes");  // a file in the vendor's store
  const auto codec = dialect("openai")->new_upstream_codec();
  CHECK_FALSE(codec->fetches(provider({"inline_media"}), Part()));
  CHECK(codec->fetches(provider(), Part()));
  const std::string held = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]})";
  CHECK(translate_request("anthropic", "openai", held, provider({"inline_media"})).ok());
}

TEST_CASE("files of other dialects: texts are text to every chat server, PDFs a document_url where that is the word for them") {
  const auto part = [](const char* source, std::vector<std::string> quirks) {
    auto out = translate_request("anthropic", "openai",
                                 R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","title":"a","source":)" + std::string(source) + "}]}]}",
                                 provider(std::move(quirks)));
    return out.ok() ? canonical(find(JsonValue(out->body), "messages", 0, "content", 0)) : out.error().param;
  };
  const char* const text = R"({"type":"text","media_type":"text/plain","data":"plain"})";
  const char* const pdf = R"({"type":"base64","media_type":"application/pdf","data":"JVBERi0="})";
  const char* const far = R"({"type":"url","url":"https://x.example/a.pdf"})";
  CHECK(part(text, {}) == canonical(R"({"type":"text","text":"a\n\nplain"})"));
  CHECK(part(text, {"document_url"}) == canonical(R"({"type":"text","text":"a\n\nplain"})"));
  CHECK(part(R"({"type":"base64","media_type":"text/csv","data":"/w=="})", {}) == canonical(R"({"type":"file","file":{"filename":"a","file_data":"data:text/csv;base64,/w=="}})"));  // in no encoding we know
  CHECK(part(pdf, {}) == canonical(R"({"type":"file","file":{"filename":"a","file_data":"data:application/pdf;base64,JVBERi0="}})"));
  CHECK(part(pdf, {"document_url"}) == canonical(R"({"type":"document_url","document_url":"data:application/pdf;base64,JVBERi0=","document_name":"a"})"));
  CHECK(part(far, {}) == "messages[0].content[0]");
  CHECK(part(far, {"document_url"}) == canonical(R"({"type":"document_url","document_url":"https://x.example/a.pdf","document_name":"a"})"));
}

TEST_CASE("empty texts in the history of other dialects are not written: null beside calls, a string where one text is left") {
  auto gemini = translate_request("gemini", "openai", R"({"model":"m","contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"a"},{"text":""}]},{"role":"user","parts":[{"text":"more"}]}]})");
  REQUIRE(gemini.ok());
  CHECK(find(JsonValue(gemini->body), "messages", 1, "content").equals("a"));
  auto anthropic = translate_request("anthropic", "openai", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":""},)"
                                                            R"({"type":"tool_use","id":"t1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}]})");
  REQUIRE(anthropic.ok());
  CHECK(find(JsonValue(anthropic->body), "messages", 1, "content").is_null());
  const std::string own = R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t1","content":""}]})";
  CHECK(find(JsonValue(translate_request("openai", "openai", own)->body), "messages", 1, "content").equals(""));
  CHECK(find(JsonValue(translate_request("openai", "openai", own)->body), "messages", 2, "content").equals(""));
}

TEST_CASE("quirk: OpenAI's presets rename max_tokens, which its newer models refuse") {
  CHECK(member_of(to_vendor({"max_completion_tokens_only"}, R"("max_output_tokens":5)"), "max_completion_tokens") == "5");
}

// --- signatures ---

TEST_CASE("chat client: another maker's thoughts come in reasoning_details, and go back to their maker as they were") {
  Recorder seen;
  auto thought = [&](const char* words, const char* signature, bool redacted) {
    StreamEvent e;
    e.kind = StreamEvent::Kind::kReasoning;
    e.text = words;
    seen.on_event(e);
    e.text = {};
    e.signature = signature;
    e.maker = "anthropic";
    e.redacted = redacted;
    seen.on_event(e);
  };
  thought("one", "c2lnMQ==", false);
  thought("two", "c2lnMg==", false);
  thought("", "aGlkZGVu", true);
  StreamEvent call;
  call.kind = StreamEvent::Kind::kToolCallBegin;
  call.id = "c1";
  call.name = "f";
  call.arguments = "{}";
  call.signature = "dGhvdWdodA==";
  call.maker = "gemini";
  seen.on_event(call);
  const std::string sse = write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})", seen);
  const Answer answer = read_strict(sse);
  CHECK(answer.choices.at(0).reasoning == "onetwo");
  // A client that joins what it is told and sends it back.
  std::string details, extra;
  for (size_t at = 0; (at = sse.find("data: {", at)) != std::string::npos; ++at) {
    const JsonValue delta = find(JsonValue(std::string_view(sse).substr(at + 6, sse.find("\n\n", at) - at - 6)), "choices", 0, "delta");
    for (JsonValue d : JsonElements(find_member(delta, "reasoning_details"))) details += std::string(details.empty() ? "" : ",") + std::string(d.raw());
    if (JsonValue x = find(delta, "tool_calls", 0, "extra_content"); x.exists()) extra = x.raw();
  }
  CHECK(extra == R"({"google":{"thought_signature":"dGhvdWdodA=="}})");
  const std::string next = R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"reasoning_content":"onetwo","reasoning_details":[)" + details +
                           R"(],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":)" + extra +
                           R"(}]},{"role":"tool","tool_call_id":"c1","content":"r"}]})";
  auto codec = dialect("openai")->new_client_codec();
  REQUIRE(codec->scan(next).ok());
  auto chat = codec->decode();
  REQUIRE(chat.ok());
  const Message& message = chat->messages[1];
  REQUIRE(message.parts.size() == 3);
  CHECK((message.parts[0].text == "one" && message.parts[0].signature == "c2lnMQ==" && message.parts[0].maker == "anthropic" && !message.parts[0].redacted));
  CHECK((message.parts[1].text == "two" && message.parts[1].signature == "c2lnMg=="));
  CHECK((message.parts[2].redacted && message.parts[2].signature == "aGlkZGVu" && message.parts[2].maker == "anthropic"));
  CHECK((message.tool_calls[0].signature == "dGhvdWdodA==" && message.tool_calls[0].maker == "gemini"));
  // To a server of its own dialect no other maker's signature goes.
  const Encoded own = write(*chat, {}, false);
  CHECK(own.body.find("reasoning_details") == std::string::npos);
  CHECK(find(JsonValue(own.body), "messages", 1, "reasoning_content").equals("onetwo"));
  // A whole answer says the same.
  ChatResponse response;
  response.choices.resize(1);
  response.choices[0].message = message;
  std::string out;
  codec->encode_response(response, out);
  CHECK(canonical(find(JsonValue(out), "choices", 0, "message", "reasoning_details")) == canonical("[" + details + "]"));
  CHECK(find(JsonValue(out), "choices", 0, "message", "tool_calls", 0, "extra_content", "google", "thought_signature").equals("dGhvdWdodA=="));
}

TEST_CASE("OpenRouter's own reasoning_details reach it again through another dialect's client, entry for entry") {
  const std::string encrypted = R"({"type":"reasoning.encrypted","data":"AAAA","format":"openai-responses-v1","id":"rs_1","index":1})";
  const std::string stream = "data: {\"id\":\"g\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"signature\":\"c2ln\",\"format\":\"anthropic-claude-v1\",\"index\":0}]}}]}\n\n"
                             "data: {\"id\":\"g\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_details\":[" + encrypted + "]}}]}\n\n"
                             "data: {\"id\":\"g\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  const Recorder seen = feed("openai", false, {stream});
  REQUIRE(seen.errors.empty());
  const std::string sse = write_again("responses", R"({"model":"m","input":"q"})", seen);
  CHECK(read_strict_responses(sse).choices.at(0).signatures.size() == 2);
  const JsonValue last(std::string_view(sse).substr(sse.rfind("data: ") + 6));
  std::string items;
  for (JsonValue item : JsonElements(find(last, "response", "output"))) items += "," + std::string(item.raw());
  const std::string next = R"({"model":"m","input":[{"role":"user","content":"q"})" + items + R"(,{"role":"user","content":"more"}]})";
  auto router = translate_request("responses", "openai", next, provider({"reasoning_object"}));
  REQUIRE(router.ok());
  CHECK(canonical(find(JsonValue(router->body), "messages", 1, "reasoning_details")) ==
        canonical(R"([{"type":"reasoning.text","signature":"c2ln","format":"anthropic-claude-v1","index":0,"text":"hm"},)" + encrypted + "]"));
  // Others do not know the member.
  auto plain = translate_request("responses", "openai", next);
  REQUIRE(plain.ok());
  CHECK(plain->body.find("reasoning_details") == std::string::npos);
  // A chat client is told the vendor's entries once, as they came.
  const std::string chunks = write_again("openai", R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})", seen);
  CHECK(chunks.find(encrypted) != std::string::npos);
  CHECK(chunks.find("c2ln") == chunks.rfind("c2ln"));
}

TEST_CASE("chat upstream: a thought signature of Google's OpenAI face belongs to its call") {
  const std::string stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c12\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"c2ln\"}}}]},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  const Recorder seen = feed("openai", false, {stream});
  REQUIRE(seen.errors.empty());
  bool found = false;
  for (const SeenEvent& e : seen.events) found = found || (e.kind == StreamEvent::Kind::kToolCallBegin && e.signature == "c2ln" && e.maker == "gemini");
  CHECK(found);
}

// --- Azure ---

TEST_CASE("azure: both faces' addresses, and the key's own header") {
  ProviderConfig config = provider();
  config.auth = "api-key";
  config.base_url = "https://res.openai.azure.com/openai/v1";
  const std::string chat = R"({"model":"m","messages":[{"role":"user","content":"q"}]})", responses = R"({"model":"m","input":"q"})";
  auto url = [&](const char* name, const std::string& body) { return relay_request(name, body, config, {}, "gpt 4/x")->request.http.url; };
  CHECK(url("openai", chat) == "https://res.openai.azure.com/openai/v1/chat/completions");
  CHECK(relay_request("openai", chat, config)->header("api-key") == "sk-test-0123456789abcdef");
  CHECK(relay_request("openai", chat, config)->header("authorization").empty());
  // An access token of Entra's.
  EncodedRequest entra;
  REQUIRE(dialect("openai")->new_upstream_codec()->encode_models(config, "eyJhbGciOiJub25lIn0.e30.c2ln", entra).ok());
  const auto sent = [&](std::string_view name) {
    return std::count_if(entra.http.headers.begin(), entra.http.headers.end(), [&](const HttpHeader& h) { return h.name == name; });
  };
  CHECK(sent("api-key") == 0);
  CHECK(sent("authorization") == 1);
  config.api_version = "preview";
  CHECK(url("openai", chat) == "https://res.openai.azure.com/openai/v1/chat/completions?api-version=preview");
  CHECK(url("responses", responses) == "https://res.openai.azure.com/openai/v1/responses?api-version=preview");
  config.base_url = "https://res.openai.azure.com/openai";
  config.api_version = "2024-10-21";
  CHECK(url("openai", chat) == "https://res.openai.azure.com/openai/deployments/gpt%204%2Fx/chat/completions?api-version=2024-10-21");
  CHECK(url("completions", R"({"model":"m","prompt":"x"})") == "https://res.openai.azure.com/openai/deployments/gpt%204%2Fx/completions?api-version=2024-10-21");
  CHECK(url("responses", responses) == "https://res.openai.azure.com/openai/responses?api-version=2024-10-21");
  EncodedRequest models;
  REQUIRE(dialect("openai")->new_upstream_codec()->encode_models(config, "k", models).ok());
  CHECK(models.http.url == "https://res.openai.azure.com/openai/models?api-version=2024-10-21");
}

TEST_CASE("azure: a content filter's refusal, its own code in words or a wrong status, and prompt_filter_results") {
  auto codec = reading("openai", true);
  HttpHead head;
  head.status = 400;
  const Error error = codec->parse_error(head, R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt",)"
                                               R"("code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true}}}}})");
  CHECK(error.code == ErrorCode::kContentPolicy);
  CHECK(error.message.find("content management policy") != std::string::npos);
  auto inside = codec->inspect(R"({"error":{"message":"filtered","code":"content_filter","status":400}})");
  REQUIRE(!inside.ok());
  CHECK(inside.error().code == ErrorCode::kContentPolicy);
  head.status = 404;
  CHECK(codec->parse_error(head, R"({"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}})").code == ErrorCode::kUpstreamRejected);
  const std::string stream =
      "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{\"hate\":{\"filtered\":false}}}]}\n\n"
      "data: {\"id\":\"c\",\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},\"content_filter_results\":{}}]}\n\n"
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"finish_reason\":null,\"content_filter_offsets\":{\"check_offset\":1},\"content_filter_results\":{}}]}\n\n"
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\ndata: [DONE]\n\n";
  const Recorder relay = feed("openai", true, {stream}), seen = feed("openai", false, {stream});
  CHECK(relay.errors.empty());
  CHECK(relay.bytes() == stream);
  CHECK(relay.kinds()[0] == FrameKind::kPrelude);
  CHECK(answer_of(seen).choices.at(0).text == "a");
  CHECK(answer_of(seen).choices.at(0).finish == "content_filter");
}

TEST_CASE("quirk kimi_models: thoughts and forced calls, by what each of Moonshot's models takes") {
  const std::string tools = R"(,"tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}],"tool_choice":)";
  const auto ask = [&](const std::string& model, const std::string& members) {
    return translate_request("responses", "openai", "{\"model\":\"m\",\"input\":\"q\"," + members + "}", provider({"thinking_type", "kimi_models"}), model);
  };
  const auto sent = [&](const std::string& model, const std::string& members, const char* member) {
    auto out = ask(model, members);
    if (!out) FAIL(out.error().message);
    return member_of(*out, member);
  };
  const std::string off = R"({"type":"disabled"})", on = R"({"type":"enabled"})", high = R"("reasoning":{"effort":"high"})", none = R"("reasoning":{"effort":"none"})", quiet = R"("user":"u")";
  // One word for thoughts, never both.
  for (const char* model : {"kimi-k2.5", "kimi-k2.6", "kimi-k2-0905-preview"}) {
    INFO(model);
    CHECK(sent(model, high, "thinking") == on);
    CHECK(sent(model, high, "reasoning_effort").empty());
    CHECK(sent(model, none, "thinking") == off);
    CHECK(sent(model, quiet, "thinking").empty());
  }
  CHECK(sent("kimi-k3", high, "thinking").empty());
  CHECK(sent("kimi-k3", high, "reasoning_effort") == "\"high\"");
  CHECK(sent("kimi-k3", kLow, "reasoning_effort") == "\"low\"");
  CHECK(sent("kimi-k3", R"("reasoning":{"effort":"xhigh"})", "reasoning_effort") == "\"max\"");
  for (const char* model : {"kimi-k3", "kimi-k2.7-code", "kimi-k2-thinking"}) {
    INFO(model);
    auto out = ask(model, none);
    REQUIRE(out.ok());
    CHECK(member_of(*out, "thinking").empty());
    CHECK(member_of(*out, "reasoning_effort").empty());
    CHECK(dropped(*out, "reasoning_effort"));
  }
  // Nothing is said of a choice that forces nothing; none and auto are taken everywhere.
  for (const char* choice : {"\"none\"", "\"auto\""}) {
    for (const char* model : {"kimi-k2.6", "kimi-k2.7-code", "kimi-k3", "moonshot-v1-8k"}) {
      INFO(model << choice);
      CHECK(sent(model, quiet + tools + choice, "tool_choice") == choice);
      CHECK(sent(model, quiet + tools + choice, "thinking").empty());
    }
  }
  const std::string named = R"({"type":"function","name":"g"})";
  for (const std::string& choice : {std::string("\"required\""), named}) {
    INFO(choice);
    auto out = ask("kimi-k2.6", high + tools + choice);
    REQUIRE(out.ok());
    CHECK(member_of(*out, "thinking") == off);
    CHECK(dropped(*out, "reasoning_effort"));
    CHECK(sent("kimi-k2.6", quiet + tools + choice, "thinking") == off);
    CHECK(sent("moonshot-v1-8k", quiet + tools + choice, "thinking").empty());
    for (const char* model : {"kimi-k2.7-code", "kimi-k2-thinking"}) {
      auto refused = ask(model, quiet + tools + choice);
      REQUIRE(!refused.ok());
      CHECK(refused.error().param == "tool_choice");
    }
    CHECK(sent("kimi-k3", quiet + tools + choice, "tool_choice") == "\"required\"");
  }
  CHECK(find(JsonValue(sent("kimi-k3", quiet + tools + named, "tools")), 0, "function", "name").equals("g"));
  CHECK(!find(JsonValue(sent("kimi-k3", quiet + tools + named, "tools")), 1).exists());
  CHECK(find(JsonValue(sent("kimi-k3", quiet + tools + "\"required\"", "tools")), 1).exists());
  CHECK(sent("kimi-k2.6", quiet + tools + named, "tool_choice") == R"({"type":"function","function":{"name":"g"}})");
}
