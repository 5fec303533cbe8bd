// Pictures made by Google's models: Imagen's by `predict`, Gemini's by `generateContent`, at the Gemini API and at Vertex AI.
#ifndef LLMROUTER_DIALECTS_GEMINI_IMAGES_H_
#define LLMROUTER_DIALECTS_GEMINI_IMAGES_H_

#include <memory>

#include "llmrouter/codec.h"

namespace llmrouter::dialects::gemini {

std::unique_ptr<UpstreamCodec> new_image_upstream();

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_IMAGES_H_
