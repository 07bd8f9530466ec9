// The rows of a call to AffineTopK, prepared for the byte filters (byte_filter.h, sampled_filter.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/byte_product.h"
#include "core/backends/onednn/codes/code_finder.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/arena.h"
#include "core/backends/onednn/support/context.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::codes {

// A block of rows of a call. Not thread-safe: each thread has its own.
class ByteRows {
 public:
  // The memory of a block's rows and their tiles.
  struct Memory {
    Memory(int64_t block_rows, int64_t width, support::Arena& arena);

    uint8_t* bytes;      // [block_rows, PaddedWidth(width)]
    QuantisedRow* rows;  // [block_rows]
    char* tiles;
    float* converted;  // [width]
  };

  // REQUIRES: args.dictionary is a PreparedDictionary whose quantised() is not null; the context, args and memory
  // outlive this.
  ByteRows(const support::Context& context, const AffineTopKArgs& args, const Memory& memory);

  // Converts row `row` of the call and stores it as row i of the block.
  void Quantise(int64_t row, int64_t i);

  // Returns rows 0 .. count - 1 of the block, which Quantise has stored, for score_tile and collect_tile. The result is
  // valid until the next call.
  RowTiles Tiles(int64_t count) const;

  // The bound of the scores, without the offset, that score_tile and collect_tile compute for row i of the block.
  RowBound Bound(int64_t i) const;

  // Writes the code of row `row` of the call, which is row i of the block, if it returns kCode (see CodeFinder::Find).
  // Returns kTooMany if the row's scores could overflow.
  Outcome Find(int64_t row, int64_t i, ScoreList list);

 private:
  class FineScores;

  const AffineTopKArgs& args_;
  const PreparedDictionary& dictionary_;
  const QuantisedAtoms& atoms_;
  const int64_t width_;
  const int64_t max_candidates_;
  const Memory& memory_;
  CodeFinder finder_;
  // Of Find.
  std::vector<int32_t> near_units_, fine_sums_;
};

// Calls call.EncodeBlock(begin, count, memory, left_out) for all rows, in blocks of call.block_rows(). Each block runs
// on one thread of the context's pool, or on the caller's if call.blocks_in_turn(). `memory` is a Call::Memory(call,
// arena) of that thread. Returns the rows for which EncodeBlock set left_out[row], ascending.
// Errors: RESOURCE_EXHAUSTED.
template <typename Call>
absl::StatusOr<std::vector<int64_t>> EncodeBlocks(support::Context& context, int64_t rows, Call& call) {
  support::Arena counts(nullptr);
  typename Call::Memory(call, counts);
  const int64_t threads = call.blocks_in_turn() ? 1 : context.pool.threads();
  KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease lease,
                        context.scratch.Take(static_cast<size_t>(threads * counts.bytes())));
  std::vector<char> left_out(static_cast<size_t>(rows));
  const auto encode = [&](int64_t block, int64_t, int thread) {
    support::Arena arena(lease.as<char>() + thread * counts.bytes());
    const int64_t begin = block * call.block_rows();
    call.EncodeBlock(begin, std::min(call.block_rows(), rows - begin), typename Call::Memory(call, arena),
                     left_out.data());
  };
  const int64_t blocks = DivideUp(rows, call.block_rows());
  if (call.blocks_in_turn()) {
    for (int64_t block = 0; block < blocks; ++block) encode(block, block + 1, 0);
  } else {
    context.pool.ParallelFor(blocks, 1, encode);
  }
  std::vector<int64_t> result;
  for (int64_t i = 0; i < rows; ++i) {
    if (left_out[i] != 0) result.push_back(i);
  }
  return result;
}

}  // namespace kwta::onednn::codes
