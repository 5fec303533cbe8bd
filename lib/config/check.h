// What must hold between one part of a configuration and another.
#ifndef LLMROUTER_CONFIG_CHECK_H_
#define LLMROUTER_CONFIG_CHECK_H_

#include "config/convert.h"

namespace llmrouter::config {

// `filters`: what models may name beside the filters of the configuration.
void cross_check(Context& context, const Config& config, const std::vector<std::string>& filters);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_CHECK_H_
