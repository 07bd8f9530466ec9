// The inner loops of linear probes on dense features, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta {

// The number of lanes is the number of classes rounded up to a multiple of this.
inline constexpr int kProbeLanes = 16;

// Dropout of an update: zeroes an element if the 24-bit hash of (its number in the block, key) is below threshold.
struct ProbeDropout {
  uint32_t key = 0;
  uint32_t threshold = 0;  // 0: none
  float keep_scale = 1;    // factor of the elements that are kept
};

// Every function is thread-safe, takes unaligned pointers and returns the same bits for the same arguments.
struct ProbeKernels {
  // x[i] = (x[i] - shift[i]) * factor[i], with dropout; element i of this piece has the number first + i.
  void (*transform)(float* x, const float* shift, const float* factor, int64_t count, uint32_t first,
                    const ProbeDropout& dropout);
  // sums[rows, lanes] += x[rows, count] w[count, lanes].
  void (*multiply)(const float* x, const float* w, int64_t rows, int64_t count, int lanes, float* sums);
  // gradient[count, lanes] += x' p, with x[rows, count] and p[rows, lanes].
  void (*add_transposed)(const float* x, const float* p, int64_t rows, int64_t count, int lanes, float* gradient);
};

// REQUIRES: set is in AvailableInstructionSets().
const ProbeKernels& ProbeKernelsFor(simd::InstructionSet set);

}  // namespace kwta
