/* Every path that a call can take over the C ABI: each callback and each destroy comes exactly once, in order, whatever happens. */
#include "watch.h"

static const char* const kConfig = "storage: {keys: 'memory:', usage: 'memory:'}\nrouting: {attempts: 1}\n";
static const char* const kEcho = "{\"model\":\"demo/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"one two three\"}]}";
static const char* const kSlow =
    "{\"model\":\"demo/slow\",\"messages\":[{\"role\":\"user\",\"content\":\"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m "
    "n o p q r s t u v w x y z\"}]}";
static const char* const kCut = "{\"model\":\"demo/cut\",\"messages\":[{\"role\":\"user\",\"content\":\"one two three four five six seven eight\"}]}";

static llmrouter_router* open_router(void) {
  llmrouter_router* router = NULL;
  llmrouter_options* options = NULL;
  llmrouter_error* error = llmrouter_options_new(&options);
  if (!error) error = llmrouter_options_set_yaml(options, S(kConfig));
  if (!error) error = llmrouter_options_use_environment(options, 0);
  if (!error) error = llmrouter_open(options, &router);
  llmrouter_options_free(options);
  if (error) {
    printf("FAIL open: %s\n0 passed, 1 failed\n", llmrouter_error_message(error));
    exit(1);
  }
  return router;
}

static llmrouter_call* new_call(llmrouter_router* router, const char* body, int mode) {
  llmrouter_call* call = NULL;
  llmrouter_error* error = llmrouter_call_new(router, S(body), &call);
  if (!error) error = llmrouter_call_set_mode(call, mode);
  if (error) CHECK("a call is made", is_error(error, NULL));
  return call;
}

static int start(llmrouter_call* call, struct watch* w) { return is_error(llmrouter_call_start(call, watch_data, watch_end, w, watch_destroy), NULL); }

/* ---- what ends well ---- */

