#include "llmrouter/secret.h"

#include "catch.h"
#include "llmrouter/error.h"

using namespace llmrouter;

TEST_CASE("a secret compares, hints and forgets") {
  Secret s(std::string("sk-proj-0123456789abcdef"));
  CHECK(s.equals("sk-proj-0123456789abcdef"));
  CHECK_FALSE(s.equals("sk-proj-0123456789abcdeX"));
  CHECK_FALSE(s.equals(""));
  CHECK(s.hint() == "sk-p...cdef");
  CHECK(Secret(std::string("short")).hint() == "...");
  Secret moved = std::move(s);
  CHECK(s.empty());  // NOLINT: the point
  CHECK(moved.equals("sk-proj-0123456789abcdef"));
}

TEST_CASE("every error code has a name and a status") {
  for (int c = 0; c <= static_cast<int>(ErrorCode::kInternal); ++c) {
    CHECK_FALSE(code_name(static_cast<ErrorCode>(c)).empty());
    CHECK(default_status(static_cast<ErrorCode>(c)) >= 200);
  }
  CHECK(code_name(ErrorCode::kModelNotFound) == "model_not_found");
  CHECK(default_status(ErrorCode::kBudgetExceeded) == 402);
}
