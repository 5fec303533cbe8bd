/* Filters that see all of a call: the request and the answer as JSON, a stream event by event; they change it, leave out of it and refuse it. */
#include "harness.h"

typedef struct {
  char request[4096];
  char response[4096];
  char events[8192];
  const char* request_out; /* NULL: it passes */
  int request_verdict;
  const char* response_out;
  int response_verdict;
  const char* kind; /* of the events that get event_verdict */
  const char* event_out;
  int event_verdict;
  int requests, destroys;
} Seen;

static Seen g_seen;

static void add(char* to, size_t room, const char* text, size_t size) {
  if (strlen(to) + size + 2 > room) return;
  strncat(to, text, size);
  strcat(to, "\n");
}

static int on_filter(void* user_data, uint64_t attempt, int place, const char* json, size_t size, llmrouter_text* out) {
  Seen* seen = (Seen*)user_data;
  if (attempt == 0) return LLMROUTER_VERDICT_REFUSE;
  if (place == LLMROUTER_FILTER_REQUEST) {
    seen->requests++;
    add(seen->request, sizeof seen->request, json, size);
    if (seen->request_out) is_error(llmrouter_text_append(out, S(seen->request_out)), NULL);
    return seen->request_verdict;
  }
  if (place == LLMROUTER_FILTER_RESPONSE) {
    add(seen->response, sizeof seen->response, json, size);
    if (seen->response_out) is_error(llmrouter_text_append(out, S(seen->response_out)), NULL);
    return seen->response_verdict;
  }
  add(seen->events, sizeof seen->events, json, size);
  if (seen->kind) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "{\"kind\":\"%s\"", seen->kind);
    if (size >= strlen(wanted) && strncmp(json, wanted, strlen(wanted)) == 0) {
      if (seen->event_out) is_error(llmrouter_text_append(out, S(seen->event_out)), NULL);
      return seen->event_verdict;
    }
  }
  return LLMROUTER_VERDICT_PASS;
}

static void destroy(void* user_data) { ((Seen*)user_data)->destroys++; }

static void again(void) {
  const int destroys = g_seen.destroys;
  memset(&g_seen, 0, sizeof g_seen);
  g_seen.destroys = destroys;
}

static char g_chunks[16384];
static int on_chunk(void* user_data, const char* data, size_t size) {
  (void)user_data;
  add(g_chunks, sizeof g_chunks, data, size);
  return LLMROUTER_CONTINUE;
}

static int streamed(llmrouter_router* router, const char* body) {
  g_chunks[0] = 0;
  return is_error(llmrouter_stream_json(router, S(body), on_chunk, NULL, NULL), NULL);
}
static int has(const char* text, const char* part) {
  const int good = strstr(text, part) != NULL;
  if (!good) printf("  got %s\n", text);
  return good;
}
static int has_not(const char* text, const char* part) {
  const int good = strstr(text, part) == NULL;
  if (!good) printf("  got %s\n", text);
  return good;
}

#define HELLO "{\"model\":\"m\",\"temperature\":0.5,\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}]}"
#define TOOL "{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}"
#define CALL "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"call get_weather\"}],\"tools\":[" TOOL "]}"

static void requests(llmrouter_router* router) {
  llmrouter_text* text = NULL;
  llmrouter_error* error;

  again();
  CHECK("what passes is as it was", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && text_has(text, "hello there"));
  CHECK("the request was told", has(g_seen.request, "\"temperature\":0.5") && has(g_seen.request, "{\"role\":\"user\",\"content\":\"hello there\"}"));
  CHECK("and the answer", has(g_seen.response, "\"finish_reason\":\"stop\"") && has(g_seen.response, "hello there") && g_seen.requests == 1);

  again();
  g_seen.request_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.request_out = "{\"model\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"other words\"}]}";
  CHECK("a request is replaced", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && text_has(text, "other words"));

  again();
  g_seen.request_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.request_out = CALL;
  CHECK("it may get tools", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && text_has(text, "\"get_weather\""));

  again();
  g_seen.request_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.request_out = "{\"model\":\"x\",\"messages\":";
  CHECK("what is no request is an error", is_error(llmrouter_chat_json(router, S(HELLO), &text), "internal") && text == NULL);

  again();
  g_seen.request_verdict = LLMROUTER_VERDICT_REFUSE;
  g_seen.request_out = "not on a Sunday";
  error = llmrouter_chat_json(router, S(HELLO), &text);
  CHECK("a request is refused in the filter's words", error != NULL && has(llmrouter_error_message(error), "not on a Sunday") && llmrouter_error_status(error) == 400);
  CHECK("and nobody answered", is_error(error, "invalid_request") && g_seen.response[0] == 0);

  again();
  g_seen.request_verdict = 77;
  CHECK("a verdict that there is not refuses", is_error(llmrouter_chat_json(router, S(HELLO), &text), "invalid_request"));
}

