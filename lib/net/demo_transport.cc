// The in-process model behind `demo:`.
//
// Models: `echo` says the last user message again; `slow` does so after two seconds, a word each 100 ms; `cut` breaks off and
// `stall` falls silent after a few words (not streamed: inside the body, and before the head); `error-NNN` answers with that
// status.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <random>
#include <utility>

#include "llmrouter/pattern.h"
#include "llmrouter/transport.h"
#include "net/demo_answer.h"
#include "net/demo_tasks.h"
#include "net/playback.h"
#include "net/request_body.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace net {
namespace {

constexpr std::string_view kScheme = "demo:";
constexpr std::string_view kModels[] = {"echo", "slow", "cut", "stall", "error-401", "error-429", "error-500"};
constexpr Duration kSlowStart = std::chrono::seconds(2);
constexpr Duration kSlowWord = std::chrono::milliseconds(100);
constexpr int kWordsBeforeTrouble = 3;

// A script over pieces that are made when they are due.
class DemoScript final : public Script {
 public:
  enum class Ending { kGood, kCut, kHang };

  explicit DemoScript(HttpHead head) : head_(std::move(head)) {}
  void set_pace(Duration first, Duration each) {
    first_ = first;
    each_ = each;
  }
  // A body in one piece.
  void say(std::string body) { body_ = std::move(body); }
  // A body event by event.
  void stream(DemoAnswer answer) {
    answer_ = std::move(answer);
    steps_ = steps_of(answer_);
  }
  // In place of the end, or (streamed) after a few words.
  void end_with(Ending ending) { ending_ = ending; }
  // Nothing comes, not even a head.
  void never_begin() { mute_ = true; }
  void fail(TransferError error) {
    failure_ = std::move(error);
    headless_ = true;
  }

  Act next(Duration& wait) override {
    if (mute_) return Act::kHang;
    if (headless_) return Act::kEnd;
    if (!std::exchange(begun_, true)) {
      wait = first_;
      return Act::kHead;
    }
    if (steps_.empty()) {
      if (!std::exchange(said_, true)) return Act::kBody;
      return last_act();
    }
    if (step_ == steps_.size()) return last_act();
    if (steps_[step_].visible()) {
      if (ending_ != Ending::kGood && visible_ == kWordsBeforeTrouble) return last_act();
      if (visible_++ > 0) wait = each_;
    } else if (ending_ != Ending::kGood && visible_ > 0) {
      return last_act();  // few words as there were: the finish does not come
    }
    return Act::kBody;
  }
  const HttpHead& head() override { return head_; }
  std::string_view body() override {
    if (steps_.empty()) return body_;
    body_ = event_of(answer_, steps_[step_++]);
    return body_;
  }
  TransferError end() override { return failure_; }

 private:
  Act last_act() {
    if (ending_ == Ending::kHang) return Act::kHang;
    if (ending_ == Ending::kCut) failure_ = {TransferError::Kind::kTruncated, "demo: the reply was cut"};
    return Act::kEnd;
  }

  HttpHead head_;
  DemoAnswer answer_;
  std::vector<DemoStep> steps_;  // empty: the body is in one piece
  size_t step_ = 0;
  int visible_ = 0;
  std::string body_;
  Duration first_{0};
  Duration each_{0};
  Ending ending_ = Ending::kGood;
  TransferError failure_;
  bool begun_ = false;
  bool said_ = false;
  bool mute_ = false;
  bool headless_ = false;
};

class DemoTransport final : public Transport {
 public:
  DemoTransport(Reactor& reactor, std::unique_ptr<Transport> next)
      : reactor_(reactor), next_(std::move(next)), random_(std::random_device{}()) {}

  Reactor& reactor() noexcept override { return reactor_; }

  std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) override {
    if (request.url.compare(0, kScheme.size(), kScheme) == 0) return play(reactor_, answer(request), sink);
    if (next_) return next_->start(std::move(request), sink);
    auto script = std::make_unique<DemoScript>(HttpHead{});
    script->fail({TransferError::Kind::kConnect, "there is no network transport"});
    return play(reactor_, std::move(script), sink);
  }

