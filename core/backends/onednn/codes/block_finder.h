// Finds the codes of a block of rows together, so that each atom is read once for all rows that need it.
//
// Exact scores of one row after another read every needed atom anew: 75 atoms of 3 KiB a row, from the third-level
// cache if the dictionary is larger than a core's own. Here a panel of atoms, which that cache holds beside the block's
// rows, is scored for all rows before the next one.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/onednn/codes/code_finder.h"
#include "core/backends/onednn/support/arena.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// Not thread-safe.
class BlockFinder {
 public:
  // Arrays for `rows` rows with at most `candidates` exact scores each.
  struct Memory {
    Memory(int64_t rows, int64_t candidates, support::Arena& arena);

    int64_t rows, room;
    int32_t* positions;  // [rows, room]
    int32_t* units;
    float* exact;
  };

  // Whether this is faster than CodeFinder::Find for each row, where a core's own cache has `cache_bytes`: the
  // dictionary is larger, and rows share its atoms.
  static bool Suits(int64_t cache_bytes, int64_t units, int64_t width, int64_t rows, int64_t k);

  // REQUIRES: the arguments outlive this.
  BlockFinder(const support::Context& context, const Dictionary& dictionary, int64_t k, int64_t max_candidates,
              const Memory& memory);

  // Adds row i, with REQUIRES of CodeFinder::Find. The lists' units are 0 .. size - 1. x must stay alive until Encode.
  void Add(int64_t i, const float* x, const ScoreList& list, const RowBound& bound);

  // Calls done(i, outcome) for each row that was added, after writing its code to indices(i) and values(i), [k] each,
  // if the outcome is kCode.
  template <typename Indices, typename Values, typename Done>
  void Encode(const Indices& indices, const Values& values, const Done& done) {
    ScoreByUnit();
    for (Row& row : rows_) Extend(&row);
    ScoreByUnit();
    for (Row& row : rows_) {
      if (row.outcome == Outcome::kCode) finder_.Finish(row.list, k_, &row.search, indices(row.i), values(row.i));
      done(row.i, row.outcome);
    }
  }

 private:
  struct Row {
    int64_t i;
    ScoreList list;
    RowBound bound;
    CodeSearch search;
    int64_t scored = 0;  // of search.units
    Outcome outcome = Outcome::kCode;
  };
  void Extend(Row* row);
  // Writes the missing exact scores of all rows.
  void ScoreByUnit();

  const simd::InstructionSet set_;
  const Dictionary& dictionary_;
  const int64_t k_;
  const int64_t max_candidates_;
  const Memory& memory_;
  const int64_t panel_units_;
  CodeFinder finder_;
  std::vector<Row> rows_;
};

}  // namespace kwta::onednn::codes
