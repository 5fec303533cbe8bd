#include "unit/storage/support.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace llmrouter::storage_test {

TempDir::TempDir() {
  // In memory where there is such a file system: these tests sync thousands of times.
  const bool memory = std::getenv("TMPDIR") == nullptr && access("/dev/shm", W_OK) == 0;
  const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
  std::string pattern = (parent / "llmrouter-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TempDir::files() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
    if (entry.is_regular_file()) names.push_back(std::filesystem::relative(entry.path(), path_).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void MemoryLogger::log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = level == LogLevel::kError ? "error " : level == LogLevel::kWarn ? "warn " : "info ";
  line += message;
  for (const LogField& field : fields) line.append(1, ' ').append(field.name).append(1, '=').append(field.value);
  std::lock_guard<std::mutex> lock(mutex_);
  lines_ += line + '\n';
}

bool MemoryLogger::has(std::string_view part) const { return all().find(part) != std::string::npos; }

std::string MemoryLogger::all() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return lines_;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

int mode_of(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 ? static_cast<int>(about.st_mode & 0777) : -1;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

WallTime at(int seconds) { return WallTime(std::chrono::seconds(1795219200 + seconds)); }

KeySpec full_spec() {
  KeySpec spec;
  spec.name = "c\xc3\xaf \"quoted\" \\ name";
  spec.user = "build";
  spec.role = KeyRole::kAdmin;
  spec.allow.models = {"gpt-*", "!gpt-4o", "with \"quotes\", and a comma"};
  spec.allow.providers = {"openai", "claude"};
  spec.allow.endpoints = {"chat"};
  spec.params.max_tokens = 4096;
  spec.params.min_temperature = 0.1;
  spec.params.max_temperature = 1.7;
  spec.params.tools = false;
  spec.limits.requests = Rate{60, std::chrono::minutes(1), 20};
  spec.limits.tokens = Rate{100000, std::chrono::milliseconds(1500), 7};
  spec.limits.concurrent = 8;
  spec.limits.budget = Budget{50123456789, BudgetPeriod::k30d, 80, at(-5)};
  spec.expires = at(86400 * 30) + std::chrono::microseconds(123456);
  return spec;
}

bool same_spec(const KeySpec& a, const KeySpec& b) {
  return a.name == b.name && a.user == b.user && a.purpose == b.purpose && a.role == b.role && a.allow.models == b.allow.models &&
         a.allow.providers == b.allow.providers && a.allow.endpoints == b.allow.endpoints && a.params.max_tokens == b.params.max_tokens &&
         a.params.min_temperature == b.params.min_temperature && a.params.max_temperature == b.params.max_temperature &&
         a.params.tools == b.params.tools && a.limits == b.limits && a.expires == b.expires;
}

UsageRecord plain_record(int i) {
  UsageRecord r;
  r.id = "use_" + std::to_string(1000000 + i);
  r.time = at(i);
  return r;
}

UsageRecord full_record(int i) {
  UsageRecord r = plain_record(i);
  const std::string n = std::to_string(i);
  r.time += std::chrono::microseconds(7);
  r.request_id = "req " + n;
  r.key = "key_" + n;
  r.user = "user \xf0\x9f\x98\x80 " + n;
  r.endpoint = "chat";
  r.dialect = "openai";
  r.requested_model = "fast" + n;
  r.provider = "openai" + n;
  r.model = "gpt-4o" + n;
  r.stream = true;
  r.status = CallStatus::kCut;
  r.http_status = 502;
  r.error_code = "upstream_error";
  r.usage = {i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7, i + 8, true, true};
  r.cost_nano_usd = 123456789 + i;
  r.price = "{\"input\":2.5}";
  r.latency_ms = 100 + i;
  r.first_token_ms = 50 + i;
  r.overhead_us = 10 + i;
  r.dropped = {"logit_bias", "a \"quoted\"\nname"};
  r.decision = "openai/gpt-4o by weight";
  AttemptRecord first;
  first.provider = "azure";
  first.model = "gpt-4o-prod";
  first.credential = "team-b";
  first.started_ms = 1;
  first.duration_ms = 20;
  first.outcome = "error";
  first.http_status = 500;
  first.reason = "first by weight; said \"no\" \xe2\x82\xac";
  first.cost_nano_usd = 4;
  AttemptRecord second;
  second.provider = "openai";
  second.started_ms = 30;
  second.outcome = "cut";
  r.attempts = {first, second};
  return r;
}

namespace {

bool same_attempt(const AttemptRecord& a, const AttemptRecord& b) {
  return a.provider == b.provider && a.model == b.model && a.credential == b.credential && a.started_ms == b.started_ms &&
         a.duration_ms == b.duration_ms && a.outcome == b.outcome && a.http_status == b.http_status && a.reason == b.reason &&
         a.cost_nano_usd == b.cost_nano_usd;
}

bool same_usage(const TokenUsage& a, const TokenUsage& b) {
  return a.input == b.input && a.cached == b.cached && a.cache_write == b.cache_write && a.output == b.output && a.reasoning == b.reasoning &&
         a.audio_input == b.audio_input && a.audio_output == b.audio_output && a.image == b.image && a.known == b.known &&
         a.estimated == b.estimated;
}

}  // namespace

bool same_record(const UsageRecord& a, const UsageRecord& b) {
  return a.id == b.id && a.time == b.time && a.request_id == b.request_id && a.key == b.key && a.user == b.user && a.endpoint == b.endpoint &&
         a.dialect == b.dialect && a.requested_model == b.requested_model && a.provider == b.provider && a.model == b.model &&
         a.stream == b.stream && a.status == b.status && a.http_status == b.http_status && a.error_code == b.error_code &&
         same_usage(a.usage, b.usage) && a.cost_nano_usd == b.cost_nano_usd && a.price == b.price && a.latency_ms == b.latency_ms &&
         a.first_token_ms == b.first_token_ms && a.overhead_us == b.overhead_us && a.dropped == b.dropped && a.decision == b.decision &&
         std::equal(a.attempts.begin(), a.attempts.end(), b.attempts.begin(), b.attempts.end(), same_attempt);
}

}  // namespace llmrouter::storage_test
