// A ChatRequest as a request body.
#include <algorithm>
#include <map>

#include "dialects/custom_tools.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/gemini.h"
#include "dialects/join_text.h"
#include "dialects/media.h"
#include "dialects/results_first.h"
#include "dialects/text_match.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Gemini's API";

// Google's word for a call that another model made, or whose signature the client did not give back (Gemini API, "Thought signatures").
constexpr std::string_view kNoSignature = "skip_thought_signature_validator";

// A document without a type: by its name, else by its first bytes in base64.
std::string_view guess_mime(const Part& part, std::string_view data) noexcept {
  if (std::string_view mime = mime_of_name(!part.url.empty() && data.empty() ? part.url : part.name); !mime.empty()) return mime;
  if (data.substr(0, 6) == "JVBERi") return "application/pdf";
  if (data.substr(0, 4) == "/9j/") return "image/jpeg";
  if (data.substr(0, 6) == "iVBORw") return "image/png";
  if (data.substr(0, 6) == "R0lGOD") return "image/gif";
  if (part.kind == Part::Kind::kImage) return data.substr(0, 6) == "UklGRg" ? "image/webp" : "image/jpeg";
  if (part.kind == Part::Kind::kAudio) return "audio/wav";
  if (part.kind == Part::Kind::kVideo) return "video/mp4";
  return {};
}

