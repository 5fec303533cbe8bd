// explain: a plan made here, or by a running server.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

constexpr Duration kPatience = std::chrono::seconds(30);
constexpr size_t kMostAnswer = 16 * 1024 * 1024;

// The keys' store, where rules, overrides and the switch are kept too, when it is there; none is made.
std::optional<Config> with_stored_state(const Args& args) {
  auto loaded = load(args);
  if (!loaded) return std::nullopt;
  leave_absent(loaded->config.storage);
  loaded->config.storage.usage = "off";
  for (ProviderConfig& provider : loaded->config.providers) provider.health.probe = ProbeKind::kOff;
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
  std::fprintf(stderr, "llmrouter-server: this plan %sknows nothing of what rests, is limited or slow at the moment: a running server says that (--url)\n",
               refreshed ? "" : "has not asked providers for their models (--refresh does), and ");
}

// Hears one whole answer.
class Answer final : public TransferSink {
 public:
  void on_head(const HttpHead& head) override { status = head.status; }
  Flow on_body(std::string_view bytes) override {
    if (body.size() + bytes.size() > kMostAnswer) {
      error.kind = TransferError::Kind::kTooLarge;
      error.message = "the answer is too large";
      done = true;
      return Flow::kCancel;
    }
    body.append(bytes);
    return Flow::kContinue;
  }
  void on_end(const TransferError& why) override {
    error = why;
    done = true;
  }
  int status = 0;
  std::string body;
  TransferError error;
  bool done = false;
};

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    char code[4];
    if (!plain) std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    out += plain ? std::string(1, c) : std::string(code);
  }
  return out;
}

// The plan of the server at `url`, which knows what rests and how everybody does. $LLMROUTER_KEY is the key, where it asks for one.
int explain_there(const Args& args, std::string url, const std::string& body) {
  for (const char* other : {"--key", "--refresh"}) {
    if (args.has(other)) return complain(Error(ErrorCode::kInvalidRequest, std::string(other) + ": not with --url, whose server plans for the key in $LLMROUTER_KEY"), kUsage);
  }
  if (url.compare(0, 7, "http://") != 0 && url.compare(0, 8, "https://") != 0) {
    return complain(Error(ErrorCode::kInvalidRequest, "--url: expected where a server is, such as http://127.0.0.1:8000"), kUsage);
  }
  while (url.back() == '/') url.pop_back();
  auto reactor = make_reactor();
  if (!reactor) return complain(reactor.error());
  auto transport = make_default_transport(**reactor);
  if (!transport) return complain(transport.error());
  HttpRequest request;
  request.url = url + "/v1/route/explain?model=" + percent_encoded(args.arguments().front()) + (args.has("--json") ? "" : "&format=text");
  request.headers.push_back({"content-type", "application/json"});
  if (const char* key = std::getenv("LLMROUTER_KEY"); key != nullptr && *key != 0) request.headers.push_back({"authorization", std::string("Bearer ") + key});
  if (!body.empty()) request.body.push_back(body);
  Answer answer;
  const auto transfer = (*transport)->start(std::move(request), answer);
  if (!(*reactor)->run_until([&answer] { return answer.done; }, (*reactor)->clock().now() + kPatience)) {
    return complain(Error(ErrorCode::kIo, url + ": no answer within 30 s"));
  }
  if (!answer.error.ok()) return complain(Error(ErrorCode::kIo, url + ": " + answer.error.in_full()));
  if (answer.status != 200) return complain(Error(ErrorCode::kIo, url + " answered " + std::to_string(answer.status) + ": " + answer.body));
  print(answer.body);
  return kDone;
}

}  // namespace

int run_explain(const Args& args) {
  std::string body;
  if (const auto file = args.maybe("--body")) {
    auto text = read_file(*file);
    if (!text) return complain(text.error());
    body = body_with_model(std::move(*text), args.arguments().front());
  }
  if (const auto url = args.maybe("--url")) return explain_there(args, *url, body);
  const auto config = with_stored_state(args);
  if (!config) return kUsage;
  auto client = open_config(*config, make_stderr_logger(LogLevel::kWarn, config->observe.json), kModelsHint);
  if (!client) return complain(client.error());
  Router& router = client->router();
  std::shared_ptr<const KeyRecord> key;
  if (const auto name = args.maybe("--key")) {
    auto found = key_named(*router.keys(), *name);
    if (!found) return complain(found.error(), found.error().code == ErrorCode::kInvalidRequest ? kUsage : kFailed);
    key = std::move(*found);
  }
  const std::string& model = args.arguments().front();
  if (args.has("--refresh")) {
    if (auto asked = client->models(); !asked) return complain(asked.error());
  }
  const auto plan = router.explain_for(key.get(), model, {}, body);
  if (plan ? !args.has("--json") : plan.error().code == ErrorCode::kModelNotFound) say_what_explain_does_not_know(args.has("--refresh"));
  if (!plan) return complain(plan.error());
  print(args.has("--json") ? plan->to_json() + "\n" : plan->to_text());
  return kDone;
}

}  // namespace llmrouter::server
