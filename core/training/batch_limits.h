// What a batch may need.
#pragma once

#include <cstdint>

namespace kwta {

// Activities that all units compute for the rows of a batch, before any are dropped.
inline constexpr int64_t kMaxBatchScores = int64_t{1} << 31;

}  // namespace kwta
