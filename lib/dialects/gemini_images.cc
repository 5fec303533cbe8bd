// As https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api and https://ai.google.dev/gemini-api/docs/image-generation have it.
#include "dialects/gemini_images.h"

#include <cmath>
#include <cstdlib>

#include "dialects/fault.h"
#include "dialects/gemini.h"
#include "dialects/task_codec.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Google's API";
constexpr int64_t kMostPixels = 65536;  // of a side that can be meant

// Sides of pictures. Imagen makes five of them, Gemini all.
struct Ratio {
  const char* name;
  double value;
  bool imagen;
};
constexpr Ratio kRatios[] = {{"1:1", 1.0, true},       {"3:4", 0.75, true},     {"4:3", 4.0 / 3, true},   {"9:16", 0.5625, true},    {"16:9", 16.0 / 9, true},
                             {"2:3", 2.0 / 3, false},  {"3:2", 1.5, false},     {"4:5", 0.8, false},      {"5:4", 1.25, false},      {"21:9", 21.0 / 9, false}};

bool is_imagen(std::string_view model) noexcept { return find_ci(model, "imagen") != std::string_view::npos; }

// "1536x1024" as the nearest of the ratios; null: it is no size.
const Ratio* ratio_of(const std::string& size, bool imagen, bool& exact) noexcept {
  char* end = nullptr;
  const long long width = std::strtoll(size.c_str(), &end, 10);
  if (*end != 'x' || width < 1 || width > kMostPixels) return nullptr;
  const long long height = std::strtoll(end + 1, &end, 10);
  if (*end != 0 || height < 1 || height > kMostPixels) return nullptr;
  const double asked = static_cast<double>(width) / static_cast<double>(height);
  const Ratio* best = nullptr;
  const auto distance = [&](const Ratio& ratio) { return std::abs(std::log(ratio.value / asked)); };
  for (const Ratio& ratio : kRatios) {
    if ((ratio.imagen || !imagen) && (best == nullptr || distance(ratio) < distance(*best))) best = &ratio;
  }
  exact = distance(*best) < 1e-9;
  return best;
}

class ImageUpstream final : public TaskUpstream {
 public:
  bool relays(const ProviderConfig&, const RequestFacts&) const override { return false; }  // no client asks in this dialect

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    key_ = Secret(std::string(input.key));
    imagen_ = is_imagen(input.upstream_model);
    const ImageRequest& image = input.task->image;
    const Ratio* ratio = nullptr;
    if (!image.size.empty()) {
      bool exact = false;
      ratio = ratio_of(image.size, imagen_, exact);
      if (ratio == nullptr) return cannot_express("size", "a size that is not WIDTHxHEIGHT", kTarget);
      if (!exact) add_dropped(out.dropped, "size");
    }
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    if (imagen_) {
      write_predict(image, ratio, w, out.dropped);
    } else if (auto written = write_generate(image, ratio, w, out.dropped); !written) {
      return written;
    }
    w.end_object();
    if (!image.user.empty()) add_dropped(out.dropped, "user");
    for_each_member(input.task->extras, [&](const JsonMember& m) { add_dropped(out.dropped, m.key); });
    out.http.body.push_back(body);
    return fill_google(*input.provider, input.upstream_model, imagen_ ? "predict" : "generateContent", "application/json", input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    TaskResponse out;
    out.usage = usage_of(*root);
    std::string why;
    if (imagen_) read_predictions(*root, out, why);
    else read_candidates(*root, out, why);
    if (!out.images.empty()) return out;
    if (!why.empty()) return Error(ErrorCode::kContentPolicy, "the upstream made no picture: " + why);
    return unreadable("the upstream's answer has no picture", body, key_.reveal());
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override { return usage_of_answer(root); }

 private:
  static void write_predict(const ImageRequest& image, const Ratio* ratio, JsonWriter& w, std::vector<std::string>& dropped) {
    w.key("instances");
    w.begin_array();
    w.begin_object();
    w.member("prompt", image.prompt);
    w.end_object();
    w.end_array();
    w.key("parameters");
    w.begin_object();
    w.member("sampleCount", image.n.value_or(1));
    if (ratio != nullptr) w.member("aspectRatio", ratio->name);
    if (image.format == "png" || image.format == "jpeg") {
      w.key("outputOptions");
      w.begin_object();
      w.member("mimeType", "image/" + image.format);
      w.end_object();
    } else if (!image.format.empty()) {
      add_dropped(dropped, "output_format");
    }
    w.end_object();
  }

  static Result<void> write_generate(const ImageRequest& image, const Ratio* ratio, JsonWriter& w, std::vector<std::string>& dropped) {
    if (image.n.value_or(1) > 1) return cannot_express("n", "more than one picture", "Gemini");
    w.key("contents");
    w.begin_array();
    w.begin_object();
    w.member("role", "user");
    w.key("parts");
    w.begin_array();
    w.begin_object();
    w.member("text", image.prompt);
    w.end_object();
    w.end_array();
    w.end_object();
    w.end_array();
    w.key("generationConfig");
    w.begin_object();
    w.raw_member("responseModalities", R"(["IMAGE"])");
    if (ratio != nullptr) {
      w.key("imageConfig");
      w.begin_object();
      w.member("aspectRatio", ratio->name);
      w.end_object();
    }
    w.end_object();
    if (!image.format.empty()) add_dropped(dropped, "output_format");
    return {};
  }

  static void add(JsonValue data, JsonValue mime, JsonValue prompt, TaskResponse& out) {
    if (data.nonempty_string()) out.images.push_back({data.string_or(), mime.string_or("image/png"), {}, prompt.string_or()});
  }

  // What was filtered stands among the pictures, with the reason.
  static void read_predictions(JsonValue root, TaskResponse& out, std::string& why) {
    for (JsonValue prediction : JsonElements(find_member(root, "predictions"))) {
      add(find_member(prediction, "bytesBase64Encoded"), find_member(prediction, "mimeType"), find_member(prediction, "prompt"), out);
      if (why.empty()) why = find_member(prediction, "raiFilteredReason").string_or();
    }
  }

  static void read_candidates(JsonValue root, TaskResponse& out, std::string& why) {
    why = find(root, "promptFeedback", "blockReason").string_or();
    for (JsonValue candidate : JsonElements(find_member(root, "candidates"))) {
      for (JsonValue part : JsonElements(find(candidate, "content", "parts"))) {
        if (find_member(part, "thought").boolean().value_or(false)) continue;  // a draft
        const JsonValue data = find_member(part, "inlineData");
        add(find_member(data, "data"), find_member(data, "mimeType"), JsonValue(), out);
        // Words in place of a picture say why there is none.
        if (find_member(part, "text").is_string()) why = find_member(part, "text").string_or();
      }
      const std::string finish = finish_text(find_member(candidate, "finishReason"));
      if (why.empty() && finish != "STOP") why = find_member(candidate, "finishMessage").string_or(finish);
    }
  }

  bool imagen_ = false;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_image_upstream() { return std::make_unique<ImageUpstream>(); }

}  // namespace llmrouter::dialects::gemini
