// AffineTopK by products of floating-point numbers: bf16 or binary32.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Writes the codes of the given rows of args (ascending, at least one), by bf16 if `bf16` and the dictionary has it.
// Accepts any row and any dictionary. Thread-safe.
// REQUIRES: args.dictionary is a PreparedDictionary. Errors: INTERNAL, RESOURCE_EXHAUSTED.
absl::Status FloatFilteredTopK(support::Context& context, const AffineTopKArgs& args, const std::vector<int64_t>& rows,
                               bool bf16);

}  // namespace kwta::onednn::codes
