/*
 * llmrouter for C, and for every language that can call C.
 *
 * What this face does not do
 *   - Requests and answers are JSON in OpenAI's chat dialect, in both directions; there are no structs for messages.
 *   - Transports, codecs, clocks, strategies and stores of your own are C++ alone.
 *   - It does not live in your event loop. Started calls, and the probes that the configuration asks for (`providers.*.health`), run on one thread of the
 *     router's own, made when the first of them is; calls that are run, and all else, use the caller's thread. Nothing else here makes a thread but the SQLite writers (none with `memory:` and `off`).
 *   - No function here may be used after fork() in the child.
 *
 * What holds for every function
 *   - Handles are opaque. Each kind has one function that frees it; freeing NULL does nothing.
 *   - Text goes in as (pointer, size), is copied before the function returns, is UTF-8 and needs no terminator; (NULL, 0) is the empty text, NULL with
 *     another size an error (invalid_request).
 *   - Text comes out as an llmrouter_text, which the caller frees, or is lent: to a callback until it returns, by an accessor until its handle is
 *     freed. Text that is lent ends with a NUL that its size does not count, but not the chunks given to an llmrouter_on_data.
 *   - What can fail returns an llmrouter_error, NULL when all went well; the caller frees it. Out parameters are then NULL. A NULL handle where one
 *     is needed is an error (invalid_request), not a crash; so is memory that ran out (internal), and no exception gets out.
 *   - Where `user_data` is taken together with a `destroy`, `destroy(user_data)` is called exactly once, after the last callback that gets
 *     it, also when the function fails. `destroy` may be NULL.
 *   - Callbacks may call every function here, freeing and closing included. They must not throw or longjmp.
 *   - Threads: a router and an error may be used by many threads at once; a call may be cancelled, paused and resumed by any; every other use of
 *     a handle is for one thread at a time.
 *   - Functions are added, never changed or removed, while the library's number (libllmrouter-c.so.0) stays. Callers must expect codes, JSON
 *     members and levels that they do not know.
 */
#ifndef LLMROUTER_LLMROUTER_C_H_
#define LLMROUTER_LLMROUTER_C_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define LLMROUTER_C_EXPORT __attribute__((visibility("default")))
#else
#define LLMROUTER_C_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct llmrouter_error llmrouter_error;     /* why something failed */
typedef struct llmrouter_text llmrouter_text;       /* text that was made for the caller */
typedef struct llmrouter_options llmrouter_options; /* what a router is opened with */
typedef struct llmrouter_router llmrouter_router;
typedef struct llmrouter_call llmrouter_call;       /* one chat request: prepared, in flight or ended */
typedef struct llmrouter_result llmrouter_result;   /* how a call ended */
typedef struct llmrouter_filter llmrouter_filter;   /* which usage records */

typedef void (*llmrouter_destroy)(void* user_data);

/* "0.1.0"; static. */
LLMROUTER_C_EXPORT const char* llmrouter_version(void);

/* ---- Errors ---- */

/* The code's word: "model_not_found", "rate_limited", "cancelled", "config", ...; never NULL, as are all texts of an error. */
LLMROUTER_C_EXPORT const char* llmrouter_error_code(const llmrouter_error* error);
/* What went wrong, as anybody may read it. */
LLMROUTER_C_EXPORT const char* llmrouter_error_message(const llmrouter_error* error);
/* Where, for your logs and not for people outside: host and port, the system's own words; empty when there is nothing more to say. */
LLMROUTER_C_EXPORT const char* llmrouter_error_detail(const llmrouter_error* error);
/* The field at fault ("messages[2].content"); empty when none is known. */
LLMROUTER_C_EXPORT const char* llmrouter_error_param(const llmrouter_error* error);
/* The HTTP status that the server would give. */
LLMROUTER_C_EXPORT int llmrouter_error_status(const llmrouter_error* error);
/* When to try again; 0: not known. */
LLMROUTER_C_EXPORT int64_t llmrouter_error_retry_after_ms(const llmrouter_error* error);
/* What the provider said, when it was one: its configured name, its HTTP status (0: none), its body (capped, secrets removed). */
LLMROUTER_C_EXPORT const char* llmrouter_error_provider(const llmrouter_error* error);
LLMROUTER_C_EXPORT int llmrouter_error_upstream_status(const llmrouter_error* error);
LLMROUTER_C_EXPORT const char* llmrouter_error_upstream_body(const llmrouter_error* error);
LLMROUTER_C_EXPORT void llmrouter_error_free(llmrouter_error* error);

