// What must hold between one part of a configuration and another.
#ifndef LLMROUTER_CONFIG_CHECK_H_
#define LLMROUTER_CONFIG_CHECK_H_

#include "config/convert.h"

namespace llmrouter::config {

void cross_check(Context& context, const Config& config);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_CHECK_H_
