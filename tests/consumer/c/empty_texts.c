/* (NULL, 0) is the empty text for every function that takes one: the same answer as ("", 0), which is what these say. (NULL, 5) is a mistake, and told. Worth most with
 * -fsanitize=address,undefined. */
#include "harness.h"

static int g_destroys;
static void destroy(void* user_data) {
  (void)user_data;
  g_destroys++;
}
static int on_data(void* user_data, const char* data, size_t size) {
  (void)user_data;
  (void)data;
  (void)size;
  return LLMROUTER_CONTINUE;
}
static void on_log(void* user_data, int level, const char* line, size_t size) {
  (void)user_data;
  (void)level;
  (void)line;
  (void)size;
}
static void on_filter(void* user_data, uint64_t attempt, int place, int64_t choice, const char* text, size_t size, llmrouter_text* out) {
  (void)user_data;
  (void)attempt;
  (void)place;
  (void)choice;
  is_error(llmrouter_text_append(out, NULL, 0), NULL);
  is_error(llmrouter_text_append(out, text, size), NULL);
}

static void options(void) {
  static const int bad_levels[] = {-1, 4, 9, 1 << 30};
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;
  llmrouter_text* text = NULL;
  const char* const bad = "invalid_request";
  size_t i;

  is_error(llmrouter_options_new(&o), NULL);
  is_error(llmrouter_options_use_environment(o, 0), NULL);
  CHECK("a file of no name is none", is_error(llmrouter_options_set_file(o, NULL, 0), NULL));
  CHECK("a path of no name", is_error(llmrouter_options_set(o, NULL, 0, NULL, 0), bad));
  CHECK("a provider of no name", is_error(llmrouter_options_add_provider(o, NULL, 0, NULL, 0, NULL, 0), bad));
  CHECK("a model of no name", is_error(llmrouter_options_add_model(o, NULL, 0, NULL, 0), bad));
  CHECK("a model of no target", is_error(llmrouter_options_add_model(o, S("m"), NULL, 0), bad));
  CHECK("a filter of no name, let go", is_error(llmrouter_options_add_filter(o, NULL, 0, on_filter, NULL, destroy), bad) && g_destroys == 1);
  CHECK("also where it is not NULL", is_error(llmrouter_options_add_filter(o, "", 0, on_filter, NULL, destroy), bad) && g_destroys == 2);
  CHECK("a filter", is_error(llmrouter_options_add_filter(o, S("mine"), on_filter, NULL, NULL), NULL));
  g_destroys = 0;
  for (i = 0; i < sizeof bad_levels / sizeof *bad_levels; i++) {
    CHECK("a level that there is not, let go",
          is_error(llmrouter_options_set_log(o, bad_levels[i], on_log, NULL, destroy), bad) && g_destroys == (int)i + 1);
  }
  CHECK("the highest level", is_error(llmrouter_options_set_log(o, LLMROUTER_LOG_ERROR, on_log, NULL, NULL), NULL));
  is_error(llmrouter_options_set(o, S("storage.keys"), S("memory:")), NULL);
  is_error(llmrouter_options_set(o, S("storage.usage"), S("memory:")), NULL);
  is_error(llmrouter_options_set(o, S("models.m"), S("{targets: demo/echo, filters: [mine]}")), NULL);
  CHECK("these open a router", is_error(llmrouter_open(o, &router), NULL));
  CHECK("which answers", is_error(llmrouter_chat(router, S("m"), S("hello"), &text), NULL) && text_has(text, "hello"));
  llmrouter_close(router);
  is_error(llmrouter_options_set(o, S("routing.attempts"), NULL, 0), NULL);
  CHECK("an empty value is none", is_error(llmrouter_options_check(o, &text), NULL));
  llmrouter_text_free(text);
  llmrouter_options_free(o);
  is_error(llmrouter_options_new(&o), NULL);
  CHECK("YAML of nothing", is_error(llmrouter_options_set_yaml(o, NULL, 0), NULL) && is_error(llmrouter_options_check(o, &text), NULL));
  llmrouter_text_free(text);
  llmrouter_options_free(o);
}

