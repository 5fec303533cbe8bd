// Google's generateContent dialect, as the Gemini API and Vertex AI speak it.
//
// A request names its model and what is wanted in the path, so a relayed body goes out as it came. An answer is one GenerateContentResponse; a
// stream is a row of them, as server-sent events (`alt=sse`) or as the elements of one JSON array.
#ifndef LLMROUTER_DIALECTS_GEMINI_H_
#define LLMROUTER_DIALECTS_GEMINI_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/origins.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"
#include "wire/splice.h"

namespace llmrouter::dialects::gemini {

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();
std::unique_ptr<ClientCodec> new_task_client(Operation operation);      // countTokens
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation);

constexpr std::string_view kName = "gemini";  // the dialect's, and the maker's of its signatures

// --- names (gemini_fields.cc) ---

// Google takes each field in camelCase and in snake_case. `camel` is how we write it.
bool is_field(std::string_view key, std::string_view camel) noexcept;
// The first member of that name.
wire::JsonValue find_field(wire::JsonValue object, std::string_view camel);
// Google takes a single thing for a list of one, and its examples use that.
template <typename Each>
void for_each_entry(wire::JsonValue list, Each&& each) {
  if (list.is_object()) return each(list);
  for (wire::JsonValue entry : wire::JsonElements(list)) each(entry);
}
// Appends JSON without the blanks between its tokens.
void append_compact(std::string& out, std::string_view json);
std::string compact(std::string_view json);
// "models/gemini-2.5-flash" without "models/".
std::string_view bare_model(std::string_view model) noexcept;

// What a model's name says of it. Names without a version ("gemini-flash-latest") count as newest.
struct ModelTraits {
  int major = 0, minor = 0;  // 0: no version
  bool gemini = false;
  bool pro = false;
  bool older_than(int wanted_major, int wanted_minor) const noexcept {
    return major != 0 && (major < wanted_major || (major == wanted_major && minor < wanted_minor));
  }
  bool thinks = true;             // 2.5 and later
  bool takes_json_schema = true;  // parametersJsonSchema, responseJsonSchema: 2.5 and later
  bool has_levels = false;        // thinkingLevel instead of thinkingBudget: 3 and later
  bool wants_signatures = false;  // refuses a call of the current turn without one: 3 and later
};
ModelTraits traits_of(std::string_view model);

// --- media types (gemini_media.cc) ---

Part::Kind kind_of_mime(std::string_view mime) noexcept;
// By a URL's or a file's ending; empty: not known.
std::string_view mime_of_name(std::string_view name) noexcept;
// inlineData or fileData as a part of its kind. False: it is neither.
bool read_media(wire::JsonValue part, Part& out);

// executableCode or codeExecutionResult as other dialects can show it: in a fence.
std::string code_as_text(std::string_view key, wire::JsonValue value);

// --- schemas (gemini_schema.cc) ---

// Google's Schema (types in capitals, nullable) as JSON Schema.
std::string json_schema_of(wire::JsonValue schema);
// JSON Schema as Google's Schema, for models that take nothing else: references inlined (one that leads into itself becomes any object), const
// as enum, lists of types and oneOf as anyOf, allOf merged, what it has no word for told in the description, or left out and named in `dropped` behind `where`
// ("response_format."). Empty: an object without properties.
std::string google_schema_of(wire::JsonValue schema, std::string_view where, std::vector<std::string>& dropped);

// --- requests ---

struct Target {
  std::string model;     // of the path; empty: the body names it
  bool stream = false;
  bool sse = true;       // of a stream; false: as a JSON array
  bool count = false;    // countTokens
};
Target target_of(const RequestPath& path);

// Reads a body once; errors name the field as Google spells it.
Result<RequestFacts> scan_request(std::string_view body, const Target& target);
Result<ChatRequest> read_request(std::string_view body, const Target& target);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body, const Target& target, const ChatRequest& decoded);
// A field of the neutral request by this dialect's names.
std::string client_field(const Origins& origins, std::string_view neutral, const ChatRequest& decoded);

struct WriteOptions {
  bool foreign = false;
  bool call_ids = true;     // functionCall and functionResponse carry ids (quirk no_call_ids: they are paired by position)
  bool fetches_urls = false;  // any URL may be a fileUri (quirk fetches_urls)
};
// Appends the request body. kInvalidRequest names what the dialect has no word for.
Result<void> write_request(const ChatRequest& request, std::string_view model, const WriteOptions& options, std::string& out,
                           std::vector<std::string>& dropped);
// Does the Gemini API get what stands there itself? From Google's own stores, and films of YouTube.
bool is_googles(std::string_view url) noexcept;
WriteOptions write_options(const ProviderConfig& provider, bool foreign);
// "/models/gemini-2.5-flash:generateContent"; tuned models have a collection of their own.
std::string path_of(std::string_view model, std::string_view operation);
// The HTTP request of an operation on a model, at the Gemini API or at Vertex AI.
Result<void> fill_google(const ProviderConfig& provider, std::string_view model, std::string_view operation, std::string_view accept, std::string_view key,
                         HttpRequest& out);
// Relay: the client's body, with the policy's edits; a model that it names all the same is the upstream's. kNotSupported as add_own_edits().
Result<void> splice_request(const EncodeInput& input, EncodedRequest& out);
// The same for Vertex AI (gemini_vertex.cc), which wants a role for each content, takes no ids of calls, and no model's name in the body. `edits` are made beside.
void splice_for_vertex(const EncodeInput& input, std::vector<wire::SpliceEdit> edits, EncodedRequest& out);
// The members of generationConfig, without braces.
Result<void> write_generation(const ChatRequest& request, const ModelTraits& model, bool foreign, std::string& out,
                              std::vector<std::string>& dropped);

// --- answers ---

// False, and nothing changed, when there are no counts in it.
bool read_usage(wire::JsonValue usage, TokenUsage& out);
// The same of a whole answer's `usageMetadata`.
TokenUsage usage_of_answer(wire::JsonValue answer);
void write_usage(const TokenUsage& usage, wire::JsonWriter& w);

// STOP, MAX_TOKENS, ... and their numbers (enum-encoding=int). kNone: no word, or FINISH_REASON_UNSPECIFIED. kError: the answer cannot be used.
FinishReason finish_reason_of(wire::JsonValue value) noexcept;
std::string finish_text(wire::JsonValue value);  // the word; numbers by their name
// The word for a client: the provider's own when it was Google's.
std::string_view finish_word(FinishReason reason, std::string_view raw) noexcept;

// logprobsResult and OpenAI's logprobs object. Empty: there are none.
std::string openai_logprobs(wire::JsonValue result);
std::string google_logprobs(std::string_view openai);
// Appends the tokens of one of OpenAI's objects to another.
void join_logprobs(std::string& all, std::string_view more);

// groundingMetadata as OpenAI's annotations, one JSON object each; `text` is the answer so far, to turn offsets in bytes into offsets in
// characters. And back, as a groundingMetadata object; empty: none of them is a url_citation.
std::vector<std::string> annotations_of(wire::JsonValue grounding, std::string_view text);
std::string grounding_of(const std::vector<std::string>& annotations, std::string_view text);

// {"error":{"code","message","status","details"}}
void write_error(const Error& error, std::string& out);

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_H_
