// The update step of Adam (Kingma and Ba, 2015), compiled once for each instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// The coefficients of one step: first = beta1 first + (1 - beta1) g, second = beta2 second + (1 - beta2) g^2,
// parameter -= rate first / (sqrt(second_correction second) + epsilon).
struct AdamStep {
  float beta1, one_minus_beta1, beta2, one_minus_beta2;
  float rate;               // the learning rate / (1 - beta1^step)
  float second_correction;  // 1 / (1 - beta2^step)
  float epsilon;
};

// Returns the coefficients of step number `step`, counted from 1.
AdamStep AdamStepAt(int64_t step, double rate, double beta1, double beta2, double epsilon);

// Every function is thread-safe and takes arrays of n elements that need no alignment and do not overlap. An element's
// result has the same bits at every position in the arrays.
struct AdamKernels {
  // Uses `gradient` as g.
  void (*update)(const AdamStep& step, const float* gradient, int64_t n, float* first, float* second, float* parameter);
  // Uses gradient + l2 * parameter as g, and zeroes `gradient`.
  void (*update_with_l2)(const AdamStep& step, float l2, float* gradient, int64_t n, float* first, float* second,
                         float* parameter);
};

// REQUIRES: set is in AvailableInstructionSets().
const AdamKernels& AdamKernelsFor(InstructionSet set);

}  // namespace kwta::simd
