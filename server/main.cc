// The commands, and which of them was typed.
#include <algorithm>

#include <cstdio>
#include <exception>

#include "llmrouter/llmrouter.h"
#include "llmrouter/pattern.h"
#include "server/cli.h"
#include "server/memory.h"

namespace llmrouter::server {

namespace {

constexpr Option kJson{"--json", "", "for programs"};

int run_version(const Args&) {
  print("llmrouter-server " + std::string(version()) + "\n");
  return kDone;
}

Error unknown_command(const std::vector<std::string>& words) {
  const std::string& typed = words.front();
  std::vector<std::string> names, of_group;
  for (const Command& c : commands()) {
    const size_t blank = c.name.find(' ');
    names.emplace_back(c.name.substr(0, blank));
    if (blank != std::string_view::npos && names.back() == typed) of_group.emplace_back(c.name.substr(blank + 1));
  }
  if (!of_group.empty()) {
    std::string message = typed + ": " + (words.size() > 1 ? "unknown command " + words[1] + "; " : "") + "expected ";
    for (size_t i = 0; i < of_group.size(); ++i) message += (i == 0 ? "" : i + 1 == of_group.size() ? " or " : ", ") + of_group[i];
    return Error(ErrorCode::kInvalidRequest, std::move(message));
  }
  const auto near = nearest_names(typed, names, 1);
  const std::string more = near.empty() ? "; `llmrouter-server help` lists them" : "; did you mean " + near.front() + "?";
  return Error(ErrorCode::kInvalidRequest, "unknown command " + typed + more);
}

// `help`, `help keys`, `help keys create`.
int run_help(const Args& args) {
  const std::vector<std::string>& about = args.arguments();
  std::string text;
  if (about.size() < 2) text = usage_text(about.empty() ? std::string_view() : about.front());
  for (const Command& c : commands())
    if (about.size() == 2 && c.name == about[0] + " " + about[1]) text = usage_text(c);
  if (text.empty()) return complain(unknown_command(about), kUsage);
  print(text);
  return kDone;
}

// Of these run() says so itself: their words are not known.
int run_not_yet(const Args&) { return kUsage; }

std::vector<Option> key_options(bool create) {
  std::vector<Option> options = {
      {"--name", "NAME", "what people call it"},
      {"--username", "USER", "groups keys"},
      {"--purpose", "PURPOSE", "default, or cursor"},
      {"--role", "ROLE", "user or admin (may administer)"},
      {"--models", "LIST", "patterns it may ask for, comma-separated: \"gpt-*,claude/*\"; any"},
      {"--providers", "LIST", "patterns of providers it may use"},
      {"--endpoints", "LIST", "chat, models, ..."},
      {"--filters", "LIST", "filters of its chats behind those of the model; none"},
      {"--max-tokens", "N", "the most a request may ask for"},
      {"--limits", "LIMITS", "any of requests=60/min,burst=20,tokens=100k/min,concurrent=8,usd=50/month,soft=80%;\n"
                               "what is not named stays; NAME=none takes one away, none all, the budget too"},
      {"--budget", "BUDGET", "the usd of --limits: 50/month, 5/day, 100/total; none"},
      {"--expires", "WHEN", "a date, a time, a duration from now (90d), or none"},
      kJson,
  };
  if (create) options.insert(options.begin(), {"--prefix", "PREFIX", "stands before the random part; default sk-"});
  return options;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"serve", "", "serve over HTTP", 0, 0, {}, run_serve},
      {"check", "", "check the configuration; exit code 2 and every fault when it is wrong", 0, 0,
       {{"--strict", "", "exit code 2 for warnings, too"}}, run_check},
      {"explain", "MODEL", "the plan for a model's name, as a server would make it now; no chat is sent", 1, 1,
       {{"--key", "KEY", "for a key, by id or name"}, {"--body", "FILE", "a request's body; MODEL stands over its `model`"},
        {"--refresh", "", "ask the providers for their lists of models first"},
        {"--url", "URL", "the plan of the server there, which knows what rests and is limited; $LLMROUTER_KEY is the key"}, kJson}, run_explain},
      {"chat", "MODEL TEXT", "one question, the answer streamed to the terminal", 2, 2, {}, run_chat},
      {"models", "", "what can be asked for; asks the providers", 0, 0, {kJson}, run_models},
      {"keys create", "", "make a key; it is shown once, on stdout", 0, 0, key_options(true), run_keys_create},
      {"keys list", "", "all keys", 0, 0, {kJson}, run_keys_list},
      {"keys show", "ID", "one key, by id or name", 1, 1, {kJson}, run_keys_show},
      {"keys modify", "ID", "change what is named of a key, by id or name; leave the rest", 1, 1, key_options(false), run_keys_modify},
      {"keys revoke", "ID", "end a key, by id or name, for good", 1, 1, {kJson}, run_keys_revoke},
      {"keys override", "ID [MODEL]", "send its chats to a model, whatever they ask for; without one: show it", 1, 2,
       {{"--clear", "", "as they ask again"}, kJson}, run_keys_override},
      {"keys session", "ID [MODEL]", "make a token for a login, whose chats go to a model; without one: show those there are", 1, 2,
       {{"--ttl", "DURATION", "how long it lasts; default 8h, at most 30d"}, {"--end", "SESSION", "end one, by its id, or all"}, kJson}, run_keys_session},
      {"usage", "", "what was used: records, or sums with --by", 0, 0,
       {{"--by", "WHAT", "sums by model (as it was asked for), provider, key, user or day"},
        {"--since", "WHEN", "a date, a time, or a duration ago (7d)"},
        {"--until", "WHEN", "the same"},
        {"--key", "KEY", "of one key, by id or name"},
        {"--user", "NAME", "of one user"},
        {"--model", "NAME", "as asked for or as the provider calls it"},
        {"--provider", "NAME", "of one provider"},
        {"--status", "STATUS", "ok, error, cancelled, cut or limited"},
        {"--limit", "N", "records, 1 to 1000; default 20, with --json 1000, with --csv all there are"},
        {"--cursor", "CURSOR", "the page after, as --json's `next` or the last line on stderr says"},
        kJson,
        {"--csv", "", "comma-separated; not with --json"}},
       run_usage},
      {"simulate", "", "recorded traffic under this configuration: what it would have changed", 0, 0,
       {{"--since", "WHEN", "a date, a time, or a duration ago; default 7d"},
        {"--until", "WHEN", "the same"},
        {"--usage", "PATH", "the usage database; default: the configuration's storage.usage"},
        {"--limit", "N", "the newest N records; default 200k"},
        {"--seed", "N", "the same one gives the same answer; default 1"},
        {"--without-stored", "", "leave out the rules, overrides and switch of the key store"},
        kJson},
       run_simulate},
      {"schema", "", "the JSON Schema of the configuration", 0, 0, {}, run_schema},
      {"reference", "", "every key of the configuration, as Markdown", 0, 0, {}, run_reference},
      {"version", "", "which version this is", 0, 0, {}, run_version},
      {"help", "[COMMAND]", "this text, or that of one command", 0, 2, {}, run_help},
      {"users", "", "not supported yet", 0, 99, {}, run_not_yet},
      {"import", "", "not supported yet", 0, 99, {}, run_not_yet},
  };
  return table;
}