 private:
  std::unique_ptr<DemoScript> answer(const HttpRequest& request);
  std::unique_ptr<DemoScript> chat(const HttpRequest& request);
  std::unique_ptr<DemoScript> task(const HttpRequest& request, std::string_view path);
  std::unique_ptr<DemoScript> list_models();
  std::unique_ptr<DemoScript> show_model(std::string_view name);
  std::unique_ptr<DemoScript> converse(const DemoRequest& request);
  std::unique_ptr<DemoScript> json(int status, std::string body);
  std::unique_ptr<DemoScript> refuse(int status, std::string_view message, std::string_view type, std::string_view param = {},
                                     std::string_view code = {});
  std::unique_ptr<DemoScript> trouble(int status);
  static std::unique_ptr<DemoScript> unreadable(const Error& error);
  HttpHead head(int status, const char* content_type);
  std::string make_id(std::string_view prefix);
  int64_t created() const {
    return std::chrono::duration_cast<std::chrono::seconds>(reactor_.clock().wall().time_since_epoch()).count();
  }

  Reactor& reactor_;
  std::unique_ptr<Transport> next_;
  std::mt19937_64 random_;
};

void append_model(wire::JsonWriter& w, std::string_view name) {
  w.begin_object();
  w.member("id", name);
  w.member("object", "model");
  w.member("created", int64_t{1767225600});
  w.member("owned_by", "demo");
  w.end_object();
}

std::string_view path_of(std::string_view url) {
  url.remove_prefix(kScheme.size());
  url = url.substr(0, url.find_first_of("?#"));
  if (url.substr(0, 4) == "/v1/") url.remove_prefix(3);
  return url;
}

bool is_known(std::string_view model) {
  for (const std::string_view known : kModels) {
    if (model == known) return true;
  }
  return false;
}

std::string nearest(std::string_view model) {
  const auto near = nearest_names(model, {std::begin(kModels), std::end(kModels)});
  std::string words;
  for (const std::string& name : near) words.append(words.empty() ? " Did you mean `" : ", `").append(name).append("`");
  return words.empty() ? words : words + "?";
}

// The NNN of "error-NNN"; 0: it is no such model.
int status_of(std::string_view model) {
  constexpr std::string_view kPrefix = "error-";
  if (model.substr(0, kPrefix.size()) != kPrefix) return 0;
  int status = 0;
  const char* end = model.data() + model.size();
  const auto [rest, fault] = std::from_chars(model.data() + kPrefix.size(), end, status);
  return fault == std::errc() && rest == end && status >= 400 && status <= 599 ? status : 0;
}

// What other models of the dialect may be asked for.
bool is_operation(std::string_view path) {
  constexpr std::string_view kPaths[] = {"/completions",        "/responses",          "/images/generations",  "/images/edits",
                                         "/images/variations",  "/audio/speech",       "/audio/transcriptions", "/audio/translations"};
  return std::find(std::begin(kPaths), std::end(kPaths), path) != std::end(kPaths);
}

std::unique_ptr<DemoScript> DemoTransport::answer(const HttpRequest& request) {
  const std::string_view path = path_of(request.url);
  if (path == "/chat/completions") return chat(request);
  if (path == "/embeddings" || path == "/moderations" || path == "/rerank") return task(request, path);
  if (path == "/models") return list_models();
  constexpr std::string_view kOne = "/models/";
  if (path.substr(0, kOne.size()) == kOne) return show_model(path.substr(kOne.size()));
  if (is_operation(path)) {
    return refuse(400, "The demo models have no endpoint " + std::string(path) + ": they answer /chat/completions, /embeddings, /moderations and /rerank.",
                  "invalid_request_error", "model", "not_supported");
  }
  return refuse(404, "Unknown request URL: " + request.method + " " + std::string(path), "invalid_request_error", "", "unknown_url");
}

std::unique_ptr<DemoScript> DemoTransport::task(const HttpRequest& request, std::string_view path) {
  if (request.method != "POST") return refuse(405, "Only POST requests are accepted.", "invalid_request_error", "method", "method_not_supported");
  std::string body, answer;
  if (const auto read = append_body(request, body); !read) return unreadable(read.error());
  std::vector<MemberSpan> members;
  if (const wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) {
    return refuse(400, "the body is not a JSON object: " + scanned.message(body), "invalid_request_error", "", "invalid_value");
  }
  const wire::JsonValue asked(body);
  const std::string model = wire::find_member(asked, "model").string_or();
  if (const int status = status_of(model)) return trouble(status);
  if (!is_known(model)) {
    return refuse(404, "The model `" + model + "` does not exist or you do not have access to it.", "invalid_request_error", "model", "model_not_found");
  }
  const auto fault = path == "/embeddings"    ? embed(asked, model, answer)
                     : path == "/moderations" ? moderate(asked, model, make_id("modr-"), answer)
                                              : rerank(asked, model, make_id("rerank-"), answer);
  if (fault) return refuse(400, fault->message, "invalid_request_error", fault->param, "invalid_value");
  return json(200, std::move(answer));
}

