// Carries one chat between a session and the router.
#ifndef LLMROUTER_SERVER_CHAT_RELAY_H_
#define LLMROUTER_SERVER_CHAT_RELAY_H_

#include "llmrouter/router.h"
#include "server/http.h"

namespace llmrouter::server {

class Session;

// Lives on its session's loop. Destroying it cancels the call.
class ChatRelay final : public ReplySink {
 public:
  explicit ChatRelay(Session& session) : session_(session) {}

  // Starts the call; takes the request's body and headers. What is wrong with the request's own options is answered at once.
  void start(Request& request);
  void resume() { call_.resume(); }
  // The server ends: lets the upstream go and says so to the client.
  void shut_down();

  void on_head(const ReplyHead& head) override;
  Flow on_bytes(std::string_view bytes) override;
  Flow on_whole(std::string&& body) override;
  void on_end(const CallResult& result) override;

 private:
  Session& session_;
  Call call_;
  bool begun_ = false;
  bool stream_ = false;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_CHAT_RELAY_H_
