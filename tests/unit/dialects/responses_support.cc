// A strict reader of the Responses dialect's events: every rule that a client may rely on is checked here.
#include <set>

#include "catch.h"
#include "dialects/usage.h"
#include "support.h"
#include "wire/sse.h"

namespace dialect_test {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

// The members that strict SDKs want of a response.
void check_response(JsonValue response) {
  for (const char* name : {"id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "metadata", "model", "output",
                           "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "usage"}) {
    INFO(name);
    CHECK(find_member(response, name).exists());
  }
  CHECK(find_member(response, "object").equals("response"));
  CHECK(find_member(response, "created_at").integer().value_or(0) > 0);
  CHECK(find(response, "text", "format").is_object());
}

void read_item(JsonValue item, bool valid_arguments, Answer::Choice& choice, Answer& answer) {
  const JsonValue type = find_member(item, "type");
  CHECK(find_member(item, "id").nonempty_string());
  if (type.equals("message")) {
    CHECK(find_member(item, "role").equals("assistant"));
    CHECK(find_member(item, "status").is_string());
    for (JsonValue part : JsonElements(find_member(item, "content"))) {
      if (find_member(part, "type").equals("refusal")) {
        choice.refusal += find_member(part, "refusal").string_or();
        continue;
      }
      CHECK(find_member(part, "type").equals("output_text"));
      CHECK(find_member(part, "annotations").is_array());
      choice.text += find_member(part, "text").string_or();
      for (JsonValue a : JsonElements(find_member(part, "annotations"))) answer.annotations.emplace_back(a.raw());
    }
  } else if (type.equals("reasoning")) {
    CHECK(find_member(item, "summary").is_array());
    for (JsonValue part : JsonElements(find_member(item, "summary"))) choice.reasoning += find_member(part, "text").string_or();
    if (JsonValue e = find_member(item, "encrypted_content"); e.is_string()) choice.signatures.push_back(e.string_or());
  } else if (type.equals("image_generation_call")) {
    CHECK(find_member(item, "status").equals("completed"));
    CHECK(find_member(item, "result").nonempty_string());
    choice.pictures.push_back(find_member(item, "result").string_or());
  } else {
    const bool custom = type.equals("custom_tool_call");
    CHECK((custom || type.equals("function_call")));
    CHECK(find_member(item, "status").is_string());
    const std::string arguments = find_member(item, custom ? "input" : "arguments").string_or();
    if (!custom && valid_arguments) CHECK(wire::validate(arguments));
    choice.calls.push_back({find_member(item, "call_id").string_or(), find_member(item, "name").string_or(), arguments});
    CHECK(!choice.calls.back().id.empty());
    CHECK(!choice.calls.back().name.empty());
  }
}

// One item from added to done.
class StrictItem {
 public:
  StrictItem(JsonValue item, int64_t index) : index_(index), id_(find_member(item, "id").string_or()), type_(find_member(item, "type").string_or()) {}

  void event(std::string_view type, JsonValue root) {
    CHECK(find_member(root, "output_index").integer().value_or(-1) == index_);
    CHECK(find_member(root, "item_id").string_or() == id_);
    const std::string delta = find_member(root, "delta").string_or();
    if (type == "content_part.added" || type == "reasoning_summary_part.added") {
      CHECK(!part_open_);
      part_open_ = true;
      text_.clear();
      annotations_ = 0;
      CHECK(number(root) == parts_);
    } else if (type == "content_part.done" || type == "reasoning_summary_part.done") {
      CHECK(part_open_);
      CHECK(text_done_);
      const JsonValue part = find_member(root, "part");
      CHECK((find_member(part, "text").string_or() + find_member(part, "refusal").string_or()) == text_);
      part_open_ = text_done_ = false;
      ++parts_;
    } else if (type == "output_text.delta" || type == "refusal.delta" || type == "reasoning_summary_text.delta") {
      CHECK(part_open_);
      CHECK(!text_done_);
      CHECK(!delta.empty());
      CHECK(number(root) == parts_);
      if (type == "output_text.delta") CHECK(find_member(root, "logprobs").is_array());
      text_ += delta;
    } else if (type == "output_text.done" || type == "refusal.done" || type == "reasoning_summary_text.done") {
      CHECK(part_open_);
      CHECK((find_member(root, "text").string_or() + find_member(root, "refusal").string_or()) == text_);
      text_done_ = true;
    } else if (type == "function_call_arguments.delta" || type == "custom_tool_call_input.delta") {
      CHECK(!text_done_);
      text_ += delta;
    } else if (type == "function_call_arguments.done" || type == "custom_tool_call_input.done") {
      const std::string all = find_member(root, type[0] == 'f' ? "arguments" : "input").string_or();
      if (!text_.empty()) CHECK(all == text_);
      text_ = all;
      text_done_ = true;
    } else if (type == "output_text.annotation.added") {
      CHECK(part_open_);
      CHECK(find_member(root, "annotation_index").integer().value_or(-1) == annotations_++);
    } else if (type.substr(0, 22) == "image_generation_call.") {
      CHECK(type_ == "image_generation_call");
    } else {
      FAIL("an event of no known kind: " << type);
    }
  }

  void done(JsonValue item, int64_t index) {
    CHECK(index == index_);
    CHECK(!part_open_);
    CHECK(find_member(item, "id").string_or() == id_);
    CHECK(find_member(item, "type").string_or() == type_);
    if (type_ == "function_call") CHECK(find_member(item, "arguments").string_or() == text_);
  }

 private:
  static int64_t number(JsonValue root) {
    const JsonValue content = find_member(root, "content_index");
    return (content.exists() ? content : find_member(root, "summary_index")).integer().value_or(-1);
  }
  int64_t index_, parts_ = 0, annotations_ = 0;
  std::string id_, type_, text_;
  bool part_open_ = false, text_done_ = false;
};

}  // namespace

Answer read_response_object(JsonValue response, bool valid_arguments) {
  Answer answer;
  check_response(response);
  Answer::Choice& choice = answer.choices[0];
  for (JsonValue item : JsonElements(find_member(response, "output"))) read_item(item, valid_arguments, choice, answer);
  const JsonValue status = find_member(response, "status");
  answer.done = status.equals("completed") || status.equals("incomplete");
  answer.failed = status.equals("failed");
  choice.finish = choice.calls.empty() ? "stop" : "tool_calls";
  if (status.equals("incomplete")) choice.finish = find(response, "incomplete_details", "reason").equals("max_output_tokens") ? "length" : "content_filter";
  choice.finishes = 1;
  answer.ids.push_back(find_member(response, "id").string_or());
  answer.models.push_back(find_member(response, "model").string_or());
  TokenUsage usage;
  if (dialects::read_usage(find_member(response, "usage"), usage)) answer.usage = usage;
  return answer;
}

Answer read_strict_responses(std::string_view sse, bool valid_arguments) {
  wire::SseParser parser;
  parser.feed(sse);
  wire::SseFrame frame;
  Answer items, last;
  std::optional<StrictItem> open;
  std::set<std::string> ids;
  int64_t sequence = 0, index = 0;
  bool ended = false, complained = false;
  std::string id;
  while (parser.next(frame) == wire::SseParser::Next::kFrame) {
    INFO(frame.data);
    REQUIRE(wire::validate(frame.data));
    REQUIRE(!ended);
    const JsonValue root(frame.data);
    CHECK(find_member(root, "type").equals(frame.event));
    CHECK(find_member(root, "sequence_number").integer().value_or(-1) == sequence);
    ++sequence;
    if (frame.event == "error") {
      CHECK(find_member(root, "message").is_string());
      CHECK(find(root, "error", "message").is_string());
      complained = true;
      continue;
    }
    REQUIRE(frame.event.substr(0, 9) == "response.");
    const std::string_view type = frame.event.substr(9);
    const JsonValue response = find_member(root, "response");
    if (response.is_object()) {
      check_response(response);
      const std::string this_id = find_member(response, "id").string_or();
      if (id.empty()) id = this_id;
      CHECK(id == this_id);
    }
    if (!complained && sequence == 1) CHECK(type == "created");
    else if (!complained && sequence == 2) CHECK(type == "in_progress");
    else if (type == "output_item.added") {
      CHECK(!open);
      CHECK(find_member(root, "output_index").integer().value_or(-1) == index);
      open.emplace(find_member(root, "item"), index);
      CHECK(ids.insert(find(root, "item", "id").string_or()).second);
    } else if (type == "output_item.done") {
      REQUIRE(open);
      open->done(find_member(root, "item"), index++);
      open.reset();
      read_item(find_member(root, "item"), valid_arguments, items.choices[0], items);
    } else if (type == "completed" || type == "incomplete" || type == "failed") {
      CHECK((complained == (type == "failed")));
      ended = true;
      if (!complained) CHECK(!open);
      last = read_response_object(response, valid_arguments);
      CHECK((last.failed == complained));
      if (!complained) {
        CHECK(last.choices[0].text == items.choices[0].text);
        CHECK(last.choices[0].calls == items.choices[0].calls);
        CHECK(last.choices[0].pictures == items.choices[0].pictures);
        CHECK(last.choices[0].reasoning == items.choices[0].reasoning);
      }
    } else {
      REQUIRE(open);
      open->event(type, root);
    }
  }
  CHECK(ended);
  return last;
}

}  // namespace dialect_test
