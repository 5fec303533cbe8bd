// Names of models and targets, as they are written.
#ifndef LLMROUTER_CONFIG_NAMES_H_
#define LLMROUTER_CONFIG_NAMES_H_

#include <string>
#include <string_view>

namespace llmrouter::config {

// "provider/model" or "[provider]model" in its parts; false when it is neither.
bool split_target(std::string_view text, std::string* provider, std::string* model);

// What is wrong with the name of a provider, of a model; empty when it is well.
std::string check_provider_name(std::string_view name);
std::string check_model_name(std::string_view name);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_NAMES_H_
