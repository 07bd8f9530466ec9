// AffineTopK by a product of bytes, for many rows and more units than the scores kept for a row.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Does the same as ByteFilteredTopK (byte_filter.h), which calls it.
absl::StatusOr<std::vector<int64_t>> SampledTopK(support::Context& context, const AffineTopKArgs& args);

}  // namespace kwta::onednn::codes
