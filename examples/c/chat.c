/* One answer from C.
 *   chat [MODEL [TEXT]] */
#include <llmrouter/llmrouter-c.h>
#include <stdio.h>
#include <string.h>

static int failed(llmrouter_error* error) {
  fprintf(stderr, "%s: %s\n", llmrouter_error_code(error), llmrouter_error_message(error));
  llmrouter_error_free(error);
  return 1;
}

int main(int argc, char** argv) {
  const char* model = argc > 1 ? argv[1] : "demo/echo";
  const char* text = argc > 2 ? argv[2] : "Why is the sky blue?";
  llmrouter_router* router;
  llmrouter_text* answer;
  llmrouter_error* error;

  error = llmrouter_open(NULL, &router); /* environment and defaults; llmrouter_open_file for a file */
  if (error) return failed(error);
  error = llmrouter_chat(router, model, strlen(model), text, strlen(text), &answer);
  if (!error) printf("%s\n", llmrouter_text_data(answer));
  llmrouter_text_free(answer); /* NULL when it failed: nothing happens */
  llmrouter_close(router);
  return error ? failed(error) : 0;
}
