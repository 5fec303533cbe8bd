#include "llmrouter/logger.h"

namespace llmrouter {
namespace {

class NullLogger final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return false; }
  void log(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace

Logger& null_logger() noexcept {
  static NullLogger logger;
  return logger;
}

}  // namespace llmrouter
