// A whole reply: an answer, an error in a 200, an error reply, a list of models.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned pick = in.byte();
  const unsigned header = in.byte();
  const std::string body(in.rest());
  const ProviderConfig config = provider(0);
  for (const char* name : {"openai", "ollama"}) {
    auto codec = reading(name, true, 1, config);
    auto facts = codec->inspect(body);
    auto response = codec->decode(body);
    fuzz::must(facts.ok() == response.ok(), "inspect and decode agree");
    if (!facts) {
      check_error(facts.error());
      check_error(response.error());
    } else {
      fuzz::must(facts->usage.input == response->usage.input && facts->usage.output == response->usage.output, "both count the same");
      check_answer(*response);
    }
    if (auto models = codec->parse_models(body); !models) check_error(models.error());

    static constexpr int kStatuses[] = {400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529, 302, 418};
    static constexpr const char* kHeaders[] = {"retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-reset", "date", "content-type"};
    HttpHead head;
    head.status = kStatuses[pick % std::size(kStatuses)];
    head.headers.push_back({kHeaders[header % std::size(kHeaders)], body.substr(0, 40)});
    const Error error = codec->parse_error(head, body);
    check_error(error);
    fuzz::must(error.upstream_status == head.status, "the status is kept");
    fuzz::must(error.retry_after.count() >= 0 && error.retry_after <= std::chrono::hours(24), "waits are bounded");
  }
  return 0;
}
