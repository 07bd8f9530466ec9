// What a row costs a model, from the batches that it computed.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace kwta::server {

// The slope of the line through the origin that fits the recent batches best, sum r t / sum r^2 over batches of r rows
// and t seconds: large batches, which are what a long queue turns into, count most. Not thread-safe.
class ComputeCost {
 public:
  void Add(int64_t rows, absl::Duration compute) {
    const auto r = static_cast<double>(rows);
    rt_ = kKept * rt_ + r * absl::ToDoubleSeconds(compute);
    rr_ = kKept * rr_ + r * r;
  }

  // Zero before anything was computed.
  absl::Duration Of(int64_t rows) const {
    return rr_ > 0 ? absl::Seconds(static_cast<double>(rows) * rt_ / rr_) : absl::ZeroDuration();
  }

 private:
  static constexpr double kKept = 0.9;  // of the past's weight, with each batch

  double rt_ = 0;
  double rr_ = 0;
};

}  // namespace kwta::server
