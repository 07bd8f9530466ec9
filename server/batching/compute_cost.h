// Estimates what a row costs a model from the batches that the model computed.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace kwta::server {

// Fits a line through the origin to recent batches: its slope is sum r t / sum r^2 over batches of r rows that occupied
// the computing thread for t seconds. Large batches count most, since a long queue turns into large batches. Not
// thread-safe.
class ComputeCost {
 public:
  void Add(int64_t rows, absl::Duration time) {
    const auto r = static_cast<double>(rows);
    rt_ = kKept * rt_ + r * absl::ToDoubleSeconds(time);
    rr_ = kKept * rr_ + r * r;
  }

  // Zero before the first batch.
  absl::Duration Of(int64_t rows) const {
    return rr_ > 0 ? absl::Seconds(static_cast<double>(rows) * rt_ / rr_) : absl::ZeroDuration();
  }

 private:
  static constexpr double kKept = 0.9;  // share of the past's weight that each batch keeps

  double rt_ = 0;
  double rr_ = 0;
};

}  // namespace kwta::server
