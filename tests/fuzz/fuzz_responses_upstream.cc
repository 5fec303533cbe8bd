// A stream of Responses events, cut in many ways, relayed or translated and written again for three clients.
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned mode = in.byte();
  const unsigned cut = in.byte();
  const std::string stream(in.rest());
  check_stream("responses", stream, mode, cut);
  // Its own client's grammar: numbers without a gap, every frame JSON.
  const ProviderConfig config = provider(0);
  auto client = dialect("responses")->new_client_codec();
  Sink sink({client.get()});
  auto codec = reading("responses", false, 1, config);
  codec->feed(stream, sink);
  codec->finish(sink);
  if (!sink.errors) sink.end_clients();
  auto whole = reading("responses", false, 1, config);
  if (auto response = whole->decode(stream)) {
    check_answer(*response);
    std::string out;
    dialect("responses")->new_client_codec()->encode_response(*response, out);
    fuzz::must(bool(wire::validate(out)), "a written answer is JSON");
  }
  if (auto facts = reading("responses", false, 1, config)->inspect(stream)) {
    fuzz::must(facts->usage.input >= 0 && facts->usage.output >= 0, "what was used is no debt");
  }
  return 0;
}
