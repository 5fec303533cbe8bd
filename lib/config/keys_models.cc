// The section `models`, and the small ones about text filters.
#include "config/names.h"
#include "config/table.h"

namespace llmrouter::config {
namespace {

using S = Scope&;
using V = const Value&;

std::string check_target(const std::string& text) {
  std::string provider, model;
  return split_target(text, &provider, &model) ? "" : "expected provider/model";
}

// Members of a request that the router itself writes or reads.
std::string check_member(const std::string& name) {
  for (const char* ours : {"model", "messages", "stream", "stream_options"}) {
    if (name == ours) return "`" + name + "` cannot be set or removed here";
  }
  return name.empty() ? "expected the name of a request's member" : "";
}

std::string check_tag(const std::string& tag) {
  return tag.empty() || tag.size() > 64 || tag.find_first_of(" ,\t\r\n") != std::string::npos ? "expected a tag: at most 64 characters, no blanks or commas" : "";
}

std::string check_modality(const std::string& word) {
  return word == "image" || word == "audio" || word == "video" || word == "file" ? "" : "expected image, audio, video or file";
}

std::string check_capability(const std::string& word) { return word == "tools" || word == "json_schema" ? "" : "expected tools or json_schema"; }

}  // namespace

void add_model_keys(std::vector<Key>& keys) {
  keys.emplace_back("models", Type::kNamed, "",
                    "Names that clients ask for. A name may hold one `*`, and the `*` of its targets stands for the same text. A name without one is looked for first; of two with one the first in the file that matches is taken.");
  keys.emplace_back("models.*", Type::kMap, "", "One name: its targets alone, or a map.").short_for("targets").to([](S s, V) {
    s.model = &s.config->models.emplace_back();
    s.model->name = s.name;
  });
  keys.emplace_back("models.*.targets", Type::kList, "", "Where it is answered.").must();
  keys.emplace_back("models.*.targets[]", Type::kMap, "", "One target: `provider/model` alone, or a map.").short_for("model").to([](S s, V) {
    s.target = &s.model->targets.emplace_back();
  });
  keys.emplace_back("models.*.targets[].model", Type::kText, "", "`provider/model`.").must().checked(check_target).to([](S s, V v) {
    split_target(v.text, &s.target->provider, &s.target->model);
  });
  keys.emplace_back("models.*.targets[].weight", Type::kInt, "1", "Its share. 0: only when nothing else is left.")
      .within("0..1000000")
      .to([](S s, V v) { s.target->weight = v.integer(); });
  keys.emplace_back("models.*.targets[].priority", Type::kInt, "1", "The lowest number first, for the strategy `priority`.")
      .within("0..1000000")
      .to([](S s, V v) { s.target->priority = v.integer(); });
  keys.emplace_back("models.*.targets[].quality", Type::kInt, "0", "How good its answers are, 0 to 100, for the strategy `pareto`. 0: nothing said.")
      .within("0..100")
      .to([](S s, V v) { s.target->quality = v.integer(); });
  keys.emplace_back("models.*.targets[].tags", Type::kTexts, "", "For requests that ask for a tag; beside the model's own.").checked(check_tag).to([](S s, V v) {
    s.target->tags = v.texts;
  });
  keys.emplace_back("models.*.strategy", Type::kWord, "", "How the targets are ordered. Unset: `routing.strategy`.")
      .within(kStrategies)
      .to([](S s, V v) { s.model->strategy = v.text; });
  keys.emplace_back("models.*.tags", Type::kTexts, "", "For requests that ask for a tag, and rules.").checked(check_tag).to([](S s, V v) {
    s.model->tags = v.texts;
  });
  keys.emplace_back("models.*.modalities", Type::kTexts, "",
                    "All it accepts beside text: `image`, `audio`, `video`, `file`. Requests with anything else go elsewhere, or are refused. Unset: what the "
                    "catalogue knows; where it knows nothing, everything is tried.")
      .checked(check_modality)
      .to([](S s, V v) { s.model->modalities = v.texts; });
  keys.emplace_back("models.*.capabilities", Type::kTexts, "", "All it can: `tools`, `json_schema`. Unset: everything is tried.")
      .checked(check_capability)
      .to([](S s, V v) { s.model->capabilities = v.texts; });
  keys.emplace_back("models.*.fallbacks", Type::kTexts, "", "Names that are tried, in this order, when every target has failed.").to([](S s, V v) {
    s.model->fallbacks = v.texts;
  });
  keys.emplace_back("models.*.context_fallbacks", Type::kTexts, "", "Names that are tried instead when the prompt is too long for this model.").to([](S s, V v) {
    s.model->context_fallbacks = v.texts;
  });
  keys.emplace_back("models.*.content_fallbacks", Type::kTexts, "", "Names that are tried instead when a content policy of this model's provider refuses.")
      .to([](S s, V v) { s.model->content_fallbacks = v.texts; });
  keys.emplace_back("models.*.limits", Type::kMap, "", "Limits of everything that asks for this name.").to([](S s, V) {
    s.limits = &s.model->limits;
  });
  add_limits(keys, "models.*.limits");
  keys.emplace_back("models.*.defaults", Type::kJsonMap, "", "Members of the request that are set when the client is silent, by OpenAI's names.")
      .checked(check_member)
      .to([](S s, V v) { s.model->defaults = v.pairs; });
  keys.emplace_back("models.*.override", Type::kJsonMap, "", "Members that are always set.").checked(check_member).to([](S s, V v) {
    s.model->override_ = v.pairs;
  });
  keys.emplace_back("models.*.drop", Type::kTexts, "", "Members that are removed.").checked(check_member).to([](S s, V v) {
    s.model->drop = v.texts;
  });
  keys.emplace_back("models.*.filters", Type::kTexts, "",
                    "What rewrites requests and answers, in this order: names of `filters`, `think_tags` (reasoning becomes `<think>` text), or what the application "
                    "registered. Such a call is translated, not passed on byte by byte. Filters see chats alone: a request for anything else is refused where one of them "
                    "had to see it (a text filter with `on: [request]`, one of the application's), and transcripts where a text filter is for answers.")
      .to([](S s, V v) { s.model->filters = v.texts; });
}

}  // namespace llmrouter::config
