#include "server/metrics/activity_window.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace kwta::server {
int64_t UnitCounts::dead_units() const { return std::count(active_in.begin(), active_in.end(), 0u); }

ActivityWindow::ActivityWindow(int64_t units, int64_t window_rows, float active_above)
    : window_rows_(window_rows), active_above_(active_above) {
  current_.active_in.assign(static_cast<size_t>(units), 0);
  complete_.active_in.assign(static_cast<size_t>(units), 0);
}

bool ActivityWindow::Add(const Codes& codes) {
  uint32_t* active_in = current_.active_in.data();
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) {
    for (const int32_t unit : sparse->indices) ++active_in[unit];
    current_.rows += sparse->rows();
    current_.entries += sparse->entries();
  } else {
    const RowsView dense = std::get<Tensor>(codes).rows();
    for (int64_t i = 0; i < dense.rows; ++i) {
      const float* row = static_cast<const float*>(dense.row(i));
      int32_t entries = 0;  // of a row, which the loop below can add in vectors
      for (int64_t unit = 0; unit < dense.width; ++unit) {
        const auto active = static_cast<uint32_t>(std::abs(row[unit]) > active_above_);
        active_in[unit] += active;
        entries += static_cast<int32_t>(active);
      }
      current_.entries += entries;
    }
    current_.rows += dense.rows;
  }
  if (current_.rows < window_rows_) return false;
  std::swap(current_, complete_);
  current_.rows = current_.entries = 0;
  std::fill(current_.active_in.begin(), current_.active_in.end(), 0u);
  return true;
}

}  // namespace kwta::server
