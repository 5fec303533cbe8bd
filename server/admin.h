// What all of administration does: ask who it is, work aside, answer.
#ifndef LLMROUTER_SERVER_ADMIN_H_
#define LLMROUTER_SERVER_ADMIN_H_

#include <functional>
#include <string>

#include "server/context.h"
#include "server/http.h"

namespace llmrouter::server {

class Session;

// JSON that nobody keeps; the newline is added.
Reply admin_reply(std::string body, int status = 200);
Reply failed(const Context& context, const Error& error);
// The same for whoever may call: where a store of ours lies, and what is wrong with it, is told to the log alone.
Reply failed_for_caller(const Context& context, const Error& error);
// True when the caller may administer; otherwise answered.
bool authorized(Session& session);
// Runs `work` on the worker and answers the session with what it returns.
void on_worker(Session& session, std::function<Reply(Context&)> work);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_ADMIN_H_
