// The choice of the fastest filter for a dictionary on this machine.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Measures this machine's filters on a part of the dictionary, of 2^22 weights at most, and on rows made of its atoms.
// This takes some milliseconds. All filters find the same codes. A small dictionary is not measured, since that would
// take longer than it can gain.
// Errors: RESOURCE_EXHAUSTED, INTERNAL.
absl::StatusOr<support::Filter> FastestFilter(support::Context& context, const float* atoms, const float* bias,
                                              int64_t units, int64_t width);

}  // namespace kwta::onednn::codes
