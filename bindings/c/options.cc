#include "options.h"

#include "json.h"

namespace llmrouter::c {

namespace {

// Hands lines to a caller's function.
class CallbackLogger final : public Logger {
 public:
  CallbackLogger(int level, llmrouter_on_log on_log, UserData user) : level_(level), on_log_(on_log), user_(std::move(user)) {}

  bool enabled(LogLevel level) const noexcept override { return level != LogLevel::kOff && static_cast<int>(level) >= level_; }

  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override {
    if (!enabled(level)) return;
    std::string line(message);
    for (const LogField& field : fields) {
      line += ' ';
      line += field.name;
      line += '=';
      if (field.value.find_first_of(" \"=\\\n\r\t") == std::string_view::npos && !field.value.empty()) {
        line += field.value;
      } else {
        append_string(line, field.value);
      }
    }
    on_log_(user_.get(), static_cast<int>(level), line.data(), line.size());
  }

 private:
  const int level_;
  const llmrouter_on_log on_log_;
  UserData user_;
};

// `${` kept from meaning the environment.
std::string literal(std::string_view text) {
  std::string kept;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') kept += '$';
    kept += text[i];
  }
  return kept;
}

// One step of a path; quoted where a dot or anything else in it could be read as structure.
std::string step(std::string_view name) {
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!plain) {
      std::string out;
      append_string(out, name);
      return out;
    }
  }
  return std::string(name);
}

}  // namespace

Result<ConfigResult> load(const llmrouter_options& options) {
  ConfigInput input = options.input;
  if (!options.use_environment) input.env = [](const std::string&) { return std::optional<std::string>(); };
  for (const auto& [name, targets] : options.models) {
    std::string list = "[";
    for (const std::string& target : targets) {
      if (list.size() > 1) list += ',';
      append_string(list, literal(target));
    }
    input.set.emplace_back("models." + step(name) + ".targets", list + "]");
  }
  for (const auto& filter : options.filters) input.filters.push_back(filter.first);
  ConfigResult loaded = load_config(input);
  if (!loaded.ok()) return loaded.to_error();
  return loaded;
}

void log_warnings(const ConfigResult& loaded, Logger* logger) {
  if (logger == nullptr) return;
  for (const ConfigFault& warning : loaded.warnings) logger->log(LogLevel::kWarn, "configuration warning", {{"at", warning.to_string()}});
}

}  // namespace llmrouter::c

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::c::copy;
using llmrouter::c::guarded;
using llmrouter::c::literal;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::step;
using llmrouter::c::UserData;
using llmrouter::c::view;

namespace {

template <typename Set>
llmrouter_error* set(llmrouter_options* options, Set&& change) noexcept {
  if (options == nullptr) return null_argument("options");
  return guarded([&]() -> llmrouter_error* { return change(*options); });
}

llmrouter_error* needs(const char* what) { return new_error(Error(ErrorCode::kInvalidRequest, std::string(what) + " must not be empty", what)); }

}  // namespace

llmrouter_error* llmrouter_options_new(llmrouter_options** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  return guarded([out]() -> llmrouter_error* {
    *out = new llmrouter_options;
    return nullptr;
  });
}

void llmrouter_options_free(llmrouter_options* options) { delete options; }

llmrouter_error* llmrouter_options_set_file(llmrouter_options* options, const char* path, size_t path_size) {
  return set(options, [=](llmrouter_options& o) -> llmrouter_error* {
    o.input.file = view(path, path_size);
    o.input.text.reset();
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_set_yaml(llmrouter_options* options, const char* yaml, size_t yaml_size) {
  return set(options, [=](llmrouter_options& o) -> llmrouter_error* {
    o.input.text = copy(yaml, yaml_size);
    o.input.file.clear();
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_set(llmrouter_options* options, const char* path, size_t path_size, const char* value, size_t value_size) {
  return set(options, [=](llmrouter_options& o) -> llmrouter_error* {
    if (path_size == 0) return needs("path");
    o.input.set.emplace_back(copy(path, path_size), copy(value, value_size));
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_add_provider(llmrouter_options* options, const char* name, size_t name_size, const char* base_url,
                                                size_t base_url_size, const char* api_key, size_t api_key_size) {
  return set(options, [=](llmrouter_options& o) -> llmrouter_error* {
    if (name_size == 0) return needs("name");
    const std::string at = "providers." + step(view(name, name_size));
    auto values = o.input.set;  // all or nothing
    if (base_url_size != 0) values.emplace_back(at + ".base_url", literal(view(base_url, base_url_size)));
    if (api_key_size != 0) values.emplace_back(at + ".api_key", literal(view(api_key, api_key_size)));
    if (base_url_size == 0 && api_key_size == 0) values.emplace_back(at + ".type", literal(view(name, name_size)));
    o.input.set = std::move(values);
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_add_model(llmrouter_options* options, const char* name, size_t name_size, const char* target,
                                             size_t target_size) {
  return set(options, [=](llmrouter_options& o) -> llmrouter_error* {
    if (name_size == 0) return needs("name");
    if (target_size == 0) return needs("target");
    for (auto& [known, targets] : o.models) {
      if (known != view(name, name_size)) continue;
      targets.push_back(copy(target, target_size));
      return nullptr;
    }
    o.models.push_back({copy(name, name_size), {copy(target, target_size)}});
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_use_environment(llmrouter_options* options, int use) {
  return set(options, [use](llmrouter_options& o) -> llmrouter_error* {
    o.use_environment = use != 0;
    return nullptr;
  });
}

llmrouter_error* llmrouter_options_check(const llmrouter_options* options, llmrouter_text** warnings) {
  if (warnings == nullptr) return null_argument("warnings");
  *warnings = nullptr;
  return guarded([&]() -> llmrouter_error* {
    const auto loaded = llmrouter::c::load(options != nullptr ? *options : llmrouter_options());
    if (!loaded) return new_error(loaded.error());
    std::string lines;
    for (const auto& warning : loaded->warnings) lines += (lines.empty() ? "" : "\n") + warning.to_string();
    return llmrouter::c::give(warnings, std::move(lines));
  });
}

llmrouter_error* llmrouter_options_set_log(llmrouter_options* options, int level, llmrouter_on_log on_log, void* user_data,
                                           llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (on_log == nullptr) return null_argument("on_log");
  return set(options, [&](llmrouter_options& o) -> llmrouter_error* {
    if (level < LLMROUTER_LOG_DEBUG || level > LLMROUTER_LOG_ERROR) {
      return new_error(Error(ErrorCode::kInvalidRequest, "level: expected one of LLMROUTER_LOG_DEBUG, _INFO, _WARN and _ERROR", "level"));
    }
    o.logger = std::make_shared<llmrouter::c::CallbackLogger>(level, on_log, std::move(user));
    return nullptr;
  });
}
