// Asks the in-process model, whole and streamed, and checks what comes.
#include <cstdio>
#include <thread>
#include <vector>

#include "other.h"

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "consumer: %s\n", what);
}

const char* const kConfig = "storage: {keys: 'memory:', usage: 'memory:'}\n";

void stream(llmrouter::Client& llm) {
  std::string all;
  auto ended = llm.stream("demo/echo", "one two three", [&](std::string_view text) {
    all += text;
    return llmrouter::Flow::kContinue;
  });
  check(ended.ok() && all.find("two") != std::string::npos, "a stream gives the text");
  check(ended.ok() && ended->record.usage.output > 0, "and its usage");

  auto stopped = llm.stream("demo/slow", "a b c d e f g h", [](std::string_view) { return llmrouter::Flow::kCancel; });
  check(!stopped.ok() && stopped.error().code == llmrouter::ErrorCode::kCancelled, "a callback stops a stream");
  auto paused = llm.stream("demo/slow", "a b c d e f g h", [](std::string_view) { return llmrouter::Flow::kPause; });
  check(!paused.ok() && paused.error().code == llmrouter::ErrorCode::kInvalidRequest, "a blocking stream cannot be paused");
  bool caught = false;
  try {
    (void)llm.stream("demo/slow", "a b c d", [](std::string_view) -> llmrouter::Flow { throw 7; });
  } catch (int thrown) {
    caught = thrown == 7;
  }
  check(caught, "an exception of the callback comes out of stream()");
  auto cut = llm.stream("demo/cut", "one two three four five six seven eight", [](std::string_view) { return llmrouter::Flow::kContinue; });
  check(!cut.ok(), "a stream that is cut has no clean end");
}

void threads(llmrouter::Client& llm) {
  std::vector<std::thread> all;
  std::vector<int> good(4);
  for (int& mine : good) {
    all.emplace_back([copy = llm, &mine]() mutable {
      for (int i = 0; i < 5; ++i) mine += copy.chat("demo/echo", "from a thread").ok();
    });
  }
  for (auto& thread : all) thread.join();
  for (const int mine : good) check(mine == 5, "copies of a client work from many threads");
}

}  // namespace

int main() {
  auto opened = llmrouter::open_text(kConfig);
  check(opened.ok(), "a client opens");
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  llmrouter::Client llm = std::move(*opened);
  auto answer = llm.chat("demo/echo", "hello from a consumer");
  check(answer.ok() && answer->text().find("consumer") != std::string::npos, "an answer comes");
  auto unknown = llm.chat("demon", "hello");
  check(!unknown.ok() && unknown.error().code == llmrouter::ErrorCode::kModelNotFound, "an unknown model is an error");
  stream(llm);
  threads(llm);
  auto plan = llm.explain("demo/echo");
  check(plan.ok() && !plan->steps.empty() && plan->to_json().find("demo") != std::string::npos, "a plan");
  auto models = llm.models();
  check(models.ok() && !models->empty(), "models");
  auto usage = llm.usage();
  check(usage != nullptr && usage->query({}).ok() && !usage->query({})->data.empty(), "usage");
  check(!llmrouter::open_text("nonsense: [").ok(), "a wrong configuration is an error");
  check(!llmrouter::version().empty(), "a version");
  failures += use_the_parts();
  if (failures == 0) std::puts("consumer: all well");
  return failures;
}
