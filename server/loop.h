// One thread: a reactor with its transport, the listeners and sessions that live on it.
//
// The sessions' sockets are watched by the same reactor that carries the upstream transfers, so one wait serves both sides. What a
// drive() produced for a client is written when it has ended: many small stream chunks become one write.
#ifndef LLMROUTER_SERVER_LOOP_H_
#define LLMROUTER_SERVER_LOOP_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "llmrouter/reactor.h"
#include "llmrouter/transport.h"
#include "server/context.h"
#include "server/counters.h"
#include "server/settings.h"

namespace llmrouter::server {

class Session;

class Loop {
 public:
  static Result<std::unique_ptr<Loop>> make(Context& context, std::shared_ptr<const Settings> settings);
  ~Loop();  // joins

  // Before run(). Owns `fd`, a non-blocking listening socket. `local`: only callers of this host reach it (a Unix socket).
  void add_listener(int fd, bool local);
  void run();  // starts the thread

  // From any thread.
  void apply(std::shared_ptr<const Settings> settings);
  // No new connections, idle ones closed; `drained` is called on the loop's thread once none is left.
  void drain(std::function<void()> drained);
  void cut();   // ends what is still in flight, each with an error
  void stop();  // the thread ends
  void post(std::function<void()> task) { reactor_->post(std::move(task)); }

  // For sessions; the loop's thread.
  Reactor& reactor() noexcept { return *reactor_; }
  Transport& transport() noexcept { return *transport_; }
  const Settings& settings() const noexcept { return *settings_; }
  std::shared_ptr<const Settings> shared_settings() const noexcept { return settings_; }
  Context& context() noexcept { return context_; }
  Counters& counters() noexcept { return counters_; }
  TimePoint now() const noexcept { return reactor_->clock().now(); }
  std::string_view date();  // an HTTP date, at most a second old
  char* scratch() noexcept { return scratch_.get(); }
  static constexpr size_t kScratch = 256 * 1024;
  // Output buffers, lent to sessions while they have something to say.
  std::string take_buffer();
  void give_buffer(std::string&& buffer);
  void mark_dirty(Session& session);
  void retire(Session& session);  // closed: freed when this drive() is over

 private:
  struct Listener {
    int fd;
    bool local;
  };

  Loop(Context& context, std::shared_ptr<const Settings> settings);
  void thread_main();
  void listen_on(const Listener& listener);
  void accept_some(const Listener& listener);
  void adopt(int fd, bool local);
  void refuse(int fd);
  void after_drive();

  Context& context_;
  std::shared_ptr<const Settings> settings_;
  Counters counters_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Transport> transport_;
  std::vector<Listener> listeners_;
  std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
  std::vector<Session*> dirty_;
  std::vector<std::shared_ptr<Session>> retired_;
  std::vector<std::string> buffers_;
  std::unique_ptr<char[]> scratch_;
  std::string date_;
  int64_t date_second_ = 0;
  std::function<void()> drained_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_LOOP_H_
