// A stream of Google's, cut in many ways, relayed or translated and written again for three clients; the same bytes as a whole answer.
#include "fuzz/fuzz_openai_support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned mode = in.byte();
  const unsigned cut = in.byte();
  codec_fuzz::check_stream("gemini", in.rest(), mode, cut);
  const llmrouter::ProviderConfig config = codec_fuzz::provider(0);
  auto codec = codec_fuzz::reading("gemini", false, 1, config);
  if (auto answer = codec->decode(in.rest())) codec_fuzz::check_answer(*answer);
  else codec_fuzz::check_error(answer.error());
  return 0;
}
