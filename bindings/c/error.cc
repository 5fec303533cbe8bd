// Errors, text and results: what is handed out.
#include "handles.h"

namespace llmrouter::c {

llmrouter_error* out_of_memory() noexcept {
  // Only its address is used.
  alignas(llmrouter_error) static char mark[sizeof(llmrouter_error)];
  return reinterpret_cast<llmrouter_error*>(mark);
}

llmrouter_error* new_error(Error error) noexcept {
  try {
    return new llmrouter_error(std::move(error));
  } catch (...) {
    return out_of_memory();
  }
}

llmrouter_error* null_argument(const char* name) noexcept {
  return guarded([name] { return new_error(Error(ErrorCode::kInvalidRequest, std::string(name) + " must not be NULL", name)); });
}

llmrouter_error* null_text() noexcept {
  return guarded([] { return new_error(Error(ErrorCode::kInvalidRequest, "a text must not be NULL where its size is not 0")); });
}

llmrouter_error* give(llmrouter_text** out, std::string text) {
  *out = new llmrouter_text{std::move(text)};
  return nullptr;
}

namespace {

bool told(const llmrouter_error* error) noexcept { return error != nullptr && error != out_of_memory(); }

const char* lend(const std::string& text, size_t* size) noexcept {
  if (size != nullptr) *size = text.size();
  return text.c_str();
}

const char* lend_nothing(size_t* size) noexcept {
  if (size != nullptr) *size = 0;
  return "";
}

// The answer's text, by the codec that reads such answers from upstreams.
std::string text_of(const std::string& body) {
  for (const auto& dialect : builtin_dialects()) {
    if (dialect->name() != "openai") continue;
    if (const auto codec = dialect->new_upstream_codec()) {
      const auto answer = codec->decode(body);
      return answer ? answer->text() : std::string();
    }
  }
  return {};
}

}  // namespace

}  // namespace llmrouter::c

using llmrouter::c::lend;
using llmrouter::c::lend_nothing;
using llmrouter::c::out_of_memory;
using llmrouter::c::told;

const char* llmrouter_version(void) { return llmrouter::version().data(); }

const char* llmrouter_error_code(const llmrouter_error* error) {
  if (error == nullptr) return "";
  return told(error) ? error->code.c_str() : "internal";
}

const char* llmrouter_error_message(const llmrouter_error* error) {
  if (error == nullptr) return "";
  return told(error) ? error->error.message.c_str() : "out of memory";
}

const char* llmrouter_error_detail(const llmrouter_error* error) { return told(error) ? error->error.detail.c_str() : ""; }

const char* llmrouter_error_param(const llmrouter_error* error) { return told(error) ? error->error.param.c_str() : ""; }

int llmrouter_error_status(const llmrouter_error* error) {
  if (error == nullptr) return 0;
  return told(error) ? error->error.http_status() : 500;
}

int64_t llmrouter_error_retry_after_ms(const llmrouter_error* error) { return told(error) ? error->error.retry_after.count() : 0; }

const char* llmrouter_error_provider(const llmrouter_error* error) { return told(error) ? error->error.provider.c_str() : ""; }

int llmrouter_error_upstream_status(const llmrouter_error* error) { return told(error) ? error->error.upstream_status : 0; }

const char* llmrouter_error_upstream_body(const llmrouter_error* error) { return told(error) ? error->error.upstream_body.c_str() : ""; }

void llmrouter_error_free(llmrouter_error* error) {
  if (error != out_of_memory()) delete error;
}

const char* llmrouter_text_data(const llmrouter_text* text) { return text == nullptr ? "" : text->text.c_str(); }
size_t llmrouter_text_size(const llmrouter_text* text) { return text == nullptr ? 0 : text->text.size(); }
void llmrouter_text_free(llmrouter_text* text) { delete text; }

const llmrouter_error* llmrouter_result_error(const llmrouter_result* result) {
  if (result == nullptr) return nullptr;
  if (result->no_memory) return out_of_memory();
  return result->error ? &*result->error : nullptr;
}

const char* llmrouter_result_body(const llmrouter_result* result, size_t* size) {
  return result == nullptr ? lend_nothing(size) : lend(result->body, size);
}

const char* llmrouter_result_text(const llmrouter_result* result, size_t* size) {
  if (result == nullptr || result->error || result->no_memory) return lend_nothing(size);
  try {
    if (!result->text) result->text = llmrouter::c::text_of(result->body);
    return lend(*result->text, size);
  } catch (...) {
    return lend_nothing(size);
  }
}

const char* llmrouter_result_record(const llmrouter_result* result, size_t* size) {
  return result == nullptr ? lend_nothing(size) : lend(result->record, size);
}

void llmrouter_result_free(llmrouter_result* result) { delete result; }
