// The upstream side: Cohere, or whoever serves its v2 API.
#include "dialects/cohere.h"
#include "dialects/cohere_stream.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/own_edits.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"
#include "wire/splice.h"

namespace llmrouter::dialects::cohere {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

class CohereUpstream final : public UpstreamCodec {
 public:
  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    model_ = input.upstream_model;
    const bool relay = input.facts != nullptr;
    stream_.start(relay, model_, input.key);
    if (relay) {
      if (auto spliced = splice(input, out); !spliced) return spliced;
    } else {
      if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string body;
      auto written = write_request(*input.chat, input.upstream_model, input.stream, input.foreign, body, out.dropped);
      if (!written) return written;
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    return fill_request(*input.provider, "POST", "/chat", input.stream ? "text/event-stream" : "application/json", input.key, out.http);
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override { stream_.feed(bytes, sink); }
  void finish(UpstreamSink& sink) override { stream_.finish(sink); }

  Result<ReplyFacts> inspect(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    ReplyFacts facts;
    facts.usage = read_usage(last_told(*root, "usage"));
    facts.finish = finish_reason_of(find_member(*root, "finish_reason").string_or());
    facts.model = model_;
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    ChatResponse response;
    response.id = find_member(*root, "id").string_or();
    response.model = model_;
    response.created = now_seconds();
    response.usage = read_usage(last_told(*root, "usage"));
    Choice choice;
    read_answer_message(find_member(*root, "message"), ids_, choice.message);
    choice.finish_raw = find_member(*root, "finish_reason").string_or();
    choice.finish = finish_reason_of(choice.finish_raw);
    if (choice.finish == FinishReason::kStop && !choice.message.tool_calls.empty()) choice.finish = FinishReason::kToolCalls;
    choice.logprobs = openai_logprobs(find_member(*root, "logprobs"));
    response.choices.push_back(std::move(choice));
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override {
    Error error = error_of_reply(head, body, key_.reveal());
    if (head.status == 498 && error.code == ErrorCode::kUpstreamError) error.code = ErrorCode::kUpstreamCredentialsRejected;  // "invalid token"
    return error;
  }

  // The list stands beside the chat, under /v1, and holds the models of all endpoints.
  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    auto filled = fill_request(provider, "GET", "/models", "application/json", key, out.http);
    if (!filled) return filled;
    std::string& url = out.http.url;
    constexpr std::string_view kOurs = "/v2/models";
    if (const size_t at = url.rfind(kOurs); at != std::string::npos) url.replace(at, 3, "/v1");
    url += (url.find('?') == std::string::npos ? "?" : "&");
    url += "page_size=1000";
    if (!page_token_.empty()) append_query(url += "&page_token=", page_token_);
    return {};
  }

  bool encode_more_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    return !page_token_.empty() && encode_models(provider, key, out).ok();
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    const std::string_view text = bare(body);
    const JsonValue root(text), list = find_member(root, "models");
    if (!wire::validate(text) || !list.is_array()) return unreadable("the upstream's list of models has no `models`", text, key_.reveal());
    std::vector<std::string> ids;
    for (JsonValue entry : JsonElements(list)) {
      std::string name = find_member(entry, "name").string_or();
      if (!name.empty() && may_be_asked(find_member(entry, "endpoints"))) ids.push_back(std::move(name));
    }
    page_token_ = find_member(root, "next_page_token").string_or();
    return ids;
  }

 private:
  // Not those that only classify, rate or transcribe: nothing here would reach them.
  static bool may_be_asked(JsonValue endpoints) {
    bool told = false;
    for (JsonValue endpoint : JsonElements(endpoints)) {
      told = true;
      if (endpoint.equals("chat") || endpoint.equals("embed") || endpoint.equals("rerank")) return true;
    }
    return !told;
  }

  static Result<void> splice(const EncodeInput& input, EncodedRequest& out) {
    std::vector<wire::SpliceEdit> edits;
    if (has_edits(input)) {
      OwnForm form;
      form.conversation = "messages";
      form.least = R"([{"role":"user","content":"."}])";
      form.bulk = {"tools", "strict_tools", "documents"};
      form.read = [](std::string_view body) { return read_request(body); };
      form.write = [&](const ChatRequest& request, std::string& body, std::vector<std::string>& dropped) {
        return write_request(request, input.upstream_model, input.stream, false, body, dropped);
      };
      if (auto added = add_own_edits(input, form, out, edits); !added) return added;
    }
    std::string model;
    wire::append_json_string(model, input.upstream_model);
    if (input.facts->model != input.upstream_model) edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
    if (edits.empty()) out.http.body.push_back(input.body);
    else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
    return {};
  }

  Result<JsonValue> read_root(std::string_view body) const {
    const std::string_view text = bare(body);
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    const JsonValue root(text);
    if (has_error_member(root)) return error_of_object(root, key_.reveal());
    const JsonValue message = find_member(root, "message");
    if (message.is_string()) return error_of_object(root, key_.reveal());  // an error's shape
    if (!message.is_object()) return unreadable("the upstream answered without a message", text, key_.reveal());
    const std::string word = find_member(root, "finish_reason").string_or();
    if (finish_reason_of(word) == FinishReason::kError) {
      return unreadable("the upstream broke the answer off: finish_reason \"" + word + "\"", text, key_.reveal());
    }
    return root;
  }

  Secret key_;
  std::string model_;
  std::string page_token_;  // of the page of models that follows the one read last
  StreamReader stream_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<CohereUpstream>(); }

}  // namespace llmrouter::dialects::cohere
