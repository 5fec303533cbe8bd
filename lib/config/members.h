// The members of a request's body that people set, by the names of OpenAI and of servers that speak as it does: to tell a misspelt one.
#ifndef LLMROUTER_CONFIG_MEMBERS_H_
#define LLMROUTER_CONFIG_MEMBERS_H_

#include <string>
#include <string_view>

namespace llmrouter::config {

// The member that `name` surely means, when it is none itself and one slip away from one: a letter too many, missing or wrong, two that changed
// places, or other dashes and capitals. Empty: it may be a member that only its server knows.
std::string misspelt_member(std::string_view name);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_MEMBERS_H_
