/* What else the C ABI can do: options, keys, limits, rules, the switch, overrides, plans, models, usage, metrics, logs. */
#include "harness.h"

static int g_lines, g_log_destroys;
static void on_log(void* user_data, int level, const char* line, size_t size) {
  (void)user_data;
  (void)level;
  if (line != NULL && size > 0) g_lines++;
}
static void log_destroy(void* user_data) {
  (void)user_data;
  g_log_destroys++;
}

/* The string member `name` of a JSON text, copied to `out`. */
static int member(llmrouter_text* text, const char* name, char* out, size_t room) {
  char wanted[64];
  const char* at;
  size_t n = 0;
  snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
  at = text ? strstr(llmrouter_text_data(text), wanted) : NULL;
  if (at == NULL) return 0;
  for (at += strlen(wanted); *at && *at != '"' && n + 1 < room; at++) out[n++] = *at;
  out[n] = 0;
  return 1;
}

static void options(void) {
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;
  llmrouter_text* text = NULL;
  llmrouter_error* error;

  CHECK("options are made", is_error(llmrouter_options_new(&o), NULL));
  is_error(llmrouter_options_use_environment(o, 0), NULL);
  is_error(llmrouter_options_set(o, S("storage.keys"), S("memory:")), NULL);
  is_error(llmrouter_options_set(o, S("storage.usage"), S("off")), NULL);
  CHECK("a provider is added", is_error(llmrouter_options_add_provider(o, S("lab"), S("http://127.0.0.1:9/v1"), S("key-${HOME}-1234567890")), NULL));
  CHECK("a provider needs a name", is_error(llmrouter_options_add_provider(o, NULL, 0, S("http://127.0.0.1:9/v1"), NULL, 0), "invalid_request"));
  CHECK("a model is added", is_error(llmrouter_options_add_model(o, S("smart-4.1"), S("lab/first")), NULL));
  CHECK("with an alternative", is_error(llmrouter_options_add_model(o, S("smart-4.1"), S("demo/echo")), NULL));
  CHECK("logs are taken", is_error(llmrouter_options_set_log(o, LLMROUTER_LOG_DEBUG, on_log, NULL, log_destroy), NULL));
  error = llmrouter_open(o, &router);
  CHECK("a router of options opens", is_error(error, NULL) && router != NULL);
  llmrouter_options_free(o);
  CHECK("the log lives with its router", g_log_destroys == 0);
  if (router) {
    CHECK("the plan has both targets", is_error(llmrouter_explain(router, S("smart-4.1"), &text), NULL) && strstr(llmrouter_text_data(text), "\"first\"") &&
                                           text_has(text, "\"echo\""));
    CHECK("the key went in as it is, and shows only a hint",
          is_error(llmrouter_providers(router, &text), NULL) && strstr(llmrouter_text_data(text), "1234567890") == NULL && text_has(text, "\"lab\""));
    CHECK("a dead first target is survived", is_error(llmrouter_chat(router, S("smart-4.1"), S("still here"), &text), NULL) && text_has(text, "still"));
    CHECK("a provider that is not there is an error", is_error(llmrouter_chat(router, S("lab/first"), S("anybody?"), &text), "upstream_error") && text == NULL);
    CHECK("usage that is off says so", is_error(llmrouter_usage(router, NULL, &text), "not_supported") && text == NULL);
  }
  llmrouter_close(router);
  CHECK("the log is let go once", g_log_destroys == 1);
  CHECK("something was logged", g_lines > 0);
}

static int g_filter_destroys, g_filter_attempts, g_filter_ends;
static void on_filter(void* user_data, uint64_t attempt, int place, int64_t choice, const char* text, size_t size, llmrouter_text* out) {
  char mark[16];
  (void)user_data;
  if (choice != 0 || attempt == 0) return;
  if ((int)attempt > g_filter_attempts) g_filter_attempts = (int)attempt;
  if (place == LLMROUTER_FILTER_END) g_filter_ends++;
  snprintf(mark, sizeof mark, "[%d]", place);
  is_error(llmrouter_text_append(out, mark, strlen(mark)), NULL);
  is_error(llmrouter_text_append(out, text, size), NULL);
}
static void filter_destroy(void* user_data) {
  (void)user_data;
  g_filter_destroys++;
}
static char g_streamed[4096];
static int on_streamed(void* user_data, const char* text, size_t size) {
  (void)user_data;
  if (strlen(g_streamed) + size < sizeof g_streamed) strncat(g_streamed, text, size);
  return 0;
}

