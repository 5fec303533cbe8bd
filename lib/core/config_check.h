// What a configuration must be to be used, whoever made it: a file's faults are found by its loader, with their places; an application fills in the
// structs itself.
#ifndef LLMROUTER_CORE_CONFIG_CHECK_H_
#define LLMROUTER_CORE_CONFIG_CHECK_H_

#include "llmrouter/config.h"
#include "llmrouter/result.h"

namespace llmrouter::core {

// kConfig with the path of the first fault in `param`. Names of providers, dialects and filters are the snapshot's to check, strategies too.
Result<void> check_config(const Config& config);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_CONFIG_CHECK_H_
