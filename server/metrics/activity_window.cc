#include "server/metrics/activity_window.h"

namespace kwta::server {

ActivityWindow::ActivityWindow(int64_t units, int64_t window_rows) : window_rows_(window_rows), used_(units, false) {}

bool ActivityWindow::Add(const SparseCodes& codes) {
  for (const int32_t unit : codes.indices) {
    if (!used_[unit]) {
      used_[unit] = true;
      ++used_units_;
    }
  }
  rows_ += codes.rows();
  entries_ += codes.entries();
  const double units = static_cast<double>(used_.size());
  if (rows_ > 0) active_fraction_ = static_cast<double>(entries_) / static_cast<double>(rows_) / units;
  if (rows_ < window_rows_) return false;
  dead_units_ = static_cast<int64_t>(used_.size()) - used_units_;
  used_.assign(used_.size(), false);
  used_units_ = rows_ = entries_ = 0;
  return true;
}

}  // namespace kwta::server