std::unique_ptr<DemoScript> DemoTransport::chat(const HttpRequest& request) {
  if (request.method != "POST") return refuse(405, "Only POST requests are accepted.", "invalid_request_error", "method", "method_not_supported");
  std::string body;
  if (const auto read = append_body(request, body); !read) return unreadable(read.error());
  DemoRequest asked;
  if (const auto fault = asked.read(std::move(body))) return refuse(400, fault->message, "invalid_request_error", fault->param, "invalid_value");
  if (const int status = status_of(asked.model)) return trouble(status);
  if (!is_known(asked.model)) {
    return refuse(404, "The model `" + asked.model + "` does not exist or you do not have access to it." + nearest(asked.model), "invalid_request_error",
                  "model", "model_not_found");
  }
  return converse(asked);
}

std::unique_ptr<DemoScript> DemoTransport::converse(const DemoRequest& request) {
  DemoAnswer answer = compose(request, [this](std::string_view prefix) { return make_id(prefix); });
  answer.created = created();
  const bool cut = request.model == "cut", stall = request.model == "stall", slow = request.model == "slow";
  auto script = std::make_unique<DemoScript>(head(200, request.stream ? "text/event-stream; charset=utf-8" : "application/json"));
  if (slow) script->set_pace(kSlowStart, kSlowWord);
  if (cut || stall) script->end_with(cut ? DemoScript::Ending::kCut : DemoScript::Ending::kHang);
  if (request.stream) {
    script->stream(std::move(answer));
    return script;
  }
  std::string body = whole_body(answer);
  if (cut) body.resize(body.size() / 2);
  script->say(std::move(body));
  if (stall) script->never_begin();
  return script;
}

std::unique_ptr<DemoScript> DemoTransport::unreadable(const Error& error) {
  auto script = std::make_unique<DemoScript>(HttpHead{});
  script->fail({TransferError::Kind::kRequestBody, error.message});
  return script;
}

std::unique_ptr<DemoScript> DemoTransport::trouble(int status) {
  if (status == 401) return refuse(401, "Incorrect API key provided.", "invalid_request_error", "", "invalid_api_key");
  if (status == 429) {
    HttpHead with_hint = head(429, "application/json");
    with_hint.headers.push_back({"retry-after", "1"});
    auto script = std::make_unique<DemoScript>(std::move(with_hint));
    script->say(error_body("Rate limit reached for requests. Please try again in 1s.", "requests", "", "rate_limit_exceeded"));
    return script;
  }
  if (status >= 500) return refuse(status, "The server had an error while processing your request.", "server_error");
  return refuse(status, "The demo model was asked to fail with " + std::to_string(status) + ".", "invalid_request_error");
}

std::unique_ptr<DemoScript> DemoTransport::list_models() {
  std::string body;
  wire::JsonWriter w(body);
  w.begin_object();
  w.member("object", "list");
  w.key("data");
  w.begin_array();
  for (const std::string_view name : kModels) append_model(w, name);
  w.end_array();
  w.end_object();
  return json(200, std::move(body));
}

std::unique_ptr<DemoScript> DemoTransport::show_model(std::string_view name) {
  if (!is_known(name)) {
    return refuse(404, "The model `" + std::string(name) + "` does not exist." + nearest(name), "invalid_request_error", "model", "model_not_found");
  }
  std::string body;
  wire::JsonWriter w(body);
  append_model(w, name);
  return json(200, std::move(body));
}

std::unique_ptr<DemoScript> DemoTransport::json(int status, std::string body) {
  auto script = std::make_unique<DemoScript>(head(status, "application/json"));
  script->say(std::move(body));
  return script;
}

std::unique_ptr<DemoScript> DemoTransport::refuse(int status, std::string_view message, std::string_view type, std::string_view param,
                                                  std::string_view code) {
  return json(status, error_body(message, type, param, code));
}

HttpHead DemoTransport::head(int status, const char* content_type) {
  HttpHead head;
  head.status = status;
  head.headers = {{"content-type", content_type}, {"x-request-id", make_id("req_")}};
  return head;
}

std::string DemoTransport::make_id(std::string_view prefix) {
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(prefix);
  for (int half = 0; half < 2; ++half) {
    uint64_t bits = random_();
    for (int i = 0; i < 12; ++i, bits >>= 5) id += kDigits[bits & 31];
  }
  return id;
}

}  // namespace
}  // namespace net

std::unique_ptr<Transport> make_demo_transport(Reactor& reactor, std::unique_ptr<Transport> next) {
  return std::make_unique<net::DemoTransport>(reactor, std::move(next));
}

}  // namespace llmrouter
