// The demo model's answers as OpenAI writes them.
#include <algorithm>

#include "net/demo_answer.h"
#include "wire/json_writer.h"

namespace llmrouter::net {

using wire::JsonWriter;

namespace {

void write_usage(JsonWriter& w, const DemoAnswer& answer) {
  w.begin_object();
  w.member("prompt_tokens", answer.prompt_tokens);
  w.member("completion_tokens", answer.completion_tokens);
  w.member("total_tokens", answer.prompt_tokens + answer.completion_tokens);
  w.raw_member("prompt_tokens_details", R"({"cached_tokens":0,"audio_tokens":0})");
  w.raw_member("completion_tokens_details",
               R"({"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0})");
  w.end_object();
}

void write_token(JsonWriter& w, std::string_view token, double logprob) {
  w.member("token", token);
  w.member("logprob", logprob);
  w.key("bytes");
  w.begin_array();
  for (const char c : token) w.integer(static_cast<unsigned char>(c));
  w.end_array();
}

// The token itself is nearly certain; its rivals are made up.
void write_logprob(JsonWriter& w, const DemoAnswer& answer, std::string_view token) {
  w.begin_object();
  write_token(w, token, -0.125);
  w.key("top_logprobs");
  w.begin_array();
  for (int64_t i = 0; i < answer.top_logprobs; ++i) {
    w.begin_object();
    write_token(w, i == 0 ? std::string(token) : " rival" + std::to_string(i), i == 0 ? -0.125 : -2.5 - static_cast<double>(i));
    w.end_object();
  }
  w.end_array();
  w.end_object();
}

// `first` to `last` of the pieces.
void write_logprobs(JsonWriter& w, const DemoAnswer& answer, size_t first, size_t last) {
  w.key("logprobs");
  if (!answer.logprobs || first == last) return w.null();
  w.begin_object();
  w.key("content");
  w.begin_array();
  for (size_t i = first; i < last; ++i) write_logprob(w, answer, answer.pieces[i]);
  w.end_array();
  w.raw_member("refusal", "null");
  w.end_object();
}

void write_call(JsonWriter& w, const DemoAnswer::Call& call, size_t choice, std::string_view arguments) {
  w.member("id", call.ids[choice]);
  w.member("type", "function");
  w.key("function");
  w.begin_object();
  w.member("name", call.name);
  w.member("arguments", arguments);
  w.end_object();
}

void write_opening(JsonWriter& w, const DemoAnswer& answer, std::string_view object) {
  w.begin_object();
  w.member("id", answer.id);
  w.member("object", object);
  w.member("created", answer.created);
  w.member("model", answer.model);
  w.member("service_tier", "default");
  w.member("system_fingerprint", "fp_demo");
}

void write_message(JsonWriter& w, const DemoAnswer& answer, size_t choice) {
  w.begin_object();
  w.member("role", "assistant");
  w.key("content");
  if (answer.calls.empty()) {
    std::string text;
    for (const std::string& piece : answer.pieces) text += piece;
    w.string(text);
  } else {
    w.null();
    w.key("tool_calls");
    w.begin_array();
    for (const DemoAnswer::Call& call : answer.calls) {
      w.begin_object();
      write_call(w, call, choice, call.arguments);
      w.end_object();
    }
    w.end_array();
  }
  w.raw_member("refusal", "null");
  w.raw_member("annotations", "[]");
  w.end_object();
}

void write_delta(JsonWriter& w, const DemoAnswer& answer, const DemoStep& step) {
  using Kind = DemoStep::Kind;
  w.begin_object();
  if (step.kind == Kind::kRole) {
    w.member("role", "assistant");
    w.raw_member("content", answer.calls.empty() ? "\"\"" : "null");
    w.raw_member("refusal", "null");
  } else if (step.kind == Kind::kText) {
    w.member("content", answer.pieces[static_cast<size_t>(step.index)]);
  } else if (step.kind == Kind::kCallBegin || step.kind == Kind::kCallArguments) {
    const DemoAnswer::Call& call = answer.calls[static_cast<size_t>(step.index)];
    w.key("tool_calls");
    w.begin_array();
    w.begin_object();
    w.member("index", step.index);
    if (step.kind == Kind::kCallBegin) {
      write_call(w, call, static_cast<size_t>(step.choice), "");
    } else {
      w.key("function");
      w.begin_object();
      w.member("arguments", std::string_view(call.arguments).substr(static_cast<size_t>(step.begin), static_cast<size_t>(step.end - step.begin)));
      w.end_object();
    }
    w.end_object();
    w.end_array();
  }
  w.end_object();
}

}  // namespace

std::string whole_body(const DemoAnswer& answer) {
  std::string out;
  JsonWriter w(out);
  write_opening(w, answer, "chat.completion");
  w.key("choices");
  w.begin_array();
  for (int64_t c = 0; c < answer.choices; ++c) {
    w.begin_object();
    w.member("index", c);
    w.key("message");
    write_message(w, answer, static_cast<size_t>(c));
    write_logprobs(w, answer, 0, answer.pieces.size());
    w.member("finish_reason", answer.finish);
    w.end_object();
  }
  w.end_array();
  w.key("usage");
  write_usage(w, answer);
  w.end_object();
  return out;
}

std::string event_of(const DemoAnswer& answer, const DemoStep& step) {
  using Kind = DemoStep::Kind;
  if (step.kind == Kind::kDone) return "data: [DONE]\n\n";
  std::string out = "data: ";
  JsonWriter w(out);
  write_opening(w, answer, "chat.completion.chunk");
  w.key("choices");
  w.begin_array();
  if (step.kind != Kind::kUsage) {
    w.begin_object();
    w.member("index", step.choice);
    w.key("delta");
    write_delta(w, answer, step);
    const auto piece = static_cast<size_t>(step.index);
    write_logprobs(w, answer, piece, step.kind == Kind::kText ? piece + 1 : piece);
    w.key("finish_reason");
    if (step.kind == Kind::kFinish) {
      w.string(answer.finish);
    } else {
      w.null();
    }
    w.end_object();
  }
  w.end_array();
  if (answer.include_usage) {
    w.key("usage");
    if (step.kind == Kind::kUsage) {
      write_usage(w, answer);
    } else {
      w.null();
    }
  }
  w.end_object();
  out += "\n\n";
  return out;
}

std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code) {
  std::string out;
  JsonWriter w(out);
  const auto optional = [&w](std::string_view name, std::string_view value) {
    w.key(name);
    if (value.empty()) {
      w.null();
    } else {
      w.string(value);
    }
  };
  w.begin_object();
  w.key("error");
  w.begin_object();
  w.member("message", message);
  w.member("type", type);
  optional("param", param);
  optional("code", code);
  w.end_object();
  w.end_object();
  return out;
}

}  // namespace llmrouter::net
