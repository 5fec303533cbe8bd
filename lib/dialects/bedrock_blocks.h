// The conversation of a request to Bedrock: system, messages and their content blocks.
#ifndef LLMROUTER_DIALECTS_BEDROCK_BLOCKS_H_
#define LLMROUTER_DIALECTS_BEDROCK_BLOCKS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/tool_ids.h"
#include "llmrouter/chat.h"
#include "llmrouter/error.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::bedrock {

constexpr std::string_view kTarget = "Bedrock's Converse API";

// Writes into a writer that is not its own. Messages of one side that follow each other become one, as the API wants it.
class BlockWriter {
 public:
  BlockWriter(const ChatRequest& request, std::string_view model, bool foreign, wire::JsonWriter& w, std::vector<std::string>& dropped);

  void write_system();
  void write_messages();
  // The names that were called, as tools without parameters.
  void write_tools_of_history();
  void write_cache_point(const std::string& cache);

  bool has_calls() const noexcept { return has_calls_; }
  bool is_own_thought(const Part& part) const noexcept;
  std::optional<Error> take_error();

 private:
  bool says_something(const Message& message) const noexcept;
  void fail(Error error);
  void drop(std::string_view name);
  void open_message(std::string_view role);
  void close_message();
  void write_parts(const std::vector<Part>& parts, const std::string& at);
  void write_part(const Part& part, const std::string& at);
  void write_text(std::string_view text);
  void write_thought(const Part& part);
  void write_image(const Part& part, const std::string& at);
  void write_media(std::string_view kind, std::string_view format, std::string_view name, std::string_view data, std::string_view url, bool citations = false);
  void write_document(const Part& part, const std::string& at);
  void write_audio(const Part& part, const std::string& at);
  void write_video(const Part& part, const std::string& at);
  void write_call(const ToolCall& call, std::string_view id, const std::string& at);
  void write_result(const Message& message, size_t index);

  const ChatRequest& request_;
  const std::string_view maker_;
  const bool foreign_;
  wire::JsonWriter& w_;
  std::vector<std::string>& dropped_;
  const ToolIds ids_;
  std::string_view open_;   // the side whose message is open; empty: none
  std::string_view wanted_;  // the side whose next block opens a message
  size_t documents_ = 0;
  bool has_calls_ = false;
  bool nobody_speaks_ = false;   // but the system
  const Part* begun_ = nullptr;  // what a Claude's answer is to go on from: it must not end with a blank
  Error error_;
};

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_BLOCKS_H_
