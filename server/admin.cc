// Administration: keys and usage. It asks for the admin key, and its work is done on the worker's thread because it may wait on a disk.
#include <algorithm>
#include <functional>
#include <iterator>

#include "llmrouter/values.h"
#include "server/admin.h"
#include "server/admin_query.h"
#include "server/handlers.h"
#include "server/json.h"
#include "server/key_names.h"
#include "server/session.h"
#include "server/usage_json.h"

namespace llmrouter::server {

Reply admin_reply(std::string body, int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.body += '\n';
  reply.headers.push_back({"cache-control", "no-store"});
  return reply;
}

// True when the caller may administer; otherwise answered.
bool authorized(Session& session) {
  auto allowed = session.loop().context().router->authorize_admin(Secret(session.request().key));
  if (!allowed) session.fail(allowed.error());
  return allowed.ok();
}

// Runs `work` on the worker and answers the session with what it returns.
void on_worker(Session& session, std::function<Reply(Context&)> work) {
  Loop& loop = session.loop();
  Context& context = loop.context();
  const bool taken = context.worker.post(
      [&loop, &context, work = std::move(work), weak = session.weak_from_this(), ticket = session.ticket()] {
        auto reply = std::make_shared<Reply>(work(context));
        loop.post([weak, ticket, reply] {
          if (auto alive = weak.lock()) alive->later(ticket, std::move(*reply));
        });
      });
  if (!taken) {
    Error busy(ErrorCode::kNoTarget, "too much administration at once; try again");
    busy.retry_after = std::chrono::seconds(1);
    session.fail(busy);
  }
}

Reply failed(const Context& context, const Error& error) { return error_reply(context, "openai", error); }

Reply failed_for_caller(const Context& context, const Error& error) {
  if (error.code != ErrorCode::kStorage) return failed(context, error);
  context.logger->log(LogLevel::kError, "a store failed a caller", {{"error", error.in_full()}});
  return failed(context, Error(ErrorCode::kStorage, "the server's own store failed; its log says why"));
}

namespace {

Reply list_keys(Context& context, const Page& page) {
  const auto keys = context.router->keys()->list();
  auto at = keys.begin();
  if (!page.cursor.empty()) {
    at = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key->id == page.cursor; });
    if (at == keys.end()) return failed(context, Error(ErrorCode::kInvalidRequest, "cursor: expected what was returned as `next`", "cursor"));
    ++at;
  }
  std::string body = "{\"data\":[";
  size_t left = page.limit;
  for (; at != keys.end() && left > 0; ++at, --left) {
    if (body.back() == '}') body += ',';
    body += to_json(**at);
  }
  body += "],\"next\":";
  body += at == keys.end() ? "null" : json_string((*std::prev(at))->id);
  return admin_reply(body + "}");
}

// The names that a key is given; null: it keeps its own.
Result<void> check_names(const Router& router, const std::vector<std::string>* providers, const std::vector<std::string>* filters, const KeySpec& before) {
  if (providers != nullptr) {
    std::vector<std::string> there;
    for (const ProviderState& provider : router.providers()) there.push_back(provider.name);
    if (auto known = check_providers("allow.providers", there, *providers, before.allow.providers); !known) return known;
  }
  return filters != nullptr ? check_filters("filters", router.filters(), *filters, before.filters) : Result<void>();
}

Reply create_key(Context& context, const std::string& json, const std::string& prefix) {
  auto spec = key_spec_from_json(json, context.router->clock().wall());
  if (!spec) return failed(context, spec.error());
  if (auto known = check_names(*context.router, &spec->allow.providers, &spec->filters, KeySpec()); !known) return failed(context, known.error());
  auto created = context.router->keys()->create(*spec, prefix);
  if (!created) return failed(context, created.error());
  // The record, and before it the key itself: here alone, this once.
  std::string body = to_json(created->record);
  body.replace(0, 1, "{\"key\":" + json_string(created->key.reveal()) + ",");
  return admin_reply(std::move(body), 201);
}

