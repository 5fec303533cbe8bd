// Every allocation of a load fails once: the answer is a fault or the whole configuration, never a crash, an exception or half of it.
#include <cstdlib>
#include <new>

#include "catch.h"
#include "support.h"

namespace {

long fail_at = 0;  // counts down; the allocation at 1 fails
bool failed = false;

void* allocate(std::size_t size) {
  if (fail_at > 0 && --fail_at == 0) {
    failed = true;
    return nullptr;
  }
  return std::malloc(size == 0 ? 1 : size);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* p = allocate(size)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

using namespace llmrouter;
using namespace llmrouter::test;

TEST_CASE("any allocation of a load may fail") {
  ConfigInput input;
  input.file = "t.yaml";
  input.text =
      "providers:\n  openai: {api_key: \"${A_RATHER_LONG_NAME_OF_A_VARIABLE}\"}\n  lab: &lab {base_url: http://a-rather-long-name.example.com/v1, "
      "limits: {requests: 5/min}}\n"
      "  copy: {<<: *lab, api_keys: [one-key, {key: another-key, weight: 2}]}\nmodels:\n  a: {targets: [openai/gpt-4o, lab/*x], fallbacks: [b], "
      "defaults: {temperature: 0.5}}\n"
      "  b: lab/a-rather-long-name-of-a-model\nkeys: [{name: ci, key: a-rather-long-key-of-a-caller, budget: {usd: 5}}]\nserver: {lisen: x}\n";
  input.set = {{"routing.attempts", "2"}, {"providers.lab.timeouts", "{idle: 5s}"}};
  input.env = [](const std::string& name) { return name.rfind("A_", 0) == 0 ? std::optional<std::string>("value") : std::nullopt; };
  const ConfigResult whole = load_config(input);
  REQUIRE(whole.faults.size() == 2);
  const std::string expected = words(whole) + dump(whole.config);

  long tried = 0;
  for (long n = 1;; ++n, ++tried) {
    ConfigResult result;
    bool threw = false;
    failed = false;
    try {
      fail_at = n;
      result = load_config(input);
    } catch (...) {
      threw = true;
    }
    fail_at = 0;
    INFO("allocation " << n);
    REQUIRE_FALSE(threw);
    if (!failed) {
      CHECK(words(result) + dump(result.config) == expected);
      break;
    }
    // Something went missing, and that is said; or it was made up for.
    REQUIRE_FALSE(result.ok());
    const bool told = words(result).find("cannot be read: ") != std::string::npos || words(result).find("or too much of it") != std::string::npos;
    if (!told) REQUIRE(words(result) + dump(result.config) == expected);
  }
  CHECK(tried > 500);
}
