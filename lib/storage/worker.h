// The one thread of a store.
#ifndef LLMROUTER_STORAGE_WORKER_H_
#define LLMROUTER_STORAGE_WORKER_H_

#include <functional>
#include <thread>

#include "llmrouter/result.h"

namespace llmrouter::storage {

// A thread that takes none of the process's signals: those belong to the application's own threads. join() before it goes.
class Worker {
 public:
  // `name` shows in `ps -L`; at most 15 characters.
  Result<void> start(const char* name, std::function<void()> work);
  void join() noexcept;

 private:
  std::thread thread_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_WORKER_H_
