// Points of time for intervals. The system's clock, absl::Now, may be set back or forward at any moment, by a day or by
// decades; it is for what people read and for dates that files name.
#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace kwta {

// A point on a clock that nobody sets and that never goes back. Its beginning means nothing: only differences do.
class SteadyTime {
 public:
  // As long ago as can be.
  constexpr SteadyTime() : since_(-absl::InfiniteDuration()) {}
  static constexpr SteadyTime InfiniteFuture() { return SteadyTime(absl::InfiniteDuration()); }
  // For tests, which make their own clock.
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
