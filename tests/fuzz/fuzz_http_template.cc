// A template's body, a request for it, and an answer: what is sent is JSON whatever a caller writes, and answers never break out of their pointers.
#include "dialects/http_template.h"
#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned mode = in.byte();
  const std::string_view rest = in.rest();
  const size_t cut = rest.find('\n');
  const std::string_view form = rest.substr(0, cut), words = cut == std::string_view::npos ? std::string_view() : rest.substr(cut + 1);
  HttpTemplate http;
  http.path = "/x";
  http.body = R"({"a":"${prompt}","b":"[${prompt}] ${user:-nobody}","c":"${messages}","d":"${max_tokens:-5}"})";
  if (wire::JsonValue(form).is_object() && wire::validate(form)) http.body = form;
  http.text = "/text";
  http.stream_format = (mode & 1) != 0 ? "sse" : "ndjson";
  http.stream_text = "/t";
  if ((mode & 2) != 0) http.stream_done = "/d";
  ChatRequest chat = ChatRequest::of("m", std::string(words));
  std::string out;
  std::vector<std::string> dropped;
  if (dialects::http_template::write_request(http, chat, "model", false, true, out, dropped)) {
    fuzz::must(bool(wire::validate(out)), "a filled template is JSON");
  }
  dialects::http_template::at_pointer(wire::JsonValue(words), "/a/0/~0~1");
  ProviderConfig config = provider(0);
  config.http = http;
  auto codec = reading("http", false, 1, config);
  Sink seen;
  for (size_t at = 0; at < words.size(); at += mode % 7 + 1) codec->feed(words.substr(at, mode % 7 + 1), seen);
  codec->finish(seen);
  return 0;
}