static void mistakes(llmrouter_router* router) {
  const char* const bad = "invalid_request";
  llmrouter_text* text = NULL;
  CHECK("a model of NULL and a size", is_error(llmrouter_chat(router, NULL, 5, S("hello"), &text), bad) && text == NULL);
  CHECK("a text", is_error(llmrouter_chat(router, S("demo/echo"), NULL, 5, &text), bad) && text == NULL);
  CHECK("a key, where nothing is given back", is_error(llmrouter_keys_clear_override(router, NULL, 5), bad));
  g_destroys = 0;
  CHECK("and the user is let go", is_error(llmrouter_stream(router, NULL, 5, S("hello"), on_data, NULL, destroy), bad) && g_destroys == 1);
}

static llmrouter_call* new_call(llmrouter_router* router) {
  llmrouter_call* call = NULL;
  is_error(llmrouter_call_new_text(router, S("demo/echo"), S("hello"), &call), NULL);
  return call;
}

static void calls(llmrouter_router* router) {
  const char* const bad = "invalid_request";
  llmrouter_text* text = NULL;
  llmrouter_call* call = NULL;

  CHECK("chat with no model", is_error(llmrouter_chat(router, NULL, 0, NULL, 0, &text), bad) && text == NULL);
  CHECK("chat with no text", is_error(llmrouter_chat(router, S("demo/echo"), NULL, 0, &text), NULL));
  llmrouter_text_free(text);
  CHECK("no body", is_error(llmrouter_chat_json(router, NULL, 0, &text), bad) && text == NULL);
  g_destroys = 0;
  CHECK("a stream of no model", is_error(llmrouter_stream(router, NULL, 0, NULL, 0, on_data, NULL, destroy), bad) && g_destroys == 1);
  CHECK("a stream of no body", is_error(llmrouter_stream_json(router, NULL, 0, on_data, NULL, destroy), bad) && g_destroys == 2);
  CHECK("a call of no body", is_error(llmrouter_call_new(router, NULL, 0, &call), NULL) && is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), bad));
  llmrouter_call_free(call);
  CHECK("a call of no model", is_error(llmrouter_call_new_text(router, NULL, 0, NULL, 0, &call), NULL) &&
                                  is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), bad));
  llmrouter_call_free(call);

  call = new_call(router);
  CHECK("no id, no provider", is_error(llmrouter_call_set_request_id(call, NULL, 0), NULL) && is_error(llmrouter_call_set_provider(call, NULL, 0), NULL));
  CHECK("a header of no name", is_error(llmrouter_call_add_header(call, NULL, 0, NULL, 0), bad));
  CHECK("a header of no value", is_error(llmrouter_call_add_header(call, S("x-a"), NULL, 0), NULL));
  CHECK("rules for nobody else", is_error(llmrouter_rules_test(call, NULL, 0, &text), NULL) && text_has(text, "\"plan\""));
  CHECK("it runs", is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), NULL));
  llmrouter_call_free(call);
  call = new_call(router);
  CHECK("no key, of a router that has none", is_error(llmrouter_call_set_key(call, NULL, 0), NULL) && is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), NULL));
  llmrouter_call_free(call);
  CHECK("the plan of no model", is_error(llmrouter_explain(router, NULL, 0, &text), "invalid_request") && text == NULL);
}

