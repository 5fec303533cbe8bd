// What the server says of itself when it starts.
#ifndef LLMROUTER_SERVER_BANNER_H_
#define LLMROUTER_SERVER_BANNER_H_

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/config.h"
#include "llmrouter/router.h"
#include "server/listener.h"

namespace llmrouter::server {

// The command that makes a key where this configuration keeps them, to be pasted.
std::string create_key_words(const Config& config, std::string_view name);

// To stderr: what was found and from where, whether keys are needed, where data lies, where it listens, and one curl line that works as
// pasted (with keys required: once LLMROUTER_KEY holds one). One line of JSON in place of all that when the log is JSON.
// `complete`: the providers' model lists have all been asked for.
void print_banner(const Config& config, const std::vector<std::string>& notes, const std::vector<Listening>& listening, const Router& router,
                  bool complete);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_BANNER_H_
