// Usage over the C ABI.
#include "core.h"
#include "handles.h"
#include "json.h"
#include "llmrouter/values.h"

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::Result;
using llmrouter::UsageFilter;
using llmrouter::UsageStore;
using llmrouter::c::append_member;
using llmrouter::c::append_name;
using llmrouter::c::append_number;
using llmrouter::c::give;
using llmrouter::c::guarded;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::view;

// Names and values, in the order they were set; read when they are used, since "7d" counts from then.
struct llmrouter_filter {
  std::vector<std::pair<std::string, std::string>> values;
};

namespace {

Result<void> set_time(std::optional<llmrouter::WallTime>& field, const std::string& name, const std::string& value, llmrouter::WallTime now) {
  if (auto ago = llmrouter::parse_duration(value)) {
    field = now - std::chrono::duration_cast<std::chrono::microseconds>(*ago);
  } else if (auto time = llmrouter::parse_time(value)) {
    field = *time;
  } else {
    return Error(ErrorCode::kInvalidRequest, name + ": expected a time like 2026-11-21T08:00:00Z, or how long ago, like 7d", name);
  }
  return {};
}

Result<void> set_limit(int& field, const std::string& value) {
  const auto count = llmrouter::parse_count(value);
  if (!count || *count < 1 || *count > 1000) return Error(ErrorCode::kInvalidRequest, "limit: expected 1 to 1000", "limit");
  field = static_cast<int>(*count);
  return {};
}

Result<void> apply(UsageFilter& filter, const std::string& name, const std::string& value, llmrouter::WallTime now) {
  if (name == "since") return set_time(filter.since, name, value, now);
  if (name == "until") return set_time(filter.until, name, value, now);
  if (name == "limit") return set_limit(filter.limit, value);
  std::string* field = name == "key"        ? &filter.key
                       : name == "user"     ? &filter.user
                       : name == "model"    ? &filter.model
                       : name == "provider" ? &filter.provider
                       : name == "status"   ? &filter.status
                       : name == "cursor"   ? &filter.cursor
                                            : nullptr;
  if (field == nullptr) {
    return Error(ErrorCode::kInvalidRequest, "no filter \"" + name + "\": expected since, until, key, user, model, provider, status, limit or cursor", name);
  }
  *field = value;
  return {};
}

Result<UsageFilter> read(const llmrouter_filter* filter, llmrouter::WallTime now) {
  UsageFilter out;
  if (filter == nullptr) return out;
  for (const auto& [name, value] : filter->values) {
    if (auto applied = apply(out, name, value, now); !applied) return std::move(applied).error();
  }
  return out;
}

template <typename Use>
llmrouter_error* with_store(llmrouter_router* router, Use&& use) noexcept {
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    const auto store = router->core->usage();  // the router may be closed while it is flushed
    if (!store) return new_error(Error(ErrorCode::kNotSupported, "this router keeps no usage (storage.usage is off)"));
    return use(*store);
  });
}

}  // namespace

llmrouter_error* llmrouter_filter_new(llmrouter_filter** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  return guarded([out]() -> llmrouter_error* {
    *out = new llmrouter_filter;
    return nullptr;
  });
}

llmrouter_error* llmrouter_filter_set(llmrouter_filter* filter, const char* name, size_t name_size, const char* value, size_t value_size) {
  if (filter == nullptr) return null_argument("filter");
  return guarded([&]() -> llmrouter_error* {
    std::pair<std::string, std::string> entry(view(name, name_size), view(value, value_size));
    UsageFilter scratch;
    if (auto applied = apply(scratch, entry.first, entry.second, llmrouter::system_clock().wall()); !applied) {
      return new_error(std::move(applied).error());
    }
    filter->values.push_back(std::move(entry));
    return nullptr;
  });
}

void llmrouter_filter_free(llmrouter_filter* filter) { delete filter; }

llmrouter_error* llmrouter_usage(llmrouter_router* router, const llmrouter_filter* filter, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  *json = nullptr;
  return with_store(router, [&](UsageStore& store) {
    const auto wanted = read(filter, router->core->router().clock().wall());
    if (!wanted) return new_error(wanted.error());
    const auto page = store.query(*wanted);
    if (!page) return new_error(page.error());
    std::string out = "{\"data\":[";
    for (const auto& record : page->data) {
      if (out.back() != '[') out += ',';
      out += llmrouter::to_json(record);
    }
    out += ']';
    append_member(out, "next", page->next);
    return give(json, out + "}");
  });
}

llmrouter_error* llmrouter_usage_sum(llmrouter_router* router, const char* by, size_t by_size, const llmrouter_filter* filter,
                                     llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  *json = nullptr;
  return with_store(router, [&](UsageStore& store) {
    const auto wanted = read(filter, router->core->router().clock().wall());
    if (!wanted) return new_error(wanted.error());
    const auto sums = store.sum(view(by, by_size), *wanted);
    if (!sums) return new_error(sums.error());
    std::string out = "{\"data\":[";
    for (const auto& sum : *sums) {
      if (out.back() != '[') out += ',';
      out += to_json(sum);
    }
    return give(json, out + "]}");
  });
}

llmrouter_error* llmrouter_usage_flush(llmrouter_router* router, int64_t timeout_ms) {
  return with_store(router, [&](UsageStore& store) -> llmrouter_error* {
    auto flushed = store.flush(std::chrono::milliseconds(timeout_ms));
    return flushed ? nullptr : new_error(std::move(flushed).error());
  });
}
