// What a request asks of routing, read from its body's members and its headers.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/route.h"
#include "llmrouter/values.h"
#include "wire/json_scan.h"

namespace llmrouter {

namespace {

using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

constexpr size_t kMostNames = 100;
constexpr size_t kLongestName = 256;

Error fault(const std::string& path, std::string_view words) {
  return Error(ErrorCode::kInvalidRequest, path + ": " + std::string(words), path);
}

std::string known(std::initializer_list<std::string_view> names) {
  std::string out = "no such member here; there are ";
  for (std::string_view name : names) (out += name) += ", ";
  out.resize(out.size() - 2);
  return out;
}

// One object's members; the first fault stays.
class Reader {
 public:
  explicit Reader(RouteRequest& into) : into_(into) {}

  Result<void> route(JsonValue value) {
    // OpenRouter's own member of this name: try `models` in turn, which is what they are for here.
    if (value.equals("fallback")) return {};
    if (value.is_string()) fail("route", "expected an object, or OpenRouter's \"fallback\"");
    each(value, "route", [this](std::string_view name, JsonValue v, const std::string& at) {
      if (name == "tags") return list(v, at, into_.tags);
      if (name == "providers") return into_.openrouter.only = false, list(v, at, into_.providers);
      if (name == "provider_types") return list(v, at, into_.provider_types);
      if (name == "strategy") return into_.openrouter.sort = false, text(v, at, into_.strategy);
      if (name == "fallbacks") return into_.openrouter.models = false, list(v, at, into_.fallbacks.emplace());
      if (name == "max_price") return into_.openrouter.max_price = false, price(v, at);
      fail(at, known({"tags", "providers", "provider_types", "strategy", "fallbacks", "max_price"}));
    });
    return result();
  }

  Result<void> provider(JsonValue value) {
    each(value, "provider", [this](std::string_view name, JsonValue v, const std::string& at) {
      if (name == "order") return list(v, at, into_.order);
      if (name == "only") return into_.openrouter.only = true, list(v, at, into_.providers);
      if (name == "ignore") return list(v, at, into_.ignore);
      if (name == "allow_fallbacks") return flag(v, at, into_.allow_fallbacks);
      if (name == "require_parameters") return flag(v, at, into_.require_parameters);
      if (name == "sort") return into_.openrouter.sort = true, sort(v, at);
      if (name == "max_price") return into_.openrouter.max_price = true, price(v, at);
      fail(at, known({"order", "only", "ignore", "allow_fallbacks", "sort", "max_price", "require_parameters"}));
    });
    return result();
  }

  Result<void> models(JsonValue value, std::string_view model) {
    std::vector<std::string> names;
    if (value.is_unset()) return {};
    list(value, "models", names);
    std::vector<std::string> others;
    for (std::string& name : names) {
      if (name != model) others.push_back(std::move(name));
    }
    into_.fallbacks = std::move(others);
    into_.openrouter.models = true;
    return result();
  }

 private:
  Result<void> result() {
    if (failed_) return std::move(fault_);
    return {};
  }
  void fail(const std::string& path, std::string_view words) {
    if (!failed_) fault_ = fault(path, words);
    failed_ = true;
  }

  template <typename Take>
  void each(JsonValue object, const std::string& path, Take take) {
    if (object.is_unset()) return;
    if (!object.is_object()) return fail(path, "expected an object");
    std::vector<std::string> seen;
    for (const JsonMember& m : JsonMembers(object)) {
      const std::string at = path + "." + std::string(m.key.substr(0, kLongestName));
      for (const std::string& other : seen) {
        if (other == at) return fail(at, "given twice");
      }
      seen.push_back(at);
      if (!m.value.is_null()) take(m.key, m.value, at);
      if (failed_) return;
    }
  }

  void text(JsonValue v, const std::string& path, std::string& out) {
    if (!v.nonempty_string() || v.raw().size() > kLongestName) return fail(path, "expected a name");
    v.string(out);
  }
  void flag(JsonValue v, const std::string& path, bool& out) {
    if (!v.boolean()) return fail(path, "expected true or false");
    out = *v.boolean();
  }

