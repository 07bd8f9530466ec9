// Exact codes of rows without negative elements, or of such rows less an offset, the faster the more of them are zero,
// with a dictionary in training; docs/kernels.md, "Sparse rows".
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/onednn/codes/selection.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/tied/byte_atoms.h"
#include "core/backends/onednn/tied/sparse_dots.h"
#include "core/backends/onednn/tied/sparse_filter.h"
#include "core/base/aligned_vector.h"

namespace kwta {

// True if nothing is put off of the unit's atom.
inline bool IsUpToDate(const TiedParameters& p, int64_t unit) { return p.shift[unit] == 0 && p.decay[unit] == 1; }

// Finds the units that may be in each row's code, then makes the codes row by row. Nothing of it changes the stored
// numbers: an atom that is put off and may be in a code is brought up to date in a copy. One batch at a time.
class SparseEncoder {
 public:
  SparseEncoder(const OnednnContext& context, const TiedParameters& parameters);

  // To be called after the stored numbers of a unit have changed. Units of different blocks of 16 may run at the same
  // time.
  void UpdateAtom(int64_t unit) { atoms_.Update(unit); }
  // The same when its bias, shift or decay have changed but not its atom.
  void UpdateBias(int64_t unit) { atoms_.SetBounds(unit); }

  // To be called when any stored number may have changed otherwise. Nothing is lost if no sparse batch follows.
  void Invalidate() { stale_ = true; }
  bool stale() const { return stale_; }

  // Prepares the rows of x for Encode. False if the batch is not one for this encoder: an element of x + offset is
  // negative, k is a large part of the units, or numbers are so large that sums might overflow. The answer depends on x
  // and the stored numbers alone.
  bool Prepare(OnednnContext& context, const float* x, int64_t rows, int64_t k);

  // The code of a row, as AffineTopK gives it. `thread` serves to index scratch memory. REQUIRES: Prepare gave true.
  void Encode(int64_t row, int thread, int32_t* indices, float* values);

  // A unit's atom, brought up to date. REQUIRES: it is in a code of this batch.
  const float* atom(int64_t unit) const {
    return IsUpToDate(p_, unit) ? p_.atoms + unit * p_.width : copies_.data() + unit * p_.width;
  }

 private:
  struct Scratch {
    std::vector<SparseRow> rows;
    std::vector<InputGroup> groups;
    AlignedVector<float> upper, lower;
    std::vector<const float*> atoms;
    AlignedVector<float> scores;
    std::vector<int32_t> positions;
  };
  bool MayTake(OnednnContext& context, const float* x, int64_t k);
  void FilterRows(int64_t begin, int64_t end, Scratch* scratch);
  void CopyPutOffAtoms(OnednnContext& context);

  const TiedParameters p_;
  const TiedKernels& kernels_;
  const SparseFilterKernels& filter_;
  const SparseDotsFunction dots_;
  const SelectionKernels& select_;
  ByteAtoms atoms_;
  bool stale_ = true;  // atoms_ must be made anew
  const int64_t tile_stride_;
  std::vector<int32_t> all_units_;
  AlignedVector<float> copies_;  // [units, width], of atoms that are put off
  std::vector<std::atomic<bool>> wanted_;
  std::vector<Scratch> scratch_;  // of each thread

  // Of the batch.
  const float* x_ = nullptr;
  int64_t k_ = 0;
  int64_t capacity_ = 0;  // candidates of a row; a row with more takes all units
  std::vector<SparseRow> rows_;
  std::vector<int32_t> tiles_;       // [rows, 4, tile_stride]
  std::vector<int32_t> candidates_;  // [rows, capacity + 16]
  std::vector<int32_t> counts_;      // [rows]
  std::atomic<bool> unsuited_{false};
};

}  // namespace kwta
