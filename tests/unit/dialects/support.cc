#include "support.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "catch.h"
#include "dialects/usage.h"
#include "wire/json_writer.h"

namespace dialect_test {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonKind;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

Flow Recorder::on_frame(std::string_view bytes, FrameKind kind) {
  frames.push_back({std::string(bytes), kind});
  return Flow::kContinue;
}

Flow Recorder::on_event(const StreamEvent& e) {
  events.push_back({e.kind, e.choice, e.tool_index, e.created, std::string(e.text), std::string(e.signature), std::string(e.id),
                    std::string(e.name), std::string(e.arguments), std::string(e.model), std::string(e.raw), e.finish, e.usage, std::string(e.maker), e.redacted,
                    std::string(e.service_tier)});
  return Flow::kContinue;
}

std::string Recorder::bytes() const {
  std::string all;
  for (const Frame& f : frames) all += f.bytes;
  return all;
}

std::vector<FrameKind> Recorder::kinds() const {
  std::vector<FrameKind> kinds;
  for (const Frame& f : frames) {
    if (f.bytes.find("data:") != std::string::npos || f.bytes.find('{') != std::string::npos) kinds.push_back(f.kind);
  }
  return kinds;
}

std::optional<TokenUsage> Recorder::last_usage() const {
  if (!usages.empty()) return usages.back();
  for (auto e = events.rbegin(); e != events.rend(); ++e) {
    if (e->kind == StreamEvent::Kind::kUsage) return e->usage;
  }
  return std::nullopt;
}

std::string print(const TokenUsage& u) {
  std::string out;
  for (int64_t n : {u.input, u.cached, u.cache_write, u.output, u.reasoning, u.audio_input, u.audio_output, u.image}) out += std::to_string(n) + " ";
  return out + (u.known ? "known" : "unknown") + (u.estimated ? " estimated" : "");
}

std::string print(const SeenEvent& e) {
  static const char* const kNames[] = {"start", "text", "reasoning", "refusal", "begin", "delta", "logprobs", "annotation", "finish", "usage", "other"};
  std::string out = kNames[static_cast<int>(e.kind)];
  out += " " + std::to_string(e.choice) + "/" + std::to_string(e.tool_index);
  for (const std::string& s : {e.text, e.signature, e.name, e.arguments, e.model, e.raw}) out += "|" + s;
  // A made-up id is another one each time.
  if (e.id.size() != 29 || e.id.substr(0, 5) != "call_") out += "|" + e.id;
  if (e.kind == StreamEvent::Kind::kFinish) out += "|" + std::string(finish_reason_name(e.finish));
  if (e.kind == StreamEvent::Kind::kUsage) out += "|" + print(e.usage);
  return out;
}

std::string Recorder::summary() const {
  std::string out = bytes() + "\n";
  for (FrameKind k : kinds()) out += std::to_string(static_cast<int>(k)) + " ";
  for (const SeenEvent& e : events) out += "\n" + print(e);
  for (const TokenUsage& u : usages) out += "\nusage " + print(u);
  for (FinishReason f : finishes) out += "\nfinish " + std::string(finish_reason_name(f));
  for (const Error& e : errors) out += "\nerror " + std::string(code_name(e.code)) + " " + e.message;
  return out;
}

Answer answer_of(const Recorder& seen) {
  using Kind = StreamEvent::Kind;
  Answer answer;
  for (const SeenEvent& e : seen.events) {
    Answer::Choice& c = answer.choices[e.choice];
    const auto call = static_cast<size_t>(e.tool_index);
    switch (e.kind) {
      case Kind::kStart:
        answer.ids.push_back(e.id);
        answer.models.push_back(e.model);
        break;
      case Kind::kText: c.text += e.text; break;
      case Kind::kReasoning: c.reasoning += e.text; break;
      case Kind::kRefusal: c.refusal += e.text; break;
      case Kind::kToolCallBegin:
        CHECK(c.calls.size() == call);
        c.calls.push_back({e.id, e.name, e.arguments});
        break;
      case Kind::kToolCallDelta:
        REQUIRE(call < c.calls.size());
        c.calls[call].arguments += e.arguments;
        break;
      case Kind::kFinish:
        ++c.finishes;
        c.finish = finish_reason_name(e.finish);
        break;
      case Kind::kUsage: answer.usage = e.usage; break;
      default: break;
    }
  }
  return answer;
}

namespace {

// The data of each event, by the simple rule that our own writer and the recordings follow: one line of data each.
std::vector<std::string> datas(std::string_view sse) {
  std::vector<std::string> out;
  while (!sse.empty()) {
    const size_t end = sse.find_first_of("\r\n");
    std::string_view line = sse.substr(0, end);
    sse.remove_prefix(end == std::string_view::npos ? sse.size() : end + 1);
    if (line.substr(0, 5) != "data:") continue;
    line.remove_prefix(5);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    out.emplace_back(line);
  }
  return out;
}

void note(std::vector<std::string>& distinct, const std::string& value) {
  if (std::find(distinct.begin(), distinct.end(), value) == distinct.end()) distinct.push_back(value);
}

void read_strict_call(JsonValue entry, Answer::Choice& c) {
  const auto index = find_member(entry, "index").integer();
  REQUIRE(index);
  const auto at = static_cast<size_t>(*index);
  const JsonValue function = find_member(entry, "function");
  if (at == c.calls.size()) {
    // The first delta of a call: id, type, name and no arguments yet.
    CHECK(find_member(entry, "type").equals("function"));
    CHECK(find_member(function, "arguments").equals(""));
    c.calls.push_back({find_member(entry, "id").string_or(), find_member(function, "name").string_or(), ""});
    CHECK(!c.calls.back().id.empty());
    return;
  }
  // One call after the other.
  REQUIRE(at + 1 == c.calls.size());
  CHECK(!find_member(entry, "id").exists());
  CHECK(!find_member(function, "name").exists());
  c.calls[at].arguments += find_member(function, "arguments").string_or();
}

void read_strict_choice(JsonValue choice, Answer& answer) {
  Answer::Choice& c = answer.choices[find_member(choice, "index").integer().value_or(-1)];
  const JsonValue delta = find_member(choice, "delta");
  CHECK(delta.is_object());
  CHECK(c.finishes == 0);  // nothing after a finish
  if (find_member(delta, "role").exists()) ++c.roles;
  CHECK(c.roles == 1);     // the role first, once
  c.text += find_member(delta, "content").string_or();
  c.reasoning += find_member(delta, "reasoning_content").string_or();
  c.refusal += find_member(delta, "refusal").string_or();
  for (JsonValue entry : JsonElements(find_member(delta, "tool_calls"))) read_strict_call(entry, c);
  if (JsonValue finish = find_member(choice, "finish_reason"); finish.is_string()) {
    ++c.finishes;
    c.finish = finish.string_or();
    CHECK(delta.empty_container());
  }
}

}  // namespace

Answer read_strict(std::string_view sse) {
  Answer answer;
  for (const std::string& data : datas(sse)) {
    CHECK(!answer.done);
    if (data == "[DONE]") {
      answer.done = true;
      continue;
    }
    INFO(data);
    REQUIRE(wire::validate(data));
    const JsonValue root(data);
    CHECK(find_member(root, "object").equals("chat.completion.chunk"));
    note(answer.ids, find_member(root, "id").string_or());
    note(answer.models, find_member(root, "model").string_or());
    CHECK(!answer.usage);  // usage comes last
    const JsonValue choices = find_member(root, "choices"), usage = find_member(root, "usage");
    CHECK(choices.is_array());
    if (usage.is_object()) {
      CHECK(choices.empty_container());
      TokenUsage u;
      CHECK(dialects::read_usage(usage, u));
      answer.usage = u;
    }
    for (JsonValue choice : JsonElements(choices)) read_strict_choice(choice, answer);
  }
  return answer;
}

Answer read_loosely(std::string_view sse) {
  Answer answer;
  for (const std::string& data : datas(sse)) {
    const JsonValue root(data);
    TokenUsage u;
    if (dialects::read_usage(dialects::find_usage(root), u)) answer.usage = u;
    for (JsonValue choice : JsonElements(find_member(root, "choices"))) {
      Answer::Choice& c = answer.choices[find_member(choice, "index").integer().value_or(0)];
      const JsonValue delta = find_member(choice, "delta");
      const JsonValue content = find_member(delta, "content");
      c.text += content.string_or();
      for (JsonValue part : JsonElements(content)) {
        c.text += find_member(part, "text").string_or();
        for (JsonValue thought : JsonElements(find_member(part, "thinking"))) c.reasoning += find_member(thought, "text").string_or();
      }
      std::string thought = find_member(delta, "reasoning_content").string_or();
      if (thought.empty()) thought = find_member(delta, "reasoning").string_or();
      if (thought.empty()) {
        for (JsonValue d : JsonElements(find_member(delta, "reasoning_details"))) {
          thought += find_member(d, "text").string_or() + find_member(d, "summary").string_or();
        }
      }
      c.reasoning += thought;
      c.refusal += find_member(delta, "refusal").string_or();
      for (JsonValue entry : JsonElements(find_member(delta, "tool_calls"))) {
        if (c.calls.empty()) c.calls.emplace_back();
        c.calls[0].name += find(entry, "function", "name").string_or();
        c.calls[0].arguments += find(entry, "function", "arguments").string_or();
      }
      const std::string finish = find_member(choice, "finish_reason").string_or();
      if (!finish.empty()) c.finish = finish;
    }
  }
  return answer;
}

void tell(const std::vector<SeenEvent>& events, ClientCodec& client, std::string& out) {
  for (const SeenEvent& e : events) {
    StreamEvent event;
    event.kind = e.kind;
    event.choice = e.choice;
    event.tool_index = e.tool_index;
    event.text = e.text;
    event.signature = e.signature;
    event.maker = e.maker;
    event.redacted = e.redacted;
    event.id = e.id;
    event.name = e.name;
    event.arguments = e.arguments;
    event.model = e.model;
    event.raw = e.raw;
    event.created = e.created;
    event.finish = e.finish;
    event.usage = e.usage;
    event.service_tier = e.service_tier;
    client.encode_event(event, out);
  }
}

std::string write_again(std::string_view dialect_name, const std::string& request, const Recorder& seen) {
  auto client = dialect(dialect_name)->new_client_codec();
  REQUIRE(client->scan(request).ok());
  std::string out;
  tell(seen.events, *client, out);
  if (seen.errors.empty()) client->encode_end(out);
  else client->encode_stream_error(seen.errors.front(), out);
  return out;
}

std::shared_ptr<const Dialect> dialect(std::string_view name) {
  for (auto& d : builtin_dialects()) {
    if (d->name() == name) return d;
  }
  return nullptr;
}

ProviderConfig provider(std::vector<std::string> quirks) {
  ProviderConfig config;
  config.name = "lab";
  config.base_url = "http://127.0.0.1:9/v1";
  config.quirks = std::move(quirks);
  return config;
}

std::unique_ptr<UpstreamCodec> reading(std::string_view dialect_name, bool relay, int64_t n) {
  auto codec = dialect(dialect_name)->new_upstream_codec();
  const ProviderConfig config = provider();
  RequestFacts facts;
  facts.model = "m";
  facts.n = n;
  facts.stream = true;
  facts.include_usage = true;  // all bytes are the client's
  facts.input_tokens = 7;
  ChatRequest chat = ChatRequest::of("m", "hello");
  chat.n = n;
  const std::string body = R"({"model":"m","stream":true})";
  REQUIRE(wire::scan_object(body, {}, facts.members));
  EncodeInput input;
  input.body = body;
  if (relay) input.facts = &facts;
  else input.chat = &chat;
  input.provider = &config;
  input.key = "sk-test-0123456789abcdef";
  input.upstream_model = "m";
  input.stream = true;
  EncodedRequest encoded;
  auto ok = codec->encode(input, encoded);
  if (dialect_name == "openai") REQUIRE(ok.ok());
  return codec;
}

Recorder feed(std::string_view dialect_name, bool relay, const std::vector<std::string_view>& pieces, int64_t n) {
  Recorder seen;
  auto codec = reading(dialect_name, relay, n);
  for (std::string_view piece : pieces) {
    // Each piece in memory of its own size: a read past its end is caught.
    const std::unique_ptr<char[]> copy(new char[piece.size()]);
    std::copy(piece.begin(), piece.end(), copy.get());
    codec->feed({copy.get(), piece.size()}, seen);
  }
  codec->finish(seen);
  return seen;
}

Both read_cut(std::string_view dialect_name, const std::string& stream, size_t step, int64_t n) {
  Both out;
  const std::string_view s = stream;
  for (bool relay : {true, false}) {
    Recorder whole = feed(dialect_name, relay, {s}, n);
    const std::string expected = whole.summary();
    for (size_t i = 0; i <= s.size(); i += step) {
      const std::string cut = feed(dialect_name, relay, {s.substr(0, i), s.substr(i)}, n).summary();
      if (cut == expected) continue;
      INFO("cut at " << i);
      CHECK(cut == expected);
      break;
    }
    (relay ? out.relay : out.translated) = std::move(whole);
  }
  out.answer = answer_of(out.translated);
  return out;
}

std::string Encoded::header(std::string_view name) const {
  for (const HttpHeader& h : request.http.headers) {
    if (h.name == name) return h.value;
  }
  return {};
}

namespace {

Result<Encoded> encode(const Dialect& to, EncodeInput& input, Encoded& out, const ProviderConfig& config, const std::string& model) {
  input.provider = &config;
  input.key = "sk-test-0123456789abcdef";
  input.upstream_model = model;
  input.stream = out.facts.stream;
  auto ok = to.new_upstream_codec()->encode(input, out.request);
  if (!ok) return ok.error();
  for (std::string_view piece : out.request.http.body) out.body += piece;
  return std::move(out);
}

}  // namespace

Result<Encoded> relay_request(std::string_view dialect_name, const std::string& body, ProviderConfig config, const std::vector<BodyEdit>& edits,
                              std::string model) {
  auto d = dialect(dialect_name);
  Encoded out;
  auto facts = d->new_client_codec()->scan(body);
  if (!facts) return facts.error();
  out.facts = *facts;
  EncodeInput input;
  input.body = body;
  input.facts = &out.facts;
  input.edits = &edits;
  return encode(*d, input, out, config, model);
}

Result<Encoded> translate_request(std::string_view from, std::string_view to, const std::string& body, ProviderConfig config, std::string model) {
  Encoded out;
  auto client = dialect(from)->new_client_codec();
  auto facts = client->scan(body);
  if (!facts) return facts.error();
  auto chat = client->decode();
  if (!chat) return chat.error();
  out.facts = *facts;
  EncodeInput input;
  input.chat = &*chat;
  input.foreign = from != to;
  input.want_usage = true;
  return encode(*dialect(to), input, out, config, model);
}

std::string canonical(JsonValue value) {
  std::string out;
  switch (value.kind()) {
    case JsonKind::kObject: {
      std::map<std::string, std::string> members;
      for (const JsonMember& m : JsonMembers(value)) {
        if (m.value.is_null() || (m.key == "description" && m.value.equals(""))) continue;
        members[std::string(m.key)] = canonical(m.value);
      }
      out = "{";
      for (const auto& [key, text] : members) {
        wire::append_json_string(out, key);
        out += ":" + text + ",";
      }
      return out + "}";
    }
    case JsonKind::kArray:
      out = "[";
      for (JsonValue entry : JsonElements(value)) out += canonical(entry) + ",";
      return out + "]";
    case JsonKind::kNumber: {
      const auto integer = value.integer();
      if (integer) wire::append_integer(out, *integer);
      else wire::append_number(out, value.number().value_or(0));
      return out;
    }
    case JsonKind::kString: wire::append_json_string(out, value.string_or()); return out;
    default: return std::string(value.raw());
  }
}

std::string canonical(std::string_view json) {
  INFO(json);
  CHECK(wire::validate(json));
  return canonical(JsonValue(json));
}

bool Recording::is_stream() const {
  return status == 200 && !body.empty() && body.front() != '{' && body.front() != '[' && (body.front() == ':' || body.find("data:") != std::string::npos);
}

const std::vector<Recording>& recordings() {
  namespace fs = std::filesystem;
  static const std::vector<Recording> all = [] {
    std::vector<Recording> list;
    const fs::path folder = fs::path(LLMROUTER_SOURCE_DIR) / ".." / "shared" / "wire" / "exchanges";
    if (!fs::is_directory(folder)) {
      std::cerr << "skipped: no recorded exchanges at ../shared/wire/exchanges\n";
      return list;
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".json") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const JsonValue root(text);
      const JsonValue response = find_member(root, "response");
      if (!find_member(response, "body").is_string() || find_member(response, "body_encoding").exists()) continue;
      Recording r;
      r.name = entry.path().stem();
      r.provider = find_member(root, "provider").string_or();
      r.endpoint = find_member(root, "endpoint").string_or();
      r.fidelity = find_member(root, "fidelity").string_or();
      r.request = find(root, "request", "body").string_or();
      r.body = find_member(response, "body").string_or();
      r.status = static_cast<int>(find_member(response, "status").integer().value_or(0));
      for (const JsonMember& h : JsonMembers(find_member(response, "headers"))) {
        std::string name(h.key);
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        r.headers.push_back({name, h.value.string_or()});
      }
      for (JsonValue size : JsonElements(find_member(response, "chunk_sizes"))) r.chunk_sizes.push_back(static_cast<size_t>(size.integer().value_or(0)));
      list.push_back(std::move(r));
    }
    std::sort(list.begin(), list.end(), [](const Recording& a, const Recording& b) { return a.name < b.name; });
    return list;
  }();
  return all;
}

}  // namespace dialect_test
