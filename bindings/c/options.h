// What a router is opened with.
#ifndef LLMROUTER_BINDINGS_C_OPTIONS_H_
#define LLMROUTER_BINDINGS_C_OPTIONS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handles.h"

struct llmrouter_options {
  llmrouter::ConfigInput input;
  bool use_environment = true;
  std::shared_ptr<llmrouter::Logger> logger;
  llmrouter::FilterMap filters;
  // Models added so far, in order, each with its targets.
  std::vector<std::pair<std::string, std::vector<std::string>>> models;
};

namespace llmrouter::c {

// A filter made of a caller's function.
FilterFactory make_filter(llmrouter_on_filter on_filter, UserData user);

// Everything set, as one configuration; kConfig with a line for each fault.
Result<ConfigResult> load(const llmrouter_options& options);
// `logger` may be null.
void log_warnings(const ConfigResult& loaded, Logger* logger);

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_OPTIONS_H_
