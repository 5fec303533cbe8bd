// The server as a whole: loops, listeners, signals, reloads.
#ifndef LLMROUTER_SERVER_SERVER_H_
#define LLMROUTER_SERVER_SERVER_H_

#include <functional>

#include "llmrouter/config.h"

namespace llmrouter::server {

using LoadAgain = std::function<ConfigResult()>;

// Serves until a signal ends it. `loaded` is without faults; `load_again` reads the same sources once more, for reloads. Returns the exit code.
int serve(const LoadAgain& load_again, const ConfigResult& loaded);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_SERVER_H_
