// One thread for what may wait on a disk: administration. Started with the first job.
#ifndef LLMROUTER_SERVER_WORKER_H_
#define LLMROUTER_SERVER_WORKER_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace llmrouter::server {

class Worker {
 public:
  ~Worker() { stop(); }
  // False when too many jobs wait; the job is then not run. Thread-safe.
  bool post(std::function<void()> job);
  // Finishes the job at hand, drops the rest. No job runs afterwards.
  void stop();

 private:
  static constexpr size_t kMaxWaiting = 256;
  void run();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_WORKER_H_
