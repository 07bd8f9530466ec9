// Exponential backoff on UNAVAILABLE.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/options.h"
#include "core/base/rng.h"

namespace kwta::client {

// Time, held by the tests.
struct Clock {
  std::function<absl::Time()> now = absl::Now;
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
};

// The pauses between attempts; see RetryOptions. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options);

  // The next pause, longer than the one before until max_backoff is reached.
  absl::Duration Next();
  // Starts again from the first pause.
  void Reset() { pauses_ = 0; }
  // Pauses since the start, or since Reset.
  int pauses() const { return pauses_; }

 private:
  const RetryOptions options_;
  int pauses_ = 0;
  Rng rng_;
};

// Makes `call` until it gives something other than UNAVAILABLE, the attempts are used up, or the next pause would
// outlast `deadline`; returns its last status.
absl::Status RetryUnavailable(const RetryOptions& options, absl::Time deadline, const Clock& clock,
                              const std::function<absl::Status()>& call);

}  // namespace kwta::client
