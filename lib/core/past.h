// What usage records say of how targets and their credentials do: where a replay draws its attempts from.
#ifndef LLMROUTER_CORE_PAST_H_
#define LLMROUTER_CORE_PAST_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/rehearsal.h"
#include "llmrouter/usage.h"

namespace llmrouter::core {

inline std::string target_name(std::string_view provider, std::string_view model) { return std::string(provider).append("/").append(model); }

// What an attempt says of the request itself, wherever it would have been sent; kNone: nothing.
ErrorCode refusal_of(const UsageRecord& record, const AttemptRecord& attempt);

// A refused or limited key is one matter, how a target does another: what was refused with one key says nothing of its siblings. An attempt is thus drawn
// twice: whether its key is let through, from that key's attempts at the target (if it has none there, at the provider's others), and then what the target
// does, from everybody's attempts that were let through.
class Past {
 public:
  // All records first, then order(), then the questions.
  void learn(const UsageRecord& record);
  void order();

  // Was any attempt at it let through?
  bool knows(const std::string& target) const { return targets_.find(target) != targets_.end(); }
  // An attempt at a provider's model with the credential of that name (empty: none), at the time `at`. A credential that the records do not know is taken for
  // a good one that is limited as often as the others are; a target that they do not know for an average one that does not fail.
  Acting draw(std::string_view provider, std::string_view model, std::string_view credential, WallTime at, Random& random) const;
  // A question that any server answers which answers at all, as that for the list of models.
  Acting draw_reach(std::string_view provider, WallTime at, Random& random) const;
  // Did a streamed answer go on for longer than `idle` after its first token? What took less holds no silence of that length.
  bool may_hold_silence(std::string_view provider, Duration idle) const;

 private:
  class Line {  // some attempts, by time
   public:
    void add(WallTime at, const Acting& acting) { attempts_.push_back({at, acting}); }
    void order();
    // One of those within a minute, or, where these are fewer than four, of all.
    const Acting& draw(WallTime at, double chance) const;

   private:
    struct Attempt {
      WallTime at;
      Acting acting;
    };
    std::vector<Attempt> attempts_;  // at least one
  };
  using Lines = std::map<std::string, Line, std::less<>>;
  static const Line* find(const Lines& lines, const std::string& name);
  // kNone: it lets the attempt through.
  Acting verdict(std::string_view provider, const std::string& target, std::string_view credential, WallTime at, double chance) const;

  Lines targets_;      // of what was let through
  Lines limited_;      // by target: with whatever key, but those that were refused
  Lines credentials_;  // by target and key, and by provider and key
  Lines reach_;        // by provider: all
  std::map<std::string, Duration, std::less<>> longest_;  // by provider: of streamed answers after their first token
  int64_t answers_ = 0;
  Duration answer_time_{0};
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_PAST_H_
