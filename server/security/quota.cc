#include "server/security/quota.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/retry_after.h"

namespace kwta::server {

absl::Status Quota::Take(double amount, SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  if (filled_ != SteadyTime()) {
    held_ = std::min(Full(), held_ + rate_ * std::max(0.0, absl::ToDoubleSeconds(now - filled_)));
  }
  filled_ = std::max(filled_, now);
  const double needed = std::min(amount, Full());
  if (held_ >= needed) {
    held_ -= amount;
    return absl::OkStatus();
  }
  const absl::Duration pause = absl::Seconds((needed - held_) / rate_);
  return WithRetryAfter(
      absl::ResourceExhaustedError(absl::StrCat("the quota of this token is used up: ", what_, " is ", rate_,
                                                "; try again in ", absl::FormatDuration(pause))),
      pause);
}

}  // namespace kwta::server
