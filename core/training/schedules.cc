#include "core/training/schedules.h"

namespace kwta {

double LearningRateSchedule::At(int64_t update) const {
  const int64_t turn = updates_ / 2;  // first update of the second half
  const int64_t last = updates_ - 1;
  if (update == last && last > 0) return final_;  // exact in spite of rounding below
  if (update <= turn) return initial_;
  return initial_ + (final_ - initial_) * static_cast<double>(update - turn) / static_cast<double>(last - turn);
}

double LinearFall(int64_t update, int64_t updates) {
  return 1 - static_cast<double>(update) / static_cast<double>(updates);
}

}  // namespace kwta
