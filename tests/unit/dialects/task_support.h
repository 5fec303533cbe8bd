// Operations other than chat, from a client's body to an upstream's and back.
#ifndef LLMROUTER_TESTS_DIALECTS_TASK_SUPPORT_H_
#define LLMROUTER_TESTS_DIALECTS_TASK_SUPPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "support.h"

namespace dialect_test {

// One exchange through a client codec and an upstream codec.
struct TaskTrip {
  std::unique_ptr<ClientCodec> client;
  std::unique_ptr<UpstreamCodec> upstream;
  std::string asked;  // the client's body; must not move
  RequestFacts facts;
  EncodedRequest request;
  std::string body;   // as it goes out
  std::string header(std::string_view name) const;
};

// The client's side: scanned, or the error it meets.
Result<std::unique_ptr<TaskTrip>> task_scan(std::string_view dialect_name, Operation operation, std::string body, RequestPath path = {});
// The same, and encoded: relayed when both dialects are one and the upstream relays; else decoded and written anew.

Result<std::unique_ptr<TaskTrip>> task_request(std::string_view from, std::string_view to, Operation operation, const std::string& body,
                                               ProviderConfig config = provider(), RequestPath path = {}, const std::vector<BodyEdit>& edits = {});
// What the client reads of this answer of the upstream's.
Result<std::string> task_answer(TaskTrip& trip, std::string_view upstream_body);

}  // namespace dialect_test

#endif  // LLMROUTER_TESTS_DIALECTS_TASK_SUPPORT_H_
