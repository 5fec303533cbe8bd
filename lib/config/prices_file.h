// The file that `prices.file` names.
#ifndef LLMROUTER_CONFIG_PRICES_FILE_H_
#define LLMROUTER_CONFIG_PRICES_FILE_H_

#include <string>

#include "config/convert.h"

namespace llmrouter::config {

// Appends the entries of the file to config.prices; its faults, at their own places, go to the context. A name that ends in .tsv is
// tab-separated text: a first line of names (model, input, output, ...), a line for each entry, empty fields for what is not set, lines that
// begin with # left out. Anything else is YAML: a list as under `prices.entries`.
void read_prices(Context& context, const std::string& path, Config& config);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_PRICES_FILE_H_
