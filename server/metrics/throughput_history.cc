#include "server/metrics/throughput_history.h"

#include <algorithm>

namespace kwta::server {

void ThroughputHistory::Add(int64_t rows, SteadyTime now) {
  const int64_t number = std::max<int64_t>(NumberOf(now), 0);
  absl::MutexLock lock(&mutex_);
  Second& second = seconds_[static_cast<size_t>(number) % seconds_.size()];
  if (second.number != number) second = {number, 0};
  second.rows += static_cast<uint64_t>(rows);
}

std::vector<uint64_t> ThroughputHistory::RowsBySecond(SteadyTime now) const {
  const int64_t current = NumberOf(now);
  std::vector<uint64_t> rows;
  rows.reserve(kSeconds);
  absl::MutexLock lock(&mutex_);
  for (int64_t number = current - kSeconds; number < current; ++number) {
    const Second& second = seconds_[static_cast<size_t>(std::max<int64_t>(number, 0)) % seconds_.size()];
    rows.push_back(number >= 0 && second.number == number ? second.rows : 0);
  }
  return rows;
}

}  // namespace kwta::server
