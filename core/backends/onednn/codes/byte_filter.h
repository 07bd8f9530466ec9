// AffineTopK by a product of bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/context.h"

namespace kwta {

// Writes the codes of all rows but those that it returns, ascending: rows whose scores could overflow, or have too many
// units within the bound for a filter to be worth while. Thread-safe. REQUIRES: args.dictionary is an OnednnDictionary
// whose quantised() is not null, args.rows >= 1. Errors: RESOURCE_EXHAUSTED.
absl::StatusOr<std::vector<int64_t>> ByteFilteredTopK(OnednnContext& context, const AffineTopKArgs& args);

}  // namespace kwta
