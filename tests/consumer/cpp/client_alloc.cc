// Makes the Nth allocation fail, for every N, under the blocking C++ client: an answer or an error comes back, and the client is as good as before.
#include <llmrouter/llmrouter.h>

#include "check.h"
#include "failing_new.h"

using namespace llmrouter;

namespace {

Checks check;

// `what` gives an error's code, or kNone. What fails in the caller's own code before the library has it is thrown there.
template <typename What>
void every_allocation(const char* name, What what) {
  long n = 0;
  int bad = 0;
  for (;; ++n) {
    ErrorCode code = ErrorCode::kNone;
    g_failed.store(false);
    g_countdown.store(n);
    try {
      code = what();
    } catch (const std::bad_alloc&) {
      code = ErrorCode::kInternal;
    }
    g_countdown.store(-1);
    if (!g_failed.load() || n > 20000) {
      if (code != ErrorCode::kNone) ++bad;
      break;
    }
  }
  std::printf("  %s: %ld allocations\n", name, n);
  check(bad == 0 && n > 0 && n <= 20000, name);
}

}  // namespace

int main() {
  ConfigInput input;
  input.text = "storage: {keys: 'memory:', usage: 'memory:'}\nrouting: {attempts: 1}\n";
  input.env = [](const std::string&) { return std::optional<std::string>(); };
  const ConfigResult config = load_config(input);
  Client llm = open_config(config.config).value();
  const auto code_of = [](const auto& result) { return result.ok() ? ErrorCode::kNone : result.error().code; };

  every_allocation("chat", [&] { return code_of(llm.chat("demo/echo", "one two three")); });
  every_allocation("stream", [&] { return code_of(llm.stream("demo/echo", "one two three", [](std::string_view) { return Flow::kContinue; })); });
  every_allocation("explain", [&] { return code_of(llm.explain("demo/echo")); });
  every_allocation("open", [&] { return code_of(open_config(config.config)); });
  auto answer = llm.chat("demo/echo", "still here");
  check(answer.ok() && answer->text().find("still") != std::string::npos, "the client is as good as before");
  return check.finish();
}
