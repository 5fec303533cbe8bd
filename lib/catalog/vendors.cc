#include "catalog/vendors.h"

#include <initializer_list>
#include <vector>

#include "llmrouter/llmrouter.h"

namespace llmrouter {
namespace {

using Words = std::initializer_list<const char*>;

// A vendor's row. `prices` names its provider in prices.inc; one that ends in `*` is completed by what follows the last colon of the model's
// name (a market place that names the seller there); null: none.
struct Vendor {
  const char* type;
  const char* title;
  const char* base_url;
  const char* dialect;
  const char* auth;
  bool key_required;
  Words key_variables;
  const char* base_url_variable;
  Words quirks;
  std::initializer_list<std::pair<const char*, const char*>> regions;
  const char* prices;
  Words also = {};  // other dialects under the same base URL
  Words region_variables = {};
  // As in ProviderPreset, of a vendor whose URL names the customer's project.
  Words project_variables = {};
  const char* keyed_base_url = "";
  const char* key_file_variable = "";
  std::initializer_list<std::pair<const char*, const char*>> model_dialects = {};
};

constexpr const char* kBearer = "bearer";

// Base URLs hold the version part that the dialect's paths are appended to. Quirks are explained in lib/dialects/README.md.
constexpr Vendor kVendors[] = {
    {"openai", "OpenAI", "https://api.openai.com/v1", "openai", kBearer, true, {"OPENAI_API_KEY"}, "OPENAI_BASE_URL",
     {"max_completion_tokens_only", "no_top_k", "metadata_needs_store", "takes_developer", "thinks_without_samplers", "stops_4", "no_reasoning_back", "custom_tools", "strict_parts", "embed_batch_2048"}, {}, "openai", {"responses", "completions"}},
    {"anthropic", "Anthropic", "https://api.anthropic.com", "anthropic", "x-api-key", true, {"ANTHROPIC_API_KEY"}, "ANTHROPIC_BASE_URL", {}, {},
     "anthropic"},
    {"deepseek", "DeepSeek", "https://api.deepseek.com/v1", "openai", kBearer, true, {"DEEPSEEK_API_KEY"}, "",
     {"thinking_type", "efforts_low_medium_high_xhigh_max", "thoughts_with_calls", "prefill_prefix", "prefill_at_beta"}, {}, "deepseek"},
    {"moonshot", "Moonshot (Kimi)", "https://api.moonshot.ai/v1", "openai", kBearer, true, {"MOONSHOT_API_KEY", "KIMI_API_KEY"}, "",
     {"thinking_type", "kimi_models", "effort_or_thinking", "efforts_low_high_max", "thoughts_with_calls", "temperature_to_1", "fixed_samplers", "inline_media",
      "prefill_partial"},
     {{"intl", "https://api.moonshot.ai/v1"}, {"cn", "https://api.moonshot.cn/v1"}}, "moonshotai"},
    {"zai", "Z.ai (GLM)", "https://api.z.ai/api/paas/v4", "openai", kBearer, true, {"ZAI_API_KEY", "ZHIPUAI_API_KEY"}, "", {"thinking_type", "no_reasoning_effort", "temperature_to_1", "stops_1"},
     {{"intl", "https://api.z.ai/api/paas/v4"}, {"cn", "https://open.bigmodel.cn/api/paas/v4"}}, "zhipuai"},
    // A subscription: no price per token.
    {"zai-coding", "Z.ai coding plan", "https://api.z.ai/api/coding/paas/v4", "openai", kBearer, true, {"ZAI_CODING_API_KEY"}, "", {"thinking_type", "no_reasoning_effort", "temperature_to_1", "stops_1"},
     {{"intl", "https://api.z.ai/api/coding/paas/v4"}, {"cn", "https://open.bigmodel.cn/api/coding/paas/v4"}}, nullptr},
    {"qwen", "Qwen (DashScope)", "https://dashscope.aliyuncs.com/compatible-mode/v1", "openai", kBearer, true, {"DASHSCOPE_API_KEY"}, "", {"enable_thinking", "thinks_streamed", "thoughts_beside_bound", "embed_batch_10", "native_uses", "prefill_partial"},
     {{"cn", "https://dashscope.aliyuncs.com/compatible-mode/v1"},
      {"intl", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"},
      {"us", "https://dashscope-us.aliyuncs.com/compatible-mode/v1"}}, "dashscope", {}, {}, {}, "", "",
     // What the OpenAI face does not have.
     {{"*rerank*", "dashscope"}, {"*multimodal-embedding*", "dashscope"}, {"*vl-embedding*", "dashscope"}, {"*embedding-vision*", "dashscope"},
      {"qwen-image*", "dashscope"}, {"z-image*", "dashscope"}}},
    {"xai", "xAI", "https://api.x.ai/v1", "openai", kBearer, true, {"XAI_API_KEY"}, "", {"efforts_low_high", "effort_of_mini"}, {}, "x-ai", {"responses"}},
    {"groq", "Groq", "https://api.groq.com/openai/v1", "openai", kBearer, true, {"GROQ_API_KEY"}, "", {"strict_members", "no_top_k", "no_logprobs", "no_logit_bias", "no_names", "no_reasoning_back"}, {}, "groq"},
    {"mistral", "Mistral", "https://api.mistral.ai/v1", "openai", kBearer, true, {"MISTRAL_API_KEY"}, "",
     {"no_stream_options", "max_tokens_only", "required_is_any", "random_seed", "short_tool_ids", "strict_members", "no_top_k", "no_logprobs", "no_logit_bias", "no_user",
      "no_service_tier", "document_url", "no_reasoning_back", "output_dimension", "efforts_none_low_medium_high", "prefill_prefix", "repeats_prefill"}, {}, "mistral"},
    {"openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "openai", kBearer, true, {"OPENROUTER_API_KEY"}, "",
     {"reasoning_object", "takes_cache_control"}, {}, "openrouter", {"responses"}},
    {"together", "Together", "https://api.together.xyz/v1", "openai", kBearer, true, {"TOGETHER_API_KEY"}, "", {}, {}, "together"},
    {"fireworks", "Fireworks", "https://api.fireworks.ai/inference/v1", "openai", kBearer, true, {"FIREWORKS_API_KEY"}, "", {}, {}, "fireworks"},
    {"siliconflow", "SiliconFlow", "https://api.siliconflow.cn/v1", "openai", kBearer, true, {"SILICONFLOW_API_KEY"}, "", {"enable_thinking", "embed_batch_32"},
     {{"cn", "https://api.siliconflow.cn/v1"}, {"intl", "https://api.siliconflow.com/v1"}}, nullptr},
    {"volcengine", "Volcengine Ark", "https://ark.cn-beijing.volces.com/api/v3", "openai", kBearer, true, {"ARK_API_KEY", "VOLCENGINE_API_KEY"}, "",
     {"thinking_type", "efforts_minimal_low_medium_high"}, {}, "volcengine"},
    {"perplexity", "Perplexity", "https://api.perplexity.ai", "openai", kBearer, true, {"PERPLEXITY_API_KEY"}, "", {}, {}, "perplexity"},
    {"cerebras", "Cerebras", "https://api.cerebras.ai/v1", "openai", kBearer, true, {"CEREBRAS_API_KEY"}, "",
     {"strict_members", "no_reasoning_back"}, {}, "cerebras"},
    {"nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1", "openai", kBearer, true, {"NVIDIA_API_KEY"}, "", {"nvidia_names"}, {}, nullptr},
    {"huggingface", "Hugging Face router", "https://router.huggingface.co/v1", "openai", kBearer, true, {"HF_TOKEN"}, "", {}, {},
     "huggingface_*"},
    {"novita", "Novita", "https://api.novita.ai/openai/v1", "openai", kBearer, true, {"NOVITA_API_KEY"}, "", {}, {}, "novita"},
    {"gemini", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta", "gemini", "x-goog-api-key", true,
     {"GEMINI_API_KEY", "GOOGLE_API_KEY"}, "GOOGLE_GEMINI_BASE_URL", {}, {}, "google"},
    {"cohere", "Cohere", "https://api.cohere.com/v2", "cohere", kBearer, true, {"COHERE_API_KEY", "CO_API_KEY"}, "", {}, {}, "cohere"},
    {"databricks", "Databricks (region: the workspace's host)", "https://{region}/serving-endpoints", "openai", kBearer, true, {"DATABRICKS_TOKEN"}, "", {}, {},
     "databricks", {}, {"DATABRICKS_HOST"}},
    {"snowflake", "Snowflake Cortex (region: the account)", "https://{region}.snowflakecomputing.com/api/v2/cortex/v1", "openai", kBearer, true,
     {"SNOWFLAKE_TOKEN", "SNOWFLAKE_PAT"}, "", {}, {}, nullptr, {}, {"SNOWFLAKE_ACCOUNT"}},
    {"watsonx", "IBM watsonx.ai", "https://{region}.ml.cloud.ibm.com/ml/v1", "openai", kBearer, true, {"WATSONX_TOKEN"}, "", {}, {}, nullptr, {},
     {"WATSONX_REGION"}},
    {"bedrock", "Amazon Bedrock", "https://bedrock-runtime.{region}.amazonaws.com", "bedrock", kBearer, true,
     {"AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID:AWS_SECRET_ACCESS_KEY:AWS_SESSION_TOKEN"}, "", {}, {}, "aws", {},
     {"AWS_REGION", "AWS_DEFAULT_REGION"}},
    {"vertex", "Google Vertex AI (Gemini, Claude and others)", "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}", "gemini", kBearer,
     true, {"GOOGLE_VERTEX_API_KEY"}, "", {"publishers", "no_call_ids", "fetches_urls"},
     {{"global", "https://aiplatform.googleapis.com/v1/projects/{project}/locations/global"},
      {"us", "https://aiplatform.us.rep.googleapis.com/v1/projects/{project}/locations/us"},
      {"eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/{project}/locations/eu"}},
     "google", {}, {"GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION"}, {"GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"},
     "https://aiplatform.googleapis.com/v1", "GOOGLE_APPLICATION_CREDENTIALS",
     {{"claude-*", "anthropic"}, {"anthropic/*", "anthropic"}, {"publishers/anthropic/*", "anthropic"},
      // Models of other makers speak OpenAI's chat completions; those that make vectors are asked as Google's are.
      {"*multilingual-e5*", "gemini"}, {"*-maas", "openai"}, {"mistral*", "openai"}, {"codestral*", "openai"}, {"*mistralai/*", "openai"}, {"*ai21/*", "openai"},
      {"*meta/*", "openai"}, {"*deepseek-ai/*", "openai"}, {"*qwen/*", "openai"}, {"openai/*", "openai"}, {"*moonshotai/*", "openai"}, {"*zai-org/*", "openai"},
      {"*minimaxai/*", "openai"}, {"*xai/*", "openai"}}},
    // Vectors and rankings alone.
    {"voyage", "Voyage AI", "https://api.voyageai.com/v1", "openai", kBearer, true, {"VOYAGE_API_KEY"}, "", {"voyage_names", "embed_batch_1000"}, {},
     "voyageai"},
    {"jina", "Jina AI", "https://api.jina.ai/v1", "openai", kBearer, true, {"JINA_API_KEY"}, "", {"jina_names", "embed_batch_2048"}, {}, nullptr},

    // Its place is the customer's own: base_url, or the variable.
    {"azure", "Azure OpenAI", "", "openai", "api-key", true, {"AZURE_OPENAI_API_KEY"}, "AZURE_OPENAI_ENDPOINT",
     {"max_completion_tokens_only", "no_top_k", "metadata_needs_store", "takes_developer", "thinks_without_samplers", "stops_4", "no_reasoning_back", "custom_tools", "strict_parts"}, {}, "azure", {"responses", "completions"}},

    {"vllm", "vLLM", "http://127.0.0.1:8000/v1", "openai", kBearer, false, {}, "", {"template_thinking", "prefill_continue"}, {}, nullptr, {"completions"}},
    {"sglang", "SGLang", "http://127.0.0.1:30000/v1", "openai", kBearer, false, {}, "", {"template_thinking", "prefill_continue"}, {}, nullptr, {"completions"}},
    {"llamacpp", "llama.cpp server", "http://127.0.0.1:8080/v1", "openai", kBearer, false, {}, "", {"prefill"}, {}, nullptr, {"responses", "completions"}},
    {"lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", "openai", kBearer, false, {}, "", {}, {}, nullptr, {"responses", "completions"}},
    {"tgi", "Text Generation Inference", "http://127.0.0.1:3000/v1", "openai", kBearer, false, {}, "", {}, {}, nullptr},
    {"tei", "Text Embeddings Inference", "http://127.0.0.1:8080/v1", "openai", kBearer, false, {}, "", {"tei_rerank", "embed_batch_32"}, {}, nullptr},
    {"transformers", "Hugging Face transformers serve", "http://127.0.0.1:8000/v1", "openai", kBearer, false, {}, "",
     {"strip_unknown", "max_tokens_only", "no_stream_options"}, {}, nullptr},
    {"ollama", "Ollama", "http://127.0.0.1:11434", "ollama", kBearer, false, {"OLLAMA_API_KEY"}, "OLLAMA_HOST", {}, {}, nullptr},
    {"demo", "The model in this process", "demo:", "openai", "", false, {}, "", {}, {}, nullptr},
};

ProviderPreset preset_of(const Vendor& vendor) {
  ProviderPreset preset;
  preset.type = vendor.type;
  preset.title = vendor.title;
  preset.base_url = vendor.base_url;
  preset.dialect = vendor.dialect;
  preset.auth = vendor.auth;
  preset.key_variables.assign(vendor.key_variables.begin(), vendor.key_variables.end());
  preset.base_url_variable = vendor.base_url_variable;
  preset.quirks.assign(vendor.quirks.begin(), vendor.quirks.end());
  preset.key_required = vendor.key_required;
  preset.also.assign(vendor.also.begin(), vendor.also.end());
  preset.regions.assign(vendor.regions.begin(), vendor.regions.end());
  preset.region_variables.assign(vendor.region_variables.begin(), vendor.region_variables.end());
  preset.project_variables.assign(vendor.project_variables.begin(), vendor.project_variables.end());
  preset.keyed_base_url = vendor.keyed_base_url;
  preset.key_file_variable = vendor.key_file_variable;
  preset.model_dialects.assign(vendor.model_dialects.begin(), vendor.model_dialects.end());
  return preset;
}

}  // namespace

const std::vector<ProviderPreset>& provider_presets() {
  static const std::vector<ProviderPreset> presets = [] {
    std::vector<ProviderPreset> all;
    for (const Vendor& vendor : kVendors) all.push_back(preset_of(vendor));
    return all;
  }();
  return presets;
}

namespace catalog {

std::pair<std::string, std::string_view> price_source(std::string_view type, std::string_view model) {
  for (const Vendor& vendor : kVendors) {
    if (type != vendor.type) continue;
    if (!vendor.prices) return {};
    std::string provider = vendor.prices;
    if (provider.back() != '*') return {std::move(provider), model};
    const size_t colon = model.rfind(':');
    if (colon == std::string_view::npos) return {};
    provider.pop_back();
    return {provider.append(model.substr(colon + 1)), model.substr(0, colon)};
  }
  return {std::string(type), model};
}

}  // namespace catalog
}  // namespace llmrouter
