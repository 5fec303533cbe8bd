// Makes the Nth allocation fail, for every N, while the C ABI opens a router, chats, streams, starts, makes keys, changes the routing and explains. Each function must come
// back with an answer or an error; each callback must come as often as it should; nothing may terminate or leak.
#include <llmrouter/llmrouter-c.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "check.h"
#include "failing_new.h"

namespace {

Checks check;

const char kConfig[] = "storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {m: demo/echo}\nrouting: {attempts: 1}\n";
const char kBody[] = R"({"model":"m","messages":[{"role":"user","content":"one two three"}]})";

llmrouter_router* open_router() {
  llmrouter_options* options = nullptr;
  llmrouter_router* router = nullptr;
  llmrouter_error* error = llmrouter_options_new(&options);
  if (error == nullptr) error = llmrouter_options_set_yaml(options, kConfig, sizeof kConfig - 1);
  if (error == nullptr) error = llmrouter_options_use_environment(options, 0);
  if (error == nullptr) error = llmrouter_open(options, &router);
  llmrouter_options_free(options);
  llmrouter_error_free(error);
  return router;
}

// What one call told. Nothing here allocates.
struct Watch {
  std::mutex mutex;
  std::condition_variable changed;
  int ends = 0, destroys = 0, bad = 0;

  static int data(void*, const char*, size_t) { return LLMROUTER_CONTINUE; }
  static void end(void* user, const llmrouter_result* result) {
    auto* w = static_cast<Watch*>(user);
    std::lock_guard<std::mutex> lock(w->mutex);
    if (++w->ends != 1 || w->destroys != 0 || result == nullptr) ++w->bad;
  }
  static void destroy(void* user) {
    auto* w = static_cast<Watch*>(user);
    std::lock_guard<std::mutex> lock(w->mutex);
    if (++w->destroys != 1) ++w->bad;
    w->changed.notify_all();
  }
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), [this] { return destroys > 0; });
  }
};

// An error and no result, or a result and no error. What failed must say so.
bool either(llmrouter_error* error, bool result) {
  const bool good = (error != nullptr) != result && (error == nullptr || *llmrouter_error_code(error) != 0);
  llmrouter_error_free(error);
  return good;
}

bool opens() {
  llmrouter_router* router = open_router();
  llmrouter_close(router);
  return true;
}

bool give_text(llmrouter_error* error, llmrouter_text* text) {
  const bool good = either(error, text != nullptr);
  llmrouter_text_free(text);
  return good;
}

bool chats(llmrouter_router* router) {
  llmrouter_text* text = nullptr;
  llmrouter_error* error = llmrouter_chat(router, "m", 1, "hello", 5, &text);
  return give_text(error, text);
}

bool streams(llmrouter_router* router, int mode) {
  Watch w;
  llmrouter_error* error = mode == LLMROUTER_TEXT
                               ? llmrouter_stream(router, "m", 1, "one two", 7, Watch::data, &w, Watch::destroy)
                               : llmrouter_stream_json(router, kBody, sizeof kBody - 1, Watch::data, &w, Watch::destroy);
  llmrouter_error_free(error);
  return w.destroys == 1 && w.ends == 0 && w.bad == 0;
}

bool starts(llmrouter_router* router, int mode) {
  Watch w;
  llmrouter_call* call = nullptr;
  llmrouter_error* error = llmrouter_call_new(router, kBody, sizeof kBody - 1, &call);
  if (error == nullptr) error = llmrouter_call_set_mode(call, mode);
  if (error != nullptr) {
    llmrouter_error_free(error);
    llmrouter_call_free(call);
    return true;
  }
  error = llmrouter_call_start(call, Watch::data, Watch::end, &w, Watch::destroy);
  const bool started = error == nullptr;
  llmrouter_error_free(error);
  const bool let_go = w.wait();
  llmrouter_call_free(call);
  return let_go && w.bad == 0 && w.destroys == 1 && w.ends == (started ? 1 : 0);
}

bool keys(llmrouter_router* router) {
  const char spec[] = R"({"name":"k","limits":{"requests":"60/min"},"allow":{"models":["m"]}})";
  llmrouter_text* text = nullptr;
  llmrouter_error* error = llmrouter_keys_create(router, spec, sizeof spec - 1, "", 0, &text);
  bool good = give_text(error, text);
  text = nullptr;
  error = llmrouter_keys_list(router, &text);
  good = give_text(error, text) && good;
  llmrouter_error_free(llmrouter_keys_revoke(router, "k", 1));
  return good;
}

bool asks(llmrouter_router* router) {
  llmrouter_text* text = nullptr;
  llmrouter_error* error = llmrouter_explain(router, "m", 1, &text);
  bool good = give_text(error, text);
  text = nullptr;
  error = llmrouter_models(router, 0, &text);
  good = give_text(error, text) && good;
  text = nullptr;
  error = llmrouter_usage(router, nullptr, &text);
  return give_text(error, text) && good;
}

