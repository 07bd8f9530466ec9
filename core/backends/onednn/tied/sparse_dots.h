// FixedOrderDot of one row with many atoms, over the tiles of the row that are not all zero.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::tied {

// products[j] = FixedOrderDot(x, atoms[j], width) for j < count, bit for bit if every element of the atoms is finite.
// It skips products of zero only, and adding one of them to a partial sum that starts at +0 changes nothing. tiles and
// tile_counts come from SparseProductKernels::prepare_row (core/backends/onednn/tied/sparse_product.h). Thread-safe.
// REQUIRES: the processor rounds to nearest and keeps subnormal numbers.
using SparseDotsFunction = void (*)(const float* x, int64_t width, const int32_t* tiles, int64_t tile_stride,
                                    const int32_t* tile_counts, const float* const* atoms, int64_t count,
                                    float* products);

// REQUIRES: set is in AvailableInstructionSets().
SparseDotsFunction SparseDotsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::tied
