// Catch2 2 and 3 by one name.
#ifndef LLMROUTER_TESTS_CATCH_H_
#define LLMROUTER_TESTS_CATCH_H_

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#else
#include <catch2/catch.hpp>
#endif

#endif  // LLMROUTER_TESTS_CATCH_H_
