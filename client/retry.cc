#include "client/retry.h"

#include <algorithm>
#include <random>

namespace kwta::client {
namespace {

constexpr int kMaxDoublings = 30;  // max_backoff is reached long before this.

}  // namespace

Backoff::Backoff(const RetryOptions& options) : options_(options), rng_(std::random_device()()) {}

absl::Duration Backoff::Next() {
  const absl::Duration longest =
      std::min(options_.initial_backoff * (int64_t{1} << std::min(pauses_, kMaxDoublings)), options_.max_backoff);
  ++pauses_;
  return longest * (0.5 + 0.5 * rng_.Uniform());
}

absl::Status RetryUnavailable(const RetryOptions& options, absl::Time deadline, const Clock& clock,
                              const std::function<absl::Status()>& call) {
  Backoff backoff(options);
  for (;;) {
    absl::Status status = call();
    if (!absl::IsUnavailable(status) || backoff.pauses() + 1 >= options.attempts) return status;
    const absl::Duration pause = backoff.Next();
    if (clock.now() + pause >= deadline) return status;
    clock.sleep(pause);
  }
}

}  // namespace kwta::client
