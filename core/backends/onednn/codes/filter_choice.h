// Which filter finds the codes of a dictionary soonest on this machine.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"

namespace kwta {

// Measures the filters that this machine has on a part of the dictionary, of 2^22 weights at most, and on rows made of
// its atoms: some milliseconds. All filters give the same codes. Small dictionaries, of which that would take longer
// than it can gain, are not measured.
// Errors: RESOURCE_EXHAUSTED, INTERNAL.
absl::StatusOr<Filter> FastestFilter(OnednnContext& context, const float* atoms, const float* bias, int64_t units,
                                     int64_t width);

}  // namespace kwta