static void success(llmrouter_router* router) {
  struct watch w;
  llmrouter_text* text = NULL;
  llmrouter_call* call;

  CHECK("chat gives the text", is_error(llmrouter_chat(router, S("demo/echo"), S("one \"two\" three"), &text), NULL) && text_has(text, "two"));
  CHECK("chat_json gives the body", is_error(llmrouter_chat_json(router, S(kEcho), &text), NULL) && text_has(text, "\"choices\""));

  watch_init(&w);
  CHECK("stream gives pieces of text", is_error(llmrouter_stream(router, S("demo/echo"), S("one two three"), watch_data, &w, watch_destroy), NULL) &&
                                           w.data > 1 && w.destroys == 1 && strstr(w.text, "two") != NULL && strchr(w.text, '{') == NULL);
  watch_init(&w);
  CHECK("stream_json gives chunks", is_error(llmrouter_stream_json(router, S(kEcho), watch_data, &w, watch_destroy), NULL) && w.data > 1 &&
                                        w.destroys == 1 && w.last[0] == '{' && strstr(w.text, "[DONE]") == NULL &&
                                        strstr(w.text, "chat.completion.chunk") != NULL && strstr(w.text, "data:") == NULL);

  watch_init(&w);
  call = new_call(router, kEcho, LLMROUTER_WHOLE);
  CHECK("a whole call is started", start(call, &w));
  CHECK("it ends well with its body and record", watch_ended(&w, "ok") && w.data == 0 && strstr(w.body, "\"choices\"") != NULL &&
                                                     strstr(w.record, "\"requested_model\":\"demo/echo\"") != NULL);
  llmrouter_call_cancel(call);
  llmrouter_call_pause(call);
  llmrouter_call_resume(call);
  CHECK("nothing comes after the end", watch_ended(&w, "ok"));
  llmrouter_call_free(call);

  watch_init(&w);
  call = new_call(router, kEcho, LLMROUTER_TEXT);
  CHECK("a text stream is started", start(call, &w));
  CHECK("it ends well", watch_ended(&w, "ok") && w.data > 1 && strstr(w.text, "three") != NULL);
  llmrouter_call_free(call);

  call = new_call(router, "{\"stream\":false , \"stream_options\":{\"include_usage\":true},\"model\":\"demo/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                  LLMROUTER_CHUNKS);
  watch_init(&w);
  CHECK("the mode decides over the body's stream member", start(call, &w) && watch_ended(&w, "ok") && w.data > 1 && strstr(w.text, "\"usage\"") != NULL);
  llmrouter_call_free(call);
  CHECK("and the other way round", is_error(llmrouter_chat_json(router,
                                                                S("{\"model\":\"demo/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
                                                                  "\"stream_options\":{\"include_usage\":true},\"stream\":true}"),
                                                                &text),
                                            NULL) &&
                                       text_has(text, "\"message\""));
}

static void blocking_result(llmrouter_router* router) {
  llmrouter_result* result = NULL;
  size_t size = 0;
  llmrouter_call* call = new_call(router, kEcho, LLMROUTER_WHOLE);
  CHECK("run gives a result", is_error(llmrouter_call_run(call, NULL, NULL, NULL, &result), NULL) && result != NULL);
  CHECK("with the text", strstr(llmrouter_result_text(result, &size), "two") != NULL && size > 0);
  CHECK("with the record", strstr(llmrouter_result_record(result, NULL), "\"status\":\"ok\"") != NULL);
  CHECK("without an error", llmrouter_result_error(result) == NULL);
  llmrouter_result_free(result);
  llmrouter_call_free(call);
}

/* ---- what ends badly ---- */

/* On a router of its own: after a 429 the provider's key rests. */
static void failures(void) {
  llmrouter_router* router = open_router();
  static const struct {
    const char* what;
    const char* body;
    const char* code;
  } kinds[] = {
      {"bad JSON", "{\"model\":", "invalid_request"},
      {"an empty body", "", "invalid_request"},
      {"no messages", "{\"model\":\"demo/echo\"}", "invalid_request"},
      {"an unknown model", "{\"model\":\"demon\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "model_not_found"},
      {"an upstream's 429", "{\"model\":\"demo/error-429\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "upstream_rate_limited"},
  };
  static const int modes[] = {LLMROUTER_WHOLE, LLMROUTER_CHUNKS, LLMROUTER_TEXT};
  static const char* const names[] = {"whole", "chunks", "text"};
  size_t kind, mode;
  char what[128];
  for (kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    for (mode = 0; mode < 3; mode++) {
      struct watch w;
      llmrouter_result* result = (llmrouter_result*)&w;
      llmrouter_call* call = new_call(router, kinds[kind].body, modes[mode]);
      watch_init(&w);
      snprintf(what, sizeof what, "%s, started, %s", kinds[kind].what, names[mode]);
      CHECK(what, start(call, &w) && watch_ended(&w, kinds[kind].code) && w.data == 0);
      llmrouter_call_free(call);

      call = new_call(router, kinds[kind].body, modes[mode]);
      watch_init(&w);
      snprintf(what, sizeof what, "%s, run, %s", kinds[kind].what, names[mode]);
      CHECK(what, is_error(llmrouter_call_run(call, watch_data, &w, watch_destroy, &result), kinds[kind].code) && result == NULL && watch_let_go(&w));
      llmrouter_call_free(call);
    }
  }
  llmrouter_close(router);
}

static void cut_streams(llmrouter_router* router) {
  struct watch w;
  llmrouter_call* call = new_call(router, kCut, LLMROUTER_TEXT);
  watch_init(&w);
  CHECK("a stream that is cut has some text and then an error", start(call, &w) && watch_ended(&w, "upstream_error") && w.data > 0);
  llmrouter_call_free(call);
  call = new_call(router, kCut, LLMROUTER_CHUNKS);
  watch_init(&w);
  CHECK("cut chunks end with one that holds the error",
        start(call, &w) && watch_ended(&w, "upstream_error") && w.data > 1 && strstr(w.last, "\"error\"") != NULL);
  llmrouter_call_free(call);
}

static void twice(llmrouter_router* router) {
  struct watch first, second;
  llmrouter_text* plan = NULL;
  llmrouter_call* call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&first);
  watch_init(&second);
  CHECK("a call is started", start(call, &first));
  CHECK("a second start is refused", is_error(llmrouter_call_start(call, watch_data, watch_end, &second, watch_destroy), "conflict"));
  CHECK("and lets go of its user data", watch_let_go(&second));
  CHECK("a setter comes too late", is_error(llmrouter_call_set_mode(call, LLMROUTER_WHOLE), "conflict"));
  CHECK("explain comes too late", is_error(llmrouter_call_explain(call, &plan), "conflict") && plan == NULL);
  llmrouter_call_cancel(call);
  CHECK("the first one ends as it should", watch_ended(&first, "cancelled"));
  watch_init(&second);
  CHECK("a start after the end is refused", is_error(llmrouter_call_start(call, watch_data, watch_end, &second, watch_destroy), "conflict"));
  CHECK("and lets go of its user data too", watch_let_go(&second));
  llmrouter_call_free(call);
}

/* ---- cancelling ---- */

static int stop(struct watch* w) { return w->data >= 2 ? LLMROUTER_STOP : LLMROUTER_CONTINUE; }
static int odd(struct watch* w) {
  (void)w;
  return 77;
}
static int cancel_self(struct watch* w) {
  llmrouter_call_cancel(w->arg);
  return LLMROUTER_CONTINUE;
}
static int free_self(struct watch* w) {
  llmrouter_call_free(w->arg);
  w->arg = NULL;
  w->act = NULL;
  return LLMROUTER_CONTINUE;
}

static void* cancel_later(void* call) {
  nap_ms(30);
  llmrouter_call_cancel(call);
  return NULL;
}

static void cancelling(llmrouter_router* router) {
  struct watch w;
  llmrouter_call* call;
  pthread_t thread;

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  llmrouter_call_cancel(call);
  CHECK("cancelled before the start", start(call, &w) && watch_ended(&w, "cancelled") && w.data == 0);
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  llmrouter_call_cancel(call);
  CHECK("cancelled before the run", is_error(llmrouter_call_run(call, watch_data, &w, watch_destroy, NULL), "cancelled") && watch_let_go(&w));
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_CHUNKS);
  watch_init(&w);
  CHECK("cancelled before the first token", start(call, &w) && (llmrouter_call_cancel(call), watch_ended(&w, "cancelled")));
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  CHECK("cancelled midway", start(call, &w) && watch_wait(&w, 2, 0) && (llmrouter_call_cancel(call), watch_ended(&w, "cancelled")));
  CHECK("the record says so", strstr(w.record, "\"status\":\"cancelled\"") != NULL);
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_WHOLE);
  watch_init(&w);
  CHECK("a whole call is cancelled", start(call, &w) && (nap_ms(20), llmrouter_call_cancel(call), watch_ended(&w, "cancelled")));
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = cancel_self;
  w.arg = call;
  CHECK("cancelled from its own callback", start(call, &w) && watch_ended(&w, "cancelled") && w.data == 1);
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  pthread_create(&thread, NULL, cancel_later, call);
  CHECK("a blocking call is cancelled from another thread",
        is_error(llmrouter_call_run(call, watch_data, &w, watch_destroy, NULL), "cancelled") && w.destroys == 1 && w.ends == 0);
  pthread_join(thread, NULL);
  llmrouter_call_free(call);

  watch_init(&w);
  w.act = stop;
  CHECK("a callback stops a blocking stream",
        is_error(llmrouter_stream(router, S("demo/slow"), S("a b c d e f g h i j k l m n o p"), watch_data, &w, watch_destroy), "cancelled") &&
            w.data == 2 && w.destroys == 1);
  call = new_call(router, kSlow, LLMROUTER_CHUNKS);
  watch_init(&w);
  w.act = stop;
  CHECK("a callback stops a started stream", start(call, &w) && watch_ended(&w, "cancelled") && w.data == 2);
  llmrouter_call_free(call);
  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = odd;
  CHECK("an unknown answer stops too", start(call, &w) && watch_ended(&w, "cancelled") && w.data == 1);
  llmrouter_call_free(call);
}