std::string_view media_words(Part::Kind kind) noexcept {
  switch (kind) {
    case Part::Kind::kImage: return "an image by URL";
    case Part::Kind::kAudio: return "audio by URL";
    case Part::Kind::kVideo: return "a video by URL";
    default: return "a file by URL or id";
  }
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, std::string_view model, const WriteOptions& options, std::string& out, std::vector<std::string>& dropped)
      : request_(request), traits_(traits_of(model)), options_(options), out_(out), w_(out), dropped_(dropped), ids_(request.messages, nullptr),
        has_ids_(options.call_ids && has_ids(request.messages)) {}

  Result<void> run() {
    drop_hints();
    if (options_.foreign) {
      if (auto checked = check_foreign_tools(request_, kTarget, dropped_, "cachedContent"); !checked) fail(std::move(checked).error());
    }
    turn_begin_ = current_turn();
    std::string contents, system;
    write_contents(contents);
    write_system(system);
    // A conversation of system words alone: Google wants at least one content.
    if (contents.empty() && !system.empty()) contents = R"({"role":"user",)" + system.substr(1), system.clear();
    if (contents.empty()) fail(cannot_express("messages", "a conversation in which nothing is said", kTarget));
    w_.begin_object();
    w_.raw_member("contents", "[" + contents + "]");
    if (!system.empty()) w_.raw_member("systemInstruction", system);
    write_tools();
    write_config();
    write_extras();
    w_.end_object();
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  void fail(Error error) {
    if (error_.code == ErrorCode::kNone) error_ = std::move(error);
  }
  void drop(std::string_view name) {
    add_dropped(dropped_, name);
  }

  void drop_hints() {
    if (!request_.logit_bias.empty()) drop("logit_bias");
    if (!request_.user.empty()) drop("user");
    if (!request_.service_tier.empty()) drop("service_tier");
    if (!request_.metadata.empty()) drop("metadata");
    if (!request_.verbosity.empty()) drop("verbosity");
    if (!request_.prompt_cache_key.empty()) drop("prompt_cache_key");
    if (!request_.parallel_tool_calls.value_or(true)) drop("parallel_tool_calls");
    if (names_a_speaker(request_)) drop("messages.name");
  }

  // Is anything of this part written? Empty texts are not.
  static bool says_something(const Part& part) noexcept {
    if (part.kind == Part::Kind::kReasoning) return false;
    return (part.kind != Part::Kind::kText && part.kind != Part::Kind::kRefusal) || !part.text.empty() || (!part.signature.empty() && part.maker == kName);
  }

  // Where the turn begins whose calls are asked for their signatures: behind the last words of the user.
  size_t current_turn() const {
    size_t begin = 0;
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const Message& m = request_.messages[i];
      if (m.role == Role::kUser && std::any_of(m.parts.begin(), m.parts.end(), says_something)) begin = i + 1;
    }
    return begin;
  }

  static bool has_ids(const std::vector<Message>& messages) {
    return std::any_of(messages.begin(), messages.end(), [](const Message& m) {
      return !m.tool_call_id.empty() || std::any_of(m.tool_calls.begin(), m.tool_calls.end(), [](const ToolCall& call) { return !call.id.empty(); });
    });
  }

  static bool is_system(const Message& m) noexcept { return m.role == Role::kSystem || m.role == Role::kDeveloper; }

  void write_system(std::string& out) {
    JsonWriter w(out);
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const Message& message = request_.messages[i];
      if (!is_system(message)) continue;
      for (size_t j = 0; j < message.parts.size(); ++j) {
        const Part& part = message.parts[j];
        note_cache(part.cache);
        if (part.kind != Part::Kind::kText && part.kind != Part::Kind::kRefusal) {
          fail(cannot_express(part_path(i, j), "anything but text among system words", kTarget));
        }
        if (part.text.empty()) continue;
        if (out.empty()) {
          w.begin_object();
          w.key("parts");
          w.begin_array();
        }
        write_text(part, w);
      }
    }
    if (out.empty()) return;
    w.end_array();
    w.end_object();
  }

  // --- contents: one after the other, commas between ---

  enum class Turn { kNone, kUser, kModel, kResults };

  // Parts go into the last content as long as the role stays the same; results stand alone, as Gemini 3 wants them.
  JsonWriter& into(Turn turn, std::string& out) {
    if (turn_ != turn) {
      close(out);
      turn_ = turn;
      if (!out.empty()) out += ',';
      out += turn == Turn::kModel ? R"({"role":"model","parts":[)" : R"({"role":"user","parts":[)";
      parts_.emplace(out);
    }
    return *parts_;
  }
  void close(std::string& out) {
    if (turn_ != Turn::kNone) out += "]}";
    turn_ = Turn::kNone;
  }

  void write_contents(std::string& out) {
    std::vector<size_t> results;  // one after the other
    for (size_t i : results_first(request_.messages)) {
      const Message& message = request_.messages[i];
      if (is_system(message)) continue;
      if (message.role == Role::kTool) {
        results.push_back(i);
        continue;
      }
      write_results(results, out);
      const Turn turn = message.role == Role::kAssistant ? Turn::kModel : Turn::kUser;
      for (size_t j = 0; j < message.parts.size(); ++j) write_part(message.parts[j], turn, i, j, out);
      if (!message.audio.empty()) fail(cannot_express(path("messages", i, "audio"), "a spoken answer of before", kTarget));
      if (message.role == Role::kAssistant) write_calls(message, i, out);
    }
    write_results(results, out);
    close(out);
  }

  static std::string part_path(size_t message, size_t part) { return path(path("messages", message, "content"), part); }

  void note_cache(const std::string& cache) {
    if (!cache.empty()) drop("cache_control");
  }

  void write_signature(const std::string& signature, const std::string& maker, JsonWriter& w) {
    if (!signature.empty() && maker == kName) w.member("thoughtSignature", signature);
  }

  // The members of a part beside what it is; they mean nothing to anybody else.
  void write_part_extras(const Part& part, JsonWriter& w) {
    if (!options_.foreign) w.raw_members(part.extras);
  }

  void write_text(const Part& part, JsonWriter& w) {
    w.begin_object();
    w.member("text", part.text);
    write_signature(part.signature, part.maker, w);
    write_part_extras(part, w);
    w.end_object();
  }

  void write_part(const Part& part, Turn turn, size_t i, size_t j, std::string& out) {
    note_cache(part.cache);
    switch (part.kind) {
      case Part::Kind::kText:
      case Part::Kind::kRefusal:
        if (!part.text.empty() || (!part.signature.empty() && part.maker == kName)) write_text(part, into(turn, out));
        return;
      case Part::Kind::kReasoning: return write_thought(part, turn, out);
      case Part::Kind::kOther: return write_other(part, turn, i, j, out);
      default: return write_media(part, part_path(i, j), into(turn, out));
    }
  }

  // Own signatures go back; of others' thoughts the words alone, when they are not hidden.
  void write_thought(const Part& part, Turn turn, std::string& out) {
    const bool own = !part.signature.empty() && part.maker == kName;
    if (turn != Turn::kModel || (part.text.empty() && !own) || part.redacted) {
      if (!part.text.empty() || !part.signature.empty()) drop("reasoning");
      return;
    }
    JsonWriter& w = into(turn, out);
    w.begin_object();
    w.member("text", part.text);
    w.member("thought", true);
    write_signature(part.signature, part.maker, w);
    write_part_extras(part, w);
    w.end_object();
  }

  void write_other(const Part& part, Turn turn, size_t i, size_t j, std::string& out) {
    if (options_.foreign) return fail(cannot_express(part_path(i, j), "a part of this type", kTarget));
    into(turn, out).raw(part.raw);
  }

  void write_media(const Part& part, const std::string& where, JsonWriter& w) {
    if (part.detail == "low" || part.detail == "high") drop("detail");
    const Inline bytes = inline_of(part);
    const std::string_view data = bytes.data;
    std::string_view mime = bytes.data.empty() ? usual_mime(part.mime) : bytes.mime;
    const bool inside = !data.empty();
    if (!inside && is_data_url(part.url)) return fail(cannot_express(where, "a data: URL that is not base64", kTarget));
    if (mime.empty()) mime = guess_mime(part, inside ? data : std::string_view{});
    const std::string& uri = part.url.empty() ? part.file_id : part.url;
    const bool fetchable = is_googles(uri) || (options_.fetches_urls && uri.find("://") != std::string::npos);
    if (!inside && !fetchable) return fail(cannot_express(where, media_words(part.kind), kTarget));
    if (inside && mime.empty()) return fail(cannot_express(where, "a file of unknown type", kTarget));
    w.begin_object();
    w.key(inside ? "inlineData" : "fileData");
    w.begin_object();
    if (!mime.empty()) w.member("mimeType", mime);
    w.member(inside ? "data" : "fileUri", inside ? data : std::string_view(uri));
    if (!options_.foreign && !part.name.empty()) w.member("displayName", part.name);
    w.end_object();
    write_signature(part.signature, part.maker, w);
    write_part_extras(part, w);
    w.end_object();
  }

  // --- calls and their results ---

  void write_calls(const Message& message, size_t index, std::string& out) {
    if (!message.tool_calls.empty()) order_.clear();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      if (call.name.empty()) fail(cannot_express(path(path("messages", index, "tool_calls"), i), "a call that is no function", kTarget));
      const std::string& id = ids_.call(index, i);
      order_.emplace(id, order_.size());
      names_[id] = call.name;
      JsonWriter& w = into(Turn::kModel, out);
      w.begin_object();
      w.key("functionCall");
      w.begin_object();
      w.member("name", call.name);
      w.raw_member("args", arguments_object(call.arguments));
      if (has_ids_) w.member("id", id);
      if (!options_.foreign) w.raw_members(call.extras);
      w.end_object();
      const bool own = !call.signature.empty() && call.maker == kName;
      if (own) w.member("thoughtSignature", call.signature);
      // Of calls made together the first one carries it.
      else if (i == 0 && traits_.wants_signatures && index >= turn_begin_) w.member("thoughtSignature", kNoSignature);
      w.end_object();
    }
  }

  // In the order of the calls, whatever order they came in: where there are no ids the place counts.
  void write_results(std::vector<size_t>& results, std::string& out) {
    const std::vector<size_t> sorted = in_order_of_calls(std::move(results));
    results.clear();
    for (size_t i : sorted) write_result(request_.messages[i], i, out);
    if (takes_media_in_results()) return;
    for (size_t i : sorted) {
      const Message& message = request_.messages[i];
      for (size_t j = 0; j < message.parts.size(); ++j) {
        if (is_media(message.parts[j])) write_part(message.parts[j], Turn::kUser, i, j, out);
      }
    }
  }

  std::vector<size_t> in_order_of_calls(std::vector<size_t> results) const {
    const auto place = [&](size_t i) {
      auto found = order_.find(ids_.result(i));
      return found == order_.end() ? order_.size() : found->second;
    };
    std::stable_sort(results.begin(), results.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
    return results;
  }

  // From 3 on pictures stand inside a result; before they come behind, as words of the user.
  bool takes_media_in_results() const noexcept { return traits_.has_levels; }

  void write_result(const Message& message, size_t index, std::string& out) {
    std::string_view name = message.name;
    const std::string& id = ids_.result(index);
    if (auto found = names_.find(id); found != names_.end()) name = found->second;
    if (name.empty()) {
      return fail(wrong_value(path("messages", index, "tool_call_id"), "the id of a call before it, since the function has to be named"));
    }
    std::string text, media;
    JsonWriter m(media);
    for (size_t j = 0; j < message.parts.size(); ++j) {
      const Part& part = message.parts[j];
      if (is_media(part)) {
        if (takes_media_in_results()) write_media(part, part_path(index, j), m);
      } else if (part.kind == Part::Kind::kOther && options_.foreign) {
        fail(cannot_express(part_path(index, j), "a part of this type", kTarget));
      } else {
        note_cache(part.cache);
        append_apart(text, part.text);
      }
    }
    JsonWriter& w = into(Turn::kResults, out);
    w.begin_object();
    w.key("functionResponse");
    w.begin_object();
    w.member("name", name);
    write_response(text, message.tool_error, w);
    if (!media.empty()) w.raw_member("parts", "[" + media + "]");
    if (has_ids_ && !id.empty()) w.member("id", id);
    if (!options_.foreign) w.raw_members(message.extras);
    w.end_object();
    w.end_object();
  }

  // `response` has to be an object.
  static void write_response(const std::string& text, bool failed, JsonWriter& w) {
    const JsonValue value(text);
    const bool object = value.is_object() && wire::validate(text);
    if (object && (!failed || find_member(value, "error").exists())) return w.raw_member("response", value.raw());
    w.key("response");
    w.begin_object();
    if (object) w.raw_member("error", value.raw());
    else w.member(failed ? "error" : "result", text);
    w.end_object();
  }

  // --- tools ---

  void write_tools() {
    std::string declarations, others;
    JsonWriter d(declarations), o(others);
    for (const Tool& tool : request_.tools) {
      note_cache(tool.cache);
      if (tool.strict.value_or(false)) drop("tools.strict");
      if (tool.raw.empty()) write_declaration(tool, d);
      else if (!options_.foreign) o.raw(tool.raw);
    }
    if (declarations.empty() && others.empty()) return;
    w_.key("tools");
    w_.begin_array();
    if (!declarations.empty()) w_.raw(R"({"functionDeclarations":[)" + declarations + "]}");
    if (!others.empty()) w_.raw(others);
    w_.end_array();
    has_functions_ = !declarations.empty();
  }

  void write_declaration(const Tool& tool, JsonWriter& w) {
    w.begin_object();
    w.member("name", tool.name);
    w.member("description", described(tool));
    if (traits_.takes_json_schema) {
      if (!tool.parameters.empty()) w.raw_member("parametersJsonSchema", tool.parameters);
    } else if (!tool.parameters.empty()) {
      if (const std::string schema = google_schema_of(JsonValue(tool.parameters), "tools.parameters.", dropped_); !schema.empty()) w.raw_member("parameters", schema);
    }
    if (!options_.foreign) w.raw_members(tool.extras);
    w.end_object();
  }

  void write_config() {
    std::string text, calling;
    JsonWriter c(calling);
    c.begin_object();
    if (has_functions_ || !options_.foreign) write_choice(c);
    if (!options_.foreign) copy_own("toolConfig.functionCallingConfig.", {}, c);
    c.end_object();
    JsonWriter w(text);
    w.begin_object();
    if (calling.size() > 2) w.raw_member("functionCallingConfig", calling);
    if (!options_.foreign) copy_own("toolConfig.", "toolConfig.functionCallingConfig.", w);
    w.end_object();
    if (text.size() > 2) w_.raw_member("toolConfig", text);
    std::string generation;
    if (auto written = write_generation(request_, traits_, options_.foreign, generation, dropped_); !written) fail(std::move(written).error());
    if (!generation.empty()) w_.raw_member("generationConfig", "{" + generation + "}");
  }

  void write_choice(JsonWriter& c) {
    using Kind = ToolChoice::Kind;
    const ToolChoice& choice = request_.tool_choice;
    switch (choice.kind) {
      case Kind::kUnset: return;
      case Kind::kAuto:
        if (!kept_mode()) c.member("mode", "AUTO");
        return;
      case Kind::kNone: return c.member("mode", "NONE");
      case Kind::kRequired: return c.member("mode", "ANY");
      case Kind::kNamed:
        c.member("mode", "ANY");
        c.key("allowedFunctionNames");
        c.begin_array();
        c.string(choice.name);
        return c.end_array();
      case Kind::kRaw: return fail(cannot_express("tool_choice", "this choice", kTarget));
    }
  }

  // Our reader keeps a mode that OpenAI has no word for (VALIDATED).
  bool kept_mode() const {
    bool kept = false;
    for_each_member(request_.extras, [&](const JsonMember& m) { kept = kept || m.key == "toolConfig.functionCallingConfig.mode"; });
    return kept && !options_.foreign;
  }

  void copy_own(std::string_view prefix, std::string_view but, JsonWriter& w) {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key.substr(0, prefix.size()) != prefix || (!but.empty() && m.key.substr(0, but.size()) == but)) return;
      w.raw_member(m.key.substr(prefix.size()), m.value.raw());
    });
  }

  // Safety settings and a cache's name are Google's in any dialect; whoever writes them means them.
  void write_extras() {
    RawMembers others;
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "modalities") return;
      const bool pathed = m.key.substr(0, 11) == "toolConfig." || m.key.substr(0, 17) == "generationConfig.";
      const bool googles = (is_field(m.key, "safetySettings") && m.value.is_array()) || (is_field(m.key, "cachedContent") && m.value.is_string());
      if (options_.foreign ? googles : !pathed) w_.raw(m.raw);
      else if (options_.foreign) add_member(others, m.raw);
    });
    name_extras(others, dropped_);
    if (options_.foreign) name_inner_extras(request_, {}, dropped_);
  }

  const ChatRequest& request_;
  const ModelTraits traits_;
  const WriteOptions& options_;
  std::string& out_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  Error error_;

  size_t turn_begin_ = 0;
  Turn turn_ = Turn::kNone;
  std::optional<JsonWriter> parts_;                   // of the open content
  std::map<std::string_view, size_t> order_;          // of the calls last made, by id
  std::map<std::string_view, std::string_view> names_;  // of all calls so far, by id
  const ToolIds ids_;
  const bool has_ids_;  // are written: a call or a result came with one, and the vendor takes them
  bool has_functions_ = false;
};

}  // namespace

Result<void> write_request(const ChatRequest& request, std::string_view model, const WriteOptions& options, std::string& out,
                           std::vector<std::string>& dropped) {
  const ForeignParts parts(request, options.foreign, dropped);
  return RequestWriter(parts.request(), model, options, out, dropped).run();
}

}  // namespace llmrouter::dialects::gemini
