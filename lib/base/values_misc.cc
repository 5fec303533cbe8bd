// Small members of the value types that need a home.
#include "llmrouter/limits.h"
#include "llmrouter/provider.h"
#include "llmrouter/route.h"
#include "llmrouter/transport.h"
#include "llmrouter/usage.h"

namespace llmrouter {

std::string_view HttpHead::header(std::string_view lower_case_name) const noexcept {
  for (const HttpHeader& h : headers) {
    if (h.name == lower_case_name) return h.value;
  }
  return {};
}

bool ProviderConfig::has_quirk(std::string_view quirk) const noexcept {
  for (const std::string& q : quirks) {
    if (q == quirk) return true;
  }
  return false;
}

std::string_view call_status_name(CallStatus status) noexcept {
  switch (status) {
    case CallStatus::kOk: return "ok";
    case CallStatus::kError: return "error";
    case CallStatus::kCancelled: return "cancelled";
    case CallStatus::kCut: return "cut";
    case CallStatus::kLimited: return "limited";
  }
  return "error";
}

std::string_view budget_period_name(BudgetPeriod period) noexcept {
  switch (period) {
    case BudgetPeriod::kDay: return "day";
    case BudgetPeriod::kWeek: return "week";
    case BudgetPeriod::kMonth: return "month";
    case BudgetPeriod::k30d: return "30d";
    case BudgetPeriod::kTotal: return "total";
  }
  return "month";
}

std::string_view step_reason_text(StepReason reason) noexcept {
  switch (reason) {
    case StepReason::kStrategy: return "placed by the strategy";
    case StepReason::kFallback: return "fallback, after every target before it";
    case StepReason::kLastResort: return "weight 0: only when nothing else is left";
    case StepReason::kNotAllowed: return "out: the key may not use it";
    case StepReason::kCoolingDown: return "resting after failures: asked only after the others";
    case StepReason::kCannotExpress: return "out: its dialect cannot serve this request";
    case StepReason::kOtherProvider: return "out: the request asks for another provider";
    case StepReason::kOtherType: return "out: the request asks for another type of provider";
    case StepReason::kNoTag: return "out: it has not all the tags that the request asks for";
    case StepReason::kTooDear: return "out: above the request's max_price";
    case StepReason::kNoPrice: return "out: its price is not known, and the request has a max_price";
    case StepReason::kNoFallbacks: return "out: the request allows no fallbacks";
    case StepReason::kNoImage: return "out: it takes no images";
    case StepReason::kNoAudio: return "out: it takes no audio";
    case StepReason::kNoVideo: return "out: it takes no video";
    case StepReason::kNoFile: return "out: it takes no files";
    case StepReason::kNoTools: return "out: it takes no tools";
    case StepReason::kNoSchema: return "out: it takes no JSON schema";
    case StepReason::kTooLong: return "out: the request is longer than its context window";
    case StepReason::kRateLimited: return "out for now: its provider limits it, and said when to come back";
    case StepReason::kAtLimit: return "out for now: a limit of the model, the provider or its keys has no room";
    case StepReason::kNoKey: return "out: none of its provider's keys is for this model";
    case StepReason::kKeysRest: return "its keys were refused or are out of quota: asked with one of them only when nobody else is left";
  }
  return "";
}

bool RouteRequest::empty() const noexcept {
  return tags.empty() && providers.empty() && ignore.empty() && order.empty() && provider_types.empty() && strategy.empty() && !fallbacks &&
         allow_fallbacks && !require_parameters && !max_input_price && !max_output_price && cache;
}

}  // namespace llmrouter
