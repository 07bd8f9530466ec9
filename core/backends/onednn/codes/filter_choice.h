// The choice of the fastest filter for a dictionary on this machine.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Measures this machine's filters on a part of the dictionary, of 2^22 weights at most, and on rows made of its atoms,
// and lets the dictionary start with the fastest and watch what is served. This takes some milliseconds. All filters
// find the same codes. A small dictionary takes bytes without a measurement, which would take longer than it can gain.
// Call this before the first Refresh.
// Errors: RESOURCE_EXHAUSTED, INTERNAL.
absl::Status ChooseFilter(support::Context& context, PreparedDictionary* dictionary);

}  // namespace kwta::onednn::codes