/* ---- handles that go while their call is in flight ---- */

static void freeing(llmrouter_router* router) {
  struct watch w;
  llmrouter_call* call;

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  CHECK("started and freed at once", start(call, &w) && (llmrouter_call_free(call), watch_ended(&w, "cancelled")));

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  CHECK("freed midway", start(call, &w) && watch_wait(&w, 1, 0) && (llmrouter_call_free(call), watch_ended(&w, "cancelled")));

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = free_self;
  w.arg = call;
  CHECK("freed by its own data callback", start(call, &w) && watch_ended(&w, "cancelled") && w.data == 1);

  call = new_call(router, kEcho, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = free_self;
  w.act_at_end = 1;
  w.arg = call;
  CHECK("freed by its own end callback", start(call, &w) && watch_ended(&w, "ok"));

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = free_self;
  w.arg = call;
  CHECK("freed by its own callback in a blocking run",
        is_error(llmrouter_call_run(call, watch_data, &w, watch_destroy, NULL), "cancelled") && w.data == 1 && w.destroys == 1);

  call = new_call(router, kEcho, LLMROUTER_TEXT);
  llmrouter_call_free(call);
  CHECK("a call that was never begun is freed", 1);
}

/* ---- pausing ---- */

static int pause_once(struct watch* w) { return w->data == 2 ? LLMROUTER_PAUSE : LLMROUTER_CONTINUE; }

static void* resume_later(void* call) {
  nap_ms(150);
  llmrouter_call_resume(call);
  return NULL;
}

static void pausing(llmrouter_router* router) {
  struct watch w;
  llmrouter_call* call;
  pthread_t thread;
  int seen;

  call = new_call(router, kEcho, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = pause_once;
  CHECK("a stream pauses", start(call, &w) && watch_wait(&w, 2, 0));
  nap_ms(100);
  seen = w.data;
  nap_ms(100);
  CHECK("nothing comes meanwhile", w.data == seen && w.ends == 0);
  llmrouter_call_resume(call);
  CHECK("it goes on to its end", watch_ended(&w, "ok") && strstr(w.text, "three") != NULL);
  llmrouter_call_free(call);

  call = new_call(router, kSlow, LLMROUTER_TEXT);
  watch_init(&w);
  CHECK("a stream is paused from outside", start(call, &w) && watch_wait(&w, 1, 0));
  llmrouter_call_pause(call);
  nap_ms(300);
  seen = w.data;
  nap_ms(300);
  CHECK("and holds", w.data == seen);
  llmrouter_call_cancel(call);
  CHECK("a paused stream is cancelled", watch_ended(&w, "cancelled"));
  llmrouter_call_free(call);

  call = new_call(router, kEcho, LLMROUTER_TEXT);
  watch_init(&w);
  w.act = pause_once;
  pthread_create(&thread, NULL, resume_later, call);
  CHECK("a blocking run that paused goes on when another thread says so",
        is_error(llmrouter_call_run(call, watch_data, &w, watch_destroy, NULL), NULL) && w.destroys == 1 && strstr(w.text, "three") != NULL);
  pthread_join(thread, NULL);
  llmrouter_call_free(call);

  call = new_call(router, kEcho, LLMROUTER_CHUNKS);
  watch_init(&w);
  llmrouter_call_pause(call);
  llmrouter_call_resume(call);
  CHECK("a pause that was taken back does nothing", start(call, &w) && watch_ended(&w, "ok"));
  llmrouter_call_free(call);
}

/* ---- closing ---- */

static int close_router(struct watch* w) {
  llmrouter_router* router = w->arg;
  w->arg = NULL;
  w->act = NULL;
  llmrouter_close(router);
  return LLMROUTER_CONTINUE;
}

static void closing(void) {
  enum { kCalls = 5 };
  struct watch w[kCalls], late;
  llmrouter_call* calls[kCalls];
  llmrouter_call* never;
  llmrouter_router* router = open_router();
  int i, good = 1;

  never = new_call(router, kEcho, LLMROUTER_TEXT);
  for (i = 0; i < kCalls; i++) {
    watch_init(&w[i]);
    calls[i] = new_call(router, kSlow, i % 2 ? LLMROUTER_TEXT : LLMROUTER_CHUNKS);
    good = good && start(calls[i], &w[i]);
  }
  CHECK("several calls are in flight", good && watch_wait(&w[0], 1, 0));
  llmrouter_close(router);
  for (good = 1, i = 0; i < kCalls; i++) good = good && w[i].destroys == 1 && watch_ended(&w[i], "cancelled");
  CHECK("closing ended each of them before it returned", good);
  for (i = 0; i < kCalls; i++) llmrouter_call_free(calls[i]);
  watch_init(&late);
  CHECK("a call of a closed router does not start", is_error(llmrouter_call_start(never, watch_data, watch_end, &late, watch_destroy), "shutting_down") &&
                                                        watch_let_go(&late));
  llmrouter_call_free(never);
  router = open_router();
  never = new_call(router, kEcho, LLMROUTER_TEXT);
  llmrouter_close(router);
  watch_init(&late);
  CHECK("nor does it run", is_error(llmrouter_call_run(never, watch_data, &late, watch_destroy, NULL), "shutting_down") && watch_let_go(&late));
  llmrouter_call_free(never);

  for (i = 0; i < 2; i++) {
    struct watch self, other;
    router = open_router();
    watch_init(&self);
    watch_init(&other);
    calls[0] = new_call(router, i ? kEcho : kSlow, LLMROUTER_TEXT);
    calls[1] = new_call(router, kSlow, LLMROUTER_TEXT);
    self.act = close_router;
    self.act_at_end = i;
    self.arg = router;
    good = start(calls[1], &other) && start(calls[0], &self);
    CHECK(i ? "closed by an end callback" : "closed by a data callback",
          good && watch_ended(&self, i ? "ok" : "cancelled") && watch_ended(&other, "cancelled"));
    llmrouter_call_free(calls[0]);
    llmrouter_call_free(calls[1]);
  }

  router = open_router();
  watch_init(&late);
  late.act = close_router;
  late.arg = router;
  calls[0] = new_call(router, kSlow, LLMROUTER_TEXT);
  CHECK("closed by a callback of a blocking run",
        is_error(llmrouter_call_run(calls[0], watch_data, &late, watch_destroy, NULL), "cancelled") && late.destroys == 1);
  llmrouter_call_free(calls[0]);
}

/* ---- NULL where a handle is needed ---- */

static void null_handles(void) {
  struct watch w;
  llmrouter_text* text = (llmrouter_text*)&w;
  llmrouter_call* call = (llmrouter_call*)&w;
  llmrouter_result* result = (llmrouter_result*)&w;
  const char* const bad = "invalid_request";

  watch_init(&w);
  CHECK("chat without a router", is_error(llmrouter_chat(NULL, S("m"), S("t"), &text), bad) && text == NULL);
  CHECK("call_new without a router", is_error(llmrouter_call_new(NULL, S(kEcho), &call), bad) && call == NULL);
  CHECK("stream without a router", is_error(llmrouter_stream(NULL, S("m"), S("t"), watch_data, &w, watch_destroy), bad) && watch_let_go(&w));
  watch_init(&w);
  CHECK("stream_json without a router", is_error(llmrouter_stream_json(NULL, S(kEcho), watch_data, &w, watch_destroy), bad) && watch_let_go(&w));
  watch_init(&w);
  CHECK("run without a call", is_error(llmrouter_call_run(NULL, watch_data, &w, watch_destroy, &result), bad) && result == NULL && watch_let_go(&w));
  watch_init(&w);
  CHECK("start without a call", is_error(llmrouter_call_start(NULL, watch_data, watch_end, &w, watch_destroy), bad) && watch_let_go(&w));
  watch_init(&w);
  CHECK("set_log without options", is_error(llmrouter_options_set_log(NULL, 0, NULL, &w, watch_destroy), bad) && watch_let_go(&w));
  CHECK("open without out", is_error(llmrouter_open(NULL, NULL), bad));
  CHECK("reload without a router", is_error(llmrouter_reload(NULL, NULL), bad));
  CHECK("set_mode without a call", is_error(llmrouter_call_set_mode(NULL, 0), bad));
  CHECK("keys without a router", is_error(llmrouter_keys_list(NULL, &text), bad));
  CHECK("usage without a router", is_error(llmrouter_usage(NULL, NULL, &text), bad));
  CHECK("filter_set without a filter", is_error(llmrouter_filter_set(NULL, S("limit"), S("1")), bad));
  llmrouter_call_cancel(NULL);
  llmrouter_call_pause(NULL);
  llmrouter_call_resume(NULL);
  llmrouter_call_free(NULL);
  llmrouter_close(NULL);
  llmrouter_options_free(NULL);
  llmrouter_filter_free(NULL);
  llmrouter_result_free(NULL);
  llmrouter_text_free(NULL);
  llmrouter_error_free(NULL);
  CHECK("accessors take NULL", llmrouter_text_size(NULL) == 0 && *llmrouter_error_code(NULL) == 0 && llmrouter_result_error(NULL) == NULL &&
                                   *llmrouter_result_body(NULL, NULL) == 0);
}

/* ---- many at once ---- */

static void* worker(void* argument) {
  llmrouter_router* router = argument;
  intptr_t bad = 0;
  int i;
  for (i = 0; i < 12; i++) {
    llmrouter_call* call = NULL;
    if (i % 3 == 0) {
      llmrouter_text* text = NULL;
      bad += !is_error(llmrouter_chat(router, S("demo/echo"), S("many at once"), &text), NULL);
      bad += !text_has(text, "once");
      continue;
    }
    {
      struct watch w;
      watch_init(&w);
      call = new_call(router, i % 2 ? kSlow : kEcho, i % 4 < 2 ? LLMROUTER_TEXT : LLMROUTER_CHUNKS);
      bad += !start(call, &w);
      if (i % 2) {
        nap_ms(i % 5);
        if (i % 4 == 1) {
          llmrouter_call_cancel(call);
          llmrouter_call_pause(call);
          llmrouter_call_resume(call);
        } else {
          llmrouter_call_free(call);
          call = NULL;
        }
      }
      bad += !watch_ended(&w, i % 2 ? "cancelled" : "ok");
      llmrouter_call_free(call);
    }
  }
  return (void*)bad;
}

static void crowd(llmrouter_router* router) {
  enum { kThreads = 6 };
  pthread_t threads[kThreads];
  intptr_t bad = 0;
  int i;
  for (i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, worker, router);
  for (i = 0; i < kThreads; i++) {
    void* result = NULL;
    pthread_join(threads[i], &result);
    bad += (intptr_t)result;
  }
  CHECK("many threads, many calls: each ended once", bad == 0);
}

int main(void) {
  llmrouter_router* router = open_router();
  success(router);
  blocking_result(router);
  failures();
  cut_streams(router);
  twice(router);
  cancelling(router);
  freeing(router);
  pausing(router);
  crowd(router);
  llmrouter_close(router);
  closing();
  null_handles();
  return finish();
}
