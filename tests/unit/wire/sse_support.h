// Feeds streams in pieces, and a second, plain reading of the standard to compare with.
#ifndef LLMROUTER_TESTS_UNIT_WIRE_SSE_SUPPORT_H_
#define LLMROUTER_TESTS_UNIT_WIRE_SSE_SUPPORT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sse.h"

namespace sse_test {

using llmrouter::wire::SseFrame;
using llmrouter::wire::SseLimits;
using llmrouter::wire::SseParser;

struct Event {
  std::string name, data, id;
  bool terminated = true;
  bool operator==(const Event&) const = default;
};

struct Seen {
  std::vector<Event> events;
  std::vector<std::string> event_bytes;  // raw of each event's frame
  std::string raw;                       // of all frames
  std::string error;
  int comments = 0;
};

// A copy of its own for each chunk, exactly as large as it is and gone when it was read: reading outside or too late is seen by a sanitizer.
class Reader {
 public:
  explicit Reader(SseLimits limits = {}) : parser(limits) {}
  void feed(std::string_view bytes) {
    std::unique_ptr<char[]> copy(new char[bytes.size()]);
    std::string_view chunk(copy.get(), bytes.copy(copy.get(), bytes.size()));
    parser.feed(chunk);
    drain();
  }
  void finish() {
    parser.finish();
    drain();
    seen.error = parser.error();
  }
  SseParser parser;
  Seen seen;

 private:
  void drain() {
    SseFrame f;
    while (parser.next(f) == SseParser::Next::kFrame) {
      seen.raw += f.raw;
      if (f.kind == SseFrame::Kind::kEvent) {
        seen.events.push_back({std::string(f.event), std::string(f.data), std::string(f.id), f.terminated});
        seen.event_bytes.emplace_back(f.raw);
      } else {
        ++seen.comments;
      }
    }
  }
};

inline Seen read_pieces(const std::vector<std::string_view>& pieces, SseLimits limits = {}) {
  Reader r(limits);
  for (const std::string_view piece : pieces) r.feed(piece);
  r.finish();
  return r.seen;
}

// The whole stream at once, line by line, as the standard's text has it. What stands after the last blank line is delivered too.
inline std::vector<Event> by_the_standard(std::string_view in) {
  if (in.substr(0, 3) == "\xef\xbb\xbf") in.remove_prefix(3);
  std::vector<std::string> lines;
  std::string line;
  bool open = false;  // characters of a line without an end
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\r' && in[i] != '\n') {
      line += in[i];
      open = true;
      continue;
    }
    if (in[i] == '\r' && i + 1 < in.size() && in[i + 1] == '\n') ++i;
    lines.push_back(line);
    line.clear();
    open = false;
  }
  if (open) lines.push_back(line);

  std::vector<Event> events;
  std::string name, data, id;
  bool has_data = false;
  const auto dispatch = [&](bool terminated) {
    if (has_data) events.push_back({name, data.substr(0, data.size() - 1), id, terminated});
    name.clear();
    data.clear();
    has_data = false;
  };
  for (const std::string& l : lines) {
    if (l.empty()) {
      dispatch(true);
      continue;
    }
    if (l[0] == ':') continue;
    const size_t colon = l.find(':');
    const std::string field = l.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : l.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.erase(0, 1);
    if (field == "event") name = value;
    if (field == "data") {
      data += value + '\n';
      has_data = true;
    }
    if (field == "id" && value.find('\0') == std::string::npos) id = value;
  }
  dispatch(false);
  return events;
}

}  // namespace sse_test

#endif  // LLMROUTER_TESTS_UNIT_WIRE_SSE_SUPPORT_H_
