// Random numbers for the elements of a row: many at once, and the same bits on every processor and instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// Selects one sequence of numbers. Different keys give independent sequences for every practical purpose.
using NoiseKey = uint64_t;

// Thread-safe. x and out need no alignment; out may be x. REQUIRES: n < 2^32; the processor rounds to nearest.
struct RowNoise {
  // out[i] = x[i] + deviation * z_i with standard normal z_i (Box-Muller), of at most 5.9.
  void (*add_gaussian)(NoiseKey key, float deviation, const float* x, int64_t n, float* out);
  // out[i] = 0 with the probability rate / 2^32, otherwise x[i].
  void (*mask)(NoiseKey key, uint32_t rate, const float* x, int64_t n, float* out);
};

// Returns the version for one instruction set. All versions write the same bits. REQUIRES: set is in
// AvailableInstructionSets().
const RowNoise& RowNoiseFor(InstructionSet set);

}  // namespace kwta::simd
