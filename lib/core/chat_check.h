#ifndef LLMROUTER_CORE_CHAT_CHECK_H_
#define LLMROUTER_CORE_CHAT_CHECK_H_

#include "llmrouter/chat.h"
#include "llmrouter/result.h"

namespace llmrouter::core {

// Of a neutral call, once, before anybody is asked: members that hold JSON text do, and numbers are some. kInvalidRequest with the member in `param`.
Result<void> check_chat(const ChatRequest& request);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_CHAT_CHECK_H_
