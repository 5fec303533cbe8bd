// What a provider becomes once its preset, its region and the environment are taken into account.
#ifndef LLMROUTER_CONFIG_PROVIDERS_H_
#define LLMROUTER_CONFIG_PROVIDERS_H_

#include <string>
#include <vector>

#include "config/convert.h"

namespace llmrouter::config {

// Null: no vendor is known by that name.
const ProviderPreset* find_preset(const std::string& type);

// Completes the providers that the file names. `notes` says what was found elsewhere.
void complete_providers(Context& context, Config& config, std::vector<std::string>& notes);

// The providers that the vendors' usual variables make, for a configuration that names none.
void providers_from_environment(Context& context, Config& config, std::vector<std::string>& notes);

// `demo`, when there is no provider of that name.
void append_demo(Config& config);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_PROVIDERS_H_
