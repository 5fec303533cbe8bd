// Pictures made from words: an OpenAI client's request at Google's models, and what comes back.
#include "catch.h"
#include "task_support.h"

using namespace dialect_test;
using wire::find;
using wire::JsonValue;

namespace {

Result<std::unique_ptr<TaskTrip>> ask(const std::string& model, const std::string& members, bool vertex = false) {
  ProviderConfig config = provider();
  config.base_url = vertex ? "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5" : "https://generativelanguage.googleapis.com/v1beta";
  if (vertex) config.quirks = {"publishers"};
  auto trip = task_scan("openai", Operation::kImage, R"({"model":"m","prompt":"a \"cat\"")" + members + "}");
  if (!trip) return trip;
  auto task = (*trip)->client->decode_task();
  if (!task) return std::move(task).error();
  (*trip)->upstream = dialect("gemini")->new_task_upstream(Operation::kImage);
  EncodeInput input;
  input.task = &*task;
  input.provider = &config;
  input.key = "sk-test";
  input.upstream_model = model;
  input.foreign = true;
  if (auto encoded = (*trip)->upstream->encode(input, (*trip)->request); !encoded) return std::move(encoded).error();
  for (std::string_view piece : (*trip)->request.http.body) (*trip)->body += piece;
  CHECK(wire::validate((*trip)->body));
  return trip;
}

std::string refused(const std::string& model, const std::string& members) {
  auto trip = ask(model, members);
  if (trip.ok()) return "not refused";
  CHECK(trip.error().code == ErrorCode::kInvalidRequest);
  return trip.error().param;
}

}  // namespace

TEST_CASE("images: Imagen is asked to predict") {
  auto trip = ask("imagen-4.0-generate-001", R"(,"n":2,"size":"1792x1008","output_format":"jpeg","user":"u","quality":"hd","style":null)");
  REQUIRE(trip.ok());
  CHECK(canonical((*trip)->body) ==
        canonical(R"({"instances":[{"prompt":"a \"cat\""}],"parameters":{"sampleCount":2,"aspectRatio":"16:9","outputOptions":{"mimeType":"image/jpeg"}}})"));
  CHECK((*trip)->request.http.url == "https://generativelanguage.googleapis.com/v1beta/models/imagen-4.0-generate-001:predict");
  CHECK((*trip)->request.dropped == std::vector<std::string>{"user", "quality"});
  auto told = task_answer(**trip, R"({"predictions":[{"bytesBase64Encoded":"QUJD","mimeType":"image/jpeg","prompt":"a fine cat"},{"raiFilteredReason":"no"},{"bytesBase64Encoded":"REVG","mimeType":"image/jpeg"}]})");
  REQUIRE(told.ok());
  const JsonValue root(*told);
  CHECK(find(root, "created").integer().value_or(0) > 1700000000);
  CHECK(canonical(find(root, "data")) == canonical(R"([{"b64_json":"QUJD","revised_prompt":"a fine cat"},{"b64_json":"REVG"}])"));
  CHECK(find(root, "output_format").equals("jpeg"));
  CHECK_FALSE(find(root, "usage").exists());
  auto there = ask("imagen-4.0-generate-001", "", true);
  REQUIRE(there.ok());
  CHECK((*there)->request.http.url == "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/google/models/imagen-4.0-generate-001:predict");
  CHECK(canonical((*there)->body) == canonical(R"({"instances":[{"prompt":"a \"cat\""}],"parameters":{"sampleCount":1}})"));
}

TEST_CASE("images: Gemini is asked for a picture in place of words") {
  auto trip = ask("gemini-2.5-flash-image", R"(,"size":"1536x1024","response_format":"url","n":1)");
  REQUIRE(trip.ok());
  CHECK(canonical((*trip)->body) == canonical(R"({"contents":[{"role":"user","parts":[{"text":"a \"cat\""}]}],"generationConfig":{"responseModalities":["IMAGE"],"imageConfig":{"aspectRatio":"3:2"}}})"));
  CHECK((*trip)->request.http.url == "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash-image:generateContent");
  CHECK((*trip)->request.dropped.empty());
  auto told = task_answer(**trip, R"({"candidates":[{"content":{"parts":[{"text":"Here it is"},{"thought":true,"inlineData":{"mimeType":"image/png","data":"AAAA"}},
    {"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1290,"totalTokenCount":1294}})");
  REQUIRE(told.ok());
  CHECK(canonical(find(JsonValue(*told), "data")) == canonical(R"([{"url":"data:image/png;base64,QUJD"}])"));
  CHECK(find(JsonValue(*told), "usage", "total_tokens").integer() == 1294);
}

