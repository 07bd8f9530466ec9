// The definition of a code: every score, then the k that go before all others.
#pragma once

#include <cstdint>

#include "core/backends/backend.h"

namespace kwta {

// scores[units] of one row x[width]: FixedOrderDot of x with each atom, plus its bias.
void ExactScores(const Dictionary& dictionary, const float* x, float* scores);

// The k units that go before all others in the order of score_order.h, ascending, and their scores, to indices[k] and
// values[k]. Takes any scores, infinite or NaN too. REQUIRES: 1 <= k <= units.
void ExactTopK(const float* scores, int64_t units, int64_t k, int32_t* indices, float* values);

}  // namespace kwta
