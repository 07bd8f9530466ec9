// Converts bytes to floats.
#pragma once

#include <cstdint>

namespace kwta::simd {

// out[i] = float(bytes[i]) / divisor, rounded once, for i < n. Thread-safe.
void DivideBytes(const uint8_t* bytes, int64_t n, float divisor, float* out);

}  // namespace kwta::simd