static void run_time(llmrouter_router* router) {
  const char* const bad = "invalid_request";
  llmrouter_text* text = NULL;
  llmrouter_filter* filter = NULL;

  CHECK("no rule", is_error(llmrouter_rules_set(router, NULL, 0, &text), bad) && text == NULL);
  CHECK("a rule of no name", is_error(llmrouter_rules_remove(router, NULL, 0), "not_found"));
  CHECK("the switch, by nobody", is_error(llmrouter_switch_toggle(router, LLMROUTER_SWITCH_ON, NULL, 0, NULL, 0, &text), NULL) && text_has(text, "enabled"));
  CHECK("a key of nothing", is_error(llmrouter_keys_create(router, NULL, 0, NULL, 0, &text), bad) && text == NULL);
  CHECK("a key of no prefix", is_error(llmrouter_keys_create(router, S("{\"name\":\"ci\"}"), NULL, 0, &text), NULL) && text_has(text, "\"ci\""));
  CHECK("show", is_error(llmrouter_keys_show(router, NULL, 0, &text), bad));
  CHECK("modify", is_error(llmrouter_keys_modify(router, NULL, 0, NULL, 0, &text), bad));
  CHECK("modify by nothing", is_error(llmrouter_keys_modify(router, S("ci"), NULL, 0, &text), bad));
  CHECK("revoke", is_error(llmrouter_keys_revoke(router, NULL, 0), bad));
  CHECK("limits", is_error(llmrouter_keys_limits(router, NULL, 0, &text), bad));
  CHECK("check", is_error(llmrouter_keys_check(router, NULL, 0, &text), "missing_key"));
  CHECK("override", is_error(llmrouter_keys_override(router, NULL, 0, &text), bad));
  CHECK("set_override", is_error(llmrouter_keys_set_override(router, NULL, 0, NULL, 0), bad));
  CHECK("set_override to nothing", is_error(llmrouter_keys_set_override(router, S("ci"), NULL, 0), bad));
  CHECK("clear_override", is_error(llmrouter_keys_clear_override(router, NULL, 0), bad));
  CHECK("start_session", is_error(llmrouter_keys_start_session(router, NULL, 0, NULL, 0, &text), bad));
  CHECK("start_session of nothing", is_error(llmrouter_keys_start_session(router, S("ci"), NULL, 0, &text), bad));
  CHECK("sessions", is_error(llmrouter_keys_sessions(router, NULL, 0, &text), bad));
  CHECK("end_session", is_error(llmrouter_keys_end_session(router, NULL, 0, NULL, 0), bad));
  CHECK("end_session, all of them", is_error(llmrouter_keys_end_session(router, S("ci"), NULL, 0), NULL));
  is_error(llmrouter_filter_new(&filter), NULL);
  CHECK("a filter of no name", is_error(llmrouter_filter_set(filter, NULL, 0, NULL, 0), bad));
  CHECK("a filter of no value", is_error(llmrouter_filter_set(filter, S("key"), NULL, 0), NULL));
  CHECK("filters nothing", is_error(llmrouter_usage(router, filter, &text), NULL) && text_has(text, "demo/echo"));
  CHECK("a sum of all", is_error(llmrouter_usage_sum(router, NULL, 0, filter, &text), NULL) && text_has(text, "\"calls\""));
  llmrouter_filter_free(filter);
}

/* What is lent of nothing: the empty text, and its size. */
static void of_nothing(void) {
  size_t size = 7;
  CHECK("the body of no result", *llmrouter_result_body(NULL, &size) == 0 && size == 0);
  size = 7;
  CHECK("the text of no result", *llmrouter_result_text(NULL, &size) == 0 && size == 0);
  size = 7;
  CHECK("the record of no result", *llmrouter_result_record(NULL, &size) == 0 && size == 0);
}

int main(void) {
  llmrouter_router* router = NULL;
  llmrouter_router* other = NULL;
  options();
  CHECK("a router of no YAML", is_error(llmrouter_open_yaml(NULL, 0, &other), NULL));
  llmrouter_close(other);
  CHECK("a router of no file", is_error(llmrouter_open_file(NULL, 0, &other), NULL));
  llmrouter_close(other);
  is_error(llmrouter_open_yaml(S("storage: {keys: 'memory:', usage: 'memory:'}"), &router), NULL);
  calls(router);
  run_time(router);
  mistakes(router);
  of_nothing();
  llmrouter_close(router);
  return finish();
}
