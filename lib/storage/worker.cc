#include "storage/worker.h"

#include <pthread.h>
#include <signal.h>

#include <string>
#include <system_error>

namespace llmrouter::storage {

Result<void> Worker::start(const char* name, std::function<void()> work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a new thread inherits the mask of its maker
  Result<void> result;
  try {
    thread_ = std::thread(std::move(work));
    pthread_setname_np(thread_.native_handle(), name);
  } catch (const std::system_error& e) {
    result = Error(ErrorCode::kStorage, std::string("no thread for the storage writer: ") + e.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Worker::join() noexcept {
  if (thread_.joinable()) thread_.join();
}

}  // namespace llmrouter::storage
