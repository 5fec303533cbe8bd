#include <algorithm>

#include "catch.h"
#include "llmrouter/keys.h"
#include "llmrouter/task.h"

using namespace llmrouter;

TEST_CASE("every operation is an endpoint that a key can be allowed, and none is there twice") {
  const auto& names = endpoint_names();
  for (const char* name : {"chat", "embeddings", "speech", "count_tokens", "models"}) CHECK(std::count(names.begin(), names.end(), name) == 1);
  for (const std::string& name : names) CHECK(std::count(names.begin(), names.end(), name) == 1);
  CHECK(names.size() == static_cast<size_t>(kLastOperation) + 2);
}

TEST_CASE("patterns of endpoints") {
  for (const char* good : {"chat", "Chat", "!models", "image*", "*", "!*"}) CHECK(is_endpoint_pattern(good));
  for (const char* bad : {"", "!", "chatt", "me", "chat ", "video*"}) CHECK_FALSE(is_endpoint_pattern(bad));
}
