// Points in time for measuring intervals. The system clock, absl::Now, may jump by a day or by decades at any moment.
// Use it only for times that people read and for dates in files.
#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace kwta {

// A point on the steady clock, which never goes back. Only differences mean something; its origin does not.
class SteadyTime {
 public:
  // The infinite past.
  constexpr SteadyTime() : since_(-absl::InfiniteDuration()) {}
  static constexpr SteadyTime InfiniteFuture() { return SteadyTime(absl::InfiniteDuration()); }
  // For tests with a clock of their own.
  static constexpr SteadyTime At(absl::Duration since_the_beginning) { return SteadyTime(since_the_beginning); }
  static SteadyTime Now() { return SteadyTime(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch())); }

  friend SteadyTime operator+(SteadyTime time, absl::Duration later) { return SteadyTime(time.since_ + later); }
  friend absl::Duration operator-(SteadyTime end, SteadyTime start) { return end.since_ - start.since_; }
  friend bool operator==(SteadyTime a, SteadyTime b) { return a.since_ == b.since_; }
  friend bool operator!=(SteadyTime a, SteadyTime b) { return a.since_ != b.since_; }
  friend bool operator<(SteadyTime a, SteadyTime b) { return a.since_ < b.since_; }
  friend bool operator<=(SteadyTime a, SteadyTime b) { return a.since_ <= b.since_; }
  friend bool operator>(SteadyTime a, SteadyTime b) { return a.since_ > b.since_; }
  friend bool operator>=(SteadyTime a, SteadyTime b) { return a.since_ >= b.since_; }

 private:
  explicit constexpr SteadyTime(absl::Duration since) : since_(since) {}

  absl::Duration since_;
};

}  // namespace kwta
