// Statistics of codes and reconstructions, gathered batch by batch.
#pragma once

#include <cstdint>
#include <vector>

#include "core/preprocessing/moments.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

// Activity of units over a window: all rows added so far. Not thread-safe.
class ActivationStatistics {
 public:
  // Elements of dense codes count if their magnitude is above `active_above`.
  explicit ActivationStatistics(int64_t units, float active_above = 0)
      : active_above_(active_above), rows_of_unit_(units) {}

  // REQUIRES: codes.units is the constructor's number of units.
  void Add(const SparseCodes& codes);
  // Adds dense codes[rows, units]; an element that does not count is in no code.
  void AddDense(const float* codes, int64_t rows);

  // Number of rows in the window.
  int64_t window_rows() const { return window_rows_; }
  // Mean number of non-zeros per row; 0 if there are no rows.
  double L0() const;
  // Mean fraction of the units that are non-zero in a row.
  double ActiveUnitFraction() const;
  // Number of units that were in no code of the window (an entry that is zero counts as being in the code).
  int64_t DeadUnits() const;
  // [units]: the number of codes of the window that each unit was in.
  const std::vector<int64_t>& rows_of_unit() const { return rows_of_unit_; }

 private:
  const float active_above_;
  int64_t window_rows_ = 0;
  int64_t nonzeros_ = 0;
  std::vector<int64_t> rows_of_unit_;
};

// Fraction of variance unexplained: sum |x - xhat|^2 / sum |x - mean|^2, where mean is the mean of all added rows. It
// is 1 for predictions of that mean. Not thread-safe.
class UnexplainedVariance {
 public:
  explicit UnexplainedVariance(int64_t width) : width_(width), moments_(width) {}

  // x and reconstruction are [rows, width], in the same units.
  void Add(const float* x, const float* reconstruction, int64_t rows);

  // REQUIRES: the added rows are not all equal.
  double Fraction() const { return squared_error_ / moments_.SquaredDeviation(); }

 private:
  int64_t width_;
  Moments moments_;
  double squared_error_ = 0;
};

}  // namespace kwta
