// Measures how the rows that a model encodes use its units.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensors/codes.h"

namespace kwta::server {

// How often each unit was active in some rows.
struct UnitCounts {
  int64_t rows = 0;
  int64_t entries = 0;              // summed over rows
  std::vector<uint32_t> active_in;  // [units]: rows whose code has the unit

  // Mean number of entries of a row's code; 0 before any row.
  double l0() const { return rows > 0 ? static_cast<double>(entries) / static_cast<double>(rows) : 0; }
  // l0() as a fraction of the units.
  double active_fraction() const { return active_in.empty() ? 0 : l0() / static_cast<double>(active_in.size()); }
  // Units that no row activated.
  int64_t dead_units() const;
};

// Counts over consecutive windows of a fixed number of rows. The last batch of a window may make it longer. Not
// thread-safe.
class ActivityWindow {
 public:
  // An entry of a dense code is active if its magnitude is above active_above. REQUIRES: units > 0, window_rows > 0.
  ActivityWindow(int64_t units, int64_t window_rows, float active_above = 0);

  // Adds codes of `units` units. A unit is active if it is an entry of a sparse code, or active in a dense one.
  // Returns true if the codes completed a window; the next window then starts empty.
  bool Add(const Codes& codes);

  float active_above() const { return active_above_; }
  int64_t units() const { return static_cast<int64_t>(current_.active_in.size()); }
  const UnitCounts& current() const { return current_; }
  // The last complete window; without rows until one is complete.
  const UnitCounts& complete() const { return complete_; }
  // The current window, or the one just completed while the current one has no rows.
  const UnitCounts& latest() const { return current_.rows > 0 ? current_ : complete_; }

 private:
  const int64_t window_rows_;
  const float active_above_;
  UnitCounts current_, complete_;
};

}  // namespace kwta::server
