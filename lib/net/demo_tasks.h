// What the demo model answers beside chats: vectors, moderations and rankings that depend on the texts alone.
#ifndef LLMROUTER_NET_DEMO_TASKS_H_
#define LLMROUTER_NET_DEMO_TASKS_H_

#include <optional>
#include <string>
#include <string_view>

#include "net/demo_request.h"
#include "wire/json_scan.h"

namespace llmrouter::net {

// Each appends the answer's body, or says what is wrong with the request, a valid JSON object.
//
// embeddings: texts that share words have vectors that are near; of length 1, 64 numbers unless `dimensions` says otherwise.
std::optional<DemoRequest::Fault> embed(wire::JsonValue request, std::string_view model, std::string& out);
// moderations: what holds the word "forbidden" is flagged.
std::optional<DemoRequest::Fault> moderate(wire::JsonValue request, std::string_view model, std::string_view id, std::string& out);
// rerank: the share of the query's words that a document holds.
std::optional<DemoRequest::Fault> rerank(wire::JsonValue request, std::string_view model, std::string_view id, std::string& out);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_DEMO_TASKS_H_
