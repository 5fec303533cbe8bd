// Every version of the two databases. A migration that was released is never changed: what is new is a new step at the end.
#include "storage/sqlite_open.h"

namespace llmrouter::storage {
namespace {

const char* const kKeyMigrations[] = {
    // 1. Times are microseconds since 1970, periods of rates nanoseconds, money nano-USD; lists are JSON arrays of strings.
    R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  revoked INTEGER NOT NULL,
  hint TEXT NOT NULL,
  lookup BLOB NOT NULL UNIQUE,
  salt BLOB NOT NULL,
  hash BLOB NOT NULL,
  name TEXT NOT NULL,
  user TEXT NOT NULL,
  purpose TEXT NOT NULL,
  role TEXT NOT NULL,
  allow_models TEXT NOT NULL,
  allow_providers TEXT NOT NULL,
  allow_endpoints TEXT NOT NULL,
  max_tokens INTEGER,
  min_temperature REAL,
  max_temperature REAL,
  tools INTEGER,
  requests INTEGER, requests_per INTEGER, requests_burst INTEGER,
  tokens INTEGER, tokens_per INTEGER, tokens_burst INTEGER,
  concurrent INTEGER NOT NULL,
  budget INTEGER, budget_per TEXT, budget_soft INTEGER, budget_anchor INTEGER,
  expires INTEGER
) STRICT;
CREATE TABLE ledger (
  bucket TEXT NOT NULL,
  period INTEGER NOT NULL,
  nano_usd INTEGER NOT NULL,
  PRIMARY KEY (bucket, period)
) STRICT, WITHOUT ROWID;
)sql",
    // 2. Stored rules, keys' overrides and the routing switch's changes.
    R"sql(
CREATE TABLE state (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
)sql",
    // 3. Sessions: `key_lookup` is the `lookup` of the key, which may stand in the configuration.
    R"sql(
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  key_lookup BLOB NOT NULL,
  lookup BLOB NOT NULL UNIQUE,
  salt BLOB NOT NULL,
  hash BLOB NOT NULL,
  hint TEXT NOT NULL,
  model TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // 4. Filters of a key: a JSON array of names.
    R"sql(
ALTER TABLE keys ADD COLUMN filters TEXT NOT NULL DEFAULT '[]';
)sql",
};

const char* const kUsageMigrations[] = {
    // 1. Times are microseconds since 1970, money nano-USD; dropped and attempts are JSON arrays.
    R"sql(
CREATE TABLE usage (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  time INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  key TEXT NOT NULL,
  user TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  dialect TEXT NOT NULL,
  requested_model TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  stream INTEGER NOT NULL,
  status TEXT NOT NULL,
  http_status INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  audio_input_tokens INTEGER NOT NULL,
  audio_output_tokens INTEGER NOT NULL,
  image_tokens INTEGER NOT NULL,
  known INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  cost_nano_usd INTEGER NOT NULL,
  price TEXT NOT NULL,
  latency_ms INTEGER NOT NULL,
  first_token_ms INTEGER NOT NULL,
  overhead_us INTEGER NOT NULL,
  dropped TEXT NOT NULL,
  decision TEXT NOT NULL,
  attempts TEXT NOT NULL
) STRICT;
CREATE INDEX usage_time ON usage (time);
CREATE INDEX usage_key ON usage (key, time);
CREATE INDEX usage_user ON usage (user, time);
CREATE INDEX usage_provider ON usage (provider, time);
CREATE INDEX usage_model ON usage (model, time);
CREATE INDEX usage_requested_model ON usage (requested_model, time);
)sql",
};

}  // namespace

const Schema kKeySchema = {"key store", 0x6c6c6d4b /* llmK */, kKeyMigrations, sizeof(kKeyMigrations) / sizeof(kKeyMigrations[0])};
const Schema kUsageSchema = {"usage store", 0x6c6c6d55 /* llmU */, kUsageMigrations, sizeof(kUsageMigrations) / sizeof(kUsageMigrations[0])};

}  // namespace llmrouter::storage
