// A provider is data, not a class: where it is, which dialect it speaks, whose keys open it.
#ifndef LLMROUTER_PROVIDER_H_
#define LLMROUTER_PROVIDER_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/limits.h"
#include "llmrouter/secret.h"
#include "llmrouter/transport.h"

namespace llmrouter {

// What is known of a vendor before anybody configures it. Static data.
struct ProviderPreset {
  std::string type;       // "openai"
  std::string base_url;   // with the version part its dialect wants: "https://api.openai.com/v1"; `{region}` in it stands for the region
  std::string dialect;    // "openai"
  std::string auth;       // "bearer", or the name of the header the bare key goes in ("x-api-key"); empty: no key wanted
  // Usual environment variables, the first that is set wins. Names joined by colons make one key of their values, so joined; those after the
  // second may be unset (Amazon's session token).
  std::vector<std::string> key_variables;
  std::string base_url_variable;           // "OPENAI_BASE_URL"; empty: none
  std::vector<std::string> quirks;         // names; each is documented and tested in lib/dialects/README.md
  bool key_required = true;
  std::vector<std::string> also;           // as in ProviderConfig
  std::string title;      // for people
  // Where the vendor has several places: name and base URL of each. Empty, and no `{region}` in the base URL: `region` means nothing here. Beside a
  // `{region}` in the base URL: those whose URL is another one, the usual one first.
  std::vector<std::pair<std::string, std::string>> regions;
  std::vector<std::string> region_variables;  // usual environment variables, the first that is set wins
  // `{project}` in the base URL stands for the customer's project; these variables name it. A single key that is no exchanged credential works without
  // one at `keyed_base_url` (Google's express mode).
  std::vector<std::string> project_variables;
  std::string keyed_base_url;
  std::string key_file_variable;  // usual environment variable that names a file with the key in it; empty: none
  std::vector<std::pair<std::string, std::string>> model_dialects;  // as in ProviderConfig
};

// One key of a provider's pool.
struct Credential {
  std::string name;  // "1", "2", ... when not given
  Secret key;
  int weight = 1;    // >= 1
  std::vector<std::string> models;  // patterns of upstream names it may be used for; empty: all
  Limits limits;
};

// Zero: not set here; the next wider setting holds (provider, then routing).
struct Timeouts {
  Duration connect{0};
  // From the start of the attempt to the first visible payload; of an answer that is not streamed, to its head. Set nowhere: 60 s for
  // streams, and `total` alone for whole answers, since providers send their head only when all of it is written.
  Duration first_token{0};
  Duration idle{0};         // between bytes, later
  Duration total{0};        // of routing: the whole call, all attempts; of a provider: each attempt at it
};

struct ModelListPolicy {
  std::string filter;               // words, all must match
  std::vector<std::string> append;
  std::vector<std::string> override_;  // not empty: the list
};

// A server of its own dialect, told by a template (`dialect: http`): text in, text out.
struct HttpTemplate {
  std::string method = "POST";  // POST or PUT
  std::string path;             // appended to the base URL; `{model}` in it is the model's name, percent-encoded
  // A JSON object. `${NAME}` in its texts is a member of the request as OpenAI's chat dialect has it ("messages", "max_tokens", ...), or "prompt": the last
  // user's text. A text that is one placeholder alone becomes its value, of whatever kind, and its member is left out when there is none; inside a longer
  // text it is the value's text. `${NAME:-default}` has a default, JSON where it can be read as such. `$${` is a literal `${`.
  std::string body;
  // JSON pointers (RFC 6901) into an answer, and into each piece of a stream; the last that is found counts. Empty: nothing there.
  std::string text;             // not in pieces of a stream
  std::string finish;
  std::string usage_input, usage_output;
  std::string stream_format;    // sse, ndjson; empty: it does not stream
  std::string stream_text;
  std::string stream_done;      // true, a number but 0 or a text that is not empty there ends the answer; empty: the end of the stream does
};

// Probing between requests.
enum class ProbeKind { kOff, kModels, kChat };
struct HealthConfig {
  ProbeKind probe = ProbeKind::kOff;  // models: the list is asked for; chat: each configured target answers one token, which costs
  Duration interval{std::chrono::seconds(30)};
  std::vector<std::string> models;    // chat: patterns of the models that may be asked; empty: all
};

struct ProviderConfig {
  std::string name;
  std::string type;      // preset; empty: none
  std::string base_url;  // normalised: no trailing slash, with the dialect's version ending
  std::string dialect = "openai";
  std::vector<std::string> also;  // other dialects spoken under the same base URL: their clients' bytes pass as they are
  // Models that speak another dialect than `dialect`: a pattern of the upstream's names and the dialect; the first that matches holds.
  std::vector<std::pair<std::string, std::string>> model_dialects;
  std::string api_version;      // Azure: sent as `?api-version=`; empty: none
  std::string auth = "bearer";  // as in ProviderPreset
  std::vector<std::string> quirks;
  std::vector<Credential> credentials;  // may be empty: no key is sent
  std::string region;           // where a vendor has several places; requests to Amazon are signed for it
  std::string project;          // whose resources are used, where the vendor asks (Google Cloud)
  std::string credentials_file;  // as the configuration names it; its content became a credential when that was loaded
  ModelListPolicy models;
  std::vector<HttpHeader> headers;
  std::vector<std::string> forward_headers;  // lower case
  bool pass_client_key = false;
  Timeouts timeouts;
  Limits limits;
  HealthConfig health;
  std::string proxy;
  std::string ca_file;
  bool verify_tls = true;
  HttpTemplate http;  // of dialect http alone

  LLMROUTER_EXPORT bool has_quirk(std::string_view name) const noexcept;
};

}  // namespace llmrouter

#endif  // LLMROUTER_PROVIDER_H_
