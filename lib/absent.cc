// What a build without one of its leaves answers where that leaf would have: the name of the option that left it out.
#include "llmrouter/llmrouter.h"

namespace llmrouter {

#if !LLMROUTER_HAS_CURL
Result<std::unique_ptr<Transport>> make_curl_transport(Reactor&, const CurlOptions&) {
  return Error(ErrorCode::kNotSupported, "this build has no libcurl transport (LLMROUTER_CURL=OFF): bring a Transport of your own");
}
#endif

#if !LLMROUTER_HAS_SQLITE
Result<SqliteKeys> open_sqlite_key_store(const SqliteKeyOptions&, const Clock&, Logger&) {
  return Error(ErrorCode::kNotSupported, "this build has no SQLite (LLMROUTER_SQLITE=OFF): use `memory:`", "storage.keys");
}

Result<std::shared_ptr<UsageStore>> open_sqlite_usage_store(const SqliteUsageOptions&, const Clock&, Logger&) {
  return Error(ErrorCode::kNotSupported, "this build has no SQLite (LLMROUTER_SQLITE=OFF): use `memory:` or `off`", "storage.usage");
}
#endif

#if !LLMROUTER_HAS_YAML
ConfigResult load_config(const ConfigInput& input) {
  ConfigResult result;
  result.faults.push_back({input.file, 0, 0, "", "this build reads no configuration files (LLMROUTER_YAML=OFF): fill a Config and use open_config()"});
  return result;
}

std::string config_json_schema() { return "{}"; }
std::string config_reference_markdown() { return {}; }
#endif

}  // namespace llmrouter
