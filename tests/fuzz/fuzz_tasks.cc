// Requests and answers of embeddings, rankings and forms, in every dialect.
#include <algorithm>
#include <memory>
#include <string>

#include "fuzz/fuzz.h"
#include "fuzz/text_source.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

using namespace llmrouter;

namespace {

std::shared_ptr<const Dialect> dialect(std::string_view name) {
  for (const auto& d : builtin_dialects()) {
    if (d->name() == name) return d;
  }
  return nullptr;
}

std::string body_of(const EncodedRequest& request) {
  std::string body;
  for (size_t at = 0; request.http.source && at < request.http.source->size();) {
    char piece[100];
    auto n = request.http.source->read(at, piece, sizeof piece);
    fuzz::must(n && *n > 0, "a source that is there is read");
    body.append(piece, *n);
    at += *n;
  }
  for (std::string_view piece : request.http.body) body += piece;
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr std::string_view kNames[] = {"openai", "ollama", "cohere", "gemini"};
  static constexpr Operation kOperations[] = {Operation::kEmbed, Operation::kRerank, Operation::kModerate, Operation::kImageEdit, Operation::kTranscribe};
  static constexpr std::string_view kPaths[] = {"", "embeddings", "batchEmbedContents"};
  fuzz::Input in(data, size);
  const unsigned a = in.byte(), b = in.byte();
  const std::string_view from = kNames[a % 4], to = b & 64 ? std::string_view(a & 128 ? "dashscope" : "bedrock") : kNames[a / 4 % 4];
  const Operation operation = kOperations[b % 5];
  ProviderConfig provider;
  provider.name = "up";
  provider.base_url = to == "dashscope" ? "http://127.0.0.1:9/compatible-mode/v1" : "http://127.0.0.1:9/v1";
  if (a & 16) provider.quirks = {"voyage_names"};
  if (a & 32) provider.quirks = {"tei_rerank", "jina_names", "embed_batch_1"};
  const std::string text(in.rest());

  auto upstream = dialect(to)->new_task_upstream(operation);
  auto client = dialect(from)->new_task_client(operation);
  if (!upstream || !client) return 0;
  RequestPath path;
  path.operation = kPaths[b / 5 % 3];
  path.model = "m";
  if (b & 128) path.content_type = "multipart/form-data; boundary=b";
  client->set_path(path);
  if (operation == Operation::kTranscribe && from == "openai") {
    // In memory or not, a form means the same and goes out the same.
    auto other = dialect(from)->new_task_client(operation);
    other->set_path(path);
    auto source = std::make_shared<fuzz::TextSource>(text, a);
    auto held = client->scan(text), read = other->scan_source(*source);
    fuzz::must(held.ok() == read.ok(), "a form wherever it lies");
    if (!held) {
      fuzz::must(held.error().message == read.error().message, "the same fault wherever it lies");
    } else {
      fuzz::must(held->model == read->model && held->input_tokens == read->input_tokens && held->stream == read->stream, "the same facts wherever it lies");
      EncodeInput input;
      input.provider = &provider;
      input.upstream_model = "upstream-model";
      EncodedRequest one, two;
      input.body = text;
      input.facts = &*held;
      fuzz::must(dialect(from)->new_task_upstream(operation)->encode(input, one).ok(), "what was scanned can be relayed");
      input.body = {};
      input.source = source;
      input.facts = &*read;
      fuzz::must(dialect(from)->new_task_upstream(operation)->encode(input, two).ok(), "what was scanned can be relayed");
      fuzz::must(one.http.source == nullptr && two.http.body.empty() && body_of(one) == body_of(two), "the same body wherever it lay");
    }
  }
  auto facts = client->scan(text);
  if (!facts) {
    fuzz::must(facts.error().code == ErrorCode::kInvalidRequest || facts.error().code == ErrorCode::kUnsupportedMediaType, "a bad body is the client's fault");
  } else {
    EncodeInput input;
    input.provider = &provider;
    input.upstream_model = to == "dashscope" && a & 8 ? "qwen3-vl-rerank" : to != "bedrock" ? "upstream-model" : a & 8 ? "amazon.titan-embed-text-v2:0" : a & 4 ? "us.cohere.embed-v4:0" : "cohere.embed-english-v3";
    if (from == to && facts->relayable && upstream->relays(provider, *facts)) {
      EncodedRequest request;
      input.body = text;
      input.facts = &*facts;
      fuzz::must(upstream->encode(input, request).ok(), "what was scanned can be relayed");
      const std::string body = body_of(request);
      fuzz::must(!facts->content_type.empty() || static_cast<bool>(wire::validate(body)), "a relayed body is JSON");
      input.facts = nullptr;
    }
    if (auto task = client->decode_task()) {
      fuzz::must(operation != Operation::kEmbed || static_cast<int64_t>(task->embed.inputs.size()) == facts->inputs, "scan and decode agree");
      // The core asks for no more at once than the upstream takes.
      if (const int64_t most = upstream->max_inputs(provider, input.upstream_model); most > 0 && static_cast<int64_t>(task->embed.inputs.size()) > most) {
        task->embed.inputs.resize(static_cast<size_t>(most));
      }
      EncodedRequest request;
      input.task = &*task;
      input.foreign = from != to;
      if (auto encoded = upstream->encode(input, request); encoded) fuzz::must(static_cast<bool>(wire::validate(body_of(request))), "a written body is JSON");
      else fuzz::must(encoded.error().code == ErrorCode::kInvalidRequest && !encoded.error().param.empty(), "what cannot be said is named");
    } else {
      fuzz::must(!task.error().message.empty(), "why it cannot be decoded is said");
    }
  }
  // The same bytes as an answer.
  auto answer = upstream->decode_task(text);
  upstream->inspect(text).ok();
  if (!answer) return 0;
  if (operation == Operation::kEmbed && answer->vectors.empty()) return 0;  // the core asks for as many as there were inputs
  std::string out;
  client->encode_task(*answer, out);
  fuzz::must(out.empty() || static_cast<bool>(wire::validate(out)), "an answer is JSON");
  return 0;
}
