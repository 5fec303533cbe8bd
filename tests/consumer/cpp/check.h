// One line for each check.
#ifndef LLMROUTER_TESTS_CONSUMER_CHECK_H_
#define LLMROUTER_TESTS_CONSUMER_CHECK_H_

#include <cstdio>

struct Checks {
  int passed = 0, failed = 0;
  void operator()(bool good, const char* what) {
    std::printf("%s %s\n", good ? "ok" : "FAIL", what);
    std::fflush(stdout);
    ++(good ? passed : failed);
  }
  int finish() const {
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
  }
};

#endif  // LLMROUTER_TESTS_CONSUMER_CHECK_H_
