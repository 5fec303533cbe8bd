// What is legal in a configuration and surely not meant.
#ifndef LLMROUTER_CONFIG_ADVISE_H_
#define LLMROUTER_CONFIG_ADVISE_H_

#include "config/convert.h"

namespace llmrouter::config {

// Adds to the context's warnings. For a configuration without faults.
void advise(Context& context, const Config& config);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_ADVISE_H_
