// A condition variable whose timeouts keep to a clock that nobody sets. Those of absl::CondVar keep to the system's:
// one that is set back by a day makes a wait of half a second one of a day.
#pragma once

#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kwta {

// Thread-safe.
class SteadyCondVar {
 public:
  // Releases `mutex`, waits to be woken up to `most`, and takes it again. May return early.
  void WaitFor(absl::Mutex* mutex, absl::Duration most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Held held{mutex};
    condition_.wait_for(held, absl::ToChronoMilliseconds(most));
  }
  void WakeAll() { condition_.notify_all(); }

 private:
  // What the standard library takes for a lock. The analysis of locks does not see into it.
  struct Held {
    absl::Mutex* mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Unlock(); }
  };

  std::condition_variable_any condition_;
};

}  // namespace kwta
