// What the opaque handles of llmrouter-c.h are made of, and how every function of it keeps its promises: no exception leaves, `destroy` is called once,
// out parameters are null on failure.
#ifndef LLMROUTER_BINDINGS_C_HANDLES_H_
#define LLMROUTER_BINDINGS_C_HANDLES_H_

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "llmrouter/llmrouter-c.h"
#include "llmrouter/llmrouter.h"

struct llmrouter_error {
  explicit llmrouter_error(llmrouter::Error why) : error(std::move(why)), code(llmrouter::code_name(error.code)) {}
  llmrouter::Error error;
  std::string code;
};

struct llmrouter_text {
  std::string text;
};

struct llmrouter_result {
  // Set when the call did not end well; `no_memory` when even that could not be written down.
  std::optional<llmrouter_error> error;
  bool no_memory = false;
  std::string body;
  std::string record;
  // The text of `body`, found when it is asked for.
  mutable std::optional<std::string> text;
};

namespace llmrouter::c {

// Stands for "out of memory" where none is left to say it; never freed.
llmrouter_error* out_of_memory() noexcept;
// Falls back to out_of_memory().
llmrouter_error* new_error(Error error) noexcept;
llmrouter_error* null_argument(const char* name) noexcept;
// A caller's text that is NULL and not empty.
llmrouter_error* null_text() noexcept;
struct NullText {};

// Runs `body` (which returns llmrouter_error*), turning whatever it throws into an error.
template <typename Body>
llmrouter_error* guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const NullText&) {
    return null_text();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& thrown) {
    try {
      return new_error(Error(ErrorCode::kInternal, thrown.what()));
    } catch (...) {
      return out_of_memory();
    }
  } catch (...) {
    return out_of_memory();
  }
}

// Gives `text` to the caller.
llmrouter_error* give(llmrouter_text** out, std::string text);

// Never of a null pointer, which not everything that takes text may be given: the empty text is (NULL, 0) to callers. Throws NullText, so it is called in
// what guarded() runs.
inline std::string_view view(const char* text, size_t size) {
  if (text == nullptr && size != 0) throw NullText();
  return size == 0 ? std::string_view("") : std::string_view(text, size);
}
inline std::string copy(const char* text, size_t size) { return std::string(view(text, size)); }

// A caller's `user_data`, destroyed once.
class UserData {
 public:
  UserData() noexcept = default;
  UserData(void* data, llmrouter_destroy destroy) noexcept : data_(data), destroy_(destroy) {}
  UserData(UserData&& other) noexcept : data_(other.data_), destroy_(std::exchange(other.destroy_, nullptr)) {}
  UserData& operator=(UserData&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = other.data_;
      destroy_ = std::exchange(other.destroy_, nullptr);
    }
    return *this;
  }
  ~UserData() { reset(); }

  void* get() const noexcept { return data_; }
  void reset() noexcept {
    if (auto destroy = std::exchange(destroy_, nullptr)) destroy(data_);
  }

 private:
  void* data_ = nullptr;
  llmrouter_destroy destroy_ = nullptr;
};

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_HANDLES_H_
