// Forms that lie somewhere else than in memory, through a whole call.
#include <algorithm>

#include "llmrouter/body.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

constexpr const char* kType = "multipart/form-data; boundary=XX";

std::string field(const std::string& name, const std::string& value, const std::string& more = {}) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"" + more + "\r\n\r\n" + value + "\r\n";
}

const std::string kSound = "RIFF\r\n--X" + std::string(200000, '\xfe');
const std::string kEnd = "--XX--\r\n";
std::string form(const std::string& model) { return field("file", kSound, "; filename=\"a.wav\"") + field("model", model) + kEnd; }

// Knows nothing of its fields; the `fail_at`-th read fails.
class Text final : public BodySource {
 public:
  explicit Text(std::string text) : text_(std::move(text)) {}
  size_t size() const noexcept override { return text_.size() + promised; }
  Result<size_t> read(size_t offset, char* to, size_t count) const override {
    if (++reads == fail_at) return Error(ErrorCode::kIo, "scripted");
    return offset < text_.size() ? text_.copy(to, std::min<size_t>(count, 70000), offset) : size_t{0};
  }
  int fail_at = 0;
  size_t promised = 0;  // bytes that it says and has not
  mutable int reads = 0;

 private:
  std::string text_;
};

RawRequest transcribe(std::shared_ptr<const BodySource> source) {
  RawRequest request;
  request.operation = Operation::kTranscribe;
  request.path.content_type = kType;
  request.source = std::move(source);
  return request;
}

std::shared_ptr<const BodySource> put_aside(const std::string& body) {
  UploadOptions options;
  options.memory = 1000;
  auto upload = FormUpload::begin(kType, options).value();
  upload->feed(body);
  return upload->finish();
}

}  // namespace

TEST_CASE("form: one in a file or behind a source is sent as one in memory is, spliced, and estimated alike") {
  World w;
  w.config.providers = {provider("a")};
  w.build();
  const std::string body = form("a/whisper");
  RawRequest held = transcribe(nullptr);
  held.body = body;
  std::vector<RawRequest> requests = {held, transcribe(put_aside(body)), transcribe(std::make_shared<Text>(body))};
  std::vector<int64_t> estimates;
  for (RawRequest& request : requests) {
    w.transport.push(ScriptedReply::json(R"({"text":"hello"})"));
    w.heard = Heard();
    w.call = w.router->relay(w.transport, std::move(request), {}, w.heard);
    w.run();
    REQUIRE(w.heard.ends == 1);
    CHECK(w.heard.result.ok());
    CHECK(w.heard.bytes == R"({"text":"hello"})");
    CHECK((w.transport.seen().back().body == form("whisper")));
    CHECK(w.transport.seen().back().header("content-type") == kType);
    estimates.push_back(w.heard.result.record.usage.input);
  }
  CHECK(estimates == std::vector<int64_t>(3, static_cast<int64_t>(kSound.size() / 1500) + 1));
}

TEST_CASE("form: a retry sends the whole body again, under the next target's name for the model") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "first", 1, 1}, {"b", "second", 1, 2}})};
  const bool cut = GENERATE(false, true);
  ScriptedReply bad = ScriptedReply::json("{}", 500);
  if (cut) bad.no_head = true;
  w.transport.push(bad);
  w.transport.push(ScriptedReply::json(R"({"text":"hello"})"));
  w.build();
  w.call = w.router->relay(w.transport, transcribe(put_aside(form("m"))), {}, w.heard);
  w.run();
  CHECK(w.heard.result.ok());
  REQUIRE(w.transport.seen().size() == 2);
  CHECK((w.transport.seen()[0].body == form("first")));
  CHECK((w.transport.seen()[1].body == form("second")));
  CHECK(w.records().at(0).attempts.size() == 2);
}

TEST_CASE("form: the Nth read of the source fails: the caller is told, no target is blamed or asked instead") {
  int nth = 1;
  for (;; ++nth) {
    World w;
    w.config.providers = {provider("a"), provider("b")};
    w.config.models = {model("m", {{"a", "first", 1, 1}, {"b", "second", 1, 2}})};
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(R"({"text":"hello"})"); };
    w.build();
    auto source = std::make_shared<Text>(form("m"));
    source->fail_at = nth;
    w.call = w.router->relay(w.transport, transcribe(source), {}, w.heard);
    w.run();
    CAPTURE(nth);
    REQUIRE(w.heard.ends == 1);
    if (w.heard.result.ok()) break;
    CHECK(w.heard.result.error.code == ErrorCode::kIo);
    CHECK(w.heard.head.status == 500);
    CHECK(w.heard.bytes.find("scripted") != std::string::npos);
    CHECK(w.transport.seen().size() <= 1);
    const auto health = w.router->model_health("m");
    REQUIRE(health);
    CHECK(health->healthy == health->targets.size());
    CHECK(w.transport.live() == 0);
  }
  CHECK(nth == 10);  // four pieces to read the fields, five to send
}

TEST_CASE("form: a source that is shorter than it said ends the call with that") {
  World w;
  w.config.providers = {provider("a")};
  w.build();
  auto source = std::make_shared<Text>(form("a/m"));
  source->promised = 1;
  w.call = w.router->relay(w.transport, transcribe(source), {}, w.heard);
  w.run();
  CHECK(w.heard.result.error.code == ErrorCode::kIo);
  CHECK(w.heard.result.error.message.find("fewer bytes") != std::string::npos);
  CHECK(w.transport.seen().empty());
}

TEST_CASE("form: what is wrong with one is told by field, and recorded") {
  World w;
  w.config.providers = {provider("a")};
  w.build();
  const std::string file = field("file", "RIFF", "; filename=a");
  const struct {
    std::string body, param, words;
  } cases[] = {
      {file + kEnd, "model", "model"},
      {field("model", "a/m") + kEnd, "file", "file"},
      {field("model", "a/m") + file + field("model", "a/x") + kEnd, "model", "comes twice"},
      {field("model", std::string(5000, 'm')) + file + kEnd, "model", "4096"},
      {field("model", "a/m") + field("user", std::string(5000, 'u')) + file + kEnd, "user", "4096"},
      {field("model", "a/m") + file, "", "it breaks off"},
  };
  for (const auto& c : cases) {
    w.heard = Heard();
    w.call = w.router->relay(w.transport, transcribe(put_aside(c.body)), {}, w.heard);
    w.run();
    CAPTURE(c.words, w.heard.bytes);
    CHECK(w.heard.head.status == 400);
    CHECK(w.heard.result.error.param == c.param);
    CHECK(w.heard.bytes.find(c.words) != std::string::npos);
  }
  CHECK(w.records().size() == std::size(cases));
  CHECK(w.transport.seen().empty());
}

TEST_CASE("form: a source where no form is taken, and one whose boundary is another, are refused") {
  World w;
  w.config.providers = {provider("a")};
  w.build();
  RawRequest chat;
  chat.source = std::make_shared<Text>(World::body("a/m"));
  w.call = w.router->relay(w.transport, std::move(chat), {}, w.heard);
  w.run();
  CHECK(w.heard.head.status == 400);
  RawRequest other = transcribe(put_aside(form("a/m")));
  other.path.content_type = "multipart/form-data; boundary=YY";
  w.heard = Heard();
  w.call = w.router->relay(w.transport, std::move(other), {}, w.heard);
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.bytes.find("boundary") != std::string::npos);
  CHECK(w.transport.seen().empty());
}
