// A provider's list of models, page by page, in every dialect that has one: names out of a body that is JSON, or an error, and a question for the next
// page that is a good request whatever the page before it said.
#include <algorithm>

#include "fuzz/fuzz_openai_support.h"

using namespace codec_fuzz;

namespace {

void check_question(const EncodedRequest& out) {
  fuzz::must(out.http.method == "GET" && out.http.body.empty(), "a list is asked for without a body");
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  fuzz::must(out.http.url.compare(0, 4, "http") == 0 && std::all_of(out.http.url.begin(), out.http.url.end(), visible), "an address is an address");
  for (const HttpHeader& header : out.http.headers) {
    fuzz::must(header.value.find_first_of("\r\n") == std::string::npos, "a header is one line");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr std::string_view kNames[] = {"openai", "responses", "completions", "anthropic", "ollama", "cohere", "gemini", "bedrock"};
  fuzz::Input in(data, size);
  const unsigned pick = in.byte();
  const std::string_view body = in.rest();
  ProviderConfig config = provider(0);
  if (pick & 8) config.quirks = {"publishers"};
  if (pick & 16) config.base_url = "https://bedrock-runtime.us-east-1.amazonaws.com";
  auto codec = dialect(kNames[pick % 8])->new_upstream_codec();
  EncodedRequest first;
  if (!codec->encode_models(config, kKey, first)) return 0;
  check_question(first);
  // Pages stand one behind the other, parted by a zero byte.
  std::string_view rest = body;
  for (int page = 0; page < 4; ++page) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    const std::string text(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
    auto ids = codec->parse_models(text);
    if (!ids) {
      check_error(ids.error());
      return 0;
    }
    std::string_view json = text;
    if (json.substr(0, 3) == "\xef\xbb\xbf") json.remove_prefix(3);
    fuzz::must(static_cast<bool>(wire::validate(json)), "names are read out of JSON alone");
    size_t letters = 0;
    for (const std::string& id : *ids) {
      fuzz::must(!id.empty(), "a model has a name");
      letters += id.size();
    }
    fuzz::must(letters <= text.size(), "the names were in the list");
    EncodedRequest next;
    if (!codec->encode_more_models(config, kKey, next)) return 0;
    check_question(next);
  }
  return 0;
}
