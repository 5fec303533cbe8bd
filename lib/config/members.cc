#include "config/members.h"

#include <algorithm>

namespace llmrouter::config {
namespace {

// Of shorter names too many are one letter apart (top_k, top_p; n).
constexpr size_t kShortest = 5;

// OpenAI's API reference (chat completions, Responses, embeddings, images, audio) and the documented extensions of vLLM, llama.cpp, OpenRouter,
// DeepSeek, Qwen and Mistral.
constexpr std::string_view kMembers[] = {
    "add_generation_prompt", "allowed_openai_params", "audio", "background", "bad_words", "best_of", "cache_prompt", "cache_salt", "chat_template",
    "chat_template_kwargs", "continue_final_message", "dimensions", "documents", "dynatemp_exponent", "dynatemp_range", "early_stopping", "echo",
    "enable_search", "enable_thinking", "encoding_format", "extra_body", "frequency_penalty", "function_call", "functions", "grammar", "guided_choice",
    "guided_decoding_backend", "guided_grammar", "guided_json", "guided_regex", "ignore_eos", "include", "include_reasoning",
    "include_stop_str_in_output", "input", "instructions", "json_schema", "keep_alive", "language", "length_penalty", "logit_bias", "logits_processors",
    "logprobs", "logprobs_mode", "max_completion_tokens", "max_output_tokens", "max_prompt_tokens", "max_tokens", "max_tool_calls", "messages",
    "metadata", "min_p", "min_tokens", "mirostat", "mirostat_eta", "mirostat_tau", "modalities", "model", "models", "n_keep", "n_predict", "n_probs",
    "num_ctx", "num_predict", "options", "parallel_tool_calls", "plugins", "prediction", "presence_penalty", "priority", "prompt", "prompt_cache_key",
    "prompt_cache_retention", "prompt_logprobs", "prompt_mode", "provider", "quality", "random_seed", "reasoning", "reasoning_effort",
    "reasoning_format", "reasoning_split", "repeat_last_n", "repeat_penalty", "repetition_penalty", "response_format", "return_documents", "return_images",
    "return_related_questions", "return_token_ids", "return_tokens_as_token_ids", "safe_prompt", "safety_identifier", "samplers", "search_context_size",
    "search_domain_filter", "search_mode", "search_parameters", "search_recency_filter", "seed", "separate_reasoning", "service_tier", "size",
    "skip_special_tokens", "spaces_between_special_tokens", "speed", "stop", "stop_sequences", "stop_token_ids", "store", "stream", "stream_options",
    "stream_reasoning", "structured_outputs", "style", "suffix", "system", "temperature", "text", "tfs_z", "thinking", "thinking_budget", "tool_choice",
    "tool_stream", "tools", "top_a", "top_k", "top_logprobs", "top_n", "top_p", "transforms", "truncate", "truncate_prompt_tokens", "truncation",
    "typical_p", "use_beam_search", "user", "usage", "verbosity", "voice", "web_search_options",
};

// Small letters and digits alone.
std::string bare(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
    else if (c != '_' && c != '-') out += c;
  }
  return out;
}

// Is one a slip of the other? They differ.
bool one_slip(std::string_view a, std::string_view b) noexcept {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > 1) return false;
  const size_t same = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
  const std::string_view rest = a.substr(same), other = b.substr(same);
  if (a.size() < b.size()) return rest == other.substr(1);
  const bool swapped = rest.size() > 1 && rest[0] == other[1] && rest[1] == other[0] && rest.substr(2) == other.substr(2);
  return swapped || rest.substr(1) == other.substr(1);
}

}  // namespace

std::string misspelt_member(std::string_view name) {
  if (std::find(std::begin(kMembers), std::end(kMembers), name) != std::end(kMembers)) return {};
  const std::string typed = bare(name);
  std::string slip;
  for (const std::string_view member : kMembers) {
    const std::string known = bare(member);
    if (typed == known) return std::string(member);
    if (slip.empty() && typed.size() >= kShortest && known.size() >= kShortest && one_slip(typed, known)) slip = member;
  }
  return slip;
}

}  // namespace llmrouter::config