/* ---- Text ---- */

LLMROUTER_C_EXPORT const char* llmrouter_text_data(const llmrouter_text* text);
LLMROUTER_C_EXPORT size_t llmrouter_text_size(const llmrouter_text* text);
LLMROUTER_C_EXPORT void llmrouter_text_free(llmrouter_text* text);
/* Only to the text that a filter is given (llmrouter_on_filter). */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_text_append(llmrouter_text* text, const char* data, size_t size);

/* ---- Options: the configuration of docs/configuration.md, from a file, from text, value by value, or mixed ---- */

LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_new(llmrouter_options** out);
LLMROUTER_C_EXPORT void llmrouter_options_free(llmrouter_options* options);
/* Only read when the router is opened. The last of these two counts. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_set_file(llmrouter_options* options, const char* path, size_t path_size);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_set_yaml(llmrouter_options* options, const char* yaml, size_t yaml_size);
/* One value, over what file or text say: ("storage.usage", "off"), ("routing.attempts", "2"). Where the key takes a list or a map the value is YAML,
 * else the text as it is, without quotes. A name with a dot in it is quoted in the path: models."gpt-4.1".strategy */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_set(llmrouter_options* options, const char* path, size_t path_size, const char* value,
                                                          size_t value_size);
/* A provider. `base_url` may be empty when `name` is a known vendor ("openai", "groq", ...), `api_key` when none is wanted. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_add_provider(llmrouter_options* options, const char* name, size_t name_size,
                                                                   const char* base_url, size_t base_url_size, const char* api_key,
                                                                   size_t api_key_size);
/* A target ("openai/gpt-4o") of a model's name ("smart"). More of one name are alternatives, in the strategy's order. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_add_model(llmrouter_options* options, const char* name, size_t name_size,
                                                                const char* target, size_t target_size);
/* 0: the process's environment (OPENAI_API_KEY, ...) and .env are not looked at. Default 1. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_use_environment(llmrouter_options* options, int use);

/* Reads all of it and opens nothing: code "config" with a line for each fault, or in `warnings` a line for each thing that is legal and surely not meant
 * (a key that has expired, a rule that nothing reaches); empty when there is none. What opens a router logs them as warnings. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_check(const llmrouter_options* options, llmrouter_text** warnings);

enum { LLMROUTER_LOG_DEBUG = 0, LLMROUTER_LOG_INFO = 1, LLMROUTER_LOG_WARN = 2, LLMROUTER_LOG_ERROR = 3 };
/* A line without its end: "message name=value name=value". Called from any thread, from several at once; must not call back into this library. */
typedef void (*llmrouter_on_log)(void* user_data, int level, const char* line, size_t line_size);
/* Lines of `level` and above. Without this nothing is logged. `destroy` comes when options and routers that use it are gone. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_set_log(llmrouter_options* options, int level, llmrouter_on_log on_log, void* user_data,
                                                              llmrouter_destroy destroy);

/* Where a filter's text stands: in a message of the request, in a whole answer, in a stream; LLMROUTER_FILTER_END comes without text once a choice's words are
 * over, for what was held back. */
enum { LLMROUTER_FILTER_REQUEST = 0, LLMROUTER_FILTER_RESPONSE = 1, LLMROUTER_FILTER_STREAM = 2, LLMROUTER_FILTER_END = 3 };
/* A text of a call. What is appended to `out` stands in its place; nothing appended: nothing. `attempt` is another number for each attempt of each call, so
 * that a stream's pieces can be told apart from others'; `choice` is that of the answer. Called from any thread that drives calls, several at once; must not
 * call anything but llmrouter_text_append. */
