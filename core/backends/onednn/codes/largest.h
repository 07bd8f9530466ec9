// The largest of many scores, by threshold and never by sorting, one version for each instruction set.
//
// `threshold` and `collect` serve filters, whose scores are finite and padded. `top_k` takes any scores and is exact.
// One pass over the row takes the maxima of a few hundred groups of its scores. The k-th largest of those maxima is at
// most the k-th largest score, because k groups hold a score that is no smaller; and with more than twice as many
// groups as k it is close to it. A second pass, for which the row is in cache, collects the scores that reach it: a few
// more than k. Bisection finds the exact threshold among them, and a last pass keeps those above it and the first of
// those equal to it.
#pragma once

#include <cstdint>

#include "core/base/divide_up.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::codes {

// Elements of scratch memory that top_k needs for n scores.
constexpr int64_t TopKScratchElements(int64_t n) { return 2 * RoundUp(n + 48, 16); }

// Writes the k positions that go before all others in the order of core/backends/score_order.h, ascending, and their
// scores: the answer of ExactTopK. Takes any scores, infinite or NaN too. `next` is the row that the next call will
// look at, to be fetched meanwhile, or null. Thread-safe; pointers need no alignment. REQUIRES: 1 <= k <= n < 2^31.
using TopKFunction = void (*)(const float* scores, int64_t n, int64_t k, const float* next, float* scratch,
                              int32_t* indices, float* values);

// For the other kernels scores come in arrays padded with -infinity to a whole number of kScorePadding, and no score is
// NaN or infinite.
constexpr int64_t kScorePadding = 64;
inline int64_t PaddedScores(int64_t n) { return RoundUp(n, kScorePadding); }

// Thread-safe. n is the padded number of scores.
struct LargestKernels {
  // A threshold that at least k scores reach, found by bisection: at most `enough` reach it if that takes few steps,
  // or, if enough == k, exactly k unless scores are tied; then it is the k-th largest score itself.
  // REQUIRES: 1 <= k <= number of scores that are not padding, enough >= k.
  float (*threshold)(const float* scores, int64_t n, int64_t k, int64_t enough);
  // Positions of the scores >= threshold, ascending; returns how many. Writes up to 16 numbers too many.
  int64_t (*collect)(const float* scores, int64_t n, float threshold, int32_t* positions);
  TopKFunction top_k;
};

// Positions and values of the k largest scores, positions ascending, of which the smallest is `last`; of those tied
// with it the lowest. positions is scratch memory for as many as reach `last`, and 16 more.
void KeepLargest(const LargestKernels& kernels, const float* scores, int64_t n, float last, int64_t k,
                 int32_t* positions, int32_t* kept, float* values);

// REQUIRES: set is in AvailableInstructionSets().
const LargestKernels& LargestKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::codes
