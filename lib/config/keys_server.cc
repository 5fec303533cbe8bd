// The sections about the process itself: server, storage, routing, prices, observe.
#include "config/address.h"
#include "config/table.h"
#include "llmrouter/values.h"

namespace llmrouter::config {
namespace {

using S = Scope&;
using V = const Value&;

AuthMode auth_of(const std::string& word) { return word == "keys" ? AuthMode::kKeys : word == "none" ? AuthMode::kNone : AuthMode::kAuto; }

LogLevel level_of(const std::string& word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "warn") return LogLevel::kWarn;
  if (word == "error") return LogLevel::kError;
  if (word == "off") return LogLevel::kOff;
  return LogLevel::kInfo;
}

std::string check_affinity(const std::string& word) {
  return word == "key" || word == "user" || word == "session" || word == "prefix" ? "" : "expected key, user, session or prefix";
}

std::string check_price_pattern(const std::string& text) {
  if (text.empty() || text.size() > 256) return "expected a pattern of provider/model names";
  return text[0] == '!' ? "an exclusion (!) means nothing here" : "";
}

void server(std::vector<Key>& keys) {
  auto row = [&keys](const char* path, Type type, const char* fallback, const char* doc) -> Key& {
    return keys.emplace_back(std::string("server") + path, type, fallback, doc);
  };
  row("", Type::kMap, "", "The HTTP server. An application that links the library does not need it.");
  row(".listen", Type::kTexts, "127.0.0.1:8000",
      "Where to listen: `host:port`, `[::1]:8000` or `unix:/run/llmrouter.sock`. Port 0 takes a free one. On an address that other hosts reach, "
      "the server does not start without a key.")
      .checked(check_listen)
      .from("LLMROUTER_LISTEN")
      .to([](S s, V v) { s.config->server.listen = v.texts; });
  row(".threads", Type::kInt, "0", "Event loops, each on a thread of its own. 0: one for each core.").within("0..1024").to([](S s, V v) {
    s.config->server.threads = v.integer();
  });
  row(".auth", Type::kWord, "auto", "`auto`: keys are required as soon as one exists, be it expired or revoked. `keys`: always. `none`: never; a known key that is sent still counts as that key.")
      .within("auto|keys|none")
      .to([](S s, V v) { s.config->server.auth = auth_of(v.text); });
  row(".trust_loopback", Type::kBool, "false", "Callers from this host need no key, unless their request carries a proxy's header.").to([](S s, V v) {
    s.config->server.trust_loopback = v.flag;
  });
  row(".admin_key", Type::kSecret, "", "What opens `/admin/v1`, as a bearer. Without it, a key of role `admin` does.")
      .checked(check_key_text)
      .from("LLMROUTER_ADMIN_KEY")
      .to([](S s, V v) { s.config->server.admin_key = Secret(v.text); });
  row(".max_body", Type::kSize, "32MiB", "The largest body of a request.").within("1KiB..1GiB").to([](S s, V v) {
    s.config->server.max_body = static_cast<size_t>(v.number);
  });
  row(".max_header", Type::kSize, "64KiB", "The largest head of a request, its first line and headers.").within("1KiB..1MiB").to([](S s, V v) {
    s.config->server.max_header = static_cast<size_t>(v.number);
  });
  row(".header_timeout", Type::kDuration, "10s", "How long a client may take to send the head of a request.").within("100ms..1h").to([](S s, V v) {
    s.config->server.header_timeout = v.duration();
  });
  row(".body_timeout", Type::kDuration, "60s", "How long a client may take to send a body.").within("100ms..1d").to([](S s, V v) {
    s.config->server.body_timeout = v.duration();
  });
  row(".idle_timeout", Type::kDuration, "75s", "How long a connection is kept open between requests.").within("100ms..1d").to([](S s, V v) {
    s.config->server.idle_timeout = v.duration();
  });
  row(".write_timeout", Type::kDuration, "60s", "A client that reads nothing for this long is dropped.").within("100ms..1d").to([](S s, V v) {
    s.config->server.write_timeout = v.duration();
  });
  row(".max_connections", Type::kCount, "10000", "Open connections, all loops together. More are refused.").within("1..1M").to([](S s, V v) {
    s.config->server.max_connections = v.integer();
  });
  row(".shutdown_grace", Type::kDuration, "30s", "How long streams in flight may go on after SIGTERM.").within("0s..1h").to([](S s, V v) {
    s.config->server.shutdown_grace = v.duration();
  });
  row(".cors", Type::kTexts, "", "Origins whose pages may call, such as `https://app.example.com`; `*` is every one.")
      .checked(check_origin)
      .to([](S s, V v) { s.config->server.cors = v.texts; });
  row(".tls", Type::kMap, "", "TLS for callers. Until it comes, put a proxy before the server.");
  row(".tls.cert", Type::kText, "", "The certificate chain, a PEM file.").not_yet();
  row(".tls.key", Type::kText, "", "Its private key, a PEM file.").not_yet();
}

void storage(std::vector<Key>& keys) {
  keys.emplace_back("storage", Type::kMap, "",
                    "Where keys, budgets and usage records are kept. `LLMROUTER_DATA_DIR` names another folder for those that are SQLite files, the file's own paths included; `--set storage.keys=...` comes before it.");
  keys.emplace_back("storage.keys", Type::kText, "sqlite:data/llmrouter.db",
                    "Keys and what was spent of their budgets: `sqlite:PATH` or `memory:` (`postgres://` is not supported yet).")
      .checked(check_key_storage)
      .to([](S s, V v) { s.config->storage.keys = v.text; });
  keys.emplace_back("storage.usage", Type::kText, "sqlite:data/usage.db",
                    "Usage records, in a database of their own: `sqlite:PATH`, `memory:` (the last 10,000) or `off` (none is kept).")
      .checked(check_usage_storage)
      .to([](S s, V v) { s.config->storage.usage = v.text; });
  keys.emplace_back("storage.retention", Type::kDuration, "90d", "Older usage records are removed. 0: never.").within("0s..36500d").to([](S s, V v) {
    s.config->storage.retention = v.duration();
  });
  keys.emplace_back(
          "storage.secret_key", Type::kSecret, "",
          "Keys the digests of keys and encrypts what is secret at rest. Empty: one is made and kept beside the database as `secret.key`, mode 0600.")
      .from("LLMROUTER_SECRET_KEY")
      .to([](S s, V v) { s.config->storage.secret_key = Secret(v.text); });
}

std::string check_hedge_after(const std::string& text) {
  return text == "p95" || parse_duration(text).ok() ? "" : "expected a duration such as 500ms, or p95";
}

std::string check_share_or_off(const std::string& text) {
  const bool percent = parse_percent(text).ok();
  return text == "off" || percent ? "" : "expected a percentage such as 20%, or off";
}

void routing(std::vector<Key>& keys) {
  auto row = [&keys](const char* path, Type type, const char* fallback, const char* doc) -> Key& {
    return keys.emplace_back(std::string("routing") + path, type, fallback, doc);
  };
  row("", Type::kMap, "", "How a request finds a target, and what happens when the target fails.");
  row(".default_model", Type::kText, "",
      "What `auto` and `default` mean: a name under `models`, or `provider/model`. Empty: the first name under `models`; without one, `demo/echo`.")
      .to([](S s, V v) { s.config->routing.default_model = v.text; });
  row(".strategy", Type::kWord, "weighted", "The strategy of models that name none.").within(kStrategies).to([](S s, V v) {
    s.config->routing.strategy = v.text;
  });
  row(".attempts", Type::kInt, "3", "Upstream attempts for one request, all targets together. 1: never retry.").within("1..20").to([](S s, V v) {
    s.config->routing.attempts = v.integer();
  });
  row(".backoff", Type::kMap, "",
      "Waiting between attempts at the same target: a random time up to a bound that doubles. A provider's own Retry-After wins.");
  row(".backoff.first", Type::kDuration, "250ms", "The first bound.").within("0s..1h").to([](S s, V v) {
    s.config->routing.backoff.first = v.duration();
  });
  row(".backoff.max", Type::kDuration, "8s", "The largest bound.").within("0s..1h").to([](S s, V v) {
    s.config->routing.backoff.max = v.duration();
  });
  row(".timeouts", Type::kMap, "", "Of every provider that sets none.").to([](S s, V) { s.timeouts = &s.config->routing.timeouts; });
  add_timeouts(keys, "routing.timeouts", "5s", "60s", "10m", "The whole request, all attempts together.");
  row(".cooldown", Type::kMap, "", "A target that keeps failing rests; then one request decides whether it is back.");
  row(".cooldown.failures", Type::kInt, "3", "So many failures,").within("1..1000").to([](S s, V v) {
    s.config->routing.cooldown.failures = v.integer();
  });
  row(".cooldown.within", Type::kDuration, "30s", "within this time,").within("1s..1d").to([](S s, V v) {
    s.config->routing.cooldown.within = v.duration();
  });
  row(".cooldown.for", Type::kDuration, "30s", "make it rest for this long, doubling each time it fails again,").within("1s..1d").to([](S s, V v) {
    s.config->routing.cooldown.rest = v.duration();
  });
  row(".cooldown.max", Type::kDuration, "10m", "up to this.").within("1s..7d").to([](S s, V v) { s.config->routing.cooldown.max = v.duration(); });

  row(".hedge", Type::kMap, "", "A second attempt beside a slow first one.");
  row(".hedge.after", Type::kText, "0s", "When it starts, before the first token: a time, or `p95`, what 95 of 100 answers of the target take. 0s: never.")
      .checked(check_hedge_after)
      .to([](S s, V v) {
        s.config->routing.hedge.p95 = v.text == "p95";
        if (v.text != "p95") s.config->routing.hedge.after = *parse_duration(v.text);
      });
  row(".hedge.max_extra", Type::kPercent, "5%", "What they may cost at most beside the live traffic, as a share of what calls are expected to cost; of calls, where no price is known.").to([](S s, V v) {
    s.config->routing.hedge.max_extra = v.integer();
  });
  row(".affinity", Type::kMap, "", "Requests that belong together go to the same target.");
  row(".affinity.by", Type::kTexts, "",
      "What belongs together, so that a provider's prompt cache stays warm: `key`, `user`, `session` (the header `x-session-id`, or `prompt_cache_key`), "
      "`prefix` (the first KiB of the prompt). Several together say it more narrowly.")
      .checked(check_affinity)
      .to([](S s, V v) { s.config->routing.affinity.by = v.texts; });
  row(".affinity.ttl", Type::kDuration, "5m", "For how long after the last request.").within("1s..1d").to([](S s, V v) {
    s.config->routing.affinity.ttl = v.duration();
  });
  row(".retry_budget", Type::kText, "20%",
      "Retries and hedges as a share of live traffic, of all calls together, so that they cannot multiply an outage. Ten a second are always allowed. `off`: no bound.")
      .checked(check_share_or_off)
      .to([](S s, V v) { s.config->routing.retry_budget = v.text == "off" ? -1 : *parse_percent(v.text); });
  row(".queue", Type::kMap, "", "Waiting for a limited target instead of failing at once.");
  row(".queue.max_wait", Type::kDuration, "0s", "How long. 0s: not at all.").within("0s..1h").to([](S s, V v) {
    s.config->routing.queue.max_wait = v.duration();
  });
  row(".queue.max", Type::kCount, "1000", "How many calls wait at once, all together. The keys take turns.").within("1..100k").to([](S s, V v) {
    s.config->routing.queue.max = v.number;
  });
  row(".continue_on", Type::kWord, "never",
      "What a stream that breaks after its first payload does: `never` goes on elsewhere and ends with an error event, or `cut`: it goes on from another target that "
      "takes up an answer that was begun.")
      .within("never|cut")
      .to([](S s, V v) { s.config->routing.continue_on_cut = v.text == "cut"; });
  row(".remote_media", Type::kMap, "", "Images by URL, fetched for dialects that cannot.");
  row(".remote_media.fetch", Type::kBool, "false", "Fetch them. Never from private addresses.").to([](S s, V v) { s.config->routing.remote_media.fetch = v.flag; });
  row(".remote_media.max", Type::kSize, "20MiB", "Of all that one request names.").within("1KiB..256MiB").to([](S s, V v) {
    s.config->routing.remote_media.max = static_cast<size_t>(v.number);
  });
  row(".remote_media.timeout", Type::kDuration, "10s", "How long all of them may take.").within("100ms..5m").to([](S s, V v) {
    s.config->routing.remote_media.timeout = v.duration();
  });
  row(".remote_media.allow", Type::kTexts, "", "Private addresses that may be asked all the same: `10.1.0.0/16`, `127.0.0.1`.")
      .checked(check_address_range)
      .to([](S s, V v) { s.config->routing.remote_media.allow = v.texts; });
}

void prices(std::vector<Key>& keys) {
  keys.emplace_back("prices", Type::kMap, "",
                    "Prices beyond the built-in catalogue. USD per million tokens, decimal, with at most six digits after the point. The first entry "
                    "that matches counts: `entries`, then `file`, then the catalogue.");
  keys.emplace_back("prices.file", Type::kText, "",
                    "A file of entries, beside the configuration: YAML (a list as under `entries`), or tab-separated with a header line of the same "
                    "names (`.tsv`).")
      .to([](S, V) {});
  keys.emplace_back("prices.entries", Type::kList, "", "Entries.");
  keys.emplace_back("prices.entries[]", Type::kMap, "", "One price.").to([](S s, V) { s.price = &s.config->prices.emplace_back(); });
  keys.emplace_back("prices.entries[].model", Type::kText, "", "A pattern of `provider/model`, such as `lab/*`.")
      .must()
      .checked(check_price_pattern)
      .to([](S s, V v) { s.price->match = v.text; });
  add_price_figures(keys, "prices.entries[]");
}

void observe(std::vector<Key>& keys) {
  keys.emplace_back("observe", Type::kMap, "", "Logs and metrics.");
  keys.emplace_back("observe.log", Type::kMap, "", "To stderr, a line for each event.");
  keys.emplace_back("observe.log.level", Type::kWord, "info", "What is worth a line.")
      .within("debug|info|warn|error|off")
      .from("LLMROUTER_LOG_LEVEL")
      .to([](S s, V v) { s.config->observe.level = level_of(v.text); });
  keys.emplace_back("observe.log.format", Type::kWord, "text", "`json` is for machines.").within("text|json").to([](S s, V v) {
    s.config->observe.json = v.text == "json";
  });
  keys.emplace_back("observe.log.bodies", Type::kBool, "false", "Log what is asked and answered.").not_yet();
  keys.emplace_back("observe.metrics", Type::kBool, "true", "Serve `/metrics`.").to([](S s, V v) { s.config->observe.metrics = v.flag; });
  keys.emplace_back("observe.otel", Type::kMap, "", "OpenTelemetry.");
  keys.emplace_back("observe.otel.endpoint", Type::kText, "", "Where traces go.").not_yet();
  keys.emplace_back("observe.otel.headers", Type::kHeaders, "", "Sent along.").not_yet();
  keys.emplace_back("observe.langfuse", Type::kMap, "", "Langfuse.");
  keys.emplace_back("observe.langfuse.host", Type::kText, "", "Its address.").not_yet();
  keys.emplace_back("observe.langfuse.public_key", Type::kText, "", "Its public key.").not_yet();
  keys.emplace_back("observe.langfuse.secret_key", Type::kSecret, "", "Its secret key.").not_yet();
  keys.emplace_back("observe.alerts", Type::kList, "", "Webhooks on budgets, failing providers and error rates.").not_yet();
}

}  // namespace

