// Processes many rows in blocks, so that scratch memory does not grow with their number.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "core/base/status_macros.h"

namespace kwta {

// Returns how many rows fit in about 8 MiB of scratch memory, at least one. Each needs `row_bytes` (at least 1).
inline int64_t ScratchRows(int64_t row_bytes) { return std::max<int64_t>(1, (int64_t{8} << 20) / row_bytes); }

// Calls visit(first, count) for consecutive blocks of `block_rows` rows. The last block may be shorter. Stops at the
// first error of visit.
template <typename Visit>
absl::Status ForEachRowBlock(int64_t rows, int64_t block_rows, const Visit& visit) {
  for (int64_t first = 0; first < rows; first += block_rows) {
    KWTA_RETURN_IF_ERROR(visit(first, std::min(block_rows, rows - first)));
  }
  return absl::OkStatus();
}

}  // namespace kwta
