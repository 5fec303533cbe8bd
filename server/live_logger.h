// The log of a server whose configuration may change while it runs.
#ifndef LLMROUTER_SERVER_LIVE_LOGGER_H_
#define LLMROUTER_SERVER_LIVE_LOGGER_H_

#include <atomic>
#include <memory>

#include "llmrouter/llmrouter.h"

namespace llmrouter::server {

// Everybody has this one; what it writes through is replaced. Thread-safe.
class LiveLogger final : public Logger {
 public:
  LiveLogger(LogLevel level, bool json) { set(level, json); }

  void set(LogLevel level, bool json) {
    std::shared_ptr<Logger>& logger = all_[json ? 1 : 0][static_cast<size_t>(level)];
    if (!logger) logger = make_stderr_logger(level, json);
    now_.store(logger.get(), std::memory_order_release);
  }
  bool enabled(LogLevel level) const noexcept override { return now()->enabled(level); }
  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override { now()->log(level, message, fields); }
  using Logger::log;

 private:
  Logger* now() const noexcept { return now_.load(std::memory_order_acquire); }

  std::shared_ptr<Logger> all_[2][static_cast<size_t>(LogLevel::kOff) + 1];  // made once each: somebody may be writing through the one before
  std::atomic<Logger*> now_{nullptr};
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_LIVE_LOGGER_H_
