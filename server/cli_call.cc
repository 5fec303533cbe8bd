// explain, chat, models: the library at work in this process; no server is needed.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

constexpr const char* kModelsHint = "`llmrouter-server models` lists what there is";

// Without stores: what looks and does not spend keeps no books.
std::optional<Config> without_stores(const Args& args) {
  auto loaded = load(args);
  if (!loaded) return std::nullopt;
  loaded->config.storage.keys = "memory:";
  loaded->config.storage.usage = "off";
  return std::move(loaded->config);
}

// The keys' store, where rules, overrides and the switch are kept too, when it is there; none is made.
std::optional<Config> with_stored_state(const Args& args) {
  auto loaded = load(args);
  if (!loaded) return std::nullopt;
  leave_absent(loaded->config.storage);
  loaded->config.storage.usage = "off";
  return std::move(loaded->config);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(ErrorCode::kIo, "cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The object with `model` as its first member; what is no object stays as it is.
std::string with_model(std::string body, const std::string& model) {
  constexpr const char* kBlank = " \t\r\n";
  const size_t open = body.find_first_not_of(kBlank);
  if (open == std::string::npos || body[open] != '{') return body;
  const size_t next = body.find_first_not_of(kBlank, open + 1);
  std::string member = "\"model\":" + json_string(model);
  if (next != std::string::npos && body[next] != '}') member += ',';
  return body.insert(open + 1, member);
}

// A request's body that names the model, where it names none. What is wrong with it otherwise is for the plan to say.
std::string body_with_model(std::string body, const std::string& model) {
  const auto wrong = [](const std::string& text) {
    for (const auto& dialect : builtin_dialects()) {
      if (dialect->name() != "openai") continue;
      const auto codec = dialect->new_client_codec();
      const auto facts = codec->scan(text);
      return facts ? Error() : facts.error();
    }
    return Error();
  };
  if (body.empty()) return body;
  const Error fault = wrong(body);
  if (fault.code != ErrorCode::kInvalidRequest || fault.param != "model") return body;
  std::string named = with_model(body, model);
  // It named one, and a wrong one, when it now names two: the first fault says more.
  const Error second = wrong(named);
  const bool named_twice = second.code != ErrorCode::kNone && (second.param.empty() || second.param == "model");
  return named_twice ? body : named;
}

// A plan of a process that serves nobody knows less than a server's.
void say_what_explain_does_not_know(bool refreshed) {
  std::fprintf(stderr, "llmrouter-server: this plan %sknows nothing of what rests, is limited or slow at the moment: a running server says that, at POST /v1/route/explain\n",
               refreshed ? "" : "has not asked providers for their models (--refresh does), and ");
}

}  // namespace

int run_explain(const Args& args) {
  const auto config = with_stored_state(args);
  if (!config) return kUsage;
  std::string body;
  if (const auto file = args.maybe("--body")) {
    auto text = read_file(*file);
    if (!text) return complain(text.error());
    body = body_with_model(std::move(*text), args.arguments().front());
  }
  auto client = open_config(*config, make_stderr_logger(LogLevel::kWarn, config->observe.json), kModelsHint);
  if (!client) return complain(client.error());
  Router& router = client->router();
  std::shared_ptr<const KeyRecord> key;
  if (const auto name = args.maybe("--key")) {
    auto found = router.keys()->get(*name);
    if (!found) return complain(found.error());
    key = std::move(*found);
  }
  const std::string& model = args.arguments().front();
  if (args.has("--refresh")) {
    if (auto asked = client->models(); !asked) return complain(asked.error());
  }
  const auto plan = router.explain_for(key.get(), model, {}, body);
  if (plan || plan.error().code == ErrorCode::kModelNotFound) say_what_explain_does_not_know(args.has("--refresh"));
  if (!plan) return complain(plan.error());
  print(args.has("--json") ? plan->to_json() + "\n" : plan->to_text());
  return kDone;
}

int run_chat(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  auto client = open_config(loaded->config, make_stderr_logger(LogLevel::kWarn, loaded->config.observe.json), kModelsHint);
  if (!client) return complain(client.error());
  bool ends_line = true;
  auto result = client->stream(args.arguments()[0], args.arguments()[1], [&ends_line](std::string_view text) {
    print(text);
    std::fflush(stdout);
    ends_line = text.back() == '\n';
    return std::ferror(stdout) != 0 ? Flow::kCancel : Flow::kContinue;
  });
  if (!ends_line) print("\n");
  return result ? kDone : complain(result.error());
}

int run_models(const Args& args) {
  const auto config = without_stores(args);
  if (!config) return kUsage;
  auto client = open_config(*config, make_stderr_logger(LogLevel::kWarn, false));
  if (!client) return complain(client.error());
  auto models = client->models();
  if (!models) return complain(models.error());
  if (args.has("--json")) {
    std::string out = "{\"data\":[";
    for (const ModelEntry& m : *models) {
      if (out.back() == '}') out += ',';
      out += '{';
      append_member(out, "id", m.id);
      append_member(out, "provider", m.provider);
      append_member(out, "owned_by", m.owned_by);
      append_member(out, "created", m.created);
      out += '}';
    }
    out += "],\"unreachable\":[";
    for (const ProviderState& p : client->router().providers()) {
      if (p.list_error.empty()) continue;
      if (out.back() == '}') out += ',';
      out += '{';
      append_member(out, "provider", p.name);
      append_member(out, "error", p.list_error);
      out += '}';
    }
    print(out + "]}\n");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"MODEL", "PROVIDER"}};
  for (const ModelEntry& m : *models) rows.push_back({m.id, m.provider.empty() ? "(configured)" : m.provider});
  print(table(rows));
  return kDone;
}

}  // namespace llmrouter::server
