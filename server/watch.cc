#include "server/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

namespace llmrouter::server {

namespace {

constexpr Duration kSettle = std::chrono::milliseconds(100);  // writers write in several steps
constexpr Duration kLookEvery = std::chrono::seconds(1);
constexpr size_t kMaxCompared = 16 * 1024 * 1024;
constexpr size_t kMaxFolders = 64;

std::string slurp(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return {};  // whoever opens a pipe waits for its other end
  std::ifstream in(path, std::ios::binary);
  std::string out;
  char block[4096];
  while (out.size() < kMaxCompared && (in.read(block, sizeof block) || in.gcount() > 0)) out.append(block, static_cast<size_t>(in.gcount()));
  return out;
}

std::string folder_of(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

}  // namespace

FileWatch::FileWatch(Reactor& reactor, std::vector<std::string> files, std::function<void()> changed)
    : reactor_(reactor), changed_(std::move(changed)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  follow(std::move(files));
  const bool watching = inotify_ >= 0 && !folders_.empty() && reactor_.watch(inotify_, Reactor::kRead, [this](unsigned) { on_events(); }).ok();
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

void FileWatch::follow(std::vector<std::string> files) {
  files_ = std::move(files);
  watch_folders();  // before they are read: what changes in between is an event
  seen_ = contents();
}

// Folders of the names, and of what they lead to where they are links.
void FileWatch::watch_folders() {
  if (inotify_ < 0) return;
  std::vector<int> now;
  const auto watch = [&](const std::string& folder) {
    if (now.size() == kMaxFolders) return;
    const int id = ::inotify_add_watch(inotify_, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
    if (id >= 0 && std::find(now.begin(), now.end(), id) == now.end()) now.push_back(id);
  };
  for (const std::string& file : files_) {
    watch(folder_of(file));
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(file.c_str(), nullptr), &std::free);
    if (real) watch(folder_of(real.get()));
  }
  for (const int id : folders_) {
    if (std::find(now.begin(), now.end(), id) == now.end()) ::inotify_rm_watch(inotify_, id);
  }
  folders_ = std::move(now);
}

void FileWatch::look() {
  timer_ = 0;
  if (inotify_ < 0) look_in(kLookEvery);
  const size_t now = contents();
  if (now == seen_) return;
  watch_folders();  // a link may lead elsewhere now
  seen_ = now;
  changed_();
}

size_t FileWatch::contents() const {
  size_t all = 0;
  for (const std::string& file : files_) all = all * 1099511628211u + std::hash<std::string>()(slurp(file));
  return all;
}

}  // namespace llmrouter::server
