// A stream of Google's steps, cut in many ways, relayed or translated and written again for both clients.
#include "fuzz/fuzz_openai_support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned mode = in.byte();
  const unsigned cut = in.byte();
  codec_fuzz::check_stream("gemini", in.rest(), mode, cut);
  return 0;
}
