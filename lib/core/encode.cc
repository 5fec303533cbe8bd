// What an attempt sends: the client's own bytes or the neutral request, by the target's codec, and the client's headers that go along.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "llmrouter/dropped.h"

namespace llmrouter {

using core::Candidate;

namespace {

bool starts_with(std::string_view text, std::string_view head) { return text.substr(0, head.size()) == head; }

// A protocol's own headers begin with its name; OpenAI has three protocols.
bool carries_between_equal_dialects(std::string_view name, const Dialect& dialect) {
  if (name == "idempotency-key") return true;
  if (name == "openai-beta") return dialect.name() == "openai" || dialect.name() == "responses" || dialect.name() == "completions";
  return (name == "anthropic-version" || name == "anthropic-beta") && starts_with(name, dialect.name());
}

// Features asked for by name: what the codec needs and what the client wants hold both.
bool is_list(std::string_view name) { return name == "anthropic-beta" || name == "openai-beta"; }

bool same_name(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

// Never from a client to an upstream, whatever a list says: they belong to the connection or to this router's own credentials.
bool never_forwarded(std::string_view name) {
  if (starts_with(name, "x-llmrouter-")) return true;
  static constexpr std::string_view kNames[] = {"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "host",
                                                "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding",
                                                "te", "trailer", "upgrade", "expect", "proxy-authorization", "content-encoding"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

Result<void> Call::State::decode_chat() {
  if (chat_) return {};
  auto chat = client_->decode();
  if (!chat) return std::move(chat).error();
  chat_ = std::make_unique<ChatRequest>(std::move(*chat));
  chat_->stream = facts_.stream;
  return {};
}

Result<void> Call::State::encode_attempt(const Candidate& c) {
  at_->edits = param_edits_;
  if (c.route != nullptr) at_->edits.insert(at_->edits.end(), c.route->edits.begin(), c.route->edits.end());
  if (auto made = make_filters(c); !made) return made;
  at_->relay = !committed_ && at_->filters.empty() && at_->provider->speaks(client_dialect_, c.model) && passes(*at_->provider) &&
               (at_->edits.empty() || client_dialect_->openai_members()) && !wants_inlined(c);
  auto encoded = encode_either_way(c);
  // Some edits come to more than other members (an answer's form that older models only give as a call): then the request is written anew.
  if (!encoded && encoded.error().code == ErrorCode::kNotSupported && at_->relay && (!at_->edits.empty() || !facts_.relayable)) {
    at_->relay = false;
    encoded = encode_either_way(c);
  }
  if (!encoded) return encoded;
  if (!committed_) record_.dropped = ignored_;
  name_dropped();
  add_forwarded_headers();
  return {};
}

// May the client's own bytes go to an upstream of their dialect? Some of them that may not can be mended by its codec.
bool Call::State::passes(const core::ProviderRuntime& provider) const {
  if (facts_.relayable || operation_ != Operation::kChat) return facts_.relayable;
  const auto codec = client_dialect_->new_upstream_codec();
  return codec && codec->relays(provider.config, facts_);
}

namespace {

// What was asked for, where endpoints of one name differ.
std::string_view words_for(Operation operation) noexcept {
  switch (operation) {
    case Operation::kImageEdit: return "edits of images";
    case Operation::kSpeech: return "speech";
    case Operation::kTranscribe: return "transcriptions";
    case Operation::kTranslateAudio: return "translations of audio";
    default: return operation_name(operation);
  }
}

}  // namespace

// Relayed or translated, as at_->relay says.
Result<void> Call::State::encode_either_way(const Candidate& c) {
  at_->encoded = EncodedRequest();
  const Dialect* spoken = at_->relay ? client_dialect_ : at_->provider->dialect_of(c.model);
  at_->upstream = operation_ == Operation::kChat ? spoken->new_upstream_codec() : task_upstream(c.model, &spoken);
  if (!at_->upstream) {
    return Error(ErrorCode::kNotSupported, "provider " + at_->provider->config.name + ": its dialect " + std::string(spoken->name()) + " has no " +
                                               std::string(words_for(operation_)));
  }

  EncodeInput input;
  std::unique_ptr<ChatRequest> edited;
  if (at_->relay) {
    input.body = body_;
    input.source = source_;
    input.facts = &facts_;
    input.edits = &at_->edits;
  } else if (operation_ != Operation::kChat) {
    if (auto prepared = prepare_task(input); !prepared) return prepared;
  } else {
    if (auto decoded = decode_chat(); !decoded) return decoded;
    input.chat = chat_.get();
    if (committed_ || !at_->edits.empty() || !at_->filters.empty()) {
      edited = std::make_unique<ChatRequest>(*chat_);
      if (auto applied = apply_edits(at_->edits, *edited); !applied) return applied;
      if (committed_) {
        if (auto begun = add_beginning(*edited); !begun) return begun;
      }
      for (const auto& filter : at_->filters) {
        if (auto rewritten = filter->on_request(*edited); !rewritten) return rewritten;
      }
      input.chat = edited.get();
    }
  }
  input.provider = &at_->provider->config;
  if (at_->credential >= 0) {
    input.key = at_->provider->credentials[static_cast<size_t>(at_->credential)].key_to_send();
  } else if (at_->provider->config.pass_client_key && !key_) {  // ours is nobody else's
    input.key = options_.key.reveal();
  }
  input.upstream_model = c.model;
  input.stream = facts_.stream;
  input.prefill = committed_ && !joint_->beginning().empty();
  input.foreign = !at_->relay && client_dialect_ != nullptr && client_dialect_ != spoken;
  if (auto encoded = at_->upstream->encode(input, at_->encoded); !encoded) {
    // A filter may have taken messages out, and an answer that was begun is one more.
    const bool told = input.task != nullptr || (input.chat != nullptr && input.chat->messages.size() == chat_->messages.size());
    return told ? in_clients_words(std::move(encoded).error()) : std::move(encoded).error();
  }
  return {};
}

// An error about the decoded request, with the field as the client wrote it.
Error Call::State::in_clients_words(Error error) {
  const ChatRequest* const chat = chat_ || operation_ != Operation::kCountTokens ? chat_.get() : &task_->chat;  // what is counted is a chat
  if (!client_ || chat == nullptr || error.param.empty()) return error;
  const std::string field = client_->field(error.param, *chat);
  if (const size_t at = error.message.find(error.param); at <= 1) error.message.replace(at, error.param.size(), field);  // in front, maybe in backquotes
  error.param = field;
  return error;
}

// Of the attempt, beside what those before it have dropped where it goes on. A codec may be anybody's: what it names is bounded here too.
void Call::State::name_dropped() {
  for (const std::string& name : at_->encoded.dropped) add_dropped(record_.dropped, name);
}

// What the configuration sets wins over the client's, and the client's over what a codec takes for granted; lists of features are joined.
void Call::State::add_forwarded_headers() {
  const bool equal = at_->relay || client_dialect_ == at_->provider->dialect_of(candidates_[at_->current].model);
  const auto& configured = at_->provider->config.headers;
  for (const HttpHeader& h : options_.headers) {
    const auto& allowed = at_->provider->config.forward_headers;
    const bool listed = std::find(allowed.begin(), allowed.end(), h.name) != allowed.end();
    const bool carried = equal && carries_between_equal_dialects(h.name, *client_dialect_);
    if ((!listed && !carried) || never_forwarded(h.name)) continue;
    const auto same = [&](const HttpHeader& o) { return same_name(o.name, h.name); };
    if (std::any_of(configured.begin(), configured.end(), same)) continue;
    auto& out = at_->encoded.http.headers;
    const auto there = std::find_if(out.begin(), out.end(), same);
    if (there == out.end()) out.push_back(h);
    else if (is_list(h.name)) there->value.append(",").append(h.value);
    else if (carried) there->value = h.value;
  }
}

}  // namespace llmrouter
