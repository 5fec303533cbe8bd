/* The smallest C application. */
#include <llmrouter/llmrouter-c.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char* config = "storage: {keys: 'memory:', usage: 'off'}\n";
  llmrouter_router* router = NULL;
  llmrouter_text* answer = NULL;
  llmrouter_error* error = llmrouter_open_yaml(config, strlen(config), &router);
  int good;
  if (!error) error = llmrouter_chat(router, "demo/echo", 9, "hello from C", 12, &answer);
  if (error) fprintf(stderr, "consumer: %s\n", llmrouter_error_message(error));
  good = !error && strstr(llmrouter_text_data(answer), "hello from C") != NULL;
  llmrouter_error_free(error);
  llmrouter_text_free(answer);
  llmrouter_close(router);
  if (good) puts("consumer: all well");
  return good ? 0 : 1;
}
