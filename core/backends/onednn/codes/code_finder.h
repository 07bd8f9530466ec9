// Finds the exact k largest scores of a row from approximate ones with a proven bound.
//
// There are two phases. The first computes the best units by approximate score exactly; the k-th largest of these is a
// floor for the k-th largest of all scores. The second computes every other unit whose bound reaches the floor, by the
// closer of two approximations if there are two.
// docs/kernels/codes.md has the proof.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/codes/largest.h"
#include "core/simd/fixed_order_row.h"

namespace kwta::onednn::codes {

struct ScoreList;

// A closer approximation of the scores of chosen units, for those that the first one cannot rule out.
class CloserScores {
 public:
  virtual ~CloserScores() = default;
  // Keeps those of `count` positions of the list whose exact scores, less the offset of the row's bound, may reach
  // `needed`, in order, and returns their number.
  virtual int64_t Keep(const ScoreList& list, double needed, int32_t* positions, int64_t count) = 0;
};

// Approximate scores of some units of a row. Any other unit is not in the code, or its approximate score plus its bound
// is below `limit`.
struct ScoreList {
  float* scores = nullptr;         // [PaddedScores(size)]; overwritten
  const int32_t* units = nullptr;  // [size], in any order; null: 0 .. size - 1
  int64_t size = 0;
  double limit = -std::numeric_limits<double>::infinity();
  CloserScores* closer = nullptr;  // may be null

  int32_t unit(int32_t position) const { return units != nullptr ? units[position] : position; }
};

// How the search for a code ended.
enum class Outcome {
  kCode,      // The code was written.
  kTooMany,   // More than max_candidates units would need exact scores.
  kTooShort,  // Units that are not in the list may be in the code.
};

// Finds the codes of one row after another and reuses its memory. Not thread-safe.
class CodeFinder {
 public:
  CodeFinder(simd::InstructionSet set, const Dictionary& dictionary)
      : kernels_(LargestKernelsFor(set)), dictionary_(dictionary), row_(set) {}

  // Writes the code of x if it returns kCode.
  // REQUIRES: 1 <= k <= list.size, atoms and biases are finite, and no score can overflow (CannotOverflow).
  Outcome Find(const float* x, const ScoreList& list, const RowBound& bound, int64_t k, int64_t max_candidates,
               int32_t* indices, float* values);

  // Number of exact scores computed so far.
  int64_t exact_scores() const { return exact_scores_; }

 private:
  // Writes the positions of the units whose bound reaches `needed` and returns their number. Writes up to 16 more.
  int64_t CollectNear(const ScoreList& list, const RowBound& bound, double needed, int32_t* positions) const;
  // Appends the exact scores of positions_[first .. count).
  void ScoreExactly(const ScoreList& list, int64_t first, int64_t count);
  // Chooses the k largest of units_ and exact_[0 .. count), of which those before `second` and the others are in order.
  void ChooseOrdered(int64_t second, int64_t count, int64_t k, int32_t* indices, float* values);
  // Chooses the k largest of units_ and exact_[0 .. count), which are in any order.
  void ChooseUnordered(int64_t count, int64_t k, int32_t* indices, float* values);

  const LargestKernels& kernels_;
  const Dictionary& dictionary_;
  simd::FixedOrderRow row_;
  int64_t room_ = 0;  // of the arrays; clearing them for each row is not worthwhile
  std::unique_ptr<int32_t[]> positions_, units_;
  std::unique_ptr<float[]> exact_;
  std::vector<std::pair<int32_t, float>> chosen_;
  int64_t exact_scores_ = 0;
};

// True if no partial sum of a row's scores can overflow, in any order of summation. Leaves room for the arithmetic of
// filters. False if anything is NaN.
inline bool CannotOverflow(double x_norm, double largest_atom_norm, double largest_bias) {
  // By Cauchy and Schwarz any partial sum is at most |x| |w|, apart from its rounding.
  return x_norm < 0x1p100 && largest_atom_norm < 0x1p100 && x_norm * largest_atom_norm + largest_bias < 0x1p120;
}

}  // namespace kwta::onednn::codes
