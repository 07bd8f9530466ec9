// Visits the stored rows of a data set, block by block.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "core/base/row_blocks.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// The default number of rows in a block.
inline constexpr int64_t kStoredBlockRows = 512;

// Calls visit(rows, first) with consecutive blocks of all rows; the block's first row is row `first`. `rows` is valid
// during the call. Stops at the first error of visit.
template <typename Visit>
absl::Status ForEachStoredBlock(const Dataset& data, const Visit& visit) {
  const int64_t most = std::min(kStoredBlockRows, data.rows());
  std::vector<uint32_t> which(most);
  std::vector<char> stored(most * data.width() * DTypeSize(data.dtype()));
  return ForEachRowBlock(data.rows(), kStoredBlockRows, [&](int64_t first, int64_t count) {
    std::iota(which.begin(), which.end(), static_cast<uint32_t>(first));
    data.Gather(which.data(), count, stored.data());
    return visit(RowsView{data.dtype(), stored.data(), count, data.width()}, first);
  });
}

}  // namespace kwta
