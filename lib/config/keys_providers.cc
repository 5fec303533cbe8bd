// The section `providers`, and what it shares with others: limits and timeouts.
#include "config/address.h"
#include "config/table.h"

namespace llmrouter::config {
namespace {

using S = Scope&;
using V = const Value&;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

void set_headers(S s, V v) {
  for (const auto& [name, value] : v.pairs) s.provider->headers.push_back({lower(name), value});
}

void set_forward_headers(S s, V v) {
  for (const std::string& name : v.texts) s.provider->forward_headers.push_back(lower(name));
}

void pool(std::vector<Key>& keys) {
  keys.emplace_back("providers.*.api_key", Type::kSecret, "", "The key. Unset: the vendor's usual variable, when the vendor's own base URL is used.")
      .checked(check_key_text)
      .to([](S s, V v) {
        Credential credential;
        credential.key = Secret(v.text);
        s.provider->credentials.push_back(std::move(credential));
      });
  keys.emplace_back("providers.*.credentials_file", Type::kText, "",
                    "A Google service account's JSON file (or an authorized user's), beside the configuration: access tokens are got with it. Instead of "
                    "`api_key`, which also takes the JSON itself, and `google-metadata` for the machine's own account (of the "
                    "server that GCE_METADATA_HOST names, where it is set; also `google-metadata:http://127.0.0.1:PORT`, Google's or one on this host).")
      .to([](S s, V v) { s.provider->credentials_file = v.text; });
  keys.emplace_back("providers.*.api_keys", Type::kList, "",
                    "A pool of keys, used in turn. One that is refused or out of quota rests while the others work.");
  keys.emplace_back("providers.*.api_keys[]", Type::kMap, "", "A key of the pool: the key alone, or a map.").short_for("key").to([](S s, V) {
    s.credential = &s.provider->credentials.emplace_back();
  });
  keys.emplace_back("providers.*.api_keys[].key", Type::kSecret, "", "The key.").must().checked(check_key_text).to([](S s, V v) {
    s.credential->key = Secret(v.text);
  });
  keys.emplace_back("providers.*.api_keys[].name", Type::kText, "", "What logs and usage records call it. Unset: its number in the pool.")
      .checked(check_label)
      .to([](S s, V v) { s.credential->name = v.text; });
  keys.emplace_back("providers.*.api_keys[].weight", Type::kInt, "1", "Its share of the requests, among the keys that may serve one.").within("1..1000000").to([](S s, V v) {
    s.credential->weight = v.integer();
  });
  keys.emplace_back("providers.*.api_keys[].models", Type::kTexts, "", "Patterns of the upstream's model names that it may be used for. Empty: all.")
      .to([](S s, V v) { s.credential->models = v.texts; });
  keys.emplace_back("providers.*.api_keys[].limits", Type::kMap, "", "Limits of this key.").to([](S s, V) { s.limits = &s.credential->limits; });
  add_limits(keys, "providers.*.api_keys[].limits");
}

void add_template(std::vector<Key>& keys) {
  keys.emplace_back("providers.*.http", Type::kMap, "", "The template of `dialect: http`: how a server of no known dialect is asked, and where its answer stands.")
      .to([](S, V) {});
  keys.emplace_back("providers.*.http.method", Type::kWord, "POST", "The request's method.").within("POST|PUT").to([](S s, V v) { s.provider->http.method = v.text; });
  keys.emplace_back("providers.*.http.path", Type::kText, "", "Appended to `base_url`. `{model}` in it is the model's name.")
      .must()
      .checked(check_template_path)
      .to([](S s, V v) { s.provider->http.path = v.text; });
  keys.emplace_back("providers.*.http.body", Type::kTemplate, "",
                    "The request's body. `${prompt}` is the last user's text, `${messages}` the conversation as OpenAI has it, `${NAME}` any member of an OpenAI "
                    "request; `${NAME:-default}` where there may be none. Not for variables of the environment.")
      .must()
      .to([](S s, V v) { s.provider->http.body = v.text; });
  keys.emplace_back("providers.*.http.text", Type::kText, "", "Where the text stands in an answer: a JSON pointer, `/output/0/text`.")
      .must()
      .checked(check_pointer)
      .to([](S s, V v) { s.provider->http.text = v.text; });
  keys.emplace_back("providers.*.http.finish", Type::kText, "", "Where it says why the answer ended.").checked(check_pointer).to([](S s, V v) {
    s.provider->http.finish = v.text;
  });
  keys.emplace_back("providers.*.http.usage", Type::kMap, "", "Where the tokens are counted. Without it they are estimated.").to([](S, V) {});
  keys.emplace_back("providers.*.http.usage.input", Type::kText, "", "JSON pointer to the tokens of the question.").checked(check_pointer).to([](S s, V v) { s.provider->http.usage_input = v.text; });
  keys.emplace_back("providers.*.http.usage.output", Type::kText, "", "JSON pointer to the tokens of the answer.").checked(check_pointer).to([](S s, V v) { s.provider->http.usage_output = v.text; });
  keys.emplace_back("providers.*.http.stream", Type::kMap, "", "How it streams. Without it every answer comes whole.").to([](S, V) {});
  keys.emplace_back("providers.*.http.stream.format", Type::kWord, "", "Server-sent events, or lines of JSON.").within("sse|ndjson").must().to([](S s, V v) {
    s.provider->http.stream_format = v.text;
  });
  keys.emplace_back("providers.*.http.stream.text", Type::kText, "", "Where a piece of text stands in a piece of the stream.")
      .must()
      .checked(check_pointer)
      .to([](S s, V v) { s.provider->http.stream_text = v.text; });
  keys.emplace_back("providers.*.http.stream.done", Type::kText, "", "Where it says that this was the last. Without it the stream's end says so, or `[DONE]`.")
      .checked(check_pointer)
      .to([](S s, V v) { s.provider->http.stream_done = v.text; });
}

void model_list(std::vector<Key>& keys) {
  keys.emplace_back("providers.*.models", Type::kMap, "", "What it offers. The provider is asked, and the answer cached, unless `override` says it.");
  keys.emplace_back("providers.*.models.filter", Type::kText, "",
                    "Words that a name must hold, all of them; `*` stands for anything, letters match in either case.")
      .to([](S s, V v) { s.provider->models.filter = v.text; });
  keys.emplace_back("providers.*.models.append", Type::kTexts, "", "Names beside those that it lists, or that `override` lists.").to([](S s, V v) {
    s.provider->models.append = v.texts;
  });
  keys.emplace_back("providers.*.models.override", Type::kTexts, "", "The list itself, before `append` and whatever `filter` says; nobody is asked.").to([](S s, V v) {
    s.provider->models.override_ = v.texts;
  });
}

}  // namespace

void add_limits(std::vector<Key>& keys, const std::string& path) {
  keys.emplace_back(path + ".requests", Type::kRate, "", "Requests in a time: `60/min`, or `{requests: 50, per: 60s, burst: 20}`.").to([](S s, V v) {
    s.limits->requests = v.rate;
  });
  keys.emplace_back(path + ".tokens", Type::kRate, "", "Tokens in a time, input and output together: `200k/min`.").to([](S s, V v) {
    s.limits->tokens = v.rate;
  });
  keys.emplace_back(path + ".concurrent", Type::kCount, "", "Requests at the same time.").within("1..1M").to([](S s, V v) {
    s.limits->concurrent = v.number;
  });
  keys.emplace_back(path + ".burst", Type::kCount, "", "How many of `requests` may come at once. Unset: all of them.")
      .within("1..1M")
      .beside("requests")
      .to([](S s, V v) {
        if (s.limits->requests) s.limits->requests->burst = v.number;
      });
}

void add_timeouts(std::vector<Key>& keys, const std::string& path, const char* connect, const char* idle, const char* total, const char* total_doc) {
  keys.emplace_back(path + ".connect", Type::kDuration, connect, "To be connected, TLS included.").within("1ms..1h").to([](S s, V v) {
    s.timeouts->connect = v.duration();
  });
  keys.emplace_back(
          path + ".first_token", Type::kDuration, "",
          "From the start of an attempt to the first visible payload; of an answer that is not streamed, to its head. Unset everywhere: 60s "
          "for streams, `total` alone for whole answers.")
      .within("1ms..1d")
      .to([](S s, V v) { s.timeouts->first_token = v.duration(); });
  keys.emplace_back(path + ".idle", Type::kDuration, idle, "Between two pieces of an answer.").within("1ms..1d").to([](S s, V v) {
    s.timeouts->idle = v.duration();
  });
  keys.emplace_back(path + ".total", Type::kDuration, total, total_doc).within("1ms..7d").to([](S s, V v) {
    s.timeouts->total = v.duration();
  });
}

void add_provider_keys(std::vector<Key>& keys) {
  keys.emplace_back("providers", Type::kNamed, "",
                    "Where models are asked. The name is what `name/model` and `[name]model` use. Without this section each vendor's usual variables "
                    "make a provider; `demo`, a model in this process, is always there.");
  keys.emplace_back("providers.*", Type::kMap, "", "One provider.").to([](S s, V) {
    s.provider = &s.config->providers.emplace_back();
    s.provider->name = s.name;
    s.provider->dialect.clear();  // the preset's, unless said
  });
  keys.emplace_back("providers.*.type", Type::kText, "",
                    "The vendor's preset: base URL, dialect, way to authenticate, quirks, usual variable of its key. Unset: the provider's own name, "
                    "where that is one. Quirks belong to the type, whatever `base_url` says; one exception: what is merely named `openai` and has a `base_url` of its own (or is where OPENAI_BASE_URL leads) "
                    "is any compatible server and has none of OpenAI's; `type: openai` says that it is OpenAI behind a proxy.")
      .to([](S s, V v) { s.provider->type = v.text; });
  keys.emplace_back("providers.*.base_url", Type::kText, "",
                    "What stands before the dialect's own paths; with or without its version part (`/v1`) means the same, but for vendors whose preset has none "
                    "(Perplexity, Databricks): theirs is taken as it is. Unset: the preset's.")
      .checked(check_base_url)
      .to([](S s, V v) { s.provider->base_url = v.text; });
  keys.emplace_back("providers.*.dialect", Type::kWord, "openai", "What it speaks. With a preset: the preset's.")
      .within("openai|responses|anthropic|gemini|ollama|cohere|bedrock|http")
      .to([](S s, V v) { s.provider->dialect = v.text; });
  keys.emplace_back("providers.*.region", Type::kText, "", "Where the vendor has several places (see the presets).").to([](S s, V v) {
    s.provider->region = v.text;
  });
  keys.emplace_back("providers.*.project", Type::kText, "",
                    "Vertex AI: the Google Cloud project. Unset: the usual variable, or the one of the service account. None is needed with an API key.")
      .checked(check_project)
      .to([](S s, V v) { s.provider->project = v.text; });
  keys.emplace_back("providers.*.also", Type::kTexts, "",
                    "Other dialects that it speaks under the same base URL (`responses`, `completions`, `anthropic`): what their clients send goes there as it came. "
                    "Unset: what the preset knows of the vendor's own place (its hosts by region included: `eu.api.openai.com`).")
      .checked(check_dialect_beside)
      .to([](S s, V v) { s.provider->also = v.texts; });
  keys.emplace_back("providers.*.api_version", Type::kText, "",
                    "Azure: the version of its API, sent with each request. With it and a bare host the deployments' own paths are used "
                    "(`/openai/deployments/NAME/...`), without it `/openai/v1`.")
      .checked(check_api_version)
      .to([](S s, V v) { s.provider->api_version = v.text; });
  pool(keys);
  model_list(keys);
  keys.emplace_back("providers.*.headers", Type::kHeaders, "", "Added to each upstream request.").to(set_headers);
  keys.emplace_back("providers.*.forward_headers", Type::kTexts, "",
                    "Headers of a client that may pass. None does by default but the protocol's own between equal dialects.")
      .checked(check_forwarded_header)
      .to(set_forward_headers);
  keys.emplace_back("providers.*.pass_client_key", Type::kBool, "false",
                    "The client's own key goes upstream. Only with `server.auth: none`, and without a key here.")
      .to([](S s, V v) { s.provider->pass_client_key = v.flag; });
  keys.emplace_back("providers.*.timeouts", Type::kMap, "", "Instead of `routing.timeouts`.").to([](S s, V) { s.timeouts = &s.provider->timeouts; });
  add_timeouts(keys, "providers.*.timeouts", "", "", "", "One attempt at this provider; the whole request stays within `routing.timeouts.total`.");
  keys.emplace_back("providers.*.limits", Type::kMap, "", "Limits of everything that goes to it.").to([](S s, V) { s.limits = &s.provider->limits; });
  add_limits(keys, "providers.*.limits");
  keys.emplace_back("providers.*.health", Type::kMap, "", "Probing it between requests.");
  keys.emplace_back("providers.*.health.probe", Type::kWord, "off",
                    "What is asked: `models` for the list of models, `chat` each configured target for one token, which costs.")
      .within("off|models|chat")
      .to([](S s, V v) {
        s.provider->health.probe = v.text == "models" ? ProbeKind::kModels : v.text == "chat" ? ProbeKind::kChat : ProbeKind::kOff;
      });
  keys.emplace_back("providers.*.health.interval", Type::kDuration, "30s", "How often.").within("1s..1d").to([](S s, V v) {
    s.provider->health.interval = v.duration();
  });
  keys.emplace_back("providers.*.health.models", Type::kTexts, "",
                    "Patterns of the upstream's model names that `chat` may ask, so that an expensive one is left out (`!gpt-5*`). Empty: all.")
      .to([](S s, V v) { s.provider->health.models = v.texts; });
  keys.emplace_back("providers.*.proxy", Type::kText, "", "`http://`, `https://` or `socks5://`, with `user:password@` where it wants one.")
      .checked(check_proxy)
      .hidden()
      .to([](S s, V v) { s.provider->proxy = v.text; });
  keys.emplace_back("providers.*.tls", Type::kMap, "", "How its certificate is checked.");
  keys.emplace_back("providers.*.tls.ca_file", Type::kText, "", "Certificates to trust, a PEM file beside the configuration. Empty: the system's.")
      .to([](S s, V v) { s.provider->ca_file = v.text; });
  keys.emplace_back("providers.*.tls.verify", Type::kBool, "true", "Off accepts any certificate: for tests alone.").to([](S s, V v) {
    s.provider->verify_tls = v.flag;
  });
  add_template(keys);
}

}  // namespace llmrouter::config
