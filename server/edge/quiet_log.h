// Keeps what happens often from filling the log.
#pragma once

#include <utility>

#include "absl/time/time.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// Not thread-safe.
class QuietLog {
 public:
  // Counts one more. Returns how many happened since the last line of the log if it is time for another, else 0.
  int Count(SteadyTime now) {
    ++since_line_;
    if (now - line_ < kApart) return 0;
    line_ = now;
    return std::exchange(since_line_, 0);
  }

 private:
  static constexpr absl::Duration kApart = absl::Seconds(10);

  int since_line_ = 0;
  SteadyTime line_;
};

}  // namespace kwta::server
