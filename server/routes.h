// Which path means what: a plain table.
#ifndef LLMROUTER_SERVER_ROUTES_H_
#define LLMROUTER_SERVER_ROUTES_H_

#include <string_view>

#include "llmrouter/task.h"
#include "server/http.h"

namespace llmrouter::server {

enum class Endpoint {
  kNone,  // no such path
  kRoot,
  kChat,  // calls, in any dialect: the operations of task.h, in its order
  kEmbeddings,
  kRerank,
  kModerations,
  kImages,
  kImageEdits,
  kSpeech,
  kTranscriptions,
  kTranslations,
  kCountTokens,
  kModels,
  kTags,
  kShow,
  kVersion,
  kHealth,
  kReady,
  kModelHealth,
  kProviderHealth,
  kMetrics,
  kExplain,
  kMe,
  kKeys,
  kUsage,
  kRules,
  kRulesTest,
  kSwitch,
  kOverride,
  kAuthSession,
};
constexpr int kEndpointCount = static_cast<int>(Endpoint::kAuthSession) + 1;
constexpr bool is_call(Endpoint e) noexcept { return e >= Endpoint::kChat && e <= Endpoint::kCountTokens; }
// Of a call.
constexpr Operation operation_of(Endpoint e) noexcept { return static_cast<Operation>(static_cast<int>(e) - static_cast<int>(Endpoint::kChat)); }
static_assert(operation_of(Endpoint::kCountTokens) == Operation::kCountTokens, "the calls stand in the order of Operation");
constexpr bool is_admin(Endpoint e) noexcept { return e >= Endpoint::kKeys && e <= Endpoint::kSwitch; }
constexpr bool takes_form(Endpoint e) noexcept { return e == Endpoint::kImageEdits || e == Endpoint::kTranscriptions || e == Endpoint::kTranslations; }
std::string_view endpoint_name(Endpoint endpoint) noexcept;  // bounded: what metrics and logs call it

struct Route {
  Endpoint endpoint = Endpoint::kNone;
  std::string_view dialect = "openai";  // whose error shape (and, for chats, whose wire format) this is
  unsigned methods = 0;                 // a bit for each Method; HEAD goes with GET, OPTIONS with all
  bool takes_id = false;
  std::string_view id;                  // what follows the path, still encoded; a view into the path
  std::string_view operation;           // RequestPath's; for calls
  std::string_view model;               // RequestPath's, still encoded
  std::string_view no_operation;        // what a path of Google's asks of a model and nobody does; empty: nothing of that kind
  bool later = false;                   // kNone: a path of the contract that is not served yet

  bool allows(Method method) const noexcept { return (methods >> static_cast<unsigned>(method) & 1u) != 0; }
};

Route find_route(std::string_view path) noexcept;
// What may be asked of a model by Google's paths: "generateContent, ...".
std::string google_operations();

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_ROUTES_H_
