/* What the C tests share: one line for each check. C99, no library but the one under test. */
#ifndef LLMROUTER_TESTS_CONSUMER_HARNESS_H_
#define LLMROUTER_TESTS_CONSUMER_HARNESS_H_

#include <llmrouter/llmrouter-c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S(text) (text), strlen(text)

static int g_passed, g_failed;

static void check_at(int good, const char* what, const char* file, int line) {
  if (good) {
    g_passed++;
    printf("ok %s\n", what);
  } else {
    g_failed++;
    printf("FAIL %s (%s:%d)\n", what, file, line);
  }
  fflush(stdout);
}
#define CHECK(what, good) check_at((good), (what), __FILE__, __LINE__)

/* Frees the error; true when it was one with this code (NULL: none). */
static int is_error(llmrouter_error* error, const char* code) {
  const int good = code == NULL ? error == NULL : error != NULL && strcmp(llmrouter_error_code(error), code) == 0;
  if (!good) printf("  got %s: %s\n", error ? llmrouter_error_code(error) : "no error", llmrouter_error_message(error));
  llmrouter_error_free(error);
  return good;
}

/* A text's content must hold `part`; frees the text. */
static int text_has(llmrouter_text* text, const char* part) {
  const int good = text != NULL && strstr(llmrouter_text_data(text), part) != NULL && strlen(llmrouter_text_data(text)) == llmrouter_text_size(text);
  if (!good) printf("  got %s\n", text ? llmrouter_text_data(text) : "no text");
  llmrouter_text_free(text);
  return good;
}

static int finish(void) {
  printf("%d passed, %d failed\n", g_passed, g_failed);
  return g_failed ? 1 : 0;
}

#endif /* LLMROUTER_TESTS_CONSUMER_HARNESS_H_ */
