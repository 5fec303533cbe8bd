// The first answer.
//   first_answer [MODEL]
#include <iostream>
#include <llmrouter/llmrouter.h>

int main(int argc, char** argv) {
  auto llm = llmrouter::open().value();  // or open("llmrouter.yaml")
  auto answer = llm.chat(argc > 1 ? argv[1] : "demo/echo", "Why is the sky blue?").value();
  std::cout << answer.text() << '\n';
}
