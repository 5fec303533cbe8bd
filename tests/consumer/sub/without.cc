// The library without its leaves: no curl, no SQLite, no YAML. What is left works, what is not says so.
#include <cstdio>
#include <llmrouter/llmrouter.h>

using namespace llmrouter;

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "consumer: %s\n", what);
}

template <typename T>
bool refused(const Result<T>& result, const char* option) {
  return !result.ok() && result.error().code == ErrorCode::kNotSupported && result.error().message.find(option) != std::string::npos;
}

ProviderConfig demo() {
  ProviderConfig provider;
  provider.name = provider.type = "demo";
  provider.base_url = "demo:";
  return provider;
}

}  // namespace

int main() {
  check(!open().ok() && open().error().message.find("LLMROUTER_YAML") != std::string::npos, "no configuration files");
  auto reactor = make_reactor().value();
  check(refused(make_curl_transport(*reactor), "LLMROUTER_CURL"), "no libcurl");
  check(refused(open_sqlite_usage_store({}, system_clock(), null_logger()), "LLMROUTER_SQLITE"), "no usage in SQLite");
  check(refused(open_sqlite_key_store({}, system_clock(), null_logger()), "LLMROUTER_SQLITE"), "no keys in SQLite");
  Config config;
  config.providers.push_back(demo());
  check(refused(open_config(config), "LLMROUTER_SQLITE"), "the default storage is not there, and that is said");
  config.storage.keys = "memory:";
  config.storage.usage = "memory:";
  auto llm = open_config(config);
  check(llm.ok(), "with everything in memory it opens");
  if (llm.ok()) {
    auto answer = llm->chat("demo/echo", "hello without leaves");
    check(answer.ok() && answer->text().find("leaves") != std::string::npos, "and answers");
  }
  config.storage.usage = "postgres://x";
  auto unknown = open_config(config);
  check(!unknown.ok() && unknown.error().param == "storage.usage", "an unknown storage is named");
  if (failures == 0) std::puts("consumer: all well");
  return failures;
}
