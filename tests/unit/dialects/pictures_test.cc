// Pictures in an answer reach every client: where its dialect has a place for them, there; else the text says what stood there.
#include "answered.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

const std::string kBytes = "iVBORw0KGgoAAAANSUhEUg==";

// The same answer, text and picture, of each dialect that has pictures; whole and streamed.
struct Source {
  std::string dialect, whole, stream;
};
std::vector<Source> sources() {
  const auto gemini = [](const std::string& part, const std::string& more) {
    return R"({"candidates":[{"content":{"parts":[)" + part + R"(],"role":"model"},"index":0)" + more + R"(}],"modelVersion":"g","responseId":"r1"})";
  };
  const std::string text = R"({"text":"A cat."})", picture = R"({"inlineData":{"mimeType":"image/png","data":")" + kBytes + "\"}}";
  const std::string stop = R"(,"finishReason":"STOP")";
  const std::string images = R"("images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" + kBytes + R"("},"index":0}])";
  const std::string item = R"({"id":"ig_1","type":"image_generation_call","status":"completed","output_format":"png","result":")" + kBytes + "\"}";
  const std::string message = R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"A cat.","annotations":[]}]})";
  const std::string response = R"({"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"r","output":[)" + message + "," + item + "]}";
  const auto event = [](const std::string& type, const std::string& members) { return "event: response." + type + "\ndata: {\"type\":\"response." + type + "\"," + members + "}\n\n"; };
  const auto chunk = [](const std::string& delta, const std::string& finish) {
    return R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"o","choices":[{"index":0,"delta":)" + delta + ",\"finish_reason\":" + finish + "}]}\n\n";
  };
  return {
      {"gemini", gemini(text + "," + picture, stop), "data: " + gemini(text, "") + "\r\n\r\ndata: " + gemini(picture, "") + "\r\n\r\ndata: " + gemini(R"({"text":""})", stop) + "\r\n\r\n"},
      {"openai",
       R"({"id":"c","object":"chat.completion","created":1,"model":"o","choices":[{"index":0,"message":{"role":"assistant","content":"A cat.",)" + images + R"(},"finish_reason":"stop"}]})",
       chunk(R"({"role":"assistant","content":"A cat."})", "null") + chunk("{" + images + "}", "null") + chunk("{}", R"("stop")") + "data: [DONE]\n\n"},
      {"responses", response,
       event("created", R"("response":{"id":"resp_1","status":"in_progress","model":"r","created_at":1,"output":[]})") +
           event("output_item.added", R"("output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]})") +
           event("output_text.delta", R"("output_index":0,"item_id":"msg_1","content_index":0,"delta":"A cat.")") +
           event("output_item.done", R"("output_index":0,"item":)" + message) +
           event("output_item.added", R"("output_index":1,"item":{"id":"ig_1","type":"image_generation_call","status":"in_progress"})") +
           event("image_generation_call.partial_image", R"("output_index":1,"item_id":"ig_1","partial_image_index":0,"partial_image_b64":"AAAA")") +
           event("output_item.done", R"("output_index":1,"item":)" + item) + event("completed", "\"response\":" + response)},
  };
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("pictures of an answer stand where the client's dialect has a place for them, once") {
  for (const Source& source : sources()) {
    for (const bool stream : {false, true}) {
      const std::string& answer = stream ? source.stream : source.whole;
      INFO(source.dialect << (stream ? " streamed" : " whole"));
      const std::string url = "data:image/png;base64," + kBytes;
      const std::string chat = answered(source.dialect, "openai", answer, stream);
      CHECK(count(chat, kBytes) == 1);
      if (stream) {
        CHECK(chat.find(R"("delta":{"images":[{"type":"image_url","image_url":{"url":")" + url + "\"}") != std::string::npos);
      } else {
        CHECK(find(JsonValue(chat), "choices", 0, "message", "images", 0, "image_url", "url").equals(url));
        CHECK(find(JsonValue(chat), "choices", 0, "message", "content").equals("A cat."));
      }
      const std::string responses = answered(source.dialect, "responses", answer, stream);
      const Answer read = stream ? read_strict_responses(responses) : read_response_object(JsonValue(responses));
      CHECK(read.choices.at(0).text == "A cat.");
      CHECK(read.choices.at(0).pictures == std::vector<std::string>{kBytes});
      CHECK(responses.find(R"("output_format":"png")") != std::string::npos);
      const std::string gemini = answered(source.dialect, "gemini", answer, stream);
      CHECK(count(gemini, R"("inlineData":{"mimeType":"image/png","data":")" + kBytes + "\"}") == 1);
      CHECK(count(gemini, kBytes) == 1);
    }
  }
}

