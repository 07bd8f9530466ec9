// Division of counts, upwards.
#pragma once

#include <type_traits>

namespace kwta {

// How many groups of `size` hold `count` things. REQUIRES: count >= 0, size > 0, and their sum is a value of the common
// type of the two, which is the result's.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> DivideUp(Count count, Size size) {
  return (count + size - 1) / size;
}

// The least multiple of `size` that is at least `count`. REQUIRES: as above.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> RoundUp(Count count, Size size) {
  return DivideUp(count, size) * size;
}

}  // namespace kwta
