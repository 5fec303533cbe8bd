#include "llmrouter/transport.h"

namespace llmrouter {

std::string_view HttpHead::header(std::string_view lower_case_name) const noexcept {
  for (const HttpHeader& header : headers) {
    if (header.name == lower_case_name) return header.value;
  }
  return {};
}

}  // namespace llmrouter
