// llmrouter: an LLM router you link. This header brings in the whole C++ face.
//
//   auto llm = llmrouter::open("llmrouter.yaml").value();
//   auto answer = llm.chat("openai/gpt-4o", "Why is the sky blue?").value();
//   std::cout << answer.text() << '\n';
#ifndef LLMROUTER_LLMROUTER_H_
#define LLMROUTER_LLMROUTER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/body.h"
#include "llmrouter/chat.h"
#include "llmrouter/config.h"
#include "llmrouter/error.h"
#include "llmrouter/reactor.h"
#include "llmrouter/result.h"
#include "llmrouter/router.h"
#include "llmrouter/stream.h"
#include "llmrouter/token.h"
#include "llmrouter/transport.h"

namespace llmrouter {

LLMROUTER_EXPORT std::string_view version() noexcept;  // "0.1.0"

// What a configuration builds: the parts of RouterParts by its `storage`, `prices` and `observe` sections. The one function that knows every leaf.
LLMROUTER_EXPORT Result<RouterParts> build_parts(const Config& config, std::shared_ptr<Logger> logger = nullptr,
                                                 const Clock& clock = system_clock());
// Prices and facts: the built-in catalogue, and the configuration's own entries before it.
LLMROUTER_EXPORT std::shared_ptr<const Catalog> make_catalog(const std::vector<PriceEntry>& entries = {});
// The presets behind `providers.*.type`.
LLMROUTER_EXPORT const std::vector<ProviderPreset>& provider_presets();
// The transport most want on a reactor: `demo:` in process, everything else by libcurl, after a token was got where one is needed.
LLMROUTER_EXPORT Result<std::unique_ptr<Transport>> make_default_transport(Reactor& reactor);
// Log lines to stderr, text or JSON. Thread-safe; each line is one write.
LLMROUTER_EXPORT std::shared_ptr<Logger> make_stderr_logger(LogLevel level, bool json);

// The blocking face. Thread-safe: each call in flight has a reactor of its own, kept for the next. Copies share everything.
// No thread of its own but the storage writers (none with `memory:` and `off`) and, where the configuration it is opened with asks for probes
// (`providers.*.health`), one for those, which ends with the last copy. Before a call for a name that is nobody's here, the providers are asked
// for their lists, as models() does: a bare `gpt-4o-mini` is whose one provider offers it.
class LLMROUTER_EXPORT Client {
 public:
  // One user message in, the whole answer out.
  Result<ChatResponse> chat(std::string_view model, std::string_view text);
  Result<ChatResponse> chat(ChatRequest request, CallOptions options = {});
  // Text as it comes; answer kCancel to stop early (the call then returns kCancelled). kPause is not for blocking calls (kInvalidRequest). An
  // exception out of the callback cancels the call and comes out of `stream`.
  Result<CallResult> stream(std::string_view model, std::string_view text, const std::function<Flow(std::string_view)>& on_text);
  // Every event.
  Result<CallResult> stream(ChatRequest request, const std::function<Flow(const StreamEvent&)>& on_event, CallOptions options = {});
  Result<Plan> explain(std::string_view model) const;
  // Asks the providers (at most once in five minutes) and lists what can be asked for.
  Result<std::vector<ModelEntry>> models();

  Router& router() const noexcept;
  std::shared_ptr<UsageStore> usage() const noexcept;  // null: none is kept
  const Config& config() const noexcept;

 private:
  friend Result<Client> open_config(const Config&, std::shared_ptr<Logger>, std::string);
  struct Impl;
  Client() = default;  // open() makes one
  std::shared_ptr<Impl> impl_;
};

// From a file; from a file's text; from structs. With an empty path: environment and defaults, as the server without a file.
// `models_hint`: RouterParts::models_hint.
LLMROUTER_EXPORT Result<Client> open(const std::string& path = {});
LLMROUTER_EXPORT Result<Client> open_text(std::string yaml);
LLMROUTER_EXPORT Result<Client> open_config(const Config& config, std::shared_ptr<Logger> logger = nullptr, std::string models_hint = {});

}  // namespace llmrouter

#endif  // LLMROUTER_LLMROUTER_H_
