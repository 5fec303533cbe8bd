// A changed form that is sent from where it lies.
#ifndef LLMROUTER_WIRE_PIECED_BODY_H_
#define LLMROUTER_WIRE_PIECED_BODY_H_

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "llmrouter/body.h"
#include "wire/multipart.h"

namespace llmrouter::wire {

// Ranges of another body with texts between them, one behind the other.
class PiecedBody final : public BodySource {
 public:
  // Texts of `pieces` point into `owned` or live for ever; their ranges lie in `whole`.
  PiecedBody(std::shared_ptr<const BodySource> whole, std::vector<FormPiece> pieces, std::list<std::string> owned);
  size_t size() const noexcept override { return ends_.empty() ? 0 : ends_.back(); }
  Result<size_t> read(size_t offset, char* to, size_t count) const override;

 private:
  const std::shared_ptr<const BodySource> whole_;
  const std::vector<FormPiece> pieces_;
  const std::list<std::string> owned_;
  std::vector<size_t> ends_;  // of each piece, in what is made of them
};

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_PIECED_BODY_H_