typedef void (*llmrouter_on_filter)(void* user_data, uint64_t attempt, int place, int64_t choice, const char* text, size_t text_size, llmrouter_text* out);
/* A filter of the application, switched on by `models.NAME.filters` of the configuration. `destroy` comes when options and routers that use it are gone. A
 * reload keeps the filters that the router was opened with. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_add_filter(llmrouter_options* options, const char* name, size_t name_size,
                                                                 llmrouter_on_filter on_filter, void* user_data, llmrouter_destroy destroy);

/* What an llmrouter_on_json_filter answers: as it is; what was appended to `out` in its place; without it; not at all. Every other value: refuse. */
enum { LLMROUTER_VERDICT_PASS = 0, LLMROUTER_VERDICT_REPLACE = 1, LLMROUTER_VERDICT_DROP = 2, LLMROUTER_VERDICT_REFUSE = 3 };
/* All of a call, by its place:
 *   LLMROUTER_FILTER_REQUEST   the request, a JSON object in OpenAI's chat dialect, before it is written for a target; once for each attempt. Replace: `out` holds the whole request;
 *                              `model` and `stream` in it are not read. Drop and refuse: the attempt ends with invalid_request, `out` is the message.
 *   LLMROUTER_FILTER_RESPONSE  a whole answer, a JSON object. Replace: `out` holds the whole answer; `id`, `model`, `created` and `usage` in it are not read. Drop and refuse: the
 *                              caller gets an answer without words that ended with `content_filter`.
 *   LLMROUTER_FILTER_STREAM    an event of a stream: {"kind", "choice", ...}. Its kind is start (id, model, created), text, reasoning or refusal (text), tool_call (tool, id, name,
 *                              arguments), arguments (tool, arguments), logprobs, annotation or other (value), finish (finish), usage (input, cached, output, reasoning); more may come.
 *                              Replace: `out` is the text, or the arguments, that stand in place of its own, no JSON around them; of a finish it is text said before it; of
 *                              other kinds nothing. Drop: it is left out, a tool_call with its arguments; start, finish and usage are not. Refuse: nothing more of the stream passes, it
 *                              ends with `content_filter`.
 * What cannot be read in place of a request is an error (internal), of an answer as if it were refused. `attempt` as above. Called from any thread that drives calls, several at
 * once; must not call anything but llmrouter_text_append. */
typedef int (*llmrouter_on_json_filter)(void* user_data, uint64_t attempt, int place, const char* json, size_t json_size, llmrouter_text* out);
/* As llmrouter_options_add_filter; of one name the last counts. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_options_add_json_filter(llmrouter_options* options, const char* name, size_t name_size,
                                                                      llmrouter_on_json_filter on_filter, void* user_data, llmrouter_destroy destroy);

/* ---- Routers ---- */

/* NULL options: environment and defaults. The options stay the caller's and may be used again. Fails with code "config" and a line for each
 * fault in the message. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_open(const llmrouter_options* options, llmrouter_router** out);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_open_file(const char* path, size_t path_size, llmrouter_router** out);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_open_yaml(const char* yaml, size_t yaml_size, llmrouter_router** out);
/* Routes, limits, prices and file keys for calls that begin from now on; `storage` and `observe` stay. On failure nothing changed. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_reload(llmrouter_router* router, const llmrouter_options* options);
/* Cancels every call in flight and frees the router. Started calls have had their on_end and destroy when this returns, unless it is
 * called from one of their callbacks: then they come after it. Calls that other threads run, lists that they ask for and flushes that they wait for
 * may be in flight: the first two end at once. Calls that were not freed stay valid, and can only be freed; what the router holds (databases, the
 * log) goes with the last of them. */
LLMROUTER_C_EXPORT void llmrouter_close(llmrouter_router* router);

/* ---- Calls in one step: these block the caller ---- */

/* What an llmrouter_on_data answers. Pause: nothing more until llmrouter_call_resume; what was read already may still come. Stop, and every other
 * value: the call ends with code "cancelled". */
