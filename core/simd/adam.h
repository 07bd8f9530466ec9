// The update of Adam (Kingma and Ba, 2015), one version for each instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// The numbers of one step: first = beta1 first + (1 - beta1) g, second = beta2 second + (1 - beta2) g^2,
// parameter -= rate first / (sqrt(second_correction second) + epsilon).
struct AdamStep {
  float beta1, one_minus_beta1, beta2, one_minus_beta2;
  float rate;               // the learning rate / (1 - beta1^step)
  float second_correction;  // 1 / (1 - beta2^step)
  float epsilon;
};

// The numbers of step number `step`, from 1.
AdamStep AdamStepAt(int64_t step, double rate, double beta1, double beta2, double epsilon);

// Every function is thread-safe and takes unaligned arrays of n elements that do not overlap. An element gets the same
// bits wherever it lies in the arrays.
struct AdamKernels {
  // Takes g from `gradient`.
  void (*update)(const AdamStep& step, const float* gradient, int64_t n, float* first, float* second, float* parameter);
  // Takes gradient + l2 * parameter as g, and zeroes `gradient`.
  void (*update_with_l2)(const AdamStep& step, float l2, float* gradient, int64_t n, float* first, float* second,
                         float* parameter);
};

// REQUIRES: set is in AvailableInstructionSets().
const AdamKernels& AdamKernelsFor(InstructionSet set);

}  // namespace kwta::simd
