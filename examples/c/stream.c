/* A stream from C, started on the library's thread: the text is printed as it comes, then the usage record.
 *   stream [MODEL [TEXT]] */
#include <llmrouter/llmrouter-c.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Shared by this thread and the library's. */
struct stream {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int gone; /* the library has let go of it */
  int failed;
};

static int on_text(void* user_data, const char* text, size_t size) {
  (void)user_data;
  fwrite(text, 1, size, stdout);
  fflush(stdout);
  return LLMROUTER_CONTINUE;
}

static void on_end(void* user_data, const llmrouter_result* result) {
  struct stream* stream = user_data;
  const llmrouter_error* error = llmrouter_result_error(result);
  if (error) {
    fprintf(stderr, "\n%s: %s\n", llmrouter_error_code(error), llmrouter_error_message(error));
    stream->failed = 1;
  } else {
    printf("\n%s\n", llmrouter_result_record(result, NULL));
  }
}

/* The last thing that happens to a stream. */
static void destroy(void* user_data) {
  struct stream* stream = user_data;
  pthread_mutex_lock(&stream->mutex);
  stream->gone = 1;
  pthread_cond_signal(&stream->changed);
  pthread_mutex_unlock(&stream->mutex);
}

int main(int argc, char** argv) {
  const char* model = argc > 1 ? argv[1] : "demo/echo";
  const char* text = argc > 2 ? argv[2] : "Tell a story in one sentence.";
  struct stream stream = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
  llmrouter_router* router = NULL;
  llmrouter_call* call = NULL;
  llmrouter_error* error;

  error = llmrouter_open(NULL, &router);
  if (!error) error = llmrouter_call_new_text(router, model, strlen(model), text, strlen(text), &call);
  if (!error) error = llmrouter_call_set_mode(call, LLMROUTER_TEXT);
  if (!error) error = llmrouter_call_start(call, on_text, on_end, &stream, destroy);
  if (error) {
    fprintf(stderr, "%s: %s\n", llmrouter_error_code(error), llmrouter_error_message(error));
    llmrouter_error_free(error);
    stream.failed = 1;
  } else {
    /* This thread is free; llmrouter_call_cancel(call) would end the stream from here. */
    pthread_mutex_lock(&stream.mutex);
    while (!stream.gone) pthread_cond_wait(&stream.changed, &stream.mutex);
    pthread_mutex_unlock(&stream.mutex);
  }
  llmrouter_call_free(call);
  llmrouter_close(router);
  return stream.failed;
}
