// What the storage tests share.
#ifndef LLMROUTER_TESTS_UNIT_STORAGE_SUPPORT_H_
#define LLMROUTER_TESTS_UNIT_STORAGE_SUPPORT_H_

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "llmrouter/keys.h"
#include "llmrouter/logger.h"
#include "llmrouter/usage.h"

namespace llmrouter::storage_test {

// A directory of its own, removed with all that is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  const std::string& path() const noexcept { return path_; }
  std::vector<std::string> files() const;  // names, sorted

 private:
  std::string path_;
};

class MemoryLogger : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return true; }
  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override;
  bool has(std::string_view part) const;  // in any line
  std::string all() const;

 private:
  mutable std::mutex mutex_;
  std::string lines_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
int mode_of(const std::string& path);  // permission bits

// Waits for another thread or process; false after `limit`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(10));

// A key with every field set to something that is not its default.
KeySpec full_spec();
bool same_spec(const KeySpec& a, const KeySpec& b);

// A record with every field set, distinct for each `i`; `time` is 2026-11-21T00:00:00Z and `i` seconds.
UsageRecord full_record(int i);
UsageRecord plain_record(int i);
bool same_record(const UsageRecord& a, const UsageRecord& b);
WallTime at(int seconds);  // after 2026-11-21T00:00:00Z

// A child process. It ends with _exit, so that nothing of the test's own is destroyed twice.
class Child {
 public:
  explicit Child(const std::function<void()>& work) : pid_(fork()) {
    if (pid_ == 0) {
      work();
      _exit(0);
    }
  }
  ~Child() { kill_now(); }
  void kill_now() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  bool joined_well() {
    int status = 1;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status == 0;
  }

 private:
  pid_t pid_;
};

// Memory that parent and child both see.
template <typename T>
struct Shared {
  Shared() : value(new (mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T) {}
  ~Shared() { munmap(value, sizeof(T)); }
  T* operator->() { return value; }
  T* value;
};

}  // namespace llmrouter::storage_test

#endif  // LLMROUTER_TESTS_UNIT_STORAGE_SUPPORT_H_
