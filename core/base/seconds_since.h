// How long ago something was.
#pragma once

#include <chrono>

namespace kwta {

// Seconds from `start` to now, on the clock that nobody sets.
inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace kwta