namespace {

// The command that `words` begin with; takes its name off them. Null: there is no such command.
const Command* find_command(std::vector<std::string>& words) {
  if (words.empty() || words.front()[0] == '-') {
    const bool help = !words.empty() && (words.front() == "--help" || words.front() == "-h");
    const bool shows_version = !words.empty() && words.front() == "--version";
    if (help || shows_version) words.clear();
    for (const Command& c : commands())
      if (c.name == (help ? "help" : shows_version ? "version" : "serve")) return &c;
  }
  for (const Command& c : commands()) {
    const size_t blank = c.name.find(' ');
    const bool two = blank != std::string_view::npos;
    if (c.name.substr(0, blank) != words.front()) continue;
    if (two && (words.size() < 2 || c.name.substr(blank + 1) != words[1])) continue;
    words.erase(words.begin(), words.begin() + (two ? 2 : 1));
    return &c;
  }
  return nullptr;
}

// `code`, unless what was said did not get out: then or before, when stdio's buffer was full.
int written(int code) { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? code : kFailed; }

bool asks_for_help(const std::vector<std::string>& words) {
  return std::find_if(words.begin(), words.end(), [](const std::string& w) { return w == "--help" || w == "-h"; }) != words.end();
}

int run(std::vector<std::string> words) {
  const Command* command = find_command(words);
  if (command == nullptr) {
    const bool help = asks_for_help(words) || (words.size() == 2 && words[1] == "help");
    const std::string text = help ? usage_text(words.front()) : std::string();
    if (text.empty()) return complain(unknown_command(words), kUsage);
    print(text);
    return written(kDone);
  }
  if (command->run == run_not_yet && !asks_for_help(words)) {
    // `users add ...`: what was typed, up to its options.
    std::string typed(command->name);
    if (!words.empty() && words.front()[0] != '-') typed += " " + words.front();
    return complain(Error(ErrorCode::kNotSupported, typed + ": this command is not supported yet"), kUsage);
  }
  auto args = Args::parse(*command, words);
  if (!args) {
    complain(args.error());
    std::fprintf(stderr, "\n%s", usage_text(*command).c_str());
    return kUsage;
  }
  if (args->has("--help")) {
    print(usage_text(*command));
    return written(kDone);
  }
  return written(command->run(*args));
}

}  // namespace

}  // namespace llmrouter::server

// libcurl brings GnuTLS along, for protocols that are not spoken here (LDAP, RTMP), and merely loading it sets it up: pages of six libraries.
// This tells it not to (GNUTLS_SKIP_GLOBAL_INIT in gnutls.h); a libcurl that uses it sets it up itself.
extern "C" __attribute__((visibility("default"))) int _gnutls_global_init_skip(void) { return 1; }

int main(int argc, char** argv) {
  llmrouter::server::keep_some_memory();
  try {
    return llmrouter::server::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "llmrouter-server: %s\n", e.what());
    return llmrouter::server::kFailed;
  }
}
