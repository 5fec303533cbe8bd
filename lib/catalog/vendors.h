// What is known of vendors: the rows behind provider_presets(), and where their prices stand.
#ifndef LLMROUTER_CATALOG_VENDORS_H_
#define LLMROUTER_CATALOG_VENDORS_H_

#include <string>
#include <string_view>
#include <utility>

namespace llmrouter::catalog {

// Under which provider of the price catalogue a vendor's models stand, and the model's name there. A type that is no preset's may be the
// name of a provider in the catalogue itself. Empty provider: no prices are known.
std::pair<std::string, std::string_view> price_source(std::string_view type, std::string_view model);

}  // namespace llmrouter::catalog

#endif  // LLMROUTER_CATALOG_VENDORS_H_
