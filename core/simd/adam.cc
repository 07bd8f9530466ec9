#include "core/simd/adam.h"

#include <cmath>

// This file is compiled with -fno-math-errno: compilers do not vectorise a square root that sets errno.

namespace kwta::simd {
namespace {

#define KWTA_KERNELS "core/simd/adam.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

AdamStep AdamStepAt(int64_t step, double rate, double beta1, double beta2, double epsilon) {
  const auto steps = static_cast<double>(step);
  AdamStep result;
  result.beta1 = static_cast<float>(beta1);
  result.beta2 = static_cast<float>(beta2);
  result.one_minus_beta1 = static_cast<float>(1 - double{result.beta1});
  result.one_minus_beta2 = static_cast<float>(1 - double{result.beta2});
  result.rate = static_cast<float>(rate / (1 - std::pow(beta1, steps)));
  result.second_correction = static_cast<float>(1 / (1 - std::pow(beta2, steps)));
  result.epsilon = static_cast<float>(epsilon);
  return result;
}

const AdamKernels& AdamKernelsFor(InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::simd
