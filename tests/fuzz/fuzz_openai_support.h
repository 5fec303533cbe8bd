// What the codecs' fuzz targets share.
#ifndef LLMROUTER_TESTS_FUZZ_FUZZ_OPENAI_SUPPORT_H_
#define LLMROUTER_TESTS_FUZZ_FUZZ_OPENAI_SUPPORT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace codec_fuzz {

using namespace llmrouter;

constexpr std::string_view kKey = "sk-test-0123456789abcdef";

inline std::shared_ptr<const Dialect> dialect(std::string_view name) {
  for (auto& d : builtin_dialects()) {
    if (d->name() == name) return d;
  }
  return nullptr;
}

// A provider with the quirks whose bits are set.
inline ProviderConfig provider(unsigned bits) {
  static constexpr std::string_view kQuirks[] = {"no_stream_options", "max_tokens_only", "max_completion_tokens_only", "strip_unknown",
                                                 "required_is_any", "random_seed", "short_tool_ids", "no_top_k"};
  ProviderConfig config;
  config.name = "lab";
  config.base_url = "http://127.0.0.1:9/v1";
  for (std::string_view quirk : kQuirks) {
    if (bits & 1) config.quirks.emplace_back(quirk);
    bits >>= 1;
  }
  return config;
}

inline std::string joined(const EncodedRequest& request) {
  std::string body;
  for (std::string_view piece : request.http.body) body += piece;
  return body;
}

// An error that may come of a bad request: says which field, says it in UTF-8-safe words, holds no key.
inline void check_error(const Error& error) {
  fuzz::must(error.code != ErrorCode::kNone, "an error has a code");
  fuzz::must(!error.message.empty(), "an error has words");
  fuzz::must(error.message.find(kKey) == std::string::npos, "no key in the message");
  fuzz::must(error.upstream_body.find(kKey) == std::string::npos, "no key in the body");
  fuzz::must(error.upstream_body.size() <= 8192, "the kept body is capped");
}

// A scanned body's texts, as rules on content hear them: each string once, and nobody who had enough is told more.
inline void hear_texts(ClientCodec& client, std::string_view body) {
  struct Listener final : TextSink {
    size_t bytes = 0, left = 0;
    bool done = false;
    bool on_text(std::string_view text) override {
      fuzz::must(!done, "nothing is told to who had enough");
      fuzz::must(!text.empty(), "a text says something");
      bytes += text.size();
      done = left-- == 0;
      return !done;
    }
  };
  for (const size_t most : {size_t{0}, size_t{2}, body.size()}) {
    Listener listener;
    listener.left = most;
    const auto whole = client.tell_texts(listener);
    fuzz::must(whole.ok() && *whole == !listener.done, "it is known whether all was told");
    fuzz::must(listener.bytes <= body.size(), "no text is told twice");
  }
}

// A request of the neutral form encoded for a dialect: JSON, or an error that names the field. Empty: refused.
inline std::string encode(std::string_view to, const ChatRequest& chat, const ProviderConfig& config, bool stream, bool foreign) {
  EncodeInput input;
  input.chat = &chat;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = "upstream";
  input.stream = stream;
  input.foreign = foreign;
  EncodedRequest out;
  if (auto ok = dialect(to)->new_upstream_codec()->encode(input, out); !ok) {
    fuzz::must(ok.error().code == ErrorCode::kInvalidRequest && !ok.error().param.empty(), "what cannot be expressed is named");
    return {};
  }
  const std::string body = joined(out);
  fuzz::must(bool(wire::validate(body)), "an encoded request is JSON");
  fuzz::must(wire::find_member(wire::JsonValue(body), "model").equals("upstream"), "the model is the upstream's");
  return body;
}

// An upstream codec that is ready to read.
inline std::unique_ptr<UpstreamCodec> reading(std::string_view name, bool relay, int64_t n, const ProviderConfig& config) {
  auto codec = dialect(name)->new_upstream_codec();
  static const std::string body = R"({"model":"m"})";
  RequestFacts facts;
  facts.model = "m";
  facts.n = n;
  ChatRequest chat = ChatRequest::of("m", "x");
  if (name == "openai") chat.n = n;
  EncodeInput input;
  input.body = body;
  if (relay) input.facts = &facts;
  else input.chat = &chat;
  input.provider = &config;
  input.key = kKey;
  input.upstream_model = "m";
  input.stream = true;
  EncodedRequest out;
  fuzz::must(codec->encode(input, out).ok(), "a plain request is encoded");
  return codec;
}

// Hears a stream, holds what must hold of it, and passes events on to client codecs.
class Sink : public UpstreamSink {
 public:
  explicit Sink(std::vector<ClientCodec*> clients = {}) : clients_(std::move(clients)), written_(clients_.size()) {}

