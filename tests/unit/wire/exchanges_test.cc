// Every recorded stream, cut at every byte. The recordings are not part of the project: without them this says so and passes.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.h"
#include "sse_support.h"
#include "wire/json_scan.h"
#include "wire/ndjson.h"

using namespace llmrouter::wire;
using namespace sse_test;

namespace {

namespace fs = std::filesystem;

// An event up to this long is cut at every byte; a longer one at so many places, and at every byte near its ends.
constexpr size_t kEveryCut = 400;

struct Recording {
  std::string name, content_type, body;
};

std::vector<Recording> recordings() {
  const fs::path folder = fs::path(LLMROUTER_SOURCE_DIR) / ".." / "shared" / "wire" / "exchanges";
  std::vector<Recording> all;
  if (!fs::is_directory(folder)) return all;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    REQUIRE(validate(text));
    const JsonValue root(text);
    if (!find(root, "fidelity").equals("raw") || find(root, "response", "body_encoding").exists()) continue;
    Recording r;
    r.name = entry.path().filename();
    r.content_type = find(root, "response", "headers", "content-type").string_or();
    if (find(root, "response", "body").string(r.body)) all.push_back(std::move(r));
  }
  return all;
}

bool cuts_agree(std::string_view event, std::string_view after) {
  const std::string stream = std::string(event) + std::string(after);
  const std::string_view s = stream;
  const Seen whole = read_pieces({s});
  const size_t stride = event.size() <= kEveryCut ? 1 : event.size() / kEveryCut + 1;
  for (size_t i = 0; i <= event.size(); i += i < 100 || i + 100 > event.size() ? 1 : stride) {
    const Seen cut = read_pieces({s.substr(0, i), s.substr(i)});
    if (cut.events != whole.events || cut.raw != stream || !cut.error.empty()) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("recorded streams re-concatenate exactly and say the same however they are cut") {
  const std::vector<Recording> all = recordings();
  if (all.empty()) {
    std::cerr << "skipped: no recorded exchanges at ../shared/wire/exchanges\n";
    return;
  }
  int streams = 0;
  size_t events = 0;
  for (const Recording& r : all) {
    if (r.content_type.find("event-stream") == std::string::npos) continue;
    INFO(r.name);
    ++streams;
    Reader bytes;
    for (const char& c : r.body) bytes.feed({&c, 1});
    bytes.finish();
    const Seen whole = read_pieces({r.body});
    CHECK(whole.raw == r.body);
    CHECK(bytes.seen.raw == r.body);
    CHECK(bytes.seen.events == whole.events);
    CHECK(whole.events == by_the_standard(r.body));
    // An event and the beginning of the next, cut everywhere: what stands further away cannot matter.
    bool agree = true;
    for (size_t i = 0; i < whole.event_bytes.size(); ++i) {
      const std::string_view next = i + 1 < whole.event_bytes.size() ? std::string_view(whole.event_bytes[i + 1]).substr(0, 40) : ": end\n\n";
      agree = agree && cuts_agree(whole.event_bytes[i], next);
    }
    CHECK(agree);
    events += whole.events.size();
  }
  CHECK(streams > 200);
  CHECK(events > 5000);
}

TEST_CASE("recorded NDJSON re-concatenates exactly, cut at every byte") {
  const std::vector<Recording> all = recordings();
  int streams = 0;
  for (const Recording& r : all) {
    if (r.content_type.find("ndjson") == std::string::npos) continue;
    INFO(r.name);
    ++streams;
    int wrong = 0;
    for (size_t i = 0; i <= r.body.size(); i += 1 + r.body.size() / 4000) {
      NdjsonParser parser;
      NdjsonLine line;
      std::string raw;
      for (const std::string_view piece : {std::string_view(r.body).substr(0, i), std::string_view(r.body).substr(i)}) {
        parser.feed(piece);
        while (parser.next(line) == NdjsonParser::Next::kLine) {
          raw += line.raw;
          wrong += !line.text.empty() && !validate(line.text);
        }
      }
      parser.finish();
      while (parser.next(line) == NdjsonParser::Next::kLine) raw += line.raw;
      wrong += raw != r.body;
    }
    CHECK(wrong == 0);
  }
  CHECK((streams > 0 || all.empty()));
}
