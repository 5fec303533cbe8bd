// Pictures in an answer, between dialects. In neutral form they are what chat has where it has them at all: `images`, a list of
// {"type":"image_url","image_url":{"url":..}}, in Message::extras or in a StreamEvent of kind kOther; a whole message may have parts of kind kImage as well.
#ifndef LLMROUTER_DIALECTS_PICTURES_H_
#define LLMROUTER_DIALECTS_PICTURES_H_

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/stream.h"

namespace llmrouter::dialects {

// The URLs of all pictures, https: and data: alike.
std::vector<std::string> pictures_of(const Message& message);
std::vector<std::string> pictures_in(const RawMembers& extras);      // of a message: those that are no parts
std::vector<std::string> pictures_of(const StreamEvent& event);  // none unless it is kOther

// A data: URL of these bytes. `mime` may be empty: it is told by the bytes.
std::string picture_url(std::string_view mime, std::string_view base64);
std::string picture_url(const Part& part);
// {"images":[..]} of one picture, as a kOther has it.
std::string picture_object(std::string_view url);
// The list alone.
std::string picture_list(const std::vector<std::string>& urls);

// For dialects without a place for pictures in an answer: the URL as Markdown, or a sentence that says what stood there. A line of its own.
std::string picture_in_words(std::string_view url);
// The same for bytes of any other kind.
std::string media_in_words(const Part& part);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_PICTURES_H_
