// Opening, closing, and what there is.
#include "core.h"
#include "handles.h"
#include "json.h"
#include "options.h"

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::c::append_bool;
using llmrouter::c::append_member;
using llmrouter::c::append_name;
using llmrouter::c::append_number;
using llmrouter::c::Core;
using llmrouter::c::give;
using llmrouter::c::guarded;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::view;

namespace {

llmrouter_error* open_options(const llmrouter_options& options, llmrouter_router** out) {
  auto loaded = llmrouter::c::load(options);
  if (!loaded) return new_error(std::move(loaded).error());
  llmrouter::c::log_warnings(*loaded, options.logger.get());
  auto router = std::make_unique<llmrouter_router>();
  auto core = Core::make(loaded->config, options.logger, options.filters);
  if (!core) return new_error(std::move(core).error());
  router->core = std::move(*core);
  *out = router.release();
  return nullptr;
}

// Functions that write some text about a router.
template <typename Write>
llmrouter_error* tell(llmrouter_router* router, llmrouter_text** out, const char* out_name, Write&& write) noexcept {
  if (out == nullptr) return null_argument(out_name);
  *out = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    const auto core = router->core;  // the router may be closed while its lists are waited for
    return write(*core);
  });
}

std::string to_json(const llmrouter::ModelEntry& model) {
  std::string out = "{";
  append_member(out, "id", model.id);
  append_member(out, "object", "model");
  append_number(out, "created", model.created);
  append_member(out, "owned_by", model.owned_by);
  if (!model.provider.empty()) append_member(out, "provider", model.provider);
  return out + "}";
}

template <typename List>
std::string list_json(std::string head, const List& list) {
  append_name(head, "data");
  head += '[';
  for (const auto& entry : list) {
    if (head.back() != '[') head += ',';
    head += to_json(entry);
  }
  return head + "]}";
}

}  // namespace

llmrouter_error* llmrouter_open(const llmrouter_options* options, llmrouter_router** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  return guarded([&] { return open_options(options != nullptr ? *options : llmrouter_options(), out); });
}

llmrouter_error* llmrouter_open_file(const char* path, size_t path_size, llmrouter_router** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  return guarded([&] {
    llmrouter_options options;
    options.input.file = view(path, path_size);
    return open_options(options, out);
  });
}

llmrouter_error* llmrouter_open_yaml(const char* yaml, size_t yaml_size, llmrouter_router** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  return guarded([&] {
    llmrouter_options options;
    options.input.text = llmrouter::c::copy(yaml, yaml_size);
    return open_options(options, out);
  });
}

llmrouter_error* llmrouter_reload(llmrouter_router* router, const llmrouter_options* options) {
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    auto loaded = llmrouter::c::load(options != nullptr ? *options : llmrouter_options());
    if (!loaded) return new_error(std::move(loaded).error());
    auto reloaded = router->core->router().reload(loaded->config);
    if (!reloaded) return new_error(std::move(reloaded).error());
    auto probed = router->core->probe(loaded->config);
    return probed ? nullptr : new_error(std::move(probed).error());
  });
}

void llmrouter_close(llmrouter_router* router) {
  if (router == nullptr) return;
  router->core->close();
  delete router;
}

llmrouter_error* llmrouter_explain(llmrouter_router* router, const char* model, size_t model_size, llmrouter_text** plan) {
  return tell(router, plan, "plan", [&](Core& core) {
    const auto explained = core.router().explain(view(model, model_size));
    return explained ? give(plan, explained->to_json()) : new_error(explained.error());
  });
}

llmrouter_error* llmrouter_models(llmrouter_router* router, int refresh, llmrouter_text** json) {
  return tell(router, json, "json", [&](Core& core) {
    if (refresh != 0) {
      if (auto refreshed = core.refresh_models(); !refreshed) return new_error(std::move(refreshed).error());
    }
    return give(json, list_json("{\"object\":\"list\"", core.router().models(nullptr)));
  });
}

llmrouter_error* llmrouter_providers(llmrouter_router* router, llmrouter_text** json) {
  return tell(router, json, "json", [&](Core& core) { return give(json, list_json("{", core.router().providers())); });
}

llmrouter_error* llmrouter_model_health(llmrouter_router* router, const char* model, size_t model_size, const char* key, size_t key_size, llmrouter_text** json) {
  return tell(router, json, "json", [&](Core& core) -> llmrouter_error* {
    std::shared_ptr<const llmrouter::KeyRecord> record;
    if (key_size != 0) {
      if (core.router().keys() == nullptr) return new_error(Error(ErrorCode::kNotSupported, "this router keeps no keys"));
      auto found = core.router().keys()->get(view(key, key_size));
      if (!found) return new_error(std::move(found).error());
      record = std::move(*found);
    }
    const auto health = core.router().model_health(view(model, model_size), record.get());
    return health ? give(json, to_json(*health)) : new_error(health.error());
  });
}

llmrouter_error* llmrouter_metrics(llmrouter_router* router, llmrouter_text** text) {
  return tell(router, text, "text", [&](Core& core) { return give(text, core.router().metrics()); });
}
