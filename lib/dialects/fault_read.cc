// The shapes errors come in.
#include <cstdint>

#include "dialects/fault.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonKind;
using wire::JsonMembers;
using wire::JsonValue;
using wire::pick;

// A code may be a word, a number, or a number as a word.
std::string word_of(JsonValue value) {
  if (value.is_number()) return std::string(value.raw());
  return value.string_or();
}

int http_status_of(JsonValue value) {
  std::string scratch;
  int64_t number = value.integer().value_or(0);
  if (auto text = value.string_view(scratch); text && text->size() == 3) {
    for (char c : *text) number = is_digit(c) ? number * 10 + (c - '0') : -1000;
  }
  return number >= 400 && number <= 599 ? static_cast<int>(number) : 0;
}

// FastAPI: {"detail":"text"} or {"detail":[{"loc":["body","model"],"msg":"field required"}]}.
std::string detail_words(JsonValue detail) {
  if (detail.is_string()) return detail.string_or();
  std::string out;
  for (JsonValue entry : JsonElements(detail)) {
    std::string where;
    for (JsonValue step : JsonElements(find_member(entry, "loc"))) {
      if (!where.empty()) where += '.';
      where += word_of(step);
    }
    if (!out.empty()) out += "; ";
    if (!where.empty()) out += where + ": ";
    out += find_member(entry, "msg").string_or();
  }
  return out;
}

// Google's RetryInfo among `details`.
std::chrono::milliseconds retry_info(JsonValue details) {
  for (JsonValue entry : JsonElements(details)) {
    if (JsonValue delay = find_member(entry, "retryDelay"); delay.is_string()) return parse_wait(delay.string_or());
  }
  return std::chrono::milliseconds{0};
}

void read_error_object(JsonValue object, Fault& fault) {
  JsonValue message, code, type, param, status, status_code, http_code, metadata, inner, details;
  pick(object, {{"message", &message},
                {"code", &code},
                {"type", &type},
                {"param", &param},
                {"status", &status},
                {"status_code", &status_code},
                {"http_code", &http_code},
                {"metadata", &metadata},
                {"innererror", &inner},
                {"details", &details}});
  fault.message = message.is_string() ? message.string_or() : std::string(message.is_unset() ? std::string_view{} : message.raw());
  fault.code = word_of(code);
  fault.type = type.string_or();
  if (fault.type.empty()) fault.type = status.string_or();  // Google: "RESOURCE_EXHAUSTED", and a number as code
  if (code.is_number() && status.nonempty_string()) fault.code = status.string_or();
  fault.param = param.string_or();
  for (JsonValue claimed : {status_code, status, http_code, code}) {
    if (fault.status == 0) fault.status = http_status_of(claimed);
  }
  const JsonValue raw = find_member(metadata, "raw");
  fault.detail = raw.is_string() ? raw.string_or() : std::string(raw.is_unset() ? std::string_view{} : raw.raw());
  if (std::string word = find_member(inner, "code").string_or(); !word.empty()) fault.detail += " " + word;
  if (fault.code.empty()) fault.code = find_member(details, "error_code").string_or();  // Anthropic, of threads
  fault.retry_after = retry_info(details);
}

bool read_flat(JsonValue root, Fault& fault) {
  JsonValue message, detail, code, type, error_type, param, errors, msg;
  pick(root, {{"message", &message},
              {"detail", &detail},
              {"code", &code},
              {"type", &type},
              {"error_type", &error_type},
              {"param", &param},
              {"errors", &errors},
              {"msg", &msg}});
  if (const JsonValue first = wire::find_element(errors, 0); first.is_object()) {
    read_error_object(first, fault);
    return true;
  }
  fault.message = message.string_or();
  if (fault.message.empty()) fault.message = msg.string_or();
  if (fault.message.empty()) fault.message = detail_words(detail);
  fault.code = word_of(code);
  fault.type = type.string_or();
  if (fault.type.empty()) fault.type = error_type.string_or();
  fault.param = param.string_or();
  if (fault.status == 0) fault.status = http_status_of(code);
  return !fault.message.empty();
}

}  // namespace

bool has_error_member(JsonValue root) {
  for (const wire::JsonMember& m : wire::JsonMembers(root)) {  // not only the first: a null before it does not undo it
    if (m.key != "error") continue;
    if (m.value.nonempty_string() || (m.value.is_object() && !m.value.empty_container())) return true;
  }
  return false;
}

bool read_fault(JsonValue root, Fault& fault) {
  if (root.is_array()) root = wire::find_element(root, 0);
  if (!root.is_object()) return false;
  if (!has_error_member(root)) return read_flat(root, fault);
  const JsonValue error = find_member(root, "error");
  if (error.is_object()) {
    read_error_object(error, fault);
    if (fault.message.empty()) fault.message = detail_words(find_member(root, "detail"));
    return true;
  }
  // {"error":"text"}, with the code or type beside it (xAI, TGI, Ollama).
  fault.message = error.string_or();
  fault.code = word_of(find_member(root, "code"));
  fault.type = find_member(root, "error_type").string_or();
  return true;
}

}  // namespace llmrouter::dialects
