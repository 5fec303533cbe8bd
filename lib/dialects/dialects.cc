// The dialects that come with the library.
#include "dialects/anthropic.h"
#include "dialects/bedrock.h"
#include "dialects/bedrock_embed.h"
#include "dialects/cohere.h"
#include "dialects/cohere_tasks.h"
#include "dialects/completions.h"
#include "dialects/dashscope_tasks.h"
#include "dialects/gemini.h"
#include "dialects/gemini_embed.h"
#include "dialects/http_template.h"
#include "dialects/ollama.h"
#include "dialects/openai.h"
#include "dialects/openai_tasks.h"
#include "dialects/responses.h"
#include "llmrouter/codec.h"

namespace llmrouter {
namespace {

class OpenAi final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "openai"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::openai::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::openai::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
  std::unique_ptr<ClientCodec> new_task_client(Operation operation) const override { return dialects::openai::new_task_client(operation); }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override { return dialects::openai::new_task_upstream(operation); }
};

class Anthropic final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "anthropic"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::anthropic::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::anthropic::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
  std::unique_ptr<ClientCodec> new_task_client(Operation operation) const override { return dialects::anthropic::new_task_client(operation); }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override { return dialects::anthropic::new_task_upstream(operation); }
};

class Bedrock final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "bedrock"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return nullptr; }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::bedrock::new_upstream_codec(); }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override {
    return operation == Operation::kEmbed ? dialects::bedrock::new_embed_upstream() : nullptr;
  }
};

class Cohere final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "cohere"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::cohere::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::cohere::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
  std::unique_ptr<ClientCodec> new_task_client(Operation operation) const override { return dialects::cohere::new_task_client(operation); }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override { return dialects::cohere::new_task_upstream(operation); }
};

// Beside OpenAI's, of some of a vendor's models: see ProviderPreset::model_dialects.
class DashScope final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "dashscope"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return nullptr; }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return nullptr; }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override { return dialects::dashscope::new_task_upstream(operation); }
};

class Http final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "http"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return nullptr; }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::http_template::new_upstream_codec(); }
};

class Ollama final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "ollama"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::ollama::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::ollama::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
  std::unique_ptr<ClientCodec> new_task_client(Operation operation) const override {
    return operation == Operation::kEmbed ? dialects::ollama::new_embed_client() : nullptr;
  }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override {
    return operation == Operation::kEmbed ? dialects::ollama::new_embed_upstream() : nullptr;
  }
};

class Gemini final : public Dialect {
 public:
  std::string_view name() const noexcept override { return dialects::gemini::kName; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::gemini::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::gemini::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
  std::unique_ptr<ClientCodec> new_task_client(Operation operation) const override {
    return operation == Operation::kEmbed ? dialects::gemini::new_embed_client() : dialects::gemini::new_task_client(operation);
  }
  std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) const override {
    return operation == Operation::kEmbed ? dialects::gemini::new_embed_upstream() : dialects::gemini::new_task_upstream(operation);
  }
};

class Responses final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "responses"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::responses::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::responses::new_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
};

class Completions final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "completions"; }
  std::unique_ptr<ClientCodec> new_client_codec() const override { return dialects::completions::new_client_codec(); }
  std::unique_ptr<UpstreamCodec> new_upstream_codec() const override { return dialects::openai::new_legacy_upstream_codec(); }
  bool openai_members() const noexcept override { return true; }
};

}  // namespace

std::vector<std::shared_ptr<const Dialect>> builtin_dialects() {
  return {
      std::make_shared<OpenAi>(),
      std::make_shared<Responses>(),
      std::make_shared<Completions>(),
      std::make_shared<Anthropic>(),
      std::make_shared<Ollama>(),
      std::make_shared<Cohere>(),
      std::make_shared<Gemini>(),
      std::make_shared<Bedrock>(),
      std::make_shared<Http>(),
      std::make_shared<DashScope>(),
  };
}

}  // namespace llmrouter