  Flow on_frame(std::string_view bytes, FrameKind kind) override {
    fuzz::must(errors == 0, "nothing after an error");
    frames.append(bytes);
    if (kind != FrameKind::kPrelude) log += "f" + std::to_string(static_cast<int>(kind));
    return Flow::kContinue;
  }
  Flow on_event(const StreamEvent& e) override {
    using Kind = StreamEvent::Kind;
    fuzz::must(errors == 0, "nothing after an error");
    if (e.kind == Kind::kStart) {
      fuzz::must(!started_, "one start");
      started_ = true;
    }
    fuzz::must(started_ || e.kind == Kind::kUsage, "the start comes first");
    fuzz::must(e.choice >= 0 && e.choice < 128, "choices are numbered within reason");
    log += "e" + std::to_string(static_cast<int>(e.kind)) + ":" + std::to_string(e.choice) + ":" + std::to_string(e.tool_index);
    for (std::string_view s : {e.text, e.name, e.arguments, e.raw, e.model, e.signature}) log.append("|").append(s);
    log += std::to_string(e.usage.input) + "," + std::to_string(e.usage.output);
    if (!e.raw.empty() && (e.kind == Kind::kOther || e.kind == Kind::kLogprobs)) {
      fuzz::must(bool(wire::validate(e.raw)) && e.raw.front() == '{', "raw events are JSON objects");
    }
    for (size_t i = 0; i < clients_.size(); ++i) clients_[i]->encode_event(e, written_[i]);
    return Flow::kContinue;
  }
  void on_usage(const TokenUsage& u) override {
    fuzz::must(u.known && u.input >= u.cached && u.output >= u.reasoning && u.input >= 0 && u.output >= 0, "counts make sense");
    log += "u" + std::to_string(u.input) + "," + std::to_string(u.output);
  }
  void on_finish(FinishReason reason) override { log += "F" + std::to_string(static_cast<int>(reason)); }
  void on_error(Error error) override {
    ++errors;
    fuzz::must(errors == 1, "one error");
    check_error(error);
    log += "E" + std::string(code_name(error.code));
  }

  // Ends what the clients have written, and checks that every frame of it is JSON.
  void end_clients() {
    for (size_t i = 0; i < clients_.size(); ++i) {
      clients_[i]->encode_end(written_[i]);
      std::string_view rest = written_[i];
      while (!rest.empty()) {
        const size_t eol = rest.find('\n');
        fuzz::must(eol != std::string_view::npos, "lines end");
        std::string_view line = rest.substr(0, eol);
        rest.remove_prefix(eol + 1);
        if (line.substr(0, 7) == "event: ") continue;
        if (line.substr(0, 6) == "data: ") line.remove_prefix(6);
        if (line.empty() || line == "[DONE]") continue;
        fuzz::must(bool(wire::validate(line)), "what clients get is JSON");
      }
    }
  }

  std::string log, frames;
  int errors = 0;

 private:
  std::vector<ClientCodec*> clients_;
  std::vector<std::string> written_;
  bool started_ = false;
};

// A whole answer through each client: JSON in all.
inline void check_answer(const ChatResponse& response) {
  for (const char* name : {"openai", "ollama", "anthropic"}) {
    std::string out;
    dialect(name)->new_client_codec()->encode_response(response, out);
    fuzz::must(bool(wire::validate(out)), "a written answer is JSON");
  }
}

// Reads a stream both ways, whole and in pieces.
inline void check_stream(std::string_view name, std::string_view stream, unsigned mode, unsigned cut) {
  const ProviderConfig config = provider(0);
  const int64_t n = 1 + (mode >> 1) % 3;
  const bool relay = mode & 1;
  auto openai = dialect("openai")->new_client_codec();
  auto ollama = dialect("ollama")->new_client_codec();
  auto anthropic = dialect("anthropic")->new_client_codec();
  Sink whole(relay ? std::vector<ClientCodec*>{} : std::vector<ClientCodec*>{openai.get(), ollama.get(), anthropic.get()}), parts;
  auto first = reading(name, relay, n, config), second = reading(name, relay, n, config);
  first->feed(stream, whole);
  first->finish(whole);
  fuzz::Cuts cuts(cut);
  for (size_t at = 0; at < stream.size();) {
    const std::string piece(stream.substr(at, cuts.next()));
    second->feed(piece, parts);
    at += piece.size();
  }
  second->finish(parts);
  fuzz::must(whole.log == parts.log, "cuts change nothing");
  // A whole JSON answer is told as a stream of our own making, with ids that are new each time.
  const size_t first_byte = stream.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  const bool made_up = first_byte != std::string_view::npos && (stream[first_byte] == '{' || stream[first_byte] == '[') && name != "ollama";
  fuzz::must(made_up || whole.frames == parts.frames, "cuts change no bytes");
  if (!whole.errors) whole.end_clients();
}

}  // namespace codec_fuzz

#endif  // LLMROUTER_TESTS_FUZZ_FUZZ_OPENAI_SUPPORT_H_