void add_price_figures(std::vector<Key>& keys, const std::string& path) {
  keys.emplace_back(path + ".input", Type::kPrice, "", "Input tokens.").must().to([](S s, V v) { s.price->row.input = v.number; });
  keys.emplace_back(path + ".output", Type::kPrice, "0", "Output tokens.").to([](S s, V v) { s.price->row.output = v.number; });
  keys.emplace_back(path + ".cached_input", Type::kPrice, "", "Input tokens that were read from the provider's cache. Unset: as `input`.")
      .to([](S s, V v) { s.price->row.cached = v.number; });
  keys.emplace_back(path + ".cache_write", Type::kPrice, "", "Input tokens that were written to it. Unset: as `input`. All writes have this one price: those that Anthropic keeps for an hour cost there twice the input's, and those of five minutes 1.25 times it.").to([](S s, V v) {
    s.price->row.cache_write = v.number;
  });
  keys.emplace_back(path + ".reasoning", Type::kPrice, "", "Reasoning tokens. Unset: as `output`.").to([](S s, V v) {
    s.price->row.reasoning = v.number;
  });
  keys.emplace_back(path + ".audio_input", Type::kPrice, "", "Audio in the input. Unset: as `input`.").to([](S s, V v) {
    s.price->row.audio_input = v.number;
  });
  keys.emplace_back(path + ".audio_output", Type::kPrice, "", "Audio in the output. Unset: as `output`.").to([](S s, V v) {
    s.price->row.audio_output = v.number;
  });
  keys.emplace_back(path + ".cached_audio", Type::kPrice, "", "Audio in the input that was read from the provider's cache. Unset: as `cached_input`.")
      .to([](S s, V v) { s.price->row.cached_audio = v.number; });
  keys.emplace_back(path + ".per_request", Type::kUsd, "0", "USD for each request, beside the tokens.").to([](S s, V v) {
    s.price->row.nano_per_request = v.number;
  });
}

void add_server_keys(std::vector<Key>& keys) {
  server(keys);
  storage(keys);
}

void add_routing_keys(std::vector<Key>& keys) { routing(keys); }

void add_price_and_observe_keys(std::vector<Key>& keys) {
  prices(keys);
  observe(keys);
}

}  // namespace llmrouter::config
