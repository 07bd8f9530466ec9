// Retries with exponential backoff on UNAVAILABLE.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/options.h"
#include "core/base/rng.h"

namespace kwta::client {

// Time, which tests can control.
struct Clock {
  std::function<absl::Time()> now = absl::Now;
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
};

// The pauses between attempts; see RetryOptions. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options);

  // Returns the next pause. Pauses grow until max_backoff is reached.
  absl::Duration Next();
  // Restarts from the first pause.
  void Reset() { pauses_ = 0; }
  // Pauses since the start, or since Reset.
  int pauses() const { return pauses_; }

 private:
  const RetryOptions options_;
  int pauses_ = 0;
  Rng rng_;
};

// Calls `call` until it returns something other than UNAVAILABLE, the attempts are used up, or the next pause would
// outlast `deadline`. Returns the last status.
absl::Status RetryUnavailable(const RetryOptions& options, absl::Time deadline, const Clock& clock,
                              const std::function<absl::Status()>& call);

}  // namespace kwta::client
