// Tells when the configuration file changes on disk.
#ifndef LLMROUTER_SERVER_WATCH_H_
#define LLMROUTER_SERVER_WATCH_H_

#include <functional>
#include <string>

#include "llmrouter/reactor.h"

namespace llmrouter::server {

// Watches the file's folder (editors replace files, mounted ones are switched by a link) and, a moment after the last event, compares what
// is in the file and in `.env` beside it with what was there. Reactor's thread only; must go before the reactor. Where the kernel offers no
// watching, the file is looked at once a second.
class FileWatch {
 public:
  FileWatch(Reactor& reactor, std::string file, std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void on_events();
  void look();
  void look_in(Duration delay);
  std::string contents() const;

  Reactor& reactor_;
  std::string file_, folder_;
  std::function<void()> changed_;
  std::string seen_;
  int inotify_ = -1;
  Reactor::TimerId timer_ = 0;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_WATCH_H_
