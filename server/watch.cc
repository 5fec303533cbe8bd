#include "server/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <fstream>

namespace llmrouter::server {

namespace {

constexpr Duration kSettle = std::chrono::milliseconds(100);  // writers write in several steps
constexpr Duration kLookEvery = std::chrono::seconds(1);
constexpr size_t kMaxCompared = 16 * 1024 * 1024;

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string out;
  char block[4096];
  while (out.size() < kMaxCompared && (in.read(block, sizeof block) || in.gcount() > 0)) out.append(block, static_cast<size_t>(in.gcount()));
  return out;
}

}  // namespace

FileWatch::FileWatch(Reactor& reactor, std::string file, std::function<void()> changed)
    : reactor_(reactor), file_(std::move(file)), changed_(std::move(changed)) {
  const size_t slash = file_.rfind('/');
  folder_ = slash == std::string::npos ? "." : slash == 0 ? "/" : file_.substr(0, slash);
  seen_ = contents();
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  const bool watching = inotify_ >= 0 &&
                        ::inotify_add_watch(inotify_, folder_.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE) >= 0 &&
                        reactor_.watch(inotify_, Reactor::kRead, [this](unsigned) { on_events(); }).ok();
  if (watching) return;
  if (inotify_ >= 0) ::close(inotify_);
  inotify_ = -1;
  look_in(kLookEvery);
}

FileWatch::~FileWatch() {
  reactor_.cancel_timer(timer_);
  if (inotify_ < 0) return;
  reactor_.unwatch(inotify_);
  ::close(inotify_);
}

void FileWatch::on_events() {
  char events[4096];
  while (::read(inotify_, events, sizeof events) > 0) {
  }
  look_in(kSettle);
}

void FileWatch::look_in(Duration delay) {
  reactor_.cancel_timer(timer_);
  timer_ = reactor_.add_timer(reactor_.clock().now() + delay, [this] { look(); });
}

void FileWatch::look() {
  timer_ = 0;
  if (inotify_ < 0) look_in(kLookEvery);
  std::string now = contents();
  if (now == seen_) return;
  seen_ = std::move(now);
  changed_();
}

std::string FileWatch::contents() const {
  std::string all = slurp(file_);
  all += '\0';
  all += slurp(folder_ + "/.env");
  return all;
}

}  // namespace llmrouter::server
