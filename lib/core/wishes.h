// What a request asks of routing: gathered, checked, and told of when nobody can do it.
#ifndef LLMROUTER_CORE_WISHES_H_
#define LLMROUTER_CORE_WISHES_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/resolve.h"
#include "llmrouter/router.h"

namespace llmrouter::core {

// In a record's decision: the request itself said something of who may answer it (`route`, `provider`, `models`, headers, `?proxy=`).
constexpr std::string_view kAsksForTargets = "with wishes of its own";

// The call's options and its x-llmrouter-* headers; `timeout` from such a header replaces the options' own. Those that nobody knows go, by name, to
// `unknown` (null: nowhere): a call with one is not refused, since a router in front may say more than this one understands.
Result<void> read_header_wishes(CallOptions& options, RouteRequest& wishes, std::vector<std::string>* unknown = nullptr);

// Has the body members that ask for routing? OpenRouter's own (`models`, `provider`, `route` as a text) pass to a model whose only target is OpenRouter.
bool has_route_members(const Snapshot& snapshot, const RequestFacts& facts, std::string_view forced, std::string_view body);
// Where they pass: OpenRouter chooses among `models` itself, so the key has to allow each of them as PROVIDER/NAME. Else kModelNotAllowed.
Result<void> check_passed_models(const Snapshot& snapshot, const RequestFacts& facts, std::string_view forced, std::string_view body, const KeyRecord* key);
// The same of OpenRouter's `preset`, which names no model but leads to some, wherever an OpenRouter is that the request may come to.
Result<void> check_preset(const Snapshot& snapshot, const RequestFacts& facts, std::string_view body, const KeyRecord* key);
// Reads them and cuts them out of `body`, which has to be scanned anew then. What they say comes over the headers in `options`.
Result<void> cut_route_members(const RequestFacts& facts, std::string& body, CallOptions& options, RouteRequest& wishes);
// Where the body names providers (`before`: what was named without it), the header x-llmrouter-provider does not hold. Other headers have been replaced.
void body_over_headers(const std::vector<std::string>& before, const RouteRequest& wishes, CallOptions& options);

// kInvalidRequest when a name is asked for that is not there; the message says what there is.
// What the key may not use is not among it. kModelNotAllowed: a fallback that the caller names and the key may not use; that the key may use the
// model before it says nothing of one that this model's configuration does not name.
Result<void> check_wishes(const Snapshot& snapshot, const RouteRequest& wishes, const KeyRecord* key);

// An error about what was asked for names the header, OpenRouter's member or the rule (null: none decided) that asked for it, not the member that would say the
// same.
Error in_words_of(Error error, const CallOptions& options, const RouteRequest& wishes, const Rule* rule);
// Providers are named in any case: `forced` becomes the name of the one that is called so, where there is one.
void name_provider(const Snapshot& snapshot, std::string& forced);

// The same of what a rule uses, with its members' names ("use.tags"); `model`: the model too.
Result<void> check_rule_names(const Snapshot& snapshot, const RuleConfig& rule, bool model);

// resolve(), but that `auto` and `default` with something to choose by (tags, types, providers) stand for every configured model.
Result<Resolved> resolve_wish(const Snapshot& snapshot, std::string_view name, std::string_view forced, const RouteRequest& wishes, const KeyRecord* key);

// Why none of these may be asked: what is missing, and who has it.
Error nobody(const Snapshot& snapshot, const std::vector<Candidate>& candidates, std::string_view model, const Ask& ask);

// Who or what should stay at one target: 0 when nothing of it is known.
uint64_t affinity_of(const std::vector<std::string>& by, const KeyRecord* key, const RequestFacts& facts, std::string_view body,
                     const ChatRequest* chat, const std::vector<HttpHeader>& headers);

// What a strategy hashes: that, and where nothing of it is known, the first that is of session, user, key and prefix. 0: none is.
uint64_t identity_of(const std::vector<std::string>& by, const KeyRecord* key, const RequestFacts& facts, std::string_view body, const ChatRequest* chat,
                     const std::vector<HttpHeader>& headers);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_WISHES_H_
