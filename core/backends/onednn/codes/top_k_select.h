// The k largest of a row of scores, exactly: by threshold, never by sorting.
//
// One pass over the row takes the maxima of a few hundred groups of its scores. The k-th largest of those maxima is at
// most the k-th largest score, because k groups hold a score that is no smaller; and with more than twice as many
// groups as k it is close to it. A second pass, for which the row is in cache, collects the scores that reach it: a few
// more than k. The exact threshold is found among them by bisection over the ordered bits of floating-point numbers, 32
// steps at most, and a last pass over the candidates keeps those above it and the first of those equal to it.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta {

// Elements of scratch memory that a call for n scores needs.
constexpr int64_t TopKScratchElements(int64_t n) { return 2 * ((n + 63) / 16 * 16); }

// The k positions that go before all others in the order of core/backends/score_order.h, ascending, and their scores:
// the answer of ExactTopK. Takes any scores, infinite or NaN too. `next` is the row that the next call will look at, to
// be fetched meanwhile, or null. Thread-safe; pointers need no alignment. REQUIRES: 1 <= k <= n < 2^31.
using TopKFunction = void (*)(const float* scores, int64_t n, int64_t k, const float* next, float* scratch,
                              int32_t* indices, float* values);

// REQUIRES: set is in AvailableInstructionSets().
TopKFunction SelectTopKFor(InstructionSet set);

}  // namespace kwta
