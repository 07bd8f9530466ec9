// Integer division that rounds up.
#pragma once

#include <type_traits>

namespace kwta {

// Returns how many groups of `size` hold `count` things, in the common type of the two. REQUIRES: count >= 0, size > 0,
// and their sum fits that type.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> DivideUp(Count count, Size size) {
  return (count + size - 1) / size;
}

// Returns the least multiple of `size` that is at least `count`. REQUIRES: as above.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> RoundUp(Count count, Size size) {
  return DivideUp(count, size) * size;
}

}  // namespace kwta
