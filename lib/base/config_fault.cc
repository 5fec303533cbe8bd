// Faults of a configuration, in words. Here rather than in lib/config, so that a build without YAML has them too.
#include "llmrouter/config.h"

namespace llmrouter {

std::string ConfigFault::to_string() const {
  std::string out = file;
  if (line > 0) {
    if (!out.empty()) out += ':';
    out.append(std::to_string(line)).append(1, ':').append(std::to_string(column));
  }
  if (warning) out.append(out.empty() ? "" : ": ").append("warning");
  for (const std::string* part : {&path, &message}) {
    if (part->empty()) continue;
    if (!out.empty()) out += ": ";
    out += *part;
  }
  return out;
}

Error ConfigResult::to_error() const {
  if (ok()) return Error();
  std::string message;
  for (const ConfigFault& fault : faults) {
    if (!message.empty()) message += '\n';
    message += fault.to_string();
  }
  return Error(ErrorCode::kConfig, std::move(message), faults.front().path);
}

}  // namespace llmrouter
