// Web pages and nobody who asks for a key.
#ifndef LLMROUTER_SERVER_OPEN_PAGES_H_
#define LLMROUTER_SERVER_OPEN_PAGES_H_

#include <string>

#include "llmrouter/config.h"

namespace llmrouter::server {

// What is to be said of `cors: "*"` where only who looks into the key store sees that there is no key (`keys` is false); empty: nothing.
std::string open_to_pages(const Config& config, bool keys);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_OPEN_PAGES_H_
