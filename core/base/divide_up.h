// Division of counts, upwards.
#pragma once

#include <cstdint>

namespace kwta {

// How many groups of `size` hold `count` things. REQUIRES: count >= 0, size > 0, and their sum is an int64_t.
constexpr int64_t DivideUp(int64_t count, int64_t size) { return (count + size - 1) / size; }

// The least multiple of `size` that is at least `count`. REQUIRES: as above.
constexpr int64_t RoundUp(int64_t count, int64_t size) { return DivideUp(count, size) * size; }

}  // namespace kwta