static void filters(void) {
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;
  llmrouter_text* text = NULL;

  is_error(llmrouter_options_new(&o), NULL);
  is_error(llmrouter_options_set_yaml(o, S("storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {marked: {targets: [demo/echo], filters: [mark]}}\n")), NULL);
  CHECK("a filter that nobody registered is a fault", is_error(llmrouter_open(o, &router), "config") && router == NULL);
  CHECK("a filter needs a function", is_error(llmrouter_options_add_filter(o, S("mark"), NULL, NULL, filter_destroy), "invalid_request") && g_filter_destroys == 1);
  CHECK("a filter is registered", is_error(llmrouter_options_add_filter(o, S("mark"), on_filter, NULL, filter_destroy), NULL));
  CHECK("a router with a filter opens", is_error(llmrouter_open(o, &router), NULL) && router != NULL);
  llmrouter_options_free(o);
  CHECK("the filter lives with its router", g_filter_destroys == 1);
  if (router) {
    CHECK("request and answer pass the filter", is_error(llmrouter_chat(router, S("marked"), S("hello"), &text), NULL) && text_has(text, "[1]"));
    CHECK("others do not", is_error(llmrouter_chat(router, S("demo/echo"), S("hello"), &text), NULL) && strstr(llmrouter_text_data(text), "[") == NULL);
    llmrouter_text_free(text);
    CHECK("a stream passes it", is_error(llmrouter_stream(router, S("marked"), S("hello"), on_streamed, NULL, NULL), NULL));
    CHECK("piece by piece, and to its end", strstr(g_streamed, "[2]") != NULL && strstr(g_streamed, "[3]") != NULL && g_filter_ends == 1);
    CHECK("each attempt has its number", g_filter_attempts == 2);
  }
  llmrouter_close(router);
  CHECK("the filter is let go once", g_filter_destroys == 2);
}

static void bad_options(void) {
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;
  llmrouter_error* error;

  error = llmrouter_open_yaml(S("routing: {attempts: many}\nprovidres: {}\n"), &router);
  CHECK("every fault of a configuration is told with its place",
        error != NULL && router == NULL && strstr(llmrouter_error_message(error), "routing.attempts") && strstr(llmrouter_error_message(error), "providers") &&
            strcmp(llmrouter_error_code(error), "config") == 0);
  llmrouter_error_free(error);
  CHECK("a file that is not there", is_error(llmrouter_open_file(S("/nonexistent/llmrouter.yaml"), &router), "config") && router == NULL);
  is_error(llmrouter_options_new(&o), NULL);
  is_error(llmrouter_options_set(o, S("routing.atempts"), S("2")), NULL);
  CHECK("a wrong path is told when the router is opened", is_error(llmrouter_open(o, &router), "config") && router == NULL);
  llmrouter_options_free(o);
  CHECK("a path must not be empty", is_error(llmrouter_options_new(&o), NULL) && is_error(llmrouter_options_set(o, NULL, 0, S("2")), "invalid_request"));
  g_log_destroys = 0;
  is_error(llmrouter_options_set_log(o, LLMROUTER_LOG_INFO, on_log, NULL, log_destroy), NULL);
  is_error(llmrouter_options_set_log(o, LLMROUTER_LOG_INFO, on_log, NULL, log_destroy), NULL);
  CHECK("a log that is replaced is let go", g_log_destroys == 1);
  llmrouter_options_free(o);
  CHECK("options let go of their log", g_log_destroys == 2);
}

static llmrouter_error* chat_with_key(llmrouter_router* router, const char* model, const char* key) {
  llmrouter_call* call = NULL;
  llmrouter_error* error = llmrouter_call_new_text(router, S(model), S("hello"), &call);
  if (!error) error = llmrouter_call_set_key(call, key, strlen(key));
  if (!error) error = llmrouter_call_run(call, NULL, NULL, NULL, NULL);
  llmrouter_call_free(call);
  return error;
}

