#include "config/convert.h"

#include <algorithm>
#include <charconv>
#include <locale>
#include <sstream>

#include "config/address.h"
#include "config/json_value.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"

namespace llmrouter::config {
namespace {

constexpr size_t kMostText = 64 * 1024;

bool digits(std::string_view text) {
  return !text.empty() && text.size() <= 18 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  if (!digits(text)) return Error(ErrorCode::kInvalidRequest, "expected a whole number");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A plain decimal. By a stream of the classic locale: std::from_chars for double came to Clang's library later.
bool parse_decimal(const std::string& text, double* out) {
  if (text.empty() || text.size() > 32 || text.find_first_not_of("0123456789.") != std::string::npos) return false;
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  return static_cast<bool>(stream >> *out) && stream.eof();
}

template <typename T>
bool keep(const Result<T>& parsed, int64_t* out) {
  if (!parsed) return false;
  if constexpr (std::is_same_v<T, Duration>) *out = parsed->count();
  else if constexpr (std::is_same_v<T, WallTime>) *out = parsed->time_since_epoch().count();
  else *out = *parsed;
  return true;
}

// A number of one of the types that have bounds.
bool parse_number(Type type, std::string_view text, int64_t* out) {
  switch (type) {
    case Type::kInt: return keep(parse_int(text), out);
    case Type::kCount: return keep(parse_count(text), out);
    case Type::kPercent: return keep(parse_percent(text), out);
    case Type::kDuration: return keep(parse_duration(text), out);
    case Type::kSize: return keep(parse_size(text), out);
    case Type::kUsd: return keep(parse_usd_nano(text), out);
    case Type::kPrice: return keep(parse_usd_micro(text), out);
    case Type::kTime: return keep(parse_time(text), out);
    default: return false;
  }
}

// "LOW..HIGH" in the type's own writing; an end may be missing.
bool in_bounds(const Key& key, int64_t value) {
  const size_t dots = key.bounds.find("..");
  if (dots == std::string::npos) return true;
  int64_t low = 0, high = 0;
  const std::string_view bounds = key.bounds;
  if (parse_number(key.type, bounds.substr(0, dots), &low) && value < low) return false;
  return !parse_number(key.type, bounds.substr(dots + 2), &high) || value <= high;
}

std::string with_bounds(std::string what, const Key& key) {
  const size_t dots = key.bounds.find("..");
  if (dots == std::string::npos) return what;
  const std::string low = key.bounds.substr(0, dots), high = key.bounds.substr(dots + 2);
  if (high.empty()) return what + ", at least " + low;
  return what + " from " + low + " to " + high;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

void complain(Context& context, const Key& key, const Node& node, const std::string& path) {
  const bool hide = key.hide || key.type == Type::kSecret || key.type == Type::kHeaders;
  std::string found = hide && node.kind == Node::Kind::kScalar ? std::string("another text") : shown(node);
  context.faults.add(node, path, "expected " + expectation(key) + ", found " + found);
}

Got convert_word(Context& context, const Key& key, const Node& node, const std::string& path, Value* out) {
  const std::vector<std::string> known = words(key.bounds);
  if (std::find(known.begin(), known.end(), out->text) != known.end()) return Got::kValue;
  std::string message = "expected " + listed(known) + ", found " + shown(node);
  std::vector<std::string> near = nearest_names(out->text, known, 1);
  if (!near.empty()) message += "; did you mean `" + near[0] + "`?";
  context.faults.add(node, path, std::move(message));
  return Got::kFault;
}

Got convert_rate_map(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  // The count has the name of what is counted, the key's own, or is called `count`, as keys over HTTP are shown and take it.
  const std::string count_name = key.path.substr(key.path.rfind('.') + 1);
  bool good = true, counted = false;
  for (const Member& member : node->members) {
    const std::string at = join(path, member.name);
    std::string text;
    const bool is_count = member.name == count_name || member.name == "count";
    if (is_count && std::exchange(counted, true)) {
      context.faults.add(member, at, "given twice: as " + count_name + " and as count");
      good = false;
      continue;
    }
    if (!is_count && member.name != "per" && member.name != "burst") {
      std::vector<std::string> near = nearest_names(member.name, {count_name, "per", "burst"}, 1);
      context.faults.add(member, at,
                         near.empty() ? "unknown key; known here: " + count_name + ", per, burst" : "unknown key; did you mean `" + near[0] + "`?");
      good = false;
      continue;
    }
    const bool is_per = member.name == "per";
    const std::string expected = is_per ? "a period such as min or 60s, above 0 and at most 36500d" : "a whole number from 1 to 1000000000M";
    if (scalar_text(context, member.value, at, expected, &text) != Got::kValue) {
      good = false;
      continue;
    }
    int64_t value = 0;
    if (!(is_per ? keep(parse_period(text), &value) : keep(parse_count(text), &value)) || value == 0) {
      context.faults.add(*member.value, at, "expected " + expected + ", found " + shown(*member.value));
      good = false;
    } else if (is_per) {
      out->rate.per = Duration(value);
    } else {
      (member.name == "burst" ? out->rate.burst : out->rate.count) = value;
    }
  }
  for (const std::string& name : {count_name, std::string("per")}) {
    if (name == "per" ? node->find(name) != nullptr : counted) continue;
    context.faults.add(*node, join(path, name), "missing");
    good = false;
  }
  return good ? Got::kValue : Got::kFault;
}

Got convert_range(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  std::vector<NodePtr> ends = node->kind == Node::Kind::kList ? node->items : std::vector<NodePtr>{node};
  double numbers[2] = {0, 0};
  if (ends.empty() || ends.size() > 2 || (ends.size() == 1 && node->kind == Node::Kind::kList)) {
    complain(context, key, *node, path);
    return Got::kFault;
  }
  bool good = true;
  for (size_t i = 0; i < ends.size(); ++i) {
    std::string text;
    const std::string at = node->kind == Node::Kind::kList ? join(path, i) : path;
    const Got got = scalar_text(context, ends[i], at, expectation(key), &text);
    if (got == Got::kUnset && ends.size() == 1) return got;
    double most = 0;
    if (got == Got::kFault) {
      good = false;
    } else if (!parse_decimal(text, &numbers[i]) || (parse_decimal(key.bounds.substr(key.bounds.find("..") + 2), &most) && numbers[i] > most)) {
      complain(context, key, *ends[i], at);
      good = false;
    }
  }
  if (!good) return Got::kFault;
  out->low = ends.size() == 2 ? numbers[0] : 0;
  out->high = numbers[ends.size() - 1];
  if (out->low <= out->high) return Got::kValue;
  context.faults.add(*node, path, "expected the lower end first");
  return Got::kFault;
}

Got convert_texts(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  const bool is_list = node->kind == Node::Kind::kList;
  std::vector<NodePtr> items = is_list ? node->items : std::vector<NodePtr>{node};
  bool good = true;
  for (size_t i = 0; i < items.size(); ++i) {
    std::string text;
    const std::string at = is_list ? join(path, i) : path;
    context.seen.emplace(at, items[i]);
    const Got got = scalar_text(context, items[i], at, expectation(key), &text);
    if (!is_list && got == Got::kUnset) return got;
    std::string fault;
    if (got == Got::kUnset || (got == Got::kValue && text.empty())) fault = "expected a text that is not empty, found nothing" + why_nothing(*items[i]);
    else if (got == Got::kValue && key.check) fault = key.check(text);
    if (got == Got::kValue && !text.empty() && !fault.empty()) fault += ", found " + shown(*items[i]);
    if (!fault.empty()) context.faults.add(*items[i], at, fault);
    const bool bad = got == Got::kFault || !fault.empty();
    if (bad) good = false;
    out->texts.push_back(bad ? std::string() : std::move(text));
  }
  return good ? Got::kValue : is_list ? Got::kPart : Got::kFault;
}

Got convert_headers(Context& context, const NodePtr& node, const std::string& path, Value* out) {
  bool good = true;
  for (const Member& member : node->members) {
    std::string text;
    const std::string at = join(path, member.name);
    if (std::string fault = check_header_name(member.name); !fault.empty()) {
      context.faults.add(member, at, fault);
      good = false;
    }
    const Got got = scalar_text(context, member.value, at, "a text", &text);
    std::string fault = got == Got::kValue ? check_header_value(text) : std::string();
    if (!fault.empty()) context.faults.add(*member.value, at, fault);
    if (got == Got::kFault || !fault.empty()) good = false;
    else out->pairs.emplace_back(member.name, std::move(text));
  }
  return good ? Got::kValue : Got::kFault;
}

Got convert_json_map(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  bool good = true;
  for (const Member& member : node->members) {
    const std::string at = join(path, member.name);
    std::string json, fault = key.check ? key.check(member.name) : std::string();
    if (!fault.empty()) context.faults.add(member, at, fault);
    if (json_value(context, member.value, at, &json) && fault.empty()) out->pairs.emplace_back(member.name, std::move(json));
    else good = false;
  }
  return good ? Got::kValue : Got::kFault;
}

Got check_secret(Context& context, const Key& key, const NodePtr& node, const std::string& path, const Value& value) {
  if (value.text.empty()) return Got::kUnset;
  std::string fault = key.check ? key.check(value.text) : std::string();
  if (fault.empty()) return Got::kValue;
  context.faults.add(*node, path, fault);
  return Got::kFault;
}

// Everything that is one scalar.
Got convert_scalar(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  const Got got = scalar_text(context, node, path, expectation(key), &out->text);
  if (got != Got::kValue) return got;
  bool good = true;
  switch (key.type) {
    case Type::kWord: return convert_word(context, key, *node, path, out);
    case Type::kSecret: return check_secret(context, key, node, path, *out);
    case Type::kBool:
      out->flag = out->text == "true" || out->text == "True" || out->text == "TRUE";
      good = out->flag || out->text == "false" || out->text == "False" || out->text == "FALSE";
      break;
    case Type::kRate: {
      auto rate = parse_rate(out->text);
      if (rate) out->rate = *rate;
      good = rate.ok();
      break;
    }
    case Type::kText: {
      std::string fault = key.check ? key.check(out->text) : std::string();
      if (fault.empty()) break;
      context.faults.add(*node, path, key.hide ? fault : fault + ", found " + shown(*node));
      return Got::kFault;
    }
    default: good = parse_number(key.type, out->text, &out->number) && in_bounds(key, out->number); break;
  }
  if (!good) complain(context, key, *node, path);
  return good ? Got::kValue : Got::kFault;
}

}  // namespace

Got scalar_text(Context& context, const NodePtr& node, const std::string& path, std::string_view expected, std::string* out) {
  if (node->is_null()) return Got::kUnset;
  if (node->kind != Node::Kind::kScalar) {
    context.faults.add(*node, path, "expected " + std::string(expected) + ", found " + shown(*node));
    return Got::kFault;
  }
  if (node->text.size() > kMostText) {
    context.faults.add(*node, path, "longer than " + std::to_string(kMostText) + " bytes");
    return Got::kFault;
  }
  if (node->literal) {
    *out = node->text;
    return Got::kValue;
  }
  bool used = false;
  std::string error;
  if (!expand(node->text, context.environment, out, &used, &error)) {
    context.faults.add(*node, path, error);
    return Got::kFault;
  }
  return used && out->empty() ? Got::kUnset : Got::kValue;
}

Got convert(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  if (node->is_null()) return Got::kUnset;
  const bool is_map = node->kind == Node::Kind::kMap;
  switch (key.type) {
    case Type::kRate:
      if (is_map) return convert_rate_map(context, key, node, path, out);
      break;
    case Type::kRange:
      if (!is_map) return convert_range(context, key, node, path, out);
      break;
    case Type::kTexts:
      if (!is_map) return convert_texts(context, key, node, path, out);
      break;
    case Type::kHeaders:
      if (is_map) return convert_headers(context, node, path, out);
      complain(context, key, *node, path);
      return Got::kFault;
    case Type::kJsonMap:
      if (is_map) return convert_json_map(context, key, node, path, out);
      complain(context, key, *node, path);
      return Got::kFault;
    case Type::kTemplate:
      if (is_map) return template_value(context, node, path, &out->text) ? Got::kValue : Got::kFault;
      complain(context, key, *node, path);
      return Got::kFault;
    default: break;
  }
  return convert_scalar(context, key, node, path, out);
}

Got convert_secret_file(Context& context, const Key& key, const NodePtr& node, const std::string& path, Value* out) {
  std::string file, error;
  const Got got = scalar_text(context, node, path, "the path of a file that holds the secret", &file);
  if (got != Got::kValue) return got;
  auto text = read_file(context.files.emplace_back(beside(context.file, file)), kMostText, &error);
  if (!text) {
    context.faults.add(*node, path, "the file " + shown(*node) + " cannot be read: " + error);
    return Got::kFault;
  }
  text->erase(text->find_last_not_of(" \t\r\n") + 1);
  std::string fault = text->empty() ? "expected a text that is not empty" : key.check ? key.check(*text) : std::string();
  if (!fault.empty()) {
    context.faults.add(*node, path, fault + " in the file " + shown(*node));
    return Got::kFault;
  }
  out->text = std::move(*text);
  return Got::kValue;
}

std::string expectation(const Key& key) {
  switch (key.type) {
    case Type::kMap: return key.stands_for.empty() ? "a map" : "a map, or its `" + key.stands_for + "` alone";
    case Type::kNamed: return "a map of names";
    case Type::kList: return "a list";
    case Type::kText: return "a text";
    case Type::kTexts: return "a text or a list of texts";
    case Type::kHeaders: return "a map of texts";
    case Type::kTemplate:
    case Type::kJsonMap: return "a map";
    case Type::kWord: return listed(words(key.bounds));
    case Type::kBool: return "true or false";
    case Type::kInt: return with_bounds("a whole number", key);
    case Type::kCount: return with_bounds(key.bounds.empty() ? "a whole number, perhaps with k or M, from 0 to 1000000000M" : "a whole number, perhaps with k or M,", key);
    case Type::kPercent: return with_bounds(key.bounds.empty() ? "a percentage from 0% to 100%" : "a percentage such as 80%", key);
    case Type::kDuration: return with_bounds(key.bounds.empty() ? "a duration such as 250ms, 5s or 2m, at most 36500d" : "a duration such as 250ms, 5s or 2m", key);
    case Type::kSize: return with_bounds("a size such as 64KiB or 32MiB", key);
    case Type::kRate: return "a rate such as 60/min (a count from 1 to 1000000000M, a period up to 36500d), or a map with a count, `per` and `burst`";
    case Type::kUsd: return "an amount of USD such as 50 or 0.25, from 0 to 1000000000, with at most 9 digits after the point";
    case Type::kPrice: return "USD per million tokens such as 0.15, from 0 to 1000000000, with at most 6 digits after the point";
    case Type::kRange: return "[low, high] or the upper end, numbers from " + key.bounds.substr(0, key.bounds.find("..")) + " to " +
                              key.bounds.substr(key.bounds.find("..") + 2);
    case Type::kTime: return "a time such as 2027-01-01T00:00:00Z, or a date";
    case Type::kSecret: return "a text";
  }
  return "another value";
}

std::string shown(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return "nothing";
    case Node::Kind::kList: return "a list";
    case Node::Kind::kMap: return "a map";
    case Node::Kind::kScalar: break;
  }
  if (node.text.empty()) return "an empty text";
  std::string text = node.text;
  // A URL's user and password.
  const size_t scheme = text.find("://"), at = text.rfind('@');
  if (scheme != std::string::npos && at != std::string::npos && at > scheme) text.replace(scheme + 3, at - scheme - 3, "...");
  constexpr size_t kMost = 60;
  const bool cut = text.size() > kMost;
  if (cut) {
    size_t end = kMost;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not half a letter
    text.resize(end);
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return "`" + text + (cut ? "...`" : "`");
}

std::string why_nothing(const Node& node) {
  const bool variable = node.kind == Node::Kind::kScalar && !node.literal && node.text.find("${") != std::string::npos;
  return variable ? ": " + shown(node) + " is empty" : std::string();
}

std::pair<std::string, NodePtr> Context::written(std::string path) const {
  for (std::string at = path;; at.pop_back()) {
    auto short_form = short_forms.find(at);
    if (short_form != short_forms.end() && seen.count(at) == 0) path = at = short_form->second + path.substr(at.size());
    auto found = seen.find(at);
    if (found != seen.end() || at.empty()) return {at, found == seen.end() ? nullptr : found->second};
  }
}

std::string shown(const Node& node, std::string_view name) {
  const bool variable = !node.literal && node.text.find("${") != std::string::npos;
  return variable ? shown(node) : "`" + std::string(name) + "`";
}

}  // namespace llmrouter::config
