// Finds the largest of many scores by threshold, never by sorting, in one version per instruction set.
//
// `threshold` and `collect` serve filters, whose scores are finite and padded. `top_k` accepts any scores and is exact.
// Its first pass over the row takes the maxima of a few hundred groups of scores. The k-th largest maximum is at most
// the k-th largest score, because k groups hold a score that is no smaller; with more than twice as many groups as k it
// is close to it. A second pass, while the row is in cache, collects the scores that reach it: a few more than k.
// Bisection finds the exact threshold among them. A last pass keeps those above it and the first of those equal to it.
#pragma once

#include <cstdint>

#include "core/base/divide_up.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::codes {

// Elements of scratch memory that top_k needs for n scores.
constexpr int64_t TopKScratchElements(int64_t n) { return 2 * RoundUp(n + 48, 16); }

// Writes the k positions that go before all others in the order of core/backends/score_order.h, ascending, and their
// scores: the answer of ExactTopK. Accepts any scores, including infinities and NaN. `next` is the row of the next
// call, which is fetched meanwhile, or null. Thread-safe; pointers need no alignment. REQUIRES: 1 <= k <= n < 2^31.
using TopKFunction = void (*)(const float* scores, int64_t n, int64_t k, const float* next, float* scratch,
                              int32_t* indices, float* values);

// The other kernels take arrays of scores padded with -infinity to a multiple of kScorePadding. No score is NaN or
// infinite.
constexpr int64_t kScorePadding = 64;
inline int64_t PaddedScores(int64_t n) { return RoundUp(n, kScorePadding); }

// The errors of scores, see collect_within. All arrays have as many elements as the scores.
struct ScoreErrors {
  float norm = 0, residual = 0;
  const float* of_norm = nullptr;
  const float* of_residual = nullptr;
  const float* constant = nullptr;
};

// Thread-safe. n is the padded number of scores.
struct LargestKernels {
  // Returns a threshold that at least k scores reach, found by bisection. At most `enough` scores reach it if that
  // takes few steps. If enough == k, exactly k reach it unless scores are tied; it is then the k-th largest score
  // itself.
  // REQUIRES: 1 <= k <= number of scores that are not padding, enough >= k.
  float (*threshold)(const float* scores, int64_t n, int64_t k, int64_t enough);
  // Writes the positions of the scores >= threshold, ascending, and returns their number. Writes up to 16 numbers more.
  int64_t (*collect)(const float* scores, int64_t n, float threshold, int32_t* positions);
  // Writes the positions of the scores whose error may take them to the threshold, and of a few that only rounding
  // takes there, ascending, and returns their number. The error at position i is norm * of_norm[i] + residual *
  // of_residual[i] + constant[i], none of them negative. n need not be padded. Writes up to 16 numbers more.
  int64_t (*collect_within)(const float* scores, int64_t n, float threshold, const ScoreErrors& errors,
                            int32_t* positions);
  TopKFunction top_k;
};

// Writes the positions and values of the k largest scores, positions ascending. `last` is the smallest of these scores;
// of the scores equal to it, the lowest positions win. positions is scratch memory for all that reach `last`, and 16
// more.
void KeepLargest(const LargestKernels& kernels, const float* scores, int64_t n, float last, int64_t k,
                 int32_t* positions, int32_t* kept, float* values);

// REQUIRES: set is in AvailableInstructionSets().
const LargestKernels& LargestKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::codes
