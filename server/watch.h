// Tells when the configuration changes on disk.
#ifndef LLMROUTER_SERVER_WATCH_H_
#define LLMROUTER_SERVER_WATCH_H_

#include <functional>
#include <string>
#include <vector>

#include "llmrouter/reactor.h"

namespace llmrouter::server {

// Watches the folders of files (editors replace files, mounted ones are switched by a link), those that links lead to as well, and, a moment
// after the last event, compares what is in the files with what was there. Reactor's thread only; must go before the reactor. Where the kernel
// offers no watching, the files are looked at once a second.
class FileWatch {
 public:
  FileWatch(Reactor& reactor, std::vector<std::string> files, std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Others than until now, such as after a reload; what is in them now is what changes are told against.
  void follow(std::vector<std::string> files);

 private:
  void watch_folders();
  void on_events();
  void look();
  void look_in(Duration delay);
  size_t contents() const;

  Reactor& reactor_;
  std::vector<std::string> files_;
  std::function<void()> changed_;
  size_t seen_ = 0;  // a hash of them all: secrets are not kept for comparing
  int inotify_ = -1;
  std::vector<int> folders_;  // what inotify calls those watched
  Reactor::TimerId timer_ = 0;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_WATCH_H_
