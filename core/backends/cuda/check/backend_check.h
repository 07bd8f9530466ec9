// A check of a backend beside the reference, for machines that have a device and little else.
#pragma once

#include <cstdint>
#include <ostream>

#include "core/backends/backend.h"

namespace kwta::cuda {

struct BackendCheckOptions {
  bool timing = true;  // also measures the operations, which takes a device about a minute
};

// Runs the operations of `backend` on random problems and compares each with the reference: codes, winners and counts
// bit for bit, everything else within the tolerance of binary32 sums. Trains a small dictionary for some steps. Prints
// lines `name value`; names that end in _wrong count numbers that are not what they should be, and conformance_wrong
// is the sum of these. Returns that sum, or the first error. Not thread-safe.
absl::StatusOr<int64_t> CheckBackend(Backend& backend, const BackendCheckOptions& options, std::ostream& out);

}  // namespace kwta::cuda
