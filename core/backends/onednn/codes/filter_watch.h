// The choice between filters on the rows that are served.
//
// The first choice (filter_choice.h) is measured on rows that are made up. Rows of the data may leave many more
// candidates, or hold many more zeros. So calls take turns at the filters for a short while, and the fastest is kept.
// All filters find the same codes, so that a turn costs time and nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// "int8", "fp32" or "bf16". REQUIRES: not kMeasured.
const char* FilterName(support::Filter filter);

// Thread-safe.
class FilterWatch {
 public:
  // Smaller calls do not count: they cost about the same whatever finds their candidates.
  static constexpr int64_t kFewestRows = 32;

  // Starts with `first`, one of `filters`, for the reason given. Never changes it if there is only one.
  FilterWatch(std::vector<support::Filter> filters, support::Filter first, std::string reason);

  // The filter that a call of `rows` rows is to take.
  support::Filter Next(int64_t rows);
  // Records how long such a call took, and for how many of its rows the filter failed. Counts as served from then on.
  void Took(support::Filter filter, int64_t rows, int64_t left_out, double seconds);

  // The filter in use, and why.
  support::Filter filter() const { return filter_.load(std::memory_order_relaxed); }
  std::string reason() const;
  // Changes when the filter does, and when served rows first give the reason.
  uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }

 private:
  // A filter in a round of turns.
  struct Turn {
    support::Filter filter;
    int calls = 0;
    double seconds = 0;  // of a row, the least
  };
  void StartTurns(int64_t rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndTurns() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The turn that is due; null if all have had theirs.
  Turn* Due() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls with about as many rows have the same class.
  static int ClassOf(int64_t rows) { return 63 - __builtin_clzll(static_cast<uint64_t>(rows)); }

  const std::vector<support::Filter> filters_;
  std::atomic<support::Filter> filter_;
  std::atomic<uint64_t> changes_{0};
  // How many calls of kFewestRows and more must pass before anything is done; read without the lock.
  std::atomic<int64_t> calls_to_turns_;

  mutable absl::Mutex mutex_;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  int64_t gap_ ABSL_GUARDED_BY(mutex_);               // between rounds of turns, in calls
  std::vector<Turn> turns_ ABSL_GUARDED_BY(mutex_);   // empty between rounds
  int class_ ABSL_GUARDED_BY(mutex_) = 0;             // of the round's calls
  int64_t others_ ABSL_GUARDED_BY(mutex_) = 0;        // calls of other classes since the round began
  double left_out_ ABSL_GUARDED_BY(mutex_) = 0;       // recent share of rows
  double left_out_then_ ABSL_GUARDED_BY(mutex_) = 0;  // at the last choice
};

}  // namespace kwta::onednn::codes
