// Pictures in answers: what an upstream says as `images`, URLs and bytes in words.
#include <string>
#include <vector>

#include "dialects/pictures.h"
#include "fuzz/fuzz.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned kind = in.byte();
  const std::string text(in.rest());
  if (wire::validate(text)) {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kOther;
    event.raw = text;
    const std::vector<std::string> urls = pictures_of(event);
    Message message;
    message.extras = "\"images\":" + text;
    size_t bytes = 0;
    for (const std::vector<std::string>& list : {urls, pictures_of(message), pictures_in(message.extras)}) {
      bytes = 0;
      for (const std::string& url : list) bytes += url.size();
      fuzz::must(bytes <= text.size(), "no picture is made up");
      const std::string written = "{\"images\":" + picture_list(list) + "}";
      fuzz::must(bool(wire::validate(written)), "a list is JSON");
      event.raw = written;
      fuzz::must(pictures_of(event) == list, "what is written is what is read");
    }
  }
  Part part;
  part.kind = static_cast<Part::Kind>(1 + kind % 4);  // a picture, a sound, a film, a file
  if (kind & 4) part.url = text;
  else part.data = text;
  if (kind & 8) part.mime = text.substr(0, text.find(';'));
  const std::string words = media_in_words(part);
  fuzz::must(!words.empty() && words.front() == '\n' && words.back() == '\n', "a line of its own");
  fuzz::must(words.size() <= text.size() + part.mime.size() + 200, "bytes are not told in words");
  if (part.kind == Part::Kind::kImage) {
    const std::string url = picture_url(part);
    fuzz::must(url.compare(0, 5, "data:") != 0 || picture_in_words(url) == words, "bytes are told alike, in a part and in a URL");
    fuzz::must(bool(wire::validate(picture_object(url))), "an object is JSON");
  }
  return 0;
}
