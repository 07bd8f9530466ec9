#include "server/metrics/activity_window.h"

#include <algorithm>

namespace kwta::server {

ActivityWindow::ActivityWindow(int64_t units, int64_t window_rows) : window_rows_(window_rows), used_(units, 0) {}

bool ActivityWindow::Add(const Codes& codes) {
  if (const auto* sparse = std::get_if<SparseCodes>(&codes)) {
    for (const int32_t unit : sparse->indices) used_[unit] = 1;
    return AddRows(sparse->rows(), sparse->entries());
  }
  const RowsView dense = std::get<Tensor>(codes).rows();
  int64_t entries = 0;
  for (int64_t i = 0; i < dense.rows; ++i) {
    const float* row = static_cast<const float*>(dense.row(i));
    for (int64_t unit = 0; unit < dense.width; ++unit) {
      if (row[unit] == 0) continue;
      ++entries;
      used_[unit] = 1;
    }
  }
  return AddRows(dense.rows, entries);
}

bool ActivityWindow::AddRows(int64_t rows, int64_t entries) {
  rows_ += rows;
  entries_ += entries;
  const double units = static_cast<double>(used_.size());
  if (rows_ > 0) active_fraction_ = static_cast<double>(entries_) / static_cast<double>(rows_) / units;
  if (rows_ < window_rows_) return false;
  dead_units_ = std::count(used_.begin(), used_.end(), 0);
  used_.assign(used_.size(), 0);
  rows_ = entries_ = 0;
  return true;
}

}  // namespace kwta::server
