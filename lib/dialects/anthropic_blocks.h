// Parts of messages as content blocks.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_BLOCKS_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_BLOCKS_H_

#include <string>
#include <string_view>
#include <vector>

#include "dialects/fields.h"
#include "llmrouter/chat.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::anthropic {

constexpr std::string_view kTarget = "Anthropic's dialect";
constexpr std::string_view kInGoogle = "Claude at Vertex AI";

// Writes blocks of one request. Remembers the first thing that cannot be said.
class BlockWriter {
 public:
  // `inline_only`: neither URLs nor files of the vendor's store.
  BlockWriter(bool foreign, bool claude, bool inline_only, wire::JsonWriter& w, std::vector<std::string>& dropped)
      : foreign_(foreign), claude_(claude), inline_only_(inline_only), w_(w), dropped_(dropped) {}

  // Would a block come of it? Blank texts are refused by the vendor, thoughts of others have no place.
  bool writes(const Part& part) const noexcept;
  // `where` names it in errors. `last`: nothing of the whole conversation comes behind it (blanks at its end are refused).
  void write(const Part& part, const std::string& where, bool last = false);
  // Of all that writes(): a lone plain text as a string, else an array.
  void write_content(const std::vector<Part>& parts, const std::string& where);

  // The members of extras: back to where they came from, or named as dropped.
  void write_extras(const RawMembers& extras, std::string_view where);  // another dialect's are named, behind `where`
  void write_cache(const std::string& mark);
  void fail(Error error) {
    if (fields_.ok()) fields_.fail(std::move(error));
  }
  bool ok() const noexcept { return fields_.ok(); }
  Error take_error() { return fields_.take_error(); }
  bool names_files() const noexcept { return files_; }

 private:
  void write_text(std::string_view text, const Part& part);
  void write_thought(const Part& part);
  void write_image(const Part& part, const std::string& where);
  void write_document(const Part& part, const std::string& where);
  void write_source(std::string_view mime, std::string_view data, std::string_view url, const std::string& file_id);

  const bool foreign_, claude_, inline_only_;
  wire::JsonWriter& w_;
  std::vector<std::string>& dropped_;
  Fields fields_;
  bool files_ = false;
};

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_BLOCKS_H_
