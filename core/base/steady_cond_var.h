// A condition variable whose timeouts use the steady clock. absl::CondVar uses the system clock: if somebody sets that
// back by a day, a wait of half a second takes a day.
#pragma once

#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kwta {

// Thread-safe.
class SteadyCondVar {
 public:
  // Releases `mutex`, waits up to `most` to be woken, and takes `mutex` again. May return early.
  void WaitFor(absl::Mutex* mutex, absl::Duration most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Held held{mutex};
    condition_.wait_for(held, absl::ToChronoMilliseconds(most));
  }
  void WakeAll() { condition_.notify_all(); }

 private:
  // Adapts absl::Mutex to the standard library's lock. Thread-safety analysis does not see into it.
  struct Held {
    absl::Mutex* mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Unlock(); }
  };

  std::condition_variable_any condition_;
};

}  // namespace kwta
