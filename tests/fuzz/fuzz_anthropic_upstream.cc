// What a /v1/messages answers: a stream, cut in many ways, relayed or translated and written again for each client; or a whole answer.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned mode = in.byte();
  const unsigned cut = in.byte();
  const std::string_view body = in.rest();
  if (mode & 0x80) {
    auto codec = reading("anthropic", false, 1, provider(0));
    auto response = codec->decode(body);
    auto facts = codec->inspect(body);
    fuzz::must(facts.ok() == response.ok(), "both readers agree");
    if (response) check_answer(*response);
    else check_error(response.error());
    return 0;
  }
  check_stream("anthropic", body, mode, cut);
  return 0;
}
