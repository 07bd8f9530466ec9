// The definition of a code: compute every score, then take the k units that go before all others.
#pragma once

#include <cstdint>

#include "core/backends/backend.h"

namespace kwta {

// Computes scores[units] of one row x[width]: FixedOrderDot of x with each atom, plus its bias.
void ExactScores(const Dictionary& dictionary, const float* x, float* scores);

// Writes the k units that go before all others in the order of score_order.h to indices[k], ascending, and their scores
// to values[k]. Accepts any scores, including infinities and NaN. REQUIRES: 1 <= k <= units.
void ExactTopK(const float* scores, int64_t units, int64_t k, int32_t* indices, float* values);

}  // namespace kwta
