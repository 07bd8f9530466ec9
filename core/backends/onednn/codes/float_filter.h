// AffineTopK by products of floating-point numbers: bf16 where the dictionary has them, else binary32.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta {

// Writes the codes of the given rows of args (ascending, at least one). Thread-safe. Takes any row and any dictionary.
// REQUIRES: args.dictionary is an OnednnDictionary. Errors: INTERNAL, RESOURCE_EXHAUSTED.
absl::Status FloatFilteredTopK(OnednnContext& context, const AffineTopKArgs& args, const std::vector<int64_t>& rows);

}  // namespace kwta
