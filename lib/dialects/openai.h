// The OpenAI chat completions dialect, in its parts.
#ifndef LLMROUTER_DIALECTS_OPENAI_H_
#define LLMROUTER_DIALECTS_OPENAI_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/effort.h"
#include "dialects/ids.h"
#include "dialects/origins.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();
// Text completions, POST /completions: relay only.
std::unique_ptr<UpstreamCodec> new_legacy_upstream_codec();

// --- requests ---

// Reads a body once for what routing, limits and metering need. Errors name the field.
// `path_model`: the model that the path names; empty: the body has to.
Result<RequestFacts> scan_request(std::string_view body, std::string_view path_model = {});

// The whole request, neutral. Of a body that scan_request() accepts; of others something, or an error.
Result<ChatRequest> read_request(std::string_view body);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body, const ChatRequest& decoded);

// Members of a request, from its own JSON.
ToolChoice read_tool_choice(wire::JsonValue value);
// Has a neutral request a field for this member, so that apply_edits() sets that?
bool is_chat_member(std::string_view name) noexcept;
ResponseFormat read_response_format(wire::JsonValue value);

// What a vendor wants otherwise; by the names in ProviderConfig::quirks. Each is described in README.md.
struct Quirks {
  bool no_stream_options = false;
  bool max_tokens_only = false;
  bool max_completion_tokens_only = false;
  bool strip_unknown = false;
  bool required_is_any = false;
  bool random_seed = false;
  bool short_tool_ids = false;
  bool no_top_k = false;
  bool takes_cache_control = false;
  bool strict_members = false;
  bool metadata_needs_store = false;
  bool takes_developer = false;
  bool no_logprobs = false;
  bool no_logit_bias = false;
  bool no_user = false;
  bool no_service_tier = false;
  bool no_names = false;
  bool temperature_to_1 = false;
  bool fixed_samplers = false;
  bool thinks_without_samplers = false;
  bool thinks_streamed = false;
  bool thoughts_beside_bound = false;
  bool thoughts_with_calls = false;
  bool inline_media = false;
  bool document_url = false;
  bool strict_parts = false;
  bool text_completions = false;  // no vendor's: the body is one of /completions, whose bound has the older name alone
  bool thinking_type = false;
  bool enable_thinking = false;
  bool reasoning_object = false;
  bool template_thinking = false;
  bool no_reasoning_effort = false;
  bool effort_or_thinking = false;
  bool effort_of_mini = false;
  Efforts efforts = 0;  // efforts_WORDS; 0: not said
  bool no_reasoning_back = false;
  bool custom_tools = false;
  bool kimi_models = false;
  bool prefill = false;
  bool prefill_prefix = false;
  bool prefill_partial = false;
  bool prefill_continue = false;
  bool goes_on() const noexcept { return prefill || prefill_prefix || prefill_partial || prefill_continue; }
  size_t most_stops = 0;  // stops_N; 0: any number
  static Quirks of(const std::vector<std::string>& names);
};

struct WriteOptions {
  bool stream = false;
  bool want_usage = false;
  bool foreign = false;  // the request's extras are another dialect's
  bool prefill = false;  // as in EncodeInput
};

// Appends the request body. kInvalidRequest when a quirk leaves something meant out of what can be said.
Result<void> write_request(const ChatRequest& request, std::string_view model, const Quirks& quirks, const WriteOptions& options,
                           std::string& out, std::vector<std::string>& dropped);

// Is a relayed request asked to count in a stream though its client did not say so? Then the client is not shown what that brings.
bool asks_for_usage(const EncodeInput& input, const Quirks& quirks) noexcept;

// The body of a relayed request: the client's own with the model name, the edits and the quirks spliced in.
Result<void> splice_request(const EncodeInput& input, const Quirks& quirks, EncodedRequest& out);

// The id itself when it is nine letters or digits; else nine that depend on it alone.
std::string short_tool_id(std::string_view id);

