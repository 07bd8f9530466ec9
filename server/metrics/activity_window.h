// How a model's units are used by the rows it encodes.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensors/codes.h"

namespace kwta::server {

// Counts in windows of a fixed number of rows, one after another (the last batch of a window may carry it past its
// length). Not thread-safe.
class ActivityWindow {
 public:
  // REQUIRES: units > 0, window_rows > 0.
  ActivityWindow(int64_t units, int64_t window_rows);

  // Takes in codes of `units` units: the active ones are the entries of sparse codes, and what is not zero in dense
  // ones. Returns true if they completed a window; the next one starts empty.
  bool Add(const Codes& codes);

  // Mean fraction of the units that a row activates, L0 / units, over the window in progress, or over the one that was
  // just completed. 0 before any row.
  double active_fraction() const { return active_fraction_; }
  // Units in no code of the last completed window; 0 before one is complete.
  int64_t dead_units() const { return dead_units_; }

 private:
  bool AddRows(int64_t rows, int64_t entries);

  const int64_t window_rows_;
  std::vector<char> used_;  // of each unit, in the window; bytes, which are written without a look
  int64_t rows_ = 0;
  int64_t entries_ = 0;
  double active_fraction_ = 0;
  int64_t dead_units_ = 0;
};

}  // namespace kwta::server
