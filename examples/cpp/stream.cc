// The first stream: text as it comes, then what the call used.
//   stream [MODEL]
#include <iostream>
#include <llmrouter/llmrouter.h>

int main(int argc, char** argv) {
  auto llm = llmrouter::open().value();
  auto ended = llm.stream(argc > 1 ? argv[1] : "demo/echo", "Tell a story in one sentence.", [](std::string_view text) {
    std::cout << text << std::flush;
    return llmrouter::Flow::kContinue;
  });
  std::cout << '\n';
  if (!ended) {
    std::cerr << ended.error().message << '\n';
    return 1;
  }
  std::cerr << ended->record.usage.output << " tokens from " << ended->record.provider << '/' << ended->record.model << '\n';
}
