// Inner loops that pick large scores out of many, one version for each instruction set.
#pragma once

#include <cstdint>

#include "core/base/divide_up.h"
#include "core/simd/instruction_sets.h"

namespace kwta {

// Scores come in arrays padded with -infinity to a whole number of kSelectionStep, and no score is NaN or infinite.
constexpr int64_t kSelectionStep = 64;
inline int64_t PaddedScores(int64_t n) { return RoundUp(n, kSelectionStep); }

// Thread-safe. n is the padded number of scores.
struct SelectionKernels {
  // A threshold that at least k scores reach, found by bisection: at most `enough` reach it if that takes few steps,
  // or, if enough == k, exactly k unless scores are tied; then it is the k-th largest score itself.
  // REQUIRES: 1 <= k <= number of scores that are not padding, enough >= k.
  float (*threshold)(const float* scores, int64_t n, int64_t k, int64_t enough);
  // Positions of the scores >= threshold, ascending; returns how many. Writes up to 16 numbers too many.
  int64_t (*collect)(const float* scores, int64_t n, float threshold, int32_t* positions);
};

// Positions and values of the k largest scores, positions ascending, of which the smallest is `last`; of those tied
// with it the lowest. positions is scratch memory for as many as reach `last`, and 16 more.
void KeepLargest(const SelectionKernels& kernels, const float* scores, int64_t n, float last, int64_t k,
                 int32_t* positions, int32_t* kept, float* values);

// REQUIRES: set is in AvailableInstructionSets().
const SelectionKernels& SelectionKernelsFor(InstructionSet set);

}  // namespace kwta