// --- messages, of requests and answers ---

// `content`: a string, an array of parts, null. Appends.
void read_content(wire::JsonValue content, std::vector<Part>& parts);
ToolCall read_tool_call(wire::JsonValue call);
// All of a message but its role. What has no field goes to `extras`.
void read_message(wire::JsonValue message, Message& out);
// Members of a message that have a place of their own; the others are extras.
bool is_known_message_member(std::string_view name) noexcept;
// A member that says nothing: null, or an empty stand-in.
bool is_noise(const wire::JsonMember& member);
// `signature`: what goes to extra_content.google.thought_signature; empty: nothing.
void write_tool_call(const ToolCall& call, std::string_view id, std::string_view signature, wire::JsonWriter& w);
// What stands in a client's call for the signature of any maker.
std::string client_signature(const ToolCall& call);

// --- signatures ---

constexpr std::string_view kMaker = "openai";            // of entries of reasoning_details that nobody here sealed
constexpr std::string_view kSignatureMaker = "gemini";   // of a call's extra_content.google.thought_signature

// An entry of reasoning_details as a thought. Its signature: the maker's, where it was sealed; else the entry itself without its text.
Part read_detail(wire::JsonValue entry);
// All entries, beside a message's plain `thought`; those of a message without one have the `name` reasoning_details. True: some were sealed here, so the member itself goes to no upstream.
bool read_details(wire::JsonValue details, std::string_view thought, std::vector<Part>& parts);
// The entry of a thought of kMaker, as its vendor gave it.
std::string detail_of(const Part& part);
// An entry for a client, of another maker's thought.
std::string client_detail(std::string_view maker, std::string_view signature, std::string_view text, bool redacted, int64_t index);

// --- answers ---

FinishReason finish_reason_of(std::string_view word) noexcept;  // kNone for "" and "null"
// An annotation as readers of this dialect know it: all kinds but url_citation become one, with an empty URL where there is none, beside what they said.
std::string chat_annotation(wire::JsonValue annotation);
// What an answer ended with, when its upstream's word is vague or missing.
FinishReason settle_finish(std::string_view word, bool has_calls) noexcept;
// OpenAI's word; "stop" where there is none.
std::string_view finish_word(FinishReason reason) noexcept;
// For a finish reason that means the upstream broke down.
Error finish_error(std::string_view word);
// Does it hold more than nulls?
bool has_logprobs(wire::JsonValue logprobs);

// The ids in a list of models.
Result<std::vector<std::string>> read_models(wire::JsonValue root, std::string_view key);

// A whole answer from above: what metering needs of it.
struct AnswerTop {
  wire::JsonValue error, choices, usage, x_groq, model;
  FinishReason finish = FinishReason::kNone;  // of the first choice
};
// Fills `top`; the error in the answer, if there is one: `error`, `choices[].error`, a finish reason that says so, no choices at all.
std::optional<Error> read_top(wire::JsonValue root, std::string_view key, AnswerTop& top);
Error error_of_choice(wire::JsonValue choice, std::string_view key);

// A whole answer. `root` is a valid JSON object. Fails with what read_top() finds.
Result<ChatResponse> read_answer(wire::JsonValue root, IdSource& ids, std::string_view key);
// Top-level `citations` and `search_results` of search vendors as annotations, comma-separated; and those of a whole answer put where annotations
// stand, unless it has some.
std::string annotations_of_sources(wire::JsonValue citations, wire::JsonValue search_results);
void cite_sources(ChatResponse& response);

// Appends the answer as a `chat.completion` object. `model`: what is said when the upstream did not say; `custom`: the client's custom tools, by name.
void write_answer(const ChatResponse& response, std::string_view model, const std::vector<std::string>& custom, IdSource& ids, std::string& out);

// Appends the error object `{"error":{"message":..,"type":..,"param":..,"code":..}}`.
void write_error(const Error& error, std::string& out);

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_H_
