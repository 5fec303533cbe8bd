// The server as a whole: loops, listeners, signals, reloads.
#ifndef LLMROUTER_SERVER_SERVER_H_
#define LLMROUTER_SERVER_SERVER_H_

#include "llmrouter/config.h"

namespace llmrouter::server {

// Serves until a signal ends it. `loaded` is what `input` gave, without faults; `input` is read again for reloads. Returns the exit code.
int serve(const ConfigInput& input, const ConfigResult& loaded);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_SERVER_H_
