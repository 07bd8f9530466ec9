// Makes trainers yield to this server's Encode, and not to every other program on the machine.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// While Encode is in use, trainers are in the system's idle class: a thread of the server that wakes up takes the
// processor from them at once, and they get what Encode leaves. kQuiet after the last call they compete with other
// programs again, at their own nice level. The system may not let them leave the idle class (that takes CAP_SYS_NICE,
// or an RLIMIT_NICE of 20 - nice level); they then stay in it until they end, and the log says so once. Thread-safe.
class TrainerPriority {
 public:
  static constexpr absl::Duration kQuiet = absl::Seconds(1);

  // A trainer has started, or is about to be reaped: until then its number cannot belong to another process.
  void Add(pid_t trainer, SteadyTime now);
  void Remove(pid_t trainer);

  // A request to encode has reached its model. Cheap while requests keep coming.
  void EncodeIsInUse(SteadyTime now);
  // Call this several times a second while a trainer runs.
  void Look(SteadyTime now);

 private:
  void Apply(bool yields) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<int64_t> last_use_{INT64_MIN / 2};  // nanoseconds of the steady clock; long ago at first
  std::atomic<bool> yields_{false};
  absl::Mutex mutex_;
  std::set<pid_t> trainers_ ABSL_GUARDED_BY(mutex_);
  bool told_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server
