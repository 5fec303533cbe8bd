// The presets are data: these tests hold what every row must keep to.
#include <algorithm>
#include <set>

#include "catch.h"
#include "llmrouter/llmrouter.h"
#include "llmrouter/pattern.h"

using namespace llmrouter;

namespace {

const ProviderPreset* find(const std::string& type) {
  for (const ProviderPreset& preset : provider_presets()) {
    if (preset.type == type) return &preset;
  }
  return nullptr;
}

bool well_formed(const std::string& url) {
  return (url.rfind("https://", 0) == 0 || url.rfind("http://127.0.0.1:", 0) == 0) && url.back() != '/' && url.find(' ') == std::string::npos;
}

// The one of a model's own; empty: the vendor's.
std::string dialect_of(const ProviderPreset& preset, std::string_view model) {
  for (const auto& [pattern, name] : preset.model_dialects) {
    if (pattern_match(pattern, model)) return name;
  }
  return {};
}

}  // namespace

TEST_CASE("every preset is whole") {
  const std::set<std::string> quirks = {"no_stream_options", "max_tokens_only", "max_completion_tokens_only", "strip_unknown",
                                        "required_is_any",   "random_seed",     "short_tool_ids",
                                        "no_top_k", "takes_cache_control", "strict_members", "metadata_needs_store", "takes_developer", "effort_or_thinking", "effort_of_mini", "no_logprobs", "no_logit_bias", "no_user", "no_service_tier", "no_names", "temperature_to_1",
                                        "fixed_samplers", "thinks_without_samplers", "stops_1", "stops_4", "thinks_streamed", "thoughts_beside_bound", "thoughts_with_calls", "inline_media", "document_url", "strict_parts", "thinking_type", "enable_thinking",
                                         "reasoning_object", "template_thinking", "no_reasoning_effort", "no_reasoning_back", "custom_tools", "kimi_models", "no_call_ids", "fetches_urls",
                                         "publishers",       "output_dimension",  "voyage_names",    "jina_names",                 "nvidia_names",  "tei_rerank", "native_uses",
                                        "prefill", "prefill_prefix", "prefill_partial", "prefill_continue", "prefill_at_beta", "repeats_prefill"};
  const std::set<std::string> beside = {"responses", "completions"};
  const std::set<std::string> dialects = {"openai", "anthropic", "ollama", "cohere", "gemini", "bedrock"};
  std::set<std::string> types, variables;
  for (const ProviderPreset& preset : provider_presets()) {
    CAPTURE(preset.type);
    CHECK(types.insert(preset.type).second);
    CHECK_FALSE(preset.title.empty());
    for (const std::string& variable : preset.key_variables) CHECK(variables.insert(variable).second);
    for (const std::string& quirk : preset.quirks) CHECK((quirks.count(quirk) == 1 || quirk.rfind("embed_batch_", 0) == 0 || quirk.rfind("efforts_", 0) == 0));
    CHECK(dialects.count(preset.dialect) == 1);
    if (preset.type == "demo") {
      CHECK(preset.base_url == "demo:");
      CHECK(preset.auth.empty());
      CHECK_FALSE(preset.key_required);
      continue;
    }
    for (const std::string& name : preset.also) CHECK(beside.count(name) == 1);
    if (preset.type == "azure") {
      CHECK(preset.base_url.empty());  // each customer has a place of their own
      CHECK(preset.auth == "api-key");
      continue;
    }
    CHECK(well_formed(preset.base_url));
    CHECK(preset.auth == (preset.type == "gemini" ? "x-goog-api-key" : preset.type == "anthropic" ? "x-api-key" : "bearer"));
    CHECK((!preset.key_required || !preset.key_variables.empty()));
    for (const auto& [name, url] : preset.regions) CHECK(well_formed(url));
    if (!preset.regions.empty() && preset.base_url.find("{region}") == std::string::npos) CHECK(preset.regions.front().second == preset.base_url);
  }
}

TEST_CASE("the vendors of the contract are there") {
  for (const char* type : {"openai", "anthropic", "deepseek", "moonshot", "zai", "zai-coding", "qwen", "xai", "groq", "mistral", "openrouter", "together",
                           "fireworks", "siliconflow", "volcengine", "perplexity", "cerebras", "nvidia", "huggingface", "novita", "vllm",
                           "sglang", "llamacpp", "lmstudio", "tgi", "transformers", "ollama", "demo", "cohere", "azure", "gemini", "bedrock", "databricks",
                           "snowflake", "watsonx", "voyage", "jina", "tei", "vertex"}) {
    CAPTURE(type);
    const ProviderPreset* preset = find(type);
    REQUIRE(preset);
  }
  for (const char* model : {"qwen3-rerank", "gte-rerank-v2", "qwen3-vl-rerank", "multimodal-embedding-v1", "qwen3-vl-embedding", "qwen2.5-vl-embedding", "tongyi-embedding-vision-plus",
                            "qwen-image-plus", "qwen-image-2.0-pro", "z-image-turbo"}) {
    CAPTURE(model);
    CHECK(dialect_of(*find("qwen"), model) == "dashscope");
  }
  for (const char* model : {"qwen-max", "qwen3-vl-plus", "text-embedding-v4", "qwen-vl-max"}) CHECK(dialect_of(*find("qwen"), model).empty());
  CHECK(find("openai")->base_url_variable == "OPENAI_BASE_URL");
  CHECK(find("ollama")->base_url_variable == "OLLAMA_HOST");
  CHECK(find("ollama")->dialect == "ollama");
  CHECK(find("openai")->also == std::vector<std::string>{"responses", "completions"});
  CHECK(find("openrouter")->also == std::vector<std::string>{"responses"});
  CHECK(find("azure")->base_url.empty());
  CHECK(find("vertex")->dialect == "gemini");
  CHECK(find("vertex")->model_dialects.front() == std::pair<std::string, std::string>("claude-*", "anthropic"));
  CHECK(find("zai")->base_url == "https://api.z.ai/api/paas/v4");
}
