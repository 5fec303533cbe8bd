// The two small parsers of the C shim: server-sent events cut at every byte, and the `stream` member of every shape of body.
#include <string>
#include <vector>

#include "check.h"
#include "sse_data.h"
#include "stream_member.h"

using llmrouter::c::set_stream;
using llmrouter::c::SseData;

namespace {

Checks check;

std::vector<std::string> fed(const std::vector<std::string>& pieces, size_t stop_after = 1000) {
  SseData parser;
  std::vector<std::string> out;
  for (const std::string& piece : pieces) {
    const bool more = parser.feed(piece, [&](std::string_view data) {
      out.emplace_back(data);
      return out.size() < stop_after;
    });
    if (!more) break;
  }
  return out;
}

void cuts(const char* name, const std::string& text, const std::vector<std::string>& expected) {
  int bad = fed({text}) != expected;
  for (size_t i = 0; i <= text.size(); ++i) bad += fed({text.substr(0, i), text.substr(i)}) != expected;
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j) bad += fed({text.substr(0, i), text.substr(i, j - i), text.substr(j)}) != expected;
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  bad += fed(bytes) != expected;
  check(bad == 0, name);
}

struct Body {
  const char* body;
  const char* streamed;
  const char* whole;
};

// Whitespace at the edges, escapes in names, the member first, last, alone, absent; what is no request stays.
const Body kBodies[] = {
    {R"({"model":"m","messages":[{"role":"user","content":"x"}]})", R"({"stream":true,"model":"m","messages":[{"role":"user","content":"x"}]})", R"({"model":"m","messages":[{"role":"user","content":"x"}]})"},
    {"\n { \"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "\n {\"stream\":true, \"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "\n { \"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"},
    {R"({"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]})", R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]})", R"({"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]})"},
    {R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream" : null })", R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream" : true })", R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream" : false })"},
    {R"({"stream_options":{"include_usage":true},"stream":true,"model":"m","messages":[{"role":"user","content":"x"}]})",
     R"({"stream_options":{"include_usage":true},"stream":true,"model":"m","messages":[{"role":"user","content":"x"}]})", R"({"stream":false,"model":"m","messages":[{"role":"user","content":"x"}]})"},
    {R"({"stream":true,"model":"m","messages":[{"role":"user","content":"x"}] , "stream_options" : {"include_usage":true} })",
     R"({"stream":true,"model":"m","messages":[{"role":"user","content":"x"}] , "stream_options" : {"include_usage":true} })", R"({"stream":false,"model":"m","messages":[{"role":"user","content":"x"}] })"},
    {R"({"model":"m","stream_options":{},"messages":[{"role":"user","content":"x"}]})", R"({"stream":true,"model":"m","stream_options":{},"messages":[{"role":"user","content":"x"}]})", R"({"model":"m","messages":[{"role":"user","content":"x"}]})"},
    {R"({"str\u0065am":false,"model":"m","messages":[{"role":"user","content":"x"}]})", R"({"str\u0065am":true,"model":"m","messages":[{"role":"user","content":"x"}]})",
     R"({"str\u0065am":false,"model":"m","messages":[{"role":"user","content":"x"}]})"},
    {R"({"model":"m","messages":[{"role":"user","content":"\"stream\":false"}]})", R"({"stream":true,"model":"m","messages":[{"role":"user","content":"\"stream\":false"}]})",
     R"({"model":"m","messages":[{"role":"user","content":"\"stream\":false"}]})"},
    {"", "", ""},
    {"{}", "{}", "{}"},
    {"{", "{", "{"},
    {"[1]", "[1]", "[1]"},
    {R"({"stream":)", R"({"stream":)", R"({"stream":)"},
};

}  // namespace

int main() {
  cuts("LF", "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n", {"{\"a\":1}", "{\"b\":2}", "[DONE]"});
  cuts("CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", {"a", "b"});
  cuts("CR", "data: a\r\rdata: b\r\r", {"a", "b"});
  cuts("a byte order mark", "\xef\xbb\xbf" "data: a\n\ndata: \xef\xbb\xbf\n\n", {"a", "\xef\xbb\xbf"});
  cuts("comments, names, other fields", ": ping\n\nevent: error\nid: 7\ndata:a\nretry: 3\ndatabase: no\n\n\n\n", {"a"});
  cuts("several lines", "data: a\ndata:  b\ndata\ndata:\n\n", {"a\n b\n\n"});
  cuts("an end without a blank line", "data: a\n\ndata: b\n", {"a"});
  check(fed({"data: a\n\ndata: b\n\ndata: c\n\n"}, 2).size() == 2, "stopping drops the rest");

  std::shared_ptr<const llmrouter::Dialect> openai;
  for (const auto& dialect : llmrouter::builtin_dialects()) {
    if (dialect->name() == "openai") openai = dialect;
  }
  for (const Body& b : kBodies) {
    std::string body = b.body;
    set_stream(body, true, *openai);
    check(body == b.streamed, b.body);
    if (body != b.streamed) std::printf("  streamed: %s\n", body.c_str());
    body = b.body;
    set_stream(body, false, *openai);
    check(body == b.whole, "  and whole");
    if (body != b.whole) std::printf("  whole: %s\n", body.c_str());
  }
  return check.finish();
}
