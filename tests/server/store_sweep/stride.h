// How thorough the sweeps are.
#pragma once

#include <cstdlib>
#include <string>

namespace kwta::testing {

// True if the environment's KWTA_SWEEP is "all".
inline bool SweepsAll() {
  const char* sweep = std::getenv("KWTA_SWEEP");
  return sweep != nullptr && std::string(sweep) == "all";
}

// Every call, or every so many of them.
inline int Stride() { return SweepsAll() ? 1 : 5; }

}  // namespace kwta::testing