bool routes(llmrouter_router* router) {
  const char rule[] = R"({"name":"r","when":{"model":"never"},"use":"m"})";
  llmrouter_text* text = nullptr;
  llmrouter_error* error = llmrouter_rules_set(router, rule, sizeof rule - 1, &text);
  bool good = give_text(error, text);
  text = nullptr;
  error = llmrouter_rules_list(router, &text);
  good = give_text(error, text) && good;
  llmrouter_call* call = nullptr;
  llmrouter_error_free(llmrouter_call_new(router, kBody, sizeof kBody - 1, &call));
  text = nullptr;
  error = llmrouter_rules_test(call, nullptr, 0, &text);
  good = give_text(error, text) && good;
  llmrouter_call_free(call);
  llmrouter_error_free(llmrouter_rules_remove(router, "r", 1));
  text = nullptr;
  error = llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OFF, "me", 2, "why", 3, &text);
  good = give_text(error, text) && good;
  text = nullptr;
  error = llmrouter_switch_history(router, &text);
  good = give_text(error, text) && good;
  const char spec[] = R"({"name":"o"})";
  text = nullptr;
  llmrouter_error_free(llmrouter_keys_create(router, spec, sizeof spec - 1, "", 0, &text));
  llmrouter_text_free(text);
  llmrouter_error_free(llmrouter_keys_set_override(router, "o", 1, "m", 1));
  text = nullptr;
  error = llmrouter_keys_override(router, "o", 1, &text);
  good = give_text(error, text) && good;
  llmrouter_error_free(llmrouter_keys_clear_override(router, "o", 1));
  const char wish[] = R"({"model":"m"})";
  text = nullptr;
  error = llmrouter_keys_start_session(router, "o", 1, wish, sizeof wish - 1, &text);
  good = give_text(error, text) && good;
  text = nullptr;
  error = llmrouter_keys_sessions(router, "o", 1, &text);
  good = give_text(error, text) && good;
  llmrouter_error_free(llmrouter_keys_end_session(router, "o", 1, "", 0));
  return good;
}

enum class Over { kNone, kOneRouter, kNewRouters };

// Runs `what` with allocation 1, 2, 3, ... failing until one run sees none fail.
template <typename What>
void every_allocation(const char* name, What what, Over over) {
  long n = 0;
  int bad = 0;
  llmrouter_router* shared = over == Over::kOneRouter ? open_router() : nullptr;
  for (;; ++n) {
    llmrouter_router* router = over == Over::kNewRouters ? open_router() : shared;
    g_failed.store(false);
    g_countdown.store(n);
    if (!what(router)) ++bad;
    g_countdown.store(-1);
    if (router != shared) llmrouter_close(router);
    if (!g_failed.load() || n > 20000) break;
  }
  if (shared != nullptr) {
    // The router is as good as before.
    llmrouter_text* text = nullptr;
    llmrouter_error* error = llmrouter_chat(shared, "m", 1, "still here", 10, &text);
    if (error != nullptr || std::strstr(llmrouter_text_data(text), "still") == nullptr) {
      std::printf("  afterwards: %s\n", llmrouter_error_message(error));
      ++bad;
    }
    llmrouter_error_free(error);
    llmrouter_text_free(text);
    llmrouter_close(shared);
  }
  std::printf("  %s: %ld allocations\n", name, n);
  check(bad == 0 && n > 0 && n <= 20000, name);
}

}  // namespace

int main() {
  every_allocation("chat", chats, Over::kOneRouter);
  every_allocation("stream of text", [](llmrouter_router* r) { return streams(r, LLMROUTER_TEXT); }, Over::kOneRouter);
  every_allocation("stream of chunks", [](llmrouter_router* r) { return streams(r, LLMROUTER_CHUNKS); }, Over::kOneRouter);
  every_allocation("started whole call", [](llmrouter_router* r) { return starts(r, LLMROUTER_WHOLE); }, Over::kOneRouter);
  every_allocation("started stream of text", [](llmrouter_router* r) { return starts(r, LLMROUTER_TEXT); }, Over::kOneRouter);
  every_allocation("started stream of chunks", [](llmrouter_router* r) { return starts(r, LLMROUTER_CHUNKS); }, Over::kOneRouter);
  every_allocation("keys", keys, Over::kNewRouters);
  every_allocation("routing at run time", routes, Over::kNewRouters);
  every_allocation("questions", asks, Over::kOneRouter);
  every_allocation("opening", [](llmrouter_router*) { return opens(); }, Over::kNone);
  return check.finish();
}
