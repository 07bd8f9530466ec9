// Exact codes of rows without negative elements, or of such rows minus an offset, with a dictionary in training. The
// more zeros a row has, the faster it is. docs/kernels/tied.md, "Sparse rows".
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/onednn/codes/largest.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/tied/byte_atoms.h"
#include "core/backends/onednn/tied/sparse_dots.h"
#include "core/backends/onednn/tied/sparse_product.h"
#include "core/base/aligned_vector.h"

namespace kwta::onednn::tied {

// True if nothing of the unit's atom is deferred.
inline bool IsUpToDate(const TiedParameters& p, int64_t unit) { return p.shift[unit] == 0 && p.decay[unit] == 1; }

// Finds the units that may be in each row's code, then makes the codes row by row. It never changes the stored numbers:
// it brings a deferred atom that may be in a code up to date in a copy. One batch at a time.
class SparseEncoder {
 public:
  SparseEncoder(const support::Context& context, const TiedParameters& parameters);

  // Call this after changing the stored numbers of a unit. Units of different blocks of 16 may run at the same time.
  void UpdateAtom(int64_t unit) { atoms_.Update(unit); }
  // The same after update_atom, with what it measured of atoms().bytes(unit).
  void UpdateAtom(int64_t unit, const AtomMeasures& squares) { atoms_.Update(unit, squares); }
  const ByteAtoms& atoms() const { return atoms_; }
  // Call this after changing the unit's bias, shift or decay but not its atom.
  void UpdateBias(int64_t unit) { atoms_.SetBounds(unit); }

  // Call this if any stored number may have changed otherwise. It costs nothing if no sparse batch follows.
  void Invalidate() { stale_ = true; }
  bool stale() const { return stale_; }

  // Prepares the rows of x for Encode. Returns false if this encoder cannot take the batch: an element of x + offset is
  // negative, k is a large part of the units, or numbers are so large that sums might overflow. The answer depends on x
  // and the stored numbers alone.
  bool Prepare(support::Context& context, const float* x, int64_t rows, int64_t k);

  // Writes the same code of a row as AffineTopK. `thread` selects the scratch memory. REQUIRES: Prepare returned true.
  void Encode(int64_t row, int thread, int32_t* indices, float* values);

  // A unit's atom, brought up to date. REQUIRES: it is in a code of this batch.
  const float* atom(int64_t unit) const {
    return IsUpToDate(p_, unit) ? p_.atoms + unit * p_.width : copies_.data() + unit * p_.width;
  }

 private:
  // The units that may be in the code of a row.
  struct Candidates {
    int thread = 0;    // scratch_[thread] holds them
    size_t first = 0;  // where they begin in its kept units
    int64_t count = 0;
    float threshold = 0;  // k units have scores that reach it
  };
  struct Scratch {
    std::vector<InputGroup> groups;
    // Of all rows that this thread prepared: the units, and upper bounds of their scores, padded for each row. Memory
    // stays for the next batch.
    std::vector<int32_t> kept_units;
    AlignedVector<float> kept_upper;
    size_t kept = 0;
    AlignedVector<float> upper, lower;
    std::vector<const float*> atoms;
    AlignedVector<float> scores;  // of the candidates, -infinity for those that are not in the code
    AlignedVector<float> exact;   // those computed last
    std::vector<int32_t> positions, others;
  };
  bool MayTake(support::Context& context, const float* x, int64_t k);
  void ScoreRows(int64_t begin, int64_t end, int thread);
  // Keeps the units whose upper bounds, [blocks of units], reach the threshold.
  void KeepCandidates(int64_t row, const float* upper, float threshold, int thread);
  // Computes the exact scores of all candidates that may be in the code, and returns the k-th largest.
  float ScoreCandidates(int64_t row, Scratch* scratch);
  // Computes the exact scores of the candidates at the first `count` of scratch->positions, and returns the k-th
  // largest of them.
  float Score(int64_t row, int64_t count, Scratch* scratch);
  const int32_t* UnitsOf(const Candidates& c) const { return scratch_[c.thread].kept_units.data() + c.first; }
  const float* UpperBoundsOf(const Candidates& c) const { return scratch_[c.thread].kept_upper.data() + c.first; }
  // The atom of a deferred unit, brought up to date once a batch, by the first thread that asks.
  const float* CopyOf(int64_t unit);

  const TiedParameters p_;
  const TiedKernels& kernels_;
  const SparseProductKernels& product_;
  const SparseDotsFunction dots_;
  const codes::LargestKernels& largest_;
  ByteAtoms atoms_;
  bool stale_ = true;  // atoms_ needs a rebuild
  const int64_t tile_stride_;
  AlignedVector<float> copies_;                // [units, width]: copies of deferred atoms
  std::vector<std::atomic<uint64_t>> copied_;  // [units]: 2 batch_ while a thread makes the batch's copy, then 1 more
  std::vector<Scratch> scratch_;               // one per thread

  // The batch of the last Prepare.
  uint64_t batch_ = 0;
  const float* x_ = nullptr;
  int64_t k_ = 0;
  std::vector<SparseRow> rows_;
  std::vector<int32_t> tiles_;          // [rows, 4, tile_stride]
  std::vector<Candidates> candidates_;  // [rows]
  std::atomic<bool> unsuited_{false};
};

}  // namespace kwta::onednn::tied
