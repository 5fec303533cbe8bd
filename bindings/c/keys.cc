// Keys over the C ABI.
#include "core.h"
#include "handles.h"
#include "json.h"

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::KeyRecord;
using llmrouter::KeyStore;
using llmrouter::Router;
using llmrouter::c::Core;
using llmrouter::c::give;
using llmrouter::c::guarded;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::view;

namespace {

llmrouter_error* no_store() { return new_error(Error(ErrorCode::kNotSupported, "this router keeps no keys")); }

// Runs `use(core, store)` after the checks that all of these begin with. `out` may be null where there is nothing to give.
template <typename Use>
llmrouter_error* with_store(llmrouter_router* router, llmrouter_text** out, Use&& use) noexcept {
  if (out != nullptr) *out = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    KeyStore* store = router->core->router().keys();
    return store != nullptr ? use(*router->core, *store) : no_store();
  });
}

// The same, with a key's record in place of the store.
template <typename Use>
llmrouter_error* with_key(llmrouter_router* router, llmrouter_text** out, const char* key, size_t key_size, Use&& use) noexcept {
  return with_store(router, out, [&](Core& core, KeyStore& store) {
    const auto found = store.get(view(key, key_size));
    return found ? use(core.router(), **found) : new_error(found.error());
  });
}

}  // namespace

llmrouter_error* llmrouter_keys_create(llmrouter_router* router, const char* json, size_t json_size, const char* prefix, size_t prefix_size,
                                       llmrouter_text** created) {
  if (created == nullptr) return null_argument("created");
  return with_store(router, created, [&](Core& core, KeyStore& store) {
    auto spec = llmrouter::key_spec_from_json(view(json, json_size), core.router().clock().wall());
    if (!spec) return new_error(std::move(spec).error());
    auto made = store.create(*spec, view(prefix, prefix_size));
    if (!made) return new_error(std::move(made).error());
    std::string text = to_json(made->record);
    text.pop_back();
    llmrouter::c::append_member(text, "key", made->key.reveal());
    return give(created, text + "}");
  });
}

llmrouter_error* llmrouter_keys_list(llmrouter_router* router, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  return with_store(router, json, [&](Core&, KeyStore& store) {
    std::string text = "{\"data\":[";
    for (const auto& key : store.list()) {
      if (text.back() != '[') text += ',';
      text += to_json(*key);
    }
    return give(json, text + "]}");
  });
}

llmrouter_error* llmrouter_keys_show(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  return with_key(router, json, key, key_size, [&](Router&, const KeyRecord& record) { return give(json, to_json(record)); });
}

llmrouter_error* llmrouter_keys_modify(llmrouter_router* router, const char* key, size_t key_size, const char* json, size_t json_size,
                                       llmrouter_text** changed) {
  if (changed == nullptr) return null_argument("changed");
  return with_store(router, changed, [&](Core& core, KeyStore& store) {
    const auto found = store.get(view(key, key_size));
    if (!found) return new_error(found.error());
    const auto change = llmrouter::key_change_from_json(view(json, json_size), (*found)->spec, core.router().clock().wall());
    if (!change) return new_error(change.error());
    const auto now = store.modify((*found)->id, *change);
    return now ? give(changed, to_json(*now)) : new_error(now.error());
  });
}

llmrouter_error* llmrouter_keys_revoke(llmrouter_router* router, const char* key, size_t key_size) {
  return with_store(router, nullptr, [&](Core&, KeyStore& store) -> llmrouter_error* {
    auto revoked = store.revoke(view(key, key_size));
    return revoked ? nullptr : new_error(std::move(revoked).error());
  });
}

llmrouter_error* llmrouter_keys_limits(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  return with_key(router, json, key, key_size, [&](Router& routes, const KeyRecord& record) { return give(json, to_json(routes.limits_of(record))); });
}

llmrouter_error* llmrouter_keys_override(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  return with_key(router, json, key, key_size, [&](Router& routes, const KeyRecord& record) {
    const std::string model = routes.override_of(record);
    std::string text = "{";
    if (model.empty()) text += "\"model\":null";
    else llmrouter::c::append_member(text, "model", model);
    return give(json, text + "}");
  });
}

llmrouter_error* llmrouter_keys_set_override(llmrouter_router* router, const char* key, size_t key_size, const char* model, size_t model_size) {
  return with_key(router, nullptr, key, key_size, [&](Router& routes, const KeyRecord& record) -> llmrouter_error* {
    auto set = routes.set_override(record, view(model, model_size));
    return set ? nullptr : new_error(std::move(set).error());
  });
}

llmrouter_error* llmrouter_keys_clear_override(llmrouter_router* router, const char* key, size_t key_size) {
  return with_key(router, nullptr, key, key_size, [&](Router& routes, const KeyRecord& record) -> llmrouter_error* {
    auto cleared = routes.clear_override(record);
    return cleared ? nullptr : new_error(std::move(cleared).error());
  });
}

llmrouter_error* llmrouter_keys_start_session(llmrouter_router* router, const char* key, size_t key_size, const char* json, size_t json_size,
                                              llmrouter_text** created) {
  if (created == nullptr) return null_argument("created");
  return with_key(router, created, key, key_size, [&](Router& routes, const KeyRecord& record) {
    const auto wish = llmrouter::session_wish_from_json(view(json, json_size));
    if (!wish) return new_error(wish.error());
    const auto made = routes.start_session(record, *wish);
    return made ? give(created, to_json(*made)) : new_error(made.error());
  });
}

llmrouter_error* llmrouter_keys_sessions(llmrouter_router* router, const char* key, size_t key_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  return with_key(router, json, key, key_size, [&](Router& routes, const KeyRecord& record) {
    std::string text = "{\"data\":[";
    for (const auto& session : routes.keys()->sessions(record)) {
      if (text.back() != '[') text += ',';
      text += to_json(session);
    }
    return give(json, text + "]}");
  });
}

llmrouter_error* llmrouter_keys_end_session(llmrouter_router* router, const char* key, size_t key_size, const char* id, size_t id_size) {
  return with_key(router, nullptr, key, key_size, [&](Router& routes, const KeyRecord& record) -> llmrouter_error* {
    auto ended = routes.keys()->end_sessions(record, view(id, id_size));
    return ended ? nullptr : new_error(std::move(ended).error());
  });
}

llmrouter_error* llmrouter_keys_check(llmrouter_router* router, const char* secret, size_t secret_size, llmrouter_text** json) {
  if (json == nullptr) return null_argument("json");
  *json = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&] {
    const llmrouter::Secret presented(llmrouter::c::copy(secret, secret_size));
    const auto key = router->core->router().authenticate(presented, "chat");
    if (!key) return new_error(key.error());
    return give(json, *key ? to_json(**key) : "null");
  });
}
