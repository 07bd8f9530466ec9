// Limits how much one caller may use per second.
#pragma once

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// A bucket that fills at `rate` per second and holds one second's worth, at least one. Thread-safe.
class Quota {
 public:
  // `what` names the counted unit in the refusal: "rows_per_second".
  Quota(std::string what, double rate) : what_(std::move(what)), rate_(rate), held_(Full()) {}

  double rate() const { return rate_; }

  // Takes `amount`. An amount larger than the bucket can be taken only from a full bucket, which is then in debt.
  // Errors: RESOURCE_EXHAUSTED naming the quota, with a RetryAfter.
  absl::Status Take(double amount, SteadyTime now);

 private:
  double Full() const { return rate_ < 1 ? 1 : rate_; }

  const std::string what_;
  const double rate_;
  absl::Mutex mutex_;
  double held_ ABSL_GUARDED_BY(mutex_);
  SteadyTime filled_ ABSL_GUARDED_BY(mutex_);  // long ago until the first Take
};

}  // namespace kwta::server
