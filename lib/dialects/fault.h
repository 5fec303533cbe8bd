// What an upstream complains of, from words to an Error. Shared by all dialects: vendors borrow each other's codes and phrases.
#ifndef LLMROUTER_DIALECTS_FAULT_H_
#define LLMROUTER_DIALECTS_FAULT_H_

#include <chrono>
#include <string>
#include <string_view>

#include "llmrouter/error.h"
#include "llmrouter/result.h"
#include "llmrouter/transport.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// A complaint, taken out of whatever JSON it came in.
struct Fault {
  int status = 0;        // HTTP status, or the one a body claims; 0: none was given
  std::string message;
  std::string code;      // the vendor's code; numbers as text
  std::string type;
  std::string param;
  std::string detail;    // more words to judge by, not shown (an inner provider's raw error)
  std::chrono::milliseconds retry_after{0};
};

// Reads the error shapes of FORMATS: {"error":{..}}, {"error":"text"}, flat objects, {"detail":..}, {"errors":[..]}, and any of them as
// the first element of an array. False: `root` says of no error. `fault.status` is set only when the body claims one.
bool read_fault(wire::JsonValue root, Fault& fault);

// Is there a member `error` that is more than null or empty?
bool has_error_member(wire::JsonValue root);

// Decides which code it is. `body` is kept, capped and scrubbed; `key` is the credential in use and is removed wherever it shows.
Error make_error(const Fault& fault, std::string_view body, std::string_view key);

// A whole answer whose status is no 2xx: shape, status, headers and words together.
Error error_of_reply(const HttpHead& head, std::string_view body, std::string_view key);

// An error that came inside a 2xx: its own status decides, else its words.
Error error_of_object(wire::JsonValue root, std::string_view key);

// A 2xx that cannot be used, said in our own words.
Error unreadable(std::string_view what, std::string_view body, std::string_view key);

// A 2xx's body as JSON, and as an object or array; unreadable() where it is none.
Result<wire::JsonValue> read_json(std::string_view body, std::string_view key);
Result<wire::JsonValue> read_root(std::string_view body, std::string_view key);

// The longest body kept in an Error, and the longest message.
constexpr size_t kMaxErrorBody = 8 * 1024;
constexpr size_t kMaxErrorMessage = 2 * 1024;

// How long the headers say to wait; 0: they do not say. Never more than a day. retry_after(): retry-after-ms, retry-after (seconds, or a date,
// which counts from the `date` header beside it). reset_after(): when the window of x-ratelimit-reset* is new (Go durations, seconds, or
// points in time), which is often later than need be.
std::chrono::milliseconds retry_after(const HttpHead& head);
std::chrono::milliseconds reset_after(const HttpHead& head);

// "6m0s", "17.39s", "4ms", "1h2m", "12.5" (seconds); 0 when it is none of these. Never more than a day.
std::chrono::milliseconds parse_wait(std::string_view text);

// The text without what looks like a key: known prefixes, what follows "Bearer" or "key provided:", tokens with a masked middle, and
// `key` itself. Each becomes "***".
// A key that stands there behind JSON's escapes becomes visible first, and the text with it.
std::string scrub(std::string_view text, std::string_view key);

// Does `key` stand behind escapes, at whatever depth of JSON in JSON? `plain`, unless null, gets the text without them then.
bool hides(std::string_view text, std::string_view key, std::string* plain);

// What a person can use of a body that is not JSON: an HTML page's title, or the first words of a text.
std::string plain_words(std::string_view body);

// The first `limit` bytes, fewer when that would cut a UTF-8 sequence.
std::string_view cut(std::string_view text, size_t limit) noexcept;

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_FAULT_H_