enum { LLMROUTER_CONTINUE = 0, LLMROUTER_PAUSE = 1, LLMROUTER_STOP = 2 };
/* A piece of a streamed answer. */
typedef int (*llmrouter_on_data)(void* user_data, const char* data, size_t size);

/* One user message in, the answer's text out. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_chat(llmrouter_router* router, const char* model, size_t model_size, const char* text,
                                                   size_t text_size, llmrouter_text** answer);
/* A request body in, the answer's body out. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_chat_json(llmrouter_router* router, const char* body, size_t body_size, llmrouter_text** answer);
/* The answer's text as it comes. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_stream(llmrouter_router* router, const char* model, size_t model_size, const char* text,
                                                     size_t text_size, llmrouter_on_data on_text, void* user_data, llmrouter_destroy destroy);
/* The answer's chunks (JSON objects) as they come. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_stream_json(llmrouter_router* router, const char* body, size_t body_size,
                                                          llmrouter_on_data on_chunk, void* user_data, llmrouter_destroy destroy);

/* ---- Calls with everything: make one, set it up, run or start it once, free it ---- */

/* `body` is the JSON of a chat request; its `stream` member does not count, the mode does. Wrong bodies are told when the call ends. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_new(llmrouter_router* router, const char* body, size_t body_size, llmrouter_call** out);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_new_text(llmrouter_router* router, const char* model, size_t model_size, const char* text,
                                                            size_t text_size, llmrouter_call** out);
/* A call in flight is cancelled first; its on_end and destroy still come. */
LLMROUTER_C_EXPORT void llmrouter_call_free(llmrouter_call* call);

/* Whole: no data, the answer is in the result. Chunks: each datum is a JSON object in the dialect's streaming form; when the stream
 * breaks after its first chunk, a last one holds an `error`. Text: each datum is some text of the first choice. Default: whole. */
enum { LLMROUTER_WHOLE = 0, LLMROUTER_CHUNKS = 1, LLMROUTER_TEXT = 2 };
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_set_mode(llmrouter_call* call, int mode);
/* On whose behalf: the key's permissions, limits and budget hold and the record names it. Set to the empty text, the call comes from somebody
 * without a key, which is an error where keys are required. Never set: the application itself calls, without limits of a key. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_set_key(llmrouter_call* call, const char* key, size_t key_size);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_set_request_id(llmrouter_call* call, const char* id, size_t id_size);
/* Shorter than the configured total; 0: that one. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_set_timeout_ms(llmrouter_call* call, int64_t timeout_ms);
/* Only this provider is asked. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_set_provider(llmrouter_call* call, const char* provider, size_t provider_size);
/* A header of the request; only those that the provider's `forward_headers` name go upstream. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_add_header(llmrouter_call* call, const char* name, size_t name_size, const char* value,
                                                              size_t value_size);

/* Blocks until the call has ended. `on_data` may be NULL when the mode is whole. `out` may be NULL when the result is not wanted. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_run(llmrouter_call* call, llmrouter_on_data on_data, void* user_data,
                                                       llmrouter_destroy destroy, llmrouter_result** out);

/* How a started call ended, well or not. The result is lent. */
typedef void (*llmrouter_on_end)(void* user_data, const llmrouter_result* result);
/* Returns at once; nothing is called before it has returned. Callbacks come on the router's thread. When it succeeds, on_end comes exactly once,
 * whatever happens, and then destroy; when it fails, destroy alone. Both callbacks may be NULL, `on_data` when the mode is whole. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_start(llmrouter_call* call, llmrouter_on_data on_data, llmrouter_on_end on_end,
                                                         void* user_data, llmrouter_destroy destroy);

/* From any thread, at any time. Cancelled before it is started, a call ends with "cancelled" as soon as it is; cancelled after its end, nothing
 * happens. None of these wait. */
LLMROUTER_C_EXPORT void llmrouter_call_cancel(llmrouter_call* call);
/* As if the next on_data had answered LLMROUTER_PAUSE. The upstream's connection is not read while a call is paused. */
LLMROUTER_C_EXPORT void llmrouter_call_pause(llmrouter_call* call);
LLMROUTER_C_EXPORT void llmrouter_call_resume(llmrouter_call* call);

