// Reads a tree by the table: unknown and missing keys, types, bounds, and the setters.
#ifndef LLMROUTER_CONFIG_WALK_H_
#define LLMROUTER_CONFIG_WALK_H_

#include "config/convert.h"

namespace llmrouter::config {

// Fills `config` from `root`. Every fault goes to the context; what is wrong is left out, the rest is read on.
void walk(Context& context, const NodePtr& root, Config& config);
// The items of one list of the table ("prices.entries") from another tree.
void walk_list(Context& context, const Branch& list, const NodePtr& root, Config& config);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_WALK_H_