Reply show_key(Context& context, const std::string& id) {
  auto key = context.router->keys()->get(id);
  return key ? admin_reply(to_json(**key)) : failed(context, key.error());
}

Reply modify_key(Context& context, const std::string& id, const std::string& json) {
  KeyStore& keys = *context.router->keys();
  auto current = keys.get(id);
  if (!current) return failed(context, current.error());
  auto change = key_change_from_json(json, (*current)->spec, context.router->clock().wall());
  if (!change) return failed(context, change.error());
  const std::vector<std::string>* providers = change->allow ? &change->allow->providers : nullptr;
  const std::vector<std::string>* filters = change->filters ? &*change->filters : nullptr;
  if (auto known = check_names(*context.router, providers, filters, (*current)->spec); !known) return failed(context, known.error());
  auto changed = keys.modify(id, *change);
  return changed ? admin_reply(to_json(*changed)) : failed(context, changed.error());
}

Reply revoke_key(Context& context, const std::string& id) {
  KeyStore& keys = *context.router->keys();
  if (auto revoked = keys.revoke(id); !revoked) return failed(context, revoked.error());
  return show_key(context, id);
}

Reply list_usage(Context& context, UsageQuestion question) {
  KeyStore* keys = context.router->keys();
  if (keys != nullptr && !question.filter.key.empty()) {
    auto key = key_of_filter(*keys, question.filter.key);
    if (!key) return failed(context, key.error());
    question.filter.key = std::move(*key);
  }
  if (question.by.empty()) {
    auto page = context.usage->query(question.filter);
    return page ? admin_reply(usage_page_json(*page)) : failed(context, page.error());
  }
  auto sums = context.usage->sum(question.by, question.filter);
  if (!sums) return failed(context, sums.error());
  std::function<std::string(const std::string&)> name_of;
  if (question.by == "key") {
    name_of = [keys](const std::string& id) {
      if (keys == nullptr || id.empty()) return std::string();
      const auto key = keys->get(id);
      return key ? (*key)->spec.name : std::string();
    };
  }
  return admin_reply(usage_sums_json(question.by, *sums, name_of));
}

}  // namespace

void handle_keys(Session& session) {
  if (!authorized(session)) return;
  const Context& context = session.loop().context();
  if (context.router->keys() == nullptr) return session.fail(Error(ErrorCode::kNotFound, "there is no key store"));
  const Request& request = session.request();
  const auto decoded = percent_decode(session.route().id, false);
  if (!decoded) return session.fail(Error(ErrorCode::kInvalidRequest, "the key's id is not well escaped"));
  const std::string& id = *decoded;
  const bool listing = id.empty() && request.method != Method::kPost;
  auto page = listing ? page_of(request.query()) : Result<Page>(Page());
  if (!page) return session.fail(page.error());
  if (!listing) {
    if (auto known = refuse_parameters(request.query(), request.method == Method::kPost ? "prefix" : ""); !known) return session.fail(known.error());
  }
  switch (request.method) {
    case Method::kPost:
      return on_worker(session, [body = request.body, prefix = query_value(request.query(), "prefix").value_or("")](Context& c) {
        return create_key(c, body, prefix);
      });
    case Method::kPatch: return on_worker(session, [id, body = request.body](Context& c) { return modify_key(c, id, body); });
    case Method::kDelete: return on_worker(session, [id](Context& c) { return revoke_key(c, id); });
    default:
      if (listing) return on_worker(session, [page = *page](Context& c) { return list_keys(c, page); });
      return on_worker(session, [id](Context& c) { return show_key(c, id); });
  }
}

void handle_usage(Session& session) {
  if (!authorized(session)) return;
  const Context& context = session.loop().context();
  if (!context.usage) return session.fail(Error(ErrorCode::kNotFound, "no usage is kept (storage.usage: off)"));
  auto question = usage_question(session.request().query(), context.router->clock().wall());
  if (!question) return session.fail(question.error());
  on_worker(session, [question = *question](Context& c) { return list_usage(c, question); });
}

}  // namespace llmrouter::server
