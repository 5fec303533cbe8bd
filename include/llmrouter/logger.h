// Where log lines go. The library prints nothing by itself.
#ifndef LLMROUTER_LOGGER_H_
#define LLMROUTER_LOGGER_H_

#include <initializer_list>
#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

struct LogField {
  std::string_view name;
  std::string_view value;
  bool bare = false;  // `value` is a number, true or false, as JSON writes them: a JSON log does not put it in quotes
};

// Thread-safe: called from any thread, may be called at once from many. Must not call back into the library.
class LLMROUTER_EXPORT Logger {
 public:
  virtual ~Logger() = default;
  virtual bool enabled(LogLevel level) const noexcept = 0;
  // `message` is a constant sentence; what varies is in `fields`. Everything is valid only during the call.
  virtual void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) = 0;
  void log(LogLevel level, std::string_view message) { log(level, message, {}); }
};

// Drops everything. Never freed.
LLMROUTER_EXPORT Logger& null_logger() noexcept;

}  // namespace llmrouter

#endif  // LLMROUTER_LOGGER_H_
