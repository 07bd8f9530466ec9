// The rows that were encoded in each of the last seconds.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// Thread-safe.
class ThroughputHistory {
 public:
  static constexpr int64_t kSeconds = 300;

  // `start` is where the first second begins.
  explicit ThroughputHistory(SteadyTime start) : start_(start) {}

  void Add(int64_t rows, SteadyTime now);

  // Rows of the last kSeconds whole seconds before `now`, oldest first.
  std::vector<uint64_t> RowsBySecond(SteadyTime now) const;

 private:
  struct Second {
    int64_t number = -1;  // since start_
    uint64_t rows = 0;
  };
  int64_t NumberOf(SteadyTime time) const { return absl::ToInt64Seconds(time - start_); }

  const SteadyTime start_;
  mutable absl::Mutex mutex_;
  std::array<Second, kSeconds + 1> seconds_ ABSL_GUARDED_BY(mutex_);  // second n is at n modulo the size
};

}  // namespace kwta::server