static void responses(llmrouter_router* router) {
  llmrouter_text* text = NULL;

  again();
  g_seen.response_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.response_out = "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"no comment\"},"
                        "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":999999,\"completion_tokens\":1,\"total_tokens\":1000000}}";
  CHECK("an answer is replaced", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && has(llmrouter_text_data(text), "no comment") &&
                                     has(llmrouter_text_data(text), "\"finish_reason\":\"length\""));
  CHECK("what it cost is not", has_not(llmrouter_text_data(text), "999999") && text_has(text, "\"usage\""));

  again();
  g_seen.response_verdict = LLMROUTER_VERDICT_REFUSE;
  CHECK("an answer is refused", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && has_not(llmrouter_text_data(text), "hello") &&
                                    text_has(text, "\"finish_reason\":\"content_filter\""));

  again();
  g_seen.response_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.response_out = "{";
  CHECK("as is one that became none", is_error(llmrouter_chat_json(router, S(HELLO), &text), NULL) && has_not(llmrouter_text_data(text), "hello") &&
                                          text_has(text, "\"finish_reason\":\"content_filter\""));
}

static void streams(llmrouter_router* router) {
  again();
  CHECK("a stream passes", streamed(router, HELLO) && has(g_chunks, "\"finish_reason\":\"stop\""));
  CHECK("event by event", has(g_seen.events, "{\"kind\":\"start\",\"choice\":0,\"id\":") && has(g_seen.events, "{\"kind\":\"text\",\"choice\":0,\"text\":") &&
                              has(g_seen.events, "{\"kind\":\"finish\",\"choice\":0,\"finish\":\"stop\"}") && has(g_seen.events, "{\"kind\":\"usage\""));

  again();
  g_seen.kind = "text";
  g_seen.event_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.event_out = "beep ";
  CHECK("words are replaced", streamed(router, HELLO) && has(g_chunks, "beep ") && has_not(g_chunks, "hello"));

  again();
  g_seen.kind = "text";
  g_seen.event_verdict = LLMROUTER_VERDICT_DROP;
  CHECK("or left out", streamed(router, HELLO) && has_not(g_chunks, "hello") && has(g_chunks, "\"finish_reason\":\"stop\""));

  again();
  g_seen.kind = "finish";
  g_seen.event_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.event_out = "(the end)";
  CHECK("something is said at the end", streamed(router, HELLO) && has(g_chunks, "(the end)") && has(g_chunks, "\"finish_reason\":\"stop\""));

  again();
  g_seen.kind = "finish";
  g_seen.event_verdict = LLMROUTER_VERDICT_DROP;
  CHECK("the end is not left out", streamed(router, HELLO) && has(g_chunks, "\"finish_reason\":\"stop\""));

  again();
  g_seen.kind = "text";
  g_seen.event_verdict = LLMROUTER_VERDICT_REFUSE;
  CHECK("a stream is refused", streamed(router, HELLO) && has_not(g_chunks, "hello") && has(g_chunks, "\"finish_reason\":\"content_filter\""));
}

static void calls(llmrouter_router* router) {
  again();
  CHECK("calls pass", streamed(router, CALL) && has(g_chunks, "\"get_weather\"") && has(g_chunks, "\"finish_reason\":\"tool_calls\""));
  CHECK("and are told", has(g_seen.events, "{\"kind\":\"tool_call\",\"choice\":0,\"tool\":0,\"id\":") && has(g_seen.events, "\"name\":\"get_weather\""));

  again();
  g_seen.kind = "arguments";
  g_seen.event_verdict = LLMROUTER_VERDICT_REPLACE;
  g_seen.event_out = "{}";
  CHECK("their arguments are replaced", streamed(router, CALL) && has(g_chunks, "\"arguments\":\"{}\""));

  again();
  g_seen.kind = "tool_call";
  g_seen.event_verdict = LLMROUTER_VERDICT_DROP;
  CHECK("a call is left out with its arguments", streamed(router, CALL) && has_not(g_chunks, "\"tool_calls\":[") && has_not(g_seen.events, "\"arguments\",\"choice\""));
  CHECK("and the stream does not end with one", has(g_chunks, "\"finish_reason\":\"stop\""));
}

int main(void) {
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;

  is_error(llmrouter_options_new(&o), NULL);
  is_error(llmrouter_options_set_yaml(o, S("storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {m: {targets: [demo/echo], filters: [mine]}}\n")), NULL);
  CHECK("it needs a function", is_error(llmrouter_options_add_json_filter(o, S("mine"), NULL, &g_seen, destroy), "invalid_request") && g_seen.destroys == 1);
  CHECK("and a name", is_error(llmrouter_options_add_json_filter(o, NULL, 0, on_filter, &g_seen, destroy), "invalid_request") && g_seen.destroys == 2);
  CHECK("and options", is_error(llmrouter_options_add_json_filter(NULL, S("mine"), on_filter, &g_seen, destroy), "invalid_request") && g_seen.destroys == 3);
  CHECK("it is registered", is_error(llmrouter_options_add_json_filter(o, S("mine"), on_filter, &g_seen, destroy), NULL));
  CHECK("the router opens", is_error(llmrouter_open(o, &router), NULL) && router != NULL);
  llmrouter_options_free(o);
  if (router) {
    requests(router);
    responses(router);
    streams(router);
    calls(router);
  }
  CHECK("it lives with its router", g_seen.destroys == 3);
  llmrouter_close(router);
  CHECK("and is let go once", g_seen.destroys == 4);
  return finish();
}
