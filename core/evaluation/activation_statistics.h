// What codes and reconstructions are like, gathered batch by batch.
#pragma once

#include <cstdint>
#include <vector>

#include "core/preprocessing/moments.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

// Activity of units over a window: all rows added so far. Not thread-safe.
class ActivationStatistics {
 public:
  explicit ActivationStatistics(int64_t units) : rows_of_unit_(units) {}

  // REQUIRES: codes.units is the number of units given at first.
  void Add(const SparseCodes& codes);
  // The same for dense codes[rows, units], of which an element that is zero is in no code.
  void AddDense(const float* codes, int64_t rows);

  // Rows of the window.
  int64_t window_rows() const { return window_rows_; }
  // Mean number of non-zeros a row; 0 if there are no rows.
  double L0() const;
  // Mean fraction of the units that are non-zero in a row.
  double ActiveUnitFraction() const;
  // Units that were in no code of the window (an entry that is zero counts as being in the code).
  int64_t DeadUnits() const;
  // In how many codes of the window each unit was, [units].
  const std::vector<int64_t>& rows_of_unit() const { return rows_of_unit_; }

 private:
  int64_t window_rows_ = 0;
  int64_t nonzeros_ = 0;
  std::vector<int64_t> rows_of_unit_;
};

// Fraction of variance unexplained: sum |x - xhat|^2 / sum |x - mean|^2 with the mean of the rows added; predicting
// that mean gives 1. Not thread-safe.
class UnexplainedVariance {
 public:
  explicit UnexplainedVariance(int64_t width) : width_(width), moments_(width) {}

  // x and reconstruction are [rows, width], in the same units.
  void Add(const float* x, const float* reconstruction, int64_t rows);

  // REQUIRES: rows that differ were added.
  double Fraction() const { return squared_error_ / moments_.SquaredDeviation(); }

 private:
  int64_t width_;
  Moments moments_;
  double squared_error_ = 0;
};

}  // namespace kwta
