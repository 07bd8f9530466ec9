// AffineTopK by a product of bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Writes the codes of all rows except those that it returns, ascending. It leaves out a row if its scores could
// overflow, or if so many of its units are within the bound that the filter is not worthwhile. Thread-safe. REQUIRES:
// args.dictionary is a PreparedDictionary whose quantised() is not null, args.rows >= 1. Errors: RESOURCE_EXHAUSTED.
absl::StatusOr<std::vector<int64_t>> ByteFilteredTopK(support::Context& context, const AffineTopKArgs& args);

}  // namespace kwta::onednn::codes
