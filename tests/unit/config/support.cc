#include "support.h"

#include "llmrouter/values.h"

namespace llmrouter::test {
namespace {

class Dump {
 public:
  std::string out;

  void line(const std::string& name, const std::string& value) { out += name + "=" + value + "\n"; }
  void line(const std::string& name, int64_t value) { line(name, std::to_string(value)); }
  void line(const std::string& name, Duration value) { line(name, format_duration(value)); }
  void line(const std::string& name, const std::vector<std::string>& values) {
    std::string joined;
    for (const std::string& value : values) joined += "[" + value + "]";
    line(name, joined);
  }
  void line(const std::string& name, const std::vector<std::pair<std::string, std::string>>& values) {
    std::string joined;
    for (const auto& [key, value] : values) joined += "[" + key + ":" + value + "]";
    line(name, joined);
  }

  void limits(const std::string& at, const Limits& limits) {
    auto rate = [&](const char* name, const std::optional<Rate>& r) {
      if (r) line(at + name, format_rate(*r) + " burst " + std::to_string(r->burst));
    };
    rate(".requests", limits.requests);
    rate(".tokens", limits.tokens);
    line(at + ".concurrent", limits.concurrent);
    if (!limits.budget) return;
    line(at + ".budget", std::to_string(limits.budget->nano_usd) + " per " + std::to_string(static_cast<int>(limits.budget->per)) + " soft " +
                             std::to_string(limits.budget->soft_percent));
  }

  void timeouts(const std::string& at, const Timeouts& t) {
    line(at + ".connect", t.connect);
    line(at + ".first_token", t.first_token);
    line(at + ".idle", t.idle);
    line(at + ".total", t.total);
  }

  void server(const ServerConfig& s) {
    line("listen", s.listen);
    line("threads", s.threads);
    line("auth", static_cast<int>(s.auth));
    line("trust_loopback", s.trust_loopback);
    line("admin_key", s.admin_key.reveal());
    line("max_body", static_cast<int64_t>(s.max_body));
    line("max_header", static_cast<int64_t>(s.max_header));
    line("header_timeout", s.header_timeout);
    line("body_timeout", s.body_timeout);
    line("idle_timeout", s.idle_timeout);
    line("write_timeout", s.write_timeout);
    line("max_connections", s.max_connections);
    line("shutdown_grace", s.shutdown_grace);
    line("cors", s.cors);
  }

  void provider(const ProviderConfig& p) {
    const std::string at = "provider " + p.name;
    line(at + ".type", p.type);
    line(at + ".base_url", p.base_url);
    line(at + ".dialect", p.dialect);
    line(at + ".auth", p.auth);
    line(at + ".quirks", p.quirks);
    line(at + ".region", p.region);
    for (const Credential& c : p.credentials) {
      line(at + ".key", c.name + " " + c.key.reveal() + " weight " + std::to_string(c.weight));
      line(at + ".key.models", c.models);
      limits(at + ".key.limits", c.limits);
    }
    line(at + ".models.filter", p.models.filter);
    line(at + ".models.append", p.models.append);
    line(at + ".models.override", p.models.override_);
    for (const HttpHeader& h : p.headers) line(at + ".header", h.name + ": " + h.value);
    line(at + ".forward_headers", p.forward_headers);
    line(at + ".pass_client_key", p.pass_client_key);
    timeouts(at + ".timeouts", p.timeouts);
    limits(at + ".limits", p.limits);
    line(at + ".proxy", p.proxy);
    line(at + ".ca_file", p.ca_file);
    line(at + ".verify_tls", p.verify_tls);
  }

  void model(const ModelConfig& m) {
    const std::string at = "model " + m.name;
    for (const TargetConfig& t : m.targets) {
      line(at + ".target", t.provider + " " + t.model + " weight " + std::to_string(t.weight) + " priority " + std::to_string(t.priority));
    }
    line(at + ".strategy", m.strategy);
    line(at + ".fallbacks", m.fallbacks);
    limits(at + ".limits", m.limits);
    line(at + ".defaults", m.defaults);
    line(at + ".override", m.override_);
    line(at + ".drop", m.drop);
  }

  void key(const FileKey& k) {
    const std::string at = "key " + k.spec.name;
    line(at + ".key", k.key.reveal());
    line(at + ".user", k.spec.user);
    line(at + ".purpose", k.spec.purpose);
    line(at + ".role", static_cast<int>(k.spec.role));
    line(at + ".allow.models", k.spec.allow.models);
    line(at + ".allow.providers", k.spec.allow.providers);
    line(at + ".allow.endpoints", k.spec.allow.endpoints);
    if (k.spec.params.max_tokens) line(at + ".max_tokens", *k.spec.params.max_tokens);
    if (k.spec.params.min_temperature)
      line(at + ".temperature", std::to_string(*k.spec.params.min_temperature) + ".." + std::to_string(*k.spec.params.max_temperature));
    if (k.spec.params.tools) line(at + ".tools", *k.spec.params.tools);
    limits(at + ".limits", k.spec.limits);
    if (k.spec.expires) line(at + ".expires", format_time_rfc3339(*k.spec.expires));
  }

  void rest(const Config& c) {
    line("storage.keys", c.storage.keys);
    line("storage.usage", c.storage.usage);
    line("storage.retention", c.storage.retention);
    line("storage.secret_key", c.storage.secret_key.reveal());
    line("default_model", c.routing.default_model);
    line("strategy", c.routing.strategy);
    line("attempts", c.routing.attempts);
    line("backoff.first", c.routing.backoff.first);
    line("backoff.max", c.routing.backoff.max);
    timeouts("timeouts", c.routing.timeouts);
    line("cooldown.failures", c.routing.cooldown.failures);
    line("continue_on_cut", c.routing.continue_on_cut);
    line("cooldown.within", c.routing.cooldown.within);
    line("cooldown.for", c.routing.cooldown.rest);
    line("cooldown.max", c.routing.cooldown.max);
    for (const PriceEntry& p : c.prices) {
      line("price " + p.match, std::to_string(p.row.input) + " " + std::to_string(p.row.output) + " " + std::to_string(p.row.cached) + " " +
                                   std::to_string(p.row.cache_write) + " " + std::to_string(p.row.reasoning) + " " +
                                   std::to_string(p.row.audio_input) + " " + std::to_string(p.row.audio_output) + " " +
                                   std::to_string(p.row.nano_per_request));
    }
    line("log.level", static_cast<int>(c.observe.level));
    line("log.json", c.observe.json);
    line("metrics", c.observe.metrics);
  }
};

}  // namespace

std::string dump(const Config& config) {
  Dump d;
  d.line("source", config.source);
  d.server(config.server);
  for (const ProviderConfig& provider : config.providers) d.provider(provider);
  for (const ModelConfig& model : config.models) d.model(model);
  for (const FileKey& key : config.keys) d.key(key);
  d.rest(config);
  return d.out;
}

}  // namespace llmrouter::test