static void keys(llmrouter_router* router) {
  llmrouter_text* text = NULL;
  llmrouter_error* error;
  char secret[128] = "", id[64] = "", found[64] = "";

  CHECK("a key is made", is_error(llmrouter_keys_create(router,
                                                        S("{\"name\":\"ci\",\"limits\":{\"requests\":\"2/min\"},\"allow\":{\"models\":[\"demo/echo\"]},"
                                                          "\"budget\":{\"usd\":5,\"per\":\"day\"}}"),
                                                        S("test-"), &text),
                                  NULL) &&
                             member(text, "key", secret, sizeof secret) && member(text, "id", id, sizeof id) && strncmp(secret, "test-", 5) == 0);
  llmrouter_text_free(text);
  CHECK("its secret is not shown again", is_error(llmrouter_keys_show(router, S("ci"), &text), NULL) && strstr(llmrouter_text_data(text), secret) == NULL &&
                                             text_has(text, id));
  CHECK("it is listed", is_error(llmrouter_keys_list(router, &text), NULL) && text_has(text, id));
  CHECK("its secret finds it", is_error(llmrouter_keys_check(router, S(secret), &text), NULL) && member(text, "id", found, sizeof found) && !strcmp(found, id));
  llmrouter_text_free(text);
  CHECK("another secret does not", is_error(llmrouter_keys_check(router, S("sk-wrong"), &text), "invalid_key") && text == NULL);

  CHECK("a call with the key", is_error(chat_with_key(router, "demo/echo", secret), NULL));
  CHECK("a model the key may not use", is_error(chat_with_key(router, "demo/slow", secret), "model_not_allowed"));
  CHECK("a wrong key", is_error(chat_with_key(router, "demo/echo", "sk-wrong"), "invalid_key"));
  CHECK("no key where one is needed", is_error(chat_with_key(router, "demo/echo", ""), "missing_key"));
  CHECK("how its limits stand", is_error(llmrouter_keys_limits(router, S("ci"), &text), NULL) && strstr(llmrouter_text_data(text), "\"limit\":2") &&
                                    strstr(llmrouter_text_data(text), "\"remaining\":1") && text_has(text, "\"budget\":{\"usd\":\"5.00\""));
  CHECK("the second call", is_error(chat_with_key(router, "demo/echo", secret), NULL));
  error = chat_with_key(router, "demo/echo", secret);
  CHECK("the third is over the limit, and says when to come back",
        error && !strcmp(llmrouter_error_code(error), "rate_limited") && llmrouter_error_status(error) == 429 && llmrouter_error_retry_after_ms(error) > 0);
  llmrouter_error_free(error);
  CHECK("the application itself has no such limit", is_error(llmrouter_chat(router, S("demo/echo"), S("hello"), &text), NULL) && text_has(text, "hello"));

  CHECK("the key is changed", is_error(llmrouter_keys_modify(router, S(id), S("{\"limits\":{\"requests\":\"100/min\"},\"allow\":null}"), &text), NULL) &&
                                  text_has(text, "\"models\":[]"));
  CHECK("and may more", is_error(chat_with_key(router, "demo/echo", secret), NULL));
  error = llmrouter_keys_modify(router, S(id), S("{\"limits\":{\"requests\":\"often\"}}"), &text);
  CHECK("a wrong change names the member", error && text == NULL && !strcmp(llmrouter_error_param(error), "limits.requests"));
  llmrouter_error_free(error);
  CHECK("a wrong key is not made", is_error(llmrouter_keys_create(router, S("{\"nmae\":1}"), NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("the key is revoked", is_error(llmrouter_keys_revoke(router, S("ci")), NULL));
  CHECK("and opens nothing", is_error(chat_with_key(router, "demo/echo", secret), "invalid_key"));
  CHECK("a key nobody knows", is_error(llmrouter_keys_revoke(router, S("nobody")), "not_found"));
}

static llmrouter_router* open_yaml(const char* yaml) {
  llmrouter_options* o = NULL;
  llmrouter_router* router = NULL;
  is_error(llmrouter_options_new(&o), NULL);
  is_error(llmrouter_options_use_environment(o, 0), NULL);
  is_error(llmrouter_options_set_yaml(o, S(yaml)), NULL);
  CHECK("a router opens", is_error(llmrouter_open(o, &router), NULL) && router != NULL);
  llmrouter_options_free(o);
  return router;
}

/* The rules' verdict on a chat with some header, for the key that is named. */
static llmrouter_error* tried(llmrouter_router* router, const char* model, const char* team, const char* key, llmrouter_text** json) {
  llmrouter_call* call = NULL;
  llmrouter_error* error = llmrouter_call_new_text(router, S(model), S("hello"), &call);
  if (!error) error = llmrouter_call_add_header(call, S("X-Team"), S(team));
  if (!error) error = llmrouter_rules_test(call, S(key), json);
  llmrouter_call_free(call);
  return error;
}

static void rules(void) {
  llmrouter_router* router = open_yaml("storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {main: demo/echo}\n"
                                       "routing: {rules: [{name: file, when: {model: night}, use: main}]}\n");
  llmrouter_text* text = NULL;
  llmrouter_call* call = NULL;
  llmrouter_error* error;
  char big[2000];

  if (router == NULL) return;
  CHECK("the configuration's rules are listed", is_error(llmrouter_rules_list(router, &text), NULL) && text_has(text, "\"source\":\"file\""));
  CHECK("a rule is stored", is_error(llmrouter_rules_set(router, S("{\"name\":\"shut\",\"priority\":9,\"when\":{\"header\":{\"x-team\":\"search\"}},"
                                                                 "\"use\":{\"reject\":\"closed\"}}"),
                                                         &text),
                                     NULL) &&
                                text_has(text, "\"source\":\"store\""));
  CHECK("it stands first", is_error(llmrouter_rules_list(router, &text), NULL) &&
                               strstr(llmrouter_text_data(text), "\"shut\"") < strstr(llmrouter_text_data(text), "\"file\"") && text_has(text, "{\"data\":[{"));
  CHECK("it would decide", is_error(tried(router, "main", "search", "", &text), NULL) && strstr(llmrouter_text_data(text), "\"plan\":null") &&
                               strstr(llmrouter_text_data(text), "\"model_not_allowed\"") && text_has(text, "{\"rule\":{\"name\":\"shut\""));
  CHECK("another request has another rule", is_error(tried(router, "night", "ads", "", &text), NULL) && strstr(llmrouter_text_data(text), "\"echo\"") &&
                                                strstr(llmrouter_text_data(text), "\"error\":null}") && text_has(text, "{\"rule\":{\"name\":\"file\""));
  CHECK("or none", is_error(tried(router, "main", "ads", "", &text), NULL) && text_has(text, "{\"rule\":null,\"plan\":{"));
  CHECK("a test for a key that nobody knows", is_error(tried(router, "main", "ads", "nobody", &text), "not_found") && text == NULL);
  CHECK("a rule is replaced", is_error(llmrouter_rules_set(router, S("{\"name\":\"shut\",\"when\":{\"model\":\"never\"},\"use\":\"main\"}"), &text), NULL) &&
                                  text_has(text, "\"priority\":0") && is_error(tried(router, "main", "search", "", &text), NULL) &&
                                  text_has(text, "{\"rule\":null"));

  error = llmrouter_rules_set(router, S("{\"name\":\"x\",\"use\":\"main\",\"when\":{\"hours\":\"25:00-26:00\"}}"), &text);
  CHECK("a wrong rule names the member", error && text == NULL && !strcmp(llmrouter_error_code(error), "invalid_request") &&
                                             !strcmp(llmrouter_error_param(error), "when.hours"));
  llmrouter_error_free(error);
  CHECK("a rule that is no JSON", is_error(llmrouter_rules_set(router, S("{\"name\":"), &text), "invalid_request") && text == NULL);
  CHECK("nor an empty text", is_error(llmrouter_rules_set(router, NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("a rule that is not UTF-8", is_error(llmrouter_rules_set(router, S("{\"name\":\"\xff\",\"use\":\"main\"}"), &text), "invalid_request") && text == NULL);
  memset(big, 'n', sizeof big - 1);
  big[sizeof big - 1] = 0;
  CHECK("a name of 2000 bytes is nobody's", is_error(llmrouter_rules_remove(router, S(big)), "not_found"));
  CHECK("a rule of the configuration is not replaced", is_error(llmrouter_rules_set(router, S("{\"name\":\"file\",\"use\":\"main\"}"), &text), "conflict") &&
                                                           text == NULL);
  CHECK("nor removed", is_error(llmrouter_rules_remove(router, S("file")), "conflict"));
  CHECK("a stored one is", is_error(llmrouter_rules_remove(router, S("shut")), NULL) && is_error(llmrouter_rules_remove(router, S("shut")), "not_found"));

  is_error(llmrouter_call_new(router, S("{\"model\":"), &call), NULL);
  CHECK("a body that is no request is not tried", is_error(llmrouter_rules_test(call, NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("a test needs a place for its answer", is_error(llmrouter_rules_test(call, NULL, 0, NULL), "invalid_request"));
  is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), "invalid_request");
  CHECK("nor is a call that was begun", is_error(llmrouter_rules_test(call, NULL, 0, &text), "conflict") && text == NULL);
  llmrouter_call_free(call);
  CHECK("no call, no test", is_error(llmrouter_rules_test(NULL, NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("no router, no rules", is_error(llmrouter_rules_list(NULL, &text), "invalid_request") && is_error(llmrouter_rules_set(NULL, S("{}"), &text), "invalid_request") &&
                                   is_error(llmrouter_rules_remove(NULL, S("x")), "invalid_request"));
  CHECK("no place for an answer, no answer", is_error(llmrouter_rules_list(router, NULL), "invalid_request") &&
                                                 is_error(llmrouter_rules_set(router, S("{\"name\":\"y\",\"use\":\"main\"}"), NULL), "invalid_request") &&
                                                 is_error(llmrouter_rules_remove(router, S("y")), "not_found"));
  llmrouter_close(router);
}

static void routing_switch(void) {
  llmrouter_router* router = open_yaml("storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {main: demo/echo}\n"
                                       "routing: {default_model: main, switch: {delay: 0s, cooldown: 1h}}\n");
  llmrouter_text* text = NULL;
  llmrouter_error* error;
  char big[1100];

  if (router == NULL) return;
  memset(big, 'w', sizeof big - 1);
  big[sizeof big - 1] = 0;
  CHECK("the switch is on", is_error(llmrouter_switch_status(router, &text), NULL) && text_has(text, "{\"enabled\":true,\"pending\":null,\"last\":null"));
  CHECK("nobody turned it", is_error(llmrouter_switch_history(router, &text), NULL) && text_has(text, "{\"data\":[]}"));
  CHECK("it cannot be turned anywhere else", is_error(llmrouter_switch_toggle(router, 3, S("me"), S("why"), &text), "invalid_request") && text == NULL &&
                                                 is_error(llmrouter_switch_toggle(router, -1, S("me"), S("why"), &text), "invalid_request"));
  error = llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OFF, S(big), S("why"), &text);
  CHECK("who is short", error && text == NULL && !strcmp(llmrouter_error_param(error), "who"));
  llmrouter_error_free(error);
  error = llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OFF, S("me"), S(big), &text);
  CHECK("why is short", error && text == NULL && !strcmp(llmrouter_error_param(error), "reason"));
  llmrouter_error_free(error);
  CHECK("both are UTF-8", is_error(llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OFF, S("me\xc3"), NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("on is no change", is_error(llmrouter_switch_toggle(router, LLMROUTER_SWITCH_ON, NULL, 0, NULL, 0, &text), NULL) && text_has(text, "\"last\":null"));
  CHECK("the other way is off", is_error(llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OTHER, S("me"), S("an \"audit\""), &text), NULL) &&
                                    strstr(llmrouter_text_data(text), "\"who\":\"me\",\"why\":\"an \\\"audit\\\"\"") && text_has(text, "{\"enabled\":false"));
  CHECK("everything goes to the default model", is_error(llmrouter_explain(router, S("demo/slow"), &text), NULL) && text_has(text, "\"by\":\"switch\""));
  error = llmrouter_switch_toggle(router, LLMROUTER_SWITCH_ON, S("me"), NULL, 0, &text);
  CHECK("it rests now, and says for how long", error && text == NULL && !strcmp(llmrouter_error_code(error), "rate_limited") &&
                                                   llmrouter_error_retry_after_ms(error) > 0);
  llmrouter_error_free(error);
  CHECK("the change is kept", is_error(llmrouter_switch_history(router, &text), NULL) && text_has(text, "\"enabled\":false,\"who\":\"me\""));
  CHECK("no router, no switch", is_error(llmrouter_switch_status(NULL, &text), "invalid_request") && is_error(llmrouter_switch_history(NULL, &text), "invalid_request") &&
                                    is_error(llmrouter_switch_toggle(NULL, 0, NULL, 0, NULL, 0, &text), "invalid_request") && text == NULL);
  CHECK("nor without a place for the answer", is_error(llmrouter_switch_status(router, NULL), "invalid_request") &&
                                                  is_error(llmrouter_switch_history(router, NULL), "invalid_request") &&
                                                  is_error(llmrouter_switch_toggle(router, LLMROUTER_SWITCH_OTHER, NULL, 0, NULL, 0, NULL), "invalid_request"));
  llmrouter_close(router);
}

static void overrides(llmrouter_router* router) {
  llmrouter_text* text = NULL;
  char secret[128] = "";

  is_error(llmrouter_keys_create(router, S("{\"name\":\"led\",\"allow\":{\"models\":[\"demo/echo\"]}}"), NULL, 0, &text), NULL);
  member(text, "key", secret, sizeof secret);
  llmrouter_text_free(text);
  CHECK("a key has no override", is_error(llmrouter_keys_override(router, S("led"), &text), NULL) && text_has(text, "{\"model\":null}"));
  CHECK("it is given one", is_error(llmrouter_keys_set_override(router, S("led"), S("demo/echo")), NULL) &&
                               is_error(llmrouter_keys_override(router, S("led"), &text), NULL) && text_has(text, "{\"model\":\"demo/echo\"}"));
  CHECK("which its chats follow", is_error(chat_with_key(router, "demo/slow", secret), NULL));
  CHECK("a model that is not there", is_error(llmrouter_keys_set_override(router, S("led"), S("nowhere")), "model_not_found"));
  CHECK("one that the key may not use", is_error(llmrouter_keys_set_override(router, S("led"), S("demo/slow")), "model_not_allowed"));
  CHECK("none, and no UTF-8", is_error(llmrouter_keys_set_override(router, S("led"), NULL, 0), "invalid_request") &&
                                  is_error(llmrouter_keys_set_override(router, S("led"), S("demo/\xff")), "invalid_request"));
  CHECK("the first one stays", is_error(llmrouter_keys_override(router, S("led"), &text), NULL) && text_has(text, "\"demo/echo\""));
  CHECK("it is cleared, twice", is_error(llmrouter_keys_clear_override(router, S("led")), NULL) && is_error(llmrouter_keys_clear_override(router, S("led")), NULL));
  CHECK("and gone", is_error(llmrouter_keys_override(router, S("led"), &text), NULL) && text_has(text, "null") &&
                        is_error(chat_with_key(router, "demo/slow", secret), "model_not_allowed"));
  CHECK("a key nobody knows has none", is_error(llmrouter_keys_override(router, S("nobody"), &text), "not_found") && text == NULL &&
                                           is_error(llmrouter_keys_set_override(router, S("nobody"), S("demo/echo")), "not_found") &&
                                           is_error(llmrouter_keys_clear_override(router, S("nobody")), "not_found"));
  CHECK("no router, no override", is_error(llmrouter_keys_override(NULL, S("led"), &text), "invalid_request") && text == NULL &&
                                      is_error(llmrouter_keys_set_override(NULL, S("led"), S("demo/echo")), "invalid_request") &&
                                      is_error(llmrouter_keys_clear_override(NULL, S("led")), "invalid_request"));
  CHECK("no place for the answer", is_error(llmrouter_keys_override(router, S("led"), NULL), "invalid_request"));
}

static void sessions(llmrouter_router* router) {
  llmrouter_text* text = NULL;
  char token[128] = "", id[128] = "";

  is_error(llmrouter_keys_create(router, S("{\"name\":\"sam\",\"allow\":{\"models\":[\"demo/echo\"]}}"), NULL, 0, &text), NULL);
  llmrouter_text_free(text);
  text = NULL;
  CHECK("a key has no sessions", is_error(llmrouter_keys_sessions(router, S("sam"), &text), NULL) && text_has(text, "{\"data\":[]}"));
  CHECK("one begins", is_error(llmrouter_keys_start_session(router, S("sam"), S("{\"model\":\"demo/echo\",\"ttl\":\"1h\"}"), &text), NULL));
  member(text, "token", token, sizeof token);
  member(text, "id", id, sizeof id);
  llmrouter_text_free(text);
  text = NULL;
  CHECK("its token is a key whose chats go there", !strncmp(token, "lrs_", 4) && is_error(chat_with_key(router, "demo/slow", token), NULL));
  CHECK("it is listed without it", is_error(llmrouter_keys_sessions(router, S("sam"), &text), NULL) && !strstr(llmrouter_text_data(text), token) && text_has(text, id));
  CHECK("whose the token is", is_error(llmrouter_keys_check(router, S(token), &text), NULL) && text_has(text, "\"name\":\"sam\""));
  text = NULL;
  CHECK("a model that is not there", is_error(llmrouter_keys_start_session(router, S("sam"), S("{\"model\":\"nowhere\"}"), &text), "model_not_found") && text == NULL);
  CHECK("one that the key may not use", is_error(llmrouter_keys_start_session(router, S("sam"), S("{\"model\":\"demo/slow\"}"), &text), "model_not_allowed"));
  CHECK("none, or for too long", is_error(llmrouter_keys_start_session(router, S("sam"), S("{}"), &text), "invalid_request") &&
                                     is_error(llmrouter_keys_start_session(router, S("sam"), S("{\"model\":\"demo/echo\",\"ttl\":\"31d\"}"), &text), "invalid_request"));
  CHECK("it ends once", is_error(llmrouter_keys_end_session(router, S("sam"), S(id)), NULL) && is_error(llmrouter_keys_end_session(router, S("sam"), S(id)), "not_found"));
  CHECK("and its token is nobody's", is_error(chat_with_key(router, "demo/echo", token), "invalid_key"));
  CHECK("all end, none too", is_error(llmrouter_keys_end_session(router, S("sam"), NULL, 0), NULL));
  CHECK("a key nobody knows has none", is_error(llmrouter_keys_sessions(router, S("nobody"), &text), "not_found") && text == NULL &&
                                           is_error(llmrouter_keys_end_session(router, S("nobody"), NULL, 0), "not_found"));
  CHECK("no router, no sessions", is_error(llmrouter_keys_sessions(NULL, S("sam"), &text), "invalid_request") &&
                                      is_error(llmrouter_keys_start_session(NULL, S("sam"), S("{}"), &text), "invalid_request") &&
                                      is_error(llmrouter_keys_end_session(NULL, S("sam"), NULL, 0), "invalid_request"));
  CHECK("no place for the answer", is_error(llmrouter_keys_sessions(router, S("sam"), NULL), "invalid_request") &&
                                       is_error(llmrouter_keys_start_session(router, S("sam"), S("{}"), NULL), "invalid_request"));
}

static void usage(llmrouter_router* router) {
  llmrouter_filter* filter = NULL;
  llmrouter_text* text = NULL;
  CHECK("usage is written", is_error(llmrouter_usage_flush(router, 5000), NULL));
  CHECK("usage lists the records", is_error(llmrouter_usage(router, NULL, &text), NULL) && strstr(llmrouter_text_data(text), "\"next\"") &&
                                       text_has(text, "\"requested_model\":\"demo/echo\""));
  CHECK("a filter is made", is_error(llmrouter_filter_new(&filter), NULL));
  CHECK("a filter that is none", is_error(llmrouter_filter_set(filter, S("colour"), S("blue")), "invalid_request"));
  CHECK("a limit out of range", is_error(llmrouter_filter_set(filter, S("limit"), S("0")), "invalid_request"));
  CHECK("a time that is none", is_error(llmrouter_filter_set(filter, S("since"), S("yesterday")), "invalid_request"));
  CHECK("a filter is set", is_error(llmrouter_filter_set(filter, S("model"), S("demo/nothing")), NULL) &&
                               is_error(llmrouter_filter_set(filter, S("since"), S("1h")), NULL) && is_error(llmrouter_filter_set(filter, S("limit"), S("5")), NULL));
  CHECK("and holds", is_error(llmrouter_usage(router, filter, &text), NULL) && text_has(text, "\"data\":[]"));
  CHECK("sums by model", is_error(llmrouter_usage_sum(router, S("model"), NULL, &text), NULL) && text_has(text, "\"calls\":"));
  CHECK("sums by something else", is_error(llmrouter_usage_sum(router, S("weather"), NULL, &text), "invalid_request") && text == NULL);
  llmrouter_filter_free(filter);
}

static void calls(llmrouter_router* router) {
  llmrouter_text* text = NULL;
  llmrouter_call* call = NULL;
  llmrouter_result* result = NULL;

  is_error(llmrouter_call_new_text(router, S("demo/slow"), S("a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f"), &call), NULL);
  CHECK("a timeout is set", is_error(llmrouter_call_set_timeout_ms(call, 60), NULL) && is_error(llmrouter_call_set_timeout_ms(call, -1), "invalid_request"));
  CHECK("and holds", is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), "upstream_timeout"));
  llmrouter_call_free(call);

  is_error(llmrouter_call_new_text(router, S("demo/echo"), S("hi"), &call), NULL);
  CHECK("a request id is set", is_error(llmrouter_call_set_request_id(call, S("my-own-id")), NULL));
  CHECK("a header is added", is_error(llmrouter_call_add_header(call, S("X-Team"), S("search")), NULL));
  CHECK("a header that would split is not", is_error(llmrouter_call_add_header(call, S("X-Team"), S("a\r\nb: c")), "invalid_request") &&
                                                is_error(llmrouter_call_add_header(call, S("X Team"), S("a")), "invalid_request"));
  CHECK("an unknown mode is not taken", is_error(llmrouter_call_set_mode(call, 9), "invalid_request"));
  CHECK("the plan of a call", is_error(llmrouter_call_explain(call, &text), NULL) && text_has(text, "\"echo\""));
  CHECK("it runs, and its record has the id", is_error(llmrouter_call_run(call, NULL, NULL, NULL, &result), NULL) &&
                                                  strstr(llmrouter_result_record(result, NULL), "\"request_id\":\"my-own-id\"") != NULL);
  llmrouter_result_free(result);
  llmrouter_call_free(call);

  is_error(llmrouter_call_new_text(router, S("echo"), S("hi"), &call), NULL);
  CHECK("a provider is forced", is_error(llmrouter_call_set_provider(call, S("demo")), NULL) && is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), NULL));
  llmrouter_call_free(call);
  is_error(llmrouter_call_new_text(router, S("demo/echo"), "\xff\xfe", 2, &call), NULL);
  CHECK("text that is not UTF-8 is refused", is_error(llmrouter_call_run(call, NULL, NULL, NULL, NULL), "invalid_request"));
  llmrouter_call_free(call);
}

int main(void) {
  llmrouter_router* router = NULL;
  llmrouter_text* text = NULL;
  CHECK("the version", llmrouter_version()[0] >= '0' && llmrouter_version()[0] <= '9');
  options();
  filters();
  bad_options();
  rules();
  routing_switch();
  CHECK("a router opens from text", is_error(llmrouter_open_yaml(S("storage: {keys: 'memory:', usage: 'memory:'}\n"), &router), NULL));
  if (router == NULL) return finish();
  calls(router);
  CHECK("models are listed", is_error(llmrouter_models(router, 0, &text), NULL) && text_has(text, "\"object\":\"list\""));
  CHECK("and refreshed", is_error(llmrouter_models(router, 1, &text), NULL) && text_has(text, "\"demo/echo\""));
  CHECK("an unknown model has no plan", is_error(llmrouter_explain(router, S("ehco"), &text), "model_not_found") && text == NULL);
  CHECK("metrics are text", is_error(llmrouter_metrics(router, &text), NULL) && text_has(text, "# TYPE"));
  keys(router);
  overrides(router);
  sessions(router);
  usage(router);
  {
    llmrouter_options* o = NULL;
    is_error(llmrouter_options_new(&o), NULL);
    is_error(llmrouter_options_set_yaml(o, S("storage: {keys: 'memory:', usage: 'memory:'}\nmodels: {fresh: demo/echo}\n")), NULL);
    CHECK("reload", is_error(llmrouter_reload(router, o), NULL));
    CHECK("its names are known", is_error(llmrouter_chat(router, S("fresh"), S("hello"), &text), NULL) && text_has(text, "hello"));
    is_error(llmrouter_options_set_yaml(o, S("models: {fresh: nowhere/echo}\n")), NULL);
    CHECK("a wrong one is refused", is_error(llmrouter_reload(router, o), "config"));
    CHECK("and the running one stays", is_error(llmrouter_chat(router, S("fresh"), S("hello"), &text), NULL) && text_has(text, "hello"));
    llmrouter_options_free(o);
  }
  llmrouter_close(router);
  return finish();
}