  // Names; one may stand alone.
  void list(JsonValue v, const std::string& path, std::vector<std::string>& out) {
    out.clear();
    if (v.is_string()) return text(v, path, out.emplace_back());
    if (!v.is_array()) return fail(path, "expected a list of names");
    for (JsonValue each : JsonElements(v)) {
      if (out.size() == kMostNames) return fail(path, "more than 100 names");
      const std::string at = path + "[" + std::to_string(out.size()) + "]";
      text(each, at, out.emplace_back());
      if (failed_) return;
    }
  }

  // USD for a million tokens, exactly: a JSON number or a text. Alone it holds for input and output.
  void price(JsonValue v, const std::string& path) {
    if (!v.is_object()) {
      usd(v, path, into_.max_input_price);
      into_.max_output_price = into_.max_input_price;
      return;
    }
    for (const JsonMember& m : JsonMembers(v)) {
      const std::string at = path + "." + std::string(m.key.substr(0, kLongestName));
      if (m.key == "input" || m.key == "prompt") usd(m.value, at, into_.max_input_price);
      else if (m.key == "output" || m.key == "completion") usd(m.value, at, into_.max_output_price);
      else fail(at, known({"input", "output", "prompt", "completion"}));
      if (failed_) return;
    }
  }
  void usd(JsonValue v, const std::string& path, std::optional<int64_t>& out) {
    const auto micro = parse_usd_micro(v.is_string() ? v.string_or() : std::string(v.raw()));
    if (!micro || *micro < 0) return fail(path, "expected USD for a million tokens, such as 2.50");
    out = *micro;
  }

  void sort(JsonValue v, const std::string& path) {
    if (v.is_object()) v = wire::find_member(v, "by");
    if (v.equals("price")) into_.strategy = "cost";
    else if (v.equals("latency")) into_.strategy = "latency";
    else if (v.equals("throughput")) into_.strategy = "performance";
    else fail(path, "expected price, latency or throughput");
  }

  RouteRequest& into_;
  bool failed_ = false;
  Error fault_;
};

}  // namespace

Result<bool> read_route_member(std::string_view name, std::string_view json, std::string_view model, RouteRequest& into) {
  Reader reader(into);
  Result<void> read;
  if (name == "route") read = reader.route(JsonValue(json));
  else if (name == "provider") read = reader.provider(JsonValue(json));
  else if (name == "models") read = reader.models(JsonValue(json), model);
  else return false;
  if (!read) return std::move(read).error();
  return true;
}

Result<void> take_route_members(RawMembers& members, std::string_view model, RouteRequest& into) {
  if (members.empty()) return {};
  const std::string object = "{" + members + "}";
  RawMembers kept;
  bool taken = false;
  for (const JsonMember& m : JsonMembers(JsonValue(object))) {
    auto read = read_route_member(m.key, m.value.raw(), model, into);
    if (!read) return std::move(read).error();
    taken |= *read;
    if (*read) continue;
    if (!kept.empty()) kept += ',';
    kept += m.raw;
  }
  if (taken) members = std::move(kept);
  return {};
}

Result<bool> read_route_header(std::string_view name, std::string_view value, RouteRequest& into) {
  auto trimmed = [](std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
  };
  const std::string field(name);
  if (name == "x-llmrouter-tags") {
    into.tags.clear();
    while (true) {
      const size_t comma = value.find(',');
      const std::string_view tag = trimmed(value.substr(0, comma));
      if (tag.empty() || tag.size() > kLongestName || into.tags.size() == kMostNames) return fault(field, "expected tags, separated by commas");
      into.tags.emplace_back(tag);
      if (comma == std::string_view::npos) return true;
      value.remove_prefix(comma + 1);
    }
  }
  if (name == "x-llmrouter-strategy") {
    into.strategy = trimmed(value);
    for (char& c : into.strategy)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (into.strategy.empty() || into.strategy.size() > kLongestName) return fault(field, "expected a strategy's name");
    return true;
  }
  if (name == "x-llmrouter-cache") {
    const std::string_view word = trimmed(value);
    if (word.size() != 2 || (word[0] | 0x20) != 'n' || (word[1] | 0x20) != 'o') return fault(field, "expected `no`");
    into.cache = false;
    return true;
  }
  return false;
}

}  // namespace llmrouter
