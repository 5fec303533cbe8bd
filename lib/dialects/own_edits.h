// A model's `defaults`, `override` and `drop`, which go by OpenAI's names, in a relayed body of another dialect.
//
// What such an edit comes to in a dialect's own members hangs on the value, on the model and on what else the request says: stop words become a list, an effort a
// budget of tokens, a temperature goes where no thinking is asked for. The dialect's reader and writer know all that. So the request is read and written
// again, as it came and with the edits, and what differs between the two is spliced into the client's own bytes. Where no edit hangs on it, that is done
// without the conversation and the tools, so that it costs as much as the few members that are left.
#ifndef LLMROUTER_DIALECTS_OWN_EDITS_H_
#define LLMROUTER_DIALECTS_OWN_EDITS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/distinct.h"
#include "llmrouter/codec.h"
#include "wire/splice.h"

namespace llmrouter::dialects {

struct OwnForm {
  std::string_view conversation;           // the member that holds it
  std::string_view least;                  // a conversation in which little is said, as that member's value
  std::vector<std::string_view> bulk;      // other members that only a few edits hang on
  bool always_without_bulk = false;        // no edit hangs on them here
  std::vector<std::string_view> holders;   // objects whose members are compared one by one
  std::vector<std::string_view> formats;   // members that say the answer's form ("holder.member" inside one): where one is set the others go
  Spelling spelling = Spelling::kExact;    // how a client may write the names; those above are the writer's
  std::function<Result<ChatRequest>(std::string_view body)> read;
  // As the upstream gets it. An error where the answer could not be relayed, too.
  std::function<Result<void>(const ChatRequest& request, std::string& out, std::vector<std::string>& dropped)> write;
};

// Appends to `edits` what the policy's edits (input.edits) come to. Texts that they view go to `out.owned`; what the dialect has no member for is named in
// `out.dropped`. kNotSupported: that cannot be spliced, the call has to be translated (where the same may turn out an error, said better).
Result<void> add_own_edits(const EncodeInput& input, const OwnForm& form, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits);

// Does a policy change the request at all?
inline bool has_edits(const EncodeInput& input) noexcept { return input.edits != nullptr && !input.edits->empty(); }

// For requests of other kinds, which are translated where a policy changes them.
inline Error not_spliced() { return Error(ErrorCode::kNotSupported, "what a policy changes in this request cannot be spliced into it"); }

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_OWN_EDITS_H_