/* The plan for this call as JSON: which targets would be asked, in which order and why. Nothing is sent. Before it is run or started. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_call_explain(const llmrouter_call* call, llmrouter_text** plan);

/* ---- Results ---- */

/* NULL: the call went well. Lent. */
LLMROUTER_C_EXPORT const llmrouter_error* llmrouter_result_error(const llmrouter_result* result);
/* The answer's body when the mode was whole; an error's body when there is one. `size` may be NULL in all of these. */
LLMROUTER_C_EXPORT const char* llmrouter_result_body(const llmrouter_result* result, size_t* size);
/* The first choice's text when the mode was whole. */
LLMROUTER_C_EXPORT const char* llmrouter_result_text(const llmrouter_result* result, size_t* size);
/* The usage record as JSON: tokens, cost, latency, every attempt. */
LLMROUTER_C_EXPORT const char* llmrouter_result_record(const llmrouter_result* result, size_t* size);
LLMROUTER_C_EXPORT void llmrouter_result_free(llmrouter_result* result);

/* ---- What there is ---- */

/* The plan for a model's name, as JSON. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_explain(llmrouter_router* router, const char* model, size_t model_size, llmrouter_text** plan);
/* The models as OpenAI lists them. `refresh` not 0: providers are asked first (this blocks). */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_models(llmrouter_router* router, int refresh, llmrouter_text** json);
/* How each provider is doing. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_providers(llmrouter_router* router, llmrouter_text** json);
/* How the targets behind a model's name are doing: {"model", "status": "ok", "degraded", "down" or "unknown", "targets": [...]} with breaker, rest, attempts,
 * failures and latency of each. `key`: only those that it may use, by id or name; empty: all. Nothing is asked. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_model_health(llmrouter_router* router, const char* model, size_t model_size, const char* key,
                                                           size_t key_size, llmrouter_text** json);
/* Prometheus text. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_metrics(llmrouter_router* router, llmrouter_text** text);

/* ---- Routing, changed at run time: docs/routing.md. These may block on the disk; what they change outlives the process where `storage.keys` does. ---- */

/* All rules, in the order they are asked: {"data": [rule, ...]}. A rule has the members of the configuration's `routing.rules`, `source` ("file" or
 * "store"), `hits`, and `problem` when it is left out. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_rules_list(llmrouter_router* router, llmrouter_text** json);
/* Stores a rule, or replaces the stored one of its name: {"name": "code", "when": {"content": "refactor"}, "use": "coder"}. invalid_request names the
 * member, conflict: the configuration has a rule of that name. The answer is the rule as it is now. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_rules_set(llmrouter_router* router, const char* json, size_t json_size, llmrouter_text** rule);
/* not_found; conflict when it is the configuration's. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_rules_remove(llmrouter_router* router, const char* name, size_t name_size);
/* Which rule would decide this call, and what would come of it: {"rule": rule or null, "plan": plan or null, "error": {"code", "message"} or null}; the switch
 * counts for the plan alone. `key`: for whom, by id or name; empty: for whose the call is. Nothing is sent. Before the call is run or started. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_rules_test(const llmrouter_call* call, const char* key, size_t key_size, llmrouter_text** json);

/* Off: every chat goes to `routing.default_model`. Other: not what it is, or is about to be. */
enum { LLMROUTER_SWITCH_OFF = 0, LLMROUTER_SWITCH_ON = 1, LLMROUTER_SWITCH_OTHER = 2 };
/* {"enabled": bool, "pending": change or null, "last": change or null, "cooldown_until": time or null}; a change is {"time", "effective", "enabled",
 * "who", "why"}. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_switch_status(llmrouter_router* router, llmrouter_text** json);
/* Turns it after `routing.switch.delay`; rate_limited, with llmrouter_error_retry_after_ms, until that and `routing.switch.cooldown` are over. What it is
 * already is no change. `who` and `why`, at most 1024 bytes each, are kept with the change. The answer is the status. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_switch_toggle(llmrouter_router* router, int to, const char* who, size_t who_size, const char* why,
                                                            size_t why_size, llmrouter_text** json);
/* {"data": [change, ...]}, newest first, at most 1000. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_switch_history(llmrouter_router* router, llmrouter_text** json);

/* ---- Keys; a key is named by its id, or by its name when no other has it. These may block on the disk. ---- */

