#include "net/demo_answer.h"

#include <algorithm>

#include "net/demo_schema.h"
#include "wire/json_writer.h"

namespace llmrouter::net {

namespace {

constexpr int64_t kMaxPieces = 65536;  // of all choices together: n times a long prompt is longer than it

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

// Each word with the blanks before it; the last with those after it too.
std::vector<std::string> words_of(std::string_view text, size_t most) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size() && words.size() < most;) {
    size_t end = begin;
    while (end < text.size() && is_blank(text[end])) ++end;
    while (end < text.size() && !is_blank(text[end])) ++end;
    if (std::all_of(text.begin() + static_cast<std::ptrdiff_t>(end), text.end(), is_blank)) end = text.size();
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

// JSON in small pieces: a cut after each comma, colon and opening bracket, wherever it stands.
std::vector<std::string> json_pieces(std::string_view json) {
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < json.size();) {
    const size_t stop = json.find_first_of(",:{[", begin);
    const size_t end = stop == std::string_view::npos ? json.size() : stop + 1;
    pieces.emplace_back(json.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// Does `word` (or its plural) stand in `text`, not as a part of another word? Both in lower case.
bool says(std::string_view text, std::string_view word) noexcept {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    size_t end = at + word.size();
    if (end < text.size() && text[end] == 's') ++end;
    if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]))) return true;
  }
  return false;
}

// The words of a tool's name, in lower case: parted by what is no letter, and where a large letter follows a small one.
std::vector<std::string> words_of_name(std::string_view tool) {
  std::vector<std::string> words(1);
  for (size_t i = 0; i < tool.size(); ++i) {
    const bool large = tool[i] >= 'A' && tool[i] <= 'Z';
    const bool after_small = i > 0 && tool[i - 1] >= 'a' && tool[i - 1] <= 'z';
    const char c = large ? static_cast<char>(tool[i] | 0x20) : tool[i];
    if (!is_letter(c) || c == '_' || (large && after_small)) words.emplace_back();
    if (is_letter(c) && c != '_') words.back() += c;
  }
  return words;
}

// Does the text speak of the tool: by its name, or by a word of it that is not one of everyday (`get`, `set`, `run`)?
bool names(std::string_view text, std::string_view tool) {
  constexpr size_t kLeast = 4;
  if (text.find(lower(tool)) != std::string_view::npos) return true;
  std::string spaced;
  bool said = false;
  for (const std::string& word : words_of_name(tool)) {
    said = said || (word.size() >= kLeast && says(text, word));
    spaced += (spaced.empty() ? "" : " ") + word;
  }
  return said || (!spaced.empty() && text.find(spaced) != std::string_view::npos);
}

// The tools to call; empty: it answers in words.
std::vector<const DemoRequest::Tool*> tools_to_call(const DemoRequest& request) {
  std::vector<const DemoRequest::Tool*> called;
  using Choice = DemoRequest::ToolChoice;
  if (request.tools.empty() || request.after_tool || request.tool_choice == Choice::kNone) return called;
  const std::string text = lower(request.text);
  for (const DemoRequest::Tool& tool : request.tools) {
    if (request.tool_choice == Choice::kNamed ? tool.name == request.named_tool : names(text, tool.name)) called.push_back(&tool);
  }
  const bool asked = request.tool_choice != Choice::kAuto || says(text, "tool") || says(text, "call");
  if (called.empty() && asked) called.push_back(&request.tools.front());
  if (!request.parallel && called.size() > 1) called.resize(1);
  return called;
}

// What is said in words, uncut.
std::string spoken(const DemoRequest& request) {
  if (request.format == DemoRequest::Format::kJsonSchema) return example_of(request.schema);
  std::string text = request.after_tool ? "The tool says: " + request.tool_text : request.text;
  if (text.empty()) text = "Say something, and I will say it again.";
  if (request.format == DemoRequest::Format::kText) return text;
  std::string json;
  wire::JsonWriter writer(json);
  writer.begin_object();
  writer.member("text", text);
  writer.end_object();
  return json;
}

void speak(const DemoRequest& request, DemoAnswer& answer) {
  std::string text = spoken(request);
  for (const std::string& stop : request.stops) text.resize(std::min(text.find(stop), text.size()));
  const int64_t most = std::min(request.max_words.value_or(kMaxPieces), kMaxPieces / request.n);
  const auto limit = static_cast<size_t>(std::max<int64_t>(most, 1));
  answer.pieces = request.format == DemoRequest::Format::kText ? words_of(text, limit + 1) : json_pieces(text);
  if (answer.pieces.size() > limit) {
    answer.pieces.resize(limit);
    answer.finish = "length";
  }
  answer.completion_tokens = static_cast<int64_t>(answer.pieces.size()) * request.n;
}

}  // namespace

DemoAnswer compose(const DemoRequest& request, const std::function<std::string(std::string_view)>& make_id) {
  DemoAnswer answer;
  answer.id = make_id("chatcmpl-");
  answer.model = request.model;
  answer.choices = request.n;
  answer.prompt_tokens = request.prompt_words;
  answer.logprobs = request.logprobs;
  answer.top_logprobs = request.top_logprobs;
  answer.include_usage = request.include_usage;
  for (const DemoRequest::Tool* tool : tools_to_call(request)) {
    DemoAnswer::Call call;
    call.name = tool->name;
    call.arguments = tool->parameters.is_object() ? example_of(tool->parameters) : "{}";
    for (int64_t i = 0; i < request.n; ++i) call.ids.push_back(make_id("call_"));
    answer.completion_tokens += static_cast<int64_t>(json_pieces(call.arguments).size() + 1) * request.n;
    answer.calls.push_back(std::move(call));
  }
  if (answer.calls.empty()) {
    speak(request, answer);
  } else {
    answer.finish = "tool_calls";
  }
  return answer;
}

std::vector<DemoStep> steps_of(const DemoAnswer& answer) {
  using Kind = DemoStep::Kind;
  std::vector<DemoStep> steps;
  const auto choices = static_cast<int32_t>(answer.choices);
  for (int32_t c = 0; c < choices; ++c) steps.push_back({Kind::kRole, c});
  for (int32_t i = 0; i < static_cast<int32_t>(answer.pieces.size()); ++i) {
    for (int32_t c = 0; c < choices; ++c) steps.push_back({Kind::kText, c, i});
  }
  for (int32_t c = 0; c < choices; ++c) {
    for (int32_t i = 0; i < static_cast<int32_t>(answer.calls.size()); ++i) {
      steps.push_back({Kind::kCallBegin, c, i});
      int32_t begin = 0;
      for (const std::string& piece : json_pieces(answer.calls[static_cast<size_t>(i)].arguments)) {
        const int32_t end = begin + static_cast<int32_t>(piece.size());
        steps.push_back({Kind::kCallArguments, c, i, begin, end});
        begin = end;
      }
    }
  }
  for (int32_t c = 0; c < choices; ++c) steps.push_back({Kind::kFinish, c});
  if (answer.include_usage) steps.push_back({Kind::kUsage});
  steps.push_back({Kind::kDone});
  return steps;
}

}  // namespace llmrouter::net