TEST_CASE("images: sizes become the nearest ratio, and what is not exact is named") {
  struct Row {
    const char *model, *size, *ratio;
    bool exact;
  };
  for (const Row& row : {Row{"imagen-4", "1024x1024", "1:1", true}, Row{"imagen-4", "1024x1536", "3:4", false}, Row{"gemini-image", "1024x1536", "2:3", true},
                         Row{"gemini-image", "1024x1792", "9:16", false}, Row{"gemini-image", "auto", "", true}, Row{"gemini-image", "1x65536", "9:16", false}}) {
    CAPTURE(row.size);
    auto trip = ask(row.model, R"(,"size":")" + std::string(row.size) + "\"");
    REQUIRE(trip.ok());
    const JsonValue root((*trip)->body);
    CHECK(find(root, "parameters", "aspectRatio").string_or() + find(root, "generationConfig", "imageConfig", "aspectRatio").string_or() == row.ratio);
    CHECK(((*trip)->request.dropped == std::vector<std::string>{"size"}) == !row.exact);
  }
}

TEST_CASE("images: what cannot be said is refused by name") {
  for (const char* size : {"large", "1024", "1024x", "x1024", "0x5", "-1x5", "1024x1024x2", "99999999999999999999x1", " "}) {
    CAPTURE(size);
    CHECK(refused("imagen-4", R"(,"size":")" + std::string(size) + "\"") == "size");
  }
  CHECK(refused("gemini-image", R"(,"n":2)") == "n");
  CHECK(refused("imagen-4", R"(,"stream":true)") == "stream");
  CHECK(refused("imagen-4", R"(,"background":"transparent")") == "background");
  CHECK(refused("imagen-4", R"(,"response_format":"tiff")") == "response_format");
}

TEST_CASE("images: an answer without a picture is an error that says why") {
  auto imagen = ask("imagen-4", "");
  REQUIRE(imagen.ok());
  auto filtered = task_answer(**imagen, R"({"predictions":[{"raiFilteredReason":"the prompt was blocked"}]})");
  REQUIRE_FALSE(filtered.ok());
  CHECK(filtered.error().code == ErrorCode::kContentPolicy);
  CHECK(filtered.error().message.find("the prompt was blocked") != std::string::npos);
  auto gemini = ask("gemini-image", "");
  REQUIRE(gemini.ok());
  for (const char* body : {R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}})", R"({"candidates":[{"finishReason":"IMAGE_SAFETY"}]})",
                           R"({"candidates":[{"content":{"parts":[{"text":"I cannot draw that"}]},"finishReason":"STOP"}]})"}) {
    CAPTURE(body);
    auto answer = task_answer(**gemini, body);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == ErrorCode::kContentPolicy);
  }
  for (const char* body : {"", "{", "[]", "{}", R"({"predictions":[]})", R"({"predictions":[{"bytesBase64Encoded":""}]})", R"({"candidates":[]})"}) {
    CAPTURE(body);
    CHECK_FALSE(task_answer(**gemini, body).ok());
    CHECK_FALSE(task_answer(**imagen, body).ok());
  }
}

TEST_CASE("images: a policy's edits reach a translated request") {
  TaskRequest request;
  request.operation = Operation::kImage;
  request.image.prompt = "a cat";
  request.image.size = "1024x1024";
  REQUIRE(apply_edits({{BodyEdit::Kind::kDefault, "n", "2"}, {BodyEdit::Kind::kDefault, "size", "\"1x1\""}, {BodyEdit::Kind::kSet, "output_format", "\"png\""},
                       {BodyEdit::Kind::kSet, "user", "\"u\""}, {BodyEdit::Kind::kSet, "style", "\"vivid\""}}, request).ok());
  CHECK((request.image.n == 2 && request.image.size == "1024x1024" && request.image.format == "png" && request.image.user == "u"));
  CHECK(request.extras == R"("style":"vivid")");
  REQUIRE(apply_edits({{BodyEdit::Kind::kRemove, "size", ""}, {BodyEdit::Kind::kRemove, "n", ""}}, request).ok());
  CHECK((request.image.size.empty() && !request.image.n));
}
