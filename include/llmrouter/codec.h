// The seam where wire dialects plug in. A dialect makes two kinds of objects: one ClientCodec for each request that comes in,
// one UpstreamCodec for each attempt that goes out. Both take bytes and own no socket, no timer and no thread.
//
// Two ways through:
//   relay      client and upstream speak the same dialect: the request's own bytes go out with named members spliced, the answer's own
//              bytes come back, frame by frame, and are only looked at;
//   translate  the request is decoded to a ChatRequest and encoded again; the answer becomes StreamEvents or a ChatResponse and is
//              encoded by the client's codec.
#ifndef LLMROUTER_CODEC_H_
#define LLMROUTER_CODEC_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/stream.h"
#include "llmrouter/task.h"
#include "llmrouter/transport.h"

namespace llmrouter {

struct Form;  // see body.h

// A top-level member of a JSON body: offsets into it.
struct MemberSpan {
  std::string name;        // unescaped
  size_t key_begin = 0;    // the opening quote
  size_t value_begin = 0;
  size_t value_end = 0;    // one past
};

// What a request says outside its body, for dialects that put it there.
struct RequestPath {
  std::string operation;  // the dialect's word for what is wanted ("streamGenerateContent"); empty: its chat
  std::string model;      // named by the path, decoded; empty: the body names it
  std::string query;      // as it came, without '?': "alt=sse"
  std::string content_type;  // of the body, as it came; only where it may be something else than JSON
  std::string request_id;    // what the answer names the request by; set by the router
};

// What routing, limits and metering need to know of a request; found in one pass.
struct RequestFacts {
  std::string model;
  bool relayable = true;  // false: a chat has to be translated even for an upstream of its own dialect, unless UpstreamCodec::relays() says that it mends it
  bool stream = false;
  bool include_usage = false;
  bool has_tools = false;
  bool has_image = false, has_audio = false, has_video = false, has_file = false;
  bool wants_schema = false;
  bool wants_audio = false;
  int64_t n = 1;
  std::optional<int64_t> max_tokens;
  std::optional<int64_t> thinking_budget;  // tokens of thinking that are asked for by their number
  std::optional<double> temperature;
  std::string user;
  int64_t input_tokens = 0;          // estimated
  std::vector<MemberSpan> members;   // of the body; empty when there is none
  int64_t inputs = 0;                // texts to embed
  // The answer may be anything (audio, pictures, text): it passes piece by piece as it comes, under the upstream's content type.
  bool opaque = false;
  std::string content_type;          // of the body when it is not JSON (a form with its boundary)
  std::shared_ptr<const Form> form;  // the body's fields when it is a form
};

// Top-level request members to change, by the dialect's own names.
struct BodyEdit {
  enum class Kind { kSet, kDefault, kRemove };  // kDefault: set when absent or null
  Kind kind = Kind::kSet;
  std::string name;
  std::string json;
};

// One request of a client. Used from one thread at a time.
class LLMROUTER_EXPORT ClientCodec {
 public:
  virtual ~ClientCodec() = default;
  // Before scan(). Dialects whose requests are all in the body need not listen.
  virtual void set_path(const RequestPath& path) { (void)path; }
  // Reads the body once. Errors: kInvalidRequest with the field in `param`. `body` must outlive the codec and not move.
  virtual Result<RequestFacts> scan(std::string_view body) = 0;
  // The same for a body that is not in memory. By default kInvalidRequest: only forms need not be.
  virtual Result<RequestFacts> scan_source(const BodySource& body);
  // The whole request, neutral. Only after scan(); only for translation.
  virtual Result<ChatRequest> decode() = 0;
  // What the caller says in it, as tell_texts() has it of a neutral request: every text of the conversation but the model's own, the newest message first, those
  // too that decode() would leave out or refuse. False: not all of it was told. Only after scan(). By default that of decode().
  virtual Result<bool> tell_texts(TextSink& sink);
  // A field of what decode() gave, `decoded` ("messages[2].content[0]", "tools[1]", "response_format"), as it stands in the client's own body ("contents[1].parts[0]").
  // For errors that name one; by default the same. The first time reads the body once more.
  virtual std::string field(std::string_view neutral, const ChatRequest& decoded);

