// A client's request, read once for what routing, limits and metering need.
#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

size_t text_bytes(JsonValue string) noexcept { return string.is_string() ? string.raw().size() - 2 : 0; }

// Does a query such as "key=k&%24alt=sse" ask for events?
bool asks_for_sse(std::string_view query) noexcept {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair == "alt=sse" || pair == "$alt=sse" || equals_ci(pair, "%24alt=sse")) return true;
  }
  return false;
}

class Scanner {
 public:
  Scanner(std::string_view body, const Target& target) : body_(body), target_(target) {}

  Result<RequestFacts> run() {
    facts_.model = target_.model;
    facts_.stream = target_.stream;
    facts_.relayable = !target_.stream || target_.sse;
    facts_.include_usage = true;  // the last chunk always counts
    if (wire::ScanResult scanned = wire::scan_object(body_, {}, facts_.members); !scanned) return scanned.to_error(body_);
    if (const MemberSpan* again = name_again()) return not_distinct({}, {again->name});
    for (const MemberSpan& m : facts_.members) {
      take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (facts_.model.empty()) return missing("model", "the path or the body names one");
    if (!contents_seen_) return missing("contents", "an array of contents");
    facts_.input_tokens = estimate_.tokens();
    return std::move(facts_);
  }

 private:
  // A member that another one is in the other spelling. Only names with an underscore can be.
  const MemberSpan* name_again() const noexcept {
    for (const MemberSpan& m : facts_.members) {
      if (m.name.find('_') == std::string::npos) continue;
      for (const MemberSpan& other : facts_.members) {
        if (&other != &m && is_same_name(m.name, other.name, Spelling::kCamelOrSnake)) return &m;
      }
    }
    return nullptr;
  }

  // False: a name comes twice in the object.
  template <typename Where>
  bool distinct(JsonValue object, Where&& where, std::initializer_list<wire::Pick> wanted = {}) {
    return pick_distinct(fields_, object, wanted, where, Spelling::kCamelOrSnake);
  }

  void take(std::string_view name, JsonValue value) {
    if (name == "model") {
      std::string model;
      fields_.read(name, value, model);
      if (facts_.model.empty()) facts_.model = bare_model(model);
    } else if (is_field(name, "contents")) {
      take_contents(value);
    } else if (is_field(name, "systemInstruction")) {
      take_system(value);
    } else if (is_field(name, "tools")) {
      take_tools(value);
    } else if (is_field(name, "toolConfig")) {
      if (!value.is_unset() && !value.is_object()) return fields_.fail(wrong_type("toolConfig", "an object", value));
      distinct_inside(fields_, value, 2, [] { return std::string("toolConfig"); }, Spelling::kCamelOrSnake);
    } else if (is_field(name, "generationConfig")) {
      take_config(value);
    } else if (target_.count && is_field(name, "generateContentRequest")) {
      if (!value.is_object()) return fields_.fail(wrong_type("generateContentRequest", "an object", value));
      if (!distinct(value, [] { return "generateContentRequest"; })) return;
      for (const JsonMember& m : JsonMembers(value)) take(m.key, m.value);
    }
  }

  void take_config(JsonValue config) {
    if (config.is_unset()) return;
    if (!config.is_object()) return fields_.fail(wrong_type("generationConfig", "an object", config));
    if (!distinct(config, [] { return "generationConfig"; })) return;
    for (const JsonMember& m : JsonMembers(config)) {
      if (m.key == "temperature") {
        fields_.read("generationConfig.temperature", m.value, facts_.temperature);
      } else if (is_field(m.key, "maxOutputTokens")) {
        fields_.read("generationConfig.maxOutputTokens", m.value, facts_.max_tokens);
        if (facts_.max_tokens && *facts_.max_tokens < 1) fields_.fail(wrong_value("generationConfig.maxOutputTokens", "a positive integer"));
      } else if (is_field(m.key, "candidateCount")) {
        std::optional<int64_t> n;
        fields_.read("generationConfig.candidateCount", m.value, n);
        if (n && (*n < 1 || *n > 128)) fields_.fail(wrong_value("generationConfig.candidateCount", "from 1 to 128"));
        else facts_.n = n.value_or(1);
      } else if (is_field(m.key, "thinkingConfig")) {
        JsonValue budget;
        if (!distinct(m.value, [] { return "generationConfig.thinkingConfig"; }, {{"thinkingBudget", &budget}})) return;
        fields_.read("generationConfig.thinkingConfig.thinkingBudget", budget, facts_.thinking_budget);
      } else if (is_field(m.key, "responseSchema") || is_field(m.key, "responseJsonSchema")) {
        if (m.value.is_unset()) continue;
        if (!m.value.is_object()) fields_.fail(wrong_type("generationConfig." + std::string(m.key), "an object", m.value));
        facts_.wants_schema = true;
      } else if (is_field(m.key, "responseModalities")) {
        for (JsonValue kind : wire::JsonElements(m.value)) facts_.wants_audio = facts_.wants_audio || equals_ci(kind.string_or(), "audio");
      }
    }
  }

  void take_tools(JsonValue tools) {
    if (tools.is_unset()) return;
    if (!tools.is_array() && !tools.is_object()) return fields_.fail(wrong_type("tools", "an array", tools));
    size_t i = 0;
    for_each_entry(tools, [&](JsonValue tool) {
      if (!tool.is_object()) fields_.fail(wrong_type(path("tools", i), "an object", tool));
      ++i;
    });
    if (!distinct_inside(fields_, tools, 2, [] { return std::string("tools"); }, Spelling::kCamelOrSnake)) return;
    facts_.has_tools = i != 0;
    if (i != 0) estimate_.text(tools.raw().size());
  }

  // A text, a content, or a list of parts.
  void take_system(JsonValue value) {
    if (value.is_unset()) return;
    estimate_.message();
    if (value.is_string()) return estimate_.text(text_bytes(value));
    if (!value.is_object()) return fields_.fail(wrong_type("systemInstruction", "a content or a string", value));
    JsonValue parts;
    if (distinct(value, [] { return "systemInstruction"; }, {{"parts", &parts}})) take_parts(parts, "systemInstruction.parts");
  }

  void take_contents(JsonValue contents) {
    contents_seen_ = !contents.is_null();
    if (contents.is_null()) return;
    if (!contents.is_array() && !contents.is_object()) return fields_.fail(wrong_type("contents", "an array of contents", contents));
    size_t i = 0;
    for_each_entry(contents, [&](JsonValue content) {
      if (fields_.ok()) take_content(content, i++);
    });
    if (i == 0) fields_.fail(wrong_value("contents", "an array with at least one content"));
  }

  void take_content(JsonValue content, size_t index) {
    if (!content.is_object()) return fields_.fail(wrong_type(path("contents", index), "an object", content));
    JsonValue role, parts;
    if (!distinct(content, [index] { return path("contents", index); }, {{"role", &role}, {"parts", &parts}})) return;
    estimate_.message();
    if (!role.is_unset() && !role.is_string()) return fields_.fail(wrong_type(path("contents", index, "role"), "a string", role));
    if (role.nonempty_string() && !role.equals("user") && !role.equals("model") && !role.equals("function")) {
      return fields_.fail(wrong_value(path("contents", index, "role"), "one of user, model, function"));
    }
    take_parts(parts, path("contents", index, "parts"));
  }

  void take_parts(JsonValue parts, const std::string& where) {
    if (parts.is_unset()) return;  // a model may have said nothing
    if (!parts.is_array() && !parts.is_object()) return fields_.fail(wrong_type(where, "an array of parts", parts));
    size_t i = 0;
    for_each_entry(parts, [&](JsonValue part) {
      if (fields_.ok()) take_part(part, where, i++);
    });
  }

  void take_part(JsonValue part, const std::string& where, size_t index) {
    if (!part.is_object()) return fields_.fail(wrong_type(path(where, index), "an object", part));
    if (!distinct(part, [&] { return path(where, index); })) return;
    for (const JsonMember& m : JsonMembers(part)) {
      if (m.key == "text") {
        if (!m.value.is_unset() && !m.value.is_string()) fields_.fail(wrong_type(path(where, index, "text"), "a string", m.value));
        estimate_.text(text_bytes(m.value));
      } else if (is_field(m.key, "inlineData") || is_field(m.key, "fileData")) {
        if (!m.value.is_object()) return fields_.fail(wrong_type(path(where, index, m.key), "an object", m.value));
        if (!distinct(m.value, [&] { return path(where, index, m.key); })) return;
        take_media(m.value);
      } else if (is_field(m.key, "functionCall") || is_field(m.key, "functionResponse")) {
        if (!m.value.is_object()) return fields_.fail(wrong_type(path(where, index, m.key), "an object", m.value));
        if (!wire::find_member(m.value, "name").nonempty_string()) {
          return fields_.fail(missing(path(where, index, std::string(m.key) + ".name"), "a string that is not empty"));
        }
        if (!distinct(m.value, [&] { return path(where, index, m.key); })) return;
        take_function(m.value, [&] { return path(where, index, m.key); });
        if (!fields_.ok()) return;
      } else if (is_field(m.key, "thoughtSignature")) {
        continue;  // not read by the model as text
      } else {
        estimate_.text(m.value.raw().size());
      }
    }
  }

  template <typename Where>
  void take_function(JsonValue function, Where&& where) {
    for (const JsonMember& m : JsonMembers(function)) {
      if (m.key != "parts") {
        estimate_.text(m.value.raw().size());
        continue;
      }
      if (!distinct_inside(fields_, m.value, 2, [&] { return where() + ".parts"; }, Spelling::kCamelOrSnake)) return;
      for_each_entry(m.value, [&](JsonValue part) {
        for (const JsonMember& inner : JsonMembers(part)) {
          if (is_field(inner.key, "inlineData") || is_field(inner.key, "fileData")) take_media(inner.value);
        }
      });
    }
  }

  void take_media(JsonValue media) {
    const std::string mime = find_field(media, "mimeType").string_or(mime_of_name(find_field(media, "fileUri").string_or()));
    switch (kind_of_mime(mime)) {
      case Part::Kind::kImage:
        facts_.has_image = true;
        return estimate_.image(false);
      case Part::Kind::kAudio:
        facts_.has_audio = true;
        return estimate_.audio(media.raw().size());
      case Part::Kind::kVideo:
        facts_.has_video = true;
        return estimate_.video();
      default:
        facts_.has_file = true;
        return estimate_.file();
    }
  }

  std::string_view body_;
  const Target& target_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  bool contents_seen_ = false;
};

}  // namespace

Target target_of(const RequestPath& path) {
  Target target;
  target.model = bare_model(path.model);
  target.stream = path.operation == "streamGenerateContent";
  target.sse = asks_for_sse(path.query);
  target.count = path.operation == "countTokens";
  return target;
}

Result<RequestFacts> scan_request(std::string_view body, const Target& target) { return Scanner(body, target).run(); }

}  // namespace llmrouter::dialects::gemini
