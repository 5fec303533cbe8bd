// The logger to stderr: what a line looks like, and that lines stay whole.
#include <llmrouter/llmrouter.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "check.h"

using namespace llmrouter;

namespace {

// Everything written to stderr while `work` runs.
template <typename Work>
std::string written(Work work) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const int before = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  std::string out;
  std::thread reader([&] {
    char bytes[4096];
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;) out.append(bytes, static_cast<size_t>(n));
  });
  work();
  dup2(before, STDERR_FILENO);
  close(before);
  reader.join();
  close(ends[0]);
  return out;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

int main() {
  Checks check;
  const auto text = make_stderr_logger(LogLevel::kInfo, false);
  const auto json = make_stderr_logger(LogLevel::kInfo, true);

  check(text->enabled(LogLevel::kInfo) && text->enabled(LogLevel::kError) && !text->enabled(LogLevel::kDebug) && !text->enabled(LogLevel::kOff),
        "levels below are off");
  check(written([&] { text->log(LogLevel::kDebug, "quiet"); }).empty(), "and write nothing");
  std::string line = written([&] { text->log(LogLevel::kWarn, "it rains", {{"place", "Oslo"}, {"words", "two words"}, {"empty", ""}}); });
  check(ends_with(line, " warn it rains place=Oslo words=\"two words\" empty=\"\"\n") && line.size() > 24 && line[4] == '-' && line[10] == 'T' && line[23] == 'Z',
        "a line for people");
  line = written([&] { text->log(LogLevel::kInfo, "a\nb", {{"field", "x\ny \"q\" \x1b[31m \xff"}}); });
  check(std::count(line.begin(), line.end(), '\n') == 1 && line.find('\x1b') == std::string::npos && line.find('\xff') == std::string::npos &&
            ends_with(line, "field=\"x\\ny \\\"q\\\" \\u001b[31m \xef\xbf\xbd\"\n"),
        "what a stranger sends stays on its line");
  line = written([&] { json->log(LogLevel::kError, "it \"rains\"", {{"place", "Osl\xc3\xb8"}, {"bad", "\xed\xa0\x80|\xc0\xaf|\xf5"}}); });
  check(line.rfind("{\"time\":\"2", 0) == 0 &&
            ends_with(line, "\"level\":\"error\",\"message\":\"it \\\"rains\\\"\",\"place\":\"Osl\xc3\xb8\",\"bad\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                            "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\"}\n"),
        "a line for machines, valid UTF-8 whatever comes");
  const std::string many = written([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) text->log(LogLevel::kInfo, "line", {{"end", "here"}});
      });
    }
    for (auto& thread : threads) thread.join();
  });
  size_t whole = 0;
  for (size_t at = 0, end; (end = many.find('\n', at)) != std::string::npos; at = end + 1) whole += ends_with(many.substr(at, end - at), " info line end=here");
  check(whole == 800, "lines of several threads do not mix");
  return check.finish();
}
