// The Prometheus text format, version 0.0.4.
#include <string>

#include "core/router_impl.h"

namespace llmrouter {
namespace {

class MetricsText {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    ((out_ += "# HELP ") += name) += ' ';
    (out_ += help) += '\n';
    ((out_ += "# TYPE ") += name) += ' ';
    (out_ += type) += '\n';
  }
  void sample(std::string_view labels, std::string_view value, std::string_view suffix = {}) {
    (out_ += name_) += suffix;
    if (!labels.empty()) ((out_ += '{') += labels) += '}';
    ((out_ += ' ') += value) += '\n';
  }
  void sample(std::string_view labels, uint64_t value) { sample(labels, std::to_string(value)); }
  static std::string label(std::string_view name, std::string_view value) {
    std::string out(name);
    out += "=\"";
    for (char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n') {
        out += "\\n";
      } else {
        out += c;
      }
    }
    return out += '"';
  }
  void histogram(std::string_view name, std::string_view help, const core::Histogram& h) {
    family(name, "histogram", help);
    uint64_t count = 0;
    for (int i = 0; i < core::Histogram::kCount; ++i) {
      count += h.bucket(i);
      sample("le=\"" + decimal(core::Histogram::kBounds[i]) + "\"", std::to_string(count), "_bucket");
    }
    count += h.bucket(core::Histogram::kCount);
    sample("le=\"+Inf\"", std::to_string(count), "_bucket");
    sample("", decimal(h.sum_ms()), "_sum");
    sample("", std::to_string(count), "_count");
  }
  std::string take() { return std::move(out_); }
  // Milliseconds as seconds, without a float.
  static std::string decimal(int64_t ms) {
    std::string f = std::to_string(ms % 1000);
    f.insert(0, 3 - f.size(), '0');
    return std::to_string(ms / 1000) + '.' + f;
  }

 private:
  std::string out_;
  std::string name_;
};

}  // namespace

std::string Router::metrics() const {
  auto snap = impl_->snapshot.load();
  const core::CallCounters& c = impl_->counters;
  MetricsText m;
  m.family("llmrouter_calls_total", "counter", "Calls that ended, by how.");
  for (int s = 0; s < 5; ++s) {
    m.sample(MetricsText::label("status", call_status_name(static_cast<CallStatus>(s))), c.by_status[s].load(std::memory_order_relaxed));
  }
  m.family("llmrouter_calls_in_flight", "gauge", "Calls that have not ended.");
  m.sample("", std::to_string(c.in_flight.load(std::memory_order_relaxed)));
  m.family("llmrouter_retries_total", "counter", "Attempts after the first of a call.");
  m.sample("", c.retries.load(std::memory_order_relaxed));
  m.family("llmrouter_retries_refused_total", "counter", "Attempts that the retry budget did not allow.");
  m.sample("", c.retries_refused.load(std::memory_order_relaxed));
  m.family("llmrouter_hedges_total", "counter", "Second attempts beside a slow first one.");
  m.sample("", c.hedges.load(std::memory_order_relaxed));
  m.family("llmrouter_continuations_total", "counter", "Answers that broke off while routing.continue_on let others go on, by what came of them.");
  m.sample(MetricsText::label("outcome", "continued"), c.continued.load(std::memory_order_relaxed));
  m.sample(MetricsText::label("outcome", "length"), c.cut_at_length.load(std::memory_order_relaxed));
  m.sample(MetricsText::label("outcome", "failed"), c.not_continued.load(std::memory_order_relaxed));
  m.family("llmrouter_unpriced_total", "counter", "Answers charged to a key with a budget as nothing, since no price of their model is known.");
  m.sample("", c.unpriced.load(std::memory_order_relaxed));
  m.histogram("llmrouter_call_seconds", "From the start of a call to its end.", c.latency);
  m.histogram("llmrouter_first_token_seconds", "From the start of a call to the first visible payload of its stream.", c.first_token);

  struct Column {
    const char* name;
    const char* type;
    const char* help;
    uint64_t (*value)(const core::ProviderShared&);
  };
  static constexpr Column kColumns[] = {
      {"llmrouter_provider_attempts_total", "counter", "Requests sent to a provider.",
       [](const core::ProviderShared& p) { return p.attempts.load(std::memory_order_relaxed); }},
      {"llmrouter_provider_failures_total", "counter", "Requests to a provider that failed.",
       [](const core::ProviderShared& p) { return p.failures.load(std::memory_order_relaxed); }},
      {"llmrouter_provider_in_flight", "gauge", "Requests a provider is working on.",
       [](const core::ProviderShared& p) { return static_cast<uint64_t>(p.in_flight.load(std::memory_order_relaxed)); }},
      {"llmrouter_provider_crowded_names_total", "counter", "Attempts at models that callers named beyond those that are told apart: they share one health.",
       [](const core::ProviderShared& p) { return p.crowded.load(std::memory_order_relaxed); }},
      {"llmrouter_provider_input_tokens_total", "counter", "Input tokens, cached ones included.",
       [](const core::ProviderShared& p) { return p.input_tokens.load(std::memory_order_relaxed); }},
      {"llmrouter_provider_output_tokens_total", "counter", "Output tokens, reasoning included.",
       [](const core::ProviderShared& p) { return p.output_tokens.load(std::memory_order_relaxed); }},
      {"llmrouter_provider_cost_nano_usd_total", "counter", "Cost in billionths of a US dollar.",
       [](const core::ProviderShared& p) { return p.cost_nano_usd.load(std::memory_order_relaxed); }},
  };
  for (const Column& column : kColumns) {
    m.family(column.name, column.type, column.help);
    for (const auto& provider : snap->providers) {
      m.sample(MetricsText::label("provider", provider->config.name), column.value(*provider->shared));
    }
  }
  return m.take();
}

}  // namespace llmrouter
