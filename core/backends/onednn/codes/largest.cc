#include "core/backends/onednn/codes/largest.h"

#include "core/base/divide_up.h"
#include "core/simd/intrinsics.h"

namespace kwta::onednn::codes {
namespace {

#define KWTA_KERNELS "core/backends/onednn/codes/largest.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

void KeepLargest(const LargestKernels& kernels, const float* scores, int64_t n, float last, int64_t k,
                 int32_t* positions, int32_t* kept, float* values) {
  const int64_t reached = kernels.collect(scores, n, last, positions);
  int64_t too_many = reached - k;
  for (int64_t i = reached - 1, place = k - 1; i >= 0; --i) {
    const float score = scores[positions[i]];
    if (too_many > 0 && score == last) {
      --too_many;
      continue;
    }
    kept[place] = positions[i];
    values[place] = score;
    --place;
  }
}

const LargestKernels& LargestKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::codes