  // Answers of translated calls. All append to `out`.
  virtual std::string_view content_type(bool stream) const noexcept = 0;
  virtual void encode_response(const ChatResponse& response, std::string& out) = 0;
  virtual void encode_event(const StreamEvent& event, std::string& out) = 0;  // may append nothing
  // Frames of a relayed stream passed to the client as they came: for dialects whose error frames go on from what was said before.
  virtual void relayed(std::string_view frames) { (void)frames; }
  // An answer whose beginning was relayed is to go on as events, in the same stream. `told` is what those frames said and is not told again; `frames` are those
  // without text or thoughts, and the last that had text. False: the dialect has said already that the text is over, and nothing has changed here.
  virtual bool take_over(const std::vector<StreamEvent>& told, std::string_view frames);
  // A remark inside a stream that no client of the dialect takes for part of the answer: a comment, where it has them; nothing elsewhere. One line.
  virtual void encode_remark(std::string_view words, std::string& out) const { (void)words, (void)out; }
  virtual void encode_end(std::string& out) = 0;  // closes what is open, the usage frame when asked for, the terminator

  // Errors, for both ways through. Is this an error body of the dialect's own shape? Then an upstream's refusal of a relayed request passes as
  // it came; else it is written anew in the provider's words.
  virtual bool is_error_body(std::string_view body) const {
    (void)body;
    return false;
  }
  virtual void encode_error(const Error& error, std::string& out) const = 0;          // a body
  virtual void encode_stream_error(const Error& error, std::string& out) = 0;         // one frame, inside a stream; no terminator after it

  // Operations other than chat (Dialect::new_task_client): in place of decode() and encode_response(). By default kNotSupported: bytes only.
  virtual Result<TaskRequest> decode_task();
  virtual void encode_task(const TaskResponse& response, std::string& out);
};

// What a frame of a relayed stream is.
enum class FrameKind {
  kPrelude,    // role-only chunks, pings, comments: waits until something visible comes
  kPayload,    // the caller sees something of it
  kFinish,     // carries a finish reason (and maybe payload)
  kUsageOnly,  // carries usage and nothing else: hidden from a client who did not ask
  kDone,       // the terminator: nothing more has to come. Told of translated answers, too
};

// Hears what an UpstreamCodec finds. The codec may go on a little after kPause (what it was fed already).
class LLMROUTER_EXPORT UpstreamSink {
 public:
  virtual ~UpstreamSink() = default;
  virtual Flow on_frame(std::string_view bytes, FrameKind kind) = 0;  // relay: the frame's own bytes, blank line included. Also kDone, empty, where no frame says it
  virtual Flow on_event(const StreamEvent& event) = 0;                // translate
  virtual void on_usage(const TokenUsage& usage) = 0;                 // relay; the last one counts; `estimated`: its output is not counted to the end
  virtual void on_finish(FinishReason reason) = 0;                    // relay; once for each choice that finished
  virtual void on_error(Error error) = 0;                             // the upstream said so inside the stream, or it cannot be read
  virtual void on_payload(size_t) {}  // relay, before on_frame: bytes of text, thoughts and arguments in it, to estimate by when nobody counts
};

struct EncodeInput {
  // Relay: the client's body and its facts; null: translate.
  std::string_view body;
  std::shared_ptr<const BodySource> source;  // not null: the body, in place of `body`
  const RequestFacts* facts = nullptr;
  const std::vector<BodyEdit>* edits = nullptr;  // relay; besides the model name
  // Translate: the request, policies already applied.
  const ChatRequest* chat = nullptr;
  const TaskRequest* task = nullptr;  // in its place when the operation is no chat
  bool foreign = false;             // translate: it came in another dialect, so its extras mean nothing here: named in `dropped`

  const ProviderConfig* provider = nullptr;
  std::string_view key;             // the credential; empty: none
  std::string_view upstream_model;
  bool stream = false;
  bool want_usage = true;           // metering needs it: ask for it when the dialect has to be asked
  bool prefill = false;             // translate: the last message is an answer that was begun, and the new one goes on behind it; see UpstreamCodec::prefill
};

// What a target does with an answer that was begun: the last message of a request, the assistant's, one text that does not end with a blank.
enum class Prefill {
  kNone,     // refuses it, or takes it for a turn that is over
  kGoesOn,   // answers with what comes behind it
  kRepeats,  // the same, with the beginning told once more in front
};

// The HTTP request of an attempt. `http.body` points into the client's body and into `owned`, which does not move; `http.source` holds what it needs.
struct EncodedRequest {
  HttpRequest http;
  std::list<std::string> owned;
  std::vector<std::string> dropped;  // what the target cannot express and what meant little
};

// A whole answer, not streamed, relayed: what there is to know of it.
struct ReplyFacts {
  TokenUsage usage;
  FinishReason finish = FinishReason::kNone;
  std::string model;
};

// One attempt. Used from one thread at a time.
class LLMROUTER_EXPORT UpstreamCodec {
 public:
  virtual ~UpstreamCodec() = default;
  // kInvalidRequest when the target cannot express what the request means; `param` names the field. kNotSupported: these edits cannot be spliced, so that it is translated.
  virtual Result<void> encode(const EncodeInput& input, EncodedRequest& out) = 0;