/* From JSON with the members of the configuration's `keys`: {"name": "ci", "limits": {"requests": "60/min"}, "budget": {"usd": 5, "per": "day"}}.
 * `prefix` stands before the random part; empty: "sk-". The answer is the record with a member `key` besides: it is shown this once. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_create(llmrouter_router* router, const char* json, size_t json_size, const char* prefix,
                                                          size_t prefix_size, llmrouter_text** created);
/* {"data": [record, ...]} */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_list(llmrouter_router* router, llmrouter_text** json);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_show(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json);
/* A merge patch: members that are absent stay, null clears. The answer is the record as it is now. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_modify(llmrouter_router* router, const char* key, size_t key_size, const char* json,
                                                          size_t json_size, llmrouter_text** changed);
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_revoke(llmrouter_router* router, const char* key, size_t key_size);
/* How the key's limits stand: what is left of requests, tokens, concurrency and budget. Only limits that are set are members. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_limits(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json);
/* Whose secret this is: its record, or an error (missing_key, invalid_key, expired_key, ...). The text "null": nobody's, and none is required. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_check(llmrouter_router* router, const char* secret, size_t secret_size,
                                                         llmrouter_text** json);

/* Where the key's chats go whatever they ask for: {"model": name}, or {"model": null}: where they ask to. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_override(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json);
/* From now on they go to `model`; model_not_found, or model_not_allowed when the key may not use it. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_set_override(llmrouter_router* router, const char* key, size_t key_size, const char* model,
                                                                size_t model_size);
/* They go where they ask to; no error when they did. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_clear_override(llmrouter_router* router, const char* key, size_t key_size);

/* A token for a login: presented in place of the key it is the key, but its chats go to one model. From {"model": name, "ttl": "8h"}; `ttl` is at most
 * 30d and may be left out; it ends with the key when that is sooner. model_not_found, model_not_allowed; conflict: the key has 100. The answer is
 * {"token", "id", "model", "key", "hint", "created", "expires"}: the token is shown this once. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_start_session(llmrouter_router* router, const char* key, size_t key_size, const char* json,
                                                                 size_t json_size, llmrouter_text** created);
/* {"data": [the same without the token, ...]}: those of the key that have not ended, oldest first. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_sessions(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json);
/* Ends the one of that id, or, with the empty text, all of the key's. not_found: it has none of that id. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_keys_end_session(llmrouter_router* router, const char* key, size_t key_size, const char* id,
                                                               size_t id_size);

/* ---- Usage. These read the disk and may block. Error "not_supported" when `storage.usage` is off. ---- */

LLMROUTER_C_EXPORT llmrouter_error* llmrouter_filter_new(llmrouter_filter** out);
/* since, until (a time, or how long ago: "7d"), key, user, model, provider, status, limit (1 to 1000, default 100), cursor. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_filter_set(llmrouter_filter* filter, const char* name, size_t name_size, const char* value,
                                                         size_t value_size);
LLMROUTER_C_EXPORT void llmrouter_filter_free(llmrouter_filter* filter);
/* {"data": [record, ...], "next": cursor}, newest first; an empty cursor: no more. NULL filter: the newest. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_usage(llmrouter_router* router, const llmrouter_filter* filter, llmrouter_text** json);
/* {"data": [sum, ...]} by model, provider, key, user or day; by the empty text: one sum. Its `group` is
 * null where the calls had none. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_usage_sum(llmrouter_router* router, const char* by, size_t by_size,
                                                        const llmrouter_filter* filter, llmrouter_text** json);
/* Waits until what was recorded before is on disk. */
LLMROUTER_C_EXPORT llmrouter_error* llmrouter_usage_flush(llmrouter_router* router, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* LLMROUTER_LLMROUTER_C_H_ */
