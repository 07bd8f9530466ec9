// Measures how the rows that a model encodes use its units.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensors/codes.h"

namespace kwta::server {

// Counts over consecutive windows of a fixed number of rows. The last batch of a window may make it longer. Not
// thread-safe.
class ActivityWindow {
 public:
  // REQUIRES: units > 0, window_rows > 0.
  ActivityWindow(int64_t units, int64_t window_rows);

  // Adds codes of `units` units. A unit is active if it is an entry of a sparse code, or nonzero in a dense one.
  // Returns true if the codes completed a window; the next window starts empty.
  bool Add(const Codes& codes);

  // Mean fraction of the units that a row activates, L0 / units, over the current window, or over the one just
  // completed. 0 before any row.
  double active_fraction() const { return active_fraction_; }
  // Units in no code of the last completed window; 0 until a window is complete.
  int64_t dead_units() const { return dead_units_; }

 private:
  bool AddRows(int64_t rows, int64_t entries);

  const int64_t window_rows_;
  std::vector<char> used_;  // per unit, in the window; bytes, because they are written unconditionally
  int64_t rows_ = 0;
  int64_t entries_ = 0;
  double active_fraction_ = 0;
  int64_t dead_units_ = 0;
};

}  // namespace kwta::server