TEST_CASE("dialects without a place for a picture say in the text that there was one") {
  for (const Source& source : sources()) {
    for (const std::string client : {"anthropic", "ollama", "cohere", "completions"}) {
      for (const bool stream : {false, true}) {
        INFO(source.dialect << " for " << client << (stream ? " streamed" : " whole"));
        const std::string out = answered(source.dialect, client, stream ? source.stream : source.whole, stream);
        CHECK(count(out, "[The answer has a picture (image/png, 18 bytes) here") == 1);
        CHECK(count(out, "A cat.") == 1);
        CHECK(out.find(kBytes) == std::string::npos);
      }
    }
  }
}

TEST_CASE("a picture by its URL is told by its URL") {
  const std::string whole =
      R"({"id":"c","object":"chat.completion","created":1,"model":"o","choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]},"finish_reason":"stop"}]})";
  for (const std::string client : {"anthropic", "ollama", "cohere", "completions", "responses"}) {
    INFO(client);
    CHECK(count(answered("openai", client, whole, false), "![picture](https://x.example/a.png)") == 1);
  }
  CHECK(answered("openai", "gemini", whole, false).find(R"("fileData":{"mimeType":"image/png","fileUri":"https://x.example/a.png"})") != std::string::npos);
  const std::string chat = answered("openai", "openai", whole, false);
  CHECK(find(JsonValue(chat), "choices", 0, "message", "images", 0, "image_url", "url").equals("https://x.example/a.png"));
  // A whole answer where a stream was asked for.
  CHECK(count(answered("openai", "anthropic", whole, true), "![picture](https://x.example/a.png)") == 1);
}

TEST_CASE("a sound in Gemini's answer is not left out without a word") {
  const std::string whole = R"({"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"AAAAAAAA"}}],"role":"model"},"finishReason":"STOP","index":0}],"modelVersion":"g","responseId":"r"})";
  for (const std::string client : {"openai", "responses", "anthropic", "ollama", "cohere"}) {
    INFO(client);
    CHECK(count(answered("gemini", client, whole, false), "[The answer has a sound (audio/L16;rate=24000, 6 bytes) here") >= 1);
  }
}

TEST_CASE("chat asks Gemini for pictures, and Gemini's clients ask OpenRouter") {
  const auto modalities = [](const std::string& list) {
    auto out = translate_request("openai", "gemini", R"({"model":"m","messages":[{"role":"user","content":"draw"}],"modalities":)" + list + "}", provider(), "gemini-2.5-flash-image");
    if (!out) return "refused: " + out.error().param;
    return std::string(find(JsonValue(out->body), "generationConfig", "responseModalities").raw());
  };
  CHECK(modalities(R"(["text","image"])") == R"(["TEXT","IMAGE"])");
  CHECK(modalities(R"(["image"])") == R"(["IMAGE"])");
  CHECK(modalities(R"(["text"])").empty());
  CHECK(modalities(R"(["text","audio"])") == "refused: modalities");

  const std::string draw = R"({"model":"m","contents":[{"parts":[{"text":"draw"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}})";
  auto asked = translate_request("gemini", "openai", draw, provider({"reasoning_object"}));
  REQUIRE(asked.ok());
  CHECK(find_member(JsonValue(asked->body), "modalities").raw() == R"(["text","image"])");
  CHECK(asked->request.dropped.empty());
  // Who never answers in pictures is not asked, and says so.
  CHECK(translate_request("gemini", "openai", draw).error().param == "modalities");
  auto responses = translate_request("gemini", "responses", draw);
  REQUIRE(responses.ok());
  CHECK(responses->request.dropped == std::vector<std::string>{"modalities"});
}
