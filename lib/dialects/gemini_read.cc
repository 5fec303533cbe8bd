// A client's request as a ChatRequest.
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/gemini.h"
#include "dialects/open_calls.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// What has no field is kept under its path ("generationConfig.mediaResolution"), so that it is named in full where it is dropped.
void keep(RawMembers& extras, std::string_view prefix, const JsonMember& m) {
  std::string member;
  wire::append_json_string(member, std::string(prefix).append(m.key));
  add_member(extras, member.append(":").append(m.value.raw()));
}

// A thought that another maker hid is marked so beside its name.
constexpr std::string_view kRedactedMark = "+redacted";

void set_signature(JsonValue value, std::string& signature, std::string& maker, bool* redacted) {
  Signed opened = open_signature(value.string_or(), kName);
  const size_t end = opened.maker.size() - std::min(opened.maker.size(), kRedactedMark.size());
  if (std::string_view(opened.maker).substr(end) == kRedactedMark) {
    opened.maker.resize(end);
    if (redacted != nullptr) *redacted = true;
  }
  signature = std::move(opened.signature);
  maker = std::move(opened.maker);
}

class RequestReader {
 public:
  explicit RequestReader(const Target& target) { request_.model = target.model; }

  Result<ChatRequest> run(std::string_view body, const Target& target) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    JsonValue contents;
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (is_field(m.name, "contents")) contents = value;
      else if (target.count && is_field(m.name, "generateContentRequest")) take_inner(value, contents);
      else if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
    }
    for_each_entry(contents, [&](JsonValue content) { take_content(content); });  // behind the system's words, wherever these stood
    allow_tools();
    if (!fields_.ok()) return fields_.take_error();
    request_.stream = target.stream;
    request_.include_usage = true;
    return std::move(request_);
  }

 private:
  // What countTokens may wrap a request in.
  void take_inner(JsonValue request, JsonValue& contents) {
    for (const JsonMember& m : JsonMembers(request)) {
      if (is_field(m.key, "contents")) contents = m.value;
      else if (!take(m.key, m.value) && !m.value.is_null()) add_member(request_.extras, m.raw);
    }
  }

  // False: no field stands for it.
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") {
      if (request_.model.empty()) request_.model = bare_model(value.string_or());
    } else if (is_field(name, "systemInstruction")) {
      take_system(value);
    } else if (is_field(name, "tools")) {
      for_each_entry(value, [&](JsonValue tool) { take_tool(tool); });
    } else if (is_field(name, "toolConfig")) {
      take_tool_config(value);
    } else if (is_field(name, "generationConfig")) {
      take_generation(value);
    } else {
      return false;
    }
    return true;
  }

  // --- what was said ---

  void take_system(JsonValue value) {
    Message message;
    message.role = Role::kSystem;
    if (value.is_string()) message.parts.push_back(Part::of_text(value.string_or()));
    for_each_entry(find_member(value, "parts"), [&](JsonValue part) { message.parts.push_back(read_part(part)); });
    if (!message.parts.empty()) request_.messages.push_back(std::move(message));
  }

  void take_content(JsonValue content) {
    if (find_member(content, "role").equals("model")) return take_answer(content);
    Message rest;
    rest.role = Role::kUser;
    for_each_entry(find_member(content, "parts"), [&](JsonValue part) {
      const JsonValue response = find_field(part, "functionResponse");
      if (response.is_object()) take_result(response);
      else rest.parts.push_back(read_part(part));
    });
    if (!rest.parts.empty()) request_.messages.push_back(std::move(rest));
  }

  // Several contents of the model in a row are one message: the results of all their calls come after the last.
  void take_answer(JsonValue content) {
    if (request_.messages.empty() || request_.messages.back().role != Role::kAssistant) {
      request_.messages.emplace_back().role = Role::kAssistant;
      open_.clear();
    }
    Message& message = request_.messages.back();
    for_each_entry(find_member(content, "parts"), [&](JsonValue part) {
      const JsonValue call = find_field(part, "functionCall");
      if (call.is_object()) message.tool_calls.push_back(read_call(call, part));
      else add_part(read_part(part), message.parts);
    });
  }

  // Others sign a whole thought, and in a stream behind its words: the pieces before it are one thought with it.
  static void add_part(Part part, std::vector<Part>& parts) {
    const bool signs = part.kind == Part::Kind::kReasoning && !part.redacted && !part.signature.empty() && part.maker != kName && part.text.empty();
    size_t begin = parts.size();
    while (signs && begin > 0 && parts[begin - 1].kind == Part::Kind::kReasoning && parts[begin - 1].signature.empty()) --begin;
    std::string text;
    for (size_t i = begin; i < parts.size(); ++i) text += parts[i].text;
    if (signs) part.text = std::move(text);
    parts.resize(begin);
    parts.push_back(std::move(part));
  }

  ToolCall read_call(JsonValue call, JsonValue part) {
    ToolCall out;
    for (const JsonMember& m : JsonMembers(call)) {
      if (m.key == "name") m.value.string(out.name);
      else if (m.key == "id") m.value.string(out.id);
      else if (m.key == "args" && m.value.is_object()) out.arguments = compact(m.value.raw());
      else if (!m.value.is_null()) add_member(out.extras, m.raw);
    }
    if (out.arguments.empty()) out.arguments = "{}";
    // The same from turn to turn, so that prompts stay the same for a provider's cache.
    if (out.id.empty()) out.id = "call_" + std::to_string(++made_ids_);
    set_signature(find_field(part, "thoughtSignature"), out.signature, out.maker, nullptr);
    open_.add(out.name, out.id);
    return out;
  }

  void take_result(JsonValue response) {
    Message message;
    message.role = Role::kTool;
    JsonValue answer;
    for (const JsonMember& m : JsonMembers(response)) {
      if (m.key == "name") m.value.string(message.name);
      else if (m.key == "id") m.value.string(message.tool_call_id);
      else if (m.key == "response") answer = m.value;
      else if (m.key == "parts") for_each_entry(m.value, [&](JsonValue part) { message.parts.push_back(read_part(part)); });
      else if (!m.value.is_null()) add_member(message.extras, m.raw);
    }
    message.tool_call_id = call_of(message.tool_call_id, message.name);
    if (answer.exists()) message.parts.insert(message.parts.begin(), Part::of_text(compact(answer.raw())));
    message.tool_error = is_failure(answer);
    request_.messages.push_back(std::move(message));
  }

  // {"error": ...} and nothing else: what Google's SDKs send when a function failed.
  static bool is_failure(JsonValue answer) {
    JsonMembers members(answer);
    return members.next() && members->key == "error" && !members->value.is_null() && !members.next();
  }

  // Which call a result answers: by id, else the first of that name that has no answer yet, else the first at all.
  std::string call_of(const std::string& id, const std::string& name) {
    if (!id.empty()) {
      open_.take_id(id);
      return id;
    }
    std::string found = open_.take_named(name);
    return found.empty() ? open_.take_first() : found;
  }

  Part read_part(JsonValue part) {
    Part out;
    JsonValue signature;
    bool known = false, thought = false;
    for (const JsonMember& m : JsonMembers(part)) {
      if (m.value.is_null()) continue;
      if (m.key == "text") {
        m.value.string(out.text);
        known = true;
      } else if (m.key == "thought") {
        thought = m.value.boolean().value_or(false);
      } else if (is_field(m.key, "thoughtSignature")) {
        signature = m.value;
      } else if (is_field(m.key, "inlineData") || is_field(m.key, "fileData")) {
        known = read_media(part, out);
      } else if (is_field(m.key, "executableCode") || is_field(m.key, "codeExecutionResult")) {
        out.text = code_as_text(m.key, m.value);  // for dialects without it
      } else {
        add_member(out.extras, m.raw);
      }
    }
    if (!known && signature.exists() && out.text.empty() && out.extras.empty()) known = true;  // a signature alone
    if (!known) {
      out.kind = Part::Kind::kOther;
      out.raw = compact(part.raw());
      out.extras.clear();
      return out;
    }
    if (thought && out.kind == Part::Kind::kText) out.kind = Part::Kind::kReasoning;
    set_signature(signature, out.signature, out.maker, &out.redacted);
    return out;
  }

  // --- tools ---

  void take_tool(JsonValue tool) {
    for (const JsonMember& m : JsonMembers(tool)) {
      if (m.value.is_null()) continue;
      if (is_field(m.key, "functionDeclarations")) {
        for_each_entry(m.value, [&](JsonValue declaration) { take_declaration(declaration); });
      } else {
        request_.tools.emplace_back().raw = "{" + std::string(m.raw) + "}";
      }
    }
  }

  void take_declaration(JsonValue declaration) {
    Tool tool;
    const std::string where = "tools.functionDeclarations";
    for (const JsonMember& m : JsonMembers(declaration)) {
      if (m.value.is_null()) continue;
      if (m.key == "name") fields_.read(where + ".name", m.value, tool.name);
      else if (m.key == "description") fields_.read(where + ".description", m.value, tool.description);
      else if (m.key == "parameters" && m.value.is_object()) tool.parameters = json_schema_of(m.value);
      else if (is_field(m.key, "parametersJsonSchema") && m.value.is_object()) tool.parameters = compact(m.value.raw());
      else add_member(tool.extras, m.raw);
    }
    if (tool.name.empty()) return fields_.fail(missing(where + ".name", "a string that is not empty"));
    request_.tools.push_back(std::move(tool));
  }

  void take_tool_config(JsonValue config) {
    for (const JsonMember& m : JsonMembers(config)) {
      if (is_field(m.key, "functionCallingConfig")) take_calling(m.value);
      else if (!m.value.is_null()) keep(request_.extras, "toolConfig.", m);
    }
  }

  // The numbers are those of enum-encoding=int.
  static std::string mode_of(JsonValue mode) {
    constexpr std::string_view kModes[] = {"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"};
    if (auto number = mode.integer(); number && *number >= 0 && *number <= 4) return std::string(kModes[*number]);
    std::string word = mode.string_or();
    for (char& c : word) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    return word;
  }

  void take_calling(JsonValue calling) {
    std::string mode;
    std::vector<std::string> names;
    for (const JsonMember& m : JsonMembers(calling)) {
      if (m.key == "mode") mode = mode_of(m.value);
      else if (is_field(m.key, "allowedFunctionNames")) fields_.read_strings("toolConfig.functionCallingConfig.allowedFunctionNames", m.value, names);
      else if (!m.value.is_null()) keep(request_.extras, "toolConfig.functionCallingConfig.", m);
    }
    ToolChoice& choice = request_.tool_choice;
    using Kind = ToolChoice::Kind;
    if (mode == "NONE") {
      choice.kind = Kind::kNone;
    } else if (mode == "ANY" && names.empty()) {
      choice.kind = Kind::kRequired;
    } else if (mode == "ANY" && names.size() == 1) {
      choice.kind = Kind::kNamed;
      choice.name = names.front();
    } else if (mode == "ANY") {
      choice.kind = Kind::kRequired;
      allowed_ = std::move(names);
    } else if (mode == "VALIDATED") {
      choice.kind = Kind::kAuto;
      allowed_ = std::move(names);
      add_member(request_.extras, R"("toolConfig.functionCallingConfig.mode":"VALIDATED")");
    } else if (!mode.empty() || !names.empty()) {
      choice.kind = Kind::kAuto;
      allowed_ = std::move(names);
    }
  }

  // Google's own tools are called, whatever functions may be: they have no type.
  void allow_tools() {
    if (allowed_.empty()) return;
    if (!keep_allowed({std::move(allowed_), {std::string()}}, request_.tools)) {
      fields_.fail(wrong_value("toolConfig.functionCallingConfig.allowedFunctionNames", "names of functions that are declared"));
    }
  }

  // --- how to say it ---

  void take_generation(JsonValue config) {
    constexpr std::string_view kPrefix = "generationConfig.";
    JsonValue mime, schema, json_schema;
    for (const JsonMember& m : JsonMembers(config)) {
      const auto read = [&](auto& into) { fields_.read(std::string(kPrefix).append(m.key), m.value, into); };
      if (m.value.is_null()) continue;
      if (m.key == "temperature") read(request_.temperature);
      else if (is_field(m.key, "topP")) read(request_.top_p);
      else if (is_field(m.key, "topK")) read(request_.top_k);
      else if (is_field(m.key, "maxOutputTokens")) read(request_.max_tokens);
      else if (is_field(m.key, "candidateCount")) read(request_.n);
      else if (m.key == "seed") read(request_.seed);
      else if (is_field(m.key, "presencePenalty")) read(request_.presence_penalty);
      else if (is_field(m.key, "frequencyPenalty")) read(request_.frequency_penalty);
      else if (is_field(m.key, "responseLogprobs")) read(request_.logprobs);
      else if (m.key == "logprobs") read(request_.top_logprobs);
      else if (is_field(m.key, "stopSequences")) fields_.read_strings("generationConfig.stopSequences", m.value, request_.stop);
      else if (is_field(m.key, "responseMimeType")) mime = m.value;
      else if (is_field(m.key, "responseSchema")) schema = m.value;
      else if (is_field(m.key, "responseJsonSchema")) json_schema = m.value;
      else if (is_field(m.key, "thinkingConfig")) take_thinking(m.value);
      else if (is_field(m.key, "responseModalities")) take_modalities(m);
      else keep(request_.extras, kPrefix, m);
    }
    take_format(mime, schema, json_schema);
  }

  void take_thinking(JsonValue config) {
    for (const JsonMember& m : JsonMembers(config)) {
      if (m.value.is_null()) continue;
      if (is_field(m.key, "thinkingBudget")) {
        std::optional<int64_t> budget;
        fields_.read("generationConfig.thinkingConfig.thinkingBudget", m.value, budget);
        if (budget && *budget < 0) request_.reasoning = true;  // -1: as much as it likes
        else request_.reasoning_budget = budget;
      } else if (is_field(m.key, "thinkingLevel")) {
        std::string level = m.value.string_or();
        for (char& c : level) c = lower(c);
        if (level != "thinking_level_unspecified") request_.reasoning_effort = std::move(level);
      } else if (is_field(m.key, "includeThoughts")) {
        if (m.value.boolean().value_or(false)) request_.reasoning_summary = "auto";
      } else {
        keep(request_.extras, "generationConfig.thinkingConfig.", m);
      }
    }
  }

  // Text alone is what everybody answers with; the rest by OpenAI's name, so that who cannot answer so says so.
  void take_modalities(const JsonMember& m) {
    std::string list;
    JsonWriter w(list);
    bool other = false;
    w.begin_array();
    for_each_entry(m.value, [&](JsonValue kind) {
      std::string word = kind.string_or();
      for (char& c : word) c = lower(c);
      other = other || word != "text";
      w.string(word);
    });
    w.end_array();
    if (other) add_member(request_.extras, "\"modalities\":" + list);
  }

  void take_format(JsonValue mime, JsonValue schema, JsonValue json_schema) {
    ResponseFormat& format = request_.response_format;
    const std::string type = mime.string_or();
    if (type == "text/x.enum") {
      format.kind = ResponseFormat::Kind::kRaw;
      format.raw = R"({"type":"text/x.enum","schema":)" + std::string(schema.is_object() ? schema.raw() : "{}") + "}";
    } else if (schema.is_object() || json_schema.is_object()) {
      format.kind = ResponseFormat::Kind::kJsonSchema;
      format.schema = json_schema.is_object() ? compact(json_schema.raw()) : json_schema_of(schema);
    } else if (type == "application/json") {
      format.kind = ResponseFormat::Kind::kJsonObject;
    } else if (type == "text/plain") {
      format.kind = ResponseFormat::Kind::kText;
    } else if (!type.empty()) {
      fields_.fail(wrong_value("generationConfig.responseMimeType", "one of text/plain, application/json, text/x.enum"));
    }
  }

  ChatRequest request_;
  std::vector<std::string> allowed_;  // functions, by name; empty: all
  Fields fields_;
  OpenCalls open_;
  size_t made_ids_ = 0;
};

}  // namespace

Result<ChatRequest> read_request(std::string_view body, const Target& target) { return RequestReader(target).run(body, target); }

}  // namespace llmrouter::dialects::gemini
