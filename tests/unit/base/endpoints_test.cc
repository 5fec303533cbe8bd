#include <algorithm>

#include "catch.h"
#include "llmrouter/keys.h"
#include "llmrouter/task.h"

using namespace llmrouter;

TEST_CASE("every operation is an endpoint that a key can be allowed, and none is there twice") {
  const auto& names = endpoint_names();
  for (const char* name : {"chat", "embeddings", "rerank", "moderations", "images", "audio", "count_tokens", "models"}) CHECK(std::count(names.begin(), names.end(), name) == 1);
  for (const std::string& name : names) CHECK(std::count(names.begin(), names.end(), name) == 1);
  for (int i = 0; i <= static_cast<int>(kLastOperation); ++i) {
    CHECK(std::count(names.begin(), names.end(), operation_name(static_cast<Operation>(i))) == 1);
  }
}

TEST_CASE("patterns of endpoints") {
  for (const char* good : {"chat", "Chat", "!models", "image*", "*", "!*"}) CHECK(is_endpoint_pattern(good));
  for (const char* bad : {"", "!", "chatt", "me", "chat ", "video*"}) CHECK_FALSE(is_endpoint_pattern(bad));
}