  // Does the target get a picture, sound, film or file by this part's URL (http, https) itself? Else it has to be inline.
  virtual bool fetches(const ProviderConfig& provider, const Part& part) const {
    (void)provider, (void)part;
    return true;
  }

  // May an answer that was begun elsewhere go on here?
  virtual Prefill prefill(const ProviderConfig& provider, std::string_view upstream_model) const {
    (void)provider, (void)upstream_model;
    return Prefill::kNone;
  }

  // Streamed answer with a 2xx status. Without an encode() before: what is fed is told as events. `finish` at the end of the body: delivers a last frame without a blank line; an end that
  // is too early (nothing finished) is reported by on_error.
  virtual void feed(std::string_view bytes, UpstreamSink& sink) = 0;
  virtual void finish(UpstreamSink& sink) = 0;

  // Whole answer with a 2xx status. An error inside a 200 comes back as the Error it is.
  virtual Result<ReplyFacts> inspect(std::string_view body) = 0;   // relay
  virtual Result<ChatResponse> decode(std::string_view body) = 0;  // translate

  // Operations other than chat (Dialect::new_task_upstream). relays(): may a client's own bytes of this dialect go to this provider? Not when
  // it has other names for their members, or takes fewer inputs at once than there are. max_inputs(): texts that this model of it embeds in one request, 0: no
  // limit; more are sent in several. set_head(): the head of a 2xx answer, before feed(). decode_task(): in place of decode().
  virtual bool relays(const ProviderConfig& provider, const RequestFacts& facts) const;
  virtual int64_t max_inputs(const ProviderConfig& provider, std::string_view upstream_model) const;
  virtual void set_head(const HttpHead& head);
  virtual Result<TaskResponse> decode_task(std::string_view body);

  // Any other status. Says which code it is (kUpstreamRateLimited, kContextLengthExceeded, kUpstreamCredentialsRejected, ...) and how long to
  // rest, from headers or body.
  virtual Error parse_error(const HttpHead& head, std::string_view body) const = 0;

  // The list of models: the request, and the ids in its answer.
  virtual Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) = 0;
  virtual Result<std::vector<std::string>> parse_models(std::string_view body) = 0;
  // After parse_models(), for lists that come in pages: asks for the next one. False: that was all.
  virtual bool encode_more_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) {
    (void)provider, (void)key, (void)out;
    return false;
  }
};

// A wire format. Stateless, thread-safe.
class LLMROUTER_EXPORT Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual std::unique_ptr<ClientCodec> new_client_codec() const = 0;      // null: no client face
  virtual std::unique_ptr<UpstreamCodec> new_upstream_codec() const = 0;  // null: no upstream face
  // May edits by OpenAI's names (defaults, override, drop) be spliced into a relayed body? Else such a request is translated.
  virtual bool openai_members() const noexcept { return false; }
  // The same for an operation other than chat; null: this dialect has none for it.
  virtual std::unique_ptr<ClientCodec> new_task_client(Operation operation) const;
  virtual std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const;
};

// Applies edits by OpenAI's member names to a neutral request: what a relayed body gets by splicing. A member that has no field of its
// own goes to `extras`. kInvalidRequest when a value has the wrong type for its member.
LLMROUTER_EXPORT Result<void> apply_edits(const std::vector<BodyEdit>& edits, ChatRequest& request);
LLMROUTER_EXPORT Result<void> apply_edits(const std::vector<BodyEdit>& edits, TaskRequest& request);

// Each wire format that lib/dialects has.
LLMROUTER_EXPORT std::vector<std::shared_ptr<const Dialect>> builtin_dialects();

}  // namespace llmrouter

#endif  // LLMROUTER_CODEC_H_
