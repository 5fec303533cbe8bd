/* A watch over one call's callbacks. */
#ifndef LLMROUTER_TESTS_CONSUMER_WATCH_H_
#define LLMROUTER_TESTS_CONSUMER_WATCH_H_

#include <pthread.h>
#include <time.h>

#include "harness.h"

/* Everything that one call told. `act` runs inside on_data (or on_end, when `act_at_end`) and answers for it. */
struct watch {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int data, ends, destroys, disorder;
  size_t bytes;
  char text[65536];
  char last[4096];
  char code[64];
  char record[16384];
  char body[16384];
  int (*act)(struct watch* watch);
  int act_at_end;
  void* arg;
};

static void watch_init(struct watch* w) {
  memset(w, 0, sizeof *w);
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->changed, NULL);
}

static int watch_data(void* user_data, const char* data, size_t size) {
  struct watch* w = user_data;
  int answer = LLMROUTER_CONTINUE;
  pthread_mutex_lock(&w->mutex);
  if (w->ends || w->destroys) w->disorder++;
  w->data++;
  if (w->bytes + size < sizeof w->text) {
    memcpy(w->text + w->bytes, data, size);
    w->bytes += size;
  }
  if (size < sizeof w->last) {
    memcpy(w->last, data, size);
    w->last[size] = 0;
  }
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  if (w->act && !w->act_at_end) answer = w->act(w);
  return answer;
}

static void watch_end(void* user_data, const llmrouter_result* result) {
  struct watch* w = user_data;
  const llmrouter_error* error = llmrouter_result_error(result);
  pthread_mutex_lock(&w->mutex);
  if (w->ends || w->destroys) w->disorder++;
  snprintf(w->code, sizeof w->code, "%s", error ? llmrouter_error_code(error) : "ok");
  snprintf(w->record, sizeof w->record, "%s", llmrouter_result_record(result, NULL));
  snprintf(w->body, sizeof w->body, "%s", llmrouter_result_body(result, NULL));
  pthread_mutex_unlock(&w->mutex);
  if (w->act && w->act_at_end) w->act(w);
  pthread_mutex_lock(&w->mutex);
  w->ends++;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
}

static void watch_destroy(void* user_data) {
  struct watch* w = user_data;
  pthread_mutex_lock(&w->mutex);
  w->destroys++;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
}

/* Waits, ten seconds at most, until at least this much came; false: it did not. */
static int watch_wait(struct watch* w, int data, int destroys) {
  struct timespec until;
  int rc = 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 10;
  pthread_mutex_lock(&w->mutex);
  while ((w->data < data || w->destroys < destroys) && rc == 0) rc = pthread_cond_timedwait(&w->changed, &w->mutex, &until);
  rc = w->data >= data && w->destroys >= destroys;
  pthread_mutex_unlock(&w->mutex);
  return rc;
}

/* True when the call ended with this code and everything came exactly once and in order. */
static int watch_ended(struct watch* w, const char* code) {
  int good;
  if (!watch_wait(w, 0, 1)) {
    printf("  no destroy came (%d data, %d ends)\n", w->data, w->ends);
    return 0;
  }
  pthread_mutex_lock(&w->mutex);
  good = w->ends == 1 && w->destroys == 1 && w->disorder == 0 && strcmp(w->code, code) == 0;
  if (!good) printf("  got %d ends, %d destroys, %d out of order, code %s\n", w->ends, w->destroys, w->disorder, w->code);
  pthread_mutex_unlock(&w->mutex);
  return good;
}

/* True when the user data was let go once and nothing else ever came. */
static int watch_let_go(struct watch* w) {
  int good;
  pthread_mutex_lock(&w->mutex);
  good = w->destroys == 1 && w->ends == 0 && w->data == 0;
  if (!good) printf("  got %d data, %d ends, %d destroys\n", w->data, w->ends, w->destroys);
  pthread_mutex_unlock(&w->mutex);
  return good;
}

static void nap_ms(long ms) {
  struct timespec span;
  span.tv_sec = ms / 1000;
  span.tv_nsec = (ms % 1000) * 1000000;
  nanosleep(&span, NULL);
}

#endif /* LLMROUTER_TESTS_CONSUMER_WATCH_H_ */
