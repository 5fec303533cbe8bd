// OpenAI's endpoints beside chat, and the rerank endpoint that Jina, Voyage, vLLM and others put next to them.
#ifndef LLMROUTER_DIALECTS_OPENAI_TASKS_H_
#define LLMROUTER_DIALECTS_OPENAI_TASKS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/task_codec.h"
#include "llmrouter/codec.h"

namespace llmrouter::dialects::openai {

// Null: not one of OpenAI's operations.
std::unique_ptr<ClientCodec> new_task_client(Operation operation);
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation);

// What a vendor wants otherwise; from ProviderConfig::quirks. Each is described in README.md.
struct TaskQuirks {
  bool output_dimension = false;
  bool voyage_names = false;
  bool jina_names = false;
  bool nvidia_names = false;
  bool tei_rerank = false;
  bool native_uses = false;
  int64_t embed_batch = 0;  // 0: no limit
  static TaskQuirks of(const ProviderConfig& provider);
};

// --- embeddings ---

Result<TaskRequest> read_embed(std::string_view body);
// `encoding_format` asks for base64.
bool wants_base64(std::string_view body);
Result<void> write_embed(const TaskRequest& request, std::string_view model, const TaskQuirks& quirks, bool foreign, std::string& out,
                         std::vector<std::string>& dropped);
Result<TaskResponse> read_embed_answer(wire::JsonValue root, std::string_view key);
void write_embed_answer(const TaskResponse& response, std::string_view model, bool base64, std::string& out);

// --- pictures made from words ---

Result<TaskRequest> read_image(std::string_view body);
// `body` is the client's request: who asks for URLs gets them, with the picture inside.
void write_image_answer(const TaskResponse& response, std::string_view body, std::string& out);

// --- rerank ---

// Who asks like Voyage is answered like Voyage: `top_k` and `data` in place of `top_n` and `results`.
bool asks_like_voyage(const std::vector<MemberSpan>& members) noexcept;
void scan_rerank(std::string_view body, RequestFacts& facts, Fields& fields);
Result<TaskRequest> read_rerank(std::string_view body);
Result<void> write_rerank(const TaskRequest& request, std::string_view model, const TaskQuirks& quirks, bool foreign, std::string& out,
                          std::vector<std::string>& dropped);
Result<TaskResponse> read_rerank_answer(wire::JsonValue root, std::string_view key);
// `body` is the client's request: the documents come back out of it when it wants them.
void write_rerank_answer(const TaskResponse& response, std::string_view model, std::string_view body, std::string& out);

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_TASKS_H_
