// The one file that knows every leaf by name: what a configuration's `storage`, `prices` and `observe` sections stand for.
#include <filesystem>
#include <system_error>
#include <utility>

#include "llmrouter/llmrouter.h"

namespace llmrouter {

namespace {

constexpr std::string_view kSqlite = "sqlite:";

// "sqlite:PATH" -> PATH; null when `location` is something else.
std::optional<std::string> sqlite_path(const std::string& location) {
  if (location.compare(0, kSqlite.size(), kSqlite) != 0 || location.size() == kSqlite.size()) return std::nullopt;
  return location.substr(kSqlite.size());
}

Error bad_location(const char* key, const std::string& found, const char* expected) {
  return Error(ErrorCode::kNotSupported, std::string(key) + ": expected " + expected + ", found \"" + found + "\"", key);
}

// What a store says of its path, with the key that names the path and where that is.
Error at_location(const char* key, const std::string& path, Error error) {
  if (error.code != ErrorCode::kStorage) return error;
  std::error_code unknown;
  const std::filesystem::path whole = std::filesystem::absolute(path, unknown);
  error.message = std::string(key) + " (" + (unknown ? path : whole.lexically_normal().string()) + "): " + error.message + "; " + key +
                  " or LLMROUTER_DATA_DIR names another place";
  return error;
}

Result<void> build_keys(const StorageConfig& storage, const Clock& clock, Logger& logger, RouterParts& parts) {
  if (storage.keys == "memory:") {
    parts.keys = make_memory_key_store(clock);
    return {};
  }
  auto path = sqlite_path(storage.keys);
  if (!path) return bad_location("storage.keys", storage.keys, "sqlite:PATH or memory:");
  SqliteKeyOptions options;
  options.path = std::move(*path);
  options.secret_key = storage.secret_key;
  auto opened = open_sqlite_key_store(options, clock, logger);
  if (!opened) return at_location("storage.keys", options.path, std::move(opened).error());
  parts.keys = std::move(opened->keys);
  parts.ledger = std::move(opened->ledger);
  parts.state = std::move(opened->state);
  return {};
}

Result<void> build_usage(const StorageConfig& storage, const Clock& clock, Logger& logger, RouterParts& parts) {
  if (storage.usage == "off") return {};
  if (storage.usage == "memory:") {
    parts.usage = make_memory_usage_store();
    return {};
  }
  auto path = sqlite_path(storage.usage);
  if (!path) return bad_location("storage.usage", storage.usage, "sqlite:PATH, memory: or off");
  SqliteUsageOptions options;
  options.path = std::move(*path);
  options.read_only = storage.usage_read_only;
  options.retention = std::chrono::duration_cast<std::chrono::seconds>(storage.retention);
  auto opened = open_sqlite_usage_store(options, clock, logger);
  if (!opened) return at_location("storage.usage", options.path, std::move(opened).error());
  parts.usage = std::move(*opened);
  return {};
}

Result<std::shared_ptr<AccessTokens>> exchanged_tokens(const ProviderConfig& provider, const Secret& key) {
  if (!is_google_credential(key.reveal())) return std::shared_ptr<AccessTokens>();
  auto exchange = make_google_exchange(key);
  if (!exchange) return Error(exchange.error().code, "providers." + provider.name + ": " + exchange.error().message, "providers." + provider.name);
  return make_access_tokens(std::move(*exchange));
}

}  // namespace

std::string_view version() noexcept { return LLMROUTER_VERSION; }

Result<RouterParts> build_parts(const Config& config, std::shared_ptr<Logger> logger, const Clock& clock) {
  RouterParts parts;
  parts.clock = &clock;
  parts.logger = std::move(logger);
  Logger& log = parts.logger ? *parts.logger : null_logger();
  if (auto built = build_keys(config.storage, clock, log, parts); !built) return std::move(built).error();
  if (auto built = build_usage(config.storage, clock, log, parts); !built) return std::move(built).error();
  parts.limiter = std::make_shared<RateLimiter>(clock, parts.ledger);
  parts.catalog = make_catalog(config.prices);
  parts.dialects = builtin_dialects();
  parts.tokens = exchanged_tokens;
  parts.media = make_media_fetcher();
  return parts;
}

Result<std::unique_ptr<Transport>> make_default_transport(Reactor& reactor) {
#if LLMROUTER_HAS_CURL
  auto curl = make_curl_transport(reactor);
  if (!curl) return std::move(curl).error();
  return make_demo_transport(reactor, make_token_transport(std::move(*curl)));
#else
  return make_demo_transport(reactor, nullptr);
#endif
}

}  // namespace llmrouter
