/* What waits for the lists of a provider that says nothing can be ended from another thread: a call by its cancel, both by closing the router. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static int g_destroys;
static void destroy(void* user_data) {
  (void)user_data;
  g_destroys++;
}

/* A provider that takes a connection and then says nothing. */
static int listen_on(int* port) {
  struct sockaddr_in at;
  socklen_t size = sizeof at;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(&at, 0, sizeof at);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr*)&at, sizeof at) != 0 || listen(fd, 8) != 0 || getsockname(fd, (struct sockaddr*)&at, &size) != 0) return -1;
  *port = ntohs(at.sin_port);
  return fd;
}

/* Runs `act` once the provider has been asked. */
struct other {
  int listener;
  int asked;
  void (*act)(void* object);
  void* object;
};
static void* other_thread(void* argument) {
  struct other* o = argument;
  char head[4];
  o->asked = accept(o->listener, NULL, NULL);
  if (o->asked >= 0 && recv(o->asked, head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head && memcmp(head, "GET ", 4) == 0) o->act(o->object);
  return NULL;
}

static void resume_and_cancel(void* call) {
  const struct timespec nap = {0, 20000000};
  llmrouter_call_resume(call); /* begins nothing while the lists are waited for */
  nanosleep(&nap, NULL);
  llmrouter_call_cancel(call);
}
static void close_router(void* router) { llmrouter_close(router); }

static llmrouter_router* open_router(int port) {
  char yaml[256];
  llmrouter_router* router = NULL;
  snprintf(yaml, sizeof yaml, "storage: {keys: 'memory:', usage: 'memory:'}\nproviders: {lab: {base_url: 'http://127.0.0.1:%d/v1', api_key: k}}\n", port);
  is_error(llmrouter_open_yaml(yaml, strlen(yaml), &router), NULL);
  return router;
}

static int soon(time_t start) { return time(NULL) - start < 4; }

int main(void) {
  int port = 0;
  struct other o;
  pthread_t thread;
  time_t start;
  llmrouter_text* text = NULL;
  llmrouter_call* call = NULL;
  llmrouter_router* router;
  memset(&o, 0, sizeof o);
  o.listener = listen_on(&port);
  router = open_router(port);
  if (o.listener < 0 || router == NULL) return 1;

  is_error(llmrouter_call_new_text(router, S("a-bare-name"), S("hello"), &call), NULL);
  o.act = resume_and_cancel;
  o.object = call;
  start = time(NULL);
  pthread_create(&thread, NULL, other_thread, &o);
  CHECK("a call that waits for lists is cancelled", is_error(llmrouter_call_run(call, NULL, NULL, destroy, NULL), "cancelled") && g_destroys == 1);
  CHECK("at once", soon(start));
  pthread_join(thread, NULL);
  close(o.asked);
  llmrouter_call_free(call);

  is_error(llmrouter_call_new_text(router, S("a-bare-name"), S("hello"), &call), NULL);
  o.act = close_router;
  o.object = router;
  start = time(NULL);
  pthread_create(&thread, NULL, other_thread, &o);
  CHECK("a router that is closed ends it, too", is_error(llmrouter_call_run(call, NULL, NULL, destroy, NULL), "cancelled") && g_destroys == 2);
  CHECK("as soon", soon(start));
  pthread_join(thread, NULL);
  close(o.asked);
  llmrouter_call_free(call);

  o.object = open_router(port);
  start = time(NULL);
  pthread_create(&thread, NULL, other_thread, &o);
  CHECK("and those who ask for the list, who get what is known", is_error(llmrouter_models(o.object, 1, &text), NULL) && text_has(text, "\"demo/echo\""));
  CHECK("soon as well", soon(start));
  pthread_join(thread, NULL);
  close(o.asked);
  close(o.listener);
  return finish();
}
